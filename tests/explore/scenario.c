/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/explore/ends.h"
#include "tests/explore/mmu.h"
#include "tests/explore/oracle.h"
#include "tests/explore/scenario.h"

/* Executions of one scenario, at most: one that has more is counted as capped, and fails. */
#define CAP 50000000u

static const char *const relation_name[RELATIONS] = {
	"same",
	"leaf",
	"sibling",
	"disjoint",
	"over",
	"under",
	"target",
	"into",
	"into-room",
};

static struct call calls[EXPLORE_FIBERS];
static unsigned call_count;

static bool is(const struct operation *op, const char *name)
{
	return op && !strcmp(op->name, name);
}

void totals_add(struct totals *sum, const struct totals *t)
{
	sum->scenarios += t->scenarios;
	sum->executions += t->executions;
	sum->races += t->races;
	sum->violations += t->violations;
	sum->ends += t->ends;
	sum->capped += t->capped;
	sum->failing += t->failing;
	if (t->most > sum->most)
		sum->most = t->most;
}

void totals_print(const struct totals *t)
{
	printf("%" PRIu64 " scenarios, %" PRIu64 " executions (most %" PRIu64 "), %" PRIu64
	       " ends, races %" PRIu64 ", violations %" PRIu64 ", capped %" PRIu64,
	    t->scenarios, t->executions, t->most, t->ends, t->races, t->violations, t->capped);
	if (t->failing)
		printf("; %" PRIu64 " failing allocations", t->failing);
	printf("\n");
}

unsigned scenario_flavour(const struct scenario *s)
{
	unsigned flavour = s->relation == RELATION_ROOM ? WORLD_ROOM : 0;

	for (unsigned i = 0; i < EXPLORE_FIBERS && s->op[i]; i++)
		flavour |= s->op[i]->flavour;
	return flavour;
}

static bool moves(const struct operation *op)
{
	return is(op, "move") || is(op, "move-deposit");
}

static bool copies(const struct operation *op)
{
	return is(op, "copy") || is(op, "copy-deposit") || is(op, "copy-share") ||
	       is(op, "share_table");
}

static bool goes_into(const struct scenario *s)
{
	return s->relation == RELATION_INTO || s->relation == RELATION_ROOM;
}

/* Does one of the calls copy, and is there something that another state has not as well. */
static bool into_fits(const struct scenario *s, enum world_state state)
{
	if (!goes_into(s))
		return true;
	if (s->other || !(copies(s->op[0]) || copies(s->op[1])))
		return false;
	return state == WORLD_PAGE || state == WORLD_FULL || state == WORLD_HUGE ||
	       state == WORLD_SHARED || state == WORLD_TRULY;
}

/* Of calls without an address only the size of the other's range is of interest. */
static bool relation_fits(const struct scenario *s)
{
	bool any_moves = moves(s->op[0]) || moves(s->op[1]);
	bool first = s->op[0]->takes == TAKES_PLACE;
	bool second = s->op[1]->takes == TAKES_PLACE;

	/* Who drains magazines meets others in memory, whatever their ranges are. */
	if (s->relation != RELATION_SAME && scenario_flavour(s) & WORLD_LEAN)
		return false;
	switch (s->relation) {
	case RELATION_SAME:
		return true;
	case RELATION_OVER:
		return second;
	case RELATION_UNDER:
		return first && (s->op[0] != s->op[1] || s->other);
	case RELATION_TARGET:
		return first && second && any_moves;
	default:
		return first && second;
	}
}

static unsigned count_of(const struct scenario *s, const char *name)
{
	unsigned count = 0;

	for (unsigned i = 0; i < EXPLORE_FIBERS; i++)
		count += is(s->op[i], name);
	return count;
}

/* Does it matter that the second call works on the space that shares; may it. */
static bool other_fits(const struct scenario *s, enum world_state state)
{
	if (state != WORLD_SHARED && state != WORLD_TRULY)
		return false;
	if (s->op[0]->takes == TAKES_MEMORY || s->op[1]->takes == TAKES_MEMORY)
		return false;
	/* Nobody calls on a space that is destroyed. */
	return !count_of(s, "space_destroy");
}

/* Who asks for deposits meets some: there are large leaves, or another call makes one. */
static bool deposits_fit(const struct scenario *s, enum world_state state)
{
	return !(scenario_flavour(s) & WORLD_DEPOSIT) || state == WORLD_HUGE ||
	       count_of(s, "map-deposit") || count_of(s, "collapse-deposit");
}

static bool on_memory_alone(const struct scenario *s)
{
	for (unsigned i = 0; i < EXPLORE_FIBERS && s->op[i]; i++)
		if (s->op[i]->takes != TAKES_MEMORY)
			return false;
	return true;
}

/* Is an operation what an MMU does. */
static bool walks(const struct operation *op)
{
	return is(op, "mmu_read") || is(op, "mmu_write");
}

