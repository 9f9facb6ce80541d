/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the TLBs hold, for how long, and what walks read and set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tlb/machine.h"

#define VA UINT64_C(0x40000000)
#define PA UINT64_C(0x20000000)

static struct tlb_counts counts_of(const struct machine *m)
{
	struct tlb_counts counts;

	tlb_counts(m->tlb, &counts);
	return counts;
}

static void expect_access(struct machine *m, unsigned cpu, uint64_t va, uint32_t access,
    uint64_t pa)
{
	struct tlb_result result;

	assert_int_equal(machine_access(m, cpu, va, access, &result), 0);
	assert_int_equal(result.pa, pa);
}

/* A walk reads an entry a level; its neighbour's begins at the leaf table. */
static void test_walk_loads(void **state)
{
	const struct pt_format *format;

	(void)state;
	for_each_machine_format(format)
	{
		uint64_t page = UINT64_C(1) << format->page_shift;
		struct machine m;

		machine_open(&m, format, true);
		machine_map(&m, VA, 4 * page, PA, PT_SMALL);
		expect_access(&m, 0, VA + 1, PT_READ, PA + 1);
		assert_int_equal(counts_of(&m).walk_loads, format->levels);
		expect_access(&m, 0, VA + page, PT_READ, PA + page);
		assert_int_equal(counts_of(&m).walk_loads, format->levels + 1);
		assert_int_equal(counts_of(&m).walk_hits, 1);
		expect_access(&m, 0, VA + 2, PT_READ, PA + 2);
		assert_int_equal(counts_of(&m).first, 1);
		/* Another CPU has nothing of it. */
		expect_access(&m, 1, VA, PT_READ, PA);
		assert_int_equal(counts_of(&m).walk_loads, 2 * format->levels + 1);
		machine_close(&m, false);
	}
}

static void test_refused(void **state)
{
	const struct pt_format *format;
	struct tlb_result result;

	(void)state;
	for_each_machine_format(format)
	{
		uint64_t page = UINT64_C(1) << format->page_shift;
		struct machine m;

		machine_open(&m, format, true);
		assert_int_equal(machine_access(&m, 0, VA, PT_READ, &result), -PT_ENOENT);
		assert_int_equal(pt_map(&m.space, pt_make_va(VA), page, pt_make_pa(PA),
				     pt_make_attr(PT_READ | PT_USER), PT_RELAX),
		    0);
		expect_access(&m, 0, VA, PT_READ, PA);
		assert_int_equal(machine_access(&m, 0, VA, PT_WRITE, &result), -PT_EATTR);
		assert_int_equal(machine_access(&m, 0, VA + page, PT_READ, &result), -PT_ENOENT);
		machine_close(&m, false);
	}
}

/* Loads mark accessed, stores dirty as well; a cached clean entry is walked for again. */
static void test_marks(void **state)
{
	const struct pt_format *format;

	(void)state;
	for_each_machine_format(format)
	{
		struct pt_translation t;
		struct machine m;

		machine_open(&m, format, true);
		machine_map(&m, VA, UINT64_C(1) << format->page_shift, PA, 0);
		expect_access(&m, 0, VA, PT_READ, PA);
		assert_int_equal(pt_translate(&m.space, pt_make_va(VA), &t), 0);
		assert_int_equal(t.attr.flags & (PT_ACCESSED | PT_DIRTY), PT_ACCESSED);
		expect_access(&m, 0, VA, PT_WRITE, PA);
		assert_int_equal(pt_translate(&m.space, pt_make_va(VA), &t), 0);
		assert_int_equal(t.attr.flags & (PT_ACCESSED | PT_DIRTY), PT_ACCESSED | PT_DIRTY);
		assert_int_equal(counts_of(&m).walks, 2);
		assert_int_equal(counts_of(&m).marks, 2);
		expect_access(&m, 0, VA, PT_WRITE, PA);
		assert_int_equal(counts_of(&m).first, 1);
		machine_close(&m, false);
	}
}

/* After as many pages as the first level holds they are found there; one more, and one is gone. */
static void test_first_level(void **state)
{
	const struct pt_format *format = pt_format_find("x86_64");
	struct machine m;

	(void)state;
	machine_open(&m, format, true);
	machine_map(&m, VA, 65 * 4096, PA, PT_SMALL);
	for (unsigned round = 0; round < 2; round++)
		for (uint64_t i = 0; i < 64; i++)
			expect_access(&m, 0, VA + i * 4096, PT_READ, PA + i * 4096);
	assert_int_equal(counts_of(&m).first, 64);
	assert_int_equal(counts_of(&m).walks, 64);
	expect_access(&m, 0, VA + 64 * 4096, PT_READ, PA + 64 * 4096);
	/* The oldest has left the first level and is in the second. */
	expect_access(&m, 0, VA, PT_READ, PA);
	assert_int_equal(counts_of(&m).second, 1);
	assert_int_equal(counts_of(&m).first, 64);
	machine_close(&m, false);
}

