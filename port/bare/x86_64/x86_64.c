/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* QEMU's q35 with -cpu max: console, exit, traps, MMU, other CPUs. */
#include <ptdesc/atomic.h>

#include "port/bare/common/bare.h"
#include "port/bare/common/print.h"
#include "port/bare/x86_64/control.h"
#include "port/bare/x86_64/layout.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size);

#define COM1       0x3f8
#define DEBUG_EXIT 0xf4
#define PIC_MASK   0x21 /* of the first interrupt controller ... */
#define PIC_MASK_2 0xa1 /* ... and of the second, which the firmware left on */

#define LAPIC          UINT64_C(0xfee00000)
#define LAPIC_EOI      0xb0
#define LAPIC_SPURIOUS 0xf0
#define LAPIC_ICR_LOW  0x300
#define LAPIC_ICR_HIGH 0x310

#define MSR_PAT   0x277
#define MSR_EFER  0xc0000080
/* WB, WC, UC-, UC, WB, WP, UC-, WT: what the format's memory types mean. */
#define PAT_VALUE UINT64_C(0x0407050600070106)

#define CR0_WP   (UINT64_C(1) << 16)
#define CR4_PGE  (UINT64_C(1) << 7)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)
#define CR4_PKE  (UINT64_C(1) << 22)
#define EFER_NXE (UINT64_C(1) << 11)
#define FLAGS_IF (UINT64_C(1) << 9)
#define FLAGS_AC (UINT64_C(1) << 18)

#define VECTOR_BREAKPOINT 3
#define VECTOR_PAGE_FAULT 14
#define VECTOR_INTERRUPT  32

/* Selectors in each CPU's own table. */
#define KERNEL_DATA 0x10
#define KERNEL_CODE 0x18
#define USER_DATA   0x23
#define USER_CODE   0x2b
#define TSS_AT      0x30

/* From vector on it is what start.S and an exception leave on the stack. */
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
	struct machine_try *trying;
	uint64_t sp; /* of who tries */
	bool ac;     /* EFLAGS.AC for attempts */
	char stack[8192] __attribute__((aligned(16)));
};

static struct cpu cpus[MACHINE_CPUS];
static uint64_t idt[2 * VECTORS];
static void (*others_start)(unsigned cpu);
static uint32_t up;

extern const uint64_t machine_gates[VECTORS];
extern const char trampoline[], trampoline_end[];

void machine_start(unsigned cpu);
void machine_trap(struct machine_frame *frame);
void machine_enter(struct machine_frame *frame, uint64_t *sp);
_Noreturn void machine_leave(uint64_t sp);

/* What the program does on the first CPU. */
_Noreturn void bare_main(void);

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

const unsigned machine_breakpoint_size = 1;

static void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint64_t read_msr(uint32_t number)
{
	uint32_t low;
	uint32_t high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
	return low | (uint64_t)high << 32;
}

static void write_msr(uint32_t number, uint64_t value)
{
	__asm__ volatile("wrmsr"
	    :
	    : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
	    : "memory");
}

