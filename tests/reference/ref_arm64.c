/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * arm64 stage 1, by fields of the descriptor: from tables of Arm's descriptors that others
 * published, Arm's guide "Memory management", and get_phys_addr_lpae of QEMU. Compared with the Arm
 * Architecture Reference Manual, an issue that has FEAT_BBML1: tables D8-52 (leaves) and D8-104
 * (lengths of runs); the rest of it unread. What the library keeps in bits that are software's is
 * from its own documentation.
 *
 * Hierarchical attributes of table descriptors are obeyed. MAIR_EL1 is the one that the library
 * asks for: normal, write-through, not cacheable, device nGnRE, then nGnRnE up to index 7.
 */
#include "tests/reference/reference.h"

/* What differs between granules: levels here are the architecture's, 3 the last. */
struct granule {
	unsigned bits; /* log2 bytes */
	unsigned
	    first_block;  /* the lowest number of a level that has blocks, counted from -1 as 0 */
	unsigned high_at; /* where address bits above 48 (50) are; 0: none */
	bool lpa2;
	uint8_t contiguous[5]; /* log2 of a run, by level + 1 */
};

static const struct granule small = {12, 2, 0, false, {0, 0, 4, 4, 4}};
static const struct granule small_lpa2 = {12, 1, 8, true, {0, 0, 4, 4, 4}};
static const struct granule medium = {14, 3, 0, false, {0, 0, 0, 5, 7}};
static const struct granule large = {16, 3, 0, false, {0, 0, 0, 5, 5}};
static const struct granule large_lpa = {16, 2, 12, false, {0, 0, 0, 5, 5}};

static uint64_t field(uint64_t descriptor, unsigned high, unsigned low)
{
	uint64_t above = high == 63 ? 0 : descriptor >> (high + 1) << (high + 1);

	return (descriptor - above) >> low;
}

static bool set(uint64_t descriptor, unsigned bit)
{
	return field(descriptor, bit, bit) != 0;
}

/* All address bits of a descriptor, as if it were of a page. */
static uint64_t address(uint64_t descriptor, const struct granule *g)
{
	if (g->lpa2)
		return field(descriptor, 49, 12) << 12 | field(descriptor, 9, 8) << 50;
	if (g->high_at)
		return field(descriptor, 47, 16) << 16 | field(descriptor, 15, 12) << 48;
	return field(descriptor, 47, g->bits) << g->bits;
}

/* Are bits that hold no address and nothing else all 0: between page bits and granule, and 49:48.
 */
static bool clear_between(uint64_t descriptor, const struct granule *g)
{
	if (!g->lpa2 && field(descriptor, 49, 48))
		return false;
	return g->high_at || g->bits == 12 || !field(descriptor, g->bits - 1, 12);
}

static struct ref_entry table(uint64_t descriptor, const struct granule *g)
{
	struct ref_entry out = {.kind = REF_INVALID, .flags = REF_RIGHTS};

	if (set(descriptor, 50) || !clear_between(descriptor, g))
		return out;
	out.kind = REF_TABLE;
	out.pa = address(descriptor, g);
	if (set(descriptor, 62)) /* APTable[1] */
		out.flags -= PT_WRITE;
	if (set(descriptor, 61)) /* APTable[0] */
		out.flags -= PT_USER;
	if (set(descriptor, 60) && set(descriptor, 59)) /* UXNTable, PXNTable */
		out.flags -= PT_EXEC;
	return out;
}

/* AP, DBM, UXN, PXN. */
static void decode_rights(uint64_t descriptor, struct ref_entry *out)
{
	bool el0 = set(descriptor, 6);
	bool read_only = set(descriptor, 7);
	bool uxn = set(descriptor, 54);
	bool pxn = set(descriptor, 53);

	out->flags = PT_READ;
	if (!read_only || set(descriptor, 51))
		out->flags += PT_WRITE;
	if (!read_only || set(descriptor, 55))
		out->flags += PT_DIRTY;
	if (el0)
		out->flags += PT_USER;
	if (el0 ? !uxn : !pxn)
		out->flags += PT_EXEC;
	if (el0 ? !pxn : !uxn)
		out->format += 4;
}

static void decode_others(uint64_t descriptor, const struct granule *g, struct ref_entry *out)
{
	static const uint32_t mair[] = {PT_TYPE_NORMAL, PT_TYPE_WRITE_THROUGH,
		PT_TYPE_WRITE_COMBINING, PT_TYPE_DEVICE, PT_TYPE_UNCACHED, PT_TYPE_UNCACHED,
		PT_TYPE_UNCACHED, PT_TYPE_UNCACHED};
	static const uint32_t shareability[] = {3, 2, 1, 0}; /* inner is 3 and counts as 0 */

	out->flags += mair[field(descriptor, 4, 2)] << 8;
	if (set(descriptor, 10))
		out->flags += PT_ACCESSED;
	if (!set(descriptor, 11))
		out->flags += PT_GLOBAL;
	if (set(descriptor, 56))
		out->flags += PT_SOFT;
	if (!g->lpa2)
		out->format += shareability[field(descriptor, 9, 8)];
	out->format += 8 * set(descriptor, 5) + 16 * set(descriptor, 50) +
		       32 * (uint32_t)field(descriptor, 63, 57);
}

static struct ref_entry leaf(uint64_t descriptor, unsigned level, const struct granule *g)
{
	struct ref_entry out = {.kind = REF_INVALID};
	uint64_t size = (uint64_t)1 << (g->bits + (g->bits - 3) * (4 - level));
	bool contiguous = set(descriptor, 52);

