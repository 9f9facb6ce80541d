/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What tables are made of, between the rooms that make them: table.c, frags.c, reclaim.c,
 * ptdesc.c and, below them, slab.c. All "pinned" calls want the caller pinned to its CPU, or alone
 * in the memory.
 */
#ifndef PTDESC_CORE_TABLE_H
#define PTDESC_CORE_TABLE_H

#include "core/memory.h"

/* Fragments that a frame is cut into at most: their slot has 8 bits in ptdesc.base. */
#define PT_MAX_FRAGS  256u
#define PT_FRAG_WORDS (PT_MAX_FRAGS / 64u)
#define PT_SLOT_MASK  UINT64_C(255)

/*
 * A frame cut into fragments. Type-stable: inside a read section desc[] holds descriptors or NULL,
 * also after the frame went back. Guarded by the class's lock, but for desc[], which readers load.
 */
struct pt_frags {
	uint64_t pfn;
	struct pt_frags
	    *next; /* on the class's list: a fragment is neither allocated nor pending */
	struct pt_frags *prev;
	uint64_t allocated[PT_FRAG_WORDS]; /* has a descriptor that is ready or in use */
	uint64_t pending[PT_FRAG_WORDS];   /* between defer and the end of the grace period */
	uint16_t count;                    /* fragments in the frame; constant */
	uint8_t shift;                     /* log2 bytes of a fragment; constant */
	struct ptdesc *desc[];
};

/* A cache's object, zeroed, or NULL, and back; pinned. */
PT_MUST_CHECK void *pt_cache_alloc_pinned(struct pt_cache *cache, struct pt_cpu *cpu);
void pt_cache_free_pinned(struct pt_cache *cache, void *object);

/* Bytes of a struct pt_frags for frames cut into fragments of 2^shift bytes. */
size_t pt_frags_size(const struct pt_memory *memory, unsigned shift);

/* Gives pt a fragment: sets its pfn and slot. false: no memory. Pinned. */
PT_MUST_CHECK bool pt_frag_take(struct pt_memory *memory, struct pt_cpu *cpu,
    struct pt_class *class, struct ptdesc *pt);

/* Takes the fragment of pt back; the frame goes when it was the last. Frames freed. Pinned. */
uint64_t pt_frag_give(struct pt_memory *memory, struct pt_cpu *cpu, struct ptdesc *pt);

/* The fragment of pt is pending (unlinked, its grace period not over), or no longer. Pinned. */
void pt_frag_pending(struct pt_memory *memory, const struct ptdesc *pt, bool pending);

/* Takes a table back whose grace period is over: destructor, empty again, ready. Not pinned. */
void pt_table_recycle(struct pt_memory *memory, struct ptdesc *pt);

#ifdef PT_HARDENED
/* All of the table is the class's empty pattern. */
PT_MUST_CHECK bool pt_table_empty(const struct pt_memory *memory, const struct ptdesc *pt);

/* Stops unless pt is a live table that may be freed: private or unlinked, whole, let go of. */
void pt_table_check_free(const struct pt_memory *memory, const struct ptdesc *pt);

/* Stops unless pt is a table that is in use, or waits for its grace period. */
void pt_table_check_live(const struct pt_memory *memory, const struct ptdesc *pt);
#else
static inline void pt_table_check_live(const struct pt_memory *memory, const struct ptdesc *pt)
{
	(void)memory;
	(void)pt;
}

static inline void pt_table_check_free(const struct pt_memory *memory, const struct ptdesc *pt)
{
	(void)memory;
	(void)pt;
}
#endif

static inline bool pt_table_is_fragment(const struct ptdesc *pt)
{
	return ptdesc_flags(pt) & PTDESC_FRAGMENT;
}

/* Physical address of a table. */
static inline uint64_t pt_table_pa(const struct pt_memory *memory, const struct ptdesc *pt)
{
	uint64_t pa = ptdesc_pfn(pt) << memory->config.page_shift;

	if (__builtin_expect(pt_table_is_fragment(pt), 0))
		pa += (pt->base & PT_SLOT_MASK) << memory->classes[ptdesc_class(pt)].frag_shift;
	return pa;
}

static inline void pt_table_set_state(struct ptdesc *pt, enum pt_state state)
{
#ifdef PT_HARDENED
	pt->state = state;
#else
	(void)pt;
	(void)state;
#endif
}

/* What a constructor leaves behind: nothing of an earlier life (D8). */
static inline void pt_desc_reset(struct ptdesc *pt, struct pt_space *space, uint64_t base)
{
	PT_STORE(&pt->lock, 0, RELAXED);
	pt->used = 0;
	PT_STORE(&pt->dead, 0, RELAXED);
	PT_STORE(&pt->shared, 0, RELAXED);
	pt->pt_list.next = NULL;
	pt->pt_list.prev = NULL;
	pt->space = space;
	pt->pmd_huge_pte = NULL;
	pt->pt_index = 0;
	pt->base = base | (pt->base & PT_SLOT_MASK);
}

/* Tells the port that a table starts or stops being one (K6). Not pinned. */
static inline int pt_table_tell(const struct pt_memory *memory, const struct ptdesc *pt, bool start)
{
	return memory->port.table_event(memory->port.ctx, pt_make_pa(pt_table_pa(memory, pt)),
	    (size_t)memory->classes[ptdesc_class(pt)].spec.size, ptdesc_level(pt), start);
}

/* Adds to a counter that only its own CPU writes and anybody may read. */
static inline void pt_count(intptr_t *counter, intptr_t change)
{
	PT_STORE(counter, PT_LOAD(counter, RELAXED) + change, RELAXED);
}

static inline void pt_count_frames(const struct pt_memory *memory, struct pt_cpu *cpu, pt_pfn pfn,
    intptr_t change)
{
	unsigned node = memory->config.nodes == 1 ? 0 : pt_node_of(memory, pfn);

	pt_count(&cpu->node_tables[node], change);
}

/*
 * The one place where a table is charged (sign 1) or uncharged (-1), to its node and its owner
 * (M5). The frames of fragments are counted where they are cut. Pinned.
 */
static inline void pt_table_charge(const struct pt_memory *memory, struct pt_cpu *cpu,
    struct ptdesc *pt, struct pt_account *owner, int sign)
{
	pt_count(&cpu->tables_count, sign);
	if (__builtin_expect(!pt_table_is_fragment(pt), 1))
		pt_count_frames(memory, cpu, ptdesc_pfn(pt),
		    sign * ((intptr_t)1 << ptdesc_order(pt)));
#ifdef PT_HARDENED
	PT_ASSERT(memory, sign > 0 || !owner || pt->owner == owner, PT_STOP_BAD_OWNER, pt);
	pt->owner = sign > 0 ? owner : NULL;
#endif
	if (owner)
		pt_account_add(memory, owner, (unsigned)(cpu - memory->cpus), ptdesc_level(pt),
		    sign);
}

#endif
