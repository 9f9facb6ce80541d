/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/sink/sink_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include <ptdesc/hosted.h>

#include "tool/tlb/tlb.h"
#include "tool/tool.h"

/* Simulated memory for tables: more than any trace needs; what is not touched costs nothing. */
#define ARENA_BYTES (UINT64_C(4) << 30)

/* Arenas of narrow formats end where their tables may. */
static uint64_t arena_bytes(const struct pt_format *format)
{
	uint64_t bytes = ARENA_BYTES;

	for (unsigned level = 0; level < format->levels; level++)
		if (format->tables[level].max_pa < bytes - 1)
			bytes = format->tables[level].max_pa + 1;
	return bytes;
}

static void *address_of(void *ctx, uint64_t pa)
{
	const struct sink *sink = ctx;

	return pt_hosted_address(sink->hosted, pt_make_pa(pa));
}

static int open_memory(struct sink *sink)
{
	const struct tlb_config tlb = {
		.format = sink->format,
		.cpus = SINK_CPUS,
		.table_bytes = arena_bytes(sink->format),
		.address = address_of,
		.ctx = sink,
		.exact = true,
	};
	struct pt_hosted_mmu mmu = {.flush = tlb_flush, .table = tlb_table};
	struct pt_hosted_config config = {.bytes = tlb.table_bytes,
		.page_shift = sink->format->page_shift,
		.cpus = sink->flags & SINK_MANY ? 0 : 1};

	if (sink->flags & SINK_TLB && tlb_machine_of(sink->format)) {
		sink->tlb = tlb_open(&tlb);
		if (!sink->tlb)
			return -PT_ENOMEM;
		mmu.ctx = sink->tlb;
		config.mmu = &mmu;
	}
	return pt_hosted_memory_create(&config, &sink->hosted);
}

struct sink *sink_open(const struct pt_format *format, uint32_t flags, struct sink_log *log)
{
	struct sink *sink = tool_alloc(sizeof(*sink));
	int error;

	sink->format = format;
	sink->flags = flags;
	error = open_memory(sink);
	if (error) {
		tool_error("no simulated memory for the tables of %s: %s; is there an address "
			   "space limit?",
		    format->name, pt_strerror(error));
		tlb_close(sink->tlb);
		free(sink);
		return NULL;
	}
	sink->memory = pt_hosted_memory(sink->hosted);
	sink->log = log;
	return sink;
}

static int destroy(struct sink *sink, uint32_t number)
{
	int error;

	if (sink->tlb)
		tlb_check(sink->tlb, sink->spaces[number], false);
	error = pt_space_destroy(sink->spaces[number], NULL);
	if (sink->tlb)
		tlb_check(sink->tlb, sink->spaces[number], true);
	free(sink->spaces[number]);
	sink->spaces[number] = NULL;
	return error;
}

bool sink_close(struct sink *sink)
{
	struct pt_leaks leaks = {0};
	int error = 0;

	if (!sink)
		return true;
	for (size_t i = 0; i < sink->space_room && !error; i++)
		if (sink->spaces[i])
			error = destroy(sink, (uint32_t)i);
	if (!error)
		error = pt_hosted_memory_destroy(sink->hosted, &leaks);
	if (error)
		tool_error("the library leaked on %s: %" PRIu64 " tables, %" PRIu64
			   " frames, %" PRIu64 " objects",
		    sink->format->name, leaks.tables, leaks.frames, leaks.objects);
	tlb_close(sink->tlb);
	free((void *)sink->spaces);
	free(sink->ops);
	free(sink->checks);
	free(sink);
	return !error;
}

struct pt_space *sink_space(struct sink *sink, uint32_t space)
{
	return space < sink->space_room ? sink->spaces[space] : NULL;
}

struct pt_memory *sink_memory(struct sink *sink)
{
	return sink->memory;
}

struct tlb *sink_tlb(const struct sink *sink)
{
	return sink->tlb;
}

int sink_access(struct sink *sink, uint32_t space, unsigned cpu, uint64_t va, uint32_t access,
    uint64_t *pa)
{
	struct pt_space *in = sink_space(sink, space);
	struct tlb_result result = {0, 0, 0};
	int error = tlb_access(sink->tlb, cpu, in, va, access, &result);

	while (error == -PT_EBUSY) {
		error = pt_access_fault(in, pt_make_va(va), access);
		if (!error)
			error = tlb_access(sink->tlb, cpu, in, va, access, &result);
	}
	*pa = result.pa;
	return error;
}

uint64_t sink_flushes(const struct sink *sink)
{
	struct pt_hosted_flushes flushes;

	pt_hosted_flushes(sink->hosted, &flushes);
	return flushes.calls;
}

void sink_reserve(struct sink *sink, uint32_t number)
{
	size_t room = sink->space_room;

	sink->spaces = (struct pt_space **)tool_grow((void *)sink->spaces, &sink->space_room,
	    (size_t)number + 1, sizeof(struct pt_space *));
	for (; room < sink->space_room; room++)
		sink->spaces[room] = NULL;
}

