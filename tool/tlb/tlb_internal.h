/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of this folder share. */
#ifndef TOOL_TLB_TLB_INTERNAL_H
#define TOOL_TLB_TLB_INTERNAL_H

#include <pthread.h>

#include "tool/tlb/tlb.h"

struct tlb_entry {
	const struct pt_space *space; /* NULL: unused */
	uint64_t tag;                 /* va >> what an entry of the level translates */
	uint64_t pa;                  /* of the memory, or of the table */
	uint32_t flags;               /* of a leaf, as pt_attr.flags */
	uint32_t generation;          /* of what is at pa, when it was cached */
	uint32_t used;                /* the array's clock at the last use */
	uint8_t level;
};

/* One array of a CPU. */
struct tlb_array {
	struct tlb_shape shape;
	unsigned sets;
	unsigned valid;
	uint32_t clock;
	struct tlb_entry *entries;
};

struct tlb_cpu {
	pthread_mutex_t lock;
	uint32_t pending; /* flushes that want it: they come before the next access */
	struct tlb_array leaf[TLB_ARRAYS];
	struct tlb_array walk;
	struct tlb_counts counts; /* under the lock */
} __attribute__((aligned(64)));

/* What a leaf looks like that is marked, where it differs from one that is not. */
struct tlb_mark {
	uint64_t mask; /* 0: leaves of the level cannot be marked */
	uint64_t bits;
};

/* How often what lies in each unit of physical memory has changed hands. */
struct tlb_generations {
	uint32_t *of;
	uint64_t units;
	unsigned shift;
};

struct tlb {
	struct tlb_config config;
	const struct tlb_machine *machine;
	unsigned shift[PT_MAX_LEVELS]; /* log2 bytes that an entry of a level translates */
	struct tlb_mark accessed[PT_MAX_LEVELS];
	struct tlb_mark dirty[PT_MAX_LEVELS];
	struct tlb_generations tables;
	struct tlb_generations frames;
	pthread_mutex_t failing;
	uint32_t failed;
	char failure[200];
	struct tlb_counts flushes; /* rows of flush requests; relaxed atomics */
	struct tlb_cpu *cpus;
};

/* --- array.c --------------------------------------------------------------------------------- */

bool array_open(struct tlb_array *array, const struct tlb_shape *shape);

/* The entry of a space and level for va, NULL: none; it is the youngest of its set then. */
struct tlb_entry *array_find(const struct tlb *tlb, struct tlb_array *array,
    const struct pt_space *space, uint64_t va, unsigned level);

/* Puts an entry in, in place of the same, of an unused one, or of the oldest of its set. */
void array_put(struct tlb_array *array, const struct tlb_entry *entry);

void array_drop(struct tlb_array *array, struct tlb_entry *entry);

/*
 * Removes what a request names, of levels, from an array of a CPU; returns how many. Where a break
 * comes before each make, the tables may not say anything else there by then.
 */
uint64_t array_flush(struct tlb *tlb, unsigned cpu, struct tlb_array *array,
    const struct pt_flush *request, uint32_t levels);

/* --- tlb.c ----------------------------------------------------------------------------------- */

uint32_t generation_of(const struct tlb_generations *generations, uint64_t pa);

/* Notes a failure; the first is kept. */
void tlb_fail(struct tlb *tlb, unsigned cpu, const char *what, const struct tlb_entry *entry,
    bool table);

/* --- walk.c ---------------------------------------------------------------------------------- */

/* Does an entry say what the tables say. */
bool walk_agrees(const struct tlb *tlb, const struct tlb_entry *entry, bool table);

/* Do they say something else than it, that is valid: another table, other memory or its type. */
bool walk_replaced(const struct tlb *tlb, const struct tlb_entry *entry, bool table);

#endif
