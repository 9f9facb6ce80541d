/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of this folder share. */
#ifndef TOOL_SINK_SINK_INTERNAL_H
#define TOOL_SINK_SINK_INTERNAL_H

#include <ptdesc/hosted.h>
#include <stddef.h>

#include "tool/sink/sink.h"

/* A checkpoint among what is kept. */
struct sink_check {
	size_t at; /* operations before it */
	uint32_t space;
	uint64_t kernel; /* tables, or SINK_UNKNOWN */
	struct pt_space_stats tables;
};

struct sink {
	const struct pt_format *format;
	struct pt_hosted *hosted;
	struct tlb *tlb;
	struct pt_memory *memory;
	struct pt_space **spaces; /* by number; NULL: there is none */
	size_t space_room;
	uint32_t flags; /* enum sink_flags */
	uint32_t task;  /* of the next operation */
	struct sink_log *log;
	struct sink_op *ops;
	size_t op_count;
	size_t op_room;
	struct sink_check *checks;
	size_t check_count;
	size_t check_room;
};

/* Operations that take so long that they are timed once. */
#define SINK_MANY_OPS 1000000u

/* Times that what was kept is done again to be timed: the best of them is the library's. */
static inline unsigned sink_rounds(const struct sink *sink)
{
	return sink->op_count < SINK_MANY_OPS ? 3 : 1;
}

/* Does an operation and keeps nothing; by any thread if there is room for its spaces. */
int sink_execute(struct sink *sink, const struct sink_op *op);

/* Makes room for the space of a number. */
void sink_reserve(struct sink *sink, uint32_t number);

#endif
