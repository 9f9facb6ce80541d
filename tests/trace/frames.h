/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The file format's frame, from docs/trace-format.md and sharing no code with the reader: takes a
 * trace apart into its blocks' payloads, and makes a file of payloads with every checksum right.
 */
#ifndef TESTS_TRACE_FRAMES_H
#define TESTS_TRACE_FRAMES_H

#include <stdint.h>
#include <stddef.h>

#define FRAMES_MOST 64u

struct bytes {
	uint8_t *data;
	size_t size;
};

struct frame {
	uint32_t kind;
	size_t offset; /* in the file that it was taken from */
	struct bytes raw;
};

struct frames {
	size_t count;
	struct frame frames[FRAMES_MOST];
};

/* Exits the program if file is no whole trace: only for what the writer made. */
void frames_take_apart(struct frames *frames, struct bytes file);
void frames_free(struct frames *frames);

/* The file; free data. */
struct bytes frames_join(const struct frames *frames);

/* Where block number n of a file of whole blocks begins. */
size_t frames_offset(struct bytes file, size_t n);

/* Makes every checksum of a file right again, as far as its blocks' sizes can be followed. */
void frames_mend(struct bytes file);

#endif
