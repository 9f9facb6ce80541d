/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * laws FILE: reads a trace and holds it to what its events promise of one another. Prints the laws
 * that are broken, and one line of counts, as NAME=NUMBER; exit status 1 if any is broken.
 * Built together with tool/trace.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tool/trace/trace.h"

#define SPACES 8192u

/* What was seen of a space last. */
struct seen {
	bool known;
	bool listed;
	bool relisted; /* twice in a row: because a stack has grown, or wrongly before */
	enum trace_kind last;
	bool scanned_whole; /* since the last checkpoint */
	unsigned checks;
	enum trace_why first; /* of the first look, as it must be */
	enum trace_why check; /* the last checkpoint's */
	uint64_t scan_start;  /* before a call */
	uint64_t scan_end;
	uint64_t faults; /* since the last checkpoint */
};

static struct seen spaces[SPACES];
static uint64_t counts[TRACE_KINDS];
static uint64_t why[TRACE_WHYS];
static uint64_t moved, change, most_faults;
static uint32_t vma_flags, page_flags;
static uint64_t last_time;
static bool broken;
static bool faults_known;

static void law(bool holds, const struct trace_event *event, const char *what)
{
	if (holds)
		return;
	broken = true;
	printf("broken: event %" PRIu64 " of its kind, %s of space %u: %s\n", counts[event->kind],
	    trace_kind_name(event->kind), event->space, what);
}

static void take_new(const struct trace_event *event, struct seen *seen)
{
	law(!seen->known, event, "its number was used before");
	*seen = (struct seen){.known = true,
		.first = event->kind == TRACE_EXEC ? TRACE_WHY_EXEC : TRACE_WHY_CHILD};
	if (event->kind == TRACE_FORK)
		law(spaces[event->parent % SPACES].check == TRACE_WHY_FORK, event,
		    "no checkpoint of the parent before");
}

/* Whether a call takes the range away that its first two arguments are. */
static bool takes(uint32_t nr, const uint64_t *args)
{
	return nr == SYS_munmap || nr == SYS_mremap || (nr == SYS_mmap && args[3] & MAP_FIXED) ||
	       (nr == SYS_madvise && args[2] == MADV_DONTNEED);
}

static bool makes_task(uint32_t nr)
{
	return nr == SYS_clone || nr == SYS_clone3 || nr == SYS_fork || nr == SYS_vfork;
}

static void take_call(const struct trace_event *event, struct seen *seen)
{
	const uint64_t *args = event->call.args;

	if (takes(event->call.nr, args) && event->call.result >= 0 && args[1])
		law(seen->scan_start <= args[0] && args[0] + args[1] <= seen->scan_end, event,
		    "its range was not looked at before");
	/* Another thread's, in between. */
	if (!makes_task(event->call.nr))
		seen->scan_start = seen->scan_end = 0;
}

static void take_scan(const struct trace_event *event, struct seen *seen)
{
	law(seen->listed, event, "a scan before any VMAs");
	for (size_t i = 0; i < event->scan.count; i++)
		page_flags |= event->scan.runs[i].flags;
	if (event->scan.why != TRACE_WHY_CALL) {
		seen->scanned_whole = event->scan.start == 0;
		return;
	}
	/* Two for mremap: the first is the one that is asked for. */
	if (!seen->scan_end) {
		seen->scan_start = event->scan.start;
		seen->scan_end = event->scan.end;
	}
}

static void take_check(const struct trace_event *event, struct seen *seen)
{
	law(seen->listed && seen->scanned_whole, event, "no VMAs or no whole scan before");
	law(seen->checks || event->check.why == seen->first, event, "the first has another reason");
	law(event->check.vmpte && !(event->check.vmpte % 4096), event, "VmPTE is not of tables");
	why[event->check.why]++;
	moved += event->check.moved;
	if (seen->faults > most_faults)
		most_faults = seen->faults;
	seen->check = event->check.why;
	seen->checks++;
	seen->faults = 0;
	seen->scanned_whole = false;
}

static void take_vmas(const struct trace_event *event, struct seen *seen)
{
	if (!seen->listed)
		law(!event->vmas.keep_first && !event->vmas.keep_last, event,
		    "the first list is not whole");
	else
		law(event->vmas.keep_first || event->vmas.keep_last, event,
		    "the list is another one");
	seen->relisted = seen->listed && seen->last == TRACE_VMAS;
	seen->listed = true;
	for (size_t i = 0; i < event->vmas.count; i++)
		vma_flags |= event->vmas.vmas[i].flags;
}

static void take(const struct trace_event *event)
{
	struct seen *seen = &spaces[event->space % SPACES];

	counts[event->kind]++;
	if (event->time) {
		law(event->time >= last_time, event, "time runs backwards");
		last_time = event->time;
	}
	if (seen->relisted && faults_known)
		law(event->kind == TRACE_FAULT, event, "VMAs changed without a cause before");
	seen->relisted = false;
	switch (event->kind) {
	case TRACE_EXEC:
	case TRACE_FORK:
		take_new(event, seen);
		break;
	case TRACE_GONE:
		law(seen->check == TRACE_WHY_EXIT || seen->check == TRACE_WHY_LEAVE, event,
		    "no checkpoint at the end");
		break;
	case TRACE_VMAS:
		take_vmas(event, seen);
		break;
	case TRACE_CALL:
		take_call(event, seen);
		break;
	case TRACE_FAULT:
		seen->faults++;
		break;
	case TRACE_SCAN:
		take_scan(event, seen);
		break;
	case TRACE_CHECK:
		take_check(event, seen);
		break;
	case TRACE_KERNEL:
		change += (uint64_t)event->change;
		break;
	default:
		break;
	}
	seen->last = event->kind;
}

static void print_counts(const struct trace_header *header, const char *end, int status)
{
	printf("end=%s status=%d faults_known=%d scan_known=%d", end, status, header->faults,
	    header->scan);
	for (unsigned i = 0; i < TRACE_KINDS; i++)
		printf(" %s=%" PRIu64, trace_kind_name(i), counts[i]);
	for (unsigned i = 0; i < TRACE_WHYS; i++)
		printf(" check-%s=%" PRIu64, trace_why_name(i), why[i]);
	printf(" moved=%" PRIu64 " change=%" PRId64 " most-faults=%" PRIu64
	       " vma-flags=%u page-flags=%u\n",
	    moved, (int64_t)change, most_faults, vma_flags, page_flags);
}

int main(int argc, char **argv)
{
	struct trace_header header;
	struct trace_error error;
	struct trace_event event;
	struct trace_reader *reader = argc == 2 ? trace_open(argv[1], &header, &error) : NULL;
	enum trace_next next;

	if (!reader) {
		printf("broken: cannot be read\n");
		return 3;
	}
	faults_known = header.faults;
	while ((next = trace_read(reader, &event, &error)) == TRACE_EVENT)
		take(&event);
	if (next == TRACE_BROKEN)
		printf("broken: at %" PRIu64 ": %s\n", error.offset, error.what);
	print_counts(&header, next == TRACE_END ? "whole" : "cut",
	    next == TRACE_END ? trace_status(reader) : -1);
	trace_reader_close(reader);
	return broken || next == TRACE_BROKEN;
}
