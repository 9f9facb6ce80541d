/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A trace as text: each event is one line. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "tool/tool.h"
#include "tool/trace_show.h"

#define SECOND_NS UINT64_C(1000000000)

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

static void print_start(uint64_t seconds)
{
	time_t start = (time_t)seconds;
	char text[40];
	struct tm tm;

	if (!gmtime_r(&start, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(text, sizeof(text), "%" PRIu64 " s after 1970", seconds);
	printf("start    %s\n", text);
}

void trace_text_header(const struct trace_header *header)
{
	char text[TOOL_ESCAPED(sizeof(header->command))];

	printf("command  %s\n", tool_escape(text, header->command));
	printf("kernel   %s\n", tool_escape(text, header->kernel));
	printf("thp      %s\n", tool_escape(text, header->thp));
	print_start(header->start);
	printf("page     %u bytes\n", 1u << header->page_shift);
	printf("levels   %" PRIu32 "\n", header->levels);
	printf("reclaim  %s (MADV_DONTNEED gives empty tables back)\n", yes_no(header->reclaim));
	printf("faults   %s (page faults were seen one by one)\n", yes_no(header->faults));
	printf("scan     %s (PAGEMAP_SCAN was there)\n", yes_no(header->scan));
}

static void print_time(const struct trace_event *event)
{
	printf(" at %" PRIu64 ".%09" PRIu64 " s", event->time / SECOND_NS, event->time % SECOND_NS);
}

static void print_flags(uint32_t flags, const char *(*name)(unsigned))
{
	for (unsigned bit = 0; name(bit); bit++) {
		if (flags & 1u << bit)
			printf(" %s", name(bit));
	}
}

static void print_range(uint64_t start, uint64_t end)
{
	printf(" 0x%" PRIx64 "-0x%" PRIx64, start, end);
}

static void print_vmas(const struct trace_event *event)
{
	char text[TOOL_ESCAPED(TRACE_NAME)];

	printf(" keeps first %zu, last %zu; new %zu", event->vmas.keep_first, event->vmas.keep_last,
	    event->vmas.count);
	for (size_t i = 0; i < event->vmas.count; i++) {
		const struct trace_vma *vma = &event->vmas.vmas[i];

		putchar(i ? ';' : ':');
		print_range(vma->start, vma->end);
		print_flags(vma->flags, trace_vma_flag_name);
		if (vma->inode)
			printf(" inode %" PRIu64, vma->inode);
		if (vma->name[0])
			printf(" %s", tool_escape(text, vma->name));
	}
}

static void print_call(const struct trace_event *event)
{
	print_time(event);
	printf(" %" PRIu32 " %s(", event->call.nr, trace_call_name(event->call.nr));
	for (unsigned i = 0; i < 6; i++)
		printf("%s0x%" PRIx64, i ? ", " : "", event->call.args[i]);
	printf(") = %" PRId64, event->call.result);
}

static void print_scan(const struct trace_event *event)
{
	printf(" %s", trace_why_name(event->scan.why));
	print_range(event->scan.start, event->scan.end);
	printf(" runs %zu", event->scan.count);
	for (size_t i = 0; i < event->scan.count; i++) {
		const struct trace_run *run = &event->scan.runs[i];

		putchar(i ? ';' : ':');
		print_range(run->start, run->end);
		print_flags(run->flags, trace_page_flag_name);
	}
}

static void print_check(const struct trace_event *event)
{
	print_time(event);
	printf(" %s VmPTE %" PRIu64 "%s", trace_why_name(event->check.why), event->check.vmpte,
	    event->check.moved ? " moved" : "");
}

/* What only this kind has. */
static void print_rest(const struct trace_event *event)
{
	char text[TOOL_ESCAPED(TRACE_NAME)];

	switch (event->kind) {
	case TRACE_EXEC:
		print_time(event);
		printf(" %s", tool_escape(text, event->name));
		break;
	case TRACE_FORK:
		print_time(event);
		printf(" parent %" PRIu32, event->parent);
		break;
	case TRACE_VMAS:
		print_vmas(event);
		break;
	case TRACE_CALL:
		print_call(event);
		break;
	case TRACE_FAULT:
	case TRACE_BUS:
		printf(" 0x%" PRIx64, event->va);
		break;
	case TRACE_SCAN:
		print_scan(event);
		break;
	case TRACE_CHECK:
		print_check(event);
		break;
	case TRACE_KERNEL:
		printf(" tables %+" PRId64, event->change);
		break;
	case TRACE_LOST:
		printf(" %" PRIu64, event->lost);
		break;
	default:
		break;
	}
}

void trace_text_event(const struct trace_event *event)
{
	printf("%-6s", trace_kind_name(event->kind));
	if (event->kind != TRACE_LOST)
		printf(" space %" PRIu32, event->space);
	if (trace_kind_has_task(event->kind))
		printf(" task %" PRIu32, event->task);
	print_rest(event);
	putchar('\n');
}

void trace_text_summary(const struct trace_summary *summary)
{
	printf("events   %" PRIu64 "\n", summary->events);
	for (unsigned kind = 0; kind < TRACE_KINDS; kind++) {
		if (summary->kinds[kind])
			printf("  %-6s %" PRIu64 "\n", trace_kind_name((enum trace_kind)kind),
			    summary->kinds[kind]);
	}
	printf("bytes    %" PRIu64 "\n", summary->bytes);
	if (summary->cut)
		printf("end      cut: the recorder was killed, or could not write on\n");
	else
		printf("end      exit status %d\n", summary->status);
}
