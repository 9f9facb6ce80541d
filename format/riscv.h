/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * RISC-V: Sv39, Sv48 and Sv57 are 3 to 5 levels of 512 entries of 8 bytes, Sv32 is 2 levels of 1024
 * entries of 4 bytes and 34-bit physical addresses. Leaves at every level, the root included.
 *
 * RISC-V Instruction Set Manual, volume II, as of 2024. Read: "Sv32", its "Addressing and Memory
 * Protection" and "Virtual Address Translation Process"; "Sv39", "Sv48", "Sv57"; "Svpbmt". Unread:
 * satp; its layout is the one with which QEMU's MMU was made to walk.
 *
 * Memory types of the three large ones are Svpbmt's, where an implementation has that: normal is
 * what the machine's physical memory attributes say, write-combining is NC, uncached is IO. Sv32
 * has normal memory only.
 *
 * Accessed and dirty are set by the MMU, or the MMU raises a page fault instead: then the handler
 * asks pt_access_fault, which sets them. An MMU may also keep entries that were not valid, so a
 * handler that is told to try again executes SFENCE.VMA for the address first.
 */
#ifndef PTDESC_FORMAT_RISCV_H
#define PTDESC_FORMAT_RISCV_H

#include <ptdesc/format.h>

/* RISCV says which width: 64 or 32. */
#if RISCV == 64

typedef uint64_t pf_entry;
#define PF_ENTRY_BITS  64
#define RISCV_BITS     9
#define RISCV_PA_BITS  56
#define RISCV_PBMT     (UINT64_C(3) << 61) /* memory type; leaves */
#define RISCV_RESERVED (UINT64_C(0x3ff) << 54 & ~RISCV_PBMT)
#define RISCV_TYPES    (1u << PT_TYPE_NORMAL | 1u << PT_TYPE_UNCACHED | 1u << PT_TYPE_WRITE_COMBINING)

#else

typedef uint32_t pf_entry;
#define PF_ENTRY_BITS  32
#define RISCV_BITS     10
#define RISCV_PA_BITS  34
#define RISCV_PBMT     0u
#define RISCV_RESERVED 0u
#define RISCV_TYPES    (1u << PT_TYPE_NORMAL)

#endif

#define PF_PAGE_SHIFT 12

#define RISCV_V    ((pf_entry)1)      /* valid */
#define RISCV_R    ((pf_entry)1 << 1) /* R, W, X: may be read, written, executed; all 0: a table */
#define RISCV_W    ((pf_entry)1 << 2)
#define RISCV_X    ((pf_entry)1 << 3)
#define RISCV_U    ((pf_entry)1 << 4) /* user; leaves */
#define RISCV_G    ((pf_entry)1 << 5) /* global */
#define RISCV_A    ((pf_entry)1 << 6) /* accessed; leaves */
#define RISCV_D    ((pf_entry)1 << 7) /* dirty; leaves */
#define RISCV_SOFT ((pf_entry)1 << 8) /* ignored by the MMU: PT_SOFT */
#define RISCV_OWN  ((pf_entry)1 << 9) /* ignored by the MMU: pt_attr.format bit 0 */
#define RISCV_RWX  (RISCV_R | RISCV_W | RISCV_X)

/* The frame number, bits 10 and up, is an address shifted right by 2. */
#define RISCV_PPN ((pf_entry)((UINT64_C(1) << (RISCV_PA_BITS - 2)) - (1u << 10)))

/* Not valid, not empty. */
#define RISCV_BUSY RISCV_SOFT

static inline unsigned pf_bits(unsigned l)
{
	(void)l;
	return RISCV_BITS;
}

static inline unsigned pf_shift(unsigned l)
{
	return PF_PAGE_SHIFT + RISCV_BITS * l;
}

static inline pf_entry pf_empty(unsigned l)
{
	(void)l;
	return 0;
}

static inline pf_entry pf_busy(unsigned l)
{
	(void)l;
	return RISCV_BUSY;
}

