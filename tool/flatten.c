/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ptdesc flatten: the operations on page tables that a trace comes to, as a file. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/input.h"
#include "tool/json.h"
#include "tool/options.h"
#include "tool/replay/replay.h"
#include "tool/tool.h"
#include "tool/words.h"

#define SCHEMA         "ptdesc.flatten/1"
#define DEFAULT_FORMAT "x86_64"

enum option {
	OPTION_OUTPUT = 1,
	OPTION_FORMAT,
	OPTION_ROOM,
};

struct flatten {
	int json;
	char *out;
	const char *trace;
	const struct pt_format *format;
	uint64_t room;
	struct sink_log log;
	struct replay_result result;
};

static const char examples[] =
    "\nReplays a trace, and writes down each call of the library that changes tables, among them\n"
    "questions (is this page mapped, where to, may it be written) with the plain model's answers:\n"
    "a port on another machine does the same and compares. docs/flat-format.md has the layout.\n"
    "\nExamples:\n"
    "  ptdesc flatten -o cc.ptf cc.ptt\n"
    "  ptdesc flatten --format riscv-sv32 --room 0x40000000 -o cc.ptf cc.ptt\n"
    "  ./run boot riscv32 cc.ptt             what comes of it on a machine under QEMU\n";

static int take_option(void *ctx, int val, const char *argument)
{
	struct flatten *flatten = ctx;

	if (val == OPTION_OUTPUT) {
		free(flatten->out);
		flatten->out = strdup(argument);
		return flatten->out ? TOOL_OK : TOOL_UNSUPPORTED;
	}
	if (val == OPTION_FORMAT) {
		flatten->format = word_format(argument);
		return flatten->format ? TOOL_OK : TOOL_BAD_INPUT;
	}
	if (options_number(argument, &flatten->room) && flatten->room >= UINT64_C(1) << 28)
		return TOOL_OK;
	tool_error("--room takes an address from 0x10000000 on, not %s", argument);
	return TOOL_USAGE;
}

static int write_file(const struct flatten *flatten)
{
	const struct sink_log *log = &flatten->log;
	struct flat_header header = {
		.bytes = log->bytes,
		.records = log->counts.operations + log->counts.looks,
		.spaces = log->spaces,
		.checksum = flat_checksum(FLAT_CHECKSUM_START, log->records, log->bytes),
	};
	uint8_t bytes[FLAT_HEADER];
	struct stat is;
	FILE *file = fopen(flatten->out, "we");
	bool fine = file != NULL;

	snprintf(header.format, sizeof(header.format), "%s", flatten->format->name);
	flat_put_header(bytes, &header);
	fine = fine && fwrite(bytes, sizeof(bytes), 1, file) == 1 &&
	       fwrite(log->records, 1, log->bytes, file) == log->bytes;
	if (file && fclose(file))
		fine = false;
	if (fine)
		return TOOL_OK;
	tool_error("%s: %s", flatten->out, strerror(errno));
	/* A part of it is none. */
	if (file && !stat(flatten->out, &is) && S_ISREG(is.st_mode))
		unlink(flatten->out);
	return TOOL_BAD_INPUT;
}

static void print_text(const struct flatten *flatten)
{
	const struct sink_counts *counts = &flatten->log.counts;

	printf("%s on %s: %" PRIu64 " operations, %" PRIu64 " questions, %" PRIu64
	       " spaces; at most %" PRIu64 " tables\n",
	    flatten->trace, flatten->format->name, counts->operations, counts->looks,
	    counts->kinds[SINK_NEW], sink_tables(counts->peak));
	if (flatten->result.not_fitting)
		printf("%" PRIu64 " pages had no room\n", flatten->result.not_fitting);
}

static json_t *by_level(const struct flatten *flatten, const uint64_t tables[PT_MAX_LEVELS])
{
	json_t *array = json_array();

	for (unsigned l = 0; l < flatten->format->levels; l++)
		json_array_append_new(array, json_integer((json_int_t)tables[l]));
	return array;
}

