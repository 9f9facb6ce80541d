/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Changes of pages, made in the library and in the plain model. The model is in pages of the
 * recorded machine. A page of the format that holds several of these is there as soon as one of
 * them is, and goes with the last.
 */
#include "tool/replay/replay.h"

#include <inttypes.h>

static inline uint64_t host_page(const struct replay *r)
{
	return UINT64_C(1) << r->header.page_shift;
}

static inline uint64_t page_mask(const struct replay *r)
{
	return (UINT64_C(1) << r->options->format->page_shift) - 1;
}

static inline uint64_t region_bytes(const struct mirror *m)
{
	return UINT64_C(1) << shadow_region_shift(&m->shadow);
}

static inline uint64_t region_end(const struct mirror *m, uint64_t va)
{
	return (va | (region_bytes(m) - 1)) + 1;
}

static inline uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void run_op(struct replay *r, const struct sink_op *op)
{
	int error = sink_do(r->sink, op);

	r->result->operations++;
	if (error)
		replay_wrong(r, "the library refuses %s of %#" PRIx64 ", %" PRIu64 " bytes: %s",
		    sink_kind_name(op->kind), op->va, op->size, pt_strerror(error));
}

/* An operation on [va, end), rounded outward to pages of the format, where it fits. */
static void run_on(struct replay *r, struct mirror *m, struct sink_op op, uint64_t va, uint64_t end)
{
	struct placed at[2];
	unsigned count = place_range(&m->place, va, end, at);

	op.space = m->number;
	for (unsigned i = 0; i < count; i++) {
		op.va = at[i].va & ~page_mask(r);
		op.size = ((at[i].va + at[i].size + page_mask(r)) & ~page_mask(r)) - op.va;
		run_op(r, &op);
	}
}

static pt_attr attr_of(const struct replay *r, const struct vma *vma, enum page_kind kind)
{
	uint32_t flags = PT_READ | PT_USER;

	if (kind != PAGE_MAPPED)
		return pt_make_attr(flags | (r->options->format->attrs & PT_SOFT));
	if (!vma || vma->shown.flags & TRACE_VMA_WRITE)
		flags |= PT_WRITE;
	if (vma && vma->shown.flags & TRACE_VMA_EXEC)
		flags |= PT_EXEC;
	return pt_make_attr(flags);
}

/* --- mapping --------------------------------------------------------------------------------- */

/* Pages of one region that are to be mapped alike. */
struct run {
	struct region *region;
	uint64_t va;
	unsigned first;
	unsigned count;
	pt_attr attr;
	enum page_kind kind;
};

static void note_run(const struct run *run)
{
	for (unsigned i = run->first; i < run->first + run->count; i++) {
		region_set(run->region->page, i, true);
		region_set(run->region->mark, i, run->kind != PAGE_MAPPED);
		region_set(run->region->guard, i, run->kind == PAGE_GUARD);
		region_set(run->region->write, i, run->attr.flags & PT_WRITE);
	}
}

static bool fits(const struct mirror *m, uint64_t va)
{
	uint64_t ignored;

	return place_va(&m->place, va, &ignored);
}

/* Pages that are as large as recorded: neighbours get neighbouring frames. */
static void map_same(struct replay *r, struct mirror *m, const struct run *run)
{
	struct sink_op op = {.kind = SINK_MAP, .attr = run->attr};
	uint64_t size = (uint64_t)run->count << r->header.page_shift;

	for (unsigned i = 0; i < run->count; i++)
		run->region->frame[run->first + i] = r->next_frame + i;
	op.arg = (uint64_t)r->next_frame << r->header.page_shift;
	r->next_frame += run->count;
	if (fits(m, run->va))
		run_on(r, m, op, run->va, run->va + size);
	else
		r->result->not_fitting += run->count;
}

