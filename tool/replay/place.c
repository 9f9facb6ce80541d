/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/replay/place.h"

/* Bytes that a program may use of a format's space: the lower half where addresses are signed. */
static uint64_t user_bytes(const struct pt_format *format)
{
	unsigned bits = format->va_bits - (format->flags & PT_FORMAT_SIGNED ? 1u : 0u);

	return bits < 64 ? UINT64_C(1) << bits : UINT64_MAX;
}

/*
 * Distances are multiples of what a table of level 1 translates, if the space has room for some of
 * these, else of what a leaf table does: then tables are shared by neighbours as they were.
 */
static uint64_t step_of(const struct pt_format *format)
{
	unsigned leaf = pt_format_shift(format, 1);
	unsigned upper = leaf + format->bits[1];

	return UINT64_C(1) << (user_bytes(format) >> upper >= 64 ? upper : leaf);
}

/* Where the largest hole begins: between the lower part and the upper. */
static size_t largest_hole(const struct vma_list *vmas)
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

static void move_parts(struct place *place, const struct pt_format *format,
    const struct vma_list *vmas)
{
	uint64_t user = user_bytes(format);
	uint64_t step = step_of(format);
	uint64_t quarter = user / 4 & ~(step - 1);
	size_t hole = largest_hole(vmas);
	uint64_t low = vmas->at[0].shown.start;
	uint64_t middle = vmas->at[hole].shown.end / 2 + vmas->at[hole + 1].shown.start / 2;
	uint64_t top = vmas->at[vmas->count - 1].shown.end;
	uint64_t down = low < quarter / 2 ? 0 : (low - quarter / 2 + step - 1) & ~(step - 1);
	uint64_t off = top <= user ? 0 : (top - user + step - 1) & ~(step - 1);

	if (down > low)
		down = low & ~(step - 1);
	middle &= ~(step - 1);
	place->part[0] = (struct place_part){down, middle, -down};
	if (place->part[0].end > quarter + down)
		place->part[0].end = quarter + down;
	place->part[1] = (struct place_part){middle, user + off, -off};
	if (place->part[1].start < quarter + off)
		place->part[1].start = quarter + off;
	place->parts = 2;
}

void place_decide(struct place *place, const struct pt_format *format, unsigned recorded_bits,
    const struct vma_list *vmas)
{
	uint64_t user = user_bytes(format);

	if (recorded_bits >= 64 || user < UINT64_C(1) << recorded_bits) {
		if (vmas->count > 1)
			move_parts(place, format, vmas);
		return;
	}
	place->part[0] = (struct place_part){0, user, 0};
	place->parts = 1;
}

unsigned place_range(const struct place *place, uint64_t start, uint64_t end, struct placed out[2])
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
	struct placed range[2];

	if (!place_range(place, va, va + 1, range))
		return false;
	*out = range[0].va;
	return true;
}

static const struct place_part *part_of(const struct place *place, const struct placed *at)
{
	return at->from >= place->part[0].end ? &place->part[1] : &place->part[0];
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
