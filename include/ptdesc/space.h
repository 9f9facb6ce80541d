/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Address spaces: one root with all below it.
 *
 * What is promised to callers on many CPUs. Any mix of calls, from any number of threads, on any
 * ranges, overlapping or not, needs no lock of the caller's. The exceptions have one owner, who
 * lets no other call on the space be under way: pt_space_init, pt_space_adopt, pt_space_destroy,
 * pt_check (nor one on a space that shares a table with it), pt_dump. A cursor and a gather are one
 * call's at a time. Calls that
 * change a space, single or range, are linearizable with one another. One pt_translate is
 * linearizable with every writer; a pt_walk is a sequence of translates. Dirty is never lost but
 * may spread over a split leaf. TLB effects hold when all overlapping calls have returned. Where an
 * MMU needs a barrier before it sees entries that became valid, or may have noted that there were
 * none, that is the caller's (docs/porting.md, 7).
 * -PT_ENOMEM means that the allocator was empty at some moment, and nothing changed; before it is
 * returned a call with PT_MAY_SLEEP hands over what it has gathered, waits one grace period and
 * tries again. A call that would need more than 2^24 tables of a level at once gets it at once.
 *
 * Ranges are (va, size) in bytes, size > 0. Errors of every range call: -PT_EINVAL size 0, NULL or
 * a flag that the call does not take; -PT_EALIGN not a multiple of the page size; -PT_EOVERFLOW
 * the end lies beyond the last address; -PT_ECANON not translatable by the format, or the range
 * crosses the hole between two halves; -PT_ESPLIT it would take a table of pt_share_table apart:
 * unmap or map a part of it, split one of its leaves, copy or move it; or change two of them at
 * once. That holds also while nobody else has it any more, until all of it is unmapped. With
 * PT_PIECEWISE a call works piece by piece and an error leaves what was done before it; without, a
 * call that fails has changed nothing.
 *
 * Accessed and dirty belong to leaves. In a space that an MMU runs they belong to a contiguous run
 * as a whole, since the MMU may note in any of its leaves what it did to one: each is accessed or
 * dirty where one of them is, and stays so where the run is taken apart.
 *
 * Context: thread context, no lock of a table held; pt_translate and pt_table_level anywhere where
 * they may wait for a change under way, as an interrupt handler may not for its own CPU's (port.h).
 */
#ifndef PTDESC_SPACE_H
#define PTDESC_SPACE_H

#include <ptdesc/format.h>
#include <ptdesc/gather.h>
#include <ptdesc/memory.h>
#include <ptdesc/ptdesc.h>

/* How a space is used; fixed at pt_space_init. */
enum pt_space_flags {
	/*
	 * An MMU walks the tables live: entries are exchanged atomically, so that no accessed or
	 * dirty bit is lost, and what leaves a TLB is flushed. Without it stores are plain. One may
	 * be lost: accessed, which is set while a table shared copy-on-write is copied.
	 */
	PT_SPACE_MMU = 1u << 0,
	/* A kernel's: tables are marked so, mappings are global. */
	PT_SPACE_KERNEL = 1u << 1,
};

/* The caller's memory; the fields are the library's but for cookie. */
struct pt_space {
	struct pt_memory *memory;
	const struct pt_format *format;
	void *top; /* the root table's memory */
	struct ptdesc *root;
	void *cookie;      /* the embedder's: given to the port's flush (ASID) */
	uint32_t flags;    /* enum pt_space_flags */
	uint32_t move_seq; /* odd while entries are being moved; readers compare before and after */
	uint32_t move_lock; /* one move at a time makes move_seq odd */
	uint64_t id;        /* order in which two spaces are locked; unique in a memory */
	uint8_t global;     /* may hold PT_GLOBAL leaves: each flush is one of the kernel's */
	uint8_t levels;     /* of the format */
	uint8_t classes[PT_MAX_LEVELS]; /* table class of each level */
	/* What each call checks first, from the format: an address plus half has no bit of beyond.
	 */
	uint64_t page_mask;
	uint64_t half;
	uint64_t beyond;
	uint64_t pa_beyond;
	struct pt_account account; /* tables charged to this space */
};

/* What one address translates to. */
struct pt_translation {
	pt_pa pa; /* of the byte at va */
	pt_attr attr;
	uint64_t size;  /* bytes of the leaf, or of its contiguous run */
	unsigned level; /* of the leaf */
};

/* One piece of a walk: neighbouring leaves of equal level, size and attributes, contiguous. */
struct pt_piece {
	pt_va va;
	pt_pa pa;
	uint64_t size; /* bytes */
	pt_attr attr;  /* accessed and dirty as seen */
	unsigned level;
};

