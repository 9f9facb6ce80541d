/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A kernel's own space: direct map, rights of parts, splitting and putting together. */
#include "tests/unit/kernel_kit.h"

#include <ptdesc/linux_names.h>

static struct pt_translation at(const struct pt_space *space, uint64_t va)
{
	struct pt_translation t;

	assert_int_equal(pt_translate(space, pt_make_va(va), &t), 0);
	return t;
}

static uint64_t tables(const struct pt_space *space)
{
	struct pt_space_stats stats;
	uint64_t sum = 0;

	pt_space_stats(space, &stats);
	for (unsigned l = 0; l < PT_MAX_LEVELS; l++)
		sum += stats.tables[l];
	return sum;
}

static void check(const struct pt_space *space)
{
	struct pt_fault_report report;
	int error = pt_check(space, &report);

	if (error)
		fail_msg("%s at %#llx level %u", report.what, (unsigned long long)report.va.v,
		    report.level);
}

static void close_all(struct kit *kit, struct pt_space *space)
{
	check(space);
	assert_int_equal(pt_space_destroy(space, NULL), 0);
	kit_close(kit);
}

/* The direct map takes the largest leaves there are: one of 1 GiB, no table below. */
static void test_direct_map_is_large(void **state)
{
	struct pt_space space;
	struct kit kit;

	(void)state;
	kernel_open(&kit, &space);
	assert_int_equal(at(&space, DIRECT_VA).size, DIRECT_SIZE);
	assert_int_equal(tables(&space), 2);
	close_all(&kit, &space);
}

/* D1 and D2: a thousand loads and unloads; every table that comes goes, and is a table meanwhile.
 */
static void test_module_load_and_unload(void **state)
{
	struct pt_space space;
	struct kit kit;

	(void)state;
	kernel_open(&kit, &space);
	for (unsigned i = 0; i < 1000; i++) {
		module_load(&space);
		assert_int_equal(at(&space, TEXT_VA).size, 4096);
		assert_int_equal(at(&space, TEXT_VA).attr.flags & (PT_WRITE | PT_EXEC), PT_EXEC);
		assert_int_equal(at(&space, TEXT_VA - 1).attr.flags & (PT_WRITE | PT_EXEC),
		    PT_WRITE);
		assert_int_equal(at(&space, TEXT_VA + TEXT_SIZE).pa.v,
		    TEXT_VA + TEXT_SIZE - DIRECT_VA);
		assert_int_equal(tables(&space), 4);
		module_unload(&space);
		assert_int_equal(at(&space, TEXT_VA).size, DIRECT_SIZE);
		assert_int_equal(tables(&space), 2);
		let_grace_end(&kit);
	}
	check(&space);
	close_all(&kit, &space);
}

/* Two modules in one large leaf: it comes back only when both are gone. */
static void test_neighbours(void **state)
{
	struct pt_space space;
	struct kit kit;

	(void)state;
	kernel_open(&kit, &space);
	assert_int_equal(set_memory_ro(&space, DIRECT_VA, 4), 0);
	assert_int_equal(set_memory_ro(&space, DIRECT_VA + 0x100000, 4), 0);
	assert_int_equal(set_memory_rw(&space, DIRECT_VA, 4), 0);
	assert_int_equal(at(&space, DIRECT_VA).size, 4096);
	check(&space);
	assert_int_equal(set_memory_rw(&space, DIRECT_VA + 0x100000, 4), 0);
	assert_int_equal(at(&space, DIRECT_VA).size, DIRECT_SIZE);
	close_all(&kit, &space);
}

/* A split that gets no table changes nothing, and an impossible request says which it is. */
static void test_failures_change_nothing(void **state)
{
	struct pt_space space;
	struct kit kit;

	(void)state;
	kernel_open(&kit, &space);
	for (uint64_t n = 1; n <= 2; n++) {
		pt_memory_fail_at(kit.memory, n, true);
		assert_int_equal(pt_set_memory_ro(&space, pt_make_va(TEXT_VA), 4096, 0),
		    -PT_ENOMEM);
		pt_memory_fail_at(kit.memory, 0, false);
		assert_int_equal(at(&space, TEXT_VA).size, DIRECT_SIZE);
		check(&space);
	}
	assert_int_equal(pt_set_memory_ro(&space, pt_make_va(TEXT_VA + 1), 4096, 0), -PT_EALIGN);
	assert_int_equal(pt_set_memory(&space, pt_make_va(TEXT_VA), 4096, PT_USER, 0, 0),
	    -PT_EINVAL);
	assert_int_equal(pt_set_memory_ro(&space, pt_make_va(UINT64_C(1) << 50), 4096, 0),
	    -PT_ECANON);
	close_all(&kit, &space);
}

/* An MMU's dirty bits in the parts are those of the whole again. */
static void test_collapse_keeps_dirty(void **state)
{
	struct pt_space space;
	uint64_t bytes;
	struct kit kit;

	(void)state;
	kernel_open(&kit, &space);
	assert_int_equal(pt_dirty(&space, pt_make_va(DIRECT_VA), DIRECT_SIZE, NULL, NULL, &bytes),
	    0);
	assert_int_equal(bytes, DIRECT_SIZE);
	module_load(&space);
	assert_int_equal(at(&space, DIRECT_VA).attr.flags & PT_DIRTY, 0);
	module_unload(&space);
	assert_int_equal(at(&space, DIRECT_VA).attr.flags & PT_DIRTY, 0);
	close_all(&kit, &space);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct_map_is_large),
		cmocka_unit_test(test_module_load_and_unload),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_failures_change_nothing),
		cmocka_unit_test(test_collapse_keeps_dirty),
	};

	return KIT_RUN("kernel", tests);
}
