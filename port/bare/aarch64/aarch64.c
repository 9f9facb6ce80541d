/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* QEMU's virt with -cpu max: console, exit, traps, MMU, other CPUs. */
#include <ptdesc/atomic.h>

#include "port/bare/aarch64/boot.h"
#include "port/bare/aarch64/control.h"
#include "port/bare/aarch64/layout.h"
#include "port/bare/common/bare.h"
#include "port/bare/common/print.h"

#define UART UINT64_C(0x09000000)

#define SCTLR_WXN  (UINT64_C(1) << 19) /* what may be written may not be executed */
#define SCTLR_SPAN (UINT64_C(1) << 23) /* exceptions leave PSTATE.PAN alone */
#define SCTLR_EPAN (UINT64_C(1) << 57)
#define TCR_HA     (UINT64_C(1) << 39)
#define TCR_HD     (UINT64_C(1) << 40)
#define TCR_HPD0   (UINT64_C(1) << 41)
#define TCR_HPD1   (UINT64_C(1) << 42)
#define TCR_E0PD0  (UINT64_C(1) << 55)
#define SPSR_EL0   UINT64_C(0x3c0) /* no interrupts */
#define SPSR_EL1   UINT64_C(0x3c5)
#define SPSR_PAN   (UINT64_C(1) << 22)

/* Classes of exceptions, ESR_EL1 31:26. */
#define CLASS_FETCH_LOWER 0x20u
#define CLASS_FETCH       0x21u
#define CLASS_DATA_LOWER  0x24u
#define CLASS_DATA        0x25u
#define CLASS_BREAKPOINT  0x3cu
/* What a test can compare: the class, write, the status code. */
#define ESR_COMPARED      UINT64_C(0xfc00007f)

#define PSCI_CPU_ON UINT64_C(0xc4000003)

#define SEMIHOSTING_EXIT UINT64_C(0x18)
#define APPLICATION_EXIT UINT64_C(0x20026)

struct machine_frame {
	uint64_t x[19];
	uint64_t x30;
};
PT_STATIC_ASSERT((int)sizeof(struct machine_frame) <= FRAME_SIZE, "start.S makes room for it");

struct cpu {
	struct machine_try *trying;
	uint64_t sp; /* of who tries */
	bool pan;    /* PSTATE.PAN for attempts */
};

static struct cpu cpus[MACHINE_CPUS];
static uint32_t up;
static void (*others_start)(unsigned cpu);

extern const char machine_other_start[];

void machine_start(unsigned cpu);
_Noreturn void machine_trap(struct machine_frame *frame);
void machine_enter(uint64_t pc, uint64_t argument, uint64_t second, uint64_t spsr, uint64_t *sp);
_Noreturn void machine_leave(uint64_t sp);

/* What the program does on the first CPU. */
_Noreturn void bare_main(void);

static const struct machine_variant variants[] = {
	{"4K, 39 bits", &pt_format_arm64_4k_39},
	{"4K, 48 bits", &pt_format_arm64_4k_48},
	{"4K, 52 bits", &pt_format_arm64_4k_52},
	{"16K, 36 bits", &pt_format_arm64_16k_36},
	{"16K, 47 bits", &pt_format_arm64_16k_47},
	{"16K, 48 bits", &pt_format_arm64_16k_48},
	{"64K, 42 bits", &pt_format_arm64_64k_42},
	{"64K, 48 bits", &pt_format_arm64_64k_48},
	{"64K, 52 bits", &pt_format_arm64_64k_52},
};

static const struct machine_device devices[] = {
	{UART, 0x10000},
	{0, 0},
};

const struct machine machine = {
	.name = "aarch64",
	.variants = variants,
	.direct = DIRECT,
	.ram = 0x40000000,
	.ram_size = UINT64_C(128) << 20,
	.devices = devices,
	.cpus = MACHINE_CPUS,
	.split = true,
	.broadcasts = true,
};

const unsigned machine_breakpoint_size = 4;

