/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The smallest port: one CPU, no interrupts, no MMU behind, memory accessed at its own address. */
#ifndef PTDESC_PORT_TEMPLATE_TEMPLATE_H
#define PTDESC_PORT_TEMPLATE_TEMPLATE_H

#include <ptdesc/memory.h>

/* Memory to be managed starts at a multiple of this: a section of 2^12 frames of 4 KiB. */
#define TEMPLATE_SECTION_BYTES (UINT64_C(1) << 24)

/*
 * Makes a memory of the bytes at [ram, ram + size), of which the last few hold its own state, and
 * returns it ready for use. -PT_EALIGN, -PT_EINVAL: nothing that could be managed.
 */
PT_MUST_CHECK int template_memory(uintptr_t ram, size_t size, struct pt_memory **memory);

#endif
