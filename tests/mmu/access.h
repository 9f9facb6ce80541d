/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An access to a leaf, made, and what came of it held against what the manual says. */
#ifndef TESTS_MMU_ACCESS_H
#define TESTS_MMU_ACCESS_H

#include "tests/mmu/arch.h"

/* Where an access goes. */
struct access_place {
	uint64_t va;   /* of a word */
	void *entry;   /* of the leaf there, NULL: there is none */
	uint64_t raw;  /* what the entry holds before each access */
	uint32_t word; /* what a write writes */
};

/* The accesses of a case, in turn: read, write, execution, by the supervisor and by the user. */
#define ACCESSES 6u
void access_number(struct arch_case *c, unsigned n);

/*
 * Makes the access, with nothing of the leaf in the TLB. False: neither what arch_expect says nor a
 * deviation; that is counted and printed. *t: the attempt.
 */
bool access_judge(const struct arch_case *c, const struct access_place *place,
    struct machine_try *t);

#endif
