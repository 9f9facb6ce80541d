/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Several threads in one space. A row's time is that of one operation of one thread while the
 * others do the same: where they do not hold each other up it is what one thread takes alone.
 */
#include <stdlib.h>

#include <ptdesc/atomic.h>

#include "benches/bench.h"
#include "benches/rig.h"
#include "benches/team.h"

#define BASE    (16 * GIB)
#define PAIRS   20000u
#define LOOKUPS 50000u

/* What the threads do; the number of them is in the low bits of a row's arg. */
enum {
	THREADS = 15,    /* mask */
	APART = 16,      /* map and unmap a page, each thread in 1 GiB of its own */
	SIBLINGS = 32,   /* each in a leaf table of its own, far apart under one upper table */
	NEAR = 512,      /* the same, next to each other: entries of the upper table share a line */
	LEAF = 64,       /* each has a page of one leaf table, which is kept */
	TRANSLATE = 128, /* random in the same 1 GiB */
	LOCK = 256,      /* a lock, and a count beside it */
};

struct crew {
	struct rig rig;
	unsigned how;
	struct {
		uint32_t lock;
		uint32_t count;
	} shared __attribute__((aligned(64)));
};

static void *crew_open(unsigned arg)
{
	struct crew *s = bench_memory(sizeof(*s));
	pt_attr attr = pt_make_attr(PT_READ | PT_WRITE | PT_USER);

	rig_open(&s->rig, 0);
	s->how = arg;
	if (arg & TRANSLATE)
		rig_must(pt_map(&s->rig.space, pt_make_va(BASE), GIB, pt_make_pa(0), attr,
			     PT_SMALL),
		    "map");
	return s;
}

static void crew_close(void *state)
{
	struct crew *s = state;

	rig_close(&s->rig);
	free(s);
}

/* Where a thread's page is. */
static uint64_t va_of(const struct crew *s, unsigned thread)
{
	if (s->how & APART)
		return BASE + thread * GIB;
	if (s->how & SIBLINGS)
		return BASE + thread * 128 * MIB;
	return BASE + thread * (s->how & NEAR ? UINT64_C(2) * MIB : PAGE);
}

static void pairs(struct crew *s, unsigned thread, unsigned count)
{
	pt_attr attr = pt_make_attr(PT_READ | PT_WRITE | PT_USER);
	pt_va va = pt_make_va(va_of(s, thread));
	uint32_t flags = s->how & LEAF ? PT_KEEP_TABLES : 0;
	int err = 0;

	for (unsigned i = 0; i < count && !err; i++) {
		err = pt_map(&s->rig.space, va, PAGE, pt_make_pa(GIB), attr, 0);
		if (!err)
			err = pt_unmap(&s->rig.space, va, PAGE, flags, NULL);
	}
	rig_must(err, "one page");
}

static void lookups(struct crew *s, unsigned thread, unsigned count)
{
	uint64_t random = 88172645463325252u + thread;
	struct pt_translation out;
	uint64_t sum = 0;
	int err = 0;

	for (unsigned i = 0; i < count; i++) {
		uint64_t va = BASE + (bench_random(&random) & (GIB - 1));

		err |= pt_translate(&s->rig.space, pt_make_va(va), &out);
		sum += out.pa.v;
	}
	BENCH_USE(sum);
	rig_must(err, "translate");
}

/* As often as a page is mapped and unmapped: twice each. */
static void locks(struct crew *s, unsigned count)
{
	for (unsigned i = 0; i < 2 * count; i++) {
		uint32_t free = 0;

		while (!PT_CAS(&s->shared.lock, &free, 1, ACQUIRE)) {
			while (PT_LOAD(&s->shared.lock, RELAXED))
				PT_COMPILER_FENCE();
			free = 0;
		}
		PT_STORE(&s->shared.count, PT_LOAD(&s->shared.count, RELAXED) + 1, RELAXED);
		PT_STORE(&s->shared.lock, 0, RELEASE);
	}
}

static void some(struct crew *s, unsigned thread, unsigned part)
{
	if (s->how & LOCK)
		locks(s, PAIRS / part);
	else if (s->how & TRANSLATE)
		lookups(s, thread, LOOKUPS / part);
	else
		pairs(s, thread, PAIRS / part);
}

/* Makes the thread a CPU, and its tables ready. */
static void first(void *state, unsigned thread)
{
	some(state, thread, 16);
}

static void work(void *state, unsigned thread)
{
	some(state, thread, 1);
}

static double crew_sample(void *state)
{
	struct crew *s = state;

	return team_run(s->how & THREADS, first, work, s) / (s->how & TRANSLATE ? LOOKUPS : PAIRS);
}

#define CREW .open = crew_open, .sample = crew_sample, .close = crew_close

/* What one thread takes, in the same code. */
static const struct bench alone[] = {
	{.name = "one-thread-apart",
		.unit = "pair",
		.reference = 1,
		CREW,
		.arg = 1 | APART,
		.what = "one thread"},
	{.name = "one-thread-translate",
		.unit = "call",
		.reference = 1,
		CREW,
		.arg = 1 | TRANSLATE,
		.what = "one thread"},
	{.name = "limit-contended",
		.unit = "pair",
		CREW,
		.arg = 2 | LOCK,
		.what = "two threads take one lock twice and count beside it"},
};

const struct bench bench_threads[] = {
	{.name = "threads-apart",
		.unit = "pair",
		CREW,
		.target = 1.2,
		.calibration = &alone[0],
		.arg = 2 | APART,
		.what = "map and unmap one page, leaf table made and freed, by two threads under "
			"different upper tables; limit: one thread"},
	{.name = "threads-siblings",
		.unit = "pair",
		CREW,
		.target = 100,
		.limit = &alone[2],
		.calibration = BENCH_EXCHANGE,
		.arg = 2 | SIBLINGS,
		.what = "the same far apart under one upper table; limit: two threads take one "
			"lock twice"},
	{.name = "threads-near",
		.unit = "pair",
		CREW,
		.target = 100,
		.limit = &alone[2],
		.calibration = BENCH_EXCHANGE,
		.arg = 2 | NEAR,
		.what = "the same in leaf tables next to each other: their entries share a line"},
	{.name = "threads-leaf",
		.unit = "pair",
		CREW,
		.limit = &alone[2],
		.calibration = BENCH_EXCHANGE,
		.arg = 2 | LEAF,
		.what = "map and unmap two pages of one leaf table, which is kept, by two threads"},
	{.name = "threads-translate",
		.unit = "call",
		CREW,
		.target = 1.2,
		.calibration = &alone[1],
		.arg = 2 | TRANSLATE,
		.what = "pt_translate, random in one 1 GiB, by two threads; limit: one thread"},
	{0},
};

/* --- a plot ----------------------------------------------------------------------------------- */

void bench_plot_threads(bench_point_fn point)
{
	static const struct {
		const char *name;
		unsigned how;
	} series[] = {
		{"map + unmap, different upper tables", APART},
		{"map + unmap, one upper table", SIBLINGS},
		{"translate, random in 1 GiB", TRANSLATE},
	};

	for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++)
		for (unsigned threads = 1; threads <= 4; threads *= 2) {
			struct bench row = {.name = series[i].name, CREW};

			row.arg = threads | series[i].how;
			point("threads", &row, threads);
		}
}
