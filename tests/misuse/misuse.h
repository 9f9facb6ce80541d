/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every public call with every wrong object: in hardened builds each stops with a code, is refused
 * with an error, or, where there is no object to ask, faults. Rows are X(call, object, what is
 * wanted, statement); the statement may leave an error in w->result.
 */
#ifndef TESTS_MISUSE_MISUSE_H
#define TESTS_MISUSE_MISUSE_H

#include <ptdesc/kernel.h>
#include <ptdesc/space.h>
#include "tests/unit/core_kit.h"

#define PAGE UINT64_C(0x40000000)
#define ATTR pt_make_attr(PT_READ)

/* No object, so no port to tell: the CPU stops the program. */
#define FAULT 1000

/* One of each. */
struct world {
	struct kit kit;
	struct kit elsewhere; /* another memory */
	struct pt_memory *m;
	int result;            /* of the call */
	unsigned small;        /* class of tables of one frame, */
	unsigned big;          /* and of four */
	struct pt_space space; /* with a page mapped */
	struct pt_space none;  /* could not be made */
	struct pt_space gone;  /* destroyed */
	struct pt_space other; /* of another format */
	struct ptdesc *fresh;  /* private */
	struct ptdesc *ready;  /* freed */
	struct ptdesc *waits;  /* freed, its grace period not over */
	struct ptdesc *leaf;   /* linked */
	struct ptdesc *root;
	struct ptdesc *wide;    /* of four frames, private */
	struct ptdesc *foreign; /* of the other memory */
	struct ptdesc *locked;  /* private, and another CPU holds its lock */
	struct ptdesc *full;    /* private, with a deposit */
	struct pt_account account;
	struct pt_gather no_room;
	struct pt_gather unclean;
	struct pt_run run;
	struct pt_cache cache;
	struct pt_cache other_cache;
	uint64_t bytes;
	void *object; /* of cache */
	pt_pfn plain; /* a frame without descriptor */
};

#endif
