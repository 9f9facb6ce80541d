/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every call on a space with every kind of bad argument: a distinct error each, and nothing
 * changed. One space has a page and a large leaf mapped; after each refused call both are still
 * there.
 */
#include <ptdesc/kernel.h>
#include <ptdesc/space.h>
#include "tests/unit/core_kit.h"

#define PAGE  UINT64_C(0x7f0000000000)
#define LARGE UINT64_C(0x40000000)
#define SIZE  UINT64_C(0x200000)
#define ATTR  pt_make_attr(PT_READ | PT_WRITE | PT_USER)

static struct kit kit;
static struct pt_space space;
static struct pt_space other;

static int open_space(void **state)
{
	struct pt_config config = kit_config();

	(void)state;
	kit_open(&kit, &config, NULL);
	assert_int_equal(pt_space_init(&space, kit.memory, &pt_format_x86_64, 0, NULL), 0);
	assert_int_equal(pt_space_init(&other, kit.memory, &pt_format_x86_64_la57, 0, NULL), 0);
	assert_int_equal(pt_map(&space, pt_make_va(PAGE), 4096, pt_make_pa(0x5000), ATTR, 0), 0);
	assert_int_equal(pt_map(&space, pt_make_va(LARGE), SIZE, pt_make_pa(SIZE), ATTR, 0), 0);
	return 0;
}

static int close_space(void **state)
{
	(void)state;
	assert_int_equal(pt_space_destroy(&space, NULL), 0);
	assert_int_equal(pt_space_destroy(&other, NULL), 0);
	kit_close(&kit);
	return 0;
}

static void unchanged(void)
{
	struct pt_fault_report report;
	struct pt_space_stats stats;
	struct pt_translation t;

	assert_int_equal(pt_check(&space, &report), 0);
	assert_int_equal(pt_translate(&space, pt_make_va(PAGE), &t), 0);
	assert_int_equal(t.pa.v, 0x5000);
	assert_int_equal(t.attr.flags, ATTR.flags);
	assert_int_equal(pt_translate(&space, pt_make_va(LARGE + 0x1234), &t), 0);
	assert_int_equal(t.size, SIZE);
	pt_space_stats(&space, &stats);
	assert_int_equal(stats.tables[0] * 1000 + stats.tables[1] * 100 + stats.tables[2] * 10 +
			     stats.tables[3],
	    1221);
}

/* The calls that take a range, with all else in order. */
enum call {
	MAP,
	MAP_LIST,
	MAP_REPLACE,
	UNMAP,
	PROTECT,
	WALK,
	COPY,
	MOVE_FROM,
	MOVE_TO,
	SPLIT,
	POPULATE,
	PRUNE,
	AGE,
	DIRTY,
	CALLS
};

static int no_piece(void *ctx, const struct pt_piece *piece)
{
	(void)ctx;
	(void)piece;
	return 0;
}

static int call_map(enum call call, pt_va va, uint64_t size, uint32_t flags)
{
	static const pt_pa pas[4] = {{0x1000}, {0x2000}, {0x3000}, {0x4000}};

	if (call == MAP)
		return pt_map(&space, va, size, pt_make_pa(0), ATTR, flags);
	if (call == MAP_LIST)
		return pt_map_list(&space, va, pas, (size_t)(size >> 12), ATTR, flags);
	return pt_map_replace(&space, va, size, pt_make_pa(0), ATTR, flags, NULL);
}

static int call_other(enum call call, pt_va va, uint64_t size, uint32_t flags)
{
	static struct pt_space twin;
	uint64_t count;

	twin = space;
	switch (call) {
	case COPY:
		return pt_copy(&twin, &space, va, size, flags);
	case MOVE_FROM:
		return pt_move(&space, va, size, pt_make_va(UINT64_C(1) << 40), flags);
	case MOVE_TO:
		return pt_move(&space, pt_make_va(PAGE), size, va, flags);
	case SPLIT:
		return pt_split(&space, va, size, 0, flags);
	case POPULATE:
		return pt_populate(&space, va, size, 0, flags);
	case PRUNE:
		return pt_prune(&space, va, size, va, pt_make_va(0));
	case AGE:
		return pt_age(&space, va, size, &count);
	default:
		return pt_dirty(&space, va, size, NULL, NULL, &count);
	}
}

