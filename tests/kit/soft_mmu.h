/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An MMU in software, as unkind as the architecture allows: it walks the tables of a test port with
 * the reference walker, sets accessed and dirty behind the library's back, and keeps every
 * translation and every table pointer that it has seen until a flush names it. Whatever it still
 * keeps when a call has returned must be what the tables say; else a flush was missing. Of a
 * contiguous run it notes in another leaf what it did to one, and any leaf's marks are all of
 * them's.
 */
#ifndef TESTS_KIT_SOFT_MMU_H
#define TESTS_KIT_SOFT_MMU_H

#include <ptdesc/space.h>
#include "tests/kit/test_port.h"
#include "tests/reference/reference.h"

#define SOFT_MMU_ENTRIES 512u
#define SOFT_MMU_SPACES  8u

/* A cached entry: of a leaf, or of a table (walk cache). */
struct soft_entry {
	const struct pt_space *space; /* NULL: unused */
	uint64_t va;                  /* first that the entry translates */
	uint64_t size;  /* bytes that it translates: more than an entry for a contiguous run */
	uint64_t pa;    /* of the memory, or of the table */
	uint32_t flags; /* leaf: attributes */
	unsigned level;
	bool table;
};

struct soft_mmu {
	struct test_port *port;
	const struct pt_format *format;
	const struct ref_format *ref;
	const struct pt_space *space[SOFT_MMU_SPACES];
	uint64_t loaded[SOFT_MMU_SPACES][4]; /* root entries in registers: PT_FORMAT_LOADED_ROOT */
	struct soft_entry cache[SOFT_MMU_ENTRIES];
	unsigned next; /* slot that the next entry takes */
	uint64_t walks;
	uint64_t breaks; /* live entries replaced, break-before-make formats */
	char fault[160]; /* the first thing found wrong; empty: none */
};

/* Takes the hooks of the port. Spaces of one format; their cookie is their own address. */
void soft_mmu_init(struct soft_mmu *mmu, struct test_port *port, const struct pt_format *format);

/* A space's tables are walked from now on, or no longer. */
void soft_mmu_attach(struct soft_mmu *mmu, const struct pt_space *space);
void soft_mmu_detach(struct soft_mmu *mmu, const struct pt_space *space);

/*
 * One access of PT_READ, PT_WRITE, PT_EXEC: 0, and *leaf says which leaf; -PT_ENOENT: not mapped;
 * -PT_EATTR: no right; -PT_EBUSY: the format wants software to set accessed or dirty first.
 */
int soft_mmu_access(struct soft_mmu *mmu, const struct pt_space *space, uint64_t va,
    uint32_t access, struct ref_result *leaf);

/* A walk ahead of time: what is mapped at va is cached, without being marked accessed. */
void soft_mmu_ahead(struct soft_mmu *mmu, const struct pt_space *space, uint64_t va);

/* What the tables say, by the reference walker. */
enum ref_status soft_mmu_walk(const struct soft_mmu *mmu, const struct pt_space *space, uint64_t va,
    struct ref_result *leaf);

/* Accessed and dirty of a leaf: of a run, what any of its leaves has. */
uint32_t soft_mmu_marks(const struct soft_mmu *mmu, const struct ref_result *leaf);

/* Visits a space's tables and leaves. */
enum ref_status soft_mmu_visit(const struct soft_mmu *mmu, const struct pt_space *space,
    const struct ref_visitor *visitor);

/* What was found wrong so far, with all that is cached compared with the tables now; NULL: nothing.
 */
const char *soft_mmu_check(struct soft_mmu *mmu);

/* Runs that a gather hands over: nothing that is cached may still reach them. */
void soft_mmu_release(struct soft_mmu *mmu, const struct pt_run *runs, size_t count);

/*
 * The entry of a level for va, or the one at which the way down to it ends. Returns its level.
 */
unsigned soft_mmu_entry(const struct soft_mmu *mmu, const struct pt_space *space, uint64_t va,
    unsigned level, struct pt_entry_info *info);

#endif
