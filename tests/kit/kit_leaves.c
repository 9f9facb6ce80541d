/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Conformance of leaves: mapping, unmapping, attributes, sizes. */
#include "tests/kit/kit_case.h"

/* An address inside the lower half, aligned to an entry of a level, with room on both sides. */
static uint64_t place(const struct kit *k, unsigned level)
{
	return kit_slot(k, level);
}

static bool all_unmapped(struct kit *k, uint64_t va, uint64_t size)
{
	uint64_t page = kit_page(k);

	return kit_unmapped(k, &k->a, va) && kit_unmapped(k, &k->a, va + size - page) &&
	       kit_unmapped(k, &k->a, va + size / 2 / page * page);
}

static void test_empty(struct kit *k)
{
	struct kit_half half[2];
	struct pt_root root = pt_space_root(&k->a);
	unsigned n = kit_halves(k, half);

	for (unsigned i = 0; i < n; i++) {
		CHECK(k, kit_unmapped(k, &k->a, half[i].first));
		CHECK(k, kit_unmapped(k, &k->a, half[i].last));
	}
	CHECK(k, kit_all_tables(&k->a) == 1 && kit_tables(&k->a, kit_top(k)) == 1);
	CHECK(k, kit_memory_tables(k) == 2);
	CHECK(k, root.levels == k->format->levels && root.pa.v != pt_space_root(&k->b).pa.v);
	CHECK(k, pt_unmap(&k->a, VA(0), kit_page(k), 0, NULL) == 0);
	CHECK(k, pt_protect(&k->a, VA(0), kit_page(k), k->ro, 0) == 0);
}

/* One leaf of a level: mapped, seen from all sides, unmapped again. */
static bool one_leaf(struct kit *k, uint64_t va, unsigned level, pt_attr attr)
{
	uint64_t size = kit_slot(k, level);
	uint64_t pa = kit_pa(k, level, 1);
	struct pt_gather gather;

	CHECK_OR_FALSE(k, pt_map(&k->a, VA(va), size, PA(pa), attr, 0) == 0);
	CHECK_OR_FALSE(k, kit_maps(k, &k->a, va, pa, attr, level));
	CHECK_OR_FALSE(k, kit_maps(k, &k->a, va + size - 1, pa + size - 1, attr, level));
	CHECK_OR_FALSE(k, kit_maps(k, &k->a, va + size / 2, pa + size / 2, attr, level));
	CHECK_OR_FALSE(k, kit_all_tables(&k->a) == k->format->levels - level);
	for (unsigned l = level; l < k->format->levels; l++)
		CHECK_OR_FALSE(k, kit_tables(&k->a, l) == 1);
	CHECK_OR_FALSE(k, kit_settled(k, &k->a));
	gather = kit_gather(k, 1);
	CHECK_OR_FALSE(k, pt_unmap(&k->a, VA(va), size, 0, &gather) == 0);
	CHECK_OR_FALSE(k, k->outs == 1 && k->out[0].pa.v == pa && k->out[0].size == size);
	CHECK_OR_FALSE(k, !k->out[0].accessed && !k->out[0].dirty);
	CHECK_OR_FALSE(k, gather.released == size && gather.count == 0);
	CHECK_OR_FALSE(k, all_unmapped(k, va, size));
	CHECK_OR_FALSE(k, kit_clear(k, &k->a) && kit_all_tables(&k->a) == 1);
	return true;
}

/* At the edges of the space and at an inner boundary of every level. */
static void test_leaf_of_each_level(struct kit *k)
{
	struct kit_half half[2];
	unsigned n = kit_halves(k, half);

	for (unsigned l = 0; l < k->format->levels; l++) {
		uint64_t size = kit_slot(k, l);

		for (unsigned i = 0; kit_is_leaf_level(k, l) && i < n; i++) {
			CHECK(k, one_leaf(k, half[i].first, l, k->rw));
			CHECK(k, one_leaf(k, half[i].last - (size - 1), l, k->rw));
		}
		for (unsigned at = l; kit_is_leaf_level(k, l) && at <= kit_top(k); at++) {
			CHECK(k, one_leaf(k, kit_slot(k, at), l, k->rw));
			CHECK(k, one_leaf(k, kit_slot(k, at) - size, l, k->rw));
		}
	}
}

