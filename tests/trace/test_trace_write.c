/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The writer of traces: its bytes, what it refuses, how much it takes, what a full disk leaves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/trace/example.h"
#include "tests/trace/made.h"
#include "tool/trace/trace_spaces.h"

static const char bad_range[] = "a range is empty, out of order or not of whole pages";

static void test_bytes_are_as_described(void **state)
{
	static const uint8_t end[] = {1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 0x06};
	struct trace_header header = made_header(12);
	struct frames frames;
	struct trace_error error;
	struct trace_writer *writer;
	struct bytes file;
	char path[64];
	int fd = made_file(path);

	(void)state;
	writer = trace_create(path, &header, &error);
	assert_non_null(writer);
	assert_true(example_write(writer));
	assert_true(trace_close(writer, 3, &error));
	file = made_bytes(fd);
	frames_take_apart(&frames, file);
	assert_int_equal(frames.count, 3);
	assert_int_equal(frames.frames[1].raw.size, example_size);
	assert_memory_equal(frames.frames[1].raw.data, example_bytes, example_size);
	assert_int_equal(frames.frames[2].raw.size, sizeof(end));
	assert_memory_equal(frames.frames[2].raw.data, end, sizeof(end));
	frames_free(&frames);
	free(file.data);
}

static struct trace_event exec_event(void)
{
	return (struct trace_event){.kind = TRACE_EXEC, .space = 1, .task = 2, .name = "x"};
}

/* The writer says why it takes no such event, takes none after it, and leaves what can be read. */
static void refused(struct trace_event event, const char *what)
{
	struct trace_header header = made_header(12);
	struct trace_event first = exec_event();
	struct trace_error error;
	struct trace_writer *writer;
	struct bytes file;
	char path[64];
	int fd = made_file(path);

	writer = trace_create(path, &header, &error);
	assert_non_null(writer);
	assert_true(trace_write(writer, &first));
	assert_false(trace_write(writer, &event));
	event = (struct trace_event){.kind = TRACE_LOST};
	assert_false(trace_write(writer, &event));
	assert_false(trace_flush(writer));
	assert_false(trace_close(writer, 0, &error));
	assert_string_equal(error.what, what);
	file = made_bytes(fd);
	assert_int_equal(made_judge(12, file).end, TRACE_CUT);
	free(file.data);
}

static void refused_vma(struct trace_vma vma, const char *what)
{
	struct trace_event event = {.kind = TRACE_VMAS, .space = 1};

	event.vmas.vmas = &vma;
	event.vmas.count = 1;
	refused(event, what);
}

static void test_writer_refuses_what_no_reader_takes(void **state)
{
	struct trace_event event = {.kind = TRACE_KINDS, .space = 1};
	struct trace_vma vma = {.start = 0x2000, .end = 0x2000};

	(void)state;
	refused(event, "there is no such kind of event");
	event.kind = TRACE_FAULT;
	event.space = 2;
	refused(event, "the space is not known, or gone");
	event = (struct trace_event){.kind = TRACE_EXEC};
	memset(event.name, 'x', sizeof(event.name));
	refused(event, "a name has no end");
	event = exec_event();
	event.space = TRACE_SPACES;
	refused(event, "the number of this space is too large");
	refused_vma(vma, bad_range);
	vma.end = 0x2800;
	refused_vma(vma, bad_range);
	vma.end = 0x3000;
	vma.flags = TRACE_VMA_SYSV << 1;
	refused_vma(vma, "a mapping has flags that do not exist");
	vma.flags = 0;
	memset(vma.name, 'x', sizeof(vma.name));
	refused_vma(vma, "a name has no end");
}

/* An EXEC, and then event. Returns what the reader gives back after it; its arrays live on. */
static struct trace_reader *through(const struct trace_event *event, struct trace_event *back)
{
	struct trace_header header = made_header(12);
	struct trace_event first = exec_event();
	struct trace_error error;
	struct trace_reader *reader;
	char path[64];
	int fd = made_file(path);
	struct trace_writer *writer = trace_create(path, &header, &error);

	assert_non_null(writer);
	assert_true(trace_write(writer, &first));
	assert_true(trace_write(writer, event));
	assert_true(trace_written(writer) > 0);
	assert_true(trace_close(writer, -1, &error));
	reader = trace_open(path, &header, &error);
	close(fd);
	assert_non_null(reader);
	assert_int_equal(trace_read(reader, back, &error), TRACE_EVENT);
	assert_int_equal(trace_read(reader, back, &error), TRACE_EVENT);
	return reader;
}

#define MANY_RUNS 100000u
#define MANY_VMAS 65530u

static void test_last_number_of_a_space(void **state)
{
	struct trace_event event = {.kind = TRACE_FORK, .space = TRACE_SPACES - 1, .parent = 1};
	struct trace_event back;

	(void)state;
	trace_reader_close(through(&event, &back));
	assert_null(stream_compare(&event, &back));
}

