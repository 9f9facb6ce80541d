/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Traces: what is written is read; what was damaged is not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/trace/made.h"

static void expect_broken(struct seen seen, struct bytes file)
{
	assert_int_equal(seen.end, TRACE_BROKEN);
	assert_null(seen.wrong);
	assert_true(seen.error.offset <= file.size);
	assert_true(seen.error.what[0]);
}

static void expect_end(struct seen seen, size_t events)
{
	assert_string_equal(seen.wrong ? seen.wrong : "", "");
	assert_string_equal(seen.error.what, "");
	assert_int_equal(seen.end, TRACE_END);
	assert_int_equal(seen.events, events);
	assert_int_equal(seen.status, MADE_STATUS);
}

static void test_what_is_written_is_read(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 300; seed++) {
		struct made made = made_trace(seed, 12 + seed % 5, 200 + 50 * (seed % 20));

		expect_end(made_read(&made, made.file), made.events);
		made_free(&made);
	}
}

/* Member by member: what lies between them may be anything. */
static void expect_header(const struct trace_header *h, const struct trace_header *want)
{
	assert_string_equal(h->kernel, want->kernel);
	assert_string_equal(h->command, want->command);
	assert_string_equal(h->thp, want->thp);
	assert_int_equal(h->page_shift, want->page_shift);
	assert_int_equal(h->levels, want->levels);
	assert_int_equal(h->reclaim, want->reclaim);
	assert_int_equal(h->faults, want->faults);
	assert_int_equal(h->scan, want->scan);
	assert_int_equal(h->start, want->start);
}

static void test_header_is_read(void **state)
{
	struct trace_header header = made_header(14);
	struct trace_header again;
	struct trace_error error;
	struct trace_reader *reader;
	struct bytes file;
	char path[64];
	int fd = made_file(path);

	(void)state;
	header.thp[0] = 0;
	memset(header.kernel, 'k', sizeof(header.kernel) - 1);
	memset(header.command, '\xff', sizeof(header.command) - 1);
	header.start = UINT64_MAX;
	assert_true(trace_close(trace_create(path, &header, &error), 0, &error));
	reader = trace_open(path, &again, &error);
	assert_non_null(reader);
	expect_header(&again, &header);
	trace_reader_close(reader);
	file = made_bytes(fd);
	free(file.data);
}

static void test_rewind_reads_the_same(void **state)
{
	struct made made = made_trace(5, 12, 400);
	struct trace_header header;
	struct trace_error error;
	struct trace_event event;
	struct trace_reader *reader =
	    trace_open_memory(made.file.data, made.file.size, &header, &error);

	(void)state;
	assert_non_null(reader);
	assert_int_equal(trace_size(reader), made.file.size);
	for (unsigned stop = 0; stop < 800; stop += 40) {
		struct stream stream;
		enum trace_next next = TRACE_EVENT;

		stream_start(&stream, made.seed, made.page_shift);
		for (unsigned i = 0; i < stop; i++) {
			next = trace_read(reader, &event, &error);
			if (next != TRACE_EVENT)
				break;
			struct trace_event wanted = stream_next(&stream);

			assert_null(stream_compare(&event, &wanted));
		}
		assert_int_equal(next, stop > made.events ? TRACE_END : TRACE_EVENT);
		assert_true(trace_position(reader) <= made.file.size);
		trace_rewind(reader);
	}
	trace_reader_close(reader);
	made_free(&made);
}

/* Is there the end of a block at size? */
static bool is_border(const struct frames *frames, size_t size)
{
	for (size_t i = 1; i < frames->count; i++) {
		if (frames->frames[i].offset == size)
			return true;
	}
	return false;
}

static void test_every_shorter_file(void **state)
{
	struct made made = made_trace(11, 12, 120);
	struct frames frames;
	unsigned cut = 0;

	(void)state;
	frames_take_apart(&frames, made.file);
	assert_true(frames.count > 5);
	for (size_t size = 0; size < made.file.size; size++) {
		/* Of its exact size: so that a sanitizer sees every byte too far. */
		struct bytes file = {malloc(size), size};
		struct seen seen;

		memcpy(file.data, made.file.data, size);
		seen = made_read(&made, file);
		if (!is_border(&frames, size)) {
			expect_broken(seen, file);
		} else {
			assert_int_equal(seen.end, TRACE_CUT);
			assert_null(seen.wrong);
			cut++;
		}
		free(file.data);
	}
	assert_int_equal(cut, frames.count - 1);
	frames_free(&frames);
	made_free(&made);
}

