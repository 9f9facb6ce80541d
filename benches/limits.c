/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the machine can do: the calibrations that scale the targets, and for some operations the
 * same loads and stores with nothing around them. Tables are those of x86-64, at the size of the
 * rows they bound: 32 leaf tables, which is 64 MiB of addresses.
 */
#include "benches/bench.h"

#include <stdlib.h>
#include <string.h>

#include <ptdesc/atomic.h>

#define ENTRIES 512u
#define TABLES  32u
#define PAGE    4096u
#define GIB     (UINT64_C(1) << 30)
#define ROUNDS  64u     /* passes over the 32 tables in a repetition */
#define HOT     100000u /* rounds of what takes a few ns */

static void *open_tables(unsigned arg)
{
	uint64_t *entries = aligned_alloc(PAGE, (size_t)TABLES * PAGE * (arg ? arg : 1));

	if (!entries)
		bench_die("no memory");
	for (size_t i = 0; i < (size_t)TABLES * ENTRIES * (arg ? arg : 1); i++)
		entries[i] = i * PAGE | 0x67;
	return entries;
}

static double per_entry(const struct bench_timer *timer)
{
	return bench_result(timer, (double)TABLES * ENTRIES * ROUNDS);
}

/* Relaxed atomics are plain stores that the compiler leaves one by one. */
static double sample_store(void *state)
{
	struct bench_timer timer = {0};
	uint64_t *entries = state;

	bench_start(&timer);
	for (unsigned round = 0; round < ROUNDS; round++)
		for (uint64_t i = 0; i < TABLES * ENTRIES; i++)
			PT_STORE(&entries[i], (i << 12) + round, RELAXED);
	bench_stop(&timer);
	return per_entry(&timer);
}

static double sample_store_vector(void *state)
{
	struct bench_timer timer = {0};
	uint64_t *entries = state;

	bench_start(&timer);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (uint64_t i = 0; i < TABLES * ENTRIES; i++)
			entries[i] = (i << 12) + round;
		BENCH_USE(entries);
	}
	bench_stop(&timer);
	return per_entry(&timer);
}

/* What a change of protection comes to: load, is it a leaf, store. */
static double sample_modify(void *state)
{
	struct bench_timer timer = {0};
	uint64_t *entries = state;

	bench_start(&timer);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (uint64_t i = 0; i < TABLES * ENTRIES; i++) {
			uint64_t e = PT_LOAD(&entries[i], RELAXED);

			if (e & 1)
				PT_STORE(&entries[i], e ^ 2, RELAXED);
		}
	}
	bench_stop(&timer);
	return per_entry(&timer);
}

/* What an unmap comes to: does the leaf continue the run, and zero again (into other tables). */
static double sample_clear(void *state)
{
	struct bench_timer timer = {0};
	uint64_t *from = state;
	uint64_t *to = from + TABLES * ENTRIES;
	uint64_t runs = 0;

	bench_start(&timer);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t expected = 0;

		for (uint64_t i = 0; i < TABLES * ENTRIES; i++) {
			uint64_t e = PT_LOAD(&from[i], RELAXED);

			runs += e != expected;
			expected = e + PAGE;
			PT_STORE(&to[i], 0, RELAXED);
		}
	}
	bench_stop(&timer);
	BENCH_USE(runs);
	return per_entry(&timer);
}

/* What a fork comes to: load, store the same without the right to write in both tables. */
static double copy(uint64_t *from, size_t tables, unsigned rounds)
{
	struct bench_timer timer = {0};
	uint64_t *to = from + tables * ENTRIES;

	bench_start(&timer);
	for (unsigned round = 0; round < rounds; round++) {
		for (uint64_t i = 0; i < tables * ENTRIES; i++) {
			uint64_t e = from[i] & ~(uint64_t)2;

			from[i] = e;
			to[i] = e & ~(uint64_t)0x60;
		}
		BENCH_USE(to);
	}
	bench_stop(&timer);
	return bench_result(&timer, (double)tables * ENTRIES * rounds);
}

static double sample_copy(void *state)
{
	return copy(state, TABLES, ROUNDS);
}

/* The tables of 1 GiB: more than the nearer caches hold. */
static double sample_copy_large(void *state)
{
	return copy(state, 512, 2);
}

static double sample_exchange(void *state)
{
	struct bench_timer timer = {0};
	uint64_t *entries = state;

	bench_start(&timer);
	for (unsigned i = 0; i < HOT; i++)
		(void)PT_XCHG(&entries[i % ENTRIES], i, ACQ_REL);
	bench_stop(&timer);
	return bench_result(&timer, HOT);
}

static double sample_spinlock(void *state)
{
	struct bench_timer timer = {0};
	uint32_t *lock = state;

	PT_STORE(lock, 0, RELAXED);
	bench_start(&timer);
	for (unsigned i = 0; i < HOT; i++) {
		uint32_t free = 0;

		while (!PT_CAS(lock, &free, 1, ACQUIRE))
			free = 0;
		PT_STORE(lock, 0, RELEASE);
	}
	bench_stop(&timer);
	return bench_result(&timer, HOT);
}

