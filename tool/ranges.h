/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sets of numbers as sorted runs: the regions of an address space that have a table. Address spaces
 * reserve terabytes, so nothing here costs by the number of regions.
 */
#ifndef TOOL_RANGES_H
#define TOOL_RANGES_H

#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t first;
	uint64_t end; /* exclusive */
};

/* Zeroed is empty. */
struct ranges {
	struct range *at;
	size_t count;
	size_t room;
};

/* Adds [first, end). Calls come in ascending order of first; overlaps merge. */
void ranges_add(struct ranges *set, uint64_t first, uint64_t end);

/* Adds the regions of 2^shift bytes that [start, end) overlaps; start ascending. */
void ranges_add_regions(struct ranges *set, uint64_t start, uint64_t end, unsigned shift);

/* How many numbers a set holds. */
uint64_t ranges_total(const struct ranges *set);

/* How many numbers of a are not in b. */
uint64_t ranges_beyond(const struct ranges *a, const struct ranges *b);

/* Makes out, which is empty, the union of a and b. */
void ranges_union(struct ranges *out, const struct ranges *a, const struct ranges *b);

/* Empties a set and keeps its memory. */
void ranges_clear(struct ranges *set);

void ranges_free(struct ranges *set);

#endif
