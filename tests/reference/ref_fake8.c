/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* fake8, from the comment that opens format/fake.h. */
#include "tests/reference/ref_picture.h"
#include "tests/reference/reference.h"

/* Small letters of rwxugads: stored inverted. TKF: high bit, tkf: low bit. Z: run. c: code. */
#define P42 "pppppppppppppppppppppppppppppppppppppppppp"
#define N43 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

static const char *const leaf_picture[] = {
	"...ZFfKk" P42 "TtSGUXADRWcccc",
	".." P42 "..tTFfKkSRDGwUxAcccc",
	"....TtkKfFadW" P42 "XGRSUcccc",
};

static const char *const table_picture[] = {
	"",
	"......" N43 "...........cccc",
	"............." N43 "....cccc",
	".." N43 "...............cccc",
};

static const uint64_t empty[] = {
	0xe0e0e0e0e0e0e0e7,
	0xe1e1e1e1e1e1e1ed,
	0xe2e2e2e2e2e2e2e2,
	0xe3e3e3e3e3e3e3eb,
};

/* A flag that is set either way round. */
static uint32_t flag(const struct ref_fields *f, const char *picture, char letter, uint32_t value)
{
	for (; *picture; picture++) {
		if (*picture == letter)
			return ref_field(f, letter) ? value : 0;
		if (*picture == letter + 'a' - 'A')
			return ref_field(f, *picture) ? 0 : value;
	}
	return 0;
}

static void decode_attributes(const struct ref_fields *f, const char *picture,
    struct ref_entry *out)
{
	static const uint32_t type[] = {PT_TYPE_UNCACHED, PT_TYPE_DEVICE, PT_TYPE_NORMAL,
		PT_TYPE_WRITE_COMBINING};

	out->flags = flag(f, picture, 'R', PT_READ) | flag(f, picture, 'W', PT_WRITE) |
		     flag(f, picture, 'X', PT_EXEC) | flag(f, picture, 'U', PT_USER) |
		     flag(f, picture, 'G', PT_GLOBAL) | flag(f, picture, 'A', PT_ACCESSED) |
		     flag(f, picture, 'D', PT_DIRTY) | flag(f, picture, 'S', PT_SOFT);
	out->flags |= type[2 * ref_field(f, 'T') + ref_field(f, 't')] << 8;
	out->flags |= (uint32_t)(2 * ref_field(f, 'K') + ref_field(f, 'k')) << 16;
	out->format = (uint32_t)(2 * ref_field(f, 'F') + ref_field(f, 'f'));
	out->run = ref_field(f, 'Z');
}

static struct ref_entry decode_leaf(uint64_t raw, unsigned level)
{
	static const uint64_t pages[] = {1, 4, 32}; /* that a leaf maps */
	struct ref_entry out = {.kind = REF_INVALID};
	struct ref_fields f;

	if (!ref_take_apart(leaf_picture[level], raw, &f) || ref_field(&f, 'p') % pages[level])
		return out;
	decode_attributes(&f, leaf_picture[level], &out);
	if ((out.flags & (PT_READ | PT_WRITE)) == PT_WRITE)
		return out;
	out.kind = REF_LEAF;
	out.pa = ref_field(&f, 'p') * 64;
	return out;
}

static struct ref_entry decode_table(uint64_t raw, unsigned level)
{
	static const uint64_t bytes[] = {0, 32, 64, 128}; /* of the table pointed to */
	struct ref_entry out = {.kind = REF_INVALID};
	struct ref_fields f;

	if (!ref_take_apart(table_picture[level], raw, &f))
		return out;
	if (ref_field(&f, 'n') * 32 % bytes[level])
		return out;
	out.kind = REF_TABLE;
	out.pa = ref_field(&f, 'n') * 32;
	out.flags = REF_RIGHTS;
	return out;
}

static struct ref_entry decode(uint64_t raw, unsigned level)
{
	static const char codes[][2] = {{9, -1}, {3, 6}, {12, 10}, {-1, 5}}; /* leaf, table */
	struct ref_entry out = {.kind = REF_INVALID};

	if (raw == empty[level])
		out.kind = REF_EMPTY;
	else if (raw == 0xb5b5b5b5b5b5b5be)
		out.kind = REF_BUSY;
	else if (raw % 16 == (uint64_t)codes[level][0])
		out = decode_leaf(raw, level);
	else if (raw % 16 == (uint64_t)codes[level][1])
		out = decode_table(raw, level);
	return out;
}

/* All but write without read; four keys, four types, two bits of its own. */
static bool can_say(uint32_t flags, uint32_t format)
{
	static const bool types[8] = {[PT_TYPE_NORMAL] = true,
		[PT_TYPE_UNCACHED] = true,
		[PT_TYPE_WRITE_COMBINING] = true,
		[PT_TYPE_DEVICE] = true};
	const uint32_t all = 0xff + (7u << 8) + (3u << 16);

	return !(flags & ~all) && types[flags / 256 % 8] && format <= 3 &&
	       ((flags & PT_READ) || !(flags & PT_WRITE));
}

static uint64_t root(uint64_t value)
{
	return value - 4;
}

const struct ref_format ref_fake8 = {
	.name = "fake8",
	.page_shift = 6,
	.levels = 4,
	.entry_bytes = 8,
	.sign_extended = true,
	.index_bits = {2, 3, 4, 3},
	.run_shift = {1},
	.decode = decode,
	.can_say = can_say,
	.root = root,
};
