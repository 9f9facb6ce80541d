/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Operations on two ranges or two spaces. */
#include "tests/unit/model_ops.h"

/* A page of the source was copied. */
static void copy_page(struct model *m, unsigned src, unsigned dst, unsigned i, uint32_t flags)
{
	struct model_page *from = &m->page[src][i];
	struct ref_result a;
	struct ref_result b;

	if (!from->mapped)
		return;
	if (flags & PT_COW)
		from->attr.flags &= ~(uint32_t)PT_WRITE;
	model_set_page(m, dst, i, from->pa, from->attr);
	if (soft_mmu_walk(&m->mmu, &m->space[src], model_va(m, i), &a) != REF_OK ||
	    soft_mmu_walk(&m->mmu, &m->space[dst], model_va(m, i), &b) != REF_OK ||
	    a.entry_pa != b.entry_pa)
		m->page[dst][i].attr.flags &= ~AD;
}

/* What a copy of a range says; the space made first is looked at first. */
static int copy_error(const struct model *m, unsigned src, unsigned dst, struct span span)
{
	int from = model_any_truly(m, src, span) ? -PT_ESPLIT : 0;
	int to = model_occupied(m, dst, span);

	if (m->space[src].id < m->space[dst].id)
		return from ? from : to;
	return to ? to : from;
}

struct span step_copy(struct model *m)
{
	unsigned src = pick_space(m);
	unsigned dst = (src + 1 + (unsigned)model_random(m, MODEL_SPACES - 1)) % MODEL_SPACES;
	struct span span = pick_span(m);
	struct span rest = span;
	uint32_t flags = pick_flags(m,
	    PT_COW | PT_SHARE | PT_DEPOSIT | PT_KEEP_TABLES | PT_MAY_SLEEP | PT_PIECEWISE);
	int wanted = 0;
	int err;

	if (flags & PT_SHARE)
		flags |= PT_COW;
	SAY(m, "copy space %u to %u pages %u+%u flags %#x", src, dst, span.first, span.count,
	    flags);
	err = pt_copy(&m->space[dst], &m->space[src], model_span_va(m, span),
	    model_span_size(m, span), flags);
	while (!wanted && rest.count) {
		struct span piece = model_piece(m, rest, flags);

		wanted = copy_error(m, src, dst, piece);
		for (unsigned i = 0; !wanted && i < piece.count; i++)
			copy_page(m, src, dst, piece.first + i, flags);
		rest.first += piece.count;
		rest.count -= piece.count;
	}
	m->done[13] += model_expect(m, err, wanted);
	return span;
}

/* What a move says; the lower range is looked at first. */
static int move_error(const struct model *m, unsigned s, struct span from, struct span to)
{
	int source = model_any_truly(m, s, from) ? -PT_ESPLIT : 0;
	int target = model_occupied(m, s, to);

	if (from.first < to.first + to.count && to.first < from.first + from.count)
		return -PT_EINVAL;
	if (model_va(m, from.first) < model_va(m, to.first))
		return source ? source : target;
	return target ? target : source;
}

struct span step_move(struct model *m)
{
	unsigned s = pick_space(m);
	struct span from = pick_span(m);
	struct span to = pick_span_of(m, from.count);
	uint32_t flags = pick_flags(m, PT_DEPOSIT | PT_KEEP_TABLES | PT_MAY_SLEEP);
	bool any = false;
	int err;

	SAY(m, "move space %u pages %u+%u to %u flags %#x", s, from.first, from.count, to.first,
	    flags);
	err = pt_move(&m->space[s], model_span_va(m, from), model_span_size(m, from),
	    model_span_va(m, to), flags);
	if (!model_expect(m, err, move_error(m, s, from, to)))
		return from;
	for (unsigned i = 0; i < from.count; i++) {
		struct model_page *p = &m->page[s][from.first + i];

		if (p->mapped)
			model_set_page(m, s, to.first + i, p->pa, p->attr);
		any |= p->mapped;
		p->mapped = false;
	}
	model_compare(m, to);
	/* The table that covers both ranges stays, also when it is empty because nothing moved. */
	if (any && !(flags & PT_KEEP_TABLES))
		model_pruned(m, s, from, 0, UINT64_MAX);
	m->done[14]++;
	return from;
}

