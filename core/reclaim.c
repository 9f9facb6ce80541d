/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tables on their way out. Each CPU chains what it defers through the descriptors, so that freeing
 * never allocates (D2, L4); pt_cpu.batch of them are a batch, whose grace period is started,
 * asked for and waited for outside sections and locks. Whoever waits takes those of all CPUs: a CPU
 * that is idle, or whose thread has ended, drives nothing on.
 */
#include "core/defects.h"
#include "core/lock.h"
#include "core/table.h"

/* This CPU, pinned, with its batches locked. */
static struct pt_cpu *batches_lock(struct pt_memory *memory)
{
	struct pt_cpu *cpu = pt_pin(memory);

	port_lock(&memory->port, &cpu->batches_lock);
	return cpu;
}

static void batches_unlock(struct pt_memory *memory, struct pt_cpu *cpu)
{
	port_unlock(&memory->port, &cpu->batches_lock);
	pt_unpin(memory);
}

static void batch_add(const struct pt_memory *memory, struct pt_batch *batch, struct ptdesc *pt)
{
	pt->pt_grace.next = NULL;
	if (PT_DEFECT(41)) /* chained through the page, where its word is */
		PT_STORE(&pt_page_of(memory, ptdesc_pfn(pt))->memdesc.v, 0x122, RELEASE);
	if (batch->first)
		batch->last->pt_grace.next = pt;
	else
		batch->first = pt;
	batch->last = pt;
	PT_STORE(&batch->count, batch->count + 1, RELAXED);
}

/* Moves all of from to the end of batch. */
static void batch_join(struct pt_batch *batch, struct pt_batch *from)
{
	if (!from->first)
		return;
	if (batch->first)
		batch->last->pt_grace.next = from->first;
	else
		batch->first = from->first;
	batch->last = from->last;
	PT_STORE(&batch->count, batch->count + from->count, RELAXED);
	from->first = NULL;
	PT_STORE(&from->count, 0, RELAXED);
}

void pagetable_free_defer(struct pt_memory *memory, struct ptdesc *pt, struct pt_account *owner)
{
	struct pt_cpu *cpu;

	pt_table_check_free(memory, pt);
	if (PT_DEFECT(21) && memory->port.table_event)
		pagetable_dtor(memory, pt);
	if (PT_DEFECT(2)) /* a link of the deferred free, where the page word is */
		PT_STORE(&pt_page_of(memory, ptdesc_pfn(pt))->memdesc.v, (uintptr_t)&pt->pt_grace,
		    RELEASE);
	/* Who unlinked it did this under its lock, under which others may be looking now. */
	if (!pt->dead || PT_DEFECT(72))
		PT_STORE(&pt->dead, 1, RELAXED);
	pt_table_set_state(pt, PT_DEFERRED);
	cpu = pt_pin(memory);
	pt_table_charge(memory, cpu, pt, owner, -1);
	if (pt_table_is_fragment(pt))
		pt_frag_pending(memory, pt, true);
	port_lock(&memory->port, &cpu->batches_lock);
	batch_add(memory, &cpu->filling, pt);
	batches_unlock(memory, cpu);
}

/* Frees a batch whose grace period is over. No lock is held across the frees (D40). */
static uint64_t batch_free(struct pt_memory *memory, const struct pt_batch *batch)
{
	struct ptdesc *pt = batch->first;
	uint64_t tables = 0;

	if (PT_DEFECT(40))
		port_lock(&memory->port, &memory->caches_lock);
	while (pt) {
		struct ptdesc *next = pt->pt_grace.next;

		pt_table_recycle(memory, pt);
		tables++;
		pt = next;
	}
	if (PT_DEFECT(40))
		port_unlock(&memory->port, &memory->caches_lock);
	return tables;
}

static uint64_t grace_start(const struct pt_memory *memory)
{
	return memory->port.grace_start(memory->port.ctx);
}

static struct pt_batch *oldest(struct pt_cpu *cpu)
{
	return &cpu->waiting[cpu->waiting_first];
}

/* Moves the oldest to the end of batch. */
static void oldest_pop(struct pt_cpu *cpu, struct pt_batch *batch)
{
	batch_join(batch, oldest(cpu));
	PT_STORE(&cpu->waiting_first, (cpu->waiting_first + 1) % PT_BATCHES, RELAXED);
	PT_STORE(&cpu->waiting_count, cpu->waiting_count - 1, RELAXED);
}