static void test_attributes(struct kit *k)
{
	for (unsigned l = 0; l < k->format->levels; l++)
		for (unsigned i = 0; kit_is_leaf_level(k, l) && i < k->attrs; i++)
			CHECK(k, one_leaf(k, place(k, l), l, k->attr[i]));
}

/* The largest leaf that a page at va is mapped by, when a range is mapped to memory alike. */
static unsigned expected_level(const struct kit *k, uint64_t va, uint64_t first, uint64_t last,
    uint64_t delta)
{
	unsigned best = 0;

	for (unsigned l = 1; l < k->format->levels; l++) {
		uint64_t mask = kit_slot(k, l) - 1;

		if (kit_is_leaf_level(k, l) && (va & ~mask) >= first && (va | mask) <= last &&
		    !(delta & mask))
			best = l;
	}
	return best;
}

/* Are all pages in a range mapped by leaves as large as they can be. Asks one page in each slot. */
static bool mapped_at_best(struct kit *k, uint64_t va, uint64_t size, uint64_t pa)
{
	uint64_t last = va + size - 1;

	for (uint64_t at = va; at - va < size;) {
		unsigned l = expected_level(k, at, va, last, pa - va);

		if (!kit_maps(k, &k->a, at, pa + (at - va), k->rw, l))
			return false;
		at = (at | (kit_slot(k, l) - 1)) + 1;
	}
	return true;
}

/* From a page before to a page after an entry of each level: leaves of all sizes below. */
static void test_largest_leaves(struct kit *k)
{
	uint64_t page = kit_page(k);

	for (unsigned l = 1; l < k->format->levels; l++) {
		uint64_t va = place(k, l) - page;
		uint64_t size = kit_slot(k, l) + 2 * page;
		uint64_t pa = kit_pa(k, l, 2) - page;

		if (!kit_is_leaf_level(k, l))
			continue;
		CHECK(k, pt_map(&k->a, VA(va), size, PA(pa), k->rw, 0) == 0);
		CHECK(k, mapped_at_best(k, va, size, pa));
		CHECK(k, kit_unmapped(k, &k->a, va - page) && kit_unmapped(k, &k->a, va + size));
		CHECK(k, kit_settled(k, &k->a));
		CHECK(k, kit_clear(k, &k->a));
	}
}

/* Memory that lies otherwise than the address, and PT_SMALL. */
static void test_small_leaves(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t size = kit_slot(k, 1);
	uint64_t va = place(k, 1);

	CHECK(k, pt_map(&k->a, VA(va), size, PA(page), k->rw, 0) == 0);
	CHECK(k, kit_maps(k, &k->a, va, page, k->rw, 0));
	CHECK(k, kit_maps(k, &k->a, va + size - page, size, k->rw, 0));
	CHECK(k, kit_clear(k, &k->a));
	CHECK(k, pt_map(&k->a, VA(va), size, PA(0), k->rw, PT_SMALL) == 0);
	CHECK(k, kit_maps(k, &k->a, va, 0, k->rw, 0));
	CHECK(k, kit_tables(&k->a, 0) == 1);
}

/* A range over the boundary of two entries of each level needs the tables on both sides. */
static void test_across_tables(struct kit *k)
{
	uint64_t page = kit_page(k);

	for (unsigned l = 1; l < k->format->levels; l++) {
		uint64_t va = place(k, l) - page;

		CHECK(k, pt_map(&k->a, VA(va), 2 * page, PA(2 * page), k->rw, 0) == 0);
		CHECK(k, kit_maps(k, &k->a, va, 2 * page, k->rw, 0));
		CHECK(k, kit_maps(k, &k->a, va + page, 3 * page, k->rw, 0));
		for (unsigned t = 0; t < k->format->levels; t++)
			CHECK(k, kit_tables(&k->a, t) == (t < l ? 2 : 1));
		CHECK(k, pt_unmap(&k->a, VA(va), 2 * page, 0, NULL) == 0);
		CHECK(k, kit_clear(k, &k->a) && kit_all_tables(&k->a) == 1);
	}
}

