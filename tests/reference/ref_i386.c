/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * i386 as pictures of its entries, from the Intel SDM, volume 3A, order number 253668-032US: figure
 * 4-4 and table 4-4 (32-bit paging, PSE-36 taken as absent), figure 4-7, tables 4-7 and 4-8 (PAE).
 * MAXPHYADDR is taken as 52 with PAE, EFER.NXE as 1.
 */
#include "tests/reference/ref_picture.h"
#include "tests/reference/reference.h"

/* a: address, N: NX, F and S: left to software, T t w: PAT, PCD, PWT, I: ignored. */
#define A10 "aaaaaaaaaa"
#define A20 A10 A10
#define A31 A20 A10 "a"
#define A40 A20 A20

struct pictures {
	const char *leaf[2];
	const char *table[3];
};

static const struct pictures plain = {
	{A20 "FFSGTDAtwUWP", A10 ".........TFFSGlDAtwUWP"},
	{NULL, A20 "IIII.IAtwUWP", NULL},
};

static const struct pictures pae = {
	{"N..........." A40 "FFSGTDAtwUWP", "N..........." A31 "........TFFSGlDAtwUWP"},
	{NULL, "N..........." A40 "IIII.IAtwUWP", "............" A40 "III....tw..P"},
};

static uint32_t flag(const struct ref_fields *f, char letter, uint32_t value)
{
	return ref_field(f, letter) ? value : 0;
}

static struct ref_entry table(const char *picture, uint64_t raw, bool rights)
{
	struct ref_entry out = {.kind = REF_INVALID, .flags = REF_RIGHTS};
	struct ref_fields f;

	if (!picture || !ref_take_apart(picture, raw, &f))
		return out;
	out.kind = REF_TABLE;
	out.pa = ref_field(&f, 'a') << 12;
	if (rights)
		out.flags = PT_READ | flag(&f, 'W', PT_WRITE) | flag(&f, 'U', PT_USER) |
			    (ref_field(&f, 'N') ? 0 : PT_EXEC);
	return out;
}

static struct ref_entry leaf(const char *picture, uint64_t raw, unsigned address_bit)
{
	/* Entries 0 to 7 of the PAT that the library asks for. */
	static const uint32_t pat[] = {PT_TYPE_NORMAL, PT_TYPE_WRITE_COMBINING,
		PT_TYPE_UNCACHED_MINUS, PT_TYPE_UNCACHED, PT_TYPE_NORMAL, PT_TYPE_WRITE_PROTECT,
		PT_TYPE_UNCACHED_MINUS, PT_TYPE_WRITE_THROUGH};
	struct ref_entry out = {.kind = REF_INVALID};
	struct ref_fields f;

	if (!ref_take_apart(picture, raw, &f))
		return out;
	out.kind = REF_LEAF;
	out.pa = ref_field(&f, 'a') << address_bit;
	out.flags = PT_READ | flag(&f, 'W', PT_WRITE) | flag(&f, 'U', PT_USER) |
		    flag(&f, 'A', PT_ACCESSED) | flag(&f, 'D', PT_DIRTY) |
		    flag(&f, 'G', PT_GLOBAL) | flag(&f, 'S', PT_SOFT) |
		    (ref_field(&f, 'N') ? 0 : PT_EXEC);
	out.flags |= pat[4 * ref_field(&f, 'T') + 2 * ref_field(&f, 't') + ref_field(&f, 'w')] << 8;
	out.format = (uint32_t)ref_field(&f, 'F');
	return out;
}

static struct ref_entry decode(const struct pictures *p, uint64_t raw, unsigned level,
    unsigned large_bit)
{
	struct ref_entry out = {.kind = REF_INVALID};

	if (raw == 0)
		out.kind = REF_EMPTY;
	else if (raw == 1024) /* not present; the library's busy */
		out.kind = REF_BUSY;
	else if (raw % 2 == 0)
		return out;
	else if (level == 0)
		out = leaf(p->leaf[0], raw, 12);
	else if (level == 1 && raw / 128 % 2)
		out = leaf(p->leaf[1], raw, large_bit);
	else
		out = table(p->table[level], raw, level == 1);
	return out;
}

static struct ref_entry decode_plain(uint64_t raw, unsigned level)
{
	return decode(&plain, raw, level, 22);
}

static struct ref_entry decode_pae(uint64_t raw, unsigned level)
{
	return decode(&pae, raw, level, 21);
}

/* No keys, no device type, two bits of software's own. */
static bool can_say_pae(uint32_t flags, uint32_t format)
{
	return (flags & PT_READ) && flags < 2048 && flags / 256 < 6 && format < 4;
}

/* Without NX all can be executed. */
static bool can_say_plain(uint32_t flags, uint32_t format)
{
	return can_say_pae(flags, format) && (flags & PT_EXEC);
}

/* CR3. */
static uint64_t root_plain(uint64_t value)
{
	return value - value % 4096;
}

static uint64_t root_pae(uint64_t value)
{
	return value % ((uint64_t)1 << 32) / 32 * 32;
}

const struct ref_format ref_i386 = {
	.name = "i386",
	.page_shift = 12,
	.levels = 2,
	.entry_bytes = 4,
	.index_bits = {10, 10},
	.decode = decode_plain,
	.can_say = can_say_plain,
	.root = root_plain,
};

const struct ref_format ref_i386_pae = {
	.name = "i386-pae",
	.page_shift = 12,
	.levels = 3,
	.entry_bytes = 8,
	.index_bits = {9, 9, 2},
	.decode = decode_pae,
	.can_say = can_say_pae,
	.root = root_pae,
};
