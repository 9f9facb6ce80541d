/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ranges of a space. Where a row says nothing else the range is 64 MiB in one upper table (32 leaf
 * tables, half of what a CPU keeps ready), the memory behind it is contiguous, and no MMU walks
 * the tables.
 */
#include <stdlib.h>

#include "benches/bench.h"
#include "benches/rig.h"

#define RANGE  (64 * MIB)
#define ROUNDS 32u /* maps, or unmaps, of the range in a repetition */
#define LEAF   (2 * MIB)
#define BASE   (16 * GIB)

/* How a row differs from the plainest. */
enum {
	MMU = 1,      /* an MMU is behind */
	KEEP = 2,     /* tables stay */
	UNMAP = 4,    /* the unmap is what counts */
	LARGE = 8,    /* leaves of 2 MiB */
	LIST = 16,    /* a list of scattered frames */
	CURSOR = 32,  /* page after page through a cursor */
	WHOLE = 64,   /* 1 GiB */
	PARTS = 128,  /* 500 pages of each leaf table, one call each */
	AD = 256,     /* accessed and dirty are set already */
	SHARE = 512,  /* fork: share leaf tables */
	AGAIN = 1024, /* fork: they are shared already */
	ODD = 2048,   /* move: by an odd number of pages */
};

#define PART_PAGES 500u

struct ranges {
	struct rig rig;
	unsigned how;
	uint64_t size;
	pt_attr attr;
	pt_pa *list;
	uint64_t at; /* move: where the range is now */
};

static uint64_t pages(const struct ranges *s)
{
	return s->size / PAGE;
}

/* Every page of the memory in some order in which no two neighbours are neighbours. */
static void make_list(struct ranges *s)
{
	uint64_t random = 88172645463325252u;

	s->list = bench_memory(pages(s) * sizeof(*s->list));
	for (uint64_t i = 0; i < pages(s); i++)
		s->list[i] = pt_make_pa(i * PAGE);
	for (uint64_t i = pages(s) - 1; i > 0; i--) {
		uint64_t j = bench_random(&random) % (i + 1);
		pt_pa swap = s->list[i];

		s->list[i] = s->list[j];
		s->list[j] = swap;
	}
}

static void *ranges_open(unsigned arg)
{
	struct ranges *s = bench_memory(sizeof(*s));

	rig_open(&s->rig, arg & MMU ? PT_SPACE_MMU : 0);
	s->how = arg;
	s->size = arg & WHOLE ? GIB : RANGE;
	s->attr =
	    pt_make_attr(PT_READ | PT_WRITE | PT_USER | (arg & AD ? PT_ACCESSED | PT_DIRTY : 0));
	if (arg & LIST)
		make_list(s);
	return s;
}

static void ranges_close(void *state)
{
	struct ranges *s = state;

	rig_close(&s->rig);
	free(s->list);
	free(s);
}

static void map_cursor(struct ranges *s)
{
	struct pt_cursor cursor;
	int err = 0;

	pt_cursor_open(&cursor, &s->rig.space, pt_make_va(BASE), s->attr, 0);
	for (uint64_t pa = 0; pa < s->size && !err; pa += PAGE)
		err = pt_cursor_map(&cursor, pt_make_pa(pa));
	rig_must(err ? err : pt_cursor_flush(&cursor), "cursor");
}

static void map_parts(struct ranges *s)
{
	int err = 0;

	for (uint64_t at = 0; at < s->size && !err; at += LEAF)
		err = pt_map(&s->rig.space, pt_make_va(BASE + at), PART_PAGES * PAGE,
		    pt_make_pa(at), s->attr, PT_SMALL);
	rig_must(err, "map");
}

static void unmap_parts(struct ranges *s)
{
	int err = 0;

	for (uint64_t at = 0; at < s->size && !err; at += LEAF)
		err = pt_unmap(&s->rig.space, pt_make_va(BASE + at), PART_PAGES * PAGE, 0,
		    &s->rig.gather);
	rig_must(err, "unmap");
}

