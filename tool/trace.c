/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ptdesc trace: what a trace holds. */
#define _GNU_SOURCE
#include <stdio.h>

#include "tool/input.h"
#include "tool/options.h"
#include "tool/tool.h"
#include "tool/trace_show.h"

struct show {
	const char *path;
	int json;
	int events;
	struct trace_reader *reader;
	struct trace_error error;
	struct trace_summary summary;
	struct tool_progress progress;
};

static const char examples[] =
    "\nExamples:\n"
    "  ptdesc trace cc.trace            what it is, and how much of what\n"
    "  ptdesc trace --events cc.trace   every event\n"
    "  ptdesc trace -ej cc.trace | jq 'select(.kind == \"check\")'\n";

static void show_event(struct show *show, const struct trace_event *event)
{
	struct trace_summary *summary = &show->summary;

	summary->events++;
	summary->kinds[event->kind]++;
	if (show->events)
		show->json ? trace_json_event(event) : trace_text_event(event);
	else if (summary->events % 65536 == 0)
		progress_show(&show->progress, trace_position(show->reader), summary->bytes,
		    "bytes read");
}

static int show_events(struct show *show)
{
	struct trace_summary *summary = &show->summary;
	struct trace_event event;
	enum trace_next next;

	progress_start(&show->progress);
	while ((next = trace_read(show->reader, &event, &show->error)) == TRACE_EVENT)
		show_event(show, &event);
	progress_end(&show->progress);
	if (next == TRACE_BROKEN)
		return input_broken(show->path, &show->error);
	summary->cut = next == TRACE_CUT;
	summary->status = trace_status(show->reader);
	show->json ? trace_json_summary(summary) : trace_text_summary(summary);
	return TOOL_OK;
}

static int show_trace(struct show *show)
{
	struct trace_header header;
	int status;

	show->reader = trace_open(show->path, &header, &show->error);
	if (!show->reader)
		return input_broken(show->path, &show->error);
	show->summary.bytes = trace_size(show->reader);
	show->json ? trace_json_header(&header) : trace_text_header(&header);
	status = show_events(show);
	trace_reader_close(show->reader);
	return status;
}

int command_trace(int argc, const char **argv)
{
	struct show show = {0};
	const struct poptOption table[] = {
		{"events", 'e', POPT_ARG_NONE, &show.events, 0, "show every event", NULL},
		{"json", 'j', POPT_ARG_NONE, &show.json, 0, "JSON Lines", NULL},
		POPT_TABLEEND,
	};
	const struct tool_options options = {.command = "trace",
		.arguments = "FILE",
		.examples = examples,
		.table = table};
	poptContext context;
	int status = options_parse(&options, argc, argv, &context);

	if (status == OPTIONS_GO_ON) {
		const char **arguments = poptGetArgs(context);

		if (options_count(arguments) == 1) {
			show.path = arguments[0];
			status = show_trace(&show);
		} else {
			tool_error("trace takes one file: try ptdesc trace --help");
			status = TOOL_USAGE;
		}
	}
	poptFreeContext(context);
	return status;
}