/* Whatever is there stays, and nothing of the failed call does (D50). */
static void test_conflicts(struct kit *k)
{
	uint64_t page = kit_page(k);

	for (unsigned l = 0; l < k->format->levels; l++) {
		uint64_t va = place(k, l);
		uint64_t size = kit_slot(k, l);
		uint64_t pa = kit_pa(k, l, 1);
		uint64_t tables;

		if (!kit_is_leaf_level(k, l))
			continue;
		CHECK(k, pt_map(&k->a, VA(va), size, PA(pa), k->rw, 0) == 0);
		tables = kit_all_tables(&k->a);
		CHECK(k,
		    pt_map(&k->a, VA(va + size - page), 2 * page, PA(0), k->ro, 0) == -PT_EEXIST);
		CHECK(k, pt_map(&k->a, VA(va - page), 2 * page, PA(0), k->ro, 0) == -PT_EEXIST);
		CHECK(k, pt_map(&k->a, VA(va - size), 2 * size, PA(0), k->ro, 0) == -PT_EEXIST);
		CHECK(k, pt_map(&k->a, VA(va), size, PA(pa), k->rw, 0) == -PT_EEXIST);
		CHECK(k, kit_all_tables(&k->a) == tables);
		CHECK(k, kit_unmapped(k, &k->a, va - page) && kit_unmapped(k, &k->a, va + size));
		CHECK(k, kit_maps(k, &k->a, va, pa, k->rw, l));
		CHECK(k, kit_settled(k, &k->a));
		CHECK(k, kit_clear(k, &k->a));
	}
}

/* One page out of a large leaf: at its start, in the middle, at its end. */
static bool unmap_page_of_leaf(struct kit *k, unsigned level, uint64_t offset)
{
	uint64_t page = kit_page(k);
	uint64_t size = kit_slot(k, level);
	uint64_t va = place(k, level);
	uint64_t pa = kit_pa(k, level, 1);
	struct pt_gather gather = kit_gather(k, 2);

	CHECK_OR_FALSE(k, pt_map(&k->a, VA(va), size, PA(pa), k->rw, 0) == 0);
	gather = kit_gather(k, 2);
	CHECK_OR_FALSE(k, pt_unmap(&k->a, VA(va + offset), page, 0, &gather) == 0);
	CHECK_OR_FALSE(k, k->outs == 1 && k->out[0].pa.v == pa + offset && k->out[0].size == page);
	CHECK_OR_FALSE(k, kit_unmapped(k, &k->a, va + offset));
	if (offset)
		CHECK_OR_FALSE(k, kit_maps(k, &k->a, va + offset - page, pa + offset - page, k->rw,
				      KIT_ANY_LEVEL));
	if (offset + page < size)
		CHECK_OR_FALSE(k, kit_maps(k, &k->a, va + offset + page, pa + offset + page, k->rw,
				      KIT_ANY_LEVEL));
	CHECK_OR_FALSE(k, kit_settled(k, &k->a));
	gather = kit_gather(k, KIT_RUNS);
	CHECK_OR_FALSE(k, pt_unmap(&k->a, VA(va), size, 0, &gather) == 0);
	CHECK_OR_FALSE(k, k->out_bytes == size - page);
	CHECK_OR_FALSE(k, kit_clear(k, &k->a));
	return true;
}

static void test_unmap_splits(struct kit *k)
{
	uint64_t page = kit_page(k);

	for (unsigned l = 1; l < k->format->levels; l++) {
		uint64_t size = kit_slot(k, l);

		if (!kit_is_leaf_level(k, l))
			continue;
		CHECK(k, unmap_page_of_leaf(k, l, 0));
		CHECK(k, unmap_page_of_leaf(k, l, page));
		CHECK(k, unmap_page_of_leaf(k, l, size / 2));
		CHECK(k, unmap_page_of_leaf(k, l, size - page));
	}
}

static void test_protect(struct kit *k)
{
	uint64_t page = kit_page(k);

	for (unsigned l = 0; l < k->format->levels; l++) {
		uint64_t va = place(k, l);
		uint64_t size = kit_slot(k, l);
		uint64_t pa = kit_pa(k, l, 1);

		if (!kit_is_leaf_level(k, l))
			continue;
		CHECK(k, pt_map(&k->a, VA(va), size, PA(pa), k->rw, 0) == 0);
		for (unsigned i = 0; i < k->attrs; i++) {
			CHECK(k, pt_protect(&k->a, VA(va), size, k->attr[i], 0) == 0);
			CHECK(k, kit_maps(k, &k->a, va + size / 2, pa + size / 2, k->attr[i], l));
		}
		CHECK(k, pt_protect(&k->a, VA(va), size, k->rw, 0) == 0);
		CHECK(k, pt_protect(&k->a, VA(va + size - page), page, k->ro, 0) == 0);
		CHECK(k, kit_maps(k, &k->a, va + size - page, pa + size - page, k->ro, 0));
		CHECK(k, l == 0 || kit_flags(&k->a, va) == k->rw.flags);
		CHECK(k, kit_settled(k, &k->a));
		CHECK(k, kit_clear(k, &k->a));
	}
}

