/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Set-associative arrays of entries. */
#include <stdlib.h>

#include "tool/tlb/tlb_internal.h"

bool array_open(struct tlb_array *array, const struct tlb_shape *shape)
{
	array->shape = *shape;
	if (!shape->entries)
		return true;
	array->sets = shape->entries / shape->ways;
	array->entries = calloc(shape->entries, sizeof(*array->entries));
	return array->entries != NULL;
}

static struct tlb_entry *set_of(const struct tlb_array *array, uint64_t tag)
{
	return &array->entries[tag % array->sets * array->shape.ways];
}

static bool holds(const struct tlb_array *array, unsigned level)
{
	return array->shape.entries && array->shape.leaves >> level & 1;
}

static bool is_of(const struct tlb_entry *e, const struct pt_space *space, uint64_t tag,
    unsigned level)
{
	return e->tag == tag && e->space == space && e->level == level;
}

struct tlb_entry *array_find(const struct tlb *tlb, struct tlb_array *array,
    const struct pt_space *space, uint64_t va, unsigned level)
{
	uint64_t tag = va >> tlb->shift[level];
	struct tlb_entry *set;

	if (!array->valid || !holds(array, level))
		return NULL;
	set = set_of(array, tag);
	for (unsigned i = 0; i < array->shape.ways; i++)
		if (is_of(&set[i], space, tag, level)) {
			set[i].used = ++array->clock;
			return &set[i];
		}
	return NULL;
}

/* The same entry, else an unused one, else the oldest. The clock may wrap: age is a difference. */
static struct tlb_entry *slot_for(struct tlb_array *array, const struct tlb_entry *entry)
{
	struct tlb_entry *set = set_of(array, entry->tag);
	struct tlb_entry *slot = set;

	for (unsigned i = 0; i < array->shape.ways; i++) {
		if (is_of(&set[i], entry->space, entry->tag, entry->level))
			return &set[i];
		if (slot->space &&
		    (!set[i].space || array->clock - set[i].used > array->clock - slot->used))
			slot = &set[i];
	}
	return slot;
}

void array_put(struct tlb_array *array, const struct tlb_entry *entry)
{
	struct tlb_entry *slot;

	if (!holds(array, entry->level))
		return;
	slot = slot_for(array, entry);
	array->valid += !slot->space;
	*slot = *entry;
	slot->used = ++array->clock;
}

void array_drop(struct tlb_array *array, struct tlb_entry *entry)
{
	entry->space = NULL;
	array->valid--;
}

static bool is_named(const struct tlb *tlb, const struct tlb_entry *e,
    const struct pt_flush *request, uint32_t levels)
{
	unsigned shift = tlb->shift[e->level];

	return e->space && levels >> e->level & 1 &&
	       (request->kernel || e->space == request->cookie) &&
	       e->tag >= request->start.v >> shift && e->tag <= request->last.v >> shift;
}

/* One flush of one array. */
struct flushing {
	struct tlb *tlb;
	unsigned cpu;
	struct tlb_array *array;
	const struct pt_flush *request;
};

static uint64_t flush_entries(const struct flushing *f, struct tlb_entry *entries, unsigned count,
    uint32_t levels)
{
	bool table = f->array == &f->tlb->cpus[f->cpu].walk;
	uint64_t killed = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!is_named(f->tlb, &entries[i], f->request, levels))
			continue;
		if (f->tlb->config.format->flags & PT_FORMAT_BBM &&
		    walk_replaced(f->tlb, &entries[i], table))
			tlb_fail(f->tlb, f->cpu, "replaced before it was flushed", &entries[i],
			    table);
		array_drop(f->array, &entries[i]);
		killed++;
	}
	return killed;
}

uint64_t array_flush(struct tlb *tlb, unsigned cpu, struct tlb_array *array,
    const struct pt_flush *request, uint32_t levels)
{
	const struct flushing f = {tlb, cpu, array, request};
	uint64_t killed = 0;

	for (unsigned level = 0; level < tlb->config.format->levels && array->valid; level++) {
		uint64_t first = request->start.v >> tlb->shift[level];
		uint64_t last = request->last.v >> tlb->shift[level];

		if (!(levels >> level & 1) || !holds(array, level))
			continue;
		if (last - first >= array->sets)
			return killed +
			       flush_entries(&f, array->entries, array->shape.entries, levels);
		for (uint64_t tag = first; tag <= last; tag++)
			killed +=
			    flush_entries(&f, set_of(array, tag), array->shape.ways, 1u << level);
	}
	return killed;
}
