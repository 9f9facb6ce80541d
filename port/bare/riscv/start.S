/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From machine mode, in which all harts start at physical addresses, to C in supervisor mode on boot
 * tables, which map physical memory from 0 on at DIRECT. Addresses of symbols are taken relative to
 * the program counter: physical before, virtual after.
 */
#include "port/bare/riscv/layout.h"

#if __riscv_xlen == 64
#define LOAD  ld
#define STORE sd
#define WORD  .dword
#else
#define LOAD  lw
#define STORE sw
#define WORD  .word
#endif

#define LEAF        0xcf /* D, A, X, W, R, V */
#define MIE_MSIE    (1 << 3)
#define MIP_SSIP    (1 << 1)
#define STATUS_SIE  (1 << 1)
#define STATUS_MPP  (3 << 11)
#define MPP_S       (1 << 11)
#define SIE_SSIE    (1 << 1)
/* Exceptions that supervisor mode takes itself: all that memory and breakpoints can raise. */
#define DELEGATED   0xb1ff
#define ALL_OF_PMP  0x1f /* NAPOT over everything; read, write, execute */

.section .text.start, "ax"
.globl start
start:
	csrr tp, mhartid
	la t0, machine_mode_trap
	csrw mtvec, t0
	/* Two registers' room for the handler in machine mode. */
	la t0, machine_mode_save
	slli t1, tp, 4
	add t0, t0, t1
	csrw mscratch, t0
	li t0, -1
	csrw pmpaddr0, t0
	li t0, ALL_OF_PMP
	csrw pmpcfg0, t0
	li t0, DELEGATED
	csrw medeleg, t0
	li t0, MIP_SSIP
	csrw mideleg, t0
	li t0, MIE_MSIE
	csrw mie, t0
	bnez tp, wait
	call boot_tables
	j enter

	/* The first hart interrupts another when that shall come. */
wait:
	wfi
	csrr t0, mip
	andi t0, t0, MIE_MSIE
	beqz t0, wait
	li t0, CLINT
	slli t1, tp, 2
	add t0, t0, t1
	sw zero, 0(t0)
	fence

enter:
	la t0, boot_satp
	LOAD t0, 0(t0)
	csrw satp, t0
	sfence.vma
	li t0, STATUS_MPP
	csrc mstatus, t0
	li t0, MPP_S
	csrs mstatus, t0
	la t0, virtual_address
	LOAD t0, 0(t0)
	csrw mepc, t0
	mret

/* Supervisor mode, virtual addresses. */
high:
	la sp, stacks
	addi t0, tp, 1
	slli t1, t0, STACK_SHIFT
	add sp, sp, t1
	la t1, machine_trap_stacks
	slli t0, t0, TRAP_SHIFT
	add t1, t1, t0
	csrw sscratch, t1
	la t0, trap
	csrw stvec, t0
	csrsi sie, SIE_SSIE
	csrsi sstatus, STATUS_SIE
	mv a0, tp
	call machine_start
1:	wfi
	j 1b

/* The variant's root. One table of large leaves; above it, tables whose first and last entry lead
 * on. */
boot_tables:
	la t0, boot_leaves
	li t1, ((DIRECT >> ROOT_SHIFT) & ((1 << ROOT_BITS) - 1)) * REGISTER
	add t1, t0, t1
	li t2, (1 << ROOT_BITS) * REGISTER
	add t2, t0, t2
	li t3, LEAF
	li t4, 1 << (ROOT_SHIFT - 2)
1:	STORE t3, 0(t1)
	add t3, t3, t4
	addi t1, t1, REGISTER
	bltu t1, t2, 1b
#if __riscv_xlen == 64
	li t5, PARAMETERS
	lbu t5, 0(t5)
	li t6, 3 /* variants: three widths, and again with Svnapot */
	bltu t5, t6, 1f
	addi t5, t5, -3
1:	addi t6, t5, 8 /* Sv39 */
	la t1, boot_uppers
1:	beqz t5, 2f
	srli t2, t0, 2
	ori t2, t2, 1
	sd t2, 0(t1)
	li t3, 511 * 8
	add t3, t1, t3
	sd t2, 0(t3)
	mv t0, t1
	li t3, 4096
	add t1, t1, t3
	addi t5, t5, -1
	j 1b
2:	slli t6, t6, 60
#else
	li t6, 1 << 31
#endif
	srli t0, t0, 12
	or t0, t0, t6
	la t1, boot_satp
	STORE t0, 0(t1)
	ret

