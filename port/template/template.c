/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Goes through docs/porting.md step by step; each comment that begins with a number is one. */
#include "port/template/template.h"

#include <ptdesc/atomic.h>
#include <ptdesc/boot.h>
#include <ptdesc/kernel.h>

void *memset(void *at, int byte, size_t size);

#define SECTION_BYTES (UINT64_C(1) << 24)
/* template_cpu_state.asked. */
#define ASKED         1u
#define ANSWERING     2u

#define FLUSH_PAGES 64u /* flushes of more pages than this are of everything */

/* 3. The direct map; before there is an MMU, map.direct is 0. */
static void *phys_to_virt(void *ctx, pt_pa pa)
{
	const struct template *t = ctx;

	return (void *)(uintptr_t)(t->map->direct + pa.v);
}

static pt_pa virt_to_phys(void *ctx, const void *address)
{
	const struct template *t = ctx;

	return pt_make_pa((uintptr_t)address - (uintptr_t)t->map->direct);
}

/*
 * 4. Here a thread never leaves its CPU and no interrupt handler calls the library. Else:
 * preemption off and, if irq, interrupts off.
 */
static unsigned cpu_pin(void *ctx, bool irq)
{
	(void)ctx;
	(void)irq;
	return template_cpu();
}

static void cpu_unpin(void *ctx, bool irq)
{
	(void)ctx;
	(void)irq;
}

/*
 * 5. Read sections, if you have no RCU. Either a grace period sees the section, or the section what
 * was unlinked before the period: that is what the fence is for. A handler that reads may come
 * anywhere in here: what it leaves is a section that has begun, or none.
 */
static void section_enter(void *ctx)
{
	struct template *t = ctx;
	struct template_cpu_state *me = &t->cpus[template_cpu()];

	PT_STORE(&me->nested, me->nested + 1, RELAXED);
	PT_COMPILER_FENCE();
	if (me->seen)
		return;
	if (!me->section)
		PT_STORE(&me->section, PT_LOAD(&t->epoch, RELAXED), RELAXED);
	PT_FENCE(SEQ_CST);
	me->seen = true;
}

static void section_exit(void *ctx)
{
	struct template *t = ctx;
	struct template_cpu_state *me = &t->cpus[template_cpu()];

	PT_STORE(&me->nested, me->nested - 1, RELAXED);
	PT_COMPILER_FENCE();
	if (me->nested)
		return;
	me->seen = false;
	PT_COMPILER_FENCE();
	PT_STORE(&me->section, 0, RELEASE);
}

/* 32 bits, also where nothing wider can be stored at once; 0 is no epoch. */
static uint64_t grace_start(void *ctx)
{
	struct template *t = ctx;
	uint32_t now;

	do
		now = PT_FETCH_ADD(&t->epoch, 1, SEQ_CST) + 1;
	while (!now);
	PT_FENCE(SEQ_CST);
	return now;
}

static bool grace_done(void *ctx, uint64_t cookie)
{
	struct template *t = ctx;

	for (unsigned i = 0; i < TEMPLATE_CPUS; i++) {
		uint32_t section = PT_LOAD(&t->cpus[i].section, ACQUIRE);

		if (section && (int32_t)(section - (uint32_t)cookie) < 0)
			return false;
	}
	return true;
}

static void grace_wait(void *ctx, uint64_t cookie)
{
	while (!grace_done(ctx, cookie)) {
		template_answer(ctx);
		template_relax();
	}
}

/* 6. Who waits answers: the holder of the lock may be waiting for that. In the loop itself, so that
 * interrupts may be off. */
static void wait_while(void *ctx, const uint32_t *address, uint32_t value)
{
	while (PT_LOAD(address, RELAXED) == value) {
		template_answer(ctx);
		template_relax();
	}
}

/* 7. What a request means for one CPU. Not every flush of a page reaches walk caches (RISC-V's does
 * not), and none loads a root again. */
static void flush_here(const struct template *t, const struct pt_flush *what)
{
	unsigned shift = t->map->format->page_shift;
	uint64_t pages = ((what->last.v - what->start.v) >> shift) + 1;

	if (pages > FLUSH_PAGES || what->tables) {
		template_flush_all();
		return;
	}
	for (uint64_t i = 0; i < pages; i++)
		template_flush_page(what->start.v + (i << shift));
}

/* Called by the loops and by the handler that interrupts them: one of the two takes a request on.
 */
void template_answer(struct template *t)
{
	struct template_cpu_state *me = &t->cpus[template_cpu()];
	uint32_t asked = ASKED;

	if (!PT_CAS(&me->asked, &asked, ANSWERING, ACQUIRE))
		return;
	flush_here(t, &t->request);
	PT_STORE(&me->asked, 0, RELEASE);
}

