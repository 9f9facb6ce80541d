/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <ptdesc/atomic.h>
#include <ptdesc/kernel.h>

#include "port/bare/common/bare.h"
#include "port/bare/common/machine.h"
#include "port/bare/common/print.h"

void *memset(void *to, int byte, size_t size);

/* Flushes of more pages than this are of everything. */
#define FLUSH_PAGES 64u

/* What others look at, each CPU's in a line of its own. */
struct cpu {
	uint32_t section; /* epoch that its read section began in; 0: it is in none */
	uint32_t nested;
	uint32_t asked; /* it must flush what the request says */
	uint32_t up;
} __attribute__((aligned(64)));

static struct cpu cpus[MACHINE_CPUS];
static uint32_t epoch = 1;
static uint32_t request_lock;
static struct pt_flush request;

const struct machine_variant *bare_variant(void)
{
	return &machine.variants[machine_parameters() & 255];
}

void *bare_at(uint64_t pa)
{
	return (void *)(uintptr_t)(machine.direct + pa);
}

uint64_t bare_pa(const void *at)
{
	return (uintptr_t)at - machine.direct;
}

/* A thread never leaves its CPU, and no interrupt handler calls the library. */
static unsigned cpu_pin(void *ctx, bool irq)
{
	(void)ctx;
	(void)irq;
	return machine_cpu();
}

static void cpu_unpin(void *ctx, bool irq)
{
	(void)ctx;
	(void)irq;
}

/* No handler here calls the library; where one does, see port/template. */
static void section_enter(void *ctx)
{
	struct cpu *me = &cpus[machine_cpu()];

	(void)ctx;
	if (me->nested++)
		return;
	PT_STORE(&me->section, PT_LOAD(&epoch, RELAXED), RELAXED);
	/* Either a grace period sees the section, or the section what was unlinked before it. */
	PT_FENCE(SEQ_CST);
}

static void section_exit(void *ctx)
{
	struct cpu *me = &cpus[machine_cpu()];

	(void)ctx;
	if (!--me->nested)
		PT_STORE(&me->section, 0, RELEASE);
}

static void *phys_to_virt(void *ctx, pt_pa pa)
{
	(void)ctx;
	return bare_at(pa.v);
}

static pt_pa virt_to_phys(void *ctx, const void *address)
{
	(void)ctx;
	return pt_make_pa(bare_pa(address));
}

/* Interrupts are on, so that requests of others are answered. */
static void wait_while(void *ctx, const uint32_t *address, uint32_t value)
{
	(void)ctx;
	while (PT_LOAD(address, RELAXED) == value)
		machine_relax();
}

/*
 * Epochs are 32 bits wide, also where nothing wider can be stored at once. A CPU would have to stay
 * in one section while 2^31 periods are started before its age was read the wrong way round.
 */
static uint64_t grace_start(void *ctx)
{
	uint32_t now;

	(void)ctx;
	do
		now = PT_FETCH_ADD(&epoch, 1, SEQ_CST) + 1;
	while (!now);
	PT_FENCE(SEQ_CST);
	return now;
}

static bool grace_done(void *ctx, uint64_t cookie)
{
	(void)ctx;
	for (unsigned i = 0; i < machine.cpus; i++) {
		uint32_t section = PT_LOAD(&cpus[i].section, ACQUIRE);

		if (section && (int32_t)(section - (uint32_t)cookie) < 0)
			return false;
	}
	return true;
}

static void grace_wait(void *ctx, uint64_t cookie)
{
	while (!grace_done(ctx, cookie))
		machine_relax();
}

/* Is it cheaper, or needed, to flush everything. */
static bool flushes_all(const struct pt_flush *what, uint64_t pages)
{
	const struct pt_format *f = bare_variant()->format;

	if (what->tables && machine.leaves_only)
		return true;
	if (what->tables >> (f->levels - 1) & 1 && f->flags & PT_FORMAT_LOADED_ROOT)
		return true;
	/* The kernel's own addresses have other high bits than the request. */
	return pages > FLUSH_PAGES || (machine.split && what->kernel);
}

static void flush(const struct pt_flush *what, bool broadcast)
{
	unsigned shift = bare_variant()->format->page_shift;
	uint64_t pages = ((what->last.v - what->start.v) >> shift) + 1;

	if (flushes_all(what, pages)) {
		machine_flush_all(broadcast);
		return;
	}
	for (uint64_t i = 0; i < pages; i++)
		machine_flush_page(what->start.v + (i << shift), broadcast);
}

void bare_flush_here(const struct pt_flush *what)
{
	flush(what, false);
}

