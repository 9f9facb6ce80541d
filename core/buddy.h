/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Free blocks in page words: the buddy lists of a section, and a node's lists of sections. Under
 * the node's lock, all of it. For frame.c alone.
 */
#ifndef PTDESC_CORE_BUDDY_H
#define PTDESC_CORE_BUDDY_H

#include "core/memory.h"

#if UINTPTR_MAX > 0xffffffffu
#define ORDER_BITS 5u
#define INDEX_BITS 20u
#else
#define ORDER_BITS 4u
#define INDEX_BITS 12u
#endif
#define ORDER_AT   4u
#define NEXT_AT    (ORDER_AT + ORDER_BITS)
#define PREV_AT    (NEXT_AT + INDEX_BITS)
#define INDEX_MASK ((((uintptr_t)1) << INDEX_BITS) - 1)
#define ORDER_MASK ((((uintptr_t)1) << ORDER_BITS) - 1)

static unsigned lowest_bit(uint32_t mask)
{
	return (unsigned)__builtin_ctz(mask);
}

static unsigned highest_bit(uint32_t mask)
{
	return 31u - (unsigned)__builtin_clz(mask);
}

/* --- free blocks of a section; the node's lock is held --- */

static uintptr_t word_get(const struct pt_section *section, uint32_t index)
{
	return PT_LOAD(&section->words[index].memdesc.v, RELAXED);
}

static void word_set(struct pt_section *section, uint32_t index, uintptr_t word)
{
	PT_STORE(&section->words[index].memdesc.v, word, RELAXED);
}

static uintptr_t free_word(unsigned order, uint32_t next, uint32_t prev)
{
	return MEMDESC_FREE | (uintptr_t)order << ORDER_AT | (uintptr_t)next << NEXT_AT |
	       (uintptr_t)prev << PREV_AT;
}

static unsigned word_order(uintptr_t word)
{
	return (unsigned)(word >> ORDER_AT & ORDER_MASK);
}

static uint32_t word_next(uintptr_t word)
{
	return (uint32_t)(word >> NEXT_AT & INDEX_MASK);
}

static uint32_t word_prev(uintptr_t word)
{
	return (uint32_t)(word >> PREV_AT & INDEX_MASK);
}

static bool is_free_head(const struct pt_section *section, uint32_t index, unsigned order)
{
	uintptr_t word = word_get(section, index);

	return (word & MEMDESC_TYPE_MASK) == MEMDESC_FREE && word_order(word) == order;
}

static void link_blocks(struct pt_section *section, unsigned order, uint32_t prev, uint32_t next)
{
	word_set(section, prev, free_word(order, next, word_prev(word_get(section, prev))));
	word_set(section, next, free_word(order, word_next(word_get(section, next)), prev));
}

/* The lists are rings, so that no value of a link has to mean "none". */
static void list_add(struct pt_section *section, uint32_t index, unsigned order)
{
	word_set(section, index, free_word(order, index, index));
	if (section->orders >> order & 1u) {
		uint32_t next = section->head[order];
		uint32_t prev = word_prev(word_get(section, next));

		link_blocks(section, order, prev, index);
		link_blocks(section, order, index, next);
	}
	section->head[order] = index;
	section->orders |= 1u << order;
}

static void list_remove(struct pt_section *section, uint32_t index, unsigned order)
{
	uintptr_t word = word_get(section, index);
	uint32_t next = word_next(word);

	if (next == index) {
		section->orders &= ~(1u << order);
	} else {
		link_blocks(section, order, word_prev(word), next);
		section->head[order] = next;
	}
	word_set(section, index, MEMDESC_NONE);
}

/* Frees a block, joined with its free neighbours. */
static void block_put(const struct pt_memory *memory, struct pt_section *section, uint32_t index,
    unsigned order)
{
	while (order < memory->config.section_shift) {
		uint32_t buddy = index ^ 1u << order;

		if (!is_free_head(section, buddy, order))
			break;
		list_remove(section, buddy, order);
		index &= ~(1u << order);
		order++;
	}
	list_add(section, index, order);
}

/* Takes 2^order frames from the start of a free block of 2^from frames, whose rest stays free. */
static void block_take(struct pt_section *section, uint32_t index, unsigned from, unsigned order)
{
	list_remove(section, index, from);
	while (from > order) {
		from--;
		list_add(section, index + (1u << from), from);
	}
}

