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
struct tlb;

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

/* What a sink has beside spaces. */
enum sink_flags {
	SINK_KEEP = 1u << 0, /* operations are kept */
	SINK_TLB = 1u << 1,  /* CPUs with TLBs, if there is a machine for the format */
	SINK_MANY = 1u << 2, /* many threads use it at once */
};

/* CPUs that have a TLB each. */
#define SINK_CPUS 8u

/*
 * NULL, and a message, when the simulated memory cannot be made. flags: enum sink_flags. log (or
 * NULL): operations are written there.
 */
struct sink *sink_open(const struct pt_format *format, uint32_t flags, struct sink_log *log);

/* False, and a message, when the library leaked. NULL is fine. */
bool sink_close(struct sink *sink);

/* Whose operations those to come are. */
void sink_task(struct sink *sink, uint32_t task);

/* A checkpoint: the space's tables are counted. kernel: what they should be, SINK_UNKNOWN: no idea.
 */
void sink_checkpoint(struct sink *sink, uint32_t space, uint64_t kernel);
#define SINK_UNKNOWN UINT64_MAX

/* log2 of the bytes that programs may use of a format's space: half where addresses are signed. */
static inline unsigned sink_user_bits(const struct pt_format *format)
{
	return format->va_bits - (format->flags & PT_FORMAT_SIGNED ? 1u : 0u);
}

/*
 * What a page of the format that is mapped adds to the digest of its space, which is their sum. For
 * a large leaf each of its pages counts.
 */
uint64_t sink_digest(uint64_t va, uint64_t pa, bool write);

/*
 * Does an operation. 0, or the library's error; nothing has changed then. SINK_LOOK: -PT_EINVAL
 * when the library answers otherwise.
 */
int sink_do(struct sink *sink, const struct sink_op *op);

/*
 * A load or store (PT_READ, PT_WRITE, PT_EXEC) on a CPU with a TLB; *pa is what was reached. Errors
 * are those of tlb_access and pt_access_fault.
 */
int sink_access(struct sink *sink, uint32_t space, unsigned cpu, uint64_t va, uint32_t access,
    uint64_t *pa);

/* The TLBs; NULL: there are none. */
struct tlb *sink_tlb(const struct sink *sink);

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

/* What was done by several threads at once, and compared. */
struct sink_crew {
	unsigned tasks;   /* of the recorded program, that operations are of */
	unsigned threads; /* 1: nothing was done */
	uint64_t checkpoints;
	uint64_t same;    /* at which each level has the tables that it had with one thread */
	uint64_t kernels; /* whose number of tables is known from the kernel */
	uint64_t equal;   /* of these, at which it is that */
	uint64_t spaces;  /* that were compared with the model at their end */
	uint64_t pages;   /* translations in them */
	uint64_t operations;
	uint64_t ordered; /* of these, behind one of another thread, for they overlap */
	uint64_t ns;      /* for all operations, without comparisons; best of some rounds */
	uint64_t ns_one;  /* the same with one thread */
	char wrong[160];  /* what went wrong; "": nothing */
};

/*
 * Does all that was kept again, in memory of its own, by as many threads as there were tasks, at
 * most so many: each does what its tasks did in their order, and waits only for operations before
 * it that its own would not be exchangeable with (plan.h). At each checkpoint all join, and tables
 * are counted; at the end of each space all its translations are compared with the model's digest.
 */
void sink_parallel(const struct sink *sink, unsigned most, struct sink_crew *crew);

#endif