/* What is not mapped stays so. */
static void test_protect_holes(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t size = kit_slot(k, 1);

	CHECK(k, pt_map(&k->a, VA(size), page, PA(0), k->rw, 0) == 0);
	CHECK(k, pt_protect(&k->a, VA(0), 2 * size, k->ro, 0) == 0);
	CHECK(k, kit_maps(k, &k->a, size, 0, k->ro, 0));
	for (uint64_t va = size + page; va < 2 * size && va < size + 20 * page; va += page)
		CHECK(k, kit_unmapped(k, &k->a, va));
	CHECK(k, kit_settled(k, &k->a));
}

/* Several pages of a table, alike and contiguous or not, in one call; the others stay. */
static void test_unmap_pages(struct kit *k)
{
	uint64_t page = kit_page(k);

	CHECK(k, pt_map(&k->a, VA(0), 4 * page, PA(0), k->rw, 0) == 0);
	CHECK(k, pt_unmap(&k->a, VA(page), 2 * page, 0, NULL) == 0);
	CHECK(k, kit_unmapped(k, &k->a, page) && kit_unmapped(k, &k->a, 2 * page));
	CHECK(k, kit_maps(k, &k->a, 0, 0, k->rw, 0) && kit_settled(k, &k->a));
	CHECK(k, pt_map(&k->a, VA(2 * page), page, PA(9 * page), k->rw, 0) == 0);
	CHECK(k, pt_unmap(&k->a, VA(0), 3 * page, 0, NULL) == 0);
	CHECK(k, kit_unmapped(k, &k->a, 0) && kit_unmapped(k, &k->a, 2 * page));
	CHECK(k, kit_maps(k, &k->a, 3 * page, 3 * page, k->rw, 0) && kit_settled(k, &k->a));
}

/* Pages on both sides of an edge of tables, of large leaves that keep what lies beside. */
static void test_replace_across(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t large = kit_slot(k, 1);
	uint64_t pa = kit_pa(k, 1, 1);
	unsigned leaf = kit_is_leaf_level(k, 1);

	for (unsigned l = 1; l <= kit_top(k); l++) {
		uint64_t edge = kit_slot(k, l);

		CHECK(k, pt_map(&k->a, VA(edge - large), 2 * large, PA(pa), k->rw, 0) == 0);
		CHECK(k, kit_level(&k->a, edge) == leaf);
		CHECK(k,
		    pt_map_replace(&k->a, VA(edge - page), 2 * page, PA(0), k->ro, 0, NULL) == 0);
		CHECK(k, kit_maps(k, &k->a, edge - page, 0, k->ro, 0));
		CHECK(k, kit_maps(k, &k->a, edge, page, k->ro, 0));
		CHECK(k, kit_maps(k, &k->a, edge - large, pa, k->rw, 0));
		CHECK(k, kit_maps(k, &k->a, edge + page, pa + large + page, k->rw, 0));
		CHECK(k, kit_settled(k, &k->a) && kit_clear(k, &k->a));
	}
}

static void test_access_fault(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint32_t known = k->format->attrs & (PT_ACCESSED | PT_DIRTY);

	CHECK(k, pt_map(&k->a, VA(0), page, PA(0), k->rw, 0) == 0);
	CHECK(k, pt_map(&k->a, VA(page), page, PA(0), k->ro, 0) == 0);
	CHECK(k, pt_access_fault(&k->a, VA(1), PT_READ) == 0);
	CHECK(k, (kit_flags(&k->a, 0) & known) == (known & PT_ACCESSED));
	CHECK(k, pt_access_fault(&k->a, VA(0), PT_WRITE) == 0);
	CHECK(k, (kit_flags(&k->a, 0) & known) == known);
	CHECK(k, pt_access_fault(&k->a, VA(page), PT_WRITE) == -PT_EATTR);
	CHECK(k, !(kit_flags(&k->a, page) & (PT_ACCESSED | PT_DIRTY)));
	CHECK(k, pt_access_fault(&k->a, VA(2 * page), PT_READ) == -PT_ENOENT);
}

