/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Conformance of two ranges and two spaces: copy, share, move. */
#include "tests/kit/kit_case.h"

/* Entries of either space are the library's alone: the other does not see its changes. */
static void test_spaces_are_apart(struct kit *k)
{
	uint64_t page = kit_page(k);

	CHECK(k, pt_map(&k->a, VA(page), page, PA(page), k->rw, 0) == 0);
	CHECK(k, pt_map(&k->b, VA(page), page, PA(2 * page), k->ro, 0) == 0);
	CHECK(k, kit_maps(k, &k->a, page, page, k->rw, 0));
	CHECK(k, kit_maps(k, &k->b, page, 2 * page, k->ro, 0));
	CHECK(k, pt_unmap(&k->a, VA(page), page, 0, NULL) == 0);
	CHECK(k, kit_maps(k, &k->b, page, 2 * page, k->ro, 0));
}

/* A leaf of one level, copied into the other space; from says which space is the source. */
static bool copy_level(struct kit *k, struct pt_space *src, struct pt_space *dst, unsigned level,
    uint32_t flags)
{
	uint64_t va = kit_slot(k, level);
	uint64_t size = kit_slot(k, level);
	uint64_t pa = kit_pa(k, level, 1);
	pt_attr attr = flags & PT_COW ? k->ro : k->rw;

	CHECK_OR_FALSE(k, pt_map(src, VA(va), size, PA(pa), k->rw, 0) == 0);
	CHECK_OR_FALSE(k, pt_copy(dst, src, VA(va), size, flags) == 0);
	CHECK_OR_FALSE(k, kit_maps(k, dst, va + size / 2, pa + size / 2, attr, level));
	CHECK_OR_FALSE(k, kit_maps(k, src, va + size / 2, pa + size / 2, attr, level));
	CHECK_OR_FALSE(k, kit_settled(k, src) && kit_settled(k, dst));
	CHECK_OR_FALSE(k, pt_copy(dst, src, VA(va), size, flags) == -PT_EEXIST);
	CHECK_OR_FALSE(k, pt_unmap(src, VA(va), size, 0, NULL) == 0);
	CHECK_OR_FALSE(k, kit_maps(k, dst, va, pa, attr, level));
	CHECK_OR_FALSE(k, kit_clear(k, src) && kit_clear(k, dst));
	return true;
}

static void test_copy(struct kit *k)
{
	for (unsigned l = 0; l < k->format->levels; l++) {
		if (!kit_is_leaf_level(k, l))
			continue;
		CHECK(k, copy_level(k, &k->a, &k->b, l, 0));
		CHECK(k, copy_level(k, &k->b, &k->a, l, 0));
		CHECK(k, copy_level(k, &k->a, &k->b, l, PT_COW));
		CHECK(k, copy_level(k, &k->b, &k->a, l, PT_COW));
		CHECK(k, copy_level(k, &k->b, &k->a, l, PT_COW | PT_SHARE));
	}
	CHECK(k, pt_copy(&k->a, &k->a, VA(0), kit_page(k), 0) == -PT_EINVAL);
	CHECK(k, pt_copy(&k->a, &k->b, VA(0), kit_page(k), PT_SHARE) == -PT_EINVAL);
}

/* Part of a large leaf: split in the source, what lies in the range copied; holes stay holes. */
static void test_copy_parts(struct kit *k)
{
	uint64_t page = kit_page(k);

	for (unsigned l = 1; l < k->format->levels; l++) {
		uint64_t va = kit_slot(k, l);
		uint64_t size = kit_slot(k, l);
		uint64_t pa = kit_pa(k, l, 1);

		if (!kit_is_leaf_level(k, l))
			continue;
		CHECK(k, pt_map(&k->a, VA(va), size, PA(pa), k->rw, 0) == 0);
		CHECK(k, pt_copy(&k->b, &k->a, VA(va + page), size, PT_COW) == 0);
		CHECK(k, kit_unmapped(k, &k->b, va) && kit_unmapped(k, &k->b, va + size));
		CHECK(k, kit_maps(k, &k->b, va + page, pa + page, k->ro, 0));
		CHECK(k, kit_maps(k, &k->a, va, pa, k->rw, 0));
		CHECK(k, kit_maps(k, &k->a, va + page, pa + page, k->ro, 0));
		CHECK(k, kit_settled(k, &k->a) && kit_settled(k, &k->b));
		CHECK(k, kit_clear(k, &k->a) && kit_clear(k, &k->b));
	}
}

