/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * x86-64, 4 and 5 levels of 512 entries of 8 bytes; leaves of 4 KiB, 2 MiB and 1 GiB.
 *
 * Intel SDM volume 3A, numbered as in the edition that brought protection keys (about 2016). Read:
 * table 4-2 (PS of a PML4E is 0); 4.5's tables 4-15 (PDPTE, 1 GByte), 4-17 from bit 9 on (PDE,
 * 2 MByte), 4-18 (PDE, table), 4-19 (PTE); 4.6.2 (protection keys); 11.12.2 and 11.12.3 with tables
 * 11-10 and 11-11 (PAT). In the edition with order number 253668-032US: figure 4-10 (CR3 and all
 * entries), table 4-13 (PML4E). Five levels: AMD64 Architecture Programmer's Manual volume 2, 5.3,
 * 5.3.2, 5.3.3 (CR3, bits 56:48, PML5E as a PML4E; figures 5-18 and 5-19 as lists of labels).
 * Unread: the other tables of 4.5, Intel's of five levels; what stands here of those was compared
 * with QEMU's target/i386 mmu_translate.
 *
 * Memory types are indices into the PAT; the one expected here is 0 WB, 1 WC, 2 UC-, 3 UC, 5 WP,
 * 7 WT (PT_X86_PAT), which a port loads into IA32_PAT (pt_root.types). Decoding takes 4 for WB and
 * 6 for UC-.
 *
 * i386-pae (X86_PAE) has the same entries without what is above bit 51 but NX, and 3 levels. Its
 * root is 4 entries (PDPTEs) that have P and an address and no rights. Read, in the edition with
 * order number 253668-032US: 4.4.1, table 4-7 (CR3), figure 4-7; 4.4.2 up to table 4-8 (PDPTE). An
 * MMU loads the PDPTEs with CR3: PT_FORMAT_LOADED_ROOT.
 *
 * Protection keys count for user pages only. A leaf with D and without R/W, which pf_wrprotect
 * leaves behind, is a shadow-stack page where CR4.CET and shadow stacks are on (manual: unread;
 * from Linux's description of it): a port that turns those on cannot use this format as it is.
 */
#ifndef PTDESC_FORMAT_X86_64_H
#define PTDESC_FORMAT_X86_64_H

#include <ptdesc/format.h>
#include "format/x86_pat.h"

/* 1: PAE paging. */
#ifndef X86_PAE
#define X86_PAE 0
#endif

typedef uint64_t pf_entry;
#define PF_ENTRY_BITS    64
#define PF_PAGE_SHIFT    12
#define PF_FRAMED_TABLES 1

#define X86_P         UINT64_C(1)         /* present */
#define X86_RW        (UINT64_C(1) << 1)  /* may be written */
#define X86_US        (UINT64_C(1) << 2)  /* user */
#define X86_PWT       (UINT64_C(1) << 3)  /* PAT index bit 0 */
#define X86_PCD       (UINT64_C(1) << 4)  /* PAT index bit 1 */
#define X86_A         (UINT64_C(1) << 5)  /* accessed, set by the MMU */
#define X86_D         (UINT64_C(1) << 6)  /* dirty, set by the MMU; leaves */
#define X86_PS        (UINT64_C(1) << 7)  /* leaf, above level 0 */
#define X86_PAT_SMALL (UINT64_C(1) << 7)  /* PAT index bit 2 at level 0 ... */
#define X86_PAT_LARGE (UINT64_C(1) << 12) /* ... and above */
#define X86_G         (UINT64_C(1) << 8)  /* global; leaves */
#define X86_SOFT      (UINT64_C(1) << 9)  /* ignored by the MMU: PT_SOFT */
#define X86_KEY_AT    59                  /* protection key, 4 bits; leaves, user */
#define X86_NX        (UINT64_C(1) << 63) /* may not be executed */
#define X86_PA        UINT64_C(0x000ffffffffff000)

/* The MMU ignores bits 10 and 11, pt_attr.format bits 0 and 1, and 52 to 58, bits 2 to 8. */

/* Not present, not empty. Bit 10 alone: no address, so nothing can be speculated from it. */
#define X86_BUSY (UINT64_C(1) << 10)

/* The highest level that has leaves; keys; bits of pt_attr.format. */
#define X86_LEAF_TOP (X86_PAE ? 1u : 2u)
#define X86_KEYS     (X86_PAE ? 0u : 15u)
#define X86_FORMAT   (X86_PAE ? 3u : 0x1ffu)

/* Is an entry a PDPTE of PAE. */
static inline bool x86_is_pdpte(unsigned l)
{
	return X86_PAE && l == 2;
}

static inline unsigned pf_bits(unsigned l)
{
	return x86_is_pdpte(l) ? 2 : 9;
}

static inline unsigned pf_shift(unsigned l)
{
	return 12 + 9 * l;
}

static inline pf_entry pf_empty(unsigned l)
{
	(void)l;
	return 0;
}

static inline pf_entry pf_busy(unsigned l)
{
	(void)l;
	return X86_BUSY;
}

static inline bool pf_is_table(pf_entry e, unsigned l)
{
	/* P and not PS: a subtraction leaves neither, and takes no copy of the entry. */
	return l > 0 && !((e - X86_P) & (X86_P | X86_PS));
}

static inline bool pf_is_leaf(pf_entry e, unsigned l)
{
	return (e & X86_P) && (l == 0 || (l <= X86_LEAF_TOP && e & X86_PS));
}

static inline uint64_t pf_table_pa(pf_entry e, unsigned l)
{
	(void)l;
	return e & X86_PA;
}

static inline uint64_t pf_leaf_pa(pf_entry e, unsigned l)
{
	return e & X86_PA & ~((UINT64_C(1) << pf_shift(l)) - 1);
}

/* Upper levels grant everything; leaves decide. */
static inline pf_entry pf_make_table(uint64_t pa, unsigned l)
{
	return x86_is_pdpte(l) ? pa | X86_P : pa | X86_P | X86_RW | X86_US;
}

static inline pf_entry pf_make_leaf(uint64_t pa, unsigned l, pf_entry bits)
{
	(void)l;
	return pa | bits;
}

/* No memory type: it cannot be said. */
#define X86_NO_TYPE 0xffffu

/* The PAT index of a memory type, as bits of a leaf. One look, for each map asks. */
static inline unsigned x86_type_bits(uint32_t flags, unsigned l)
{
	enum {
		PWT = X86_PWT,
		PCD = X86_PCD,
		SMALL = X86_PAT_SMALL,
		LARGE = X86_PAT_LARGE,
	};
	static const uint16_t bits[2][8] = {
		/* index 0, 7, 2, 3, 1, 5: the order of enum pt_memory_type */
		{0, PWT | PCD | SMALL, PCD, PWT | PCD, PWT, PWT | SMALL, X86_NO_TYPE, X86_NO_TYPE},
		{0, PWT | PCD | LARGE, PCD, PWT | PCD, PWT, PWT | LARGE, X86_NO_TYPE, X86_NO_TYPE},
	};

	PT_STATIC_ASSERT(PT_TYPE_NORMAL == 0 && PT_TYPE_WRITE_THROUGH == 1 &&
			     PT_TYPE_UNCACHED_MINUS == 2 && PT_TYPE_UNCACHED == 3 &&
			     PT_TYPE_WRITE_COMBINING == 4 && PT_TYPE_WRITE_PROTECT == 5,
	    "the order of the tables");
	return bits[l != 0][(flags & PT_ATTR_TYPE_MASK) >> PT_ATTR_TYPE_AT];
}

#define X86_ATTRS                                                                                  \
	(PT_READ | PT_WRITE | PT_EXEC | PT_USER | PT_GLOBAL | PT_ACCESSED | PT_DIRTY | PT_SOFT)

static inline bool x86_can_say(pt_attr attr)
{
	const uint32_t known = X86_ATTRS | PT_ATTR_TYPE_MASK | pt_attr_key(X86_KEYS);

	return (attr.flags & (~known | PT_READ)) == PT_READ && attr.format <= X86_FORMAT;
}

/* The same bits in flags and entries. */
#define X86_SAME (X86_P | X86_RW | X86_US | X86_A | X86_D)

PT_STATIC_ASSERT(PT_READ == X86_P && PT_WRITE == X86_RW && PT_USER == X86_US &&
		     PT_ACCESSED == X86_A && PT_DIRTY == X86_D,
    "X86_SAME");
PT_STATIC_ASSERT(PT_GLOBAL << 4 == X86_G && PT_SOFT << 2 == X86_SOFT, "these are moved");

/* What plain leaves do not have. */
static inline int x86_rare_bits(pt_attr attr, unsigned l, pf_entry *bits)
{
	uint64_t key = (attr.flags & PT_ATTR_KEY_MASK) >> PT_ATTR_KEY_AT;
	unsigned type = x86_type_bits(attr.flags, l);

	if (!x86_can_say(attr) || type == X86_NO_TYPE)
		return -PT_EATTR;
	*bits |= (attr.flags & PT_GLOBAL) << 4 | (attr.flags & PT_SOFT) << 2 | type |
		 key << X86_KEY_AT | (uint64_t)(attr.format & 3) << 10 |
		 (uint64_t)(attr.format >> 2) << 52;
	return 0;
}

static inline int pf_attr_make(pt_attr attr, unsigned l, pf_entry *bits)
{
	const uint32_t plain = X86_SAME | PT_EXEC;

	*bits = (attr.flags & X86_SAME) | (attr.flags & PT_EXEC ? 0 : X86_NX) | (l ? X86_PS : 0);
	if (__builtin_expect(attr.flags & PT_READ && !((attr.flags & ~plain) | attr.format), 1))
		return 0;
	return x86_rare_bits(attr, l, bits);
}

/* Nothing can be made unreadable, and device memory is the strongest of the uncached types. */
static inline pt_attr pf_attr_relax(pt_attr attr, unsigned l)
{
	(void)l;
	attr.flags |= PT_READ;
	if ((attr.flags & PT_ATTR_TYPE_MASK) == pt_attr_type(PT_TYPE_DEVICE))
		attr.flags = (attr.flags & ~PT_ATTR_TYPE_MASK) | pt_attr_type(PT_TYPE_UNCACHED);
	if ((attr.flags & PT_ATTR_KEY_MASK) > pt_attr_key(X86_KEYS))
		attr.flags &= ~PT_ATTR_KEY_MASK;
	attr.format &= X86_FORMAT;
	return attr;
}

static inline pt_attr pf_attr_of(pf_entry e, unsigned l)
{
	/* Four bits for each PAT index, index 0 lowest. */
	const uint32_t types = PT_TYPE_NORMAL | PT_TYPE_WRITE_COMBINING << 4 |
			       PT_TYPE_UNCACHED_MINUS << 8 | PT_TYPE_UNCACHED << 12 |
			       PT_TYPE_NORMAL << 16 | PT_TYPE_WRITE_PROTECT << 20 |
			       PT_TYPE_UNCACHED_MINUS << 24 | (uint32_t)PT_TYPE_WRITE_THROUGH << 28;
	const uint64_t rare = X86_PWT | X86_PCD | (l ? X86_PAT_LARGE : X86_PAT_SMALL) | X86_G |
			      X86_SOFT | UINT64_C(3) << 10 | UINT64_C(127) << 52 |
			      UINT64_C(15) << X86_KEY_AT;
	unsigned pat = (unsigned)(e >> 3 & 3) | (unsigned)(e >> (l ? 12 : 7) & 1) << 2;
	pt_attr a;

	PT_STATIC_ASSERT(PT_EXEC == 1u << 3, "NX is shifted there");
	a.flags = (uint32_t)(e & X86_SAME) | (uint32_t)(~e >> 63) << 3;
	a.format = 0;
	if (__builtin_expect(!(e & rare), 1))
		return a;
	a.flags |= (uint32_t)(e & X86_G) >> 4 | (uint32_t)(e & X86_SOFT) >> 2 |
		   (types >> (pat * 4) & 15) << PT_ATTR_TYPE_AT |
		   (uint32_t)(e >> X86_KEY_AT & 15) << PT_ATTR_KEY_AT;
	a.format = (uint32_t)(e >> 10 & 3) | (uint32_t)(e >> 52 & 127) << 2;
	return a;
}

static inline pf_entry pf_attr_bits(pf_entry e, unsigned l)
{
	return l ? e & (~X86_PA | X86_PAT_LARGE) : e & ~X86_PA;
}

static inline pf_entry pf_attr_relevel(pf_entry bits, unsigned from, unsigned to)
{
	if (!from == !to)
		return bits;
	if (to)
		return (bits & ~X86_PAT_SMALL) | X86_PS |
		       (bits & X86_PAT_SMALL ? X86_PAT_LARGE : 0);
	return (bits & ~(X86_PAT_LARGE | X86_PS)) | (bits & X86_PAT_LARGE ? X86_PAT_SMALL : 0);
}

static inline pf_entry pf_set_attr(pf_entry e, unsigned l, pf_entry bits)
{
	return (e & (pf_leaf_pa(~UINT64_C(0), l) | X86_A | X86_D)) | (bits & ~(X86_A | X86_D));
}

static inline bool pf_accessed(pf_entry e, unsigned l)
{
	(void)l;
	return e & X86_A;
}

static inline bool pf_dirty(pf_entry e, unsigned l)
{
	(void)l;
	return e & X86_D;
}

static inline bool pf_writable(pf_entry e, unsigned l)
{
	(void)l;
	return e & X86_RW;
}

static inline pf_entry x86_marks(unsigned l)
{
	return X86_P | X86_A | X86_D | (l ? X86_PS : 0);
}
#define pf_marks x86_marks

static inline pf_entry pf_set_ad(pf_entry e, unsigned l, bool accessed, bool dirty)
{
	(void)l;
	return (e & ~(X86_A | X86_D)) | (accessed ? X86_A : 0) | (dirty ? X86_D : 0);
}

static inline pf_entry pf_wrprotect(pf_entry e, unsigned l)
{
	(void)l;
	return e & ~X86_RW;
}

static inline uint64_t pf_root_value(uint64_t pa, unsigned levels)
{
	(void)levels;
	return pa;
}

/* PAE: bits 62 to 52; of a PDPTE also 63, 8 to 5, 2 and 1. */
static inline bool x86_pae_valid(pf_entry e, unsigned l)
{
	return !(e & (UINT64_C(0x7ff) << 52)) && (l < 2 || !(e & (X86_NX | 0x1e6)));
}

/*
 * Accessed of a PDPTE is reserved, and would be refused when the root is loaded; but QEMU's MMU,
 * which walks the PDPTEs in memory, sets it.
 */
static inline pf_entry x86_unmarked(pf_entry e, unsigned l)
{
	return x86_is_pdpte(l) ? e & ~X86_A : e;
}
#define pf_unmarked x86_unmarked

/* Reserved: address bits between bit 12 and the leaf's size; PS where no leaf can be. */
static inline bool x86_valid(pf_entry e, unsigned l)
{
	if (!(e & X86_P))
		return true;
	if (X86_PAE && !x86_pae_valid(e, l))
		return false;
	if (l > 2)
		return !(e & X86_PS);
	if (l == 0 || !(e & X86_PS))
		return true;
	return !(e & X86_PA & ((UINT64_C(1) << pf_shift(l)) - 1) & ~X86_PAT_LARGE);
}
#define pf_valid x86_valid

#endif
