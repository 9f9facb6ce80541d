/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Gather: what a call unmaps, on its way back to the caller. The library never owns mapped frames;
 * they leave as runs, in the caller's buffer, and never before the TLBs are flushed (L3).
 */
#ifndef PTDESC_GATHER_H
#define PTDESC_GATHER_H

#include <ptdesc/types.h>

/* Memory that was mapped: contiguous, and of one accessed and dirty state. */
struct pt_run {
	pt_pa pa;
	uint64_t size; /* bytes */
	bool accessed;
	bool dirty;
};

/*
 * Takes a batch of runs, after the flush. Called with locks of tables held when the buffer filled
 * up in the middle: may not sleep, may not call the library but to free frames.
 */
typedef void (*pt_release_fn)(void *ctx, const struct pt_run *runs, size_t count);

struct pt_gather {
	struct pt_run *runs;   /* the caller's buffer */
	size_t capacity;       /* runs that it holds, at least 1 */
	size_t count;          /* runs in it now */
	pt_release_fn release; /* NULL: runs are dropped after the flush */
	void *ctx;             /* for release */
	uint64_t released;     /* bytes that were handed over so far */
};

/* A gather over a caller's buffer; no destructor: it is empty whenever no call is under way. */
static inline struct pt_gather pt_make_gather(struct pt_run *runs, size_t capacity,
    pt_release_fn release, void *ctx)
{
	struct pt_gather g;

	g.runs = runs;
	g.capacity = capacity;
	g.count = 0;
	g.release = release;
	g.ctx = ctx;
	g.released = 0;
	return g;
}

#endif
