/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Faults as accesses. A trace tells of faults only: the first access to a page, and the first store
 * after a fork. What hits a TLB meanwhile it does not tell.
 */
#include <inttypes.h>

#include "tool/replay/replay.h"

/* A sample does not say what the access was: a store wherever the page may be stored to by now. */
static uint32_t kind_of(struct mirror *m, const struct region *region, uint64_t va)
{
	const struct vma *vma = vmas_find(&m->vmas.now, va);

	if (region_bit(region->write, page_in_region(&m->shadow, va)))
		return PT_WRITE;
	return vma && vma->shown.flags & TRACE_VMA_EXEC ? PT_EXEC : PT_READ;
}

/* Which CPU a thread ran on is not recorded: neighbours run on different ones. */
static unsigned cpu_of(const struct trace_event *event)
{
	return event->task % SINK_CPUS;
}

void access_again(struct replay *r, struct mirror *m, const struct trace_event *event)
{
	const struct region *region = shadow_find(&m->shadow, event->va);
	unsigned i = page_in_region(&m->shadow, event->va);
	uint64_t expected;
	uint64_t pa;
	uint64_t va;
	int error;

	if (!region || !region_bit(region->page, i) || region_bit(region->mark, i) ||
	    !place_va(&m->place, event->va, &va))
		return;
	expected =
	    (uint64_t)region->frame[i] << r->header.page_shift | (event->va & (host_page(r) - 1));
	error =
	    sink_access(r->sink, m->number, cpu_of(event), va, kind_of(m, region, event->va), &pa);
	/* A larger page has the rights of the part that was changed last. */
	if (error == -PT_EATTR && r->parts_bits)
		error = sink_access(r->sink, m->number, cpu_of(event), va, PT_READ, &pa);
	if (error)
		replay_wrong(r, "%s[%" PRIu32 "]: %#" PRIx64 " cannot be accessed: %s", m->name,
		    m->pid, va, pt_strerror(error));
	else if (pa != expected)
		replay_wrong(r,
		    "%s[%" PRIu32 "]: %#" PRIx64 " reaches %#" PRIx64
		    " through its TLB, not %#" PRIx64,
		    m->name, m->pid, va, pa, expected);
}
