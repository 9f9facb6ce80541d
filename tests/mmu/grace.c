/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Grace periods: a CPU stands in the middle of a walk, about to look into a table that another CPU
 * unlinks. That table must not be used again before the walk is over. Walks of the MMU are no test
 * of this: after a flush QEMU's reaches no old table.
 */
#include <ptdesc/atomic.h>

#include "tests/mmu/mmu.h"

#define READER 1u
#define TABLES 40u /* more than wait for one grace period */
#define ROUNDS 4u

/* Where the reader stops, the low half of a physical address (0: nowhere), and whether it has. */
static uint32_t stop_at;
static uint32_t stopped;

/* In place of the port's own, which each step of a walk calls. */
void *mmu_phys_to_virt(void *ctx, pt_pa pa)
{
	(void)ctx;
	if (machine_cpu() == READER && pa.v && PT_LOAD(&stop_at, ACQUIRE) == (uint32_t)pa.v) {
		PT_STORE(&stopped, 1, RELEASE);
		while (PT_LOAD(&stopped, ACQUIRE))
			machine_relax();
	}
	return bare_at(pa.v);
}

struct walk {
	uint64_t va;
	struct pt_translation t;
	int error;
};

static void walk(void *ctx)
{
	struct walk *w = ctx;

	w->error = pt_translate(mmu.space, pt_make_va(w->va), &w->t);
}

/* Maps a page in each of TABLES tables, all the same; says whether one is the table at pa. */
static bool map_tables(uint64_t base, uint64_t frame, uint64_t pa, bool *failed)
{
	pt_attr attr = mmu_attr(PT_READ | PT_WRITE | PT_ACCESSED);
	bool met = false;

	for (unsigned i = 0; i < TABLES && !*failed; i++) {
		uint64_t va = base + i * mmu_slot(1);

		*failed = pt_map(mmu.space, pt_make_va(va), mmu_slot(0), pt_make_pa(frame), attr,
		    PT_SMALL);
		met |= !*failed && bare_pa(mmu_entry(mmu.space, va, 0)) == pa;
	}
	return met;
}

static void unmap_tables(uint64_t base, bool *failed)
{
	*failed |= pt_unmap(mmu.space, pt_make_va(base), TABLES * mmu_slot(1), 0, NULL) != 0;
}

/* Unlinks the table that the reader is in, with others, and has many made elsewhere. */
static bool used_meanwhile(uint64_t base, uint64_t table, bool *failed)
{
	uint64_t elsewhere = base + TABLES * mmu_slot(1);
	uint64_t frame = machine.ram + MMU_SCRATCH_AT + mmu_slot(0);
	bool used = false;

	unmap_tables(base, failed);
	for (unsigned i = 0; i < ROUNDS && !used && !*failed; i++) {
		used = map_tables(elsewhere, frame, table, failed);
		if (!used)
			unmap_tables(elsewhere, failed);
	}
	return used;
}

/* Was the table used again; *failed: something else went wrong. */
static bool used_again(bool *failed)
{
	uint64_t base = mmu_slot(mmu_top());
	uint64_t frame = machine.ram + MMU_SCRATCH_AT;
	struct walk w = {.va = base};
	uint64_t table;
	bool used;

	*failed = false;
	(void)map_tables(base, frame, 0, failed);
	if (*failed)
		return false;
	table = bare_pa(mmu_entry(mmu.space, base, 0));
	PT_STORE(&stop_at, (uint32_t)table, RELEASE);
	mmu_run_on(READER, walk, &w);
	while (!PT_LOAD(&stopped, ACQUIRE))
		machine_relax();
	used = used_meanwhile(base, table, failed);
	PT_STORE(&stop_at, 0, RELEASE);
	PT_STORE(&stopped, 0, RELEASE);
	mmu_wait_for(READER);
	/* What the walk has found is what was there, or nothing. */
	used |= !w.error && w.t.pa.v != frame;
	unmap_tables(base + TABLES * mmu_slot(1), failed);
	return used;
}

void mmu_grace(void)
{
	bool failed;
	bool used = used_again(&failed);

	mmu_ok(!used && !failed, "grace: a table that a walk is in is not used again");
	mmu.no_grace = true;
	used = used_again(&failed);
	mmu.no_grace = false;
	mmu_ok(used && !failed, "grace: periods that end at once are noticed");
}
