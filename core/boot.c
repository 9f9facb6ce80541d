/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Boot memory: frames set aside in a section, and the tables made in them before there are
 * descriptors. What a frame is stands in its word alone; adoption reads the words (M9, M10).
 */
#include "core/defects.h"
#include "core/memory.h"

/* A reserved word: type 4 bits, kind 2, level 3, order 5, class 6. */
#define KIND_AT  4u
#define LEVEL_AT 6u
#define ORDER_AT 9u
#define CLASS_AT 14u

enum boot_kind {
	BOOT_UNUSED = 0,
	BOOT_PAGES = 1, /* head of an allocation that is no table */
	BOOT_TABLE = 2, /* head of a table: level, order and class are set */
	BOOT_REST = 3,  /* a frame of either, but the first */
};

static uintptr_t boot_word(enum boot_kind kind, unsigned level, unsigned order, unsigned class_id)
{
	return MEMDESC_RESERVED | (uintptr_t)kind << KIND_AT | (uintptr_t)level << LEVEL_AT |
	       (uintptr_t)order << ORDER_AT | (uintptr_t)class_id << CLASS_AT;
}

static unsigned word_bits(uintptr_t word, unsigned at, unsigned bits)
{
	return (unsigned)(word >> at) & ((1u << bits) - 1u);
}

static bool is_kind(const struct pt_section *section, uint32_t index, enum boot_kind kind)
{
	uintptr_t word = PT_LOAD(&section->words[index].memdesc.v, RELAXED);

	return (word & MEMDESC_TYPE_MASK) == MEMDESC_RESERVED &&
	       word_bits(word, KIND_AT, 2) == (unsigned)kind;
}

static void words_set(struct pt_section *section, uint32_t index, uint32_t frames, uintptr_t word)
{
	for (uint32_t i = 0; i < frames; i++)
		PT_STORE(&section->words[index + i].memdesc.v, word, RELAXED); /* no descriptor */
}

/* Frames leave the free lists and become reserved; false: not all of them were free. */
static bool section_reserve(struct pt_memory *memory, struct pt_section *section, uint32_t index,
    uint32_t frames, uintptr_t word)
{
	struct pt_node *node = &memory->nodes[section->node];
	bool carved;

	(void)pt_pin(memory);
	port_lock(&memory->port, &node->lock);
	carved = pt_frames_carve(memory, section, index, frames);
	if (carved) {
		words_set(section, index, frames, word);
		section->reserved += frames;
		node->reserved += frames;
	}
	port_unlock(&memory->port, &node->lock);
	pt_unpin(memory);
	return carved;
}

/* The reverse, of frames whose words are 0. */
static void section_release(struct pt_memory *memory, struct pt_section *section, uint32_t index,
    uint32_t frames)
{
	struct pt_node *node = &memory->nodes[section->node];

	(void)pt_pin(memory);
	port_lock(&memory->port, &node->lock);
	section->reserved -= frames;
	node->reserved -= frames;
	pt_frames_insert(memory, section, index, frames);
	port_unlock(&memory->port, &node->lock);
	pt_unpin(memory);
}

/* Puts a section on the list of those with boot memory. */
static void boot_list(struct pt_memory *memory, struct pt_section *section, uint32_t index)
{
	struct pt_section *s = memory->boot;

	while (s && s != section)
		s = s->boot_next;
	if (!s) {
		section->boot_next = memory->boot;
		section->boot_from = index;
		memory->boot = section;
	}
	if (index < section->boot_from)
		section->boot_from = index;
}

/* The section that all of these frames lie in. */
static int range_check(const struct pt_memory *memory, pt_pfn first, uint64_t frames,
    struct pt_section **section)
{
	if (!memory || frames == 0)
		return -PT_EINVAL;
	if (memory->port.frame_alloc)
		return -PT_ENOTSUP;
	*section = pt_section_of(memory, first);
	if (!*section || frames > (*section)->frames - (first - (*section)->first))
		return -PT_EINVAL;
	return 0;
}

int pt_boot_reserve(struct pt_memory *memory, pt_pfn first, uint64_t frames)
{
	struct pt_section *section;
	uint32_t index;
	int error = range_check(memory, first, frames, &section);

	if (error)
		return error;
	if (PT_LOAD(&memory->stage, RELAXED) != PT_STAGE_BOOT)
		return -PT_ESTAGE;
	index = (uint32_t)(first - section->first);
	if (!section_reserve(memory, section, index, (uint32_t)frames,
		boot_word(BOOT_UNUSED, 0, 0, 0)))
		return -PT_EBUSY;
	boot_list(memory, section, index);
	return 0;
}

int pt_boot_keep(struct pt_memory *memory, pt_pfn first, uint64_t frames)
{
	struct pt_section *section;
	int error;

	if (!memory)
		return -PT_EINVAL;
	/* So long nobody removes the section. */
	if (!PT_DEFECT(82))
		port_lock(&memory->port, &memory->lock);
	error = range_check(memory, first, frames, &section);
	if (!error && !section_reserve(memory, section, (uint32_t)(first - section->first),
			  (uint32_t)frames, boot_word(BOOT_PAGES, 0, 0, 0)))
		error = -PT_EBUSY;
	if (!PT_DEFECT(82))
		port_unlock(&memory->port, &memory->lock);
	return error;
}

/* True when all frames of the block are unused boot memory. */
static bool block_unused(const struct pt_section *section, uint32_t index, uint32_t frames)
{
	if (index + frames > section->frames)
		return false;
	for (uint32_t i = 0; i < frames; i++) {
		if (!is_kind(section, index + i, BOOT_UNUSED))
			return false;
	}
	return true;
}

