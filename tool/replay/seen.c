/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is seen of a space from outside: faults, scans, the kernel's list of VMAs; and fork. */
#include "tool/replay/replay.h"

/* A page that is there faults when it is written first after a fork: copy-on-write. */
static bool is_copied_on_write(const struct region *region, const struct vma *vma, unsigned i)
{
	return !region_bit(region->write, i) && vma && vma->shown.flags & TRACE_VMA_WRITE;
}

/* Rule 2. */
void rules_fault(struct replay *r, struct mirror *m, uint64_t va)
{
	const struct region *region = shadow_find(&m->shadow, va);
	const struct vma *vma = vmas_find(&m->vmas.now, va);
	unsigned i = page_in_region(&m->shadow, va);

	va &= ~(host_page(r) - 1);
	if (!has_rule(r, 2) || (region && region->huge))
		return;
	r->source = TOUCH_FAULT;
	if (vma && vma->shown.flags & TRACE_VMA_HUGETLB)
		pages_make_huge(r, m, va, REGION_HUGE_FILE);
	else if (!region || !region_bit(region->page, i))
		pages_touch(r, m, va, va + host_page(r), PAGE_MAPPED);
	else if (is_copied_on_write(region, vma, i))
		pages_replace(r, m, va);
}

/* Rule 3. Tables above the leaf table were made before the fault failed. */
void rules_bus(struct replay *r, struct mirror *m, uint64_t va)
{
	va &= ~(host_page(r) - 1);
	if (has_rule(r, 3))
		pages_populate(r, m, va, va + host_page(r), 1);
}

/* Rules 8 and 9: a VMA is copied if it was written once, or if faults could not bring it back. */
static bool is_forked(const struct replay *r, const struct vma *vma)
{
	if (vma->memory & (VMA_NOT_COPIED | VMA_WIPED) || vma->shown.flags & TRACE_VMA_PRIVY)
		return false;
	return vma->memory & VMA_ANON || vma->shown.flags & (TRACE_VMA_DEVICE | TRACE_VMA_VVAR) ||
	       !has_rule(r, 8);
}

void rules_fork(struct replay *r, struct mirror *child, struct mirror *parent)
{
	const struct vma_list *list = &parent->vmas.now;

	child->copied = 0;
	for (size_t i = 0; i < list->count; i++)
		if (is_forked(r, &list->at[i]))
			pages_copy(r, child, parent, list->at[i].shown.start, list->at[i].shown.end,
			    !(list->at[i].shown.flags & TRACE_VMA_SHARED));
}

/* --- VMAs ------------------------------------------------------------------------------------ */

/* What is in the list as calls have left it and in the kernel's no more was removed as well. */
static void unmap_vanished(struct replay *r, struct mirror *m, struct vma_list *shown)
{
	struct vma_list *now = &m->vmas.now;

	for (size_t i = 0; i < now->count;) {
		uint64_t start = now->at[i].shown.start;
		uint64_t end = now->at[i].shown.end;
		size_t over = vmas_from(shown, start);

		while (over < shown->count && shown->at[over].shown.start <= start && start < end)
			start = shown->at[over++].shown.end;
		if (start >= end) {
			i++;
			continue;
		}
		if (over < shown->count && shown->at[over].shown.start < end)
			end = shown->at[over].shown.start;
		rules_unmap(r, m, start, end);
	}
}

/* A border of VMAs within a large page takes that apart. */
static void split_at(struct replay *r, struct mirror *m, uint64_t va)
{
	const uint64_t mask = region_bytes(m) - 1;
	struct region *region = va & mask ? shadow_find(&m->shadow, va) : NULL;

	if (region && region->huge)
		pages_split(r, m, region);
}

static unsigned recorded_bits(const struct replay *r)
{
	return r->header.page_shift + REGION_BITS * r->header.levels - 1;
}

void rules_same_vmas(struct replay *r, struct mirror *m)
{
	m->edited = false;
	vmas_take(&m->vmas, has_rule(r, 9));
}

void rules_vmas(struct replay *r, struct mirror *m, const struct trace_event *event)
{
	vmas_show(&m->vmas, event);
	if (m->vmas.now.count)
		unmap_vanished(r, m, &m->vmas.shown);
	rules_same_vmas(r, m);
	if (!m->place.parts)
		place_decide(&m->place, r->options->format, r->options->room, recorded_bits(r),
		    &m->vmas.now);
	for (size_t i = 0; i < event->vmas.count; i++) {
		const struct trace_vma *vma = &event->vmas.vmas[i];

		split_at(r, m, vma->start);
		split_at(r, m, vma->end);
		/* Rule 13. */
		if (vma->flags & TRACE_VMA_DEVICE && has_rule(r, 13))
			pages_populate(r, m, vma->start, vma->end, 0);
	}
}

/* --- scans ----------------------------------------------------------------------------------- */

/* Rule 9: a page that is nobody else's shows that its VMA was written. */
static void remember_written(struct mirror *m, const struct trace_run *run)
{
	struct vma_list *list = &m->vmas.now;

	if ((run->flags & (TRACE_PAGE_PRESENT | TRACE_PAGE_FILE | TRACE_PAGE_ZERO)) !=
	    TRACE_PAGE_PRESENT)
		return;
	for (size_t i = vmas_from(list, run->start);
	    i < list->count && list->at[i].shown.start < run->end; i++)
		if (!(list->at[i].shown.flags & TRACE_VMA_SHARED))
			list->at[i].memory |= VMA_ANON;
}