static void map(struct ranges *s)
{
	struct pt_space *space = &s->rig.space;

	if (s->how & CURSOR)
		map_cursor(s);
	else if (s->how & PARTS)
		map_parts(s);
	else if (s->how & LIST)
		rig_must(pt_map_list(space, pt_make_va(BASE), s->list, pages(s), s->attr, 0),
		    "map");
	else
		rig_must(pt_map(space, pt_make_va(BASE), s->size, pt_make_pa(0), s->attr,
			     s->how & LARGE ? 0 : PT_SMALL),
		    "map");
}

static void unmap(struct ranges *s)
{
	if (s->how & PARTS)
		unmap_parts(s);
	else
		rig_must(pt_unmap(&s->rig.space, pt_make_va(BASE), s->size,
			     s->how & KEEP ? PT_KEEP_TABLES : 0, &s->rig.gather),
		    "unmap");
}

/* Units of one map: pages, or large leaves. */
static double units(const struct ranges *s)
{
	if (s->how & PARTS)
		return (double)(s->size / LEAF * PART_PAGES);
	return (double)(s->size / (s->how & LARGE ? LEAF : PAGE));
}

static double map_sample(void *state)
{
	struct ranges *s = state;
	struct bench_timer timers[2] = {{0}, {0}};
	unsigned rounds = s->how & WHOLE && !(s->how & LARGE) ? 4 : ROUNDS;

	for (unsigned i = 0; i < rounds; i++) {
		bench_start(&timers[0]);
		map(s);
		bench_stop(&timers[0]);
		bench_start(&timers[1]);
		unmap(s);
		bench_stop(&timers[1]);
	}
	return bench_result(&timers[s->how & UNMAP ? 1 : 0], units(s) * rounds);
}

/* --- changing, reading ------------------------------------------------------------------------ */

static void *mapped_open(unsigned arg)
{
	struct ranges *s = ranges_open(arg);

	map(s);
	s->at = BASE;
	return s;
}

/* To read-only and back: every entry changes each time. */
static double protect_sample(void *state)
{
	struct ranges *s = state;
	struct bench_timer timer = {0};
	pt_attr attr = s->attr;
	int err = 0;

	bench_start(&timer);
	for (unsigned i = 0; i < ROUNDS && !err; i++) {
		attr.flags ^= PT_WRITE;
		err = pt_protect(&s->rig.space, pt_make_va(BASE), s->size, attr, 0);
	}
	bench_stop(&timer);
	rig_must(err, "protect");
	return bench_result(&timer, units(s) * ROUNDS);
}

#define LOOKUPS 50000u

static double sequential_sample(void *state)
{
	struct ranges *s = state;
	struct bench_timer timer = {0};
	struct pt_translation out;
	uint64_t sum = 0;
	int err = 0;

	bench_start(&timer);
	for (uint64_t i = 0; i < LOOKUPS; i++) {
		err |= pt_translate(&s->rig.space, pt_make_va(BASE + i * PAGE), &out);
		sum += out.pa.v;
	}
	bench_stop(&timer);
	BENCH_USE(sum);
	rig_must(err, "translate");
	return bench_result(&timer, LOOKUPS);
}

static double random_sample(void *state)
{
	struct ranges *s = state;
	struct bench_timer timer = {0};
	struct pt_translation out;
	uint64_t random = 88172645463325252u;
	uint64_t sum = 0;
	int err = 0;

	bench_start(&timer);
	for (uint64_t i = 0; i < LOOKUPS; i++) {
		uint64_t va = BASE + (bench_random(&random) & (GIB - 1));

		err |= pt_translate(&s->rig.space, pt_make_va(va), &out);
		sum += out.pa.v;
	}
	bench_stop(&timer);
	BENCH_USE(sum);
	rig_must(err, "translate");
	return bench_result(&timer, LOOKUPS);
}

/* --- fork, move ------------------------------------------------------------------------------- */