/* An empty table in the target gives way to a large leaf; it is not lost. */
static void test_copy_over_empty_tables(struct kit *k)
{
	uint64_t size = kit_slot(k, 1);

	if (!kit_is_leaf_level(k, 1)) {
		k->skipped = true;
		return;
	}
	CHECK(k, pt_map(&k->a, VA(size), size, PA(size), k->rw, 0) == 0);
	CHECK(k, pt_populate(&k->b, VA(size), kit_page(k), 0, 0) == 0);
	CHECK(k, pt_copy(&k->b, &k->a, VA(size), size, 0) == 0);
	CHECK(k, kit_maps(k, &k->b, size, size, k->rw, 1));
	CHECK(k, kit_tables(&k->b, 0) == 0);
	CHECK(k, pt_populate(&k->a, VA(2 * size), kit_page(k), 0, 0) == 0);
	CHECK(k, pt_move(&k->a, VA(size), size, VA(2 * size), 0) == 0);
	CHECK(k, kit_maps(k, &k->a, 2 * size, size, k->rw, 1));
	CHECK(k, kit_tables(&k->a, 0) == 0);
}

/* Source tables without content: left out, or with PT_KEEP_TABLES made again, of every level. */
static void test_copy_hollow_tables(struct kit *k)
{
	uint64_t page = kit_page(k);

	for (unsigned l = 0; l < kit_top(k); l++) {
		uint64_t va = kit_slot(k, kit_top(k));
		uint64_t size = kit_slot(k, kit_top(k));

		CHECK(k, pt_populate(&k->a, VA(va), page, l, 0) == 0);
		CHECK(k, pt_copy(&k->b, &k->a, VA(va), size, 0) == 0);
		CHECK(k, kit_all_tables(&k->b) == 1);
		CHECK(k, pt_copy(&k->b, &k->a, VA(va), size, PT_KEEP_TABLES) == 0);
		CHECK(k, kit_all_tables(&k->b) == kit_all_tables(&k->a));
		CHECK(k, kit_tables(&k->b, l) == 1 && kit_settled(k, &k->b));
		CHECK(k, kit_clear(k, &k->b));
		/* A part of what the lowest of them translates: they overlap it all the same. */
		CHECK(k, pt_copy(&k->b, &k->a, VA(va), page, PT_KEEP_TABLES) == 0);
		CHECK(k, kit_all_tables(&k->b) == kit_all_tables(&k->a));
		CHECK(k, kit_clear(k, &k->a) && kit_clear(k, &k->b));
	}
}

/* A page that is mapped and shared copy-on-write by both spaces. */
static bool share_page(struct kit *k, uint64_t va)
{
	uint64_t size = kit_slot(k, 1);

	CHECK_OR_FALSE(k, pt_map(&k->a, VA(va), 2 * kit_page(k), PA(0), k->rw, 0) == 0);
	CHECK_OR_FALSE(k,
	    pt_copy(&k->b, &k->a, VA(va & ~(size - 1)), size, PT_COW | PT_SHARE) == 0);
	CHECK_OR_FALSE(k, kit_table(k, &k->a, va, 0) == kit_table(k, &k->b, va, 0));
	CHECK_OR_FALSE(k, kit_tables(&k->a, 0) + kit_tables(&k->b, 0) == 1);
	CHECK_OR_FALSE(k, kit_maps(k, &k->b, va, 0, k->ro, 0));
	CHECK_OR_FALSE(k, kit_maps(k, &k->a, va, 0, k->ro, 0));
	return true;
}

