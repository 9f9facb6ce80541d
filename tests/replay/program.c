/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/replay/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void program_begin(struct program *p, unsigned page_shift, unsigned levels)
{
	struct trace_error error;
	int fd;

	*p = (struct program){.path = "/tmp/test_replay.XXXXXX"};
	p->header = (struct trace_header){.kernel = "none",
		.command = "none",
		.thp = "none",
		.page_shift = page_shift,
		.levels = levels,
		.faults = true,
		.scan = true,
		.reclaim = true};
	fd = mkstemp(p->path);
	assert_true(fd >= 0);
	close(fd);
	p->writer = trace_create(p->path, &p->header, &error);
	assert_non_null(p->writer);
}

static void put(struct program *p, const struct trace_event *event)
{
	assert_true(trace_write(p->writer, event));
}

void program_exec(struct program *p, uint32_t space)
{
	const struct trace_event event = {.kind = TRACE_EXEC,
		.space = space,
		.task = space,
		.name = "program"};

	put(p, &event);
}

void program_fork(struct program *p, uint32_t parent, uint32_t child)
{
	const struct trace_event event = {.kind = TRACE_FORK,
		.space = child,
		.task = child,
		.parent = parent};

	put(p, &event);
}

void program_gone(struct program *p, uint32_t space)
{
	const struct trace_event event = {.kind = TRACE_GONE, .space = space};

	put(p, &event);
}

void program_vmas(struct program *p, uint32_t space, const struct trace_vma *vmas, size_t count)
{
	const struct trace_event event = {.kind = TRACE_VMAS,
		.space = space,
		.vmas = {.vmas = vmas, .count = count}};

	put(p, &event);
}

void program_call(struct program *p, uint32_t space, uint32_t nr, uint64_t a0, uint64_t a1,
    uint64_t a2, uint64_t a3, int64_t result)
{
	const struct trace_event event = {.kind = TRACE_CALL,
		.space = space,
		.task = space,
		.call = {.nr = nr, .args = {a0, a1, a2, a3}, .result = result}};

	put(p, &event);
}

void program_fault(struct program *p, uint32_t space, uint64_t va)
{
	const struct trace_event event = {.kind = TRACE_FAULT,
		.space = space,
		.task = space,
		.va = va};

	put(p, &event);
}

void program_scan(struct program *p, uint32_t space, uint64_t start, uint64_t end,
    const struct trace_run *runs, size_t count)
{
	const struct trace_event event = {.kind = TRACE_SCAN,
		.space = space,
		.scan = {.why = TRACE_WHY_EVERY,
			.start = start,
			.end = end,
			.runs = runs,
			.count = count}};

	put(p, &event);
}

void program_check(struct program *p, uint32_t space, uint64_t tables)
{
	const struct trace_event event = {.kind = TRACE_CHECK,
		.space = space,
		.task = space,
		.check = {.why = TRACE_WHY_EVERY, .vmpte = tables << p->header.page_shift}};

	put(p, &event);
}

void program_replay(struct program *p, const struct replay_options *options,
    struct replay_result *result)
{
	struct trace_header header;
	struct trace_reader *reader;
	struct trace_error error;

	assert_true(trace_close(p->writer, 0, &error));
	reader = trace_open(p->path, &header, &error);
	assert_non_null(reader);
	assert_true(replay_run(reader, &header, options, result, &error));
	trace_reader_close(reader);
	unlink(p->path);
}
