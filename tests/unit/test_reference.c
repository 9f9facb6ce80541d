/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The reference walkers on tables written by hand, entry by entry, from the manuals: so that they
 * are checked by something else than the library that they are there to check.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/by_hand.h"

static void fill(struct machine *m, uint64_t pa, unsigned count, uint64_t entry, unsigned bytes)
{
	for (unsigned i = 0; i < count; i++)
		put(m, pa + i * bytes, entry, bytes, bytes == 4);
}

/* PML4 at 0x1000, PDPT 0x2000, PD 0x3000, PT 0x4000. */
static void build_x86_64(struct machine *m)
{
	start(m);
	put(m, 0x1000, 0x2027, 8, false);
	put(m, 0x1ff8, 0x2027, 8, false); /* the same half a terabyte once more, at the top */
	put(m, 0x2000, 0x3027, 8, false);
	put(m, 0x2008, 0x40000083, 8, false); /* 1 GiB, supervisor */
	put(m, 0x3000, 0x4027, 8, false);
	put(m, 0x3008, 0x80000000002010e7, 8, false); /* 2 MiB, PAT bit, dirty, no fetch */
	put(m, 0x4028, UINT64_C(0x18000000abcde017) | 8, 8, false); /* 4 KiB, key 3, PCD, PWT */
}

static void test_x86_64(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	build_x86_64(&m);
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0x5123, &r), REF_OK);
	assert_true(r.pa == 0xabcde123 && r.size == 4096 && r.level == 0 && r.entry_pa == 0x4028);
	assert_int_equal(r.entry.flags, PT_READ | PT_WRITE | PT_EXEC | PT_USER |
					    PT_TYPE_UNCACHED << PT_ATTR_TYPE_AT |
					    3 << PT_ATTR_KEY_AT);
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0x212345, &r), REF_OK);
	assert_true(r.pa == 0x212345 && r.size == 0x200000 && r.level == 1);
	assert_int_equal(r.entry.flags,
	    PT_READ | PT_WRITE | PT_USER | PT_ACCESSED | PT_DIRTY); /* PAT entry 4: WB */
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0x7fffffff, &r), REF_OK);
	assert_true(r.pa == 0x7fffffff && r.size == 0x40000000 && r.level == 2);
	assert_int_equal(r.entry.flags, PT_READ | PT_WRITE | PT_EXEC);
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0xffffff8000005000, &r), REF_OK);
	assert_true(r.pa == 0xabcde000);
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0x6000, &r), REF_NOT_MAPPED);
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0x800000000000, &r),
	    REF_NOT_CANONICAL);
	assert_int_equal(ref_walk(&m.memory, "x86-64", 0x1000, 0, &r), REF_NO_FORMAT);
}

static void test_x86_64_errors(void **state)
{
	static struct machine m;
	struct ref_visitor nothing = {.table = NULL};
	struct ref_result r;

	(void)state;
	build_x86_64(&m);
	put(&m, 0x4000, 0x400, 8, false);
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0, &r), REF_BUSY_ENTRY);
	put(&m, 0x3010, 0x602083, 8, false); /* bit 13 of a 2 MiB leaf */
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0x400000, &r), REF_BAD_ENTRY);
	put(&m, 0x1008, 0x83, 8, false); /* PS in the PML4 */
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0x8000000000, &r), REF_BAD_ENTRY);
	put(&m, 0x2010, 0x7003, 8, false);
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0x80000000, &r), REF_NO_MEMORY);
	put(&m, 0x4000, 0, 8, false);
	assert_int_equal(ref_visit(&m.memory, "x86_64", 0x1000, &nothing, &r), REF_BAD_ENTRY);
	assert_true(r.va == 0x400000 && r.level == 1 && r.entry_pa == 0x3010 && r.raw == 0x602083);
}

/* Leaves are counted, and seen in address order. */
struct seen {
	unsigned count;
	uint64_t va[8];
	uint32_t rights[8];
	uint64_t bytes;
};

static int see(void *ctx, const struct ref_result *leaf)
{
	struct seen *seen = ctx;

	seen->bytes += leaf->size;
	if (seen->count < 8) {
		seen->va[seen->count] = leaf->va;
		seen->rights[seen->count] = leaf->entry.flags & REF_RIGHTS;
	}
	return ++seen->count == 100;
}

static int stop(void *ctx, const struct ref_result *leaf)
{
	(void)leaf;
	return ++*(int *)ctx == 2;
}

static void test_visit(void **state)
{
	static struct machine m;
	uint64_t counts[REF_MAX_LEVELS];
	struct seen seen = {0};
	int stopped = 0;

	(void)state;
	build_x86_64(&m);
	assert_int_equal(ref_count_tables(&m.memory, "x86_64", 0x1000, counts), REF_OK);
	assert_true(counts[0] == 2 && counts[1] == 2 && counts[2] == 2 && counts[3] == 1);
	assert_int_equal(ref_for_each(&m.memory, "x86_64", 0x1000, see, &seen), REF_OK);
	assert_int_equal(seen.count, 6);
	assert_true(seen.va[0] == 0x5000 && seen.va[1] == 0x200000 && seen.va[2] == 0x40000000);
	assert_true(seen.va[3] == 0xffffff8000005000);
	assert_true(seen.bytes == 2 * (0x1000 + 0x200000 + 0x40000000u));
	assert_int_equal(ref_for_each(&m.memory, "x86_64", 0x1000, stop, &stopped), REF_STOPPED);
	assert_int_equal(stopped, 2);
}