/* Whoever changes a shared table takes a copy; the other keeps what it had. */
static void test_shared_leaf_tables(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t va = kit_slot(k, 1);
	struct ptdesc *shared;
	struct pt_gather gather;

	CHECK(k, share_page(k, va));
	shared = kit_table(k, &k->a, va, 0);
	CHECK(k, pt_protect(&k->b, VA(va), page, k->rw, 0) == 0);
	CHECK(k,
	    kit_maps(k, &k->b, va, 0, k->rw, 0) && kit_maps(k, &k->b, va + page, page, k->ro, 0));
	CHECK(k, kit_maps(k, &k->a, va, 0, k->ro, 0));
	CHECK(k, kit_table(k, &k->b, va, 0) != shared && kit_table(k, &k->a, va, 0) == shared);
	CHECK(k, kit_tables(&k->b, 0) == 1 && kit_settled(k, &k->a) && kit_settled(k, &k->b));
	/* The last one as well: the table is frozen to its end. */
	CHECK(k, pt_map(&k->a, VA(va + 2 * page), page, PA(page), k->rw, 0) == 0);
	CHECK(k, kit_table(k, &k->a, va, 0) != shared);
	CHECK(k, kit_maps(k, &k->a, va + page, page, k->ro, 0));
	CHECK(k, kit_unmapped(k, &k->b, va + 2 * page));
	gather = kit_gather(k, 4);
	CHECK(k, pt_unmap(&k->a, VA(va), kit_slot(k, 1), 0, &gather) == 0);
	CHECK(k, k->out_bytes == 3 * page && kit_maps(k, &k->b, va + page, page, k->ro, 0));
}

/* A shared table is put together by nobody: the other would see. */
static void test_shared_table_stays(struct kit *k)
{
	uint64_t size = kit_slot(k, 1);

	if (!kit_is_leaf_level(k, 1)) {
		k->skipped = true;
		return;
	}
	CHECK(k, pt_map(&k->a, VA(size), size, PA(0), k->rw, PT_SMALL) == 0);
	CHECK(k, pt_copy(&k->b, &k->a, VA(size), size, PT_COW | PT_SHARE) == 0);
	CHECK(k, pt_collapse(&k->a, VA(size), 1, 0) == -PT_ENOENT);
	CHECK(k, pt_collapse(&k->b, VA(size), 1, 0) == -PT_ENOENT);
	CHECK(k, kit_maps(k, &k->b, size, 0, k->ro, 0) && kit_settled(k, &k->a));
}

/* Unmapping hands over what this space mapped; the tables go with the last who shares them. */
static void test_shared_tables_unmapped(struct kit *k)
{
	struct pt_space *space[] = {&k->a, &k->b};
	uint64_t page = kit_page(k);
	uint64_t va = kit_slot(k, 1);
	struct pt_gather gather;

	for (unsigned first = 0; first < 2; first++) {
		struct pt_space *one = space[first];
		struct pt_space *other = space[1 - first];

		CHECK(k, share_page(k, va));
		gather = kit_gather(k, 1);
		CHECK(k, pt_unmap(one, VA(va), kit_slot(k, 1), 0, &gather) == 0);
		CHECK(k, k->out_bytes == 2 * page && k->unflushed == 0);
		CHECK(k, kit_unmapped(k, one, va) && kit_maps(k, other, va, 0, k->ro, 0));
		CHECK(k, kit_settled(k, one) && kit_settled(k, other));
		gather = kit_gather(k, 1);
		CHECK(k, pt_unmap(other, VA(va), kit_slot(k, 1), 0, &gather) == 0);
		CHECK(k, k->out_bytes == 2 * page && kit_unmapped(k, other, va));
		CHECK(k, kit_clear(k, &k->a) && kit_clear(k, &k->b));
		CHECK(k, kit_memory_tables(k) == 2);
	}
	/* One space is destroyed while it shares; end() destroys the other. */
	CHECK(k, share_page(k, va));
	CHECK(k, pt_space_destroy(&k->a, NULL) == 0);
	CHECK(k, kit_maps(k, &k->b, va, 0, k->ro, 0));
	CHECK(k, pt_space_init(&k->a, k->memory, k->format, k->flags, &k->a) == 0);
}

/* Part of a shared table is copied into a third: nothing of it changes. */
static void test_shared_table_copied(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t va = kit_slot(k, 1);
	struct pt_space c;

	CHECK(k, pt_space_init(&c, k->memory, k->format, k->flags, &c) == 0);
	CHECK(k, share_page(k, va));
	CHECK(k, pt_copy(&c, &k->b, VA(va + page), page, 0) == 0);
	CHECK(k, kit_maps(k, &c, va + page, page, k->ro, 0) && kit_unmapped(k, &c, va));
	CHECK(k, kit_size(&c, va + page) == page && kit_settled(k, &c));
	CHECK(k, kit_table(k, &k->a, va, 0) == kit_table(k, &k->b, va, 0));
	CHECK(k, pt_unmap(&c, VA(va + page), page, 0, NULL) == 0);
	CHECK(k, pt_copy(&c, &k->b, VA(va), kit_slot(k, 1), PT_COW | PT_SHARE) == 0);
	CHECK(k, kit_table(k, &c, va, 0) == kit_table(k, &k->b, va, 0));
	CHECK(k, kit_settled(k, &c) && pt_space_destroy(&c, NULL) == 0);
}

