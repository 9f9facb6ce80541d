/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who holds which table's lock, in hardened builds. Each CPU chains the tables that it has locked,
 * the last one first. So a CPU may not change while a lock is held: a port where it could would let
 * one that waits for the lock take the holder's place as well.
 */
#include "core/lock.h"

#ifdef PT_HARDENED

static struct pt_cpu *this_cpu(const struct pt_memory *memory)
{
	struct pt_cpu *cpu = pt_pin(memory);

	pt_unpin(memory);
	return cpu;
}

/* What holder says when a CPU holds the lock; 0: nobody does. */
static uint32_t name_of(const struct pt_memory *memory, const struct pt_cpu *cpu)
{
	return (uint32_t)(cpu - memory->cpus) + 1;
}

void pt_lock_wanted(const struct pt_memory *memory, const struct ptdesc *pt)
{
	PT_ASSERT(memory,
	    PT_LOAD(&pt->lock, RELAXED) == 0 ||
		PT_LOAD(&pt->holder, RELAXED) != name_of(memory, this_cpu(memory)),
	    PT_STOP_LOCK_TWICE, pt);
}

void pt_lock_taken(const struct pt_memory *memory, struct ptdesc *pt)
{
	struct pt_cpu *cpu = this_cpu(memory);

	PT_STORE(&pt->holder, name_of(memory, cpu), RELAXED);
	pt->locked_before = cpu->locked;
	cpu->locked = pt;
}

void pt_lock_given(const struct pt_memory *memory, struct ptdesc *pt)
{
	struct pt_cpu *cpu = this_cpu(memory);
	struct ptdesc **link = &cpu->locked;

	PT_ASSERT(memory, PT_LOAD(&pt->lock, RELAXED) != 0, PT_STOP_NOT_LOCKED, pt);
	PT_ASSERT(memory, PT_LOAD(&pt->holder, RELAXED) == name_of(memory, cpu), PT_STOP_NOT_HOLDER,
	    pt);
	/* Most are given in the reverse order. */
	while (*link != pt)
		link = &(*link)->locked_before;
	*link = pt->locked_before;
	pt->locked_before = NULL;
	PT_STORE(&pt->holder, 0, RELAXED);
}

/* Is b locked after a: space by space, and in each parents first, in address order. */
static bool in_order(const struct ptdesc *a, const struct ptdesc *b)
{
	if (a->shared || b->shared)
		return !a->shared;
	if (!a->space || !b->space)
		return true;
	if (a->space != b->space)
		return a->space->id < b->space->id;
	if (ptdesc_base(a) != ptdesc_base(b))
		return ptdesc_base(a) < ptdesc_base(b);
	return ptdesc_level(a) > ptdesc_level(b);
}

void pt_lock_ordered(const struct pt_memory *memory, const struct ptdesc *pt)
{
	PT_ASSERT(memory, !pt->locked_before || in_order(pt->locked_before, pt), PT_STOP_LOCK_ORDER,
	    pt);
}

void pt_lock_none(const struct pt_memory *memory, enum pt_stop code)
{
	const struct pt_cpu *cpu = this_cpu(memory);

	PT_ASSERT(memory, cpu->locked == NULL, code, cpu->locked);
}

#endif
