/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The explorer's command line. Prints TAP. */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/defects.h"
#include "tests/explore/jobs.h"
#include "tests/explore/oracle.h"

unsigned pt_defect;

static const char examples[] =
    "\n"
    "Explores the library's calls, in pairs, under every schedule with few preemptions.\n"
    "\n"
    "  explore                                    all pairs, before each synchronisation\n"
    "  explore --plain --bound 1                  before each access that conflicts\n"
    "  explore --scenario map/unmap/same --state page\n"
    "                                             one pair; also A/B/C/RELATION, and /other\n"
    "  explore --oom --bound 1                    every allocation fails in turn\n"
    "  explore --one-cpu --format fake8 --state page\n"
    "                                             all calls on one CPU: a pin is a lock there\n"
    "  explore --triples 10 --seed 7              10 random triples for each format and state\n"
    "  explore --fault 72 --scenario unmap/unmap/same --state page --format fake8\n"
    "                                             with row D72 of docs/defects.md put back\n"
    "  explore --format fake8 --state page --scenario A/B/REL --schedule 3@0-0,0@71-1\n"
    "                                             what a failure printed, step by step:\n"
    "                                             FIBER@ACCESS-NEXT is a switch; 3 is the start\n"
    "\n"
    "Operations: --list. Relations: same, leaf, sibling, disjoint, over, under, target, into,\n"
    "into-room. States: empty, page, full, huge, huge-dirty, hollow, shared, sole, truly.\n"
    "\n";

static char *format_name;
static char *state_name;
static char *scenario_text;
static char *schedule_text;
static char *fail_text;
static int bound = 2;
static int plain;
static int every;
static int mmu;
static int oom;
static int one_cpu;
static int triples;
static int seed = 1;
static int jobs = 2;
static int first;
static int list;
static int fault;

static const struct poptOption options[] = {
	{"format", 0, POPT_ARG_STRING, (void *)&format_name, 0,
		"fake8, fake8-soft or fake4; with simulated MMUs fake8-mmu or fake4-mmu", "F"},
	{"state", 0, POPT_ARG_STRING, (void *)&state_name, 0, "what the space holds at first", "S"},
	{"scenario", 0, POPT_ARG_STRING, (void *)&scenario_text, 0, "one scenario", "A/B/REL"},
	{"schedule", 0, POPT_ARG_STRING, (void *)&schedule_text, 0, "one schedule of it, told",
		"S"},
	{"fail", 0, POPT_ARG_STRING, (void *)&fail_text, 0,
		"with --schedule: allocation N fails; N+: and all after it", "N"},
	{"bound", 0, POPT_ARG_INT, &bound, 0, "preemptions; 2", "N"},
	{"plain", 0, POPT_ARG_NONE, &plain, 0, "decide before plain accesses too", NULL},
	{"every", 0, POPT_ARG_NONE, &every, 0, "also schedules that go on as others do", NULL},
	{"oom", 0, POPT_ARG_NONE, &oom, 0, "every allocation fails in turn", NULL},
	{"one-cpu", 0, POPT_ARG_NONE, &one_cpu, 0, "all calls on one CPU", NULL},
	{"triples", 0, POPT_ARG_INT, &triples, 0, "random triples of calls, not pairs", "N"},
	{"seed", 0, POPT_ARG_INT, &seed, 0, "of the triples; 1", "N"},
	{"mmu", 0, POPT_ARG_NONE, &mmu, 0, "all pairs with simulated MMUs", NULL},
	{"jobs", 0, POPT_ARG_INT, &jobs, 0, "processes; 2", "N"},
	{"first", 0, POPT_ARG_NONE, &first, 0, "end with the first failure", NULL},
	{"list", 0, POPT_ARG_NONE, &list, 0, "name the operations", NULL},
	{"fault", 0, POPT_ARG_INT, &fault, 0,
		"row of docs/defects.md to put back; 100 to 103: a flush is not done; 104: "
		"translate answers of the past",
		"N"},
	POPT_AUTOHELP POPT_TABLEEND,
};

/* --- schedules ------------------------------------------------------------------------------ */