/* One page of the format, or the part of it that is in the run. */
static void map_larger(struct replay *r, struct mirror *m, const struct run *run, unsigned first,
    unsigned count)
{
	unsigned parts = 1u << r->parts_bits;
	unsigned start = first & ~(parts - 1);
	uint64_t va = run->va + ((uint64_t)(first - run->first) << r->header.page_shift);
	struct sink_op op = {.kind = SINK_MAP, .attr = run->attr};
	uint32_t frame = r->next_frame;
	bool there = false;

	for (unsigned i = start; i < start + parts && !there; i++) {
		there = region_bit(run->region->page, i);
		if (there)
			frame = run->region->frame[i] >> r->parts_bits;
	}
	for (unsigned i = first; i < first + count; i++)
		run->region->frame[i] = frame << r->parts_bits | (i & (parts - 1));
	if (there)
		return;
	r->next_frame++;
	op.arg = (uint64_t)frame << r->options->format->page_shift;
	if (fits(m, va))
		run_on(r, m, op, va, va + 1);
	else
		r->result->not_fitting += parts;
}

static void map_run(struct replay *r, struct mirror *m, const struct run *run)
{
	unsigned parts = 1u << r->parts_bits;
	unsigned end = run->first + run->count;

	if (parts == 1) {
		map_same(r, m, run);
	} else {
		for (unsigned i = run->first; i < end;) {
			unsigned next = (i | (parts - 1)) + 1;

			map_larger(r, m, run, i, (next < end ? next : end) - i);
			i = next;
		}
	}
	note_run(run);
}

/* A page or a marker becomes the other: what is mapped is replaced. */
static void remark(struct replay *r, struct mirror *m, struct run run)
{
	struct sink_op op = {.kind = SINK_REPLACE, .attr = run.attr};

	if (region_bit(run.region->mark, run.first) == (run.kind != PAGE_MAPPED) &&
	    region_bit(run.region->guard, run.first) == (run.kind == PAGE_GUARD))
		return;
	op.arg = (uint64_t)(run.region->frame[run.first] >> r->parts_bits)
		 << r->options->format->page_shift;
	run_on(r, m, op, run.va, run.va + 1);
	run.count = 1;
	note_run(&run);
}

/* Maps what is missing of a part of a region. */
static void touch_run(struct replay *r, struct mirror *m, struct run run)
{
	unsigned end = run.first + run.count;
	uint64_t base = run.va - ((uint64_t)run.first << r->header.page_shift);

	for (unsigned i = run.first; i < end; i++) {
		run.first = i;
		run.va = base + ((uint64_t)i << r->header.page_shift);
		if (region_bit(run.region->page, i)) {
			remark(r, m, run);
			continue;
		}
		while (i + 1 < end && !region_bit(run.region->page, i + 1))
			i++;
		run.count = i + 1 - run.first;
		map_run(r, m, &run);
	}
}

/* Is all of a run there already, as what it is to be. */
static bool is_there(const struct run *run)
{
	const struct region *region = run->region;
	uint64_t mark = run->kind != PAGE_MAPPED ? UINT64_MAX : 0;
	uint64_t guard = run->kind == PAGE_GUARD ? UINT64_MAX : 0;

	for_each_word (w, run->first, run->count) {
		uint64_t differ =
		    ~region->page[w] | (region->mark[w] ^ mark) | (region->guard[w] ^ guard);

		if (differ & region_mask(w, run->first, run->count))
			return false;
	}
	return true;
}

/* Whether --thp always puts a large page where there is nothing yet. */
static bool wants_huge(const struct replay *r, const struct mirror *m, const struct vma *vma,
    const struct region *region)
{
	const uint32_t unfit =
	    TRACE_VMA_FILE | TRACE_VMA_SHARED | TRACE_VMA_DEVICE | TRACE_VMA_STACK | TRACE_VMA_VVAR;
	uint64_t va = region_va(&m->shadow, region);

	return r->options->thp == REPLAY_THP_ALWAYS && r->huge && vma &&
	       !(vma->shown.flags & unfit) && vma->shown.start <= va &&
	       vma->shown.end - va >= region_bytes(m) && fits(m, va);
}

static void count_source(struct replay *r)
{
	uint64_t *const counts[] = {
		[TOUCH_FAULT] = &r->result->by_fault,
		[TOUCH_CALL_SCAN] = &r->result->by_call_scan,
		[TOUCH_SCAN] = &r->result->by_scan,
	};

	++*counts[r->source];
}

