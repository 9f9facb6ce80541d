/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Conformance of accessed and dirty: of leaves, of what is handed over, of contiguous runs. */
#include "tests/kit/kit_case.h"

/* Accessed and dirty that an MMU sets: reported, kept, spread, put together, cleared. */
static bool marks_of_level(struct kit *k, unsigned level)
{
	const uint32_t both = PT_ACCESSED | PT_DIRTY;
	uint64_t va = kit_slot(k, level);
	uint64_t size = kit_slot(k, level);
	struct pt_gather gather;
	uint64_t bytes;

	CHECK_OR_FALSE(k, pt_map(&k->a, VA(va), size, PA(kit_pa(k, level, 1)), k->rw, 0) == 0);
	CHECK_OR_FALSE(k, !(kit_flags(&k->a, va) & both));
	CHECK_OR_FALSE(k, kit_touch(k, &k->a, va, both));
	CHECK_OR_FALSE(k, pt_protect(&k->a, VA(va), size, k->ro, 0) == 0);
	CHECK_OR_FALSE(k, kit_flags(&k->a, va) == (k->ro.flags | both));
	CHECK_OR_FALSE(k, pt_age(&k->a, VA(va), size, &bytes) == 0 && bytes == size);
	CHECK_OR_FALSE(k, kit_flags(&k->a, va) == (k->ro.flags | PT_DIRTY));
	CHECK_OR_FALSE(k, pt_age(&k->a, VA(va), size, &bytes) == 0 && bytes == 0);
	CHECK_OR_FALSE(k, pt_dirty(&k->a, VA(va), size, NULL, NULL, &bytes) == 0 && bytes == size);
	CHECK_OR_FALSE(k, kit_flags(&k->a, va) == k->ro.flags);
	CHECK_OR_FALSE(k, pt_dirty(&k->a, VA(va), size, NULL, NULL, &bytes) == 0 && bytes == 0);
	CHECK_OR_FALSE(k, kit_level(&k->a, va) == level);
	CHECK_OR_FALSE(k, kit_touch(k, &k->a, va, both));
	gather = kit_gather(k, 1);
	CHECK_OR_FALSE(k, pt_unmap(&k->a, VA(va), size, 0, &gather) == 0);
	CHECK_OR_FALSE(k, k->outs == 1 && k->out[0].accessed && k->out[0].dirty);
	CHECK_OR_FALSE(k, kit_clear(k, &k->a));
	return true;
}

static void test_accessed_and_dirty(struct kit *k)
{
	if ((k->format->attrs & (PT_ACCESSED | PT_DIRTY)) != (PT_ACCESSED | PT_DIRTY)) {
		k->skipped = true;
		return;
	}
	for (unsigned l = 0; l < k->format->levels; l++)
		if (kit_is_leaf_level(k, l))
			CHECK(k, marks_of_level(k, l));
}

/* Maps four pages to the first of memory, by a list: so that they are no contiguous run. */
static bool map_four(struct kit *k)
{
	uint64_t page = kit_page(k);
	const pt_pa list[] = {{0}, {page}, {2 * page}, {3 * page}};

	return !pt_map_list(&k->a, VA(0), list, 4, k->rw, 0);
}

/* Runs of a gather differ where accessed and dirty do. */
static void test_marks_in_runs(struct kit *k)
{
	uint64_t page = kit_page(k);
	struct pt_gather gather;

	if (!(k->format->attrs & PT_ACCESSED)) {
		k->skipped = true;
		return;
	}
	CHECK(k, map_four(k));
	CHECK(k, kit_touch(k, &k->a, page, PT_ACCESSED));
	CHECK(k, kit_touch(k, &k->a, 2 * page, PT_ACCESSED));
	gather = kit_gather(k, KIT_RUNS);
	CHECK(k, pt_unmap(&k->a, VA(0), 4 * page, 0, &gather) == 0);
	CHECK(k, k->outs == 3 && k->out[1].pa.v == page && k->out[1].size == 2 * page);
	CHECK(k, k->out[1].accessed && !k->out[0].accessed && !k->out[2].accessed);
}

/* Cleaning ends where it is told to, and what nobody was told of stays dirty. */
static void test_dirty_pieces(struct kit *k)
{
	struct kit_pieces p = {.stop_at = 1};
	uint64_t page = kit_page(k);
	uint64_t bytes;

	if (!(k->format->attrs & PT_DIRTY)) {
		k->skipped = true;
		return;
	}
	CHECK(k, map_four(k));
	for (unsigned i = 0; i < 4; i++)
		CHECK(k, i == 2 || kit_touch(k, &k->a, i * page, PT_DIRTY));
	CHECK(k, pt_dirty(&k->a, VA(0), 4 * page, kit_take_piece, &p, &bytes) == 42);
	CHECK(k, p.count == 1 && p.piece[0].size == 2 * page && bytes == 2 * page);
	CHECK(k, !(kit_flags(&k->a, page) & PT_DIRTY));
	CHECK(k, kit_flags(&k->a, 3 * page) & PT_DIRTY);
	p.count = 0;
	CHECK(k, pt_dirty(&k->a, VA(0), 4 * page, kit_take_piece, &p, &bytes) == 42);
	CHECK(k, p.count == 1 && p.piece[0].va.v == 3 * page && bytes == page);
}

