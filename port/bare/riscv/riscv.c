/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* QEMU's virt with -bios none: console, exit, traps, MMU, other harts. */
#include <ptdesc/atomic.h>

#include "port/bare/common/bare.h"
#include "port/bare/common/print.h"
#include "port/bare/riscv/control.h"
#include "port/bare/riscv/layout.h"

#define UART UINT64_C(0x10000000)
#define TEST UINT64_C(0x00100000) /* ends the machine */

#define SSTATUS_SPIE ((uintptr_t)1 << 5)
#define SSTATUS_SPP  ((uintptr_t)1 << 8)
#define SSTATUS_SUM  ((uintptr_t)1 << 18)
#define SSTATUS_MXR  ((uintptr_t)1 << 19)
#define SIP_SSIP     ((uintptr_t)1 << 1)

#define CAUSE_INTERRUPT  ((uintptr_t)1 << (__riscv_xlen - 1))
#define CAUSE_BREAKPOINT 3u
#define CAUSE_FETCH      12u /* page faults */
#define CAUSE_LOAD       13u
#define CAUSE_STORE      15u

struct machine_frame {
	uintptr_t registers[16]; /* a0 is number 5 */
	uintptr_t epc;
	uintptr_t status;
	uintptr_t cause;
	uintptr_t tval;
};
PT_STATIC_ASSERT((int)offsetof(struct machine_frame, epc) == FRAME_EPC &&
		     (int)sizeof(struct machine_frame) == FRAME_SIZE,
    "start.S knows it");

struct cpu {
	struct machine_try *trying;
	uintptr_t sp; /* of who tries */
};

static struct cpu cpus[MACHINE_CPUS];
static uint32_t up;

static void (*others_start)(unsigned cpu);

extern char machine_trap_stacks[];

void machine_start(unsigned cpu);
void machine_trap(struct machine_frame *frame);
void machine_enter(uintptr_t pc, uintptr_t argument, uintptr_t second, uintptr_t status,
    uintptr_t *sp);
_Noreturn void machine_leave(uintptr_t sp, char *trap_stack);

/* What the program does on the first hart. */
_Noreturn void bare_main(void);

static const struct machine_variant variants[] = {
#if __riscv_xlen == 64
	{"Sv39", &pt_format_riscv_sv39},
	{"Sv48", &pt_format_riscv_sv48},
	{"Sv57", &pt_format_riscv_sv57},
	{"Sv39 Svnapot", &pt_format_riscv_sv39_napot},
	{"Sv48 Svnapot", &pt_format_riscv_sv48_napot},
	{"Sv57 Svnapot", &pt_format_riscv_sv57_napot},
#else
	{"Sv32", &pt_format_riscv_sv32},
#endif
};

static const struct machine_device devices[] = {
	{TEST, 4096},
	{CLINT, 0x10000},
	{UART, 4096},
	{0, 0},
};

const struct machine machine = {
	.name = __riscv_xlen == 64 ? "riscv64" : "riscv32",
	.variants = variants,
	.direct = DIRECT,
	.ram = RAM,
	.ram_size = UINT64_C(128) << 20,
	.devices = devices,
	.cpus = MACHINE_CPUS,
	/* Supervisor-level ISA, SFENCE.VMA: with an address it is of leaf entries alone. */
	.leaves_only = true,
};

const unsigned machine_breakpoint_size = 2;

uint64_t machine_parameters(void)
{
	return *(const uint64_t *)bare_at(PARAMETERS);
}

/* The image is at the start of RAM. */
bool machine_keeps(uint64_t pa)
{
	return pa < bare_pa(image_end) || pa >> 12 == PARAMETERS >> 12;
}

void machine_putc(char c)
{
	*(volatile uint8_t *)bare_at(UART) = (uint8_t)c;
}

_Noreturn void machine_exit(int status)
{
	*(volatile uint32_t *)bare_at(TEST) = status ? (uint32_t)status << 16 | 0x3333 : 0x5555;
	for (;;)
		__asm__ volatile("wfi");
}

unsigned machine_cpu(void)
{
	uintptr_t hart;

	__asm__ volatile("mv %0, tp" : "=r"(hart));
	return (unsigned)hart;
}

