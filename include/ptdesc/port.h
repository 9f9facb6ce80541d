/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The port: what the embedding program supplies. This one table is the contract.
 *
 * A program may leave it at the table (each hot call is then one indirect call), or name a header
 * at build time, -DPT_PORT_HEADER='"my_port.h"', that defines the hot calls inline; see
 * core/port_inline.h for their names.
 *
 * Who calls what, from where:
 *
 *   call             called by                      holding      may it sleep
 *   cpu_pin/unpin    allocation and free            nothing+     no
 *   cpu_node         pt_memory_init                 nothing      yes
 *   section_*        operations on spaces, queries  a node's++   no
 *   phys_to_virt     everything                     anything     no
 *   virt_to_phys     the by-address forms, slab     anything     no
 *   wait_while       a contended lock               any+++       no, but answers flush requests
 *   grace_start      end of an operation            nothing      no
 *   grace_done       end of an operation            nothing      no
 *   grace_wait       before -PT_ENOMEM, shrink      nothing      yes: PT_MAY_SLEEP calls only
 *   flush            end of an operation; BUSY      table locks  no
 *   write_back       after each store to a table    table locks  no
 *   table_event      constructor, destructor        nothing      no
 *   frame_*          allocation and free            nothing      no
 *   memdesc_slot     everything                     anything     no
 *   stop             hardened builds, on a bug      anything     does not return
 *
 * "nothing" means none of the library's locks; pinning, frame_* and table_event may happen in a
 * read section.
 *   +    Sections coming and going pin under the memory's own lock, and hardened builds under
 *        tables' locks, to note who holds them: a CPU may not change while it holds one.
 *   ++   Frames below a limit are searched in a section, under the lock of a node.
 *   +++  The locks of the allocator are held and waited for pinned. Those of tables, of the list of
 *        roots and of the memory (sections, classes, ids) are not: who holds one may be preempted,
 *        so where a waiter may be the reason for that, let the holder run here.
 *
 * Which call of the library may be made where:
 *
 *   in an interrupt handler   pt_page_memdesc; pt_translate and pt_table_level of a space that no
 *                             call is changing on the CPU interrupted, nor one that shares a table
 *                             with it: they wait for changes, and that one would wait for the
 *                             handler. Allocation and free if the memory was made with config.irq,
 *                             which makes every pin block interrupts
 *   may sleep                 only calls given PT_MAY_SLEEP, pt_memory_shrink, pt_memory_destroy
 *   in pt_dirty's callback    pt_translate, pt_table_level, pt_page_memdesc, ptdesc_address and
 *                             other queries; in pt_walk's what its caller may
 */
#ifndef PTDESC_PORT_H
#define PTDESC_PORT_H

#include <ptdesc/page.h>
#include <ptdesc/types.h>

/* Why a hardened build stopped. One number for each kind of misuse; they never change. */
enum pt_stop {
	PT_STOP_NOT_A_TABLE = 1, /* a frame asked for its ptdesc is no page table (D15) */
	PT_STOP_DOUBLE_FREE = 2, /* frame, object or table freed twice */
	PT_STOP_BAD_ORDER = 3,   /* freed with another order than allocated (D7, D45) */
	PT_STOP_BAD_STATE = 4,   /* a table in the wrong state of its life */
	PT_STOP_BAD_LEVEL = 5, /* allocated as one kind of table, used or freed as another (D44) */
	PT_STOP_BAD_MEMDESC = 6,   /* a page word that changed under its owner (D1, D2, D16) */
	PT_STOP_BAD_POISON = 7,    /* memory written after it was freed */
	PT_STOP_LOCKED = 8,        /* destroyed while its lock is held */
	PT_STOP_DEPOSIT = 9,       /* a table dies with tables still deposited in it (L5) */
	PT_STOP_BAD_ALIGN = 10,    /* a descriptor that is not aligned to 16 bytes */
	PT_STOP_BAD_CACHE = 11,    /* object freed into another cache than it came from */
	PT_STOP_BAD_OWNER = 12,    /* more uncharged than was charged */
	PT_STOP_NOT_EMPTY = 13,    /* a table called empty that is not */
	PT_STOP_BAD_CPU = 15,      /* the port named a CPU beyond config.cpus */
	PT_STOP_NOT_LOCKED = 16,   /* a table changed or unlocked without its lock */
	PT_STOP_LOCK_ORDER = 17,   /* a table locked before one that comes first (5, 13, 16) */
	PT_STOP_LOCK_TWICE = 18,   /* a CPU wants a lock that it holds */
	PT_STOP_NOT_HOLDER = 19,   /* a lock given by another CPU than took it */
	PT_STOP_LOCK_LATE = 20,    /* an operation locks a table after its first store (6) */
	PT_STOP_WAIT_LOCKED = 21,  /* asks for a grace period with a table's lock held (12) */
	PT_STOP_ALLOC_LOCKED = 22, /* asks for a table with a table's lock held */
	PT_STOP_ENTER_LOCKED = 23, /* a call on a space with a table's lock held */
	PT_STOP_INTERIOR = 24,     /* a table freed by an address inside it */
};