/* Rule 4: which large pages have a table deposited. */
static enum region_huge huge_kind(const struct replay *r, struct mirror *m,
    const struct trace_run *run)
{
	const struct vma *vma = vmas_find(&m->vmas.now, run->start);
	bool file = run->flags & TRACE_PAGE_FILE || (vma && vma->shown.flags & TRACE_VMA_HUGETLB);

	return file && has_rule(r, 4) ? REGION_HUGE_FILE : REGION_HUGE_ANON;
}

static void take_huge(struct replay *r, struct mirror *m, const struct trace_run *run)
{
	const uint64_t size = region_bytes(m);
	enum region_huge kind = huge_kind(r, m, run);

	for (uint64_t va = run->start & ~(size - 1); va < run->end && !r->result->wrong[0];
	    va += size)
		pages_make_huge(r, m, va, kind);
}

static void take_small(struct replay *r, struct mirror *m, const struct trace_run *run)
{
	const uint64_t size = region_bytes(m);
	enum page_kind kind = PAGE_MAPPED;

	if (run->flags & TRACE_PAGE_GUARD)
		kind = PAGE_GUARD;
	else if (!(run->flags & TRACE_PAGE_PRESENT))
		kind = PAGE_ENTRY;
	if (kind != PAGE_MAPPED && !has_rule(r, 12))
		return;
	/* What was one entry is many now: rule 5. */
	for (uint64_t va = run->start; va < run->end; va = (va | (size - 1)) + 1) {
		struct region *region = shadow_find(&m->shadow, va);

		if (region && region->huge && r->options->thp == REPLAY_THP_RECORDED)
			pages_split(r, m, region);
	}
	pages_touch(r, m, run->start, run->end, kind);
}

/*
 * Pages in a hole are gone, but for those that scans never show; and for the holes that a large
 * page covers which was not recorded as one.
 */
static void take_hole(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	const uint32_t unseen = TRACE_VMA_DEVICE | TRACE_VMA_VVAR;
	struct vma_list *list = &m->vmas.now;

	if (r->options->thp == REPLAY_THP_ALWAYS)
		return;
	for (size_t i = vmas_from(list, va); i < list->count && list->at[i].shown.start < end;
	    i++) {
		uint64_t start = list->at[i].shown.start;

		if (!(list->at[i].shown.flags & unseen))
			continue;
		if (va < start)
			pages_unmap(r, m, va, start);
		va = list->at[i].shown.end;
	}
	if (va < end && r->header.scan)
		pages_unmap(r, m, va, end);
	else if (va < end) /* plain pagemap does not show guard pages */
		pages_zap(r, m, va, end);
}

static void take_runs(struct replay *r, struct mirror *m, const struct trace_event *event)
{
	uint64_t at = event->scan.start;

	for (size_t i = 0; i < event->scan.count; i++) {
		const struct trace_run *run = &event->scan.runs[i];

		if (at < run->start)
			take_hole(r, m, at, run->start);
		if (run->flags & TRACE_PAGE_HUGE)
			take_huge(r, m, run);
		else
			take_small(r, m, run);
		at = run->end;
	}
	if (at < event->scan.end)
		take_hole(r, m, at, event->scan.end);
}

/* Tables of a level if there were one for each region with a present page. */
static uint64_t naive_tables(const struct mirror *m, const struct trace_event *event,
    unsigned level)
{
	unsigned shift = shadow_region_shift(&m->shadow) + REGION_BITS * level;
	uint64_t count = 0;
	uint64_t next = 0; /* region not counted yet */

	for (size_t i = 0; i < event->scan.count; i++) {
		uint64_t first = event->scan.runs[i].start >> shift;
		uint64_t last = (event->scan.runs[i].end - 1) >> shift;

		if (!(event->scan.runs[i].flags & TRACE_PAGE_PRESENT) || last < next)
			continue;
		count += last + 1 - (first > next ? first : next);
		next = last + 1;
	}
	return count;
}

/* Is it one of those that may stand in for touches that were missed. */
static bool is_checkpoint(enum trace_why why)
{
	return why != TRACE_WHY_EXEC && why != TRACE_WHY_CALL && why != TRACE_WHY_HEAL;
}

void rules_scan(struct replay *r, struct mirror *m, const struct trace_event *event)
{
	enum trace_why why = event->scan.why;

	r->source = why == TRACE_WHY_CALL ? TOUCH_CALL_SCAN : TOUCH_SCAN;
	for (size_t i = 0; i < event->scan.count; i++)
		remember_written(m, &event->scan.runs[i]);
	if (why != TRACE_WHY_CALL) {
		for (unsigned level = 0; level < VMPTE_LEVELS; level++)
			m->naive[level] = naive_tables(m, event, level);
		m->seen = true;
	}
	if (why == TRACE_WHY_EXEC && !has_rule(r, 14))
		return;
	if (!r->options->no_checkpoint_scans || !is_checkpoint(why))
		take_runs(r, m, event);
}
