/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel's rules, and other page sizes and widths, on traces whose outcome is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/replay/program.h"
#include "tool/replay/calls.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define PAGE    UINT64_C(0x1000)
#define IMAGE   UINT64_C(0x400000)
#define MAPPED  UINT64_C(0x7f0000000000)
#define PRIVATE (TRACE_VMA_READ | TRACE_VMA_WRITE)

static const struct replay_options on_x86 = {.format = &pt_format_x86_64, .keep = true};

/* A program with an image and one mapping. */
static void begin_x86(struct program *p, uint64_t size)
{
	const struct trace_vma vmas[] = {
		{.start = IMAGE, .end = IMAGE + 16 * PAGE, .flags = PRIVATE},
		{.start = MAPPED, .end = MAPPED + size, .flags = PRIVATE},
	};

	program_begin(p, 12, 4);
	program_exec(p, 1);
	program_vmas(p, 1, vmas, 2);
	program_fault(p, 1, IMAGE);
	program_check(p, 1, 3);
}

static void expect_equal(const struct replay_result *result, uint64_t checkpoints)
{
	assert_string_equal(result->wrong, "");
	assert_int_equal(result->checkpoints, checkpoints);
	assert_int_equal(result->equal, checkpoints);
	assert_false(result->first.found);
}

static void finish_equal(struct program *p, uint64_t checkpoints)
{
	struct replay_result result;

	program_gone(p, 1);
	program_replay(p, &on_x86, &result);
	expect_equal(&result, checkpoints);
}

/* Rules 2 and 6: a table goes with the last VMA that overlaps it, and not before. */
static void test_unmap(void **state)
{
	const struct trace_vma left[] = {
		{.start = IMAGE, .end = IMAGE + 16 * PAGE, .flags = PRIVATE},
		{.start = MAPPED, .end = MAPPED + MIB, .flags = PRIVATE},
	};
	struct program p;

	(void)state;
	begin_x86(&p, 4 * MIB);
	program_fault(&p, 1, MAPPED + MIB + PAGE);
	program_fault(&p, 1, MAPPED + 2 * MIB);
	program_check(&p, 1, 7);
	program_call(&p, 1, CALL_MUNMAP, MAPPED + MIB, 3 * MIB, 0, 0, 0);
	program_vmas(&p, 1, left, 2);
	program_check(&p, 1, 6);
	program_call(&p, 1, CALL_MUNMAP, MAPPED, MIB, 0, 0, 0);
	program_check(&p, 1, 3);
	finish_equal(&p, 4);
}

/* A mapping over another that then looks as it did before: no list of VMAs comes. */
static void test_mapped_over(void **state)
{
	struct program p;

	(void)state;
	begin_x86(&p, 8 * MIB);
	program_fault(&p, 1, MAPPED + 2 * MIB);
	program_check(&p, 1, 6);
	program_call(&p, 1, CALL_MMAP, MAPPED + 2 * MIB, 2 * MIB, 3, 0x32,
	    (int64_t)(MAPPED + 2 * MIB));
	program_check(&p, 1, 5);
	program_fault(&p, 1, MAPPED + 2 * MIB);
	program_check(&p, 1, 6);
	program_call(&p, 1, CALL_MUNMAP, MAPPED, 8 * MIB, 0, 0, 0);
	program_check(&p, 1, 3);
	finish_equal(&p, 5);
}

/* What no program maps is no reason to be busy for days. */
static void test_unbelievable(void **state)
{
	const struct trace_run run = {MAPPED, MAPPED + (GIB << 10), TRACE_PAGE_PRESENT};
	struct replay_result result;
	struct program p;

	(void)state;
	begin_x86(&p, 4 * MIB);
	program_scan(&p, 1, MAPPED, MAPPED + (GIB << 10), &run, 1);
	program_replay(&p, &on_x86, &result);
	assert_non_null(strstr(result.wrong, "more pages than any program"));
}

/* A difference is told with what is known of it, and is not repaired. */
static void test_difference(void **state)
{
	struct replay_result result;
	struct program p;

	(void)state;
	begin_x86(&p, 4 * MIB);
	program_call(&p, 1, CALL_MPROTECT, MAPPED, PAGE, 1, 0, 0);
	program_check(&p, 1, 4);
	program_check(&p, 1, 3);
	program_replay(&p, &on_x86, &result);
	assert_string_equal(result.wrong, "");
	assert_int_equal(result.checkpoints, 3);
	assert_int_equal(result.equal, 2);
	assert_true(result.first.found);
	assert_int_equal(result.first.checkpoint, 2);
	assert_int_equal(result.first.kernel, 4);
	assert_int_equal(result.first.ours[0] + result.first.ours[1] + result.first.ours[2], 3);
	assert_non_null(strstr(result.first.call, "mprotect"));
}