/* The locks of 513 tables, each in a line of its own: taken in order, then all let go. */
static double sample_locks(void *state)
{
	struct bench_timer timer = {0};
	uint32_t *locks = state;

	for (unsigned i = 0; i < 513; i++)
		PT_STORE(&locks[i * 16], 0, RELAXED);
	bench_start(&timer);
	for (unsigned round = 0; round < HOT / 513; round++) {
		for (unsigned i = 0; i < 513; i++) {
			uint32_t free = 0;

			while (!PT_CAS(&locks[i * 16], &free, 1, ACQUIRE))
				free = 0;
		}
		for (unsigned i = 0; i < 513; i++)
			PT_STORE(&locks[i * 16], 0, RELEASE);
	}
	bench_stop(&timer);
	return bench_result(&timer, 512.0 * 513 * (HOT / 513));
}

/*
 * What one page costs at least, twice: down four levels to the leaf table, through the word of its
 * frame to its descriptor, lock, look at the entry, store, unlock. Nothing is checked.
 */
struct page {
	uint64_t words[4 * ENTRIES]; /* root, two tables, leaf table: entries are indices */
	uint64_t *descriptor[4];     /* by table */
	uint64_t lines[4 * 8];
};

static void *open_page(unsigned arg)
{
	struct page *p = bench_memory(sizeof(*p));

	(void)arg;
	for (uint64_t i = 0; i < 4; i++) {
		p->words[i * ENTRIES] = (i + 1) % 4 * ENTRIES;
		p->descriptor[i] = &p->lines[i * 8];
	}
	return p;
}

static inline void one_page(struct page *p, uint64_t va, uint64_t e)
{
	uint64_t table = 0;
	uint32_t free = 0;
	uint32_t *lock;

	for (int shift = 39; shift > 12; shift -= 9)
		table = PT_LOAD(&p->words[table + (va >> shift & 511)], ACQUIRE);
	lock = (uint32_t *)(void *)PT_LOAD(&p->descriptor[table / ENTRIES], ACQUIRE);
	while (!PT_CAS(lock, &free, 1, ACQUIRE))
		free = 0;
	if (PT_LOAD(&p->words[table + (va >> 12 & 511)], RELAXED) != e)
		PT_STORE(&p->words[table + (va >> 12 & 511)], e, RELAXED);
	PT_STORE(lock, 0, RELEASE);
}

static double sample_page(void *state)
{
	struct bench_timer timer = {0};
	struct page *p = state;

	bench_start(&timer);
	for (uint64_t i = 0; i < HOT; i++) {
		one_page(p, 5 * PAGE, i << 12 | 0x67);
		one_page(p, 5 * PAGE, 0);
	}
	bench_stop(&timer);
	return bench_result(&timer, HOT);
}

/* Four levels over 1 GiB; entries are offsets in words, as if the arena began at 0. */
struct chase {
	uint64_t words[(512 + 3) * ENTRIES];
};

static void *open_chase(unsigned arg)
{
	struct chase *c = bench_memory(sizeof(*c));

	(void)arg;
	c->words[0] = ENTRIES | 1;
	c->words[ENTRIES] = 2 * ENTRIES | 1;
	for (uint64_t i = 0; i < ENTRIES; i++) {
		c->words[2 * ENTRIES + i] = (3 + i) * ENTRIES | 1;
		for (uint64_t j = 0; j < ENTRIES; j++)
			c->words[(3 + i) * ENTRIES + j] = (i * ENTRIES + j) << 12 | 0x67;
	}
	return c;
}

static inline uint64_t walk(const struct chase *c, uint64_t va)
{
	uint64_t e = 0;

	for (int shift = 39; shift >= 12; shift -= 9)
		e = PT_LOAD(&c->words[(e & ~(uint64_t)511) + (va >> shift & 511)], ACQUIRE);
	return e;
}

static double sample_chase(void *state)
{
	const struct chase *c = state;
	struct bench_timer timer = {0};
	uint64_t random = 88172645463325252u;
	uint64_t sum = 0;

	bench_start(&timer);
	for (unsigned i = 0; i < HOT; i++)
		sum += walk(c, bench_random(&random) & (GIB - 1));
	bench_stop(&timer);
	BENCH_USE(sum);
	return bench_result(&timer, HOT);
}

static double sample_walk(void *state)
{
	const struct chase *c = state;
	struct bench_timer timer = {0};
	uint64_t sum = 0;

	bench_start(&timer);
	for (uint64_t i = 0; i < HOT; i++)
		sum += walk(c, i * PAGE & (GIB - 1));
	bench_stop(&timer);
	BENCH_USE(sum);
	return bench_result(&timer, HOT);
}

static double sample_zero(void *state)
{
	struct bench_timer timer = {0};

	bench_start(&timer);
	for (unsigned i = 0; i < HOT / 10; i++) {
		memset(state, 0, PAGE);
		BENCH_USE(state);
	}
	bench_stop(&timer);
	return bench_result(&timer, HOT / 10);
}

