/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The counter of a space's moves, odd while one is under way (rule 14 of DESIGN.md, "Many CPUs"):
 * who sees an entry that was moved knows of the odd number, and who knows of the even one after it
 * sees all that was moved. The caller of the first two holds move_lock.
 */
#ifndef PTDESC_SPACE_MOVE_SEQ_H
#define PTDESC_SPACE_MOVE_SEQ_H

#include <ptdesc/atomic.h>
#include <ptdesc/types.h>

/* Before the first store of a move. The fence is for stores of leaves, which are relaxed. */
static inline void move_begin(uint32_t *seq)
{
	PT_FETCH_ADD(seq, 1, RELAXED);
	PT_FENCE(RELEASE);
}

/* After the last. */
static inline void move_end(uint32_t *seq)
{
	PT_FETCH_ADD(seq, 1, RELEASE);
}

/*
 * Sends readers back as a move does, and may come in the middle of one: who sees what others did to
 * a table after they learnt that the space has left it knows of the new number.
 */
static inline void move_retry(uint32_t *seq)
{
	PT_FETCH_ADD(seq, 2, RELEASE);
}

/* What a reader asks before its first load of an entry, and hands to move_seen after its last. */
static inline uint32_t move_look(const uint32_t *seq)
{
	return PT_LOAD(seq, ACQUIRE);
}

/* May entries have been moved since. The loads of entries in between acquire. */
static inline bool move_seen(const uint32_t *seq, uint32_t before)
{
	return PT_LOAD(seq, RELAXED) != before;
}

#endif
