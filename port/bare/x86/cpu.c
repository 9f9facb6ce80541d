/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* QEMU's q35 with -cpu max, at 32 and 64 bits: segments, exceptions, attempts. */
#include "port/bare/x86/cpu.h"

#include "port/bare/common/bare.h"
#include "port/bare/common/print.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size);

#define FLAGS_IF ((uintptr_t)1 << 9)
#define FLAGS_AC ((uintptr_t)1 << 18)

#define VECTOR_BREAKPOINT 3
#define VECTOR_PAGE_FAULT 14

/* Selectors; the first are those of layout.h. */
#define USER_DATA 0x23 /* at 32 bits in the kernel as well, but for its stack */
#define USER_CODE 0x2b

/* From vector on it is what a gate and an exception leave on the stack, at both widths. */
struct machine_frame {
#ifdef __x86_64__
	uintptr_t ax;
	uintptr_t di;
#else
	uintptr_t di;
	uintptr_t unused[6]; /* esi, ebp, esp, ebx, edx, ecx */
	uintptr_t ax;
#endif
	uintptr_t vector;
	uintptr_t error;
	uintptr_t pc;
	uintptr_t cs;
	uintptr_t flags;
	uintptr_t sp; /* these two at 32 bits only between different rights */
	uintptr_t ss;
};

#ifdef __x86_64__
#define KERNEL_CODE    BOOT_CODE64
#define USER_CODE_BITS UINT64_C(0x00affa000000ffff)

struct __attribute__((packed)) tss {
	uint32_t reserved;
	uint64_t sp;
	uint16_t unused[45];
	uint16_t io_map;
};
#else
#define KERNEL_CODE    BOOT_CODE32
#define USER_CODE_BITS UINT64_C(0x00cffa000000ffff)

struct tss {
	uint32_t link;
	uint32_t sp;
	uint32_t ss;
	uint16_t unused[45];
	uint16_t io_map;
};
#endif

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uintptr_t base;
};

/* Attempts start on the lower half of the stack; from user code exceptions come to the upper. */
struct cpu {
	uint64_t gdt[8 + 2 * MACHINE_CPUS];
	struct tss tss;
	char stack[8192] __attribute__((aligned(16)));
};

/* Entries of the GDT, for a segment of the system, and of the IDT. */
#define SYSTEM_WORDS (sizeof(uintptr_t) / 4)

struct x86_cpu x86_cpus[MACHINE_CPUS];

static struct cpu cpus[MACHINE_CPUS];
static uint64_t idt[SYSTEM_WORDS * VECTORS];

extern const uintptr_t machine_gates[VECTORS];

void machine_trap(struct machine_frame *frame);
void machine_enter(struct machine_frame *frame, uintptr_t *sp);
_Noreturn void machine_leave(uintptr_t sp);

static const struct machine_variant variants[] = {
#ifdef __x86_64__
	{"4 levels", &pt_format_x86_64},
	{"5 levels", &pt_format_x86_64_la57},
#else
	{"2 levels", &pt_format_i386},
	{"PAE", &pt_format_i386_pae},
#endif
};

static const struct machine_device devices[] = {
	{LAPIC, 4096},
	{0, 0},
};

const struct machine machine = {
	.name = sizeof(uintptr_t) == 8 ? "x86_64" : "i386",
	.variants = variants,
	.direct = DIRECT,
	.ram = 0,
	.ram_size = UINT64_C(128) << 20,
	.devices = devices,
	.cpus = MACHINE_CPUS,
};

static void unexpected(const struct machine_frame *frame, uintptr_t cr2)
{
	print("not ok - CPU %u: exception %lu, code %lx, at %lx, address %lx\n", machine_cpu(),
	    (unsigned long)frame->vector, (unsigned long)frame->error, (unsigned long)frame->pc,
	    (unsigned long)cr2);
	machine_exit(99);
}