static void test_very_large_events(void **state)
{
	struct trace_run *runs = calloc(MANY_RUNS, sizeof(*runs));
	struct trace_vma *vmas = calloc(MANY_VMAS, sizeof(*vmas));
	struct trace_event event = {.kind = TRACE_SCAN, .space = 1};
	struct trace_event back;
	struct trace_error error;
	struct trace_reader *reader;

	(void)state;
	for (uint64_t i = 0; i < MANY_RUNS; i++)
		runs[i] = (struct trace_run){i * 0x200000, i * 0x200000 + 0x1000, i % 64};
	event.scan.end = UINT64_C(1) << 47;
	event.scan.runs = runs;
	event.scan.count = MANY_RUNS;
	reader = through(&event, &back);
	assert_null(stream_compare(&event, &back));
	assert_int_equal(trace_read(reader, &back, &error), TRACE_END);
	assert_int_equal(trace_status(reader), -1);
	trace_reader_close(reader);
	for (uint64_t i = 0; i < MANY_VMAS; i++) {
		vmas[i] = (struct trace_vma){i << 32, i << 32 | 0x1000, UINT64_MAX, 1, "x"};
		memset(vmas[i].name, 'y', TRACE_NAME - 1);
	}
	event = (struct trace_event){.kind = TRACE_VMAS, .space = 1};
	event.vmas.vmas = vmas;
	event.vmas.count = MANY_VMAS;
	reader = through(&event, &back);
	assert_null(stream_compare(&event, &back));
	trace_reader_close(reader);
	free(runs);
	free(vmas);
}

/* count mappings of 36 bytes each. */
static struct trace_event large_event(struct trace_vma *vmas, size_t count)
{
	struct trace_event event = {.kind = TRACE_VMAS, .space = 1};

	for (uint64_t i = 0; i < count; i++) {
		vmas[i].start = i << 13;
		vmas[i].end = vmas[i].start + 0x1000;
		memset(vmas[i].name, 'y', TRACE_NAME - 1);
	}
	event.vmas.vmas = vmas;
	event.vmas.count = count;
	return event;
}

#define TOO_MANY   500000u
#define ALL_BUT_40 465000u /* KiB of the largest block */

static void test_too_large_an_event_is_refused(void **state)
{
	struct trace_vma *vmas = calloc(TOO_MANY, sizeof(*vmas));

	(void)state;
	refused(large_event(vmas, TOO_MANY), "an event is larger than a block may be");
	free(vmas);
}

static void put(struct trace_writer *writer, struct trace_event event, bool taken)
{
	assert_int_equal(trace_write(writer, &event), taken);
}

/* What is kept goes out first if a large event does not fit behind it. */
static void test_a_large_event_behind_others(void **state)
{
	struct trace_vma *vmas = calloc(ALL_BUT_40, sizeof(*vmas));
	struct trace_header header = made_header(12);
	struct trace_event event = {.kind = TRACE_FAULT, .space = 1};
	struct trace_error error;
	struct frames frames;
	struct bytes file;
	char path[64];
	int fd = made_file(path);
	struct trace_writer *writer = trace_create(path, &header, &error);

	(void)state;
	assert_non_null(writer);
	put(writer, exec_event(), true);
	for (unsigned i = 0; i < 50000; i++, event.va += 0x1000)
		put(writer, event, true);
	put(writer, large_event(vmas, ALL_BUT_40), true);
	assert_true(trace_close(writer, 0, &error));
	file = made_bytes(fd);
	assert_int_equal(made_judge(12, file).events, 50002);
	frames_take_apart(&frames, file);
	assert_int_equal(frames.count, 4);
	frames_free(&frames);
	free(file.data);
	free(vmas);
}

/* The second block says again what it could have told from the first. */
static void test_each_block_stands_alone(void **state)
{
	static const uint8_t second[] = {0x06, 0x01, 0x04, 0x0a};
	struct trace_header header = made_header(12);
	struct trace_event event = exec_event();
	struct trace_error error;
	struct frames frames;
	struct bytes file;
	char path[64];
	int fd = made_file(path);
	struct trace_writer *writer = trace_create(path, &header, &error);

	(void)state;
	assert_non_null(writer);
	event.time = 1000000000;
	put(writer, event, true);
	event = (struct trace_event){.kind = TRACE_FAULT, .space = 1, .task = 2, .va = 0x5000};
	put(writer, event, true);
	assert_true(trace_flush(writer));
	put(writer, event, true);
	assert_true(trace_close(writer, 0, &error));
	file = made_bytes(fd);
	frames_take_apart(&frames, file);
	assert_int_equal(frames.count, 4);
	assert_int_equal(frames.frames[2].raw.size, sizeof(second));
	assert_memory_equal(frames.frames[2].raw.data, second, sizeof(second));
	frames_free(&frames);
	free(file.data);
}

/* As many mappings as may be: 64 spaces with as many each. */
#define EACH (TRACE_SPANS / 64)

static struct trace_writer *filled(const struct trace_vma *vmas)
{
	struct trace_header header = made_header(12);
	struct trace_event event = {.kind = TRACE_VMAS, .space = 1};
	struct trace_error error;
	struct trace_writer *writer = trace_create("/dev/null", &header, &error);