/* What a space has at level 2 for a page: may its table be shared, is there nothing. */
static int shareable(const struct model *m, unsigned s, unsigned page, bool source)
{
	struct pt_entry_info info;
	unsigned level = soft_mmu_entry(&m->mmu, &m->space[s], model_va(m, page), 2, &info);
	struct ptdesc *pt;

	if (!source)
		return info.kind == PT_ENTRY_EMPTY ? 0 : -PT_EEXIST;
	if (level != 2 || info.kind != PT_ENTRY_TABLE)
		return -PT_ENOENT;
	pt = ptdesc_from_pa(m->port.memory, info.pa);
	for (unsigned i = 0; i < 1u << m->format->bits[1]; i++) {
		uint64_t va = model_va(m, page);
		uint64_t slot = UINT64_C(1) << pt_format_shift(m->format, 2);

		va = (va & ~(slot - 1)) +
		     (uint64_t)i * (UINT64_C(1) << pt_format_shift(m->format, 1));
		(void)soft_mmu_entry(&m->mmu, &m->space[s], va, 1, &info);
		if (info.kind == PT_ENTRY_TABLE)
			return -PT_ESPLIT;
	}
	return pt->pmd_huge_pte ? -PT_ESPLIT : 0;
}

/* Large leaves in one space, nothing in the other: what sharing wants. */
static void make_shareable(struct model *m, unsigned src, unsigned dst, struct span slot)
{
	uint64_t large = model_slot_pages(m, 1);
	uint64_t pa = pick_pa(m, slot) & ~(2 * large * model_page_size(m) - 1);

	unmap_span(m, dst, slot, 0);
	model_expect(m,
	    pt_prune(&m->space[dst], model_span_va(m, slot), model_span_size(m, slot),
		pt_make_va(0), pt_make_va(0)),
	    0);
	if (!model_truly_cut(m, src, slot))
		unmap_span(m, src, slot, 0);
	/* Not aligned to an entry of level 2: leaves of level 1. */
	map_span(m, src, slot, pa | large * model_page_size(m), 0);
}

struct span step_share(struct model *m)
{
	unsigned src = pick_space(m);
	unsigned dst = (src + 1 + (unsigned)model_random(m, MODEL_SPACES - 1)) % MODEL_SPACES;
	unsigned page = pick_page(m, src);
	struct span span = model_truly_span(m, page);
	int from;
	int to;
	int err;

	if (m->format->levels >= 3 && model_chance(m, 70))
		make_shareable(m, src, dst, span);

	SAY(m, "share_table space %u to %u page %u", src, dst, page);
	if (m->format->levels < 3) {
		err = pt_share_table(&m->space[dst], &m->space[src], pt_make_va(model_va(m, page)),
		    0);
		model_expect(m, err, -PT_ENOTSUP);
		return span;
	}
	from = shareable(m, src, page, true);
	to = shareable(m, dst, page, false);
	err = pt_share_table(&m->space[dst], &m->space[src], pt_make_va(model_va(m, page)),
	    pick_flags(m, PT_MAY_SLEEP));
	if (from && err == to)
		from = to;
	if (!model_expect(m, err, from ? from : to))
		return span;
	for (unsigned i = span.first; i < span.first + span.count; i++) {
		m->page[src][i].truly = true;
		m->page[dst][i] = m->page[src][i];
	}
	m->done[15]++;
	return span;
}

struct span step_unshare(struct model *m)
{
	unsigned s = pick_space(m);
	unsigned page = (unsigned)model_random(m, m->pages);
	struct span span = {page, 1};
	int wanted;
	int err;

	for (unsigned i = 0; i < m->pages && !m->page[s][page].truly; i++)
		page = (page + 1) % m->pages;
	SAY(m, "unshare_table space %u page %u", s, page);
	wanted = m->page[s][page].truly ? 0 : -PT_ENOENT;
	if (m->format->levels < 3)
		wanted = -PT_ENOTSUP;
	err = pt_unshare_table(&m->space[s], pt_make_va(model_va(m, page)), NULL);
	if (!model_expect(m, err, wanted))
		return span;
	span = model_truly_span(m, page);
	for (unsigned i = span.first; i < span.first + span.count; i++) {
		m->page[s][i].truly = false;
		m->page[s][i].mapped = false;
	}
	m->done[16]++;
	return span;
}