void machine_trap(struct machine_frame *frame)
{
	struct x86_cpu *me = &x86_cpus[machine_cpu()];
	struct machine_try *t = me->trying;
	uintptr_t cr2;

	if (frame->vector == INTERRUPT) {
		bare_interrupted();
		x86_end_of_interrupt();
		return;
	}
	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	if (!t)
		unexpected(frame, cr2);
	me->trying = NULL;
	t->end = frame->vector == VECTOR_BREAKPOINT   ? MACHINE_DONE
		 : frame->vector == VECTOR_PAGE_FAULT ? MACHINE_FAULT
						      : MACHINE_OTHER;
	t->code = t->end == MACHINE_FAULT ? frame->error : frame->vector;
	t->address = cr2;
	t->value = frame->ax;
	machine_leave(me->sp);
}

void machine_try(struct machine_try *t)
{
	unsigned cpu = machine_cpu();
	char *middle = cpus[cpu].stack + sizeof(cpus[cpu].stack) / 2;
	struct machine_frame *frame = (struct machine_frame *)(void *)(middle - sizeof(*frame));

	frame->ax = (uintptr_t)t->value;
	frame->di = t->va;
	frame->pc = t->pc;
	frame->cs = t->user ? USER_CODE : KERNEL_CODE;
	frame->flags = FLAGS_IF | (x86_cpus[cpu].ac ? FLAGS_AC : 0);
	/* What is tried calls nothing; the kernel's own exceptions need a stack. */
	frame->sp = t->user ? 0 : (uintptr_t)middle;
	frame->ss = t->user ? USER_DATA : BOOT_DATA;
	x86_cpus[cpu].trying = t;
	machine_enter(frame, &x86_cpus[cpu].sp);
}

void x86_set_gates(void)
{
	for (unsigned i = 0; i < VECTORS; i++) {
		uint64_t at = machine_gates[i];
		/* Breakpoints come from user code as well; all are interrupt gates. */
		uint64_t kind = i == VECTOR_BREAKPOINT ? 0xee00 : 0x8e00;
		uint64_t *gate = &idt[SYSTEM_WORDS * i];

		gate[0] =
		    (at & 0xffff) | KERNEL_CODE << 16 | kind << 32 | (at >> 16 & 0xffff) << 48;
		if (SYSTEM_WORDS == 2)
			gate[1] = at >> 32;
	}
}

void x86_load_tables(unsigned cpu)
{
	static const uint64_t user[] = {UINT64_C(0x00cff2000000ffff), USER_CODE_BITS};
	struct cpu *me = &cpus[cpu];
	uint64_t tss = (uintptr_t)&me->tss;
	uint16_t selector = (uint16_t)(TSS_AT + cpu * 16);
	struct table_register gdtr = {sizeof(me->gdt) - 1, (uintptr_t)me->gdt};
	struct table_register idtr = {sizeof(idt) - 1, (uintptr_t)idt};

	memcpy(me->gdt, boot_gdt, sizeof(boot_gdt));
	memcpy(&me->gdt[USER_DATA / 8], user, sizeof(user));
	me->gdt[selector / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
				UINT64_C(0x89) << 40 | (tss >> 24 & 0xff) << 56;
	me->gdt[selector / 8 + 1] = tss >> 32;
	me->tss.sp = (uintptr_t)(me->stack + sizeof(me->stack));
#ifndef __x86_64__
	me->tss.ss = BOOT_DATA;
#endif
	me->tss.io_map = sizeof(struct tss);
	__asm__ volatile("lgdt %0; lidt %1; ltr %w2; mov %3, %%ds; mov %3, %%es"
	    :
	    : "m"(gdtr), "m"(idtr), "r"(selector), "r"(USER_DATA)
	    : "memory");
}

/* The task register holds a selector that no two CPUs share. */
unsigned machine_cpu(void)
{
	uint32_t selector;

	__asm__ volatile("str %0" : "=r"(selector));
	return (selector - TSS_AT) / 16;
}
