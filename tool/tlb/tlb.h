/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * TLBs in software, one for each simulated CPU: two levels of leaf entries and a walk cache, of a
 * real machine's sizes and associativity. Loads and stores go through them; what is cached stays
 * until a flush names it or another entry takes its place. Entries are tagged with their space
 * (ASID, PCID), so that nothing is flushed when a CPU runs another one.
 *
 * Tables and frames have a generation that ends with their life. An access through an entry of an
 * earlier one is a failure, which tlb_failure tells: a flush was missing, or came too late.
 *
 * A CPU translates with its own lock held, and a flush takes the lock of each CPU in turn: as with
 * interprocessor interrupts, a flush returns when no CPU is in the middle of a walk that began
 * before it. Hence walks need no read section. Locks of tables may be held in a flush, none is
 * taken in a walk.
 *
 * Formats of real machines only, whose byte order is the host's: these are all little endian.
 */
#ifndef TOOL_TLB_TLB_H
#define TOOL_TLB_TLB_H

#include <ptdesc/space.h>

/* --- machines -------------------------------------------------------------------------------- */

#define TLB_ARRAYS 4u

/* One array of entries: entries / ways sets; the lowest entry of a set that is oldest goes. */
struct tlb_shape {
	uint16_t entries; /* 0: there is no such array */
	uint16_t ways;
	uint8_t leaves; /* bit l: leaves of level l; several: the sizes share it */
	uint8_t second; /* 1: looked at when no array of the first level has it */
};

struct tlb_machine {
	const char *name;
	const char *formats; /* names of formats that are its own begin so */
	struct tlb_shape leaf[TLB_ARRAYS];
	struct tlb_shape walk; /* entries that point to tables, of all levels */
	const char *source;
};

/* The machine whose formats this is one of; NULL: none. */
const struct tlb_machine *tlb_machine_of(const struct pt_format *format);

/* --- TLBs ------------------------------------------------------------------------------------ */

struct tlb;

struct tlb_config {
	const struct pt_format *format;
	unsigned cpus;
	uint64_t table_bytes; /* physical memory, from address 0, that tables can lie in */
	uint64_t frame_bytes; /* the same of mapped frames whose end is told by tlb_released */
	/* Where the table at pa is. */
	void *(*address)(void *ctx, uint64_t pa);
	void *ctx;
	/* What a cached entry says is compared with the tables each time it is used: one thread. */
	bool exact;
};

/* Of all CPUs; exact when no call is under way. */
struct tlb_counts {
	uint64_t accesses;
	uint64_t first;      /* found in an array of the first level */
	uint64_t second;     /* found in one of the second */
	uint64_t walks;      /* the rest */
	uint64_t walk_loads; /* entries of tables that were read by walks */
	uint64_t walk_hits;  /* walks that began at a cached table below the root */
	uint64_t marks;      /* accessed and dirty marks that walks set */
	/* Flush requests, each in one row: of tables; else of a page, of more, of all of a space.
	 */
	uint64_t flush_table;
	uint64_t flush_page;
	uint64_t flush_range;
	uint64_t flush_space;
	uint64_t killed_leaves; /* entries that flushes removed */
	uint64_t killed_tables;
	uint64_t several; /* requests that removed something on more than one CPU */
};

/* What an access came to. */
struct tlb_result {
	uint64_t pa;
	uint32_t flags; /* of the leaf, as pt_attr.flags */
	unsigned level; /* of the leaf */
};

/* NULL: no machine has the format, or there is no memory. */
struct tlb *tlb_open(const struct tlb_config *config);
void tlb_close(struct tlb *tlb);

const struct tlb_machine *tlb_machine(const struct tlb *tlb);
void tlb_counts(const struct tlb *tlb, struct tlb_counts *counts);

/*
 * One access of PT_READ, PT_WRITE, PT_EXEC on a CPU. 0; -PT_ENOENT: nothing is mapped; -PT_EATTR:
 * no right; -PT_EBUSY: software has to set accessed or dirty, or the entry is being changed: ask
 * pt_access_fault, then again; -PT_EINVAL: an entry that is none, or a failure, which tlb_failure
 * has. A CPU does one access at a time; several CPUs may at once.
 */
int tlb_access(struct tlb *tlb, unsigned cpu, const struct pt_space *space, uint64_t va,
    uint32_t access, struct tlb_result *result);

/*
 * For struct pt_port and struct pt_hosted_mmu, ctx the tlb: a flush on all CPUs, and the life of
 * tables. The cookie of each space is its address.
 */
void tlb_flush(void *ctx, const struct pt_flush *request);
int tlb_table(void *ctx, pt_pa pa, size_t size, unsigned level, bool start);

/* A flush on one CPU, and not counted: what a broken port would do. */
void tlb_flush_cpu(struct tlb *tlb, unsigned cpu, const struct pt_flush *request);

/* Memory that the library handed over is somebody else's from now on. */
void tlb_released(struct tlb *tlb, uint64_t pa, uint64_t size);

/*
 * Compares all that is cached of a space (NULL: of any) with the tables: nothing may be cached that
 * they do not say. gone: the space is no more, nothing may be cached. No other call is under way.
 */
void tlb_check(struct tlb *tlb, const struct pt_space *space, bool gone);

/* The first failure, one line; NULL: none. */
const char *tlb_failure(const struct tlb *tlb);

#endif
