/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The RISC-V reference walkers on tables written by hand, entry by entry, from the manual. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/by_hand.h"

/* Root at 0x1000, level 1 at 0x2000, level 0 at 0x3000. */
static void build_sv39(struct machine *m)
{
	start(m);
	put(m, 0x1000, 0x2000 >> 2 | 1, 8, false);
	put(m, 0x1ff8, 0x2000 >> 2 | 1, 8, false); /* the same gigabyte at the top */
	put(m, 0x1008, UINT64_C(0x80000000) >> 2 | 0x2f, 8, false); /* 1 GiB: global, R, W, X */
	put(m, 0x2000, 0x3000 >> 2 | 1, 8, false);
	put(m, 0x2008, 0x200000 >> 2 | 0x59, 8, false);              /* 2 MiB: A, U, X alone */
	put(m, 0x3028, UINT64_C(0xabcde000) >> 2 | 0x3d7, 8, false); /* 4 KiB: both RSW, A, D, U */
	put(m, 0x3030, UINT64_C(2) << 61 | 0x10000000 >> 2 | 0xc7, 8, false); /* I/O */
}

static void test_sv39(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	build_sv39(&m);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv39", 0x1000, 0x5123, &r), REF_OK);
	assert_true(r.pa == 0xabcde123 && r.size == 4096 && r.level == 0 && r.entry_pa == 0x3028);
	assert_int_equal(r.entry.flags,
	    PT_READ | PT_WRITE | PT_USER | PT_ACCESSED | PT_DIRTY | PT_SOFT);
	assert_int_equal(r.entry.format, 1);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv39", 0x1000, 0x6000, &r), REF_OK);
	assert_int_equal(r.entry.flags,
	    PT_READ | PT_WRITE | PT_ACCESSED | PT_DIRTY | PT_TYPE_UNCACHED << PT_ATTR_TYPE_AT);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv39", 0x1000, 0x212345, &r), REF_OK);
	assert_true(r.pa == 0x212345 && r.size == 0x200000 && r.level == 1);
	assert_int_equal(r.entry.flags, PT_EXEC | PT_USER | PT_ACCESSED);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv39", 0x1000, 0x7fffffff, &r), REF_OK);
	assert_true(r.pa == 0xbfffffff && r.size == 0x40000000 && r.level == 2);
	assert_int_equal(r.entry.flags, PT_READ | PT_WRITE | PT_EXEC | PT_GLOBAL);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv39", 0x1000, 0xffffffffc0005000, &r), REF_OK);
	assert_true(r.pa == 0xabcde000);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv39", 0x1000, 0x4000000000, &r),
	    REF_NOT_CANONICAL);
}

/* Words that the manual reserves, at the level given. */
static void test_reserved(void **state)
{
	static const struct {
		uint64_t entry;
		unsigned level;
	} bad[] = {
		{0x05, 0},                              /* W without R */
		{0x0d, 0},                              /* W and X without R */
		{UINT64_C(3) << 61 | 0x03, 0},          /* PBMT 3 */
		{UINT64_C(1) << 54 | 0x03, 0},          /* a reserved bit */
		{0x01, 0},                              /* a table below the last level */
		{0x41, 1},                              /* A in a table */
		{0x11, 1},                              /* U in a table */
		{UINT64_C(1) << 61 | 0x01, 1},          /* PBMT in a table */
		{UINT64_C(1) << 10 | 0x03, 1},          /* 2 MiB that are not aligned */
		{UINT64_C(1) << 63 | 1 << 13 | 0x3, 1}, /* N above level 0 */
	};
	static struct machine m;
	struct ref_result r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		build_sv39(&m);
		put(&m, bad[i].level ? 0x2000 : 0x3000, bad[i].entry, 8, false);
		assert_int_equal(ref_walk(&m.memory, "riscv-sv39", 0x1000, 0, &r), REF_BAD_ENTRY);
	}
}

/* Svnapot: 64 KiB from 0x10000 on, all entries alike. */
static void test_svnapot(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	build_sv39(&m);
	for (unsigned i = 16; i < 32; i++)
		put(&m, 0x3000 + 8 * i, UINT64_C(1) << 63 | UINT64_C(0xabcd8000) >> 2 | 0x3, 8,
		    false);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv39-napot", 0x1000, 0x1d123, &r), REF_OK);
	assert_true(r.pa == 0xabcdd123 && r.size == 0x1000 && r.run_size == 0x10000);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv39", 0x1000, 0x1d123, &r), REF_BAD_ENTRY);
	put(&m, 0x30f8, UINT64_C(1) << 63 | UINT64_C(0xabcd4000) >> 2 | 0x3, 8, false);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv39-napot", 0x1000, 0x1f000, &r),
	    REF_BAD_ENTRY);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv39-napot", 0x1000, 0x10000, &r),
	    REF_BAD_ENTRY);
}

/* One and two levels more on top. */
static void test_sv48_and_sv57(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	build_sv39(&m);
	put(&m, 0x4008, 0x1000 >> 2 | 1, 8, false);
	put(&m, 0x4010, UINT64_C(0x8000000000) >> 2 | 3, 8, false); /* 512 GiB */
	put(&m, 0x5ff8, 0x4000 >> 2 | 1, 8, false);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv48", 0x4000, 0x8000005000, &r), REF_OK);
	assert_true(r.pa == 0xabcde000);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv57", 0x5000, 0xffff010000000001, &r), REF_OK);
	assert_true(r.pa == 0x8000000001 && r.level == 3 && r.entry.flags == PT_READ);
}

/* Root at 0x1000, level 0 at 0x2000; physical addresses of 34 bits. */
static void test_sv32(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	start(&m);
	put(&m, 0x1004, 0x2000 >> 2 | 1, 4, false);
	put(&m, 0x1ffc, 0xc0000000 | 0xf, 4, false); /* 4 MiB at 12 GiB */
	put(&m, 0x2014, 0xfffff << 10 | 0x13, 4, false);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv32", 0x1000, 0x405678, &r), REF_OK);
	assert_true(r.pa == 0xfffff678 && r.size == 4096 && r.entry.flags == (PT_READ | PT_USER));
	assert_int_equal(ref_walk(&m.memory, "riscv-sv32", 0x1000, 0xffc12345, &r), REF_OK);
	assert_true(r.pa == 0x300012345 && r.size == 0x400000 && r.level == 1);
	put(&m, 0x1ffc, 0xc0000400 | 0xf, 4, false);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv32", 0x1000, 0xffc00000, &r), REF_BAD_ENTRY);
	assert_int_equal(ref_walk(&m.memory, "riscv-sv32", 0x1000, UINT64_C(1) << 32, &r),
	    REF_NOT_CANONICAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sv39),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_svnapot),
		cmocka_unit_test(test_sv48_and_sv57),
		cmocka_unit_test(test_sv32),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
