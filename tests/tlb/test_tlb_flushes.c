/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The library asks for all the flushes that are needed, on every format; and the TLBs notice when
 * one of them is left out, reaches one CPU only, comes too late, or when a live entry is replaced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tlb/machine.h"

#define VA UINT64_C(0x40000000)
#define PA UINT64_C(0x20000000)

static uint64_t page_of(const struct pt_format *format)
{
	return UINT64_C(1) << format->page_shift;
}

/* Maps, looks at it on two CPUs, unmaps, and looks again. What another mapping needs is reused. */
static void map_and_unmap(struct machine *m, enum machine_care care)
{
	uint64_t page = page_of(m->format);
	struct tlb_result result;

	machine_map(m, VA, 4 * page, PA, PT_SMALL);
	for (unsigned cpu = 0; cpu < 2; cpu++)
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(machine_access(m, cpu, VA + i * page, PT_WRITE, &result),
			    0);
	m->care = care;
	machine_unmap(m, VA, 4 * page);
	machine_grace(m);
	/* Page 0 through the leaf entry, page 3 through the walk cache. */
	for (unsigned cpu = 0; cpu < 2; cpu++)
		for (unsigned i = 0; i < 4; i += 3)
			assert_true(machine_access(m, cpu, VA + i * page, PT_READ, &result) < 0);
	if (care == TOO_LATE)
		machine_late(m);
	m->care = CAREFUL;
}

static void try_all(enum machine_care care, const char *what)
{
	const struct pt_format *format;

	for_each_machine_format(format)
	{
		struct machine m;

		machine_open(&m, format, false);
		map_and_unmap(&m, care);
		if (what) {
			assert_non_null(tlb_failure(m.tlb));
			assert_non_null(strstr(tlb_failure(m.tlb), what));
		}
		machine_close(&m, what != NULL);
	}
}

static void test_careful(void **state)
{
	(void)state;
	try_all(CAREFUL, NULL);
}

static void test_no_leaves(void **state)
{
	(void)state;
	try_all(NO_LEAVES, "CPU 0: an access reached what was freed through an entry that was not "
			   "flushed: leaf of level 0");
}

static void test_no_tables(void **state)
{
	(void)state;
	try_all(NO_TABLES, "CPU 0: an access reached what was freed through an entry that was not "
			   "flushed: table of level 1");
}

static void test_no_remote(void **state)
{
	(void)state;
	try_all(NO_REMOTE, "CPU 1: an access reached what was freed");
}

static void test_too_late(void **state)
{
	(void)state;
	try_all(TOO_LATE, "CPU 0: an access reached what was freed");
}

/* Where memory is not freed but changed, a comparison with the tables tells. */
static void test_exact(void **state)
{
	const struct pt_format *format;
	struct tlb_result result;

	(void)state;
	for_each_machine_format(format) for (enum machine_care care = CAREFUL; care <= NO_LEAVES;
	    care++)
	{
		uint64_t page = page_of(format);
		struct machine m;

		machine_open(&m, format, true);
		machine_map(&m, VA, page, PA, PT_SMALL);
		assert_int_equal(machine_access(&m, 2, VA, PT_WRITE, &result), 0);
		m.care = care;
		assert_int_equal(pt_protect(&m.space, pt_make_va(VA), page,
				     pt_make_attr(PT_READ | PT_USER), PT_RELAX),
		    0);
		assert_int_equal(machine_access(&m, 2, VA, PT_WRITE, &result),
		    care == CAREFUL ? -PT_EATTR : -PT_EINVAL);
		machine_close(&m, care != CAREFUL);
	}
}

/* All that is cached is looked at, also what no access meets again. */
static void test_check(void **state)
{
	const struct pt_format *format = pt_format_find("x86_64");
	struct tlb_result result;
	struct machine m;

	(void)state;
	machine_open(&m, format, false);
	machine_map(&m, VA, page_of(format), PA, PT_SMALL);
	assert_int_equal(machine_access(&m, 3, VA, PT_READ, &result), 0);
	tlb_check(m.tlb, &m.space, false);
	assert_null(tlb_failure(m.tlb));
	m.care = NO_LEAVES;
	machine_unmap(&m, VA, page_of(format));
	tlb_check(m.tlb, NULL, false);
	assert_non_null(tlb_failure(m.tlb));
	machine_close(&m, true);
}

