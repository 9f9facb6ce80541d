/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tests of the library on a machine whose MMU walks its tables, the kernel's own included. Each
 * part prints TAP and adds to the counts.
 */
#ifndef TESTS_MMU_MMU_H
#define TESTS_MMU_MMU_H

#include "port/bare/common/bare.h"
#include "port/bare/common/print.h"

void *memcpy(void *__restrict to, const void *__restrict from, size_t size);
void *memset(void *at, int byte, size_t size);

/* Where things are, from the start of RAM. The image is below the first. */
#define MMU_PATTERN_END                                                                            \
	UINT64_C(0x1000000)                  /* up to here words hold their own address, or others \
					      */
#define MMU_KERNEL_AT    UINT64_C(0x4000000) /* the kernel's memory */
#define MMU_KERNEL_SIZE  UINT64_C(0x2000000)
#define MMU_SCRATCH_AT   UINT64_C(0x2000000) /* the kit's memory; frames that tests map */
#define MMU_SCRATCH_SIZE UINT64_C(0x2000000)
#define MMU_TARGET_AT    UINT64_C(0x6000000) /* what the kit and the matrix map and change */
#define MMU_TARGET_SIZE  UINT64_C(0x2000000)

/* A page of the kernel's addresses, as if it were memory behind the RAM. */
#define MMU_USER_CODE (machine.ram + machine.ram_size)

/* What of each flush is left out, to see that it is missed. */
enum mmu_drop {
	MMU_DROP_NOTHING,
	MMU_DROP_ALL,    /* this CPU's and all others' */
	MMU_DROP_REMOTE, /* the others' */
};

struct mmu {
	const struct pt_format *format;
	struct pt_memory *memory; /* the kernel's */
	struct pt_space kernel;
	struct pt_space user;   /* where the kernel has a root for itself */
	struct pt_space *space; /* the one of them that tests change */
	struct pt_root root;    /* its root; in the kit the MMU is on others */
	enum mmu_drop drop;
	bool no_grace;    /* grace periods end at once */
	uint32_t flushes; /* of the kernel's memory, made or left out */
	unsigned tests;   /* lines of TAP */
	unsigned failed;
	unsigned long cases;
	unsigned long mismatches;
	unsigned deviations; /* rows of deviations.c that were seen */
};

extern struct mmu mmu;

/* One line of TAP. */
bool mmu_ok(bool good, const char *name);

/* Attributes of these rights, or the nearest that the format can say. */
pt_attr mmu_attr(uint32_t rights);

/* Bytes of an entry of a level; the root's level. */
uint64_t mmu_slot(unsigned level);
unsigned mmu_top(void);

/* The entry of a level for va in a space's tables, NULL: the way down ends above; raw entries. */
void *mmu_entry(const struct pt_space *space, uint64_t va, unsigned level);
uint64_t mmu_load(const void *entry);
void mmu_store(void *entry, uint64_t e);

/* Frames for tests: their words are their addresses, until mmu_fill_scratch is called again. */
void mmu_fill_scratch(void);

/* Where code that reads or writes is, for the supervisor and for the user, under every root. */
uintptr_t mmu_code(uint32_t access, bool user);

/* Puts this CPU on the library's tables. */
void mmu_on_kernel(void);

/* Attempts on a CPU, the caller's or another that is up: the last word is what was read. */
struct machine_try mmu_try(unsigned cpu, uint64_t va, uint32_t access);

/* Another CPU comes up and waits for work. */
void mmu_start_cpu(unsigned cpu);

/* Has another CPU run a function, and waits until all have. */
void mmu_run_on(unsigned cpu, void (*fn)(void *ctx), void *ctx);
void mmu_wait_for(unsigned cpu);

/* The parts. */
void mmu_kit(void);
void mmu_matrix(void);
void mmu_live(void);        /* changes, seen by the CPU that makes them */
void mmu_live_remote(void); /* and by another */
void mmu_grace(void);
void mmu_cpus(void);

/* The kernel's phys_to_virt, where a test has a CPU stop. */
void *mmu_phys_to_virt(void *ctx, pt_pa pa);

_Noreturn void mmu_judge(void);

#endif
