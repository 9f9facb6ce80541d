/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tests of the library on a machine whose MMU walks its tables, the kernel's own included. Each part
 * prints TAP and adds to the counts.
 */
#ifndef TESTS_MMU_MMU_H
#define TESTS_MMU_MMU_H

#include "port/bare/common/bare.h"
#include "port/bare/common/print.h"

void *memcpy(void *__restrict to, const void *__restrict from, size_t size);
void *memset(void *at, int byte, size_t size);

/* Where things are, from the start of RAM. The image is below the first. */
#define MMU_PATTERN_END  UINT64_C(0x1000000) /* up to here words hold their own address, or others */
#define MMU_KERNEL_AT    UINT64_C(0x4000000) /* the kernel's memory */
#define MMU_KERNEL_SIZE  UINT64_C(0x2000000)
#define MMU_SCRATCH_AT   UINT64_C(0x2000000) /* the kit's memory; frames that tests map */
#define MMU_SCRATCH_SIZE UINT64_C(0x2000000)
#define MMU_TARGET_AT    UINT64_C(0x6000000) /* a page that the matrix maps, in all leaf sizes */

struct mmu {
	const struct pt_format *format;
	struct pt_memory *memory; /* the kernel's */
	struct pt_space kernel;   /* what the MMU is on, but in the kit */
	struct pt_root root;      /* the kernel's */
	unsigned tests;           /* lines of TAP */
	unsigned failed;
	unsigned long cases;
	unsigned long mismatches;
	unsigned long deviations; /* cases that a row of deviations.c explains */
};

extern struct mmu mmu;

/* One line of TAP. */
bool mmu_ok(bool good, const char *name);

/* Bytes of an entry of a level; the root's level. */
uint64_t mmu_slot(unsigned level);
unsigned mmu_top(void);

/* The entry of a level for va in a space's tables, NULL: the way down ends above; raw entries. */
void *mmu_entry(const struct pt_space *space, uint64_t va, unsigned level);
uint64_t mmu_load(const void *entry);
void mmu_store(void *entry, uint64_t e);

/* The parts. */
void mmu_kit(void);
void mmu_matrix(void);
void mmu_live(void);
void mmu_cpus(void);

#endif
