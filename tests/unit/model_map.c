/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Operations that map and unmap. */
#include "tests/unit/model_ops.h"

/* An attribute that the format may not be able to say, and what it then becomes. */
static pt_attr odd_attr(struct model *m, uint32_t flags, pt_attr *becomes, int *err)
{
	pt_attr attr = pick_attr(m);
	struct pt_entry_info info;
	uint64_t entry;

	if (model_chance(m, 50))
		attr.flags ^= 1u << model_random(m, 24);
	else
		attr.format ^= 1u << model_random(m, 16);
	*err = pt_entry_encode(m->format, pt_make_pa(0), 0, attr, flags & PT_RELAX, &entry);
	if (!*err && pt_entry_decode(m->format, entry, 0, &info))
		model_fail(m, "a leaf that cannot be decoded");
	*becomes = *err ? attr : info.attr;
	return attr;
}

void map_span(struct model *m, unsigned s, struct span span, uint64_t pa, uint32_t flags)
{
	pt_attr attr = pick_attr(m);
	pt_attr becomes = attr;
	int wanted = 0;
	int err;

	if (model_chance(m, 5))
		attr = odd_attr(m, flags, &becomes, &wanted);
	SAY(m, "map space %u pages %u+%u pa %#llx attr %#x %#x flags %#x", s, span.first,
	    span.count, (unsigned long long)pa, attr.flags, attr.format, flags);
	err = pt_map(&m->space[s], model_span_va(m, span), model_span_size(m, span), pt_make_pa(pa),
	    attr, flags);
	if (!wanted)
		wanted = model_map(m, s, span, pa, NULL, becomes, flags);
	m->done[0] += model_expect(m, err, wanted);
}

struct span step_map(struct model *m)
{
	unsigned s = pick_space(m);
	struct span span = pick_span(m);
	uint64_t pa = pick_pa(m, span);

	map_span(m, s, span, pa, pick_flags(m, MAP_FLAGS));
	return span;
}

struct span step_map_list(struct model *m)
{
	static pt_pa list[2048];
	unsigned s = pick_space(m);
	struct span span = pick_span(m);
	uint32_t flags = pick_flags(m, MAP_FLAGS);
	pt_attr attr = pick_attr(m);
	uint64_t pa = pick_pa(m, span);
	int wanted;
	int err;

	if (span.count > 2048)
		span.count = 2048;
	for (unsigned i = 0; i < span.count; i++) {
		if (model_chance(m, 50))
			pa = pick_pa(m, span);
		list[i].v = pa;
		pa += model_page_size(m);
	}
	SAY(m, "map_list space %u pages %u+%u flags %#x", s, span.first, span.count, flags);
	err = pt_map_list(&m->space[s], model_span_va(m, span), list, span.count, attr, flags);
	wanted = model_map(m, s, span, 0, list, attr, flags);
	m->done[1] += model_expect(m, err, wanted);
	return span;
}

struct span step_cursor(struct model *m)
{
	struct pt_cursor cursor;
	unsigned s = pick_space(m);
	struct span span = pick_span_of(m, 1 + (unsigned)model_random(m, 2 * PT_CURSOR_PAGES));
	pt_attr attr = pick_attr(m);
	uint64_t pa = pick_pa(m, span);
	unsigned done = 0;
	int wanted = 0;
	int err = 0;

	SAY(m, "cursor space %u pages %u+%u", s, span.first, span.count);
	pt_cursor_open(&cursor, &m->space[s], model_span_va(m, span), attr, 0);
	while (!err && done < span.count)
		err = pt_cursor_map(&cursor, pt_make_pa(pa + done++ * model_page_size(m)));
	if (!err)
		err = pt_cursor_flush(&cursor);
	/* What went before a conflict stays: 64 pages at a time. */
	for (unsigned i = 0; !wanted && i < span.count; i += PT_CURSOR_PAGES) {
		struct span piece = {span.first + i, span.count - i};

		if (piece.count > PT_CURSOR_PAGES)
			piece.count = PT_CURSOR_PAGES;
		wanted = model_map(m, s, piece, pa + i * model_page_size(m), NULL, attr, 0);
	}
	m->done[2] += model_expect(m, err, wanted);
	return span;
}

struct span step_replace(struct model *m)
{
	unsigned s = pick_space(m);
	struct span span = pick_span(m);
	uint64_t pa = pick_pa(m, span);
	uint32_t flags = pick_flags(m, PT_SMALL | PT_DEPOSIT | PT_MAY_SLEEP);
	pt_attr attr = pick_attr(m);
	struct pt_gather *gather = model_gather(m);
	int err;

	SAY(m, "map_replace space %u pages %u+%u pa %#llx flags %#x capacity %zu", s, span.first,
	    span.count, (unsigned long long)pa, flags, gather->capacity);
	err = pt_map_replace(&m->space[s], model_span_va(m, span), model_span_size(m, span),
	    pt_make_pa(pa), attr, flags, gather);
	if (!model_expect(m, err, model_truly_cut(m, s, span)))
		return span;
	for (unsigned i = 0; i < span.count; i++)
		model_drop_page(m, s, span.first + i);
	(void)model_map(m, s, span, pa, NULL, attr, 0);
	model_check_gather(m);
	m->done[3]++;
	return span;
}

void unmap_span(struct model *m, unsigned s, struct span span, uint32_t flags)
{
	struct pt_gather *gather = model_gather(m);
	int wanted = model_truly_cut(m, s, span);
	int err;

	if (model_any_truly(m, s, span))
		flags &= ~(uint32_t)PT_PIECEWISE;
	SAY(m, "unmap space %u pages %u+%u flags %#x capacity %zu", s, span.first, span.count,
	    flags, gather->capacity);
	err =
	    pt_unmap(&m->space[s], model_span_va(m, span), model_span_size(m, span), flags, gather);
	if (!model_expect(m, err, wanted))
		return;
	for (unsigned i = 0; i < span.count; i++)
		model_drop_page(m, s, span.first + i);
	model_check_gather(m);
	if (!(flags & (PT_KEEP_TABLES | PT_PIECEWISE)))
		model_no_empty(m, s, span);
	m->done[4]++;
}

struct span step_unmap(struct model *m)
{
	unsigned s = pick_space(m);
	struct span span = pick_span(m);

	unmap_span(m, s, span,
	    pick_flags(m, PT_KEEP_TABLES | PT_DEPOSIT | PT_MAY_SLEEP | PT_PIECEWISE));
	return span;
}
