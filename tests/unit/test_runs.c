/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Contiguous runs of large leaves, which random operations never get to: every operation over all
 * of a run, a part of it, and across two, with an MMU behind that has seen all of it, has written
 * the first leaf of one, and has noted that in another.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/kit/soft_mmu.h"

static struct test_port port;
static struct soft_mmu mmu;
static struct pt_space a, b;
static uint64_t leaf; /* bytes of a leaf of level 1, of a run of them */
static uint64_t run;
static uint64_t dirty; /* bytes that somebody was told are */

#define ATTR pt_make_attr(PT_READ | PT_WRITE)

static void open_memory(const struct pt_format *format)
{
	const struct ref_format *ref = ref_find(format->name);

	test_port_open(&port, format->page_shift, 1, format->page_shift > 12 ? 8 : 9, 4);
	soft_mmu_init(&mmu, &port, format);
	assert_int_equal(pt_space_init(&a, port.memory, format, PT_SPACE_MMU, &a), 0);
	assert_int_equal(pt_space_init(&b, port.memory, format, PT_SPACE_MMU, &b), 0);
	soft_mmu_attach(&mmu, &a);
	soft_mmu_attach(&mmu, &b);
	leaf = UINT64_C(1) << pt_format_shift(format, 1);
	run = leaf << ref->run_shift[1];
}

static void on_release(void *ctx, const struct pt_run *runs, size_t count)
{
	(void)ctx;
	soft_mmu_release(&mmu, runs, count);
	for (size_t i = 0; i < count; i++)
		dirty += runs[i].dirty ? runs[i].size : 0;
}

/* What an MMU would keep of both spaces. */
static void walk_all(void)
{
	for (uint64_t va = 0; va < 4 * run; va += leaf) {
		struct ref_result r;

		(void)soft_mmu_access(&mmu, &a, va, PT_READ, &r);
		(void)soft_mmu_access(&mmu, &b, va, PT_READ, &r);
		soft_mmu_ahead(&mmu, &a, va);
	}
}

static void check(void)
{
	struct pt_fault_report report;
	const char *what = soft_mmu_check(&mmu);

	if (what)
		fail_msg("%s", what);
	assert_int_equal(pt_check(&a, &report), 0);
	assert_int_equal(pt_check(&b, &report), 0);
	assert_null(test_port_unwritten(&port));
}

/* Two runs of a at run and 2 * run, seen by the MMU, which has written the first. */
static void map_two(void)
{
	struct pt_translation t;
	struct ref_result r;

	assert_int_equal(pt_map(&a, pt_make_va(run), 2 * run, pt_make_pa(4 * run), ATTR, 0), 0);
	assert_int_equal(pt_translate(&a, pt_make_va(run + leaf), &t), 0);
	assert_true(t.level == 1 && t.size == run && t.pa.v == 4 * run + leaf);
	walk_all();
	assert_int_equal(soft_mmu_access(&mmu, &a, run, PT_WRITE, &r), 0);
	check();
	dirty = 0;
}

/* All of the run that was written is dirty to somebody, and nothing else is. */
static void check_dirty(void)
{
	uint64_t bytes;

	assert_int_equal(pt_dirty(&a, pt_make_va(0), 6 * run, NULL, NULL, &bytes), 0);
	assert_true(dirty + bytes == run);
	assert_int_equal(pt_dirty(&b, pt_make_va(0), 6 * run, NULL, NULL, &bytes), 0);
	assert_true(bytes == 0);
	check();
}

static void clear(void)
{
	struct pt_run runs[2];
	struct pt_gather gather = pt_make_gather(runs, 2, on_release, NULL);

	assert_int_equal(pt_unmap(&a, pt_make_va(0), 4 * run, 0, &gather), 0);
	assert_int_equal(pt_unmap(&b, pt_make_va(0), 4 * run, 0, &gather), 0);
	check();
}

/* What is done to a range. */
static void unmap(uint64_t va, uint64_t size)
{
	struct pt_run runs[2];
	struct pt_gather gather = pt_make_gather(runs, 2, on_release, NULL);

	assert_int_equal(pt_unmap(&a, pt_make_va(va), size, 0, &gather), 0);
	assert_true(gather.released == size);
}

static void protect(uint64_t va, uint64_t size)
{
	assert_int_equal(pt_protect(&a, pt_make_va(va), size, pt_make_attr(PT_READ), 0), 0);
}

static void retype(uint64_t va, uint64_t size)
{
	pt_attr attr = pt_make_attr(PT_READ | PT_WRITE | pt_attr_type(PT_TYPE_UNCACHED));

	assert_int_equal(pt_protect(&a, pt_make_va(va), size, attr, 0), 0);
}

static void make_global(uint64_t va, uint64_t size)
{
	pt_attr attr = pt_make_attr(PT_READ | PT_WRITE | PT_GLOBAL);

	assert_int_equal(pt_protect(&a, pt_make_va(va), size, attr, 0), 0);
}

static void replace(uint64_t va, uint64_t size)
{
	struct pt_run runs[2];
	struct pt_gather gather = pt_make_gather(runs, 2, on_release, NULL);

	assert_int_equal(pt_map_replace(&a, pt_make_va(va), size, pt_make_pa(8 * run + va), ATTR, 0,
			     &gather),
	    0);
	assert_true(gather.released == size);
}

