/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Random event streams, the same for the same seed: what was written need not be kept. */
#ifndef TESTS_TRACE_STREAM_H
#define TESTS_TRACE_STREAM_H

#include "tool/trace/trace.h"

#define STREAM_SPACES  6u
#define STREAM_NUMBERS 1024u /* of spaces: no stream may make more */
#define STREAM_LIST    24u   /* VMAs of a space, and runs of a scan, at most */

struct stream_space {
	uint32_t number;
	size_t count;
	struct trace_vma list[STREAM_LIST];
};

struct stream {
	uint64_t random;
	unsigned page_shift;
	uint32_t made; /* spaces so far */
	unsigned live;
	struct stream_space spaces[STREAM_SPACES];
	struct trace_vma vmas[STREAM_LIST]; /* of the event returned last */
	struct trace_run runs[STREAM_LIST];
};

uint64_t stream_random(uint64_t *random);

/* Below bound. */
uint64_t stream_below(uint64_t *random, uint64_t bound);

void stream_start(struct stream *stream, uint64_t seed, unsigned page_shift);

/* The next event; its arrays live until the one after. */
struct trace_event stream_next(struct stream *stream);

/* What differs; NULL: nothing. */
const char *stream_compare(const struct trace_event *a, const struct trace_event *b);

/* What a reader must never hand out; NULL: all is well. Reads every byte of every array. */
const char *stream_judge(const struct trace_event *event, unsigned page_shift);

#endif
