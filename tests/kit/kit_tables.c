/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Conformance of tables: which there are, when they leave, what they leave behind. */
#include "tests/kit/kit_case.h"

/* Tables of a level below a populated range, from the level of entries that can be populated. */
static void test_populate(struct kit *k)
{
	for (unsigned l = 0; l < k->format->levels; l++) {
		uint64_t va = kit_slot(k, kit_top(k));

		CHECK(k, pt_populate(&k->a, VA(va), kit_page(k), l, 0) == 0);
		for (unsigned t = 0; t < k->format->levels; t++)
			CHECK(k, kit_tables(&k->a, t) == (t >= l ? 1 : 0));
		CHECK(k, kit_unmapped(k, &k->a, va));
		CHECK(k, pt_populate(&k->a, VA(va), kit_page(k), l, 0) == 0);
		CHECK(k, kit_all_tables(&k->a) == k->format->levels - l);
		CHECK(k, kit_settled(k, &k->a) && kit_clear(k, &k->a));
		CHECK(k, kit_all_tables(&k->a) == 1);
	}
}

/* Over what is there: tables get those that they lack, and leaves stay. */
static void test_populate_over(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t size = kit_slot(k, 1);
	unsigned large = kit_is_leaf_level(k, 1);

	CHECK(k, pt_map(&k->a, VA(size), size, PA(size), k->rw, 0) == 0);
	CHECK(k, pt_map(&k->a, VA(3 * size), page, PA(0), k->rw, 0) == 0);
	CHECK(k, pt_populate(&k->a, VA(0), 4 * size, 0, 0) == 0);
	CHECK(k, kit_tables(&k->a, 0) == (large ? 3 : 4));
	CHECK(k, kit_maps(k, &k->a, size, size, k->rw, large));
	CHECK(k, kit_maps(k, &k->a, 3 * size, 0, k->rw, 0) && kit_settled(k, &k->a));
	/* From the top, where the way to one of two is there already. */
	for (unsigned l = 0; l < kit_top(k); l++) {
		uint64_t top = kit_slot(k, kit_top(k));

		CHECK(k, kit_clear(k, &k->a));
		CHECK(k, pt_populate(&k->a, VA(top), page, l + 1, 0) == 0);
		CHECK(k, pt_populate(&k->a, VA(top - page), 2 * page, l, 0) == 0);
		CHECK(k, kit_tables(&k->a, l) == 2 && kit_settled(k, &k->a));
	}
}

/* How far the way to an address goes is told with and without a leaf at its end. */
static void test_lowest_table(struct kit *k)
{
	uint64_t page = kit_page(k);
	unsigned top = kit_top(k);

	CHECK(k, kit_lowest(&k->a, 0) == top);
	for (unsigned l = top; l-- > 0;) {
		uint64_t size = kit_slot(k, l + 1); /* that a table of this level translates */
		uint64_t va = kit_slot(k, top);

		CHECK(k, pt_populate(&k->a, VA(va), page, l, 0) == 0);
		CHECK(k, kit_lowest(&k->a, va) == l && kit_lowest(&k->a, va + size - 1) == l);
		CHECK(k, kit_lowest(&k->a, va + size) > l && kit_lowest(&k->a, va - 1) == top);
	}
	CHECK(k, pt_map(&k->a, VA(0), page, PA(0), k->rw, 0) == 0);
	CHECK(k, kit_lowest(&k->a, 0) == 0 && kit_lowest(&k->a, page) == 0);
	CHECK(k, pt_unmap(&k->a, VA(0), page, 0, NULL) == 0);
	CHECK(k, kit_lowest(&k->a, 0) == 1);
	for (unsigned l = 1; l <= top; l++)
		if (kit_is_leaf_level(k, l)) {
			CHECK(k, pt_map(&k->b, VA(0), kit_slot(k, l), PA(0), k->rw, 0) == 0);
			CHECK(k, kit_lowest(&k->b, page) == l && kit_clear(k, &k->b));
		}
}

/* A table that is there is used, also where a large leaf would fit. */
static void test_populated_tables_are_used(struct kit *k)
{
	uint64_t va = kit_slot(k, 1);

	CHECK(k, pt_populate(&k->a, VA(va), kit_page(k), 0, 0) == 0);
	CHECK(k, pt_map(&k->a, VA(va), kit_slot(k, 1), PA(0), k->rw, 0) == 0);
	CHECK(k, kit_maps(k, &k->a, va, 0, k->rw, 0));
	CHECK(k, kit_tables(&k->a, 0) == 1);
}