static uint64_t level_1(const struct pt_format *format)
{
	return UINT64_C(1) << pt_format_shift(format, 1);
}

/* What replaces live entries: a copy, other memory, a split, a collapse, a change of type. */
static void replace_all(struct machine *m)
{
	uint64_t page = page_of(m->format);
	uint64_t size = level_1(m->format);
	struct tlb_result result;
	struct pt_run runs[MACHINE_RUNS];
	struct pt_gather gather = pt_make_gather(runs, MACHINE_RUNS, NULL, NULL);
	pt_va va = pt_make_va(size);

	machine_map(m, size, size, size, 0);
	assert_int_equal(machine_access(m, 1, size, PT_WRITE, &result), 0);
	assert_int_equal(pt_split(&m->space, va, size, 0, 0), 0);
	assert_int_equal(machine_access(m, 1, size, PT_WRITE, &result), 0);
	assert_int_equal(result.level, 0);
	assert_int_equal(pt_collapse(&m->space, va, 1, 0), 0);
	assert_int_equal(machine_access(m, 1, size, PT_WRITE, &result), 0);
	assert_int_equal(result.level, 1);
	assert_int_equal(pt_map_replace(&m->space, va, page, pt_make_pa(PA),
			     pt_make_attr(PT_READ | PT_WRITE | PT_USER), PT_SMALL | PT_RELAX,
			     &gather),
	    0);
	assert_int_equal(machine_access(m, 1, size, PT_READ, &result), 0);
	assert_int_equal(result.pa, PA);
	assert_int_equal(pt_protect(&m->space, va, page,
			     pt_make_attr(PT_READ | PT_USER | pt_attr_type(PT_TYPE_UNCACHED)),
			     PT_RELAX),
	    0);
	assert_int_equal(machine_access(m, 1, size, PT_READ, &result), 0);
}

static void test_replaced(void **state)
{
	const struct pt_format *format;

	(void)state;
	for_each_machine_format(format)
	{
		struct machine m;

		if (!(format->leaves >> 1 & 1) || level_1(format) > PA)
			continue;
		machine_open(&m, format, true);
		replace_all(&m);
		machine_close(&m, false);
	}
}

/* The entry of level 0 for va, by its own walk. */
static uint64_t *leaf_entry(struct machine *m, uint64_t va)
{
	uint64_t table = pt_space_root(&m->space).pa.v;

	for (unsigned l = m->format->levels - 1u;; l--) {
		uint64_t *at = pt_hosted_address(m->hosted, pt_make_pa(table));
		struct pt_entry_info info;

		at += va >> pt_format_shift(m->format, l) & ((1u << m->format->bits[l]) - 1);
		if (!l)
			return at;
		assert_int_equal(pt_entry_decode(m->format, *at, l, &info), 0);
		table = info.pa.v;
	}
}

/* Other memory in a live entry, and the flush behind it: right on x86, on arm64 no break. */
static void test_no_break(void **state)
{
	static const char *const names[] = {"x86_64", "arm64-4k-48", "arm64-64k-42", "riscv-sv39"};

	(void)state;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct pt_format *format = pt_format_find(names[i]);
		pt_attr attr = pt_make_attr(PT_READ | PT_WRITE | PT_USER);
		struct tlb_result result;
		struct machine m;
		uint64_t raw;

		assert_non_null(format);
		machine_open(&m, format, true);
		machine_map(&m, VA, page_of(format), PA, PT_SMALL);
		assert_int_equal(machine_access(&m, 0, VA, PT_READ, &result), 0);
		assert_int_equal(pt_entry_encode(format, pt_make_pa(2 * PA), 0, attr, PT_RELAX,
				     &raw),
		    0);
		*leaf_entry(&m, VA) = raw;
		tlb_flush(m.tlb, &(struct pt_flush){.cookie = &m.space,
					 .start = pt_make_va(VA),
					 .last = pt_make_va(VA),
					 .leaves = 1});
		if (format->flags & PT_FORMAT_BBM)
			assert_non_null(
			    strstr(tlb_failure(m.tlb), "replaced before it was flushed"));
		machine_close(&m, format->flags & PT_FORMAT_BBM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_careful),
		cmocka_unit_test(test_no_leaves),
		cmocka_unit_test(test_no_tables),
		cmocka_unit_test(test_no_remote),
		cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_no_break),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
