/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Names for what lies in the block. */
#include <stdio.h>

#include "core/memory.h"
#include "tests/explore/world.h"

static bool within(const void *address, const void *start, size_t size)
{
	return (uintptr_t)address - (uintptr_t)start < size;
}

static size_t distance(const void *address, const void *start)
{
	return (size_t)((uintptr_t)address - (uintptr_t)start);
}

static const char *field_of(size_t offset)
{
	switch (offset) {
	case offsetof(struct ptdesc, lock):
		return "lock";
	case offsetof(struct ptdesc, used):
		return "used";
	case offsetof(struct ptdesc, dead):
		return "dead";
	case offsetof(struct ptdesc, shared):
		return "shared";
	case offsetof(struct ptdesc, space):
		return "space";
	case offsetof(struct ptdesc, pmd_huge_pte):
		return "deposit";
	case offsetof(struct ptdesc, pt_share_count):
		return "share count";
	case offsetof(struct ptdesc, base):
		return "base";
	case offsetof(struct ptdesc, pt_word):
		return "word";
	default:
		return "link";
	}
}

/* A table's entry, or a field of its descriptor. */
static bool describe_table(const void *address, const struct ptdesc *pt, char *text, size_t size)
{
	const void *entries = ptdesc_address(world.memory, pt);
	unsigned level = ptdesc_level(pt);
	unsigned page = (unsigned)(ptdesc_base(pt) >> world.format->page_shift);
	size_t bytes = (size_t)world.format->tables[level].size;

	if (within(address, entries, bytes))
		snprintf(text, size, "entry %zu of table L%u at page %u",
		    distance(address, entries) / world.format->entry_bytes, level, page);
	else if (within(address, pt, sizeof(*pt)))
		snprintf(text, size, "%s of table L%u at page %u", field_of(distance(address, pt)),
		    level, page);
	else
		return false;
	return true;
}

/* Tables are found as the library finds them: by each frame's word. */
static bool describe_tables(const void *address, char *text, size_t size)
{
	const uint64_t step = world.format->tables[0].size;

	for (uint64_t pa = 0; pa < WORLD_ARENA; pa += step) {
		const struct ptdesc *pt = pt_desc_find(world.memory, WORLD_FIRST_PA + pa);

		if (pt && describe_table(address, pt, text, size))
			return true;
	}
	return false;
}

void world_describe(const void *address, char *text, size_t size)
{
	if (within(address, explore_block, explore_port_size())) {
		size_t fiber = distance(address, explore_block) / 8;

		if (fiber <= EXPLORE_MAIN)
			snprintf(text, size, "read section of fiber %zu", fiber);
		else
			snprintf(text, size, fiber == EXPLORE_MAIN + 1 ? "flushes" : "the pin");
		return;
	}
	for (unsigned i = 0; i < WORLD_OWN + EXPLORE_FIBERS; i++) {
		const struct pt_space *space = &world.space[i];

		if (within(address, &space->move_seq, sizeof(space->move_seq)))
			snprintf(text, size, "move_seq of space %u", i);
		else if (within(address, &space->move_lock, sizeof(space->move_lock)))
			snprintf(text, size, "move_lock of space %u", i);
		else if (within(address, space, sizeof(*space)))
			snprintf(text, size, "space %u", i);
		else
			continue;
		return;
	}
	if (!describe_tables(address, text, size) &&
	    within(address, world.memory, pt_memory_size(&world.memory->config)))
		snprintf(text, size, "memory +%#zx", distance(address, world.memory));
}
