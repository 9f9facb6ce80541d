/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Descriptors: where a table is, which table an address belongs to, locks, deposits. */
#include "core/defects.h"
#include "core/lock.h"
#include "core/table.h"

pt_pa ptdesc_pa(const struct pt_memory *memory, const struct ptdesc *pt)
{
	PT_ASSERT(memory, pt != NULL, PT_STOP_NOT_A_TABLE, memory);
	return pt_make_pa(pt_table_pa(memory, pt));
}

void *ptdesc_address(const struct pt_memory *memory, const struct ptdesc *pt)
{
	PT_ASSERT(memory, pt != NULL, PT_STOP_NOT_A_TABLE, memory);
	return pt_virt(memory, pt_table_pa(memory, pt));
}

static struct ptdesc *frags_find(const struct pt_memory *memory, const struct pt_frags *frags,
    uint64_t pa)
{
	uint64_t offset = pa & ((UINT64_C(1) << memory->config.page_shift) - 1);
	uint64_t slot = offset >> frags->shift;

	return slot < frags->count ? PT_LOAD(&frags->desc[slot], RELAXED) : NULL;
}

struct ptdesc *pt_desc_find(const struct pt_memory *memory, uint64_t pa)
{
	const struct pt_page *page = pt_page_of(memory, pa >> memory->config.page_shift);
	memdesc_t memdesc = memdesc_none();

	if (PT_DEFECT(90) && page)
		memdesc.v = PT_LOAD(&page->memdesc.v, RELAXED);
	else if (page)
		memdesc.v = PT_LOAD(&page->memdesc.v, ACQUIRE);
	if (memdesc_type(memdesc) == MEMDESC_PAGE_TABLE)
		return memdesc_ptr(memdesc);
	if (memdesc_type(memdesc) == MEMDESC_FRAGS)
		return frags_find(memory, memdesc_ptr(memdesc), pa);
	if (PT_DEFECT(17) && memdesc_type(memdesc) & 8u)
		return memdesc_ptr(memdesc);
	return NULL;
}

struct ptdesc *ptdesc_from_pa(const struct pt_memory *memory, pt_pa pa)
{
	struct ptdesc *pt = pt_desc_find(memory, pa.v);

	PT_ASSERT(memory, pt || PT_DEFECT(15), PT_STOP_NOT_A_TABLE, memory);
	return pt;
}

struct ptdesc *ptdesc_from_virt(const struct pt_memory *memory, const void *address)
{
	PT_ASSERT(memory, address != NULL, PT_STOP_NOT_A_TABLE, memory);
	if (!address)
		return NULL;
	return ptdesc_from_pa(memory, memory->port.virt_to_phys(memory->port.ctx, address));
}

/* The table whose lock guards a table that the caller knows to be there. */
static struct ptdesc *guard_of(struct ptdesc *pt)
{
	return PT_LOAD(&pt->shared, RELAXED) || !pt->space ? pt : pt_guard(pt->space, pt);
}

uint32_t *ptdesc_lock_of(const struct pt_memory *memory, const void *entry)
{
	struct ptdesc *pt = ptdesc_from_virt(memory, entry);

	return pt || PT_DEFECT(15) ? &guard_of(pt)->lock : NULL;
}

void ptdesc_lock(const struct pt_memory *memory, struct ptdesc *pt)
{
	struct ptdesc *guard;

	pt_table_check_live(memory, pt);
	PT_ASSERT(memory, pt_desc_find(memory, pt_table_pa(memory, pt)) == pt, PT_STOP_BAD_MEMDESC,
	    pt);
	guard = guard_of(pt);
	pt_table_lock(memory, guard);
#ifdef PT_LOCK_SPACE
	/* It may have become shared meanwhile. */
	while (guard != guard_of(pt)) {
		pt_table_unlock(memory, guard);
		guard = guard_of(pt);
		pt_table_lock(memory, guard);
	}
#endif
	pt_lock_ordered(memory, guard);
}

void ptdesc_unlock(const struct pt_memory *memory, struct ptdesc *pt)
{
	pt_table_check_live(memory, pt);
	pt_table_unlock(memory, guard_of(pt));
}

static bool is_constructed(const struct ptdesc *pt)
{
	return ptdesc_flags(pt) & PTDESC_CONSTRUCTED;
}

int pagetable_ctor(const struct pt_memory *memory, struct ptdesc *pt, struct pt_space *space,
    unsigned level, uint64_t base)
{
	pt_table_check_live(memory, pt);
	PT_ASSERT(memory, level == ptdesc_level(pt) || PT_DEFECT(28), PT_STOP_BAD_LEVEL, pt);
	if (level != ptdesc_level(pt) && !PT_DEFECT(28))
		return -PT_EINVAL;
#ifdef PT_HARDENED
	PT_ASSERT(memory, pt->magic == PTDESC_MAGIC, PT_STOP_BAD_POISON, pt);
	PT_ASSERT(memory, pt->state == PT_PRIVATE, PT_STOP_BAD_STATE, pt);
	PT_ASSERT(memory, pt->used == 0, PT_STOP_NOT_EMPTY, pt);
#endif
	if (memory->port.table_event && !is_constructed(pt)) {
		int error = pt_table_tell(memory, pt, true);

		if (error)
			return error;
	}
	pt->pt_word |= (uint64_t)PTDESC_CONSTRUCTED << PT_WORD_FLAGS_AT;
	pt_desc_reset(pt, space, base);
	return 0;
}

