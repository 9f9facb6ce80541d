/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Operations on what is mapped: rights, accessed and dirty. */
#include <ptdesc/kernel.h>
#include "tests/unit/model_ops.h"

struct span step_protect(struct model *m)
{
	unsigned s = pick_space(m);
	struct span span = pick_span(m);
	uint32_t flags = pick_flags(m, PT_DEPOSIT | PT_RELAX | PT_MAY_SLEEP | PT_PIECEWISE);
	pt_attr attr = pick_attr(m);
	int err;

	m->mixed = model_any_truly(m, s, span);
	if (m->mixed)
		flags &= ~(uint32_t)PT_PIECEWISE;
	SAY(m, "protect space %u pages %u+%u attr %#x %#x flags %#x", s, span.first, span.count,
	    attr.flags, attr.format, flags);
	err =
	    pt_protect(&m->space[s], model_span_va(m, span), model_span_size(m, span), attr, flags);
	if (!model_expect(m, err, 0))
		return span;
	for (unsigned i = span.first; i < span.first + span.count; i++) {
		for (unsigned o = 0; o < MODEL_SPACES; o++) {
			struct model_page *p = &m->page[o][i];

			if (!p->mapped || !model_sees(m, o, s, i))
				continue;
			p->attr.flags = (attr.flags & ~AD) | (p->attr.flags & AD);
			p->attr.format = attr.format;
		}
	}
	m->done[5]++;
	return span;
}

/* What pt_set_memory makes of attributes: the nearest that can be said. */
static pt_attr modified(struct model *m, pt_attr attr, uint32_t set, uint32_t clear)
{
	struct pt_entry_info info;
	uint64_t entry;

	attr.flags = (attr.flags & ~clear) | set;
	if (pt_entry_encode(m->format, pt_make_pa(0), 0, attr, PT_RELAX, &entry) ||
	    pt_entry_decode(m->format, entry, 0, &info))
		model_fail(m, "attributes %#x cannot be said at all", attr.flags);
	return info.attr;
}

/* Leaves that were put together are accessed and dirty where any of their parts was. */
static void merge_ad(struct model *m, unsigned s, struct span span)
{
	struct span pages = span;

	for (unsigned i = span.first; i < span.first + span.count; i = pages.first + pages.count) {
		struct ref_result leaf;
		uint32_t ad = 0;

		if (!model_leaf(m, s, i, &leaf, &pages))
			continue;
		for (unsigned p = pages.first; p < pages.first + pages.count; p++)
			ad |= m->page[s][p].attr.flags & AD;
		model_set_ad(m, s, pages, ad, 0);
	}
}

struct span step_set_memory(struct model *m)
{
	static const uint32_t rights[] = {PT_WRITE, PT_EXEC, PT_WRITE | PT_EXEC};
	unsigned s = pick_space(m);
	struct span span = pick_span(m);
	uint32_t set = rights[model_random(m, 3)] & (uint32_t)-model_random(m, 2);
	uint32_t clear = rights[model_random(m, 3)] & ~set;
	int err;

	m->mixed = model_any_truly(m, s, span);
	SAY(m, "set_memory space %u pages %u+%u set %#x clear %#x", s, span.first, span.count, set,
	    clear);
	err = pt_set_memory(&m->space[s], model_span_va(m, span), model_span_size(m, span), set,
	    clear, 0);
	if (!(m->flags & PT_SPACE_KERNEL) || !(set | clear)) {
		model_expect(m, err, -PT_EINVAL);
		return span;
	}
	if (!model_expect(m, err, 0))
		return span;
	for (unsigned i = span.first; i < span.first + span.count; i++)
		for (unsigned o = 0; o < MODEL_SPACES; o++)
			if (m->page[o][i].mapped && model_sees(m, o, s, i))
				m->page[o][i].attr = modified(m, m->page[o][i].attr, set, clear);
	merge_ad(m, s, span);
	m->done[20]++;
	return span;
}

struct span step_age(struct model *m)
{
	unsigned s = pick_space(m);
	struct span span = pick_span(m);
	struct span next = {span.first, 1};
	uint64_t wanted = 0;
	uint64_t young;
	int err;

	m->mixed = model_any_truly(m, s, span);
	SAY(m, "age space %u pages %u+%u", s, span.first, span.count);
	/* Leaves larger than the range become old as a whole, and so do runs with an MMU. */
	while (next.first < span.first + span.count) {
		struct span pages = next;
		struct ref_result leaf;

		if (model_leaf(m, s, next.first, &leaf, &pages)) {
			if (m->page[s][next.first].attr.flags & PT_ACCESSED)
				wanted += pages.count * model_page_size(m);
		}
		next.first = pages.first + pages.count;
	}
	err = pt_age(&m->space[s], model_span_va(m, span), model_span_size(m, span), &young);
	if (!model_expect(m, err, 0))
		return span;
	if (young != wanted)
		model_fail(m, "%#llx bytes were young, expected %#llx", (unsigned long long)young,
		    (unsigned long long)wanted);
	next.first = span.first;
	while (next.first < span.first + span.count) {
		struct span pages = next;
		struct ref_result leaf;

		if (model_leaf(m, s, next.first, &leaf, &pages))
			model_set_ad(m, s, pages, 0, PT_ACCESSED);
		next.first = pages.first + pages.count;
	}
	m->done[6]++;
	return span;
}

