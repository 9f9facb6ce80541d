/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Fibers: a stack each, and a switch that saves what the ABI says a call keeps. This is for x86-64
 * hosts; the build does not offer the explorer elsewhere.
 */
#include "port/explore/inside.h"

#define STACK_BYTES 65536u
#define SAVED       6u /* registers that fiber_switch saves */

static char stack[EXPLORE_FIBERS][STACK_BYTES] __attribute__((aligned(64)));
void *fiber_stack[EXPLORE_FIBERS + 1];

__asm__(".text\n"
	".globl fiber_switch\n"
	".type fiber_switch, @function\n"
	"fiber_switch:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n");

void fiber_prepare(unsigned fiber, void (*start)(void))
{
	/* As if start had been called from nowhere: no return address, and rsp 8 off 16. */
	void **top = (void **)(void *)(stack[fiber] + STACK_BYTES);

	*--top = NULL;
	*--top = (void *)(uintptr_t)start;
	top -= SAVED;
	for (unsigned i = 0; i < SAVED; i++)
		top[i] = NULL;
	fiber_stack[fiber] = (void *)top;
}