/* Linux's rule: a table goes if all that it translates lies within floor and ceiling. */
static void test_prune(struct kit *k)
{
	uint64_t page = kit_page(k);

	for (unsigned l = 0; l < kit_top(k); l++) {
		uint64_t size = kit_slot(k, l + 1);
		uint64_t va = size;

		CHECK(k, pt_populate(&k->a, VA(va), page, l, 0) == 0);
		CHECK(k, pt_prune(&k->a, VA(va), page, VA(va + page), VA(0)) == 0);
		CHECK(k, kit_tables(&k->a, l) == 1);
		CHECK(k, pt_prune(&k->a, VA(va), page, VA(va), VA(va + size - page)) == 0);
		CHECK(k, kit_tables(&k->a, l) == 1);
		CHECK(k, pt_prune(&k->a, VA(0), page, VA(0), VA(0)) == 0);
		CHECK(k, kit_tables(&k->a, l) == 1);
		CHECK(k, pt_prune(&k->a, VA(va), page, VA(va), VA(va + size)) == 0);
		CHECK(k, kit_tables(&k->a, l) == 0);
		CHECK(k, pt_prune(&k->a, VA(va), page, VA(0), VA(0)) == 0);
		CHECK(k, kit_all_tables(&k->a) == 1);
	}
}

/* A table that maps something stays, with all above it. */
static void test_prune_keeps_what_is_used(struct kit *k)
{
	uint64_t page = kit_page(k);

	CHECK(k, pt_map(&k->a, VA(page), page, PA(0), k->rw, 0) == 0);
	CHECK(k, pt_populate(&k->a, VA(kit_slot(k, 1)), page, 0, 0) == 0);
	CHECK(k, pt_prune(&k->a, VA(0), 2 * kit_slot(k, 1), VA(0), VA(0)) == 0);
	CHECK(k, kit_maps(k, &k->a, page, 0, k->rw, 0));
	CHECK(k, kit_all_tables(&k->a) == k->format->levels);
}

/* The leaf table of the last page goes with it; the tables above stay until they are pruned. */
static void test_emptied_cover(struct kit *k)
{
	uint64_t page = kit_page(k);

	CHECK(k, pt_map(&k->a, VA(page), 2 * page, PA(0), k->rw, 0) == 0);
	CHECK(k, pt_unmap(&k->a, VA(page), page, 0, NULL) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 1);
	CHECK(k, pt_unmap(&k->a, VA(2 * page), page, 0, NULL) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 0);
	CHECK(k, kit_all_tables(&k->a) == k->format->levels - 1u);
	/* One that was empty before goes as well. */
	CHECK(k, pt_populate(&k->a, VA(page), page, 0, 0) == 0);
	CHECK(k, pt_unmap(&k->a, VA(page), page, 0, NULL) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 0);
}

/* Tables that lie whole in an unmapped range go, of every level. */
static void test_unmap_takes_tables_along(struct kit *k)
{
	uint64_t page = kit_page(k);

	for (unsigned l = 1; l <= kit_top(k); l++) {
		uint64_t size = kit_slot(k, l);
		uint64_t va = size;

		CHECK(k, pt_map(&k->a, VA(va), page, PA(0), k->rw, 0) == 0);
		CHECK(k, pt_map(&k->a, VA(va + size - page), page, PA(page), k->rw, 0) == 0);
		CHECK(k, pt_unmap(&k->a, VA(va), size, 0, NULL) == 0);
		for (unsigned t = 0; t < k->format->levels; t++)
			CHECK(k, kit_tables(&k->a, t) == (t >= l ? 1 : 0));
		CHECK(k, kit_settled(k, &k->a) && kit_clear(k, &k->a));
	}
}

static void test_keep_tables(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t va = kit_slot(k, 1) - page;
	struct pt_gather gather;
	uint64_t tables;

	CHECK(k, pt_map(&k->a, VA(va), 2 * page, PA(0), k->rw, 0) == 0);
	tables = kit_all_tables(&k->a);
	gather = kit_gather(k, 1);
	CHECK(k, pt_unmap(&k->a, VA(0), 2 * kit_slot(k, 1), PT_KEEP_TABLES, &gather) == 0);
	CHECK(k, kit_all_tables(&k->a) == tables && k->out_bytes == 2 * page);
	CHECK(k, kit_unmapped(k, &k->a, va) && kit_unmapped(k, &k->a, va + page));
	CHECK(k, pt_map(&k->a, VA(va), 2 * page, PA(0), k->rw, 0) == 0);
	CHECK(k, kit_all_tables(&k->a) == tables);
	CHECK(k, pt_move(&k->a, VA(va), page, VA(4 * kit_slot(k, 1)), PT_KEEP_TABLES) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 3);
	/* One that the call is all in. */
	CHECK(k, pt_map(&k->a, VA(0), 3 * page, PA(0), k->rw, 0) == 0);
	CHECK(k, pt_unmap(&k->a, VA(0), 3 * page, PT_KEEP_TABLES, NULL) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 3 && kit_unmapped(k, &k->a, 2 * page));
}