static int make_call(enum call call, uint64_t address, uint64_t size, uint32_t flags)
{
	pt_va va = pt_make_va(address);

	if (call <= MAP_REPLACE)
		return call_map(call, va, size, flags);
	if (call == UNMAP)
		return pt_unmap(&space, va, size, flags, NULL);
	if (call == PROTECT)
		return pt_protect(&space, va, size, ATTR, flags);
	if (call == WALK)
		return pt_walk(&space, va, size, no_piece, NULL);
	return call_other(call, va, size, flags);
}

static void refused(enum call call, uint64_t va, uint64_t size, uint32_t flags, int error)
{
	int got = make_call(call, va, size, flags);

	if (got != error)
		fail_msg("call %d at %#llx size %#llx flags %#x: %s, not %s", (int)call,
		    (unsigned long long)va, (unsigned long long)size, flags, pt_strerror(got),
		    pt_strerror(error));
	unchanged();
}

static void test_ranges(void **state)
{
	(void)state;
	for (enum call call = 0; call < CALLS; call++) {
		bool list = call == MAP_LIST; /* counts pages: no odd size, no overflow by size */

		refused(call, PAGE, 0, 0, -PT_EINVAL);
		refused(call, PAGE + 1, 4096, 0, -PT_EALIGN);
		if (!list)
			refused(call, PAGE, 4097, 0, -PT_EALIGN);
		if (!list)
			refused(call, UINT64_MAX - 4095, 8192, 0, -PT_EOVERFLOW);
		refused(call, UINT64_C(1) << 47, 4096, 0, -PT_ECANON);
		refused(call, UINT64_C(0xffff7ffffffff000), 4096, 0, -PT_ECANON);
		refused(call, (UINT64_C(1) << 47) - 4096, 8192, 0, -PT_ECANON);
	}
}

static void test_unknown_flags(void **state)
{
	static const uint32_t takes_flags = 1u << MAP | 1u << MAP_LIST | 1u << MAP_REPLACE |
					    1u << UNMAP | 1u << PROTECT | 1u << COPY |
					    1u << MOVE_FROM | 1u << SPLIT | 1u << POPULATE;

	(void)state;
	for (enum call call = 0; call < CALLS; call++)
		if (takes_flags >> call & 1)
			refused(call, LARGE, 4096, UINT32_C(1) << 30, -PT_EINVAL);
	refused(MAP, PAGE + 4096, 4096, PT_KEEP_TABLES, -PT_EINVAL);
	refused(UNMAP, PAGE, 4096, PT_SMALL, -PT_EINVAL);
	refused(PROTECT, PAGE, 4096, PT_KEEP_TABLES, -PT_EINVAL);
	refused(MOVE_FROM, PAGE, 4096, PT_PIECEWISE, -PT_EINVAL);
}

static void test_attributes_and_memory(void **state)
{
	static const pt_pa odd[1] = {{0x1001}};
	pt_va va = pt_make_va(PAGE + 0x10000);

	(void)state;
	assert_int_equal(pt_map(&space, va, 4096, pt_make_pa(0), pt_make_attr(PT_WRITE), 0),
	    -PT_EATTR);
	assert_int_equal(pt_map(&space, va, 4096, pt_make_pa(0),
			     pt_make_attr(PT_READ | UINT32_C(1) << 31), 0),
	    -PT_EATTR);
	assert_int_equal(pt_protect(&space, pt_make_va(PAGE), 4096,
			     pt_make_attr(PT_READ | pt_attr_type(PT_TYPE_DEVICE)), 0),
	    -PT_EATTR);
	assert_int_equal(pt_map(&space, va, 4096, pt_make_pa(UINT64_C(1) << 52), ATTR, 0), -PT_EPA);
	assert_int_equal(pt_map(&space, va, 8192, pt_make_pa((UINT64_C(1) << 52) - 4096), ATTR, 0),
	    -PT_EPA);
	assert_int_equal(pt_map(&space, va, 4096, pt_make_pa(1), ATTR, 0), -PT_EALIGN);
	assert_int_equal(pt_map_list(&space, va, odd, 1, ATTR, 0), -PT_EALIGN);
	assert_int_equal(pt_map_list(&space, va, NULL, 1, ATTR, 0), -PT_EINVAL);
	assert_int_equal(pt_map(&space, pt_make_va(PAGE), 4096, pt_make_pa(0), ATTR, 0),
	    -PT_EEXIST);
	assert_int_equal(pt_map(&space, pt_make_va(PAGE - 4096), 8192, pt_make_pa(0), ATTR, 0),
	    -PT_EEXIST);
	unchanged();
}

