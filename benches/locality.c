/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The same call on ever more addresses: where tables no longer fit into a cache shows. */
#include <stdlib.h>

#include "benches/bench.h"
#include "benches/rig.h"

#define BASE  (16 * GIB)
#define CALLS 50000u

enum {
	RANDOM = 64,  /* else page after page */
	MAP_ONE = 128 /* map and unmap a page, tables kept; else translate */
};

struct locality {
	struct rig rig;
	uint64_t size; /* a power of two */
	unsigned how;
	uint64_t at;
};

/* arg: log2 of the size, and how. */
static void *locality_open(unsigned arg)
{
	struct locality *s = bench_memory(sizeof(*s));
	pt_attr attr = pt_make_attr(PT_READ | PT_WRITE | PT_USER);
	pt_va base = pt_make_va(BASE);

	rig_open(&s->rig, 0);
	s->size = UINT64_C(1) << (arg & 63);
	s->how = arg;
	if (arg & MAP_ONE)
		rig_must(pt_populate(&s->rig.space, base, s->size, 0, 0), "populate");
	else
		rig_must(pt_map(&s->rig.space, base, s->size, pt_make_pa(0), attr, PT_SMALL),
		    "map");
	return s;
}

static void locality_close(void *state)
{
	struct locality *s = state;

	rig_close(&s->rig);
	free(s);
}

static inline uint64_t next(struct locality *s, uint64_t *random)
{
	if (s->how & RANDOM)
		return BASE + (bench_random(random) & (s->size - PAGE) & ~(PAGE - 1));
	s->at = (s->at + PAGE) & (s->size - 1);
	return BASE + s->at;
}

static double locality_sample(void *state)
{
	struct locality *s = state;
	pt_attr attr = pt_make_attr(PT_READ | PT_WRITE | PT_USER);
	uint64_t random = 88172645463325252u;
	struct bench_timer timer = {0};
	struct pt_translation out;
	uint64_t sum = 0;
	int err = 0;

	bench_start(&timer);
	for (unsigned i = 0; i < CALLS; i++) {
		pt_va va = pt_make_va(next(s, &random));

		if (s->how & MAP_ONE) {
			err |= pt_map(&s->rig.space, va, PAGE, pt_make_pa(0), attr, 0);
			err |= pt_unmap(&s->rig.space, va, PAGE, PT_KEEP_TABLES, NULL);
		} else {
			err |= pt_translate(&s->rig.space, va, &out);
			sum += out.pa.v;
		}
	}
	bench_stop(&timer);
	BENCH_USE(sum);
	rig_must(err, "locality");
	return bench_result(&timer, CALLS);
}

#define FIRST 16u /* log2 of 64 KiB */
#define LAST  35u /* of 32 GiB, whose tables are 64 MiB */

void bench_plot_locality(bench_point_fn point)
{
	static const struct {
		const char *name;
		unsigned how;
	} series[] = {
		{"map + unmap a page, random", MAP_ONE | RANDOM},
		{"map + unmap a page, in order", MAP_ONE},
		{"translate, random", RANDOM},
		{"translate, in order", 0},
	};

	for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++)
		for (unsigned bits = FIRST; bits <= LAST; bits++) {
			struct bench row = {.name = series[i].name,
				.open = locality_open,
				.sample = locality_sample,
				.close = locality_close};

			row.arg = bits | series[i].how;
			point("locality", &row, UINT64_C(1) << bits);
		}
}
