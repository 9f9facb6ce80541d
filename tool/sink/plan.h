/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who does what, and behind whom: a sequence of operations is dealt out to threads, each task's to
 * one of them, and each operation is told how far the other threads must have come before it.
 *
 * Two operations need no order if tables and translations come out the same either way: when they
 * are in other spaces, or when what they reach does not overlap. An operation on a range reaches
 * that range: tables that it makes on the way are made by who comes first. Pruning reaches all that
 * the tables translate that it may free. Making, ending and copying a space reach all of it.
 */
#ifndef TOOL_SINK_PLAN_H
#define TOOL_SINK_PLAN_H

#include <stddef.h>

#include "tool/sink/sink.h"

/* A thread must have done so many of its operations. */
struct plan_wait {
	uint32_t thread;
	uint32_t turn;
};

/* One operation of a thread. */
struct plan_step {
	uint32_t op;
	uint32_t first_wait; /* in plan.waits; up to that of the thread's next step */
	uint32_t waits;
};

struct plan_thread {
	struct plan_step *steps;
	size_t count;
	size_t room;
};

struct plan {
	unsigned tasks;
	unsigned threads;
	struct plan_thread *thread;
	struct plan_wait *waits;
	size_t wait_count;
	size_t wait_room;
	uint64_t ordered; /* operations behind one of another thread that they overlap */
};

/* Ends the program when there is no memory, as all of the tool does. */
void plan_make(struct plan *plan, const struct pt_format *format, const struct sink_op *ops,
    size_t count, unsigned most);

void plan_free(struct plan *plan);

/* May two operations, of which one comes before the other, be done at once. */
bool plan_exchangeable(const struct pt_format *format, const struct sink_op *a,
    const struct sink_op *b);

#endif
