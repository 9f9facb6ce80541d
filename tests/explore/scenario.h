/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Scenarios: which calls meet where, and what came of exploring them. */
#ifndef TESTS_EXPLORE_SCENARIO_H
#define TESTS_EXPLORE_SCENARIO_H

#include "tests/explore/calls.h"

/* Where the second call goes, seen from the first. */
enum relation {
	RELATION_SAME,     /* the same entry */
	RELATION_LEAF,     /* another of the same leaf table */
	RELATION_SIBLING,  /* one of the neighbouring leaf table */
	RELATION_DISJOINT, /* one below another table of level 1 */
	RELATION_OVER,     /* two whole leaf tables, the first's among them */
	RELATION_UNDER,    /* the reverse */
	RELATION_TARGET,   /* where the first one moves to */
	RELATION_INTO,     /* in the space that the first one copies to, where it does */
	RELATION_ROOM,     /* the same, and there is an empty leaf table */
	RELATIONS,
};

/* Where one call goes, if that is not left to the relation. */
struct place {
	unsigned pages; /* 0: it is */
	unsigned page;
	unsigned space;
};

struct scenario {
	const struct operation *op[EXPLORE_FIBERS]; /* NULL: fewer calls */
	enum relation relation;
	bool other; /* the second call, and a third, work on the space that shares */
	struct place place[EXPLORE_FIBERS];
};

struct totals {
	uint64_t scenarios;
	uint64_t executions;
	uint64_t most; /* executions of one scenario */
	uint64_t races;
	uint64_t violations;
	uint64_t ends; /* that are different */
	uint64_t capped;
	uint64_t failing; /* allocations made to fail */
};

/* Adds what came of other scenarios. */
void totals_add(struct totals *sum, const struct totals *t);

/* Says it in a line: what was explored, and nothing of it was left out unseen. */
void totals_print(const struct totals *t);

/* What a scenario wants of a world. */
unsigned scenario_flavour(const struct scenario *s);

/* Does a scenario make sense in a state; false: it is another one over again. */
bool scenario_fits(const struct scenario *s, enum world_state state);

/*
 * A scenario's name, as --scenario takes it: OP/OP/RELATION or OP/OP/RELATION/other; instead of a
 * relation each call may have its place, OP@PAGE+PAGES or OP@PAGE+PAGES:SPACE.
 */
void scenario_name(const struct scenario *s, char *text, size_t size);

/* Its inverse; false: there is none of that name. */
bool scenario_find(const char *text, struct scenario *s);

/* How much of a scenario is explored. */
struct depth {
	unsigned bound; /* preemptions */
	bool plain;     /* decide before plain accesses too */
	bool every;     /* also schedules that go on as others do */
	bool oom;       /* every allocation fails in turn, once and for ever after */
};

/*
 * Explores a scenario in the state that was made. NULL, or what was found wrong, and how to see it
 * again is in explore_schedule() and scenario_failing(); no schedule: the calls one after the
 * other.
 */
const char *scenario_explore(const struct scenario *s, const struct depth *depth,
    struct totals *totals);

/* The allocation that failed in the last execution; nth 0: none. */
struct failing {
	uint64_t nth;
	bool for_ever;
};

void scenario_failing(struct failing *f);

/* Does one schedule of it. */
const char *scenario_replay(const struct scenario *s, const struct explore_schedule *schedule,
    const struct failing *f, bool tell);

#endif
