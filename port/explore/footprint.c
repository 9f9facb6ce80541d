/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What others do while a fiber is preempted, in all executions that go on from that decision. A
 * fiber preempted one access earlier leaves them to do just the same, unless one of them conflicts
 * with that access: then nothing follows but what repeats another execution (sched.c, unmet_mask),
 * and the decision is left out. Later decisions are explored first, so it is known by then.
 */
#include <string.h>

#include "port/explore/inside.h"

/* With more preemptions than these before it, a decision is not left out. */
#define DEPTHS 4u

static struct footprint prints[DEPTHS][EXPLORE_FIBERS];

void footprints_forget(unsigned changed)
{
	for (unsigned depth = 0; depth < DEPTHS; depth++)
		for (unsigned to = 0; to < EXPLORE_FIBERS; to++)
			if (changed < prints[depth][to].since)
				prints[depth][to].known = false;
}

struct footprint *footprint_of(unsigned preemptions, unsigned to)
{
	return preemptions < DEPTHS ? &prints[preemptions][to] : NULL;
}

void footprint_begin(struct footprint *print, unsigned since)
{
	memset(print, 0, sizeof(*print));
	print->known = true;
	print->since = since;
}

static bool has(const uint64_t *set, unsigned number)
{
	return set[number / 64] >> number % 64 & 1;
}

void footprint_add(struct footprint *print, const struct held *access)
{
	uint64_t *set = access->write ? print->written : print->read;

	for (uint32_t g = access->first; g <= access->last; g++) {
		unsigned number = explore.granule[g].number;

		if (number > CONFLICTS)
			print->all = true;
		else
			set[number / 64] |= UINT64_C(1) << number % 64;
	}
}

bool footprint_meets(const struct footprint *print, unsigned since, const struct held *access)
{
	if (!print || !print->known || print->since != since || print->all)
		return true;
	for (uint32_t g = access->first; g <= access->last; g++) {
		unsigned number = explore.granule[g].number;

		if (number > CONFLICTS || has(print->written, number) ||
		    (access->write && has(print->read, number)))
			return true;
	}
	return false;
}
