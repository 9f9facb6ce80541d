/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What random operations do not come to: global leaves in a space that is no kernel's, deposits
 * that the embedder made, spaces that an MMU runs beside one that it does not, the last page there
 * is, and pieces of the largest leaves.
 */
#include "tests/unit/two_spaces.h"

static bool flushed_all(const struct world *w)
{
	assert_true(w->port.flushes > 0);
	return w->port.flush[(w->port.flushes - 1) % TEST_PORT_FLUSHES].kernel;
}

/* A CPU that no longer runs the space may still have what is global. */
static void test_global(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, &pt_format_x86_64, PT_SPACE_MMU);
	must(pt_map(&w.a, VA(0), PAGE, PA(0), RW, 0));
	must(pt_unmap(&w.a, VA(0), PAGE, 0, NULL));
	assert_false(flushed_all(&w));
	must(pt_map(&w.a, VA(0), PAGE, PA(0), pt_make_attr(PT_READ | PT_GLOBAL), 0));
	must(pt_copy(&w.b, &w.a, VA(0), PAGE, 0));
	must(pt_unmap(&w.a, VA(0), PAGE, 0, NULL));
	assert_true(flushed_all(&w));
	must(pt_protect(&w.b, VA(0), PAGE, RO, 0));
	assert_true(flushed_all(&w));
	close_world(&w);
}

/* Has all of a leaf been flushed everywhere since a flush, counted from 0. */
static bool flushed_since(const struct world *w, uint64_t since, uint64_t va)
{
	for (uint64_t i = since; i < w->port.flushes; i++) {
		const struct pt_flush *f = &w->port.flush[i % TEST_PORT_FLUSHES];

		if (f->kernel && f->start.v <= va && va <= f->last.v && f->leaves & 2)
			return true;
	}
	return false;
}

/*
 * Leaves of two truly shared tables become global, before and after they are shared, and the space
 * that did not do that leaves.
 */
static void global_of_another(const struct pt_format *format, unsigned how)
{
	pt_attr global = pt_make_attr(PT_READ | PT_GLOBAL);
	struct world w;
	uint64_t since;

	open_world(&w, format, PT_SPACE_MMU);
	must(pt_map(&w.a, VA(0), PAGE, PA(0), RW, 0));
	must(pt_copy(&w.b, &w.a, VA(0), LARGE, PT_COW | PT_SHARE));
	must(pt_unmap(&w.a, VA(0), LARGE, 0, NULL));
	for (uint64_t va = LARGER; va <= 2 * LARGER; va += LARGER) {
		must(pt_map(&w.a, VA(va), LARGE, PA(LARGE), RW, 0));
		if (va == LARGER)
			must(pt_protect(&w.a, VA(va), LARGE, global, 0));
		must(pt_share_table(&w.b, &w.a, VA(va), 0));
	}
	must(pt_protect(&w.a, VA(2 * LARGER), LARGE, global, 0));
	since = w.port.flushes;
	if (how == 0)
		must(pt_unmap(&w.b, VA(0), 4 * LARGER, 0, NULL));
	else if (how == 1)
		must(pt_map_replace(&w.b, VA(2 * LARGER), LARGER, PA(LARGER), RW, 0, NULL));
	else if (how == 2)
		must(pt_unshare_table(&w.b, VA(2 * LARGER), NULL));
	else
		must(pt_space_destroy(&w.b, NULL));
	assert_true(flushed_since(&w, since, 2 * LARGER));
	assert_true(how == 1 || how == 2 || flushed_since(&w, since, LARGER));
	/* With the first flush: where breaks are wanted what replaces it comes after that. */
	assert_true(w.port.flush[since % TEST_PORT_FLUSHES].kernel);
	if (how == 3)
		must(pt_space_init(&w.b, w.port.memory, format, PT_SPACE_MMU, NULL));
	close_world(&w);
}

static void test_global_of_another(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 4; how++) {
		global_of_another(&pt_format_x86_64, how);
		global_of_another(&pt_format_arm64_4k_48, how);
	}
}

/* A large leaf may have a table that the embedder made: it is one of the space's from then on. */
static void test_deposit_of_embedder(void **state)
{
	struct pt_fault_report report;
	struct ptdesc *pmd;
	struct ptdesc *pt;
	struct world w;

	(void)state;
	open_world(&w, &pt_format_x86_64, PT_SPACE_MMU);
	for (unsigned i = 0; i < 2; i++) {
		must(pt_map(&w.a, VA(LARGE), LARGE, PA(LARGE), RW, 0));
		pt = pagetable_alloc(w.port.memory, w.a.classes[0], 0, &w.a.account, 0);
		pmd = ptdesc_from_virt(w.port.memory, entry_at(&w, &w.a, LARGE, 1));
		ptdesc_lock(w.port.memory, pmd);
		pt_deposit(pmd, pt);
		ptdesc_unlock(w.port.memory, pmd);
		/* It is used, or goes with the table that it was deposited in. */
		if (i)
			must(pt_split(&w.a, VA(LARGE), LARGE, 0, PT_DEPOSIT));
		must(pt_check(&w.a, &report));
		must(pt_unmap(&w.a, VA(0), LARGER, 0, NULL));
		assert_int_equal(pt_account_tables(&w.a.account, 0), 0);
	}
	close_world(&w);
}

