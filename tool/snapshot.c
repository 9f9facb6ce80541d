/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ptdesc snapshot: the page tables of running processes, rebuilt and compared. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/build.h"
#include "tool/kernel.h"
#include "tool/options.h"
#include "tool/report.h"
#include "tool/tool.h"
#include "tool/words.h"

/* The format whose tables are the kernel's own on the machine that snapshot runs on. */
#define KERNEL_FORMAT "x86_64"

#define MOST_FORMATS 32u

enum option {
	OPTION_FORMAT = 1,
	OPTION_STARTED,
};

/* A process to look at. */
struct target {
	pid_t pid;
	bool named; /* on the command line, not found by --all */
	bool started;
	const char *name; /* to show instead of its own; NULL: its own */
};

struct snapshot {
	int all;
	int json;
	int pagemap_only;
	struct target *targets;
	size_t target_count;
	size_t target_room;
	const struct pt_format *formats[MOST_FORMATS]; /* [0] is the kernel's */
	size_t format_count;
	bool formats_named;
	bool keep_kernel_format; /* among those to show */
	struct kernel_means means;
	struct builder *builder;
	struct report report;
	struct report_row *rows;
	size_t row_count;
	size_t row_room;
	int status;
};

static const char examples[] =
    "\nReads what the kernel shows of each process (VMAs, pages), builds its page tables with the\n"
    "library, and compares their number with the kernel's own (VmPTE, root not counted).\n"
    "Nothing is stopped: a process that moves meanwhile is read again, and said so in the end.\n"
    "\nExamples:\n"
    "  ptdesc snapshot --all\n"
    "  ptdesc snapshot 1 $$ --format x86_64-la57\n"
    "  ptdesc snapshot --all --json | jq 'select(.kind == \"process\" and .difference != 0)'\n";

static bool add_target(struct snapshot *snapshot, const char *text, const char *name, bool started)
{
	uint64_t pid;

	if (!options_number(text, &pid) || !pid || pid > INT_MAX)
		return false;
	snapshot->targets = tool_grow(snapshot->targets, &snapshot->target_room,
	    snapshot->target_count + 1, sizeof(*snapshot->targets));
	snapshot->targets[snapshot->target_count++] =
	    (struct target){.pid = (pid_t)pid, .named = true, .started = started, .name = name};
	return true;
}

static int add_started(struct snapshot *snapshot, const char *argument)
{
	const char *equals = strchr(argument, '=');
	char *name = equals ? strndup(argument, (size_t)(equals - argument)) : NULL;

	if (name && *name && add_target(snapshot, equals + 1, name, true))
		return TOOL_OK;
	free(name);
	tool_error("--started takes NAME=PID, not %s", argument);
	return TOOL_USAGE;
}

static int add_format(struct snapshot *snapshot, const char *name)
{
	const struct pt_format *format = word_format(name);

	if (!format)
		return TOOL_BAD_INPUT;
	snapshot->formats_named = true;
	if (!strcmp(name, KERNEL_FORMAT)) {
		snapshot->keep_kernel_format = true;
		return TOOL_OK;
	}
	if (format->page_shift != KERNEL_PAGE_SHIFT) {
		tool_error("%s has pages of %u bytes, this machine's have %u: name another format",
		    name, 1u << format->page_shift, 1u << KERNEL_PAGE_SHIFT);
		return TOOL_UNSUPPORTED;
	}
	if (snapshot->format_count == MOST_FORMATS) {
		tool_error("at most %u formats at a time", MOST_FORMATS);
		return TOOL_USAGE;
	}
	snapshot->formats[snapshot->format_count++] = format;
	return TOOL_OK;
}

static int take_option(void *ctx, int val, const char *argument)
{
	if (val == OPTION_FORMAT)
		return add_format(ctx, argument);
	return add_started(ctx, argument);
}

/* Does a format hold what a process may have: this machine's pages, in the kernel format's half. */
static bool holds_processes(const struct pt_format *format, const struct pt_format *kernel)
{
	unsigned halves = format->flags & PT_FORMAT_SIGNED ? 1 : 0;

	return format->page_shift == KERNEL_PAGE_SHIFT && !(format->flags & PT_FORMAT_FAKE) &&
	       format->va_bits - halves >= kernel->va_bits - 1u;
}

/* All machines' formats that fit, when none was named. */
static void choose_formats(struct snapshot *snapshot)
{
	if (snapshot->formats_named)
		return;
	snapshot->keep_kernel_format = true;
	for (size_t i = 0; pt_formats[i] && snapshot->format_count < MOST_FORMATS; i++) {
		const struct pt_format *format = pt_formats[i];

		if (holds_processes(format, snapshot->formats[0]) && format != snapshot->formats[0])
			snapshot->formats[snapshot->format_count++] = format;
	}
}

