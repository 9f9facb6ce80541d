/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a translation takes at least: the steps of pt_translate that none can do without, by hand
 * for one format of four levels, with no argument checked and nothing looked up. A row of ours
 * that misses its target can be held against it: what is above this one is ours, the rest is what
 * a reader section, four levels and an answer are.
 */
#include <stdlib.h>

#include <ptdesc/atomic.h>
#include <ptdesc/space.h>

#include "benches/bench.h"

#define ENTRIES 512u
#define PAGE    4096u
#define GIB     (UINT64_C(1) << 30)
#define LOOKUPS 50000u

#define X86_P    UINT64_C(0x1)
#define X86_PS   UINT64_C(0x80)
#define X86_PA   UINT64_C(0x000ffffffffff000)
#define X86_RARE UINT64_C(0x7ff0000000000f98) /* types, keys, what is ignored */

/* The tables of 1 GiB, as x86-64 has them: entries hold offsets from here. */
struct least {
	uint64_t words[(512 + 3) * ENTRIES];
	/* Not where a store would seem to be to an entry: at no offset in a page that is looked at
	 * often. */
	uint64_t pad[300];
	uint32_t in;     /* a section is open */
	uint32_t strict; /* somebody wants a fence */
	uint64_t seen;   /* of the epoch */
	uint64_t epoch __attribute__((aligned(64)));
	uint32_t seq __attribute__((aligned(64)));
	bool random;
};

static void *least_open(unsigned arg)
{
	struct least *s = bench_memory(sizeof(*s));

	s->random = arg;
	s->words[0] = 1 * PAGE | 7;
	s->words[ENTRIES] = 2 * PAGE | 7;
	for (uint64_t i = 0; i < ENTRIES; i++)
		s->words[2 * ENTRIES + i] = (3 + i) * PAGE | 7;
	for (uint64_t i = 0; i < ENTRIES * ENTRIES; i++)
		s->words[3 * ENTRIES + i] = i * PAGE | 0x67;
	return s;
}

/* The entry for va in a table of level l. */
static inline uint64_t look(const struct least *s, uint64_t table, uint64_t va, unsigned l)
{
	const uint64_t *entries = (const uint64_t *)(const void *)((const char *)s + table);

	return PT_LOAD(&entries[va >> (12 + 9 * l) & 511], ACQUIRE);
}

/* One level down; false: the entry holds no table. */
static inline bool down(const struct least *s, uint64_t *table, uint64_t va, unsigned l)
{
	uint64_t e = look(s, *table, va, l);

	*table = e & X86_PA;
	return !((e - 1) & (X86_P | X86_PS));
}

/* False: something is in the way, which a caller would have to see to. */
static __attribute__((noinline)) bool translate(struct least *s, uint64_t va,
    struct pt_translation *out)
{
	uint64_t table = 0;
	uint32_t seq;
	uint64_t e;

	/* a section, which those who wait for readers see */
	PT_STORE(&s->in, 1, RELAXED);
	PT_COMPILER_FENCE();
	if (PT_LOAD(&s->strict, RELAXED))
		return false;
	/* three tables, a plain leaf, nothing moved meanwhile */
	seq = PT_LOAD(&s->seq, ACQUIRE);
	if (!down(s, &table, va, 3) || !down(s, &table, va, 2) || !down(s, &table, va, 1))
		return false;
	e = look(s, table, va, 0);
	if ((e & (X86_P | X86_RARE)) != X86_P || PT_LOAD(&s->seq, RELAXED) != seq)
		return false;
	out->pa.v = (e & X86_PA) | (va & (PAGE - 1));
	out->attr.flags = (uint32_t)(e & 0x67) | (uint32_t)(~e >> 63) << 3;
	out->attr.format = 0;
	out->size = PAGE;
	out->level = 0;
	PT_STORE(&s->in, 0, RELEASE);
	return PT_LOAD(&s->epoch, RELAXED) == s->seen;
}

static double least_sample(void *state)
{
	struct least *s = state;
	struct bench_timer timer = {0};
	struct pt_translation out;
	uint64_t random = 88172645463325252u;
	uint64_t sum = 0;
	bool all = true;

	bench_start(&timer);
	for (uint64_t i = 0; i < LOOKUPS; i++) {
		uint64_t va = s->random ? bench_random(&random) & (GIB - 1) : i * PAGE;

		all &= translate(s, va, &out);
		sum += out.pa.v;
	}
	bench_stop(&timer);
	BENCH_USE(sum);
	if (!all)
		bench_die("least: no translation");
	return bench_result(&timer, LOOKUPS);
}

#define LEAST                                                                                      \
	.unit = "call", .limit = BENCH_WALK, .calibration = BENCH_STORE, .open = least_open,       \
	.sample = least_sample, .close = free

const struct bench bench_least[] = {
	{.name = "translate-sequential-least",
		LEAST,
		.what = "section, three tables, leaf, answer by hand, nothing else: "
			"translate-sequential's floor"},
	{.name = "translate-random-least",
		.unit = "call",
		.calibration = BENCH_CHASE,
		.arg = 1,
		.open = least_open,
		.sample = least_sample,
		.close = free,
		.what = "the same at random addresses"},
	{0},
};
