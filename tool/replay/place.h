/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where a program's addresses go in a format that has other pages or a narrower space.
 *
 * A space that is wide enough keeps all addresses. In a narrower one three parts of the program are
 * moved by one distance each: image and heap, mmap area, stack. So distances from the program break
 * and from the mmap base stay what they were, and tables are filled as they would be. What then
 * lies outside does not fit.
 */
#ifndef TOOL_REPLAY_PLACE_H
#define TOOL_REPLAY_PLACE_H

#include <ptdesc/format.h>

#include "tool/replay/vmas.h"

/* A part of the recorded space, [start, end), and how far it moves (modulo 2^64). */
struct place_part {
	uint64_t start;
	uint64_t end;
	uint64_t delta;
};

#define PLACE_PARTS 3u

struct place {
	struct place_part part[PLACE_PARTS]; /* by address; one, when all addresses stay */
	unsigned parts;                      /* 0: not decided yet */
};

/* A range that fits: where it comes from, and where it goes. */
struct placed {
	uint64_t from;
	uint64_t size;
	uint64_t va; /* in the format's space */
};

/*
 * Decides, from the first VMAs of a program and the width of the recorded space, in bits. room:
 * programs end below that address, 0: wherever the format lets them.
 */
void place_decide(struct place *place, const struct pt_format *format, uint64_t room,
    unsigned recorded_bits, const struct vma_list *vmas);

/* Where [start, end) goes, what does not fit left out. Returns how many ranges that is. */
unsigned place_range(const struct place *place, uint64_t start, uint64_t end,
    struct placed out[PLACE_PARTS]);

/* Where one address goes; false: it does not fit. */
bool place_va(const struct place *place, uint64_t va, uint64_t *out);

/* Limits of what lies beside a placed range: addresses outside its part are the part's ends. */
uint64_t place_floor(const struct place *place, const struct placed *at, uint64_t floor);
uint64_t place_ceiling(const struct place *place, const struct placed *at, uint64_t ceiling);

#endif
