/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program that was never run: writes the trace that a recorder would have, and replays it. */
#ifndef TESTS_REPLAY_PROGRAM_H
#define TESTS_REPLAY_PROGRAM_H

#include "tool/replay/replay.h"

struct program {
	char path[64];
	struct trace_header header;
	struct trace_writer *writer;
};

/* Begins a trace of a machine with such pages and levels. */
void program_begin(struct program *p, unsigned page_shift, unsigned levels);

void program_exec(struct program *p, uint32_t space);
void program_fork(struct program *p, uint32_t parent, uint32_t child);
void program_gone(struct program *p, uint32_t space);

/* The kernel's whole list of a space that had old VMAs. */
void program_vmas(struct program *p, uint32_t space, const struct trace_vma *vmas, size_t count);
void program_call(struct program *p, uint32_t space, uint32_t nr, uint64_t a0, uint64_t a1,
    uint64_t a2, uint64_t a3, int64_t result);
void program_fault(struct program *p, uint32_t space, uint64_t va);
void program_scan(struct program *p, uint32_t space, uint64_t start, uint64_t end,
    const struct trace_run *runs, size_t count);

/* A checkpoint at which the kernel has so many tables. */
void program_check(struct program *p, uint32_t space, uint64_t tables);

/* Ends the trace, replays it, and removes it. */
void program_replay(struct program *p, const struct replay_options *options,
    struct replay_result *result);

#endif
