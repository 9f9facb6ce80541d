/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From the PVH entry (32 bits, paging off) and from the real mode in which other CPUs start, to C at
 * 64 bits on boot tables: the first 4 GiB at their own address and at DIRECT.
 */
#include "port/bare/x86/layout.h"

#define PHYS(symbol) (symbol - DIRECT)

#define CR0_WP    0x00010000
#define CR0_PG    0x80000000
#define CR4_PAE   0x20
#define CR4_LA57  0x1000
#define MSR_EFER  0xc0000080
#define EFER_LME  0x100
#define EFER_NXE  0x800
#define HUGE_LEAF 0x83 /* present, writable, large */
#define TABLE     0x03

.text
.code32
.globl start
start:
	cli
	lgdt PHYS(boot_gdt_at)
	movl $TABLE + PHYS(boot_pml4), PHYS(boot_pml5)
	movl $TABLE + PHYS(boot_pml4), PHYS(boot_pml5) + 511 * 8
	movl $TABLE + PHYS(boot_pdpt), PHYS(boot_pml4)
	movl $TABLE + PHYS(boot_pdpt), PHYS(boot_pml4) + 384 * 8
	movl $HUGE_LEAF, PHYS(boot_pdpt)
	movl $HUGE_LEAF + 0x40000000, PHYS(boot_pdpt) + 8
	movl $HUGE_LEAF + 0x80000000, PHYS(boot_pdpt) + 16
	movl $HUGE_LEAF + 0xc0000000, PHYS(boot_pdpt) + 24
	/* Variant 1 is 5 levels. */
	movl $PHYS(boot_pml4), %eax
	movl $CR4_PAE, %ebx
	cmpb $1, PARAMETERS
	jne 1f
	movl $PHYS(boot_pml5), %eax
	movl $CR4_PAE + CR4_LA57, %ebx
1:	movl %eax, PHYS(boot_cr3)
	movl %ebx, PHYS(boot_cr4)
	movw $BOOT_DATA, %ax
	movw %ax, %ds
	movw %ax, %ss
	ljmp $BOOT_CODE32, $PHYS(to_paging)

/* Both ways meet: 32 bits, flat segments. */
.globl to_paging
to_paging:
	movl PHYS(boot_cr4), %eax
	movl %eax, %cr4
	movl PHYS(boot_cr3), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl $EFER_LME + EFER_NXE, %eax
	xorl %edx, %edx
	wrmsr
	movl $CR0_PG + CR0_WP + CR0_PE, %eax
	movl %eax, %cr0
	ljmp $BOOT_CODE64, $PHYS(long_mode)

.code64
long_mode:
	movabsq $high, %rax
	jmp *%rax
high:
	movw $BOOT_DATA, %ax
	movw %ax, %ss
	movw %ax, %ds
	movw %ax, %es
	/* This CPU's number is its initial APIC ID; it has the stack of that number. */
	movl $1, %eax
	cpuid
	shrl $24, %ebx
	leal 1(%rbx), %eax
	shlq $STACK_SHIFT, %rax
	leaq stacks(%rip), %rsp
	addq %rax, %rsp
	movl %ebx, %edi
	call machine_start
	hlt

/*
 * machine_enter(struct machine_frame *frame, uint64_t *sp): leaves for where frame says. The first
 * exception that is none of the kernel's own comes back by machine_leave(sp).
 */
.globl machine_enter
machine_enter:
	pushfq
	cli
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rsi)
	movq %rdi, %rsp
	popq %rax
	popq %rdi
	addq $16, %rsp /* vector and error code */
	iretq

.globl machine_leave
machine_leave:
	movq %rdi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popfq
	ret

.globl trap
trap:
	pushq %rdi
	pushq %rax
	movq %rsp, %rdi
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	cld
	call machine_trap
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rax
	popq %rdi
	addq $16, %rsp
	iretq

.bss
.balign 4096
boot_pml5:
	.skip 4096
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
stacks:
	.skip 4 << STACK_SHIFT
boot_cr3:
	.skip 4
boot_cr4:
	.skip 4
