/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What an operation is given: chosen at random, near what matters. */
#include "tests/unit/model_ops.h"

unsigned pick_space(struct model *m)
{
	return (unsigned)model_random(m, MODEL_SPACES);
}

/* Sizes that matter: one page, some pages, whole entries of a level, everything. */
static unsigned pick_count(struct model *m)
{
	unsigned level = (unsigned)model_random(m, m->format->levels);
	uint64_t slot = model_slot_pages(m, level);
	uint64_t count;

	switch (model_random(m, 4)) {
	case 0:
		count = 1 + model_random(m, 3);
		break;
	case 1:
		count = 1 + model_random(m, 2 * slot);
		break;
	default:
		count = slot * (1 + model_random(m, 3));
		break;
	}
	return count > m->window_pages ? m->window_pages : (unsigned)count;
}

/* Often aligned to an entry of some level, so that large leaves and whole tables come up. */
struct span pick_span_of(struct model *m, unsigned count)
{
	uint64_t slot = model_slot_pages(m, (unsigned)model_random(m, m->format->levels));
	unsigned room = m->window_pages - count;
	unsigned first = (unsigned)model_random(m, room + 1u);
	struct span span;

	if (model_chance(m, 70))
		first -= (unsigned)(first % slot);
	span.first = (unsigned)model_random(m, m->windows) * m->window_pages + first;
	span.count = count;
	return span;
}

/* The MMU has been there already. */
static void walk_ahead(struct model *m, struct span span)
{
	uint64_t walks = m->flags & PT_SPACE_MMU ? model_random(m, 32) : 0;

	for (uint64_t i = 0; i < walks; i++) {
		unsigned page = span.first + (unsigned)model_random(m, span.count);

		soft_mmu_ahead(&m->mmu, &m->space[model_random(m, MODEL_SPACES)],
		    model_va(m, page));
	}
}

struct span pick_span(struct model *m)
{
	struct span span = pick_span_of(m, pick_count(m));

	walk_ahead(m, span);
	return span;
}

pt_attr pick_attr(struct model *m)
{
	return m->attr[model_random(m, m->attrs)];
}

/* Bytes of the largest leaf of which some fit into so many address bits. */
static uint64_t largest_leaf(const struct model *m, unsigned bits)
{
	unsigned l = m->format->levels - 1u;

	while (l && (!(m->format->leaves >> l & 1) || pt_format_shift(m->format, l) + 2 > bits))
		l--;
	return UINT64_C(1) << pt_format_shift(m->format, l);
}

/* Memory that lies in its large leaves as the address does, or anyhow. */
uint64_t pick_pa(struct model *m, struct span span)
{
	uint64_t size = span.count * model_page_size(m);
	uint64_t va = model_va(m, span.first);
	unsigned bits = m->format->pa_bits > 40 ? 40 : m->format->pa_bits;
	uint64_t align = largest_leaf(m, bits);
	uint64_t room = (UINT64_C(1) << bits) - size - align;
	uint64_t pa = model_random(m, room);

	if (model_chance(m, 75))
		return (pa & ~(align - 1)) | (va & (align - 1));
	return pa & ~(model_page_size(m) - 1);
}

/* Some of a call's flags. */
uint32_t pick_flags(struct model *m, uint32_t known)
{
	uint32_t flags = (uint32_t)model_random(m, UINT64_C(1) << 32) & known;

	return model_chance(m, 50) ? flags : flags & (uint32_t)model_random(m, UINT64_C(1) << 32);
}

/* A page that is mapped, mostly. */
unsigned pick_page(struct model *m, unsigned s)
{
	unsigned start = (unsigned)model_random(m, m->pages);

	for (unsigned i = 0; i < m->pages; i++)
		if (m->page[s][(start + i) % m->pages].mapped && model_chance(m, 90))
			return (start + i) % m->pages;
	return start;
}
