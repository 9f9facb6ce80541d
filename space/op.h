/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An operation under way: what it has locked, reserved, unlinked and must flush. The part that
 * knows no format; space/op.c. Numbers in comments are rules of DESIGN.md, "Many CPUs".
 */
#ifndef PTDESC_SPACE_OP_H
#define PTDESC_SPACE_OP_H

#include <ptdesc/space.h>
#include "core/defects.h"
#include "core/lock.h"
#include "core/memory.h"
#include "space/move_seq.h"
#include "space/ops.h"

/* A space that the operation works on, with the tables it has in reserve for it, by level. */
struct pt_side {
	struct pt_space *space;
	struct ptdesc *spare[PT_MAX_LEVELS]; /* chains through pt_list.next */
	uint32_t spares[PT_MAX_LEVELS];
	uint32_t
	    need[PT_MAX_LEVELS]; /* counted under the locks; more than spares: start again (8) */
	uint32_t locks; /* where the space has one lock: how often the operation has taken it */
	bool flush;     /* has changed what an MMU may keep. The first side always says so, a copy's
			   target, which was empty, only where something gave way */
};

/* Tables of a level that one operation reserves at most: with them 64 GiB of entries of 8 bytes. */
#define PT_NEED_MAX (UINT32_C(1) << 24)

/* Two spaces at most: copying and sharing. */
#define PT_SIDES 2u

struct pt_op {
	struct pt_memory *memory;
	struct pt_gather *gather; /* NULL: what is unmapped is dropped */
	uint32_t flags;           /* of the call */
	int err;                  /* conflict found by the survey */
	struct ptdesc *held;      /* locked tables but roots, chain through pt_list.next */
	struct ptdesc *out;       /* unlinked tables, chain through pt_list.prev */
	struct ptdesc *never;     /* deposits of dead tables, never linked; pt_list.next */
	struct ptdesc *held_root[PT_SIDES]; /* their pt_list is the list of roots */
	bool mmu;                           /* an MMU may write accessed and dirty behind us */
	bool slept;                         /* has waited for a grace period already */
	bool shared_held;                   /* and its lock is held, the last of all (16) */
	struct ptdesc *shared;              /* a truly shared table that the operation changes */
	bool stores;                        /* the second phase: no table is locked any more (6) */
	bool everywhere;  /* spaces that are not known here have what is flushed, too (16) */
	bool at_once;     /* a flush must come before the locks are dropped (12) */
	bool prepare;     /* the survey saw leaves to split or tables to unshare */
	uint8_t split_to; /* leaves above this level are split even if the range covers them */
	uint8_t stay;     /* tables of this level and above stay though they become empty (10) */
	struct pt_flush flush; /* grows; leaves and tables 0: nothing to flush */
	struct pt_side side[PT_SIDES];
};

/*
 * Before the first entry is stored that may be global, under a lock that whoever takes it out has
 * later: CPUs that no longer run the space may keep it.
 */
static inline void note_global(struct pt_space *space, bool global)
{
	if (__builtin_expect(global, 0))
		PT_STORE(&space->global, 1, RELAXED);
}

/* Must a flush reach CPUs that do not run the space. */
static inline bool flushes_all(const struct pt_space *space)
{
	return space->flags & PT_SPACE_KERNEL ||
	       (!PT_DEFECT(94) && PT_LOAD(&space->global, RELAXED));
}

/*
 * The operation changes or leaves a truly shared table: CPUs that run other spaces have it as well,
 * and what these have made global there. Before its first flush.
 */
static inline void note_shared(struct pt_op *op)
{
	if (!PT_DEFECT(91))
		op->everywhere = !PT_DEFECT(96);
}

/* Begins: read section entered (1). other may be NULL; nothing of its side is then ever looked at.
 */
static inline void pt_op_begin(struct pt_op *op, struct pt_space *space, struct pt_space *other,
    uint32_t flags, struct pt_gather *gather)
{
	pt_lock_none(space->memory, PT_STOP_ENTER_LOCKED);
	op->memory = space->memory;
	op->gather = gather;
	op->flags = flags;
	op->err = 0;
	op->held = NULL;
	op->out = NULL;
	op->never = NULL;
	op->held_root[0] = NULL;
	op->held_root[1] = NULL;
	op->mmu = space->flags & PT_SPACE_MMU || (other && other->flags & PT_SPACE_MMU);
	op->slept = false;
	op->shared = NULL;
	op->shared_held = false;
	op->everywhere = false;
	op->stores = false;
	op->at_once = space->format->flags & PT_FORMAT_BBM && !PT_DEFECT(81);
	op->prepare = false;
	op->split_to = PT_MAX_LEVELS;
	op->stay = PT_MAX_LEVELS;
	op->flush.leaves = 0;
	op->flush.tables = 0;
	op->side[0] = (struct pt_side){.space = space, .flush = true};
	op->side[1].space = NULL;
	if (other)
		op->side[1] = (struct pt_side){.space = other};
	port_section_enter(&op->memory->port);
}

/*
 * Takes and gives the lock of a table of one space. A space with one lock takes it with the first
 * table and gives it with the last.
 */
static inline void pt_op_lock(const struct pt_op *op, struct pt_side *side, struct ptdesc *pt)
{
	if (PT_ONE_LOCK && side->locks++)
		return;
	pt_table_lock(op->memory, pt_guard(side->space, pt));
}