/* A call of pt_dirty under way. */
struct dirty {
	struct model *m;
	unsigned s;
	struct span span;
	uint64_t bytes;
};

static int on_dirty(void *ctx, const struct pt_piece *piece)
{
	struct dirty *d = ctx;
	struct model *m = d->m;

	d->bytes += piece->size;
	for (uint64_t at = 0; at < piece->size; at += model_page_size(m)) {
		uint64_t va = piece->va.v + at;
		unsigned i = d->span.first +
			     (unsigned)((va - model_va(m, d->span.first)) / model_page_size(m));
		const struct model_page *p = &m->page[d->s][i];

		if (i >= d->span.first + d->span.count || !p->mapped || p->pa != piece->pa.v + at ||
		    p->attr.flags != piece->attr.flags || !(p->attr.flags & PT_DIRTY))
			model_fail(m, "a dirty piece at va %#llx is wrong", (unsigned long long)va);
	}
	return 0;
}

static uint64_t dirty_bytes(const struct model *m, unsigned s, struct span span)
{
	uint64_t bytes = 0;

	for (unsigned i = span.first; i < span.first + span.count; i++) {
		const struct model_page *p = &m->page[s][i];

		if (p->mapped && p->attr.flags & PT_DIRTY)
			bytes += model_page_size(m);
	}
	return bytes;
}

struct span step_dirty(struct model *m)
{
	unsigned s = pick_space(m);
	struct dirty d = {.m = m, .s = s, .span = pick_span(m)};
	bool call = model_chance(m, 70);
	uint64_t wanted;
	uint64_t bytes;
	int err;

	m->mixed = model_any_truly(m, s, d.span);
	SAY(m, "dirty space %u pages %u+%u", s, d.span.first, d.span.count);
	wanted = dirty_bytes(m, s, d.span);
	err = pt_dirty(&m->space[s], model_span_va(m, d.span), model_span_size(m, d.span),
	    call ? on_dirty : NULL, &d, &bytes);
	if (!model_expect(m, err, 0))
		return d.span;
	if (bytes != wanted || (call && d.bytes != wanted))
		model_fail(m, "%#llx bytes were dirty, %#llx told of, expected %#llx",
		    (unsigned long long)bytes, (unsigned long long)d.bytes,
		    (unsigned long long)wanted);
	for (unsigned i = d.span.first; i < d.span.first + d.span.count; i++)
		if (m->page[s][i].mapped)
			model_set_ad(m, s, (struct span){i, 1}, 0, PT_DIRTY);
	m->done[7]++;
	return d.span;
}

/* Whose entry is the same: accessed and dirty that an MMU sets show in all of them. */
static void touch(struct model *m, const struct ref_result *leaf, struct span pages, uint32_t set)
{
	for (unsigned o = 0; o < MODEL_SPACES; o++) {
		struct ref_result other;

		if (!m->page[o][pages.first].mapped ||
		    soft_mmu_walk(&m->mmu, &m->space[o], leaf->va, &other) != REF_OK ||
		    other.entry_pa != leaf->entry_pa)
			continue;
		for (unsigned i = pages.first; i < pages.first + pages.count; i++)
			m->page[o][i].attr.flags |= set;
	}
}

/* An access that an MMU makes, or in a space without one what a fault handler asks. */
struct span step_access(struct model *m)
{
	static const uint32_t kinds[] = {PT_READ, PT_WRITE, PT_READ | PT_WRITE, PT_EXEC};
	unsigned s = pick_space(m);
	unsigned page = pick_page(m, s);
	const struct model_page *p = &m->page[s][page];
	uint32_t access = kinds[model_random(m, 4)];
	uint32_t set = PT_ACCESSED | (access & PT_WRITE ? PT_DIRTY : 0);
	struct span pages = {page, 1};
	struct ref_result leaf;
	int wanted = !p->mapped ? -PT_ENOENT : access & ~p->attr.flags ? -PT_EATTR : 0;
	int err = -PT_EBUSY;

	SAY(m, "access space %u page %u kind %#x", s, page, access);
	(void)model_leaf(m, s, page, &leaf, &pages);
	if (m->flags & PT_SPACE_MMU && model_chance(m, 80)) {
		err = soft_mmu_access(&m->mmu, &m->space[s], model_va(m, page), access, &leaf);
		if (!err)
			touch(m, &leaf, pages, set);
	}
	if (err == -PT_EBUSY) {
		err = pt_access_fault(&m->space[s], pt_make_va(model_va(m, page) + 1), access);
		if (!err)
			model_set_ad(m, s, pages, set, 0);
	}
	m->done[8] += model_expect(m, err, wanted);
	return pages;
}