/* A leaf of each level, to an address that is aligned alike. */
static void test_move_leaves(struct kit *k)
{
	for (unsigned l = 0; l < k->format->levels; l++) {
		uint64_t size = kit_slot(k, l);
		uint64_t va = size;
		uint64_t pa = kit_pa(k, l, 1);
		uint64_t to = kit_slot(k, kit_top(k));

		if (!kit_is_leaf_level(k, l))
			continue;
		CHECK(k, pt_map(&k->a, VA(va), size, PA(pa), k->rw, 0) == 0);
		if (to != va) {
			CHECK(k, pt_move(&k->a, VA(va), size, VA(to), 0) == 0);
			CHECK(k, kit_unmapped(k, &k->a, va));
			CHECK(k, kit_maps(k, &k->a, to + size / 2, pa + size / 2, k->rw, l));
			CHECK(k, pt_move(&k->a, VA(to), size, VA(va), 0) == 0);
		}
		CHECK(k, kit_maps(k, &k->a, va, pa, k->rw, l));
		CHECK(k, kit_settled(k, &k->a) && kit_clear(k, &k->a));
	}
}

/* Where both are aligned alike whole tables move: none is made and none freed. */
static void test_move_tables(struct kit *k)
{
	uint64_t page = kit_page(k);

	for (unsigned l = 1; l <= kit_top(k); l++) {
		uint64_t size = kit_slot(k, l);
		uint64_t to = l == kit_top(k) ? 0 : kit_slot(k, kit_top(k));
		struct ptdesc *pt;

		CHECK(k, pt_map(&k->a, VA(size + page), page, PA(page), k->rw, 0) == 0);
		pt = kit_table(k, &k->a, size, l - 1);
		CHECK(k, pt_populate(&k->a, VA(to), page, l, 0) == 0);
		CHECK(k, pt_move(&k->a, VA(size), size, VA(to), 0) == 0);
		CHECK(k, kit_table(k, &k->a, to, l - 1) == pt);
		CHECK(k, kit_maps(k, &k->a, to + page, page, k->rw, 0));
		CHECK(k, kit_unmapped(k, &k->a, size + page));
		CHECK(k, kit_settled(k, &k->a));
		/* The descriptor knows where the table is now. */
		CHECK(k, pt_unmap(&k->a, VA(to + page), page, 0, NULL) == 0);
		CHECK(k, kit_unmapped(k, &k->a, to + page));
		CHECK(k, kit_clear(k, &k->a) && kit_all_tables(&k->a) == 1);
	}
}

/* To where leaves do not fit: they are split. Over a table's edge. */
static void test_move_pages(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t size = kit_slot(k, 1);
	uint64_t to = 3 * size + page;

	CHECK(k, pt_map(&k->a, VA(size), size, PA(size), k->rw, 0) == 0);
	CHECK(k, pt_move(&k->a, VA(size), size, VA(to), 0) == 0);
	for (uint64_t at = 0; at < size; at += page)
		CHECK(k, kit_maps(k, &k->a, to + at, size + at, k->rw, 0));
	CHECK(k, kit_unmapped(k, &k->a, size) && kit_unmapped(k, &k->a, to + size));
	CHECK(k, kit_unmapped(k, &k->a, to - page) && kit_settled(k, &k->a));
	CHECK(k, kit_table(k, &k->a, size, 0) == NULL && kit_tables(&k->a, 0) == 2);
	/* Down by a page, within and between the same tables. */
	CHECK(k, pt_unmap(&k->a, VA(to), page, 0, NULL) == 0);
	CHECK(k, pt_move(&k->a, VA(to + page), page, VA(to), 0) == 0);
	CHECK(k, kit_maps(k, &k->a, to, size + page, k->rw, 0));
	CHECK(k, pt_move(&k->a, VA(4 * size), page, VA(4 * size + page), 0) == 0);
	CHECK(k, kit_unmapped(k, &k->a, 4 * size));
	CHECK(k, kit_maps(k, &k->a, 4 * size + page, 2 * size - page, k->rw, 0));
}