	assert_non_null(writer);
	event.vmas.vmas = vmas;
	event.vmas.count = EACH;
	put(writer, exec_event(), true);
	put(writer, event, true);
	event = (struct trace_event){.kind = TRACE_FORK, .parent = 1};
	for (event.space = 2; event.space <= 64; event.space++)
		put(writer, event, true);
	return writer;
}

static void refuses_more(struct trace_writer *writer, struct trace_event event)
{
	struct trace_error error;

	put(writer, event, false);
	assert_false(trace_close(writer, 0, &error));
	assert_string_equal(error.what, "more mappings at a time than a trace may have");
}

/* What a file can make a reader keep is bounded; what is gone does not count. */
static void test_mappings_at_a_time_are_bounded(void **state)
{
	struct trace_vma *vmas = calloc(EACH + 1, sizeof(*vmas));
	struct trace_event again = {.kind = TRACE_VMAS, .space = 2};
	struct trace_writer *writer;

	(void)state;
	for (uint64_t i = 0; i <= EACH; i++)
		vmas[i] = (struct trace_vma){.start = i << 12, .end = (i + 1) << 12};
	writer = filled(vmas);
	put(writer, (struct trace_event){.kind = TRACE_GONE, .space = 64}, true);
	put(writer, (struct trace_event){.kind = TRACE_FORK, .space = 65, .parent = 1}, true);
	again.vmas.vmas = vmas;
	again.vmas.count = EACH;
	put(writer, again, true);
	refuses_more(writer, (struct trace_event){.kind = TRACE_FORK, .space = 66, .parent = 1});
	again.vmas.count = EACH + 1;
	refuses_more(filled(vmas), again);
	free(vmas);
}

/* A disk that is full within a block: what was put out before is whole. */
static void test_a_full_disk_leaves_whole_blocks(void **state)
{
	struct trace_header header = made_header(12);
	struct rlimit limit = {1500, RLIM_INFINITY};
	struct stream stream;
	struct trace_error error;
	struct trace_writer *writer;
	struct bytes file;
	struct seen seen;
	char path[64];
	int fd = made_file(path);

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	writer = trace_create(path, &header, &error);
	assert_non_null(writer);
	stream_start(&stream, 21, 12);
	for (unsigned i = 0; i < 1000; i++) {
		struct trace_event event = stream_next(&stream);

		if (!trace_write(writer, &event) || !trace_flush(writer))
			break;
	}
	assert_false(trace_close(writer, 0, &error));
	limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_string_equal(error.what, "cannot write: File too large");
	file = made_bytes(fd);
	assert_int_equal(error.offset, file.size);
	assert_true(file.size > 500);
	seen = made_read(&(struct made){21, 12, 0, file}, file);
	assert_int_equal(seen.end, TRACE_CUT);
	assert_null(seen.wrong);
	assert_true(seen.events > 0);
	free(file.data);
}

/* What trace.h promises of a flush. */
static void test_flush_puts_out_what_is_much_or_old(void **state)
{
	struct trace_header header = made_header(12);
	struct trace_event event = exec_event();
	struct trace_error error;
	struct trace_writer *writer = trace_create("/dev/null", &header, &error);
	uint64_t before = trace_written(writer);

	(void)state;
	event.time = 999999999;
	assert_true(trace_write(writer, &event) && trace_flush(writer));
	assert_int_equal(trace_written(writer), before);
	event = (struct trace_event){.kind = TRACE_CHECK, .space = 1, .time = 1000000000};
	assert_true(trace_write(writer, &event) && trace_flush(writer));
	assert_true(trace_written(writer) > before);
	before = trace_written(writer);
	/* A fault has no time: what stands there is not looked at. */
	event = (struct trace_event){.kind = TRACE_FAULT, .space = 1, .time = UINT64_MAX};
	for (unsigned i = 0; i < 1000; i++) {
		event.va += 0x1000;
		assert_true(trace_write(writer, &event) && trace_flush(writer));
	}
	assert_int_equal(trace_written(writer), before);
	for (unsigned i = 0; i < 4096; i++) {
		event.va += 0x1000;
		assert_true(trace_write(writer, &event) && trace_flush(writer));
	}
	assert_true(trace_written(writer) > before);
	before = trace_written(writer);
	for (unsigned i = 0; i < 128 << 10; i++) {
		event.va += 0x1000;
		assert_true(trace_write(writer, &event));
	}
	assert_true(trace_written(writer) > before); /* without being asked */
	assert_true(trace_close(writer, 0, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_are_as_described),
		cmocka_unit_test(test_writer_refuses_what_no_reader_takes),
		cmocka_unit_test(test_last_number_of_a_space),
		cmocka_unit_test(test_very_large_events),
		cmocka_unit_test(test_too_large_an_event_is_refused),
		cmocka_unit_test(test_a_large_event_behind_others),
		cmocka_unit_test(test_each_block_stands_alone),
		cmocka_unit_test(test_mappings_at_a_time_are_bounded),
		cmocka_unit_test(test_a_full_disk_leaves_whole_blocks),
		cmocka_unit_test(test_flush_puts_out_what_is_much_or_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
