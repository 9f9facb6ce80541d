/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What events may follow one another: which spaces there are, and the list of VMAs of each.
 * Writer and reader ask the same code, so that what was written can be read.
 */
#ifndef TOOL_TRACE_TRACE_SPACES_H
#define TOOL_TRACE_TRACE_SPACES_H

#include "tool/trace/trace.h"

/* VMAs at a time, of all spaces: what a file can make a reader keep. */
#define TRACE_SPANS (UINT32_C(1) << 22)

/* Where a VMA is. */
struct trace_span {
	uint64_t start;
	uint64_t end;
};

struct trace_space {
	struct trace_span *spans; /* by address */
	size_t count;
	size_t room;
	/* The coder's: page of the record before, in this block. */
	uint64_t page;
	uint64_t block;
};

struct trace_slot {
	struct trace_space *space; /* NULL: not yet, or gone */
	bool used;
};

/* All zero but for page_shift to begin with. */
struct trace_spaces {
	unsigned page_shift;
	struct trace_slot *slots; /* by number */
	size_t room;
	size_t spans; /* of all spaces */
};

/* The space of that number, NULL if there is none or it is gone. */
struct trace_space *trace_spaces_find(struct trace_spaces *spaces, uint32_t number);

/*
 * Judges an event by those before it, and counts it among them. NULL, or a sentence that says what
 * is wrong with it: nothing has changed then.
 */
const char *trace_spaces_take(struct trace_spaces *spaces, const struct trace_event *event);

/* Forgets all. */
void trace_spaces_reset(struct trace_spaces *spaces);

#endif
