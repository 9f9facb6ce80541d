/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/trace/trace_spaces.h"

#include <stdlib.h>
#include <string.h>

#define ALL_VMA_FLAGS  ((TRACE_VMA_SYSV << 1) - 1u)
#define ALL_PAGE_FLAGS ((TRACE_PAGE_HUGE << 1) - 1u)

static const char no_memory[] = "out of memory";
static const char bad_range[] = "a range is empty, out of order or not of whole pages";

struct trace_space *trace_spaces_find(struct trace_spaces *spaces, uint32_t number)
{
	return number < spaces->room ? spaces->slots[number].space : NULL;
}

/* Makes the table hold number, which is below TRACE_SPACES. */
static bool grow_table(struct trace_spaces *spaces, uint32_t number)
{
	size_t room = spaces->room ? spaces->room : 64;
	struct trace_slot *slots;

	if (number < spaces->room)
		return true;
	while (room <= number)
		room *= 2;
	slots = realloc(spaces->slots, room * sizeof(*slots));
	if (!slots)
		return false;
	memset(&slots[spaces->room], 0, (room - spaces->room) * sizeof(*slots));
	spaces->slots = slots;
	spaces->room = room;
	return true;
}

static void free_space(struct trace_space *space)
{
	if (space)
		free(space->spans);
	free(space);
}

/* A space with the parent's list, or, if that is NULL, with an empty one. */
static struct trace_space *new_space(const struct trace_space *parent)
{
	struct trace_space *space = calloc(1, sizeof(*space));

	if (!space || !parent || !parent->count)
		return space;
	space->spans = malloc(parent->count * sizeof(*space->spans));
	if (!space->spans) {
		free(space);
		return NULL;
	}
	memcpy(space->spans, parent->spans, parent->count * sizeof(*space->spans));
	space->count = space->room = parent->count;
	return space;
}

static const char *add_space(struct trace_spaces *spaces, uint32_t number,
    const struct trace_space *parent)
{
	struct trace_slot *slot;

	if (number >= TRACE_SPACES)
		return "the number of this space is too large";
	if (parent && spaces->spans + parent->count > TRACE_SPANS)
		return "more mappings at a time than a trace may have";
	if (!grow_table(spaces, number))
		return no_memory;
	slot = &spaces->slots[number];
	if (slot->used)
		return "the number of this space was used before";
	slot->space = new_space(parent);
	if (!slot->space)
		return no_memory;
	slot->used = true;
	spaces->spans += slot->space->count;
	return NULL;
}

static void drop_space(struct trace_spaces *spaces, uint32_t number)
{
	struct trace_slot *slot = &spaces->slots[number];

	spaces->spans -= slot->space->count;
	free_space(slot->space);
	slot->space = NULL;
}

/* Whole pages, not empty, beginning at from or above. */
static bool range_is_good(const struct trace_spaces *spaces, uint64_t from, uint64_t start,
    uint64_t end)
{
	uint64_t in_page = (UINT64_C(1) << spaces->page_shift) - 1;

	return start >= from && start < end && !((start | end) & in_page);
}

static bool ends(const char *name)
{
	return memchr(name, 0, TRACE_NAME) != NULL;
}

/* The new VMAs in themselves, and between from and to. */
static const char *check_vmas(const struct trace_spaces *spaces, const struct trace_event *event,
    uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < event->vmas.count; i++) {
		const struct trace_vma *vma = &event->vmas.vmas[i];

		if (!range_is_good(spaces, from, vma->start, vma->end))
			return bad_range;
		if (vma->flags & ~ALL_VMA_FLAGS)
			return "a mapping has flags that do not exist";
		if (!ends(vma->name))
			return "a name has no end";
		from = vma->end;
	}
	return from <= to ? NULL : bad_range;
}

static bool list_room(struct trace_space *space, size_t need)
{
	size_t room = space->room ? space->room : 16;
	struct trace_span *spans;

	if (need <= space->room)
		return true;
	while (room < need)
		room *= 2;
	spans = realloc(space->spans, room * sizeof(*spans));
	if (!spans)
		return false;
	space->spans = spans;
	space->room = room;
	return true;
}

