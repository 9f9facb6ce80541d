/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From the PVH entry (paging off) and from the real mode in which other CPUs start, to C on boot
 * tables: RAM at its own address and at DIRECT, where the interrupt controller is as well.
 */
#include "port/bare/x86/layout.h"

#define PHYS(symbol) (symbol - DIRECT)

#define CR0_WP    0x00010000
#define CR0_PG    0x80000000
#define CR4_PSE   0x10
#define CR4_PAE   0x20
#define MSR_EFER  0xc0000080
#define EFER_NXE  0x800
#define LARGE     0x83 /* present, writable, large */
#define TABLE     0x03

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
.globl to_paging
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

.globl trap
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
