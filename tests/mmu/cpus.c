/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Several CPUs in one space: two map, unmap and free pages, one the even and one the odd ones, so
 * that they meet in every table; the others run through the same addresses. A page that is read
 * must hold its own mark. A page that was handed over is marked as such at once: nobody may ever
 * see it.
 */
#include <ptdesc/atomic.h>

#include "tests/mmu/mmu.h"

#define WINDOW   8u /* pages, around a boundary of tables */
#define WRITERS  2u
#define ROUNDS   500u /* of each writer, at least */
#define HITS     500u /* of each reader, at least */
#define CANARIES 100u
#define FREED    0xdeadf4eeu

struct writer {
	unsigned number;
	uint64_t random;
	bool mapped[WINDOW];
	uint64_t frame[WINDOW]; /* of each page of this writer's */
	unsigned long maps;
	unsigned long unmaps;
	unsigned long failed;
	unsigned long lost; /* bytes handed over that were not those */
	uint64_t expected;  /* the frame under way */
};

struct reader {
	uint64_t random;
	unsigned long reads;
	unsigned long hits;
	unsigned long stale;   /* reads of what was handed over, or of another page */
	unsigned long strange; /* exceptions that are no faults of a page */
};

static struct writer writers[WRITERS];
static struct reader readers[MACHINE_CPUS];
static uint32_t rounds;
static uint32_t hungry; /* readers that have not had enough */

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The last half of one leaf table's pages and the first half of the next's. */
static uint64_t va_of(unsigned page)
{
	return mmu_slot(mmu_top()) + mmu_slot(1) - WINDOW / 2 * mmu_slot(0) + page * mmu_slot(0);
}

static void mark(uint64_t frame, uint32_t value)
{
	*(volatile uint32_t *)bare_at(frame) = value;
}

/* The frame is free: it gets its new mark while a CPU with a stale TLB may still look. */
static void on_release(void *ctx, const struct pt_run *runs, size_t count)
{
	struct writer *w = ctx;

	for (size_t i = 0; i < count; i++) {
		w->lost += runs[i].pa.v != w->expected || runs[i].size != mmu_slot(0);
		mark(runs[i].pa.v, FREED);
	}
}

static void map_page(struct writer *w, unsigned page)
{
	pt_attr attr = mmu_attr(PT_READ | PT_WRITE | PT_ACCESSED);

	/* Marked as accessed, for MMUs that refuse it else. */
	mark(w->frame[page], page);
	w->failed += pt_map(mmu.space, pt_make_va(va_of(page)), mmu_slot(0),
			 pt_make_pa(w->frame[page]), attr, PT_MAY_SLEEP) != 0;
	w->mapped[page] = true;
	w->maps++;
}

static void unmap_page(struct writer *w, unsigned page)
{
	struct pt_run run;
	struct pt_gather gather = pt_make_gather(&run, 1, on_release, w);

	w->expected = w->frame[page];
	w->failed +=
	    pt_unmap(mmu.space, pt_make_va(va_of(page)), mmu_slot(0), PT_MAY_SLEEP, &gather) != 0;
	w->failed += gather.released != mmu_slot(0);
	w->mapped[page] = false;
	w->unmaps++;
}

/* Writers and readers go on until all have done enough. */
static bool finished(void)
{
	return PT_LOAD(&rounds, ACQUIRE) >= WRITERS * ROUNDS && !PT_LOAD(&hungry, ACQUIRE);
}

/* A page leaves for a while before it comes back, so that readers can meet it either way. */
static void write_pages(void *ctx)
{
	struct writer *w = ctx;

	while (!finished()) {
		unsigned page =
		    (unsigned)(next_random(&w->random) % (WINDOW / WRITERS)) * WRITERS + w->number;

		if (w->mapped[page])
			unmap_page(w, page);
		else
			map_page(w, page);
		PT_FETCH_ADD(&rounds, 1, RELAXED);
	}
	for (unsigned page = w->number; page < WINDOW; page += WRITERS)
		if (w->mapped[page])
			unmap_page(w, page);
}

