/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What does not depend on the width: the note for the loader, where other CPUs start, gates. */
#include "port/bare/x86/layout.h"

#define PHYS(symbol) (symbol - DIRECT)

#ifdef __x86_64__
#define CODE  .code64
#define WORD  .quad
#define FIRST %rdi
#else
#define CODE  .code32
#define WORD  .long
#define FIRST %edi
#endif

/* PVH: an ELF note of type 18 by "Xen" holds the physical address of the entry. */
.section .note.Xen, "a", @note
	.long 4, 4, 18
	.asciz "Xen"
	.long PHYS(start)

.text
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

CODE
/* The exceptions that push an error code; for all others a 0 stands in. */
#define HAS_ERROR_CODE(n) ((n) == 8 || ((n) >= 10 && (n) <= 14) || (n) == 17 || (n) == 21)

.altmacro
.macro gate n
gate_\n:
	.if !HAS_ERROR_CODE(\n)
	push $0
	.endif
	push $\n
	jmp trap
.endm
.set n, 0
.rept VECTORS
	gate %n
	.set n, n + 1
.endr

.section .rodata
.macro gate_address n
	WORD gate_\n
.endm
.globl machine_gates
machine_gates:
.set n, 0
.rept VECTORS
	gate_address %n
	.set n, n + 1
.endr

.balign 16
.globl boot_gdt, boot_gdt_at
boot_gdt:
	.quad 0
	.quad 0x00cf9a000000ffff /* code, 32 bits */
	.quad 0x00cf92000000ffff /* data */
	.quad 0x00af9a000000ffff /* code, 64 bits */
boot_gdt_end:
boot_gdt_at:
	.word boot_gdt_end - boot_gdt - 1
	.long PHYS(boot_gdt)

/* Position independent, on a page of its own. */
.balign 4096
.globl machine_try_page, machine_try_read, machine_try_write
machine_try_page:
machine_try_read:
	movl (FIRST), %eax
	int3
machine_try_write:
	movl %eax, (FIRST)
	int3
	.balign 4096, 0xcc

.globl machine_breakpoint
machine_breakpoint:
	int3
