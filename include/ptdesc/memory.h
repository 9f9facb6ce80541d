/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * struct pt_memory: all state of the core, in one block that the caller owns. There are no
 * writable globals; two memories live side by side in one program.
 */
#ifndef PTDESC_MEMORY_H
#define PTDESC_MEMORY_H

#include <ptdesc/port.h>
#include <ptdesc/types.h>

struct pt_memory;

/* What a memory is made for; fixed from pt_memory_init on. */
struct pt_config {
	unsigned page_shift; /* log2 of the frame size in bytes, 4 to 20 */
	unsigned cpus;       /* 1 to 4096 */
	unsigned nodes;      /* 1 to 64 */
	unsigned
	    section_shift; /* log2 of frames in a section: 1 to 20 (64-bit), 1 to 12 (32-bit) */
	pt_pfn max_pfn;    /* sections may be added below this frame */
	unsigned magazine; /* frames, and ready tables of each class, kept by each CPU: 2 to 512 */
	unsigned classes;  /* kinds of table that can be registered: 1 to 64 */
	bool irq;          /* used in interrupt handlers: pinning blocks interrupts */
};

/* What pt_memory_destroy found still allocated. All 0: nothing leaked. */
struct pt_leaks {
	uint64_t frames;  /* frames, tables' included */
	uint64_t tables;  /* page tables */
	uint64_t objects; /* slab objects of caches not destroyed, descriptors of tables excluded */
};

/* Counts of a memory; sums over CPUs, exact when no call is under way. */
struct pt_memory_stats {
	uint64_t frames;          /* frames in sections */
	uint64_t free_frames;     /* of these free, magazines included */
	uint64_t reserved;        /* of these boot memory */
	uint64_t table_frames;    /* frames that are tables now, ready ones excluded */
	uint64_t tables;          /* tables allocated, fragments included */
	uint64_t ready;           /* tables kept in magazines */
	uint64_t deferred;        /* tables that wait for a grace period */
	uint64_t slab_frames;     /* frames under object caches */
	uint64_t descriptors;     /* struct ptdesc that exist, those of ready tables included */
	uint64_t page_word_bytes; /* bytes of page words in sections */
	uint64_t magazine_hits;   /* tables allocated from a magazine */
	uint64_t magazine_misses; /* tables that had to be built */
	uint64_t relaxed;         /* attributes widened by PT_RELAX */
};

PT_BEGIN_DECLS

/* Bytes that pt_memory_init wants; 0 when the config is invalid. */
size_t pt_memory_size(const struct pt_config *config);

/*
 * Makes a memory in block (pt_memory_size bytes, aligned to 64). The port's table is copied. It
 * starts at the boot stage: sections may be added and boot tables made, no frame allocated.
 * -PT_EINVAL: a config or port that cannot work, or a block too small or misaligned.
 */
PT_MUST_CHECK int pt_memory_init(void *block, size_t size, const struct pt_config *config,
    const struct pt_port *port, struct pt_memory **memory);

/*
 * Ends the boot stage: frames, slab and descriptors work from here on, and boot tables are adopted
 * (see boot.h). -PT_ENOMEM: not enough frames yet; add a section and call again.
 */
PT_MUST_CHECK int pt_memory_online(struct pt_memory *memory);

/*
 * Gives everything back to the sections: drains all CPUs, waits for grace. No other call may be
 * under way. Fills leaks (may be NULL). -PT_EBUSY when something was leaked; the memory is then
 * still valid, so that it can be looked at.
 */
PT_MUST_CHECK int pt_memory_destroy(struct pt_memory *memory, struct pt_leaks *leaks);

/*
 * Gives kept-back memory back: all tables that wait for a grace period, this CPU's magazines and
 * every cache's empty slabs at once; the other CPUs drain their magazines at their next allocation
 * or free. May sleep. Returns frames freed now.
 */
uint64_t pt_memory_shrink(struct pt_memory *memory);

void pt_memory_stats(const struct pt_memory *memory, struct pt_memory_stats *stats);

/* Frames of tables on one node: what Linux calls NR_PAGETABLE of the node (M5). */
uint64_t pt_node_table_frames(const struct pt_memory *memory, unsigned node);

/*
 * Bytes of words that pt_section_add wants for a section, a multiple of 64, so that those of
 * several may lie side by side; 0 when the config is invalid.
 */
size_t pt_section_size(const struct pt_config *config);

/*
 * Adds the frames [first, first + frames) on a node. first is a multiple of the section size,
 * frames at most one section. words: pt_section_size bytes, zeroed, aligned to 64, the caller's
 * until pt_section_remove. All frames become free. -PT_EINVAL, -PT_EALIGN, -PT_EEXIST.
 */
PT_MUST_CHECK int pt_section_add(struct pt_memory *memory, pt_pfn first, uint64_t frames,
    unsigned node, void *words);

/*
 * Takes a section out again; waits for a grace period, so that no reader is left in its words. May
 * sleep. -PT_EBUSY when one of its frames is in use or kept in a magazine (call pt_memory_shrink
 * first); -PT_ENOENT.
 */
PT_MUST_CHECK int pt_section_remove(struct pt_memory *memory, pt_pfn first);

/*
 * For tests: makes the nth allocation from now on fail (1: the next), of frames, objects and tables
 * alike, once, or with forever set all from there on. nth 0 switches off. Returns how many
 * allocations were asked for since the last call, if that one switched it on, else 0.
 */
uint64_t pt_memory_fail_at(struct pt_memory *memory, uint64_t nth, bool forever);

PT_END_DECLS

#endif