static inline void pt_op_unlock(const struct pt_op *op, struct pt_side *side, struct ptdesc *pt)
{
	if (PT_ONE_LOCK && --side->locks)
		return;
	pt_table_unlock(op->memory, pt_guard(side->space, pt));
}

/*
 * Keeps a table that the caller has locked and found to be linked, until the end. Not before: the
 * links of a table that is on its way out are in use. Hardened builds stop: LOCK_ORDER, LOCK_LATE.
 */
void pt_op_hold(struct pt_op *op, struct pt_side *side, struct ptdesc *pt);

/* The same for a table that was found below another: it is no root. */
static inline void pt_op_hold_child(struct pt_op *op, struct pt_side *side, struct ptdesc *pt)
{
	PT_ASSERT(op->memory, !op->stores, PT_STOP_LOCK_LATE, pt);
	pt_lock_ordered(op->memory, pt_guard(side->space, pt));
	pt->pt_list.next = op->held;
	op->held = pt;
}

/* Locks a table that nobody else knows yet, and keeps it: it is born locked (7). */
static inline void pt_op_hold_new(struct pt_op *op, struct pt_side *side, struct ptdesc *pt)
{
	pt_op_lock(op, side, pt);
	pt->pt_list.next = op->held;
	op->held = pt;
}

/* Locks the truly shared table that the survey came by, after all others (16). */
void pt_op_lock_shared(struct pt_op *op);

/*
 * Drops all locks, hands over what was unlinked on others' behalf, and reserves what the survey
 * needs. 0: survey again; -PT_ENOMEM. The reserve only grows, so it ends (8).
 */
PT_MUST_CHECK int pt_op_reserve(struct pt_op *op);

/* Reserves what the sides need as far as there is memory. Locks nothing, and nothing is locked. */
void pt_op_try_reserve(struct pt_op *op);

/* True when every side has in reserve what it needs. */
bool pt_op_ready(const struct pt_op *op);

/* A reserved table for a level, private, of that side's space, at base. */
struct ptdesc *pt_op_take(struct pt_op *op, struct pt_side *side, unsigned level, uint64_t base);

/* Notes that [va, last] must be flushed: leaf entries of level, or entries that held a table. */
static inline void pt_op_flush(struct pt_op *op, uint64_t va, uint64_t last, unsigned level,
    bool table)
{
	if (!(op->flush.leaves | op->flush.tables)) {
		op->flush.start.v = va;
		op->flush.last.v = last;
	}
	if (va < op->flush.start.v)
		op->flush.start.v = va;
	if (last > op->flush.last.v)
		op->flush.last.v = last;
	if (table)
		op->flush.tables |= 1u << level;
	else
		op->flush.leaves |= 1u << level;
}

/* Flushes now, what was noted so far; allowed under locks, where waiters answer requests (12). */
void pt_op_flush_now(struct pt_op *op);

/* A table was unlinked and is dead: frozen from here on, gathered (9, 11). */
void pt_op_unlinked(struct pt_op *op, struct ptdesc *pt);

/* None, or one that has room and is empty, as it is whenever no call is under way. */
static inline int pt_check_gather(const struct pt_gather *gather)
{
	return gather && (!gather->runs || !gather->capacity || gather->count) ? -PT_EINVAL : 0;
}

/* The gather's buffer is full: flushes what was noted, then hands it over (L3). */
void pt_op_release(struct pt_op *op);

/* Adds unmapped memory to the gather. Inline, for memory that is scattered is a run a page. */
static inline void pt_op_gather(struct pt_op *op, uint64_t pa, uint64_t size, bool accessed,
    bool dirty)
{
	struct pt_gather *g = op->gather;
	struct pt_run *run;

	if (!g)
		return;
	g->released += size;
	if (g->count) {
		run = &g->runs[g->count - 1];
		if (run->pa.v + run->size == pa && run->accessed == accessed &&
		    run->dirty == dirty) {
			run->size += size;
			return;
		}
		if (g->count == g->capacity)
			pt_op_release(op);
	}
	run = &g->runs[g->count++];
	run->pa.v = pa;
	run->size = size;
	run->accessed = accessed;
	run->dirty = dirty;
}

/*
 * Ends, in this order (12): unlock, flush, hand over memory and tables, leave the section, drive
 * grace periods on. harvest adds what a table that was unlinked whole still maps to the gather; it
 * is called after the flush, when nobody writes the table any more.
 */
void pt_op_end(struct pt_op *op, void (*harvest)(struct pt_op *, const struct ptdesc *));

/* Flushes, if that cannot wait, and unlocks everything; a conflict or a cover that emptied. */
void pt_op_unlock_all(struct pt_op *op);

/* Takes a table that stays out of the account of a space that leaves it. Its lock is held. */
void pt_op_disown(struct pt_op *op, struct pt_space *space, struct ptdesc *pt);

/* Sets and clears attribute flags of what is mapped, leaving the others: pt_protect's errors. */
PT_MUST_CHECK int pt_modify(struct pt_space *space, pt_va va, uint64_t size, uint32_t set,
    uint32_t clear, uint32_t flags);

/* Drops a share of a locked table and unlocks it; the last one kills it. The parent is locked. */
void pt_op_drop_share(struct pt_op *op, struct pt_space *space, struct ptdesc *pt);

#endif
