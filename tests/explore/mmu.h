/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * MMUs that do all that any MMU may: a TLB and a walk cache of every CPU and of a device, which
 * hold whatever could have been cached since the last flush. That is not one behaviour but all of
 * them at once: what no MMU can hold is not there, and what any could hold is. So schedules of the
 * calls are schedules of the walkers too, but for accessed and dirty bits, which walkers write:
 * they do so as calls of their own, `mmu_write` and `mmu_read`.
 *
 * Judged at once: no table is freed, and no memory handed over, while one of them holds it; no
 * freed table is locked, read or written; where the format wants a break before the make, no two
 * translations of an address are held. Judged when all calls have returned: what is held is what
 * the tables say, and what was written is dirty or was told to be.
 *
 * Entries are read by tests/reference, which shares no code with the library.
 */
#ifndef TESTS_EXPLORE_MMU_H
#define TESTS_EXPLORE_MMU_H

#include "tests/explore/calls.h"

/* Ways in which a port can fail to flush; set by --fault, beside the library's defects. */
enum mmu_fault {
	MMU_FAULT_LEAVES = 100, /* leaves stay in TLBs */
	MMU_FAULT_TABLES,       /* tables stay in walk caches */
	MMU_FAULT_REMOTE,       /* other CPUs are not told */
	MMU_FAULT_DEVICE,       /* the IOTLB is not told */
};

/* Begins and ends to watch: world_make does so before it makes ports. */
void mmu_watch(bool wanted);
bool mmu_on(void);

/* What spaces map at first, and which tables there are: when world_make has made them. */
void mmu_learn(void);

/* No MMU runs a space any more, which may go. */
void mmu_stop(unsigned space);

/* A call hands memory over; a call says that memory is dirty. */
void mmu_released(const struct call *call, const struct pt_run *run);
void mmu_told_dirty(const struct call *call, uint64_t pa, uint64_t size);

/* Accesses by an MMU: a walk, with what it writes. */
void mmu_access(struct call *call, bool write);

/* NULL, or what is wrong when all calls have returned. */
const char *mmu_judge(const struct call *calls, unsigned count);

#endif