static void test_two_spaces(void **state)
{
	pt_va va = pt_make_va(PAGE);

	(void)state;
	assert_int_equal(pt_copy(&other, &space, va, 4096, 0), -PT_ENOTSUP);
	assert_int_equal(pt_copy(&space, &space, va, 4096, 0), -PT_EINVAL);
	assert_int_equal(pt_copy(NULL, &space, va, 4096, 0), -PT_EINVAL);
	assert_int_equal(pt_copy(&other, &space, va, 4096, PT_SHARE), -PT_EINVAL);
	assert_int_equal(pt_share_table(&other, &space, va, 0), -PT_ENOTSUP);
	assert_int_equal(pt_share_table(&space, &space, va, 0), -PT_EINVAL);
	assert_int_equal(pt_unshare_table(&space, va, NULL), -PT_ENOENT);
	assert_int_equal(pt_move(&space, va, 8192, pt_make_va(PAGE + 4096), 0), -PT_EINVAL);
	unchanged();
}

static void test_levels(void **state)
{
	pt_va va = pt_make_va(LARGE);

	(void)state;
	assert_int_equal(pt_split(&space, va, SIZE, 3, 0), -PT_EINVAL);
	assert_int_equal(pt_split(&space, va, SIZE, 9, 0), -PT_EINVAL);
	assert_int_equal(pt_collapse(&space, va, 0, 0), -PT_EINVAL);
	assert_int_equal(pt_collapse(&space, va, 3, 0), -PT_EINVAL);
	assert_int_equal(pt_collapse(&space, va, 9, 0), -PT_EINVAL);
	assert_int_equal(pt_collapse(&space, va, 1, 0), -PT_ENOENT);
	assert_int_equal(pt_collapse(&space, pt_make_va(PAGE), 1, 0), -PT_ENOENT);
	assert_int_equal(pt_populate(&space, va, SIZE, 4, 0), -PT_EINVAL);
	unchanged();
}

static void test_nothing_there(void **state)
{
	struct pt_translation t;
	pt_va hole = pt_make_va(PAGE + 0x1000);
	unsigned level = 9;

	(void)state;
	assert_int_equal(pt_translate(&space, hole, &t), -PT_ENOENT);
	assert_int_equal(pt_translate(&space, pt_make_va(UINT64_C(1) << 50), &t), -PT_ECANON);
	assert_int_equal(pt_translate(&space, hole, NULL), -PT_EINVAL);
	assert_int_equal(pt_table_level(&space, pt_make_va(UINT64_C(1) << 50), &level), -PT_ECANON);
	assert_int_equal(pt_table_level(&space, hole, NULL), -PT_EINVAL);
	assert_int_equal(level, 9);
	assert_int_equal(pt_access_fault(&space, hole, PT_READ), -PT_ENOENT);
	assert_int_equal(pt_access_fault(&space, pt_make_va(PAGE), PT_EXEC), -PT_EATTR);
	assert_int_equal(pt_access_fault(&space, pt_make_va(PAGE), 0), -PT_EINVAL);
	assert_int_equal(pt_unmap(&space, hole, 4096, 0, NULL), 0);
	assert_int_equal(pt_protect(&space, hole, 4096, ATTR, 0), 0);
	unchanged();
}