static double fork_sample(void *state)
{
	struct ranges *s = state;
	uint32_t flags = PT_COW | (s->how & SHARE ? PT_SHARE : 0);
	struct bench_timer timer = {0};

	for (unsigned i = 0; i < 4; i++) {
		if (!(s->how & AGAIN))
			rig_must(pt_protect(&s->rig.space, pt_make_va(BASE), s->size, s->attr, 0),
			    "protect");
		bench_start(&timer);
		rig_must(pt_copy(&s->rig.other, &s->rig.space, pt_make_va(BASE), s->size, flags),
		    "copy");
		bench_stop(&timer);
		rig_must(pt_unmap(&s->rig.other, pt_make_va(BASE), s->size, 0, NULL), "unmap");
	}
	return bench_result(&timer, units(s) * 4);
}

/* A first fork, given up again, leaves every leaf table shared, by one space. */
static void *again_open(unsigned arg)
{
	struct ranges *s = mapped_open(arg);

	rig_must(pt_copy(&s->rig.other, &s->rig.space, pt_make_va(BASE), s->size,
		     PT_COW | PT_SHARE),
	    "copy");
	rig_must(pt_unmap(&s->rig.other, pt_make_va(BASE), s->size, 0, NULL), "unmap");
	return s;
}

static double move_sample(void *state)
{
	struct ranges *s = state;
	uint64_t there = BASE + 4 * GIB + (s->how & ODD ? 5 * PAGE : 0);
	unsigned rounds = s->how & ODD ? 2 : 10;
	struct bench_timer timer = {0};

	bench_start(&timer);
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t to = s->at == BASE ? there : BASE;

		rig_must(pt_move(&s->rig.space, pt_make_va(s->at), s->size, pt_make_va(to), 0),
		    "move");
		s->at = to;
	}
	bench_stop(&timer);
	return bench_result(&timer, units(s) * rounds);
}

#define MAPS   .open = ranges_open, .close = ranges_close, .sample = map_sample
#define STORES .unit = "page", .calibration = BENCH_STORE
#define MAPPED .open = mapped_open, .close = ranges_close

