/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The arm64 reference walkers on tables written by hand, descriptor by descriptor. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/by_hand.h"

#define DEVICE (PT_TYPE_DEVICE << PT_ATTR_TYPE_AT)

/* Root at 0x1000, level 2 at 0x2000, 1 at 0x3000, 0 at 0x4000. */
static void build_4k(struct machine *m)
{
	start(m);
	put(m, 0x1000, 0x2003, 8, false);
	put(m, 0x2000, 0x3003, 8, false);
	/* 1 GiB: AF, inner shareable, EL1 alone, read and write. */
	put(m, 0x2008, 0x40000701, 8, false);
	put(m, 0x3000, 0x4003, 8, false);
	/* 2 MiB: index 3, AF, nG, EL0, read-only, UXN, PXN. */
	put(m, 0x3008, UINT64_C(0x60000000200fcd), 8, false);
	/* 4 KiB: writable and clean: DBM with AP[2]; EL0, UXN and PXN clear; bit 56. */
	put(m, 0x4028, UINT64_C(0x1080000abcdefc3), 8, false);
}

static void test_4k(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	build_4k(&m);
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-48", 0x1000, 0x5123, &r), REF_OK);
	assert_true(r.pa == 0xabcde123 && r.size == 4096 && r.level == 0 && r.entry_pa == 0x4028);
	assert_int_equal(r.entry.flags,
	    PT_READ | PT_WRITE | PT_EXEC | PT_USER | PT_ACCESSED | PT_SOFT);
	assert_int_equal(r.entry.format, 4); /* EL1 may execute it, too */
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-48", 0x1000, 0x212345, &r), REF_OK);
	assert_true(r.pa == 0x212345 && r.size == 0x200000 && r.level == 1);
	assert_int_equal(r.entry.flags, PT_READ | PT_USER | PT_ACCESSED | DEVICE);
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-48", 0x1000, 0x7fffffff, &r), REF_OK);
	assert_true(r.pa == 0x7fffffff && r.size == 0x40000000 && r.level == 2);
	assert_int_equal(r.entry.flags,
	    PT_READ | PT_WRITE | PT_EXEC | PT_GLOBAL | PT_ACCESSED | PT_DIRTY);
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-39", 0x2000, 0x5123, &r), REF_OK);
	assert_true(r.pa == 0xabcde123);
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-48", 0x1000, UINT64_C(1) << 48, &r),
	    REF_NOT_CANONICAL);
}

/* APTable and XNTable take rights away. */
static void test_tables_limit(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	build_4k(&m);
	put(&m, 0x3000, UINT64_C(3) << 61 | 0x4003, 8, false);
	put(&m, 0x2000, UINT64_C(3) << 59 | 0x3003, 8, false);
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-48", 0x1000, 0x5000, &r), REF_OK);
	assert_int_equal(r.entry.flags & REF_RIGHTS, PT_READ);
}

/* Level 1 at 0x3000: 16 blocks of 2 MiB with the contiguous bit. */
static void test_run(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	build_4k(&m);
	for (uint64_t i = 0; i < 16; i++)
		put(&m, 0x3080 + 8 * i, UINT64_C(1) << 52 | (0x4000000 + (i << 21)) | 0x701, 8,
		    false);
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-48", 0x1000, 0x3f00000, &r), REF_OK);
	assert_true(r.pa == 0x5f00000 && r.size == 0x200000 && r.run_size == 0x2000000);
	put(&m, 0x30f8, 0x5e00701, 8, false); /* the last without */
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-48", 0x1000, 0x2000000, &r), REF_BAD_ENTRY);
}

/* Descriptors that are reserved, for level 1. */
static void test_reserved(void **state)
{
	static const uint64_t bad[] = {
		0x201701,                      /* address below the block's size */
		UINT64_C(1) << 48 | 0x200701,  /* beyond 48 bits */
		0x200501,                      /* SH 1 */
		0x4 | UINT64_C(1) << 49 | 0x3, /* a table beyond 48 bits */
	};
	static struct machine m;
	struct ref_result r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		build_4k(&m);
		put(&m, 0x3000, bad[i], 8, false);
		assert_int_equal(ref_walk(&m.memory, "arm64-4k-48", 0x1000, 0, &r), REF_BAD_ENTRY);
	}
	build_4k(&m);
	put(&m, 0x1008, 0x701, 8, false); /* a block of 512 GiB */
	put(&m, 0x4000, 0x701, 8, false); /* a block where pages are */
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-48", 0x1000, 0, &r), REF_BAD_ENTRY);
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-48", 0x1000, 0x8000000000, &r),
	    REF_BAD_ENTRY);
}

/* LPA2: address bits 51:50 are where SH was. Root of 16 entries at 0x5080. */
static void test_lpa2(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	build_4k(&m);
	put(&m, 0x50f8, 0x1003, 8, false);
	put(&m, 0x1008, UINT64_C(0x3000000000000) | 0x501, 8, false); /* 512 GiB */
	put(&m, 0x4028, UINT64_C(0x3ffff12345000) | 0x643, 8, false);
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-52", 0x5080, 0xf000000005000, &r), REF_OK);
	assert_true(r.pa == UINT64_C(0xbffff12345000) && r.level == 0);
	assert_int_equal(ref_walk(&m.memory, "arm64-4k-52", 0x5080, 0xf008000000000, &r), REF_OK);
	assert_true(r.pa == UINT64_C(0x7000000000000) && r.level == 3 && r.size == 0x8000000000);
}

/* 16 KiB: root of two entries at 0x40, all others in one table at 0x4000; a block of 32 MiB. */
static void test_16k(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	start(&m);
	put(&m, 0x48, 0x4003, 8, false);
	put(&m, 0x4008, 0x4003, 8, false); /* itself: levels 2 and 1 */
	put(&m, 0x4010, 0x6000701, 8, false);
	assert_int_equal(ref_walk(&m.memory, "arm64-16k-48", 0x40, 0x801004000000 + 0x123456, &r),
	    REF_OK);
	assert_true(r.pa == 0x6123456 && r.level == 1 && r.size == 0x2000000);
	put(&m, 0x4008, 0x5003, 8, false); /* a table that lies between frames */
	assert_int_equal(ref_walk(&m.memory, "arm64-16k-48", 0x40, 0x801004000000, &r),
	    REF_BAD_ENTRY);
}

/* 64 KiB: root at 0x200, its second entry 4 TiB with address bits 51:48 in 15:12. */
static void test_64k(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	start(&m);
	put(&m, 0x208, UINT64_C(0x40000000701) | 0xa000, 8, false);
	assert_int_equal(ref_walk(&m.memory, "arm64-64k-52", 0x200, 0x40000000001, &r), REF_OK);
	assert_true(r.pa == UINT64_C(0xa040000000001) && r.level == 2);
	assert_int_equal(ref_walk(&m.memory, "arm64-64k-48", 0x200, 0x40000000000, &r),
	    REF_BAD_ENTRY);
	put(&m, 0x208, 0x20000701, 8, false);
	assert_int_equal(ref_walk(&m.memory, "arm64-64k-42", 0x200, 0x20000001, &r), REF_OK);
	assert_true(r.pa == 0x20000001 && r.level == 1 && r.size == 0x20000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_4k),
		cmocka_unit_test(test_tables_limit),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_lpa2),
		cmocka_unit_test(test_16k),
		cmocka_unit_test(test_64k),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
