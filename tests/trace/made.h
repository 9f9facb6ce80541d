/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Traces of random streams, made and read again. */
#ifndef TESTS_TRACE_MADE_H
#define TESTS_TRACE_MADE_H

#include "tests/trace/frames.h"
#include "tests/trace/stream.h"

/* Of the same seed it is always the same trace. */
struct made {
	uint64_t seed;
	unsigned page_shift;
	size_t events;
	struct bytes file;
};

#define MADE_STATUS 7

/* What became of reading. */
struct seen {
	enum trace_next end;
	size_t events;
	int status;
	struct trace_error error;
	const char *wrong; /* an event that is not what was written, or that none may be; or NULL */
};

struct trace_header made_header(unsigned page_shift);

/* Writes so many events of the stream of seed, in many small blocks: times jump by hours. */
struct made made_trace(uint64_t seed, unsigned page_shift, size_t events);
void made_free(struct made *made);

/* A file in memory; its path goes to trace_create. */
int made_file(char path[64]);
struct bytes made_bytes(int fd);

/* Reads file to its end; each event must be the one that made was made of. */
struct seen made_read(const struct made *made, struct bytes file);

/* The same of a file whose events need not be those, but must be sound. */
struct seen made_judge(unsigned page_shift, struct bytes file);

#endif
