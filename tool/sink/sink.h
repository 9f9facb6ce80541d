/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where operations end: spaces of one format in simulated memory, run by the library. A sequence of
 * them can be kept and done again, to be timed, or written down, to be done elsewhere.
 */
#ifndef TOOL_SINK_SINK_H
#define TOOL_SINK_SINK_H

#include <ptdesc/memory.h>
#include <stddef.h>

#include "tool/sink/flat.h"

struct sink;

/* What was done, and how long the library took for it, by kind. */
struct sink_times {
	uint64_t count[SINK_KINDS];
	uint64_t pages[SINK_KINDS]; /* of the format, in the ranges */
	uint64_t ns[SINK_KINDS];
};

/* Operations, written down and counted. Made of zeros; records are the caller's to free. */
struct sink_log {
	uint8_t *records;
	size_t bytes;
	size_t room;
	uint32_t spaces;
	struct sink_counts counts;
};

/*
 * NULL, and a message, when the simulated memory cannot be made. keep: operations are kept, for
 * sink_time. log (or NULL): they are written there.
 */
struct sink *sink_open(const struct pt_format *format, bool keep, struct sink_log *log);

/* False, and a message, when the library leaked. NULL is fine. */
bool sink_close(struct sink *sink);

/*
 * Does an operation. 0, or the library's error; nothing has changed then. SINK_LOOK: -PT_EINVAL
 * when the library answers otherwise.
 */
int sink_do(struct sink *sink, const struct sink_op *op);

/* The space of a number, or NULL. */
struct pt_space *sink_space(struct sink *sink, uint32_t space);

struct pt_memory *sink_memory(struct sink *sink);

/* Flush requests that the library made. */
uint64_t sink_flushes(const struct sink *sink);

/*
 * Does all that was kept again, in memory of its own, and takes the time of each stretch of
 * operations of one kind. False, and a message, when something fails that did not fail before.
 */
bool sink_time(const struct sink *sink, struct sink_times *times);

#endif