/* An interrupt that another hart sent; it is passed on to supervisor mode. All else is a bug. */
.balign 4
machine_mode_trap:
	csrrw t0, mscratch, t0
	STORE t1, 0(t0)
	STORE t2, REGISTER(t0)
	csrr t1, mcause
	bgez t1, 1f
	csrr t1, mhartid
	slli t1, t1, 2
	li t2, CLINT
	add t1, t1, t2
	sw zero, 0(t1)
	csrsi mip, MIP_SSIP
	LOAD t1, 0(t0)
	LOAD t2, REGISTER(t0)
	csrrw t0, mscratch, t0
	mret
1:	li t1, 0x100000
	li t2, (97 << 16) | 0x3333
	sw t2, 0(t1)
	j 1b

.macro for_callers_registers what
	\what ra, 0 * REGISTER(sp)
	\what t0, 2 * REGISTER(sp)
	\what t1, 3 * REGISTER(sp)
	\what t2, 4 * REGISTER(sp)
	\what a0, 5 * REGISTER(sp)
	\what a1, 6 * REGISTER(sp)
	\what a2, 7 * REGISTER(sp)
	\what a3, 8 * REGISTER(sp)
	\what a4, 9 * REGISTER(sp)
	\what a5, 10 * REGISTER(sp)
	\what a6, 11 * REGISTER(sp)
	\what a7, 12 * REGISTER(sp)
	\what t3, 13 * REGISTER(sp)
	\what t4, 14 * REGISTER(sp)
	\what t5, 15 * REGISTER(sp)
.endm

/* All traps are taken on the hart's own stack for that, which sscratch holds meanwhile. */
.balign 4
trap:
	csrrw sp, sscratch, sp
	addi sp, sp, -FRAME_SIZE
	for_callers_registers STORE
	csrr t0, sepc
	STORE t0, FRAME_EPC(sp)
	csrr t0, sstatus
	STORE t0, FRAME_STATUS(sp)
	csrr t0, scause
	STORE t0, FRAME_CAUSE(sp)
	csrr t0, stval
	STORE t0, FRAME_TVAL(sp)
	STORE t6, FRAME_SP(sp)
	mv a0, sp
	call machine_trap
	LOAD t6, FRAME_SP(sp)
	LOAD t0, FRAME_EPC(sp)
	csrw sepc, t0
	LOAD t0, FRAME_STATUS(sp)
	csrw sstatus, t0
	for_callers_registers LOAD
	addi sp, sp, FRAME_SIZE
	csrrw sp, sscratch, sp
	sret

.macro for_saved_registers what
	\what ra, 0 * REGISTER(sp)
	\what s0, 1 * REGISTER(sp)
	\what s1, 2 * REGISTER(sp)
	\what s2, 3 * REGISTER(sp)
	\what s3, 4 * REGISTER(sp)
	\what s4, 5 * REGISTER(sp)
	\what s5, 6 * REGISTER(sp)
	\what s6, 7 * REGISTER(sp)
	\what s7, 8 * REGISTER(sp)
	\what s8, 9 * REGISTER(sp)
	\what s9, 10 * REGISTER(sp)
	\what s10, 11 * REGISTER(sp)
	\what s11, 12 * REGISTER(sp)
.endm

/*
 * machine_enter(pc, argument, second, status, uintptr_t *sp): leaves for pc, with two arguments, in
 * the mode that status says. The first exception comes back by machine_leave(sp, trap_stack).
 */
.globl machine_enter
machine_enter:
	csrci sstatus, STATUS_SIE
	addi sp, sp, -16 * REGISTER
	for_saved_registers STORE
	STORE sp, 0(a4)
	csrw sepc, a0
	csrw sstatus, a3
	mv a0, a1
	mv a1, a2
	sret

.globl machine_leave
machine_leave:
	csrw sscratch, a1
	mv sp, a0
	for_saved_registers LOAD
	addi sp, sp, 16 * REGISTER
	csrsi sstatus, STATUS_SIE
	ret

.section .rodata
.balign REGISTER
virtual_address:
	WORD high

/* Position independent, on a page of its own. */
.balign 4096
.globl machine_try_page, machine_try_read, machine_try_write
machine_try_page:
machine_try_read:
	lw a0, 0(a0)
	c.ebreak
machine_try_write:
	sw a1, 0(a0)
	c.ebreak
	.balign 4096, 0

.globl machine_breakpoint
machine_breakpoint:
	c.ebreak

.bss
.balign 4096
boot_leaves:
	.skip 4096
boot_uppers:
	.skip 2 * 4096
stacks:
	.skip 4 << STACK_SHIFT
.globl machine_trap_stacks
machine_trap_stacks:
	.skip 4 << TRAP_SHIFT
machine_mode_save:
	.skip 4 * 16
boot_satp:
	.skip REGISTER