/* Every kind of old content under every kind of new. */
static bool replace_level(struct kit *k, unsigned level, uint32_t flags, bool parts)
{
	uint64_t page = kit_page(k);
	uint64_t va = place(k, level);
	uint64_t size = kit_slot(k, level);
	uint64_t old = kit_pa(k, level, 1);
	uint64_t new = kit_pa(k, level, 2);
	struct pt_gather gather;

	CHECK_OR_FALSE(k, pt_map(&k->a, VA(va), size, PA(old), k->rw, 0) == 0);
	if (parts)
		CHECK_OR_FALSE(k, pt_protect(&k->a, VA(va), page, k->ro, 0) == 0);
	gather = kit_gather(k, 2);
	CHECK_OR_FALSE(k, pt_map_replace(&k->a, VA(va), size, PA(new), k->rw, flags, &gather) == 0);
	CHECK_OR_FALSE(k, k->out_bytes == size);
	for (unsigned i = 0; i < k->outs; i++)
		CHECK_OR_FALSE(k, k->out[i].pa.v - old < size);
	CHECK_OR_FALSE(k, kit_maps(k, &k->a, va, new, k->rw, flags & PT_SMALL ? 0 : level));
	CHECK_OR_FALSE(k, kit_settled(k, &k->a));
	gather = kit_gather(k, 2);
	CHECK_OR_FALSE(k,
	    pt_map_replace(&k->a, VA(va + size - page), page, PA(old), k->ro, 0, &gather) == 0);
	CHECK_OR_FALSE(k, k->outs == 1 && k->out[0].pa.v == new + size - page);
	CHECK_OR_FALSE(k, kit_maps(k, &k->a, va + size - page, old, k->ro, 0));
	CHECK_OR_FALSE(k, kit_clear(k, &k->a));
	return true;
}

static void test_replace(struct kit *k)
{
	for (unsigned l = 0; l < k->format->levels; l++) {
		if (!kit_is_leaf_level(k, l))
			continue;
		CHECK(k, replace_level(k, l, 0, false));
		CHECK(k, replace_level(k, l, 0, true));
		if (l == 1) {
			CHECK(k, replace_level(k, l, PT_SMALL, false));
			CHECK(k, replace_level(k, l, PT_SMALL, true));
		}
	}
}

static void test_list_and_cursor(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t va = place(k, 1) - 2 * page;
	const pt_pa list[] = {{4 * page}, {page}, {2 * page}, {0}};
	struct pt_cursor cursor;

	CHECK(k, pt_map_list(&k->a, VA(va), list, 4, k->rw, 0) == 0);
	for (unsigned i = 0; i < 4; i++)
		CHECK(k, kit_maps(k, &k->a, va + i * page, list[i].v, k->rw, 0));
	CHECK(k, pt_map_list(&k->a, VA(va - page), list, 4, k->rw, 0) == -PT_EEXIST);
	CHECK(k, kit_unmapped(k, &k->a, va - page));
	CHECK(k, kit_clear(k, &k->a));
	pt_cursor_open(&cursor, &k->a, VA(va), k->rw, 0);
	for (unsigned i = 0; i < PT_CURSOR_PAGES + 3; i++)
		CHECK(k, pt_cursor_map(&cursor, PA(i * page)) == 0);
	CHECK(k, pt_cursor_flush(&cursor) == 0 && pt_cursor_flush(&cursor) == 0);
	for (unsigned i = 0; i < PT_CURSOR_PAGES + 3; i++)
		CHECK(k, kit_maps(k, &k->a, va + i * page, i * page, k->rw, 0));
	CHECK(k, kit_unmapped(k, &k->a, va + (PT_CURSOR_PAGES + 3) * page));
}