static inline bool pf_is_table(pf_entry e, unsigned l)
{
	return l > 0 && (e & (RISCV_V | RISCV_RWX)) == RISCV_V;
}

static inline bool pf_is_leaf(pf_entry e, unsigned l)
{
	(void)l;
	return e & RISCV_V && e & RISCV_RWX;
}

static inline uint64_t pf_table_pa(pf_entry e, unsigned l)
{
	(void)l;
	return (uint64_t)(e & RISCV_PPN) << 2;
}

static inline uint64_t pf_leaf_pa(pf_entry e, unsigned l)
{
	return (uint64_t)(e & RISCV_PPN) << 2 & ~((UINT64_C(1) << pf_shift(l)) - 1);
}

static inline pf_entry pf_make_table(uint64_t pa, unsigned l)
{
	(void)l;
	return (pf_entry)(pa >> 2) | RISCV_V;
}

static inline pf_entry pf_make_leaf(uint64_t pa, unsigned l, pf_entry bits)
{
	(void)l;
	return (pf_entry)(pa >> 2) | bits;
}

#define RISCV_ATTRS                                                                                \
	(PT_READ | PT_WRITE | PT_EXEC | PT_USER | PT_GLOBAL | PT_ACCESSED | PT_DIRTY | PT_SOFT)

/* Flags that are one bit to the left in an entry. */
#define RISCV_LEFT (PT_READ | PT_WRITE | PT_GLOBAL | PT_ACCESSED | PT_DIRTY | PT_SOFT)

PT_STATIC_ASSERT(PT_READ << 1 == RISCV_R && PT_WRITE << 1 == RISCV_W && PT_GLOBAL << 1 == RISCV_G &&
		     PT_ACCESSED << 1 == RISCV_A && PT_DIRTY << 1 == RISCV_D &&
		     PT_SOFT << 1 == RISCV_SOFT && PT_EXEC == RISCV_X && PT_USER << 2 == RISCV_U,
    "flags are moved");

static inline unsigned riscv_type(pt_attr attr)
{
	return (attr.flags & PT_ATTR_TYPE_MASK) >> PT_ATTR_TYPE_AT;
}

#if RISCV == 64

static inline pf_entry riscv_pbmt(unsigned type)
{
	return (pf_entry)(type == PT_TYPE_NORMAL ? 0 : type == PT_TYPE_UNCACHED ? 2 : 1) << 61;
}

static inline uint32_t riscv_type_of(pf_entry e)
{
	return pt_attr_type(e >> 61 & 2   ? PT_TYPE_UNCACHED
			    : e >> 61 & 1 ? PT_TYPE_WRITE_COMBINING
					  : PT_TYPE_NORMAL);
}

#else

static inline pf_entry riscv_pbmt(unsigned type)
{
	(void)type;
	return 0;
}

static inline uint32_t riscv_type_of(pf_entry e)
{
	(void)e;
	return pt_attr_type(PT_TYPE_NORMAL);
}

#endif

/* Something must be allowed, else it is a table; to write without to read is reserved. */
static inline bool riscv_rights(uint32_t flags)
{
	return flags & (PT_READ | PT_EXEC) && (flags & (PT_READ | PT_WRITE)) != PT_WRITE;
}

static inline int pf_attr_make(pt_attr attr, unsigned l, pf_entry *bits)
{
	(void)l;
	if (attr.flags & ~(RISCV_ATTRS | PT_ATTR_TYPE_MASK) || attr.format > 1 ||
	    !(RISCV_TYPES >> riscv_type(attr) & 1) || !riscv_rights(attr.flags))
		return -PT_EATTR;
	*bits = RISCV_V | (pf_entry)(attr.flags & RISCV_LEFT) << 1 | (attr.flags & PT_EXEC) |
		(attr.flags & PT_USER) << 2 | (attr.format ? RISCV_OWN : 0) |
		riscv_pbmt(riscv_type(attr));
	return 0;
}