/*
 * Called once for each piece, in address order. Non-zero ends the walk, which returns it. Called by
 * pt_walk it may do what the caller of that may, to the space too: no lock is held and no read
 * section open. Called by pt_dirty it may ask only: locks of tables are held.
 */
typedef int (*pt_walk_fn)(void *ctx, const struct pt_piece *piece);

/* Counts of a space; exact when no call is under way. */
struct pt_space_stats {
	uint64_t tables[PT_MAX_LEVELS]; /* charged by level, deposited ones included */
	uint64_t table_bytes;
	uint64_t descriptor_bytes;
};

/* What MMU registers need: where the root is, how many levels there are, how they are walked. */
struct pt_root {
	pt_pa pa; /* of the root table */
	unsigned levels;
	uint64_t value;   /* as the format's register wants it (CR3, TTBR, satp), without ASID */
	uint64_t types;   /* pt_format.type_register: what memory types mean */
	uint64_t control; /* pt_format.control: bits beside those that the port chooses */
};

PT_BEGIN_DECLS

/*
 * Makes an empty space, which nobody else may use before it returns: one root table, and with
 * PT_FORMAT_LOADED_ROOT the tables below it, all or none. -PT_ENOTSUP: the format's page size is
 * not the memory's, or no class left; -PT_ESTAGE; -PT_ENOMEM; -PT_EINVAL. A space that failed is
 * one that every call refuses.
 */
PT_MUST_CHECK int pt_space_init(struct pt_space *space, struct pt_memory *memory,
    const struct pt_format *format, uint32_t flags, void *cookie);

/*
 * Takes over a tree of boot tables, adopted by pt_memory_online, as a space; nobody else may use
 * space or tree before it returns. -PT_ENOENT: at root is
 * no table of that format's root level, or one of a space; -PT_EINVAL: an entry below it is not
 * valid, or points to what is no table of its level, or to a table that is linked twice. Nothing is
 * changed then. Other errors as above.
 */
PT_MUST_CHECK int pt_space_adopt(struct pt_space *space, struct pt_memory *memory,
    const struct pt_format *format, uint32_t flags, void *cookie, pt_pa root);

/*
 * Unmaps everything into gather (NULL: drop) and frees all tables, the root last and at once: no
 * other call on the space may be under way, no MMU have the root loaded. Tables that it shares stay
 * with the others. -PT_EINVAL: a gather without room. -PT_EBUSY: all is done, but tables that the
 * caller charged to it are left.
 */
PT_MUST_CHECK int pt_space_destroy(struct pt_space *space, struct pt_gather *gather);

/* The root for the MMU. The same from pt_space_init to pt_space_destroy; any context. */
struct pt_root pt_space_root(const struct pt_space *space);

/* Counts; at any time, exact when no call is under way. */
void pt_space_stats(const struct pt_space *space, struct pt_space_stats *stats);

/*
 * Maps [va, va + size) to [pa, pa + size), with the largest leaves that fit and contiguous runs
 * where the format has them. flags: PT_SMALL, PT_DEPOSIT (each large leaf of level 1 deposits a
 * table), PT_RELAX, PT_MAY_SLEEP, PT_PIECEWISE. -PT_EEXIST: something is mapped there; -PT_ENOMEM;
 * -PT_EATTR; -PT_EPA; -PT_EALIGN also when pa and va differ within a page.
 */
PT_MUST_CHECK int pt_map(struct pt_space *space, pt_va va, uint64_t size, pt_pa pa, pt_attr attr,
    uint32_t flags);

/* Maps count pages from va on to the frames at pas[0..count). Level-0 leaves. Flags, errors: same.
 */
PT_MUST_CHECK int pt_map_list(struct pt_space *space, pt_va va, const pt_pa *pas, size_t count,
    pt_attr attr, uint32_t flags);

/* pt_map over whatever is there: what it displaces goes to gather. PT_KEEP_TABLES is refused. */
PT_MUST_CHECK int pt_map_replace(struct pt_space *space, pt_va va, uint64_t size, pt_pa pa,
    pt_attr attr, uint32_t flags, struct pt_gather *gather);

/*
 * Unmaps. A hole is no error; a large leaf that is only partly in the range is split. Tables that
 * become empty leave with it, unless PT_KEEP_TABLES, but for upper tables that cover more than the
 * range (pt_prune). flags: PT_KEEP_TABLES, PT_DEPOSIT (each large leaf gives its deposit back),
 * PT_MAY_SLEEP, PT_PIECEWISE. gather may be NULL: the runs are dropped. -PT_ENOMEM: a split.
 */
