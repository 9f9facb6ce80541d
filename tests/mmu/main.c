/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <ptdesc/atomic.h>

#include "tests/mmu/arch.h"
#include "tests/mmu/deviations.h"
#include "tests/mmu/mmu.h"

/* Parameters, second byte: what this start is for. */
enum {
	START_TESTS = 0,
	START_JUDGE = 1,
};

_Noreturn void bare_main(void);

struct mmu mmu;

bool mmu_ok(bool good, const char *name)
{
	print("%s %u - %s\n", good ? "ok" : "not ok", ++mmu.tests, name);
	mmu.failed += !good;
	return good;
}

uint64_t mmu_slot(unsigned level)
{
	return UINT64_C(1) << pt_format_shift(mmu.format, level);
}

unsigned mmu_top(void)
{
	return mmu.format->levels - 1u;
}

pt_attr mmu_attr(uint32_t rights)
{
	pt_attr attr = pt_make_attr(rights);
	uint64_t entry;

	/* i386 of 2 levels: what can be read can be executed. */
	if (pt_entry_encode(mmu.format, pt_make_pa(0), 0, attr, 0, &entry) == -PT_EATTR)
		attr.flags |= PT_EXEC;
	return attr;
}

uint64_t mmu_load(const void *entry)
{
	return mmu.format->entry_bytes == 8 ? *(const volatile uint64_t *)entry
					    : *(const volatile uint32_t *)entry;
}

void mmu_store(void *entry, uint64_t e)
{
	if (mmu.format->entry_bytes == 8)
		*(volatile uint64_t *)entry = e;
	else
		*(volatile uint32_t *)entry = (uint32_t)e;
}

void *mmu_entry(const struct pt_space *space, uint64_t va, unsigned level)
{
	char *table = space->top;

	for (unsigned l = mmu_top();; l--) {
		uint64_t mask = (UINT64_C(1) << mmu.format->bits[l]) - 1;
		uint64_t index = va >> pt_format_shift(mmu.format, l) & mask;
		char *entry = table + index * mmu.format->entry_bytes;
		struct pt_entry_info info;

		if (l == level)
			return entry;
		if (pt_entry_decode(mmu.format, deviation_undone(mmu.format, l, mmu_load(entry)), l,
			&info) ||
		    info.kind != PT_ENTRY_TABLE)
			return NULL;
		table = bare_at(info.pa.v);
	}
}

/* Words that hold their own address, so that every translation can be told by what is read. */
static void write_pattern(uint64_t at, uint64_t size)
{
	for (uint64_t pa = machine.ram + at; pa < machine.ram + at + size; pa += 4)
		if (!machine_keeps(pa))
			*(volatile uint32_t *)bare_at(pa) = (uint32_t)pa;
}

void mmu_fill_scratch(void)
{
	write_pattern(MMU_SCRATCH_AT, MMU_SCRATCH_SIZE);
}

uintptr_t mmu_code(uint32_t access, bool user)
{
	uintptr_t code = (uintptr_t)(access == PT_WRITE ? machine_try_write : machine_try_read);

	if (!user)
		return code;
	return (uintptr_t)bare_at(MMU_USER_CODE + (bare_pa((void *)code) & (mmu_slot(0) - 1)));
}

/* The user may execute the attempts in the page behind the kernel's RAM. */
static int map_user_code(void)
{
	uint64_t page = bare_pa(machine_try_page) & ~(mmu_slot(0) - 1);

	return pt_map(&mmu.kernel, bare_kernel_va(&mmu.kernel, MMU_USER_CODE), mmu_slot(0),
	    pt_make_pa(page), pt_make_attr(PT_READ | PT_EXEC | PT_USER | PT_ACCESSED), PT_SMALL);
}

static void flush(void *ctx, const struct pt_flush *request)
{
	PT_FETCH_ADD(&mmu.flushes, 1, RELAXED);
	if (mmu.drop == MMU_DROP_NOTHING)
		bare_flush(ctx, request);
	else if (mmu.drop == MMU_DROP_REMOTE)
		bare_flush_here(request);
}

static bool grace_done(void *ctx, uint64_t cookie)
{
	const struct pt_port port = bare_port();

	return mmu.no_grace || port.grace_done(ctx, cookie);
}

void mmu_on_kernel(void)
{
	struct pt_root kernel = pt_space_root(&mmu.kernel);

	machine_set_kernel_root(&kernel);
	machine_set_root(&mmu.root);
}

/* From boot tables to the library's own. */
static bool kernel_up(void)
{
	struct pt_port port = bare_port();
	int error;

	port.flush = flush;
	port.phys_to_virt = mmu_phys_to_virt;
	port.grace_done = grace_done;
	error = bare_memory(machine.ram + MMU_KERNEL_AT, MMU_KERNEL_SIZE, mmu.format->page_shift,
	    &port, &mmu.memory);
	if (!error)
		error = bare_kernel_space(&mmu.kernel, mmu.memory, mmu.format);
	if (!error)
		error = map_user_code();
	mmu.space = machine.split ? &mmu.user : &mmu.kernel;
	if (!error && machine.split)
		error = pt_space_init(mmu.space, mmu.memory, mmu.format, PT_SPACE_MMU, mmu.space);
	if (error) {
		print("# %s\n", pt_strerror(error));
		return false;
	}
	mmu.root = pt_space_root(mmu.space);
	mmu_on_kernel();
	return true;
}

static void run_tests(void)
{
	print("# machine %s, %s: %s\n", machine.name, bare_variant()->name, mmu.format->what);
	if (!mmu_ok(kernel_up(), "the kernel runs on the library's tables"))
		return;
	write_pattern(0, MMU_PATTERN_END);
	write_pattern(MMU_TARGET_AT, MMU_TARGET_SIZE);
	arch_set(arch_default_control, 0);
	mmu_kit();
	mmu_matrix();
	deviations_report();
	mmu_live();
	if (machine.cpus == 1)
		return;
	/* Whoever waits for work runs, and the host has few CPUs. */
	mmu_start_cpu(1);
	mmu_live_remote();
	mmu_grace();
	for (unsigned cpu = 2; cpu < machine.cpus; cpu++)
		mmu_start_cpu(cpu);
	mmu_cpus();
}

_Noreturn void bare_main(void)
{
	mmu.format = bare_variant()->format;
	bare_cpu_up();
	if ((machine_parameters() >> 8 & 255) == START_JUDGE && kernel_up())
		mmu_judge();
	else
		run_tests();
	print("COUNTS %lu %lu %u\n", mmu.cases, mmu.mismatches, mmu.deviations);
	print("EXIT %u\n", mmu.failed != 0);
	machine_exit(mmu.failed != 0);
}
