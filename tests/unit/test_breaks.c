/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Break before make, where arm64 asks for it: an entry that an MMU may have in its TLB, or a table
 * that it may be walking, is gone when the flush comes, and what takes its place is not there yet.
 * Where nobody asks for it, a flush waits until the locks are dropped.
 */
#include <ptdesc/space.h>
#include "tests/unit/core_kit.h"

#define PAGE  UINT64_C(0x1000)
#define LARGE UINT64_C(0x200000)
#define RW    pt_make_attr(PT_READ | PT_WRITE)

struct world {
	struct kit kit;
	struct pt_space a;
	struct pt_space b;
	const uint64_t *watched;
	unsigned gone; /* flushes that came while no MMU could use the entry */
	const struct ptdesc *table;
	unsigned locked; /* flushes that came while the table's lock was held */
};

static void on_flush(void *ctx, const struct pt_flush *request)
{
	struct world *w = ctx;

	(void)request;
	w->gone += w->watched && !(*w->watched & 1);
	w->locked += w->table && w->table->lock != 0;
}

static void with_flush(struct pt_port *port)
{
	port->flush = on_flush;
}

static void must(int error)
{
	assert_int_equal(error, 0);
}

static void open_world(struct world *w, const struct pt_format *format)
{
	struct pt_config config = kit_config();

	memset(w, 0, sizeof(*w));
	kit_open(&w->kit, &config, with_flush);
	must(pt_space_init(&w->a, w->kit.memory, format, PT_SPACE_MMU, NULL));
	must(pt_space_init(&w->b, w->kit.memory, format, PT_SPACE_MMU, NULL));
}

static void close_world(struct world *w)
{
	w->watched = NULL;
	must(pt_space_destroy(&w->b, NULL));
	must(pt_space_destroy(&w->a, NULL));
	kit_close(&w->kit);
}

/* Watches the entry of a level for va, which is in a table that is there. */
static void watch(struct world *w, const struct pt_space *space, uint64_t va, unsigned level)
{
	const uint64_t *table = space->top;

	for (unsigned l = space->levels - 1u; l > level; l--) {
		uint64_t entry = table[va >> pt_format_shift(space->format, l) & 511];

		assert_int_equal(entry & 3, 3);
		table = ptdesc_address(w->kit.memory,
		    ptdesc_from_pa(w->kit.memory, pt_make_pa(entry & UINT64_C(0xfffffffff000))));
	}
	w->watched = &table[va >> pt_format_shift(space->format, level) & 511];
	w->gone = 0;
}

/* A leaf of a run that is taken apart, and that stays mapped. */
static void test_run(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, &pt_format_arm64_4k_48);
	must(pt_map(&w.a, pt_make_va(0), 16 * PAGE, pt_make_pa(0), RW, 0));
	watch(&w, &w.a, PAGE, 0);
	must(pt_unmap(&w.a, pt_make_va(0), PAGE, 0, NULL));
	assert_int_equal(*w.watched & 1, 1);
	assert_true(w.gone);
	close_world(&w);
}

/* An empty table gives way to the copy of a large leaf. */
static void test_copy_over_a_table(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, &pt_format_arm64_4k_48);
	must(pt_map(&w.a, pt_make_va(LARGE), LARGE, pt_make_pa(LARGE), RW, 0));
	must(pt_populate(&w.b, pt_make_va(LARGE), PAGE, 0, 0));
	watch(&w, &w.b, LARGE, 1);
	must(pt_copy(&w.b, &w.a, pt_make_va(LARGE), LARGE, 0));
	assert_int_equal(*w.watched & 3, 1);
	assert_true(w.gone);
	close_world(&w);
}

/* A table that moves is not in two places. */
static void test_move_a_table(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, &pt_format_arm64_4k_48);
	must(pt_map(&w.a, pt_make_va(0), LARGE, pt_make_pa(0), RW, PT_SMALL));
	watch(&w, &w.a, LARGE, 1);
	must(pt_move(&w.a, pt_make_va(0), LARGE, pt_make_va(LARGE), 0));
	assert_int_equal(*w.watched & 3, 3);
	assert_true(w.gone);
	close_world(&w);
}

/* A leaf table that was emptied, and is unlinked under its parent's lock. */
static void last_pages(const struct pt_format *format, bool under_lock)
{
	struct world w;

	open_world(&w, format);
	must(pt_map(&w.a, pt_make_va(0), 2 * PAGE, pt_make_pa(0), RW, 0));
	watch(&w, &w.a, 0, 1);
	w.table = ptdesc_from_pa(w.kit.memory, kit_phys(&w.kit, w.watched));
	must(pt_unmap(&w.a, pt_make_va(0), 2 * PAGE, 0, NULL));
	assert_int_equal(*w.watched & 1, 0);
	assert_int_equal(w.locked, under_lock);
	w.table = NULL;
	close_world(&w);
}

static void test_last_pages(void **state)
{
	(void)state;
	last_pages(&pt_format_arm64_4k_48, true);
	last_pages(&pt_format_x86_64, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_copy_over_a_table),
		cmocka_unit_test(test_move_a_table),
		cmocka_unit_test(test_last_pages),
	};

	return KIT_RUN("breaks", tests);
}
