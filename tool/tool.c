/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tool/tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)

void tool_error(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("ptdesc: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void tool_no_memory(void)
{
	tool_error("out of memory: give it less at a time");
	exit(TOOL_UNSUPPORTED);
}

void *tool_grow(void *array, size_t *room, size_t need, size_t size)
{
	size_t more = *room ? *room : 64;

	if (need <= *room)
		return array;
	while (more < need)
		more *= 2;
	array = reallocarray(array, more, size);
	if (!array)
		tool_no_memory();
	*room = more;
	return array;
}

uint64_t tool_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

void progress_start(struct tool_progress *progress)
{
	progress->started_ns = tool_now_ns();
	progress->shown_ns = 0;
	progress->on_terminal = isatty(STDERR_FILENO);
}

void progress_show(struct tool_progress *progress, size_t done, size_t total, const char *what)
{
	uint64_t now;

	if (!progress->on_terminal)
		return;
	now = tool_now_ns();
	if (now - progress->started_ns < SECOND_NS || now - progress->shown_ns < SECOND_NS / 10)
		return;
	progress->shown_ns = now;
	fprintf(stderr, "\r%zu of %zu  %-24.24s", done, total, what);
	fflush(stderr);
}

void progress_end(struct tool_progress *progress)
{
	if (progress->shown_ns)
		fprintf(stderr, "\r%48s\r", "");
	progress->shown_ns = 0;
}
