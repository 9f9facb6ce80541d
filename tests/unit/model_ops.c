/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Random operations, on the model and on the library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ptdesc/kernel.h>
#include "tests/unit/model.h"

#define AD ((uint32_t)(PT_ACCESSED | PT_DIRTY))

/* Says what is about to be done: for a failure's message, and for --trace. */
#define SAY(m, ...)                                                                                \
	do {                                                                                       \
		snprintf((m)->what, sizeof((m)->what), __VA_ARGS__);                               \
		if ((m)->trace)                                                                    \
			fprintf(stderr, "%llu: %s\n", (unsigned long long)(m)->ops, (m)->what);    \
	} while (0)

/* The library's answer is the one foretold. */
static bool expect(struct model *m, int err, int wanted)
{
	if (err == -PT_ESPLIT && m->mixed)
		return false;
	if (err != wanted)
		model_fail(m, "says %d (%s), expected %d", err, pt_strerror(err), wanted);
	return !err;
}

/* --- choosing ------------------------------------------------------------------------------- */

static unsigned any_space(struct model *m)
{
	return (unsigned)model_random(m, MODEL_SPACES);
}

/* Sizes that matter: one page, some pages, whole entries of a level, everything. */
static unsigned any_count(struct model *m)
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
static struct span any_span_of(struct model *m, unsigned count)
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
	for (unsigned i = 0; m->flags & PT_SPACE_MMU && i < 20; i++) {
		unsigned page = span.first + (unsigned)model_random(m, span.count);

		soft_mmu_ahead(&m->mmu, &m->space[model_random(m, MODEL_SPACES)],
		    model_va(m, page));
	}
}

static struct span any_span(struct model *m)
{
	struct span span = any_span_of(m, any_count(m));

	walk_ahead(m, span);
	return span;
}

static pt_attr any_attr(struct model *m)
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
static uint64_t any_pa(struct model *m, struct span span)
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
static uint32_t any_flags(struct model *m, uint32_t known)
{
	uint32_t flags = (uint32_t)model_random(m, UINT64_C(1) << 32) & known;

	return model_chance(m, 50) ? flags : flags & (uint32_t)model_random(m, UINT64_C(1) << 32);
}

/* --- the model ------------------------------------------------------------------------------ */

static pt_va va_of(const struct model *m, struct span span)
{
	return pt_make_va(model_va(m, span.first));
}

static uint64_t size_of(const struct model *m, struct span span)
{
	return span.count * model_page_size(m);
}

/* Cuts off what a piecewise call works on next. */
static struct span next_piece(const struct model *m, struct span span, uint32_t flags)
{
	uint64_t slot = model_slot_pages(m, m->format->levels > 2 ? 2 : 1);
	uint64_t offset = model_va(m, span.first) / model_page_size(m) % slot;

	if (flags & PT_PIECEWISE && span.count > slot - offset)
		span.count = (unsigned)(slot - offset);
	return span;
}

static bool any_truly(const struct model *m, unsigned s, struct span span)
{
	for (unsigned i = span.first; i < span.first + span.count; i++)
		if (m->page[s][i].truly)
			return true;
	return false;
}

/* The pages of the truly shared table that a page lies below. */
static struct span truly_span(const struct model *m, unsigned page)
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
	struct span slot = truly_span(m, page);

	return slot.count == model_slot_pages(m, 2) && slot.first >= span.first &&
	       slot.first + slot.count <= span.first + span.count;
}

/* Truly shared tables that a call may take out of a space whole, but not in part. */
static int truly_cut(const struct model *m, unsigned s, struct span span)
{
	for (unsigned i = span.first; i < span.first + span.count; i++)
		if (m->page[s][i].truly && !covers_truly(m, i, span))
			return -PT_ESPLIT;
	return 0;
}

/* What a call that wants the range empty says. */
static int occupied(const struct model *m, unsigned s, struct span span)
{
	for (unsigned i = span.first; i < span.first + span.count; i++) {
		const struct model_page *p = &m->page[s][i];
		struct span slot;

		if (p->mapped)
			return -PT_EEXIST;
		if (!p->truly)
			continue;
		slot = truly_span(m, i);
		for (unsigned j = i; j < slot.first + slot.count && j < span.first + span.count;
		    j++)
			if (m->page[s][j].mapped)
				return -PT_EEXIST;
		return -PT_ESPLIT;
	}
	return 0;
}

