/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the model knows of its spaces, and what a gather has to hand over. */
#include <stdlib.h>

#include "tests/unit/model_ops.h"

pt_va model_span_va(const struct model *m, struct span span)
{
	return pt_make_va(model_va(m, span.first));
}

uint64_t model_span_size(const struct model *m, struct span span)
{
	return span.count * model_page_size(m);
}

/* Cuts off what a piecewise call works on next. */
struct span model_piece(const struct model *m, struct span span, uint32_t flags)
{
	uint64_t slot = model_slot_pages(m, 2);
	uint64_t offset = model_va(m, span.first) / model_page_size(m) % slot;

	if (flags & PT_PIECEWISE && span.count > slot - offset)
		span.count = (unsigned)(slot - offset);
	return span;
}

bool model_any_truly(const struct model *m, unsigned s, struct span span)
{
	for (unsigned i = span.first; i < span.first + span.count; i++)
		if (m->page[s][i].truly)
			return true;
	return false;
}

/* The pages of the truly shared table that a page lies below. */
struct span model_truly_span(const struct model *m, unsigned page)
{
	uint64_t slot = model_slot_pages(m, 2);
	uint64_t offset = model_va(m, page) / model_page_size(m) % slot;
	unsigned window = page - page % m->window_pages;
	uint64_t end = page + (slot - offset);
	struct span span;

	/* The slot may be larger than the window. */
	span.first = offset > page - window ? window : page - (unsigned)offset;
	if (end > window + m->window_pages)
		end = window + m->window_pages;
	span.count = (unsigned)(end - span.first);
	return span;
}

static bool covers_truly(const struct model *m, unsigned page, struct span span)
{
	struct span slot = model_truly_span(m, page);

	return slot.count == model_slot_pages(m, 2) && slot.first >= span.first &&
	       slot.first + slot.count <= span.first + span.count;
}

/* Truly shared tables that a call may take out of a space whole, but not in part. */
int model_truly_cut(const struct model *m, unsigned s, struct span span)
{
	for (unsigned i = span.first; i < span.first + span.count; i++)
		if (m->page[s][i].truly && !covers_truly(m, i, span))
			return -PT_ESPLIT;
	return 0;
}

/* What a call that wants the range empty says. */
int model_occupied(const struct model *m, unsigned s, struct span span)
{
	for (unsigned i = span.first; i < span.first + span.count; i++) {
		const struct model_page *p = &m->page[s][i];
		struct span slot;

		if (p->mapped)
			return -PT_EEXIST;
		if (!p->truly)
			continue;
		slot = model_truly_span(m, i);
		for (unsigned j = i; j < slot.first + slot.count && j < span.first + span.count;
		    j++)
			if (m->page[s][j].mapped)
				return -PT_EEXIST;
		return -PT_ESPLIT;
	}
	return 0;
}

/* Who sees a page of a space: the space, and those that share the table. */
bool model_sees(const struct model *m, unsigned o, unsigned s, unsigned page)
{
	struct ref_result a;
	struct ref_result b;

	if (o == s)
		return true;
	if (!m->page[s][page].truly || !m->page[o][page].truly)
		return false;
	return soft_mmu_walk(&m->mmu, &m->space[o], model_va(m, page), &a) == REF_OK &&
	       soft_mmu_walk(&m->mmu, &m->space[s], model_va(m, page), &b) == REF_OK &&
	       a.entry_pa == b.entry_pa;
}

void model_set_page(struct model *m, unsigned s, unsigned page, uint64_t pa, pt_attr attr)
{
	m->page[s][page].mapped = true;
	m->page[s][page].pa = pa;
	m->page[s][page].attr = attr;
}

static void add_frame(struct model_frames *frames, uint64_t pa, bool accessed, bool dirty)
{
	struct model_frame *f = &frames->frame[frames->count++];

	f->pa = pa;
	f->accessed = accessed;
	f->dirty = dirty;
}