static void read_pages(void *ctx)
{
	struct reader *r = ctx;

	while (!finished()) {
		unsigned page = (unsigned)(next_random(&r->random) % WINDOW);
		struct machine_try t = mmu_try(machine_cpu(), va_of(page), PT_READ);

		r->reads++;
		r->strange += t.end == MACHINE_OTHER;
		if (t.end != MACHINE_DONE)
			continue;
		if (++r->hits == HITS)
			PT_FETCH_SUB(&hungry, 1, RELEASE);
		r->stale += (uint32_t)t.value != page;
	}
}

static void prepare(void)
{
	uint64_t frame = machine.ram + MMU_SCRATCH_AT;

	memset(writers, 0, sizeof(writers));
	memset(readers, 0, sizeof(readers));
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i].number = i;
		writers[i].random = 88172645463325252u + i;
		for (unsigned page = 0; page < WINDOW; page++, frame += mmu_slot(0))
			writers[i].frame[page] = frame;
	}
	for (unsigned i = 0; i < MACHINE_CPUS; i++)
		readers[i].random = 362436069u + i;
}

/* One writer is this CPU. Returns how often a reader has seen what it must not. */
static unsigned long churn(enum mmu_drop drop)
{
	unsigned long stale = 0;

	prepare();
	mmu.drop = drop;
	rounds = 0;
	hungry = machine.cpus - WRITERS;
	for (unsigned cpu = WRITERS; cpu < machine.cpus; cpu++)
		mmu_run_on(cpu, read_pages, &readers[cpu]);
	for (unsigned i = 1; i < WRITERS; i++)
		mmu_run_on(i, write_pages, &writers[i]);
	write_pages(&writers[0]);
	for (unsigned i = 1; i < WRITERS; i++)
		mmu_wait_for(i);
	for (unsigned cpu = WRITERS; cpu < machine.cpus; cpu++) {
		mmu_wait_for(cpu);
		stale += readers[cpu].stale + readers[cpu].strange;
	}
	mmu.drop = MMU_DROP_NOTHING;
	return stale;
}

static bool writers_good(void)
{
	bool good = true;

	for (unsigned i = 0; i < WRITERS; i++) {
		const struct writer *w = &writers[i];

		good &= !w->failed && !w->lost && w->maps == w->unmaps;
		print("# CPU %u: %lu maps, %lu unmaps\n", i, w->maps, w->unmaps);
	}
	return good;
}

static bool readers_good(void)
{
	bool good = true;

	for (unsigned cpu = WRITERS; cpu < machine.cpus; cpu++) {
		const struct reader *r = &readers[cpu];

		good &= !r->stale && !r->strange && r->hits && r->hits < r->reads;
		print("# CPU %u: %lu reads, %lu of mapped pages, %lu stale\n", cpu, r->reads,
		    r->hits, r->stale);
	}
	return good;
}

/* Who forgets when is chance. */
static bool canary_noticed(void)
{
	for (unsigned i = 0; i < CANARIES; i++)
		if (churn(MMU_DROP_REMOTE) > 0)
			return true;
	return false;
}

static bool space_whole(void)
{
	struct pt_fault_report report;

	return !pt_check(mmu.space, &report);
}

void mmu_cpus(void)
{
	uint32_t flushes = mmu.flushes;

	(void)churn(MMU_DROP_NOTHING);
	mmu_ok(writers_good(), "CPUs: two map and unmap, and lose nothing");
	mmu_ok(readers_good(), "CPUs: the others read mapped pages and faults, nothing stale");
	print("# CPUs: %u flushes\n", mmu.flushes - flushes);
	mmu_ok(space_whole(), "CPUs: the space is whole");
	mmu_ok(canary_noticed(), "CPUs: remote flushes left out are noticed");
}
