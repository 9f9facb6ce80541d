/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/replay/place.h"

#include "tool/sink/sink.h"

/* Bytes that a program may use of a format's space. */
static uint64_t user_bytes(const struct pt_format *format, uint64_t room)
{
	unsigned bits = sink_user_bits(format);
	uint64_t all = bits < 64 ? UINT64_C(1) << bits : UINT64_MAX;

	return room && room < all ? room : all;
}

/*
 * Distances are multiples of what a table of level 1 translates, if the space has room for some of
 * these, else of what a leaf table does: then tables are shared by neighbours as they were.
 */
static uint64_t step_of(const struct pt_format *format, uint64_t user)
{
	unsigned leaf = pt_format_shift(format, 1);
	unsigned upper = leaf + format->bits[1];

	return UINT64_C(1) << (user >> upper >= 64 ? upper : leaf);
}

/* The VMA before the largest hole: the last of image and heap. */
static size_t before_hole(const struct vma_list *vmas)
{
	uint64_t most = 0;
	size_t at = 0;

	for (size_t i = 0; i + 1 < vmas->count; i++) {
		uint64_t hole = vmas->at[i + 1].shown.start - vmas->at[i].shown.end;

		if (hole > most) {
			most = hole;
			at = i;
		}
	}
	return at;
}

/* The VMA of the stack, or the last. */
static size_t stack_of(const struct vma_list *vmas)
{
	size_t at = vmas->count - 1;

	for (size_t i = 0; i < vmas->count; i++)
		if (vmas->at[i].shown.flags & TRACE_VMA_STACK)
			at = i;
	return at;
}

/* The middle of the hole behind a VMA. */
static uint64_t middle_after(const struct vma_list *vmas, size_t at, uint64_t step)
{
	uint64_t end = vmas->at[at].shown.end;

	return (end + (vmas->at[at + 1].shown.start - end) / 2) & ~(step - 1);
}

/* What lies in [start, end) moves down by delta, as far as that puts it into [low, high). */
static void add_part(struct place *place, uint64_t start, uint64_t end, uint64_t delta,
    struct placed room)
{
	struct place_part *part = &place->part[place->parts];
	uint64_t low = room.va + delta;
	uint64_t high = low + room.size;

	*part = (struct place_part){start > low ? start : low, end < high ? end : high, -delta};
	if (part->start < part->end)
		place->parts++;
}

/* How far down an address has to go, in steps, to be at or below another. */
static uint64_t down_to(uint64_t from, uint64_t to, uint64_t step)
{
	return from <= to ? 0 : (from - to + step - 1) & ~(step - 1);
}

/* A quarter is for image and heap, a sixteenth for the stack, the rest for the mmap area. */
static void move_parts(struct place *place, const struct pt_format *format, uint64_t user,
    const struct vma_list *vmas)
{
	uint64_t step = step_of(format, user);
	uint64_t quarter = user / 4 & ~(step - 1);
	uint64_t top = (user - user / 16) & ~(step - 1);
	size_t image = before_hole(vmas);
	size_t stack = stack_of(vmas);
	uint64_t mmap = middle_after(vmas, image, step);
	uint64_t above = stack > image + 1 ? middle_after(vmas, stack - 1, step) : mmap;
	uint64_t low = down_to(vmas->at[0].shown.start, quarter / 2, step);

	if (low > vmas->at[0].shown.start)
		low -= step;
	add_part(place, 0, mmap, low, (struct placed){.va = 0, .size = quarter});
	if (above > mmap)
		add_part(place, mmap, above, down_to(vmas->at[stack - 1].shown.end, top, step),
		    (struct placed){.va = quarter, .size = top - quarter});
	add_part(place, above, UINT64_MAX, down_to(vmas->at[vmas->count - 1].shown.end, user, step),
	    (struct placed){.va = top, .size = user - top});
}

void place_decide(struct place *place, const struct pt_format *format, uint64_t room,
    unsigned recorded_bits, const struct vma_list *vmas)
{
	uint64_t user = user_bytes(format, room);

	if (recorded_bits >= 64 || user < UINT64_C(1) << recorded_bits) {
		if (vmas->count > 1)
			move_parts(place, format, user, vmas);
		return;
	}
	place->part[0] = (struct place_part){0, user, 0};
	place->parts = 1;
}

unsigned place_range(const struct place *place, uint64_t start, uint64_t end,
    struct placed out[PLACE_PARTS])
{
	unsigned count = 0;

	for (unsigned i = 0; i < place->parts; i++) {
		const struct place_part *part = &place->part[i];
		uint64_t first = start > part->start ? start : part->start;
		uint64_t past = end < part->end ? end : part->end;

		if (first < past)
			out[count++] = (struct placed){first, past - first, first + part->delta};
	}
	return count;
}

bool place_va(const struct place *place, uint64_t va, uint64_t *out)
{
	struct placed range[PLACE_PARTS];

	if (!place_range(place, va, va + 1, range))
		return false;
	*out = range[0].va;
	return true;
}

static const struct place_part *part_of(const struct place *place, const struct placed *at)
{
	const struct place_part *part = place->part;

	while (at->from >= part->end)
		part++;
	return part;
}

uint64_t place_floor(const struct place *place, const struct placed *at, uint64_t floor)
{
	const struct place_part *part = part_of(place, at);

	return (floor > part->start ? floor : part->start) + part->delta;
}

uint64_t place_ceiling(const struct place *place, const struct placed *at, uint64_t ceiling)
{
	const struct place_part *part = part_of(place, at);

	/* 0 is the end of the space. */
	if (!ceiling)
		return 0;
	return (ceiling < part->end ? ceiling : part->end) + part->delta;
}