/* Rule 10: an empty leaf table goes, the one above stays. */
static void test_reclaim(void **state)
{
	struct program p;

	(void)state;
	begin_x86(&p, 4 * MIB);
	program_fault(&p, 1, MAPPED);
	program_fault(&p, 1, MAPPED + 2 * MIB);
	program_check(&p, 1, 7);
	program_call(&p, 1, CALL_MADVISE, MAPPED, 2 * MIB + PAGE, ADVICE_DONTNEED, 0, 0);
	program_check(&p, 1, 6);
	program_call(&p, 1, CALL_MADVISE, MAPPED + 2 * MIB, 2 * MIB, ADVICE_DONTNEED, 0, 0);
	program_check(&p, 1, 5);
	finish_equal(&p, 4);
}

/* Rules 10 and 12: a guard page is an entry, which DONTNEED leaves. */
static void test_guard(void **state)
{
	struct program p;

	(void)state;
	begin_x86(&p, 4 * MIB);
	program_call(&p, 1, CALL_MADVISE, MAPPED + 2 * MIB, PAGE, ADVICE_GUARD_INSTALL, 0, 0);
	program_check(&p, 1, 6);
	program_call(&p, 1, CALL_MADVISE, MAPPED, 4 * MIB, ADVICE_DONTNEED, 0, 0);
	program_check(&p, 1, 6);
	program_call(&p, 1, CALL_MADVISE, MAPPED, 4 * MIB, ADVICE_GUARD_REMOVE, 0, 0);
	program_call(&p, 1, CALL_MADVISE, MAPPED, 4 * MIB, ADVICE_DONTNEED, 0, 0);
	program_check(&p, 1, 5);
	finish_equal(&p, 4);
}

/* Rules 4 and 5: deposits. */
static void test_huge(void **state)
{
	const struct trace_run anon = {MAPPED, MAPPED + 4 * MIB,
		TRACE_PAGE_PRESENT | TRACE_PAGE_HUGE};
	const struct trace_run file = {MAPPED, MAPPED + 4 * MIB,
		TRACE_PAGE_PRESENT | TRACE_PAGE_HUGE | TRACE_PAGE_FILE};
	struct program p;

	(void)state;
	begin_x86(&p, 4 * MIB);
	program_scan(&p, 1, MAPPED, MAPPED + 4 * MIB, &anon, 1);
	program_check(&p, 1, 7);
	program_call(&p, 1, CALL_MPROTECT, MAPPED, PAGE, 1, 0, 0); /* the deposit becomes a table */
	program_check(&p, 1, 7);
	program_call(&p, 1, CALL_MADVISE, MAPPED, 4 * MIB, ADVICE_DONTNEED, 0, 0);
	program_check(&p, 1, 5);
	program_scan(&p, 1, MAPPED, MAPPED + 4 * MIB, &file, 1);
	program_check(&p, 1, 5);
	program_call(&p, 1, CALL_MADVISE, MAPPED, PAGE, ADVICE_DONTNEED, 0, 0);
	program_check(&p, 1, 5);
	finish_equal(&p, 6);
}

/* Rules 8 and 9: what fork copies is a matter of the VMA, and of whole tables. */
static void test_fork(void **state)
{
	const struct trace_run written = {MAPPED, MAPPED + PAGE, TRACE_PAGE_PRESENT};
	const struct trace_run zero = {MAPPED, MAPPED + PAGE, TRACE_PAGE_PRESENT | TRACE_PAGE_ZERO};
	struct program p;

	(void)state;
	begin_x86(&p, 4 * MIB);
	program_fault(&p, 1, MAPPED);
	program_fault(&p, 1, MAPPED + 2 * MIB);
	program_scan(&p, 1, MAPPED, MAPPED + PAGE, &zero, 1);
	program_fork(&p, 1, 2); /* nothing was written: the child has no tables */
	program_check(&p, 2, 0);
	program_gone(&p, 2);
	program_scan(&p, 1, MAPPED, MAPPED + PAGE, &written, 1);
	program_call(&p, 1, CALL_MADVISE, MAPPED + 2 * MIB, PAGE, ADVICE_DONTNEED, 0, 0);
	program_check(&p, 1, 7);
	program_fork(&p, 1, 3); /* an empty table is copied as well */
	program_check(&p, 3, 4);
	program_fault(&p, 3, MAPPED); /* copy-on-write */
	program_check(&p, 3, 4);
	program_call(&p, 1, CALL_MADVISE, MAPPED, 4 * MIB, ADVICE_DONTFORK, 0, 0);
	program_fork(&p, 1, 4);
	program_check(&p, 4, 0);
	finish_equal(&p, 6);
}