/* Frees a range of any length, as the largest aligned blocks that it consists of. */
static void range_put(const struct pt_memory *memory, struct pt_section *section, uint32_t index,
    uint32_t frames)
{
	while (frames) {
		unsigned order = highest_bit(frames);

		if (index && lowest_bit(index) < order)
			order = lowest_bit(index);
		block_put(memory, section, index, order);
		index += 1u << order;
		frames -= 1u << order;
	}
}

/* The free block that a frame belongs to; false: the frame is not free. */
static bool block_find(const struct pt_memory *memory, const struct pt_section *section,
    uint32_t index, uint32_t *head, unsigned *order)
{
	for (unsigned o = 0; o <= memory->config.section_shift; o++) {
		*head = index & ~((1u << o) - 1u);
		*order = o;
		if (is_free_head(section, *head, o))
			return true;
	}
	return false;
}

/* --- sections of a node; the node's lock is held --- */

static void section_unlink(struct pt_node *node, struct pt_section *section)
{
	unsigned order = section->listed - 1u;

	if (section->prev)
		section->prev->next = section->next;
	else
		node->sections[order] = section->next;
	if (section->next)
		section->next->prev = section->prev;
	if (!node->sections[order])
		PT_STORE(&node->orders, node->orders & ~(1u << order), RELAXED);
}

static void section_link(struct pt_node *node, struct pt_section *section, unsigned order)
{
	section->prev = NULL;
	section->next = node->sections[order];
	if (section->next)
		section->next->prev = section;
	node->sections[order] = section;
	PT_STORE(&node->orders, node->orders | 1u << order, RELAXED);
}

/* After blocks came or went: counts them, and lists the section by its largest block. */
static void section_changed(struct pt_node *node, struct pt_section *section, int64_t frames)
{
	unsigned listed = section->orders ? highest_bit(section->orders) + 1u : 0;

	section->free_frames += (uint32_t)frames;
	node->free_frames += (uint64_t)frames;
	if (listed == section->listed)
		return;
	if (section->listed)
		section_unlink(node, section);
	if (listed)
		section_link(node, section, listed - 1u);
	section->listed = (uint16_t)listed;
}

static pt_pfn section_take(struct pt_node *node, struct pt_section *section, uint32_t index,
    unsigned from, unsigned order)
{
	block_take(section, index, from, order);
	section_changed(node, section, -(INT64_C(1) << order));
	return section->first + index;
}

static pt_pfn node_take(struct pt_node *node, unsigned order)
{
	uint32_t orders = node->orders >> order;
	struct pt_section *section;
	unsigned from;

	if (!orders)
		return PT_NO_PFN;
	section = node->sections[order + lowest_bit(orders)];
	from = order + lowest_bit(section->orders >> order);
	return section_take(node, section, section->head[from], from, order);
}

/* A block of a section whose frames are all at or below max_pfn. */
static pt_pfn section_take_below(struct pt_node *node, struct pt_section *section, unsigned order,
    pt_pfn max_pfn)
{
	for (unsigned from = order; section->orders >> from; from++) {
		uint32_t index = section->head[from];

		if (!(section->orders >> from & 1u))
			continue;
		do {
			if (section->first + index + (UINT64_C(1) << order) - 1 <= max_pfn)
				return section_take(node, section, index, from, order);
			index = word_next(word_get(section, index));
		} while (index != section->head[from]);
	}
	return PT_NO_PFN;
}

/*
 * Below a limit that lies inside max_pfn. Only the section that it cuts in two is searched; of the
 * others any block will do.
 */
static pt_pfn node_take_below(struct pt_memory *memory, unsigned n, unsigned order, pt_pfn max_pfn)
{
	struct pt_node *node = &memory->nodes[n];
	uint64_t last = max_pfn >> memory->config.section_shift;
	pt_pfn pfn = PT_NO_PFN;

	port_section_enter(&memory->port); /* sections of other nodes may be removed meanwhile */
	for (uint64_t i = 0; i <= last && pfn == PT_NO_PFN; i++) {
		struct pt_section *section = PT_LOAD(&memory->sections[i], ACQUIRE);

		if (section && section->node == n && section->orders >> order)
			pfn = section_take_below(node, section, order, max_pfn);
	}
	port_section_exit(&memory->port);
	return pfn;
}

#endif
