/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Pages that appear. */
#include "tool/replay/pages.h"

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

/* Pages that are as large as recorded: neighbours get neighbouring frames. */
static void map_same(struct replay *r, struct mirror *m, const struct run *run)
{
	struct sink_op op = {.kind = SINK_MAP, .attr = run->attr};
	uint64_t size = (uint64_t)run->count << r->header.page_shift;

	for (unsigned i = 0; i < run->count; i++)
		run->region->frame[run->first + i] = r->next_frame + i;
	op.arg = (uint64_t)r->next_frame << r->header.page_shift;
	r->next_frame += run->count;
	if (pages_fit(m, run->va))
		pages_run_on(r, m, op, run->va, run->va + size);
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
	if (pages_fit(m, va))
		pages_run_on(r, m, op, va, va + 1);
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
	pages_run_on(r, m, op, run.va, run.va + 1);
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
	       vma->shown.end - va >= region_bytes(m) && pages_fit(m, va);
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
		.attr = pages_attr(r, vma, kind),
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
	if (!pages_believable(r, m, va, end))
		return;
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
	struct sink_op op = {.kind = SINK_REPLACE, .attr = pages_attr(r, vma, PAGE_MAPPED)};
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
	pages_run_on(r, m, op, va & ~(host_page(r) - 1), va + 1);
}
