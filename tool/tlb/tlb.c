/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The TLBs of all CPUs: opening, flushing, generations, failures. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <ptdesc/atomic.h>

#include "tool/tlb/tlb_internal.h"

/* --- generations ----------------------------------------------------------------------------- */

static bool generations_open(struct tlb_generations *g, uint64_t bytes, unsigned shift)
{
	g->shift = shift;
	g->units = bytes >> shift;
	g->of = g->units ? calloc(g->units, sizeof(*g->of)) : NULL;
	return g->of || !g->units;
}

uint32_t generation_of(const struct tlb_generations *g, uint64_t pa)
{
	uint64_t unit = pa >> g->shift;

	return unit < g->units ? PT_LOAD(&g->of[unit], ACQUIRE) : 0;
}

static void generation_ends(struct tlb_generations *g, uint64_t pa, uint64_t size)
{
	for (uint64_t unit = pa >> g->shift; unit < g->units && unit << g->shift < pa + size;
	    unit++)
		(void)PT_FETCH_ADD(&g->of[unit], 1, ACQ_REL);
}

int tlb_table(void *ctx, pt_pa pa, size_t size, unsigned level, bool start)
{
	struct tlb *tlb = ctx;

	(void)size;
	(void)level;
	/* Entries hold where a table begins. */
	if (!start)
		generation_ends(&tlb->tables, pa.v, 1);
	return 0;
}

void tlb_released(struct tlb *tlb, uint64_t pa, uint64_t size)
{
	generation_ends(&tlb->frames, pa, size);
}

/* --- failures -------------------------------------------------------------------------------- */

void tlb_fail(struct tlb *tlb, unsigned cpu, const char *what, const struct tlb_entry *entry,
    bool table)
{
	pthread_mutex_lock(&tlb->failing);
	if (!tlb->failed)
		snprintf(tlb->failure, sizeof(tlb->failure),
		    "CPU %u: %s: %s of level %u, va %#" PRIx64 ", pa %#" PRIx64, cpu, what,
		    table ? "table" : "leaf", entry->level, entry->tag << tlb->shift[entry->level],
		    entry->pa);
	PT_STORE(&tlb->failed, 1, RELEASE);
	pthread_mutex_unlock(&tlb->failing);
}

const char *tlb_failure(const struct tlb *tlb)
{
	return PT_LOAD(&tlb->failed, ACQUIRE) ? tlb->failure : NULL;
}

/* --- opening --------------------------------------------------------------------------------- */

static unsigned smallest_table(const struct pt_format *format)
{
	unsigned shift = 63;

	for (unsigned l = 0; l < format->levels; l++)
		while ((format->tables[l].size >> shift) == 0)
			shift--;
	return shift;
}

static struct tlb_mark mark_of(const struct pt_format *format, unsigned level, uint32_t mark)
{
	const uint32_t rest = PT_READ | PT_WRITE | PT_USER | (mark == PT_DIRTY ? PT_ACCESSED : 0);
	uint64_t without;
	uint64_t with;

	if (!(format->leaves >> level & 1) ||
	    pt_entry_encode(format, pt_make_pa(0), level, pt_make_attr(rest), PT_RELAX, &without) ||
	    pt_entry_encode(format, pt_make_pa(0), level, pt_make_attr(rest | mark), PT_RELAX,
		&with))
		return (struct tlb_mark){0, 0};
	return (struct tlb_mark){without ^ with, with & (without ^ with)};
}

static bool cpu_open(struct tlb_cpu *cpu, const struct tlb_machine *machine)
{
	bool fine = array_open(&cpu->walk, &machine->walk);

	pthread_mutex_init(&cpu->lock, NULL);
	for (unsigned i = 0; i < TLB_ARRAYS; i++)
		fine = array_open(&cpu->leaf[i], &machine->leaf[i]) && fine;
	return fine;
}

static void init(struct tlb *tlb)
{
	const struct pt_format *format = tlb->config.format;

	pthread_mutex_init(&tlb->failing, NULL);
	for (unsigned l = 0; l < format->levels; l++) {
		tlb->shift[l] = pt_format_shift(format, l);
		tlb->accessed[l] = mark_of(format, l, PT_ACCESSED);
		tlb->dirty[l] = mark_of(format, l, PT_DIRTY);
	}
}

struct tlb *tlb_open(const struct tlb_config *config)
{
	const struct tlb_machine *machine = tlb_machine_of(config->format);
	struct tlb *tlb = machine ? calloc(1, sizeof(*tlb)) : NULL;
	bool fine;

	if (!tlb)
		return NULL;
	tlb->config = *config;
	tlb->machine = machine;
	init(tlb);
	fine = generations_open(&tlb->tables, config->table_bytes, smallest_table(config->format));
	fine =
	    generations_open(&tlb->frames, config->frame_bytes, config->format->page_shift) && fine;
	tlb->cpus = aligned_alloc(64, config->cpus * sizeof(*tlb->cpus));
	for (unsigned i = 0; tlb->cpus && i < config->cpus; i++) {
		tlb->cpus[i] = (struct tlb_cpu){.walk = {.valid = 0}};
		fine = cpu_open(&tlb->cpus[i], machine) && fine;
	}
	if (tlb->cpus && fine)
		return tlb;
	tlb_close(tlb);
	return NULL;
}

