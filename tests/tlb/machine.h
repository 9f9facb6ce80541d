/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A simulated machine: hosted memory, one space, TLBs that hear of its flushes, and frames that are
 * somebody else's as soon as a gather has handed them over. What a careless port would do with a
 * flush can be chosen.
 */
#ifndef TESTS_TLB_MACHINE_H
#define TESTS_TLB_MACHINE_H

#include <ptdesc/hosted.h>

#include "tool/tlb/tlb.h"

#define MACHINE_CPUS 4u
#define MACHINE_RUNS 64u

enum machine_care {
	CAREFUL,
	NO_LEAVES, /* leaf entries are not flushed */
	NO_TABLES, /* walk caches are not flushed */
	NO_REMOTE, /* only CPU 0 is flushed */
	TOO_LATE,  /* flushed when machine_late is called: after the free */
};

struct machine {
	const struct pt_format *format;
	struct pt_hosted *hosted;
	struct tlb *tlb;
	struct pt_space space;
	enum machine_care care;
	struct pt_flush late;
	unsigned delayed;
};

/* exact as in struct tlb_config. */
void machine_open(struct machine *m, const struct pt_format *format, bool exact);

/* Ends all; failure: whether one is expected. */
void machine_close(struct machine *m, bool failure);

/* Does the flush that came too late. */
void machine_late(struct machine *m);

/* Waits until what was freed is free. */
void machine_grace(struct machine *m);

void machine_map(struct machine *m, uint64_t va, uint64_t size, uint64_t pa, uint32_t flags);

/* pt_unmap; the frames are released. */
void machine_unmap(struct machine *m, uint64_t va, uint64_t size);

/* An access as a program does it: a fault handler sees to what software has to. */
int machine_access(struct machine *m, unsigned cpu, uint64_t va, uint32_t access,
    struct tlb_result *result);

#define for_each_machine_format(format)                                                            \
	for (size_t i_ = 0; ((format) = pt_formats[i_]) != NULL; i_++)                             \
		if (tlb_machine_of(format))

#endif
