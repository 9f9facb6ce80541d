/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Each allocation of writer and reader fails in turn: an error that says so, and nothing leaks (a
 * sanitizer sees that). The linker sends the allocations of what it links here (--wrap).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/trace/made.h"

/* Allocations until the one that fails; at 0 none does. */
static unsigned countdown;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool fails_now(void)
{
	return countdown && !--countdown;
}

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails_now() ? NULL : __real_realloc(old, size);
}

#define EVENTS 2000u
#define SEED   31u

/* Whether a trace was written; else error says why not. */
static bool write_trace(const char *path, struct trace_error *error)
{
	struct trace_header header = made_header(12);
	struct trace_writer *writer = trace_create(path, &header, error);
	struct stream stream;

	if (!writer)
		return false;
	stream_start(&stream, SEED, 12);
	for (unsigned i = 0; i < EVENTS; i++) {
		struct trace_event event = stream_next(&stream);

		if (!trace_write(writer, &event))
			break;
	}
	return trace_close(writer, MADE_STATUS, error);
}

static bool read_trace(const char *path, struct trace_error *error)
{
	struct trace_header header;
	struct trace_event event;
	struct trace_reader *reader = trace_open(path, &header, error);
	enum trace_next next;

	if (!reader)
		return false;
	do
		next = trace_read(reader, &event, error);
	while (next == TRACE_EVENT);
	trace_reader_close(reader);
	return next == TRACE_END;
}

/* Returns in how many places it failed before it went well. */
static unsigned fail_each(bool (*work)(const char *, struct trace_error *), const char *path)
{
	for (unsigned n = 1;; n++) {
		struct trace_error error;
		bool done;

		countdown = n;
		done = work(path, &error);
		/* Not reached: there are fewer allocations than n. */
		if (countdown) {
			countdown = 0;
			assert_true(done);
			return n - 1;
		}
		assert_false(done);
		if (!strstr(error.what, "out of memory"))
			assert_string_equal(error.what, "out of memory");
	}
}

static void test_each_allocation_fails(void **state)
{
	char path[64];
	int fd = made_file(path);

	(void)state;
	assert_true(fail_each(write_trace, path) > 20);
	assert_true(fail_each(read_trace, path) > 20);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