static int add_arguments(struct snapshot *snapshot, const char **arguments)
{
	for (int i = 0; arguments && arguments[i]; i++) {
		if (!add_target(snapshot, arguments[i], NULL, false)) {
			tool_error("%s is no process number: try ptdesc snapshot --help",
			    arguments[i]);
			return TOOL_USAGE;
		}
	}
	if (!snapshot->all && !snapshot->target_count) {
		tool_error("name processes, or --all: try ptdesc snapshot --help");
		return TOOL_USAGE;
	}
	return TOOL_OK;
}

static bool is_target(const struct snapshot *snapshot, pid_t pid)
{
	for (size_t i = 0; i < snapshot->target_count; i++) {
		if (snapshot->targets[i].pid == pid)
			return true;
	}
	return false;
}

static void add_all(struct snapshot *snapshot)
{
	size_t count;
	pid_t *pids = kernel_processes(&count);

	for (size_t i = 0; i < count; i++) {
		if (is_target(snapshot, pids[i]))
			continue;
		snapshot->targets = tool_grow(snapshot->targets, &snapshot->target_room,
		    snapshot->target_count + 1, sizeof(*snapshot->targets));
		snapshot->targets[snapshot->target_count++] = (struct target){.pid = pids[i]};
	}
	free(pids);
}

/* The gravest wins; an exit code of 1 says what the command is for. */
static void set_status(struct snapshot *snapshot, int status)
{
	static const int rank[] = {[TOOL_OK] = 0,
		[TOOL_UNSUPPORTED] = 1,
		[TOOL_BAD_INPUT] = 2,
		[TOOL_USAGE] = 3,
		[TOOL_DIFFERENCE] = 4};

	if (rank[status] > rank[snapshot->status])
		snapshot->status = status;
}

/* A process that was named and could not be read: why, and what to do. */
static void explain_unread(struct snapshot *snapshot, const struct target *target,
    enum snap_state state)
{
	long pid = (long)target->pid;

	if (!target->named)
		return;
	switch (state) {
	case SNAP_GONE:
		tool_error("there is no process %ld: it ended, or never was", pid);
		set_status(snapshot, TOOL_BAD_INPUT);
		break;
	case SNAP_NO_MEMORY:
		tool_error("process %ld is a kernel thread or a zombie: it has no page tables",
		    pid);
		set_status(snapshot, TOOL_BAD_INPUT);
		break;
	case SNAP_DENIED:
		tool_error("process %ld may not be read: %s", pid,
		    geteuid() ? "run as its owner or as root"
			      : "it is closed to this root too, outside our container maybe");
		set_status(snapshot, TOOL_UNSUPPORTED);
		break;
	case SNAP_CHANGED:
		tool_error("process %ld changed in each look: try again when it is quieter", pid);
		set_status(snapshot, TOOL_UNSUPPORTED);
		break;
	default:
		tool_error("process %ld: %s", pid, kernel_state_text(state));
		set_status(snapshot, TOOL_UNSUPPORTED);
	}
	if (target->started)
		set_status(snapshot, TOOL_DIFFERENCE);
}

static void explain_wrong(struct snapshot *snapshot, const struct report_row *row,
    const struct build_result *result)
{
	if (result->error) {
		tool_error("process %ld on %s: %s", (long)row->pid, result->format->name,
		    pt_strerror(result->error));
		set_status(snapshot, TOOL_UNSUPPORTED);
	}
	if (result->wrong) {
		tool_error("process %ld on %s: %s, at 0x%" PRIx64, (long)row->pid,
		    result->format->name, result->wrong, result->wrong_va);
		set_status(snapshot, TOOL_DIFFERENCE);
	}
}

/* The library's tables on the kernel's format, in place of the regions that were counted. */
static void compare(struct snapshot *snapshot, struct report_row *row,
    const struct snap_process *process, const struct build_result *result)
{
	row->ours_total = build_kernel_tables(result);
	for (unsigned level = 0; level < KERNEL_LEVELS; level++)
		row->ours[level] = result->tables[level];
	row->unexplained = process->account.unexplained + (int64_t)process->account.ours_total -
			   (int64_t)row->ours_total;
	if (row->unexplained)
		set_status(snapshot, TOOL_DIFFERENCE);
}

/* Builds on each format; the kernel's comes first, and goes if nobody asked for it. */
static void build_all(struct snapshot *snapshot, struct report_row *row,
    const struct snap_process *process)
{
	struct build_result *results = calloc(snapshot->format_count, sizeof(*results));

	if (!results) {
		tool_error("out of memory");
		exit(TOOL_UNSUPPORTED);
	}
	for (size_t i = 0; i < snapshot->format_count; i++) {
		build_tables(snapshot->builder, snapshot->formats[i], process, &results[i]);
		explain_wrong(snapshot, row, &results[i]);
	}
	compare(snapshot, row, process, &results[0]);
	row->results = results;
	row->result_count = snapshot->format_count;
	row->first_shown = !snapshot->keep_kernel_format;
}

