/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * struct ptdesc: the descriptor of a page table, allocated with the table's memory and freed with
 * it. One for EVERY table, also for one that is a fragment of a frame. Nothing overlays anything.
 * (Seeds 001 7/7 and 002 4.)
 *
 * Life: ready (in a magazine) -> private (being filled, unreachable) -> linked -> unlinked and
 * dead, frozen -> gathered -> TLB flushed -> grace period over -> ready again, or back to the
 * frames. A private table that was never linked may go back to ready at once.
 */
#ifndef PTDESC_PTDESC_H
#define PTDESC_PTDESC_H

#include <ptdesc/page.h>
#include <ptdesc/types.h>

struct pt_account;
struct pt_memory;
struct pt_space;

/* States of a table's life, kept and asserted in hardened builds. */
enum pt_state {
	PT_READY = 0,
	PT_PRIVATE = 1,
	PT_LINKED = 2,
	PT_UNLINKED = 3,
	PT_DEFERRED = 4,
	PT_FREED = 5,
};

/*
 * 64 bytes in a cache line of its own (48 on 32-bit builds; more in hardened builds). Type-stable
 * under the port's grace period: inside a read section a pointer to one stays one. Readers may
 * load lock, dead and shared; the other fields belong to the holder of the lock, or, before the
 * table is linked, to whoever allocated it.
 */
struct ptdesc {
	uint32_t lock;  /* guards the table's entries and the fields down to base */
	uint16_t used;  /* entries that are not empty; 0: the table is empty by construction */
	uint8_t dead;   /* set under the lock, never cleared: unlinked or about to be; frozen */
	uint8_t shared; /* set and cleared under parent and own lock: content frozen, not locked */
	uint64_t pt_word; /* pfn, order, level, class, flags: constant from alloc to free; below */
	union {
		struct {
			struct ptdesc *next;
			struct ptdesc *prev;
		} pt_list; /* list of roots, deposited tables, tables held or gathered */
		struct {
			struct ptdesc *next;
			uintptr_t cookie;
		} pt_grace; /* from unlink to the end of the grace period: freeing never allocates
			     */
	};
	struct pt_space *space;      /* whose table it is; NULL: nobody's (kernel, not linked) */
	struct ptdesc *pmd_huge_pte; /* first of the deposited tables, a list; guarded by lock */
	union {
		uint64_t pt_index; /* the embedder's: s390's guest address */
		uint64_t
		    pt_share_count; /* spaces that share the table; atomic, the only such counter */
	};
	uint64_t base; /* VA that entry 0 translates; low 8 bits: slot of a fragment in its frame */
#ifdef PT_HARDENED
	uint32_t state;                 /* enum pt_state */
	uint32_t holder;                /* CPU that holds the lock, plus 1 */
	uint64_t magic;                 /* PTDESC_MAGIC while the descriptor describes a table */
	const struct pt_account *owner; /* who is charged for it */
	struct ptdesc *locked_before;   /* of the tables that holder has locked */
	uint64_t pad[4];
#endif
};

#ifndef PT_HARDENED
PT_STATIC_ASSERT(sizeof(struct ptdesc) <= 64, "a descriptor fits a cache line");
#endif

/* Fields of pt_word: each its own bits, so that none can be read as another (D7). */
#define PT_WORD_PFN_BITS 44
#define PT_WORD_ORDER_AT 44
#define PT_WORD_LEVEL_AT 48
#define PT_WORD_CLASS_AT 51
#define PT_WORD_FLAGS_AT 57

/* Flags in pt_word. */
enum ptdesc_flags {
	PTDESC_RESERVED = 1u << 0,    /* was a boot table: its frames go back by their own path */
	PTDESC_KERNEL = 1u << 1,      /* a kernel's table: freed behind IOTLB invalidation */
	PTDESC_ACCOUNTED = 1u << 2,   /* charged to an owner when it was allocated */
	PTDESC_FRAGMENT = 1u << 3,    /* smaller than a frame */
	PTDESC_CONSTRUCTED = 1u << 4, /* between constructor and destructor; the one that changes */
};

static inline pt_pfn ptdesc_pfn(const struct ptdesc *pt)
{
	return pt->pt_word & ((UINT64_C(1) << PT_WORD_PFN_BITS) - 1);
}

/* log2 of the frames that the table has; 0 for fragments. */
static inline unsigned ptdesc_order(const struct ptdesc *pt)
{
	return (unsigned)(pt->pt_word >> PT_WORD_ORDER_AT) & 15u;
}

static inline unsigned ptdesc_level(const struct ptdesc *pt)
{
	return (unsigned)(pt->pt_word >> PT_WORD_LEVEL_AT) & 7u;
}

