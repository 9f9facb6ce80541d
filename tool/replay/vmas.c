/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/replay/vmas.h"

#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

/* Is at the first VMA that ends behind va. */
static bool is_first(const struct vma_list *list, size_t at, uint64_t va)
{
	return at < list->count && list->at[at].shown.end > va &&
	       (!at || list->at[at - 1].shown.end <= va);
}

static size_t search(const struct vma_list *list, uint64_t va)
{
	size_t low = 0;
	size_t high = list->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list->at[mid].shown.end <= va)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Neighbouring addresses are asked for one after another: the same VMA, or the next. */
size_t vmas_from(struct vma_list *list, uint64_t va)
{
	if (is_first(list, list->last, va))
		return list->last;
	if (is_first(list, list->last + 1, va))
		list->last++;
	else
		list->last = search(list, va);
	return list->last;
}

static bool holds(const struct vma_list *list, size_t at, uint64_t va)
{
	return at < list->count && list->at[at].shown.start <= va && va < list->at[at].shown.end;
}

struct vma *vmas_find(struct vma_list *list, uint64_t va)
{
	size_t at = vmas_from(list, va);

	return holds(list, at, va) ? &list->at[at] : NULL;
}

/* Makes room for count VMAs at a position. */
static void open_at(struct vma_list *list, size_t at, size_t count)
{
	if (!count)
		return;
	list->at = tool_grow(list->at, &list->room, list->count + count, sizeof(*list->at));
	memmove(&list->at[at + count], &list->at[at], (list->count - at) * sizeof(*list->at));
	list->count += count;
}

static void close_at(struct vma_list *list, size_t at, size_t count)
{
	if (!count)
		return;
	memmove(&list->at[at], &list->at[at + count],
	    (list->count - at - count) * sizeof(*list->at));
	list->count -= count;
}

/*
 * What the VMAs of an old list remember, for one of the new: those that it overlaps and is of the
 * same kind with. A merged VMA has what any of its parts had.
 */
static uint32_t remembered(struct vma_list *old, const struct trace_vma *vma)
{
	uint32_t memory = 0;

	for (size_t i = vmas_from(old, vma->start);
	    i < old->count && old->at[i].shown.start < vma->end; i++)
		if (!((old->at[i].shown.flags ^ vma->flags) & TRACE_VMA_SHARED))
			memory |= old->at[i].memory;
	return memory;
}

void vmas_show(struct vmas *vmas, const struct trace_event *event)
{
	struct vma_list *shown = &vmas->shown;
	size_t old = shown->count - event->vmas.keep_first - event->vmas.keep_last;

	close_at(shown, event->vmas.keep_first, old);
	open_at(shown, event->vmas.keep_first, event->vmas.count);
	for (size_t i = 0; i < event->vmas.count; i++)
		shown->at[event->vmas.keep_first + i] = (struct vma){event->vmas.vmas[i], 0};
}

void vmas_take(struct vmas *vmas, bool remember)
{
	struct vma_list old = vmas->now;

	vmas->now = (struct vma_list){0};
	open_at(&vmas->now, 0, vmas->shown.count);
	for (size_t i = 0; i < vmas->shown.count; i++) {
		vmas->now.at[i] = vmas->shown.at[i];
		if (remember)
			vmas->now.at[i].memory = remembered(&old, &vmas->shown.at[i].shown);
	}
	free(old.at);
}

void vmas_split(struct vma_list *list, uint64_t va)
{
	size_t at = vmas_from(list, va);

	if (!holds(list, at, va) || list->at[at].shown.start == va)
		return;
	open_at(list, at, 1);
	list->at[at] = list->at[at + 1];
	list->at[at].shown.end = va;
	list->at[at + 1].shown.start = va;
}

void vmas_cut(struct vma_list *list, uint64_t start, uint64_t end)
{
	size_t first;
	size_t past;

	vmas_split(list, start);
	vmas_split(list, end);
	first = vmas_from(list, start);
	for (past = first; past < list->count && list->at[past].shown.start < end;)
		past++;
	close_at(list, first, past - first);
}

void vmas_add(struct vma_list *list, const struct vma *vma)
{
	size_t at = vmas_from(list, vma->shown.start);

	open_at(list, at, 1);
	list->at[at] = *vma;
}

void vmas_remember(struct vma_list *list, uint64_t start, uint64_t end, uint32_t set,
    uint32_t clear)
{
	for (size_t i = vmas_from(list, start); i < list->count && list->at[i].shown.start < end;
	    i++)
		list->at[i].memory = (list->at[i].memory | set) & ~clear;
}

static void copy_list(struct vma_list *to, const struct vma_list *from)
{
	open_at(to, 0, from->count);
	for (size_t i = 0; i < from->count; i++)
		to->at[i] = from->at[i];
}

void vmas_copy(struct vmas *child, const struct vmas *parent)
{
	*child = (struct vmas){{0}, {0}};
	copy_list(&child->now, &parent->now);
	copy_list(&child->shown, &parent->shown);
}

uint64_t vmas_floor(struct vma_list *list, uint64_t va)
{
	size_t at = vmas_from(list, va);

	if (holds(list, at, va) && list->at[at].shown.start < va)
		return va;
	return at ? list->at[at - 1].shown.end : 0;
}

uint64_t vmas_ceiling(struct vma_list *list, uint64_t va)
{
	size_t at = vmas_from(list, va);

	return at < list->count ? list->at[at].shown.start : 0;
}

void vmas_free(struct vmas *vmas)
{
	free(vmas->now.at);
	free(vmas->shown.at);
	*vmas = (struct vmas){{0}, {0}};
}
