/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Traces for tests of programs:
 *   make_trace whole FILE   the example of docs/trace-format.md
 *   make_trace cut FILE     the same as a killed recorder leaves it
 *   make_trace odd FILE     names that no terminal should see, and no JSON can hold as they are
 *   make_trace seeds DIR    what the fuzzer begins with
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/trace/example.h"
#include "tests/trace/made.h"

#define SEEDS 8u

static int fail(const char *what)
{
	fprintf(stderr, "make_trace: %s\n", what);
	return 1;
}

/* Whole, unless cut: then it ends where the last flush put it. */
static int make_example(const char *path, bool cut)
{
	const struct trace_event late = {.kind = TRACE_CHECK,
		.space = 1,
		.task = 100,
		.time = UINT64_C(5000000000)};
	struct trace_header header = made_header(12);
	struct trace_error error;
	struct trace_writer *writer = trace_create(path, &header, &error);

	if (!writer || !example_write(writer))
		return fail("cannot write");
	if (cut && trace_write(writer, &late) && trace_flush(writer))
		exit(0);
	return trace_close(writer, 3, &error) ? 0 : fail(error.what);
}

static int make_odd(const char *path)
{
	static const char odd[] = "\033[31m\xff\xc3\n\"\\ caf\xc3\xa9";
	struct trace_header header = made_header(12);
	struct trace_event event = {.kind = TRACE_EXEC, .space = 1, .task = 100};
	struct trace_error error;
	struct trace_writer *writer;

	strcpy(header.command, odd);
	strcpy(event.name, odd);
	writer = trace_create(path, &header, &error);
	if (!writer || !trace_write(writer, &event))
		return fail("cannot write");
	return trace_close(writer, 0, &error) ? 0 : fail(error.what);
}

/* mode: the first byte that fuzz_trace.c takes. */
static void put_seed(const char *dir, unsigned number, int mode, struct bytes bytes)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/seed-%u-%d", dir, number, mode);
	file = fopen(path, "w");
	if (!file || fputc(mode, file) < 0 ||
	    fwrite(bytes.data, 1, bytes.size, file) != bytes.size || fclose(file))
		exit(fail("cannot write a seed"));
}

static int make_seeds(const char *dir)
{
	for (unsigned i = 0; i < SEEDS; i++) {
		struct made made = made_trace(i, 12, 20 * i);
		struct frames frames;

		frames_take_apart(&frames, made.file);
		put_seed(dir, i, 0, made.file);
		put_seed(dir, i, 1, frames.frames[1].raw);
		put_seed(dir, i, 2, frames.frames[0].raw);
		frames_free(&frames);
		made_free(&made);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc == 3 ? argv[1] : "";

	if (!strcmp(what, "whole") || !strcmp(what, "cut"))
		return make_example(argv[2], what[0] == 'c');
	if (!strcmp(what, "odd"))
		return make_odd(argv[2]);
	if (!strcmp(what, "seeds"))
		return make_seeds(argv[2]);
	return fail("whole|cut|odd|seeds PATH");
}