static void check_unlinked(const struct pt_memory *memory, const struct ptdesc *pt)
{
#ifdef PT_HARDENED
	PT_ASSERT(memory, pt->state != PT_LINKED, PT_STOP_BAD_STATE, pt);
#else
	(void)memory;
	(void)pt;
#endif
}

void pagetable_dtor(const struct pt_memory *memory, struct ptdesc *pt)
{
	pt_table_check_live(memory, pt);
	check_unlinked(memory, pt);
	PT_ASSERT(memory, is_constructed(pt), PT_STOP_BAD_STATE, pt);
	PT_ASSERT(memory, PT_LOAD(&pt->lock, RELAXED) == 0, PT_STOP_LOCKED, pt);
	PT_ASSERT(memory, pt->pmd_huge_pte == NULL, PT_STOP_DEPOSIT, pt);
	if (memory->port.table_event && is_constructed(pt))
		(void)pt_table_tell(memory, pt, false);
	pt->pt_word &= ~((uint64_t)PTDESC_CONSTRUCTED << PT_WORD_FLAGS_AT);
}

#ifdef PT_HARDENED
/* The lock of a table that others may know is held. */
static void check_locked(struct ptdesc *pt)
{
	const struct pt_space *space = pt->space;

	if (space && pt->state == PT_LINKED && pt != space->root)
		PT_ASSERT(space->memory, PT_LOAD(&guard_of(pt)->lock, RELAXED) != 0,
		    PT_STOP_NOT_LOCKED, pt);
}

/* What is deposited is private and empty, and goes into a table that is locked, or private. */
static void check_deposit(struct ptdesc *pmd, const struct ptdesc *table)
{
	const struct pt_memory *memory = pmd->space ? pmd->space->memory : NULL;

	check_locked(pmd);
	PT_ASSERT(memory, table->state == PT_PRIVATE, PT_STOP_BAD_STATE, table);
	PT_ASSERT(memory, table->used == 0, PT_STOP_NOT_EMPTY, table);
}
#else
static void check_locked(const struct ptdesc *pt)
{
	(void)pt;
}

static void check_deposit(const struct ptdesc *pmd, const struct ptdesc *table)
{
	(void)pmd;
	(void)table;
}
#endif

void pt_deposit(struct ptdesc *pmd, struct ptdesc *table)
{
	struct ptdesc *first = pmd->pmd_huge_pte;

	check_deposit(pmd, table);
	/* Also what an embedder made: it is linked, or freed, as one of the space's. */
	table->space = pmd->space;
	if (!first) {
		table->pt_list.next = table;
		table->pt_list.prev = table;
		pmd->pmd_huge_pte = table;
		return;
	}
	/* The list is a ring, so that the end, where the newest goes, is before the first. */
	table->pt_list.next = first;
	table->pt_list.prev = first->pt_list.prev;
	table->pt_list.prev->pt_list.next = table;
	first->pt_list.prev = table;
	if (PT_DEFECT(51))
		pmd->pmd_huge_pte = table;
}

struct ptdesc *pt_withdraw(struct ptdesc *pmd)
{
	struct ptdesc *first = pmd->pmd_huge_pte;

	if (!first && !PT_DEFECT(13))
		return NULL;
	if (!pmd->dead)
		check_locked(pmd);
	pmd->pmd_huge_pte = first->pt_list.next == first ? NULL : first->pt_list.next;
	first->pt_list.prev->pt_list.next = first->pt_list.next;
	first->pt_list.next->pt_list.prev = first->pt_list.prev;
	first->pt_list.next = NULL;
	first->pt_list.prev = NULL;
	return first;
}

#ifdef PT_HARDENED

/* Every frame of the table still answers with its descriptor (D1, D2, D3, D41). */
static void check_words(const struct pt_memory *memory, const struct ptdesc *pt)
{
	uint64_t pa = pt_table_pa(memory, pt);

	for (uint64_t i = 0; i < UINT64_C(1) << ptdesc_order(pt); i++)
		PT_ASSERT(memory, pt_desc_find(memory, pa + (i << memory->config.page_shift)) == pt,
		    PT_STOP_BAD_MEMDESC, pt);
}

void pt_table_check_live(const struct pt_memory *memory, const struct ptdesc *pt)
{
	PT_ASSERT(memory, pt != NULL, PT_STOP_NOT_A_TABLE, memory);
	PT_ASSERT(memory, pt->magic == PTDESC_MAGIC, PT_STOP_BAD_POISON, pt);
	PT_ASSERT(memory, pt->state != PT_READY && pt->state != PT_FREED, PT_STOP_BAD_STATE, pt);
}

void pt_table_check_free(const struct pt_memory *memory, const struct ptdesc *pt)
{
	PT_ASSERT(memory, pt != NULL, PT_STOP_NOT_A_TABLE, memory);
	/* A descriptor that went back to its cache is zero. */
	PT_ASSERT(memory, pt->magic != 0, PT_STOP_DOUBLE_FREE, pt);
	PT_ASSERT(memory, pt->magic == PTDESC_MAGIC, PT_STOP_BAD_POISON, pt);
	PT_ASSERT(memory,
	    pt->state == PT_PRIVATE || pt->state == PT_UNLINKED || pt->state == PT_LINKED,
	    PT_STOP_DOUBLE_FREE, pt);
	PT_ASSERT(memory, pt->state != PT_LINKED, PT_STOP_BAD_STATE, pt);
	PT_ASSERT(memory, pt->pmd_huge_pte == NULL, PT_STOP_DEPOSIT, pt);
	PT_ASSERT(memory, pt->used || pt_table_empty(memory, pt), PT_STOP_NOT_EMPTY, pt);
	check_words(memory, pt);
}

#endif