/* The same for a part of a region that lies in one VMA, or in none. */
static void touch_part(struct replay *r, struct mirror *m, const struct vma *vma, uint64_t va,
    uint64_t end, enum page_kind kind)
{
	struct region *region = shadow_make(&m->shadow, va);
	struct run run = {
		.region = region,
		.va = va,
		.first = page_in_region(&m->shadow, va),
		.count = (unsigned)((end - va) >> r->header.page_shift),
		.attr = attr_of(r, vma, kind),
		.kind = kind,
	};

	if (region->huge || is_there(&run))
		return;
	if (!region_any_page(region)) {
		count_source(r);
		if (kind == PAGE_MAPPED && wants_huge(r, m, vma, region)) {
			pages_make_huge(r, m, va, REGION_HUGE_ANON);
			return;
		}
	}
	touch_run(r, m, run);
}

void pages_touch(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, enum page_kind kind)
{
	while (va < end) {
		const struct vma *vma = vmas_find(&m->vmas.now, va);
		uint64_t next = lesser(end, region_end(m, va));

		if (vma)
			next = lesser(next, vma->shown.end);
		touch_part(r, m, vma, va, next, kind);
		va = next;
	}
}

void pages_replace(struct replay *r, struct mirror *m, uint64_t va)
{
	struct region *region = shadow_find(&m->shadow, va);
	const struct vma *vma = vmas_find(&m->vmas.now, va);
	struct sink_op op = {.kind = SINK_REPLACE, .attr = attr_of(r, vma, PAGE_MAPPED)};
	unsigned parts = 1u << r->parts_bits;
	unsigned start = page_in_region(&m->shadow, va) & ~(parts - 1);
	uint32_t frame = r->next_frame++;

	for (unsigned i = start; i < start + parts; i++) {
		region->frame[i] = frame << r->parts_bits | (i - start);
		region_set(region->mark, i, false);
		region_set(region->guard, i, false);
		region_set(region->write, i, region_bit(region->page, i));
	}
	op.arg = (uint64_t)frame << r->options->format->page_shift;
	run_on(r, m, op, va & ~(host_page(r) - 1), va + 1);
}

/* --- large pages ----------------------------------------------------------------------------- */

static uint16_t deposit_flag(const struct region *region)
{
	return region->huge == REGION_HUGE_ANON ? PT_DEPOSIT : 0;
}

static void clear_bits(struct region *region, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		region_set(region->page, i, false);
		region_set(region->mark, i, false);
		region_set(region->guard, i, false);
		region_set(region->write, i, false);
	}
}

/* The region's large entry goes, and its deposit with it. */
static void drop_huge(struct replay *r, struct mirror *m, struct region *region)
{
	struct sink_op op = {.kind = SINK_UNMAP, .flags = deposit_flag(region)};
	uint64_t va = region_va(&m->shadow, region);

	run_on(r, m, op, va, va + region_bytes(m));
	region->huge = REGION_SMALL;
	clear_bits(region, 0, REGION_PAGES);
}

void pages_split(struct replay *r, struct mirror *m, struct region *region)
{
	struct sink_op op = {.kind = SINK_SPLIT, .flags = PT_DEPOSIT};
	uint64_t va = region_va(&m->shadow, region);

	/* A large page of a file is just forgotten: its parts fault again. */
	if (region->huge != REGION_HUGE_ANON || !has_rule(r, 5)) {
		drop_huge(r, m, region);
		return;
	}
	run_on(r, m, op, va, va + region_bytes(m));
	region->huge = REGION_SMALL;
}

void pages_make_huge(struct replay *r, struct mirror *m, uint64_t va, enum region_huge huge)
{
	struct region *region = shadow_make(&m->shadow, va);
	uint64_t start = region_va(&m->shadow, region);
	uint64_t end = start + region_bytes(m);
	struct run run = {.region = region,
		.count = REGION_PAGES,
		.attr = attr_of(r, vmas_find(&m->vmas.now, va), PAGE_MAPPED)};
	struct sink_op op = {.kind = SINK_MAP_HUGE, .attr = run.attr};

	if (region->huge == huge)
		return;
	if (!r->huge || r->options->thp == REPLAY_THP_NEVER || !fits(m, start)) {
		pages_touch(r, m, start, end, PAGE_MAPPED);
		return;
	}
	pages_unmap(r, m, start, end);
	pages_prune(r, m, start, end, start, end);
	region->huge = huge;
	op.flags = deposit_flag(region);
	r->next_frame = (r->next_frame + REGION_PAGES - 1) & ~(REGION_PAGES - 1);
	op.arg = (uint64_t)r->next_frame << r->header.page_shift;
	for (unsigned i = 0; i < REGION_PAGES; i++)
		region->frame[i] = r->next_frame++;
	run_on(r, m, op, start, end);
	note_run(&run);
}