/* First in, first out; an empty one gives nothing (D13, D51). */
static void test_deposits_in_order(struct kit *k)
{
	unsigned class = k->a.classes[1];
	struct ptdesc *pmd = pagetable_alloc(k->memory, class, 1, NULL, 0);
	struct ptdesc *pt[4];

	CHECK(k, pmd && pt_withdraw(pmd) == NULL);
	for (unsigned i = 0; i < 4; i++) {
		pt[i] = pagetable_alloc(k->memory, k->a.classes[0], 0, NULL, 0);
		CHECK(k, pt[i] != NULL);
		pt_deposit(pmd, pt[i]);
	}
	CHECK(k, pt_withdraw(pmd) == pt[0]);
	pt_deposit(pmd, pt[0]);
	for (unsigned i = 1; i <= 4; i++)
		CHECK(k, pt_withdraw(pmd) == pt[i % 4]);
	CHECK(k, pt_withdraw(pmd) == NULL && pt_withdraw(pmd) == NULL);
	for (unsigned i = 0; i < 4; i++)
		pagetable_free(k->memory, pt[i], NULL);
	pagetable_free(k->memory, pmd, NULL);
}

/* A large leaf's deposit is charged, is there when the leaf is split, and leaves with it. */
static void test_deposits_of_leaves(struct kit *k)
{
	uint64_t size = kit_slot(k, 1);
	uint64_t page = kit_page(k);

	if (!kit_is_leaf_level(k, 1)) {
		k->skipped = true;
		return;
	}
	CHECK(k, pt_map(&k->a, VA(size), 3 * size, PA(size), k->rw, PT_DEPOSIT) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 3 && kit_table(k, &k->a, size, 0) == NULL);
	/* One leaf in the place of another, and so with their deposits. */
	CHECK(k, pt_map_replace(&k->a, VA(size), size, PA(size), k->rw, PT_DEPOSIT, NULL) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 3);
	/* No memory: a split must do with what is deposited. */
	(void)pt_memory_fail_at(k->memory, 1, true);
	CHECK(k, pt_protect(&k->a, VA(size), page, k->ro, PT_DEPOSIT) == 0);
	CHECK(k, pt_unmap(&k->a, VA(2 * size), page, PT_DEPOSIT, NULL) == 0);
	CHECK(k, pt_memory_fail_at(k->memory, 0, false) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 3 && kit_table(k, &k->a, size, 0) != NULL);
	CHECK(k, kit_maps(k, &k->a, 2 * size + page, 2 * size + page, k->rw, 0));
	CHECK(k, pt_unmap(&k->a, VA(3 * size), size, PT_DEPOSIT, NULL) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 2 && kit_settled(k, &k->a));
	CHECK(k, pt_protect(&k->a, VA(size), page, k->rw, 0) == 0);
	CHECK(k, pt_collapse(&k->a, VA(size), 1, PT_DEPOSIT) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 2 && kit_level(&k->a, size) == 1);
	/* A deposit goes where its leaf goes. */
	CHECK(k, pt_move(&k->a, VA(size), size, VA(4 * size), PT_DEPOSIT) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 2);
	CHECK(k, pt_unmap(&k->a, VA(4 * size), size, PT_DEPOSIT, NULL) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 1);
	/* What is no leaf of level 1 has none. */
	CHECK(k, kit_clear(k, &k->a));
	CHECK(k, pt_map(&k->a, VA(size - page), 2 * page, PA(0), k->rw, PT_DEPOSIT) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 2 && kit_clear(k, &k->a));
	for (unsigned l = 2; l <= kit_top(k); l++)
		if (kit_is_leaf_level(k, l)) {
			CHECK(k,
			    pt_map(&k->a, VA(0), kit_slot(k, l), PA(0), k->rw, PT_DEPOSIT) == 0);
			CHECK(k, kit_tables(&k->a, 0) == 0 && kit_clear(k, &k->a));
		}
}

