/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The two crashes, put back: the sequence of generic/108 has to catch each. Without them it runs to
 * its end (test_kernel.c runs the same sequence in all other builds).
 */
#include "core/defects.h"
#include "tests/unit/kernel_kit.h"

unsigned pt_defect;

/* Loads and unloads often enough that tables come back from their grace period and are used again.
 */
static void load_and_unload(struct kit *kit, struct pt_space *space)
{
	for (unsigned i = 0; i < 40; i++) {
		module_load(space);
		module_unload(space);
		let_grace_end(kit);
	}
}

static int stop_code_with(unsigned row)
{
	struct pt_space space;
	struct kit kit;
	int code;

	kernel_open(&kit, &space);
	pt_defect = row;
	code = KIT_STOP_CODE(&kit, load_and_unload(&kit, &space));
	pt_defect = 0;
	if (code) {
		kit_abandon(&kit);
		return code;
	}
	assert_int_equal(pt_space_destroy(&space, NULL), 0);
	kit_close(&kit);
	return 0;
}

static void test_none(void **state)
{
	(void)state;
	assert_int_equal(stop_code_with(0), 0);
}

/* A table that splits a kernel leaf is made of plain pages; collapse asks for its descriptor. */
static void test_D1(void **state)
{
	(void)state;
	assert_int_equal(stop_code_with(1), PT_STOP_NOT_A_TABLE);
}

/* The deferred free writes its link over the page word. */
static void test_D2(void **state)
{
	int code;

	(void)state;
	code = stop_code_with(2);
	assert_true(code == PT_STOP_NOT_A_TABLE || code == PT_STOP_BAD_MEMDESC);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_D1),
		cmocka_unit_test(test_D2),
	};

	return KIT_RUN("canaries_kernel", tests);
}
