/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * i386, 32-bit paging: 2 levels of 1024 entries of 4 bytes; leaves of 4 KiB and, with CR4.PSE,
 * 4 MiB.
 *
 * Intel SDM volume 3A, order number 253668-032US. Read: figure 4-4 (all entries, CR3), table 4-4 (a
 * PDE that maps 4 MByte); memory types as format/x86_64.h. In a later edition: table 4-3 (CR3).
 * Unread: tables 4-5 and 4-6, which the figure sums up.
 *
 * Bits 20:13 of a large leaf hold address bits 39:32 where PSE-36 is. They are taken as reserved: a
 * large leaf above 4 GiB could never be split.
 *
 * What can be read can be executed. There are no keys.
 */
#ifndef PTDESC_FORMAT_I386_H
#define PTDESC_FORMAT_I386_H

#include <ptdesc/format.h>
#include "format/x86_pat.h"

typedef uint32_t pf_entry;
#define PF_ENTRY_BITS 32
#define PF_PAGE_SHIFT 12

#define I386_P         (1u << 0)  /* present */
#define I386_RW        (1u << 1)  /* may be written */
#define I386_US        (1u << 2)  /* user */
#define I386_PWT       (1u << 3)  /* PAT index bit 0 */
#define I386_PCD       (1u << 4)  /* PAT index bit 1 */
#define I386_A         (1u << 5)  /* accessed, set by the MMU */
#define I386_D         (1u << 6)  /* dirty, set by the MMU; leaves */
#define I386_PS        (1u << 7)  /* leaf, at level 1 */
#define I386_PAT_SMALL (1u << 7)  /* PAT index bit 2 at level 0 ... */
#define I386_PAT_LARGE (1u << 12) /* ... and at level 1 */
#define I386_G         (1u << 8)  /* global; leaves */
#define I386_SOFT      (1u << 9)  /* ignored by the MMU: PT_SOFT */
#define I386_OWN_AT    10         /* two bits that the MMU ignores: pt_attr.format */
#define I386_PA        0xfffff000u

/* Not present, not empty, and no address. */
#define I386_BUSY (1u << I386_OWN_AT)

static inline unsigned pf_bits(unsigned l)
{
	(void)l;
	return 10;
}

static inline unsigned pf_shift(unsigned l)
{
	return 12 + 10 * l;
}

static inline pf_entry pf_empty(unsigned l)
{
	(void)l;
	return 0;
}

static inline pf_entry pf_busy(unsigned l)
{
	(void)l;
	return I386_BUSY;
}

static inline bool pf_is_table(pf_entry e, unsigned l)
{
	return l > 0 && (e & (I386_P | I386_PS)) == I386_P;
}

static inline bool pf_is_leaf(pf_entry e, unsigned l)
{
	return e & I386_P && (l == 0 || (l == 1 && e & I386_PS));
}

static inline uint64_t pf_table_pa(pf_entry e, unsigned l)
{
	(void)l;
	return e & I386_PA;
}

static inline uint64_t pf_leaf_pa(pf_entry e, unsigned l)
{
	return e & I386_PA & ~((UINT64_C(1) << pf_shift(l)) - 1);
}

/* Upper levels grant everything; leaves decide. */
static inline pf_entry pf_make_table(uint64_t pa, unsigned l)
{
	(void)l;
	return (pf_entry)pa | I386_P | I386_RW | I386_US;
}

static inline pf_entry pf_make_leaf(uint64_t pa, unsigned l, pf_entry bits)
{
	(void)l;
	return (pf_entry)pa | bits;
}

#define I386_ATTRS                                                                                 \
	(PT_READ | PT_WRITE | PT_EXEC | PT_USER | PT_GLOBAL | PT_ACCESSED | PT_DIRTY | PT_SOFT)
#define I386_FORMAT 3u

/* The same bits in flags and entries. */
#define I386_SAME (I386_P | I386_RW | I386_US | I386_A | I386_D)

PT_STATIC_ASSERT(PT_READ == I386_P && PT_WRITE == I386_RW && PT_USER == I386_US &&
		     PT_ACCESSED == I386_A && PT_DIRTY == I386_D && PT_GLOBAL << 4 == I386_G &&
		     PT_SOFT << 2 == I386_SOFT,
    "flags are moved");

static inline unsigned i386_type(pt_attr attr)
{
	return (attr.flags & PT_ATTR_TYPE_MASK) >> PT_ATTR_TYPE_AT;
}