/* One request at a time; who waits for its turn answers the one before. A CPU that does not run the
 * space (what->cookie) and never has need not be asked: worth it with many CPUs. */
static void flush(void *ctx, const struct pt_flush *what)
{
	struct template *t = ctx;
	unsigned me = template_cpu();
	uint32_t free = 0;

	flush_here(t, what);
	for (; !PT_CAS(&t->request_lock, &free, 1, ACQUIRE); free = 0)
		wait_while(t, &t->request_lock, 1);
	t->request = *what;
	/* Either this sees that a CPU is up, or that CPU flushes after what was changed here. */
	PT_FENCE(SEQ_CST);
	for (unsigned i = 0; i < TEMPLATE_CPUS; i++) {
		if (i == me || !PT_LOAD(&t->cpus[i].up, ACQUIRE))
			continue;
		PT_STORE(&t->cpus[i].asked, ASKED, RELEASE);
		template_interrupt(i);
	}
	for (unsigned i = 0; i < TEMPLATE_CPUS; i++)
		while (PT_LOAD(&t->cpus[i].asked, ACQUIRE))
			template_relax();
	PT_STORE(&t->request_lock, 0, RELEASE);
}

/* 8. */
static void stop(void *ctx, enum pt_stop code, const void *object)
{
	(void)ctx;
	template_stop(code, object);
}

static struct pt_port port_of(struct template *t)
{
	const struct pt_port port = {
		.ctx = t,
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
		.flush = flush,
		.stop = stop,
	};

	return port;
}

/* 2. Frames that hold something, or nothing, are nobody's: those of each section on its own. */
static int keep(struct template *t, uint64_t base, uint64_t size)
{
	unsigned shift = t->map->format->page_shift;
	int error = 0;

	while (size && !error) {
		uint64_t here = SECTION_BYTES - base % SECTION_BYTES;

		if (here > size)
			here = size;
		error = pt_boot_keep(t->memory, base >> shift, here >> shift);
		base += here;
		size -= here;
	}
	return error;
}

/* 2. Sections begin at multiples of their size: the first may begin before the RAM does. */
static int add_frames(struct template *t, const struct pt_config *config, char *words)
{
	uint64_t ram = t->map->ram.base;
	uint64_t in_section = UINT64_C(1) << config->section_shift;
	pt_pfn first = (ram & ~(SECTION_BYTES - 1)) >> config->page_shift;
	int error = 0;

	for (pt_pfn at = first; at < config->max_pfn && !error; at += in_section) {
		uint64_t left = config->max_pfn - at;

		error =
		    pt_section_add(t->memory, at, left < in_section ? left : in_section, 0, words);
		words += pt_section_size(config);
	}
	if (!error)
		error = keep(t, ram & ~(SECTION_BYTES - 1), ram & (SECTION_BYTES - 1));
	for (const struct template_range *r = t->map->kept; r->size && !error; r++)
		error = keep(t, r->base, r->size);
	return error;
}

/* 1. Every range in whole pages, and what is kept below the end. */
static int check_map(const struct template_map *map, uint64_t end)
{
	uint64_t mask = (UINT64_C(1) << map->format->page_shift) - 1;

	if ((map->ram.base | map->ram.size) & mask)
		return -PT_EALIGN;
	for (const struct template_range *r = map->kept; r->size; r++) {
		if ((r->base | r->size) & mask)
			return -PT_EALIGN;
		if (r->base < map->ram.base || r->base + r->size > end)
			return -PT_EINVAL;
	}
	return 0;
}

/* 2. The memory's own state, and the words of its frames, are at the end of the RAM. */
int template_memory(struct template *t, const struct template_map *map)
{
	const struct pt_port port = port_of(t);
	unsigned shift = map->format->page_shift;
	uint64_t end = map->ram.base + map->ram.size;
	uint64_t sections = (end - 1) / SECTION_BYTES - map->ram.base / SECTION_BYTES + 1;
	struct pt_config config = {
		.page_shift = shift,
		.cpus = TEMPLATE_CPUS,
		.nodes = 1,
		.section_shift = 24 - shift,
		.max_pfn = end >> shift,
		.magazine = 16,
		.classes = 8,
	};
	size_t block_size = (pt_memory_size(&config) + 63) & ~(size_t)63;
	uint64_t own = block_size + sections * pt_section_size(&config);
	char *block;
	int error;

	if (!map->ram.size || !block_size || own >= map->ram.size)
		return -PT_EINVAL;
	t->map = map;
	t->epoch = 1;
	config.max_pfn = (end - own) >> shift;
	error = check_map(map, config.max_pfn << shift);
	if (error)
		return error;
	block = phys_to_virt(t, pt_make_pa(config.max_pfn << shift));
	memset(block, 0, own);
	error = pt_memory_init(block, block_size, &config, &port, &t->memory);
	if (!error)
		error = add_frames(t, &config, block + block_size);
	return error ? error : pt_memory_online(t->memory);
}

