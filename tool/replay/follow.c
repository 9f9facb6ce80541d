/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Goes through a trace event by event, and compares at each checkpoint. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tool/replay/replay.h"
#include "tool/tool.h"

void replay_wrong(struct replay *r, const char *format, ...)
{
	va_list args;

	if (r->result->wrong[0])
		return;
	va_start(args, format);
	vsnprintf(r->result->wrong, sizeof(r->result->wrong), format, args);
	va_end(args);
}

static struct mirror *find(struct replay *r, uint32_t space)
{
	if (!r->last || r->last->number != space)
		r->last = space < r->mirror_room ? r->mirrors[space] : NULL;
	return r->last;
}

static struct mirror *make(struct replay *r, const struct trace_event *event, const char *name)
{
	const struct sink_op op = {.kind = SINK_NEW, .space = event->space};
	struct mirror *m = tool_alloc(sizeof(*m));
	size_t room = r->mirror_room;

	r->mirrors = (struct mirror **)tool_grow((void *)r->mirrors, &r->mirror_room,
	    (size_t)event->space + 1, sizeof(struct mirror *));
	for (; room < r->mirror_room; room++)
		r->mirrors[room] = NULL;
	m->number = event->space;
	m->pid = event->task;
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->task = event->task;
	m->shadow.page_shift = r->header.page_shift;
	r->mirrors[event->space] = m;
	r->last = m;
	r->result->spaces++;
	sink_task(r->sink, m->task);
	if (sink_do(r->sink, &op))
		replay_wrong(r, "the library has no memory for another space");
	return m;
}

static void drop(struct replay *r, struct mirror *m)
{
	struct sink_op op = {.kind = SINK_DESTROY, .space = m->number};
	int error;

	verify_space(r, m, r->options->threads > 1 ? &op : NULL);
	look_at_some(r, m);
	sink_task(r->sink, m->task);
	error = sink_do(r->sink, &op);
	if (error)
		replay_wrong(r, "the library cannot end space %" PRIu32 ": %s", m->number,
		    pt_strerror(error));
	r->mirrors[m->number] = NULL;
	if (r->last == m)
		r->last = NULL;
	vmas_free(&m->vmas);
	shadow_free(&m->shadow);
	free(m);
}

/* --- checkpoints ----------------------------------------------------------------------------- */

static uint64_t tables_of(struct replay *r, const struct mirror *m, uint64_t ours[PT_MAX_LEVELS])
{
	unsigned levels = r->options->format->levels;
	struct pt_space_stats stats;
	uint64_t total = 0;

	pt_space_stats(sink_space(r->sink, m->number), &stats);
	for (unsigned l = 0; l < PT_MAX_LEVELS; l++)
		ours[l] = stats.tables[l];
	for (unsigned l = 0; l < levels; l++)
		if (l < VMPTE_LEVELS || !has_rule(r, 1))
			total += stats.tables[l];
	return total;
}

/* A region for which a table is held though nothing is in it: where a difference may come from. */
static uint64_t empty_region(struct replay *r, struct mirror *m)
{
	const uint64_t size = region_bytes(m);
	struct vma_list *list = &m->vmas.now;

	for (size_t i = 0; i < list->count; i++)
		for (uint64_t va = list->at[i].shown.start & ~(size - 1);
		    va < list->at[i].shown.end && va - list->at[i].shown.start < size << 10;
		    va += size) {
			const struct region *region = shadow_find(&m->shadow, va);

			if ((!region || !region_any_page(region)) && !pages_level(r, m, va))
				return va;
		}
	return 0;
}

static void note_difference(struct replay *r, struct mirror *m, uint64_t kernel,
    const uint64_t ours[PT_MAX_LEVELS])
{
	struct replay_difference *first = &r->result->first;

	if (first->found)
		return;
	first->found = true;
	first->checkpoint = r->result->checkpoints;
	first->space = m->number;
	first->pid = m->pid;
	memcpy(first->name, m->name, sizeof(first->name));
	memcpy(first->call, m->call, sizeof(first->call));
	first->kernel = kernel;
	memcpy(first->ours, ours, sizeof(first->ours));
	memcpy(first->needed, m->naive, sizeof(first->needed));
	first->va = empty_region(r, m);
}

static void compare(struct replay *r, struct mirror *m, const struct trace_event *event)
{
	uint64_t kernel = event->check.vmpte >> r->header.page_shift;
	uint64_t ours[PT_MAX_LEVELS];
	uint64_t total = tables_of(r, m, ours);

	r->result->checkpoints++;
	r->result->sum_tables += kernel;
	if (m->seen) {
		r->result->naive_of++;
		r->result->naive += m->naive[0] + m->naive[1] + m->naive[2] == kernel;
	}
	if (total == kernel) {
		r->result->equal++;
		m->change = 0;
	} else if ((int64_t)(kernel - total) == m->change) {
		r->result->explained++;
	} else {
		note_difference(r, m, kernel, ours);
	}
}

