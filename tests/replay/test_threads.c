/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which operations threads may do at once, what each waits for, and that a wrong order shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tool/sink/plan.h"

#define PAGE UINT64_C(0x1000)
#define LEAF UINT64_C(0x200000)

static const struct pt_format *format(void)
{
	return pt_format_find("x86_64");
}

static struct sink_op on(enum sink_kind kind, uint32_t space, uint64_t va, uint64_t size)
{
	return (struct sink_op){.kind = (uint8_t)kind,
		.space = space,
		.va = va,
		.size = size,
		.attr = pt_make_attr(PT_READ | PT_WRITE | PT_USER),
		.arg = va};
}

static bool exchangeable(struct sink_op a, struct sink_op b)
{
	bool first = plan_exchangeable(format(), &a, &b);

	assert_int_equal(first, plan_exchangeable(format(), &b, &a));
	return first;
}

static void test_ranges(void **state)
{
	(void)state;
	assert_true(exchangeable(on(SINK_MAP, 1, 0, PAGE), on(SINK_MAP, 1, PAGE, PAGE)));
	assert_false(exchangeable(on(SINK_MAP, 1, 0, 2 * PAGE), on(SINK_UNMAP, 1, PAGE, PAGE)));
	assert_true(exchangeable(on(SINK_MAP, 1, 0, 2 * PAGE), on(SINK_UNMAP, 2, PAGE, PAGE)));
	assert_false(exchangeable(on(SINK_NEW, 1, 0, 0), on(SINK_MAP, 1, LEAF, PAGE)));
	assert_false(exchangeable(on(SINK_DESTROY, 1, 0, 0), on(SINK_MAP, 1, LEAF, PAGE)));
	assert_true(exchangeable(on(SINK_DESTROY, 1, 0, 0), on(SINK_NEW, 2, 0, 0)));
}

/* Copying and moving have two ends. */
static void test_two_ends(void **state)
{
	struct sink_op copy = on(SINK_COPY, 1, 0, PAGE);
	struct sink_op move = on(SINK_MOVE, 1, 0, PAGE);

	(void)state;
	copy.other = 2;
	assert_false(exchangeable(copy, on(SINK_MAP, 1, LEAF, PAGE)));
	assert_false(exchangeable(copy, on(SINK_MAP, 2, LEAF, PAGE)));
	assert_true(exchangeable(copy, on(SINK_MAP, 3, 0, PAGE)));
	move.arg = 5 * PAGE;
	assert_false(exchangeable(move, on(SINK_MAP, 1, 0, PAGE)));
	assert_false(exchangeable(move, on(SINK_MAP, 1, 5 * PAGE, PAGE)));
	assert_true(exchangeable(move, on(SINK_MAP, 1, PAGE, PAGE)));
}

/* Pruning frees tables that translate more than its range, but nothing beyond its limits. */
static void test_prune(void **state)
{
	struct sink_op prune = on(SINK_PRUNE, 1, LEAF, PAGE);

	(void)state;
	prune.arg = 0;
	prune.end = 0;
	assert_false(exchangeable(prune, on(SINK_MAP, 1, 100 * LEAF, PAGE)));
	assert_true(exchangeable(prune, on(SINK_MAP, 1, UINT64_C(1) << 39, PAGE)));
	prune.arg = LEAF;
	prune.end = 2 * LEAF;
	assert_false(exchangeable(prune, on(SINK_MAP, 1, 2 * LEAF - PAGE, PAGE)));
	assert_true(exchangeable(prune, on(SINK_MAP, 1, 2 * LEAF, PAGE)));
	assert_true(exchangeable(prune, on(SINK_MAP, 1, 0, LEAF)));
}

static void test_plan(void **state)
{
	struct sink_op ops[2000];
	struct plan plan;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		ops[i] = on(SINK_MAP, 1, i * PAGE, PAGE);
		ops[i].task = 70 + i % 3;
	}
	ops[5].va = ops[3].va; /* of tasks 72 and 70 */
	plan_make(&plan, format(), ops, 2000, 8);
	assert_int_equal(plan.tasks, 3);
	assert_int_equal(plan.threads, 3);
	assert_int_equal(plan.ordered, 1);
	assert_int_equal(plan.thread[2].steps[1].op, 5);
	assert_int_equal(plan.thread[2].steps[1].waits, 1);
	assert_int_equal(plan.waits[plan.thread[2].steps[1].first_wait].thread, 0);
	assert_int_equal(plan.waits[plan.thread[2].steps[1].first_wait].turn, 2);
	/* None runs away: the last waits for what lies before the window. */
	assert_true(plan.wait_count > 1 && plan.wait_count < 100);
	plan_free(&plan);
	plan_make(&plan, format(), ops, 2000, 2);
	assert_int_equal(plan.threads, 2);
	assert_int_equal(plan.thread[0].count + plan.thread[1].count, 2000);
	plan_free(&plan);
	/* One has nobody to wait for. */
	plan_make(&plan, format(), ops, 2000, 1);
	assert_int_equal(plan.thread[0].count, 2000);
	assert_int_equal(plan.wait_count + plan.ordered, 0);
	assert_int_equal(plan.thread[0].steps[1999].waits, 0);
	plan_free(&plan);
}

/* A space that two tasks fill; with a digest that is right, or is not. */
static void run(bool right, struct sink_crew *crew)
{
	struct sink *sink = sink_open(format(), SINK_KEEP, NULL);
	struct sink_op op = on(SINK_NEW, 1, 0, 0);
	struct sink_op end = {.kind = SINK_DESTROY, .space = 1, .flags = 1};

	assert_non_null(sink);
	assert_int_equal(sink_do(sink, &op), 0);
	for (unsigned i = 0; i < 1000; i++) {
		sink_task(sink, i % 2);
		op = on(SINK_MAP, 1, i * PAGE, PAGE);
		assert_int_equal(sink_do(sink, &op), 0);
		end.arg += sink_digest(i * PAGE, i * PAGE, right || i != 500);
		end.end++;
	}
	sink_checkpoint(sink, 1, 2 + 1 + 1);
	assert_int_equal(sink_do(sink, &end), 0);
	sink_parallel(sink, 4, crew);
	assert_true(sink_close(sink));
}

static void test_digest(void **state)
{
	struct sink_crew crew;

	(void)state;
	run(true, &crew);
	assert_string_equal(crew.wrong, "");
	assert_int_equal(crew.threads, 2);
	assert_int_equal(crew.checkpoints, 1);
	assert_int_equal(crew.same, 1);
	assert_int_equal(crew.kernels, 1);
	assert_int_equal(crew.equal, 1);
	assert_int_equal(crew.spaces, 1);
	assert_int_equal(crew.pages, 1000);
	run(false, &crew);
	assert_non_null(strstr(crew.wrong, "other pages than the model"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_two_ends),
		cmocka_unit_test(test_prune),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