/* A large page that a range cuts is taken apart. */
static void split_edges(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	const uint64_t mask = region_bytes(m) - 1;
	struct region *region = va & mask ? shadow_find(&m->shadow, va) : NULL;

	if (region && region->huge)
		pages_split(r, m, region);
	region = end & mask ? shadow_find(&m->shadow, end) : NULL;
	if (region && region->huge)
		pages_split(r, m, region);
}

/* --- unmapping, and what is done to ranges --------------------------------------------------- */

/* Visits the regions that overlap [va, end), and their pages in it. */
struct part {
	struct region *region;
	unsigned first;
	unsigned count;
	uint64_t va;
	bool whole;
};

static bool next_part(struct mirror *m, size_t *at, uint64_t va, uint64_t end, struct part *part)
{
	uint64_t start;
	uint64_t stop;

	if (*at >= m->shadow.count || region_va(&m->shadow, m->shadow.at[*at]) >= end)
		return false;
	part->region = m->shadow.at[(*at)++];
	start = region_va(&m->shadow, part->region);
	stop = lesser(start + region_bytes(m), end);
	part->whole = start >= va && stop == start + region_bytes(m);
	part->va = start > va ? start : va;
	part->first = page_in_region(&m->shadow, part->va);
	part->count = (unsigned)((stop - part->va) >> m->shadow.page_shift);
	return true;
}

#define for_each_part(m, va, end, part)                                                            \
	for (size_t at_ = shadow_from(&(m)->shadow, (va));                                         \
	    next_part((m), &at_, (va), (end), &(part));)

/* Is a page of the format still wanted by what is left of it. */
static bool still_wanted(const struct replay *r, struct mirror *m, uint64_t va)
{
	const struct region *region = shadow_find(&m->shadow, va);
	unsigned parts = 1u << r->parts_bits;

	return region &&
	       region_any(region->page, page_in_region(&m->shadow, va) & ~(parts - 1), parts);
}

/* The range of whole pages of the format that go with [va, end), which is out of the model. */
static void unmap_placed(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	const struct sink_op op = {.kind = SINK_UNMAP};
	const uint64_t mask = page_mask(r);

	if (va & mask && still_wanted(r, m, va))
		va = (va | mask) + 1;
	if (end & mask && still_wanted(r, m, end))
		end &= ~mask;
	if (va < end)
		run_on(r, m, op, va, end);
}

void pages_unmap(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	struct part part;
	uint64_t first = end;
	uint64_t past = va;

	split_edges(r, m, va, end);
	for_each_part (m, va, end, part) {
		if (part.region->huge)
			drop_huge(r, m, part.region);
		if (!region_any(part.region->page, part.first, part.count))
			continue;
		clear_bits(part.region, part.first, part.count);
		first = lesser(first, part.va);
		past = part.va + ((uint64_t)part.count << r->header.page_shift);
	}
	if (first < past)
		unmap_placed(r, m, first, past);
}

void pages_protect(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint32_t flags)
{
	const struct vma vma = {.shown = {.flags = flags}};
	const struct sink_op op = {.kind = SINK_PROTECT, .attr = attr_of(r, &vma, PAGE_MAPPED)};
	struct part part;
	bool any = false;

	split_edges(r, m, va, end);
	for_each_part (m, va, end, part) {
		any = true;
		for (unsigned i = part.first; i < part.first + part.count; i++)
			region_set(part.region->write, i,
			    flags & TRACE_VMA_WRITE && region_bit(part.region->page, i));
	}
	if (any)
		run_on(r, m, op, va, end);
}

