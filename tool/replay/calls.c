/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What memory calls do to tables. Numbers of rules are those of docs/replay-rules.md. */
#include "tool/replay/calls.h"

#include <stdlib.h>

#include "tool/replay/replay.h"
#include "tool/tool.h"

static uint64_t round_up(const struct replay *r, uint64_t bytes)
{
	uint64_t mask = host_page(r) - 1;

	return (bytes + mask) & ~mask;
}

/* Part of a VMA that goes. */
struct piece {
	uint64_t start;
	uint64_t end;
};

static size_t pieces_of(struct vma_list *list, uint64_t va, uint64_t end, struct piece **pieces)
{
	size_t room = 0;
	size_t count = 0;

	*pieces = NULL;
	for (size_t i = vmas_from(list, va); i < list->count && list->at[i].shown.start < end;
	    i++) {
		const struct trace_vma *vma = &list->at[i].shown;

		*pieces = tool_grow(*pieces, &room, count + 1, sizeof(**pieces));
		(*pieces)[count++] = (struct piece){vma->start > va ? vma->start : va,
			vma->end < end ? vma->end : end};
	}
	return count;
}

/*
 * Rule 6. A table that overlaps what goes is freed if no VMA that stays overlaps its range, that
 * is, if it lies between the VMA before and the VMA after.
 */
void rules_unmap(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	struct vma_list *list = &m->vmas.now;
	struct piece *pieces;
	size_t count = pieces_of(list, va, end, &pieces);
	uint64_t floor;
	uint64_t ceiling;

	pages_unmap(r, m, va, end);
	vmas_cut(list, va, end);
	m->edited = true;
	floor = vmas_floor(list, va);
	ceiling = vmas_ceiling(list, end);
	for (size_t i = 0; i < count && has_rule(r, 6); i++)
		pages_prune(r, m, pieces[i].start, pieces[i].end, floor, ceiling);
	free(pieces);
}

/* Rules 5 and 10. Each VMA of the range by itself. */
static void dontneed(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	struct vma_list *list = &m->vmas.now;

	for (size_t i = vmas_from(list, va); i < list->count && list->at[i].shown.start < end;
	    i++) {
		const struct trace_vma *vma = &list->at[i].shown;
		uint64_t first = vma->start > va ? vma->start : va;
		uint64_t past = vma->end < end ? vma->end : end;

		pages_zap(r, m, first, past);
		if (r->header.reclaim && has_rule(r, 10) && !(vma->flags & TRACE_VMA_HUGETLB))
			pages_reclaim(r, m, first, past);
	}
}

/* Rule 12. Guards take the place of pages, and give the VMA what fork asks for. */
static void guard(struct replay *r, struct mirror *m, uint64_t va, uint64_t end)
{
	if (!has_rule(r, 12))
		return;
	pages_unmap(r, m, va, end);
	pages_touch(r, m, va, end, PAGE_GUARD);
	vmas_remember(&m->vmas.now, va, end, VMA_ANON, 0);
}

/* DONTFORK and its like split VMAs where the range ends. */
static void remember_range(struct mirror *m, uint64_t va, uint64_t end, uint32_t set,
    uint32_t clear)
{
	vmas_split(&m->vmas.now, va);
	vmas_split(&m->vmas.now, end);
	vmas_remember(&m->vmas.now, va, end, set, clear);
}

static void advise(struct replay *r, struct mirror *m, const struct trace_event *event)
{
	uint64_t va = event->call.args[0];
	uint64_t end = va + round_up(r, event->call.args[1]);

	switch (event->call.args[2]) {
	case ADVICE_DONTNEED:
	case ADVICE_DONTNEED_LOCKED:
		dontneed(r, m, va, end);
		break;
	case ADVICE_GUARD_INSTALL:
		guard(r, m, va, end);
		break;
	case ADVICE_GUARD_REMOVE:
		pages_unguard(r, m, va, end);
		break;
	case ADVICE_DONTFORK:
		remember_range(m, va, end, VMA_NOT_COPIED, 0);
		break;
	case ADVICE_DOFORK:
		remember_range(m, va, end, 0, VMA_NOT_COPIED);
		break;
	case ADVICE_WIPEONFORK:
		remember_range(m, va, end, VMA_WIPED, 0);
		break;
	case ADVICE_KEEPONFORK:
		remember_range(m, va, end, 0, VMA_WIPED);
		break;
	case ADVICE_FREE:
	case ADVICE_REMOVE:
	case ADVICE_PAGEOUT:
		if (!has_rule(r, 11))
			dontneed(r, m, va, end);
		break; /* tables stay, and what went is seen by the next scan */
	default:
		break;
	}
}

static void protect(struct replay *r, struct mirror *m, const struct trace_event *event)
{
	uint64_t va = event->call.args[0];
	uint64_t end = va + round_up(r, event->call.args[1]);
	uint32_t flags = 0;

	if (event->call.args[2] & CALL_PROT_WRITE)
		flags |= TRACE_VMA_WRITE;
	if (event->call.args[2] & CALL_PROT_EXEC)
		flags |= TRACE_VMA_EXEC;
	pages_protect(r, m, va, end, flags);
}

void rules_call(struct replay *r, struct mirror *m, const struct trace_event *event)
{
	int64_t result = event->call.result;
	const uint64_t *args = event->call.args;
	bool failed = result < 0 && result >= -CALL_MOST_ERRORS;

	/* A hole in the range does not keep madvise from the rest of it. */
	if (event->call.nr == CALL_MADVISE && (!failed || result == -CALL_ENOMEM)) {
		advise(r, m, event);
		return;
	}
	if (failed)
		return;
	switch (event->call.nr) {
	case CALL_MMAP: /* what was there goes before the new VMA exists */
		rules_unmap(r, m, (uint64_t)result, (uint64_t)result + round_up(r, args[1]));
		break;
	case CALL_MUNMAP:
		rules_unmap(r, m, args[0], args[0] + round_up(r, args[1]));
		break;
	case CALL_MREMAP:
		rules_mremap(r, m, event);
		break;
	case CALL_MPROTECT:
	case CALL_PKEY_MPROTECT:
		protect(r, m, event);
		break;
	default: /* what others remove is seen in the kernel's next list of VMAs */
		break;
	}
}