/* More tables than anybody has are not asked for one by one, nor counted to the end. */
static void test_too_many_tables(void **state)
{
	const uint64_t huge = UINT64_C(1) << 46; /* 2^25 leaf tables */
	const pt_va start = pt_make_va(0);

	(void)state;
	assert_int_equal(pt_map(&other, start, huge, pt_make_pa(0), ATTR, 0), 0);
	(void)pt_memory_fail_at(kit.memory, UINT64_MAX, false);
	assert_int_equal(pt_populate(&other, pt_make_va(huge), UINT64_C(1) << 53, 0, 0),
	    -PT_ENOMEM);
	assert_int_equal(pt_map(&other, pt_make_va(huge), huge, pt_make_pa(0), ATTR, PT_SMALL),
	    -PT_ENOMEM);
	assert_int_equal(pt_map(&other, pt_make_va(huge), huge, pt_make_pa(4096), ATTR, 0),
	    -PT_ENOMEM);
	assert_int_equal(pt_split(&other, start, huge, 0, 0), -PT_ENOMEM);
	assert_int_equal(pt_move(&other, start, huge, pt_make_va(3 * huge + 4096), 0), -PT_ENOMEM);
	assert_int_equal(pt_memory_fail_at(kit.memory, 0, false), 0);
	assert_int_equal(pt_unmap(&other, start, huge, 0, NULL), 0);
}

/* Every call on a space that is none, or is one no more. */
static void refuses_all(struct pt_space *none)
{
	struct pt_fault_report report;
	struct pt_translation t;
	const pt_pa pa = {0};
	unsigned level;
	uint64_t bytes;

	assert_int_equal(pt_space_destroy(none, NULL), -PT_EINVAL);
	assert_int_equal(pt_map(none, pt_make_va(PAGE), 4096, pa, ATTR, 0), -PT_EINVAL);
	assert_int_equal(pt_map_list(none, pt_make_va(PAGE), &pa, 1, ATTR, 0), -PT_EINVAL);
	assert_int_equal(pt_map_replace(none, pt_make_va(PAGE), 4096, pa, ATTR, 0, NULL),
	    -PT_EINVAL);
	assert_int_equal(pt_unmap(none, pt_make_va(PAGE), 4096, 0, NULL), -PT_EINVAL);
	assert_int_equal(pt_protect(none, pt_make_va(PAGE), 4096, ATTR, 0), -PT_EINVAL);
	assert_int_equal(pt_translate(none, pt_make_va(PAGE), &t), -PT_EINVAL);
	assert_int_equal(pt_table_level(none, pt_make_va(PAGE), &level), -PT_EINVAL);
	assert_int_equal(pt_walk(none, pt_make_va(PAGE), 4096, no_piece, NULL), -PT_EINVAL);
	assert_int_equal(pt_copy(&space, none, pt_make_va(0), 4096, 0), -PT_EINVAL);
	assert_int_equal(pt_move(none, pt_make_va(PAGE), 4096, pt_make_va(0), 0), -PT_EINVAL);
	assert_int_equal(pt_split(none, pt_make_va(LARGE), SIZE, 0, 0), -PT_EINVAL);
	assert_int_equal(pt_collapse(none, pt_make_va(LARGE), 1, 0), -PT_EINVAL);
	assert_int_equal(pt_populate(none, pt_make_va(0), 4096, 0, 0), -PT_EINVAL);
	assert_int_equal(pt_prune(none, pt_make_va(0), 4096, pt_make_va(0), pt_make_va(0)),
	    -PT_EINVAL);
	assert_int_equal(pt_share_table(&space, none, pt_make_va(PAGE), 0), -PT_EINVAL);
	assert_int_equal(pt_unshare_table(none, pt_make_va(PAGE), NULL), -PT_EINVAL);
	assert_int_equal(pt_age(none, pt_make_va(PAGE), 4096, &bytes), -PT_EINVAL);
	assert_int_equal(pt_dirty(none, pt_make_va(PAGE), 4096, NULL, NULL, &bytes), -PT_EINVAL);
	assert_int_equal(pt_access_fault(none, pt_make_va(PAGE), PT_READ), -PT_EINVAL);
	assert_int_equal(pt_check(none, &report), -PT_EINVAL);
	assert_int_equal(pt_direct_map(none, pt_make_va(0), 4096, pa, 0), -PT_EINVAL);
	assert_int_equal(pt_set_memory_ro(none, pt_make_va(PAGE), 4096, 0), -PT_EINVAL);
	unchanged();
}

