/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * RISC-V as volume II of the instruction set manual describes it (2024): the PTE of Sv32 and, in
 * Sv39, what the wider ones have beyond it; Svnapot, Svpbmt. satp: unread there, taken from what
 * QEMU's MMU accepted.
 */
#include "tests/reference/ref_picture.h"
#include "tests/reference/reference.h"

/* p: frame number, N: Svnapot, b: Svpbmt, F and S: left to software. */
#define P22 "pppppppppppppppppppppp"

static const char picture64[] = ".bb......." P22 P22 "FSDAGUXWRV";
static const char picture_napot[] = "Nbb......." P22 P22 "FSDAGUXWRV";
static const char picture32[] = P22 "FSDAGUXWRV";

static uint32_t flag(const struct ref_fields *f, char letter, uint32_t value)
{
	return ref_field(f, letter) ? value : 0;
}

/* An entry that is valid, its reserved bits 0, is a table if it gives no right. */
static struct ref_entry decode_table(const struct ref_fields *f, unsigned level)
{
	struct ref_entry out = {.kind = REF_INVALID};

	/* The last step of a walk must be a leaf; A, D, U, PBMT and N belong to leaves. */
	if (level == 0 || ref_field(f, 'A') || ref_field(f, 'D') || ref_field(f, 'U') ||
	    ref_field(f, 'b') || ref_field(f, 'N'))
		return out;
	out.kind = REF_TABLE;
	out.pa = ref_field(f, 'p') << 12;
	out.flags = REF_RIGHTS;
	return out;
}

static struct ref_entry decode_leaf(const struct ref_fields *f, unsigned level, unsigned index_bits)
{
	static const uint32_t types[] = {PT_TYPE_NORMAL, PT_TYPE_WRITE_COMBINING, PT_TYPE_UNCACHED};
	struct ref_entry out = {.kind = REF_INVALID};

	if ((ref_field(f, 'W') && !ref_field(f, 'R')) || ref_field(f, 'b') == 3 ||
	    ref_field(f, 'p') % ((uint64_t)1 << index_bits * level))
		return out;
	/* Svnapot: the frame number ends in 1000, and counts as if it ended in 0000. */
	if (ref_field(f, 'N') && (level > 0 || ref_field(f, 'p') % 16 != 8))
		return out;
	out.kind = REF_LEAF;
	out.run = ref_field(f, 'N');
	out.pa = (ref_field(f, 'p') - (out.run ? 8 : 0)) << 12;
	out.flags = flag(f, 'R', PT_READ) | flag(f, 'W', PT_WRITE) | flag(f, 'X', PT_EXEC) |
		    flag(f, 'U', PT_USER) | flag(f, 'G', PT_GLOBAL) | flag(f, 'A', PT_ACCESSED) |
		    flag(f, 'D', PT_DIRTY) | flag(f, 'S', PT_SOFT);
	out.flags |= types[ref_field(f, 'b')] << 8;
	out.format = (uint32_t)ref_field(f, 'F');
	return out;
}

static struct ref_entry decode(uint64_t raw, unsigned level, const char *picture,
    unsigned index_bits)
{
	struct ref_entry out = {.kind = REF_INVALID};
	struct ref_fields f;

	if (raw == 0)
		out.kind = REF_EMPTY;
	else if (raw == 256) /* the MMU ignores what is not valid; the library's busy */
		out.kind = REF_BUSY;
	else if (!ref_take_apart(picture, raw, &f) || !ref_field(&f, 'V'))
		return out;
	else if (ref_field(&f, 'R') + ref_field(&f, 'W') + ref_field(&f, 'X') == 0)
		out = decode_table(&f, level);
	else
		out = decode_leaf(&f, level, index_bits);
	return out;
}

static struct ref_entry decode64(uint64_t raw, unsigned level)
{
	return decode(raw, level, picture64, 9);
}

static struct ref_entry decode_napot(uint64_t raw, unsigned level)
{
	return decode(raw, level, picture_napot, 9);
}

static struct ref_entry decode32(uint64_t raw, unsigned level)
{
	return decode(raw, level, picture32, 10);
}

/* No keys; one bit of software's own; the three without R and W without R are no leaves. */
static bool can_say(uint32_t flags, uint32_t format, uint32_t types)
{
	bool read = flags & PT_READ;
	bool write = flags & PT_WRITE;
	bool execute = flags & PT_EXEC;

	return flags < 2048 && format < 2 && types >> flags / 256 & 1 && (read || execute) &&
	       (read || !write);
}

static bool can_say64(uint32_t flags, uint32_t format)
{
	return can_say(flags, format,
	    1u << PT_TYPE_NORMAL | 1u << PT_TYPE_WRITE_COMBINING | 1u << PT_TYPE_UNCACHED);
}

static bool can_say32(uint32_t flags, uint32_t format)
{
	return can_say(flags, format, 1u << PT_TYPE_NORMAL);
}

/* satp, RV64: mode in 63:60, ASID, frame number in 43:0; mode 8 is Sv39, 9 Sv48, 10 Sv57. */
static uint64_t root39(uint64_t value)
{
	return value >> 60 == 8 ? (value & 0xfffffffffff) << 12 : UINT64_MAX;
}

static uint64_t root48(uint64_t value)
{
	return value >> 60 == 9 ? (value & 0xfffffffffff) << 12 : UINT64_MAX;
}

static uint64_t root57(uint64_t value)
{
	return value >> 60 == 10 ? (value & 0xfffffffffff) << 12 : UINT64_MAX;
}

/* RV32: mode in bit 31, frame number in 21:0. */
static uint64_t root32(uint64_t value)
{
	return value >> 31 == 1 ? (value & 0x3fffff) << 12 : UINT64_MAX;
}

#define WIDE  .page_shift = 12, .entry_bytes = 8, .sign_extended = true, .can_say = can_say64
#define PLAIN .decode = decode64
#define NAPOT .decode = decode_napot, .run_shift = {4}, .run_one_address = true
#define SV39  WIDE, .levels = 3, .index_bits = {9, 9, 9}, .root = root39
#define SV48  WIDE, .levels = 4, .index_bits = {9, 9, 9, 9}, .root = root48
#define SV57  WIDE, .levels = 5, .index_bits = {9, 9, 9, 9, 9}, .root = root57

const struct ref_format ref_riscv_sv39 = {SV39, PLAIN, .name = "riscv-sv39"};
const struct ref_format ref_riscv_sv48 = {SV48, PLAIN, .name = "riscv-sv48"};
const struct ref_format ref_riscv_sv57 = {SV57, PLAIN, .name = "riscv-sv57"};
const struct ref_format ref_riscv_sv39_napot = {SV39, NAPOT, .name = "riscv-sv39-napot"};
const struct ref_format ref_riscv_sv48_napot = {SV48, NAPOT, .name = "riscv-sv48-napot"};
const struct ref_format ref_riscv_sv57_napot = {SV57, NAPOT, .name = "riscv-sv57-napot"};

const struct ref_format ref_riscv_sv32 = {
	.name = "riscv-sv32",
	.page_shift = 12,
	.levels = 2,
	.entry_bytes = 4,
	.index_bits = {10, 10},
	.decode = decode32,
	.can_say = can_say32,
	.root = root32,
};
