/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What all commands of the tool share: exit codes, messages, growing arrays.
 *
 * Data goes to stdout, all else to stderr.
 */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include <stddef.h>
#include <stdint.h>

/* Exit codes; part of the interface. */
enum tool_exit {
	TOOL_OK = 0,
	TOOL_DIFFERENCE = 1, /* a check found a difference */
	TOOL_USAGE = 2,      /* the command line makes no sense */
	TOOL_BAD_INPUT =
	    3, /* what was named does not exist or cannot be read as what it should be */
	TOOL_UNSUPPORTED = 4, /* this machine, kernel or user may not do it */
};

/* A command: argv[0] is its name. Returns an exit code. */
struct tool_command {
	const char *name;
	const char *what; /* one line for --help */
	int (*run)(int argc, const char **argv);
};

int command_snapshot(int argc, const char **argv);
int command_record(int argc, const char **argv);
int command_decode(int argc, const char **argv);
int command_formats(int argc, const char **argv);
int command_replay(int argc, const char **argv);
int command_flatten(int argc, const char **argv);
int command_trace(int argc, const char **argv);

/* Writes "ptdesc: " and the message, which says what to do, to stderr. */
void tool_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Makes room in an array for need elements of size bytes; *room is how many it holds. Returns the
 * array; ends the program when there is no memory.
 */
void *tool_grow(void *array, size_t *room, size_t need, size_t size);

/* Memory for something, zeroed; ends the program when there is none. */
void *tool_alloc(size_t size);

/* Room for what tool_escape makes of a text of so many bytes. */
#define TOOL_ESCAPED(bytes) (4 * (bytes) + 1)

/* A text that any terminal may see: what is not printable ASCII becomes \xNN, and so does the
 * backslash. Returns escaped. */
const char *tool_escape(char *escaped, const char *text);

/* A line on stderr that is overwritten by the next: only on a terminal, only after a second. */
struct tool_progress {
	uint64_t started_ns;
	uint64_t shown_ns;
	int on_terminal;
};

void progress_start(struct tool_progress *progress);
void progress_show(struct tool_progress *progress, size_t done, size_t total, const char *what);
/* The same with a text, which has no end in sight. */
void progress_text(struct tool_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void progress_end(struct tool_progress *progress);

/* sizeof(struct page) of Linux on 64-bit machines: what every frame costs there. */
#define LINUX_PAGE_BYTES 64u

/* Prints a column of bytes, 12.3M: four places at most. */
void tool_print_bytes(uint64_t bytes);

/* CLOCK_MONOTONIC. */
uint64_t tool_now_ns(void);

#endif
