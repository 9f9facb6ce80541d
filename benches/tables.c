/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tables: memory and descriptor as a pair, hot, and one page at a time through a space. */
#include <stdlib.h>

#include "benches/bench.h"
#include "benches/rig.h"

#define PAIRS 20000u

static void *tables_open(unsigned arg)
{
	struct rig *rig = bench_memory(sizeof(*rig));

	rig_open(rig, arg);
	return rig;
}

static void tables_close(void *state)
{
	rig_close(state);
	free(state);
}

static double alloc_sample(void *state)
{
	struct rig *rig = state;
	struct pt_account *owner = &rig->space.account;
	struct bench_timer timer = {0};

	bench_start(&timer);
	for (unsigned i = 0; i < PAIRS; i++) {
		struct ptdesc *pt = pagetable_alloc(rig->memory, rig->class_id, 0, owner, 0);

		if (!pt)
			bench_die("no table");
		pagetable_free(rig->memory, pt, owner);
	}
	bench_stop(&timer);
	return bench_result(&timer, PAIRS);
}

/* One page, mapped and unmapped again; flags are the unmap's. */
static double one_page(struct rig *rig, uint64_t va, uint32_t flags)
{
	pt_attr attr = pt_make_attr(PT_READ | PT_WRITE | PT_USER);
	struct bench_timer timer = {0};
	int err = 0;

	bench_start(&timer);
	for (unsigned i = 0; i < PAIRS && !err; i++) {
		err = pt_map(&rig->space, pt_make_va(va), PAGE, pt_make_pa(GIB), attr, 0);
		if (!err)
			err = pt_unmap(&rig->space, pt_make_va(va), PAGE, flags, &rig->gather);
	}
	bench_stop(&timer);
	rig_must(err, "one page");
	return bench_result(&timer, PAIRS);
}

static double freed_sample(void *state)
{
	return one_page(state, GIB, 0);
}

static double kept_sample(void *state)
{
	return one_page(state, GIB, PT_KEEP_TABLES);
}

#define TABLES .unit = "pair", .open = tables_open, .close = tables_close

const struct bench bench_tables[] = {
	{.name = "table-alloc",
		TABLES,
		.target = 8,
		.calibration = BENCH_EXCHANGE,
		.limit = BENCH_STACK,
		.sample = alloc_sample,
		.what = "pagetable_alloc with constructor, pagetable_free with destructor, hot"},
	{.name = "page-freed",
		TABLES,
		.target = 30,
		.calibration = BENCH_EXCHANGE,
		.sample = freed_sample,
		.what = "map and unmap one page; its leaf table is made and freed each time"},
	{.name = "page-kept",
		TABLES,
		.target = 10,
		.calibration = BENCH_SPINLOCK,
		.limit = BENCH_PAGE,
		.sample = kept_sample,
		.what = "map and unmap one page; tables are kept"},
	{.name = "page-freed-mmu",
		TABLES,
		.calibration = BENCH_EXCHANGE,
		.arg = PT_SPACE_MMU,
		.sample = freed_sample,
		.what = "page-freed, an MMU behind: exchange and flush"},
	{.name = "page-kept-mmu",
		TABLES,
		.calibration = BENCH_SPINLOCK,
		.arg = PT_SPACE_MMU,
		.sample = kept_sample,
		.what = "page-kept, an MMU behind: exchange and flush"},
	{0},
};
