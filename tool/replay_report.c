/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/replay_report.h"

#include <inttypes.h>
#include <stdio.h>

#include <ptdesc/page.h>

#include "tool/tool.h"

uint64_t replay_cost(const struct replay_result *result)
{
	return result->table_bytes + result->descriptor_bytes + result->resident - result->touched;
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static uint64_t all_events(const struct replay_result *result)
{
	uint64_t count = 0;

	for (unsigned kind = 0; kind < TRACE_KINDS; kind++)
		count += result->events[kind];
	return count;
}

static void print_left_out(uint32_t rules)
{
	if (!rules)
		return;
	printf("  rules of docs/replay-rules.md that are left out:");
	for (unsigned rule = 1; rule <= REPLAY_RULES; rule++)
		if (rules >> rule & 1)
			printf(" %u", rule);
	printf("\n");
}

static void print_head(const struct replay_report *report)
{
	const struct trace_header *header = &report->header;
	const struct replay_result *result = &report->rows[0].result;
	char command[TOOL_ESCAPED(sizeof(header->command))];

	printf("%s: %s\n", report->path, tool_escape(command, header->command));
	printf("  recorded on %s, %u levels, huge pages %s; page faults %s, PAGEMAP_SCAN %s, "
	       "empty tables %s by MADV_DONTNEED\n",
	    header->kernel, header->levels, header->thp, header->faults ? "seen" : "not permitted",
	    header->scan ? "used" : "not there", header->reclaim ? "given back" : "kept");
	printf("  %" PRIu64 " events, %" PRIu64 " address spaces, %" PRIu64 " faults, %" PRIu64
	       " calls, %" PRIu64 " scans\n",
	    all_events(result), result->spaces, result->events[TRACE_FAULT],
	    result->events[TRACE_CALL], result->events[TRACE_SCAN]);
	print_left_out(report->without);
	if (result->cut)
		printf("  the trace has no end: its recorder was killed, or could not write on; "
		       "what it wrote is replayed\n");
}

static void print_levels(const char *what, const uint64_t tables[VMPTE_LEVELS])
{
	printf("  %s: %" PRIu64 " PTE, %" PRIu64 " PMD and %" PRIu64 " PUD tables\n", what,
	    tables[0], tables[1], tables[2]);
}

static void print_difference(const struct replay_difference *first)
{
	char name[TOOL_ESCAPED(sizeof(first->name))];

	printf("First difference, at checkpoint %" PRIu64 ": %s[%" PRIu32 "], space %" PRIu32
	       ": the kernel counts %" PRIu64 " tables, the library has %" PRIu64 ".\n",
	    first->checkpoint, tool_escape(name, first->name), first->pid, first->space,
	    first->kernel, first->ours[0] + first->ours[1] + first->ours[2]);
	print_levels("found", first->ours);
	print_levels("the pages that were seen there need", first->needed);
	if (first->call[0])
		printf("  last call before it: %s\n", first->call);
	if (first->va)
		printf("  a table without a known page: %#" PRIx64 " to %#" PRIx64 "\n", first->va,
		    first->va + (UINT64_C(1) << 21));
}

static void print_comparison(const struct replay_report *report)
{
	const struct replay_result *result = &report->rows[0].result;

	if (!result->checkpoints) {
		printf("\nThe trace has no checkpoint: there is nothing to compare with.\n");
		return;
	}
	printf("\nThe kernel counted %" PRIu64 " tables at %" PRIu64
	       " checkpoints; the library, doing what the program did, has %s.\n"
	       "VmPTE: %" PRIu64 " of %" PRIu64 " checkpoints equal\n",
	    result->sum_tables, result->checkpoints,
	    result->equal == result->checkpoints ? "the same number at each" : "others at some",
	    result->equal, result->checkpoints);
	if (result->first.found)
		print_difference(&result->first);
	printf("  without the scans at checkpoints: %" PRIu64 " of %" PRIu64
	       "; a table for each region with a page (naive): %" PRIu64 " of %" PRIu64 "\n",
	    report->blind->equal, report->blind->checkpoints, result->naive, result->naive_of);
	printf("  regions first seen by a fault %" PRIu64 ", by a scan before a call %" PRIu64
	       ", by another scan %" PRIu64 "\n",
	    result->by_fault, result->by_call_scan, result->by_scan);
	printf("  changed by the kernel itself: %" PRIu64 " times (%" PRIu64
	       " checkpoints explained by it); lost samples: %" PRIu64
	       "; checkpoints that would not stand still: %" PRIu64 "\n",
	    result->kernel_changes, result->explained, result->lost, result->moved);
}

static double each(const struct sink_times *times, enum sink_kind kind)
{
	return times->pages[kind] ? (double)times->ns[kind] / (double)times->pages[kind] : 0;
}

static double each_call(const struct sink_times *times, enum sink_kind kind)
{
	return times->count[kind] ? (double)times->ns[kind] / (double)times->count[kind] : 0;
}

static void print_row(const struct replay_row *row)
{
	const struct replay_result *result = &row->result;
	uint64_t frames = result->resident >> row->format->page_shift;
	uint64_t made = result->hits + result->misses;

	printf("%-16s", row->format->name);
	for (unsigned level = 0; level < 5; level++)
		if (level < row->format->levels)
			printf(" %6" PRIu64, result->tables[level]);
		else
			printf(" %6s", "-");
	tool_print_bytes(result->table_bytes);
	tool_print_bytes(result->descriptor_bytes);
	tool_print_bytes(result->resident);
	tool_print_bytes(result->resident - result->touched);
	tool_print_bytes(frames * sizeof(struct pt_page));
	tool_print_bytes(frames * LINUX_PAGE_BYTES);
	printf(" %5.1f%% %7" PRIu64 " %5.2f\n",
	    made ? 100.0 * (double)result->hits / (double)made : 0, result->flushes,
	    result->walk_depth);
}

static void print_costs(const struct replay_report *report)
{
	printf("\nAt the checkpoint with most pages, all address spaces together: tables by level, "
	       "bytes\n%-16s",
	    "FORMAT");
	for (unsigned level = 0; level < 5; level++)
		printf("     L%u", level);
	printf(" %7s %7s %7s %7s %7s %7s %6s %7s %5s\n", "TABLES", "DESCS", "RESIDNT", "WASTE",
	    "WORDS", "LINUX64", "HITS", "FLUSHES", "DEPTH");
	for (size_t i = report->first_shown; i < report->count; i++)
		print_row(&report->rows[i]);
}

static void print_tlb(const struct replay_row *row)
{
	const struct tlb_counts *tlb = &row->result.tlb;

	if (!row->result.machine)
		return;
	printf("%-16s %-14s", row->format->name, row->result.machine);
	printf(" %8" PRIu64 " %6" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64, tlb->accesses,
	    tlb->first + tlb->second, tlb->walks, tlb->walk_loads, tlb->marks);
	printf(" %6" PRIu64 " %6" PRIu64 " %6" PRIu64 " %6" PRIu64 " %7" PRIu64 " %6" PRIu64 "\n",
	    tlb->flush_page, tlb->flush_range, tlb->flush_table, tlb->flush_space,
	    tlb->killed_leaves, tlb->killed_tables);
}

static void print_tlbs(const struct replay_report *report)
{
	printf("\nThe recorded faults as accesses through TLBs of %u CPUs: found there, walks and "
	       "the entries they read,\nmarks set; flushes asked for, by the largest thing named; "
	       "entries that these removed\n%-16s %-14s %8s %6s %8s %8s %8s %6s %6s %6s %6s %7s "
	       "%6s\n",
	    SINK_CPUS, "FORMAT", "SIZES OF", "ACCESSES", "FOUND", "WALKS", "LOADS", "MARKS", "PAGE",
	    "RANGE", "TABLE", "SPACE", "LEAVES", "TABLES");
	for (size_t i = report->first_shown; i < report->count; i++)
		print_tlb(&report->rows[i]);
}

static void print_crew(const struct replay_row *row)
{
	const struct sink_crew *crew = &row->result.crew;

	if (crew->threads < 2)
		return;
	printf("%-16s %7u %8" PRIu64 " of %" PRIu64, row->format->name, crew->threads, crew->same,
	    crew->checkpoints);
	if (crew->kernels)
		printf(" (VmPTE %" PRIu64 " of %" PRIu64 ")", crew->equal, crew->kernels);
	printf(", %" PRIu64 " spaces, %" PRIu64 " pages; %" PRIu64 " of %" PRIu64
	       " ordered; %.2f ms, %.2f with one: %.2f times as fast\n",
	    crew->spaces, crew->pages, crew->ordered, crew->operations, (double)crew->ns / 1e6,
	    (double)crew->ns_one / 1e6, crew->ns ? (double)crew->ns_one / (double)crew->ns : 0);
}

static void print_crews(const struct replay_report *report)
{
	const struct sink_crew *first = &report->rows[report->first_shown].result.crew;

	if (first->threads < 2)
		return;
	printf("\nThe same by several threads at once (the program had %u): checkpoints with the "
	       "same tables, spaces and pages\nequal to the model, operations that waited for "
	       "another thread's, and the time\n%-16s %7s\n",
	    first->tasks, "FORMAT", "THREADS");
	for (size_t i = report->first_shown; i < report->count; i++)
		print_crew(&report->rows[i]);
}

static void print_times(const struct replay_report *report)
{
	static const enum sink_kind by_page[] = {SINK_MAP, SINK_UNMAP, SINK_COPY, SINK_MOVE,
		SINK_PROTECT};
	static const enum sink_kind by_call[] = {SINK_REPLACE, SINK_PRUNE, SINK_NEW, SINK_DESTROY};

	printf("\nNanoseconds that the library took for the same operations in the same order\n"
	       "%-16s",
	    "FORMAT");
	for (size_t k = 0; k < sizeof(by_page) / sizeof(by_page[0]); k++)
		printf(" %8s", sink_kind_name(by_page[k]));
	printf(" (a page)");
	for (size_t k = 0; k < sizeof(by_call) / sizeof(by_call[0]); k++)
		printf(" %8s", sink_kind_name(by_call[k]));
	printf(" (a call)\n");
	for (size_t i = report->first_shown; i < report->count; i++) {
		const struct sink_times *times = &report->rows[i].result.times;

		printf("%-16s", report->rows[i].format->name);
		for (size_t k = 0; k < sizeof(by_page) / sizeof(by_page[0]); k++)
			printf(" %8.2f", each(times, by_page[k]));
		printf(" %8s", "");
		for (size_t k = 0; k < sizeof(by_call) / sizeof(by_call[0]); k++)
			printf(" %8.0f", each_call(times, by_call[k]));
		printf("\n");
	}
}

/* The cheapest row on which all fits, of those that cost more than so many bytes; or NULL. */
static const struct replay_row *cheapest(const struct replay_report *report, uint64_t more_than)
{
	const struct replay_row *best = NULL;

	for (size_t i = report->first_shown; i < report->count; i++) {
		const struct replay_row *row = &report->rows[i];
		uint64_t cost = replay_cost(&row->result);

		if (cost > more_than && !row->result.not_fitting &&
		    (!best || cost < replay_cost(&best->result)))
			best = row;
	}
	return best;
}

/* Which is cheapest, and in what the next is dearer. */
static void print_verdict(const struct replay_report *report)
{
	const struct replay_row *best = cheapest(report, 0);
	const struct replay_row *next = best ? cheapest(report, replay_cost(&best->result)) : NULL;
	double kib = 1024;
	uint64_t waste;

	if (!next)
		return;
	waste = next->result.resident - next->result.touched -
		(best->result.resident - best->result.touched);
	printf("\n%s is the cheapest: tables, descriptors and what its page size wastes take %.1f "
	       "KiB; %s takes %.1f KiB more, %.1f of them for tables (%u levels against %u) and "
	       "%.1f for larger pages.\n",
	    best->format->name, (double)replay_cost(&best->result) / kib, next->format->name,
	    (double)(replay_cost(&next->result) - replay_cost(&best->result)) / kib,
	    ((double)next->result.table_bytes - (double)best->result.table_bytes) / kib,
	    next->format->levels, best->format->levels, (double)(int64_t)waste / kib);
}

static void print_descriptors(const struct replay_report *report)
{
	const struct replay_row *row = &report->rows[report->first_shown];
	const struct replay_result *result = &row->result;
	uint64_t frames = (result->resident + result->table_bytes) >> row->format->page_shift;
	uint64_t saved = frames * (LINUX_PAGE_BYTES - sizeof(struct pt_page));
	double kib = 1024;

	if (!result->table_bytes)
		return;
	printf("\nA descriptor of its own for each table costs %.1f KiB on %s, %.1f%% of the "
	       "tables; a word in place of Linux's 64 bytes for each of the %" PRIu64
	       " frames in use saves %.1f KiB: %.0f times as much.\n",
	    (double)result->descriptor_bytes / kib, row->format->name,
	    100.0 * (double)result->descriptor_bytes / (double)result->table_bytes, frames,
	    (double)saved / kib, (double)saved / (double)result->descriptor_bytes);
}

static void print_warnings(const struct replay_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct replay_row *row = &report->rows[i];

		if (row->result.not_fitting)
			printf("%s: %" PRIu64
			       " pages do not fit its address space, and are left out\n",
			    row->format->name, row->result.not_fitting);
		if (row->result.relaxed)
			printf("%s: %" PRIu64
			       " attributes could not be said exactly: the nearest that grants "
			       "more was taken\n",
			    row->format->name, row->result.relaxed);
	}
	printf("First touches are recorded, not later ones: a trace cannot tell TLB misses, and "
	       "what the TLBs found predicts no hit rate.\n");
}

void replay_report_text(const struct replay_report *report)
{
	const struct replay_result *result = &report->rows[0].result;

	print_head(report);
	if (replay_is_compared(report))
		print_comparison(report);
	printf("  %" PRIu64 " translation%s compared with the plain model: %s\n", result->verified,
	    plural(result->verified), result->wrong[0] ? result->wrong : "all equal");
	print_costs(report);
	print_verdict(report);
	print_descriptors(report);
	print_tlbs(report);
	print_times(report);
	print_crews(report);
	print_warnings(report);
}