void tlb_close(struct tlb *tlb)
{
	if (!tlb)
		return;
	for (unsigned i = 0; tlb->cpus && i < tlb->config.cpus; i++) {
		free(tlb->cpus[i].walk.entries);
		for (unsigned a = 0; a < TLB_ARRAYS; a++)
			free(tlb->cpus[i].leaf[a].entries);
		pthread_mutex_destroy(&tlb->cpus[i].lock);
	}
	pthread_mutex_destroy(&tlb->failing);
	free(tlb->cpus);
	free(tlb->tables.of);
	free(tlb->frames.of);
	free(tlb);
}

const struct tlb_machine *tlb_machine(const struct tlb *tlb)
{
	return tlb->machine;
}

/* --- flushes --------------------------------------------------------------------------------- */

static bool flush_one(struct tlb *tlb, unsigned number, const struct pt_flush *request)
{
	struct tlb_cpu *cpu = &tlb->cpus[number];
	uint64_t leaves = 0;
	uint64_t tables = 0;

	(void)PT_FETCH_ADD(&cpu->pending, 1, ACQ_REL);
	pthread_mutex_lock(&cpu->lock);
	(void)PT_FETCH_SUB(&cpu->pending, 1, ACQ_REL);
	for (unsigned a = 0; request->leaves && a < TLB_ARRAYS; a++)
		leaves += array_flush(tlb, number, &cpu->leaf[a], request, request->leaves);
	if (request->tables)
		tables = array_flush(tlb, number, &cpu->walk, request, request->tables);
	cpu->counts.killed_leaves += leaves;
	cpu->counts.killed_tables += tables;
	pthread_mutex_unlock(&cpu->lock);
	return leaves || tables;
}

void tlb_flush_cpu(struct tlb *tlb, unsigned cpu, const struct pt_flush *request)
{
	(void)flush_one(tlb, cpu, request);
}

static void count_request(struct tlb *tlb, const struct pt_flush *request)
{
	const struct pt_format *format = tlb->config.format;
	uint64_t reach = request->last.v - request->start.v;
	uint64_t half = (UINT64_C(1) << (format->va_bits - 1)) - 1;
	uint64_t *row = &tlb->flushes.flush_range;

	if (request->tables)
		row = &tlb->flushes.flush_table;
	else if (reach < UINT64_C(1) << format->page_shift)
		row = &tlb->flushes.flush_page;
	else if (reach >= half)
		row = &tlb->flushes.flush_space;
	(void)PT_FETCH_ADD(row, 1, RELAXED);
}

void tlb_flush(void *ctx, const struct pt_flush *request)
{
	struct tlb *tlb = ctx;
	unsigned reached = 0;

	count_request(tlb, request);
	for (unsigned i = 0; i < tlb->config.cpus; i++)
		reached += flush_one(tlb, i, request);
	if (reached > 1)
		(void)PT_FETCH_ADD(&tlb->flushes.several, 1, RELAXED);
}

void tlb_counts(const struct tlb *tlb, struct tlb_counts *counts)
{
	*counts = tlb->flushes;
	for (unsigned i = 0; i < tlb->config.cpus; i++) {
		const struct tlb_counts *one = &tlb->cpus[i].counts;

		counts->accesses += one->accesses;
		counts->first += one->first;
		counts->second += one->second;
		counts->walks += one->walks;
		counts->walk_loads += one->walk_loads;
		counts->walk_hits += one->walk_hits;
		counts->marks += one->marks;
		counts->killed_leaves += one->killed_leaves;
		counts->killed_tables += one->killed_tables;
	}
}

/* --- all that is cached ---------------------------------------------------------------------- */

static void check_array(struct tlb *tlb, unsigned cpu, const struct tlb_array *array,
    const struct pt_space *space, bool gone)
{
	bool table = array == &tlb->cpus[cpu].walk;

	for (unsigned i = 0; array->valid && i < array->shape.entries; i++) {
		const struct tlb_entry *e = &array->entries[i];

		if (!e->space || (space && e->space != space))
			continue;
		if (gone)
			tlb_fail(tlb, cpu, "still cached when its space was gone", e, table);
		else if (!walk_agrees(tlb, e, table))
			tlb_fail(tlb, cpu, "still cached, and not what the tables say", e, table);
	}
}

void tlb_check(struct tlb *tlb, const struct pt_space *space, bool gone)
{
	for (unsigned cpu = 0; cpu < tlb->config.cpus; cpu++) {
		check_array(tlb, cpu, &tlb->cpus[cpu].walk, space, gone);
		for (unsigned a = 0; a < TLB_ARRAYS; a++)
			check_array(tlb, cpu, &tlb->cpus[cpu].leaf[a], space, gone);
	}
}
