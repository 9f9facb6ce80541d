/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Words that every other header uses: addresses, error numbers, operation flags.
 *
 * VA, PA: virtual and physical address. Frame: 2^page_shift bytes of physical memory; pfn: its
 * number. Table: a page table of one level. Entry: one slot of a table. Level 0: the level whose
 * entries are always leaves, counting up to the root. Leaf: an entry that maps memory.
 */
#ifndef PTDESC_TYPES_H
#define PTDESC_TYPES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define PT_STATIC_ASSERT static_assert
#define PT_BEGIN_DECLS   extern "C" {
#define PT_END_DECLS     }
#else
#define PT_STATIC_ASSERT _Static_assert
#define PT_BEGIN_DECLS
#define PT_END_DECLS
#endif

/* The result of such a call says whether it happened; throwing it away is a bug. */
#define PT_MUST_CHECK __attribute__((warn_unused_result))

/* Number of a physical frame: physical address >> page_shift of the memory. */
typedef uint64_t pt_pfn;

/* No frame: what frame allocation returns when it fails. */
#define PT_NO_PFN UINT64_MAX

/* A virtual address, in bytes. 64 bits wide on every build: the space may be another machine's. */
typedef struct {
	uint64_t v;
} pt_va;

/* A physical address, in bytes. */
typedef struct {
	uint64_t v;
} pt_pa;

static inline pt_va pt_make_va(uint64_t v)
{
	pt_va r;

	r.v = v;
	return r;
}

static inline pt_pa pt_make_pa(uint64_t v)
{
	pt_pa r;

	r.v = v;
	return r;
}

/* Most levels that any format has, root included. */
#define PT_MAX_LEVELS 6

/*
 * Error numbers. Functions return 0 or the negated number; a call that fails has changed nothing
 * unless it says otherwise. The numbers are part of the interface and never change.
 */
enum pt_error {
	PT_ENOMEM = 1,    /* no memory: the allocator was empty at some moment of the call */
	PT_EEXIST = 2,    /* something is mapped in the range already */
	PT_ENOENT = 3,    /* nothing there */
	PT_EINVAL = 4,    /* an argument that is never valid (size 0, unknown flag, NULL) */
	PT_EALIGN = 5,    /* an address or size that is not a multiple of the page (or leaf) size */
	PT_EOVERFLOW = 6, /* the end of the range lies beyond the last address */
	PT_ECANON = 7,    /* a virtual address that the format cannot translate */
	PT_EPA = 8,       /* a physical address wider than the format's */
	PT_EATTR = 9,     /* an attribute that the format cannot say */
	PT_ESPLIT =
	    10, /* a large leaf or shared table would have to be taken apart, and may not be */
	PT_EBUSY = 11,   /* in use: the thing named still refers to something */
	PT_ESTAGE = 12,  /* called before the stage of boot that it needs */
	PT_ENOTSUP = 13, /* this format, port or configuration cannot do it */
};

/* Flags of operations; each call says which of them it takes and refuses all others. */
enum pt_flags {
	PT_MAY_SLEEP = 1u << 0, /* may wait for a grace period, outside locks, before -PT_ENOMEM */
	/*
	 * Work piece by piece: for huge ranges, of which nothing else is then kept waiting. A piece
	 * is what a level-2 entry maps, or a larger leaf, run or hole; each is all or nothing, the
	 * whole is not. No run of level-2 leaves is made, and tables above level 1 stay though they
	 * become empty (pt_prune).
	 */
	PT_PIECEWISE = 1u << 1,
	PT_KEEP_TABLES = 1u << 2, /* leave emptied tables in place for the next mapping */
	PT_RELAX = 1u << 3,       /* take the nearest attribute that grants more, and count it */
	PT_DEPOSIT = 1u << 4,     /* large leaves of this call carry a deposited table each */
	PT_SHARE = 1u << 5,       /* pt_copy: share whole leaf tables copy-on-write */
	PT_COW = 1u << 6,         /* pt_copy: write-protect both sides */
	PT_SMALL = 1u << 7,       /* pt_map: level-0 leaves only */
	PT_THIS_NODE = 1u << 8,   /* frames: this node or nothing */
	PT_KERNEL_TABLE =
	    1u << 9, /* pagetable_alloc: a kernel's table, marked so in its descriptor */
};

PT_BEGIN_DECLS

/* One line of English for an error number, negated or not; never NULL. */
const char *pt_strerror(int error);

PT_END_DECLS

#endif
