/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Flattened traces: what is written is read again and does the same; what is damaged is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/replay/program.h"

#define PAGE   UINT64_C(0x1000)
#define IMAGE  UINT64_C(0x400000)
#define MAPPED UINT64_C(0x7f0000000000)
#define STACK  UINT64_C(0x7ffffff00000)
#define SHIFT  12u

/* Each field that a kind has is as large as can be. */
static struct sink_op largest(unsigned kind)
{
	struct sink_op op = {
		.kind = (uint8_t)kind,
		.level = kind == SINK_POPULATE ? UINT8_MAX : 0,
		.space = UINT32_MAX,
		.va = UINT64_MAX << SHIFT,
		.size = UINT64_MAX << SHIFT,
		.arg = UINT64_MAX << SHIFT,
	};

	if (kind == SINK_MAP || kind == SINK_MAP_HUGE || kind == SINK_REPLACE ||
	    kind == SINK_PROTECT)
		op.attr = (pt_attr){UINT32_MAX, UINT32_MAX};
	return op;
}

static void test_each_kind(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind <= SINK_LOOK; kind++) {
		struct sink_op op = largest(kind);
		uint8_t first[FLAT_RECORD];
		uint8_t second[FLAT_RECORD];
		unsigned bytes = flat_put(first, &op, SHIFT);
		struct flat_reader reader = {first, first + bytes, 1, SHIFT};
		struct sink_op got;

		assert_in_range(bytes, 2, FLAT_RECORD);
		assert_int_equal(flat_get(&reader, &got), FLAT_OP);
		assert_int_equal(got.kind, kind);
		assert_int_equal(got.level, op.level);
		assert_int_equal(got.attr.flags, op.attr.flags);
		assert_int_equal(flat_put(second, &got, SHIFT), bytes);
		assert_memory_equal(first, second, bytes);
		assert_int_equal(flat_get(&reader, &got), FLAT_END);
		/* Any that is cut off is broken. */
		for (unsigned cut = 0; cut < bytes; cut++) {
			reader = (struct flat_reader){first, first + cut, 1, SHIFT};
			assert_int_equal(flat_get(&reader, &got), FLAT_BROKEN);
		}
	}
}

static void test_half_a_page(void **state)
{
	const struct sink_op op = {.kind = SINK_UNMAP, .va = PAGE, .size = PAGE / 2};
	uint8_t bytes[FLAT_RECORD];

	(void)state;
	assert_int_equal(flat_put(bytes, &op, SHIFT), 0);
}

static void test_strange_records(void **state)
{
	const uint8_t unknown[] = {SINK_LOOK + 1, 0, 0, 0, 0};
	const uint8_t endless[] = {SINK_NEW, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0};
	const uint8_t more[] = {SINK_NEW, 0, SINK_NEW, 1};
	struct flat_reader reader = {unknown, unknown + sizeof(unknown), 1, SHIFT};
	struct sink_op op;

	(void)state;
	assert_int_equal(flat_get(&reader, &op), FLAT_BROKEN);
	reader = (struct flat_reader){endless, endless + sizeof(endless), 1, SHIFT};
	assert_int_equal(flat_get(&reader, &op), FLAT_BROKEN);
	reader = (struct flat_reader){more, more + sizeof(more), 1, SHIFT};
	assert_int_equal(flat_get(&reader, &op), FLAT_OP);
	assert_int_equal(flat_get(&reader, &op), FLAT_BROKEN);
}

static void test_header(void **state)
{
	const uint8_t records[] = {SINK_NEW, 0, SINK_DESTROY, 0};
	uint8_t file[FLAT_HEADER + sizeof(records)];
	const struct flat_header header = {.format = "x86_64",
		.bytes = sizeof(records),
		.records = 2,
		.spaces = 1,
		.checksum = flat_checksum(FLAT_CHECKSUM_START, records, sizeof(records))};
	struct flat_header got;

	(void)state;
	memcpy(file + FLAT_HEADER, records, sizeof(records));
	flat_put_header(file, &header);
	assert_null(flat_get_header(file, sizeof(file), &got));
	assert_memory_equal(&got, &header, sizeof(got));
	for (size_t size = 0; size < sizeof(file); size++)
		assert_non_null(flat_get_header(file, size, &got));
	/* A bit of the magic, the sizes, the checksum or a record; names are the reader's to judge.
	 */
	for (size_t i = 0; i < sizeof(file) * 8; i++) {
		size_t at = i / 8;

		if ((at >= 8 && at < 8 + FLAT_NAME) || (at >= 48 && at < 60))
			continue;
		file[at] ^= (uint8_t)(1u << i % 8);
		assert_non_null(flat_get_header(file, sizeof(file), &got));
		file[at] ^= (uint8_t)(1u << i % 8);
	}
}

