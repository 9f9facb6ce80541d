/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tool/tool.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
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

static void *or_end(void *memory)
{
	if (!memory) {
		tool_error("out of memory: free some, or look at less at a time");
		exit(TOOL_UNSUPPORTED);
	}
	return memory;
}

void *tool_alloc(size_t size)
{
	return or_end(calloc(1, size));
}

void *tool_grow(void *array, size_t *room, size_t need, size_t size)
{
	size_t more = *room ? *room : 64;

	if (need <= *room)
		return array;
	while (more < need)
		more *= 2;
	array = or_end(reallocarray(array, more, size));
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

/* Whether it is time for a line. */
static bool is_time(struct tool_progress *progress)
{
	uint64_t now;

	if (!progress->on_terminal)
		return false;
	now = tool_now_ns();
	if (now - progress->started_ns < SECOND_NS || now - progress->shown_ns < SECOND_NS / 10)
		return false;
	progress->shown_ns = now;
	return true;
}

void progress_text(struct tool_progress *progress, const char *format, ...)
{
	va_list args;

	if (!is_time(progress))
		return;
	fputc('\r', stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fflush(stderr);
}

void progress_show(struct tool_progress *progress, size_t done, size_t total, const char *what)
{
	progress_text(progress, "%zu of %zu  %-24.24s", done, total, what);
}

void progress_end(struct tool_progress *progress)
{
	if (progress->shown_ns)
		fprintf(stderr, "\r%72s\r", "");
	progress->shown_ns = 0;
}

void tool_print_bytes(uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	double number = (double)bytes;
	unsigned unit = 0;

	while (number >= 1000 && units[unit + 1]) {
		number /= 1024;
		unit++;
	}
	if (unit && number < 99.95)
		printf(" %6.1f%c", number, units[unit]);
	else
		printf(" %6.0f%c", number, units[unit]);
}

const char *tool_escape(char *escaped, const char *text)
{
	char *at = escaped;

	for (; *text; text++) {
		if (*text >= ' ' && *text <= '~' && *text != '\\')
			*at++ = *text;
		else
			at += sprintf(at, "\\x%02x", (unsigned char)*text);
	}
	*at = 0;
	return escaped;
}
