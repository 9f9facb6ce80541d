/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Linux's spellings of what the library calls otherwise, for programs that want them; nothing else
 * includes this. Each is one call; arguments are the library's, since there is no global memory.
 */
#ifndef PTDESC_LINUX_NAMES_H
#define PTDESC_LINUX_NAMES_H

#include <ptdesc/frame.h>
#include <ptdesc/kernel.h>
#include <ptdesc/ptdesc.h>

/* memdesc_alloc_pages */
static inline pt_pfn alloc_pages_memdesc(struct pt_memory *memory, uint32_t flags, unsigned order,
    memdesc_t memdesc)
{
	return memdesc_alloc_pages(memory, flags, order, memdesc);
}

/* memdesc_alloc_pages_node */
static inline pt_pfn alloc_pages_memdesc_node(struct pt_memory *memory, uint32_t flags,
    unsigned order, memdesc_t memdesc, unsigned node)
{
	return memdesc_alloc_pages_node(memory, flags, order, memdesc, node);
}

/* memdesc_free_pages */
static inline void free_frozen_pages(struct pt_memory *memory, pt_pfn pfn, unsigned order)
{
	memdesc_free_pages(memory, pfn, order);
}

/* ptdesc_from_virt */
static inline struct ptdesc *virt_to_ptdesc(const struct pt_memory *memory, const void *address)
{
	return ptdesc_from_virt(memory, address);
}

/* pagetable_free_defer; the table was unlinked and flushed */
static inline void pte_free_defer(struct pt_memory *memory, struct ptdesc *pt,
    struct pt_account *owner)
{
	pagetable_free_defer(memory, pt, owner);
}

/* pagetable_free_defer, from a gather of the embedder's own */
static inline void tlb_remove_ptdesc(struct pt_memory *memory, struct ptdesc *pt,
    struct pt_account *owner)
{
	pagetable_free_defer(memory, pt, owner);
}

/* pt_deposit */
static inline void pgtable_trans_huge_deposit(struct ptdesc *pmd, struct ptdesc *table)
{
	pt_deposit(pmd, table);
}

/* pt_withdraw */
static inline struct ptdesc *pgtable_trans_huge_withdraw(struct ptdesc *pmd)
{
	return pt_withdraw(pmd);
}

/* pt_set_memory_ro, rw, x, nx; numpages of the space's page size */
PT_MUST_CHECK static inline int set_memory_ro(struct pt_space *space, uint64_t addr, int numpages)
{
	return pt_set_memory_ro(space, pt_make_va(addr),
	    (uint64_t)numpages << space->format->page_shift, 0);
}

PT_MUST_CHECK static inline int set_memory_rw(struct pt_space *space, uint64_t addr, int numpages)
{
	return pt_set_memory_rw(space, pt_make_va(addr),
	    (uint64_t)numpages << space->format->page_shift, 0);
}

PT_MUST_CHECK static inline int set_memory_x(struct pt_space *space, uint64_t addr, int numpages)
{
	return pt_set_memory_x(space, pt_make_va(addr),
	    (uint64_t)numpages << space->format->page_shift, 0);
}

PT_MUST_CHECK static inline int set_memory_nx(struct pt_space *space, uint64_t addr, int numpages)
{
	return pt_set_memory_nx(space, pt_make_va(addr),
	    (uint64_t)numpages << space->format->page_shift, 0);
}

#endif