static void print_json(const struct flatten *flatten)
{
	const struct sink_counts *counts = &flatten->log.counts;
	json_t *record = json_record(SCHEMA, NULL);
	json_t *kinds = json_object();

	json_put_text(record, "trace", flatten->trace);
	json_put_text(record, "format", flatten->format->name);
	json_put_number(record, "operations", counts->operations);
	json_put_number(record, "questions", counts->looks);
	for (unsigned kind = 0; kind < SINK_KINDS; kind++)
		json_put_number(kinds, sink_kind_name(kind), counts->kinds[kind]);
	json_put(record, "kinds", kinds);
	json_put_number(record, "most_spaces", counts->most_alive);
	json_put(record, "peak_tables", by_level(flatten, counts->peak));
	json_put(record, "end_tables", by_level(flatten, counts->tables));
	json_put_hex(record, "digest", counts->digest);
	json_put_number(record, "not_fitting", flatten->result.not_fitting);
	json_put_number(record, "bytes", flatten->log.bytes + FLAT_HEADER);
	json_emit(record);
}

static int replay(struct flatten *flatten, struct trace_reader *reader,
    const struct trace_header *header)
{
	const struct replay_options options = {
		.format = flatten->format,
		.log = &flatten->log,
		.room = flatten->room,
	};
	struct trace_error error;

	int status = input_fits(header, flatten->format);

	if (status != TOOL_OK)
		return status;
	if (!replay_run(reader, header, &options, &flatten->result, &error))
		return input_broken(flatten->trace, &error);
	if (flatten->result.wrong[0]) {
		tool_error("%s: %s", flatten->format->name, flatten->result.wrong);
		return TOOL_DIFFERENCE;
	}
	return write_file(flatten);
}

static int flatten_trace(struct flatten *flatten)
{
	struct trace_header header;
	struct trace_error error;
	struct trace_reader *reader = trace_open(flatten->trace, &header, &error);
	int status;

	if (!reader)
		return input_broken(flatten->trace, &error);
	status = replay(flatten, reader, &header);
	trace_reader_close(reader);
	free(flatten->log.records);
	if (status == TOOL_OK)
		flatten->json ? print_json(flatten) : print_text(flatten);
	return status;
}

static bool same_file(const char *a, const char *b)
{
	struct stat of_a;
	struct stat of_b;

	return !stat(a, &of_a) && !stat(b, &of_b) && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

/* What can only be said of all options together. */
static int check(const struct flatten *flatten)
{
	uint64_t page = UINT64_C(1) << flatten->format->page_shift;

	if (flatten->room & (page - 1)) {
		tool_error("--room takes a multiple of the %" PRIu64 " bytes of a page of %s, "
			   "not %#" PRIx64,
		    page, flatten->format->name, flatten->room);
		return TOOL_USAGE;
	}
	if (same_file(flatten->out, flatten->trace)) {
		tool_error("%s is the trace: name another file with -o", flatten->out);
		return TOOL_USAGE;
	}
	return TOOL_OK;
}

static int run(struct flatten *flatten, const char **arguments)
{
	int status;

	if (options_count(arguments) != 1 || !flatten->out) {
		tool_error("name one trace, and with -o the file to write: try ptdesc flatten "
			   "--help");
		return TOOL_USAGE;
	}
	if (!flatten->format)
		flatten->format = word_format(DEFAULT_FORMAT);
	if (!flatten->format)
		return TOOL_UNSUPPORTED;
	flatten->trace = arguments[0];
	status = check(flatten);
	return status == TOOL_OK ? flatten_trace(flatten) : status;
}

int command_flatten(int argc, const char **argv)
{
	struct flatten flatten = {0};
	const struct poptOption table[] = {
		{"output", 'o', POPT_ARG_STRING, NULL, OPTION_OUTPUT, "the file to write", "FILE"},
		{"json", 'j', POPT_ARG_NONE, &flatten.json, 0, "JSON Lines", NULL},
		{"format", 'f', POPT_ARG_STRING, NULL, OPTION_FORMAT,
			"on this format; x86_64 unless named", "NAME"},
		{"room", 0, POPT_ARG_STRING, NULL, OPTION_ROOM,
			"programs end below this address: what lies above is moved, as in a narrow "
			"format",
			"ADDRESS"},
		POPT_TABLEEND,
	};
	const struct tool_options options = {
		.command = "flatten",
		.arguments = "TRACE",
		.examples = examples,
		.table = table,
		.take = take_option,
		.ctx = &flatten,
	};
	poptContext context;
	int status = options_parse(&options, argc, argv, &context);

	if (status == OPTIONS_GO_ON)
		status = run(&flatten, poptGetArgs(context));
	poptFreeContext(context);
	free(flatten.out);
	return status;
}