static void copy(uint64_t va, uint64_t size)
{
	assert_int_equal(pt_copy(&b, &a, pt_make_va(va), size, PT_COW), 0);
}

static void move(uint64_t va, uint64_t size)
{
	uint64_t to = va < 2 * run ? va + 2 * run : va - 2 * run;

	assert_int_equal(pt_unmap(&a, pt_make_va(to), size, 0, NULL), 0);
	assert_int_equal(pt_move(&a, pt_make_va(va), size, pt_make_va(to), 0), 0);
}

static void split(uint64_t va, uint64_t size)
{
	assert_int_equal(pt_split(&a, pt_make_va(va), size, 0, 0), 0);
}

static void age(uint64_t va, uint64_t size)
{
	uint64_t first = va & ~(run - 1);
	uint64_t last = (va + size - 1) | (run - 1);
	uint64_t young;

	/* Runs as a whole. */
	assert_int_equal(pt_age(&a, pt_make_va(va), size, &young), 0);
	assert_true(young == last - first + 1);
	assert_int_equal(pt_age(&a, pt_make_va(first), last - first + 1, &young), 0);
	assert_true(young == 0);
}

static void clean(uint64_t va, uint64_t size)
{
	uint64_t first = va < 2 * run ? (va + size < 2 * run ? size : 2 * run - va) : 0;

	assert_int_equal(pt_dirty(&a, pt_make_va(va), size, NULL, NULL, &dirty), 0);
	assert_true(dirty == first);
}

static void (*const operations[])(uint64_t va, uint64_t size) = {unmap, protect, retype,
	make_global, replace, copy, move, split, age, clean};

static const char *const names[] = {"arm64-4k-48", "arm64-4k-52", "arm64-16k-47", "arm64-64k-48"};

/* Every operation over every kind of part. */
static void test_large_runs(void **state)
{
	(void)state;
	for (size_t f = 0; f < sizeof(names) / sizeof(names[0]); f++) {
		struct pt_leaks leaks;

		open_memory(pt_format_find(names[f]));
		for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
			const struct {
				uint64_t va;
				uint64_t size;
			} parts[] = {{run, run}, {run, 2 * run}, {run, leaf},
				{2 * run - leaf, leaf}, {run + leaf, 2 * leaf},
				{2 * run - leaf, 2 * leaf}};

			for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
				map_two();
				operations[i](parts[p].va, parts[p].size);
				walk_all();
				check();
				check_dirty();
				clear();
			}
		}
		assert_int_equal(pt_space_destroy(&a, NULL), 0);
		assert_int_equal(pt_space_destroy(&b, NULL), 0);
		assert_int_equal(test_port_close(&port, &leaks), 0);
	}
}

/* Leaves of a level one by one, in no order that makes a run; every fourth is a hole, or a table.
 */
static void scatter(uint64_t size, unsigned count)
{
	uint32_t flags = size < leaf ? PT_SMALL : 0;

	for (unsigned i = 0; i < count; i++) {
		uint64_t va = run + i * size;
		uint64_t pa = 4 * run + (count - 1 - i) * size;

		if (i % 4 == 3)
			continue;
		assert_int_equal(pt_map(&a, pt_make_va(va), size, pt_make_pa(pa), ATTR,
				     flags | (i % 4 == 2 ? PT_SMALL : 0)),
		    0);
	}
}

/* A run over what is none. */
static void replace_parts(unsigned level)
{
	uint64_t size = UINT64_C(1) << pt_format_shift(mmu.format, level);
	unsigned count = 1u << mmu.ref->run_shift[level];
	struct pt_run runs[2];
	struct pt_gather gather = pt_make_gather(runs, 2, on_release, NULL);
	struct pt_translation t;

	struct ref_result r;

	scatter(size, count);
	walk_all();
	assert_int_equal(soft_mmu_access(&mmu, &a, run, PT_WRITE, &r), 0);
	dirty = 0;
	assert_int_equal(pt_map_replace(&a, pt_make_va(run), count * size, pt_make_pa(8 * run),
			     ATTR, level ? 0 : PT_SMALL, &gather),
	    0);
	assert_true(gather.released == (uint64_t)(count - count / 4) * size);
	assert_int_equal(pt_translate(&a, pt_make_va(run + size), &t), 0);
	assert_true(t.level == level && t.size == count * size && t.pa.v == 8 * run + size);
	/* The leaf that was written, and no other of what is a run now. */
	assert_true(dirty == size);
	walk_all();
	check();
	assert_int_equal(pt_unmap(&a, pt_make_va(run), run, 0, NULL), 0);
	check();
}

static void test_runs_over_parts(void **state)
{
	(void)state;
	for (size_t f = 0; f < sizeof(names) / sizeof(names[0]); f++) {
		struct pt_leaks leaks;

		open_memory(pt_format_find(names[f]));
		replace_parts(0);
		replace_parts(1);
		assert_int_equal(pt_space_destroy(&a, NULL), 0);
		assert_int_equal(pt_space_destroy(&b, NULL), 0);
		assert_int_equal(test_port_close(&port, &leaks), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_runs),
		cmocka_unit_test(test_runs_over_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