/* What a table forbids, no leaf below it grants. */
static void test_rights(void **state)
{
	static struct machine m;
	struct ref_result r;
	struct seen seen = {0};

	(void)state;
	build_x86_64(&m);
	put(&m, 0x1000, 0x2025, 8, false);                       /* read-only */
	put(&m, 0x3000, UINT64_C(0x8000000000004023), 8, false); /* supervisor, no fetch */
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0x5000, &r), REF_OK);
	assert_int_equal(r.entry.flags & REF_RIGHTS, PT_READ);
	assert_int_equal(ref_walk(&m.memory, "x86_64", 0x1000, 0x40000000, &r), REF_OK);
	assert_int_equal(r.entry.flags & REF_RIGHTS, PT_READ | PT_EXEC);
	assert_int_equal(ref_for_each(&m.memory, "x86_64", 0x1000, see, &seen), REF_OK);
	assert_int_equal(seen.rights[0], PT_READ);
	assert_int_equal(seen.rights[2], PT_READ | PT_EXEC);
	assert_int_equal(seen.rights[3], PT_READ | PT_WRITE); /* by the other entry */
}

/* Five levels: one more on top of the same four. */
static void test_la57(void **state)
{
	static struct machine m;
	struct ref_result r;
	uint64_t counts[REF_MAX_LEVELS];

	(void)state;
	build_x86_64(&m);
	put(&m, 0x5ff8, 0x1027, 8, false);
	assert_int_equal(ref_walk(&m.memory, "x86_64-la57", 0x5000, 0xffff000000005000, &r),
	    REF_OK);
	assert_true(r.pa == 0xabcde000 && r.level == 0);
	assert_int_equal(ref_walk(&m.memory, "x86_64-la57", 0x5000, 0x5000, &r), REF_NOT_MAPPED);
	assert_int_equal(ref_count_tables(&m.memory, "x86_64-la57", 0x5000, counts), REF_OK);
	assert_true(counts[4] == 1 && counts[3] == 1 && counts[0] == 2);
}

/*
 * fake8: root 0x40 (8 entries), level 2 at 0x80 (16), level 1 at 0x100 (8), level 0 at 0x160 (4).
 * The VA is 3 + 4 + 3 + 2 + 6 bits.
 */
static void build_fake8(struct machine *m)
{
	start(m);
	fill(m, 0x40, 8, 0xe3e3e3e3e3e3e3eb, 8);
	fill(m, 0x80, 16, 0xe2e2e2e2e2e2e2e2, 8);
	fill(m, 0x100, 8, 0xe1e1e1e1e1e1e1ed, 8);
	fill(m, 0x160, 4, 0xe0e0e0e0e0e0e0e7, 8);
	put(m, 0x78, 0x80 / 32 << 19 | 0x5, 8, false); /* index 7: the top of the upper half */
	put(m, 0x80, 0x100 / 32 << 8 | 0xa, 8, false);
	put(m, 0x100, 0x160 / 32 << 15 | 0x6, 8, false);
	/* A run: frames 0x12 and 0x13, R and W, normal memory; the second is accessed. */
	put(m, 0x160, UINT64_C(1) << 60 | 0x12 << 14 | 1 << 13 | 3 << 4 | 9, 8, false);
	put(m, 0x168, UINT64_C(1) << 60 | 0x13 << 14 | 1 << 13 | 1 << 7 | 3 << 4 | 9, 8, false);
	/* Execute-only: R 5, X 8. */
	put(m, 0x170, 0x777 << 14 | 1 << 13 | 1 << 8 | 9, 8, false);
	/* Level 1, frame 0x40: R is bit 10, W and X stored inverted, type 1 is device: T0 is 17. */
	put(m, 0x108, UINT64_C(0x40) << 20 | 1 << 17 | 1 << 10 | 1 << 5 | 3, 8, false);
	/* Level 2, frame 0x20: A and D stored inverted, key 2: K1 is 56, type 0. */
	put(m, 0x88, UINT64_C(1) << 56 | UINT64_C(1) << 53 | 0x20 << 9 | 1 << 6 | 0xc, 8, false);
}

#define FAKE8_TOP UINT64_C(0xffffffffffff8000)