static void test_no_space(void **state)
{
	struct pt_run run;
	struct pt_gather bad = pt_make_gather(&run, 0, NULL, NULL);
	struct pt_fault_report report;
	struct pt_space none;

	(void)state;
	assert_int_equal(pt_map(NULL, pt_make_va(PAGE), 4096, pt_make_pa(0), ATTR, 0), -PT_EINVAL);
	assert_int_equal(pt_check(NULL, &report), -PT_EINVAL);
	assert_int_equal(pt_check(&space, NULL), -PT_EINVAL);
	assert_int_equal(pt_walk(&space, pt_make_va(PAGE), 4096, NULL, NULL), -PT_EINVAL);
	assert_int_equal(pt_unmap(&space, pt_make_va(PAGE), 4096, 0, &bad), -PT_EINVAL);
	assert_int_equal(pt_space_init(&none, kit.memory, &pt_format_fake8, 0, NULL), -PT_ENOTSUP);
	assert_int_equal(pt_space_init(&none, kit.memory, &pt_format_x86_64, 1u << 31, NULL),
	    -PT_EINVAL);
	assert_int_equal(pt_space_init(&none, NULL, &pt_format_x86_64, 0, NULL), -PT_EINVAL);
	refuses_all(&none);
	pt_memory_fail_at(kit.memory, 1, true);
	assert_int_equal(pt_space_init(&none, kit.memory, &pt_format_x86_64, 0, NULL), -PT_ENOMEM);
	pt_memory_fail_at(kit.memory, 0, false);
	refuses_all(&none);
	assert_int_equal(pt_set_memory_ro(&space, pt_make_va(PAGE), 4096, 0), -PT_EINVAL);
	unchanged();
}

static void test_null_and_destroyed(void **state)
{
	struct pt_space gone;

	(void)state;
	refuses_all(NULL);
	assert_int_equal(pt_space_init(&gone, kit.memory, &pt_format_x86_64, 0, NULL), 0);
	assert_int_equal(pt_space_destroy(&gone, NULL), 0);
	refuses_all(&gone);
	assert_int_equal(pt_copy(&gone, &space, pt_make_va(PAGE), 4096, 0), -PT_ENOTSUP);
	assert_int_equal(pt_share_table(&gone, &space, pt_make_va(PAGE), 0), -PT_ENOTSUP);
	assert_int_equal(pt_age(&space, pt_make_va(PAGE), 4096, NULL), -PT_EINVAL);
	assert_int_equal(pt_dirty(&space, pt_make_va(PAGE), 4096, NULL, NULL, NULL), -PT_EINVAL);
	assert_int_equal(pt_access_fault(&space, pt_make_va(PAGE), PT_READ | PT_GLOBAL),
	    -PT_EINVAL);
	assert_int_equal(pt_prune(&space, pt_make_va(PAGE), 4096, pt_make_va(1), pt_make_va(0)), 0);
	unchanged();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_null_and_destroyed, open_space, close_space),
		cmocka_unit_test_setup_teardown(test_ranges, open_space, close_space),
		cmocka_unit_test_setup_teardown(test_unknown_flags, open_space, close_space),
		cmocka_unit_test_setup_teardown(test_attributes_and_memory, open_space,
		    close_space),
		cmocka_unit_test_setup_teardown(test_two_spaces, open_space, close_space),
		cmocka_unit_test_setup_teardown(test_too_many_tables, open_space, close_space),
		cmocka_unit_test_setup_teardown(test_levels, open_space, close_space),
		cmocka_unit_test_setup_teardown(test_nothing_there, open_space, close_space),
		cmocka_unit_test_setup_teardown(test_no_space, open_space, close_space),
	};

	return KIT_RUN("misuse_space", tests);
}
