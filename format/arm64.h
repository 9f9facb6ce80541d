/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * arm64, VMSAv8-64 stage 1 of EL1&0: granules of 4, 16 and 64 KiB, 2 to 5 levels, entries of 8
 * bytes. Level 0 here is level 3 of the architecture, level 3 is its 0, level 4 its -1.
 *
 * Arm Architecture Reference Manual. Read, of an early issue (addresses of 48 bits): D4.3.1
 * (descriptors of tables and blocks, which levels have blocks, their output addresses), D4.3.3
 * (bits 63:59 of tables; of leaves UXN, PXN, Contiguous, nG, AF, SH, AP, NS, AttrIndx), D4.4.1
 * (permissions, without its tables, which are pictures). Of one that has FEAT_BBML1: D8.3.1.1 the
 * end, D8.3.1.2 with table D8-52 (leaves; LPA, LPA2, DBM), D8.5.2.1 the beginning (DBM and HD),
 * D8.5.5 (marks in runs), D8.7.1 with table D8-104 (lengths of runs), D8.17.1 (break before make).
 * Of Arm's pseudocode of v9.4-A: AArch64.BlockDescSupported, LeafBase, NextTableBase,
 * S1TTBaseAddress, ContiguousBit.
 *
 *   granule  leaves                 runs of them              52-bit addresses (ARM64_WIDE)
 *   4 KiB    4K, 2M, 1G; 512G wide  16 each, but of 512G      LPA2: 51:50 in 9:8, no SH there
 *   16 KiB   16K, 32M               128 of 16K, 32 of 32M     -
 *   64 KiB   64K, 512M; 4T wide     32 each, but of 4T        LPA: 51:48 in 15:12
 *
 * A space is what one TTBR translates: addresses from 0 on. Those of TTBR1 are named by their low
 * bits alone, in calls as in flush requests. pt_root.control has what TCR_EL1 needs for TTBR0
 * (T0SZ, TG0, IPS, HA, HD, DS); a port lowers IPS to what the machine has, clears HA and HD if it
 * has none of that, and chooses how walks are cached. Attributes of table entries are 0: nothing is
 * forbidden there.
 *
 * Memory types are indices into MAIR_EL1, which a port loads with PT_ARM64_MAIR (pt_root.types):
 * 0 normal, 1 write-through, 2 not cacheable (write-combining), 3 device (nGnRE), 4 device that is
 * neither gathered, reordered nor acknowledged early (uncached). Decoding takes 5 to 7 for 4.
 *
 * Writable is DBM. A leaf with DBM and AP[2] is writable and clean: the MMU clears AP[2] at the
 * first write if TCR_EL1.HD is set; else it faults and pt_access_fault does. AP[2] clear without
 * DBM is writable and dirty. A dirty leaf that is write-protected keeps that in bit 55.
 *
 * PT_EXEC is the right of whom the page is for: of EL0 if PT_USER is set, else of EL1. The other
 * never may, unless pt_attr.format says so:
 *   bits 1:0  shareability, as SH xor 3, so that 0 is inner shareable; not with LPA2 (in TCR_EL1)
 *   bit 2     the other exception level may execute, too
 *   bit 3     NS; bit 4: GP (guarded); bits 11:5: bits 63:57, which software or PBHA use
 */
#ifndef PTDESC_FORMAT_ARM64_H
#define PTDESC_FORMAT_ARM64_H

#include <ptdesc/format.h>

typedef uint64_t pf_entry;
#define PF_ENTRY_BITS 64

/* ARM64_GRANULE is 12, 14 or 16; ARM64_WIDE is 1 where addresses have 52 bits. */
#define PF_PAGE_SHIFT    ARM64_GRANULE
#define PF_BBM           1
#define PF_FRAMED_TABLES 1

