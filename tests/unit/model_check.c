/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the model asks of the library after an operation. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/model.h"

#define MAX_TABLES 20000u

static bool same_attr(pt_attr a, pt_attr b)
{
	return a.flags == b.flags && a.format == b.format;
}

static void compare_page(const struct model *m, unsigned s, unsigned page)
{
	const struct model_page *p = &m->page[s][page];
	uint64_t va = model_va(m, page);
	uint64_t offset = va / 64 % model_page_size(m);
	struct pt_translation t;
	int err = pt_translate(&m->space[s], pt_make_va(va + offset), &t);

	if (err != (p->mapped ? 0 : -PT_ENOENT))
		model_fail(m, "space %u page %u (va %#llx): translate says %d", s, page,
		    (unsigned long long)va, err);
	if (!p->mapped)
		return;
	if (t.pa.v != p->pa + offset)
		model_fail(m, "space %u page %u (va %#llx): pa %#llx, expected %#llx", s, page,
		    (unsigned long long)va, (unsigned long long)t.pa.v,
		    (unsigned long long)(p->pa + offset));
	if (!same_attr(t.attr, p->attr))
		model_fail(m, "space %u page %u (va %#llx): attributes %#x %#x, expected %#x %#x",
		    s, page, (unsigned long long)va, t.attr.flags, t.attr.format, p->attr.flags,
		    p->attr.format);
	if (t.size < model_page_size(m) || t.size & (t.size - 1))
		model_fail(m, "space %u page %u: a leaf of %#llx bytes", s, page,
		    (unsigned long long)t.size);
}

/* The reference walker sees what pt_translate sees. */
static void compare_reference(const struct model *m, unsigned s, unsigned page)
{
	const struct model_page *p = &m->page[s][page];
	struct ref_result leaf;
	enum ref_status status = soft_mmu_walk(&m->mmu, &m->space[s], model_va(m, page), &leaf);

	if (status != (p->mapped ? REF_OK : REF_NOT_MAPPED))
		model_fail(m, "space %u page %u: the reference says %d", s, page, (int)status);
	if (p->mapped && m->flags & PT_SPACE_MMU)
		leaf.entry.flags |= soft_mmu_marks(&m->mmu, &leaf);
	if (p->mapped && (leaf.pa != p->pa || leaf.entry.flags != p->attr.flags))
		model_fail(m, "space %u page %u: the reference sees pa %#llx, flags %#x", s, page,
		    (unsigned long long)leaf.pa, leaf.entry.flags);
}

void model_compare(struct model *m, struct span span)
{
	for (unsigned s = 0; s < MODEL_SPACES; s++)
		for (unsigned i = span.first; i < span.first + span.count; i++)
			compare_page(m, s, i);
}

/* A walk under way. */
struct walk {
	struct model *m;
	unsigned s;
	unsigned next; /* page that the next piece may start at */
	unsigned end;
	struct pt_piece last;
};

/* Does a piece go on where the last one ended, in everything. */
static bool continues(const struct pt_piece *last, const struct pt_piece *piece)
{
	return last->size && last->va.v + last->size == piece->va.v &&
	       last->pa.v + last->size == piece->pa.v && last->level == piece->level &&
	       same_attr(last->attr, piece->attr);
}

/* Is the next page of a walk what the piece says. */
static bool is_next(const struct walk *w, const struct pt_piece *piece, uint64_t pa)
{
	const struct model_page *page = &w->m->page[w->s][w->next];

	return w->next < w->end && page->mapped && page->pa == pa &&
	       same_attr(page->attr, piece->attr);
}

static int walk_piece(void *ctx, const struct pt_piece *piece)
{
	struct walk *w = ctx;
	struct model *m = w->m;
	struct model_page *page = m->page[w->s];
	uint64_t left = piece->size / model_page_size(m);
	uint64_t pa = piece->pa.v;

	if (!piece->size || piece->size % model_page_size(m))
		model_fail(m, "walk: a piece of %#llx bytes", (unsigned long long)piece->size);
	if (continues(&w->last, piece))
		model_fail(m, "walk: two pieces that are one");
	while (w->next < w->end && model_va(m, w->next) != piece->va.v)
		if (page[w->next++].mapped)
			model_fail(m, "walk: page %u is missing", w->next - 1);
	for (; left; left--, w->next++, pa += model_page_size(m))
		if (!is_next(w, piece, pa))
			model_fail(m, "walk: piece at va %#llx is wrong at page %u",
			    (unsigned long long)piece->va.v, w->next);
	w->last = *piece;
	return 0;
}

