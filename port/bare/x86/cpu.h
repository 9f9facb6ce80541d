/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What depends on the width of a PC's CPU, cpu32.c and cpu64.c, and what they share, x86.c. */
#ifndef PTDESC_PORT_BARE_X86_CPU_H
#define PTDESC_PORT_BARE_X86_CPU_H

#include "port/bare/common/machine.h"
#include "port/bare/x86/layout.h"

#define LAPIC UINT64_C(0xfee00000)

#define FLAGS_IF ((uintptr_t)1 << 9)
#define FLAGS_AC ((uintptr_t)1 << 18)

#define VECTOR_BREAKPOINT 3
#define VECTOR_PAGE_FAULT 14
#define VECTOR_INTERRUPT  32

/* Of the CPUs' task state segments; 16 bytes apart, so that the selector tells the CPU. */
#define TSS_AT 0x30

struct x86_cpu {
	struct machine_try *trying;
	uintptr_t sp; /* of who tries */
	bool ac;      /* EFLAGS.AC for attempts */
};

struct x86_exception {
	uintptr_t vector;
	uintptr_t error;
	uintptr_t pc;
	uintptr_t ax;
};

extern struct x86_cpu x86_cpus[MACHINE_CPUS];
extern const uintptr_t machine_gates[VECTORS];

/* The end of an attempt, where to go on (machine_leave); 0: an interrupt, which is answered. */
uintptr_t x86_trapped(const struct x86_exception *e);

/* For the first CPU: the gates of exceptions. For each: its tables. */
void x86_set_gates(void);
void x86_load_tables(unsigned cpu);

#endif