/*
 * Puts a batch with its cookie behind those that wait. Where others filled the ring since its grace
 * period was started it is to be deferred anew: which cookie is the later one, nobody can tell.
 */
static void batch_wait(struct pt_cpu *cpu, struct pt_batch *batch)
{
	uint32_t at = cpu->waiting_first + cpu->waiting_count;

	if (cpu->waiting_count == PT_BATCHES) {
		if (PT_DEFECT(95)) { /* its cookie is taken for the latest */
			cpu->waiting[(at - 1) % PT_BATCHES].cookie = batch->cookie;
			batch_join(&cpu->waiting[(at - 1) % PT_BATCHES], batch);
		}
		batch_join(&cpu->filling, batch);
		return;
	}
	cpu->waiting[at % PT_BATCHES].cookie = batch->cookie;
	batch_join(&cpu->waiting[at % PT_BATCHES], batch);
	PT_STORE(&cpu->waiting_count, cpu->waiting_count + 1, RELAXED);
}

/*
 * Starts the grace period of what this CPU has deferred, if that is a batch and the ring has room:
 * else it grows until the oldest is over.
 */
static void filling_start(struct pt_memory *memory)
{
	struct pt_batch batch = {.first = NULL};
	struct pt_cpu *cpu = batches_lock(memory);

	if (cpu->filling.count >= cpu->batch && cpu->waiting_count < PT_BATCHES)
		batch_join(&batch, &cpu->filling);
	batches_unlock(memory, cpu);
	if (!batch.first)
		return;
	batch.cookie = grace_start(memory);
	/* Perhaps another CPU by now: any will do. */
	cpu = batches_lock(memory);
	batch_wait(cpu, &batch);
	batches_unlock(memory, cpu);
}

/* This CPU's oldest batch's cookie; false: there is none. */
static bool oldest_cookie(struct pt_memory *memory, uint64_t *cookie)
{
	struct pt_cpu *cpu = batches_lock(memory);
	bool any = cpu->waiting_count != 0;

	*cookie = oldest(cpu)->cookie;
	batches_unlock(memory, cpu);
	return any;
}

/* Takes this CPU's oldest batch, if it still is the one with that cookie. */
static void oldest_take(struct pt_memory *memory, uint64_t cookie, struct pt_batch *batch)
{
	struct pt_cpu *cpu = batches_lock(memory);

	if (cpu->waiting_count && oldest(cpu)->cookie == cookie)
		oldest_pop(cpu, batch);
	batches_unlock(memory, cpu);
}

/* Frees this CPU's batches whose grace period is over. */
static uint64_t batches_poll(struct pt_memory *memory)
{
	uint64_t tables = 0;
	uint64_t cookie;

	while (oldest_cookie(memory, &cookie)) {
		struct pt_batch batch = {.first = NULL};

		if (!memory->port.grace_done(memory->port.ctx, cookie) && !PT_DEFECT(63))
			break;
		/* Perhaps on another CPU by now, or somebody took it who waits. */
		oldest_take(memory, cookie, &batch);
		tables += batch_free(memory, &batch);
	}
	return tables;
}

/* Takes all that a CPU has deferred, to the end of batch. */
static void take_all(struct pt_memory *memory, struct pt_cpu *cpu, struct pt_batch *batch)
{
	(void)pt_pin(memory);
	port_lock(&memory->port, &cpu->batches_lock);
	while (cpu->waiting_count)
		oldest_pop(cpu, batch);
	batch_join(batch, &cpu->filling);
	batches_unlock(memory, cpu);
}

static uint64_t wait_and_free(struct pt_memory *memory)
{
	struct pt_batch all = {.first = NULL};

	for (unsigned n = 0; n < memory->config.cpus; n++)
		take_all(memory, &memory->cpus[n], &all);
	if (!all.first)
		return 0;
	pt_grace_wait(memory);
	return batch_free(memory, &all);
}

uint64_t pt_reclaim_poll(struct pt_memory *memory, bool wait)
{
	bool due;

	pt_lock_none(memory, PT_STOP_WAIT_LOCKED);
	if (wait)
		return wait_and_free(memory);
	due = pt_reclaim_due(pt_pin(memory));
	pt_unpin(memory);
	if (__builtin_expect(!due, 1))
		return 0;
	filling_start(memory);
	return batches_poll(memory);
}
