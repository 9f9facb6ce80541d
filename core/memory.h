/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * struct pt_memory and what the rooms of the core ask of one another. Private to core/ and space/.
 */
#ifndef PTDESC_CORE_MEMORY_H
#define PTDESC_CORE_MEMORY_H

#include <ptdesc/atomic.h>
#include <ptdesc/boot.h>
#include <ptdesc/frame.h>
#include <ptdesc/memory.h>
#include <ptdesc/ptdesc.h>
#include <ptdesc/slab.h>
#include "core/port_inline.h"

/* All that the library wants from outside; <string.h> is not one of the compiler's own headers. */
void *memcpy(void *__restrict to, const void *__restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *at, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#define PT_MAX_CLASSES 64u
#define PT_CACHE_LINE  64u

/* Used by hardened builds to say that a block of memory is a live descriptor. */
#define PTDESC_MAGIC UINT64_C(0x7074646573630001)

/* Frame blocks that one CPU keeps back, for each order up to this one. */
#define PT_MAGAZINE_ORDERS 11u

enum pt_stage {
	PT_STAGE_BOOT = 1,
	PT_STAGE_ONLINE = 2,
};

/* Free blocks merge up to a whole section: orders 0 to the largest section_shift. */
#define PT_BLOCK_ORDERS 21u

/*
 * Frames of one section, at the head of the memory that the caller gave for it; its words follow.
 * The node's lock guards all but the constants and the words of allocated frames.
 */
struct pt_section {
	pt_pfn first;    /* constant */
	uint32_t frames; /* constant: fewer than a full section at the end of memory */
	uint16_t node;   /* constant */
	uint16_t
	    listed; /* largest order of a free block, plus 1: the node's list it is on; 0: none */
	uint32_t orders; /* bit k: there are free blocks of order k */
	uint32_t free_frames;
	uint32_t reserved;              /* frames of boot memory */
	uint32_t boot_from;             /* no boot frame below this index is unused */
	struct pt_section *next;        /* sections of the node with an equal largest order */
	struct pt_section *prev;        /* NULL: the first of them */
	struct pt_section *boot_next;   /* sections that have boot memory */
	uint32_t head[PT_BLOCK_ORDERS]; /* a free block of each order whose bit is set, its index */
	struct pt_page words[] __attribute__((aligned(PT_CACHE_LINE)));
};

/* Stack of frame blocks of one order. */
struct pt_frame_magazine {
	uint32_t count;
	uint32_t depth; /* constant */
	pt_pfn *frames; /* depth of them, all of the CPU's own node */
};

/* Stack of ready tables of one class. */
struct pt_table_magazine {
	uint32_t count;
	struct ptdesc **tables; /* config.magazine of them */
};

/* Tables whose grace period has been started together: a chain through pt_grace.next. */
struct pt_batch {
	struct ptdesc *first;
	struct ptdesc *last;
	uint64_t cookie;
	uint32_t count;
};

/* Batches that may wait for their grace period at a time on one CPU. The explorer takes 1. */
#ifndef PT_BATCHES
#define PT_BATCHES 4u
#endif
/*
 * Tables in a batch before its grace period is started: half of a magazine, so that they fit, but
 * no fewer than these. What a grace period costs the other CPUs is shared by so many. The explorer
 * takes 1: a table must be able to come back within a scenario.
 */
#define PT_BATCH_TABLES 32u
#ifndef PT_BATCH_OF
#define PT_BATCH_OF(magazine) ((magazine) / 2 > PT_BATCH_TABLES ? (magazine) / 2 : PT_BATCH_TABLES)
#endif

/*
 * What belongs to one CPU: touched only by whoever is pinned to it, but for the tables that it
 * deferred: others take those when they have no memory. Cache-line aligned.
 */
struct pt_cpu {
	struct pt_frame_magazine frames[PT_MAGAZINE_ORDERS];
	struct pt_table_magazine *tables;    /* config.classes of them */
	struct pt_batch filling;             /* being filled: no cookie yet */
	struct pt_batch waiting[PT_BATCHES]; /* ring, oldest at waiting_first */
	uint32_t waiting_first;
	uint32_t waiting_count;
	uint32_t batches_lock;  /* guards filling and waiting; whoever takes it is pinned */
	uint32_t pressure_seen; /* pt_memory.pressure when this CPU last drained its magazines */
	uint32_t node;          /* constant: the node whose memory is nearest */
	uint32_t batch;         /* constant: tables in a batch */
	intptr_t *node_tables;  /* frames of tables, this CPU's share, for each node; may be < 0 */
	intptr_t tables_count;  /* tables allocated less freed here */
	uintptr_t magazine_hits;
	uintptr_t magazine_misses;
#ifdef PT_HARDENED
	struct ptdesc *locked; /* whose lock was taken last and is held; core/lock.c */
#endif
} __attribute__((aligned(PT_CACHE_LINE)));

/*
 * Frames of one node. Sections that have free blocks are listed by the order of their largest one,
 * so that a block of any order is found without a search; the fullest that will do is taken first.
 */
struct pt_node {
	uint32_t lock;   /* guards its sections' free lists and what follows */
	uint32_t orders; /* bit k: sections[k] is not empty; may be read without the lock */
	uint64_t frames;
	uint64_t free_frames; /* those in magazines excluded */
	uint64_t reserved;    /* boot memory */
	struct pt_section *sections[PT_BLOCK_ORDERS];
} __attribute__((aligned(PT_CACHE_LINE)));

/* A registered class, with what follows from it. */
struct pt_class {
	struct pt_table_class spec;
	uint64_t pattern;         /* eight bytes of empty entries */
	pt_pfn max_pfn;           /* last frame that may hold a table; PT_NO_PFN: any */
	uint8_t order;            /* log2 frames of a table; 0 for fragments */
	uint8_t frag_shift;       /* log2 bytes of a fragment; 0: not a fragment */
	uint32_t lock;            /* guards partial */
	struct pt_frags *partial; /* frames with fragments to give, a list */
	struct pt_cache frags;    /* struct pt_frags of this class's size */
};

struct pt_memory {
	/* constants from pt_memory_init on, but for stage */
	struct pt_port port;
	struct pt_config config;
	uint32_t stage;               /* enum pt_stage; changes while one CPU runs */
	uint32_t section_count;       /* slots in sections */
	struct pt_section **sections; /* by pfn >> section_shift; NULL: none */
	uint64_t section_mask;        /* frames of a section, less 1 */
	struct pt_node *nodes;
	struct pt_cpu *cpus;
	struct pt_class *classes;

	/* read by every allocation, seldom written */
	uint32_t fail_armed; /* tests make allocations fail */
	uint32_t pressure; /* counts up: every CPU drains its magazines when it sees a new value */

	/* seldom written, on lines of their own */
	struct pt_section *boot
	    __attribute__((aligned(PT_CACHE_LINE))); /* those with boot memory */
	uintptr_t
	    source_frames;     /* taken from the embedder's own source and not given back; atomic */
	uintptr_t slab_frames; /* under object caches; atomic */
	uint32_t class_count;  /* grows under lock; who has an id was told it */
	uint32_t lock;         /* guards registration, sections being added and removed, ids */
	uint64_t next_space;   /* ids of spaces; guarded by lock */
	uintptr_t relaxed;     /* attributes widened by PT_RELAX; atomic */
	struct ptdesc
	    *roots; /* list of all root tables, through pt_list; guarded by roots_lock (K2) */
	uint32_t roots_lock;
	struct pt_cache *caches; /* all of them, through next; guarded by caches_lock */
	uint32_t caches_lock;
	uint32_t shrinkers;          /* calls that go through all caches; atomic */
	struct pt_cache slabs;       /* struct pt_slab */
	struct pt_cache descriptors; /* struct ptdesc, type-stable */

	/* allocations made to fail, for tests; counted while armed */
	uint32_t fail_forever;
	uintptr_t fail_nth;
	uintptr_t fail_count;
};

/* Stops the program when a bug was found. Does not return. */
void pt_stop(const struct pt_memory *memory, enum pt_stop code, const void *object)
    __attribute__((noreturn, cold));

#ifdef PT_HARDENED
#define PT_HARDENED_BUILD 1
#else
#define PT_HARDENED_BUILD 0
#endif

#ifdef PT_HARDENED
#define PT_ASSERT(memory, condition, code, object)                                                 \
	do {                                                                                       \
		if (!(condition))                                                                  \
			pt_stop((memory), (code), (object));                                       \
	} while (0)
#else
#define PT_ASSERT(memory, condition, code, object)                                                 \
	do {                                                                                       \
		(void)(memory);                                                                    \
		(void)sizeof(condition);                                                           \
		(void)sizeof(object);                                                              \
	} while (0)
#endif

/* True when this allocation is one that a test wants to fail. Slow path of pt_fail_now. */
bool pt_fail_slow(struct pt_memory *memory);

static inline bool pt_fail_now(struct pt_memory *memory)
{
	return __builtin_expect(PT_LOAD(&memory->fail_armed, RELAXED) != 0, 0) &&
	       pt_fail_slow(memory);
}

/* Sections begin at multiples of their size: no need to wait for what a section says of itself. */
static inline uint64_t pt_section_index(const struct pt_memory *memory, pt_pfn pfn)
{
	return pfn & memory->section_mask;
}

/* The section of a frame, or NULL. */
static inline struct pt_section *pt_section_of(const struct pt_memory *memory, pt_pfn pfn)
{
	uint64_t index = pfn >> memory->config.section_shift;
	struct pt_section *section;

	if (index >= memory->section_count)
		return NULL;
	section = PT_LOAD(&memory->sections[index], ACQUIRE);
	if (!section || pt_section_index(memory, pfn) >= section->frames)
		return NULL;
	return section;
}

/* The word of a frame, or NULL. */
static inline struct pt_page *pt_page_of(const struct pt_memory *memory, pt_pfn pfn)
{
	struct pt_section *section;

	if (__builtin_expect(memory->port.memdesc_slot != NULL, 0))
		return memory->port.memdesc_slot(memory->port.ctx, pfn);
	section = pt_section_of(memory, pfn);
	return section ? &section->words[pt_section_index(memory, pfn)] : NULL;
}

/*
 * The largest order of frames: their words lie in one section, unless they are the embedder's own.
 */
static inline unsigned pt_largest_order(const struct pt_memory *memory)
{
	unsigned section = memory->config.section_shift;

	return memory->port.memdesc_slot || section > PT_MAX_ORDER ? PT_MAX_ORDER : section;
}

/* The node of a frame; 0 where nobody says. */
unsigned pt_node_of(const struct pt_memory *memory, pt_pfn pfn);

/* Where table memory is. */
static inline void *pt_virt(const struct pt_memory *memory, uint64_t pa)
{
	return port_phys_to_virt(&memory->port, pa);
}

/* The descriptor of the table that holds a physical address, or NULL, in every build. */
struct ptdesc *pt_desc_find(const struct pt_memory *memory, uint64_t pa);

/*
 * The descriptor of the table at a physical address that an entry gave. The caller is in a read
 * section or holds the lock of the table with that entry, whose acquire load has shown it all that
 * is behind it.
 */
static inline struct ptdesc *pt_desc(const struct pt_memory *memory, uint64_t pa)
{
	const struct pt_page *page = pt_page_of(memory, pa >> memory->config.page_shift);

	if (__builtin_expect(page != NULL, 1)) {
		uintptr_t word = PT_LOAD(&page->memdesc.v, RELAXED);

		if (__builtin_expect((word & MEMDESC_TYPE_MASK) == MEMDESC_PAGE_TABLE, 1))
			return (struct ptdesc *)(word - MEMDESC_PAGE_TABLE);
	}
	return ptdesc_from_pa(memory, pt_make_pa(pa));
}

/*
 * The same for a table that is linked into a tree, as most are that are looked for: its frame has a
 * section and a word, so that only hardened builds ask. whole: it is known to be no fragment.
 */
static inline __attribute__((always_inline)) struct ptdesc *
pt_desc_linked(const struct pt_memory *memory, uint64_t pa, unsigned page_shift, bool whole)
{
	pt_pfn pfn = pa >> page_shift;
	const struct pt_section *section;
	uintptr_t word;

	if (PT_HARDENED_BUILD || __builtin_expect(memory->port.memdesc_slot != NULL, 0))
		return pt_desc(memory, pa);
	section = PT_LOAD(&memory->sections[pfn >> memory->config.section_shift], RELAXED);
	word = PT_LOAD(&section->words[pt_section_index(memory, pfn)].memdesc.v, RELAXED);
	if (whole || __builtin_expect((word & MEMDESC_TYPE_MASK) == MEMDESC_PAGE_TABLE, 1))
		return (struct ptdesc *)(word - MEMDESC_PAGE_TABLE);
	return ptdesc_from_pa(memory, pt_make_pa(pa));
}

/* Moves a table along its life; hardened builds stop when it was not in the state from. */
static inline void pt_state_move(const struct pt_memory *memory, struct ptdesc *pt,
    enum pt_state from, enum pt_state to)
{
#ifdef PT_HARDENED
	PT_ASSERT(memory, pt->magic == PTDESC_MAGIC, PT_STOP_BAD_POISON, pt);
	PT_ASSERT(memory, pt->state == (uint32_t)from, PT_STOP_BAD_STATE, pt);
	pt->state = to;
#else
	(void)memory;
	(void)pt;
	(void)from;
	(void)to;
#endif
}

/*
 * Drives this CPU's deferred tables on: frees the batches whose grace period is over; with wait set
 * takes what any CPU has deferred, waits for a grace period, and frees that. Called outside
 * sections, with no lock. Returns tables freed.
 */
uint64_t pt_reclaim_poll(struct pt_memory *memory, bool wait);

/* Charges (+1) or uncharges (-1) one table of a level; the caller is pinned to cpu. */
static inline void pt_account_add(const struct pt_memory *memory, struct pt_account *account,
    unsigned cpu, unsigned level, int change)
{
	bool alone = memory->config.cpus <= PT_ACCOUNT_SLOTS || cpu < PT_ACCOUNT_OWN;
	unsigned slot = alone ? cpu : PT_ACCOUNT_OWN + cpu % (PT_ACCOUNT_SLOTS - PT_ACCOUNT_OWN);
	uint32_t *tables = &account->slot[slot].tables[level];

	if (__builtin_expect(alone, 1))
		PT_STORE(tables, PT_LOAD(tables, RELAXED) + (uint32_t)change, RELAXED);
	else
		PT_FETCH_ADD(tables, (uint32_t)change, RELAXED);
}

/*
 * Moves the charge for a table from one owner to another, NULL for nobody: a space takes over a
 * boot table, or leaves a table that others go on sharing. Its lock is held, or nobody else knows
 * it.
 */
void pt_account_move(const struct pt_memory *memory, struct ptdesc *pt, struct pt_account *from,
    struct pt_account *to);

/*
 * Gives a CPU's ready tables and frames back: pt_tables_drain, then pt_frames_drain. The caller is
 * pinned to cpu, or alone in the memory. Returns frames that went back. core/frame.c
 */
uint64_t pt_magazines_drain(struct pt_memory *memory, struct pt_cpu *cpu);
uint64_t pt_frames_drain(struct pt_memory *memory, struct pt_cpu *cpu);
uint64_t pt_tables_drain(struct pt_memory *memory, struct pt_cpu *cpu); /* core/table.c */

/* Pins the caller to its CPU. Does not nest. No locks but those of tables may be held. */
static inline struct pt_cpu *pt_pin(const struct pt_memory *memory)
{
	unsigned n = port_cpu_pin(&memory->port, memory->config.irq);

	PT_ASSERT(memory, n < memory->config.cpus, PT_STOP_BAD_CPU, memory);
	return &memory->cpus[n];
}

static inline void pt_unpin(const struct pt_memory *memory)
{
	port_cpu_unpin(&memory->port, memory->config.irq);
}

/* Has this CPU batches that may be over, or enough for the next one. Pinned. */
static inline bool pt_reclaim_due(const struct pt_cpu *cpu)
{
	return PT_LOAD(&cpu->waiting_count, RELAXED) ||
	       PT_LOAD(&cpu->filling.count, RELAXED) >= cpu->batch;
}

/* What every operation ends with: pt_reclaim_poll where there is something to do. */
static inline void pt_reclaim_drive(struct pt_memory *memory)
{
	bool due = pt_reclaim_due(pt_pin(memory));

	pt_unpin(memory);
	if (__builtin_expect(due, 0))
		(void)pt_reclaim_poll(memory, false);
}

/*
 * Frames for callers that are pinned already (slab, building and draining tables). alloc: from the
 * CPU's magazine, then the nodes; no drain, no retry; max_pfn: PT_NO_PFN for no limit. free: past
 * the magazines. Otherwise like memdesc_alloc_pages_below and memdesc_free_pages.
 */
PT_MUST_CHECK pt_pfn pt_frames_alloc_pinned(struct pt_memory *memory, struct pt_cpu *cpu,
    uint32_t flags, unsigned order, memdesc_t memdesc, pt_pfn max_pfn);
void pt_frames_free_pinned(struct pt_memory *memory, pt_pfn pfn, unsigned order);

/* What core/slab.c, core/table.c and core/reclaim.c do for the whole of a memory's life. */
PT_MUST_CHECK int pt_slab_online(struct pt_memory *memory);   /* at init: allocates nothing */
PT_MUST_CHECK int pt_tables_online(struct pt_memory *memory); /* after the slab; repeatable */
uint64_t pt_slab_shrink_all(struct pt_memory *memory); /* all caches' empty slabs; may sleep */
uint64_t pt_slab_objects(struct pt_memory *memory);    /* in use, descriptors excluded */

/*
 * Gives a boot table its descriptor: reserved, private, counted on its node; its used count is
 * found by comparing entries with the empty pattern. Stamps all of its frames. -PT_ENOMEM, or what
 * the port's table_event said; nothing is changed then. Not pinned. core/table.c
 */
PT_MUST_CHECK int pt_table_adopt(struct pt_memory *memory, pt_pfn pfn, unsigned class_id,
    unsigned level);

/* Makes descriptors for boot tables; part of pt_memory_online, and repeatable. core/boot.c */
PT_MUST_CHECK int pt_boot_adopt(struct pt_memory *memory);

/*
 * The frames of an adopted boot table become ordinary free frames, their words are cleared first;
 * not pinned. core/boot.c
 */
void pt_boot_release(struct pt_memory *memory, pt_pfn pfn, unsigned order);

/*
 * Frames [index, index + frames) of a section, whose words are 0, join its free lists, or leave
 * them (false: not all of them were free; nothing changed). Node lock held. core/frame.c
 */
void pt_frames_insert(struct pt_memory *memory, struct pt_section *section, uint32_t index,
    uint32_t frames);
bool pt_frames_carve(struct pt_memory *memory, struct pt_section *section, uint32_t index,
    uint32_t frames);

#endif