/* One call for each run of leaves alike: not one for each entry. */
static void test_walk(struct kit *k)
{
	struct kit_pieces p = {.count = 0};
	uint64_t page = kit_page(k);
	uint64_t va = place(k, 1) - page;

	CHECK(k, pt_map(&k->a, VA(va), 3 * page, PA(page), k->rw, 0) == 0);
	CHECK(k, pt_map(&k->a, VA(va + 3 * page), page, PA(page), k->rw, 0) == 0);
	CHECK(k, pt_map(&k->a, VA(va + 5 * page), page, PA(6 * page), k->ro, 0) == 0);
	CHECK(k, pt_walk(&k->a, VA(0), 4 * kit_slot(k, 1), kit_take_piece, &p) == 0);
	CHECK(k, p.count == 3);
	CHECK(k, p.piece[0].va.v == va && p.piece[0].size == 3 * page && p.piece[0].pa.v == page &&
		     p.piece[0].level == 0);
	CHECK(k, p.piece[1].va.v == va + 3 * page && p.piece[1].size == page);
	CHECK(k, p.piece[2].attr.flags == k->ro.flags && p.piece[2].pa.v == 6 * page);
	p.count = 0;
	p.stop_at = 2;
	CHECK(k, pt_walk(&k->a, VA(0), 4 * kit_slot(k, 1), kit_take_piece, &p) == 42);
	CHECK(k, p.count == 2);
	p.count = 0;
	CHECK(k, pt_walk(&k->a, VA(va + page), page, kit_take_piece, &p) == 0);
	CHECK(k, p.count == 1 && p.piece[0].pa.v == 2 * page && p.piece[0].size == page);
}

struct undone {
	struct kit *k;
	unsigned pieces;
};

/* Takes a piece away, and what follows it, and waits until no reader can be where they were. */
static int unmap_on(void *ctx, const struct pt_piece *piece)
{
	struct undone *u = ctx;
	int err = pt_unmap(&u->k->a, piece->va, 2 * piece->size, 0, NULL);

	u->pieces++;
	(void)pt_memory_shrink(u->k->memory);
	return err;
}

/* Who is told of a piece may do what who walks may; what is told next is what is there then. */
static void test_walk_changes(struct kit *k)
{
	struct undone u = {.k = k};
	uint64_t page = kit_page(k);

	CHECK(k, pt_map(&k->a, VA(0), page, PA(page), k->rw, 0) == 0);
	CHECK(k, pt_map(&k->a, VA(page), page, PA(page), k->ro, 0) == 0);
	CHECK(k, pt_walk(&k->a, VA(0), 2 * page, unmap_on, &u) == 0);
	CHECK(k, u.pieces == 1 && kit_unmapped(k, &k->a, 0) && kit_unmapped(k, &k->a, page));
}

/* Contiguous runs: made where they fit, taken apart only where a range cuts one. */
static void test_runs(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t run = kit_run_size(k);
	uint64_t va = kit_slot(k, 1) - run;

	CHECK(k, run >= page);
	if (run == page) {
		k->skipped = true;
		return;
	}
	CHECK(k,
	    pt_map(&k->a, VA(va - page), 2 * run + page, PA(run - page), k->rw, PT_SMALL) == 0);
	CHECK(k, kit_size(&k->a, va - page) == page && kit_size(&k->a, va) == run);
	CHECK(k, kit_size(&k->a, va + 2 * run - page) == run);
	CHECK(k, pt_protect(&k->a, VA(va), run, k->ro, 0) == 0 && kit_size(&k->a, va) == run);
	CHECK(k, pt_protect(&k->a, VA(va + run), page, k->ro, 0) == 0);
	CHECK(k, kit_size(&k->a, va) == run && kit_size(&k->a, va + run) == page);
	CHECK(k, kit_size(&k->a, va + 2 * run - page) == page);
	CHECK(k, kit_settled(k, &k->a));
	CHECK(k, pt_unmap(&k->a, VA(va + page), page, 0, NULL) == 0);
	CHECK(k, kit_size(&k->a, va) == page && kit_unmapped(k, &k->a, va + page));
	CHECK(k, kit_settled(k, &k->a));
	CHECK(k, kit_clear(k, &k->a));
	/* Memory that lies otherwise makes none; nor does moving to where one cannot be. */
	CHECK(k, pt_map(&k->a, VA(va), run, PA(run + page), k->rw, 0) == 0);
	CHECK(k, kit_size(&k->a, va) == page && kit_clear(k, &k->a));
	CHECK(k, pt_map(&k->a, VA(va), run, PA(run), k->rw, 0) == 0 && kit_size(&k->a, va) == run);
	CHECK(k, pt_move(&k->a, VA(va), run, VA(va + run + page), 0) == 0);
	CHECK(k, kit_size(&k->a, va + run + page) == page);
}

