/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The life of a struct pt_memory, and its counts. The block that the caller gave is cut up once,
 * by layout(), and never grows.
 */
#include "core/memory.h"

#if UINTPTR_MAX > 0xffffffffu
#define MAX_SECTION_SHIFT 20u
#else
#define MAX_SECTION_SHIFT 12u /* links in a free head have 12 bits each */
#endif

#define MAX_CPUS     4096u
#define MAX_NODES    64u
#define MAX_MAGAZINE 512u

PT_STATIC_ASSERT(MAX_SECTION_SHIFT < PT_BLOCK_ORDERS, "a section has a list for each order");

/* Offsets into the block, in bytes. */
struct layout {
	uint64_t size;
	uint64_t nodes;
	uint64_t cpus;
	uint64_t sections;
	uint64_t classes;
	uint64_t frames;      /* pt_pfn, the frame magazines of all CPUs */
	uint64_t tables;      /* struct pt_table_magazine of all CPUs */
	uint64_t ready;       /* struct ptdesc *, the table magazines of all CPUs */
	uint64_t node_tables; /* of all CPUs */
	uint64_t table_slots; /* of one CPU, as what follows */
	uint64_t ready_slots;
	uint64_t node_slots;
	uint32_t frame_slots;
	uint32_t section_count;
};

static bool in_range(uint64_t value, uint64_t least, uint64_t most)
{
	return value >= least && value <= most;
}

static bool config_valid(const struct pt_config *config)
{
	if (!in_range(config->page_shift, 4, 20) || !in_range(config->cpus, 1, MAX_CPUS))
		return false;
	if (!in_range(config->nodes, 1, MAX_NODES) || !in_range(config->classes, 1, PT_MAX_CLASSES))
		return false;
	if (!in_range(config->section_shift, 1, MAX_SECTION_SHIFT))
		return false;
	return in_range(config->magazine, 2, MAX_MAGAZINE) &&
	       in_range(config->max_pfn, 1, UINT64_C(1) << PT_WORD_PFN_BITS);
}

/* Frame blocks of an order that one CPU keeps back: less of what is larger. */
static uint32_t magazine_depth(const struct pt_config *config, unsigned order)
{
	uint32_t depth = config->magazine >> order;

	if (order > config->section_shift)
		return 0;
	return depth < 2 ? 2 : depth;
}

/* Sets room aside for count things of size bytes, aligned to align; its offset. */
static uint64_t place(struct layout *at, uint64_t count, uint64_t size, uint64_t align)
{
	uint64_t offset = (at->size + align - 1) & ~(align - 1);

	at->size = offset + count * size;
	return offset;
}

/* So many things of size bytes, a power of two, that a CPU's share ends where a line does. */
static uint64_t share(uint64_t count, uint64_t size)
{
	uint64_t line = PT_CACHE_LINE / size;

	return (count + line - 1) & ~(line - 1);
}

static bool layout(struct layout *at, const struct pt_config *config)
{
	uint64_t sections = ((config->max_pfn - 1) >> config->section_shift) + 1;
	uint64_t cpus = config->cpus;

	if (sections > UINT32_MAX)
		return false;
	at->size = sizeof(struct pt_memory);
	at->section_count = (uint32_t)sections;
	at->frame_slots = 0;
	for (unsigned order = 0; order < PT_MAGAZINE_ORDERS; order++)
		at->frame_slots += magazine_depth(config, order);
	at->frame_slots = (uint32_t)share(at->frame_slots, sizeof(pt_pfn));
	at->table_slots = share(config->classes, sizeof(struct pt_table_magazine));
	at->ready_slots =
	    share((uint64_t)config->classes * config->magazine, sizeof(struct ptdesc *));
	at->node_slots = share(config->nodes, sizeof(intptr_t));
	at->nodes = place(at, config->nodes, sizeof(struct pt_node), PT_CACHE_LINE);
	at->cpus = place(at, cpus, sizeof(struct pt_cpu), PT_CACHE_LINE);
	at->sections = place(at, sections, sizeof(struct pt_section *), PT_CACHE_LINE);
	at->classes = place(at, config->classes, sizeof(struct pt_class), PT_CACHE_LINE);
	at->frames = place(at, cpus * at->frame_slots, sizeof(pt_pfn), PT_CACHE_LINE);
	at->tables =
	    place(at, cpus * at->table_slots, sizeof(struct pt_table_magazine), PT_CACHE_LINE);
	at->ready = place(at, cpus * at->ready_slots, sizeof(struct ptdesc *), PT_CACHE_LINE);
	at->node_tables = place(at, cpus * at->node_slots, sizeof(intptr_t), PT_CACHE_LINE);
	return at->size <= SIZE_MAX / 2;
}

size_t pt_memory_size(const struct pt_config *config)
{
	struct layout at;

	if (!config || !config_valid(config) || !layout(&at, config))
		return 0;
	return (size_t)at.size;
}

static bool grace_valid(const struct pt_port *port)
{
	return port->grace_start && port->grace_done && port->grace_wait;
}