uint64_t machine_parameters(void)
{
	return *(const uint64_t *)bare_at(PARAMETERS);
}

bool machine_keeps(uint64_t pa)
{
	return pa >> 12 == PARAMETERS >> 12;
}

void machine_putc(char c)
{
	*(volatile uint32_t *)bare_at(UART) = (uint8_t)c;
}

_Noreturn void machine_exit(int status)
{
	uint64_t block[2] = {APPLICATION_EXIT, (uint64_t)status};
	register uint64_t x0 __asm__("x0") = SEMIHOSTING_EXIT;
	register uint64_t *x1 __asm__("x1") = block;

	__asm__ volatile("hlt #0xf000" : : "r"(x0), "r"(x1) : "memory");
	for (;;)
		__asm__ volatile("wfe");
}

unsigned machine_cpu(void)
{
	uint64_t mpidr;

	__asm__ volatile("mrs %0, mpidr_el1" : "=r"(mpidr));
	return mpidr & 0xff;
}

void machine_relax(void)
{
	__asm__ volatile("yield" : : : "memory");
}

/* Flushes are broadcast. */
void machine_interrupt(unsigned cpu)
{
	(void)cpu;
}

void machine_set_kernel_root(const struct pt_root *root)
{
	__asm__ volatile("dsb ishst; msr ttbr1_el1, %0; isb; tlbi vmalle1; dsb nsh; isb"
	    :
	    : "r"(root->value)
	    : "memory");
}

void machine_set_root(const struct pt_root *root)
{
	__asm__ volatile("dsb ishst; msr ttbr0_el1, %0; isb; tlbi vmalle1; dsb nsh; isb"
	    :
	    : "r"(root->value)
	    : "memory");
}

void machine_flush_page(uint64_t va, bool broadcast)
{
	uint64_t page = va >> 12 & ((UINT64_C(1) << 44) - 1);

	if (broadcast)
		__asm__ volatile("dsb ishst; tlbi vaae1is, %0; dsb ish; isb"
		    :
		    : "r"(page)
		    : "memory");
	else
		__asm__ volatile("dsb nshst; tlbi vaae1, %0; dsb nsh; isb"
		    :
		    : "r"(page)
		    : "memory");
}

void machine_flush_all(bool broadcast)
{
	if (broadcast)
		__asm__ volatile("dsb ishst; tlbi vmalle1is; dsb ish; isb" : : : "memory");
	else
		__asm__ volatile("dsb nshst; tlbi vmalle1; dsb nsh; isb" : : : "memory");
}

void machine_sync_code(void)
{
	__asm__ volatile("dsb ish; ic iallu; dsb ish; isb" : : : "memory");
}

static uint64_t read_sctlr(void)
{
	uint64_t value;

	__asm__ volatile("mrs %0, sctlr_el1" : "=r"(value));
	return value;
}

static void write_sctlr(uint64_t value)
{
	__asm__ volatile("msr sctlr_el1, %0; isb" : : "r"(value) : "memory");
}

void aarch64_set_control(uint32_t control)
{
	uint64_t sctlr = read_sctlr() & ~(SCTLR_WXN | SCTLR_EPAN);
	uint64_t tcr = machine_boot.tcr;

	cpus[machine_cpu()].pan = control & AARCH64_PAN;
	sctlr |= control & AARCH64_WXN ? SCTLR_WXN : 0;
	sctlr |= control & AARCH64_EPAN ? SCTLR_EPAN : 0;
	tcr &= control & AARCH64_NO_HA ? ~TCR_HA : UINT64_MAX;
	tcr &= control & AARCH64_NO_HD ? ~TCR_HD : UINT64_MAX;
	tcr |= control & AARCH64_HPD0 ? TCR_HPD0 : 0;
	tcr |= control & AARCH64_HPD1 ? TCR_HPD1 : 0;
	tcr |= control & AARCH64_E0PD0 ? TCR_E0PD0 : 0;
	write_sctlr(sctlr);
	__asm__ volatile("msr tcr_el1, %0; isb" : : "r"(tcr) : "memory");
	machine_flush_all(false);
}

