/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A machine that does what a flattened trace says, on tables that its MMU walks: the space of an
 * operation is the one that the MMU is on, and the first and the last page of what the operation
 * touches are accessed by user code before it, so that TLBs know them, and after it, so that they
 * must have forgotten.
 */
#ifndef TOOL_BOOT_BOOT_H
#define TOOL_BOOT_BOOT_H

#include "port/bare/common/bare.h"
#include "port/bare/common/print.h"
#include "tool/sink/flat.h"

void *memset(void *at, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

/*
 * Where things are, from the start of RAM; the image is below the first. scripts/run-qemu puts a
 * trace at BOOT_TRACE_AT, scripts/boot none that is longer than BOOT_TRACE_SIZE.
 */
#define BOOT_TRACE_AT    UINT64_C(0x2000000) /* the flattened trace, behind it the spaces */
#define BOOT_TRACE_SIZE  UINT64_C(0x1000000)
#define BOOT_FRAMES_AT   UINT64_C(0x3000000) /* what programs map */
#define BOOT_FRAMES_SIZE UINT64_C(0x2000000)
#define BOOT_MEMORY_AT   UINT64_C(0x5000000) /* tables */
#define BOOT_MEMORY_SIZE UINT64_C(0x3000000)

/* Root entries of the kernel's at most, where it has no root for itself. */
#define BOOT_SLOTS 64u

/* A space of the trace. */
struct live_space {
	struct pt_space space;
	bool alive;
	uint64_t own[BOOT_SLOTS]; /* what its root had where the kernel's entries are now */
};

struct flush_counts {
	uint64_t requests;
	uint64_t leaves; /* of these: leaf entries changed, and no tables */
	uint64_t tables; /* entries that point to tables */
	uint64_t roots;  /* of these: the root's, of a format whose root is loaded into registers */
	uint64_t whole;  /* all of the space, or more pages than a port flushes one by one */
};

struct access_counts {
	uint64_t tried;
	uint64_t reached;    /* memory */
	uint64_t refused;    /* as they should be */
	uint64_t marked;     /* refused until the library had set accessed or dirty */
	uint64_t mismatches; /* with what the library says */
	uint64_t unmodelled; /* answers of the library that are not the plain model's */
};

struct boot {
	const struct pt_format *format;
	struct pt_memory *memory;
	struct pt_space kernel;
	struct pt_space idle; /* what a user's root is while there is none; split machines only */
	uint64_t user_code;   /* where user code for accesses can be executed */
	unsigned slot[BOOT_SLOTS]; /* of the kernel's root */
	unsigned slots;
	struct live_space *spaces;
	uint32_t space_count;
	struct live_space *loaded; /* NULL: none of them */
	bool drop;                 /* flushes are left out */
	struct sink_counts counts;
	struct flush_counts flushes;
	struct access_counts accesses;
};

extern struct boot boot;

/* The frame that stands for one of the trace, which has more of them than the machine. */
uint64_t boot_frame(uint64_t pa);

/* kernel.c: from boot tables to the library's own; false, and a message: that failed. */
bool boot_kernel(void);

/* spaces.c. The error is the library's. */
int boot_make(struct live_space *live);
int boot_destroy(struct live_space *live);
void boot_load(struct live_space *live); /* NULL: none */
struct live_space *boot_space(uint32_t number);

/* accesses.c: reads and writes by user code at va of the loaded space, compared with the library.
 */
void boot_access(uint64_t va);
void boot_look(struct sink_op look);

/* report.c: lines of COUNT, a name and numbers. */
void boot_report(void);

#endif