/* Whoever has no MMU does not flush, and reads the marks of a run one by one. */
static void test_mmu_beside_none(void **state)
{
	struct pt_space plain;
	struct world w;

	(void)state;
	open_world(&w, &pt_format_x86_64, PT_SPACE_MMU);
	must(pt_space_init(&plain, w.port.memory, &pt_format_x86_64, 0, NULL));
	must(pt_map(&w.a, VA(LARGER), LARGE, PA(LARGE), RW, 0));
	assert_int_equal(pt_share_table(&plain, &w.a, VA(LARGER), 0), -PT_ENOTSUP);
	must(pt_share_table(&w.b, &w.a, VA(LARGER), 0));
	must(pt_map(&w.a, VA(0), PAGE, PA(0), RW, 0));
	must(pt_copy(&plain, &w.a, VA(0), LARGE, PT_COW | PT_SHARE));
	assert_int_equal(pt_account_tables(&plain.account, 0), 1);
	assert_int_equal(pt_account_tables(&w.a.account, 0), 1);
	must(pt_space_destroy(&plain, NULL));
	close_world(&w);
}

/* Behind the last page is no other. */
static void test_cursor_at_the_end(void **state)
{
	const unsigned pages = PT_CURSOR_PAGES;
	struct pt_translation t;
	struct pt_cursor cursor;
	struct world w;

	(void)state;
	open_world(&w, &pt_format_x86_64, 0);
	pt_cursor_open(&cursor, &w.a, VA(0 - pages * PAGE), RW, 0);
	for (unsigned i = 0; i < pages + 1; i++)
		must(pt_cursor_map(&cursor, PA(i * PAGE)));
	must(pt_translate(&w.a, VA(0 - PAGE), &t));
	assert_int_equal(pt_cursor_flush(&cursor), -PT_EOVERFLOW);
	assert_int_equal(pt_translate(&w.a, VA(0), &t), -PT_ENOENT);
	/* Its pages are all or nothing. */
	pt_cursor_open(&cursor, &w.a, VA(0), RW, PT_PIECEWISE);
	must(pt_cursor_map(&cursor, PA(0)));
	assert_int_equal(pt_cursor_flush(&cursor), -PT_EINVAL);
	assert_int_equal(cursor.count, 1);
	close_world(&w);
}

/* What the range covers whole is not cut because the range is worked on piece by piece. */
static void test_pieces_of_largest_leaves(void **state)
{
	struct pt_translation t;
	struct world w;

	(void)state;
	open_world(&w, &pt_format_riscv_sv48, 0);
	must(pt_map(&w.a, VA(TOP), TOP + LARGER, PA(TOP), RW, PT_PIECEWISE));
	must(pt_translate(&w.a, VA(TOP), &t));
	assert_true(t.size == TOP);
	must(pt_translate(&w.a, VA(2 * TOP), &t));
	assert_true(t.size == LARGER);
	must(pt_protect(&w.a, VA(TOP), TOP + LARGER, RO, PT_PIECEWISE));
	must(pt_translate(&w.a, VA(TOP), &t));
	assert_true(t.size == TOP && t.attr.flags == PT_READ);
	must(pt_copy(&w.b, &w.a, VA(TOP), TOP, PT_PIECEWISE));
	must(pt_translate(&w.b, VA(TOP), &t));
	assert_true(t.size == TOP);
	must(pt_map_replace(&w.a, VA(TOP), TOP, PA(2 * TOP), RW, PT_PIECEWISE, NULL));
	must(pt_translate(&w.a, VA(TOP), &t));
	assert_true(t.size == TOP && t.pa.v == 2 * TOP);
	/* Without memory: nothing has to be split. */
	(void)pt_memory_fail_at(w.port.memory, 1, true);
	must(pt_unmap(&w.a, VA(TOP), TOP, PT_PIECEWISE, NULL));
	(void)pt_memory_fail_at(w.port.memory, 0, false);
	assert_int_equal(pt_translate(&w.a, VA(TOP), &t), -PT_ENOENT);
	must(pt_translate(&w.a, VA(2 * TOP), &t));
	close_world(&w);
}

/* A hole is one piece: a half of the widest space takes no time. */
static void test_pieces_of_holes(void **state)
{
	struct pt_translation t;
	struct world w;

	(void)state;
	open_world(&w, &pt_format_x86_64_la57, 0);
	must(pt_map(&w.a, VA(TOP), PAGE, PA(0), RW, 0));
	must(pt_unmap(&w.a, VA(0), UINT64_C(1) << 56, PT_PIECEWISE, NULL));
	assert_int_equal(pt_translate(&w.a, VA(TOP), &t), -PT_ENOENT);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_global),
		cmocka_unit_test(test_global_of_another),
		cmocka_unit_test(test_deposit_of_embedder),
		cmocka_unit_test(test_mmu_beside_none),
		cmocka_unit_test(test_cursor_at_the_end),
		cmocka_unit_test(test_pieces_of_largest_leaves),
		cmocka_unit_test(test_pieces_of_holes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
