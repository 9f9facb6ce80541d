/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * RISC-V: Sv39, Sv48 and Sv57 are 3 to 5 levels of 512 entries of 8 bytes, Sv32 is 2 levels of 1024
 * entries of 4 bytes and 34-bit physical addresses. Leaves at every level, the root included.
 *
 * RISC-V Instruction Set Manual, volume II, as of 2024. Read: "Sv32", its "Addressing and Memory
 * Protection" and "Virtual Address Translation Process"; "Sv39", "Sv48", "Sv57"; "Svnapot",
 * "Svpbmt"; "satp" (table of modes; ASIDs of up to 9 or 16 bits; its figures are pictures, so that
 * where the fields are is what QEMU's MMU was made to walk with); "SFENCE.VMA": with an address it
 * orders entries of leaves alone, so a flush of entries that point to tables has to name none.
 *
 * Runs of 16 pages are Svnapot's. Without that extension they fault, so there are two of each of
 * the three large ones; those whose name ends in -napot make runs. All entries of a run hold the
 * address of the run; code sees each with its own (pf_found). A run is taken apart with no flush in
 * between: what an MMU still keeps of it says the same.
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

/* RISCV says which width: 64 or 32. RISCV_NAPOT is 1 where runs are made. */
#if RISCV == 64

typedef uint64_t pf_entry;
#define PF_ENTRY_BITS  64
#define RISCV_BITS     9
#define RISCV_PA_BITS  56
#define RISCV_PBMT     (UINT64_C(3) << 61) /* memory type; leaves */
#define RISCV_N        (UINT64_C(1) << 63) /* one of a run; leaves of level 0 */
#define RISCV_RESERVED (UINT64_C(0x7f) << 54 | (RISCV_NAPOT ? 0 : RISCV_N))
#define RISCV_LEAVES   (RISCV_PBMT | RISCV_N)
#define RISCV_RUN      (RISCV_NAPOT ? 4u : 0u) /* log2 entries of a run */
#define RISCV_TYPES    (1u << PT_TYPE_NORMAL | 1u << PT_TYPE_UNCACHED | 1u << PT_TYPE_WRITE_COMBINING)

#else

typedef uint32_t pf_entry;
#define PF_ENTRY_BITS  32
#define RISCV_BITS     10
#define RISCV_PA_BITS  34
#define RISCV_PBMT     0u
#define RISCV_N        0u
#define RISCV_RESERVED 0u
#define RISCV_LEAVES   0u
#define RISCV_RUN      0u
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

static inline unsigned pf_run_shift(unsigned l)
{
	return l ? 0 : RISCV_RUN;
}
#define pf_run_shift pf_run_shift

static inline bool pf_run(pf_entry e, unsigned l)
{
	return pf_run_shift(l) && e & RISCV_N;
}

static inline pf_entry pf_set_run(pf_entry e, unsigned l, bool run)
{
	if (!pf_run_shift(l))
		return e;
	return run ? e | RISCV_N : e & ~RISCV_N;
}

#if RISCV_NAPOT

/* The low bits of the frame number, which in a run say how long it is: 64 KiB. */
#define RISCV_LOW_PPN (UINT64_C(15) << 10)
#define RISCV_64K     (UINT64_C(8) << 10)

static inline pf_entry riscv_stored(pf_entry e)
{
	return e & RISCV_N ? (e & ~RISCV_LOW_PPN) | RISCV_64K : e;
}

/* Other lengths are reserved: they get reserved bits. */
static inline pf_entry riscv_found(pf_entry e, uintptr_t n)
{
	if (!(e & RISCV_N))
		return e;
	if ((e & RISCV_LOW_PPN) != RISCV_64K)
		return e | RISCV_RESERVED;
	return (e & ~RISCV_LOW_PPN) | ((pf_entry)n << 10 & RISCV_LOW_PPN);
}
#define pf_stored riscv_stored
#define pf_found  riscv_found

#endif

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
	return e & ~(RISCV_PPN | RISCV_N);
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
	return (e & (RISCV_PPN | RISCV_N | RISCV_A | RISCV_D)) | (bits & ~(RISCV_A | RISCV_D));
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

	return (e & (RISCV_R | RISCV_W)) != RISCV_W && !(e & low) && !(l && e & RISCV_N) &&
	       (RISCV_PBMT == 0 || (e & RISCV_PBMT) != RISCV_PBMT);
}

static inline bool riscv_valid(pf_entry e, unsigned l)
{
	if (!(e & RISCV_V))
		return true;
	if (e & RISCV_RESERVED)
		return false;
	if (pf_is_table(e, l))
		return !(e & (RISCV_U | RISCV_A | RISCV_D | RISCV_LEAVES));
	return riscv_leaf_valid(e, l);
}
#define pf_valid riscv_valid

#endif