PT_MUST_CHECK int pt_unmap(struct pt_space *space, pt_va va, uint64_t size, uint32_t flags,
    struct pt_gather *gather);

/*
 * Sets attributes of what is mapped; holes are no error; accessed and dirty stay as they are. flags
 * as pt_unmap without KEEP_TABLES, with PT_RELAX. -PT_EATTR.
 */
PT_MUST_CHECK int pt_protect(struct pt_space *space, pt_va va, uint64_t size, pt_attr attr,
    uint32_t flags);

/*
 * What va translates to, or -PT_ENOENT. Takes no lock, but waits while the entry is being replaced
 * or moved; any context but a handler that interrupted who does that. out may be on the stack.
 */
PT_MUST_CHECK int pt_translate(const struct pt_space *space, pt_va va, struct pt_translation *out);

/*
 * *level becomes the level of the lowest table on the way to va, whether or not that table maps
 * anything there: 0 if there is a leaf table, levels - 1 if there is only the root, the leaf's own
 * if va is in a large leaf. Tables that several spaces share count. Context as pt_translate.
 * -PT_EINVAL: NULL; -PT_ECANON.
 */
PT_MUST_CHECK int pt_table_level(const struct pt_space *space, pt_va va, unsigned *level);

/*
 * Calls fn for each piece mapped in the range. Takes no lock. What a piece says of a page was so at
 * some time since the call of fn before it, or of the walk. Returns fn's non-zero, 0, or error.
 */
PT_MUST_CHECK int pt_walk(const struct pt_space *space, pt_va va, uint64_t size, pt_walk_fn fn,
    void *ctx);

/*
 * Copies what src maps in the range to the same place of dst, which must be empty there: fork.
 * flags: PT_COW (write-protect both), PT_SHARE (with COW: whole leaf tables become shared
 * copy-on-write), PT_DEPOSIT (large leaves get a deposit), PT_MAY_SLEEP, PT_PIECEWISE. Empty source
 * tables are copied as empty tables when PT_KEEP_TABLES is given. Copies are neither accessed nor
 * dirty, while a shared table's leaves are what they are to all; nothing is shared between a space
 * that an MMU runs and one that none does. -PT_EEXIST, -PT_ENOMEM, -PT_ENOTSUP: two formats.
 */
PT_MUST_CHECK int pt_copy(struct pt_space *dst, struct pt_space *src, pt_va va, uint64_t size,
    uint32_t flags);

/*
 * Moves what is mapped in [va, va + size) to to, whole tables where both are aligned alike. The
 * target range must be empty and may not overlap. flags: PT_DEPOSIT (deposits move along),
 * PT_KEEP_TABLES (source tables stay), PT_MAY_SLEEP. -PT_EEXIST, -PT_ENOMEM, -PT_EINVAL overlap.
 */
PT_MUST_CHECK int pt_move(struct pt_space *space, pt_va va, uint64_t size, pt_va to,
    uint32_t flags);

/*
 * Splits every leaf in the range that is larger than a level-target leaf. flags: PT_DEPOSIT (uses
 * the deposited table), PT_MAY_SLEEP. -PT_ENOMEM.
 */
PT_MUST_CHECK int pt_split(struct pt_space *space, pt_va va, uint64_t size, unsigned target,
    uint32_t flags);

/*
 * Replaces the table of level-1 entries that covers va by one leaf of level (1 or more).
 * -PT_ENOENT: not all mapped, not contiguous, not aligned, not alike, or shared. flags: PT_DEPOSIT
 * (a table is deposited), PT_MAY_SLEEP. Dirty and accessed become those of any of its parts.
 */
PT_MUST_CHECK int pt_collapse(struct pt_space *space, pt_va va, unsigned level, uint32_t flags);

/*
 * Makes the tables down to level for the range, empty where there were none, but none below a table
 * of pt_share_table. flags: PT_MAY_SLEEP.
 */
PT_MUST_CHECK int pt_populate(struct pt_space *space, pt_va va, uint64_t size, unsigned level,
    uint32_t flags);

/*
 * Frees the empty tables, of all levels below the root, that overlap the range and whose own range
 * lies within [floor, ceiling): Linux's rule for free_pgtables. ceiling 0: the end of the space. A
 * table of pt_share_table stays until it is unmapped or unshared.
 */
PT_MUST_CHECK int pt_prune(struct pt_space *space, pt_va va, uint64_t size, pt_va floor,
    pt_va ceiling);

/*
 * Shares src's level-1 table that covers va (its entries leaves only) with dst, which must have no
 * table or leaf there: both see the other's changes (hugetlb's shared PMD tables, L6).
 * -PT_ENOENT: src has none; -PT_EEXIST; -PT_ESPLIT: it holds tables; -PT_ENOMEM; -PT_ENOTSUP: two
 * formats, or one of 2 levels, whose table of level 1 is the root, or an MMU runs only one of the
 * spaces. flags: PT_MAY_SLEEP.
 */
