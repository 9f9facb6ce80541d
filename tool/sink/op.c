/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/sink/op.h"

int sink_apply(struct pt_space *space, struct pt_space *other, const struct sink_op *op)
{
	pt_va va = pt_make_va(op->va);
	pt_pa pa = pt_make_pa(op->arg);

	switch (op->kind) {
	case SINK_MAP:
		return pt_map(space, va, op->size, pa, op->attr, PT_SMALL | PT_RELAX);
	case SINK_MAP_HUGE:
		return pt_map(space, va, op->size, pa, op->attr, PT_RELAX | op->flags);
	case SINK_REPLACE:
		return pt_map_replace(space, va, op->size, pa, op->attr, PT_SMALL | PT_RELAX, NULL);
	case SINK_POPULATE:
		return pt_populate(space, va, op->size, op->level, 0);
	case SINK_UNMAP:
		return pt_unmap(space, va, op->size, PT_KEEP_TABLES | op->flags, NULL);
	case SINK_PRUNE:
		return pt_prune(space, va, op->size, pt_make_va(op->arg), pt_make_va(op->end));
	case SINK_PROTECT:
		return pt_protect(space, va, op->size, op->attr, PT_RELAX | op->flags);
	case SINK_SPLIT:
		return pt_split(space, va, op->size, 0, op->flags);
	case SINK_COPY:
		if (!other)
			return -PT_ENOENT;
		return pt_copy(other, space, va, op->size, PT_KEEP_TABLES | op->flags);
	case SINK_MOVE:
		return pt_move(space, va, op->size, pt_make_va(op->arg),
		    PT_KEEP_TABLES | op->flags);
	default:
		return -PT_EINVAL;
	}
}

bool sink_answers(const struct pt_space *space, const struct sink_op *look)
{
	struct pt_translation t;
	int error = pt_translate(space, pt_make_va(look->va), &t);
	bool write;

	if (!(look->flags & SINK_LOOK_MAPPED))
		return error == -PT_ENOENT;
	if (error || t.pa.v != look->arg)
		return false;
	write = t.attr.flags & PT_WRITE;
	return !(look->flags & SINK_LOOK_WRITE_KNOWN) || write == !!(look->flags & SINK_LOOK_WRITE);
}

const char *sink_kind_name(enum sink_kind kind)
{
	static const char *const names[] = {
		[SINK_NEW] = "new",
		[SINK_DESTROY] = "destroy",
		[SINK_MAP] = "map",
		[SINK_MAP_HUGE] = "map_huge",
		[SINK_REPLACE] = "replace",
		[SINK_POPULATE] = "populate",
		[SINK_UNMAP] = "unmap",
		[SINK_PRUNE] = "prune",
		[SINK_PROTECT] = "protect",
		[SINK_SPLIT] = "split",
		[SINK_COPY] = "copy",
		[SINK_MOVE] = "move",
		[SINK_LOOK] = "look",
	};

	return kind <= SINK_LOOK ? names[kind] : "unknown";
}

uint64_t sink_tables(const uint64_t tables[PT_MAX_LEVELS])
{
	uint64_t sum = 0;

	for (unsigned l = 0; l < PT_MAX_LEVELS; l++)
		sum += tables[l];
	return sum;
}

void sink_counts_leave(struct sink_counts *counts, const struct pt_space *space)
{
	struct pt_space_stats stats;

	if (!space)
		return;
	pt_space_stats(space, &stats);
	for (unsigned l = 0; l < PT_MAX_LEVELS; l++)
		counts->tables[l] -= stats.tables[l];
	counts->alive--;
}

void sink_counts_enter(struct sink_counts *counts, const struct pt_space *space)
{
	struct pt_space_stats stats;

	if (!space)
		return;
	pt_space_stats(space, &stats);
	for (unsigned l = 0; l < PT_MAX_LEVELS; l++)
		counts->tables[l] += stats.tables[l];
	counts->alive++;
}

void sink_counts_note(struct sink_counts *counts, const struct sink_op *op, unsigned page_shift)
{
	/* FNV-1a's prime, 2^40 + 0x1b3, a number at a time. */
	const uint64_t prime = UINT64_C(0x100000001b3);
	bool most = sink_tables(counts->tables) > sink_tables(counts->peak);

	if (op->kind == SINK_LOOK) {
		counts->looks++;
		return;
	}
	counts->operations++;
	counts->kinds[op->kind]++;
	counts->pages[op->kind] += op->size >> page_shift;
	if (counts->most_alive < counts->alive)
		counts->most_alive = counts->alive;
	for (unsigned l = 0; l < PT_MAX_LEVELS; l++) {
		if (most)
			counts->peak[l] = counts->tables[l];
		counts->digest = (counts->digest ^ (counts->tables[l] + l)) * prime;
	}
	counts->digest ^= counts->digest >> 29;
}
