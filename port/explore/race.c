/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Races, by vector clocks that honour the memory orders of the calls: a release puts the clock of
 * its fiber beside the location, an acquire that reads there takes it. A plain access and another
 * of the same byte, one of them a write, must be ordered so; two atomic accesses need not be.
 */
#include <stdio.h>
#include <string.h>

#include "port/explore/inside.h"

/* One element for each fiber, all compared at once. */
typedef uint16_t vclock __attribute__((vector_size(8)));

PT_STATIC_ASSERT(EXPLORE_FIBERS <= sizeof(vclock) / sizeof(uint16_t), "a clock has them all");

/* Of one unit: when each fiber last did what to it; and what a release left here. */
struct cell {
	uint32_t execution; /* else it is as new */
	vclock wrote;
	vclock read;
	vclock stored;
	vclock loaded;
	vclock released;
};

static struct cell cells[EXPLORE_BLOCK];
static uint32_t execution;
static unsigned fibers;
static vclock now[EXPLORE_FIBERS];
static vclock fenced[EXPLORE_FIBERS];   /* by a release fence, for relaxed stores after it */
static vclock pending[EXPLORE_FIBERS];  /* of relaxed loads, for an acquire fence after them */
static vclock sections[EXPLORE_FIBERS]; /* at the last end of a read section */

void race_begin(unsigned count)
{
	fibers = count;
	execution++;
	memset(now, 0, sizeof(now));
	memset(fenced, 0, sizeof(fenced));
	memset(pending, 0, sizeof(pending));
	memset(sections, 0, sizeof(sections));
	for (unsigned f = 0; f < fibers; f++)
		now[f][f] = 1;
}

static void join(vclock *to, const vclock *from)
{
	*to = __builtin_elementwise_max(*to, *from);
}

static struct cell *cell_of(size_t offset)
{
	struct cell *cell = &cells[offset];

	if (cell->execution != execution) {
		memset(cell, 0, sizeof(*cell));
		cell->execution = execution;
	}
	return cell;
}

static size_t unit_at(size_t offset)
{
	return explore.granule[offset / GRANULE].unit;
}

/* Is there an access of another fiber that does not happen before what the current one does. */
static bool unordered(const vclock *clock)
{
	return (uint64_t)(*clock > now[explore.current]) != 0;
}

static void mark(vclock *clock)
{
	(*clock)[explore.current] = now[explore.current][explore.current];
}

void race_plain(size_t offset, size_t size, bool write)
{
	for (size_t i = offset; i < offset + size; i += unit_at(i)) {
		struct cell *cell = cell_of(i);

		if (unordered(&cell->wrote) || unordered(&cell->stored))
			explore_fail(write ? "race: a plain write and another write"
					   : "race: a plain read and a write",
			    explore_block + i);
		if (write && (unordered(&cell->read) || unordered(&cell->loaded)))
			explore_fail("race: a plain write and a read", explore_block + i);
		mark(write ? &cell->wrote : &cell->read);
	}
}

static void check_atomic(size_t offset, size_t size, enum atomic_kind kind)
{
	for (size_t i = offset; i < offset + size; i += unit_at(i)) {
		struct cell *cell = cell_of(i);

		if (unordered(&cell->wrote))
			explore_fail("race: an atomic access and a plain write", explore_block + i);
		if (kind != ATOMIC_LOAD && unordered(&cell->read))
			explore_fail("race: an atomic write and a plain read", explore_block + i);
		if (kind != ATOMIC_STORE)
			mark(&cell->loaded);
		if (kind != ATOMIC_LOAD)
			mark(&cell->stored);
	}
}

static bool acquires(int order)
{
	return order != ORDER_RELAXED && order != ORDER_RELEASE;
}

static bool releases(int order)
{
	return order >= ORDER_RELEASE;
}

/* A clock that others may take from here on is not the one of what comes after. */
static void tick(void)
{
	now[explore.current][explore.current]++;
}

void race_atomic(size_t offset, size_t size, enum atomic_kind kind, int order)
{
	vclock *released = &cell_of(offset)->released;
	vclock *mine = &now[explore.current];

	check_atomic(offset, size, kind);
	if (kind != ATOMIC_STORE)
		join(acquires(order) ? mine : &pending[explore.current], released);
	if (kind == ATOMIC_LOAD)
		return;
	/* A store ends what others released here; an update carries it on. */
	if (kind == ATOMIC_STORE)
		memset(released, 0, sizeof(*released));
	join(released, releases(order) ? mine : &fenced[explore.current]);
	tick();
}

void race_fence(int order)
{
	if (explore.current == EXPLORE_MAIN)
		return;
	if (acquires(order))
		join(&now[explore.current], &pending[explore.current]);
	if (releases(order)) {
		fenced[explore.current] = now[explore.current];
		tick();
	}
}

void race_section_exit(void)
{
	if (explore.current == EXPLORE_MAIN)
		return;
	sections[explore.current] = now[explore.current];
	tick();
}

void race_grace_over(void)
{
	if (explore.current == EXPLORE_MAIN)
		return;
	for (unsigned f = 0; f < fibers; f++)
		join(&now[explore.current], &sections[f]);
}
