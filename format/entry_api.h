/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The contract of a format: what its header supplies so that the algorithms of space/ can be
 * compiled for its entries. This file is the list; it gives the defaults and the accesses.
 *
 * A format is one .c file that includes its own header, then this one, then space/template.inc.h,
 * and ends with its struct pt_format constants. Formats whose entries have one encoding, width,
 * byte order, page size and number of entries share a compiled copy; the number of levels and the
 * widths of addresses are read from struct pt_format at run time. docs/new-format.md walks through.
 *
 * Glossary: l, the level, 0 always the leaf level. e, an entry as a number of the host's byte
 * order. bits, the attributes of a leaf of some level: an entry without address and without run
 * mark, as pf_attr_make returns it. "Table of level l" means a table with entries of level l; an
 * entry of level l that points to a table points to one of level l - 1.
 *
 * Supplied by the format, all static inline and pure, safe to call with any l below PT_MAX_LEVELS
 * (unrolled descents are compiled for all of them), pf_busy the same at every level:
 *
 *   pf_entry                      the type of an entry: uint32_t or uint64_t
 *   PF_ENTRY_BITS                 32 or 64
 *   PF_PAGE_SHIFT                 log2 bytes of a level-0 leaf
 *   unsigned pf_bits(l)           log2 entries of a table of level l
 *   unsigned pf_shift(l)          log2 bytes that one entry of level l maps
 *   pf_entry pf_empty(l)          the empty entry; the class's empty pattern holds it
 *   pf_entry pf_busy(l)           an entry that neither maps nor is empty: being changed
 *   bool pf_is_table(e, l)        points to a table (never at level 0)
 *   bool pf_is_leaf(e, l)         maps memory
 *   uint64_t pf_table_pa(e, l)    where that table is
 *   uint64_t pf_leaf_pa(e, l)     what that leaf maps, first byte
 *   pf_entry pf_make_table(pa, l) an entry of level l that points to the table at pa
 *   pf_entry pf_make_leaf(pa, l, bits)
 *   int pf_attr_make(attr, l, pf_entry *bits)   0, or -PT_EATTR: cannot say it exactly
 *   pt_attr pf_attr_relax(attr, l)   the nearest attributes that can be said and grant no less
 *   pt_attr pf_attr_of(e, l)         what a leaf's attributes are
 *   pf_entry pf_attr_bits(e, l)      the bits of a leaf
 *   pf_entry pf_attr_relevel(bits, from, to)   the same attributes for a leaf of another level
 *   pf_entry pf_set_attr(e, l, bits) the leaf with other bits; accessed, dirty, run mark stay
 *   bool pf_accessed(e, l), pf_dirty(e, l), pf_writable(e, l)
 *   pf_entry pf_set_ad(e, l, bool accessed, bool dirty)   the leaf with these two
 *   pf_entry pf_wrprotect(e, l)      the leaf without the right to write
 *   uint64_t pf_root_value(pa, levels)   the register that makes the MMU walk from pa
 *
 * With defaults, to be defined as a macro of the same name and a function when they differ:
 *
 *   PF_BIG_ENDIAN      0     the target's byte order
 *   PF_BBM             0     break before make: a live entry is never replaced by another
 *   PF_FRAMED_TABLES   0     every table but a root fills frames: descriptors are found faster
 *   unsigned pf_run_shift(l) log2 entries of a contiguous run of level l; 0: the format has none
 *   bool pf_run(e, l)        is the leaf marked as part of a run
 *   pf_entry pf_set_run(e, l, bool run)
 *   pf_entry pf_stored(e)    what is in memory for an entry. Where all entries of a run hold the
 *                            address of the run, code sees each with its own: then these differ
 *   pf_entry pf_found(e, n)  the entry for what is in memory at index n, of which the bits below
 *                            the length of a run count
 *   bool pf_valid(e, l)      no reserved bit is set: for pt_check and decode
 *   pf_entry pf_unmarked(e, l)   the entry without bits that are reserved and that an MMU is known
 *                            to set all the same: for pt_check
 *   pf_entry pf_marks(l)     bits that are all set in leaves that are accessed and dirty, and in
 *                            nothing else; 0: no bits say that
 */
#ifndef PTDESC_FORMAT_ENTRY_API_H
#define PTDESC_FORMAT_ENTRY_API_H

