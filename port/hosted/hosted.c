/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A memory in one mapping: our own state, the core's, the page words, and the simulated frames. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "port/hosted/thread.h"

#define ARENA_ALIGN UINT64_C(0x200000) /* so that the host may use large pages for it */

/* One thread's share. */
struct flush_counts {
	uintptr_t calls;
	uintptr_t leaves;
	uintptr_t tables;
	uintptr_t kernel;
} __attribute__((aligned(64)));

/* Lies right below the arena, whose address is the port's ctx. */
struct pt_hosted {
	void *mapping;
	size_t mapped; /* bytes */
	struct pt_memory *memory;
	void (*stop_hook)(void *ctx, enum pt_stop code, const void *object);
	void *stop_ctx;
	struct pt_hosted_mmu mmu; /* functions NULL: there is none */
	struct flush_counts flushes[PT_HOSTED_CPUS];
	unsigned nodes;
};

/* Offsets in the mapping, in bytes. */
struct layout {
	uint64_t memory;
	uint64_t words;
	uint64_t section_size; /* of the words of one section */
	uint64_t sections;
	uint64_t arena;
	uint64_t size;
};

static struct pt_hosted *hosted_of(void *ctx)
{
	return (struct pt_hosted *)ctx - 1;
}

static unsigned cpu_pin(void *ctx, bool irq)
{
	(void)ctx;
	return port_cpu_pin(NULL, irq);
}

static void cpu_unpin(void *ctx, bool irq)
{
	(void)ctx;
	port_cpu_unpin(NULL, irq);
}

static unsigned cpu_node(void *ctx, unsigned cpu)
{
	return cpu % hosted_of(ctx)->nodes;
}

static void section_enter(void *ctx)
{
	(void)ctx;
	port_section_enter(NULL);
}

static void section_exit(void *ctx)
{
	(void)ctx;
	port_section_exit(NULL);
}

static void *phys_to_virt(void *ctx, pt_pa pa)
{
	return (char *)ctx + pa.v;
}

static pt_pa virt_to_phys(void *ctx, const void *address)
{
	return pt_make_pa((uint64_t)((const char *)address - (const char *)ctx));
}

static void wait_while(void *ctx, const uint32_t *addr, uint32_t value)
{
	(void)ctx;
	port_wait(addr, value);
}

/* Only the thread itself writes its counts. */
static void count(uintptr_t *counter, bool one)
{
	PT_STORE(counter, PT_LOAD(counter, RELAXED) + (one ? 1u : 0u), RELAXED);
}

static void flush(void *ctx, const struct pt_flush *request)
{
	const struct pt_hosted_mmu *mmu = &hosted_of(ctx)->mmu;
	struct flush_counts *counts = &hosted_of(ctx)->flushes[port_cpu_pin(NULL, false)];

	count(&counts->calls, true);
	count(&counts->leaves, request->leaves != 0);
	count(&counts->tables, request->tables != 0);
	count(&counts->kernel, request->kernel);
	if (mmu->flush)
		mmu->flush(mmu->ctx, request);
}

static int table_event(void *ctx, pt_pa pa, size_t size, unsigned level, bool start)
{
	const struct pt_hosted_mmu *mmu = &hosted_of(ctx)->mmu;

	return mmu->table(mmu->ctx, pa, size, level, start);
}

static void stop(void *ctx, enum pt_stop code, const void *object)
{
	const struct pt_hosted *hosted = hosted_of(ctx);

	if (hosted->stop_hook)
		hosted->stop_hook(hosted->stop_ctx, code, object);
	(void)fprintf(stderr, "ptdesc: stop %d (see enum pt_stop), object %p\n", (int)code, object);
	abort();
}

static unsigned or_default(unsigned value, unsigned otherwise)
{
	return value ? value : otherwise;
}

static struct pt_config core_config(const struct pt_hosted_config *config)
{
	unsigned page_shift = or_default(config->page_shift, 12);
	uint64_t bytes = config->bytes ? config->bytes : UINT64_C(1) << 30;
	struct pt_config core = {
		.page_shift = page_shift,
		.cpus = or_default(config->cpus, PT_HOSTED_CPUS),
		.nodes = or_default(config->nodes, 1),
		.section_shift = or_default(config->section_shift, sizeof(void *) > 4 ? 15 : 12),
		.max_pfn = page_shift < 64 ? bytes >> page_shift : 0,
		.magazine = or_default(config->magazine, 128),
		.classes = or_default(config->classes, 32),
	};

	return core;
}