/* Splits to each lower level and puts together again; accessed and dirty of any part are kept. */
static bool split_and_collapse(struct kit *k, unsigned level)
{
	uint64_t va = place(k, level);
	uint64_t size = kit_slot(k, level);
	uint64_t pa = kit_pa(k, level, 1);
	uint64_t part = kit_slot(k, level - 1);
	uint32_t set = k->format->attrs & (PT_ACCESSED | PT_DIRTY);
	pt_attr attr = k->rw;

	CHECK_OR_FALSE(k, pt_map(&k->a, VA(va), size, PA(pa), k->rw, 0) == 0);
	CHECK_OR_FALSE(k, pt_split(&k->a, VA(va), kit_page(k), level, 0) == 0);
	CHECK_OR_FALSE(k, kit_level(&k->a, va) == level);
	CHECK_OR_FALSE(k, pt_collapse(&k->a, VA(va), level, 0) == -PT_ENOENT);
	CHECK_OR_FALSE(k, pt_split(&k->a, VA(va), size, level - 1, 0) == 0);
	CHECK_OR_FALSE(k, kit_maps(k, &k->a, va, pa, attr, level - 1));
	CHECK_OR_FALSE(k, kit_maps(k, &k->a, va + size - 1, pa + size - 1, attr, level - 1));
	CHECK_OR_FALSE(k, kit_tables(&k->a, level - 1) == 1 && kit_settled(k, &k->a));
	if (set) {
		CHECK_OR_FALSE(k, kit_touch(k, &k->a, va + part, set));
		attr.flags |= set;
	}
	CHECK_OR_FALSE(k, pt_collapse(&k->a, VA(va + part), level, 0) == 0);
	CHECK_OR_FALSE(k, kit_maps(k, &k->a, va + size / 2, pa + size / 2, attr, level));
	CHECK_OR_FALSE(k, kit_tables(&k->a, level - 1) == 0 && kit_settled(k, &k->a));
	CHECK_OR_FALSE(k, pt_split(&k->a, VA(va), size, level - 1, 0) == 0);
	CHECK_OR_FALSE(k, kit_maps(k, &k->a, va + size - part, pa + size - part, attr, level - 1));
	CHECK_OR_FALSE(k, pt_protect(&k->a, VA(va), part, k->ro, 0) == 0);
	CHECK_OR_FALSE(k, pt_collapse(&k->a, VA(va), level, 0) == -PT_ENOENT);
	CHECK_OR_FALSE(k, pt_unmap(&k->a, VA(va), part, 0, NULL) == 0);
	CHECK_OR_FALSE(k, pt_collapse(&k->a, VA(va), level, 0) == -PT_ENOENT);
	CHECK_OR_FALSE(k, kit_settled(k, &k->a) && kit_clear(k, &k->a));
	return true;
}

/* What no leaf stands for: memory that is not aligned, or other memory, or tables in between. */
static bool collapse_refused(struct kit *k, unsigned level)
{
	uint64_t va = place(k, level);
	uint64_t size = kit_slot(k, level);
	uint64_t pa = kit_pa(k, level, 1);
	uint64_t part = kit_slot(k, level - 1);
	uint64_t last = va + size - part;

	CHECK_OR_FALSE(k, pt_map(&k->a, VA(va), size, PA(pa + part), k->rw, 0) == 0);
	CHECK_OR_FALSE(k, pt_collapse(&k->a, VA(va), level, 0) == -PT_ENOENT);
	CHECK_OR_FALSE(k, pt_map_replace(&k->a, VA(va), size - part, PA(pa), k->rw, 0, NULL) == 0);
	CHECK_OR_FALSE(k, kit_level(&k->a, va) == level - 1);
	CHECK_OR_FALSE(k, pt_collapse(&k->a, VA(va), level, 0) == -PT_ENOENT);
	CHECK_OR_FALSE(k, pt_unmap(&k->a, VA(last), part, 0, NULL) == 0);
	if (level > 1) {
		CHECK_OR_FALSE(k, pt_populate(&k->a, VA(last), part, level - 2, 0) == 0);
		CHECK_OR_FALSE(k, pt_collapse(&k->a, VA(va), level, 0) == -PT_ENOENT);
		CHECK_OR_FALSE(k, pt_unmap(&k->a, VA(last), part, 0, NULL) == 0);
	}
	CHECK_OR_FALSE(k, pt_map(&k->a, VA(last), part, PA(pa + size - part), k->rw, 0) == 0);
	CHECK_OR_FALSE(k, pt_collapse(&k->a, VA(va), level, 0) == 0);
	CHECK_OR_FALSE(k, kit_maps(k, &k->a, last, pa + size - part, k->rw, level));
	CHECK_OR_FALSE(k, kit_settled(k, &k->a) && kit_clear(k, &k->a));
	return true;
}