#include <ptdesc/atomic.h>
#include <ptdesc/types.h>

#ifndef PF_BIG_ENDIAN
#define PF_BIG_ENDIAN 0
#endif

#ifndef PF_BBM
#define PF_BBM 0
#endif

#ifndef PF_FRAMED_TABLES
#define PF_FRAMED_TABLES 0
#endif

#ifndef pf_run_shift
static inline unsigned pf_run_shift(unsigned l)
{
	(void)l;
	return 0;
}

static inline bool pf_run(pf_entry e, unsigned l)
{
	(void)e;
	(void)l;
	return false;
}

static inline pf_entry pf_set_run(pf_entry e, unsigned l, bool run)
{
	(void)l;
	(void)run;
	return e;
}
#endif

#ifndef pf_stored
static inline pf_entry pf_stored(pf_entry e)
{
	return e;
}

static inline pf_entry pf_found(pf_entry e, uintptr_t n)
{
	(void)n;
	return e;
}
#endif

#ifndef pf_valid
static inline bool pf_valid(pf_entry e, unsigned l)
{
	(void)e;
	(void)l;
	return true;
}
#endif

#ifndef pf_unmarked
static inline pf_entry pf_unmarked(pf_entry e, unsigned l)
{
	(void)l;
	return e;
}
#endif

#ifndef pf_marks
static inline pf_entry pf_marks(unsigned l)
{
	(void)l;
	return 0;
}
#endif

/* A leaf, accessed and dirty: in one test, if the bits allow that. */
static inline bool pf_marked(pf_entry e, unsigned l)
{
	if (pf_marks(l))
		return (e & pf_marks(l)) == pf_marks(l);
	return pf_is_leaf(e, l) && pf_accessed(e, l) && pf_dirty(e, l);
}

/* An entry between the host's and the target's byte order. */
#if PF_BIG_ENDIAN == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#define PF_RAW(e) (e)
#elif PF_ENTRY_BITS == 64
#define PF_RAW(e) __builtin_bswap64(e)
#else
#define PF_RAW(e) __builtin_bswap32(e)
#endif

/* What is stored for an entry. */
static inline pf_entry pf_raw(pf_entry e)
{
	return PF_RAW(pf_stored(e));
}

/* The entry that was found at a place of a table, which is aligned to its size. */
static inline pf_entry pf_read(pf_entry raw, const pf_entry *p)
{
	return pf_found(PF_RAW(raw), (uintptr_t)p / sizeof(*p));
}

/*
 * Accesses. Tables are read by MMUs and lockless readers while the holder of the table's lock
 * stores. An entry is loaded and stored whole; where the CPU cannot (8-byte entries on a 32-bit CPU
 * without an 8-byte compare and exchange) the two words go in an order that never shows a mixture
 * as valid: pf_store clears the word with the valid bit first and writes it last.
 */
#define PF_WHOLE     1 /* one load, one store */
#define PF_EXCHANGED 2 /* 8-byte entries on a 32-bit CPU with cmpxchg8b: every access is one */
#define PF_WORDS     3 /* on one without 8-byte atomics: no MMU of this CPU walks them */

#ifdef PF_ACCESS /* the explorer's choice, which shows schedules of the ways of other CPUs */
#elif PF_ENTRY_BITS == 32 || UINTPTR_MAX > UINT32_MAX
#define PF_ACCESS PF_WHOLE
#elif defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_8)
#define PF_ACCESS PF_EXCHANGED
#else
#define PF_ACCESS PF_WORDS
#endif

#if PF_ACCESS != PF_WORDS

/* Entries are aligned to their size, also where integers of that size are not (i386). */
typedef pf_entry pf_aligned_entry __attribute__((aligned(PF_ENTRY_BITS / 8)));

#if PF_ACCESS == PF_WHOLE

/* A reader's load: what the entry points to is seen complete. */
static inline pf_entry pf_load(const pf_entry *p)
{
	return pf_read(PT_LOAD(p, ACQUIRE), p);
}

/* The load of whoever holds the table's lock: nobody else but the MMU stores. */
static inline pf_entry pf_load_locked(const pf_entry *p)
{
	return pf_read(PT_LOAD(p, RELAXED), p);
}

/* Publishes: all that was written before is seen by who follows the entry. */
static inline void pf_store(pf_entry *p, pf_entry e)
{
	PT_STORE(p, pf_raw(e), RELEASE);
}