static void look_at(struct snapshot *snapshot, struct snap_process *process,
    const struct target *target)
{
	struct report_row *row;

	kernel_look(process, target->pid, &snapshot->means);
	snapshot->rows = tool_grow(snapshot->rows, &snapshot->row_room, snapshot->row_count + 1,
	    sizeof(*snapshot->rows));
	row = &snapshot->rows[snapshot->row_count++];
	*row = (struct report_row){
		.pid = target->pid,
		.state = process->state,
		.named = target->named,
		.started = target->started,
		.resident = process->resident,
		.looks = process->looks,
		.account = process->account,
	};
	snprintf(row->name, sizeof(row->name), "%s", target->name ? target->name : process->name);
	if (row->state == SNAP_OK)
		build_all(snapshot, row, process);
	report_row(&snapshot->report, row);
	if (row->state != SNAP_OK)
		explain_unread(snapshot, target, row->state);
}

static void look_at_all(struct snapshot *snapshot)
{
	struct tool_progress progress;
	struct snap_process process = {0};

	progress_start(&progress);
	for (size_t i = 0; i < snapshot->target_count; i++) {
		look_at(snapshot, &process, &snapshot->targets[i]);
		progress_show(&progress, i + 1, snapshot->target_count, process.name);
	}
	progress_end(&progress);
	snap_free(&process);
	report_costs(&snapshot->report, snapshot->rows, snapshot->row_count);
	report_end(&snapshot->report);
}

static int prepare(struct snapshot *snapshot)
{
	if (kernel_probe(&snapshot->means)) {
		tool_error(
		    "snapshot compares with the kernel's own tables: it needs Linux on x86-64");
		return TOOL_UNSUPPORTED;
	}
	if (snapshot->pagemap_only)
		snapshot->means = (struct kernel_means){0};
	snapshot->builder = builder_open(KERNEL_PAGE_SHIFT);
	if (!snapshot->builder)
		return TOOL_UNSUPPORTED;
	if (snapshot->all)
		add_all(snapshot);
	report_start(&snapshot->report, snapshot->json);
	return TOOL_OK;
}

static int run(struct snapshot *snapshot, const char **arguments)
{
	int status = add_arguments(snapshot, arguments);

	if (status != TOOL_OK)
		return status;
	choose_formats(snapshot);
	status = prepare(snapshot);
	if (status != TOOL_OK)
		return status;
	look_at_all(snapshot);
	return snapshot->status;
}

static void finish(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->row_count; i++)
		free(snapshot->rows[i].results);
	for (size_t i = 0; i < snapshot->target_count; i++)
		free((void *)(uintptr_t)snapshot->targets[i].name);
	free(snapshot->rows);
	free(snapshot->targets);
	if (!builder_close(snapshot->builder))
		set_status(snapshot, TOOL_DIFFERENCE);
}

int command_snapshot(int argc, const char **argv)
{
	struct snapshot snapshot = {.format_count = 1};
	const struct poptOption table[] = {
		{"all", 'a', POPT_ARG_NONE, &snapshot.all, 0, "every process", NULL},
		{"json", 'j', POPT_ARG_NONE, &snapshot.json, 0, "JSON Lines", NULL},
		{"format", 'f', POPT_ARG_STRING, NULL, OPTION_FORMAT,
			"show the cost on this format only; may be repeated", "NAME"},
		{"started", 's', POPT_ARG_STRING, NULL, OPTION_STARTED,
			"a process that must be read, and the name to show; may be repeated",
			"NAME=PID"},
		{"pagemap-only", 0, POPT_ARG_NONE, &snapshot.pagemap_only, 0,
			"do as on kernels without PAGEMAP_SCAN", NULL},
		POPT_TABLEEND,
	};
	const struct tool_options options = {
		.command = "snapshot",
		.arguments = "PID... | --all",
		.examples = examples,
		.table = table,
		.take = take_option,
		.ctx = &snapshot,
	};
	poptContext context;
	int status;

	snapshot.formats[0] = pt_format_find(KERNEL_FORMAT);
	if (!snapshot.formats[0]) {
		tool_error("this build has no format %s to compare with", KERNEL_FORMAT);
		return TOOL_UNSUPPORTED;
	}
	status = options_parse(&options, argc, argv, &context);
	if (status == OPTIONS_GO_ON)
		status = run(&snapshot, poptGetArgs(context));
	poptFreeContext(context);
	snapshot.status = status;
	finish(&snapshot);
	return snapshot.status;
}
