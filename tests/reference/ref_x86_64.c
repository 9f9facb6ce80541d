/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * x86-64 as the Intel SDM, volume 3A, describes it: section 4.5, tables 4-15 (PDPTE that maps
 * 1 GByte), 4-17 and 4-18 (PDE), 4-19 (PTE), in the numbering of the edition that first had
 * protection keys; table 4-2 (PS of a PML4E must be 0); 4.6.2 (protection keys); 11.12.2 and
 * 11.12.3, tables 11-10 and 11-11 (PAT). Five levels: unread there; AMD64 Architecture Programmer's
 * Manual volume 2, 5.3, 5.3.2, 5.3.3: a PML5E is like a PML4E.
 *
 * MAXPHYADDR is taken as 52, EFER.NXE and CR4.PKE as 1.
 */
#include "tests/reference/reference.h"

/* Bits high to low of an entry, as the manual numbers them. */
static uint64_t bits(uint64_t entry, unsigned high, unsigned low)
{
	return entry << (63 - high) >> (63 - high + low);
}

static bool bit(uint64_t entry, unsigned number)
{
	return bits(entry, number, number);
}

/* Entries 0 to 7 of the PAT that the library asks ports for: WB, WC, UC-, UC, WB, WP, UC-, WT. */
static uint32_t pat_type(unsigned index)
{
	switch (index) {
	case 1:
		return PT_TYPE_WRITE_COMBINING;
	case 2:
	case 6:
		return PT_TYPE_UNCACHED_MINUS;
	case 3:
		return PT_TYPE_UNCACHED;
	case 5:
		return PT_TYPE_WRITE_PROTECT;
	case 7:
		return PT_TYPE_WRITE_THROUGH;
	default:
		return PT_TYPE_NORMAL;
	}
}

/* Table 11-11: the PAT bit is bit 7 of a PTE and bit 12 of larger leaves. */
static uint32_t type_of(uint64_t entry, unsigned level)
{
	unsigned pat = bit(entry, level == 0 ? 7 : 12);

	return pat_type(4 * pat + 2 * bit(entry, 4) + bit(entry, 3));
}

/* Rights are those that every entry on the way grants: bits 1 and 2 set, bit 63 clear. */
static uint32_t rights_of(uint64_t entry)
{
	return PT_READ + (bit(entry, 1) ? PT_WRITE : 0) + (bit(entry, 2) ? PT_USER : 0) +
	       (bit(entry, 63) ? 0 : PT_EXEC);
}

static void decode_attributes(uint64_t entry, unsigned level, struct ref_entry *out)
{
	out->flags = rights_of(entry);
	if (bit(entry, 5))
		out->flags |= PT_ACCESSED;
	if (bit(entry, 6))
		out->flags |= PT_DIRTY;
	if (bit(entry, 8))
		out->flags |= PT_GLOBAL;
	if (bit(entry, 9)) /* ignored by the MMU; the library's soft bit */
		out->flags |= PT_SOFT;
	out->flags |= type_of(entry, level) << 8;
	out->flags |= (uint32_t)bits(entry, 62, 59) << 16;
	/* Also ignored: bits 11:10 are the library's format bits 1:0, 58:52 are 8:2. */
	out->format = (uint32_t)(bits(entry, 11, 10) + 4 * bits(entry, 58, 52));
}

/* The lowest address bit of a leaf: 12, 21, 30; above, there are no leaves. */
static unsigned leaf_address_bit(unsigned level)
{
	return level == 0 ? 12 : level == 1 ? 21 : 30;
}

static struct ref_entry decode_leaf(uint64_t entry, unsigned level)
{
	unsigned low = leaf_address_bit(level);
	struct ref_entry out = {.kind = REF_LEAF};

	/* Bits between the PAT bit and the address are reserved. */
	if (level > 2 || (level > 0 && bits(entry, low - 1, 13))) {
		out.kind = REF_INVALID;
		return out;
	}
	out.pa = bits(entry, 51, low) << low;
	decode_attributes(entry, level, &out);
	return out;
}

static struct ref_entry decode(uint64_t entry, unsigned level)
{
	struct ref_entry out = {.kind = REF_INVALID};

	if (entry == 0) {
		out.kind = REF_EMPTY;
	} else if (!bit(entry, 0)) {
		/* The MMU ignores the rest; the library writes bit 10 alone, as busy. */
		if (entry == 1024)
			out.kind = REF_BUSY;
	} else if (level == 0 || bit(entry, 7)) {
		out = decode_leaf(entry, level);
	} else {
		out.kind = REF_TABLE;
		out.pa = bits(entry, 51, 12) << 12;
		out.flags = rights_of(entry);
	}
	return out;
}

/* Present memory can always be read; there are 16 keys, nine bits free, no device type. */
static bool can_say(uint32_t flags, uint32_t format)
{
	uint32_t type = bits(flags, 10, 8);
	uint32_t key = bits(flags, 23, 16);

	return (flags & PT_READ) && !bits(flags, 15, 11) && !bits(flags, 31, 24) && type <= 5 &&
	       key < 16 && format < 512;
}

/* CR3; its table in the manual: unread. */
static uint64_t root(uint64_t value)
{
	return bits(value, 51, 12) << 12;
}

const struct ref_format ref_x86_64 = {
	.name = "x86_64",
	.page_shift = 12,
	.levels = 4,
	.entry_bytes = 8,
	.sign_extended = true,
	.index_bits = {9, 9, 9, 9},
	.decode = decode,
	.can_say = can_say,
	.root = root,
};

const struct ref_format ref_x86_64_la57 = {
	.name = "x86_64-la57",
	.page_shift = 12,
	.levels = 5,
	.entry_bytes = 8,
	.sign_extended = true,
	.index_bits = {9, 9, 9, 9, 9},
	.decode = decode,
	.can_say = can_say,
	.root = root,
};