static void test_every_bit_flipped(void **state)
{
	struct made made = made_trace(12, 12, 60);

	(void)state;
	for (size_t bit = 0; bit < 8 * made.file.size; bit++) {
		made.file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		expect_broken(made_read(&made, made.file), made.file);
		made.file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	expect_end(made_read(&made, made.file), made.events);
	made_free(&made);
}

/* Blocks left out, doubled and exchanged: each is whole, and yet not the trace. */
static void test_blocks_in_the_wrong_place(void **state)
{
	struct made made = made_trace(13, 12, 120);
	struct frames frames;

	(void)state;
	frames_take_apart(&frames, made.file);
	for (size_t i = 0; i + 1 < frames.count; i++) {
		size_t from = frames.frames[i].offset;
		size_t to = frames.frames[i + 1].offset;
		struct bytes file = {malloc(made.file.size + (to - from)), 0};

		memcpy(file.data, made.file.data, from);
		memcpy(file.data + from, made.file.data + to, made.file.size - to);
		file.size = made.file.size - (to - from);
		expect_broken(made_read(&made, file), file);
		memcpy(file.data, made.file.data, to);
		memcpy(file.data + to, made.file.data + from, made.file.size - from);
		file.size = made.file.size + (to - from);
		expect_broken(made_read(&made, file), file);
		free(file.data);
	}
	frames_free(&frames);
	made_free(&made);
}

static void says(struct bytes file, uint64_t offset, const char *what)
{
	struct seen seen = made_judge(12, file);

	assert_int_equal(seen.end, TRACE_BROKEN);
	if (!strstr(seen.error.what, what))
		assert_string_equal(seen.error.what, what);
	assert_int_equal(seen.error.offset, offset);
}

static void test_foreign_files(void **state)
{
	struct made made = made_trace(14, 12, 60);
	uint8_t elf[64] = "\177ELF\2\1\1";

	(void)state;
	says((struct bytes){elf, 0}, 0, "the file is empty");
	says((struct bytes){elf, 11}, 0, "this is no trace: too short");
	says((struct bytes){elf, sizeof(elf)}, 0, "this is no trace");
	made.file.data[8] = TRACE_VERSION + 1;
	says(made.file, 8, "a trace of version 2; this ptdesc reads version 1");
	made.file.data[8] = TRACE_VERSION;
	says((struct bytes){made.file.data, 12}, 12, "the file ends within the head");
	made_free(&made);
}

static void cannot_open(const char *path, const char *what)
{
	struct trace_header header;
	struct trace_error error;

	assert_null(trace_open(path, &header, &error));
	assert_string_equal(error.what, what);
	assert_int_equal(error.offset, 0);
}

static void test_what_cannot_be_opened(void **state)
{
	struct trace_header header = made_header(12);
	struct trace_error error;

	(void)state;
	cannot_open("/nowhere/at/all", "cannot open it: No such file or directory");
	cannot_open("/dev/null", "this is no regular file");
	cannot_open("/", "this is no regular file");
	assert_null(trace_create("/nowhere/at/all", &header, &error));
	assert_string_equal(error.what, "cannot create it: No such file or directory");
	assert_null(trace_create("/dev/full", &header, &error));
	assert_string_equal(error.what, "cannot write: No space left on device");
	header.levels = 3;
	assert_null(trace_create("/dev/null", &header, &error));
	assert_string_equal(error.what, "the header lacks something, or says what cannot be");
}

/* frames with the raw bytes of one block replaced. */
static struct bytes joined_with(struct frames *frames, size_t at, const void *data, size_t size)
{
	struct bytes was = frames->frames[at].raw;
	struct bytes file;

	frames->frames[at].raw = (struct bytes){(uint8_t *)(uintptr_t)data, size};
	file = frames_join(frames);
	frames->frames[at].raw = was;
	return file;
}

static void records_say(const char *records, size_t size, const char *what)
{
	struct made made = made_trace(15, 12, 0);
	struct frames frames;
	struct bytes file;

	frames_take_apart(&frames, made.file);
	assert_int_equal(frames.count, 2);
	frames.frames[1].kind = 2;
	file = joined_with(&frames, 1, records, size);
	says(file, frames_offset(file, 1), what);
	free(file.data);
	frames_free(&frames);
	made_free(&made);
}

/* An EXEC of space 5; then what comes. */
#define EXEC            "\x00\x05\x02\x00\x01x"
#define RECORDS(r)      r, sizeof(r) - 1
#define NOT_A_RECORD    "a record ends too early, or holds what no record can"
#define UNKNOWN_SPACE   "the space is not known, or gone"
#define BAD_RANGE       "a range is empty, out of order or not of whole pages"
#define TWO_TO_THE_52   "\x80\x80\x80\x80\x80\x80\x80\x08"
#define TOO_LONG_NUMBER "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"

static void test_bad_records(void **state)
{
	(void)state;
	records_say(RECORDS("\x30"), "record 1 of this block, exec of space 0: " NOT_A_RECORD);
	records_say(RECORDS("\x3f"), NOT_A_RECORD);
	records_say(RECORDS(EXEC "\xb3"), NOT_A_RECORD);
	records_say(RECORDS(EXEC "\x73"), NOT_A_RECORD);
	records_say(RECORDS(EXEC "\x36"),
	    "record 2 of this block, fault of space 5: " NOT_A_RECORD);
	records_say(RECORDS(EXEC "\x36" TOO_LONG_NUMBER), NOT_A_RECORD);
	records_say(RECORDS("\x3b" TOO_LONG_NUMBER), NOT_A_RECORD);
	records_say(RECORDS(EXEC "\x21\x06\x00\x85\x80\x80\x80\x10"), NOT_A_RECORD);
	records_say(RECORDS(EXEC "\x36\x80\x80\x80\x80\x80\x80\x80\x20"), NOT_A_RECORD);
	records_say(RECORDS(EXEC "\x76\x00\x80\x20"), NOT_A_RECORD);
	records_say(RECORDS("\x3b\x00\x00\x05\x02\x00\x05x"), "record 2 of this block, exec");
	records_say(RECORDS(EXEC "\x34\x00\x00\x80\x80\x80\x80\x80\x20"), NOT_A_RECORD);
	records_say(RECORDS("\x23\x05"), UNKNOWN_SPACE);
	records_say(RECORDS(EXEC "\x26\x06\x00"), UNKNOWN_SPACE);
	records_say(RECORDS(EXEC "\x33\x36\x00"), "fault of space 5: " UNKNOWN_SPACE);
	records_say(RECORDS(EXEC "\x33" EXEC), "used before");
	records_say(RECORDS(EXEC "\x21\x06\x00\x07"), "the parent's space is not known");
	records_say(RECORDS(EXEC "\x34\x01\x00\x00"), "more mappings are kept than there were");
	records_say(RECORDS(EXEC "\x34\x00\x00\x02\x01\x01\x00\x00\x00"), NOT_A_RECORD);
	records_say(RECORDS(EXEC "\x34\x00\x00\x01\x01\x00\x00\x00\x00"), BAD_RANGE);
	records_say(RECORDS(EXEC "\x34\x00\x00\x01" TWO_TO_THE_52 "\x01\x00\x00\x00"),
	    NOT_A_RECORD);
	records_say(RECORDS(EXEC "\x34\x00\x00\x01\x01\x01\x00\x80\x20\x00"), "flags");
	records_say(RECORDS(EXEC "\x34\x00\x00\x01\x01\x01\x00\x00\x02"), NOT_A_RECORD);
	records_say(RECORDS(EXEC "\x34\x00\x00\x01\x01\x01\x00\x00\x01\x00"), NOT_A_RECORD);
	records_say(RECORDS(EXEC "\x34\x00\x00\x01\x01\x02\x00\x00\x00"
				 "\x34\x00\x01\x01\x00\x02\x00\x00\x00"),
	    BAD_RANGE);
	records_say(RECORDS(EXEC "\x38\x09\x02\x01\x00"), "the reason of a scan does not exist");
	records_say(RECORDS(EXEC "\x38\x00\x02\x00\x00"), BAD_RANGE);
	records_say(RECORDS(EXEC "\x38\x00\x02\x04\x01\x03\x02\x00"), BAD_RANGE);
	records_say(RECORDS(EXEC "\x38\x00\x02\x04\x01\x00\x01\x40"), "pages have flags");
	records_say(RECORDS(EXEC "\x38\x00\x02\x04\xff\xff\xff\x7f\x00\x01\x00"), NOT_A_RECORD);
	records_say(RECORDS(EXEC "\x39\x00\x09\x00"), "the reason of a checkpoint");
}

static void header_says(const char *text, size_t size)
{
	struct made made = made_trace(16, 12, 0);
	struct frames frames;
	struct bytes file;

	frames_take_apart(&frames, made.file);
	file = joined_with(&frames, 0, text, size);
	says(file, 12, "the header lacks something, or says what cannot be");
	free(file.data);
	frames.frames[0].kind = 2;
	file = joined_with(&frames, 0, text, size);
	says(file, 12, "the header is missing");
	free(file.data);
	frames_free(&frames);
	made_free(&made);
}

#define TEXTS  "kernel\0k\0command\0c\0thp\0t\0"
#define TRUTHS "reclaim\0000\0faults\0001\0scan\0000\0"

static void test_bad_headers(void **state)
{
	(void)state;
	header_says(RECORDS("kernel"));
	header_says(RECORDS(TEXTS TRUTHS "levels\0004\0start\0000\0"));
	header_says(RECORDS(TEXTS TRUTHS "page_shift\0003\0levels\0004\0start\0000\0"));
	header_says(RECORDS(TEXTS TRUTHS "page_shift\00012\0levels\0006\0start\0000\0"));
	header_says(RECORDS(TEXTS TRUTHS "page_shift\00012\0levels\0004\0start\000-1\0"));
	header_says(
	    RECORDS(TEXTS TRUTHS "page_shift\00012\0levels\0004\0start\00018446744073709551616\0"));
	header_says(RECORDS(TEXTS TRUTHS "page_shift\000 12\0levels\0004\0start\0000\0"));
	header_says(RECORDS(TEXTS TRUTHS "page_shift\00012\0levels\0004\0start\0000"));
	header_says(RECORDS(TEXTS "reclaim\0002\0faults\0001\0scan\0000\0"
				  "page_shift\00012\0levels\0004\0start\0000\0"));
}

/* A later minor writer may say more. */
static void test_unknown_keys_are_passed_over(void **state)
{
	static const char text[] =
	    "colour\0blue\0" TEXTS TRUTHS "page_shift\00012\0levels\0004\0start\0001\0more\0\0";
	struct made made = made_trace(17, 12, 60);
	struct frames frames;
	struct bytes file;

	(void)state;
	frames_take_apart(&frames, made.file);
	file = joined_with(&frames, 0, text, sizeof(text) - 1);
	expect_end(made_read(&made, file), made.events);
	free(file.data);
	frames_free(&frames);
	made_free(&made);
}

static void end_says(struct frames *frames, const void *data, size_t size, const char *what)
{
	struct bytes file = joined_with(frames, frames->count - 1, data, size);

	says(file, frames_offset(file, frames->count - 1), what);
	free(file.data);
}

static void test_bad_ends(void **state)
{
	struct made made = made_trace(18, 12, 0);
	struct frames frames;
	struct bytes file;

	(void)state;
	frames_take_apart(&frames, made.file);
	end_says(&frames, RECORDS("\0\0\0\0\0\0\1\0\0\0\0\0\0"), "another number of events");
	end_says(&frames, RECORDS("\0\0\0\0\0\0\0\0\0\0\0\0"), "not as long as an end is");
	end_says(&frames, RECORDS("\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "not as long as an end is");
	end_says(&frames, RECORDS("\0\0\0\0\0\0\0\0\0\0\0\0\x80\x80\x80\x80\x20"),
	    "the exit status is none");
	frames.frames[frames.count++] = (struct frame){.kind = 2, .raw = {(uint8_t *)EXEC, 6}};
	file = frames_join(&frames);
	says(file, frames_offset(file, 2), "there is something behind the end");
	free(file.data);
	frames.count--;
	frames_free(&frames);
	made_free(&made);
}

/* Heads that ask for much memory are refused by what they say, all checksums being right. */
static void test_sizes_are_bounded(void **state)
{
	static const struct {
		unsigned at;
		const char *bytes;
		const char *what;
	} heads[] = {
		{8, "\x00\x00\x00\x00", "no block begins here: its kind does not exist"},
		{8, "\x04\x00\x00\x00", "no block begins here: its kind does not exist"},
		{8, "\x01\x00\x00\x00", "a second header"},
		{16, "\x00\x00\x00\x00", "no block begins here: its size is impossible"},
		{16, "\x01\x00\x00\x01", "no block begins here: its size is impossible"},
		{16, "\x00\x00\x00\x01", "this block's payload is not what its head says"},
		{12, "\x01\x00\x01\x01", "no block begins here: its size is impossible"},
		{12, "\x00\x00\x01\x01", "the file ends within this block"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct made made = made_trace(19, 12, 10);
		struct frames frames;

		frames_take_apart(&frames, made.file);
		memcpy(made.file.data + frames.frames[1].offset + heads[i].at, heads[i].bytes, 4);
		frames_mend(made.file);
		says(made.file, frames.frames[1].offset, heads[i].what);
		frames_free(&frames);
		made_free(&made);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(trace_kind_name(TRACE_EXEC), "exec");
	assert_string_equal(trace_kind_name(TRACE_LOST), "lost");
	assert_string_equal(trace_kind_name(TRACE_KINDS), "unknown");
	assert_string_equal(trace_why_name(TRACE_WHY_HEAL), "heal");
	assert_string_equal(trace_why_name(TRACE_WHYS), "unknown");
	assert_string_equal(trace_call_name(9), "mmap");
	assert_string_equal(trace_call_name(0), "call");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_header_is_read),
		cmocka_unit_test(test_rewind_reads_the_same),
		cmocka_unit_test(test_every_shorter_file),
		cmocka_unit_test(test_every_bit_flipped),
		cmocka_unit_test(test_blocks_in_the_wrong_place),
		cmocka_unit_test(test_foreign_files),
		cmocka_unit_test(test_what_cannot_be_opened),
		cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_unknown_keys_are_passed_over),
		cmocka_unit_test(test_bad_ends),
		cmocka_unit_test(test_sizes_are_bounded),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
