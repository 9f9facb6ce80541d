/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* MMUs that write accessed and dirty bits, and what becomes of what was written to memory. */

#include "core/memory.h"
#include "tests/explore/mmu_inside.h"

#define NOTES 64u

/* Pages of memory that somebody wrote, or said to be dirty. */
struct note {
	uint64_t pa;
	uint64_t time;
	unsigned fiber;
};

static struct note written[NOTES];
static unsigned writes;
static struct note told[NOTES];
static unsigned tells;
static const struct pt_space *walked[EXPLORE_FIBERS]; /* whose tables the MMU of a fiber walks */
static bool again[EXPLORE_FIBERS];                    /* a flush came across the walk of a fiber */

void mmu_walkers_begin(void)
{
	writes = 0;
	tells = 0;
	memset(again, 0, sizeof(again));
}

void mmu_walkers_start_again(const struct pt_flush *request)
{
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++)
		again[f] |= request->kernel || request->cookie == walked[f];
}

static void note(struct note *notes, unsigned *count, uint64_t pa, unsigned fiber)
{
	if (explore_self() == EXPLORE_MAIN)
		return;
	if (*count == NOTES) {
		explore_fail("more pages are dirty than there is room for", NULL);
		return;
	}
	notes[(*count)++] = (struct note){pa, explore_time(), fiber};
}

void mmu_told_dirty(const struct call *call, uint64_t pa, uint64_t size)
{
	if (!mmu_on())
		return;
	for (uint64_t at = 0; at < size; at += world_size(1))
		note(told, &tells, pa + at, call->fiber);
}

/* The leaf with a flag set: the bit is the one that changes this flag and nothing else. */
static uint64_t with_flag(uint64_t raw, unsigned level, uint32_t flag)
{
	struct ref_entry is = mmu_decode(raw, level);

	for (unsigned bit = 0; bit < 8 * mmu_format()->entry_bytes && !(is.flags & flag); bit++) {
		uint64_t other = raw ^ UINT64_C(1) << bit;
		struct ref_entry e = mmu_format()->decode(other, level);

		if (e.kind == REF_LEAF && e.pa == is.pa && e.run == is.run &&
		    e.format == is.format && (e.flags ^ is.flags) == flag)
			return other;
	}
	return raw;
}

/* Exchanges an entry if it still is what was read; 8-byte entries, little endian: fake8. */
static bool replace(const struct call *call, uint64_t pa, uint64_t raw, uint64_t new)
{
	uint64_t *entry = pt_virt(world.memory, pa);

	explore_mmu_access(entry, sizeof(*entry), true);
	if (again[call->fiber] || *entry != raw)
		return false;
	*entry = new;
	return true;
}

static bool is_another(const void *entry, uint64_t raw)
{
	return mmu_entry(explore_port_pa(entry)) != raw;
}

/*
 * Where the MMU notes what it does to a leaf: in any leaf of its run, and so in the one that makes
 * it hardest.
 */
static uint64_t place_of(uint64_t pa, unsigned level)
{
	uint64_t other = pa ^ mmu_format()->entry_bytes;

	if (!mmu_decode(mmu_entry(pa), level).run)
		return pa;
	return mmu_decode(mmu_entry(other), level).kind == REF_LEAF ? other : pa;
}

/* Writes what a walk has to write for the leaf at pa. false: that has changed. */
static bool mark(const struct call *call, uint64_t pa, unsigned level, bool write)
{
	uint64_t place = place_of(pa, level);
	uint64_t raw = mmu_entry(place);
	uint64_t new = with_flag(raw, level, PT_ACCESSED);

	if (write)
		new = with_flag(new, level, PT_DIRTY);
	return new == raw || replace(call, place, raw, new);
}

/* One walk. false: it has to begin anew. */
static bool walk(const struct call *call, bool write)
{
	uint64_t va = world_va(call->page).v;
	uint64_t table = pt_space_root(call->space).pa.v;

	walked[call->fiber] = call->space;
	again[call->fiber] = false;
	for (unsigned level = mmu_format()->levels; level--;) {
		uint64_t pa = mmu_entry_pa(table, level, va);
		struct ref_entry e;
		uint64_t raw;

		explore_mmu_access(pt_virt(world.memory, pa), mmu_format()->entry_bytes, false);
		if (again[call->fiber])
			return false;
		raw = mmu_entry(pa);
		e = mmu_decode(raw, level);
		table = e.pa;
		if (e.kind == REF_TABLE)
			continue;
		if (e.kind == REF_BUSY) { /* whoever handles the fault waits */
			explore_wait(is_another, pt_virt(world.memory, pa), raw);
			return false;
		}
		if (e.kind != REF_LEAF || (write && !(e.flags & PT_WRITE)))
			return true; /* a fault, which is none of the MMU's business */
		if (!mark(call, pa, level, write))
			return false;
		if (write)
			note(written, &writes,
			    e.pa + (va & ((UINT64_C(1) << mmu_shift(level)) - 1)), call->fiber);
		return true;
	}
	return true;
}

/* One after the other nobody is in the way, and nothing is judged. */
void mmu_access(struct call *call, bool write)
{
	if (mmu_on() && world.format->flags & PT_FORMAT_MMU_AD)
		while (!walk(call, write))
			;
}

static const void *memory_at(void *ctx, uint64_t pa, size_t size)
{
	(void)ctx;
	(void)size;
	return pt_virt(world.memory, pa);
}

/* A leaf that says of a page that it is dirty; of a run each leaf says it of all. */
static int says_dirty(void *ctx, const struct ref_result *leaf)
{
	uint64_t pa = *(const uint64_t *)ctx;
	uint64_t first = leaf->entry.pa & ~(leaf->run_size - 1);

	return leaf->entry.flags & PT_DIRTY && pa - first < leaf->run_size;
}

/* Is a page dirty in any space. */
static bool is_dirty(uint64_t pa)
{
	const struct ref_memory memory = {memory_at, NULL};

	for (unsigned s = 0; s < WORLD_SPACES; s++)
		if (world.space[s].format &&
		    ref_for_each(&memory, mmu_format()->name, pt_space_root(&world.space[s]).pa.v,
			says_dirty, &pa) == REF_STOPPED)
			return true;
	return false;
}

static bool was_told(const struct note *w, const struct call *calls, unsigned count)
{
	for (unsigned i = 0; i < tells; i++)
		if (told[i].pa == w->pa && told[i].fiber < count &&
		    calls[told[i].fiber].ended > w->time)
			return true;
	return false;
}

const char *mmu_walkers_judge(const struct call *calls, unsigned count)
{
	for (unsigned i = 0; i < writes; i++)
		if (!was_told(&written[i], calls, count) && !is_dirty(written[i].pa))
			return "memory was written and nobody says that it is dirty";
	return NULL;
}
