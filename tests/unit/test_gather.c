/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is on its way out (L3, L4): handing it over allocates nothing, so that there is no batch
 * that cannot be had; a grace period is waited for only by calls that may sleep, and with nothing
 * held, which the port of core_kit.h checks.
 */
#include <ptdesc/linux_names.h>
#include <ptdesc/space.h>
#include "tests/unit/core_kit.h"

#define START  UINT64_C(0x40000000)
#define TABLES 3u
#define SIZE   (TABLES * UINT64_C(0x200000))
#define ATTR   pt_make_attr(PT_READ | PT_WRITE)

struct world {
	struct kit kit;
	struct pt_space space;
	struct pt_run run;
	struct pt_gather gather;
	uint64_t bytes; /* handed over */
};

static void release(void *ctx, const struct pt_run *runs, size_t count)
{
	struct world *w = ctx;

	assert_int_equal(count, 1);
	w->bytes += runs[0].size;
}

/* A space with full leaf tables of pages that are no run; a buffer that holds one. */
static void open_world(struct world *w)
{
	struct pt_config config = kit_config();

	memset(w, 0, sizeof(*w));
	kit_open(&w->kit, &config, NULL);
	w->gather = pt_make_gather(&w->run, 1, release, w);
	assert_int_equal(pt_space_init(&w->space, w->kit.memory, &pt_format_x86_64, 0, NULL), 0);
	for (uint64_t at = 0; at < SIZE; at += 4096)
		assert_int_equal(pt_map(&w->space, pt_make_va(START + at), 4096, pt_make_pa(2 * at),
				     ATTR, 0),
		    0);
}

static void close_world(struct world *w)
{
	assert_int_equal(pt_space_destroy(&w->space, NULL), 0);
	kit_close(&w->kit);
}

static void test_unmapping_allocates_nothing(void **state)
{
	static const uint32_t flags[] = {0, PT_KEEP_TABLES, PT_PIECEWISE, PT_MAY_SLEEP};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct world w;

		open_world(&w);
		(void)pt_memory_fail_at(w.kit.memory, 1, true);
		assert_int_equal(pt_unmap(&w.space, pt_make_va(START), SIZE, flags[i], &w.gather),
		    0);
		assert_int_equal(pt_prune(&w.space, pt_make_va(START), SIZE, pt_make_va(0),
				     pt_make_va(0)),
		    0);
		/* Asked for nothing. */
		assert_int_equal(pt_memory_fail_at(w.kit.memory, 0, false), 0);
		assert_int_equal(w.bytes, SIZE);
		assert_int_equal(w.gather.released, SIZE);
		assert_int_equal(w.kit.waits, 0);
		assert_int_equal(pt_account_tables(&w.space.account, 0), 0);
		close_world(&w);
	}
}

static void test_ending_a_space_allocates_nothing(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	(void)pt_memory_fail_at(w.kit.memory, 1, true);
	assert_int_equal(pt_space_destroy(&w.space, &w.gather), 0);
	assert_int_equal(pt_memory_fail_at(w.kit.memory, 0, false), 0);
	assert_int_equal(w.bytes, SIZE);
	kit_close(&w.kit);
}

/* Who may sleep waits once before there is no memory; who may not is told so at once. */
static void test_who_waits(void **state)
{
	for (unsigned sleep = 0; sleep < 2; sleep++) {
		struct world w;

		(void)state;
		open_world(&w);
		(void)pt_memory_fail_at(w.kit.memory, 1, true);
		/* With nothing to wait for there is nobody to wait for either. */
		assert_int_equal(pt_unmap(&w.space, pt_make_va(START), 4096, 0, &w.gather), 0);
		assert_int_equal(pt_unmap(&w.space, pt_make_va(START + 0x200000), 0x200000, 0,
				     &w.gather),
		    0);
		assert_int_equal(pt_map(&w.space, pt_make_va(2 * START), 0x200000, pt_make_pa(0),
				     ATTR, PT_SMALL | (sleep ? PT_MAY_SLEEP : 0)),
		    -PT_ENOMEM);
		assert_int_equal(w.kit.waits, sleep);
		(void)pt_memory_fail_at(w.kit.memory, 0, false);
		close_world(&w);
	}
}

/* Linux's name for one table: in any context, and with no memory at all. */
static void test_pte_free_defer(void **state)
{
	struct world w;
	struct ptdesc *pt[2];

	(void)state;
	open_world(&w);
	for (unsigned i = 0; i < 2; i++) {
		pt[i] = pagetable_alloc(w.kit.memory, w.space.classes[0], 0, &w.space.account, 0);
		assert_non_null(pt[i]);
	}
	(void)pt_memory_fail_at(w.kit.memory, 1, true);
	w.kit.in_section = 1;
	ptdesc_lock(w.kit.memory, pt[1]);
	pte_free_defer(w.kit.memory, pt[0], &w.space.account);
	ptdesc_unlock(w.kit.memory, pt[1]);
	w.kit.in_section = 0;
	assert_int_equal(kit_stats(&w.kit).deferred, 1);
	assert_int_equal(kit_type(&w.kit, ptdesc_pfn(pt[0])), MEMDESC_PAGE_TABLE);
	assert_int_equal(pt_reclaim_poll(w.kit.memory, true), 1);
	assert_int_equal(w.kit.waits, 1);
	assert_int_equal(pt_memory_fail_at(w.kit.memory, 0, false), 0);
	assert_int_equal(kit_stats(&w.kit).deferred, 0);
	pagetable_free(w.kit.memory, pt[1], &w.space.account);
	close_world(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unmapping_allocates_nothing),
		cmocka_unit_test(test_ending_a_space_allocates_nothing),
		cmocka_unit_test(test_who_waits),
		cmocka_unit_test(test_pte_free_defer),
	};

	return KIT_RUN("gather", tests);
}
