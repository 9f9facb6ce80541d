/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * To be copied: each function says what a larger machine puts in its place. docs/porting.md goes
 * through it step by step.
 */
#include <ptdesc/atomic.h>
#include "port/template/template.h"

#define PAGE_SHIFT    12u
#define SECTION_SHIFT 12u

void *memset(void *at, int byte, size_t size);

/* More CPUs: the number of this one, preemption off; if irq, interrupts off as well. */
static unsigned cpu_pin(void *ctx, bool irq)
{
	(void)ctx;
	(void)irq;
	return 0;
}

static void cpu_unpin(void *ctx, bool irq)
{
	(void)ctx;
	(void)irq;
}

/* More CPUs, or preemption: what your RCU or epochs call a read section. */
static void section_enter(void *ctx)
{
	(void)ctx;
}

static void section_exit(void *ctx)
{
	(void)ctx;
}

/* With an MMU: the direct map. */
static void *phys_to_virt(void *ctx, pt_pa pa)
{
	(void)ctx;
	return (void *)(uintptr_t)pa.v;
}

static pt_pa virt_to_phys(void *ctx, const void *address)
{
	(void)ctx;
	return pt_make_pa((uintptr_t)address);
}

/* One CPU never waits. More: answer flush requests of others in the loop. */
static void wait_while(void *ctx, const uint32_t *address, uint32_t value)
{
	(void)ctx;
	while (PT_LOAD(address, RELAXED) == value)
		continue;
}

/* One CPU asks outside sections, so that none is open. More: your grace periods. */
static uint64_t grace_start(void *ctx)
{
	(void)ctx;
	return 0;
}

static bool grace_done(void *ctx, uint64_t cookie)
{
	(void)ctx;
	(void)cookie;
	return true;
}

static void grace_wait(void *ctx, uint64_t cookie)
{
	(void)ctx;
	(void)cookie;
}

static const struct pt_port template_port = {
	.cpu_pin = cpu_pin,
	.cpu_unpin = cpu_unpin,
	.section_enter = section_enter,
	.section_exit = section_exit,
	.phys_to_virt = phys_to_virt,
	.virt_to_phys = virt_to_phys,
	.wait_while = wait_while,
	.grace_start = grace_start,
	.grace_done = grace_done,
	.grace_wait = grace_wait,
	/* With an MMU: .flush. To be told of bugs: .stop. */
};

/* Adds the frames from first up to end, section by section; words is room for all their words. */
static int sections_add(struct pt_memory *memory, const struct pt_config *config, pt_pfn first,
    uintptr_t words)
{
	uint64_t in_section = UINT64_C(1) << SECTION_SHIFT;
	int error = 0;

	for (; first < config->max_pfn && !error; first += in_section) {
		uint64_t frames = config->max_pfn - first;

		error = pt_section_add(memory, first, frames < in_section ? frames : in_section, 0,
		    (void *)words);
		words += pt_section_size(config);
	}
	return error;
}

int template_memory(uintptr_t ram, size_t size, struct pt_memory **memory)
{
	struct pt_config config = {
		.page_shift = PAGE_SHIFT,
		.cpus = 1,
		.nodes = 1,
		.section_shift = SECTION_SHIFT,
		.max_pfn = ((uint64_t)ram + size) >> PAGE_SHIFT,
		.magazine = 16,
		.classes = 8,
	};
	size_t sections = (size - 1) / TEMPLATE_SECTION_BYTES + 1;
	size_t block_size = (pt_memory_size(&config) + 63) & ~(size_t)63;
	size_t own = block_size + sections * pt_section_size(&config);
	uintptr_t block;
	int error;

	if (ram % TEMPLATE_SECTION_BYTES)
		return -PT_EALIGN;
	if (size == 0 || block_size == 0 || own >= size)
		return -PT_EINVAL;
	block = (ram + size - own) & ~(uintptr_t)((1u << PAGE_SHIFT) - 1);
	config.max_pfn = block >> PAGE_SHIFT;
	memset((void *)block, 0, own);
	error = pt_memory_init((void *)block, block_size, &config, &template_port, memory);
	if (!error)
		error = sections_add(*memory, &config, ram >> PAGE_SHIFT, block + block_size);
	if (!error)
		error = pt_memory_online(*memory);
	return error;
}
