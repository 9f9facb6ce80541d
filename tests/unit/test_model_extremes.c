/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Arguments from the ends of every range, in any combination, on spaces in little memory: each call
 * ends with 0 or one of the errors, in bounded time, and leaves tables with which nothing is wrong.
 * What was done to what is the model's business (test_model.c). `--seed N` repeats a run.
 */
#include <time.h>

#include <ptdesc/kernel.h>
#include "tests/kit/test_port.h"
#include "tests/unit/core_kit.h"

#define OPS 2000u

static uint64_t seed;

/* Two spaces, and the arguments of the call under way. */
struct world {
	struct test_port port;
	const struct pt_format *format;
	struct pt_space space[2];
	struct pt_space *a;
	struct pt_space *b;
	uint64_t random;
	pt_va va;
	pt_va to;
	pt_pa pa;
	uint64_t size;
	pt_attr attr;
	uint32_t flags;
	unsigned level;
	struct pt_run run[4];
	struct pt_gather gather_of;
	struct pt_gather *gather;
};

static uint64_t any(struct world *w, uint64_t below)
{
	w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return below ? (w->random >> 24) % below : 0;
}

/* Bytes of an entry of some level, of the page, or of the space's half. */
static uint64_t any_unit(struct world *w)
{
	unsigned level = (unsigned)any(w, w->format->levels + 1u);

	if (level == w->format->levels)
		return UINT64_C(1) << (w->format->va_bits - 1);
	return UINT64_C(1) << pt_format_shift(w->format, level);
}

/* Near a boundary of something, seldom misaligned. */
static uint64_t any_address(struct world *w)
{
	uint64_t at = any_unit(w) * any(w, 3);
	uint64_t off = any(w, 4) << w->format->page_shift;

	at = any(w, 3) ? at : 0 - at;
	at = any(w, 2) ? at + off : at - off;
	return any(w, 40) ? at : at + 1 + any(w, 7);
}

static void any_arguments(struct world *w)
{
	w->a = &w->space[any(w, 2)];
	w->b = &w->space[any(w, 2)];
	w->va = pt_make_va(any_address(w));
	w->to = pt_make_va(any_address(w));
	w->pa = pt_make_pa(any(w, 4) ? any_address(w) & ((UINT64_C(1) << w->format->pa_bits) - 1)
				     : any_address(w));
	w->size = any(w, 3) ? any_unit(w) * (1 + any(w, 2)) : any_address(w);
	w->attr = pt_make_attr(any(w, 4) ? PT_READ | PT_WRITE : (uint32_t)any(w, 1u << 12));
	w->flags = any(w, 3) ? 0 : (uint32_t)any(w, 1u << 9);
	w->level = (unsigned)any(w, PT_MAX_LEVELS + 1);
	w->gather_of = pt_make_gather(w->run, 1 + (size_t)any(w, 4), NULL, NULL);
	w->gather = any(w, 2) ? &w->gather_of : NULL;
}

static int no_more(void *ctx, const struct pt_piece *piece)
{
	(void)piece;
	return any(ctx, 8) == 0 ? PT_ENOENT : 0;
}

static int change(struct world *w, unsigned call)
{
	switch (call) {
	case 0:
		return pt_map(w->a, w->va, w->size, w->pa, w->attr, w->flags);
	case 1:
		return pt_map_replace(w->a, w->va, w->size, w->pa, w->attr, w->flags, w->gather);
	case 2:
		return pt_unmap(w->a, w->va, w->size, w->flags, w->gather);
	case 3:
		return pt_protect(w->a, w->va, w->size, w->attr, w->flags);
	case 4:
		return pt_populate(w->a, w->va, w->size, w->level, w->flags);
	case 5:
		return pt_split(w->a, w->va, w->size, w->level, w->flags);
	case 6:
		return pt_collapse(w->a, w->va, w->level, w->flags);
	case 7:
		return pt_move(w->a, w->va, w->size, w->to, w->flags);
	case 8:
		return pt_prune(w->a, w->va, w->size, w->to, pt_make_va(w->pa.v));
	default:
		return pt_set_memory(w->a, w->va, w->size, w->flags & 7, w->attr.flags & 7, 0);
	}
}

static int share_or_ask(struct world *w, unsigned call)
{
	struct pt_translation t;
	uint64_t bytes;
	unsigned level;

	switch (call) {
	case 0:
		return pt_copy(w->a, w->b, w->va, w->size, w->flags);
	case 1:
		return pt_share_table(w->a, w->b, w->va, w->flags);
	case 2:
		return pt_unshare_table(w->a, w->va, NULL);
	case 3:
		return pt_age(w->a, w->va, w->size, &bytes);
	case 4:
		return pt_dirty(w->a, w->va, w->size, no_more, w, &bytes);
	case 5:
		return pt_access_fault(w->a, w->va, w->attr.flags & 15);
	case 6:
		return pt_translate(w->a, w->va, &t);
	case 7:
		return pt_table_level(w->a, w->va, &level);
	default:
		return pt_walk(w->a, w->va, w->size, no_more, w);
	}
}

static void settled(struct world *w, unsigned op)
{
	struct pt_fault_report report;

	for (unsigned i = 0; i < 2; i++)
		if (pt_check(&w->space[i], &report))
			fail_msg("%s, seed %llu, call %u: %s at %#llx, level %u", w->format->name,
			    (unsigned long long)seed, op, report.what,
			    (unsigned long long)report.va.v, report.level);
	assert_null(test_port_unwritten(&w->port));
}

static void run(const struct pt_format *format, uint32_t flags)
{
	struct world w = {.format = format, .random = seed};
	struct pt_leaks leaks;

	test_port_open(&w.port, format->page_shift, 1, format->page_shift < 12 ? 11 : 8, 4);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pt_space_init(&w.space[i], w.port.memory, format, flags, NULL), 0);
	for (unsigned op = 0; op < OPS; op++) {
		int err;

		any_arguments(&w);
		err = any(&w, 2) ? change(&w, (unsigned)any(&w, 10))
				 : share_or_ask(&w, (unsigned)any(&w, 9));
		if (err > PT_ENOENT || err < -PT_ENOTSUP)
			fail_msg("%s, seed %llu, call %u: %d", format->name,
			    (unsigned long long)seed, op, err);
		if (op % 16 == 0)
			settled(&w, op);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pt_space_destroy(&w.space[i], NULL), 0);
	assert_int_equal(test_port_close(&w.port, &leaks), 0);
}

static void run_formats(uint32_t flags)
{
	print_message("# seed %llu\n", (unsigned long long)seed);
	for (unsigned i = 0; pt_formats[i]; i++)
		run(pt_formats[i], flags);
}

static void test_plain(void **state)
{
	(void)state;
	run_formats(0);
}

static void test_mmu(void **state)
{
	(void)state;
	run_formats(PT_SPACE_MMU);
}

static void test_kernel(void **state)
{
	(void)state;
	run_formats(PT_SPACE_MMU | PT_SPACE_KERNEL);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_mmu),
		cmocka_unit_test(test_kernel),
	};

	seed = argc == 3 && !strcmp(argv[1], "--seed") ? strtoull(argv[2], NULL, 0)
						       : (uint64_t)time(NULL);
	return KIT_RUN("model_extremes", tests);
}