static void print_schedule(void)
{
	const struct explore_schedule *s = explore_schedule();

	for (unsigned i = 0; i < s->count; i++)
		printf("%s%u@%u-%u", i ? "," : " --schedule ", s->step[i].from, s->step[i].at,
		    s->step[i].to);
}

static bool parse_schedule(const char *text, struct explore_schedule *s)
{
	memset(s, 0, sizeof(*s));
	while (*text && s->count < EXPLORE_SWITCHES) {
		struct explore_switch *step = &s->step[s->count++];
		unsigned from;
		unsigned to;
		int used = 0;

		if (sscanf(text, "%u@%u-%u%n", &from, &step->at, &to, &used) != 3 ||
		    from > EXPLORE_MAIN || to >= EXPLORE_FIBERS)
			return false;
		step->from = (uint8_t)from;
		step->to = (uint8_t)to;
		text += used;
		text += *text == ',';
	}
	return !*text;
}

static bool parse_failing(const char *text, struct failing *f)
{
	char *end;

	memset(f, 0, sizeof(*f));
	if (!text)
		return true;
	f->nth = strtoull(text, &end, 10);
	f->for_ever = *end == '+';
	return f->nth && !end[f->for_ever];
}

/* How to see a failure again. */
static void tell_failure(const struct scenario *s, enum world_state state, const char *wrong)
{
	struct failing f;
	char name[128];

	scenario_failing(&f);
	scenario_name(s, name, sizeof(name));
	printf("# %s in state %s: %s\n", name, world_state_name[state], wrong);
	printf("# explore --format %s --state %s --scenario %s", world.kind->name,
	    world_state_name[state], name);
	if (fault)
		printf(" --fault %d", fault);
	if (one_cpu)
		printf(" --one-cpu");
	if (f.nth)
		printf(" --fail %llu%s", (unsigned long long)f.nth, f.for_ever ? "+" : "");
	print_schedule();
	printf("\n");
	fflush(stdout);
}

/* A number of names, or their count if there is none of that name; the first if none is asked. */
static unsigned find_kind(void)
{
	unsigned i = 0;

	while (i < WORLD_KINDS && format_name && strcmp(format_name, world_kind[i].name) != 0)
		i++;
	return i;
}

static unsigned find_state(void)
{
	unsigned i = 0;

	while (i < WORLD_STATES && state_name && strcmp(state_name, world_state_name[i]) != 0)
		i++;
	return i;
}

static int replay(void)
{
	struct explore_schedule schedule;
	struct failing failing;
	struct scenario s;
	const char *wrong;

	if (!scenario_text || !scenario_find(scenario_text, &s) ||
	    !parse_schedule(schedule_text, &schedule) || !parse_failing(fail_text, &failing)) {
		fprintf(stderr,
		    "explore: a schedule wants the scenario that it was printed with\n");
		return 2;
	}
	world_make(&world_kind[find_kind()], (enum world_state)find_state(), scenario_flavour(&s));
	wrong = scenario_replay(&s, &schedule, &failing, true);
	printf("%s\n", wrong ? wrong : "nothing is wrong");
	return wrong != NULL;
}

/* --- exploring ------------------------------------------------------------------------------ */

static void explore_one(const struct scenario *s, enum world_state state, struct totals *totals)
{
	const struct depth depth = {(unsigned)bound, plain, every, oom};
	const char *wrong;

	if (scenario_flavour(s) != world.flavour || !scenario_fits(s, state))
		return;
	wrong = scenario_explore(s, &depth, totals);
	if (!wrong)
		return;
	tell_failure(s, state, wrong);
	if (first)
		_exit(1);
}

/* Where both work on one space, the pair the other way round is the same one. */
static void explore_pair(const struct operation *a, const struct operation *b, bool reversed,
    enum world_state state, struct totals *totals)
{
	for (unsigned r = 0; r < RELATIONS; r++) {
		for (unsigned other = reversed; other < 2; other++) {
			struct scenario s = {.op = {a, b},
				.relation = (enum relation)r,
				.other = other};

			explore_one(&s, state, totals);
		}
	}
}

static void explore_pairs(enum world_state state, struct totals *totals)
{
	for (unsigned i = 0; i < operation_count(); i++)
		for (unsigned k = 0; k < operation_count(); k++)
			explore_pair(operation_at(i), operation_at(k), k < i, state, totals);
}

