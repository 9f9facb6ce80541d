/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What pt_check finds, in descriptors and in entries. */
#include "tests/unit/two_spaces.h"

static void found(struct world *w, const char *part)
{
	struct pt_fault_report report = {.what = ""};

	assert_int_equal(pt_check(&w->a, &report), -PT_EINVAL);
	if (!strstr(report.what, part))
		fail_msg("pt_check says \"%s\", not \"%s\"", report.what, part);
}

/* Puts a value in the place of another for as long as pt_check looks. */
#define WITH(w, place, value, part)                                                                \
	do {                                                                                       \
		__typeof__(place) old_ = (place);                                                  \
		(place) = (value);                                                                 \
		found((w), (part));                                                                \
		(place) = old_;                                                                    \
	} while (0)

static void test_check_finds_descriptors(void **state)
{
	struct ptdesc *pt;
	struct world w;

	(void)state;
	open_world(&w, &pt_format_x86_64, 0);
	must(pt_map(&w.a, VA(LARGE), 2 * PAGE, PA(0), RW, 0));
	pt = ptdesc_from_virt(w.port.memory, entry_at(&w, &w.a, LARGE, 0));
	WITH(&w, pt->used, 1, "count of used");
	WITH(&w, pt->dead, 1, "dead");
	WITH(&w, pt->lock, 1, "locked");
	WITH(&w, pt->base, 2 * LARGE, "base");
	WITH(&w, pt->space, &w.b, "another space");
	WITH(&w, pt->shared, 1, "nobody shares");
	WITH(&w, pt->pt_word, pt->pt_word | UINT64_C(1) << PT_WORD_LEVEL_AT, "another level");
	WITH(&w, w.a.move_seq, 1, "move");
	close_world(&w);
}

static void test_check_finds_entries(void **state)
{
	uint64_t *leaf;
	uint64_t *upper;
	struct world w;

	(void)state;
	open_world(&w, &pt_format_x86_64, 0);
	must(pt_map(&w.a, VA(LARGE), 2 * PAGE, PA(0), RW, 0));
	must(pt_map(&w.a, VA(LARGER), LARGE, PA(0), RW, 0));
	leaf = entry_at(&w, &w.a, LARGE, 0);
	upper = entry_at(&w, &w.a, LARGER, 1);
	WITH(&w, *leaf, UINT64_C(1) << 10, "neither empty");
	WITH(&w, *leaf, 0, "count of used");
	WITH(&w, *upper, *upper | 0x4000, "reserved");
	upper = entry_at(&w, &w.a, LARGE, 1);
	WITH(&w, *upper, *upper + 0x40000000, "no table");
	upper = entry_at(&w, &w.a, 0, 3);
	WITH(&w, *upper, *upper | 0x80, "reserved");
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_finds_descriptors),
		cmocka_unit_test(test_check_finds_entries),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
