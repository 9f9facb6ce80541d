/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Unmapping, and what is done to ranges. */
#include "tool/replay/pages.h"

#include <inttypes.h>

void pages_run(struct replay *r, const struct sink_op *op)
{
	int error = sink_do(r->sink, op);

	r->result->operations++;
	if (error)
		replay_wrong(r, "the library refuses %s of %#" PRIx64 ", %" PRIu64 " bytes: %s",
		    sink_kind_name(op->kind), op->va, op->size, pt_strerror(error));
}

void pages_run_on(struct replay *r, struct mirror *m, struct sink_op op, uint64_t va, uint64_t end)
{
	struct placed at[PLACE_PARTS];
	unsigned count = place_range(&m->place, va, end, at);

	op.space = m->number;
	for (unsigned i = 0; i < count; i++) {
		op.va = at[i].va & ~page_mask(r);
		op.size = ((at[i].va + at[i].size + page_mask(r)) & ~page_mask(r)) - op.va;
		pages_run(r, &op);
	}
}

pt_attr pages_attr(const struct replay *r, const struct vma *vma, enum page_kind kind)
{
	uint32_t flags = PT_READ | PT_USER;

	if (kind != PAGE_MAPPED)
		return pt_make_attr(flags | (r->options->format->attrs & PT_SOFT));
	if (!vma || vma->shown.flags & TRACE_VMA_WRITE)
		flags |= PT_WRITE;
	if (vma && vma->shown.flags & TRACE_VMA_EXEC)
		flags |= PT_EXEC;
	return pt_make_attr(flags);
}

/* Neighbours that appear at once, and regions of a space: what no program has. */
#define MOST_PAGES   (1u << 26)
#define MOST_REGIONS (1u << 19)

bool pages_believable(struct replay *r, const struct mirror *m, uint64_t va, uint64_t end)
{
	uint64_t pages = (end - va) >> r->header.page_shift;

	if (pages <= MOST_PAGES && m->shadow.count <= MOST_REGIONS &&
	    r->next_frame <= UINT32_MAX - 2 * MOST_PAGES)
		return true;
	replay_wrong(r, "the trace maps more pages than any program: %" PRIu64 " at %#" PRIx64,
	    pages, va);
	return false;
}

bool pages_fit(const struct mirror *m, uint64_t va)
{
	uint64_t ignored;

	return place_va(&m->place, va, &ignored);
}

bool pages_wanted(const struct replay *r, struct mirror *m, uint64_t va)
{
	const struct region *region = shadow_find(&m->shadow, va);
	unsigned parts = 1u << r->parts_bits;

	return region &&
	       region_any(region->page, page_in_region(&m->shadow, va) & ~(parts - 1), parts);
}

bool pages_next_part(struct mirror *m, size_t *at, uint64_t va, uint64_t end, struct part *part)
{
	uint64_t start;
	uint64_t stop;

	if (*at >= m->shadow.count || region_va(&m->shadow, m->shadow.at[*at]) >= end)
		return false;
	part->region = m->shadow.at[(*at)++];
	start = region_va(&m->shadow, part->region);
	stop = lesser(start + region_bytes(m), end);
	part->va = start > va ? start : va;
	part->first = page_in_region(&m->shadow, part->va);
	part->count = (unsigned)((stop - part->va) >> m->shadow.page_shift);
	return true;
}

/* The range of whole pages of the format that go with [va, end), which is out of the model. */
static void unmap_placed(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	const struct sink_op op = {.kind = SINK_UNMAP};
	const uint64_t mask = page_mask(r);

	if (va & mask && pages_wanted(r, m, va))
		va = (va | mask) + 1;
	if (end & mask && pages_wanted(r, m, end))
		end &= ~mask;
	if (va < end)
		pages_run_on(r, m, op, va, end);
}

void pages_unmap(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	struct part part;
	uint64_t first = end;
	uint64_t past = va;

	pages_split_edges(r, m, va, end);
	for_each_part (m, va, end, part) {
		if (part.region->huge)
			pages_drop_huge(r, m, part.region);
		if (!region_any(part.region->page, part.first, part.count))
			continue;
		clear_bits(part.region, part.first, part.count);
		first = lesser(first, part.va);
		past = part.va + ((uint64_t)part.count << r->header.page_shift);
	}
	if (first < past)
		unmap_placed(r, m, first, past);
}