void pages_prune(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint64_t floor,
    uint64_t ceiling)
{
	struct sink_op op = {.kind = SINK_PRUNE, .space = m->number};
	struct placed at[2];
	unsigned count = place_range(&m->place, va, end, at);
	const uint64_t mask = page_mask(r);

	for (unsigned i = 0; i < count; i++) {
		op.va = at[i].va & ~mask;
		op.size = ((at[i].va + at[i].size + mask) & ~mask) - op.va;
		op.arg = (place_floor(&m->place, &at[i], floor) + mask) & ~mask;
		op.end = place_ceiling(&m->place, &at[i], ceiling) & ~mask;
		run_op(r, &op);
	}
}

void pages_populate(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, unsigned level)
{
	const struct sink_op op = {.kind = SINK_POPULATE, .level = (uint8_t)level};

	if (level + 1 < r->options->format->levels)
		run_on(r, m, op, va, end);
}

static bool any_guard(struct mirror *m, uint64_t va, uint64_t end)
{
	struct part part;

	for_each_part (m, va, end, part)
		if (region_any(part.region->guard, part.first, part.count))
			return true;
	return false;
}

/* Unmaps the pages of [va, end) that are guard pages, or those that are not. */
static void unmap_by_guard(struct replay *r, struct mirror *m, uint64_t va, uint64_t end,
    bool guard)
{
	struct part part;

	for_each_part (m, va, end, part)
		for (unsigned i = 0; i < part.count; i++) {
			uint64_t at = part.va + i * host_page(r);

			if (region_bit(part.region->guard, part.first + i) == guard)
				pages_unmap(r, m, at, at + host_page(r));
		}
}

void pages_zap(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	if (any_guard(m, va, end))
		unmap_by_guard(r, m, va, end, false);
	else
		pages_unmap(r, m, va, end);
}

void pages_unguard(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	if (any_guard(m, va, end))
		unmap_by_guard(r, m, va, end, true);
}

/*
 * In windows of half of what a table of level 1 translates: all leaf tables lie within one, and no
 * table above does.
 */
static void reclaim_placed(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	const struct pt_format *format = r->options->format;
	uint64_t leaf = (UINT64_C(1) << pt_format_shift(format, 1)) - 1;
	uint64_t half = (UINT64_C(1) << (pt_format_shift(format, 1) + format->bits[1] - 1)) - 1;

	va = (va + leaf) & ~leaf;
	end &= ~leaf;
	while (va < end) {
		uint64_t next = lesser(end, (va | half) + 1);
		const struct sink_op op = {.kind = SINK_PRUNE,
			.space = m->number,
			.va = va,
			.size = next - va,
			.arg = va,
			.end = next};

		run_op(r, &op);
		va = next;
	}
}

void pages_reclaim(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	struct placed at[2];
	unsigned count = place_range(&m->place, va, end, at);

	for (unsigned i = 0; i < count; i++)
		reclaim_placed(r, m, at[i].va, at[i].va + at[i].size);
}

/* --- copying --------------------------------------------------------------------------------- */

/* What one page of the model is. */
struct cell {
	bool page, mark, guard, write;
	uint32_t frame;
};

static struct cell cell_of(const struct region *region, unsigned i)
{
	return (struct cell){region_bit(region->page, i), region_bit(region->mark, i),
		region_bit(region->guard, i), region_bit(region->write, i), region->frame[i]};
}

static void put_cell(struct region *region, unsigned i, struct cell cell)
{
	region_set(region->page, i, cell.page);
	region_set(region->mark, i, cell.mark);
	region_set(region->guard, i, cell.guard);
	region_set(region->write, i, cell.write);
	region->frame[i] = cell.frame;
}

static void copy_bits(struct mirror *child, const struct part *part, bool cow)
{
	struct region *from = part->region;
	struct region *to = shadow_make(&child->shadow, part->va);

	to->huge = from->huge;
	for (unsigned i = part->first; i < part->first + part->count; i++) {
		if (cow)
			region_set(from->write, i, false);
		put_cell(to, i, cell_of(from, i));
	}
}

static void copy_placed(struct replay *r, struct mirror *child, struct mirror *parent, uint64_t va,
    uint64_t end, bool cow)
{
	const struct sink_op op = {.kind = SINK_COPY,
		.flags = (uint16_t)(PT_DEPOSIT | (cow ? PT_COW : 0)),
		.other = child->number};

	/* A page of the format that two VMAs share was copied with the first. */
	va &= ~page_mask(r);
	if (va < child->copied)
		va = child->copied;
	child->copied = (end + page_mask(r)) & ~page_mask(r);
	if (va < end)
		run_on(r, parent, op, va, end);
}

