/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/explore/mmu.h"
#include "tests/explore/oracle.h"
#include "tests/explore/scenario.h"

/* Executions of one scenario, at most: one that has more is counted as capped, and fails. */
#define CAP 5000000u

const char *const relation_name[RELATIONS] = {
	"same",
	"leaf",
	"sibling",
	"disjoint",
	"over",
	"under",
	"target",
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
	sum->capped += t->capped;
	if (t->most > sum->most)
		sum->most = t->most;
}

void totals_print(const struct totals *t)
{
	printf("%" PRIu64 " scenarios, %" PRIu64 " executions (most %" PRIu64 "), races %" PRIu64
	       ", violations %" PRIu64 ", capped %" PRIu64 "\n",
	    t->scenarios, t->executions, t->most, t->races, t->violations, t->capped);
}

/* Is an operation what an MMU does. */
static bool walks(const struct operation *op)
{
	return is(op, "mmu_read") || is(op, "mmu_write");
}

bool scenario_fits(const struct scenario *s, enum world_state state)
{
	bool moves = is(s->op[0], "move") || is(s->op[1], "move");

	if (s->other && state != WORLD_SHARED && state != WORLD_TRULY)
		return false;
	/* Nobody calls on a space that is destroyed. */
	if (s->other && (is(s->op[0], "space_destroy") || is(s->op[1], "space_destroy")))
		return false;
	if (walks(s->op[0]) && walks(s->op[1]))
		return false;
	if ((walks(s->op[0]) || walks(s->op[1])) &&
	    !(mmu_on() && world.format->flags & PT_FORMAT_MMU_AD))
		return false;
	if (s->place[0].pages)
		return true;
	if (s->relation == RELATION_UNDER && s->op[0] == s->op[1] && !s->other)
		return false;
	return s->relation != RELATION_TARGET || moves;
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

/* Where the first call and the others go. */
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
	if (s->relation == RELATION_TARGET && !is(first->op, "move")) {
		first->page = WORLD_TARGET;
		next->page = 0;
	}
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
		if (s->place[call_count].pages) {
			c->page = s->place[call_count].page;
			c->pages = s->place[call_count].pages;
			c->space = &world.space[s->place[call_count].space];
		} else if (call_count) {
			place(s, &calls[0], c);
		}
	}
}

static void body(unsigned fiber)
{
	call_run(&calls[fiber]);
}

static const char *one_execution(void)
{
	const char *wrong = explore_run();

	if (!wrong)
		wrong = mmu_judge(calls, call_count);
	return wrong ? wrong : oracle_judge(calls);
}

static void begin(unsigned bound, bool plain)
{
	struct explore_config config = {.fibers = call_count,
		.bound = bound,
		.plain = plain,
		.body = body};

	explore_begin(&config);
}

static const char *explore_all(struct totals *totals)
{
	uint64_t executions = 0;
	const char *wrong;

	do {
		wrong = one_execution();
		executions++;
	} while (!wrong && executions < CAP && explore_next());
	totals->executions += executions;
	totals->capped += executions == CAP;
	if (executions > totals->most)
		totals->most = executions;
	return wrong;
}

const char *scenario_explore(const struct scenario *s, unsigned bound, bool plain,
    struct totals *totals)
{
	const char *wrong;

	make_calls(s);
	begin(bound, plain);
	wrong = oracle_learn(calls, call_count);
	totals->scenarios++;
	if (!wrong)
		wrong = explore_all(totals);
	if (wrong && !strncmp(wrong, "race", 4))
		totals->races++;
	else if (wrong)
		totals->violations++;
	return wrong;
}

const char *scenario_replay(const struct scenario *s, const struct explore_schedule *schedule,
    bool tell)
{
	const char *wrong;

	make_calls(s);
	begin(0, false);
	wrong = oracle_learn(calls, call_count);
	if (!wrong)
		wrong = explore_replay(schedule, tell);
	if (!wrong)
		wrong = mmu_judge(calls, call_count);
	return wrong ? wrong : oracle_judge(calls);
}