/* ID_AA64MMFR1_EL1: 3:0 HAFDBS, 15:12 HPDS, 23:20 PAN. ID_AA64MMFR2_EL1: 63:60 E0PD. */
uint32_t aarch64_controls(void)
{
	uint32_t has = AARCH64_PAN | AARCH64_WXN;
	uint64_t first;
	uint64_t second;

	__asm__("mrs %0, id_aa64mmfr1_el1; mrs %1, id_aa64mmfr2_el1" : "=r"(first), "=r"(second));
	has |= (first & 15) >= 1 ? AARCH64_NO_HA : 0;
	has |= (first & 15) >= 2 ? AARCH64_NO_HD : 0;
	has |= (first >> 12 & 15) >= 1 ? AARCH64_HPD0 | AARCH64_HPD1 : 0;
	has |= (first >> 20 & 15) >= 3 ? AARCH64_EPAN : 0;
	has |= second >> 60 >= 1 ? AARCH64_E0PD0 : 0;
	return has;
}

static bool is_mmu_fault(uint64_t class, uint64_t status)
{
	bool abort = class == CLASS_FETCH || class == CLASS_FETCH_LOWER || class == CLASS_DATA ||
		     class == CLASS_DATA_LOWER;

	/* Address size, translation, access flag, permission; the first two at level -1. */
	return abort && (status < 16 || status == 0x29 || status == 0x2b);
}

_Noreturn void machine_trap(struct machine_frame *frame)
{
	struct cpu *me = &cpus[machine_cpu()];
	struct machine_try *t = me->trying;
	uint64_t esr;
	uint64_t far;
	uint64_t elr;

	__asm__ volatile("mrs %0, esr_el1; mrs %1, far_el1; mrs %2, elr_el1"
	    : "=r"(esr), "=r"(far), "=r"(elr));
	if (!t) {
		print("not ok - CPU %u: syndrome %llx, at %llx, address %llx\n", machine_cpu(),
		    (unsigned long long)esr, (unsigned long long)elr, (unsigned long long)far);
		machine_exit(99);
	}
	me->trying = NULL;
	t->end = esr >> 26 == CLASS_BREAKPOINT            ? MACHINE_DONE
		 : is_mmu_fault(esr >> 26 & 63, esr & 63) ? MACHINE_FAULT
							  : MACHINE_OTHER;
	t->code = esr & ESR_COMPARED;
	t->address = far;
	t->value = frame->x[0];
	machine_leave(me->sp);
}

void machine_try(struct machine_try *t)
{
	struct cpu *me = &cpus[machine_cpu()];
	uint64_t spsr = t->user ? SPSR_EL0 : SPSR_EL1;

	/* Entries that were made valid are seen by the walk. */
	__asm__ volatile("dsb ishst; isb" : : : "memory");
	me->trying = t;
	machine_enter(t->pc, t->va, t->value, spsr | (me->pan ? SPSR_PAN : 0), &me->sp);
}

void machine_start(unsigned cpu)
{
	write_sctlr(read_sctlr() | SCTLR_SPAN);
	if (cpu == 0)
		bare_main();
	PT_FETCH_ADD(&up, 1, RELEASE);
	others_start(cpu);
}

void machine_start_cpu(unsigned cpu, void (*fn)(unsigned cpu))
{
	const uint64_t start = bare_pa(machine_other_start);
	register uint64_t x0 __asm__("x0") = PSCI_CPU_ON;
	register uint64_t x1 __asm__("x1") = cpu;
	register uint64_t x2 __asm__("x2") = start;
	register uint64_t x3 __asm__("x3") = cpu;
	uint32_t before = up;

	others_start = fn;
	__asm__ volatile("hvc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
	while (PT_LOAD(&up, ACQUIRE) == before)
		machine_relax();
}