static bool layout(struct layout *at, const struct pt_config *core)
{
	uint64_t memory_size = pt_memory_size(core);
	uint64_t arena_size;

	if (memory_size == 0 || core->page_shift >= 64)
		return false;
	arena_size = core->max_pfn << core->page_shift;
	at->memory = 0;
	at->words = (memory_size + 63) & ~UINT64_C(63);
	at->section_size = pt_section_size(core);
	at->sections = ((core->max_pfn - 1) >> core->section_shift) + 1;
	at->arena = at->words + at->sections * at->section_size + sizeof(struct pt_hosted);
	at->arena = (at->arena + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	at->size = at->arena + arena_size + ARENA_ALIGN;
	return at->size <= SIZE_MAX / 2 && arena_size <= SIZE_MAX / 2;
}

/* Tables are told of only where somebody asked: each event is a call. */
static struct pt_port port_table(void *arena)
{
	struct pt_port port = {
		.ctx = arena,
		.cpu_pin = cpu_pin,
		.cpu_unpin = cpu_unpin,
		.cpu_node = cpu_node,
		.section_enter = section_enter,
		.section_exit = section_exit,
		.phys_to_virt = phys_to_virt,
		.virt_to_phys = virt_to_phys,
		.wait_while = wait_while,
		.grace_start = port_grace_start,
		.grace_done = port_grace_done,
		.grace_wait = port_grace_wait,
		.flush = flush,
		.table_event = hosted_of(arena)->mmu.table ? table_event : NULL,
		.stop = stop,
	};

	return port;
}

/* Adds the arena's frames, in equal shares of whole sections for each node. */
static int sections_add(struct pt_hosted *hosted, const struct pt_config *core,
    const struct layout *at, char *start)
{
	int error = 0;

	for (uint64_t i = 0; i < at->sections && !error; i++) {
		pt_pfn first = i << core->section_shift;
		uint64_t frames = core->max_pfn - first;

		if (frames > UINT64_C(1) << core->section_shift)
			frames = UINT64_C(1) << core->section_shift;
		error = pt_section_add(hosted->memory, first, frames,
		    (unsigned)(i * core->nodes / at->sections),
		    start + at->words + i * at->section_size);
	}
	return error;
}

static int hosted_init(struct pt_hosted *hosted, const struct pt_config *core,
    const struct layout *at, char *start, bool boot)
{
	struct pt_port port = port_table(start + at->arena);
	int error = pt_memory_init(start + at->memory, (size_t)(at->words - at->memory), core,
	    &port, &hosted->memory);

	if (!error)
		error = sections_add(hosted, core, at, start);
	if (!error && !boot)
		error = pt_memory_online(hosted->memory);
	return error;
}

int pt_hosted_memory_create(const struct pt_hosted_config *config, struct pt_hosted **hosted)
{
	static const struct pt_hosted_config defaults;
	struct pt_config core = core_config(config ? config : &defaults);
	struct pt_hosted *h;
	struct layout at;
	char *mapping;
	char *start;
	int error;

	if (!hosted || !layout(&at, &core))
		return -PT_EINVAL;
	error = pt_hosted_thread_register(NULL);
	if (error)
		return error;
	mapping = mmap(NULL, (size_t)at.size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapping == MAP_FAILED)
		return -PT_ENOMEM;
	start = mapping + (-(uintptr_t)mapping & (ARENA_ALIGN - 1));
	h = hosted_of(start + at.arena);
	h->mapping = mapping;
	h->mapped = (size_t)at.size;
	h->nodes = core.nodes;
	if (config && config->mmu)
		h->mmu = *config->mmu;
	error = hosted_init(h, &core, &at, start, config && config->boot);
	if (error)
		pt_hosted_memory_discard(h);
	else
		*hosted = h;
	return error;
}

int pt_hosted_memory_destroy(struct pt_hosted *hosted, struct pt_leaks *leaks)
{
	int error;

	if (!hosted)
		return -PT_EINVAL;
	error = pt_memory_destroy(hosted->memory, leaks);
	if (!error)
		pt_hosted_memory_discard(hosted);
	return error;
}

void pt_hosted_memory_discard(struct pt_hosted *hosted)
{
	(void)munmap(hosted->mapping, hosted->mapped);
}

struct pt_memory *pt_hosted_memory(const struct pt_hosted *hosted)
{
	return hosted->memory;
}

void *pt_hosted_address(struct pt_hosted *hosted, pt_pa pa)
{
	return (char *)(hosted + 1) + pa.v;
}

void pt_hosted_flushes(const struct pt_hosted *hosted, struct pt_hosted_flushes *flushes)
{
	memset(flushes, 0, sizeof(*flushes));
	for (unsigned n = 0; n < PT_HOSTED_CPUS; n++) {
		flushes->calls += PT_LOAD(&hosted->flushes[n].calls, RELAXED);
		flushes->leaves += PT_LOAD(&hosted->flushes[n].leaves, RELAXED);
		flushes->tables += PT_LOAD(&hosted->flushes[n].tables, RELAXED);
		flushes->kernel += PT_LOAD(&hosted->flushes[n].kernel, RELAXED);
	}
}

void pt_hosted_on_stop(struct pt_hosted *hosted,
    void (*hook)(void *ctx, enum pt_stop code, const void *object), void *ctx)
{
	hosted->stop_hook = hook;
	hosted->stop_ctx = ctx;
}