/* Bytes that one space maps, in pages of the format and in those touched. */
static void add_resident(struct replay *r, const struct mirror *m, double *read)
{
	const unsigned parts = 1u << r->parts_bits;
	const unsigned levels = r->options->format->levels;

	for (size_t i = 0; i < m->shadow.count; i++) {
		const struct region *region = m->shadow.at[i];
		uint64_t bytes = 0;
		uint64_t placed;

		if (!place_va(&m->place, region_va(&m->shadow, region), &placed))
			continue;

		if (r->parts_bits)
			for (unsigned p = 0; p < REGION_PAGES; p += parts)
				bytes += region_any(region->page, p, parts) ? parts : 0;
		else
			bytes = region_count(region->page);
		bytes <<= r->header.page_shift;
		r->result->resident += bytes;
		r->result->touched += (uint64_t)region_count(region->page) << r->header.page_shift;
		*read += (double)bytes * (levels - (region->huge ? 1 : 0));
	}
}

/* Pages of the recorded machine that all spaces have. */
static uint64_t pages_now(const struct replay *r)
{
	uint64_t count = 0;

	for (size_t i = 0; i < r->mirror_room; i++)
		for (size_t j = 0; r->mirrors[i] && j < r->mirrors[i]->shadow.count; j++)
			count += region_count(r->mirrors[i]->shadow.at[j]->page);
	return count;
}

/* The moment that is reported is the one with most pages: it is the same on every format. */
static void note_peak(struct replay *r)
{
	struct replay_result *result = r->result;
	uint64_t pages = pages_now(r);
	double read = 0;

	if (pages <= r->peak_pages)
		return;
	r->peak_pages = pages;
	memset(result->tables, 0, sizeof(result->tables));
	result->table_bytes = 0;
	result->descriptor_bytes = 0;
	result->resident = 0;
	result->touched = 0;
	for (size_t i = 0; i < r->mirror_room; i++) {
		struct pt_space_stats stats;

		if (!r->mirrors[i])
			continue;
		pt_space_stats(sink_space(r->sink, (uint32_t)i), &stats);
		for (unsigned l = 0; l < PT_MAX_LEVELS; l++)
			result->tables[l] += stats.tables[l];
		result->table_bytes += stats.table_bytes;
		result->descriptor_bytes += stats.descriptor_bytes;
		add_resident(r, r->mirrors[i], &read);
	}
	result->walk_depth = result->resident ? read / (double)result->resident : 0;
}

/* Can the number of tables be compared: is it the recorded machine's own format. */
static bool is_comparable(const struct replay *r)
{
	return !strncmp(r->options->format->name, "x86_64", 6) &&
	       r->options->thp == REPLAY_THP_RECORDED;
}

static void checkpoint(struct replay *r, struct mirror *m, const struct trace_event *event)
{
	bool compared = is_comparable(r) && !event->check.moved;

	sink_checkpoint(r->sink, m->number,
	    compared ? event->check.vmpte >> r->header.page_shift : SINK_UNKNOWN);
	if (event->check.moved)
		r->result->moved++;
	else if (is_comparable(r))
		compare(r, m, event);
	m->seen = false;
	look_at_some(r, m);
	note_peak(r);
}

/* --- events ---------------------------------------------------------------------------------- */

static void note_call(struct mirror *m, const struct trace_event *event)
{
	snprintf(m->call, sizeof(m->call),
	    "%s(%#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ", %#" PRIx64 ") = %#" PRIx64,
	    trace_call_name(event->call.nr), event->call.args[0], event->call.args[1],
	    event->call.args[2], event->call.args[3], (uint64_t)event->call.result);
}

static void fork_space(struct replay *r, const struct trace_event *event)
{
	struct mirror *parent = find(r, event->parent);
	struct mirror *child = make(r, event, parent->name);

	sink_task(r->sink, parent->task);
	if (parent->edited)
		rules_same_vmas(r, parent);
	child->place = parent->place;
	vmas_copy(&child->vmas, &parent->vmas);
	rules_fork(r, child, parent);
}

/* Scans and lists of VMAs are not any task's: they belong to what comes before them. */
static bool has_task(const struct trace_event *event)
{
	return event->kind == TRACE_CALL || event->kind == TRACE_FAULT ||
	       event->kind == TRACE_BUS || event->kind == TRACE_CHECK;
}

