/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From the PVH entry (paging off) and from the real mode in which other CPUs start, to C on boot
 * tables: RAM at its own address and at DIRECT, where the interrupt controller is as well.
 */
#include "port/bare/x86/layout.h"

#define PHYS(symbol) (symbol - DIRECT)

#define CR0_PE    0x00000001
#define CR0_WP    0x00010000
#define CR0_PG    0x80000000
#define CR4_PSE   0x10
#define CR4_PAE   0x20
#define MSR_EFER  0xc0000080
#define EFER_NXE  0x800
#define LARGE     0x83 /* present, writable, large */
#define TABLE     0x03

/* PVH: an ELF note of type 18 by "Xen" holds the physical address of the entry. */
.section .note.Xen, "a", @note
	.long 4, 4, 18
	.asciz "Xen"
	.long PHYS(start)

/* Large leaves of 2^shift bytes from va up to end, at va minus offset, into a directory. */
.macro map_large directory va end offset shift width
	movl $\va, %ecx
1:	movl %ecx, %eax
	subl $\offset, %eax
	orl $LARGE, %eax
	movl %ecx, %edx
	shrl $\shift, %edx
	movl %eax, PHYS(\directory)(, %edx, \width)
	addl $(1 << \shift), %ecx
	cmpl $\end, %ecx
	jb 1b
.endm

#define RAM_SIZE   0x08000000
#define DEVICES_AT (DIRECT - 0x01400000) /* 0xfec00000 and up: addresses wrap */

.text
.globl start
start:
	cli
	lgdt PHYS(boot_gdt_at)
	cmpb $1, PARAMETERS
	je pae
	map_large boot_tables, 0, RAM_SIZE, 0, 22, 4
	map_large boot_tables, DEVICES_AT, (DIRECT + RAM_SIZE), DIRECT, 22, 4
	movl $PHYS(boot_tables), PHYS(boot_cr3)
	movl $CR4_PSE, PHYS(boot_cr4)
	jmp ready
	/* Directories for each GiB, one after the other, are one array. */
pae:
	map_large boot_tables, 0, RAM_SIZE, 0, 21, 8
	map_large boot_tables, DEVICES_AT, (DIRECT + RAM_SIZE), DIRECT, 21, 8
	movl $PHYS(boot_tables) + 1, PHYS(boot_pdpt)
	movl $PHYS(boot_tables) + 0x2001, PHYS(boot_pdpt) + 16
	movl $PHYS(boot_pdpt), PHYS(boot_cr3)
	movl $CR4_PAE, PHYS(boot_cr4)
ready:
	movw $BOOT_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	ljmp $BOOT_CODE32, $PHYS(to_paging)

/* Both ways meet. */
to_paging:
	movl PHYS(boot_cr4), %eax
	movl %eax, %cr4
	movl PHYS(boot_cr3), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl $EFER_NXE, %eax
	xorl %edx, %edx
	wrmsr
	movl $CR0_PG + CR0_WP + CR0_PE, %eax
	movl %eax, %cr0
	movl $high, %eax
	jmp *%eax
high:
	/* This CPU's number is its initial APIC ID; it has the stack of that number. */
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	leal 1(%ebx), %eax
	shll $STACK_SHIFT, %eax
	leal stacks(%eax), %esp
	pushl %ebx
	call machine_start
	hlt

/* What other CPUs start with, copied to TRAMPOLINE. */
.code16
.globl trampoline, trampoline_end
trampoline:
	cli
	lgdtl %cs:(trampoline_gdt - trampoline)
	movl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl $BOOT_CODE32, $(TRAMPOLINE + 1f - trampoline)
.code32
1:	movw $BOOT_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $PHYS(to_paging), %eax
	jmp *%eax
trampoline_gdt:
	.word boot_gdt_end - boot_gdt - 1
	.long PHYS(boot_gdt)
trampoline_end:

/*
 * machine_enter(struct machine_frame *frame, uintptr_t *sp): leaves for where frame says. The first
 * exception that is none of the kernel's own comes back by machine_leave(sp).
 */
.globl machine_enter
machine_enter:
	pushfl
	cli
	pushl %ebx
	pushl %ebp
	pushl %esi
	pushl %edi
	movl 28(%esp), %ecx
	movl %esp, (%ecx)
	movl 24(%esp), %esp
	popal
	addl $8, %esp /* vector and error code */
	iretl

.globl machine_leave
machine_leave:
	movl 4(%esp), %esp
	popl %edi
	popl %esi
	popl %ebp
	popl %ebx
	popfl
	ret

/* The exceptions that push an error code; for all others a 0 stands in. */
#define HAS_ERROR_CODE(n) ((n) == 8 || ((n) >= 10 && (n) <= 14) || (n) == 17 || (n) == 21)

.altmacro
.macro gate n
gate_\n:
	.if !HAS_ERROR_CODE(\n)
	pushl $0
	.endif
	pushl $\n
	jmp trap
.endm
.set n, 0
.rept VECTORS
	gate %n
	.set n, n + 1
.endr

trap:
	pushal
	cld
	movl %esp, %eax
	pushl %eax
	call machine_trap
	addl $4, %esp
	popal
	addl $8, %esp
	iretl

.section .rodata
.macro gate_address n
	.long gate_\n
.endm
.globl machine_gates
machine_gates:
.set n, 0
.rept VECTORS
	gate_address %n
	.set n, n + 1
.endr

.balign 16
boot_gdt:
	.quad 0
	.quad 0x00cf9a000000ffff /* code */
	.quad 0x00cf92000000ffff /* data */
boot_gdt_end:
boot_gdt_at:
	.word boot_gdt_end - boot_gdt - 1
	.long PHYS(boot_gdt)

/* Position independent, on a page of its own. */
.balign 4096
.globl machine_try_page, machine_try_read, machine_try_write
machine_try_page:
machine_try_read:
	movl (%edi), %eax
	int3
machine_try_write:
	movl %eax, (%edi)
	int3
	.balign 4096, 0xcc

.globl machine_breakpoint
machine_breakpoint:
	int3

.bss
.balign 4096
boot_tables:
	.skip 4 * 4096
boot_pdpt:
	.skip 32
.balign 16
stacks:
	.skip 4 << STACK_SHIFT
boot_cr3:
	.skip 4
boot_cr4:
	.skip 4
