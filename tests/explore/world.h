/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What scenarios of the explorer run in: a tiny memory and its spaces, all in the block. */
#ifndef TESTS_EXPLORE_WORLD_H
#define TESTS_EXPLORE_WORLD_H

#include <ptdesc/slab.h>
#include <ptdesc/space.h>
#include "port/explore/explore.h"

/*
 * Spaces: 0 is worked on; 1 shares with it where the state says so; 2 is empty, a target of copies;
 * from 3 on each fiber has one to make.
 */
#define WORLD_SPACES       3u
#define WORLD_OWN          3u
#define WORLD_TARGET_SPACE 2u

/* Pages, from the first address on, that scenarios use: a leaf table maps four. */
#define WORLD_LEAF   4u
#define WORLD_PAGES  40u
#define WORLD_TARGET 12u /* where moves go */

/* Memory: sections of as many frames; the first holds all, the spare and the absent one follow. */
#define WORLD_FRAME_SHIFT   6u
#define WORLD_SECTION_SHIFT 9u
#define WORLD_FRAMES        ((size_t)1 << WORLD_SECTION_SHIFT)
#define WORLD_SECTION_ORDER 4u /* frames that are there of the other two: log2 */
#define WORLD_SECTION       (1u << WORLD_SECTION_ORDER)
#define WORLD_FIRST_PA      (WORLD_FRAMES << WORLD_FRAME_SHIFT)
#define WORLD_ARENA         (3 * WORLD_FRAMES << WORLD_FRAME_SHIFT)

#define WORLD_OBJECT 32u /* bytes of an embedder's object */

/* What a space looks like before the calls. */
enum world_state {
	WORLD_EMPTY,
	WORLD_PAGE,       /* one page in each leaf table */
	WORLD_FULL,       /* leaf tables are full and could be collapsed */
	WORLD_HUGE,       /* a leaf of level 1 in the place of each leaf table */
	WORLD_HUGE_DIRTY, /* the same, accessed and dirty */
	WORLD_HOLLOW,     /* tables of level 1 without anything below */
	WORLD_SHARED,     /* full, not of one run, and shared copy-on-write with space 1 */
	WORLD_SOLE,       /* the same, but space 1 has left */
	WORLD_TRULY,      /* tables of large leaves that space 1 has as well */
	WORLD_STATES,
};

extern const char *const world_state_name[WORLD_STATES];

/* What spaces are made of: entries are stored in other ways where an MMU runs them. */
struct world_kind {
	const char *name;
	const struct pt_format *format;
	uint32_t flags; /* of the spaces */
	bool mmu;       /* MMUs are simulated: mmu.h */
};

#define WORLD_KINDS 5u
extern const struct world_kind world_kind[WORLD_KINDS];

struct world {
	const struct world_kind *kind;
	const struct pt_format *format;
	uint32_t flags; /* of the spaces */
	unsigned flavour;
	bool swapped; /* the halves of the second leaf table's frames are */
	struct pt_memory *memory;
	struct pt_space *space;                     /* in the block */
	struct pt_cache *cache;                     /* of the embedder's objects */
	struct pt_cache *own_cache[EXPLORE_FIBERS]; /* each fiber's to make */
	pt_pfn main;                                /* the section that all is in */
	pt_pfn spare;                               /* a section that nothing is in */
	pt_pfn absent;                              /* one that may be added */
	void *words[EXPLORE_FIBERS];                /* each fiber's, to add it with */
	void *spare_words;                          /* of the section that nothing is in */
	unsigned *named[EXPLORE_FIBERS];            /* each fiber's, which its frames' words name */
	pt_pfn next_frames[EXPLORE_FIBERS][2];      /* what each is given first, of both orders */
	pt_pa next_table[EXPLORE_FIBERS];           /* of the new frame that its magazine gets */
	void **shelf;                               /* an object that others look at */
	struct ptdesc **boot_table;                 /* one of each fiber's, in the block */
	pt_pa leaf;                                 /* where the first leaf table is, or the root */
	unsigned disjoint;                          /* first page below another table of level 1 */
	pt_attr attr;                               /* of what is mapped */
};

extern struct world world;

/* Orders of frames that calls take: their words are written one by one, or all behind a fence. */
#define WORLD_FEW  1u
#define WORLD_MANY 3u

/* Tables that are ready in each CPU's magazine of a class, unless lean; and two of a new frame
 * more. */
#define WORLD_READY  4u
#define WORLD_TABLES (WORLD_READY + 2)

/* What some calls want of a world, bits. */
#define WORLD_KERNEL   1u /* a kernel's spaces */
#define WORLD_LEAN     2u /* small magazines: who drains them has a long way */
#define WORLD_DEPOSIT  4u /* each large leaf has a table deposited */
#define WORLD_ROOM     8u /* an empty leaf table in the space that is copied to */
#define WORLD_FLAVOURS 16u

/* Makes a state and takes the snapshot. */
void world_make(const struct world_kind *kind, enum world_state state, unsigned flavour);

static inline pt_va world_va(unsigned page)
{
	return pt_make_va((uint64_t)page << world.format->page_shift);
}

static inline uint64_t world_size(unsigned pages)
{
	return (uint64_t)pages << world.format->page_shift;
}

/* What is mapped at a page at first. */
pt_pa world_pa(unsigned page);

/* What lies at an address of the block, for who reads a schedule. */
void world_describe(const void *address, char *text, size_t size);

/* All that can be said of the spaces by looking at them, as a number; none is being changed. */
uint64_t world_picture(void);

/* What is wrong with a state at rest, or NULL. Takes the world apart. */
const char *world_check(void);

#endif