/* One request at a time; who waits for its turn answers that of the other. */
void bare_flush(void *ctx, const struct pt_flush *what)
{
	unsigned me = machine_cpu();
	uint32_t free = 0;

	(void)ctx;
	flush(what, machine.broadcasts);
	if (machine.broadcasts)
		return;
	for (; !PT_CAS(&request_lock, &free, 1, ACQUIRE); free = 0)
		machine_relax();
	request = *what;
	/* Either this sees that a CPU is up, or that CPU flushes after what was changed here. */
	PT_FENCE(SEQ_CST);
	for (unsigned i = 0; i < machine.cpus; i++) {
		if (i == me || !PT_LOAD(&cpus[i].up, ACQUIRE))
			continue;
		PT_STORE(&cpus[i].asked, 1, RELEASE);
		machine_interrupt(i);
	}
	for (unsigned i = 0; i < machine.cpus; i++)
		while (PT_LOAD(&cpus[i].asked, ACQUIRE))
			machine_relax();
	PT_STORE(&request_lock, 0, RELEASE);
}

void bare_interrupted(void)
{
	struct cpu *me = &cpus[machine_cpu()];

	if (!PT_LOAD(&me->asked, ACQUIRE))
		return;
	flush(&request, false);
	PT_STORE(&me->asked, 0, RELEASE);
}

void bare_cpu_up(void)
{
	PT_STORE(&cpus[machine_cpu()].up, 1, RELEASE);
	PT_FENCE(SEQ_CST);
	machine_flush_all(false);
}

static void stop(void *ctx, enum pt_stop code, const void *object)
{
	(void)ctx;
	print("not ok - the library stopped with code %u at %lx\n", code, (unsigned long)object);
	machine_exit(100 + (int)code);
}

struct pt_port bare_port(void)
{
	struct pt_port port = {
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
		.flush = bare_flush,
		.stop = stop,
	};

	return port;
}

/* Adds the frames from first up to config's end, a section at a time. */
static int sections_add(struct pt_memory *memory, const struct pt_config *config, pt_pfn first,
    char *words)
{
	uint64_t in_section = UINT64_C(1) << config->section_shift;
	int error = 0;

	for (; first < config->max_pfn && !error; first += in_section) {
		uint64_t frames = config->max_pfn - first;

		error = pt_section_add(memory, first, frames < in_section ? frames : in_section, 0,
		    words);
		words += pt_section_size(config);
	}
	return error;
}

int bare_memory(uint64_t base, uint64_t size, unsigned page_shift, const struct pt_port *port,
    struct pt_memory **memory)
{
	struct pt_config config = {
		.page_shift = page_shift,
		.cpus = machine.cpus,
		.nodes = 1,
		.section_shift = BARE_MEMORY_SHIFT - page_shift,
		.max_pfn = (base + size) >> page_shift,
		.magazine = 8,
		.classes = 8,
	};
	size_t block_size = (pt_memory_size(&config) + 63) & ~(size_t)63;
	size_t own = block_size + (size >> BARE_MEMORY_SHIFT) * pt_section_size(&config);
	uint64_t end = (base + size - own) >> page_shift << page_shift;
	char *block = bare_at(end);
	int error;

	config.max_pfn = end >> page_shift;
	memset(block, 0, own);
	error = pt_memory_init(block, block_size, &config, port, memory);
	if (!error)
		error = sections_add(*memory, &config, base >> page_shift, block + block_size);
	return error ? error : pt_memory_online(*memory);
}

pt_va bare_kernel_va(const struct pt_space *space, uint64_t pa)
{
	uint64_t mask = machine.split ? (UINT64_C(1) << space->format->va_bits) - 1 : UINTPTR_MAX;

	return pt_make_va((machine.direct + pa) & mask);
}

/* Makes a range of the kernel's executable, so that it says nothing of execution. */
static int map_direct(struct pt_space *space, uint64_t pa, uint64_t size)
{
	pt_va va = bare_kernel_va(space, pa);
	int error = pt_direct_map(space, va, size, pt_make_pa(pa), PT_RELAX);

	return error ? error : pt_set_memory_x(space, va, size, 0);
}

static int map_device(struct pt_space *space, const struct machine_device *device)
{
	uint32_t marks = (PT_ACCESSED | PT_DIRTY) & space->format->attrs;
	uint32_t flags = PT_READ | PT_WRITE | PT_EXEC | pt_attr_type(PT_TYPE_DEVICE);

	/* A test may switch off the MMU's marking. */
	return pt_map(space, bare_kernel_va(space, device->pa), device->size,
	    pt_make_pa(device->pa), pt_make_attr(flags | marks), PT_RELAX);
}

int bare_kernel_space(struct pt_space *space, struct pt_memory *memory,
    const struct pt_format *format)
{
	uint32_t flags = PT_SPACE_KERNEL | PT_SPACE_MMU;
	int error = pt_space_init(space, memory, format, flags, space);

	if (!error)
		error = map_direct(space, machine.ram, machine.ram_size);
	if (!error)
		error = pt_set_memory_ro(space, bare_kernel_va(space, bare_pa(image_start)),
		    (uint64_t)(image_data - image_start), 0);
	for (const struct machine_device *d = machine.devices; !error && d->size; d++)
		error = map_device(space, d);
	return error;
}
