/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Roots of i386. PAE's (K3): its four tables are made with the space, all or none, and whoever
 * changes an entry of it asks for the root to be loaded again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/kit/soft_mmu.h"

#define GIB UINT64_C(0x40000000)

static struct test_port port;
static struct pt_space space;

static void start(void)
{
	test_port_open(&port, 12, 1, 9, 4);
}

static void end(void)
{
	struct pt_leaks leaks;

	assert_int_equal(test_port_close(&port, &leaks), 0);
}

static uint64_t tables(unsigned level)
{
	struct pt_space_stats stats;

	pt_space_stats(&space, &stats);
	return stats.tables[level];
}

static void test_made_with_the_space(void **state)
{
	struct pt_fault_report report;
	struct pt_root root;
	const uint64_t *pdpte;

	(void)state;
	start();
	assert_int_equal(pt_space_init(&space, port.memory, &pt_format_i386_pae, 0, NULL), 0);
	assert_true(tables(2) == 1 && tables(1) == 4 && tables(0) == 0);
	root = pt_space_root(&space);
	assert_true(root.pa.v % 32 == 0 && root.value == root.pa.v && root.control == 1u << 5);
	pdpte = test_port_virt(&port, root.pa.v);
	for (unsigned i = 0; i < 4; i++)
		assert_true((pdpte[i] & 0xfff) == 1); /* P alone: all else is reserved */
	assert_int_equal(pt_check(&space, &report), 0);
	assert_int_equal(pt_space_destroy(&space, NULL), 0);
	end();
}

/* With room for the root and some of the tables there is none of them afterwards. */
static void test_undone_as_a_whole(void **state)
{
	bool failed = false;

	(void)state;
	for (unsigned left = 0; left < 12; left++) {
		pt_pfn taken[512];
		struct pt_memory_stats stats;
		unsigned n = 0;
		int err;

		start();
		while ((taken[n] = memdesc_alloc_pages(port.memory, 0, 0, memdesc_none())) !=
		       PT_NO_PFN)
			n++;
		for (unsigned i = 0; i < left; i++)
			memdesc_free_pages(port.memory, taken[--n], 0);
		err = pt_space_init(&space, port.memory, &pt_format_i386_pae, 0, NULL);
		failed |= err == -PT_ENOMEM && left > 2;
		if (err) {
			assert_int_equal(err, -PT_ENOMEM);
			assert_int_equal(pt_space_destroy(&space, NULL), -PT_EINVAL);
		} else {
			assert_int_equal(pt_space_destroy(&space, NULL), 0);
		}
		test_port_grace(&port);
		(void)pt_memory_shrink(port.memory);
		pt_memory_stats(port.memory, &stats);
		assert_true(stats.tables == 0);
		while (n)
			memdesc_free_pages(port.memory, taken[--n], 0);
		end();
	}
	assert_true(failed);
}

/* Did the last flush ask for the root, which is level 2, to be loaded. */
static bool loads_root(void)
{
	return port.flush[(port.flushes - 1) % TEST_PORT_FLUSHES].tables >> 2 & 1;
}

static void test_changes_are_flushed(void **state)
{
	const pt_attr attr = pt_make_attr(PT_READ | PT_WRITE);
	uint64_t before;

	(void)state;
	start();
	assert_int_equal(pt_space_init(&space, port.memory, &pt_format_i386_pae, PT_SPACE_MMU,
			     &space),
	    0);
	before = port.flushes;
	assert_int_equal(pt_map(&space, pt_make_va(GIB), 4096, pt_make_pa(0), attr, 0), 0);
	assert_true(port.flushes == before);
	assert_int_equal(pt_unmap(&space, pt_make_va(GIB), 4096, 0, NULL), 0);
	assert_true(port.flushes > before && !loads_root());
	assert_int_equal(pt_unmap(&space, pt_make_va(GIB), GIB, 0, NULL), 0);
	assert_true(tables(1) == 3 && loads_root());
	before = port.flushes;
	assert_int_equal(pt_map(&space, pt_make_va(GIB), 4096, pt_make_pa(0), attr, 0), 0);
	assert_true(tables(1) == 4 && port.flushes > before && loads_root());
	assert_int_equal(pt_space_destroy(&space, NULL), 0);
	end();
}

/* QEMU's MMU marks PDPTEs as accessed, which is reserved: the check looks past that, at the rest.
 */
static void test_check_of_a_marked_root(void **state)
{
	struct pt_fault_report report;
	uint64_t *pdpte;

	(void)state;
	start();
	assert_int_equal(pt_space_init(&space, port.memory, &pt_format_i386_pae, 0, NULL), 0);
	pdpte = test_port_virt(&port, pt_space_root(&space).pa.v);
	for (unsigned i = 0; i < 4; i++)
		pdpte[i] |= 1u << 5;
	assert_int_equal(pt_check(&space, &report), 0);
	pdpte[3] |= 1u << 6;
	assert_int_equal(pt_check(&space, &report), -PT_EINVAL);
	assert_true(report.va.v == 3 * GIB && report.level == 2 && report.entry == pdpte[3]);
	pdpte[3] &= ~UINT64_C(0x40);
	assert_int_equal(pt_space_destroy(&space, NULL), 0);
	end();
}

/* With two levels large leaves are in the root: what was deposited for them leaves with it. */
static void test_deposits_in_the_root(void **state)
{
	(void)state;
	start();
	assert_int_equal(pt_space_init(&space, port.memory, &pt_format_i386, 0, NULL), 0);
	assert_int_equal(pt_map(&space, pt_make_va(0), 0x400000, pt_make_pa(0),
			     pt_make_attr(PT_READ | PT_WRITE | PT_EXEC | PT_USER), PT_DEPOSIT),
	    0);
	assert_int_equal(tables(0), 1);
	assert_int_equal(pt_space_destroy(&space, NULL), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_with_the_space),
		cmocka_unit_test(test_undone_as_a_whole),
		cmocka_unit_test(test_changes_are_flushed),
		cmocka_unit_test(test_check_of_a_marked_root),
		cmocka_unit_test(test_deposits_in_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