/* What is not mapped does not move, nor does what lies outside. */
static void test_move_parts(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t size = kit_slot(k, 1);
	uint64_t to = kit_slot(k, kit_top(k));

	/* Pages, with holes. */
	CHECK(k, pt_map(&k->a, VA(page), page, PA(page), k->rw, 0) == 0);
	CHECK(k, pt_map(&k->a, VA(3 * page), page, PA(3 * page), k->rw, 0) == 0);
	CHECK(k, pt_move(&k->a, VA(0), 3 * page, VA(to), 0) == 0);
	CHECK(k, kit_maps(k, &k->a, to + page, page, k->rw, 0));
	CHECK(k, kit_unmapped(k, &k->a, to) && kit_unmapped(k, &k->a, to + 2 * page));
	CHECK(k, kit_maps(k, &k->a, 3 * page, 3 * page, k->rw, 0) && kit_settled(k, &k->a));
	CHECK(k, kit_clear(k, &k->a));
	if (kit_top(k) == 1)
		return;
	/* Tables, with a hole, and one of which a part moves to where it is aligned alike. */
	CHECK(k, pt_map(&k->a, VA(page), page, PA(page), k->rw, 0) == 0);
	CHECK(k, pt_map(&k->a, VA(2 * size), 2 * page, PA(2 * page), k->rw, 0) == 0);
	CHECK(k, pt_move(&k->a, VA(0), 2 * size + page, VA(to), 0) == 0);
	CHECK(k, kit_maps(k, &k->a, to + page, page, k->rw, 0));
	CHECK(k, kit_maps(k, &k->a, to + 2 * size, 2 * page, k->rw, 0));
	CHECK(k, kit_maps(k, &k->a, 2 * size + page, 3 * page, k->rw, 0));
	CHECK(k, kit_unmapped(k, &k->a, to + size) && kit_settled(k, &k->a));
}

static void test_move_errors(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t size = kit_slot(k, 1);

	CHECK(k, pt_map(&k->a, VA(0), 2 * page, PA(0), k->rw, 0) == 0);
	CHECK(k, pt_map(&k->a, VA(size + page), page, PA(0), k->ro, 0) == 0);
	CHECK(k, pt_move(&k->a, VA(0), 2 * page, VA(page), 0) == -PT_EINVAL);
	CHECK(k, pt_move(&k->a, VA(0), 2 * page, VA(size), 0) == -PT_EEXIST);
	CHECK(k, kit_maps(k, &k->a, 0, 0, k->rw, 0) && kit_maps(k, &k->a, page, page, k->rw, 0));
	CHECK(k, kit_unmapped(k, &k->a, size));
	CHECK(k, kit_maps(k, &k->a, size + page, 0, k->ro, 0));
}

/* Source and target in one upper table that the source leaves empty on the way. */
static void test_move_within_upper_tables(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t size = kit_slot(k, kit_top(k));
	uint64_t from = size + page;
	uint64_t to = size - page;

	CHECK(k, pt_map(&k->a, VA(from), page, PA(page), k->rw, 0) == 0);
	CHECK(k, pt_map(&k->a, VA(0), page, PA(2 * page), k->rw, 0) == 0);
	CHECK(k, pt_move(&k->a, VA(from), page, VA(to), 0) == 0);
	CHECK(k, pt_move(&k->a, VA(0), page, VA(from), 0) == 0);
	CHECK(k, kit_maps(k, &k->a, to, page, k->rw, 0));
	CHECK(k, kit_maps(k, &k->a, from, 2 * page, k->rw, 0));
	CHECK(k, pt_move(&k->a, VA(to), 2 * page, VA(0), 0) == 0);
	CHECK(k, kit_maps(k, &k->a, 0, page, k->rw, 0) && kit_unmapped(k, &k->a, to));
}