void model_walk(struct model *m, unsigned s, struct span span)
{
	struct walk w = {.m = m, .s = s, .next = span.first, .end = span.first + span.count};
	int err = pt_walk(&m->space[s], pt_make_va(model_va(m, span.first)),
	    span.count * model_page_size(m), walk_piece, &w);

	if (err)
		model_fail(m, "walk says %d", err);
	for (; w.next < w.end; w.next++)
		if (m->page[s][w.next].mapped)
			model_fail(m, "walk: page %u is missing at the end", w.next);
}

/* All tables of all spaces, each once. */
struct tables {
	const struct model *m;
	unsigned s;
	uint64_t pa[MAX_TABLES];
	unsigned count;
	uint64_t level[PT_MAX_LEVELS]; /* tables in the tree of space s, shared ones excluded */
	uint64_t deposits;             /* in that tree */
	uint64_t leaf_bytes;
};

static uint64_t ring_length(const struct ptdesc *pmd)
{
	const struct ptdesc *pt = pmd->pmd_huge_pte;
	uint64_t n = 0;

	if (!pt)
		return 0;
	do {
		n++;
		pt = pt->pt_list.next;
	} while (pt != pmd->pmd_huge_pte);
	return n;
}

/* A linked table's descriptor is its own and says what it is. */
static const struct ptdesc *check_descriptor(const struct model *m, uint64_t va, uint64_t pa,
    unsigned level)
{
	const struct ptdesc *pt = ptdesc_from_pa(m->port.memory, pt_make_pa(pa));
	unsigned top = m->format->levels - 1u;

	if (!pt || ptdesc_pa(m->port.memory, pt).v != pa || ptdesc_level(pt) != level)
		model_fail(m, "table at va %#llx level %u has no descriptor of its own",
		    (unsigned long long)va, level);
	if (pt->lock || pt->dead)
		model_fail(m, "table at va %#llx level %u is %s", (unsigned long long)va, level,
		    pt->lock ? "locked" : "dead");
	if (level != top && !pt->shared && ptdesc_base(pt) != va)
		model_fail(m, "table at va %#llx level %u has base %#llx", (unsigned long long)va,
		    level, (unsigned long long)ptdesc_base(pt));
	return pt;
}

static int see_table(void *ctx, uint64_t va, uint64_t pa, unsigned level)
{
	struct tables *t = ctx;
	const struct model *m = t->m;
	const struct ptdesc *pt = check_descriptor(m, va, pa, level);

	if (!pt->shared || pt->space == &m->space[t->s]) {
		t->level[level]++;
		t->deposits += ring_length(pt);
	}
	for (unsigned i = 0; i < t->count; i++)
		if (t->pa[i] == pa)
			return pt->shared ? 0 : 1;
	if (t->count == MAX_TABLES)
		model_fail(m, "too many tables");
	t->pa[t->count++] = pa;
	return 0;
}

static int see_leaf(void *ctx, const struct ref_result *leaf)
{
	struct tables *t = ctx;

	t->leaf_bytes += leaf->size;
	return 0;
}

static uint64_t mapped_bytes(const struct model *m, unsigned s)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < m->pages; i++)
		pages += m->page[s][i].mapped;
	return pages * model_page_size(m);
}

/* The tree of one space, by the reference walker, against pt_space_stats. */
static void count_space(struct model *m, struct tables *t, unsigned s)
{
	struct ref_visitor visitor = {see_table, see_leaf, t};
	struct pt_space_stats stats;
	enum ref_status status;

	memset(t->level, 0, sizeof(t->level));
	t->s = s;
	t->deposits = 0;
	t->leaf_bytes = 0;
	status = soft_mmu_visit(&m->mmu, &m->space[s], &visitor);
	if (status != REF_OK)
		model_fail(m, "space %u: the reference ends with %d", s, (int)status);
	if (t->leaf_bytes != mapped_bytes(m, s))
		model_fail(m, "space %u: leaves of %#llx bytes, expected %#llx", s,
		    (unsigned long long)t->leaf_bytes, (unsigned long long)mapped_bytes(m, s));
	pt_space_stats(&m->space[s], &stats);
	t->level[0] += t->deposits;
	for (unsigned l = 0; l < m->format->levels; l++)
		if (stats.tables[l] != t->level[l])
			model_fail(m, "space %u level %u: %llu tables charged, %llu in the tree", s,
			    l, (unsigned long long)stats.tables[l],
			    (unsigned long long)t->level[l]);
}

