/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Executions: who runs, depth first over all decisions up to the bound of preemptions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port/explore/inside.h"

#define DECISIONS 65536u

char explore_block[EXPLORE_BLOCK] __attribute__((aligned(4096)));
struct explore explore;

static char snapshot[EXPLORE_BLOCK] __attribute__((aligned(4096)));

/* What a fiber waits for; ready NULL: nothing. */
struct waiting {
	bool done;
	bool (*ready)(const void *address, uint64_t value);
	const void *address;
	uint64_t value;
};

static struct waiting waiting[EXPLORE_FIBERS];

/* The decisions of the execution under way, and how many each had to choose from. */
static struct decision {
	uint8_t choice;
	uint8_t choices;
	/* Of a preemption, from choice 1 on: */
	uint8_t others; /* whom to let run instead, a bit each; 0: it is none */
	uint8_t preemptions;
	unsigned since;
	struct held access;
} decision[DECISIONS];
static unsigned made;  /* in the execution under way */
static unsigned known; /* made by those before */
static unsigned since; /* made when the current fiber began to run */

static struct explore_schedule taken;
static const struct explore_schedule *given; /* in a replay */
static unsigned given_at;

/* --- the block ------------------------------------------------------------------------------ */

static void clean(void)
{
	for (unsigned i = 0; i < explore.dirty_count; i++)
		explore.dirty[explore.dirty_line[i]] = 0;
	explore.dirty_count = 0;
}

void explore_clear(void)
{
	memset(explore_block, 0, EXPLORE_BLOCK);
	explore.current = EXPLORE_MAIN;
	clean();
}

void explore_snapshot(void)
{
	memcpy(snapshot, explore_block, EXPLORE_BLOCK);
	clean();
}

void explore_restore(void)
{
	for (unsigned i = 0; i < explore.dirty_count; i++) {
		size_t offset = (size_t)explore.dirty_line[i] * EXPLORE_LINE;

		memcpy(explore_block + offset, snapshot + offset, EXPLORE_LINE);
	}
	clean();
}

uint64_t explore_mix(uint64_t x)
{
	x *= UINT64_C(0x9e3779b97f4a7c15);
	return x ^ x >> 29;
}

uint64_t explore_digest(void)
{
	uint64_t sum = 0;

	/* A sum: the order in which lines became dirty says nothing. */
	for (unsigned i = 0; i < explore.dirty_count; i++) {
		size_t offset = (size_t)explore.dirty_line[i] * EXPLORE_LINE;
		uint64_t word[EXPLORE_LINE / sizeof(uint64_t)];
		uint64_t line = offset + 1;

		if (!memcmp(explore_block + offset, snapshot + offset, EXPLORE_LINE))
			continue;
		memcpy(word, explore_block + offset, EXPLORE_LINE);
		for (unsigned k = 0; k < EXPLORE_LINE / sizeof(uint64_t); k++)
			line = explore_mix(line + word[k]);
		sum += line;
	}
	return sum;
}

/* What an access is to, in the words of whoever made the block. */
static void tell_place(size_t offset, char *text, size_t size)
{
	unsigned fiber = explore.current;

	snprintf(text, size, "+%#zx", offset);
	if (!explore.config.describe)
		return;
	/* It may look at the block, which is no access of the fiber's. */
	explore.current = EXPLORE_MAIN;
	explore.config.describe(explore_block + offset, text, size);
	explore.current = fiber;
}

/* Bytes of the part of an access that lies in a granule; 1 if it is not aligned. */
static unsigned unit_in(size_t granule, size_t offset, size_t size)
{
	size_t from = offset > granule * GRANULE ? offset : granule * GRANULE;
	size_t end =
	    offset + size < (granule + 1) * GRANULE ? offset + size : (granule + 1) * GRANULE;
	size_t unit = end - from;

	return (unit | from) & (unit - 1) ? 1 : (unsigned)unit;
}

bool note_access(size_t offset, size_t size, bool write)
{
	unsigned me = 1u << explore.current;
	bool found = false;

	for (size_t g = offset / GRANULE; g <= (offset + size - 1) / GRANULE; g++) {
		struct granule *granule = &explore.granule[g];
		unsigned unit = unit_in(g, offset, size);
		uint8_t *mine = write ? &granule->writers : &granule->readers;
		unsigned others = others_at(granule, write);

		if (unit < granule->unit || !granule->unit) {
			explore.restart |= granule->unit != 0;
			granule->unit = (uint8_t)unit;
		}
		if (!(*mine & me)) {
			*mine |= (uint8_t)me;
			explore.restart |= others != 0;
		}
		if (others && !granule->number)
			granule->number = ++explore.conflicts;
		found |= others != 0;
	}
	return found;
}

/* --- who may run ---------------------------------------------------------------------------- */

static bool runnable(unsigned fiber)
{
	const struct waiting *w = &waiting[fiber];

	return fiber < explore.config.fibers && !w->done &&
	       (!w->ready || w->ready(w->address, w->value));
}

