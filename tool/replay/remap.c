/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Rule 7: mremap moves tables where it can, entries where it must. */
#include "tool/replay/calls.h"
#include "tool/replay/replay.h"

/* Where a move has come to. */
struct walk {
	uint64_t from;
	uint64_t end; /* of the source */
	uint64_t to;
};

/* log2 of what a table of a level translates. */
static unsigned span_shift(const struct replay *r, unsigned level)
{
	const struct pt_format *format = r->options->format;

	return pt_format_shift(format, level) + format->bits[level];
}

/* Bytes that can be moved in one go without leaving a table of that span on either side. */
static uint64_t extent(const struct walk *w, unsigned shift)
{
	uint64_t mask = (UINT64_C(1) << shift) - 1;
	uint64_t size = (w->from | mask) + 1 - w->from;
	uint64_t other = (w->to | mask) + 1 - w->to;

	if (size > w->end - w->from)
		size = w->end - w->from;
	return size < other ? size : other;
}

/* A table of a level moves with all below it, also if it is empty. */
static void move_table(struct replay *r, struct mirror *m, const struct walk *w, uint64_t size,
    unsigned level)
{
	uint64_t end = w->from + size;

	pages_move(r, m, w->from, end, w->to);
	if (pages_level(r, m, w->from) > level)
		return;
	/* It had nothing in it, so that it stayed. */
	pages_populate(r, m, w->to, w->to + 1, level);
	pages_prune(r, m, w->from, end, w->from, end);
}

/* What one table of level 1 on either side translates, or a part of it. */
static uint64_t move_leaf_table(struct replay *r, struct mirror *m, const struct walk *w)
{
	uint64_t size = extent(w, span_shift(r, 0));
	struct region *region = shadow_find(&m->shadow, w->from);
	bool whole = size == UINT64_C(1) << span_shift(r, 0);

	if (region && region->huge && !whole)
		pages_split(r, m, region);
	if (region && region->huge) {
		pages_populate(r, m, w->to, w->to + 1, 1);
		pages_move(r, m, w->from, w->from + size, w->to);
	} else if (pages_level(r, m, w->from) == 0) {
		pages_populate(r, m, w->to, w->to + 1, whole ? 1 : 0);
		if (whole)
			move_table(r, m, w, size, 0);
		else
			pages_move(r, m, w->from, w->from + size, w->to);
	}
	return size;
}

static uint64_t move_step(struct replay *r, struct mirror *m, const struct walk *w)
{
	uint64_t size = extent(w, span_shift(r, 1));

	if (pages_level(r, m, w->from) > 1)
		return size;
	pages_populate(r, m, w->to, w->to + 1, 2);
	if (size == UINT64_C(1) << span_shift(r, 1) && r->options->format->levels > 2)
		move_table(r, m, w, size, 1);
	else
		size = move_leaf_table(r, m, w);
	return size;
}

static bool is_free(struct vma_list *list, uint64_t start, uint64_t end)
{
	size_t at = vmas_from(list, start);

	return at == list->count || list->at[at].shown.start >= end;
}

/*
 * Both addresses are taken down to where a leaf table begins, if they lie alike in it, nothing else
 * is in the way, and the move reaches at least to its end: then that table moves as a whole.
 */
static void align_down(struct replay *r, struct mirror *m, struct walk *w)
{
	struct vma_list *list = &m->vmas.now;
	uint64_t mask = (UINT64_C(1) << span_shift(r, 0)) - 1;
	uint64_t into = w->from & mask;
	size_t at = vmas_from(list, w->from);

	if (!into || into != (w->to & mask) || w->end - w->from < mask + 1 - into)
		return;
	if (at == list->count || list->at[at].shown.start != w->from ||
	    !is_free(list, w->from - into, w->from) || !is_free(list, w->to - into, w->to))
		return;
	w->from -= into;
	w->to -= into;
}

static void move_tables(struct replay *r, struct mirror *m, uint64_t from, uint64_t size,
    uint64_t to)
{
	struct walk w = {from, from + size, to};

	if (!has_rule(r, 7)) {
		pages_move_anew(r, m, from, from + size, to);
		return;
	}
	align_down(r, m, &w);
	while (w.from < w.end) {
		uint64_t moved = move_step(r, m, &w);

		w.from += moved;
		w.to += moved;
	}
}

/* The VMA is there twice until the old one is unmapped, which is judged with the new one there. */
static void add_moved(struct mirror *m, const struct vma *vma, uint64_t from, uint64_t size)
{
	struct vma moved = *vma;

	moved.shown.start = from;
	moved.shown.end = from + size;
	vmas_add(&m->vmas.now, &moved);
	m->edited = true;
}

void rules_mremap(struct replay *r, struct mirror *m, const struct trace_event *event)
{
	const uint64_t mask = host_page(r) - 1;
	uint64_t from = event->call.args[0];
	uint64_t old = (event->call.args[1] + mask) & ~mask;
	uint64_t size = (event->call.args[2] + mask) & ~mask;
	uint64_t flags = event->call.args[3];
	uint64_t to = (uint64_t)event->call.result;
	const struct vma *vma;

	if (to != from && flags & CALL_MREMAP_FIXED)
		rules_unmap(r, m, to, to + size);
	if (size < old) {
		rules_unmap(r, m, from + size, from + old);
		old = size;
	}
	vma = vmas_find(&m->vmas.now, from);
	if (to == from || !vma)
		return;
	move_tables(r, m, from, old, to);
	add_moved(m, vmas_find(&m->vmas.now, from), to, size);
	if (old && !(flags & CALL_MREMAP_DONTUNMAP))
		rules_unmap(r, m, from, from + old);
}