/* Events of a space that is there: trace_read has seen to that. */
static void follow_in(struct replay *r, struct mirror *m, const struct trace_event *event)
{
	if (has_task(event))
		m->task = event->task;
	sink_task(r->sink, m->task);
	/* A call's VMAs come right behind it, if they differ. */
	if (m->edited && event->kind != TRACE_VMAS)
		rules_same_vmas(r, m);
	switch (event->kind) {
	case TRACE_VMAS:
		rules_vmas(r, m, event);
		break;
	case TRACE_CALL:
		note_call(m, event);
		rules_call(r, m, event);
		break;
	case TRACE_FAULT:
		rules_fault(r, m, event->va);
		if (sink_tlb(r->sink))
			access_again(r, m, event);
		break;
	case TRACE_BUS:
		rules_bus(r, m, event->va);
		break;
	case TRACE_SCAN:
		rules_scan(r, m, event);
		break;
	case TRACE_CHECK:
		checkpoint(r, m, event);
		break;
	case TRACE_KERNEL:
		r->result->kernel_changes++;
		m->change = (int64_t)((uint64_t)m->change + (uint64_t)event->change);
		break;
	case TRACE_GONE:
		drop(r, m);
		break;
	default:
		break;
	}
}

static void follow(struct replay *r, const struct trace_event *event)
{
	r->result->events[event->kind]++;
	if (event->kind == TRACE_EXEC)
		(void)make(r, event, event->name);
	else if (event->kind == TRACE_FORK)
		fork_space(r, event);
	else if (event->kind == TRACE_LOST)
		r->result->lost += event->lost;
	else if (event->kind != TRACE_TASK)
		follow_in(r, find(r, event->space), event);
}

static bool read_all(struct replay *r, struct trace_reader *reader, struct trace_error *error)
{
	struct tool_progress progress;
	struct trace_event event;
	enum trace_next next;
	size_t count = 0;

	progress_start(&progress);
	while ((next = trace_read(reader, &event, error)) == TRACE_EVENT && !r->result->wrong[0]) {
		follow(r, &event);
		if (!(++count & 0xfff))
			progress_show(&progress, (size_t)trace_position(reader),
			    (size_t)trace_size(reader), r->options->format->name);
	}
	progress_end(&progress);
	r->result->cut = next == TRACE_CUT;
	if (next == TRACE_END)
		r->result->status = trace_status(reader);
	return next != TRACE_BROKEN;
}

static void take_totals(struct replay *r)
{
	struct pt_memory_stats memory;

	pt_memory_stats(sink_memory(r->sink), &memory);
	r->result->hits = memory.magazine_hits;
	r->result->misses = memory.magazine_misses;
	r->result->relaxed = memory.relaxed;
	r->result->flushes = sink_flushes(r->sink);
	if (!sink_tlb(r->sink))
		return;
	tlb_counts(sink_tlb(r->sink), &r->result->tlb);
	r->result->machine = tlb_machine(sink_tlb(r->sink))->name;
	if (tlb_failure(sink_tlb(r->sink)))
		replay_wrong(r, "%s", tlb_failure(sink_tlb(r->sink)));
}

static void finish(struct replay *r)
{
	for (size_t i = 0; i < r->mirror_room; i++)
		if (r->mirrors[i])
			drop(r, r->mirrors[i]);
	free((void *)r->mirrors);
	take_totals(r);
	if (r->options->keep && !r->result->wrong[0] && !sink_time(r->sink, &r->result->times))
		replay_wrong(r, "what went well did not when it was done again");
	if (r->options->threads > 1 && !r->result->wrong[0]) {
		sink_parallel(r->sink, r->options->threads, &r->result->crew);
		if (r->result->crew.wrong[0])
			replay_wrong(r, "%s", r->result->crew.wrong);
	}
	if (!sink_close(r->sink))
		replay_wrong(r, "the library leaked");
}

bool replay_run(struct trace_reader *reader, const struct trace_header *header,
    const struct replay_options *options, struct replay_result *result, struct trace_error *error)
{
	const struct pt_format *format = options->format;
	struct replay r = {.options = options, .header = *header, .result = result};
	bool read;

	*result = (struct replay_result){0};
	r.parts_bits = format->page_shift - header->page_shift;
	r.huge = format->page_shift == header->page_shift && format->bits[0] == REGION_BITS &&
		 format->leaves & 2;
	r.sink = sink_open(format,
	    (options->keep ? SINK_KEEP : 0u) | (options->tlb ? SINK_TLB : 0u), options->log);
	if (!r.sink) {
		replay_wrong(&r, "no simulated memory");
		return true;
	}
	read = read_all(&r, reader, error);
	finish(&r);
	return read;
}
