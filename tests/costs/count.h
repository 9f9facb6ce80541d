/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the library's code does to memory, counted as it does it. */
#ifndef TESTS_COSTS_COUNT_H
#define TESTS_COSTS_COUNT_H

#include <stddef.h>
#include <stdint.h>

struct counts {
	unsigned locked; /* exchanges and other atomic updates, anywhere */
	unsigned loads;  /* of tables and descriptors */
	unsigned stores; /* to them */
};

extern struct counts counts;

/* Tables and descriptors lie in [start, start + size). */
void count_frames_in(const void *start, size_t size);

#endif