#define ARM64_VALID UINT64_C(1)
#define ARM64_TABLE UINT64_C(3)         /* a table, or a page at level 0; valid alone is a block */
#define ARM64_NS    (UINT64_C(1) << 5)  /* not secure */
#define ARM64_USER  (UINT64_C(1) << 6)  /* AP[1]: EL0 as well */
#define ARM64_RO    (UINT64_C(1) << 7)  /* AP[2]: no writes */
#define ARM64_SH    (UINT64_C(3) << 8)  /* shareability; of the address with LPA2 */
#define ARM64_AF    (UINT64_C(1) << 10) /* accessed */
#define ARM64_NG    (UINT64_C(1) << 11) /* not global */
#define ARM64_GP    (UINT64_C(1) << 50) /* guarded page */
#define ARM64_DBM   (UINT64_C(1) << 51) /* the MMU may clear AP[2] */
#define ARM64_CONT  (UINT64_C(1) << 52) /* one of a contiguous run */
#define ARM64_PXN   (UINT64_C(1) << 53) /* EL1 may not execute */
#define ARM64_UXN   (UINT64_C(1) << 54) /* EL0 may not */
#define ARM64_KEPT  (UINT64_C(1) << 55) /* ignored by the MMU: dirty, though write-protected */
#define ARM64_SOFT  (UINT64_C(1) << 56) /* ignored by the MMU: PT_SOFT */

/* Valid is clear. */
#define ARM64_BUSY UINT64_C(2)

/* Bits [high:low]. */
#define ARM64_BITS(high, low) ((UINT64_C(1) << (high) << 1) - (UINT64_C(1) << (low)))

/* Where addresses above 48 or 50 bits go, and the bits of an entry that are address. */
#define ARM64_LPA2 (ARM64_WIDE && ARM64_GRANULE == 12)

#if !ARM64_WIDE
#define ARM64_PA_BITS  48
#define ARM64_LOW_BITS 48
#define ARM64_HIGH_AT  0
#define ARM64_HIGH     UINT64_C(0)
#elif ARM64_LPA2
#define ARM64_PA_BITS  52
#define ARM64_LOW_BITS 50
#define ARM64_HIGH_AT  8
#define ARM64_HIGH     ARM64_BITS(9, 8)
#else
#define ARM64_PA_BITS  52
#define ARM64_LOW_BITS 48
#define ARM64_HIGH_AT  12
#define ARM64_HIGH     ARM64_BITS(15, 12)
#endif

#define ARM64_LOW ARM64_BITS(ARM64_LOW_BITS - 1, ARM64_GRANULE)
#define ARM64_PA  (ARM64_LOW | ARM64_HIGH)

/* The value of MAIR_EL1 that the memory types mean. */
#define PT_ARM64_MAIR UINT64_C(0x0444bbff)

#define ARM64_STRIDE (ARM64_GRANULE - 3)

#if ARM64_GRANULE == 12
#define ARM64_SMALL_ROOT 4 /* the level of a root that fills no frame, and log2 of its entries */
#define ARM64_ROOT_BITS  4
#define ARM64_BLOCKS     (ARM64_WIDE ? 14u : 6u) /* bit l: level l has blocks */
#define ARM64_RUNS       {4, 4, 4}
#elif ARM64_GRANULE == 14
#define ARM64_SMALL_ROOT 3
#define ARM64_ROOT_BITS  1
#define ARM64_BLOCKS     2u
#define ARM64_RUNS       {7, 5}
#else
#define ARM64_SMALL_ROOT 2
#define ARM64_ROOT_BITS  (ARM64_WIDE ? 10 : 6)
#define ARM64_BLOCKS     (ARM64_WIDE ? 6u : 2u)
#define ARM64_RUNS       {5, 5}
#endif

static inline unsigned pf_bits(unsigned l)
{
	return l == ARM64_SMALL_ROOT ? ARM64_ROOT_BITS : ARM64_STRIDE;
}

/* The template asks for levels that no granule has. */
static inline unsigned pf_shift(unsigned l)
{
	unsigned shift = ARM64_GRANULE + ARM64_STRIDE * l;

	return shift < 63 ? shift : 63;
}

static inline pf_entry pf_empty(unsigned l)
{
	(void)l;
	return 0;
}

static inline pf_entry pf_busy(unsigned l)
{
	(void)l;
	return ARM64_BUSY;
}