static unsigned runnable_mask(void)
{
	unsigned mask = 0;

	for (unsigned f = 0; f < explore.config.fibers; f++)
		mask |= runnable(f) ? 1u << f : 0;
	return mask;
}

/*
 * Who was preempted before an access, and nobody has made one since that conflicts with it. Whoever
 * goes on so does what it does when it makes that access first and is preempted before its next
 * instead, or not at all; and that has been explored, since a decision's first choice is to go on.
 */
static unsigned unmet_mask(void)
{
	unsigned mask = 0;

	if (explore.config.every)
		return 0;
	for (unsigned f = 0; f < explore.config.fibers; f++)
		mask |= explore.held[f].unmet ? 1u << f : 0;
	return mask;
}

void explore_meet_all(void)
{
	for (unsigned f = 0; f < explore.config.fibers; f++) {
		explore.held[f].unmet = false;
		if (explore.held[f].print)
			explore.held[f].print->all = true;
	}
}

static unsigned nth_of(unsigned mask, unsigned n)
{
	while (n--)
		mask &= mask - 1;
	return (unsigned)__builtin_ctz(mask);
}

/* One of n choices: what was decided before, or the first. */
static unsigned decide(unsigned n)
{
	if (made == DECISIONS) {
		explore_fail("more decisions than an execution may have", NULL);
		return 0;
	}
	if (made == known) {
		decision[known] = (struct decision){.choices = (uint8_t)n};
		known++;
	}
	return decision[made++].choice;
}

static void switch_to(unsigned to)
{
	unsigned from = explore.current;

	if (taken.count < EXPLORE_SWITCHES)
		taken.step[taken.count++] =
		    (struct explore_switch){(uint8_t)from, (uint8_t)to, explore.count[from]};
	if (explore.tell)
		printf("---- fiber %u goes on\n", to);
	explore.current = to;
	since = made;
	fiber_switch(&fiber_stack[from], fiber_stack[to]);
}

/* The current fiber is held while to runs: for the first time, if no decision after it is known. */
static void hold(unsigned to)
{
	struct footprint *print = footprint_of(explore.preemptions, to);

	if (print && made == known)
		footprint_begin(print, since);
	explore.held[explore.current].print = print;
}

/* Back to whoever called explore_run; a fiber is left where it is. */
static void leave(void)
{
	void *dropped;

	explore.current = EXPLORE_MAIN;
	fiber_switch(&dropped, fiber_stack[EXPLORE_MAIN]);
}

/* The next switch of a replayed schedule, if it is due; EXPLORE_MAIN: it is not. */
static unsigned given_switch(void)
{
	const struct explore_switch *next = &given->step[given_at];

	if (given_at == given->count || next->from != explore.current ||
	    next->at != explore.count[explore.current])
		return EXPLORE_MAIN;
	given_at++;
	return next->to;
}

/* Somebody else has to run. */
static void yield(void)
{
	unsigned mask = runnable_mask();
	unsigned to = EXPLORE_MAIN;

	explore.count[explore.current]++;
	if (!mask)
		explore_fail("deadlock: nobody can go on", NULL);
	mask &= ~unmet_mask();
	if (!mask) {
		explore.repeats = true;
		leave();
	}
	if (explore.replay)
		to = given_switch();
	if (!runnable(to))
		to = nth_of(mask, mask & (mask - 1) && !explore.replay
				      ? decide((unsigned)__builtin_popcount(mask))
				      : 0);
	/* For ever; what it did last might as well have been done later. */
	if (waiting[explore.current].done && !explore.replay)
		hold(to);
	switch_to(to);
}

/* The last decision is whether to go on or to let one of others run. */
static void note_preemption(unsigned others, const struct held *access)
{
	struct decision *d = &decision[made - 1];

	d->others = (uint8_t)others;
	d->preemptions = (uint8_t)explore.preemptions;
	d->since = since;
	d->access = *access;
}

void explore_point(const struct held *access)
{
	struct held *held = &explore.held[explore.current];
	unsigned others;
	unsigned choice;
	unsigned to;

	others = runnable_mask() & ~unmet_mask() & ~(1u << explore.current);
	if (!others)
		return;
	choice = decide(1 + (unsigned)__builtin_popcount(others));
	if (!choice) {
		note_preemption(others, access);
		return;
	}
	to = nth_of(others, choice - 1);
	*held = *access;
	hold(to);
	explore.preemptions++;
	switch_to(to);
	held->unmet = false;
	held->print = NULL;
}

