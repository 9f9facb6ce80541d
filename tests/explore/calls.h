/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Public operations as calls with an answer that can be compared. */
#ifndef TESTS_EXPLORE_CALLS_H
#define TESTS_EXPLORE_CALLS_H

#include "tests/explore/world.h"

/* What is promised of an operation's answer beside writers. */
enum promise {
	PROMISE_POINT, /* linearizable */
	PROMISE_PAGES, /* a sequence of translates */
	PROMISE_NONE,  /* a look at structure or counters */
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

struct operation {
	const char *name; /* of the public function, less pt_; and what its arguments make of it */
	enum promise promise;
	void (*run)(struct call *call);
};

extern const struct operation operations[];
extern const unsigned operation_count;

/* Does the call and notes when. */
void call_run(struct call *call);

/* The operation of that name, or NULL. */
const struct operation *operation_find(const char *name);

#endif