/* Pages of one set of the second level: as many as ways stay. */
static void test_second_level(void **state)
{
	const struct pt_format *format = pt_format_find("x86_64");
	const struct tlb_shape *shape = &tlb_machine_of(format)->leaf[1];
	const uint64_t stride = (uint64_t)(shape->entries / shape->ways) * 4096;
	const unsigned over = shape->ways + 1u;
	struct machine m;

	(void)state;
	machine_open(&m, format, true);
	machine_map(&m, VA, (over + 1) * stride, PA, PT_SMALL);
	for (uint64_t i = 0; i < over; i++)
		expect_access(&m, 0, VA + i * stride, PT_READ, PA + i * stride);
	/* Out of the first level, by pages of other sets. */
	for (uint64_t i = 1; i <= 64; i++)
		expect_access(&m, 0, VA + i * 4096, PT_READ, PA + i * 4096);
	for (uint64_t i = over; i-- > 0;)
		expect_access(&m, 0, VA + i * stride, PT_READ, PA + i * stride);
	assert_int_equal(counts_of(&m).second, shape->ways);
	assert_int_equal(counts_of(&m).walks, over + 64 + 1);
	machine_close(&m, false);
}

/* Large leaves: where sizes share an array and where they have their own. */
static void test_large(void **state)
{
	const struct pt_format *format;

	(void)state;
	for_each_machine_format(format)
	{
		uint64_t size = UINT64_C(1) << pt_format_shift(format, 1);
		struct machine m;

		if (!(format->leaves >> 1 & 1) || size > PA)
			continue;
		machine_open(&m, format, true);
		machine_map(&m, size, size, size, 0);
		expect_access(&m, 0, size + 5, PT_READ, size + 5);
		expect_access(&m, 0, size + size / 2, PT_READ, size + size / 2);
		assert_int_equal(counts_of(&m).first, 1);
		assert_int_equal(counts_of(&m).walk_loads, format->levels - 1);
		machine_close(&m, false);
	}
}

/*
 * Entries of a contiguous run, whether they share one address or have each their own. What is noted
 * of the first, in whichever, is known of it.
 */
static void test_runs(void **state)
{
	const struct pt_format *format;
	unsigned runs = 0;

	(void)state;
	for_each_machine_format(format)
	{
		uint64_t page = UINT64_C(1) << format->page_shift;
		struct pt_translation t;
		struct machine m;

		machine_open(&m, format, true);
		machine_map(&m, VA, 128 * page, PA, 0);
		assert_int_equal(pt_translate(&m.space, pt_make_va(VA), &t), 0);
		runs += t.size > page;
		expect_access(&m, 0, VA, PT_WRITE, PA);
		assert_int_equal(pt_translate(&m.space, pt_make_va(VA), &t), 0);
		assert_int_equal(t.attr.flags & (PT_ACCESSED | PT_DIRTY), PT_ACCESSED | PT_DIRTY);
		for (uint64_t i = 0; i < 128; i++)
			expect_access(&m, 0, VA + i * page + i, PT_WRITE, PA + i * page + i);
		machine_close(&m, false);
	}
	assert_true(runs >= 3);
}

static void test_counts_of_requests(void **state)
{
	struct machine m;
	struct tlb_counts counts;

	(void)state;
	machine_open(&m, pt_format_find("x86_64"), true);
	machine_map(&m, VA, 16 * 4096, PA, PT_SMALL);
	for (unsigned cpu = 0; cpu < 2; cpu++)
		for (uint64_t i = 0; i < 16; i++)
			expect_access(&m, cpu, VA + i * 4096, PT_READ, PA + i * 4096);
	assert_int_equal(pt_protect(&m.space, pt_make_va(VA), 4096, pt_make_attr(PT_READ | PT_USER),
			     PT_RELAX),
	    0);
	assert_int_equal(pt_unmap(&m.space, pt_make_va(VA), 8 * 4096, 0, NULL), 0);
	counts = counts_of(&m);
	assert_int_equal(counts.flush_page, 1);
	assert_int_equal(counts.flush_range, 1);
	assert_int_equal(counts.flush_table, 0);
	/* A page is in both levels. */
	assert_int_equal(counts.killed_leaves, 2 * 2 * 8);
	assert_int_equal(counts.killed_tables, 0);
	assert_int_equal(counts.several, 2);
	assert_int_equal(pt_unmap(&m.space, pt_make_va(VA), 16 * 4096, 0, NULL), 0);
	counts = counts_of(&m);
	assert_int_equal(counts.flush_table, 1);
	assert_true(counts.killed_tables >= 2);
	machine_close(&m, false);
}

/* No machine is made up for formats that none has. */
static void test_no_machine(void **state)
{
	const struct tlb_config config = {.format = pt_format_find("fake8"), .cpus = 1};

	(void)state;
	assert_non_null(config.format);
	assert_null(tlb_open(&config));
	tlb_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk_loads),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_first_level),
		cmocka_unit_test(test_second_level),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_counts_of_requests),
		cmocka_unit_test(test_no_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