/* A leaf that was mapped without a deposit takes no other's along. */
static void test_deposits_stay(struct kit *k)
{
	uint64_t size = kit_slot(k, 1);
	uint64_t far = kit_slot(k, 2);

	if (!kit_is_leaf_level(k, 1) || kit_top(k) < 2) {
		k->skipped = true;
		return;
	}
	CHECK(k, pt_map(&k->a, VA(0), size, PA(0), k->rw, PT_DEPOSIT) == 0);
	CHECK(k, pt_map(&k->a, VA(size), size, PA(size), k->rw, 0) == 0);
	CHECK(k, pt_move(&k->a, VA(size), size, VA(far), 0) == 0);
	CHECK(k, pt_unmap(&k->a, VA(0), size, PT_DEPOSIT, NULL) == 0);
	CHECK(k, kit_tables(&k->a, 0) == 0 && kit_clear(k, &k->a));
}

/* Frames come in pieces of the buffer's size, and never before the flush. */
static void test_full_buffer(struct kit *k)
{
	uint64_t page = kit_page(k);
	uint64_t va = kit_slot(k, 1) - 3 * page;
	struct pt_gather gather;

	for (size_t capacity = 1; capacity < 8; capacity++) {
		for (unsigned i = 0; i < 6; i++)
			CHECK(k, pt_map(&k->a, VA(va + i * page), page, PA(2 * i * page), k->rw,
				     0) == 0);
		gather = kit_gather(k, capacity);
		CHECK(k, pt_unmap(&k->a, VA(va), 6 * page, 0, &gather) == 0);
		CHECK(k, k->unflushed == 0 && gather.count == 0);
		CHECK(k, k->outs == 6 && k->out_bytes == 6 * page);
		CHECK(k, gather.released == 6 * page);
		CHECK(k, kit_clear(k, &k->a));
	}
}

/* With an MMU every change of a live entry is flushed, without one there is nothing to flush. */
static void test_flushes(struct kit *k)
{
	bool mmu = k->flags & PT_SPACE_MMU;
	uint64_t page = kit_page(k);
	uint64_t before;

	if (!k->machine->flushes) {
		k->skipped = true;
		return;
	}
	/* A new entry of a root that is loaded as a whole is flushed: it is there before. */
	if (k->format->flags & PT_FORMAT_LOADED_ROOT)
		CHECK(k, pt_populate(&k->a, VA(0), page, kit_top(k) - 1, 0) == 0);
	before = k->machine->flushes(k->machine->ctx);
	CHECK(k, pt_map(&k->a, VA(0), 2 * page, PA(0), k->rw, 0) == 0);
	CHECK(k, k->machine->flushes(k->machine->ctx) == before);
	CHECK(k, pt_protect(&k->a, VA(0), page, k->ro, 0) == 0);
	CHECK(k, (k->machine->flushes(k->machine->ctx) > before) == mmu);
	before = k->machine->flushes(k->machine->ctx);
	CHECK(k, pt_unmap(&k->a, VA(2 * page), page, PT_KEEP_TABLES, NULL) == 0);
	CHECK(k, k->machine->flushes(k->machine->ctx) == before);
	CHECK(k, pt_unmap(&k->a, VA(0), page, 0, NULL) == 0);
	CHECK(k, (k->machine->flushes(k->machine->ctx) > before) == mmu);
}

/* A table that was unlinked is not written, nor used again, while a reader may be in it. */
static void test_frozen_until_grace(struct kit *k)
{
	uint64_t page = kit_page(k);
	struct pt_memory_stats stats;
	struct ptdesc *pt;
	void *entry;
	uint64_t e;

	if (!k->machine->hold_grace) {
		k->skipped = true;
		return;
	}
	k->machine->hold_grace(k->machine->ctx, true);
	CHECK(k, pt_map(&k->a, VA(0), kit_slot(k, 1), PA(0), k->rw, PT_SMALL) == 0);
	pt = kit_table(k, &k->a, 0, 0);
	entry = kit_entry(k, &k->a, page, 0);
	e = kit_load(k, entry);
	if (kit_is_leaf_level(k, 1))
		CHECK(k, pt_collapse(&k->a, VA(0), 1, 0) == 0);
	else
		CHECK(k, pt_unmap(&k->a, VA(0), kit_slot(k, 1), 0, NULL) == 0);
	pt_memory_stats(k->memory, &stats);
	CHECK(k, pt->dead && stats.deferred >= 1 && kit_load(k, entry) == e);
	for (unsigned i = 0; i < 8; i++)
		CHECK(k, pt_populate(&k->b, VA(i * kit_slot(k, 1)), page, 0, 0) == 0);
	for (unsigned i = 0; i < 8; i++)
		CHECK(k, kit_table(k, &k->b, i * kit_slot(k, 1), 0) != pt);
	CHECK(k, pt->dead && kit_load(k, entry) == e);
	k->machine->hold_grace(k->machine->ctx, false);
	(void)pt_memory_shrink(k->memory);
	pt_memory_stats(k->memory, &stats);
	CHECK(k, stats.deferred == 0);
}