void pages_protect(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint32_t flags)
{
	const struct vma vma = {.shown = {.flags = flags}};
	const struct sink_op op = {.kind = SINK_PROTECT, .attr = pages_attr(r, &vma, PAGE_MAPPED)};
	struct part part;
	bool any = false;

	pages_split_edges(r, m, va, end);
	for_each_part (m, va, end, part) {
		any = true;
		for (unsigned i = part.first; i < part.first + part.count; i++)
			region_set(part.region->write, i,
			    flags & TRACE_VMA_WRITE && region_bit(part.region->page, i));
	}
	if (any)
		pages_run_on(r, m, op, va, end);
}

void pages_prune(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint64_t floor,
    uint64_t ceiling)
{
	struct sink_op op = {.kind = SINK_PRUNE, .space = m->number};
	struct placed at[PLACE_PARTS];
	unsigned count = place_range(&m->place, va, end, at);
	const uint64_t mask = page_mask(r);

	for (unsigned i = 0; i < count; i++) {
		op.va = at[i].va & ~mask;
		op.size = ((at[i].va + at[i].size + mask) & ~mask) - op.va;
		op.arg = (place_floor(&m->place, &at[i], floor) + mask) & ~mask;
		op.end = place_ceiling(&m->place, &at[i], ceiling) & ~mask;
		pages_run(r, &op);
	}
}

void pages_populate(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, unsigned level)
{
	const struct sink_op op = {.kind = SINK_POPULATE, .level = (uint8_t)level};

	if (level + 1 < r->options->format->levels && pages_believable(r, m, va, end))
		pages_run_on(r, m, op, va, end);
}

static bool any_guard(struct mirror *m, uint64_t va, uint64_t end)
{
	struct part part;

	for_each_part (m, va, end, part)
		if (region_any(part.region->guard, part.first, part.count))
			return true;
	return false;
}

/* Unmaps the pages of [va, end) that are guard pages, or those that are not. */
static void unmap_by_guard(struct replay *r, struct mirror *m, uint64_t va, uint64_t end,
    bool guard)
{
	struct part part;

	for_each_part (m, va, end, part)
		for (unsigned i = 0; i < part.count; i++) {
			uint64_t at = part.va + i * host_page(r);

			if (region_bit(part.region->guard, part.first + i) == guard)
				pages_unmap(r, m, at, at + host_page(r));
		}
}

void pages_zap(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	if (any_guard(m, va, end))
		unmap_by_guard(r, m, va, end, false);
	else
		pages_unmap(r, m, va, end);
}

void pages_unguard(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	if (any_guard(m, va, end))
		unmap_by_guard(r, m, va, end, true);
}

/*
 * In windows of half of what a table of level 1 translates: all leaf tables lie within one, and no
 * table above does.
 */
static void reclaim_placed(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	const struct pt_format *format = r->options->format;
	uint64_t leaf = (UINT64_C(1) << pt_format_shift(format, 1)) - 1;
	uint64_t half = (UINT64_C(1) << (pt_format_shift(format, 1) + format->bits[1] - 1)) - 1;

	va = (va + leaf) & ~leaf;
	end &= ~leaf;
	while (va < end) {
		uint64_t next = lesser(end, (va | half) + 1);
		const struct sink_op op = {.kind = SINK_PRUNE,
			.space = m->number,
			.va = va,
			.size = next - va,
			.arg = va,
			.end = next};

		pages_run(r, &op);
		va = next;
	}
}

void pages_reclaim(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	struct placed at[PLACE_PARTS];
	unsigned count = place_range(&m->place, va, end, at);

	for (unsigned i = 0; i < count; i++)
		reclaim_placed(r, m, at[i].va, at[i].va + at[i].size);
}

unsigned pages_level(struct replay *r, struct mirror *m, uint64_t va)
{
	unsigned level = r->options->format->levels;
	uint64_t placed;

	if (place_va(&m->place, va, &placed) &&
	    pt_table_level(sink_space(r->sink, m->number), pt_make_va(placed), &level))
		replay_wrong(r, "the library cannot look up %#" PRIx64, placed);
	return level;
}
