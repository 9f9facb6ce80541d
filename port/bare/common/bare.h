/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The bare port: the library on a machine of its own, with one thread on each CPU. Grace periods
 * are epochs; a flush on other CPUs is asked for by interrupt.
 */
#ifndef PTDESC_PORT_BARE_BARE_H
#define PTDESC_PORT_BARE_BARE_H

#include <ptdesc/memory.h>
#include <ptdesc/space.h>

#include "port/bare/common/machine.h"

/* The table of functions. A caller may wrap some of them. */
struct pt_port bare_port(void);

/* What the runner asked this start for: its lowest byte is the number of the variant. */
const struct machine_variant *bare_variant(void);

/* A memory starts at, and consists of, multiples of this many bytes. */
#define BARE_MEMORY_SHIFT 24u

/* The frames of [base, base + size), all RAM, as a memory; its own state is in the last of them. */
PT_MUST_CHECK int bare_memory(uint64_t base, uint64_t size, unsigned page_shift,
    const struct pt_port *port, struct pt_memory **memory);

/*
 * A kernel's space of all RAM and the devices, at machine.direct. Everything in it may be executed,
 * so that no entry of it says otherwise where a test switches that off; code cannot be written, for
 * CPUs that can be told to execute nothing else.
 */
PT_MUST_CHECK int bare_kernel_space(struct pt_space *space, struct pt_memory *memory,
    const struct pt_format *format);

/* The port's flush, on every CPU that is up; and the part of it that reaches this one alone. */
void bare_flush(void *ctx, const struct pt_flush *what);
void bare_flush_here(const struct pt_flush *what);

/*
 * This CPU takes part from now on: flushes reach it, grace periods wait for it. Others call this
 * once they are on a root of the library's; it flushes what they may have walked before that.
 */
void bare_cpu_up(void);

/* Called by the machine on the CPU that machine_interrupt named. */
void bare_interrupted(void);

/* Where a physical address is in the kernel's space, as the library names it. */
pt_va bare_kernel_va(const struct pt_space *space, uint64_t pa);

/* And where it can be accessed. */
void *bare_at(uint64_t pa);
uint64_t bare_pa(const void *at);

/* The bytes of the image: code and constants, then data and boot stacks. */
extern char image_start[], image_data[], image_end[];

#endif
