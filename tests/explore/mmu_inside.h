/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What caches (mmu.c) and walkers (walker.c) of the simulated MMUs ask of one another. */
#ifndef TESTS_EXPLORE_MMU_INSIDE_H
#define TESTS_EXPLORE_MMU_INSIDE_H

#include "tests/explore/mmu.h"
#include "tests/reference/reference.h"

const struct ref_format *mmu_format(void);

/* Entries: the one at an address as a number, what it says, and where the one for va is. */
uint64_t mmu_entry(uint64_t pa);
struct ref_entry mmu_decode(uint64_t raw, unsigned level);
uint64_t mmu_entry_pa(uint64_t table, unsigned level, uint64_t va);
unsigned mmu_shift(unsigned level);

/* An execution begins; a flush ends walks under way; all calls have returned. */
void mmu_walkers_begin(void);
void mmu_walkers_start_again(const struct pt_flush *request);
const char *mmu_walkers_judge(const struct call *calls, unsigned count);

#endif
