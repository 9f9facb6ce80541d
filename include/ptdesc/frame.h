/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Frames: frozen allocations of 2^order frames, no reference count anywhere, each with the type of
 * its user in its page words (seed 001, 1/7 and 6/7).
 *
 * A typed allocation has its memdesc stamped into the word of EVERY frame before the call returns,
 * and all are cleared by the free. An untyped one (memdesc_none) is MEMDESC_PLAIN at its head.
 */
#ifndef PTDESC_FRAME_H
#define PTDESC_FRAME_H

#include <ptdesc/page.h>
#include <ptdesc/types.h>

struct pt_memory;

/* Largest order that frame allocation serves; without memdesc_slot no larger than a section. */
#define PT_MAX_ORDER 18u

PT_BEGIN_DECLS

/*
 * 2^order frames, aligned to their size, contents undefined; the caller's node first, then the
 * nearest number upwards. flags: PT_THIS_NODE. Returns the first pfn or PT_NO_PFN (no memory, an
 * order above the largest, or before pt_memory_online). Any context the config allows; no lock held
 * on return; never sleeps.
 */
PT_MUST_CHECK pt_pfn memdesc_alloc_pages(struct pt_memory *memory, uint32_t flags, unsigned order,
    memdesc_t memdesc);

/* The same from one node first; with PT_THIS_NODE from that node only. */
PT_MUST_CHECK pt_pfn memdesc_alloc_pages_node(struct pt_memory *memory, uint32_t flags,
    unsigned order, memdesc_t memdesc, unsigned node);

/* The same from any node of the set (bit n: node n) first, then from all (preferred-many). */
PT_MUST_CHECK pt_pfn memdesc_alloc_pages_many(struct pt_memory *memory, uint32_t flags,
    unsigned order, memdesc_t memdesc, uint64_t nodes);

/* The same, but no frame above max_pfn. */
PT_MUST_CHECK pt_pfn memdesc_alloc_pages_below(struct pt_memory *memory, uint32_t flags,
    unsigned order, memdesc_t memdesc, pt_pfn max_pfn);

/*
 * Frees what was allocated with that order, whatever its memdesc: clears the words first.
 * Hardened builds stop with DOUBLE_FREE or BAD_ORDER when it was not.
 */
void memdesc_free_pages(struct pt_memory *memory, pt_pfn pfn, unsigned order);

PT_END_DECLS

#endif
