/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The hosted port: page tables in a POSIX process. Physical memory is simulated by an arena of
 * which only what is touched costs anything; CPUs are threads; no MMU walks the tables, so flushes
 * are counted, and told to an MMU in software if the caller has one. Not freestanding.
 */
#ifndef PTDESC_HOSTED_H
#define PTDESC_HOSTED_H

#include <ptdesc/memory.h>
#include <ptdesc/port.h>
#include <ptdesc/types.h>

/* Threads that can use memories at a time, in the whole process. */
#define PT_HOSTED_CPUS 64u

/* A memory with its arena and its port. */
struct pt_hosted;

/*
 * An MMU in software, of the caller's: what it is told. Either function may be NULL.
 * flush is called as pt_port.flush is, by any thread; it returns when nothing that the request
 * names is cached any more. table is pt_port.table_event: when a table comes to life, and when its
 * life ends, after its grace period.
 */
struct pt_hosted_mmu {
	void *ctx;
	void (*flush)(void *ctx, const struct pt_flush *request);
	int (*table)(void *ctx, pt_pa pa, size_t size, unsigned level, bool start);
};

/* What to simulate; 0 takes the default named. */
struct pt_hosted_config {
	uint64_t bytes;         /* physical memory, from address 0; 1 GiB */
	unsigned page_shift;    /* 12 */
	unsigned cpus;          /* PT_HOSTED_CPUS; less only where no more threads register */
	unsigned nodes;         /* equal shares of the arena; CPU n belongs to node n % nodes; 1 */
	unsigned section_shift; /* 15 (32-bit builds: 12) */
	unsigned magazine;      /* 128 */
	unsigned classes;       /* 32 */
	bool boot;              /* stop before pt_memory_online, which the caller then calls */
	const struct pt_hosted_mmu *mmu; /* NULL: none; copied */
};

/* Flush requests that the library made; sums over threads, exact when no call is under way. */
struct pt_hosted_flushes {
	uint64_t calls;
	uint64_t leaves; /* of these, some leaf changed */
	uint64_t tables; /* of these, some entry that pointed to a table changed */
	uint64_t kernel; /* of these, in every space */
};

PT_BEGIN_DECLS

/*
 * A memory that is ready for use. config NULL: all defaults. The calling thread is registered.
 * -PT_EINVAL: a config that pt_memory_init refuses; -PT_ENOMEM: no address space, or too little
 * memory asked for; -PT_EBUSY: as pt_hosted_thread_register.
 */
PT_MUST_CHECK int pt_hosted_memory_create(const struct pt_hosted_config *config,
    struct pt_hosted **hosted);

/*
 * Ends it and gives the arena back. leaks may be NULL. -PT_EBUSY: something was leaked; the memory
 * is then still valid. No other thread may use it meanwhile.
 */
PT_MUST_CHECK int pt_hosted_memory_destroy(struct pt_hosted *hosted, struct pt_leaks *leaks);

/* Gives the arena back without looking: after a leak, or a stop that was jumped out of. */
void pt_hosted_memory_discard(struct pt_hosted *hosted);

struct pt_memory *pt_hosted_memory(const struct pt_hosted *hosted);

/* Where physical memory can be accessed; pa below what was asked for. For an MMU in software. */
void *pt_hosted_address(struct pt_hosted *hosted, pt_pa pa);

/*
 * Makes the calling thread a CPU; the lowest number that is unused, the same for all memories. A
 * thread that does not call this is registered at its first use of a memory, and the process ends
 * if there is no number left. Unregistered at its end, or by the second function, which may not be
 * called inside a read section. A registered thread may sleep as long as it wants.
 * -PT_EBUSY: PT_HOSTED_CPUS threads are registered already.
 */
PT_MUST_CHECK int pt_hosted_thread_register(unsigned *cpu);
void pt_hosted_thread_unregister(void);

/* Forgets the read sections that this thread is in: for tests that jumped out of a stop. */
void pt_hosted_thread_reset(void);

void pt_hosted_flushes(const struct pt_hosted *hosted, struct pt_hosted_flushes *flushes);

/*
 * Has hook called where a hardened build found a bug, in place of a message and abort(). The hook
 * may longjmp, which leaves locks and objects as they were; else the process is aborted after it.
 */
void pt_hosted_on_stop(struct pt_hosted *hosted,
    void (*hook)(void *ctx, enum pt_stop code, const void *object), void *ctx);

PT_END_DECLS

#endif