static inline bool pf_is_table(pf_entry e, unsigned l)
{
	return l > 0 && (e & ARM64_TABLE) == ARM64_TABLE;
}

static inline bool pf_is_leaf(pf_entry e, unsigned l)
{
	if (l == 0)
		return (e & ARM64_TABLE) == ARM64_TABLE;
	return (e & ARM64_TABLE) == ARM64_VALID && ARM64_BLOCKS >> l & 1;
}

/* The address that an entry holds, and an address as an entry has it. */
static inline uint64_t arm64_pa(pf_entry e)
{
	return (e & ARM64_LOW) | (e & ARM64_HIGH) << (ARM64_LOW_BITS - ARM64_HIGH_AT);
}

static inline pf_entry arm64_put_pa(uint64_t pa)
{
	return (pa & ARM64_LOW) | (pa >> (ARM64_LOW_BITS - ARM64_HIGH_AT) & ARM64_HIGH);
}

static inline uint64_t pf_table_pa(pf_entry e, unsigned l)
{
	(void)l;
	return arm64_pa(e);
}

static inline uint64_t pf_leaf_pa(pf_entry e, unsigned l)
{
	return arm64_pa(e) & ~((UINT64_C(1) << pf_shift(l)) - 1);
}

static inline pf_entry pf_make_table(uint64_t pa, unsigned l)
{
	(void)l;
	return arm64_put_pa(pa) | ARM64_TABLE;
}

static inline pf_entry pf_make_leaf(uint64_t pa, unsigned l, pf_entry bits)
{
	(void)l;
	return arm64_put_pa(pa) | bits;
}

static inline unsigned pf_run_shift(unsigned l)
{
	static const uint8_t shift[PT_MAX_LEVELS] = ARM64_RUNS;

	return shift[l];
}
#define pf_run_shift pf_run_shift

static inline bool pf_run(pf_entry e, unsigned l)
{
	return pf_run_shift(l) && e & ARM64_CONT;
}

static inline pf_entry pf_set_run(pf_entry e, unsigned l, bool run)
{
	if (!pf_run_shift(l))
		return e;
	return run ? e | ARM64_CONT : e & ~ARM64_CONT;
}

#define ARM64_ATTRS                                                                                \
	(PT_READ | PT_WRITE | PT_EXEC | PT_USER | PT_GLOBAL | PT_ACCESSED | PT_DIRTY | PT_SOFT)
#define ARM64_TYPES                                                                                \
	(1u << PT_TYPE_NORMAL | 1u << PT_TYPE_WRITE_THROUGH | 1u << PT_TYPE_UNCACHED |             \
	    1u << PT_TYPE_WRITE_COMBINING | 1u << PT_TYPE_DEVICE)

/* Bits of pt_attr.format. */
#define ARM64_FORMAT_SH    3u
#define ARM64_FORMAT_OTHER 4u
#define ARM64_FORMAT_NS    8u
#define ARM64_FORMAT_GP    16u
#define ARM64_FORMAT_HIGH  5 /* bit 57 of an entry, and those above */
#define ARM64_FORMAT       (0xfffu & ~(ARM64_LPA2 ? ARM64_FORMAT_SH : 0u))

static inline unsigned arm64_type(pt_attr attr)
{
	return (attr.flags & PT_ATTR_TYPE_MASK) >> PT_ATTR_TYPE_AT;
}

/* AttrIndx of a type; the types of the indices. */
static inline pf_entry arm64_index(unsigned type)
{
	static const uint8_t index[8] = {
		[PT_TYPE_WRITE_THROUGH] = 1,
		[PT_TYPE_UNCACHED] = 4,
		[PT_TYPE_WRITE_COMBINING] = 2,
		[PT_TYPE_DEVICE] = 3,
	};

	return (pf_entry)index[type] << 2;
}

