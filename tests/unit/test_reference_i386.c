/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The i386 reference walkers on tables written by hand, entry by entry, from the manual. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/by_hand.h"

/* Page directory at 0x1000, page table at 0x2000. */
static void build_i386(struct machine *m)
{
	start(m);
	put(m, 0x1000, 0x2027, 4, false);
	put(m, 0x1004, 0x004011e1, 4, false); /* 4 MiB: PAT bit, A, D, G, supervisor, read-only */
	put(m, 0x1ffc, 0x2025, 4, false);     /* the same table at the top, read-only */
	put(m, 0x2014, 0xabcdee9f, 4, false); /* 4 KiB: PAT, PCD, PWT, soft bits 9 and 11, U, W */
}

static void test_i386(void **state)
{
	static struct machine m;
	struct ref_result r;

	(void)state;
	build_i386(&m);
	assert_int_equal(ref_walk(&m.memory, "i386", 0x1000, 0x5123, &r), REF_OK);
	assert_true(r.pa == 0xabcde123 && r.size == 4096 && r.level == 0 && r.entry_pa == 0x2014);
	assert_int_equal(r.entry.flags, PT_READ | PT_WRITE | PT_EXEC | PT_USER | PT_SOFT |
					    PT_TYPE_WRITE_THROUGH << PT_ATTR_TYPE_AT);
	assert_int_equal(r.entry.format, 3);
	assert_int_equal(ref_walk(&m.memory, "i386", 0x1000, 0x412345, &r), REF_OK);
	assert_true(r.pa == 0x412345 && r.size == 0x400000 && r.level == 1);
	assert_int_equal(r.entry.flags,
	    PT_READ | PT_EXEC | PT_GLOBAL | PT_ACCESSED | PT_DIRTY); /* PAT entry 4: WB */
	assert_int_equal(ref_walk(&m.memory, "i386", 0x1000, 0xffc05000, &r), REF_OK);
	assert_int_equal(r.entry.flags & REF_RIGHTS, PT_READ | PT_EXEC | PT_USER);
	assert_int_equal(ref_walk(&m.memory, "i386", 0x1000, UINT64_C(1) << 32, &r),
	    REF_NOT_CANONICAL);
	put(&m, 0x1004, 0x004021e1, 4, false); /* bit 13: an address bit of PSE-36 */
	assert_int_equal(ref_walk(&m.memory, "i386", 0x1000, 0x400000, &r), REF_BAD_ENTRY);
	put(&m, 0x1000, 0x400, 4, false);
	assert_int_equal(ref_walk(&m.memory, "i386", 0x1000, 0, &r), REF_BUSY_ENTRY);
}

/* PDPT at 0x20, PD at 0x1000, PT at 0x2000. */
static void build_pae(struct machine *m)
{
	start(m);
	put(m, 0x20, 0x1001, 8, false);
	put(m, 0x38, 0x1001, 8, false); /* the same gigabyte at the top */
	put(m, 0x1000, 0x2027, 8, false);
	put(m, 0x1008, UINT64_C(0x80000001234000e7), 8, false); /* 2 MiB above 4 GiB, no fetch */
	put(m, 0x2028, UINT64_C(0xfffffabcde000) | 0x7, 8, false);
}

static void test_pae(void **state)
{
	static const struct {
		uint64_t at;
		uint64_t entry;
	} bad[] = {
		{0x20, 0x1003},                       /* a PDPTE with rights */
		{0x20, 0x1021},                       /* with A */
		{0x20, UINT64_C(1) << 63 | 0x1001},   /* with NX */
		{0x1000, UINT64_C(1) << 52 | 0x2027}, /* beyond the address */
		{0x1000, 0x2000e7},                   /* fine, and */
		{0x1000, 0x2020e7},                   /* bit 13 of 2 MiB */
	};
	static struct machine m;
	struct ref_result r;

	(void)state;
	build_pae(&m);
	assert_int_equal(ref_walk(&m.memory, "i386-pae", 0x20, 0xc0005001, &r), REF_OK);
	assert_true(r.pa == UINT64_C(0xfffffabcde001) && r.level == 0 && r.entry_pa == 0x2028);
	assert_int_equal(r.entry.flags, PT_READ | PT_WRITE | PT_EXEC | PT_USER);
	assert_int_equal(ref_walk(&m.memory, "i386-pae", 0x20, 0x212345, &r), REF_OK);
	assert_true(r.pa == UINT64_C(0x123412345) && r.size == 0x200000 && r.level == 1);
	assert_int_equal(r.entry.flags, PT_READ | PT_WRITE | PT_USER | PT_ACCESSED | PT_DIRTY);
	assert_int_equal(ref_walk(&m.memory, "i386-pae", 0x20, 0x40000000, &r), REF_NOT_MAPPED);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		build_pae(&m);
		put(&m, bad[i].at, bad[i].entry, 8, false);
		assert_int_equal(ref_walk(&m.memory, "i386-pae", 0x20, 0x5000, &r),
		    bad[i].entry == 0x2000e7 ? REF_OK : REF_BAD_ENTRY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_i386),
		cmocka_unit_test(test_pae),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