/* In Sv32 normal memory is whatever the machine's attributes say of it, devices included. */
static inline pt_attr pf_attr_relax(pt_attr attr, unsigned l)
{
	const bool uncached = RISCV_TYPES >> PT_TYPE_UNCACHED & 1;
	unsigned type = riscv_type(attr);

	(void)l;
	if (!riscv_rights(attr.flags))
		attr.flags |= PT_READ;
	if (!(RISCV_TYPES >> type & 1) && type <= PT_TYPE_DEVICE)
		attr.flags = (attr.flags & ~PT_ATTR_TYPE_MASK) |
			     pt_attr_type(uncached ? PT_TYPE_UNCACHED : PT_TYPE_NORMAL);
	attr.flags &= ~PT_ATTR_KEY_MASK;
	attr.format &= 1;
	return attr;
}

static inline pt_attr pf_attr_of(pf_entry e, unsigned l)
{
	pt_attr a;

	(void)l;
	a.flags = ((uint32_t)e >> 1 & RISCV_LEFT) | ((uint32_t)e & PT_EXEC) |
		  ((uint32_t)e >> 2 & PT_USER) | riscv_type_of(e);
	a.format = e & RISCV_OWN ? 1 : 0;
	return a;
}

static inline pf_entry pf_attr_bits(pf_entry e, unsigned l)
{
	(void)l;
	return e & ~RISCV_PPN;
}

static inline pf_entry pf_attr_relevel(pf_entry bits, unsigned from, unsigned to)
{
	(void)from;
	(void)to;
	return bits;
}

static inline pf_entry pf_set_attr(pf_entry e, unsigned l, pf_entry bits)
{
	(void)l;
	return (e & (RISCV_PPN | RISCV_A | RISCV_D)) | (bits & ~(RISCV_A | RISCV_D));
}

static inline bool pf_accessed(pf_entry e, unsigned l)
{
	(void)l;
	return e & RISCV_A;
}

static inline bool pf_dirty(pf_entry e, unsigned l)
{
	(void)l;
	return e & RISCV_D;
}

static inline bool pf_writable(pf_entry e, unsigned l)
{
	(void)l;
	return e & RISCV_W;
}

/* Tables have neither bit. */
static inline pf_entry riscv_marks(unsigned l)
{
	(void)l;
	return RISCV_V | RISCV_A | RISCV_D;
}
#define pf_marks riscv_marks

static inline pf_entry pf_set_ad(pf_entry e, unsigned l, bool accessed, bool dirty)
{
	(void)l;
	return (e & ~(RISCV_A | RISCV_D)) | (accessed ? RISCV_A : 0) | (dirty ? RISCV_D : 0);
}

static inline pf_entry pf_wrprotect(pf_entry e, unsigned l)
{
	(void)l;
	return e & ~RISCV_W;
}

/* satp: mode and frame number; the ASID is the port's. */
static inline uint64_t pf_root_value(uint64_t pa, unsigned levels)
{
	uint64_t mode = PF_ENTRY_BITS == 64 ? (uint64_t)(levels + 5) << 60 : UINT64_C(1) << 31;

	return mode | pa >> 12;
}

static inline bool riscv_leaf_valid(pf_entry e, unsigned l)
{
	const pf_entry low = (pf_entry)(((UINT64_C(1) << pf_shift(l)) - 1) >> 2) & RISCV_PPN;

	return (e & (RISCV_R | RISCV_W)) != RISCV_W && !(e & low) &&
	       (RISCV_PBMT == 0 || (e & RISCV_PBMT) != RISCV_PBMT);
}

static inline bool riscv_valid(pf_entry e, unsigned l)
{
	if (!(e & RISCV_V))
		return true;
	if (e & RISCV_RESERVED)
		return false;
	if (pf_is_table(e, l))
		return !(e & (RISCV_U | RISCV_A | RISCV_D | RISCV_PBMT));
	return riscv_leaf_valid(e, l);
}
#define pf_valid riscv_valid

#endif
