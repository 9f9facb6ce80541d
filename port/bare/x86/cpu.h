/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What cpu.c (segments, exceptions, attempts) and x86.c share, at 32 and 64 bits. */
#ifndef PTDESC_PORT_BARE_X86_CPU_H
#define PTDESC_PORT_BARE_X86_CPU_H

#include "port/bare/common/machine.h"
#include "port/bare/x86/layout.h"

#define LAPIC UINT64_C(0xfee00000)

/* Of the CPUs' task state segments; 16 bytes apart, so that the selector tells the CPU. */
#define TSS_AT 0x30

struct x86_cpu {
	struct machine_try *trying;
	uintptr_t sp; /* of who tries */
	bool ac;      /* EFLAGS.AC for attempts */
};

extern struct x86_cpu x86_cpus[MACHINE_CPUS];
extern const uint64_t boot_gdt[4];

/* For the first CPU: the gates of exceptions. For each: its tables. */
void x86_set_gates(void);
void x86_load_tables(unsigned cpu);

/* An interrupt was answered. */
void x86_end_of_interrupt(void);

#endif
