/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Threads change a space while others load and store through their CPUs' TLBs: no access may reach
 * a frame or table after its release. And the same with flushes that reach one CPU only, which must
 * be noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include <cmocka.h>
#include <ptdesc/atomic.h>

#include "tests/tlb/machine.h"

#define AREAS    2u
#define PAGES    64u
#define PHASES   20u
#define ACCESSES 1000u
#define ROUNDS   50u

struct worker {
	struct machine *m;
	unsigned number;
	uint64_t seed;
	uint64_t wrong;
	uint32_t *stop;
	uint32_t *rounds; /* of all writers */
};

static uint64_t draw(struct worker *w, uint64_t below)
{
	w->seed = w->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (w->seed >> 33) % below;
}

/* Areas are neighbours at the border of two leaf tables, so that writers share upper tables. */
static uint64_t area_of(const struct machine *m, unsigned area)
{
	uint64_t leaf = UINT64_C(1) << pt_format_shift(m->format, 1);

	return leaf + area * leaf + leaf - ((uint64_t)PAGES << m->format->page_shift);
}

/* One writer an area: what it maps is its own; others see it go. */
static void change(struct worker *w)
{
	struct machine *m = w->m;
	unsigned shift = m->format->page_shift;
	uint64_t first = draw(w, PAGES);
	uint64_t count = 1 + draw(w, PAGES - first);
	uint64_t va = area_of(m, w->number) + (first << shift);
	uint64_t pa = (uint64_t)(w->number + 1) << 28 | first << shift;

	machine_unmap(m, va, count << shift);
	if (draw(w, 4))
		machine_map(m, va, count << shift, pa, PT_SMALL);
}

static void *write_all(void *arg)
{
	struct worker *w = arg;

	while (!PT_LOAD(w->stop, ACQUIRE)) {
		change(w);
		(void)PT_FETCH_ADD(w->rounds, 1, RELAXED);
	}
	return NULL;
}

/* An access ends well or not at all, and where it should. */
static void access_one(struct worker *w)
{
	unsigned area = (unsigned)draw(w, AREAS);
	uint64_t page = draw(w, PAGES) << w->m->format->page_shift;
	struct tlb_result result;
	int err = machine_access(w->m, w->number, area_of(w->m, area) + page,
	    draw(w, 2) ? PT_WRITE : PT_READ, &result);

	if (err)
		w->wrong += err != -PT_ENOENT;
	else
		w->wrong += result.pa != ((uint64_t)(area + 1) << 28 | page);
}

/* Accesses, and again when the space has changed: what was cached then is met. */
static void *access_all(void *arg)
{
	struct worker *w = arg;

	for (unsigned phase = 0; phase < PHASES; phase++) {
		uint32_t began = PT_LOAD(w->rounds, ACQUIRE);

		for (unsigned i = 0; i < ACCESSES && !tlb_failure(w->m->tlb); i++)
			access_one(w);
		while (PT_LOAD(w->rounds, ACQUIRE) - began < ROUNDS && !tlb_failure(w->m->tlb))
			(void)sched_yield();
	}
	return NULL;
}

static void run(struct machine *m)
{
	struct worker workers[AREAS + MACHINE_CPUS];
	pthread_t threads[AREAS + MACHINE_CPUS];
	uint32_t stop = 0;
	uint32_t rounds = 0;

	for (unsigned i = 0; i < AREAS + MACHINE_CPUS; i++) {
		bool writer = i < AREAS;

		workers[i] = (struct worker){.m = m,
			.number = writer ? i : i - AREAS,
			.seed = i + 1,
			.stop = &stop,
			.rounds = &rounds};
		assert_int_equal(pthread_create(&threads[i], NULL, writer ? write_all : access_all,
				     &workers[i]),
		    0);
	}
	for (unsigned i = AREAS + MACHINE_CPUS; i-- > 0;) {
		if (i == AREAS - 1)
			PT_STORE(&stop, 1, RELEASE);
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_true(!workers[i].wrong || tlb_failure(m->tlb));
	}
}

static void test_careful(void **state)
{
	static const char *const names[] = {"x86_64", "arm64-4k-48", "riscv-sv39", "i386-pae"};

	(void)state;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct tlb_counts counts;
		struct machine m;

		machine_open(&m, pt_format_find(names[i]), false);
		run(&m);
		tlb_check(m.tlb, &m.space, false);
		tlb_counts(m.tlb, &counts);
		assert_true(
		    counts.first > 0 && counts.killed_leaves > 0 && counts.killed_tables > 0);
		machine_close(&m, false);
	}
}

static void test_no_remote(void **state)
{
	struct machine m;

	(void)state;
	machine_open(&m, pt_format_find("x86_64"), false);
	m.care = NO_REMOTE;
	run(&m);
	assert_non_null(tlb_failure(m.tlb));
	machine_close(&m, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_careful),
		cmocka_unit_test(test_no_remote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
