/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/boot/boot.h"

/* Parameters, second byte: what this start is for; 0 and 1 are those of tests/mmu. */
enum {
	START_REPLAY = 2,
	START_REPLAY_UNFLUSHED = 3,
	START_DESCRIBE = 4,
};

_Noreturn void bare_main(void);

struct boot boot;

uint64_t boot_frame(uint64_t pa)
{
	return machine.ram + BOOT_FRAMES_AT + (pa & (BOOT_FRAMES_SIZE - 1));
}

/* Each 4 KiB begin with a word of their own. */
static void mark_frames(void)
{
	uint64_t first = machine.ram + BOOT_FRAMES_AT;

	for (uint64_t pa = first; pa < first + BOOT_FRAMES_SIZE; pa += 4096)
		*(volatile uint32_t *)bare_at(pa) = ~(uint32_t)pa;
}

/* Room for the spaces behind the trace, all of them not alive. */
static bool make_room(const struct flat_header *header)
{
	uint64_t at = (FLAT_HEADER + header->bytes + 63) & ~UINT64_C(63);
	uint64_t room = (BOOT_TRACE_SIZE - at) / sizeof(struct live_space);

	boot.spaces = bare_at(machine.ram + BOOT_TRACE_AT + at);
	boot.space_count = header->spaces;
	if (header->spaces > room) {
		print("WRONG no room for %u spaces\n", header->spaces);
		return false;
	}
	memset(boot.spaces, 0, header->spaces * sizeof(struct live_space));
	return true;
}

static bool open_trace(struct flat_reader *reader)
{
	const uint8_t *bytes = bare_at(machine.ram + BOOT_TRACE_AT);
	struct flat_header header;
	const char *problem = flat_get_header(bytes, BOOT_TRACE_SIZE, &header);

	if (!problem && pt_format_find(header.format) != boot.format)
		problem = "the trace is for another format";
	if (problem) {
		print("WRONG %s\n", problem);
		return false;
	}
	reader->next = bytes + FLAT_HEADER;
	reader->end = reader->next + header.bytes;
	reader->records = header.records;
	reader->page_shift = boot.format->page_shift;
	return make_room(&header);
}

static bool maps_frames(const struct sink_op *op)
{
	return op->kind == SINK_MAP || op->kind == SINK_MAP_HUGE || op->kind == SINK_REPLACE;
}

/* Frames of a range are neighbours, but for where the machine's begin again. */
static int apply(struct pt_space *space, struct pt_space *other, const struct sink_op *op)
{
	uint64_t end = machine.ram + BOOT_FRAMES_AT + BOOT_FRAMES_SIZE;
	struct sink_op piece = *op;
	int error = 0;

	if (!maps_frames(op))
		return sink_apply(space, other, op);
	for (uint64_t done = 0; done < op->size && !error; done += piece.size) {
		piece.va = op->va + done;
		piece.arg = boot_frame(op->arg + done);
		piece.size = op->size - done;
		if (piece.size > end - piece.arg)
			piece.size = end - piece.arg;
		error = sink_apply(space, other, &piece);
	}
	return error;
}

/* The first and the last page. */
static void touch_range(uint64_t va, uint64_t size)
{
	uint64_t page = UINT64_C(1) << boot.format->page_shift;

	boot_access(va);
	if (size > page)
		boot_access(va + size - page);
}

static void touch(const struct sink_op *op)
{
	touch_range(op->va, op->size);
	if (op->kind == SINK_MOVE)
		touch_range(op->arg, op->size);
}

static int do_range(struct live_space *live, const struct sink_op *op)
{
	struct live_space *copy = op->kind == SINK_COPY ? boot_space(op->other) : NULL;
	struct pt_space *other = copy ? &copy->space : NULL;
	int error;

	if (boot.loaded != live)
		boot_load(live);
	touch(op);
	sink_counts_leave(&boot.counts, &live->space);
	sink_counts_leave(&boot.counts, other);
	error = apply(&live->space, other, op);
	sink_counts_enter(&boot.counts, &live->space);
	sink_counts_enter(&boot.counts, other);
	touch(op);
	return error;
}

static int do_new(uint32_t number)
{
	struct live_space *live = number < boot.space_count ? &boot.spaces[number] : NULL;
	int error;

	if (!live || live->alive)
		return -PT_EEXIST;
	error = boot_make(live);
	if (!error)
		sink_counts_enter(&boot.counts, &live->space);
	return error;
}

static int do_one(const struct sink_op *op)
{
	struct live_space *live = boot_space(op->space);

	if (op->kind == SINK_NEW)
		return do_new(op->space);
	if (!live)
		return -PT_ENOENT;
	if (op->kind == SINK_DESTROY) {
		sink_counts_leave(&boot.counts, &live->space);
		return boot_destroy(live);
	}
	if (op->kind != SINK_LOOK)
		return do_range(live, op);
	if (boot.loaded != live)
		boot_load(live);
	boot_look(*op);
	return 0;
}

static bool replay(struct flat_reader *reader)
{
	enum flat_next next;
	struct sink_op op;

	while ((next = flat_get(reader, &op)) == FLAT_OP) {
		int error = do_one(&op);

		if (error) {
			print("WRONG operation %llu: %s of %llx, %llu bytes: %s\n",
			    (unsigned long long)boot.counts.operations, sink_kind_name(op.kind),
			    (unsigned long long)op.va, (unsigned long long)op.size,
			    pt_strerror(error));
			return false;
		}
		sink_counts_note(&boot.counts, &op, boot.format->page_shift);
	}
	if (next == FLAT_BROKEN)
		print("WRONG a record that makes no sense, after operation %llu\n",
		    (unsigned long long)boot.counts.operations);
	return next == FLAT_END;
}

/* What the trace's spaces took is back where it was before them. */
static bool nothing_left(uint64_t tables_before)
{
	struct pt_memory_stats stats;

	pt_memory_stats(boot.memory, &stats);
	if (!boot.counts.alive && stats.tables == tables_before)
		return true;
	print("WRONG %llu spaces and %llu tables are left, before were %llu\n",
	    (unsigned long long)boot.counts.alive, (unsigned long long)stats.tables,
	    (unsigned long long)tables_before);
	return false;
}

static bool run(void)
{
	struct flat_reader reader;
	struct pt_memory_stats before;

	if (!open_trace(&reader) || !boot_kernel())
		return false;
	mark_frames();
	pt_memory_stats(boot.memory, &before);
	return replay(&reader) && nothing_left(before.tables) && !boot.accesses.mismatches &&
	       !boot.accesses.unmodelled;
}

/* Which traces it takes: of what format, and below which address, 0: the format's own limit. */
static bool describe(void)
{
	bool halves = machine.split || boot.format->flags & PT_FORMAT_SIGNED;
	unsigned shift = pt_format_shift(boot.format, boot.format->levels - 1u);

	if (!boot_kernel())
		return false;
	print("TAKES %s %llx\n", boot.format->name,
	    halves ? 0 : (unsigned long long)boot.slot[0] << shift);
	return true;
}

_Noreturn void bare_main(void)
{
	unsigned start = machine_parameters() >> 8 & 255;
	bool fine;

	boot.format = bare_variant()->format;
	boot.drop = start == START_REPLAY_UNFLUSHED;
	bare_cpu_up();
	fine = start == START_DESCRIBE ? describe() : run();
	if (start != START_DESCRIBE)
		boot_report();
	print("EXIT %u\n", !fine);
	machine_exit(!fine);
}