/* Rule 7: whole tables move, of both levels; of a part the entries do, into a table of their own.
 */
static void test_mremap(void **state)
{
	const uint64_t to = MAPPED + 64 * GIB;
	struct program p;

	(void)state;
	begin_x86(&p, 4 * GIB);
	for (uint64_t at = 0; at < 3 * GIB; at += 512 * MIB)
		program_fault(&p, 1, MAPPED + at);
	program_check(&p, 1, 3 + 6 + 3 + 1);
	program_call(&p, 1, CALL_MREMAP, MAPPED, 2 * GIB + PAGE, 2 * GIB + PAGE, 1, (int64_t)to);
	/* The part of the third has a table on either side now. */
	program_check(&p, 1, 3 + 7 + 4 + 1);
	finish_equal(&p, 3);
}

/* A shrinking mremap that moves, over something that is there. */
static void test_mremap_fixed(void **state)
{
	struct program p;

	(void)state;
	begin_x86(&p, 64 * MIB);
	program_fault(&p, 1, MAPPED + PAGE);
	program_fault(&p, 1, MAPPED + 4 * MIB);
	program_fault(&p, 1, MAPPED + 32 * MIB);
	program_check(&p, 1, 8);
	program_call(&p, 1, CALL_MREMAP, MAPPED, 8 * MIB, 2 * MIB, CALL_MREMAP_FIXED | 1,
	    (int64_t)(MAPPED + 32 * MIB));
	program_check(&p, 1, 6);
	finish_equal(&p, 3);
}

/* --thp: large pages where the recorded machine had none, and none where it had some. */
static void test_thp(void **state)
{
	const struct trace_run anon = {MAPPED, MAPPED + 4 * MIB,
		TRACE_PAGE_PRESENT | TRACE_PAGE_HUGE};
	const struct trace_run one = {MAPPED, MAPPED + PAGE, TRACE_PAGE_PRESENT};
	struct replay_options options = on_x86;
	struct replay_result result;
	struct program p;

	(void)state;
	options.thp = REPLAY_THP_ALWAYS;
	begin_x86(&p, 4 * MIB);
	program_fault(&p, 1, MAPPED);
	program_scan(&p, 1, MAPPED, MAPPED + 4 * MIB, &one, 1); /* what is a hole there is none */
	program_check(&p, 1, 6);
	program_replay(&p, &options, &result);
	assert_string_equal(result.wrong, "");
	assert_int_equal(result.checkpoints, 0);
	assert_int_equal(result.resident, 2 * MIB + PAGE);

	options.thp = REPLAY_THP_NEVER;
	begin_x86(&p, 4 * MIB);
	program_scan(&p, 1, MAPPED, MAPPED + 4 * MIB, &anon, 1);
	program_check(&p, 1, 6);
	program_replay(&p, &options, &result);
	assert_string_equal(result.wrong, "");
	assert_int_equal(result.tables[0], 3);
	assert_int_equal(result.resident, 4 * MIB + PAGE);
}

/*
 * fake8 has pages of 64 bytes and 128 KiB for programs. A recorded machine with pages of 16 bytes:
 * four to one, and its space is far wider.
 */
#define SMALL     UINT64_C(16)
#define LARGE     UINT64_C(64)
#define LOW_IMAGE UINT64_C(0x1000)
#define HIGH      UINT64_C(0x7f00000000)

static const struct replay_options on_fake = {.format = &pt_format_fake8, .keep = true};

static void begin_fake(struct program *p, uint64_t high_start, uint64_t high_end)
{
	const struct trace_vma vmas[] = {
		{.start = LOW_IMAGE, .end = LOW_IMAGE + 8 * LARGE, .flags = PRIVATE},
		{.start = high_start, .end = high_end, .flags = PRIVATE},
	};

	program_begin(p, 4, 4);
	program_exec(p, 1);
	program_vmas(p, 1, vmas, 2);
}

/* A page is there with the first of its parts and goes with the last. */
static void test_larger_pages(void **state)
{
	struct replay_result result;
	struct program p;

	(void)state;
	begin_fake(&p, HIGH, HIGH + KIB);
	program_fault(&p, 1, HIGH + LARGE);
	program_fault(&p, 1, HIGH + LARGE + SMALL);
	program_fault(&p, 1, HIGH + LARGE + 3 * SMALL);
	program_fault(&p, 1, LOW_IMAGE);
	program_check(&p, 1, 0);
	program_call(&p, 1, CALL_MUNMAP, HIGH, LARGE + 2 * SMALL, 0, 0, 0);
	program_gone(&p, 1);
	program_replay(&p, &on_fake, &result);
	assert_string_equal(result.wrong, "");
	assert_int_equal(result.resident, 2 * LARGE);
	assert_int_equal(result.touched, 4 * SMALL);
	assert_int_equal(result.not_fitting, 0);
	/* One of the recorded pages is left of each of the two. */
	assert_int_equal(result.verified, 2);
}

