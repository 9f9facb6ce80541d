/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Frames cut into tables smaller than themselves: one scheme for s390's halves, powerpc's
 * fragments, m68k's pointer tables and sparc32's granules (G1 to G4). A fragment is free, allocated
 * or pending; its frame goes when all are free. The class's lock guards which is which.
 */
#include "core/defects.h"
#include "core/table.h"

static unsigned frags_count(const struct pt_memory *memory, unsigned shift)
{
	unsigned bits = memory->config.page_shift - shift;

	/* Beyond that the rest of a frame is left unused. */
	return bits > 8 ? PT_MAX_FRAGS : 1u << bits;
}

size_t pt_frags_size(const struct pt_memory *memory, unsigned shift)
{
	return sizeof(struct pt_frags) + frags_count(memory, shift) * sizeof(struct ptdesc *);
}

static void list_add(struct pt_class *class, struct pt_frags *frags)
{
	frags->prev = NULL;
	frags->next = class->partial;
	if (frags->next)
		frags->next->prev = frags;
	class->partial = frags;
}

static void list_remove(struct pt_class *class, struct pt_frags *frags)
{
	if (frags->next)
		frags->next->prev = frags->prev;
	if (frags->prev)
		frags->prev->next = frags->next;
	else
		class->partial = frags->next;
}

static bool bit_get(const uint64_t *bits, unsigned n)
{
	return bits[n / 64] >> n % 64 & 1;
}

static void bit_set(uint64_t *bits, unsigned n, bool value)
{
	if (value)
		bits[n / 64] |= UINT64_C(1) << n % 64;
	else
		bits[n / 64] &= ~(UINT64_C(1) << n % 64);
}

/* The first fragment that can be given out; count: there is none. */
static unsigned free_slot(const struct pt_frags *frags)
{
	unsigned slot = 0;

	while (slot < frags->count &&
	       (bit_get(frags->allocated, slot) || bit_get(frags->pending, slot)))
		slot++;
	return slot;
}

static bool is_full(const struct pt_frags *frags)
{
	return free_slot(frags) == frags->count;
}

static bool is_unused(const struct pt_frags *frags)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < PT_FRAG_WORDS; i++)
		any |= frags->allocated[i] | frags->pending[i];
	return any == 0;
}

/* The frame that a fragment lies in: its page word says so. */
static struct pt_frags *frags_of(const struct pt_memory *memory, const struct ptdesc *pt)
{
	const struct pt_page *page = pt_page_of(memory, ptdesc_pfn(pt));
	uintptr_t word = page ? PT_LOAD(&page->memdesc.v, RELAXED) : MEMDESC_NONE;

	PT_ASSERT(memory, (word & MEMDESC_TYPE_MASK) == MEMDESC_FRAGS, PT_STOP_BAD_MEMDESC, pt);
	return (struct pt_frags *)(word - MEMDESC_FRAGS);
}

/* A frame cut for a class, all of it free. */
static struct pt_frags *frags_cut(struct pt_memory *memory, struct pt_cpu *cpu,
    struct pt_class *class)
{
	struct pt_frags *frags = pt_cache_alloc_pinned(&class->frags, cpu);
	memdesc_t memdesc = memdesc_create(frags, MEMDESC_FRAGS);

	if (!frags)
		return NULL;
	frags->count = (uint16_t)frags_count(memory, class->frag_shift);
	frags->shift = class->frag_shift;
	if (PT_DEFECT(18)) /* a first value that was never set */
		frags->pending[0] ^= 2;
	if (PT_DEFECT(36))
		memdesc = memdesc_none();
	frags->pfn = pt_frames_alloc_pinned(memory, cpu, 0, 0, memdesc, class->max_pfn);
	if (frags->pfn == PT_NO_PFN) {
		pt_cache_free_pinned(&class->frags, frags);
		return NULL;
	}
	pt_count_frames(memory, cpu, frags->pfn, 1);
	return frags;
}

/* Gives pt a fragment of a frame that has one; lock held. */
static void frags_take(struct pt_class *class, struct pt_frags *frags, struct ptdesc *pt)
{
	unsigned slot = free_slot(frags);

	bit_set(frags->allocated, slot, true);
	if (is_full(frags))
		list_remove(class, frags);
	pt->pt_word |= frags->pfn | (uint64_t)PTDESC_FRAGMENT << PT_WORD_FLAGS_AT;
	pt->base = slot;
	PT_STORE(&frags->desc[slot], pt, RELAXED);
}

bool pt_frag_take(struct pt_memory *memory, struct pt_cpu *cpu, struct pt_class *class,
    struct ptdesc *pt)
{
	struct pt_frags *frags;

	port_lock(&memory->port, &class->lock);
	frags = class->partial;
	if (!frags) {
		/* Nobody waits for this lock while we look for a frame. */
		port_unlock(&memory->port, &class->lock);
		frags = frags_cut(memory, cpu, class);
		if (!frags)
			return false;
		port_lock(&memory->port, &class->lock);
		list_add(class, frags);
	}
	frags_take(class, frags, pt);
	port_unlock(&memory->port, &class->lock);
	return true;
}

uint64_t pt_frag_give(struct pt_memory *memory, struct pt_cpu *cpu, struct ptdesc *pt)
{
	struct pt_class *class = &memory->classes[ptdesc_class(pt)];
	struct pt_frags *frags = frags_of(memory, pt);
	unsigned slot = pt->base & PT_SLOT_MASK;
	bool unused;

	port_lock(&memory->port, &class->lock);
	PT_ASSERT(memory, bit_get(frags->allocated, slot), PT_STOP_DOUBLE_FREE, pt);
	if (is_full(frags))
		list_add(class, frags);
	PT_STORE(&frags->desc[slot], NULL, RELAXED);
	bit_set(frags->allocated, slot, false);
	unused = is_unused(frags) || PT_DEFECT(53);
	if (unused)
		list_remove(class, frags);
	port_unlock(&memory->port, &class->lock);
	if (!unused)
		return 0;
	pt_count_frames(memory, cpu, frags->pfn, -1);
	pt_frames_free_pinned(memory, frags->pfn, 0);
	pt_cache_free_pinned(&class->frags, frags);
	return 1;
}

void pt_frag_pending(struct pt_memory *memory, const struct ptdesc *pt, bool pending)
{
	struct pt_class *class = &memory->classes[ptdesc_class(pt)];
	struct pt_frags *frags = frags_of(memory, pt);
	unsigned slot = pt->base & PT_SLOT_MASK;

	port_lock(&memory->port, &class->lock);
	bit_set(frags->pending, slot, pending);
	bit_set(frags->allocated, slot, !pending);
	port_unlock(&memory->port, &class->lock);
}