/* All of a table is empty, also when it was full before, and of several frames (D19). */
static bool all_empty(struct kit *k, struct ptdesc *pt, unsigned level)
{
	const char *at = ptdesc_address(k->memory, pt);

	for (size_t i = 0; i < (size_t)1 << k->format->bits[level]; i++) {
		struct pt_entry_info info;
		uint64_t e = kit_load(k, at + i * k->format->entry_bytes);

		CHECK_OR_FALSE(k, pt_entry_decode(k->format, e, level, &info) == 0);
		CHECK_OR_FALSE(k, info.kind == PT_ENTRY_EMPTY);
	}
	return true;
}

static void test_fresh_tables_are_empty(struct kit *k)
{
	for (unsigned l = 0; l < k->format->levels; l++) {
		struct pt_memory_stats before;
		struct pt_memory_stats after;

		(void)pt_memory_shrink(k->memory);
		pt_memory_stats(k->memory, &before);
		for (unsigned i = 0; i < 20; i++) {
			unsigned class = k->a.classes[l];
			struct ptdesc *pt = pagetable_alloc(k->memory, class, l, NULL, 0);
			char *at;

			CHECK(k, pt && all_empty(k, pt, l));
			at = ptdesc_address(k->memory, pt);
			CHECK(k, ptdesc_from_virt(k->memory, at) == pt);
			/* Used up to its last entry, then given back. */
			memset(at, 0x5a, k->format->tables[l].size);
			pt->used = 1;
			pagetable_free(k->memory, pt, NULL);
		}
		(void)pt_memory_shrink(k->memory);
		pt_memory_stats(k->memory, &after);
		CHECK(k, after.tables == before.tables && after.ready == 0);
		CHECK(k, after.table_frames == before.table_frames);
	}
}

/* By address: the table's own, never its descriptor's (D27). */
static void test_tables_by_address(struct kit *k)
{
	for (unsigned l = 0; l < k->format->levels; l++) {
		struct pt_account account;
		struct ptdesc *pt;
		void *at;

		memset(&account, 0, sizeof(account));
		at = pagetable_alloc_addr(k->memory, k->a.classes[l], l, &account, 0);
		CHECK(k, at != NULL);
		pt = ptdesc_from_virt(k->memory, at);
		CHECK(k, pt && ptdesc_address(k->memory, pt) == at && (void *)pt != at);
		CHECK(k, ptdesc_from_pa(k->memory, ptdesc_pa(k->memory, pt)) == pt);
		CHECK(k, ptdesc_level(pt) == l && all_empty(k, pt, l));
		CHECK(k,
		    ptdesc_lock_of(k->memory, (char *)at + k->format->entry_bytes) == &pt->lock);
		CHECK(k, pt_account_tables(&account, l) == 1);
		pagetable_free_addr(k->memory, at, &account);
		CHECK(k, pt_account_tables(&account, l) == 0);
	}
}

const struct kit_test kit_table_tests[] = {
	{"populate", test_populate},
	{"populating over what is there", test_populate_over},
	{"the lowest table on the way", test_lowest_table},
	{"populated tables are used", test_populated_tables_are_used},
	{"prune within floor and ceiling", test_prune},
	{"prune keeps what is used", test_prune_keeps_what_is_used},
	{"an emptied cover leaves", test_emptied_cover},
	{"unmapping takes tables along", test_unmap_takes_tables_along},
	{"tables kept", test_keep_tables},
	{"deposits come back in order", test_deposits_in_order},
	{"deposits of large leaves", test_deposits_of_leaves},
	{"deposits stay where they are", test_deposits_stay},
	{"a gather that fills up", test_full_buffer},
	{"flushes", test_flushes},
	{"unlinked tables are frozen until grace", test_frozen_until_grace},
	{"fresh tables are empty", test_fresh_tables_are_empty},
	{"tables by address", test_tables_by_address},
	{NULL, NULL},
};