/* The list of a space becomes: its first ones, the new ones, its last ones. */
static const char *splice(struct trace_spaces *spaces, struct trace_space *space,
    const struct trace_event *event)
{
	size_t first = event->vmas.keep_first;
	size_t last = event->vmas.keep_last;
	size_t count = first + event->vmas.count + last;
	size_t others = spaces->spans - space->count;

	if (count > TRACE_SPANS - others)
		return "more mappings at a time than a trace may have";
	if (!list_room(space, count))
		return no_memory;
	if (last && count != space->count)
		memmove(&space->spans[count - last], &space->spans[space->count - last],
		    last * sizeof(*space->spans));
	for (size_t i = 0; i < event->vmas.count; i++) {
		space->spans[first + i].start = event->vmas.vmas[i].start;
		space->spans[first + i].end = event->vmas.vmas[i].end;
	}
	space->count = count;
	spaces->spans = others + count;
	return NULL;
}

static const char *take_vmas(struct trace_spaces *spaces, struct trace_space *space,
    const struct trace_event *event)
{
	size_t first = event->vmas.keep_first;
	size_t last = event->vmas.keep_last;
	uint64_t from;
	uint64_t to;
	const char *what;

	if (first > space->count || last > space->count - first)
		return "more mappings are kept than there were";
	from = first ? space->spans[first - 1].end : 0;
	to = last ? space->spans[space->count - last].start : UINT64_MAX;
	what = check_vmas(spaces, event, from, to);
	return what ? what : splice(spaces, space, event);
}

static const char *check_scan(const struct trace_spaces *spaces, const struct trace_event *event)
{
	uint64_t from = event->scan.start;

	if ((unsigned)event->scan.why >= TRACE_WHYS)
		return "the reason of a scan does not exist";
	if (!range_is_good(spaces, 0, from, event->scan.end))
		return bad_range;
	for (size_t i = 0; i < event->scan.count; i++) {
		const struct trace_run *run = &event->scan.runs[i];

		if (!range_is_good(spaces, from, run->start, run->end))
			return bad_range;
		if (run->flags & ~ALL_PAGE_FLAGS)
			return "pages have flags that do not exist";
		from = run->end;
	}
	return from <= event->scan.end ? NULL : bad_range;
}

/* Events that make a space. */
static const char *take_new(struct trace_spaces *spaces, const struct trace_event *event)
{
	const struct trace_space *parent = NULL;

	if (event->kind == TRACE_EXEC && !ends(event->name))
		return "a name has no end";
	if (event->kind == TRACE_FORK) {
		parent = trace_spaces_find(spaces, event->parent);
		if (!parent)
			return "the parent's space is not known, or gone";
	}
	return add_space(spaces, event->space, parent);
}

const char *trace_spaces_take(struct trace_spaces *spaces, const struct trace_event *event)
{
	struct trace_space *space;

	if ((unsigned)event->kind >= TRACE_KINDS)
		return "there is no such kind of event";
	if (event->kind == TRACE_EXEC || event->kind == TRACE_FORK)
		return take_new(spaces, event);
	if (event->kind == TRACE_LOST)
		return NULL;
	space = trace_spaces_find(spaces, event->space);
	if (!space)
		return "the space is not known, or gone";
	switch (event->kind) {
	case TRACE_GONE:
		drop_space(spaces, event->space);
		return NULL;
	case TRACE_VMAS:
		return take_vmas(spaces, space, event);
	case TRACE_SCAN:
		return check_scan(spaces, event);
	case TRACE_CHECK:
		return (unsigned)event->check.why < TRACE_WHYS
			   ? NULL
			   : "the reason of a checkpoint does not exist";
	default:
		return NULL;
	}
}

void trace_spaces_reset(struct trace_spaces *spaces)
{
	for (size_t i = 0; i < spaces->room; i++)
		free_space(spaces->slots[i].space);
	free(spaces->slots);
	*spaces = (struct trace_spaces){.page_shift = spaces->page_shift};
}