/* Two VMAs in one page: fork copies it once, and a move that cannot follow maps it anew. */
static void test_larger_pages_shared(void **state)
{
	const struct trace_run written = {HIGH, HIGH + 4 * LARGE, TRACE_PAGE_PRESENT};
	struct trace_vma vmas[] = {
		{.start = LOW_IMAGE, .end = LOW_IMAGE + 8 * LARGE, .flags = PRIVATE},
		{.start = HIGH, .end = HIGH + LARGE + SMALL, .flags = PRIVATE},
		{.start = HIGH + LARGE + SMALL, .end = HIGH + KIB, .flags = TRACE_VMA_READ},
	};
	struct replay_result result;
	struct program p;

	(void)state;
	begin_fake(&p, HIGH, HIGH + KIB);
	program_vmas(&p, 1, vmas, 3);
	program_scan(&p, 1, HIGH, HIGH + 4 * LARGE, &written, 1);
	program_fork(&p, 1, 2);
	program_gone(&p, 2);
	program_call(&p, 1, CALL_MREMAP, HIGH, LARGE + SMALL, LARGE + SMALL, CALL_MREMAP_FIXED | 1,
	    (int64_t)(HIGH + 10 * LARGE + 2 * SMALL));
	program_gone(&p, 1);
	program_replay(&p, &on_fake, &result);
	assert_string_equal(result.wrong, "");
	assert_int_equal(result.verified, 16 + 16);
}

/* Distances within the lower and the upper part stay; what is beyond is counted and left out. */
static void test_narrow(void **state)
{
	const uint64_t far = HIGH - 256 * KIB;
	struct replay_result result;
	struct program p;

	(void)state;
	begin_fake(&p, far, HIGH);
	program_fault(&p, 1, LOW_IMAGE);
	program_fault(&p, 1, HIGH - SMALL);
	program_fault(&p, 1, far);
	program_gone(&p, 1);
	program_replay(&p, &on_fake, &result);
	assert_string_equal(result.wrong, "");
	assert_int_equal(result.not_fitting, 4);
	assert_int_equal(result.verified, 2);
}

/* What a VMA is remembered for goes with its addresses. */
static void test_vmas(void **state)
{
	const struct trace_vma one = {.start = 0x1000, .end = 0x9000, .flags = PRIVATE};
	const struct trace_vma two[] = {
		{.start = 0x1000, .end = 0x3000, .flags = PRIVATE},
		{.start = 0x3000, .end = 0x9000, .flags = TRACE_VMA_READ},
		{.start = 0x9000, .end = 0xa000, .flags = PRIVATE},
	};
	const struct trace_event first = {.vmas = {.vmas = &one, .count = 1}};
	const struct trace_event second = {.vmas = {.vmas = two, .count = 3}};
	struct vmas vmas = {{0}, {0}};

	(void)state;
	vmas_show(&vmas, &first);
	vmas_take(&vmas, true);
	vmas_remember(&vmas.now, 0x4000, 0x5000, VMA_ANON, 0);
	vmas_show(&vmas, &(struct trace_event){.vmas = {.count = 0}});
	vmas_show(&vmas, &second);
	vmas_take(&vmas, true);
	assert_int_equal(vmas.now.count, 3);
	assert_int_equal(vmas_find(&vmas.now, 0x2fff)->memory, VMA_ANON);
	assert_int_equal(vmas_find(&vmas.now, 0x3000)->memory, VMA_ANON);
	assert_int_equal(vmas_find(&vmas.now, 0x9000)->memory, 0);
	assert_int_equal(vmas_floor(&vmas.now, 0x9000), 0x9000);
	vmas_cut(&vmas.now, 0x2000, 0x9800);
	assert_int_equal(vmas.now.count, 2);
	assert_int_equal(vmas_floor(&vmas.now, 0x5000), 0x2000);
	assert_int_equal(vmas_ceiling(&vmas.now, 0x5000), 0x9800);
	assert_null(vmas_find(&vmas.now, 0x2000));
	vmas_free(&vmas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unmap),
		cmocka_unit_test(test_mapped_over),
		cmocka_unit_test(test_unbelievable),
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_reclaim),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_mremap),
		cmocka_unit_test(test_mremap_fixed),
		cmocka_unit_test(test_thp),
		cmocka_unit_test(test_larger_pages),
		cmocka_unit_test(test_larger_pages_shared),
		cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_vmas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
