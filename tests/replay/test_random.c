/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Traces that are well formed and make no sense: replay may find fault with them, but neither crash
 * nor hang nor leak. PT_RANDOM_TRACES says how many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/trace/made.h"
#include "tool/replay/replay.h"

#define EVENTS 400u

static void replay_made(unsigned seed)
{
	const struct replay_options options = {.format = &pt_format_x86_64, .keep = seed % 8 == 0};
	struct made made = made_trace(seed, 12, EVENTS);
	struct replay_result result;
	struct trace_header header;
	struct trace_error error;
	struct trace_reader *reader =
	    trace_open_memory(made.file.data, made.file.size, &header, &error);

	assert_non_null(reader);
	assert_true(replay_run(reader, &header, &options, &result, &error));
	trace_reader_close(reader);
	made_free(&made);
}

static void test_random_traces(void **state)
{
	const char *wanted = getenv("PT_RANDOM_TRACES");
	unsigned count = wanted ? (unsigned)atoi(wanted) : 200;

	(void)state;
	for (unsigned seed = 1; seed <= count; seed++)
		replay_made(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_traces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