static void count_tables(struct model *m)
{
	static struct tables t;
	struct pt_memory_stats stats;
	uint64_t deposits = 0;

	t.m = m;
	t.count = 0;
	for (unsigned s = 0; s < MODEL_SPACES; s++) {
		count_space(m, &t, s);
		deposits += t.deposits;
	}
	pt_memory_stats(m->port.memory, &stats);
	if (stats.tables != t.count + deposits)
		model_fail(m, "%llu tables in the memory, %u linked and %llu deposited",
		    (unsigned long long)stats.tables, t.count, (unsigned long long)deposits);
}

void model_compare_all(struct model *m)
{
	struct pt_fault_report report;
	const void *byte;

	for (unsigned s = 0; s < MODEL_SPACES; s++) {
		if (pt_check(&m->space[s], &report))
			model_fail(m, "space %u: pt_check: %s, va %#llx level %u entry %#llx", s,
			    report.what, (unsigned long long)report.va.v, report.level,
			    (unsigned long long)report.entry);
		for (unsigned w = 0; w < m->windows; w++)
			model_walk(m, s, (struct span){w * m->window_pages, m->window_pages});
		for (unsigned i = 0; i < m->pages; i++)
			compare_reference(m, s, i);
	}
	model_compare(m, (struct span){0, m->pages});
	count_tables(m);
	byte = test_port_unwritten(&m->port);
	if (byte)
		model_fail(m, "a store at %p of the arena was not written back", byte);
}

/* Which tables may not be there. */
struct forbidden {
	const struct model *m;
	uint64_t va;
	uint64_t last;
	uint64_t floor; /* prune: the table's range lies within [floor, ceiling] */
	uint64_t ceiling;
	bool prune;
};

/* Should pt_prune have freed a table of [va, last]. */
static bool is_pruned(const struct forbidden *f, const struct ptdesc *pt, uint64_t va,
    uint64_t last)
{
	return !pt->used && !pt->shared && va >= f->floor && last <= f->ceiling;
}

/* Should pt_unmap have. */
static bool is_unmapped(const struct forbidden *f, const struct ptdesc *pt, uint64_t va,
    uint64_t last, unsigned level)
{
	return (va >= f->va && last <= f->last) || (!level && !pt->used);
}

static int see_forbidden(void *ctx, uint64_t va, uint64_t pa, unsigned level)
{
	const struct forbidden *f = ctx;
	const struct pt_format *format = f->m->format;
	unsigned shift = pt_format_shift(format, level) + format->bits[level];
	uint64_t last = va | ((UINT64_C(1) << shift) - 1);
	const struct ptdesc *pt = ptdesc_from_pa(f->m->port.memory, pt_make_pa(pa));
	bool overlaps = va <= f->last && last >= f->va;

	if (level == format->levels - 1u || !overlaps)
		return 0;
	if (f->prune ? is_pruned(f, pt, va, last) : is_unmapped(f, pt, va, last, level))
		model_fail(f->m, "table at va %#llx level %u should have gone",
		    (unsigned long long)va, level);
	return 0;
}

static void forbid(struct model *m, unsigned s, struct span span, struct forbidden *f)
{
	struct ref_visitor visitor = {see_forbidden, NULL, f};

	f->m = m;
	f->va = model_va(m, span.first);
	f->last = f->va + (span.count * model_page_size(m) - 1);
	if (soft_mmu_visit(&m->mmu, &m->space[s], &visitor) != REF_OK)
		model_fail(m, "space %u: the reference finds a bad entry", s);
}

void model_no_empty(struct model *m, unsigned s, struct span span)
{
	struct forbidden f = {.prune = false};

	forbid(m, s, span, &f);
}

void model_pruned(struct model *m, unsigned s, struct span span, uint64_t floor, uint64_t last)
{
	struct forbidden f = {.prune = true, .floor = floor, .ceiling = last};

	forbid(m, s, span, &f);
}

void model_populated(struct model *m, unsigned s, struct span span, unsigned level)
{
	for (unsigned i = span.first; i < span.first + span.count; i++) {
		struct pt_entry_info info;
		unsigned at = soft_mmu_entry(&m->mmu, &m->space[s], model_va(m, i), level, &info);

		if (at != level && info.kind != PT_ENTRY_LEAF)
			model_fail(m, "page %u: no table of level %u", i, level);
	}
}