static unsigned random_below(uint64_t *x, unsigned n)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return (unsigned)((*x >> 20) % n);
}

/* So many that fit the state, the same in each world of it; of those, what this one is for. */
static void explore_triples(enum world_state state, uint64_t x, struct totals *totals)
{
	int drawn = 0;

	while (drawn < triples) {
		struct scenario s = {.relation = (enum relation)random_below(&x, RELATIONS)};

		for (unsigned i = 0; i < EXPLORE_FIBERS; i++)
			s.op[i] = operation_at(random_below(&x, operation_count()));
		s.other = random_below(&x, 2);
		drawn += scenario_fits(&s, state);
		explore_one(&s, state, totals);
	}
}

static void explore_world(enum world_state state, uint64_t x, struct totals *t)
{
	struct scenario s;

	if (scenario_text && scenario_find(scenario_text, &s))
		explore_one(&s, state, t);
	else if (!triples)
		explore_pairs(state, t);
	else
		explore_triples(state, x, t);
}

/* One format in one state: a process does it. */
static bool explore_piece(unsigned piece, struct totals *t)
{
	const struct world_kind *kind = &world_kind[piece / WORLD_STATES];
	enum world_state state = piece % WORLD_STATES;
	const uint64_t x = (uint64_t)seed * UINT64_C(0x9e3779b97f4a7c15) + piece + 1;
	bool good;

	if (!format_name && kind->mmu != mmu)
		return true;
	if ((format_name && kind != &world_kind[find_kind()]) ||
	    (state_name && state != find_state()))
		return true;
	for (unsigned flavour = 0; flavour < WORLD_FLAVOURS; flavour++) {
		world_make(kind, state, flavour);
		oracle_forget();
		explore_world(state, x, t);
	}
	good = !(t->races + t->violations + t->capped);
	printf("%s - %s, %s: ", good ? "ok" : "not ok", kind->name, world_state_name[state]);
	totals_print(t);
	return good;
}

static int explore(void)
{
	struct totals sum = {0};
	bool good;

	if (triples)
		printf("# triples: --seed %d\n", seed);
	good = jobs_run(explore_piece, WORLD_KINDS * WORLD_STATES, (unsigned)jobs, first, &sum);
	/* A scenario may not fit a state, but then it has to fit another. */
	if (good && !sum.scenarios) {
		printf("not ok - nothing was explored\n");
		good = false;
	}
	printf("## in all: ");
	totals_print(&sum);
	return good ? 0 : 1;
}

static bool is_a_number_wrong(void)
{
	return bound < 0 || jobs < 1 || triples < 0 || fault < 0;
}

/* What is wrong with the arguments, or NULL. */
static const char *misused(poptContext ctx)
{
	struct scenario s;

	if (poptPeekArg(ctx) || is_a_number_wrong())
		return "an argument that means nothing";
	if (mmu && format_name)
		return "--mmu chooses the formats, and so does --format";
	if (find_kind() == WORLD_KINDS)
		return "no such format";
	if (find_state() == WORLD_STATES)
		return "no such state";
	if (scenario_text && !scenario_find(scenario_text, &s))
		return "no such scenario";
	return NULL;
}

static int run(poptContext ctx)
{
	int status = poptGetNextOpt(ctx);
	const char *wrong = status < -1 ? poptStrerror(status) : misused(ctx);

	if (wrong) {
		fprintf(stderr, "explore: %s; --help tells more\n", wrong);
		return 2;
	}
	if (list) {
		for (unsigned i = 0; i < operation_count(); i++)
			printf("%s\n", operation_at(i)->name);
		return 0;
	}
	pt_defect = (unsigned)fault;
	if (one_cpu)
		explore_port_one_cpu();
	return schedule_text ? replay() : explore();
}

int main(int argc, char **argv)
{
	poptContext ctx = poptGetContext(NULL, argc, (const char **)(void *)argv, options, 0);
	int status;

	poptSetOtherOptionHelp(ctx, examples);
	status = run(ctx);
	poptFreeContext(ctx);
	return status;
}