/* One line of a replay: where in the source it is, by the tool that knows. */
void explore_tell(size_t offset, size_t size, const char *what, const void *pc)
{
	char command[128];
	char place[64];

	tell_place(offset, place, sizeof(place));
	printf("fiber %u %5u  %-13s %zu  %-40s  ", explore.current, explore.count[explore.current],
	    what, size, place);
	if (!pc) {
		printf("\n");
		return;
	}
	fflush(stdout);
	snprintf(command, sizeof(command), "addr2line -sfpe /proc/%d/exe %p 2>/dev/null",
	    (int)getpid(), (const void *)((const char *)pc - 1));
	if (system(command))
		printf("\n");
}

void explore_point_replay(void)
{
	unsigned to = given_switch();

	/* With another defect, or none, it may have nothing to do just then. */
	if (runnable(to))
		switch_to(to);
}

/* --- what the port calls -------------------------------------------------------------------- */

unsigned explore_self(void)
{
	return explore.current;
}

uint64_t explore_time(void)
{
	return ++explore.time;
}

void explore_sync(const void *word, bool write)
{
	(void)before_access(block_offset(word), sizeof(uint32_t), write, true,
	    write ? "port writes" : "port reads", NULL);
}

void explore_mmu_access(const void *entry, size_t size, bool write)
{
	explore_meet_all();
	(void)before_access(block_offset(entry), size, write, true,
	    write ? "MMU writes" : "MMU reads", NULL);
}

void explore_watch(const struct explore_watch *watch)
{
	explore.watch = watch;
}

void explore_wait(bool (*ready)(const void *address, uint64_t value), const void *address,
    uint64_t value)
{
	struct waiting *w = &waiting[explore.current];

	if (explore.current == EXPLORE_MAIN) {
		if (!ready(address, value))
			explore_fail("main waits for ever", address);
		return;
	}
	/* What it waits for may be what others make an access after. */
	explore_meet_all();
	w->ready = ready;
	w->address = address;
	w->value = value;
	while (!runnable(explore.current))
		yield();
	w->ready = NULL;
}

void explore_fail(const char *what, const void *where)
{
	static char text[128];
	char place[64];

	if (!explore.failure && where) {
		tell_place(block_offset(where), place, sizeof(place));
		snprintf(text, sizeof(text), "%s: %s", what, place);
	}
	if (!explore.failure)
		explore.failure = where ? text : what;
	if (explore.current != EXPLORE_MAIN)
		leave();
}

const char *explore_failure(void)
{
	const char *failure = explore.failure;

	explore.failure = NULL;
	return failure;
}

/* --- executions ----------------------------------------------------------------------------- */

static void fiber_main(void)
{
	explore.config.body(explore.current);
	waiting[explore.current].done = true;
	for (unsigned f = 0; f < explore.config.fibers; f++)
		if (!waiting[f].done)
			yield();
	leave();
}

void explore_begin(const struct explore_config *config)
{
	explore.config = *config;
	memset(explore.granule, 0, sizeof(explore.granule));
	explore.conflicts = 0;
	footprints_forget(0);
	known = 0;
	taken.count = 0;
}

const char *explore_run(void)
{
	unsigned first;

	explore_restore();
	made = 0;
	taken.count = 0;
	explore.preemptions = 0;
	explore.time = 0;
	explore.failure = NULL;
	explore.restart = false;
	explore.repeats = false;
	memset(explore.held, 0, sizeof(explore.held));
	memset(explore.early, 0, sizeof(explore.early));
	memset(explore.count, 0, sizeof(explore.count));
	memset(waiting, 0, sizeof(waiting));
	race_begin(explore.config.fibers);
	if (explore.watch)
		explore.watch->begin();
	if (explore.config.before)
		explore.config.before();
	for (unsigned f = 0; f < explore.config.fibers; f++)
		fiber_prepare(f, fiber_main);
	first = explore.replay ? given_switch() : decide(explore.config.fibers);
	switch_to(runnable(first) ? first : 0);
	return explore_failure();
}

bool explore_counts(void)
{
	return !explore.restart && !explore.repeats;
}

/* Would all that follows the choice repeat what followed a later one (footprint.c). */
static bool only_repeats(const struct decision *d)
{
	if (explore.config.every || !d->others)
		return false;
	return !footprint_meets(footprint_of(d->preemptions, nth_of(d->others, d->choice - 1u)),
	    d->since, &d->access);
}

bool explore_next(void)
{
	if (explore.restart) {
		known = 0;
		footprints_forget(0);
		return true;
	}
	for (known = made; known; known--) {
		struct decision *d = &decision[known - 1];

		footprints_forget(known - 1);
		while (++d->choice < d->choices)
			if (!only_repeats(d))
				return true;
	}
	return false;
}

const char *explore_replay(const struct explore_schedule *schedule, bool tell)
{
	const char *failure;

	explore.replay = true;
	given = schedule;
	/* Once to learn which accesses conflict, once to look at them. */
	given_at = 0;
	(void)explore_run();
	given_at = 0;
	explore.tell = tell;
	failure = explore_run();
	explore.replay = false;
	explore.tell = false;
	return failure;
}

const struct explore_schedule *explore_schedule(void)
{
	return &taken;
}
