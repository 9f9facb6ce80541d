/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* QEMU's q35 with -cpu max at 32 bits: segments, exceptions, attempts. */
#include "port/bare/x86/cpu.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size);

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_CODE   0x1b
#define USER_DATA   0x23 /* in the kernel as well, but for its stack */

/* From vector on it is what start32.S and an exception leave on the stack. */
struct machine_frame {
	uint32_t edi;
	uint32_t unused[6]; /* esi, ebp, esp, ebx, edx, ecx */
	uint32_t eax;
	uint32_t vector;
	uint32_t error;
	uint32_t eip;
	uint32_t cs;
	uint32_t flags;
	uint32_t esp; /* these two only between different rights */
	uint32_t ss;
};

struct tss {
	uint32_t link;
	uint32_t esp0;
	uint32_t ss0;
	uint32_t unused[22];
	uint32_t io_map; /* in its upper half */
};

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint32_t base;
};

/* Attempts start on the lower half of the stack; from user code exceptions come to the upper. */
struct cpu {
	uint64_t gdt[8 + 2 * MACHINE_CPUS];
	struct tss tss;
	char stack[8192] __attribute__((aligned(16)));
};

static struct cpu cpus[MACHINE_CPUS];
static uint64_t idt[VECTORS];

void machine_trap(struct machine_frame *frame);
void machine_enter(struct machine_frame *frame, uintptr_t *sp);
_Noreturn void machine_leave(uintptr_t sp);

static const struct machine_variant variants[] = {
	{"2 levels", &pt_format_i386},
	{"PAE", &pt_format_i386_pae},
};

static const struct machine_device devices[] = {
	{LAPIC, 4096},
	{0, 0},
};

const struct machine machine = {
	.name = "i386",
	.variants = variants,
	.direct = DIRECT,
	.ram = 0,
	.ram_size = UINT64_C(128) << 20,
	.devices = devices,
	.cpus = MACHINE_CPUS,
};

void machine_trap(struct machine_frame *frame)
{
	struct x86_exception e = {frame->vector, frame->error, frame->eip, frame->eax};
	uintptr_t sp = x86_trapped(&e);

	if (sp)
		machine_leave(sp);
}

void machine_try(struct machine_try *t)
{
	unsigned cpu = machine_cpu();
	char *middle = cpus[cpu].stack + sizeof(cpus[cpu].stack) / 2;
	struct machine_frame *frame = (struct machine_frame *)(void *)(middle - sizeof(*frame));

	frame->edi = t->va;
	frame->eip = t->pc;
	frame->cs = t->user ? USER_CODE : KERNEL_CODE;
	frame->flags = FLAGS_IF | (x86_cpus[cpu].ac ? FLAGS_AC : 0);
	frame->esp = 0;
	frame->ss = USER_DATA;
	x86_cpus[cpu].trying = t;
	machine_enter(frame, &x86_cpus[cpu].sp);
}

void x86_set_gates(void)
{
	for (unsigned i = 0; i < VECTORS; i++) {
		uint64_t at = machine_gates[i];
		/* Breakpoints come from user code as well; all are interrupt gates. */
		uint64_t kind = i == VECTOR_BREAKPOINT ? 0xee00 : 0x8e00;

		idt[i] = (at & 0xffff) | KERNEL_CODE << 16 | kind << 32 | (at >> 16 & 0xffff) << 48;
	}
}

void x86_load_tables(unsigned cpu)
{
	static const uint64_t segments[] = {0, 0x00cf9a000000ffff, 0x00cf92000000ffff,
		0x00cffa000000ffff, 0x00cff2000000ffff};
	struct cpu *me = &cpus[cpu];
	uint64_t tss = (uintptr_t)&me->tss;
	uint16_t selector = (uint16_t)(TSS_AT + cpu * 16);
	struct table_register gdtr = {sizeof(me->gdt) - 1, (uint32_t)me->gdt};
	struct table_register idtr = {sizeof(idt) - 1, (uint32_t)idt};

	memcpy(me->gdt, segments, sizeof(segments));
	me->gdt[selector / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
				UINT64_C(0x89) << 40 | (tss >> 24 & 0xff) << 56;
	me->tss.esp0 = (uint32_t)(me->stack + sizeof(me->stack));
	me->tss.ss0 = KERNEL_DATA;
	me->tss.io_map = sizeof(struct tss) << 16;
	__asm__ volatile("lgdt %0; lidt %1; ltr %w2; mov %3, %%ds; mov %3, %%es"
	    :
	    : "m"(gdtr), "m"(idtr), "r"(selector), "r"(USER_DATA)
	    : "memory");
}
