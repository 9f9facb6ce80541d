/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* fake4, from the comment that opens format/fake.h. */
#include "tests/reference/ref_picture.h"
#include "tests/reference/reference.h"

#define P18 "pppppppppppppppppp"
#define N20 "nnnnnnnnnnnnnnnnnnnn"

static struct ref_entry attributes(const struct ref_fields *f, bool write, bool exec)
{
	struct ref_entry out = {.kind = REF_LEAF, .pa = ref_field(f, 'p') * 64};

	out.flags = PT_READ;
	out.flags |= write ? PT_WRITE : 0;
	out.flags |= exec ? PT_EXEC : 0;
	out.flags |= ref_field(f, 'U') ? PT_USER : 0;
	out.flags |= ref_field(f, 'A') ? PT_ACCESSED : 0;
	out.flags |= ref_field(f, 'D') ? PT_DIRTY : 0;
	out.flags |= ref_field(f, 'S') ? PT_SOFT : 0;
	out.flags |= (ref_field(f, 'T') ? PT_TYPE_NORMAL : PT_TYPE_UNCACHED) << 8;
	return out;
}

/* Execute is stored inverted. */
static struct ref_entry decode_level_0(uint64_t raw)
{
	struct ref_entry out = {.kind = REF_INVALID};
	struct ref_fields f;

	if (raw % 16 == 6 && ref_take_apart("...T" P18 "SADUWxcccc", raw, &f))
		out = attributes(&f, ref_field(&f, 'W'), !ref_field(&f, 'x'));
	return out;
}

/* Write is stored inverted; a leaf maps four pages. */
static struct ref_entry decode_level_1(uint64_t raw)
{
	struct ref_entry out = {.kind = REF_INVALID};
	struct ref_fields f;

	if (raw % 16 == 9 && ref_take_apart("." P18 "..XUDwASTcccc", raw, &f) &&
	    ref_field(&f, 'p') % 4 == 0) {
		out = attributes(&f, !ref_field(&f, 'w'), ref_field(&f, 'X'));
	} else if (raw % 16 == 3 && ref_take_apart("...." N20 "....cccc", raw, &f)) {
		out.kind = REF_TABLE;
		out.flags = REF_RIGHTS;
		out.pa = ref_field(&f, 'n') * 16;
	}
	return out;
}

/* Tables of level 1 have 64 bytes. */
static struct ref_entry decode_level_2(uint64_t raw)
{
	struct ref_entry out = {.kind = REF_INVALID};
	struct ref_fields f;

	if (raw % 16 == 12 && ref_take_apart(N20 "........cccc", raw, &f) &&
	    ref_field(&f, 'n') % 4 == 0) {
		out.kind = REF_TABLE;
		out.flags = REF_RIGHTS;
		out.pa = ref_field(&f, 'n') * 16;
	}
	return out;
}

static struct ref_entry decode(uint64_t raw, unsigned level)
{
	static const uint32_t empty[] = {0x1f2e3d4a, 0x2b3c4d51, 0x3c4b5a6e};
	struct ref_entry out = {.kind = REF_EMPTY};

	if (raw == empty[level])
		return out;
	out.kind = REF_BUSY;
	if (raw == 0x77665545)
		return out;
	return level == 0   ? decode_level_0(raw)
	       : level == 1 ? decode_level_1(raw)
			    : decode_level_2(raw);
}

/* Always readable; normal or uncached; no global, no keys, no bits of its own. */
static bool can_say(uint32_t flags, uint32_t format)
{
	const uint32_t all =
	    PT_READ | PT_WRITE | PT_EXEC | PT_USER | PT_ACCESSED | PT_DIRTY | PT_SOFT | 7u << 8;
	uint32_t type = flags / 256 % 8;

	return !(flags & ~all) && (flags & PT_READ) && format == 0 &&
	       (type == PT_TYPE_NORMAL || type == PT_TYPE_UNCACHED);
}

static uint64_t root(uint64_t value)
{
	return value * 128;
}

const struct ref_format ref_fake4 = {
	.name = "fake4",
	.page_shift = 6,
	.levels = 3,
	.entry_bytes = 4,
	.big_endian = true,
	.index_bits = {2, 4, 5},
	.decode = decode,
	.can_say = can_say,
	.root = root,
};