	if (!clear_between(descriptor, g) || address(descriptor, g) % size ||
	    (!g->lpa2 && field(descriptor, 9, 8) == 1) || (contiguous && !g->contiguous[level]))
		return out;
	out.kind = REF_LEAF;
	out.pa = address(descriptor, g);
	out.run = contiguous;
	decode_rights(descriptor, &out);
	decode_others(descriptor, g, &out);
	return out;
}

static struct ref_entry decode(uint64_t descriptor, unsigned above, const struct granule *g)
{
	unsigned level = 4 - above;
	struct ref_entry out = {.kind = REF_INVALID};

	if (descriptor == 0)
		out.kind = REF_EMPTY;
	else if (descriptor == 2) /* not valid: the library's busy */
		out.kind = REF_BUSY;
	else if (!set(descriptor, 0))
		return out;
	else if (set(descriptor, 1))
		out = above ? table(descriptor, g) : leaf(descriptor, level, g);
	else if (above && level >= g->first_block)
		out = leaf(descriptor, level, g);
	return out;
}

static struct ref_entry decode_4k(uint64_t raw, unsigned level)
{
	return decode(raw, level, &small);
}

static struct ref_entry decode_4k_lpa2(uint64_t raw, unsigned level)
{
	return decode(raw, level, &small_lpa2);
}

static struct ref_entry decode_16k(uint64_t raw, unsigned level)
{
	return decode(raw, level, &medium);
}

static struct ref_entry decode_64k(uint64_t raw, unsigned level)
{
	return decode(raw, level, &large);
}

static struct ref_entry decode_64k_lpa(uint64_t raw, unsigned level)
{
	return decode(raw, level, &large_lpa);
}

/* All can be read; no keys; two of the types are x86's alone; SH 1, which counts as 2, is reserved.
 */
static bool can_say(uint32_t flags, uint32_t format)
{
	uint32_t type = flags / 256;

	return flags < 2048 && (flags & PT_READ) && type != PT_TYPE_UNCACHED_MINUS &&
	       type != PT_TYPE_WRITE_PROTECT && type < 7 && format < 4096 && format % 4 != 2;
}

/* With LPA2 shareability is not in the descriptor. */
static bool can_say_lpa2(uint32_t flags, uint32_t format)
{
	return can_say(flags, format) && format % 4 == 0;
}

/* TTBR: bits 47:1 of the address; where it has 52, 51:48 are in 5:2. */
static uint64_t root48(uint64_t value)
{
	return field(value, 47, 1) << 1;
}

static uint64_t root52(uint64_t value)
{
	return field(value, 47, 6) << 6 | field(value, 5, 2) << 48;
}

#define ARM64 .entry_bytes = 8

const struct ref_format ref_arm64_4k_48 = {
	ARM64,
	.name = "arm64-4k-48",
	.page_shift = 12,
	.levels = 4,
	.index_bits = {9, 9, 9, 9},
	.run_shift = {4, 4, 4},
	.decode = decode_4k,
	.can_say = can_say,
	.root = root48,
};

const struct ref_format ref_arm64_4k_39 = {
	ARM64,
	.name = "arm64-4k-39",
	.page_shift = 12,
	.levels = 3,
	.index_bits = {9, 9, 9},
	.run_shift = {4, 4, 4},
	.decode = decode_4k,
	.can_say = can_say,
	.root = root48,
};

const struct ref_format ref_arm64_4k_52 = {
	ARM64,
	.name = "arm64-4k-52",
	.page_shift = 12,
	.levels = 5,
	.index_bits = {9, 9, 9, 9, 4},
	.run_shift = {4, 4, 4},
	.decode = decode_4k_lpa2,
	.can_say = can_say_lpa2,
	.root = root52,
};

const struct ref_format ref_arm64_16k_36 = {
	ARM64,
	.name = "arm64-16k-36",
	.page_shift = 14,
	.levels = 2,
	.index_bits = {11, 11},
	.run_shift = {7, 5},
	.decode = decode_16k,
	.can_say = can_say,
	.root = root48,
};

const struct ref_format ref_arm64_16k_47 = {
	ARM64,
	.name = "arm64-16k-47",
	.page_shift = 14,
	.levels = 3,
	.index_bits = {11, 11, 11},
	.run_shift = {7, 5},
	.decode = decode_16k,
	.can_say = can_say,
	.root = root48,
};

const struct ref_format ref_arm64_16k_48 = {
	ARM64,
	.name = "arm64-16k-48",
	.page_shift = 14,
	.levels = 4,
	.index_bits = {11, 11, 11, 1},
	.run_shift = {7, 5},
	.decode = decode_16k,
	.can_say = can_say,
	.root = root48,
};

const struct ref_format ref_arm64_64k_42 = {
	ARM64,
	.name = "arm64-64k-42",
	.page_shift = 16,
	.levels = 2,
	.index_bits = {13, 13},
	.run_shift = {5, 5},
	.decode = decode_64k,
	.can_say = can_say,
	.root = root48,
};

const struct ref_format ref_arm64_64k_48 = {
	ARM64,
	.name = "arm64-64k-48",
	.page_shift = 16,
	.levels = 3,
	.index_bits = {13, 13, 6},
	.run_shift = {5, 5},
	.decode = decode_64k,
	.can_say = can_say,
	.root = root48,
};

const struct ref_format ref_arm64_64k_52 = {
	ARM64,
	.name = "arm64-64k-52",
	.page_shift = 16,
	.levels = 3,
	.index_bits = {13, 13, 10},
	.run_shift = {5, 5},
	.decode = decode_64k_lpa,
	.can_say = can_say,
	.root = root52,
};