static bool frames_valid(const struct pt_port *port)
{
	if (!port->frame_alloc != !port->frame_free)
		return false;
	/* Our own allocator keeps what is free in words of sections. */
	return !port->memdesc_slot || port->frame_alloc;
}

/* A port that leaves out what has no default, or half of a pair, cannot work. */
static bool port_valid(const struct pt_port *port)
{
	if (!port->cpu_pin || !port->cpu_unpin || !port->section_enter || !port->section_exit)
		return false;
	if (!port->phys_to_virt || !port->virt_to_phys || !port->wait_while)
		return false;
	return grace_valid(port) && frames_valid(port);
}

static void cpu_init(struct pt_memory *memory, char *block, const struct layout *at, unsigned n)
{
	const struct pt_config *config = &memory->config;
	struct pt_cpu *cpu = &memory->cpus[n];
	pt_pfn *frames = (pt_pfn *)(block + at->frames) + (size_t)n * at->frame_slots;
	struct ptdesc **ready =
	    (struct ptdesc **)(block + at->ready) + (size_t)(n * at->ready_slots);

	cpu->tables =
	    (struct pt_table_magazine *)(block + at->tables) + (size_t)(n * at->table_slots);
	cpu->node_tables = (intptr_t *)(block + at->node_tables) + (size_t)(n * at->node_slots);
	cpu->batch = PT_BATCH_OF(config->magazine);
	cpu->node = n * config->nodes / config->cpus;
	if (memory->port.cpu_node)
		cpu->node = memory->port.cpu_node(memory->port.ctx, n) % config->nodes;
	for (unsigned order = 0; order < PT_MAGAZINE_ORDERS; order++) {
		cpu->frames[order].depth = magazine_depth(config, order);
		cpu->frames[order].frames = frames;
		frames += cpu->frames[order].depth;
	}
	for (unsigned id = 0; id < config->classes; id++)
		cpu->tables[id].tables = ready + (size_t)id * config->magazine;
}

static void memory_init(struct pt_memory *memory, char *block, const struct layout *at)
{
	memory->section_count = at->section_count;
	memory->section_mask = (UINT64_C(1) << memory->config.section_shift) - 1;
	memory->nodes = (struct pt_node *)(block + at->nodes);
	memory->cpus = (struct pt_cpu *)(block + at->cpus);
	memory->sections = (struct pt_section **)(block + at->sections);
	memory->classes = (struct pt_class *)(block + at->classes);
	for (unsigned n = 0; n < memory->config.cpus; n++)
		cpu_init(memory, block, at, n);
	PT_STORE(&memory->stage, PT_STAGE_BOOT, RELAXED);
}

static bool can_work(const struct pt_config *config, const struct pt_port *port, struct layout *at)
{
	return config && port && config_valid(config) && port_valid(port) && layout(at, config);
}

int pt_memory_init(void *block, size_t size, const struct pt_config *config,
    const struct pt_port *port, struct pt_memory **memory)
{
	struct pt_memory *m = block;
	struct layout at;
	int error;

	if (!block || (uintptr_t)block % PT_CACHE_LINE || !memory)
		return -PT_EINVAL;
	if (!can_work(config, port, &at) || size < at.size)
		return -PT_EINVAL;
	memset(block, 0, (size_t)at.size);
	m->port = *port;
	m->config = *config;
	memory_init(m, block, &at);
	error = pt_slab_online(m); /* so that a cache used too early finds no memory, and no more */
	if (!error)
		*memory = m;
	return error;
}

int pt_memory_online(struct pt_memory *memory)
{
	int error;

	if (!memory)
		return -PT_EINVAL;
	if (PT_LOAD(&memory->stage, RELAXED) != PT_STAGE_BOOT)
		return -PT_ESTAGE;
	/* What follows needs frames, so the stage comes first and goes back on failure. */
	PT_STORE(&memory->stage, PT_STAGE_ONLINE, RELAXED);
	error = pt_tables_online(memory);
	if (!error)
		error = pt_boot_adopt(memory);
	if (!error)
		return 0;
	for (unsigned n = 0; n < memory->config.cpus; n++)
		(void)pt_magazines_drain(memory, &memory->cpus[n]);
	PT_STORE(&memory->stage, PT_STAGE_BOOT, RELAXED);
	return error;
}

/* Adds up what the nodes say of their frames. */
static void node_stats(const struct pt_memory *memory, struct pt_memory_stats *stats)
{
	for (unsigned n = 0; n < memory->config.nodes; n++) {
		struct pt_node *node = &memory->nodes[n];

		(void)pt_pin(memory);
		port_lock(&memory->port, &node->lock);
		stats->frames += node->frames;
		stats->free_frames += node->free_frames;
		stats->reserved += node->reserved;
		port_unlock(&memory->port, &node->lock);
		pt_unpin(memory);
	}
}

static uint64_t magazine_frames(const struct pt_cpu *cpu)
{
	uint64_t frames = 0;

	for (unsigned order = 0; order < PT_MAGAZINE_ORDERS; order++)
		frames += (uint64_t)PT_LOAD(&cpu->frames[order].count, RELAXED) << order;
	return frames;
}