/* A program that maps, is forked, writes, unmaps. */
static void play(struct program *p)
{
	const struct trace_vma vmas[] = {
		{.start = IMAGE,
			.end = IMAGE + 16 * PAGE,
			.flags = TRACE_VMA_READ | TRACE_VMA_WRITE},
		{.start = MAPPED,
			.end = MAPPED + 64 * PAGE,
			.flags = TRACE_VMA_READ | TRACE_VMA_WRITE},
		{.start = STACK,
			.end = STACK + 16 * PAGE,
			.flags = TRACE_VMA_READ | TRACE_VMA_WRITE | TRACE_VMA_STACK},
	};

	program_begin(p, 12, 4);
	program_exec(p, 1);
	program_vmas(p, 1, vmas, 3);
	for (unsigned i = 0; i < 64; i += 3)
		program_fault(p, 1, MAPPED + i * PAGE);
	program_fault(p, 1, IMAGE);
	program_fault(p, 1, STACK);
	program_check(p, 1, 0);
	program_gone(p, 1);
}

/* Does what was written once more. */
static void do_again(const struct sink_log *log, struct sink_log *again)
{
	struct flat_reader reader = {log->records, log->records + log->bytes,
		log->counts.operations + log->counts.looks, SHIFT};
	struct sink *sink = sink_open(&pt_format_i386, 0, again);
	struct sink_op op;
	enum flat_next next;

	assert_non_null(sink);
	while ((next = flat_get(&reader, &op)) == FLAT_OP)
		assert_int_equal(sink_do(sink, &op), 0);
	assert_int_equal(next, FLAT_END);
	assert_true(sink_close(sink));
}

static void test_done_again(void **state)
{
	struct sink_log log = {0};
	struct sink_log again = {0};
	const struct replay_options options = {.format = &pt_format_i386, .log = &log};
	struct replay_result result;
	struct program p;

	(void)state;
	play(&p);
	program_replay(&p, &options, &result);
	assert_string_equal(result.wrong, "");
	assert_true(log.counts.looks > 8 && log.counts.kinds[SINK_MAP] == 24);
	assert_int_equal(sink_tables(log.counts.tables), 0);
	assert_int_equal(sink_tables(log.counts.peak), 4);
	do_again(&log, &again);
	assert_int_equal(again.bytes, log.bytes);
	assert_memory_equal(again.records, log.records, log.bytes);
	assert_memory_equal(&again.counts, &log.counts, sizeof(log.counts));
	free(log.records);
	free(again.records);
}

/* A question that is answered otherwise than it says is an error. */
static void test_questions(void **state)
{
	const struct sink_op steps[] = {
		{.kind = SINK_NEW},
		{.kind = SINK_MAP,
			.attr = {PT_READ | PT_USER, 0},
			.va = PAGE,
			.size = PAGE,
			.arg = PAGE},
	};
	struct sink *sink = sink_open(&pt_format_i386, 0, NULL);
	struct sink_op look = {.kind = SINK_LOOK, .va = PAGE, .arg = PAGE};

	(void)state;
	assert_int_equal(sink_do(sink, &steps[0]), 0);
	assert_int_equal(sink_do(sink, &steps[1]), 0);
	assert_int_equal(sink_do(sink, &look), -PT_EINVAL);
	look.flags = SINK_LOOK_MAPPED;
	assert_int_equal(sink_do(sink, &look), 0);
	look.flags |= SINK_LOOK_WRITE_KNOWN;
	assert_int_equal(sink_do(sink, &look), 0);
	look.flags |= SINK_LOOK_WRITE;
	assert_int_equal(sink_do(sink, &look), -PT_EINVAL);
	look.flags = SINK_LOOK_MAPPED;
	look.arg = 2 * PAGE;
	assert_int_equal(sink_do(sink, &look), -PT_EINVAL);
	look.va = 2 * PAGE;
	assert_int_equal(sink_do(sink, &look), -PT_EINVAL);
	look.flags = 0;
	assert_int_equal(sink_do(sink, &look), 0);
	assert_true(sink_close(sink));
}

/* A kernel that has the upper part of a narrow space: programs end below it. */
static void test_room(void **state)
{
	struct sink_log log = {0};
	const uint64_t room = UINT64_C(1) << 30;
	const struct replay_options options = {.format = &pt_format_i386,
		.log = &log,
		.room = room};
	struct replay_result result;
	struct flat_reader reader;
	enum flat_next next;
	struct sink_op op;
	struct program p;

	(void)state;
	play(&p);
	program_replay(&p, &options, &result);
	assert_string_equal(result.wrong, "");
	assert_int_equal(result.not_fitting, 0);
	reader = (struct flat_reader){log.records, log.records + log.bytes,
		log.counts.operations + log.counts.looks, SHIFT};
	while ((next = flat_get(&reader, &op)) == FLAT_OP)
		assert_true(op.va + op.size <= room);
	assert_int_equal(next, FLAT_END);
	free(log.records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind),
		cmocka_unit_test(test_half_a_page),
		cmocka_unit_test(test_strange_records),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_done_again),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