/* A page leaves the space; its frame goes to the gather. */
void model_drop_page(struct model *m, unsigned s, unsigned page)
{
	struct model_page *p = &m->page[s][page];

	p->truly = false;
	if (!p->mapped)
		return;
	p->mapped = false;
	add_frame(&m->want, p->pa, p->attr.flags & PT_ACCESSED, p->attr.flags & PT_DIRTY);
}

/* Maps in the model as far as a call gets; its answer. */
int model_map(struct model *m, unsigned s, struct span span, uint64_t pa, const pt_pa *list,
    pt_attr attr, uint32_t flags)
{
	while (span.count) {
		struct span piece = model_piece(m, span, flags);
		int err = model_occupied(m, s, piece);

		if (err)
			return err;
		for (unsigned i = 0; i < piece.count; i++, pa += model_page_size(m))
			model_set_page(m, s, piece.first + i, list ? list++->v : pa, attr);
		span.first += piece.count;
		span.count -= piece.count;
	}
	return 0;
}

/* Sets or clears accessed and dirty of pages of a leaf, for all who see it. */
void model_set_ad(struct model *m, unsigned s, struct span pages, uint32_t set, uint32_t clear)
{
	for (unsigned o = 0; o < MODEL_SPACES; o++) {
		if (!model_sees(m, o, s, pages.first))
			continue;
		for (unsigned i = pages.first; i < pages.first + pages.count; i++) {
			uint32_t *flags = &m->page[o][i].attr.flags;

			*flags = (*flags & ~clear) | set;
		}
	}
}

bool model_expect(struct model *m, int err, int wanted)
{
	if (err == -PT_ESPLIT && m->mixed)
		return false;
	if (err != wanted)
		model_fail(m, "says %d (%s), expected %d", err, pt_strerror(err), wanted);
	return !err;
}

/* --- gather --------------------------------------------------------------------------------- */

static void on_release(void *ctx, const struct pt_run *runs, size_t count)
{
	struct model *m = ctx;
	uint64_t page = model_page_size(m);

	soft_mmu_release(&m->mmu, runs, count);
	for (size_t i = 0; i < count; i++) {
		for (uint64_t at = 0; at < runs[i].size; at += page) {
			if (m->got.count == m->pages)
				model_fail(m, "the gather hands over too much");
			add_frame(&m->got, runs[i].pa.v + at, runs[i].accessed, runs[i].dirty);
		}
	}
}

struct pt_gather *model_gather(struct model *m)
{
	size_t capacity = 1 + (size_t)model_random(m, MODEL_RUNS);

	m->want.count = 0;
	m->got.count = 0;
	m->gather = pt_make_gather(m->runs, capacity, on_release, m);
	return &m->gather;
}

static int by_frame(const void *a, const void *b)
{
	const struct model_frame *x = a;
	const struct model_frame *y = b;

	if (x->pa != y->pa)
		return x->pa < y->pa ? -1 : 1;
	return (x->accessed + 2 * x->dirty) - (y->accessed + 2 * y->dirty);
}

/* What was handed over is what left. */
void model_check_gather(struct model *m)
{
	size_t n = m->want.count;

	qsort(m->want.frame, n, sizeof(*m->want.frame), by_frame);
	qsort(m->got.frame, m->got.count, sizeof(*m->got.frame), by_frame);
	if (m->got.count != n || m->gather.count || m->gather.released != n * model_page_size(m))
		model_fail(m, "the gather handed over %zu pages (%llu bytes), expected %zu",
		    m->got.count, (unsigned long long)m->gather.released, n);
	for (size_t i = 0; i < n; i++)
		if (by_frame(&m->want.frame[i], &m->got.frame[i]))
			model_fail(m, "the gather handed over pa %#llx %d%d, expected %#llx %d%d",
			    (unsigned long long)m->got.frame[i].pa, m->got.frame[i].accessed,
			    m->got.frame[i].dirty, (unsigned long long)m->want.frame[i].pa,
			    m->want.frame[i].accessed, m->want.frame[i].dirty);
}
