/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is mapped goes elsewhere: copied into a child, or moved. */
#include "tool/replay/pages.h"

/* What one page of the model is. */
struct cell {
	bool page, mark, guard, write;
	uint32_t frame;
};

static struct cell cell_of(const struct region *region, unsigned i)
{
	return (struct cell){region_bit(region->page, i), region_bit(region->mark, i),
		region_bit(region->guard, i), region_bit(region->write, i), region->frame[i]};
}

static void put_cell(struct region *region, unsigned i, struct cell cell)
{
	region_set(region->page, i, cell.page);
	region_set(region->mark, i, cell.mark);
	region_set(region->guard, i, cell.guard);
	region_set(region->write, i, cell.write);
	region->frame[i] = cell.frame;
}

static void copy_bits(struct mirror *child, const struct part *part, bool cow)
{
	struct region *from = part->region;
	struct region *to = shadow_make(&child->shadow, part->va);

	to->huge = from->huge;
	for (unsigned i = part->first; i < part->first + part->count; i++) {
		if (cow)
			region_set(from->write, i, false);
		put_cell(to, i, cell_of(from, i));
	}
}

static void copy_placed(struct replay *r, struct mirror *child, struct mirror *parent, uint64_t va,
    uint64_t end, bool cow)
{
	const struct sink_op op = {.kind = SINK_COPY,
		.flags = (uint16_t)(PT_DEPOSIT | (cow ? PT_COW : 0)),
		.other = child->number};
	const uint64_t mask = page_mask(r);

	/*
	 * At the edges a page of the format may be there for the sake of another VMA only, or have
	 * been copied with the one before.
	 */
	va = va & mask && !pages_wanted(r, child, va) ? (va | mask) + 1 : va & ~mask;
	end = end & mask && !pages_wanted(r, child, end) ? end & ~mask : (end + mask) & ~mask;
	if (va < child->copied)
		va = child->copied;
	if (end > child->copied)
		child->copied = end;
	if (va < end)
		pages_run_on(r, parent, op, va, end);
}

void pages_copy(struct replay *r, struct mirror *child, struct mirror *parent, uint64_t va,
    uint64_t end, bool cow)
{
	uint64_t from = va;
	struct part part;

	for_each_part (parent, va, end, part) {
		if (part.region->huge != REGION_HUGE_FILE) {
			copy_bits(child, &part, cow);
			continue;
		}
		/* Large pages of files are left out: the child faults on them. */
		copy_placed(r, child, parent, from, part.va, cow);
		from = part.va + ((uint64_t)part.count << r->header.page_shift);
	}
	copy_placed(r, child, parent, from, end, cow);
}

/* A large page stays one: it was not cut, and both addresses are aligned. */
static void move_bits(struct mirror *m, struct region *from, unsigned first, unsigned count,
    uint64_t to)
{
	for (unsigned i = first; i < first + count; i++) {
		struct cell cell = cell_of(from, i);

		clear_bits(from, i, 1);
		if (cell.page)
			put_cell(shadow_make(&m->shadow, to), page_in_region(&m->shadow, to), cell);
		to += UINT64_C(1) << m->shadow.page_shift;
	}
}

static void move_model(struct mirror *m, uint64_t va, uint64_t end, uint64_t to)
{
	for (uint64_t at = va; at < end;) {
		uint64_t next = lesser(end, region_end(m, at));
		struct region *region = shadow_find(&m->shadow, at);

		if (region) {
			enum region_huge huge = region->huge;

			region->huge = REGION_SMALL;
			move_bits(m, region, page_in_region(&m->shadow, at),
			    (unsigned)((next - at) >> m->shadow.page_shift), to + (at - va));
			if (huge)
				shadow_find(&m->shadow, to + (at - va))->huge = huge;
		}
		at = next;
	}
}

static enum page_kind kind_of(const struct region *region, unsigned i)
{
	if (region_bit(region->guard, i))
		return PAGE_GUARD;
	return region_bit(region->mark, i) ? PAGE_ENTRY : PAGE_MAPPED;
}

void pages_move_anew(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint64_t to)
{
	for (uint64_t at = va; at < end; at += host_page(r)) {
		struct region *region = shadow_find(&m->shadow, at);
		unsigned i = page_in_region(&m->shadow, at);

		if (region && region_bit(region->page, i))
			pages_touch(r, m, to + (at - va), to + (at - va) + host_page(r),
			    kind_of(region, i));
	}
	pages_unmap(r, m, va, end);
}

static bool can_follow(const struct replay *r, const struct mirror *m, uint64_t va, uint64_t end,
    uint64_t to, struct placed *from, struct placed *target)
{
	struct placed a[PLACE_PARTS];
	struct placed b[PLACE_PARTS];

	if ((va | end | to) & page_mask(r) || place_range(&m->place, va, end, a) != 1 ||
	    place_range(&m->place, to, to + (end - va), b) != 1)
		return false;
	*from = a[0];
	*target = b[0];
	return a[0].size == end - va && b[0].size == end - va;
}

void pages_move(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint64_t to)
{
	struct sink_op op = {.kind = SINK_MOVE, .space = m->number};
	const struct region *region = shadow_find(&m->shadow, va);
	struct placed from;
	struct placed target;

	pages_split_edges(r, m, va, end);
	if (!can_follow(r, m, va, end, to, &from, &target)) {
		pages_move_anew(r, m, va, end, to);
		return;
	}
	/* One large page at a time carries its deposit; with a whole table all of them go. */
	if (region && region->huge && end - va == region_bytes(m))
		op.flags = deposit_flag(region);
	op.va = from.va;
	op.size = from.size;
	op.arg = target.va;
	pages_run(r, &op);
	move_model(m, va, end, to);
}