/* The table class, an index that pt_class_register returned. */
static inline unsigned ptdesc_class(const struct ptdesc *pt)
{
	return (unsigned)(pt->pt_word >> PT_WORD_CLASS_AT) & 63u;
}

static inline unsigned ptdesc_flags(const struct ptdesc *pt)
{
	return (unsigned)(pt->pt_word >> PT_WORD_FLAGS_AT);
}

/* VA that the table's first entry translates. */
static inline uint64_t ptdesc_base(const struct ptdesc *pt)
{
	return pt->base & ~UINT64_C(255);
}

/*
 * A kind of table: what a format registers for each of its levels. Two levels whose tables look
 * alike are one class and share their ready tables.
 */
struct pt_table_class {
	uint64_t size;       /* bytes, a power of two, from 16 bytes to 2^15 frames */
	uint64_t align;      /* bytes, a power of two, at most size, or a frame for fragments */
	uint64_t max_pa;     /* last byte that may hold the table, a frame's or more;
				UINT64_MAX: anywhere */
	uint64_t empty;      /* the value of an empty entry, in memory order of this host's loads */
	uint8_t entry_bytes; /* 4 or 8 */
};

/*
 * Lines of counters in an account. Where there are more CPUs, the first PT_ACCOUNT_OWN of them have
 * a line of their own, which takes no atomics, and the others share the rest.
 */
#define PT_ACCOUNT_SLOTS 8u
#define PT_ACCOUNT_OWN   4u

/*
 * An owner that tables are charged to: a space, or a group of the embedder's. Zeroed is empty.
 */
struct pt_account {
	/* Wherever an account lies, no two of its slots, nor one and what is before, share a line.
	 */
	struct {
		uint32_t pad[16];
		uint32_t tables[8]; /* by level; one CPU's share, may wrap below 0 */
	} slot[PT_ACCOUNT_SLOTS];
};

PT_BEGIN_DECLS

/*
 * Registers a kind of table, or finds it when an equal one was registered; *id is its number.
 * -PT_EINVAL; -PT_ENOTSUP: all config.classes are taken.
 */
PT_MUST_CHECK int pt_class_register(struct pt_memory *memory, const struct pt_table_class *tables,
    unsigned *id);

/*
 * A table of a class for a level: its memory is the empty pattern, its descriptor constructed,
 * private and charged to owner (NULL: nobody), and every frame of it answers "page table". flags:
 * PT_KERNEL_TABLE. NULL: no memory, or before pt_memory_online (pt_memory_online says why). Never
 * sleeps. (M3, M5, M7; seed 001 2/7, 3/7, 7/7.)
 */
PT_MUST_CHECK struct ptdesc *pagetable_alloc(struct pt_memory *memory, unsigned class_id,
    unsigned level, struct pt_account *owner, uint32_t flags);

/*
 * Frees a table that no walker can reach: never linked, or unlinked, flushed and past its grace
 * period. Uncharges owner, which is the one it was charged to. The memory need not be empty if used
 * is not 0. pt is not NULL. Hardened builds stop: NOT_A_TABLE (NULL), DOUBLE_FREE, BAD_STATE
 * (linked), LOCKED, DEPOSIT, NOT_EMPTY, BAD_MEMDESC, BAD_OWNER (charged to another, or to nobody).
 */
void pagetable_free(struct pt_memory *memory, struct ptdesc *pt, struct pt_account *owner);

/*
 * Frees an unlinked, flushed table once a grace period is over; allocates nothing, takes no lock of
 * a table. Uncharges owner now; the destructor runs after the grace period. Tables wait on the CPU
 * that deferred them, until operations on spaces there drive them on; or, on whichever CPU,
 * pt_memory_shrink, pt_memory_destroy or a call with PT_MAY_SLEEP that finds no memory. Stops as
 * pagetable_free does. What Linux calls pte_free_defer (D2, L4).
 */
void pagetable_free_defer(struct pt_memory *memory, struct ptdesc *pt, struct pt_account *owner);

/*
 * The same by address (M8, review of seed 000): empty table memory, and back; NULL: no memory. An
 * address inside a table is not its address (hardened: INTERIOR).
 */
PT_MUST_CHECK void *pagetable_alloc_addr(struct pt_memory *memory, unsigned class_id,
    unsigned level, struct pt_account *owner, uint32_t flags);
void pagetable_free_addr(struct pt_memory *memory, void *table, struct pt_account *owner);

/* Where a table's memory is. Any context. */
pt_pa ptdesc_pa(const struct pt_memory *memory, const struct ptdesc *pt);
void *ptdesc_address(const struct pt_memory *memory, const struct ptdesc *pt);

