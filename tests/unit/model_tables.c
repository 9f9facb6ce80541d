/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Operations on tables: taken apart, put together, filled, freed. */
#include "tests/unit/model_ops.h"

struct span step_split(struct model *m)
{
	unsigned s = pick_space(m);
	struct span span = pick_span(m);
	unsigned target = (unsigned)model_random(m, m->format->levels - 1u);
	uint32_t flags = pick_flags(m, PT_DEPOSIT | PT_MAY_SLEEP);
	int wanted = m->format->leaves >> target & 1 ? 0 : -PT_EINVAL;
	int err;

	m->mixed = model_any_truly(m, s, span);
	SAY(m, "split space %u pages %u+%u level %u flags %#x", s, span.first, span.count, target,
	    flags);
	err =
	    pt_split(&m->space[s], model_span_va(m, span), model_span_size(m, span), target, flags);
	if (!model_expect(m, err, wanted))
		return span;
	for (unsigned i = span.first; i < span.first + span.count; i++) {
		struct ref_result leaf;
		struct span pages;

		if (model_leaf(m, s, i, &leaf, &pages) && leaf.level > target)
			model_fail(m, "page %u is still mapped at level %u", i, leaf.level);
	}
	m->done[9]++;
	return span;
}

/* Is the table that holds an entry shared copy-on-write. */
static bool is_shared(const struct model *m, uint64_t entry_pa)
{
	return ptdesc_from_pa(m->port.memory, pt_make_pa(entry_pa))->shared;
}

/* Is page i from first on mapped as the first is, to the memory that follows. */
static bool is_alike(const struct model *m, const struct model_page *first, unsigned i)
{
	const struct model_page *p = &first[i];

	return p->mapped && p->pa == first->pa + i * model_page_size(m) &&
	       (p->attr.flags | AD) == (first->attr.flags | AD) &&
	       p->attr.format == first->attr.format;
}

/* Is a page mapped by a leaf of a level, in a table that is not shared. */
static bool is_part(struct model *m, unsigned s, unsigned page, unsigned level)
{
	struct ref_result leaf;
	struct span pages;

	return model_leaf(m, s, page, &leaf, &pages) && leaf.level == level &&
	       !is_shared(m, leaf.entry_pa);
}

/* Can the slot of a level around a page be put together: its first page, or 0 and false. */
static bool can_collapse(struct model *m, unsigned s, unsigned page, unsigned level,
    struct span *slot)
{
	uint64_t n = model_slot_pages(m, level);
	uint64_t offset = model_va(m, page) / model_page_size(m) % n;
	const struct model_page *first;

	if (n > m->window_pages)
		return false;
	slot->first = page - (unsigned)offset;
	slot->count = (unsigned)n;
	first = &m->page[s][slot->first];
	if (!first->mapped || first->pa % (n * model_page_size(m)) || first->truly)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!is_alike(m, first, i) || !is_part(m, s, slot->first + i, level - 1))
			return false;
	return true;
}

struct span step_collapse(struct model *m)
{
	unsigned s = pick_space(m);
	unsigned page = pick_page(m, s);
	unsigned level = 1 + (unsigned)model_random(m, m->format->levels - 1u);
	uint32_t flags = pick_flags(m, PT_DEPOSIT | PT_MAY_SLEEP);
	struct span slot = {page, 1};
	bool can = can_collapse(m, s, page, level, &slot);
	int wanted = !(m->format->leaves >> level & 1) ? -PT_EINVAL : can ? 0 : -PT_ENOENT;
	uint32_t ad = 0;
	int err;

	SAY(m, "collapse space %u page %u level %u flags %#x", s, page, level, flags);
	err = pt_collapse(&m->space[s], pt_make_va(model_va(m, page)), level, flags);
	if (!model_expect(m, err, wanted))
		return slot;
	for (unsigned i = 0; i < slot.count; i++)
		ad |= m->page[s][slot.first + i].attr.flags & AD;
	model_set_ad(m, s, slot, ad, 0);
	m->done[10]++;
	return slot;
}

struct span step_populate(struct model *m)
{
	unsigned s = pick_space(m);
	struct span span = pick_span(m);
	unsigned level = (unsigned)model_random(m, m->format->levels);
	int err;

	SAY(m, "populate space %u pages %u+%u level %u", s, span.first, span.count, level);
	err = pt_populate(&m->space[s], model_span_va(m, span), model_span_size(m, span), level,
	    pick_flags(m, PT_MAY_SLEEP));
	if (!model_expect(m, err, 0))
		return span;
	if (!model_any_truly(m, s, span))
		model_populated(m, s, span, level);
	m->done[11]++;
	return span;
}

struct span step_prune(struct model *m)
{
	unsigned s = pick_space(m);
	struct span span = pick_span(m);
	uint64_t va = model_va(m, span.first);
	uint64_t last = va + (model_span_size(m, span) - 1);
	uint64_t floor = model_chance(m, 50) ? va : 0;
	uint64_t ceiling = model_chance(m, 50) ? last + 1 : 0;
	int err;

	SAY(m, "prune space %u pages %u+%u floor %#llx ceiling %#llx", s, span.first, span.count,
	    (unsigned long long)floor, (unsigned long long)ceiling);
	err = pt_prune(&m->space[s], model_span_va(m, span), model_span_size(m, span),
	    pt_make_va(floor), pt_make_va(ceiling));
	if (!model_expect(m, err, 0))
		return span;
	model_pruned(m, s, span, floor, ceiling - 1);
	m->done[12]++;
	return span;
}