static void test_split_and_collapse(struct kit *k)
{
	for (unsigned l = 1; l < k->format->levels; l++) {
		if (!kit_is_leaf_level(k, l))
			continue;
		if (kit_is_leaf_level(k, l - 1))
			CHECK(k, split_and_collapse(k, l) && collapse_refused(k, l));
		/* Down to pages, but only where it is asked for. */
		CHECK(k, pt_map(&k->a, VA(place(k, l)), kit_slot(k, l), PA(0), k->rw, 0) == 0);
		CHECK(k, pt_split(&k->a, VA(place(k, l)), kit_page(k), 0, 0) == 0);
		CHECK(k, kit_level(&k->a, place(k, l)) == 0);
		CHECK(k, l == 1 || kit_level(&k->a, place(k, l) + kit_slot(k, l) - 1) > 0);
		CHECK(k, kit_settled(k, &k->a) && kit_clear(k, &k->a));
	}
}

/* What is refused, each with an error of its own (D48). */
static void test_ranges(struct kit *k)
{
	uint64_t page = kit_page(k);
	struct kit_half half[2];
	unsigned n = kit_halves(k, half);
	struct pt_translation t;

	CHECK(k, pt_map(&k->a, VA(0), 0, PA(0), k->rw, 0) == -PT_EINVAL);
	CHECK(k, pt_map(&k->a, VA(1), page, PA(0), k->rw, 0) == -PT_EALIGN);
	CHECK(k, pt_map(&k->a, VA(0), page + 1, PA(0), k->rw, 0) == -PT_EALIGN);
	CHECK(k, pt_map(&k->a, VA(0), page, PA(1), k->rw, 0) == -PT_EALIGN);
	CHECK(k, pt_map(&k->a, VA(0), page, PA(0), k->rw, 1u << 31) == -PT_EINVAL);
	CHECK(k,
	    pt_map(&k->a, VA(~UINT64_C(0) - page + 1), 2 * page, PA(0), k->rw, 0) == -PT_EOVERFLOW);
	if (k->format->pa_bits < 64)
		CHECK(k, pt_map(&k->a, VA(0), page, PA(UINT64_C(1) << k->format->pa_bits), k->rw,
			     0) == -PT_EPA);
	if (half[0].last != UINT64_MAX) {
		CHECK(k, pt_map(&k->a, VA(half[0].last + 1), page, PA(0), k->rw, 0) == -PT_ECANON);
		CHECK(k, pt_map(&k->a, VA(half[0].last + 1 - page), 2 * page, PA(0), k->rw, 0) ==
			     (n == 2 ? -PT_ECANON : -PT_EOVERFLOW));
		CHECK(k, pt_translate(&k->a, VA(half[0].last + 1), &t) == -PT_ECANON);
	}
	if (n == 2)
		CHECK(k, pt_unmap(&k->a, VA(half[1].first - page), page, 0, NULL) == -PT_ECANON);
	CHECK(k, kit_all_tables(&k->a) == 1);
}

const struct kit_test kit_leaf_tests[] = {
	{"an empty space", test_empty},
	{"a leaf of each level at each edge", test_leaf_of_each_level},
	{"attributes at each level", test_attributes},
	{"the largest leaves that fit", test_largest_leaves},
	{"small leaves where asked for or needed", test_small_leaves},
	{"a range across tables of each level", test_across_tables},
	{"conflicts change nothing", test_conflicts},
	{"unmapping splits leaves", test_unmap_splits},
	{"protecting, whole leaves and parts", test_protect},
	{"protecting what is not mapped", test_protect_holes},
	{"unmapping several pages", test_unmap_pages},
	{"replacing across tables", test_replace_across},
	{"access faults", test_access_fault},
	{"replacing", test_replace},
	{"lists and cursors", test_list_and_cursor},
	{"walks in pieces", test_walk},
	{"walks while its pieces go", test_walk_changes},
	{"contiguous runs", test_runs},
	{"split and collapse", test_split_and_collapse},
	{"ranges that are refused", test_ranges},
	{NULL, NULL},
};