/* Who sees a page of a space: the space, and those that share the table. */
static bool sees(const struct model *m, unsigned o, unsigned s, unsigned page)
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

static void set_page(struct model *m, unsigned s, unsigned page, uint64_t pa, pt_attr attr)
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
static void drop_page(struct model *m, unsigned s, unsigned page)
{
	struct model_page *p = &m->page[s][page];

	p->truly = false;
	if (!p->mapped)
		return;
	p->mapped = false;
	add_frame(&m->want, p->pa, p->attr.flags & PT_ACCESSED, p->attr.flags & PT_DIRTY);
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

static struct pt_gather *make_gather(struct model *m)
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
static void check_gather(struct model *m)
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

/* --- mapping -------------------------------------------------------------------------------- */

#define MAP_FLAGS (PT_SMALL | PT_DEPOSIT | PT_RELAX | PT_MAY_SLEEP | PT_PIECEWISE)

/* Maps in the model as far as a call gets; its answer. */
static int model_map(struct model *m, unsigned s, struct span span, uint64_t pa, const pt_pa *list,
    pt_attr attr, uint32_t flags)
{
	while (span.count) {
		struct span piece = next_piece(m, span, flags);
		int err = occupied(m, s, piece);

		if (err)
			return err;
		for (unsigned i = 0; i < piece.count; i++, pa += model_page_size(m))
			set_page(m, s, piece.first + i, list ? list++->v : pa, attr);
		span.first += piece.count;
		span.count -= piece.count;
	}
	return 0;
}

/* An attribute that the format may not be able to say, and what it then becomes. */
static pt_attr odd_attr(struct model *m, uint32_t flags, pt_attr *becomes, int *err)
{
	pt_attr attr = any_attr(m);
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

static void map(struct model *m, unsigned s, struct span span, uint64_t pa, uint32_t flags)
{
	pt_attr attr = any_attr(m);
	pt_attr becomes = attr;
	int wanted = 0;
	int err;

	if (model_chance(m, 5))
		attr = odd_attr(m, flags, &becomes, &wanted);
	SAY(m, "map space %u pages %u+%u pa %#llx attr %#x %#x flags %#x", s, span.first,
	    span.count, (unsigned long long)pa, attr.flags, attr.format, flags);
	err = pt_map(&m->space[s], va_of(m, span), size_of(m, span), pt_make_pa(pa), attr, flags);
	if (!wanted)
		wanted = model_map(m, s, span, pa, NULL, becomes, flags);
	m->done[0] += expect(m, err, wanted);
}

static struct span step_map(struct model *m)
{
	unsigned s = any_space(m);
	struct span span = any_span(m);
	uint64_t pa = any_pa(m, span);

	map(m, s, span, pa, any_flags(m, MAP_FLAGS));
	return span;
}

static struct span step_map_list(struct model *m)
{
	static pt_pa list[2048];
	unsigned s = any_space(m);
	struct span span = any_span(m);
	uint32_t flags = any_flags(m, MAP_FLAGS);
	pt_attr attr = any_attr(m);
	uint64_t pa = any_pa(m, span);
	int wanted;
	int err;

	if (span.count > 2048)
		span.count = 2048;
	for (unsigned i = 0; i < span.count; i++) {
		if (model_chance(m, 50))
			pa = any_pa(m, span);
		list[i].v = pa;
		pa += model_page_size(m);
	}
	SAY(m, "map_list space %u pages %u+%u flags %#x", s, span.first, span.count, flags);
	err = pt_map_list(&m->space[s], va_of(m, span), list, span.count, attr, flags);
	wanted = model_map(m, s, span, 0, list, attr, flags);
	m->done[1] += expect(m, err, wanted);
	return span;
}

static struct span step_cursor(struct model *m)
{
	struct pt_cursor cursor;
	unsigned s = any_space(m);
	struct span span = any_span_of(m, 1 + (unsigned)model_random(m, 2 * PT_CURSOR_PAGES));
	pt_attr attr = any_attr(m);
	uint64_t pa = any_pa(m, span);
	unsigned done = 0;
	int wanted = 0;
	int err = 0;

	SAY(m, "cursor space %u pages %u+%u", s, span.first, span.count);
	pt_cursor_open(&cursor, &m->space[s], va_of(m, span), attr, 0);
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
	m->done[2] += expect(m, err, wanted);
	return span;
}

static struct span step_replace(struct model *m)
{
	unsigned s = any_space(m);
	struct span span = any_span(m);
	uint64_t pa = any_pa(m, span);
	uint32_t flags = any_flags(m, PT_SMALL | PT_DEPOSIT | PT_MAY_SLEEP);
	pt_attr attr = any_attr(m);
	struct pt_gather *gather = make_gather(m);
	int err;

	SAY(m, "map_replace space %u pages %u+%u pa %#llx flags %#x capacity %zu", s, span.first,
	    span.count, (unsigned long long)pa, flags, gather->capacity);
	err = pt_map_replace(&m->space[s], va_of(m, span), size_of(m, span), pt_make_pa(pa), attr,
	    flags, gather);
	if (!expect(m, err, truly_cut(m, s, span)))
		return span;
	for (unsigned i = 0; i < span.count; i++)
		drop_page(m, s, span.first + i);
	(void)model_map(m, s, span, pa, NULL, attr, 0);
	check_gather(m);
	m->done[3]++;
	return span;
}

static void unmap(struct model *m, unsigned s, struct span span, uint32_t flags)
{
	struct pt_gather *gather = make_gather(m);
	int wanted = truly_cut(m, s, span);
	int err;

	if (any_truly(m, s, span))
		flags &= ~(uint32_t)PT_PIECEWISE;
	SAY(m, "unmap space %u pages %u+%u flags %#x capacity %zu", s, span.first, span.count,
	    flags, gather->capacity);
	err = pt_unmap(&m->space[s], va_of(m, span), size_of(m, span), flags, gather);
	if (!expect(m, err, wanted))
		return;
	for (unsigned i = 0; i < span.count; i++)
		drop_page(m, s, span.first + i);
	check_gather(m);
	if (!(flags & (PT_KEEP_TABLES | PT_PIECEWISE)))
		model_no_empty(m, s, span);
	m->done[4]++;
}

static struct span step_unmap(struct model *m)
{
	unsigned s = any_space(m);
	struct span span = any_span(m);

	unmap(m, s, span, any_flags(m, PT_KEEP_TABLES | PT_DEPOSIT | PT_MAY_SLEEP | PT_PIECEWISE));
	return span;
}

/* --- changing ------------------------------------------------------------------------------- */

static struct span step_protect(struct model *m)
{
	unsigned s = any_space(m);
	struct span span = any_span(m);
	uint32_t flags = any_flags(m, PT_DEPOSIT | PT_RELAX | PT_MAY_SLEEP | PT_PIECEWISE);
	pt_attr attr = any_attr(m);
	int err;

	m->mixed = any_truly(m, s, span);
	if (m->mixed)
		flags &= ~(uint32_t)PT_PIECEWISE;
	SAY(m, "protect space %u pages %u+%u attr %#x %#x flags %#x", s, span.first, span.count,
	    attr.flags, attr.format, flags);
	err = pt_protect(&m->space[s], va_of(m, span), size_of(m, span), attr, flags);
	if (!expect(m, err, 0))
		return span;
	for (unsigned i = span.first; i < span.first + span.count; i++) {
		for (unsigned o = 0; o < MODEL_SPACES; o++) {
			struct model_page *p = &m->page[o][i];

			if (!p->mapped || !sees(m, o, s, i))
				continue;
			p->attr.flags = (attr.flags & ~AD) | (p->attr.flags & AD);
			p->attr.format = attr.format;
		}
	}
	m->done[5]++;
	return span;
}

/* Sets or clears accessed and dirty of pages of a leaf, for all who see it. */
static void set_ad(struct model *m, unsigned s, struct span pages, uint32_t set, uint32_t clear)
{
	for (unsigned o = 0; o < MODEL_SPACES; o++) {
		if (!sees(m, o, s, pages.first))
			continue;
		for (unsigned i = pages.first; i < pages.first + pages.count; i++) {
			uint32_t *flags = &m->page[o][i].attr.flags;

			*flags = (*flags & ~clear) | set;
		}
	}
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
		set_ad(m, s, pages, ad, 0);
	}
}

static struct span step_set_memory(struct model *m)
{
	static const uint32_t rights[] = {PT_WRITE, PT_EXEC, PT_WRITE | PT_EXEC};
	unsigned s = any_space(m);
	struct span span = any_span(m);
	uint32_t set = rights[model_random(m, 3)] & (uint32_t)-model_random(m, 2);
	uint32_t clear = rights[model_random(m, 3)] & ~set;
	int err;

	m->mixed = any_truly(m, s, span);
	SAY(m, "set_memory space %u pages %u+%u set %#x clear %#x", s, span.first, span.count, set,
	    clear);
	err = pt_set_memory(&m->space[s], va_of(m, span), size_of(m, span), set, clear, 0);
	if (!(m->flags & PT_SPACE_KERNEL) || !(set | clear)) {
		expect(m, err, -PT_EINVAL);
		return span;
	}
	if (!expect(m, err, 0))
		return span;
	for (unsigned i = span.first; i < span.first + span.count; i++)
		for (unsigned o = 0; o < MODEL_SPACES; o++)
			if (m->page[o][i].mapped && sees(m, o, s, i))
				m->page[o][i].attr = modified(m, m->page[o][i].attr, set, clear);
	merge_ad(m, s, span);
	m->done[20]++;
	return span;
}

static struct span step_age(struct model *m)
{
	unsigned s = any_space(m);
	struct span span = any_span(m);
	struct span next = {span.first, 1};
	uint64_t wanted = 0;
	uint64_t young;
	int err;

	m->mixed = any_truly(m, s, span);
	SAY(m, "age space %u pages %u+%u", s, span.first, span.count);
	/* Leaves larger than the range become old as a whole. */
	while (next.first < span.first + span.count) {
		struct span pages = next;
		struct ref_result leaf;

		if (model_leaf(m, s, next.first, &leaf, &pages)) {
			if (m->page[s][next.first].attr.flags & PT_ACCESSED)
				wanted += leaf.size;
		}
		next.first = pages.first + pages.count;
	}
	err = pt_age(&m->space[s], va_of(m, span), size_of(m, span), &young);
	if (!expect(m, err, 0))
		return span;
	if (young != wanted)
		model_fail(m, "%#llx bytes were young, expected %#llx", (unsigned long long)young,
		    (unsigned long long)wanted);
	next.first = span.first;
	while (next.first < span.first + span.count) {
		struct span pages = next;
		struct ref_result leaf;

		if (model_leaf(m, s, next.first, &leaf, &pages))
			set_ad(m, s, pages, 0, PT_ACCESSED);
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

static struct span step_dirty(struct model *m)
{
	unsigned s = any_space(m);
	struct dirty d = {.m = m, .s = s, .span = any_span(m)};
	bool call = model_chance(m, 70);
	uint64_t wanted;
	uint64_t bytes;
	int err;

	m->mixed = any_truly(m, s, d.span);
	SAY(m, "dirty space %u pages %u+%u", s, d.span.first, d.span.count);
	wanted = dirty_bytes(m, s, d.span);
	err = pt_dirty(&m->space[s], va_of(m, d.span), size_of(m, d.span), call ? on_dirty : NULL,
	    &d, &bytes);
	if (!expect(m, err, 0))
		return d.span;
	if (bytes != wanted || (call && d.bytes != wanted))
		model_fail(m, "%#llx bytes were dirty, %#llx told of, expected %#llx",
		    (unsigned long long)bytes, (unsigned long long)d.bytes,
		    (unsigned long long)wanted);
	for (unsigned i = d.span.first; i < d.span.first + d.span.count; i++)
		if (m->page[s][i].mapped)
			set_ad(m, s, (struct span){i, 1}, 0, PT_DIRTY);
	m->done[7]++;
	return d.span;
}

/* A page that is mapped, mostly. */
static unsigned any_page(struct model *m, unsigned s)
{
	unsigned start = (unsigned)model_random(m, m->pages);

	for (unsigned i = 0; i < m->pages; i++)
		if (m->page[s][(start + i) % m->pages].mapped && model_chance(m, 90))
			return (start + i) % m->pages;
	return start;
}

/* Whose entry is the same: accessed and dirty that an MMU sets show in all of them. */
static void touch(struct model *m, const struct ref_result *leaf, struct span pages, uint32_t set)
{
	for (unsigned o = 0; o < MODEL_SPACES; o++) {
		struct ref_result other;

		if (!m->page[o][pages.first].mapped ||
		    soft_mmu_walk(&m->mmu, &m->space[o], model_va(m, pages.first), &other) !=
			REF_OK ||
		    other.entry_pa != leaf->entry_pa)
			continue;
		for (unsigned i = pages.first; i < pages.first + pages.count; i++)
			m->page[o][i].attr.flags |= set;
	}
}

/* An access that an MMU makes, or in a space without one what a fault handler asks. */
static struct span step_access(struct model *m)
{
	static const uint32_t kinds[] = {PT_READ, PT_WRITE, PT_READ | PT_WRITE, PT_EXEC};
	unsigned s = any_space(m);
	unsigned page = any_page(m, s);
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
			set_ad(m, s, pages, set, 0);
	}
	m->done[8] += expect(m, err, wanted);
	return pages;
}

/* --- tables --------------------------------------------------------------------------------- */

static struct span step_split(struct model *m)
{
	unsigned s = any_space(m);
	struct span span = any_span(m);
	unsigned target = (unsigned)model_random(m, m->format->levels - 1u);
	uint32_t flags = any_flags(m, PT_DEPOSIT | PT_MAY_SLEEP);
	int wanted = m->format->leaves >> target & 1 ? 0 : -PT_EINVAL;
	int err;

	m->mixed = any_truly(m, s, span);
	SAY(m, "split space %u pages %u+%u level %u flags %#x", s, span.first, span.count, target,
	    flags);
	err = pt_split(&m->space[s], va_of(m, span), size_of(m, span), target, flags);
	if (!expect(m, err, wanted))
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

static struct span step_collapse(struct model *m)
{
	unsigned s = any_space(m);
	unsigned page = any_page(m, s);
	unsigned level = 1 + (unsigned)model_random(m, m->format->levels - 1u);
	uint32_t flags = any_flags(m, PT_DEPOSIT | PT_MAY_SLEEP);
	struct span slot = {page, 1};
	bool can = can_collapse(m, s, page, level, &slot);
	int wanted = !(m->format->leaves >> level & 1) ? -PT_EINVAL : can ? 0 : -PT_ENOENT;
	uint32_t ad = 0;
	int err;

	SAY(m, "collapse space %u page %u level %u flags %#x", s, page, level, flags);
	err = pt_collapse(&m->space[s], pt_make_va(model_va(m, page)), level, flags);
	if (!expect(m, err, wanted))
		return slot;
	for (unsigned i = 0; i < slot.count; i++)
		ad |= m->page[s][slot.first + i].attr.flags & AD;
	set_ad(m, s, slot, ad, 0);
	m->done[10]++;
	return slot;
}

static struct span step_populate(struct model *m)
{
	unsigned s = any_space(m);
	struct span span = any_span(m);
	unsigned level = (unsigned)model_random(m, m->format->levels);
	int err;

	SAY(m, "populate space %u pages %u+%u level %u", s, span.first, span.count, level);
	err = pt_populate(&m->space[s], va_of(m, span), size_of(m, span), level,
	    any_flags(m, PT_MAY_SLEEP));
	if (!expect(m, err, 0))
		return span;
	if (!any_truly(m, s, span))
		model_populated(m, s, span, level);
	m->done[11]++;
	return span;
}

static struct span step_prune(struct model *m)
{
	unsigned s = any_space(m);
	struct span span = any_span(m);
	uint64_t va = model_va(m, span.first);
	uint64_t last = va + (size_of(m, span) - 1);
	uint64_t floor = model_chance(m, 50) ? va : 0;
	uint64_t ceiling = model_chance(m, 50) ? last + 1 : 0;
	int err;

	SAY(m, "prune space %u pages %u+%u floor %#llx ceiling %#llx", s, span.first, span.count,
	    (unsigned long long)floor, (unsigned long long)ceiling);
	err = pt_prune(&m->space[s], va_of(m, span), size_of(m, span), pt_make_va(floor),
	    pt_make_va(ceiling));
	if (!expect(m, err, 0))
		return span;
	model_pruned(m, s, span, floor, ceiling - 1);
	m->done[12]++;
	return span;
}

/* --- two ranges, two spaces ----------------------------------------------------------------- */

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
	set_page(m, dst, i, from->pa, from->attr);
	if (soft_mmu_walk(&m->mmu, &m->space[src], model_va(m, i), &a) != REF_OK ||
	    soft_mmu_walk(&m->mmu, &m->space[dst], model_va(m, i), &b) != REF_OK ||
	    a.entry_pa != b.entry_pa)
		m->page[dst][i].attr.flags &= ~AD;
}

/* What a copy of a range says; the space made first is looked at first. */
static int copy_error(const struct model *m, unsigned src, unsigned dst, struct span span)
{
	int from = any_truly(m, src, span) ? -PT_ESPLIT : 0;
	int to = occupied(m, dst, span);

	if (m->space[src].id < m->space[dst].id)
		return from ? from : to;
	return to ? to : from;
}

static struct span step_copy(struct model *m)
{
	unsigned src = any_space(m);
	unsigned dst = (src + 1 + (unsigned)model_random(m, MODEL_SPACES - 1)) % MODEL_SPACES;
	struct span span = any_span(m);
	struct span rest = span;
	uint32_t flags = any_flags(m,
	    PT_COW | PT_SHARE | PT_DEPOSIT | PT_KEEP_TABLES | PT_MAY_SLEEP | PT_PIECEWISE);
	int wanted = 0;
	int err;

	if (flags & PT_SHARE)
		flags |= PT_COW;
	SAY(m, "copy space %u to %u pages %u+%u flags %#x", src, dst, span.first, span.count,
	    flags);
	err = pt_copy(&m->space[dst], &m->space[src], va_of(m, span), size_of(m, span), flags);
	while (!wanted && rest.count) {
		struct span piece = next_piece(m, rest, flags);

		wanted = copy_error(m, src, dst, piece);
		for (unsigned i = 0; !wanted && i < piece.count; i++)
			copy_page(m, src, dst, piece.first + i, flags);
		rest.first += piece.count;
		rest.count -= piece.count;
	}
	m->done[13] += expect(m, err, wanted);
	return span;
}

/* What a move says; the lower range is looked at first. */
static int move_error(const struct model *m, unsigned s, struct span from, struct span to)
{
	int source = any_truly(m, s, from) ? -PT_ESPLIT : 0;
	int target = occupied(m, s, to);

	if (from.first < to.first + to.count && to.first < from.first + from.count)
		return -PT_EINVAL;
	if (model_va(m, from.first) < model_va(m, to.first))
		return source ? source : target;
	return target ? target : source;
}

static struct span step_move(struct model *m)
{
	unsigned s = any_space(m);
	struct span from = any_span(m);
	struct span to = any_span_of(m, from.count);
	uint32_t flags = any_flags(m, PT_DEPOSIT | PT_KEEP_TABLES | PT_MAY_SLEEP);
	bool any = false;
	int err;

	SAY(m, "move space %u pages %u+%u to %u flags %#x", s, from.first, from.count, to.first,
	    flags);
	err = pt_move(&m->space[s], va_of(m, from), size_of(m, from), va_of(m, to), flags);
	if (!expect(m, err, move_error(m, s, from, to)))
		return from;
	for (unsigned i = 0; i < from.count; i++) {
		struct model_page *p = &m->page[s][from.first + i];

		if (p->mapped)
			set_page(m, s, to.first + i, p->pa, p->attr);
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
	uint64_t pa = any_pa(m, slot) & ~(2 * large * model_page_size(m) - 1);

	unmap(m, dst, slot, 0);
	expect(m,
	    pt_prune(&m->space[dst], va_of(m, slot), size_of(m, slot), pt_make_va(0),
		pt_make_va(0)),
	    0);
	if (!truly_cut(m, src, slot))
		unmap(m, src, slot, 0);
	/* Not aligned to an entry of level 2: leaves of level 1. */
	map(m, src, slot, pa | large * model_page_size(m), 0);
}

static struct span step_share(struct model *m)
{
	unsigned src = any_space(m);
	unsigned dst = (src + 1 + (unsigned)model_random(m, MODEL_SPACES - 1)) % MODEL_SPACES;
	unsigned page = any_page(m, src);
	struct span span = truly_span(m, page);
	int from;
	int to;
	int err;

	if (m->format->levels >= 3 && model_chance(m, 70))
		make_shareable(m, src, dst, span);

	SAY(m, "share_table space %u to %u page %u", src, dst, page);
	if (m->format->levels < 3) {
		err = pt_share_table(&m->space[dst], &m->space[src], pt_make_va(model_va(m, page)),
		    0);
		expect(m, err, -PT_ENOTSUP);
		return span;
	}
	from = shareable(m, src, page, true);
	to = shareable(m, dst, page, false);
	err = pt_share_table(&m->space[dst], &m->space[src], pt_make_va(model_va(m, page)),
	    any_flags(m, PT_MAY_SLEEP));
	if (from && err == to)
		from = to;
	if (!expect(m, err, from ? from : to))
		return span;
	for (unsigned i = span.first; i < span.first + span.count; i++) {
		m->page[src][i].truly = true;
		m->page[dst][i] = m->page[src][i];
	}
	m->done[15]++;
	return span;
}

static struct span step_unshare(struct model *m)
{
	unsigned s = any_space(m);
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
	err = pt_unshare_table(&m->space[s], pt_make_va(model_va(m, page)));
	if (!expect(m, err, wanted))
		return span;
	span = truly_span(m, page);
	for (unsigned i = span.first; i < span.first + span.count; i++) {
		m->page[s][i].truly = false;
		m->page[s][i].mapped = false;
	}
	m->done[16]++;
	return span;
}

/* --- spaces and memory ---------------------------------------------------------------------- */

static struct span step_destroy(struct model *m)
{
	unsigned s = any_space(m);
	struct pt_gather *gather = make_gather(m);
	struct span all = {0, m->pages};
	int err;

	SAY(m, "destroy space %u capacity %zu", s, gather->capacity);
	err = pt_space_destroy(&m->space[s], gather);
	expect(m, err, 0);
	for (unsigned i = 0; i < m->pages; i++)
		drop_page(m, s, i);
	check_gather(m);
	soft_mmu_detach(&m->mmu, &m->space[s]);
	err = pt_space_init(&m->space[s], m->port.memory, m->format, m->flags, &m->space[s]);
	expect(m, err, 0);
	soft_mmu_attach(&m->mmu, &m->space[s]);
	m->done[17]++;
	return all;
}

static struct span step_walk(struct model *m)
{
	unsigned s = any_space(m);
	struct span span = any_span(m);

	SAY(m, "walk space %u pages %u+%u", s, span.first, span.count);
	model_walk(m, s, span);
	m->done[18]++;
	return span;
}

/* Grace periods stay open for a while, then all end; memory is given back. */
static struct span step_grace(struct model *m)
{
	struct span none = {0, 0};

	SAY(m, "grace");
	m->port.hold_grace = model_chance(m, 50);
	if (!m->port.hold_grace)
		test_port_grace(&m->port);
	if (model_chance(m, 20))
		(void)pt_memory_shrink(m->port.memory);
	m->done[19]++;
	return none;
}

struct kind {
	struct span (*step)(struct model *m);
	unsigned weight;
};

static const struct kind kinds[] = {
	{step_map, 16},
	{step_map_list, 4},
	{step_cursor, 1},
	{step_replace, 6},
	{step_unmap, 10},
	{step_protect, 8},
	{step_age, 4},
	{step_dirty, 4},
	{step_access, 14},
	{step_split, 4},
	{step_collapse, 8},
	{step_populate, 3},
	{step_prune, 4},
	{step_copy, 10},
	{step_move, 8},
	{step_share, 3},
	{step_unshare, 1},
	{step_destroy, 1},
	{step_walk, 3},
	{step_grace, 2},
	{step_set_memory, 4},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

void model_step(struct model *m)
{
	unsigned sum = 0;
	unsigned pick;
	size_t k = 0;
	const char *fault;

	for (size_t i = 0; i < KINDS; i++)
		sum += kinds[i].weight;
	pick = (unsigned)model_random(m, sum);
	while (pick >= kinds[k].weight)
		pick -= kinds[k++].weight;
	m->mixed = false;
	m->ops++;
	model_compare(m, kinds[k].step(m));
	fault = soft_mmu_check(&m->mmu);
	if (fault)
		model_fail(m, "MMU: %s", fault);
}