static inline uint32_t arm64_type_of(pf_entry e)
{
	static const uint8_t type[8] = {PT_TYPE_NORMAL, PT_TYPE_WRITE_THROUGH,
		PT_TYPE_WRITE_COMBINING, PT_TYPE_DEVICE, PT_TYPE_UNCACHED, PT_TYPE_UNCACHED,
		PT_TYPE_UNCACHED, PT_TYPE_UNCACHED};

	return (uint32_t)type[e >> 2 & 7] << PT_ATTR_TYPE_AT;
}

/* SH 1 is reserved. */
static inline bool arm64_can_say(pt_attr attr)
{
	return !(attr.flags & ~(ARM64_ATTRS | PT_ATTR_TYPE_MASK)) && attr.flags & PT_READ &&
	       ARM64_TYPES >> arm64_type(attr) & 1 && !(attr.format & ~ARM64_FORMAT) &&
	       (attr.format & ARM64_FORMAT_SH) != 2;
}

/* Who may write, and whether somebody has. */
static inline pf_entry arm64_write_bits(uint32_t flags)
{
	if (flags & PT_WRITE)
		return ARM64_DBM | (flags & PT_DIRTY ? 0 : ARM64_RO);
	return ARM64_RO | (flags & PT_DIRTY ? ARM64_KEPT : 0);
}

/* Who may not execute: first whom the page is for. */
static inline pf_entry arm64_execute_bits(pt_attr attr)
{
	bool user = attr.flags & PT_USER;
	pf_entry mine = user ? ARM64_UXN : ARM64_PXN;
	pf_entry other = user ? ARM64_PXN : ARM64_UXN;

	return (attr.flags & PT_EXEC ? 0 : mine) | (attr.format & ARM64_FORMAT_OTHER ? 0 : other);
}

static inline pf_entry arm64_format_bits(uint32_t format)
{
	pf_entry bits = ARM64_LPA2 ? 0 : (pf_entry)(~format & ARM64_FORMAT_SH) << 8;

	return bits | (format & ARM64_FORMAT_NS ? ARM64_NS : 0) |
	       (format & ARM64_FORMAT_GP ? ARM64_GP : 0) |
	       (pf_entry)(format >> ARM64_FORMAT_HIGH) << 57;
}

static inline int pf_attr_make(pt_attr attr, unsigned l, pf_entry *bits)
{
	if (!arm64_can_say(attr))
		return -PT_EATTR;
	*bits = (l ? ARM64_VALID : ARM64_TABLE) | arm64_index(arm64_type(attr)) |
		(attr.flags & PT_USER ? ARM64_USER : 0) |
		(attr.flags & PT_ACCESSED ? ARM64_AF : 0) |
		(attr.flags & PT_GLOBAL ? 0 : ARM64_NG) | (attr.flags & PT_SOFT ? ARM64_SOFT : 0) |
		arm64_write_bits(attr.flags) | arm64_execute_bits(attr) |
		arm64_format_bits(attr.format);
	return 0;
}

static inline pt_attr pf_attr_relax(pt_attr attr, unsigned l)
{
	unsigned type = arm64_type(attr);

	(void)l;
	attr.flags |= PT_READ;
	if (!(ARM64_TYPES >> type & 1) && type <= PT_TYPE_DEVICE)
		attr.flags = (attr.flags & ~PT_ATTR_TYPE_MASK) | pt_attr_type(PT_TYPE_UNCACHED);
	attr.flags &= ~PT_ATTR_KEY_MASK;
	attr.format &= ARM64_FORMAT;
	if ((attr.format & ARM64_FORMAT_SH) == 2)
		attr.format &= ~ARM64_FORMAT_SH;
	return attr;
}

static inline bool pf_accessed(pf_entry e, unsigned l)
{
	(void)l;
	return e & ARM64_AF;
}

static inline bool pf_dirty(pf_entry e, unsigned l)
{
	(void)l;
	return (e & (ARM64_RO | ARM64_KEPT)) != ARM64_RO;
}

static inline bool pf_writable(pf_entry e, unsigned l)
{
	(void)l;
	return (e & (ARM64_RO | ARM64_DBM)) != ARM64_RO;
}

