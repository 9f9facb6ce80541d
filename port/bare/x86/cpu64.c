/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* QEMU's q35 with -cpu max at 64 bits: segments, exceptions, attempts. */
#include "port/bare/x86/cpu.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size);

#define KERNEL_DATA 0x10
#define KERNEL_CODE 0x18
#define USER_DATA   0x23
#define USER_CODE   0x2b

/* From vector on it is what start64.S and an exception leave on the stack. */
struct machine_frame {
	uint64_t rax;
	uint64_t rdi;
	uint64_t vector;
	uint64_t error;
	uint64_t rip;
	uint64_t cs;
	uint64_t flags;
	uint64_t rsp;
	uint64_t ss;
};

struct __attribute__((packed)) tss {
	uint32_t reserved;
	uint64_t rsp[3];
	uint64_t unused[8];
	uint16_t unused_too[3];
	uint16_t io_map;
};

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

struct cpu {
	uint64_t gdt[8 + 2 * MACHINE_CPUS];
	struct tss tss;
	char stack[8192] __attribute__((aligned(16)));
};

static struct cpu cpus[MACHINE_CPUS];
static uint64_t idt[2 * VECTORS];

void machine_trap(struct machine_frame *frame);
void machine_enter(struct machine_frame *frame, uintptr_t *sp);
_Noreturn void machine_leave(uintptr_t sp);

static const struct machine_variant variants[] = {
	{"4 levels", &pt_format_x86_64},
	{"5 levels", &pt_format_x86_64_la57},
};

static const struct machine_device devices[] = {
	{LAPIC, 4096},
	{0, 0},
};

const struct machine machine = {
	.name = "x86_64",
	.variants = variants,
	.direct = DIRECT,
	.ram = 0,
	.ram_size = UINT64_C(128) << 20,
	.devices = devices,
	.cpus = MACHINE_CPUS,
};

void machine_trap(struct machine_frame *frame)
{
	struct x86_exception e = {frame->vector, frame->error, frame->rip, frame->rax};
	uintptr_t sp = x86_trapped(&e);

	if (sp)
		machine_leave(sp);
}

void machine_try(struct machine_try *t)
{
	unsigned cpu = machine_cpu();
	struct cpu *me = &cpus[cpu];
	struct machine_frame frame = {
		.rdi = t->va,
		.rip = t->pc,
		.cs = t->user ? USER_CODE : KERNEL_CODE,
		.flags = FLAGS_IF | (x86_cpus[cpu].ac ? FLAGS_AC : 0),
		/* What is tried calls nothing; the kernel's own exceptions need a stack. */
		.rsp = t->user ? 0 : (uint64_t)(me->stack + sizeof(me->stack) / 2),
		.ss = t->user ? USER_DATA : KERNEL_DATA,
	};

	x86_cpus[cpu].trying = t;
	machine_enter(&frame, &x86_cpus[cpu].sp);
}

void x86_set_gates(void)
{
	for (unsigned i = 0; i < VECTORS; i++) {
		uint64_t at = machine_gates[i];
		/* Breakpoints come from user code as well; all are interrupt gates. */
		uint64_t kind = i == VECTOR_BREAKPOINT ? 0xee00 : 0x8e00;

		idt[2 * i] =
		    (at & 0xffff) | KERNEL_CODE << 16 | kind << 32 | (at >> 16 & 0xffff) << 48;
		idt[2 * i + 1] = at >> 32;
	}
}

void x86_load_tables(unsigned cpu)
{
	static const uint64_t segments[] = {0, 0x00cf9a000000ffff, 0x00cf92000000ffff,
		0x00af9a000000ffff, 0x00cff2000000ffff, 0x00affa000000ffff};
	struct cpu *me = &cpus[cpu];
	uint64_t tss = (uint64_t)&me->tss;
	uint16_t selector = (uint16_t)(TSS_AT + cpu * 16);
	struct table_register gdtr = {sizeof(me->gdt) - 1, (uint64_t)me->gdt};
	struct table_register idtr = {sizeof(idt) - 1, (uint64_t)idt};

	memcpy(me->gdt, segments, sizeof(segments));
	me->gdt[selector / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
				UINT64_C(0x89) << 40 | (tss >> 24 & 0xff) << 56;
	me->gdt[selector / 8 + 1] = tss >> 32;
	me->tss.rsp[0] = (uint64_t)(me->stack + sizeof(me->stack));
	me->tss.io_map = sizeof(struct tss);
	__asm__ volatile("lgdt %0; lidt %1; ltr %2"
	    :
	    : "m"(gdtr), "m"(idtr), "r"(selector)
	    : "memory");
}