static void test_fake8(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	build_fake8(&m);
	assert_int_equal(ref_walk(&m.memory, "fake8", 0x40, FAKE8_TOP + 0x41, &r), REF_OK);
	assert_true(r.pa == 0x13 * 64 + 1 && r.size == 64 && r.run_size == 128);
	assert_int_equal(r.entry.flags, PT_READ | PT_WRITE | PT_ACCESSED);
	assert_int_equal(ref_walk(&m.memory, "fake8", 0x40, FAKE8_TOP + 0x80, &r), REF_OK);
	assert_true(r.pa == 0x777 * 64 && r.run_size == 64 && r.entry.flags == PT_EXEC);
	assert_int_equal(ref_walk(&m.memory, "fake8", 0x40, FAKE8_TOP + 0x1ff, &r), REF_OK);
	assert_true(r.pa == 0x40 * 64 + 0xff && r.level == 1 && r.size == 256);
	assert_int_equal(r.entry.flags, PT_READ | PT_WRITE | PT_TYPE_DEVICE << PT_ATTR_TYPE_AT);
	assert_int_equal(ref_walk(&m.memory, "fake8", 0x40, FAKE8_TOP + 0xfff, &r), REF_OK);
	assert_true(r.pa == 0x20 * 64 + 0x7ff && r.level == 2 && r.size == 2048);
	assert_int_equal(r.entry.flags,
	    PT_READ | PT_DIRTY | PT_TYPE_UNCACHED << PT_ATTR_TYPE_AT | 2 << PT_ATTR_KEY_AT);
	assert_int_equal(ref_walk(&m.memory, "fake8", 0x40, 0x8000, &r), REF_NOT_MAPPED);
	assert_int_equal(ref_walk(&m.memory, "fake8", 0x40, 0x20000, &r), REF_NOT_CANONICAL);
}

/* A run must be whole, aligned, of neighbours, and alike. */
static void test_broken_runs(void **state)
{
	static const uint64_t second[] = {
		UINT64_C(0xe0e0e0e0e0e0e0e7),
		0x13 << 14 | 1 << 13 | 3 << 4 | 9,
		UINT64_C(1) << 60 | 0x15 << 14 | 1 << 13 | 3 << 4 | 9,
		UINT64_C(1) << 60 | 0x13 << 14 | 1 << 13 | 2 << 4 | 9,
	};
	static struct machine m;
	struct ref_result r;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		build_fake8(&m);
		put(&m, 0x168, second[i], 8, false);
		assert_int_equal(ref_walk(&m.memory, "fake8", 0x40, FAKE8_TOP, &r), REF_BAD_ENTRY);
	}
	build_fake8(&m);
	put(&m, 0x160, UINT64_C(1) << 60 | 0x13 << 14 | 1 << 13 | 3 << 4 | 9, 8, false);
	put(&m, 0x168, UINT64_C(1) << 60 | 0x14 << 14 | 1 << 13 | 3 << 4 | 9, 8, false);
	assert_int_equal(ref_walk(&m.memory, "fake8", 0x40, FAKE8_TOP, &r), REF_BAD_ENTRY);
}

/* fake4: root 0x80 (32 entries), level 1 at 0x40 (16), level 0 at 0x30 (4). */
static void test_fake4(void **state)
{
	static struct machine m;
	struct ref_result r;
	uint64_t counts[REF_MAX_LEVELS];

	(void)state;
	start(&m);
	fill(&m, 0x80, 32, 0x3c4b5a6e, 4);
	fill(&m, 0x40, 16, 0x2b3c4d51, 4);
	fill(&m, 0x30, 4, 0x1f2e3d4a, 4);
	put(&m, 0xfc, 0x40 / 16 << 12 | 0xc, 4, true);
	put(&m, 0x40, 0x30 / 16 << 8 | 0x3, 4, true);
	put(&m, 0x34, 1u << 28 | 0x15 << 10 | 1 << 5 | 6, 4, true); /* normal, W, X inverted */
	put(&m, 0x44, 0x18 << 13 | 1 << 7 | 1 << 5 | 9, 4, true);   /* uncached, read-only, soft */
	assert_int_equal(m.bytes[0x37], 0x26);
	assert_int_equal(ref_walk(&m.memory, "fake4", 0x80, 0x1f07f, &r), REF_OK);
	assert_true(r.pa == 0x15 * 64 + 0x3f && r.level == 0 && r.size == 64);
	assert_int_equal(r.entry.flags, PT_READ | PT_WRITE | PT_EXEC);
	assert_int_equal(ref_walk(&m.memory, "fake4", 0x80, 0x1f1fe, &r), REF_OK);
	assert_true(r.pa == 0x18 * 64 + 0xfe && r.level == 1 && r.size == 256);
	assert_int_equal(r.entry.flags, PT_READ | PT_SOFT | PT_TYPE_UNCACHED << PT_ATTR_TYPE_AT);
	assert_int_equal(ref_walk(&m.memory, "fake4", 0x80, 0x20000, &r), REF_NOT_CANONICAL);
	assert_int_equal(ref_count_tables(&m.memory, "fake4", 0x80, counts), REF_OK);
	assert_true(counts[0] == 1 && counts[1] == 1 && counts[2] == 1 && counts[3] == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x86_64),
		cmocka_unit_test(test_x86_64_errors),
		cmocka_unit_test(test_visit),
		cmocka_unit_test(test_la57),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_fake8),
		cmocka_unit_test(test_broken_runs),
		cmocka_unit_test(test_fake4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
