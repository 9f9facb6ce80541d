/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tables of a process, built by the library in simulated memory, and what they cost there.
 */
#ifndef TOOL_BUILD_H
#define TOOL_BUILD_H

#include <ptdesc/space.h>

#include "tool/kernel.h"

struct builder; /* simulated memory for tables of one page size */

/* What building one process on one format gave. */
struct build_result {
	const struct pt_format *format;
	int error;         /* of the library; 0: all below is filled */
	const char *wrong; /* what a check found wrong; NULL: nothing */
	uint64_t wrong_va;
	uint64_t tables[PT_MAX_LEVELS]; /* the library's accounting, deposited ones included */
	uint64_t table_bytes;
	uint64_t descriptor_bytes;
	uint64_t leaves;
	uint64_t mapped_bytes;
	double walk_depth; /* tables read to reach a byte, mean over mapped bytes */
	uint64_t hits;     /* tables from a CPU's magazine */
	uint64_t misses;
	uint64_t map_ns; /* for all leaves, as are the others */
	uint64_t translate_ns;
	uint64_t unmap_ns;
};

/* NULL, and a message, when the memory cannot be made. */
struct builder *builder_open(unsigned page_shift);

/* False, and a message, when the library leaked. NULL is fine. */
bool builder_close(struct builder *builder);

/*
 * Builds, counts, verifies leaf by leaf with the reference walker, takes down again. Fills result;
 * false when it could not be built, result->error says why.
 */
bool build_tables(struct builder *builder, const struct pt_format *format,
    const struct snap_process *process, struct build_result *result);

/* Sum over the levels that the kernel's VmPTE counts, for a format of its layout. */
uint64_t build_kernel_tables(const struct build_result *result);

#endif