/*
 * A contiguous run of pages, of which the last alone is marked accessed and dirty. Where an MMU
 * runs the space it may have done so for any of them: then all are.
 */
struct noted {
	uint64_t page;
	uint64_t size;
	uint64_t va;
	uint64_t pa;
	bool mmu;
};

static bool map_noted(struct kit *k, struct noted *n)
{
	n->page = kit_page(k);
	n->size = kit_run_size(k);
	n->va = kit_slot(k, 1) - n->size;
	n->pa = 2 * n->size;
	n->mmu = k->flags & PT_SPACE_MMU;
	CHECK_OR_FALSE(k, pt_map(&k->a, VA(n->va), n->size, PA(n->pa), k->rw, PT_SMALL) == 0);
	CHECK_OR_FALSE(k, kit_size(&k->a, n->va) == n->size);
	return kit_touch(k, &k->a, n->va + n->size - n->page, PT_ACCESSED | PT_DIRTY);
}

/* Which of accessed and dirty the page at va has. */
static uint32_t marks_at(struct kit *k, uint64_t va)
{
	return kit_flags(&k->a, va) & (PT_ACCESSED | PT_DIRTY);
}

/* Are first pages of the run marked, and the last page of it, as they have to be after a call. */
static bool noted_is(struct kit *k, const struct noted *n, uint32_t first, uint32_t last)
{
	return marks_at(k, n->va) == (n->mmu ? first : 0) &&
	       marks_at(k, n->va + n->size - n->page) == last;
}

#define BOTH ((uint32_t)(PT_ACCESSED | PT_DIRTY))

/* Readers, and what clears the marks of all of a run. */
static bool noted_in_whole(struct kit *k)
{
	struct kit_pieces p = {.count = 0};
	struct noted n;
	uint64_t bytes;

	CHECK_OR_FALSE(k, map_noted(k, &n) && noted_is(k, &n, BOTH, BOTH));
	CHECK_OR_FALSE(k, pt_walk(&k->a, VA(n.va), n.size, kit_take_piece, &p) == 0);
	CHECK_OR_FALSE(k, p.count == (n.mmu ? 1 : 2));
	CHECK_OR_FALSE(k, pt_age(&k->a, VA(n.va), n.size, &bytes) == 0);
	CHECK_OR_FALSE(k, bytes == (n.mmu ? n.size : n.page));
	CHECK_OR_FALSE(k, noted_is(k, &n, PT_DIRTY, PT_DIRTY));
	p.count = 0;
	CHECK_OR_FALSE(k, pt_dirty(&k->a, VA(n.va), n.size, kit_take_piece, &p, &bytes) == 0);
	CHECK_OR_FALSE(k, bytes == (n.mmu ? n.size : n.page));
	CHECK_OR_FALSE(k, p.count == 1 && p.piece[0].size == bytes);
	CHECK_OR_FALSE(k, p.piece[0].attr.flags == (k->rw.flags | PT_DIRTY));
	CHECK_OR_FALSE(k, noted_is(k, &n, 0, 0) && kit_size(&k->a, n.va) == n.size);
	return kit_clear(k, &k->a);
}

/* The first page alone: a run becomes old whole, and is taken apart to be cleaned. */
static bool noted_in_part(struct kit *k)
{
	struct noted n;
	uint64_t bytes;

	CHECK_OR_FALSE(k, map_noted(k, &n));
	CHECK_OR_FALSE(k, pt_age(&k->a, VA(n.va), n.page, &bytes) == 0);
	CHECK_OR_FALSE(k, bytes == (n.mmu ? n.size : 0));
	CHECK_OR_FALSE(k, noted_is(k, &n, PT_DIRTY, n.mmu ? PT_DIRTY : BOTH));
	CHECK_OR_FALSE(k, kit_size(&k->a, n.va) == n.size && kit_clear(k, &k->a));
	CHECK_OR_FALSE(k, map_noted(k, &n));
	CHECK_OR_FALSE(k, pt_dirty(&k->a, VA(n.va), n.page, NULL, NULL, &bytes) == 0);
	CHECK_OR_FALSE(k, bytes == (n.mmu ? n.page : 0));
	CHECK_OR_FALSE(k, noted_is(k, &n, PT_ACCESSED, BOTH));
	CHECK_OR_FALSE(k, pt_dirty(&k->a, VA(n.va), n.page, NULL, NULL, &bytes) == 0 && !bytes);
	CHECK_OR_FALSE(k, kit_settled(k, &k->a) && kit_clear(k, &k->a));
	CHECK_OR_FALSE(k, map_noted(k, &n));
	CHECK_OR_FALSE(k, pt_protect(&k->a, VA(n.va), n.page, k->ro, 0) == 0);
	CHECK_OR_FALSE(k, noted_is(k, &n, BOTH, BOTH) && kit_clear(k, &k->a));
	return true;
}

