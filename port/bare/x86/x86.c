/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a PC has at 32 and 64 bits: console, exit, control registers, MMU, other CPUs. */
#include <ptdesc/atomic.h>

#include "port/bare/common/bare.h"
#include "port/bare/x86/control.h"
#include "port/bare/x86/cpu.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size);

#define COM1       0x3f8
#define DEBUG_EXIT 0xf4
#define PIC_MASK   0x21 /* of the first interrupt controller ... */
#define PIC_MASK_2 0xa1 /* ... and of the second, which the firmware left on */

#define LAPIC_EOI      0xb0
#define LAPIC_SPURIOUS 0xf0
#define LAPIC_ICR_LOW  0x300
#define LAPIC_ICR_HIGH 0x310
#define ICR_PENDING    0x1000u /* the one before has not been sent */

#define MSR_PAT   0x277
#define MSR_PKRS  0x6e1
#define MSR_EFER  0xc0000080
/* WB, WC, UC-, UC, WB, WP, UC-, WT: what the format's memory types mean. */
#define PAT_VALUE UINT64_C(0x0407050600070106)

#define CR0_WP   ((uintptr_t)1 << 16)
#define CR4_PGE  ((uintptr_t)1 << 7)
#define CR4_SMEP ((uintptr_t)1 << 20)
#define CR4_SMAP ((uintptr_t)1 << 21)
#define CR4_PKE  ((uintptr_t)1 << 22)
#define CR4_PKS  ((uintptr_t)1 << 24)
#define EFER_NXE ((uintptr_t)1 << 11)

static void (*others_start)(unsigned cpu);
static uint32_t up;

extern const char trampoline[], trampoline_end[];

void machine_start(unsigned cpu);

/* What the program does on the first CPU. */
_Noreturn void bare_main(void);

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

static uintptr_t read_cr0(void)
{
	uintptr_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static uintptr_t read_cr4(void)
{
	uintptr_t value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static void write_cr0(uintptr_t value)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static void write_cr4(uintptr_t value)
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

void machine_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static void send(unsigned cpu, uint32_t what)
{
	while (*lapic(LAPIC_ICR_LOW) & ICR_PENDING)
		machine_relax();
	*lapic(LAPIC_ICR_HIGH) = cpu << 24;
	*lapic(LAPIC_ICR_LOW) = what;
}

void machine_interrupt(unsigned cpu)
{
	uintptr_t flags;

	/* The two halves of the register are one thing to an interrupt handler too. */
	__asm__ volatile("pushf; pop %0; cli" : "=r"(flags) : : "memory");
	send(cpu, INTERRUPT);
	__asm__ volatile("push %0; popf" : : "r"(flags) : "memory", "cc");
}

void machine_set_kernel_root(const struct pt_root *root)
{
	(void)root;
}

void machine_set_root(const struct pt_root *root)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"((uintptr_t)root->value) : "memory");
}

void machine_flush_page(uint64_t va, bool broadcast)
{
	(void)broadcast;
	__asm__ volatile("invlpg (%0)" : : "r"((uintptr_t)va) : "memory");
}

/* Global entries leave only when CR4.PGE changes; PAE's root is loaded with CR3. */
void machine_flush_all(bool broadcast)
{
	uintptr_t cr4 = read_cr4();
	uintptr_t cr3;

	(void)broadcast;
	__asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3) : : "memory");
	write_cr4(cr4 & ~CR4_PGE);
	write_cr4(cr4);
}

void machine_sync_code(void)
{
}

void x86_set_control(uint32_t control)
{
	uintptr_t cr0 = read_cr0() & ~CR0_WP;
	uintptr_t cr4 = read_cr4() & ~(CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_PKS);
	uint64_t efer = read_msr(MSR_EFER) & ~EFER_NXE;

	write_cr0(cr0 | (control & X86_WP ? CR0_WP : 0));
	write_cr4(cr4 | (control & X86_SMEP ? CR4_SMEP : 0) | (control & X86_SMAP ? CR4_SMAP : 0) |
		  (control & X86_PKE ? CR4_PKE : 0) | (control & X86_PKS ? CR4_PKS : 0));
	write_msr(MSR_EFER, efer | (control & X86_NXE ? EFER_NXE : 0));
	x86_cpus[machine_cpu()].ac = control & X86_AC;
	machine_flush_all(false);
}

/* CPUID 7: bits of ECX. */
uint32_t x86_keys(void)
{
	uint32_t leaf = 7;
	uint32_t b;
	uint32_t c = 0;
	uint32_t d;

	__asm__("cpuid" : "+a"(leaf), "=b"(b), "+c"(c), "=d"(d));
	return (c >> 3 & 1 ? X86_PKE : 0) | (c >> 31 ? X86_PKS : 0);
}

void x86_set_key_rights(uint32_t control, uint32_t rights)
{
	if (control & X86_PKE)
		__asm__ volatile("wrpkru" : : "a"(rights), "c"(0), "d"(0) : "memory");
	if (control & X86_PKS)
		write_msr(MSR_PKRS, rights);
}

void x86_end_of_interrupt(void)
{
	*lapic(LAPIC_EOI) = 0;
}

void machine_start(unsigned cpu)
{
	if (cpu == 0) {
		outb(PIC_MASK, 0xff);
		outb(PIC_MASK_2, 0xff);
		x86_set_gates();
	}
	x86_load_tables(cpu);
	write_cr4(read_cr4() | CR4_PGE);
	write_msr(MSR_PAT, PAT_VALUE);
	*lapic(LAPIC_SPURIOUS) = 0x1ff;
	__asm__ volatile("sti");
	if (cpu == 0)
		bare_main();
	PT_FETCH_ADD(&up, 1, RELEASE);
	others_start(cpu);
}

/*
 * INIT, then STARTUP with the page of the trampoline, until it has come: that is lost on a CPU
 * whose INIT is not over, and nothing to one that runs.
 */
void machine_start_cpu(unsigned cpu, void (*fn)(unsigned cpu))
{
	uint32_t before = up;

	others_start = fn;
	memcpy(bare_at(TRAMPOLINE), trampoline, (size_t)(trampoline_end - trampoline));
	send(cpu, 0x4500);
	while (PT_LOAD(&up, ACQUIRE) == before) {
		for (unsigned i = 0; i < 10000; i++)
			machine_relax();
		send(cpu, 0x4600 | TRAMPOLINE >> 12);
	}
}