/* MMUs walk beside calls on spaces, and only where they write bits is that of interest. */
static bool mmu_fits(const struct scenario *s)
{
	unsigned walkers = 0;
	bool memory = false;

	for (unsigned i = 0; i < EXPLORE_FIBERS && s->op[i]; i++) {
		walkers += walks(s->op[i]);
		memory |= s->op[i]->takes == TAKES_MEMORY;
	}
	if (!mmu_on())
		return !walkers;
	return !memory &&
	       (walkers == 0 || (walkers == 1 && world.format->flags & PT_FORMAT_MMU_AD));
}

/* Several calls in one, each of which is explored alone; and what they are there to be beside. */
static const struct {
	const char *calls;
	const char *beside;
} company[] = {
	{"unmap-shrink", "translate"},
	{"tables", "from_pa"},
	{"frames-many", "page_memdesc"},
	{"object-stable", "object-look"},
};

static bool company_fits(const struct scenario *s)
{
	for (unsigned i = 0; i < sizeof(company) / sizeof(company[0]); i++)
		for (unsigned k = 0; k < 2; k++)
			if (is(s->op[k], company[i].calls) && !is(s->op[!k], company[i].beside))
				return false;
	return true;
}

/* Is what one of the calls, or their relation, is there for to be met. */
static bool adds_something(const struct scenario *s, enum world_state state)
{
	return mmu_fits(s) && company_fits(s) && deposits_fit(s, state) && into_fits(s, state);
}

bool scenario_fits(const struct scenario *s, enum world_state state)
{
	if (s->other && !other_fits(s, state))
		return false;
	/* The second space that is destroyed is the one that a third call copies into. */
	if (s->op[2] && count_of(s, "space_destroy") > 1)
		return false;
	if (!adds_something(s, state))
		return false;
	if (s->place[0].pages)
		return true;
	/* What is mapped is nothing to them. */
	if (state != WORLD_PAGE && on_memory_alone(s))
		return false;
	return relation_fits(s);
}

void scenario_name(const struct scenario *s, char *text, size_t size)
{
	size_t at = 0;

	for (unsigned i = 0; i < EXPLORE_FIBERS && s->op[i] && at < size; i++) {
		const struct place *p = &s->place[i];

		at += (size_t)snprintf(text + at, size - at, "%s%s", i ? "/" : "", s->op[i]->name);
		if (p->pages && at < size)
			at += (size_t)snprintf(text + at, size - at, "@%u+%u:%u", p->page, p->pages,
			    p->space);
	}
	if (!s->place[0].pages && at < size)
		snprintf(text + at, size - at, "/%s%s", relation_name[s->relation],
		    s->other ? "/other" : "");
}

/* Reads OP or OP@PAGE+PAGES or OP@PAGE+PAGES:SPACE as call n. */
static bool find_call(char *word, struct scenario *s, unsigned n)
{
	char *at = strchr(word, '@');
	struct place *p = &s->place[n];

	if (at) {
		*at = 0;
		if (sscanf(at + 1, "%u+%u:%u", &p->page, &p->pages, &p->space) < 2 || !p->pages ||
		    p->page + p->pages > WORLD_PAGES || p->space >= WORLD_SPACES)
			return false;
	}
	s->op[n] = operation_find(word);
	return s->op[n] != NULL;
}

/* Reads the words that follow the calls. */
static bool find_relation(const char *word, struct scenario *s, bool *placed)
{
	if (!strcmp(word, "other")) {
		s->other = true;
		return true;
	}
	for (unsigned r = 0; r < RELATIONS; r++) {
		if (!strcmp(word, relation_name[r])) {
			s->relation = (enum relation)r;
			*placed = true;
			return true;
		}
	}
	return false;
}

bool scenario_find(const char *text, struct scenario *s)
{
	char copy[160];
	unsigned ops = 0;
	bool placed = false;

	memset(s, 0, sizeof(*s));
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok(copy, "/"); word; word = strtok(NULL, "/")) {
		if (find_relation(word, s, &placed))
			continue;
		if (ops == EXPLORE_FIBERS || !find_call(word, s, ops))
			return false;
		ops++;
	}
	for (unsigned i = 0; i < ops && !placed; i++)
		if (!s->place[i].pages)
			return false;
	return ops >= 2;
}

/* A leaf table is copied whole, so that it may be shared, or be a large leaf. */
static void place_into(struct call *copier, struct call *into)
{
	copier->pages = WORLD_LEAF;
	into->space = &world.space[WORLD_TARGET_SPACE];
}

