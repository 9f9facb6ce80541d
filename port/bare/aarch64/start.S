/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From EL1 with the MMU off, in which all CPUs start, to C at virtual addresses. Boot tables are made
 * by C that runs at physical addresses: it takes all its own relative to the program counter.
 */
#include "port/bare/aarch64/layout.h"

#define SCTLR_M      (1 << 0)
#define SCTLR_C      (1 << 2)
#define SCTLR_I      (1 << 12)

.text
.globl start
start:
	mov x20, #0
	bl own_stack
	bl machine_boot_tables
	b enter

/* PSCI: x0 is the number of the CPU. */
.globl machine_other_start
machine_other_start:
	mov x20, x0
	bl own_stack

enter:
	adrp x0, machine_boot
	add x0, x0, :lo12:machine_boot
	ldp x1, x2, [x0]
	ldp x3, x4, [x0, #16]
	msr tcr_el1, x1
	msr mair_el1, x2
	msr ttbr0_el1, x3
	msr ttbr1_el1, x4
	tlbi vmalle1
	dsb sy
	isb
	mrs x0, sctlr_el1
	mov x1, #SCTLR_M | SCTLR_C
	orr x0, x0, x1
	orr x0, x0, #SCTLR_I
	msr sctlr_el1, x0
	isb
	ldr x1, =high
	br x1
high:
	ldr x1, =DIRECT
	add x0, sp, x1
	mov sp, x0
	adrp x0, vectors
	add x0, x0, :lo12:vectors
	msr vbar_el1, x0
	isb
	mov x0, x20
	bl machine_start
1:	wfe
	b 1b

/* The stack of CPU x20; at a physical address while the MMU is off. */
own_stack:
	msr spsel, #1
	adrp x0, stacks
	add x0, x0, :lo12:stacks
	add x1, x20, #1
	add x0, x0, x1, lsl #STACK_SHIFT
	mov sp, x0
	ret

.macro for_frame what
	\what x0, x1, [sp]
	\what x2, x3, [sp, #16]
	\what x4, x5, [sp, #32]
	\what x6, x7, [sp, #48]
	\what x8, x9, [sp, #64]
	\what x10, x11, [sp, #80]
	\what x12, x13, [sp, #96]
	\what x14, x15, [sp, #112]
	\what x16, x17, [sp, #128]
	\what x18, x30, [sp, #144]
.endm

.macro vector
	.balign 128
	b trap
.endm

.balign 2048
vectors:
.rept 16
	vector
.endr

trap:
	sub sp, sp, #FRAME_SIZE
	for_frame stp
	mov x0, sp
	bl machine_trap
	brk #0

.macro for_saved what
	\what x19, x20, [sp]
	\what x21, x22, [sp, #16]
	\what x23, x24, [sp, #32]
	\what x25, x26, [sp, #48]
	\what x27, x28, [sp, #64]
	\what x29, x30, [sp, #80]
.endm

/*
 * machine_enter(pc, argument, second, spsr, uint64_t *sp): leaves for pc, with two arguments, in the
 * state that spsr says. The first exception comes back by machine_leave(sp).
 */
.globl machine_enter
machine_enter:
	sub sp, sp, #96
	for_saved stp
	mov x9, sp
	str x9, [x4]
	msr elr_el1, x0
	msr spsr_el1, x3
	mov x0, x1
	mov x1, x2
	eret

.globl machine_leave
machine_leave:
	mov sp, x0
	for_saved ldp
	add sp, sp, #96
	ret

.ltorg

.section .rodata
/* Position independent, on a page of its own. */
.balign 4096
.globl machine_try_page, machine_try_read, machine_try_write
machine_try_page:
machine_try_read:
	ldr w0, [x0]
	brk #0
machine_try_write:
	str w1, [x0]
	brk #0
	.balign 4096, 0

.globl machine_breakpoint
machine_breakpoint:
	brk #0

.bss
.balign 16
stacks:
	.skip 4 << STACK_SHIFT
