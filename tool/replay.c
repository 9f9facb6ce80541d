/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ptdesc replay: does to page tables what a recorded program did to its own, and compares. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ptdesc/hosted.h>

#include "tool/input.h"
#include "tool/options.h"
#include "tool/replay_report.h"
#include "tool/tool.h"
#include "tool/words.h"

/* The format whose tables are those of the recorded machine. */
#define RECORDED_FORMAT "x86_64"

#define MOST_FORMATS 32u

/* One CPU of the hosted port is this thread's. */
#define MOST_THREADS (PT_HOSTED_CPUS - 1u)

enum option {
	OPTION_FORMAT = 1,
	OPTION_THP,
	OPTION_WITHOUT,
	OPTION_THREADS,
};

struct replayed {
	int json;
	const struct pt_format *formats[MOST_FORMATS]; /* [0] is the recorded machine's */
	size_t count;
	bool named;
	bool keep_recorded; /* among those to show */
	enum replay_thp thp;
	unsigned threads; /* 0: not named */
	uint32_t without;
};

static const char examples[] =
    "\nLets the library do what a program that ptdesc record followed did: one space for each\n"
    "process, fork by copying, mremap by moving. At each checkpoint the number of tables is\n"
    "compared with the kernel's (VmPTE), in the end every translation with a plain model.\n"
    "\nExamples:\n"
    "  ptdesc record -o cc.ptt -- cc -c hello.c && ptdesc replay cc.ptt\n"
    "  ptdesc replay cc.ptt --format all --thp always\n"
    "  ptdesc replay cc.ptt --without 10     what differs if empty tables are never given back\n"
    "  ptdesc replay cc.ptt --json | jq 'select(.kind == \"comparison\")'\n";

static int add_format(struct replayed *replayed, const char *name)
{
	const struct pt_format *format = word_format(name);

	if (!format)
		return TOOL_BAD_INPUT;
	if (format == replayed->formats[0]) {
		replayed->keep_recorded = true;
		return TOOL_OK;
	}
	for (size_t i = 1; i < replayed->count; i++)
		if (replayed->formats[i] == format)
			return TOOL_OK;
	if (replayed->count == MOST_FORMATS) {
		tool_error("at most %u formats at a time", MOST_FORMATS);
		return TOOL_USAGE;
	}
	replayed->formats[replayed->count++] = format;
	return TOOL_OK;
}

static int add_all(struct replayed *replayed)
{
	int status = TOOL_OK;

	for (size_t i = 0; pt_formats[i] && status == TOOL_OK; i++)
		if (!(pt_formats[i]->flags & PT_FORMAT_FAKE))
			status = add_format(replayed, pt_formats[i]->name);
	return status;
}

/* NAME, or NAME,NAME..., or all. */
static int add_formats(struct replayed *replayed, const char *list)
{
	char *names = strdup(list);
	char *rest = names;
	int status = names ? TOOL_OK : TOOL_UNSUPPORTED;
	const char *name;

	replayed->named = true;
	while (status == TOOL_OK && (name = strsep(&rest, ",")))
		status = strcmp(name, "all") ? add_format(replayed, name) : add_all(replayed);
	free(names);
	return status;
}

static int set_thp(struct replayed *replayed, const char *mode)
{
	static const char *const modes[] = {[REPLAY_THP_RECORDED] = "recorded",
		[REPLAY_THP_NEVER] = "never",
		[REPLAY_THP_ALWAYS] = "always"};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(mode, modes[i])) {
			replayed->thp = (enum replay_thp)i;
			return TOOL_OK;
		}
	tool_error("--thp takes recorded, never or always, not %s", mode);
	return TOOL_USAGE;
}

static int leave_out(struct replayed *replayed, const char *text)
{
	uint64_t rule;

	if (!options_number(text, &rule) || !rule || rule > REPLAY_RULES) {
		tool_error("--without takes the number of a rule, 1 to %u, not %s", REPLAY_RULES,
		    text);
		return TOOL_USAGE;
	}
	replayed->without |= 1u << rule;
	return TOOL_OK;
}

static int set_threads(struct replayed *replayed, const char *text)
{
	uint64_t threads;

	if (!options_number(text, &threads) || !threads || threads > MOST_THREADS) {
		tool_error("--threads takes a number from 1 to %u, not %s", MOST_THREADS, text);
		return TOOL_USAGE;
	}
	replayed->threads = (unsigned)threads;
	return TOOL_OK;
}

static int take_option(void *ctx, int val, const char *argument)
{
	switch (val) {
	case OPTION_FORMAT:
		return add_formats(ctx, argument);
	case OPTION_THP:
		return set_thp(ctx, argument);
	case OPTION_THREADS:
		return set_threads(ctx, argument);
	default:
		return leave_out(ctx, argument);
	}
}

static int check_formats(const struct replayed *replayed, const struct trace_header *header)
{
	int status = TOOL_OK;

	for (size_t i = 0; i < replayed->count && status == TOOL_OK; i++)
		status = input_fits(header, replayed->formats[i]);
	return status;
}

static unsigned cpus_here(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < 1 ? 1 : cpus < (long)MOST_THREADS ? (unsigned)cpus : MOST_THREADS;
}