/*
 * What must leave the TLBs. For a format with PT_FORMAT_LOADED_ROOT the root's bit in tables means
 * that every CPU that runs the space loads the root anew: on i386-pae it writes CR3, which flushes
 * all but global entries besides.
 */
struct pt_flush {
	void *cookie;    /* pt_space.cookie: the embedder's name for the space (its ASID) */
	pt_va start;     /* first byte */
	pt_va last;      /* last byte, inclusive */
	uint32_t leaves; /* bit l: leaf entries of level l changed */
	uint32_t tables; /* bit l: entries of level l that point to tables changed: walk caches */
	/*
	 * Of every space, and of every device that uses them: the space is a kernel's, or has had
	 * global leaves, or shares the table that changed or that it leaves.
	 */
	bool kernel;
};

struct pt_port {
	void *ctx; /* handed to each call */

	/*
	 * Pins the caller to its CPU and returns its number, below config.cpus: no migration until
	 * unpin and, if irq is set, no interrupts. Does not nest.
	 */
	unsigned (*cpu_pin)(void *ctx, bool irq);
	void (*cpu_unpin)(void *ctx, bool irq);

	/* The node, below config.nodes, nearest to a CPU; NULL: nodes have equal shares of the
	 * CPUs. */
	unsigned (*cpu_node)(void *ctx, unsigned cpu);

	/*
	 * Read section: what was reachable at enter is not freed before exit (a grace period does
	 * not end meanwhile). Nests.
	 */
	void (*section_enter)(void *ctx);
	void (*section_exit)(void *ctx);

	/* Where a physical address of table or slab memory can be accessed, and back. */
	void *(*phys_to_virt)(void *ctx, pt_pa pa);
	pt_pa (*virt_to_phys)(void *ctx, const void *address);

	/*
	 * Waits, spinning or better, while *addr is value; may return early. A CPU that waits here
	 * must answer flush requests of others, who may hold what it waits for.
	 */
	void (*wait_while)(void *ctx, const uint32_t *addr, uint32_t value);

	/*
	 * Grace periods. start: a cookie for "every section that is open now has ended"; done: has
	 * it; wait: until it has. start and done are called outside sections and never sleep.
	 */
	uint64_t (*grace_start)(void *ctx);
	bool (*grace_done)(void *ctx, uint64_t cookie);
	void (*grace_wait)(void *ctx, uint64_t cookie);

	/*
	 * Removes what the request names from every TLB and walk cache, and the IOTLB of every
	 * device that walks these tables; NULL: there are none. Called after entries were taken
	 * out, and before what they led to is handed over or queued to be freed.
	 */
	void (*flush)(void *ctx, const struct pt_flush *request);

	/* Makes stores to [address, address + size) visible to walkers that do not snoop; or NULL.
	 */
	void (*write_back)(void *ctx, const void *address, size_t size);

	/*
	 * Told when frames become a table (start true) and when they stop being one; may refuse a
	 * start with an error, which then fails the allocation. NULL: nobody asks (K6).
	 */
	int (*table_event)(void *ctx, pt_pa pa, size_t size, unsigned level, bool start);

	/*
	 * The embedder's own frames in place of the library's, both or neither. alloc returns
	 * 2^order frames, aligned to their size, at or below max_pfn, or PT_NO_PFN. node -1: any.
	 */
	pt_pfn (*frame_alloc)(void *ctx, unsigned order, int node, uint32_t flags, pt_pfn max_pfn);
	void (*frame_free)(void *ctx, pt_pfn pfn, unsigned order);

	/* The embedder's own page words; NULL: sections hold them. NULL result: no such frame. */
	struct pt_page *(*memdesc_slot)(void *ctx, pt_pfn pfn);

	/* A bug was found: report it; must not return. NULL: the compiler's trap. */
	void (*stop)(void *ctx, enum pt_stop code, const void *object);
};

#endif