static inline uint32_t arm64_format_of(pf_entry e)
{
	bool user = e & ARM64_USER;

	return (ARM64_LPA2 ? 0 : (uint32_t)(~e >> 8) & ARM64_FORMAT_SH) |
	       (e & (user ? ARM64_PXN : ARM64_UXN) ? 0 : ARM64_FORMAT_OTHER) |
	       (e & ARM64_NS ? ARM64_FORMAT_NS : 0) | (e & ARM64_GP ? ARM64_FORMAT_GP : 0) |
	       (uint32_t)(e >> 57) << ARM64_FORMAT_HIGH;
}

static inline pt_attr pf_attr_of(pf_entry e, unsigned l)
{
	pf_entry mine = e & ARM64_USER ? ARM64_UXN : ARM64_PXN;
	pt_attr a;

	a.flags = PT_READ | (pf_writable(e, l) ? PT_WRITE : 0) | (e & mine ? 0 : PT_EXEC) |
		  (e & ARM64_USER ? PT_USER : 0) | (e & ARM64_NG ? 0 : PT_GLOBAL) |
		  (e & ARM64_AF ? PT_ACCESSED : 0) | (pf_dirty(e, l) ? PT_DIRTY : 0) |
		  (e & ARM64_SOFT ? PT_SOFT : 0) | arm64_type_of(e);
	a.format = arm64_format_of(e);
	return a;
}

static inline pf_entry pf_attr_bits(pf_entry e, unsigned l)
{
	(void)l;
	return e & ~(ARM64_PA | ARM64_CONT);
}

static inline pf_entry pf_attr_relevel(pf_entry bits, unsigned from, unsigned to)
{
	(void)from;
	return (bits & ~ARM64_TABLE) | (to ? ARM64_VALID : ARM64_TABLE);
}

static inline pf_entry pf_set_ad(pf_entry e, unsigned l, bool accessed, bool dirty)
{
	uint32_t flags = (pf_writable(e, l) ? PT_WRITE : 0) | (dirty ? PT_DIRTY : 0);

	return (e & ~(ARM64_AF | ARM64_RO | ARM64_DBM | ARM64_KEPT)) | arm64_write_bits(flags) |
	       (accessed ? ARM64_AF : 0);
}

static inline pf_entry pf_wrprotect(pf_entry e, unsigned l)
{
	return (e & ~(ARM64_RO | ARM64_DBM | ARM64_KEPT)) |
	       arm64_write_bits(pf_dirty(e, l) ? PT_DIRTY : 0);
}

static inline pf_entry pf_set_attr(pf_entry e, unsigned l, pf_entry bits)
{
	return pf_set_ad((e & (ARM64_PA | ARM64_CONT)) | bits, l, pf_accessed(e, l),
	    pf_dirty(e, l));
}

/* TTBR without ASID. */
static inline uint64_t pf_root_value(uint64_t pa, unsigned levels)
{
	(void)levels;
	return ARM64_WIDE ? (pa & ARM64_BITS(47, 0)) | pa >> 48 << 2 : pa;
}

/* Reserved: address bits below the size, or where no address is; SH 1; runs of what has none. */
static inline bool arm64_leaf_valid(pf_entry e, unsigned l)
{
	const pf_entry low = ((UINT64_C(1) << pf_shift(l)) - 1) & ARM64_BITS(47, 12);
	const pf_entry reserved = (low | ARM64_BITS(49, 48)) & ~(ARM64_PA & ~low) & ~ARM64_HIGH;

	return !(e & reserved) && (pf_run_shift(l) || !(e & ARM64_CONT)) &&
	       (ARM64_LPA2 || (e & ARM64_SH) != UINT64_C(1) << 8);
}

static inline bool arm64_valid(pf_entry e, unsigned l)
{
	const pf_entry reserved = (ARM64_BITS(50, 48) | ARM64_BITS(15, 12)) & ~ARM64_PA;

	if (!(e & ARM64_VALID))
		return true;
	return pf_is_table(e, l) ? !(e & reserved) : arm64_leaf_valid(e, l);
}
#define pf_valid arm64_valid

#endif
