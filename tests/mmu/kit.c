/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The conformance kit, its spaces' tables live: whenever it asks the library what is at an address,
 * the MMU is put on that space and reads there.
 */
#include "tests/kit/kit.h"
#include "tests/mmu/arch.h"
#include "tests/mmu/deviations.h"
#include "tests/mmu/mmu.h"

#define KERNEL_SLOTS 64u

/* Entries of the kernel's root, lent to a root that is probed. */
struct lent {
	unsigned at;
	uint64_t before;
};

struct live_kit {
	struct pt_port port;
	struct lent lent[KERNEL_SLOTS];
	unsigned lents;
	uint32_t hold; /* no grace period ends */
	uint64_t flushes;
	unsigned long probes;
	unsigned long unasked; /* in a slot that the kernel lends */
};

static struct live_kit live;

static void count_flush(void *ctx, const struct pt_flush *request)
{
	live.flushes++;
	bare_flush(ctx, request);
}

static bool grace_done(void *ctx, uint64_t cookie)
{
	const struct pt_port port = bare_port();

	return !live.hold && port.grace_done(ctx, cookie);
}

static struct pt_memory *open(void *ctx, unsigned page_shift)
{
	struct pt_memory *memory;

	(void)ctx;
	if (bare_memory(machine.ram + MMU_SCRATCH_AT, MMU_SCRATCH_SIZE, page_shift, &live.port,
		&memory))
		return NULL;
	return memory;
}

static int close(void *ctx, struct pt_memory *memory, struct pt_leaks *leaks)
{
	(void)ctx;
	return pt_memory_destroy(memory, leaks);
}

static void hold_grace(void *ctx, bool hold)
{
	(void)ctx;
	live.hold = hold;
}

static uint64_t flushes(void *ctx)
{
	(void)ctx;
	return live.flushes;
}

static void report(void *ctx, const struct pt_format *format, bool with, const char *test,
    const char *what, int line)
{
	(void)ctx;
	(void)format;
	mmu.failed += what != NULL;
	print("%s %u - kit%s: %s\n", what ? "not ok" : "ok", ++mmu.tests, with ? ", live" : "",
	    test);
	if (what)
		print("# line %u: expected %s\n", (unsigned)line, what);
}

static void *slot_of(const struct pt_space *space, unsigned slot)
{
	return (char *)space->top + slot * mmu.format->entry_bytes;
}

/* Is the kernel in the slot of its root that begins at va. */
static bool is_used(uint64_t va)
{
	uint64_t last = va + (mmu_slot(mmu_top()) - 1);
	const struct machine_device ram = {machine.ram, machine.ram_size};
	const struct machine_device *d = &ram;

	do {
		uint64_t at = bare_kernel_va(&mmu.kernel, d->pa).v;

		if (at <= last && at + (d->size - 1) >= va)
			return true;
		d = d == &ram ? machine.devices : d + 1;
	} while (d->size);
	return false;
}

/* Where the kernel's root has entries for itself. */
static void find_kernel(void)
{
	const struct pt_format *f = mmu.format;
	uint64_t high = f->flags & PT_FORMAT_SIGNED ? UINT64_MAX << (f->va_bits - 1) : 0;

	live.lents = 0;
	for (unsigned i = 0; i < 1u << f->bits[mmu_top()] && !machine.split; i++) {
		uint64_t va = (uint64_t)i << pt_format_shift(f, mmu_top());

		if (is_used(va & high ? va | high : va) && live.lents < KERNEL_SLOTS)
			live.lent[live.lents++].at = i;
	}
}

static bool is_kernels(unsigned slot)
{
	for (unsigned i = 0; i < live.lents; i++)
		if (live.lent[i].at == slot)
			return true;
	return false;
}

static void lend(const struct pt_space *space)
{
	for (unsigned i = 0; i < live.lents; i++) {
		void *entry = slot_of(space, live.lent[i].at);

		live.lent[i].before = mmu_load(entry);
		mmu_store(entry, mmu_load(slot_of(&mmu.kernel, live.lent[i].at)));
	}
}

static void take_back(const struct pt_space *space)
{
	for (unsigned i = 0; i < live.lents; i++)
		mmu_store(slot_of(space, live.lent[i].at), live.lent[i].before);
	for (unsigned i = 0; i < 1u << mmu.format->bits[mmu_top()]; i++) {
		uint64_t e = mmu_load(slot_of(space, i));
		uint64_t undone = deviation_undone(mmu.format, mmu_top(), e);

		if (e != undone)
			mmu_store(slot_of(space, i), undone);
	}
}

static bool in_ram(uint64_t pa)
{
	return pa >= machine.ram && pa - machine.ram < machine.ram_size;
}

/* What is wrong with what came of an access to where nothing is. */
static const char *judge_hole(uint64_t va, const struct machine_try *t)
{
	if (t->end != MACHINE_FAULT || !arch_is_unmapped(t->code))
		return "nothing mapped: the MMU found something";
	return t->address == va ? NULL : "the address of the fault";
}

/* What the MMU, which is on the space now, says. */
static const char *ask(uint64_t va, const struct pt_translation *mapped)
{
	struct machine_try t = {.pc = (uintptr_t)machine_try_read, .va = (uintptr_t)va};
	uint64_t pa = mapped ? mapped->pa.v & ~UINT64_C(7) : 0;

	machine_try(&t);
	mmu.cases++;
	if (!mapped)
		return judge_hole(va, &t);
	if (t.end == MACHINE_FAULT)
		return "something mapped: the MMU faulted";
	if (t.end == MACHINE_OTHER || !in_ram(pa)) /* translated, to where no memory is */
		return in_ram(pa) ? "memory: the bus refused it" : NULL;
	if ((uint32_t)t.value != *(volatile uint32_t *)bare_at(pa))
		return "that memory: the MMU reads other memory";
	return NULL;
}

static const char *probe(void *ctx, const struct pt_space *space, uint64_t va,
    const struct pt_translation *mapped)
{
	unsigned top = mmu_top();
	unsigned slot = (unsigned)(va >> pt_format_shift(mmu.format, top) &
				   ((UINT64_C(1) << mmu.format->bits[top]) - 1));
	struct pt_root root = pt_space_root(space);
	const char *what;

	(void)ctx;
	if (is_kernels(slot)) {
		live.unasked++;
		return NULL;
	}
	live.probes++;
	lend(space);
	machine_set_root(&root);
	what = ask(va & ~UINT64_C(7), mapped);
	machine_set_root(&mmu.root);
	take_back(space);
	mmu.mismatches += what != NULL;
	return what;
}

void mmu_kit(void)
{
	struct kit_machine kit = {
		.open = open,
		.close = close,
		.hold_grace = hold_grace,
		.flushes = flushes,
		.probe = probe,
		.report = report,
	};
	struct kit_counts counts;

	kit.memory = machine.ram;
	live.port = bare_port();
	live.port.flush = count_flush;
	live.port.grace_done = grace_done;
	find_kernel();
	counts = kit_run_format(&kit, mmu.format);
	print("# kit: %u passed, %u failed, %u not for the format, %lu checks\n", counts.passed,
	    counts.failed, counts.skipped, counts.checks);
	print("# kit: the MMU was asked %lu times, and not asked %lu times\n", live.probes,
	    live.unasked);
}
