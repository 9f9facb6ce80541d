/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Questions for whoever does the operations elsewhere, with the plain model's answers. */
#include "tool/replay/pages.h"

/* Regions that one round asks about: at two places each. */
#define ROUND 16u

/* What the model says of the format's page that page i of a region is in. */
static struct sink_op answer(const struct replay *r, const struct region *region, unsigned i)
{
	const unsigned parts = 1u << r->parts_bits;
	const unsigned first = i & ~(parts - 1);
	struct sink_op op = {.kind = SINK_LOOK};

	if (!region_any(region->page, first, parts))
		return op;
	while (!region_bit(region->page, i))
		i = first | ((i + 1) & (parts - 1));
	op.flags = SINK_LOOK_MAPPED;
	op.arg = ((uint64_t)region->frame[i] << r->header.page_shift) & ~page_mask(r);
	/* A larger page has the rights of the part that was changed last. */
	if (!r->parts_bits)
		op.flags |=
		    SINK_LOOK_WRITE_KNOWN | (region_bit(region->write, i) ? SINK_LOOK_WRITE : 0);
	return op;
}

static void ask(struct replay *r, struct mirror *m, const struct region *region, unsigned i)
{
	struct sink_op op = answer(r, region, i);
	uint64_t page = (uint64_t)i << r->header.page_shift;

	if (!place_va(&m->place, region_va(&m->shadow, region) + page, &op.va))
		return;
	op.space = m->number;
	op.va &= ~page_mask(r);
	if (sink_do(r->sink, &op))
		replay_wrong(r, "the library does not answer as the model for %#llx",
		    (unsigned long long)op.va);
}

/* The first page from i on, round the region, that is there. */
static unsigned mapped_from(const struct region *region, unsigned i)
{
	while (!region_bit(region->page, i))
		i = (i + 1) % REGION_PAGES;
	return i;
}

void look_at_some(struct replay *r, struct mirror *m)
{
	size_t step = m->shadow.count / ROUND + 1;

	if (!r->options->log || r->result->wrong[0])
		return;
	r->looks++;
	for (size_t at = r->looks % step; at < m->shadow.count; at += step) {
		const struct region *region = m->shadow.at[at];
		/* Another page each time, mapped or not; then one that is. */
		unsigned i = (unsigned)((size_t)r->looks * 2654435761u + at * 40503u) >> 7 &
			     (REGION_PAGES - 1);

		ask(r, m, region, i);
		if (region_any_page(region))
			ask(r, m, region, mapped_from(region, i));
	}
}
