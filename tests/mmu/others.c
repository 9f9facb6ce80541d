/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The other CPUs: they wait for something to do. */
#include <ptdesc/atomic.h>

#include "tests/mmu/mmu.h"

/* What a CPU is asked for; fn is set last, and becomes NULL when it is done. */
struct mailbox {
	void (*fn)(void *ctx);
	void *ctx;
} __attribute__((aligned(64)));

static struct mailbox mailboxes[MACHINE_CPUS];

static void wait_for_work(unsigned cpu)
{
	struct mailbox *box = &mailboxes[cpu];

	mmu_on_kernel();
	bare_cpu_up();
	for (;;) {
		void (*fn)(void *) = PT_LOAD(&box->fn, ACQUIRE);

		if (!fn) {
			machine_relax();
			continue;
		}
		fn(box->ctx);
		PT_STORE(&box->fn, NULL, RELEASE);
	}
}

void mmu_start_cpu(unsigned cpu)
{
	machine_start_cpu(cpu, wait_for_work);
}

void mmu_run_on(unsigned cpu, void (*fn)(void *ctx), void *ctx)
{
	mailboxes[cpu].ctx = ctx;
	PT_STORE(&mailboxes[cpu].fn, fn, RELEASE);
}

void mmu_wait_for(unsigned cpu)
{
	while (PT_LOAD(&mailboxes[cpu].fn, ACQUIRE))
		machine_relax();
}

static void try_here(void *ctx)
{
	machine_try(ctx);
}

struct machine_try mmu_try(unsigned cpu, uint64_t va, uint32_t access)
{
	struct machine_try t = {.va = (uintptr_t)va};

	t.pc = (uintptr_t)(access == PT_WRITE ? machine_try_write : machine_try_read);
	if (access == PT_EXEC)
		t.pc = (uintptr_t)va;
	if (cpu == machine_cpu()) {
		machine_try(&t);
	} else {
		mmu_run_on(cpu, try_here, &t);
		mmu_wait_for(cpu);
	}
	return t;
}