static inline pf_entry i386_type_bits(unsigned type, unsigned l)
{
	unsigned pat = x86_pat_index(type);

	return (pat & 3) << 3 | (pat & 4 ? l ? I386_PAT_LARGE : I386_PAT_SMALL : 0);
}

static inline int pf_attr_make(pt_attr attr, unsigned l, pf_entry *bits)
{
	const uint32_t always = PT_READ | PT_EXEC;

	if ((attr.flags & (~(I386_ATTRS | PT_ATTR_TYPE_MASK) | always)) != always ||
	    attr.format > I386_FORMAT || !(X86_PAT_TYPES >> i386_type(attr) & 1))
		return -PT_EATTR;
	*bits = (attr.flags & I386_SAME) | (attr.flags & PT_GLOBAL) << 4 |
		(attr.flags & PT_SOFT) << 2 | i386_type_bits(i386_type(attr), l) |
		attr.format << I386_OWN_AT | (l ? I386_PS : 0);
	return 0;
}

static inline pt_attr pf_attr_relax(pt_attr attr, unsigned l)
{
	(void)l;
	attr.flags |= PT_READ | PT_EXEC;
	if (i386_type(attr) == PT_TYPE_DEVICE)
		attr.flags = (attr.flags & ~PT_ATTR_TYPE_MASK) | pt_attr_type(PT_TYPE_UNCACHED);
	attr.flags &= ~PT_ATTR_KEY_MASK;
	attr.format &= I386_FORMAT;
	return attr;
}

static inline pt_attr pf_attr_of(pf_entry e, unsigned l)
{
	unsigned pat = (e >> 3 & 3) | (e & (l ? I386_PAT_LARGE : I386_PAT_SMALL) ? 4 : 0);
	pt_attr a;

	a.flags = (e & I386_SAME) | PT_EXEC | (e & I386_G) >> 4 | (e & I386_SOFT) >> 2 |
		  pt_attr_type(x86_pat_type(pat));
	a.format = e >> I386_OWN_AT & I386_FORMAT;
	return a;
}

static inline pf_entry pf_attr_bits(pf_entry e, unsigned l)
{
	return e & (l ? ~I386_PA | I386_PAT_LARGE : ~I386_PA);
}

static inline pf_entry pf_attr_relevel(pf_entry bits, unsigned from, unsigned to)
{
	if (!from == !to)
		return bits;
	if (to)
		return (bits & ~I386_PAT_SMALL) | I386_PS |
		       (bits & I386_PAT_SMALL ? I386_PAT_LARGE : 0);
	return (bits & ~(I386_PAT_LARGE | I386_PS)) | (bits & I386_PAT_LARGE ? I386_PAT_SMALL : 0);
}

static inline pf_entry pf_set_attr(pf_entry e, unsigned l, pf_entry bits)
{
	return ((pf_entry)pf_leaf_pa(e, l) | (e & (I386_A | I386_D))) | (bits & ~(I386_A | I386_D));
}

static inline bool pf_accessed(pf_entry e, unsigned l)
{
	(void)l;
	return e & I386_A;
}

static inline bool pf_dirty(pf_entry e, unsigned l)
{
	(void)l;
	return e & I386_D;
}

static inline bool pf_writable(pf_entry e, unsigned l)
{
	(void)l;
	return e & I386_RW;
}

static inline pf_entry i386_marks(unsigned l)
{
	return I386_P | I386_A | I386_D | (l ? I386_PS : 0);
}
#define pf_marks i386_marks

static inline pf_entry pf_set_ad(pf_entry e, unsigned l, bool accessed, bool dirty)
{
	(void)l;
	return (e & ~(I386_A | I386_D)) | (accessed ? I386_A : 0) | (dirty ? I386_D : 0);
}

static inline pf_entry pf_wrprotect(pf_entry e, unsigned l)
{
	(void)l;
	return e & ~I386_RW;
}

/* CR3. */
static inline uint64_t pf_root_value(uint64_t pa, unsigned levels)
{
	(void)levels;
	return pa;
}

/* Reserved: bits 21:13 of a large leaf. */
static inline bool i386_valid(pf_entry e, unsigned l)
{
	return l == 0 || (e & (I386_P | I386_PS)) != (I386_P | I386_PS) || !(e & 0x3fe000);
}
#define pf_valid i386_valid

#endif
