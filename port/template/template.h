/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A port to be copied: several CPUs, an MMU, a kernel that is in every space. What it leaves to the
 * machine are the seven functions below, a few instructions each. Its steps are those of
 * docs/porting.md, by number.
 */
#ifndef PTDESC_PORT_TEMPLATE_TEMPLATE_H
#define PTDESC_PORT_TEMPLATE_TEMPLATE_H

#include <ptdesc/memory.h>
#include <ptdesc/space.h>

#define TEMPLATE_CPUS  4u
#define TEMPLATE_SLOTS 64u /* root entries of the kernel's, at most */

/* --- What you write -------------------------------------------------------------------------- */

/* 4. The number of this CPU, below TEMPLATE_CPUS. */
unsigned template_cpu(void);

/* 6. Told that this CPU waits in a loop. */
void template_relax(void);

/*
 * 7. Makes template_answer run on another CPU, soon, even if that one has to wait for a lock. What
 * was stored before is there by then: a device's register may want a barrier first.
 */
void template_interrupt(unsigned cpu);

/* 7. The leaf of one page leaves the TLBs of this CPU. */
void template_flush_page(uint64_t va);

/* 7. All does, walk caches and global entries included; a root in registers is loaded again. */
void template_flush_all(void);

/* 9. This CPU's MMU goes to a root, and forgets what it knew of the one before. */
void template_set_root(const struct pt_root *root);

/* 8. A hardened build has found a bug. */
_Noreturn void template_stop(enum pt_stop code, const void *object);

/* --- What there is to know of the machine ---------------------------------------------------- */

struct template_range {
	uint64_t base;
	uint64_t size; /* 0 ends a list */
};

/* 1. In whole pages of the format. */
struct template_map {
	const struct pt_format *format;
	struct template_range ram;           /* from its first byte to its last, holes included */
	const struct template_range *kept;   /* in it: holes, firmware's, the image */
	const struct template_range *device; /* elsewhere: to be reached, uncached */
	uint64_t direct;                     /* virtual minus physical address, of all of these */
};

/* --- What you get ---------------------------------------------------------------------------- */

/* What others look at, each CPU's in a line of its own. */
struct template_cpu_state {
	uint32_t section; /* epoch that its read section began in; 0: it is in none */
	uint32_t nested;  /* sections, one in the other */
	bool seen;        /* the section is, by whoever starts a grace period from now on */
	uint32_t asked;   /* it is to flush what the request says, or is at it; 0: done */
	uint32_t up;
} __attribute__((aligned(64)));

struct template
{
	struct template_cpu_state cpus[TEMPLATE_CPUS];
	const struct template_map *map;
	struct pt_memory *memory;
	struct pt_space kernel;
	unsigned slot[TEMPLATE_SLOTS]; /* entries of the kernel's root that map something */
	unsigned slots;
	uint32_t epoch;
	uint32_t request_lock;
	struct pt_flush request;
};

/* A space with the kernel in it; what its root had in the kernel's place is kept aside. */
struct template_space {
	struct pt_space space;
	uint64_t own[TEMPLATE_SLOTS];
};

/*
 * Steps 1 to 8: a memory of the map's RAM, of which the last bytes hold its own state. t is made of
 * zeros and stays. -PT_EALIGN: a range that is not in whole pages; -PT_EINVAL: not enough RAM, or
 * something kept that is not in it; others are the library's.
 */
PT_MUST_CHECK int template_memory(struct template *t, const struct template_map *map);

/* Step 9: the kernel's space: RAM and devices, at map.direct. -PT_ENOTSUP: too many root entries.
 */
PT_MUST_CHECK int template_kernel(struct template *t);

/* Step 9, on each CPU: from here on it is asked for flushes and waited for. */
void template_cpu_up(struct template *t);

/* Step 10: a space for a program, and its end, when no CPU runs it any more. */
PT_MUST_CHECK int template_space_init(struct template *t, struct template_space *s);
PT_MUST_CHECK int template_space_destroy(struct template *t, struct template_space *s);

/*
 * Step 11, in the handler of page faults, with the access that was refused (PT_READ, PT_WRITE,
 * PT_EXEC, PT_USER). 0: try again; else the fault is the program's, or for your pager.
 */
PT_MUST_CHECK int template_fault(struct pt_space *space, uint64_t va, uint32_t access);

/* Step 7, in the handler of template_interrupt. */
void template_answer(struct template *t);

#endif
