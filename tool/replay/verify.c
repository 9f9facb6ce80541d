/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The library's translations against the plain model, both ways. */
#include <inttypes.h>

#include "tool/replay/replay.h"

/* Compares one page of the model; false: they differ. */
static bool same_page(const struct replay *r, const struct pt_space *space,
    const struct region *region, unsigned i, uint64_t va)
{
	uint64_t pa = (uint64_t)region->frame[i] << r->header.page_shift;
	bool write = region_bit(region->write, i);
	struct pt_translation t;

	if (pt_translate(space, pt_make_va(va), &t) || t.pa.v != pa ||
	    (t.level == 1) != (region->huge != REGION_SMALL))
		return false;
	/* A larger page has the rights of the part that was changed last. */
	return r->parts_bits || write == !!(t.attr.flags & PT_WRITE);
}

/* What page i of a region adds to the digest of its space, at va. */
static void add_page(const struct replay *r, const struct region *region, unsigned i, uint64_t va,
    struct sink_op *op)
{
	const uint64_t mask = (UINT64_C(1) << r->options->format->page_shift) - 1;
	uint64_t pa = (uint64_t)region->frame[i] << r->header.page_shift;

	op->arg += sink_digest(va & ~mask, pa & ~mask, op->flags && region_bit(region->write, i));
	op->end++;
}

static uint64_t verify_region(struct replay *r, const struct mirror *m, const struct region *region,
    struct sink_op *op)
{
	const struct pt_space *space = sink_space(r->sink, m->number);
	const unsigned parts = 1u << r->parts_bits;
	uint64_t base = region_va(&m->shadow, region);
	uint64_t bytes = 0;

	for (unsigned i = 0; i < REGION_PAGES; i++) {
		uint64_t va;

		if (!region_bit(region->page, i) ||
		    !place_va(&m->place, base + ((uint64_t)i << r->header.page_shift), &va))
			continue;
		if (!same_page(r, space, region, i, va))
			replay_wrong(r,
			    "%s[%" PRIu32 "]: %#" PRIx64 " is not mapped as it should be", m->name,
			    m->pid, va);
		r->result->verified++;
		/* A page of the format counts with the first of its parts that is there. */
		if (region_any(region->page, i & ~(parts - 1), i & (parts - 1)))
			continue;
		bytes += UINT64_C(1) << r->options->format->page_shift;
		if (op)
			add_page(r, region, i, va, op);
	}
	return bytes;
}

static int add_piece(void *ctx, const struct pt_piece *piece)
{
	*(uint64_t *)ctx += piece->size;
	return 0;
}

/* Bytes that the library maps in the part of the space that programs use. */
static uint64_t mapped_bytes(struct replay *r, const struct mirror *m)
{
	uint64_t size = UINT64_C(1) << sink_user_bits(r->options->format);
	uint64_t bytes = 0;

	if (pt_walk(sink_space(r->sink, m->number), pt_make_va(0), size, add_piece, &bytes))
		replay_wrong(r, "the library cannot walk a space");
	return bytes;
}

void verify_space(struct replay *r, struct mirror *m, struct sink_op *op)
{
	struct pt_fault_report report;
	uint64_t expected = 0;

	if (r->result->wrong[0])
		return;
	if (op)
		op->flags = !r->parts_bits;
	for (size_t i = 0; i < m->shadow.count; i++)
		expected += verify_region(r, m, m->shadow.at[i], op);
	if (mapped_bytes(r, m) != expected)
		replay_wrong(r, "%s[%" PRIu32 "]: the library maps other pages than the model",
		    m->name, m->pid);
	if (pt_check(sink_space(r->sink, m->number), &report))
		replay_wrong(r, "%s[%" PRIu32 "]: %s at %#" PRIx64, m->name, m->pid, report.what,
		    report.va.v);
}