const struct bench bench_spaces[] = {
	{.name = "map-range-fresh",
		MAPS,
		STORES,
		.target = 0.20,
		.limit = BENCH_VECTOR,
		.what = "map 64 MiB; leaf tables are taken, filled and linked"},
	{.name = "map-range-kept",
		MAPS,
		STORES,
		.target = 0.40,
		.arg = KEEP,
		.what = "map 64 MiB into leaf tables that are there"},
	{.name = "map-range-fresh-1g",
		MAPS,
		STORES,
		.limit = BENCH_VECTOR,
		.arg = WHOLE,
		.what = "map 1 GiB; most leaf tables have to be built from frames"},
	{.name = "map-range-kept-1g",
		MAPS,
		STORES,
		.arg = WHOLE | KEEP,
		.what = "map 1 GiB into leaf tables that are there"},
	{.name = "map-list",
		MAPS,
		STORES,
		.target = 0.7,
		.arg = LIST,
		.what = "map 64 MiB of scattered frames from a list, fresh leaf tables"},
	{.name = "map-cursor",
		MAPS,
		STORES,
		.target = 1.2,
		.arg = CURSOR,
		.what = "map 64 MiB page by page through a cursor, fresh leaf tables"},
	{.name = "map-2m",
		MAPS,
		.unit = "leaf",
		.calibration = BENCH_STORE,
		.target = 0.6,
		.arg = LARGE | WHOLE,
		.what = "map 1 GiB with leaves of 2 MiB, fresh table"},
	{.name = "unmap-range",
		MAPS,
		STORES,
		.target = 0.55,
		.limit = BENCH_CLEAR,
		.arg = UNMAP,
		.what = "unmap 64 MiB into a gather; leaf tables freed, graced and ready again"},
	{.name = "unmap-range-mmu",
		MAPS,
		STORES,
		.target = 0.55,
		.limit = BENCH_CLEAR,
		.arg = UNMAP | MMU,
		.what = "the same with an MMU behind: whole leaf tables, flushed and read plainly"},
	{.name = "unmap-range-kept",
		MAPS,
		STORES,
		.limit = BENCH_CLEAR,
		.arg = UNMAP | KEEP,
		.what = "unmap 64 MiB into a gather; leaf tables stay"},
	{.name = "unmap-range-1g",
		MAPS,
		STORES,
		.limit = BENCH_CLEAR,
		.arg = UNMAP | WHOLE,
		.what = "unmap 1 GiB into a gather, leaf tables freed"},
	{.name = "unmap-list",
		MAPS,
		STORES,
		.limit = BENCH_CLEAR,
		.arg = UNMAP | LIST,
		.what = "unmap 64 MiB of scattered frames: each page is a run of its own"},
	{.name = "unmap-parts",
		MAPS,
		STORES,
		.target = 0.55,
		.limit = BENCH_CLEAR,
		.arg = UNMAP | PARTS,
		.what = "unmap 500 pages, all that their leaf table holds, a call each"},
	{.name = "unmap-parts-mmu",
		MAPS,
		.unit = "page",
		.target = 2.6,
		.limit = BENCH_EXCHANGE,
		.calibration = BENCH_EXCHANGE,
		.arg = UNMAP | PARTS | MMU,
		.what = "the same with an MMU behind: an exchange for each entry"},
	{.name = "protect-range",
		.unit = "page",
		MAPPED,
		.target = 0.45,
		.limit = BENCH_MODIFY,
		.calibration = BENCH_STORE,
		.sample = protect_sample,
		.what = "write-protect 64 MiB, or the reverse"},
	{.name = "protect-range-mmu-ad",
		.unit = "page",
		MAPPED,
		.target = 0.45,
		.limit = BENCH_MODIFY,
		.calibration = BENCH_STORE,
		.arg = MMU | AD,
		.sample = protect_sample,
		.what = "the same, an MMU behind, accessed and dirty set already"},
	{.name = "protect-range-mmu",
		.unit = "page",
		MAPPED,
		.target = 2.6,
		.limit = BENCH_EXCHANGE,
		.calibration = BENCH_EXCHANGE,
		.arg = MMU,
		.sample = protect_sample,
		.what =
		    "the same, an MMU behind that may set them: a locked change for each entry"},
	{.name = "translate-sequential",
		.unit = "call",
		MAPPED,
		.target = 2.4,
		.limit = BENCH_WALK,
		.calibration = BENCH_STORE,
		.arg = WHOLE,
		.sample = sequential_sample,
		.what = "pt_translate, page after page, reader section included"},
	{.name = "translate-random",
		.unit = "call",
		MAPPED,
		.target = 4.2,
		.calibration = BENCH_CHASE,
		.arg = WHOLE,
		.sample = random_sample,
		.what = "pt_translate, random in 1 GiB of 4 KiB leaves, reader section included"},
	{.name = "fork-copied",
		.unit = "page",
		MAPPED,
		.target = 1.0,
		.limit = BENCH_COPY_LARGE,
		.calibration = BENCH_STORE,
		.arg = WHOLE,
		.sample = fork_sample,
		.what = "copy 1 GiB of writable pages copy-on-write, each leaf table copied"},
	{.name = "fork-shared-first",
		.unit = "page",
		MAPPED,
		.limit = BENCH_MODIFY,
		.calibration = BENCH_STORE,
		.arg = WHOLE | SHARE,
		.sample = fork_sample,
		.what = "the same, leaf tables shared: each is write-protected once"},
	{.name = "fork-shared",
		.unit = "page",
		.open = again_open,
		.close = ranges_close,
		.target = 0.01,
		.limit = BENCH_LOCKS,
		.calibration = BENCH_SPINLOCK,
		.arg = WHOLE | SHARE | AGAIN,
		.sample = fork_sample,
		.what = "a later fork: the leaf tables are shared already"},
	{.name = "move-subtrees",
		.unit = "page",
		MAPPED,
		.target = 0.01,
		.limit = BENCH_LOCKS,
		.calibration = BENCH_SPINLOCK,
		.arg = WHOLE,
		.sample = move_sample,
		.what = "move 1 GiB by 4 GiB: one entry, all tables below it locked and renamed"},
	{.name = "move-entries",
		.unit = "page",
		MAPPED,
		.target = 1.0,
		.limit = BENCH_COPY_LARGE,
		.calibration = BENCH_STORE,
		.arg = WHOLE | ODD,
		.sample = move_sample,
		.what = "move 1 GiB by an odd number of pages: each entry"},
	{0},
};
