/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A kernel's own space. */
#include <ptdesc/kernel.h>
#include "space/op.h"

int pt_direct_map(struct pt_space *space, pt_va va, uint64_t size, pt_pa pa, uint32_t flags)
{
	uint32_t attrs = PT_READ | PT_WRITE | PT_GLOBAL | PT_ACCESSED | PT_DIRTY;

	if (!space || !space->format || !(space->flags & PT_SPACE_KERNEL))
		return -PT_EINVAL;
	return pt_map(space, va, size, pa, pt_make_attr(attrs & space->format->attrs), flags);
}

/* The last address that the entry of a level for va maps. */
static uint64_t slot_last(const struct pt_space *space, uint64_t va, unsigned level)
{
	return va | ((UINT64_C(1) << pt_format_shift(space->format, level)) - 1);
}

/* Puts a table below each entry of level l together, if there is one; passes over what has none. */
static void collapse_level(struct pt_space *space, uint64_t va, uint64_t last, unsigned l,
    uint32_t flags)
{
	const struct pt_format_ops *ops = space->format->ops;
	uint64_t end;

	for (;; va = end + 1) {
		unsigned lowest = ops->table_level(space, va);

		end = slot_last(space, va, lowest < l ? l : lowest);
		/* What is not alike stays in parts: no error, nothing to do. */
		if (lowest < l)
			(void)!ops->collapse(space, va, l, flags);
		if (end >= last)
			return;
	}
}

/* Puts together, from the smallest tables up, what the range touches. */
static void collapse_range(struct pt_space *space, uint64_t va, uint64_t last, uint32_t flags)
{
	for (unsigned l = 1; l < space->levels; l++)
		if (space->format->leaves >> l & 1)
			collapse_level(space, va, last, l, flags);
}

int pt_set_memory(struct pt_space *space, pt_va va, uint64_t size, uint32_t set, uint32_t clear,
    uint32_t flags)
{
	const uint32_t rights = PT_READ | PT_WRITE | PT_EXEC;
	int err;

	if (!space || !space->format || !(space->flags & PT_SPACE_KERNEL) || set & clear ||
	    !(set | clear) || (set | clear) & ~rights)
		return -PT_EINVAL;
	err = pt_modify(space, va, size, set, clear, flags);
	if (!err)
		collapse_range(space, va.v, va.v + size - 1, flags & PT_MAY_SLEEP);
	return err;
}
