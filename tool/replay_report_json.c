/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <ptdesc/page.h>

#include "tool/json.h"
#include "tool/replay_report.h"
#include "tool/tool.h"

#define SCHEMA "ptdesc.replay/1"

static void emit_trace(const struct replay_report *report)
{
	const struct trace_header *header = &report->header;
	const struct replay_result *result = &report->rows[0].result;
	json_t *object = json_record(SCHEMA, "trace");
	json_t *events = json_object();
	json_t *without = json_array();

	json_put_text(object, "file", report->path);
	json_put_text(object, "command", header->command);
	json_put_text(object, "kernel", header->kernel);
	json_put_text(object, "thp", header->thp);
	json_put_number(object, "page_bytes", UINT64_C(1) << header->page_shift);
	json_put_number(object, "levels", header->levels);
	json_put_bool(object, "reclaim", header->reclaim);
	json_put_bool(object, "faults_seen", header->faults);
	json_put_bool(object, "pagemap_scan", header->scan);
	json_put_bool(object, "cut", result->cut);
	json_put_signed(object, "status", result->status);
	json_put_number(object, "spaces", result->spaces);
	for (unsigned kind = 0; kind < TRACE_KINDS; kind++)
		json_put_number(events, trace_kind_name(kind), result->events[kind]);
	json_put(object, "events", events);
	for (unsigned rule = 1; rule <= REPLAY_RULES; rule++)
		if (report->without >> rule & 1)
			json_array_append_new(without, json_integer(rule));
	json_put(object, "without", without);
	json_emit(object);
}

static json_t *levels_of(const uint64_t *tables, unsigned levels)
{
	json_t *array = json_array();

	for (unsigned level = 0; level < levels; level++)
		json_array_append_new(array, json_integer((json_int_t)tables[level]));
	return array;
}

static json_t *difference_of(const struct replay_difference *first)
{
	json_t *object = json_object();

	json_put_number(object, "checkpoint", first->checkpoint);
	json_put_number(object, "pid", first->pid);
	json_put_number(object, "space", first->space);
	json_put_text(object, "name", first->name);
	json_put_text(object, "call", first->call);
	json_put_number(object, "kernel", first->kernel);
	json_put(object, "ours", levels_of(first->ours, VMPTE_LEVELS));
	json_put(object, "needed", levels_of(first->needed, VMPTE_LEVELS));
	json_put_hex(object, "table_without_page", first->va);
	return object;
}

static void emit_comparison(const struct replay_report *report)
{
	const struct replay_result *result = &report->rows[0].result;
	json_t *object = json_record(SCHEMA, "comparison");

	json_put_number(object, "checkpoints", result->checkpoints);
	json_put_number(object, "equal", result->equal);
	json_put_number(object, "explained", result->explained);
	json_put_number(object, "kernel_tables", result->sum_tables);
	json_put_number(object, "equal_without_checkpoint_scans", report->blind->equal);
	json_put_number(object, "equal_naive", result->naive);
	json_put_number(object, "naive_of", result->naive_of);
	json_put_number(object, "by_fault", result->by_fault);
	json_put_number(object, "by_call_scan", result->by_call_scan);
	json_put_number(object, "by_scan", result->by_scan);
	json_put_number(object, "kernel_changes", result->kernel_changes);
	json_put_number(object, "lost", result->lost);
	json_put_number(object, "moved", result->moved);
	if (result->first.found)
		json_put(object, "first_difference", difference_of(&result->first));
	json_emit(object);
}

static json_t *times_of(const struct sink_times *times)
{
	json_t *object = json_object();

	for (unsigned kind = 0; kind < SINK_KINDS; kind++) {
		json_t *one = json_object();

		json_put_number(one, "calls", times->count[kind]);
		json_put_number(one, "pages", times->pages[kind]);
		json_put_number(one, "ns", times->ns[kind]);
		json_put(object, sink_kind_name(kind), one);
	}
	return object;
}