/*
 * The descriptor of the table that holds this physical address, fragments included; NULL when the
 * frame is no table (hardened: stops, D15). Any context, in a read section or as the owner.
 */
struct ptdesc *ptdesc_from_pa(const struct pt_memory *memory, pt_pa pa);
struct ptdesc *ptdesc_from_virt(const struct pt_memory *memory, const void *address);

/*
 * The lock that guards an entry, found from the entry's address (L1), and the lock of a table: its
 * own, or, with the build option -Dlock=space, that of its space's root; a table that spaces share
 * has its own in both. The caller knows that the table stays: it is linked by whom the caller keeps
 * from unlinking it, or this is a read section. With -Dlock=space a table may become shared while
 * one waits: ptdesc_lock looks again, and so has to who takes the lock of ptdesc_lock_of. Order:
 * the lower space id first, in a space parents before children and in address order, a truly shared
 * table last. Under a lock no call on a space may be made, no table allocated, no grace period
 * waited for. Hardened builds stop: NOT_A_TABLE, BAD_POISON, BAD_STATE, BAD_MEMDESC, LOCK_TWICE,
 * LOCK_ORDER, NOT_LOCKED, NOT_HOLDER.
 */
uint32_t *ptdesc_lock_of(const struct pt_memory *memory, const void *entry);
void ptdesc_lock(const struct pt_memory *memory, struct ptdesc *pt);
void ptdesc_unlock(const struct pt_memory *memory, struct ptdesc *pt);

/*
 * Constructor: makes a descriptor that of an empty, unlocked, private table of space at base, and
 * tells the port. Destructor: the reverse; hardened builds check that nothing is deposited and the
 * lock is free. pagetable_alloc and pagetable_free call them; an embedder that keeps tables of its
 * own calls them around each use. The port is told once: a constructor of a table that has had its
 * constructor only sets space and base, and pagetable_free takes tables with and without.
 * -PT_EINVAL: not the level that the table was allocated for (D28; hardened: stops); else an error
 * is the port's refusal; nothing is changed then (M6).
 */
PT_MUST_CHECK int pagetable_ctor(const struct pt_memory *memory, struct ptdesc *pt,
    struct pt_space *space, unsigned level, uint64_t base);
void pagetable_dtor(const struct pt_memory *memory, struct ptdesc *pt);

/* Tables by level that an owner is charged for; sum over CPUs, exact when no call is under way. */
uint64_t pt_account_tables(const struct pt_account *account, unsigned level);

/*
 * Large-page deposits, first in first out (L5, D13, D51). The caller holds pmd's lock; deposited
 * tables are private, empty (hardened: NOT_LOCKED, BAD_STATE, NOT_EMPTY), of the class of pmd's
 * space for level 0, and charged to that space's account, which calls free them from. Withdraw
 * returns NULL when nothing is deposited.
 */
void pt_deposit(struct ptdesc *pmd, struct ptdesc *table);
struct ptdesc *pt_withdraw(struct ptdesc *pmd);

PT_END_DECLS

#define PT_LEVEL_PTE 0u
#define PT_LEVEL_PMD 1u
#define PT_LEVEL_PUD 2u
#define PT_LEVEL_P4D 3u
#define PT_LEVEL_PGD 4u

/* The constructors by Linux's names of the levels. */
PT_MUST_CHECK static inline int pagetable_pte_ctor(const struct pt_memory *memory,
    struct ptdesc *pt, struct pt_space *space, uint64_t base)
{
	return pagetable_ctor(memory, pt, space, PT_LEVEL_PTE, base);
}

PT_MUST_CHECK static inline int pagetable_pmd_ctor(const struct pt_memory *memory,
    struct ptdesc *pt, struct pt_space *space, uint64_t base)
{
	return pagetable_ctor(memory, pt, space, PT_LEVEL_PMD, base);
}

PT_MUST_CHECK static inline int pagetable_pud_ctor(const struct pt_memory *memory,
    struct ptdesc *pt, struct pt_space *space, uint64_t base)
{
	return pagetable_ctor(memory, pt, space, PT_LEVEL_PUD, base);
}

PT_MUST_CHECK static inline int pagetable_p4d_ctor(const struct pt_memory *memory,
    struct ptdesc *pt, struct pt_space *space, uint64_t base)
{
	return pagetable_ctor(memory, pt, space, PT_LEVEL_P4D, base);
}

PT_MUST_CHECK static inline int pagetable_pgd_ctor(const struct pt_memory *memory,
    struct ptdesc *pt, struct pt_space *space, uint64_t base)
{
	return pagetable_ctor(memory, pt, space, PT_LEVEL_PGD, base);
}

#endif