/* A table of level-1 leaves that both spaces see change. */
static void test_share_table(struct kit *k)
{
	uint64_t large = kit_slot(k, 1);
	uint64_t va = kit_slot(k, 2);
	uint64_t pa = kit_pa(k, 1, 1);
	struct pt_gather gather;

	if (k->format->levels < 3) { /* the table of level 1 is the root */
		CHECK(k, pt_share_table(&k->b, &k->a, VA(0), 0) == -PT_ENOTSUP);
		CHECK(k, pt_unshare_table(&k->a, VA(0), NULL) == -PT_ENOTSUP);
		return;
	}
	if (!kit_is_leaf_level(k, 1)) {
		CHECK(k, pt_share_table(&k->b, &k->a, VA(0), 0) == -PT_ENOENT);
		return;
	}
	CHECK(k, pt_share_table(&k->b, &k->a, VA(va), 0) == -PT_ENOENT);
	CHECK(k, pt_map(&k->a, VA(va), 2 * large, PA(pa), k->rw, 0) == 0);
	CHECK(k, pt_share_table(&k->b, &k->a, VA(va), 0) == 0);
	CHECK(k, kit_maps(k, &k->b, va + large, pa + large, k->rw, 1));
	CHECK(k, pt_share_table(&k->b, &k->a, VA(va), 0) == -PT_EEXIST);
	CHECK(k, pt_protect(&k->b, VA(va), large, k->ro, 0) == 0);
	CHECK(k, kit_maps(k, &k->a, va, pa, k->ro, 1));
	CHECK(k, pt_protect(&k->a, VA(va), kit_page(k), k->rw, 0) == -PT_ESPLIT);
	CHECK(k, pt_unmap(&k->a, VA(va), large, 0, NULL) == -PT_ESPLIT);
	CHECK(k, kit_settled(k, &k->a) && kit_settled(k, &k->b));
	gather = kit_gather(k, 4);
	CHECK(k, pt_unmap(&k->a, VA(va), kit_slot(k, 2), 0, &gather) == 0);
	CHECK(k, k->out_bytes == 2 * large && k->unflushed == 0);
	CHECK(k, kit_unmapped(k, &k->a, va) && kit_maps(k, &k->b, va, pa, k->ro, 1));
	/* The last one hands its memory over once. */
	gather = kit_gather(k, 4);
	CHECK(k, pt_unmap(&k->b, VA(va), kit_slot(k, 2), 0, &gather) == 0);
	CHECK(k, k->out_bytes == 2 * large && kit_unmapped(k, &k->b, va));
	CHECK(k, pt_unshare_table(&k->b, VA(va), NULL) == -PT_ENOENT);
	CHECK(k, kit_clear(k, &k->a) && kit_clear(k, &k->b) && kit_memory_tables(k) == 2);
}

static void test_unshare_table(struct kit *k)
{
	uint64_t va = kit_slot(k, 2);
	struct pt_gather gather;

	if (k->format->levels < 3 || !kit_is_leaf_level(k, 1)) {
		k->skipped = true;
		return;
	}
	CHECK(k, pt_map(&k->b, VA(va), kit_slot(k, 1), PA(0), k->rw, 0) == 0);
	CHECK(k, pt_unshare_table(&k->b, VA(va), NULL) == -PT_ENOENT);
	CHECK(k, pt_share_table(&k->a, &k->b, VA(va), 0) == 0);
	CHECK(k, pt_unshare_table(&k->b, VA(va), NULL) == 0);
	CHECK(k, kit_unmapped(k, &k->b, va) && kit_maps(k, &k->a, va, 0, k->rw, 1));
	/* The last one hands its memory over. */
	gather = kit_gather(k, 4);
	CHECK(k, pt_unshare_table(&k->a, VA(va), &gather) == 0 && kit_unmapped(k, &k->a, va));
	CHECK(k, k->out_bytes == kit_slot(k, 1) && k->unflushed == 0);
	CHECK(k, kit_clear(k, &k->a) && kit_clear(k, &k->b) && kit_memory_tables(k) == 2);
	/* Leaf tables cannot be shared so. */
	CHECK(k, pt_map(&k->a, VA(va), kit_page(k), PA(0), k->rw, 0) == 0);
	CHECK(k, pt_share_table(&k->b, &k->a, VA(va), 0) == -PT_ESPLIT);
}