static int make(struct sink *sink, uint32_t number)
{
	struct pt_space *space;
	int error;

	if (number >= sink->space_room)
		sink_reserve(sink, number);
	if (sink->spaces[number])
		return -PT_EEXIST;
	space = aligned_alloc(64, (sizeof(*space) + 63) / 64 * 64);
	error = space ? pt_space_init(space, sink->memory, sink->format, PT_SPACE_MMU, space)
		      : -PT_ENOMEM;
	if (error)
		free(space);
	else
		sink->spaces[number] = space;
	return error;
}

int sink_execute(struct sink *sink, const struct sink_op *op)
{
	if (op->kind == SINK_NEW)
		return make(sink, op->space);
	if (!sink_space(sink, op->space))
		return -PT_ENOENT;
	if (op->kind == SINK_DESTROY)
		return destroy(sink, op->space);
	if (op->kind == SINK_LOOK)
		return sink_answers(sink->spaces[op->space], op) ? 0 : -PT_EINVAL;
	return sink_apply(sink->spaces[op->space], sink_space(sink, op->other), op);
}

/* Appends an operation that was done; -PT_EALIGN: it cannot be written. */
static int log_op(struct sink_log *log, const struct sink_op *op, unsigned page_shift)
{
	unsigned bytes;

	log->records = tool_grow(log->records, &log->room, log->bytes + FLAT_RECORD, 1);
	bytes = flat_put(log->records + log->bytes, op, page_shift);
	log->bytes += bytes;
	if (op->space >= log->spaces)
		log->spaces = op->space + 1;
	sink_counts_note(&log->counts, op, page_shift);
	return bytes ? 0 : -PT_EALIGN;
}

/* Does it, and counts what that does to the tables. */
static int execute_logged(struct sink *sink, const struct sink_op *op)
{
	struct sink_counts *counts = &sink->log->counts;
	bool copies = op->kind == SINK_COPY;
	int error;

	sink_counts_leave(counts, sink_space(sink, op->space));
	sink_counts_leave(counts, copies ? sink_space(sink, op->other) : NULL);
	error = sink_execute(sink, op);
	sink_counts_enter(counts, sink_space(sink, op->space));
	sink_counts_enter(counts, copies ? sink_space(sink, op->other) : NULL);
	return error ? error : log_op(sink->log, op, sink->format->page_shift);
}

int sink_do(struct sink *sink, const struct sink_op *op)
{
	int error = sink->log ? execute_logged(sink, op) : sink_execute(sink, op);

	if (error || !(sink->flags & SINK_KEEP))
		return error;
	sink->ops = tool_grow(sink->ops, &sink->op_room, sink->op_count + 1, sizeof(*sink->ops));
	sink->ops[sink->op_count] = *op;
	sink->ops[sink->op_count++].task = sink->task;
	return 0;
}

void sink_task(struct sink *sink, uint32_t task)
{
	sink->task = task;
}

void sink_checkpoint(struct sink *sink, uint32_t space, uint64_t kernel)
{
	struct sink_check *check;

	if (!(sink->flags & SINK_KEEP))
		return;
	sink->checks = tool_grow(sink->checks, &sink->check_room, sink->check_count + 1,
	    sizeof(*sink->checks));
	check = &sink->checks[sink->check_count++];
	check->at = sink->op_count;
	check->space = space;
	check->kernel = kernel;
	pt_space_stats(sink->spaces[space], &check->tables);
}

/* Does operations from at on as long as they are of one kind; *at is then the next. */
static bool stretch(const struct sink *from, struct sink *to, size_t *at, struct sink_times *times)
{
	enum sink_kind kind = from->ops[*at].kind;
	uint64_t started = tool_now_ns();

	for (; *at < from->op_count && from->ops[*at].kind == kind; (*at)++) {
		const struct sink_op *op = &from->ops[*at];
		int error = sink_execute(to, op);

		if (error) {
			tool_error("%s of %#" PRIx64 " failed when it was done again: %s",
			    sink_kind_name(kind), op->va, pt_strerror(error));
			return false;
		}
		times->count[kind]++;
		times->pages[kind] += op->size >> to->format->page_shift;
	}
	times->ns[kind] += tool_now_ns() - started;
	return true;
}

static bool time_once(const struct sink *sink, struct sink_times *times)
{
	struct sink *again = sink_open(sink->format, 0, NULL);
	bool fine = again != NULL;

	*times = (struct sink_times){{0}, {0}, {0}};
	for (size_t at = 0; fine && at < sink->op_count;)
		fine = stretch(sink, again, &at, times);
	return sink_close(again) && fine;
}

bool sink_time(const struct sink *sink, struct sink_times *times)
{
	bool fine = time_once(sink, times);

	for (unsigned round = 1; fine && round < sink_rounds(sink); round++) {
		struct sink_times other;

		fine = time_once(sink, &other);
		for (unsigned kind = 0; kind < SINK_KINDS; kind++)
			if (other.ns[kind] < times->ns[kind])
				times->ns[kind] = other.ns[kind];
	}
	return fine;
}