static double sample_stamp(void *state)
{
	struct bench_timer timer = {0};
	uintptr_t *words = state;

	bench_start(&timer);
	for (unsigned i = 0; i < HOT / 10; i++) {
		for (unsigned j = 0; j < ENTRIES; j++)
			words[j] = (uintptr_t)words | 15;
		BENCH_USE(words);
		for (unsigned j = 0; j < ENTRIES; j++)
			words[j] = 0;
		BENCH_USE(words);
	}
	bench_stop(&timer);
	return bench_result(&timer, HOT / 10);
}

/* The least that a magazine can do: its count goes down and up again in memory. */
struct stack {
	uint64_t count;
	uint64_t items[64];
};

static double sample_stack(void *state)
{
	struct bench_timer timer = {0};
	struct stack *stack = state;

	stack->count = 32;
	bench_start(&timer);
	for (unsigned i = 0; i < HOT; i++) {
		uint64_t item;

		PT_STORE(&stack->count, PT_LOAD(&stack->count, RELAXED) - 1, RELAXED);
		item = PT_LOAD(&stack->items[stack->count], RELAXED);
		PT_COMPILER_FENCE();
		PT_STORE(&stack->items[stack->count], item, RELAXED);
		PT_STORE(&stack->count, PT_LOAD(&stack->count, RELAXED) + 1, RELAXED);
		PT_COMPILER_FENCE();
	}
	bench_stop(&timer);
	return bench_result(&timer, HOT);
}

const struct bench bench_limits[] = {
	[LIMIT_STORE] = {.name = "limit-store",
		.unit = "entry",
		.reference = 0.28,
		.open = open_tables,
		.sample = sample_store,
		.close = free,
		.what = "plain stores one by one into 32 leaf tables"},
	[LIMIT_STORE_VECTOR] = {.name = "limit-store-vector",
		.unit = "entry",
		.open = open_tables,
		.sample = sample_store_vector,
		.close = free,
		.what = "the same stores, vectorised by the compiler"},
	[LIMIT_EXCHANGE] = {.name = "limit-exchange",
		.unit = "exchange",
		.reference = 2.2,
		.open = open_tables,
		.sample = sample_exchange,
		.close = free,
		.what = "a locked exchange of an entry"},
	[LIMIT_SPINLOCK] = {.name = "limit-spinlock",
		.unit = "pair",
		.reference = 2.2,
		.open = open_tables,
		.sample = sample_spinlock,
		.close = free,
		.what = "lock and unlock, nobody else there"},
	[LIMIT_CHASE] = {.name = "limit-chase",
		.unit = "walk",
		.reference = 5.1,
		.open = open_chase,
		.sample = sample_chase,
		.close = free,
		.what = "four dependent loads, random addresses in 1 GiB of 4 KiB leaves"},
	[LIMIT_ZERO] = {.name = "limit-zero",
		.unit = "table",
		.reference = 35,
		.open = open_tables,
		.sample = sample_zero,
		.close = free,
		.what = "memset of 4 KiB, hot"},
	[LIMIT_STAMP] = {.name = "limit-stamp",
		.unit = "pair",
		.reference = 1,
		.open = open_tables,
		.sample = sample_stamp,
		.close = free,
		.what = "512 page words stamped and cleared, hot, vectorised"},
	[LIMIT_STACK] = {.name = "limit-stack",
		.unit = "pair",
		.reference = 2.6,
		.open = open_tables,
		.sample = sample_stack,
		.close = free,
		.what = "pop and push of a stack whose count is in memory"},
	[LIMIT_MODIFY] = {.name = "limit-modify",
		.unit = "entry",
		.open = open_tables,
		.sample = sample_modify,
		.close = free,
		.what = "load, test, store: 32 leaf tables, one by one"},
	[LIMIT_CLEAR] = {.name = "limit-clear",
		.unit = "entry",
		.arg = 2,
		.open = open_tables,
		.sample = sample_clear,
		.close = free,
		.what = "load, compare with the last, store 0: 32 leaf tables, one by one"},
	[LIMIT_COPY] = {.name = "limit-copy",
		.unit = "entry",
		.arg = 2,
		.open = open_tables,
		.sample = sample_copy,
		.close = free,
		.what = "load, store into both: 32 leaf tables onto 32, vectorised"},
	[LIMIT_COPY_LARGE] = {.name = "limit-copy-1g",
		.unit = "entry",
		.arg = 32,
		.open = open_tables,
		.sample = sample_copy_large,
		.close = free,
		.what = "the same for the 512 leaf tables of 1 GiB"},
	[LIMIT_WALK] = {.name = "limit-walk",
		.unit = "walk",
		.open = open_chase,
		.sample = sample_walk,
		.close = free,
		.what = "four dependent loads, page after page; nothing is looked at or decoded"},
	[LIMIT_LOCKS] = {.name = "limit-locks",
		.unit = "page",
		.open = open_tables,
		.sample = sample_locks,
		.close = free,
		.what = "locks of the 513 tables of 1 GiB, all taken before the first is let go"},
	[LIMIT_PAGE] = {.name = "limit-page",
		.unit = "pair",
		.open = open_page,
		.sample = sample_page,
		.close = free,
		.what =
		    "twice: four levels down, descriptor, lock, look, store, unlock; no checks"},
	{0},
};
