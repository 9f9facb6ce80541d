/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Frames: allocation and free, hot, which is what the CPU's magazine serves. */
#include <stdlib.h>

#include <ptdesc/frame.h>

#include "benches/bench.h"
#include "benches/rig.h"

#define PAIRS 20000u

struct frames {
	struct rig rig;
	unsigned order;
	memdesc_t memdesc;
	uint64_t descriptor[2] __attribute__((aligned(16)));
};

enum {
	ORDER_MASK = 31,
	TYPED = 32,
};

static void *frames_open(unsigned arg)
{
	struct frames *f = bench_memory(sizeof(*f));

	rig_open(&f->rig, 0);
	f->order = arg & ORDER_MASK;
	f->memdesc =
	    arg & TYPED ? memdesc_create(f->descriptor, MEMDESC_USER_FIRST) : memdesc_none();
	return f;
}

static void frames_close(void *state)
{
	struct frames *f = state;

	rig_close(&f->rig);
	free(f);
}

static double frames_sample(void *state)
{
	struct frames *f = state;
	unsigned pairs = f->memdesc.v && f->order ? PAIRS / 20 : PAIRS;
	struct bench_timer timer = {0};

	bench_start(&timer);
	for (unsigned i = 0; i < pairs; i++) {
		pt_pfn pfn = memdesc_alloc_pages(f->rig.memory, 0, f->order, f->memdesc);

		if (pfn == PT_NO_PFN)
			bench_die("no frames");
		memdesc_free_pages(f->rig.memory, pfn, f->order);
	}
	bench_stop(&timer);
	return bench_result(&timer, pairs);
}

#define FRAMES .unit = "pair", .open = frames_open, .sample = frames_sample, .close = frames_close

const struct bench bench_frames[] = {
	{.name = "frame-order0",
		FRAMES,
		.target = 6,
		.calibration = BENCH_EXCHANGE,
		.limit = BENCH_STACK,
		.arg = 0,
		.what = "alloc and free one frame without descriptor, hot"},
	{.name = "frame-order0-typed",
		FRAMES,
		.calibration = BENCH_EXCHANGE,
		.limit = BENCH_STACK,
		.arg = TYPED,
		.what = "the same with a descriptor: the word is stamped and cleared"},
	{.name = "frame-order9",
		FRAMES,
		.target = 8,
		.calibration = BENCH_EXCHANGE,
		.limit = BENCH_STACK,
		.arg = 9,
		.what = "alloc and free 512 frames without descriptor, hot"},
	{.name = "frame-order9-typed",
		FRAMES,
		.target = 1.2,
		.calibration = BENCH_STAMP,
		.arg = 9 | TYPED,
		.what = "the same with a descriptor: 512 words are stamped and cleared"},
	{0},
};
