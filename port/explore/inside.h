/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the sources of the explorer share: the state of an exploration, and the way of an access. */
#ifndef PORT_EXPLORE_INSIDE_H
#define PORT_EXPLORE_INSIDE_H

#include "port/explore/atomic_kind.h"
#include "port/explore/explore.h"

#define GRANULE  8u /* bytes; what conflicts is kept for each */
#define GRANULES (EXPLORE_BLOCK / GRANULE)
#define LINES    (EXPLORE_BLOCK / EXPLORE_LINE)

/* What any execution of this scenario has done to a granule. */
struct granule {
	uint8_t readers; /* fibers, a bit each */
	uint8_t writers;
	uint8_t unit; /* bytes of its smallest access, which race.c keeps clocks for; 0: none */
};

/* The access that a fiber was preempted before: granules. */
struct held {
	uint32_t first;
	uint32_t last;
	bool write;
	bool unmet; /* nobody has made one since that conflicts */
};

struct explore {
	struct explore_config config;
	unsigned current;
	unsigned preemptions;
	bool restart; /* a new conflict or unit: what was explored so far saw too little */
	bool repeats; /* the rest would be as that of an earlier execution */
	struct held held[EXPLORE_FIBERS];
	bool replay;
	bool tell;
	uint32_t count[EXPLORE_FIBERS + 1]; /* accesses so far */
	uint64_t time;                      /* goes on with each access, and when it is asked */
	const char *failure;
	const struct explore_watch *watch;
	size_t arena; /* physical memory: where in the block, */
	size_t arena_size;
	uint64_t arena_pa; /* and from which address on */
	struct granule granule[GRANULES];
	uint8_t dirty[LINES];
	uint32_t dirty_line[LINES];
	unsigned dirty_count;
};

extern struct explore explore;

/* Memory orders as the compiler hands them to the callbacks. */
enum { ORDER_RELAXED, ORDER_CONSUME, ORDER_ACQUIRE, ORDER_RELEASE, ORDER_ACQ_REL, ORDER_SEQ_CST };

/* A decision before an access that conflicts; in a replay before each, and told. sched.c */
void explore_point(const struct held *access);
void explore_point_replay(void);
void explore_tell(size_t offset, size_t size, const char *what, const void *pc);

/* An access of the port's own to a word of the block that stands for synchronisation. sched.c */
void explore_sync(const void *word, bool write);

/* Vector clocks. race.c */
void race_begin(unsigned count);
void race_plain(size_t offset, size_t size, bool write);
void race_atomic(size_t offset, size_t size, enum atomic_kind kind, int order);
void race_fence(int order);
void race_section_exit(void);
void race_grace_over(void);

/* Switches stacks. fiber.c */
void fiber_switch(void **save, void *to);
void fiber_prepare(unsigned fiber, void (*start)(void));
extern void *fiber_stack[EXPLORE_FIBERS + 1];

static inline size_t block_offset(const volatile void *address)
{
	return (size_t)((uintptr_t)address - (uintptr_t)explore_block);
}

static inline void mark_dirty(size_t offset, size_t size)
{
	for (size_t line = offset / EXPLORE_LINE; line <= (offset + size - 1) / EXPLORE_LINE;
	    line++) {
		if (!explore.dirty[line]) {
			explore.dirty[line] = 1;
			explore.dirty_line[explore.dirty_count++] = (uint32_t)line;
		}
	}
}

/* Bytes of the part of an access that lies in a granule; 1 if it is not aligned. */
static inline unsigned unit_in(size_t granule, size_t offset, size_t size)
{
	size_t from = offset > granule * GRANULE ? offset : granule * GRANULE;
	size_t end =
	    offset + size < (granule + 1) * GRANULE ? offset + size : (granule + 1) * GRANULE;
	size_t unit = end - from;

	return (unit | from) & (unit - 1) ? 1 : (unsigned)unit;
}

/* Notes an access of the current fiber; is there one of another that conflicts. */
static inline bool note_access(size_t offset, size_t size, bool write)
{
	unsigned me = 1u << explore.current;
	bool found = false;

	for (size_t g = offset / GRANULE; g <= (offset + size - 1) / GRANULE; g++) {
		struct granule *granule = &explore.granule[g];
		unsigned unit = unit_in(g, offset, size);
		uint8_t *mine = write ? &granule->writers : &granule->readers;
		unsigned others = (granule->writers | (write ? granule->readers : 0u)) & ~me;

		if (unit < granule->unit || !granule->unit) {
			explore.restart |= granule->unit != 0;
			granule->unit = (uint8_t)unit;
		}

		if (!(*mine & me)) {
			*mine |= (uint8_t)me;
			explore.restart |= others != 0;
		}
		found |= others != 0;
	}
	return found;
}

static inline struct held held_of(size_t offset, size_t size, bool write)
{
	return (struct held){(uint32_t)(offset / GRANULE),
		(uint32_t)((offset + size - 1) / GRANULE), write, true};
}

/* The current fiber makes an access: whoever was preempted before one that conflicts has met it. */
static inline void meet(const struct held *access)
{
	for (unsigned f = 0; f < explore.config.fibers; f++) {
		struct held *held = &explore.held[f];

		if ((access->write || held->write) && access->first <= held->last &&
		    held->first <= access->last)
			held->unmet = false;
	}
}

/* The address of an offset of the block that is physical memory and watched; 0: it is not. */
static inline uint64_t watched(size_t offset)
{
	if (!explore.watch || offset - explore.arena >= explore.arena_size)
		return 0;
	return offset - explore.arena + explore.arena_pa;
}

static inline void tell_watcher(size_t offset, size_t size)
{
	if (watched(offset))
		explore.watch->write(watched(offset), size);
}

/*
 * Most accesses, and so made fast: of a size that the granule's are already, to what the current
 * fiber is known to get at so and others are not, with nobody to tell. size: a power of two.
 */
static inline bool is_settled(size_t offset, size_t size, bool write)
{
	const struct granule *g = &explore.granule[offset / GRANULE];
	unsigned me = 1u << explore.current;
	unsigned others = (g->writers | (write ? g->readers : 0u)) & ~me;

	/* No unit, 0, is larger than any. */
	return size <= GRANULE && !(offset & (size - 1)) && g->unit - 1u < size && !others &&
	       (write ? g->writers : g->readers) & me && !explore.replay &&
	       !(write && explore.watch);
}

/* Comes before each access to the block; true: it conflicts, and race.c wants to know of it. */
static inline bool before_access(size_t offset, size_t size, bool write, bool decide,
    const char *what, const void *pc)
{
	bool conflict;

	if (write)
		mark_dirty(offset, size);
	if (explore.current == EXPLORE_MAIN)
		return false;
	explore.count[explore.current]++;
	explore.time++;
	if (explore.replay)
		explore_point_replay();
	conflict = note_access(offset, size, write);
	if (conflict && explore.tell)
		explore_tell(offset, size, what, pc);
	if (conflict && !explore.replay) {
		struct held access = held_of(offset, size, write);

		if (decide)
			explore_point(&access);
		meet(&access);
	}
	if (write)
		tell_watcher(offset, size);
	return conflict;
}

#endif