/* Calls that have to do with more than one shared table, and with what is beside it. */
static void test_beside_shared_tables(struct kit *k)
{
	uint64_t size = kit_slot(k, 2);
	uint64_t page = kit_page(k);
	uint64_t pa = kit_pa(k, 1, 1);

	if (k->format->levels < 3 || !kit_is_leaf_level(k, 1)) {
		k->skipped = true;
		return;
	}
	for (unsigned i = 1; i < 4; i++)
		CHECK(k, pt_map(&k->a, VA(i * size), kit_slot(k, 1), PA(pa), k->rw, 0) == 0);
	for (unsigned i = 1; i < 3; i++)
		CHECK(k, pt_share_table(&k->b, &k->a, VA(i * size), 0) == 0);
	/* A part of the first, all of the second. */
	CHECK(k, pt_protect(&k->a, VA(size + page), 2 * size - page, k->ro, 0) == -PT_ESPLIT);
	CHECK(k, kit_maps(k, &k->b, 2 * size, pa, k->rw, 1));
	/* All of the second, and a part of a leaf that is not shared. */
	CHECK(k, pt_protect(&k->a, VA(2 * size), size + page, k->ro, 0) == 0);
	CHECK(k, kit_maps(k, &k->b, 2 * size, pa, k->ro, 1));
	CHECK(k, kit_maps(k, &k->a, 2 * size, pa, k->ro, 1));
	CHECK(k, kit_maps(k, &k->a, 3 * size, pa, k->ro, 0));
	CHECK(k, kit_maps(k, &k->a, 3 * size + page, pa + page, k->rw, 0));
	CHECK(k, pt_populate(&k->b, VA(size - page), page + 2 * kit_slot(k, 1), 0, 0) == 0);
	CHECK(k, kit_maps(k, &k->a, size, pa, k->rw, 1));
	CHECK(k, kit_unmapped(k, &k->a, size + kit_slot(k, 1)));
	CHECK(k, kit_lowest(&k->b, size + kit_slot(k, 1)) == 1);
	CHECK(k, kit_settled(k, &k->a) && kit_settled(k, &k->b));
}

/* A copy that has to split a leaf leaves the table beside it shared. */
static void test_copy_beside_a_shared_table(struct kit *k)
{
	uint64_t size = kit_slot(k, 1);
	uint64_t page = kit_page(k);
	struct pt_space c;

	CHECK(k, pt_space_init(&c, k->memory, k->format, k->flags, &c) == 0);
	CHECK(k, share_page(k, size));
	CHECK(k, pt_map(&k->a, VA(2 * size), size, PA(size), k->rw, 0) == 0);
	CHECK(k, pt_copy(&c, &k->a, VA(size), size + page, 0) == 0);
	CHECK(k, kit_maps(k, &c, size, 0, k->ro, 0) && kit_maps(k, &c, 2 * size, size, k->rw, 0));
	CHECK(k, kit_unmapped(k, &c, 2 * size + page) && kit_settled(k, &c));
	CHECK(k, kit_table(k, &k->a, size, 0) == kit_table(k, &k->b, size, 0));
	CHECK(k, kit_maps(k, &k->a, 2 * size + page, size + page, k->rw, 0));
	CHECK(k, pt_space_destroy(&c, NULL) == 0);
}

const struct kit_test kit_space_tests[] = {
	{"spaces are apart", test_spaces_are_apart},
	{"copy", test_copy},
	{"copy parts of leaves", test_copy_parts},
	{"copy and move over empty tables", test_copy_over_empty_tables},
	{"copy hollow tables", test_copy_hollow_tables},
	{"shared leaf tables", test_shared_leaf_tables},
	{"a shared leaf table collapsed", test_shared_table_stays},
	{"shared leaf tables unmapped", test_shared_tables_unmapped},
	{"a shared leaf table copied", test_shared_table_copied},
	{"copy beside a shared leaf table", test_copy_beside_a_shared_table},
	{"move leaves", test_move_leaves},
	{"move tables", test_move_tables},
	{"move pages", test_move_pages},
	{"move parts", test_move_parts},
	{"moves that are refused", test_move_errors},
	{"move within upper tables", test_move_within_upper_tables},
	{"truly shared tables", test_share_table},
	{"truly shared tables given up", test_unshare_table},
	{"beside truly shared tables", test_beside_shared_tables},
	{NULL, NULL},
};
