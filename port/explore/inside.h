/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the sources of the explorer share: the state of an exploration, and the way of an access. */
#ifndef PORT_EXPLORE_INSIDE_H
#define PORT_EXPLORE_INSIDE_H

#include "port/explore/atomic_kind.h"
#include "port/explore/explore.h"

#define GRANULE    8u /* bytes; what conflicts is kept for each */
#define GRANULES   (EXPLORE_BLOCK / GRANULE)
#define MAX_ACCESS 2000000u /* of one execution: more is a livelock */
#define LINES      (EXPLORE_BLOCK / EXPLORE_LINE)

/* What any execution of this scenario has done to a granule. */
struct granule {
	uint8_t readers; /* fibers, a bit each */
	uint8_t writers;
	uint8_t unit;    /* bytes of its smallest access, which race.c keeps clocks for; 0: none */
	uint16_t number; /* of those with a conflict, from 1 on; 0: none, or that is news */
};

/* So many granules with a conflict are told apart. */
#define CONFLICTS 511u

/* What others do while a fiber is held, in every execution from one decision on. footprint.c */
struct footprint {
	bool known;
	bool all;       /* anything */
	unsigned since; /* decisions made when the fiber began to run that was held then */
	uint64_t read[CONFLICTS / 64 + 1]; /* by number, a bit each */
	uint64_t written[CONFLICTS / 64 + 1];
};

/* The access that a fiber was preempted before: granules. */
struct held {
	uint32_t first;
	uint32_t last;
	bool write;
	bool unmet;              /* nobody has made one since that conflicts */
	struct footprint *print; /* of what is done until it goes on; or NULL */
};

struct explore {
	struct explore_config config;
	unsigned current;
	unsigned preemptions;
	bool restart; /* a new conflict or unit: what was explored so far saw too little */
	bool repeats; /* the rest would be as that of an earlier execution */
	struct held held[EXPLORE_FIBERS];
	bool early[EXPLORE_FIBERS + 1]; /* has come back from a wait before it was over */
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
	uint16_t conflicts; /* granules with one */
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

/* Notes an access of the current fiber; is there one of another that conflicts. sched.c */
bool note_access(size_t offset, size_t size, bool write);

/* An access of the port's own to a word of the block that stands for synchronisation. sched.c */
void explore_sync(const void *word, bool write);

/* What is left out since it is known to repeat. footprint.c */
void footprints_forget(unsigned changed); /* a decision: those that come after it are others now */
struct footprint *footprint_of(unsigned preemptions, unsigned to); /* NULL: too many */
void footprint_begin(struct footprint *print, unsigned since);
void footprint_add(struct footprint *print, const struct held *access);
bool footprint_meets(const struct footprint *print, unsigned since, const struct held *access);

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

static inline void count_access(size_t offset, size_t size, bool write)
{
	if (write)
		mark_dirty(offset, size);
	explore.count[explore.current]++;
	explore.time++;
}

/* Fibers other than the current one whose accesses to a granule conflict with this. */
static inline unsigned others_at(const struct granule *g, bool write)
{
	return (g->writers | (write ? g->readers : 0u)) & ~(1u << explore.current);
}

/*
 * Most accesses, and so made fast: aligned, of a size that the granule's are already, by a fiber
 * that is known to get at it so.
 */
static inline bool is_noted(size_t offset, size_t size, bool write)
{
	const struct granule *g = &explore.granule[offset / GRANULE];

	/* No unit, 0, is larger than any. */
	return size <= GRANULE && !(size & (size - 1)) && !(offset & (size - 1)) &&
	       g->unit - 1u < size && (write ? g->writers : g->readers) & 1u << explore.current;
}

/* Nor is there another's that conflicts, nor anybody to tell: it is counted, and that is all. */
static inline bool is_settled(size_t offset, size_t size, bool write, bool is_watched)
{
	return is_noted(offset, size, write) &&
	       !others_at(&explore.granule[offset / GRANULE], write) && !explore.replay &&
	       !(is_watched && explore.watch);
}

static inline struct held held_of(size_t offset, size_t size, bool write)
{
	return (struct held){(uint32_t)(offset / GRANULE),
		(uint32_t)((offset + size - 1) / GRANULE), write, true, NULL};
}

/* The current fiber makes an access: whoever was preempted before one that conflicts has met it. */
static inline void meet(const struct held *access)
{
	for (unsigned f = 0; f < explore.config.fibers; f++) {
		struct held *held = &explore.held[f];

		if ((access->write || held->write) && access->first <= held->last &&
		    held->first <= access->last)
			held->unmet = false;
		if (held->print)
			footprint_add(held->print, access);
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

/* Notes an access; is there one of another fiber that conflicts. */
static inline bool conflicts(size_t offset, size_t size, bool write)
{
	if (!is_noted(offset, size, write))
		return note_access(offset, size, write);
	return others_at(&explore.granule[offset / GRANULE], write) != 0;
}

/* Before an access that conflicts. */
static inline void decide_and_meet(size_t offset, size_t size, bool write, bool decide)
{
	struct held access = held_of(offset, size, write);

	if (decide && explore.preemptions < explore.config.bound)
		explore_point(&access);
	meet(&access);
}

/* Comes before each access to the block; true: it conflicts, and race.c wants to know of it. */
static inline bool before_access(size_t offset, size_t size, bool write, bool decide,
    const char *what, const void *pc)
{
	bool conflict;

	if (explore.current == EXPLORE_MAIN) {
		if (write)
			mark_dirty(offset, size);
		return false;
	}
	count_access(offset, size, write);
	if (explore.time > MAX_ACCESS)
		explore_fail("livelock", NULL);
	if (explore.replay)
		explore_point_replay();
	conflict = conflicts(offset, size, write);
	if (conflict && explore.tell)
		explore_tell(offset, size, what, pc);
	if (conflict && !explore.replay)
		decide_and_meet(offset, size, write, decide);
	if (write)
		tell_watcher(offset, size);
	return conflict;
}

#endif
