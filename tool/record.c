/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ptdesc record: what a program does to its address spaces, as a trace. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/options.h"
#include "tool/record/recorder.h"
#include "tool/tool.h"

/* Calls of a space between two checkpoints, unless --every says so. */
#define USUAL_EVERY 200u

#define SUFFIX ".ptt"

enum option {
	OPTION_FILE = 1,
	OPTION_EVERY,
	OPTION_CHECK_ALL,
};

static const char examples[] =
    "\nRuns PROGRAM and writes what it and all that it starts do to their address spaces: calls,\n"
    "VMAs, page faults, pages, and checkpoints with the kernel's own count of page tables.\n"
    "The exit status is the program's, 128+N if signal N ended it. Root is not needed.\n"
    "\nExamples:\n"
    "  ptdesc record -- sh -c 'ls | sort'        into sh.ptt\n"
    "  ptdesc record -o build.ptt -- make -j4\n"
    "  ptdesc record --check-all -- ./program    a checkpoint after each memory call\n";

void record_emit(struct recorder *rec, const struct trace_event *event)
{
	struct trace_error error;

	if (rec->failed || !rec->writer)
		return;
	rec->counts.events++;
	if (trace_write(rec->writer, event))
		return;
	trace_close(rec->writer, 0, &error);
	rec->writer = NULL;
	tool_error("%s: %s; the program goes on, but is not recorded", rec->path, error.what);
	record_refuse(rec, TOOL_BAD_INPUT);
}

void record_refuse(struct recorder *rec, int failure)
{
	rec->failed = true;
	rec->failure = failure;
}

uint64_t record_time(const struct recorder *rec)
{
	return tool_now_ns() - rec->started_ns;
}

bool record_begin(struct recorder *rec)
{
	struct trace_error error;

	rec->writer = trace_create(rec->path, &rec->header, &error);
	if (rec->writer)
		return true;
	tool_error("%s: %s", rec->path, error.what);
	record_refuse(rec, TOOL_BAD_INPUT);
	return false;
}

static int take_option(void *ctx, int val, const char *argument)
{
	struct recorder *rec = ctx;

	switch (val) {
	case OPTION_FILE:
		free(rec->path);
		rec->path = strdup(argument);
		return rec->path ? TOOL_OK : TOOL_UNSUPPORTED;
	case OPTION_CHECK_ALL:
		rec->every = 1;
		return TOOL_OK;
	default:
		if (options_number(argument, &rec->every) && rec->every)
			return TOOL_OK;
		tool_error("--every takes a number of calls, not %s", argument);
		return TOOL_USAGE;
	}
}

/* Ends a text of so many bytes, which was cut, before a character of UTF-8 that is not whole. */
static void end_whole(char *text, size_t bytes)
{
	size_t first = bytes;
	size_t whole;
	unsigned char lead;

	while (first && (text[first - 1] & 0xc0) == 0x80)
		first--;
	lead = first ? (unsigned char)text[--first] : 0;
	whole = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (first + whole > bytes)
		text[first] = 0;
}

/* The command as typed, cut, and the file's name if none was given. */
static void take_command(struct recorder *rec, const char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	char *command = rec->header.command;
	size_t room = sizeof(rec->header.command);
	size_t at = 0;

	for (size_t i = 0; argv[i] && at < room; i++)
		at += (size_t)snprintf(command + at, room - at, i ? " %s" : "%s", argv[i]);
	if (at >= room)
		end_whole(command, room - 1);
	rec->program = argv[0];
	if (!rec->path && asprintf(&rec->path, "%s%s", slash ? slash + 1 : argv[0], SUFFIX) < 0)
		rec->path = NULL;
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void summarize(const struct recorder *rec)
{
	const struct record_counts *counts = &rec->counts;
	struct stat file = {0};

	stat(rec->path, &file);
	fprintf(stderr,
	    "%s: %.3f s, %" PRIu64 " events, %" PRIu64 " faults, %" PRIu64 " checkpoints, %" PRIu64
	    " bytes in %s; %" PRIu64 " samples lost; %.3f s stopped, %.3f s of CPU for recording\n",
	    rec->program, (double)record_time(rec) / 1e9, counts->events, counts->faults,
	    counts->checkpoints, (uint64_t)file.st_size, rec->path, counts->lost,
	    (double)counts->stopped_ns / 1e9, cpu_seconds());
}

/* Closes the trace; the exit code. */
static int finish(struct recorder *rec)
{
	struct trace_error error;
	struct trace_writer *writer = rec->writer;

	rec->writer = NULL;
	if (!writer)
		return rec->failed ? rec->failure : launch_explain(rec);
	if (!trace_close(writer, rec->status, &error)) {
		tool_error("%s: %s", rec->path, error.what);
		return TOOL_BAD_INPUT;
	}
	summarize(rec);
	return rec->failed ? rec->failure : rec->status;
}

static int record(struct recorder *rec, const char **arguments)
{
	int status;

	if (!options_count(arguments)) {
		tool_error("name a program: try ptdesc record --help");
		return TOOL_USAGE;
	}
	take_command(rec, arguments);
	status = host_probe(rec);
	if (status != TOOL_OK)
		return status;
	rec->started_ns = tool_now_ns();
	status = launch(rec, (char *const *)(uintptr_t)arguments);
	if (status == TOOL_OK) {
		loop_run(rec);
		status = finish(rec);
	}
	samples_close(rec);
	return status;
}

static void free_recorder(struct recorder *rec)
{
	for (unsigned i = 0; i < TASK_BUCKETS; i++) {
		while (rec->tasks[i])
			task_forget(rec, rec->tasks[i]);
	}
	free(rec->path);
	free(rec->text);
	free(rec->vmas);
	free(rec->runs);
	free(rec);
}

int command_record(int argc, const char **argv)
{
	struct recorder *rec = tool_alloc(sizeof(*rec));
	const struct poptOption table[] = {
		{"output", 'o', POPT_ARG_STRING, NULL, OPTION_FILE,
			"write the trace there, not into PROGRAM" SUFFIX, "FILE"},
		{"every", 'e', POPT_ARG_STRING, NULL, OPTION_EVERY,
			"a checkpoint after so many memory calls of a process (200)", "CALLS"},
		{"check-all", 0, POPT_ARG_NONE, NULL, OPTION_CHECK_ALL,
			"a checkpoint after each of them", NULL},
		POPT_TABLEEND,
	};
	const struct tool_options options = {
		.command = "record",
		.arguments = "-- PROGRAM [ARGS...]",
		.examples = examples,
		.table = table,
		.take = take_option,
		.ctx = rec,
	};
	poptContext context;
	int status;

	rec->every = USUAL_EVERY;
	rec->launch_fd = -1;
	TAILQ_INIT(&rec->spaces);
	TAILQ_INIT(&rec->ready);
	TAILQ_INIT(&rec->unclaimed);
	status = options_parse(&options, argc, argv, &context);
	if (status == OPTIONS_GO_ON)
		status = record(rec, poptGetArgs(context));
	poptFreeContext(context);
	free_recorder(rec);
	return status;
}