/* An aligned, unused block of a section, all at or below max_pfn; its frames where there is none.
 */
static uint32_t block_find(struct pt_section *section, unsigned order, pt_pfn max_pfn)
{
	uint32_t size = 1u << order;
	uint32_t index;

	while (section->boot_from < section->frames &&
	       !is_kind(section, section->boot_from, BOOT_UNUSED))
		section->boot_from++;
	index = (section->boot_from + size - 1u) & ~(size - 1u);
	while (index < section->frames && section->first + index + size - 1u <= max_pfn) {
		if (block_unused(section, index, size))
			return index;
		index += size;
	}
	return section->frames;
}

/* Takes 2^order frames of boot memory, whose first is marked with word. */
static pt_pfn boot_take(struct pt_memory *memory, unsigned order, pt_pfn max_pfn, uintptr_t word)
{
	struct pt_section *section;
	pt_pfn pfn = PT_NO_PFN;

	for (section = memory->boot; section && pfn == PT_NO_PFN; section = section->boot_next) {
		uint32_t index = block_find(section, order, max_pfn);

		if (index == section->frames)
			continue;
		words_set(section, index, 1u << order, boot_word(BOOT_REST, 0, 0, 0));
		words_set(section, index, 1, word);
		pfn = section->first + index;
	}
	return pfn;
}

static int boot_check(const struct pt_memory *memory, unsigned order, const pt_pa *pa)
{
	if (!memory || !pa)
		return -PT_EINVAL;
	if (PT_LOAD(&memory->stage, RELAXED) != PT_STAGE_BOOT)
		return -PT_ESTAGE;
	return order <= memory->config.section_shift ? 0 : -PT_ENOMEM;
}

static void fill_empty(const struct pt_memory *memory, uint64_t pa,
    const struct pt_table_class *spec)
{
	void *table = pt_virt(memory, pa);

	if (spec->entry_bytes == 4) {
		for (uint64_t i = 0; i < spec->size / 4; i++)
			((uint32_t *)table)[i] = (uint32_t)spec->empty;
	} else {
		for (uint64_t i = 0; i < spec->size / 8; i++)
			((uint64_t *)table)[i] = spec->empty;
	}
	if (memory->port.write_back)
		memory->port.write_back(memory->port.ctx, table, (size_t)spec->size);
}

int pt_boot_table(struct pt_memory *memory, unsigned class_id, unsigned level, pt_pa *pa)
{
	const struct pt_class *class;
	uintptr_t word;
	pt_pfn pfn;
	int error = boot_check(memory, 0, pa);

	if (error)
		return error;
	if (class_id >= PT_LOAD(&memory->class_count, RELAXED) || level >= PT_MAX_LEVELS)
		return -PT_EINVAL;
	class = &memory->classes[class_id];
	if (class->frag_shift)
		return -PT_ENOTSUP;
	error = boot_check(memory, class->order, pa);
	if (error)
		return error;
	word = boot_word(BOOT_TABLE, level, class->order, class_id);
	pfn = boot_take(memory, class->order, class->max_pfn, word);
	if (pfn == PT_NO_PFN)
		return -PT_ENOMEM;
	fill_empty(memory, pfn << memory->config.page_shift, &class->spec);
	*pa = pt_make_pa(pfn << memory->config.page_shift);
	return 0;
}

int pt_boot_pages(struct pt_memory *memory, unsigned order, pt_pa *pa)
{
	pt_pfn pfn;
	int error = boot_check(memory, order, pa);

	if (error)
		return error;
	pfn = boot_take(memory, order, PT_NO_PFN, boot_word(BOOT_PAGES, 0, order, 0));
	if (pfn == PT_NO_PFN)
		return -PT_ENOMEM;
	*pa = pt_make_pa(pfn << memory->config.page_shift);
	return 0;
}

static int section_adopt(struct pt_memory *memory, struct pt_section *section)
{
	for (uint32_t i = 0; i < section->frames; i++) {
		uintptr_t word = PT_LOAD(&section->words[i].memdesc.v, RELAXED);
		int error;

		/* Those that an earlier, failed attempt adopted are page tables by now. */
		if (!is_kind(section, i, BOOT_TABLE))
			continue;
		error = pt_table_adopt(memory, section->first + i, word_bits(word, CLASS_AT, 6),
		    word_bits(word, LEVEL_AT, 3));
		if (error)
			return error;
	}
	return 0;
}

/* What was set aside and not used becomes ordinary free frames. */
static void section_return(struct pt_memory *memory, struct pt_section *section)
{
	uint32_t end;

	for (uint32_t i = 0; i < section->frames; i = end + 1u) {
		for (end = i; end < section->frames && is_kind(section, end, BOOT_UNUSED); end++)
			words_set(section, end, 1, MEMDESC_NONE);
		if (end > i)
			section_release(memory, section, i, end - i);
	}
}

int pt_boot_adopt(struct pt_memory *memory)
{
	struct pt_section *section;
	int error = 0;

	for (section = memory->boot; section && !error; section = section->boot_next)
		error = section_adopt(memory, section);
	if (error)
		return error;
	for (section = memory->boot; section; section = section->boot_next)
		section_return(memory, section);
	memory->boot = NULL;
	return 0;
}

void pt_boot_release(struct pt_memory *memory, pt_pfn pfn, unsigned order)
{
	struct pt_section *section = pt_section_of(memory, pfn);
	uint32_t index;

	PT_ASSERT(memory, section != NULL, PT_STOP_BAD_MEMDESC, NULL);
	if (!section)
		return;
	index = (uint32_t)(pfn - section->first);
	words_set(section, index, 1u << order, MEMDESC_NONE);
	section_release(memory, section, index, 1u << order);
}