/* Where the first two calls go. */
static void place(const struct scenario *s, struct call *first, struct call *next)
{
	static const unsigned apart[RELATIONS] = {
		[RELATION_LEAF] = 1,
		[RELATION_SIBLING] = WORLD_LEAF,
		[RELATION_TARGET] = WORLD_TARGET,
	};

	next->page =
	    s->relation == RELATION_DISJOINT ? world.disjoint : first->page + apart[s->relation];
	if (s->relation == RELATION_OVER)
		next->pages = 2 * WORLD_LEAF;
	if (s->relation == RELATION_UNDER)
		first->pages = 2 * WORLD_LEAF;
	if (s->relation == RELATION_TARGET && !moves(first->op)) {
		first->page = WORLD_TARGET;
		next->page = 0;
	}
	if (goes_into(s) && copies(first->op))
		place_into(first, next);
	else if (goes_into(s))
		place_into(next, first);
}

static void make_calls(const struct scenario *s)
{
	unsigned victims = 0;

	memset(calls, 0, sizeof(calls));
	for (call_count = 0; call_count < EXPLORE_FIBERS && s->op[call_count]; call_count++) {
		struct call *c = &calls[call_count];

		c->op = s->op[call_count];
		c->fiber = call_count;
		c->space = &world.space[call_count && s->other];
		c->pages = 1;
		if (is(c->op, "space_destroy"))
			c->victim = ++victims;
		c->page = calls[0].page;
		if (s->place[call_count].pages) {
			c->page = s->place[call_count].page;
			c->pages = s->place[call_count].pages;
			c->space = &world.space[s->place[call_count].space];
		} else if (call_count == 1) {
			place(s, &calls[0], c);
		}
	}
}

static void body(unsigned fiber)
{
	call_run(&calls[fiber]);
}

/* Allocations are counted from the start of an execution; this one fails, 0: none does. */
static uint64_t failing;
static bool for_ever;
static uint64_t asked; /* allocations of the last execution */

static void arm(void)
{
	(void)pt_memory_fail_at(world.memory, failing, for_ever);
}

static const char *one_execution(struct totals *totals)
{
	const char *wrong = explore_run();

	if (failing)
		asked = pt_memory_fail_at(world.memory, 0, false);
	if (!explore_counts())
		return NULL;
	totals->ends += !wrong && ends_add(oracle_end(calls));
	if (!wrong)
		wrong = mmu_judge(calls, call_count);
	return wrong ? wrong : oracle_judge(calls);
}

static void begin(const struct depth *depth)
{
	struct explore_config config = {.fibers = call_count,
		.bound = depth->bound,
		.plain = depth->plain,
		.every = depth->every,
		.body = body,
		.before = failing ? arm : NULL,
		.describe = world_describe};

	explore_begin(&config);
}

/* All executions; most becomes the most allocations that one asked for. */
static const char *explore_all(struct totals *totals, uint64_t *most)
{
	uint64_t executions = 0;
	const char *wrong;

	*most = 0;
	do {
		wrong = one_execution(totals);
		executions++;
		if (asked > *most)
			*most = asked;
	} while (!wrong && executions < CAP && explore_next());
	totals->executions += executions;
	totals->capped += executions == CAP;
	if (executions > totals->most)
		totals->most = executions;
	return wrong;
}

/* Every allocation fails in turn, alone, and with all that follow. */
static const char *explore_oom(const struct depth *depth, struct totals *totals)
{
	const char *wrong = NULL;
	uint64_t most;

	for (unsigned i = 0; i < 2 && !wrong; i++) {
		for_ever = i;
		failing = 0;
		do {
			failing++;
			begin(depth);
			wrong = explore_all(totals, &most);
			totals->failing += most >= failing;
		} while (!wrong && most >= failing);
	}
	return wrong;
}

const char *scenario_explore(const struct scenario *s, const struct depth *depth,
    struct totals *totals)
{
	const char *wrong;
	uint64_t most;

	make_calls(s);
	ends_begin();
	totals->scenarios++;
	failing = 0;
	begin(depth);
	wrong = oracle_learn(calls, call_count, depth->oom);
	if (!wrong)
		wrong = depth->oom ? explore_oom(depth, totals) : explore_all(totals, &most);
	if (wrong && !strncmp(wrong, "race", 4))
		totals->races++;
	else if (wrong)
		totals->violations++;
	return wrong;
}

void scenario_failing(struct failing *f)
{
	f->nth = failing;
	f->for_ever = for_ever;
}

const char *scenario_replay(const struct scenario *s, const struct explore_schedule *schedule,
    const struct failing *f, bool tell)
{
	const struct depth depth = {0};
	const char *wrong;

	make_calls(s);
	failing = f->nth;
	for_ever = f->for_ever;
	begin(&depth);
	wrong = oracle_learn(calls, call_count, failing != 0);
	if (!wrong)
		wrong = explore_replay(schedule, tell);
	if (failing)
		(void)pt_memory_fail_at(world.memory, 0, false);
	if (!wrong)
		wrong = mmu_judge(calls, call_count);
	return wrong ? wrong : oracle_judge(calls);
}
