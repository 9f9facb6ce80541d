/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sections: ranges of frames that come and go at run time, with the words that describe them. A
 * word that was never touched costs nothing: all frames of a new section are one free block, whose
 * head is one word.
 */
#include "core/lock.h"

size_t pt_section_size(const struct pt_config *config)
{
	size_t words;

	if (pt_memory_size(config) == 0)
		return 0;
	words = ((size_t)1 << config->section_shift) * sizeof(struct pt_page);
	return (sizeof(struct pt_section) + words + PT_CACHE_LINE - 1) &
	       ~(size_t)(PT_CACHE_LINE - 1);
}

static int section_check(const struct pt_memory *memory, pt_pfn first, uint64_t frames,
    unsigned node, const void *words)
{
	uint64_t size = UINT64_C(1) << memory->config.section_shift;

	if (!words || node >= memory->config.nodes || frames == 0 || frames > size)
		return -PT_EINVAL;
	if (first % size || (uintptr_t)words % PT_CACHE_LINE)
		return -PT_EALIGN;
	if (first >= memory->config.max_pfn || frames > memory->config.max_pfn - first)
		return -PT_EINVAL;
	return 0;
}

static void section_fill(struct pt_memory *memory, struct pt_section *section)
{
	struct pt_node *node = &memory->nodes[section->node];

	(void)pt_pin(memory);
	port_lock(&memory->port, &node->lock);
	node->frames += section->frames;
	if (!memory->port.frame_alloc)
		pt_frames_insert(memory, section, 0, section->frames);
	port_unlock(&memory->port, &node->lock);
	pt_unpin(memory);
}

int pt_section_add(struct pt_memory *memory, pt_pfn first, uint64_t frames, unsigned node,
    void *words)
{
	struct pt_section *section = words;
	struct pt_section **slot;
	int error;

	if (!memory)
		return -PT_EINVAL;
	error = section_check(memory, first, frames, node, words);
	if (error)
		return error;
	slot = &memory->sections[first >> memory->config.section_shift];
	port_lock(&memory->port, &memory->lock);
	if (PT_LOAD(slot, RELAXED)) {
		error = -PT_EEXIST;
	} else {
		section->first = first;
		section->frames = (uint32_t)frames;
		section->node = (uint16_t)node;
		PT_STORE(slot, section, RELEASE);
		section_fill(memory, section);
	}
	port_unlock(&memory->port, &memory->lock);
	return error;
}

/* The words of an embedder's own frames are all that says whether they are in use. */
static bool section_unused(const struct pt_section *section)
{
	for (uint32_t i = 0; i < section->frames; i++) {
		if (PT_LOAD(&section->words[i].memdesc.v, RELAXED))
			return false;
	}
	return true;
}

/* Takes all frames of a section out of the allocator; false: one of them is in use. */
static bool section_drain(struct pt_memory *memory, struct pt_section *section)
{
	struct pt_node *node = &memory->nodes[section->node];
	bool all;

	(void)pt_pin(memory);
	port_lock(&memory->port, &node->lock);
	if (memory->port.frame_alloc)
		all = section_unused(section);
	else
		all = pt_frames_carve(memory, section, 0, section->frames);
	if (all)
		node->frames -= section->frames;
	port_unlock(&memory->port, &node->lock);
	pt_unpin(memory);
	return all;
}

int pt_section_remove(struct pt_memory *memory, pt_pfn first)
{
	struct pt_section *section;
	struct pt_section **slot;
	int error = -PT_ENOENT;

	if (!memory)
		return -PT_EINVAL;
	if (first >> memory->config.section_shift >= memory->section_count)
		return -PT_ENOENT;
	slot = &memory->sections[first >> memory->config.section_shift];
	port_lock(&memory->port, &memory->lock);
	section = PT_LOAD(slot, RELAXED);
	if (section && section->first == first)
		error = section_drain(memory, section) ? 0 : -PT_EBUSY;
	if (!error)
		PT_STORE(slot, NULL, RELAXED);
	port_unlock(&memory->port, &memory->lock);
	/* Readers by pfn may still look into the words, which go back to the caller now. */
	if (!error)
		pt_grace_wait(memory);
	return error;
}

memdesc_t pt_page_memdesc(const struct pt_memory *memory, pt_pfn pfn)
{
	const struct pt_page *page;
	memdesc_t memdesc = memdesc_none();

	/* The section keeps a removed section's words alive until we have looked. */
	port_section_enter(&memory->port);
	page = pt_page_of(memory, pfn);
	if (page)
		memdesc.v = PT_LOAD(&page->memdesc.v, ACQUIRE);
	port_section_exit(&memory->port);
	return memdesc;
}

unsigned pt_node_of(const struct pt_memory *memory, pt_pfn pfn)
{
	uint64_t index = pfn >> memory->config.section_shift;
	const struct pt_section *section;

	if (index >= memory->section_count)
		return 0;
	section = PT_LOAD(&memory->sections[index], RELAXED);
	return section ? section->node : 0;
}