static uint64_t read_cr0(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static uint64_t read_cr4(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static void write_cr0(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static void write_cr4(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static volatile uint32_t *lapic(unsigned at)
{
	return bare_at(LAPIC + at);
}

uint64_t machine_parameters(void)
{
	return *(const uint64_t *)bare_at(PARAMETERS);
}

/* The code that other CPUs start with; what lies between 640 KiB and 1 MiB; the parameters. */
bool machine_keeps(uint64_t pa)
{
	return pa >> 12 == TRAMPOLINE >> 12 || (pa >= 0x9f000 && pa < 0x100000) ||
	       pa >> 12 == PARAMETERS >> 12;
}

void machine_putc(char c)
{
	outb(COM1, (uint8_t)c);
}

/* QEMU ends with 2 * status + 1. */
_Noreturn void machine_exit(int status)
{
	__asm__ volatile("outl %0, %1" : : "a"(status), "Nd"((uint16_t)DEBUG_EXIT));
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* The task register holds a selector that no two CPUs share. */
unsigned machine_cpu(void)
{
	uint32_t selector;

	__asm__ volatile("str %0" : "=r"(selector));
	return (selector - TSS_AT) / 16;
}

void machine_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

void machine_interrupt(unsigned cpu)
{
	uint64_t flags;

	/* The two halves of the register are one thing to an interrupt handler too. */
	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	*lapic(LAPIC_ICR_HIGH) = cpu << 24;
	*lapic(LAPIC_ICR_LOW) = VECTOR_INTERRUPT;
	__asm__ volatile("pushq %0; popfq" : : "r"(flags) : "memory", "cc");
}

void machine_set_kernel_root(const struct pt_root *root)
{
	(void)root;
}

void machine_set_root(const struct pt_root *root)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(root->value) : "memory");
}

void machine_flush_page(uint64_t va, bool broadcast)
{
	(void)broadcast;
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* Global entries leave only when CR4.PGE changes. */
void machine_flush_all(bool broadcast)
{
	uint64_t cr4 = read_cr4();

	(void)broadcast;
	write_cr4(cr4 & ~CR4_PGE);
	write_cr4(cr4);
}

void machine_sync_code(void)
{
}

void x86_set_control(uint32_t control)
{
	uint64_t cr0 = read_cr0() & ~CR0_WP;
	uint64_t cr4 = read_cr4() & ~(CR4_SMEP | CR4_SMAP | CR4_PKE);
	uint64_t efer = read_msr(MSR_EFER) & ~EFER_NXE;

	write_cr0(cr0 | (control & X86_WP ? CR0_WP : 0));
	write_cr4(cr4 | (control & X86_SMEP ? CR4_SMEP : 0) | (control & X86_SMAP ? CR4_SMAP : 0) |
		  (control & X86_PKE ? CR4_PKE : 0));
	write_msr(MSR_EFER, efer | (control & X86_NXE ? EFER_NXE : 0));
	cpus[machine_cpu()].ac = control & X86_AC;
	machine_flush_all(false);
}

void x86_set_pkru(uint32_t pkru)
{
	__asm__ volatile("wrpkru" : : "a"(pkru), "c"(0), "d"(0) : "memory");
}

static void unexpected(const struct machine_frame *frame)
{
	uint64_t cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	print("not ok - CPU %u: exception %llu, code %llx, at %llx, address %llx\n", machine_cpu(),
	    (unsigned long long)frame->vector, (unsigned long long)frame->error,
	    (unsigned long long)frame->rip, (unsigned long long)cr2);
	machine_exit(99);
}

void machine_trap(struct machine_frame *frame)
{
	struct cpu *me = &cpus[machine_cpu()];
	struct machine_try *t = me->trying;

	if (frame->vector == VECTOR_INTERRUPT) {
		bare_interrupted();
		*lapic(LAPIC_EOI) = 0;
		return;
	}
	if (!t)
		unexpected(frame);
	me->trying = NULL;
	t->end = frame->vector == VECTOR_BREAKPOINT   ? MACHINE_DONE
		 : frame->vector == VECTOR_PAGE_FAULT ? MACHINE_FAULT
						      : MACHINE_OTHER;
	t->code = t->end == MACHINE_FAULT ? frame->error : frame->vector;
	__asm__ volatile("mov %%cr2, %0" : "=r"(t->address));
	t->value = frame->rax;
	machine_leave(me->sp);
}

void machine_try(struct machine_try *t)
{
	struct cpu *me = &cpus[machine_cpu()];
	struct machine_frame frame = {
		.rdi = t->va,
		.rip = t->pc,
		.cs = t->user ? USER_CODE : KERNEL_CODE,
		.flags = FLAGS_IF | (me->ac ? FLAGS_AC : 0),
		/* What is tried calls nothing; the kernel's own exceptions need a stack. */
		.rsp = t->user ? 0 : (uint64_t)(me->stack + sizeof(me->stack) / 2),
		.ss = t->user ? USER_DATA : KERNEL_DATA,
	};

	me->trying = t;
	machine_enter(&frame, &me->sp);
}

static void set_gates(void)
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

static void load_tables(unsigned cpu)
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

void machine_start(unsigned cpu)
{
	if (cpu == 0) {
		outb(PIC_MASK, 0xff);
		outb(PIC_MASK_2, 0xff);
		set_gates();
	}
	load_tables(cpu);
	write_cr4(read_cr4() | CR4_PGE);
	write_msr(MSR_PAT, PAT_VALUE);
	*lapic(LAPIC_SPURIOUS) = 0x1ff;
	__asm__ volatile("sti");
	if (cpu == 0)
		bare_main();
	PT_FETCH_ADD(&up, 1, RELEASE);
	others_start(cpu);
}

static void wait_a_while(void)
{
	for (unsigned i = 0; i < 1000000; i++)
		machine_relax();
}

/* INIT, then twice STARTUP with the page of the trampoline, to all but this one. */
void machine_start_cpus(void (*fn)(unsigned cpu))
{
	others_start = fn;
	memcpy(bare_at(TRAMPOLINE), trampoline, (size_t)(trampoline_end - trampoline));
	*lapic(LAPIC_ICR_LOW) = 0xc4500;
	wait_a_while();
	*lapic(LAPIC_ICR_LOW) = 0xc4600 | TRAMPOLINE >> 12;
	while (PT_LOAD(&up, ACQUIRE) + 1 < machine.cpus)
		machine_relax();
}