/*
 * The store of an empty entry, which publishes nothing, or one of many leaves that a release fence
 * stands before. A leaf that is changed publishes its memory anew: who reads it need not have seen
 * the store that mapped it. A race detector that knows no fences is shown the order here.
 */
static inline void pf_store_leaf(pf_entry *p, pf_entry e)
{
	if (PT_FENCES_UNSEEN)
		PT_STORE(p, pf_raw(e), RELEASE);
	else
		PT_STORE(p, pf_raw(e), RELAXED);
}

#else

static inline pf_entry pf_load(const pf_entry *p)
{
	pf_entry e = 0;

	PT_CAS((pf_aligned_entry *)(uintptr_t)p, &e, 0, RELAXED);
	PT_FENCE(ACQUIRE);
	return pf_read(e, p);
}

static inline pf_entry pf_load_locked(const pf_entry *p)
{
	return pf_load(p);
}

static inline void pf_store(pf_entry *p, pf_entry e)
{
	pf_entry old = 0; /* as most are that are stored to */

	while (!PT_CAS((pf_aligned_entry *)p, &old, pf_raw(e), RELEASE))
		;
}

static inline void pf_store_leaf(pf_entry *p, pf_entry e)
{
	pf_store(p, e);
}

#endif

/*
 * Exchange: takes along the accessed and dirty bits that an MMU has set by then. A release, as all
 * stores of entries are; the old one was stored under a lock that the caller has.
 */
static inline pf_entry pf_exchange(pf_entry *p, pf_entry e)
{
	return pf_read(PT_XCHG((pf_aligned_entry *)p, pf_raw(e), RELEASE), p);
}

/* Compare and exchange; on failure *old is what was there. */
static inline bool pf_replace(pf_entry *p, pf_entry *old, pf_entry e)
{
	pf_entry raw = pf_raw(*old);
	bool done = PT_CAS((pf_aligned_entry *)p, &raw, pf_raw(e), RELEASE);

	*old = pf_read(raw, p);
	return done;
}

#else

/* Index of the 32-bit word with the low half in the target's byte order. */
#define PF_LOW_WORD (PF_BIG_ENDIAN ? 1 : 0)

static inline pf_entry pf_load(const pf_entry *p)
{
	const uint32_t *w = (const uint32_t *)(const void *)p;
	union {
		uint32_t w[2];
		pf_entry e;
	} u, busy;

	do {
		u.w[PF_LOW_WORD] = PT_LOAD(&w[PF_LOW_WORD], ACQUIRE);
		u.w[1 - PF_LOW_WORD] = PT_LOAD(&w[1 - PF_LOW_WORD], ACQUIRE);
	} while (PT_LOAD(&w[PF_LOW_WORD], RELAXED) != u.w[PF_LOW_WORD]);
	busy.e = pf_raw(pf_busy(0));
	if (u.w[PF_LOW_WORD] == busy.w[PF_LOW_WORD])
		return pf_busy(0); /* half way: the other word is of an older or newer entry */
	return pf_read(u.e, p);
}

static inline pf_entry pf_load_locked(const pf_entry *p)
{
	return pf_load(p);
}

static inline void pf_store(pf_entry *p, pf_entry e)
{
	uint32_t *w = (uint32_t *)(void *)p;
	union {
		pf_entry e;
		uint32_t w[2];
	} u, none;

	u.e = pf_raw(e);
	none.e = pf_raw(pf_busy(0));
	PT_STORE(&w[PF_LOW_WORD], none.w[PF_LOW_WORD], RELAXED);
	PT_STORE(&w[1 - PF_LOW_WORD], u.w[1 - PF_LOW_WORD], RELEASE);
	PT_STORE(&w[PF_LOW_WORD], u.w[PF_LOW_WORD], RELEASE);
}

static inline void pf_store_leaf(pf_entry *p, pf_entry e)
{
	pf_store(p, e);
}

static inline pf_entry pf_exchange(pf_entry *p, pf_entry e)
{
	pf_entry old = pf_load(p);

	pf_store(p, e);
	return old;
}

static inline bool pf_replace(pf_entry *p, pf_entry *old, pf_entry e)
{
	(void)old;
	pf_store(p, e);
	return true;
}

#endif

#endif
