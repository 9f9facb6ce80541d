/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Locks of tables: which lock guards a table, and, in hardened builds, who holds which, whether
 * they were taken in order, and that nothing is done under them that may not be. Numbers are rules
 * of DESIGN.md, "Many CPUs".
 */
#ifndef PTDESC_CORE_LOCK_H
#define PTDESC_CORE_LOCK_H

#include <ptdesc/space.h>
#include "core/memory.h"

/* The build option lock: one for each table, or one for each space. */
#ifdef PT_LOCK_SPACE
#define PT_ONE_LOCK true
#else
#define PT_ONE_LOCK false
#endif

/*
 * The table whose lock guards a table of a space: itself, or the root where a space has one lock. A
 * table that several spaces share is guarded by its own in both builds (15, 16).
 */
static inline struct ptdesc *pt_guard(const struct pt_space *space, struct ptdesc *pt)
{
	return PT_ONE_LOCK ? space->root : pt;
}

#ifdef PT_HARDENED

/* This CPU wants, has taken, gives a lock: stops with LOCK_TWICE, NOT_LOCKED, NOT_HOLDER. */
void pt_lock_wanted(const struct pt_memory *memory, const struct ptdesc *pt);
void pt_lock_taken(const struct pt_memory *memory, struct ptdesc *pt);
void pt_lock_given(const struct pt_memory *memory, struct ptdesc *pt);

/* The lock taken last is that of a linked table: stops with LOCK_ORDER (5, 13, 16). */
void pt_lock_ordered(const struct pt_memory *memory, const struct ptdesc *pt);

/* Stops with code when this CPU holds the lock of a table. */
void pt_lock_none(const struct pt_memory *memory, enum pt_stop code);

#else

static inline void pt_lock_wanted(const struct pt_memory *memory, const struct ptdesc *pt)
{
	(void)memory;
	(void)pt;
}

static inline void pt_lock_taken(const struct pt_memory *memory, struct ptdesc *pt)
{
	(void)memory;
	(void)pt;
}

static inline void pt_lock_given(const struct pt_memory *memory, struct ptdesc *pt)
{
	(void)memory;
	(void)pt;
}

static inline void pt_lock_ordered(const struct pt_memory *memory, const struct ptdesc *pt)
{
	(void)memory;
	(void)pt;
}

static inline void pt_lock_none(const struct pt_memory *memory, enum pt_stop code)
{
	(void)memory;
	(void)code;
}

#endif

/* Waits for a grace period that starts now: outside sections, and under no lock (12). */
static inline void pt_grace_wait(const struct pt_memory *memory)
{
	pt_lock_none(memory, PT_STOP_WAIT_LOCKED);
	memory->port.grace_wait(memory->port.ctx, memory->port.grace_start(memory->port.ctx));
}

/* A table's own lock. */
static inline void pt_table_lock(const struct pt_memory *memory, struct ptdesc *pt)
{
	pt_lock_wanted(memory, pt);
	port_lock(&memory->port, &pt->lock);
	pt_lock_taken(memory, pt);
}

static inline void pt_table_unlock(const struct pt_memory *memory, struct ptdesc *pt)
{
	pt_lock_given(memory, pt);
	port_unlock(&memory->port, &pt->lock);
}

#endif
