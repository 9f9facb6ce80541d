/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Large pages: one entry of level 1 in place of a table. */
#include "tool/replay/pages.h"

void pages_drop_huge(struct replay *r, struct mirror *m, struct region *region)
{
	struct sink_op op = {.kind = SINK_UNMAP, .flags = deposit_flag(region)};
	uint64_t va = region_va(&m->shadow, region);

	pages_run_on(r, m, op, va, va + region_bytes(m));
	region->huge = REGION_SMALL;
	clear_bits(region, 0, REGION_PAGES);
}

void pages_split(struct replay *r, struct mirror *m, struct region *region)
{
	struct sink_op op = {.kind = SINK_SPLIT, .flags = PT_DEPOSIT};
	uint64_t va = region_va(&m->shadow, region);

	/* A large page of a file is just forgotten: its parts fault again. */
	if (region->huge != REGION_HUGE_ANON || !has_rule(r, 5)) {
		pages_drop_huge(r, m, region);
		return;
	}
	pages_run_on(r, m, op, va, va + region_bytes(m));
	region->huge = REGION_SMALL;
}

/* Every page of a region is there, in frames that are one piece. */
static void note_all(struct replay *r, struct region *region, bool write)
{
	for (unsigned i = 0; i < REGION_PAGES; i++) {
		region->frame[i] = r->next_frame++;
		region_set(region->page, i, true);
		region_set(region->write, i, write);
	}
}

void pages_make_huge(struct replay *r, struct mirror *m, uint64_t va, enum region_huge huge)
{
	struct region *region = shadow_make(&m->shadow, va);
	uint64_t start = region_va(&m->shadow, region);
	uint64_t end = start + region_bytes(m);
	struct sink_op op = {.kind = SINK_MAP_HUGE,
		.attr = pages_attr(r, vmas_find(&m->vmas.now, va), PAGE_MAPPED)};

	if (region->huge == huge || !pages_believable(r, m, start, end))
		return;
	if (!r->huge || r->options->thp == REPLAY_THP_NEVER || !pages_fit(m, start)) {
		pages_touch(r, m, start, end, PAGE_MAPPED);
		return;
	}
	pages_unmap(r, m, start, end);
	pages_prune(r, m, start, end, start, end);
	region->huge = huge;
	op.flags = deposit_flag(region);
	r->next_frame = (r->next_frame + REGION_PAGES - 1) & ~(REGION_PAGES - 1);
	op.arg = (uint64_t)r->next_frame << r->header.page_shift;
	note_all(r, region, op.attr.flags & PT_WRITE);
	pages_run_on(r, m, op, start, end);
}

void pages_split_edges(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	const uint64_t mask = region_bytes(m) - 1;
	struct region *region = va & mask ? shadow_find(&m->shadow, va) : NULL;

	if (region && region->huge)
		pages_split(r, m, region);
	region = end & mask ? shadow_find(&m->shadow, end) : NULL;
	if (region && region->huge)
		pages_split(r, m, region);
}