PT_MUST_CHECK int pt_share_table(struct pt_space *dst, struct pt_space *src, pt_va va,
    uint32_t flags);

/*
 * Drops a space's part of such a table; its leaves are unmapped in this space only, into gather
 * (NULL: drop): whoever is the last to leave learns there what is dirty. -PT_ENOENT: it has none
 * there; -PT_ENOTSUP: a format of 2 levels; -PT_EINVAL: a gather without room.
 */
PT_MUST_CHECK int pt_unshare_table(struct pt_space *space, pt_va va, struct pt_gather *gather);

/*
 * Clears accessed in the range; *young is the number of bytes that had it set. What has one mark, a
 * leaf or a run, is not taken apart: where the range cuts it all of it is cleared, and counts.
 * -PT_ENOMEM: of a leaf table that is shared copy-on-write the space takes its own copy first.
 */
PT_MUST_CHECK int pt_age(struct pt_space *space, pt_va va, uint64_t size, uint64_t *young);

/*
 * Calls fn (may be NULL) for each dirty piece and clears dirty; *bytes counts them. What has one
 * mark is taken apart where the range cuts it, and keeps it outside. -PT_ENOMEM. Non-zero from
 * fn ends it and is returned: what fn was not told of stays dirty. fn is called with locks of
 * tables held and before the TLBs are flushed: what it notes may be acted on when the call has
 * returned.
 */
PT_MUST_CHECK int pt_dirty(struct pt_space *space, pt_va va, uint64_t size, pt_walk_fn fn,
    void *ctx, uint64_t *bytes);

/*
 * What a fault handler asks first: may access (PT_READ, PT_WRITE, PT_EXEC, PT_USER) happen now?
 * Sets accessed and dirty in software where the MMU does not, in this very leaf. 0: retry the
 * access (it was spurious, or the bits were set); -PT_ENOENT not mapped; -PT_EATTR mapped without
 * the right; -PT_ENOMEM as pt_age.
 */
PT_MUST_CHECK int pt_access_fault(struct pt_space *space, pt_va va, uint32_t access);

/* What a check found wrong. */
struct pt_fault_report {
	pt_va va; /* where */
	unsigned level;
	const char *what; /* one line */
	uint64_t entry;   /* raw */
};

/*
 * Walks and verifies everything: entries, descriptors, counts. No other call may be under way. 0,
 * or -PT_EINVAL with report filled.
 */
PT_MUST_CHECK int pt_check(const struct pt_space *space, struct pt_fault_report *report);

/* Writes one line for each table and piece, through line(ctx, text); no other call under way. */
void pt_dump(const struct pt_space *space, void (*line)(void *ctx, const char *text), void *ctx);

/* Pages that a cursor keeps before it maps them in one go. */
#define PT_CURSOR_PAGES 64u

/*
 * A cursor maps page after page, at neighbouring addresses, for little more than the store: pages
 * are kept in the cursor and mapped PT_CURSOR_PAGES at a time, all or nothing each time. A cursor
 * is one thread's; any number of them may map into a space.
 */
struct pt_cursor {
	struct pt_space *space;
	pt_va va; /* of the first page kept; 0 behind the last one there is */
	pt_attr attr;
	uint32_t flags;
	uint32_t count;
	pt_pa pas[PT_CURSOR_PAGES];
};

/* flags: pt_map_list's without PT_PIECEWISE. Asks nothing: what is wrong, the first flush says. */
static inline struct pt_cursor *pt_cursor_open(struct pt_cursor *cursor, struct pt_space *space,
    pt_va va, pt_attr attr, uint32_t flags)
{
	cursor->space = space;
	cursor->va = va;
	cursor->attr = attr;
	cursor->flags = flags;
	cursor->count = 0;
	return cursor;
}

/*
 * Maps what the cursor keeps; on error nothing of it is mapped and it is still kept. Errors are
 * pt_map_list's.
 */
PT_MUST_CHECK int pt_cursor_flush(struct pt_cursor *cursor);

/* Maps the next page. Errors are pt_cursor_flush's; the page is then not taken. */
PT_MUST_CHECK static inline int pt_cursor_map(struct pt_cursor *cursor, pt_pa pa)
{
	if (cursor->count == PT_CURSOR_PAGES) {
		int err = pt_cursor_flush(cursor);

		if (err)
			return err;
	}
	cursor->pas[cursor->count++] = pa;
	return 0;
}

PT_END_DECLS

#endif
