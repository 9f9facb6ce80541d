/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the files that change pages share. touch.c maps, huge.c has large pages, carry.c copies and
 * moves, pages.c does what is left: it unmaps, and acts on ranges.
 *
 * Each change is made in the library and in the plain model. The model is in pages of the recorded
 * machine. A page of the format that holds several of these is there as soon as one of them is, and
 * goes with the last.
 */
#ifndef TOOL_REPLAY_PAGES_H
#define TOOL_REPLAY_PAGES_H

#include "tool/replay/replay.h"

static inline uint64_t page_mask(const struct replay *r)
{
	return (UINT64_C(1) << r->options->format->page_shift) - 1;
}

static inline uint64_t region_end(const struct mirror *m, uint64_t va)
{
	return (va | (region_bytes(m) - 1)) + 1;
}

static inline uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Does an operation; a refusal is noted as wrong. */
void pages_run(struct replay *r, const struct sink_op *op);

/* An operation on [va, end), rounded outward to pages of the format, where it fits. */
void pages_run_on(struct replay *r, struct mirror *m, struct sink_op op, uint64_t va, uint64_t end);

/* What a page of a VMA (NULL: of none that is known) is mapped with. */
pt_attr pages_attr(const struct replay *r, const struct vma *vma, enum page_kind kind);

/* May so much be mapped: nothing in a trace is believed, and this would take days. */
bool pages_believable(struct replay *r, const struct mirror *m, uint64_t va, uint64_t end);

/* Has an address a place in the format's space. */
bool pages_fit(const struct mirror *m, uint64_t va);

/* Is any part of the format's page at va there. */
bool pages_wanted(const struct replay *r, struct mirror *m, uint64_t va);

/* Visits the regions that overlap [va, end), and their pages in it. */
struct part {
	struct region *region;
	unsigned first;
	unsigned count;
	uint64_t va;
};

/* The part in the region at *at, which is moved on; false: there is none. */
bool pages_next_part(struct mirror *m, size_t *at, uint64_t va, uint64_t end, struct part *part);

#define for_each_part(m, va, end, part)                                                            \
	for (size_t at_ = shadow_from(&(m)->shadow, (va));                                         \
	    pages_next_part((m), &at_, (va), (end), &(part));)

static inline void clear_bits(struct region *region, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		region_set(region->page, i, false);
		region_set(region->mark, i, false);
		region_set(region->guard, i, false);
		region_set(region->write, i, false);
	}
}

/* --- huge.c ---------------------------------------------------------------------------------- */

static inline uint16_t deposit_flag(const struct region *region)
{
	return region->huge == REGION_HUGE_ANON ? PT_DEPOSIT : 0;
}

/* The region's large entry goes, and its deposit with it. */
void pages_drop_huge(struct replay *r, struct mirror *m, struct region *region);

/* A large page that a range cuts is taken apart. */
void pages_split_edges(struct replay *r, struct mirror *m, uint64_t va, uint64_t end);

#endif