static json_t *tlb_of(const struct replay_result *result)
{
	const struct tlb_counts *tlb = &result->tlb;
	json_t *object = json_object();

	json_put_text(object, "machine", result->machine);
	json_put_number(object, "cpus", SINK_CPUS);
	json_put_number(object, "accesses", tlb->accesses);
	json_put_number(object, "found_first", tlb->first);
	json_put_number(object, "found_second", tlb->second);
	json_put_number(object, "walks", tlb->walks);
	json_put_number(object, "walk_loads", tlb->walk_loads);
	json_put_number(object, "walk_hits", tlb->walk_hits);
	json_put_number(object, "marks", tlb->marks);
	json_put_number(object, "flushes_page", tlb->flush_page);
	json_put_number(object, "flushes_range", tlb->flush_range);
	json_put_number(object, "flushes_table", tlb->flush_table);
	json_put_number(object, "flushes_space", tlb->flush_space);
	json_put_number(object, "flushes_several_cpus", tlb->several);
	json_put_number(object, "killed_leaves", tlb->killed_leaves);
	json_put_number(object, "killed_tables", tlb->killed_tables);
	return object;
}

static json_t *crew_of(const struct sink_crew *crew)
{
	json_t *object = json_object();

	json_put_number(object, "tasks", crew->tasks);
	json_put_number(object, "threads", crew->threads);
	json_put_number(object, "operations", crew->operations);
	json_put_number(object, "ordered", crew->ordered);
	json_put_number(object, "checkpoints", crew->checkpoints);
	json_put_number(object, "same_tables", crew->same);
	json_put_number(object, "vmpte_checkpoints", crew->kernels);
	json_put_number(object, "vmpte_equal", crew->equal);
	json_put_number(object, "spaces", crew->spaces);
	json_put_number(object, "pages", crew->pages);
	json_put_number(object, "ns", crew->ns);
	json_put_number(object, "ns_one", crew->ns_one);
	return object;
}

static void emit_row(const struct replay_row *row)
{
	const struct replay_result *result = &row->result;
	uint64_t frames = result->resident >> row->format->page_shift;
	json_t *object = json_record(SCHEMA, "format");

	json_put_text(object, "format", row->format->name);
	json_put(object, "tables", levels_of(result->tables, row->format->levels));
	json_put_number(object, "table_bytes", result->table_bytes);
	json_put_number(object, "descriptor_bytes", result->descriptor_bytes);
	json_put_number(object, "resident_bytes", result->resident);
	json_put_number(object, "waste_bytes", result->resident - result->touched);
	json_put_number(object, "word_bytes", frames * sizeof(struct pt_page));
	json_put_number(object, "linux_bytes", frames * LINUX_PAGE_BYTES);
	json_put_number(object, "cost_bytes", replay_cost(result));
	json_put_number(object, "magazine_hits", result->hits);
	json_put_number(object, "magazine_misses", result->misses);
	json_put_number(object, "flushes", result->flushes);
	json_put_real(object, "walk_depth", result->walk_depth);
	json_put_number(object, "not_fitting", result->not_fitting);
	json_put_number(object, "relaxed", result->relaxed);
	json_put_number(object, "operations", result->operations);
	json_put_number(object, "verified", result->verified);
	if (result->wrong[0])
		json_put_text(object, "wrong", result->wrong);
	if (result->machine)
		json_put(object, "tlb", tlb_of(result));
	if (result->crew.threads > 1)
		json_put(object, "threads", crew_of(&result->crew));
	json_put(object, "library", times_of(&result->times));
	json_emit(object);
}

void replay_report_json(const struct replay_report *report)
{
	emit_trace(report);
	if (replay_is_compared(report))
		emit_comparison(report);
	for (size_t i = report->first_shown; i < report->count; i++)
		emit_row(&report->rows[i]);
}
