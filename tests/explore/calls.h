/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Public operations as calls with an answer that can be compared. */
#ifndef TESTS_EXPLORE_CALLS_H
#define TESTS_EXPLORE_CALLS_H

#include "tests/explore/world.h"

/* What is promised of an operation's answer beside writers. */
enum promise {
	PROMISE_POINT,   /* linearizable */
	PROMISE_STEPS,   /* pt_set_memory's: its steps are, one after the other (calls_steps.c) */
	PROMISE_PAGES,   /* a sequence of translates */
	PROMISE_BETWEEN, /* a number between two that are: tables come and go one by one */
	PROMISE_NONE,    /* a look at structure or counters */
};

struct call {
	const struct operation *op;
	struct pt_space *space;
	unsigned page;
	unsigned pages;
	unsigned fiber;
	unsigned victim; /* the space that space_destroy takes */
	/* what it answered */
	int err;
	uint64_t out;
	uint64_t page_out[WORLD_PAGES];
	uint64_t began;
	uint64_t ended;
};

/* Ways in which a call can be wrong, set by --fault, beside the library's defects and mmu.h's. */
enum call_fault {
	CALL_FAULT_STALE = 104, /* translate answers what was mapped at first */
};

/* What a call takes: where there is no address, there is nothing to place. */
enum takes {
	TAKES_PLACE,  /* a space and an address */
	TAKES_SPACE,  /* a space */
	TAKES_MEMORY, /* a memory alone */
};

struct operation {
	const char *name; /* of the public function, less pt_; and what its arguments make of it */
	enum promise promise;
	enum takes takes;
	unsigned flavour; /* of the world that it wants */
	void (*run)(struct call *call);
};

/* All of them: those on spaces (calls.c), then those on a memory (calls_memory.c). */
unsigned operation_count(void);
const struct operation *operation_at(unsigned n);

/* Those on a memory alone, and how many. */
extern const struct operation memory_operations[];
extern const unsigned memory_operation_count;

/* Does the call and notes when. */
void call_run(struct call *call);

/* How many steps a call has that others may come between. */
unsigned call_steps(const struct call *call);

/* Does one of its steps, which come in order: 0 is the first. */
void call_step(struct call *call, unsigned step);

/* The operation of that name, or NULL. */
const struct operation *operation_find(const char *name);

#endif