void pages_copy(struct replay *r, struct mirror *child, struct mirror *parent, uint64_t va,
    uint64_t end, bool cow)
{
	uint64_t from = va;
	struct part part;

	for_each_part (parent, va, end, part) {
		if (part.region->huge != REGION_HUGE_FILE) {
			copy_bits(child, &part, cow);
			continue;
		}
		/* Large pages of files are left out: the child faults on them. */
		copy_placed(r, child, parent, from, part.va, cow);
		from = part.va + ((uint64_t)part.count << r->header.page_shift);
	}
	copy_placed(r, child, parent, from, end, cow);
}

/* --- moving ---------------------------------------------------------------------------------- */

/* A large page stays one: it was not cut, and both addresses are aligned. */
static void move_bits(struct mirror *m, struct region *from, unsigned first, unsigned count,
    uint64_t to)
{
	for (unsigned i = first; i < first + count; i++) {
		struct cell cell = cell_of(from, i);

		clear_bits(from, i, 1);
		if (cell.page)
			put_cell(shadow_make(&m->shadow, to), page_in_region(&m->shadow, to), cell);
		to += UINT64_C(1) << m->shadow.page_shift;
	}
}

static void move_model(struct mirror *m, uint64_t va, uint64_t end, uint64_t to)
{
	for (uint64_t at = va; at < end;) {
		uint64_t next = lesser(end, region_end(m, at));
		struct region *region = shadow_find(&m->shadow, at);

		if (region) {
			enum region_huge huge = region->huge;

			region->huge = REGION_SMALL;
			move_bits(m, region, page_in_region(&m->shadow, at),
			    (unsigned)((next - at) >> m->shadow.page_shift), to + (at - va));
			if (huge)
				shadow_find(&m->shadow, to + (at - va))->huge = huge;
		}
		at = next;
	}
}

static enum page_kind kind_of(const struct region *region, unsigned i)
{
	if (region_bit(region->guard, i))
		return PAGE_GUARD;
	return region_bit(region->mark, i) ? PAGE_ENTRY : PAGE_MAPPED;
}

void pages_move_anew(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint64_t to)
{
	for (uint64_t at = va; at < end; at += host_page(r)) {
		struct region *region = shadow_find(&m->shadow, at);
		unsigned i = page_in_region(&m->shadow, at);

		if (region && region_bit(region->page, i))
			pages_touch(r, m, to + (at - va), to + (at - va) + host_page(r),
			    kind_of(region, i));
	}
	pages_unmap(r, m, va, end);
}

static bool can_follow(const struct replay *r, const struct mirror *m, uint64_t va, uint64_t end,
    uint64_t to, struct placed *from, struct placed *target)
{
	struct placed a[2];
	struct placed b[2];

	if ((va | end | to) & page_mask(r) || place_range(&m->place, va, end, a) != 1 ||
	    place_range(&m->place, to, to + (end - va), b) != 1)
		return false;
	*from = a[0];
	*target = b[0];
	return a[0].size == end - va && b[0].size == end - va;
}

void pages_move(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint64_t to)
{
	struct sink_op op = {.kind = SINK_MOVE, .space = m->number};
	const struct region *region = shadow_find(&m->shadow, va);
	struct placed from;
	struct placed target;

	split_edges(r, m, va, end);
	if (!can_follow(r, m, va, end, to, &from, &target)) {
		pages_move_anew(r, m, va, end, to);
		return;
	}
	/* One large page at a time carries its deposit; with a whole table all of them go. */
	if (region && region->huge && end - va == region_bytes(m))
		op.flags = deposit_flag(region);
	op.va = from.va;
	op.size = from.size;
	op.arg = target.va;
	run_op(r, &op);
	move_model(m, va, end, to);
}

unsigned pages_level(struct replay *r, struct mirror *m, uint64_t va)
{
	unsigned level = r->options->format->levels;
	uint64_t placed;

	if (place_va(&m->place, va, &placed) &&
	    pt_table_level(sink_space(r->sink, m->number), pt_make_va(placed), &level))
		replay_wrong(r, "the library cannot look up %#" PRIx64, placed);
	return level;
}