/* Is what was handed over from a page of the run on, and dirty where it has to be. */
static bool handed_over(struct kit *k, const struct noted *n, uint64_t size)
{
	uint64_t last = n->pa + n->size - n->page;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < k->outs; i++) {
		const struct pt_run *run = &k->out[i];
		bool marked = n->mmu || run->pa.v == last;

		CHECK_OR_FALSE(k, run->dirty == marked && run->accessed == marked);
		bytes += run->size;
	}
	return kit_check(k, bytes == size, "all of it handed over", __LINE__);
}

/* What is unmapped, or replaced, in part, whole, and with its table. */
static bool noted_and_gone(struct kit *k)
{
	struct pt_gather gather = kit_gather(k, 2);
	struct noted n;

	CHECK_OR_FALSE(k, map_noted(k, &n));
	CHECK_OR_FALSE(k, pt_unmap(&k->a, VA(n.va), n.page, 0, &gather) == 0);
	CHECK_OR_FALSE(k, handed_over(k, &n, n.page));
	CHECK_OR_FALSE(k, kit_flags(&k->a, n.va + n.size - n.page) == (k->rw.flags | BOTH));
	CHECK_OR_FALSE(k, kit_clear(k, &k->a) && map_noted(k, &n));
	gather = kit_gather(k, 2);
	CHECK_OR_FALSE(k, pt_map_replace(&k->a, VA(n.va), n.page, PA(0), k->rw, 0, &gather) == 0);
	CHECK_OR_FALSE(k, handed_over(k, &n, n.page) && !marks_at(k, n.va));
	CHECK_OR_FALSE(k, kit_clear(k, &k->a) && map_noted(k, &n));
	gather = kit_gather(k, 2);
	CHECK_OR_FALSE(k, pt_unmap(&k->a, VA(n.va), n.size, PT_KEEP_TABLES, &gather) == 0);
	CHECK_OR_FALSE(k, handed_over(k, &n, n.size));
	CHECK_OR_FALSE(k, kit_clear(k, &k->a) && map_noted(k, &n));
	gather = kit_gather(k, 2);
	CHECK_OR_FALSE(k, pt_unmap(&k->a, VA(0), kit_slot(k, 1), 0, &gather) == 0);
	CHECK_OR_FALSE(k, handed_over(k, &n, n.size) && kit_clear(k, &k->a));
	return true;
}

/* To where the run stays one, and to where it cannot be one. */
static bool noted_and_moved(struct kit *k)
{
	struct noted n;

	for (unsigned i = 0; i < 2; i++) {
		uint64_t by;

		CHECK_OR_FALSE(k, map_noted(k, &n));
		by = n.size + i * n.page;
		CHECK_OR_FALSE(k, pt_move(&k->a, VA(n.va), n.size, VA(n.va + by), 0) == 0);
		n.va += by;
		CHECK_OR_FALSE(k, kit_size(&k->a, n.va) == (i ? n.page : n.size));
		CHECK_OR_FALSE(k, noted_is(k, &n, BOTH, BOTH));
		CHECK_OR_FALSE(k, kit_settled(k, &k->a) && kit_clear(k, &k->a));
	}
	return true;
}

/* Who faults at a leaf asks that leaf: what another has does not help there. */
static bool noted_and_faulted(struct kit *k)
{
	struct pt_entry_info info;
	struct noted n;
	uint64_t e;

	CHECK_OR_FALSE(k, map_noted(k, &n));
	CHECK_OR_FALSE(k, pt_access_fault(&k->a, VA(n.va), PT_WRITE) == 0);
	e = kit_load(k, kit_entry(k, &k->a, n.va, 0));
	CHECK_OR_FALSE(k, pt_entry_decode(k->format, e, 0, &info) == 0);
	CHECK_OR_FALSE(k, info.run && (info.attr.flags & BOTH) == BOTH);
	return kit_clear(k, &k->a);
}

static void test_noted_in_runs(struct kit *k)
{
	if ((k->format->attrs & BOTH) != BOTH || kit_run_size(k) == kit_page(k)) {
		k->skipped = true;
		return;
	}
	CHECK(k, noted_in_whole(k));
	CHECK(k, noted_in_part(k));
	CHECK(k, noted_and_gone(k));
	CHECK(k, noted_and_moved(k));
	CHECK(k, noted_and_faulted(k));
}

const struct kit_test kit_mark_tests[] = {
	{"accessed and dirty", test_accessed_and_dirty},
	{"accessed and dirty in runs", test_marks_in_runs},
	{"dirty pieces", test_dirty_pieces},
	{"accessed and dirty in contiguous runs", test_noted_in_runs},
	{NULL, NULL},
};