/* 9. Which entries of the kernel's root are to be in every other root. */
static int is_mapped(void *ctx, const struct pt_piece *piece)
{
	(void)ctx;
	(void)piece;
	return 1;
}

static int find_slots(struct template *t)
{
	const struct pt_format *f = t->map->format;
	unsigned shift = pt_format_shift(f, f->levels - 1u);
	uint64_t high = f->flags & PT_FORMAT_SIGNED ? UINT64_MAX << (f->va_bits - 1) : 0;

	t->slots = 0;
	for (unsigned i = 0; i < 1u << f->bits[f->levels - 1u]; i++) {
		uint64_t va = (uint64_t)i << shift;

		va = va & high ? va | high : va;
		if (!pt_walk(&t->kernel, pt_make_va(va), UINT64_C(1) << shift, is_mapped, NULL))
			continue;
		if (t->slots == TEMPLATE_SLOTS)
			return -PT_ENOTSUP;
		t->slot[t->slots++] = i;
	}
	return 0;
}

int template_kernel(struct template *t)
{
	const struct template_map *map = t->map;
	uint32_t flags = PT_READ | PT_WRITE | PT_ACCESSED | PT_DIRTY;
	pt_attr device = pt_make_attr(flags | pt_attr_type(PT_TYPE_DEVICE));
	int error =
	    pt_space_init(&t->kernel, t->memory, map->format, PT_SPACE_KERNEL | PT_SPACE_MMU, t);

	if (!error)
		error = pt_direct_map(&t->kernel, pt_make_va(map->direct + map->ram.base),
		    map->ram.size, pt_make_pa(map->ram.base), PT_RELAX);
	for (const struct template_range *r = map->device; r->size && !error; r++)
		error = pt_map(&t->kernel, pt_make_va(map->direct + r->base), r->size,
		    pt_make_pa(r->base), device, PT_RELAX);
	return error ? error : find_slots(t);
}

void template_cpu_up(struct template *t)
{
	struct pt_root root = pt_space_root(&t->kernel);

	template_set_root(&root);
	/* From here on requests reach this CPU; what it has walked before may be obsolete. */
	PT_STORE(&t->cpus[template_cpu()].up, 1, RELEASE);
	PT_FENCE(SEQ_CST);
	template_flush_all();
}

/* 10. Root entries as they are in memory. Nothing walks a root when this is done to it, so that 8
 * bytes may be written in two halves. */
static void *entry_at(const struct pt_space *space, unsigned slot)
{
	return (char *)space->top + (size_t)slot * space->format->entry_bytes;
}

static uint64_t load(const struct pt_space *space, unsigned slot)
{
	const void *entry = entry_at(space, slot);

	return space->format->entry_bytes == 8 ? *(const volatile uint64_t *)entry
					       : *(const volatile uint32_t *)entry;
}

static void store(struct pt_space *space, unsigned slot, uint64_t value)
{
	void *entry = entry_at(space, slot);

	if (space->format->entry_bytes == 8)
		*(volatile uint64_t *)entry = value;
	else
		*(volatile uint32_t *)entry = (uint32_t)value;
}

/* The space's own entry may be a table, where roots are loaded. */
int template_space_init(struct template *t, struct template_space *s)
{
	int error = pt_space_init(&s->space, t->memory, t->map->format, PT_SPACE_MMU, s);

	for (unsigned i = 0; i < t->slots && !error; i++) {
		s->own[i] = load(&s->space, t->slot[i]);
		store(&s->space, t->slot[i], load(&t->kernel, t->slot[i]));
	}
	return error;
}

int template_space_destroy(struct template *t, struct template_space *s)
{
	for (unsigned i = 0; i < t->slots; i++)
		store(&s->space, t->slot[i], s->own[i]);
	return pt_space_destroy(&s->space, NULL);
}

/* 11. Some MMUs keep what they have refused. */
int template_fault(struct pt_space *space, uint64_t va, uint32_t access)
{
	int error = pt_access_fault(space, pt_make_va(va), access);

	if (!error)
		template_flush_page(va);
	return error;
}