/*
 * PAUSE of Zihintpause, a FENCE that orders nothing where there is none. Emulated CPUs, which are
 * more than the host has, take turns at it.
 */
void machine_relax(void)
{
	__asm__ volatile(".4byte 0x0100000f" : : : "memory");
}

void machine_interrupt(unsigned cpu)
{
	/* What the other is to find comes before what the device is told. */
	__asm__ volatile("fence w, o" : : : "memory");
	*(volatile uint32_t *)bare_at(CLINT + 4 * cpu) = 1;
}

void machine_set_kernel_root(const struct pt_root *root)
{
	(void)root;
}

void machine_set_root(const struct pt_root *root)
{
	__asm__ volatile("csrw satp, %0; sfence.vma" : : "r"((uintptr_t)root->value) : "memory");
}

void machine_flush_page(uint64_t va, bool broadcast)
{
	(void)broadcast;
	__asm__ volatile("sfence.vma %0" : : "r"((uintptr_t)va) : "memory");
}

void machine_flush_all(bool broadcast)
{
	(void)broadcast;
	__asm__ volatile("sfence.vma" : : : "memory");
}

void machine_sync_code(void)
{
	__asm__ volatile("fence.i" : : : "memory");
}

void riscv_set_control(uint32_t control)
{
	uintptr_t set =
	    (control & RISCV_SUM ? SSTATUS_SUM : 0) | (control & RISCV_MXR ? SSTATUS_MXR : 0);

	__asm__ volatile("csrc sstatus, %0" : : "r"(SSTATUS_SUM | SSTATUS_MXR));
	__asm__ volatile("csrs sstatus, %0" : : "r"(set) : "memory");
	machine_flush_all(false);
}

static void unexpected(const struct machine_frame *frame)
{
	print("not ok - hart %u: cause %lx, at %lx, address %lx\n", machine_cpu(),
	    (unsigned long)frame->cause, (unsigned long)frame->epc, (unsigned long)frame->tval);
	machine_exit(99);
}

static bool is_page_fault(uintptr_t cause)
{
	return cause == CAUSE_FETCH || cause == CAUSE_LOAD || cause == CAUSE_STORE;
}

void machine_trap(struct machine_frame *frame)
{
	unsigned cpu = machine_cpu();
	struct cpu *me = &cpus[cpu];
	struct machine_try *t = me->trying;

	if (frame->cause & CAUSE_INTERRUPT) {
		__asm__ volatile("csrc sip, %0" : : "r"(SIP_SSIP) : "memory");
		bare_interrupted();
		return;
	}
	if (!t)
		unexpected(frame);
	me->trying = NULL;
	t->end = frame->cause == CAUSE_BREAKPOINT ? MACHINE_DONE
		 : is_page_fault(frame->cause)    ? MACHINE_FAULT
						  : MACHINE_OTHER;
	t->code = frame->cause;
	t->address = frame->tval;
	t->value = frame->registers[5];
	machine_leave(me->sp, machine_trap_stacks + ((cpu + 1) << TRAP_SHIFT));
}

void machine_try(struct machine_try *t)
{
	struct cpu *me = &cpus[machine_cpu()];
	uintptr_t status;

	__asm__ volatile("csrr %0, sstatus" : "=r"(status));
	status = (status & ~SSTATUS_SPP) | SSTATUS_SPIE | (t->user ? 0 : SSTATUS_SPP);
	me->trying = t;
	machine_enter(t->pc, t->va, (uintptr_t)t->value, status, &me->sp);
}

void machine_start(unsigned cpu)
{
	if (cpu == 0)
		bare_main();
	PT_FETCH_ADD(&up, 1, RELEASE);
	others_start(cpu);
}

/* Harts sleep in machine mode until they are interrupted (start.S). */
void machine_start_cpu(unsigned cpu, void (*fn)(unsigned cpu))
{
	uint32_t before = up;

	PT_STORE(&others_start, fn, RELEASE);
	machine_interrupt(cpu);
	while (PT_LOAD(&up, ACQUIRE) == before)
		machine_relax();
}