static uint64_t table_count(const struct pt_memory *memory)
{
	intptr_t tables = 0;

	for (unsigned n = 0; n < memory->config.cpus; n++)
		tables += PT_LOAD(&memory->cpus[n].tables_count, RELAXED);
	return tables < 0 ? 0 : (uint64_t)tables;
}

uint64_t pt_memory_shrink(struct pt_memory *memory)
{
	uint64_t frames;
	struct pt_cpu *cpu;

	(void)pt_reclaim_poll(memory, true);
	PT_FETCH_ADD(&memory->pressure, 1, RELAXED);
	cpu = pt_pin(memory);
	frames = pt_magazines_drain(memory, cpu);
	pt_unpin(memory);
	return frames + pt_slab_shrink_all(memory);
}

uint64_t pt_node_table_frames(const struct pt_memory *memory, unsigned node)
{
	intptr_t frames = 0;

	if (node >= memory->config.nodes)
		return 0;
	for (unsigned n = 0; n < memory->config.cpus; n++)
		frames += PT_LOAD(&memory->cpus[n].node_tables[node], RELAXED);
	return frames < 0 ? 0 : (uint64_t)frames;
}

static uint64_t deferred_tables(const struct pt_cpu *cpu)
{
	uint64_t tables = PT_LOAD(&cpu->filling.count, RELAXED);
	uint32_t first = PT_LOAD(&cpu->waiting_first, RELAXED);
	uint32_t count = PT_LOAD(&cpu->waiting_count, RELAXED);

	for (uint32_t i = 0; i < count; i++)
		tables += PT_LOAD(&cpu->waiting[(first + i) % PT_BATCHES].count, RELAXED);
	return tables;
}

static void cpu_stats(const struct pt_memory *memory, const struct pt_cpu *cpu,
    struct pt_memory_stats *stats)
{
	for (unsigned id = 0; id < memory->config.classes; id++)
		stats->ready += PT_LOAD(&cpu->tables[id].count, RELAXED);
	stats->free_frames += magazine_frames(cpu);
	stats->deferred += deferred_tables(cpu);
	stats->magazine_hits += PT_LOAD(&cpu->magazine_hits, RELAXED);
	stats->magazine_misses += PT_LOAD(&cpu->magazine_misses, RELAXED);
}

void pt_memory_stats(const struct pt_memory *memory, struct pt_memory_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	node_stats(memory, stats);
	stats->tables = table_count(memory);
	for (unsigned node = 0; node < memory->config.nodes; node++)
		stats->table_frames += pt_node_table_frames(memory, node);
	for (unsigned n = 0; n < memory->config.cpus; n++)
		cpu_stats(memory, &memory->cpus[n], stats);
	stats->slab_frames = PT_LOAD(&memory->slab_frames, RELAXED);
	stats->descriptors = PT_LOAD(&memory->descriptors.objects, RELAXED);
	stats->page_word_bytes = stats->frames * sizeof(struct pt_page);
	stats->relaxed = PT_LOAD(&memory->relaxed, RELAXED);
}

/* True when something is left that was allocated and not freed. */
static bool leaks_find(struct pt_memory *memory, struct pt_leaks *leaks)
{
	struct pt_memory_stats stats;

	pt_memory_stats(memory, &stats);
	leaks->frames = memory->port.frame_alloc
			    ? PT_LOAD(&memory->source_frames, RELAXED)
			    : stats.frames - stats.reserved - stats.free_frames;
	leaks->tables = stats.tables;
	leaks->objects = pt_slab_objects(memory);
	return leaks->frames + leaks->tables + leaks->objects != 0;
}

int pt_memory_destroy(struct pt_memory *memory, struct pt_leaks *leaks)
{
	struct pt_leaks found;

	if (!memory)
		return -PT_EINVAL;
	(void)pt_reclaim_poll(memory, true);
	for (unsigned n = 0; n < memory->config.cpus; n++)
		(void)pt_magazines_drain(memory, &memory->cpus[n]);
	(void)pt_slab_shrink_all(memory);
	if (!leaks)
		leaks = &found;
	if (leaks_find(memory, leaks))
		return -PT_EBUSY;
	PT_STORE(&memory->stage, 0, RELAXED);
	return 0;
}

uint64_t pt_memory_fail_at(struct pt_memory *memory, uint64_t nth, bool forever)
{
	uint64_t asked = PT_LOAD(&memory->fail_count, RELAXED);

	PT_STORE(&memory->fail_armed, 0, RELAXED);
	PT_STORE(&memory->fail_count, 0, RELAXED);
	PT_STORE(&memory->fail_nth, nth > UINTPTR_MAX ? UINTPTR_MAX : (uintptr_t)nth, RELAXED);
	PT_STORE(&memory->fail_forever, forever, RELAXED);
	PT_STORE(&memory->fail_armed, nth != 0, RELAXED);
	return asked;
}

bool pt_fail_slow(struct pt_memory *memory)
{
	uintptr_t nth = PT_LOAD(&memory->fail_nth, RELAXED);
	uintptr_t n = PT_FETCH_ADD(&memory->fail_count, 1, RELAXED) + 1;

	return PT_LOAD(&memory->fail_forever, RELAXED) ? n >= nth : n == nth;
}