/* At most. Unless named: on the first format that is shown, as many as this machine has CPUs. */
static unsigned threads_for(const struct replayed *replayed, const struct replay_report *report,
    size_t format)
{
	if (format < report->first_shown || format >= replayed->count)
		return 0;
	if (replayed->threads)
		return replayed->threads;
	return format == report->first_shown ? cpus_here() : 0;
}

/* All formats, and the recorded one once more without the scans at checkpoints. */
static int run_all(const struct replayed *replayed, struct trace_reader *reader,
    struct replay_report *report, struct replay_row *rows, struct replay_result *blind)
{
	struct trace_error error;

	for (size_t i = 0; i <= replayed->count; i++) {
		bool again = i == replayed->count;
		const struct replay_options options = {
			.format = replayed->formats[again ? 0 : i],
			.thp = replayed->thp,
			.no_checkpoint_scans = again,
			.keep = !again && i >= report->first_shown,
			.tlb = !again,
			.threads = threads_for(replayed, report, i),
			.without = replayed->without,
		};

		trace_rewind(reader);
		if (!again)
			rows[i].format = options.format;
		if (!replay_run(reader, &report->header, &options, again ? blind : &rows[i].result,
			&error))
			return input_broken(report->path, &error);
	}
	return TOOL_OK;
}

/* how: "", or what was other than usual. */
static int judge_run(const struct pt_format *format, const char *how,
    const struct replay_result *result)
{
	if (!result->wrong[0])
		return TOOL_OK;
	tool_error("%s%s: %s", format->name, how, result->wrong);
	return TOOL_DIFFERENCE;
}

static int judge(const struct replay_report *report)
{
	const struct replay_result *first = &report->rows[0].result;
	int status =
	    judge_run(report->rows[0].format, ", without the scans at checkpoints", report->blind);

	for (size_t i = 0; i < report->count; i++)
		status |= judge_run(report->rows[i].format, "", &report->rows[i].result);
	if (replay_is_compared(report) && !first->checkpoints) {
		tool_error("%s: no checkpoint was reached: record it for longer", report->path);
		return status ? status : TOOL_BAD_INPUT;
	}
	if (replay_is_compared(report) && first->equal + first->explained != first->checkpoints)
		status = TOOL_DIFFERENCE;
	return status;
}

static int replay_trace(struct replayed *replayed, const char *path, struct trace_reader *reader,
    const struct trace_header *header)
{
	struct replay_row rows[MOST_FORMATS];
	struct replay_result blind;
	struct replay_report report = {
		.path = path,
		.header = *header,
		.thp = replayed->thp,
		.without = replayed->without,
		.rows = rows,
		.count = replayed->count,
		.first_shown = replayed->keep_recorded ? 0 : 1,
		.blind = &blind,
	};
	int status = check_formats(replayed, header);

	if (status == TOOL_OK)
		status = run_all(replayed, reader, &report, rows, &blind);
	if (status != TOOL_OK)
		return status;
	if (replayed->json)
		replay_report_json(&report);
	else
		replay_report_text(&report);
	return judge(&report);
}

static int run(struct replayed *replayed, const char **arguments)
{
	struct trace_header header;
	struct trace_reader *reader;
	struct trace_error error;
	int status;

	if (options_count(arguments) != 1) {
		tool_error("name one trace: try ptdesc replay --help");
		return TOOL_USAGE;
	}
	if (!replayed->named)
		replayed->keep_recorded = true;
	reader = trace_open(arguments[0], &header, &error);
	if (!reader)
		return input_broken(arguments[0], &error);
	status = replay_trace(replayed, arguments[0], reader, &header);
	trace_reader_close(reader);
	return status;
}

int command_replay(int argc, const char **argv)
{
	struct replayed replayed = {.count = 1};
	const struct poptOption table[] = {
		{"json", 'j', POPT_ARG_NONE, &replayed.json, 0, "JSON Lines", NULL},
		{"format", 'f', POPT_ARG_STRING, NULL, OPTION_FORMAT,
			"on these formats (names with commas between, or all); x86_64 unless named",
			"LIST"},
		{"thp", 0, POPT_ARG_STRING, NULL, OPTION_THP,
			"large pages as recorded, never, or always", "MODE"},
		{"without", 0, POPT_ARG_STRING, NULL, OPTION_WITHOUT,
			"leave a rule of the kernel's out, to see what it is for; may be repeated",
			"RULE"},
		{"threads", 0, POPT_ARG_STRING, NULL, OPTION_THREADS,
			"once more by as many threads as the program had, at most N (1: do not); "
			"unless named on the first format only, by at most one for each CPU",
			"N"},
		POPT_TABLEEND,
	};
	const struct tool_options options = {
		.command = "replay",
		.arguments = "TRACE",
		.examples = examples,
		.table = table,
		.take = take_option,
		.ctx = &replayed,
	};
	poptContext context;
	int status;

	replayed.formats[0] = pt_format_find(RECORDED_FORMAT);
	if (!replayed.formats[0]) {
		tool_error("this build has no format %s to compare with", RECORDED_FORMAT);
		return TOOL_UNSUPPORTED;
	}
	status = options_parse(&options, argc, argv, &context);
	if (status == OPTIONS_GO_ON)
		status = run(&replayed, poptGetArgs(context));
	poptFreeContext(context);
	return status;
}
