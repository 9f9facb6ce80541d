/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * explore [--format F] [--state S] [--scenario OP/OP/RELATION[/other]] [--bound N] [--plain]
 *         [--schedule S] [--fault N]
 *
 * Without --scenario all pairs. Prints TAP. --schedule does one schedule of one scenario, as a
 * failure printed it, and tells each step.
 */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/defects.h"
#include "tests/explore/jobs.h"

unsigned pt_defect;

static char *format_name;
static char *state_name;
static char *scenario_text;
static char *schedule_text;
static int bound = 2;
static int plain;
static int mmu;
static int fault;
static int jobs = 2;

static void print_schedule(void)
{
	const struct explore_schedule *s = explore_schedule();

	for (unsigned i = 0; i < s->count; i++)
		printf("%s%u@%u-%u", i ? "," : "", s->step[i].from, s->step[i].at, s->step[i].to);
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
	return true;
}

/* How to see a failure again. */
static void tell_failure(const struct scenario *s, enum world_state state, const char *wrong)
{
	char name[128];

	scenario_name(s, name, sizeof(name));
	printf("# %s in state %s: %s\n", name, world_state_name[state], wrong);
	printf("# explore --format %s --state %s --scenario %s%s --schedule ", world.kind->name,
	    world_state_name[state], name, plain ? " --plain" : "");
	print_schedule();
	printf("\n");
	fflush(stdout);
}

static void explore_one(const struct scenario *s, enum world_state state, struct totals *totals)
{
	const char *wrong;

	if (!scenario_fits(s, state))
		return;
	wrong = scenario_explore(s, (unsigned)bound, plain, totals);
	if (wrong)
		tell_failure(s, state, wrong);
}

static void explore_pair(const struct operation *a, const struct operation *b,
    enum world_state state, struct totals *totals)
{
	for (unsigned r = 0; r < RELATIONS; r++) {
		for (unsigned other = 0; other < 2; other++) {
			struct scenario s = {.op = {a, b},
				.relation = (enum relation)r,
				.other = other};

			explore_one(&s, state, totals);
		}
	}
}

/* One format in one state: a process does it. */
static bool explore_piece(unsigned piece, struct totals *t)
{
	const struct world_kind *kind = &world_kind[piece / WORLD_STATES];
	enum world_state state = piece % WORLD_STATES;
	struct scenario s;
	bool good;

	if (!format_name && kind->mmu != mmu)
		return true;
	if ((format_name && strcmp(format_name, kind->name) != 0) ||
	    (state_name && strcmp(state_name, world_state_name[state]) != 0))
		return true;
	world_make(kind, state);
	if (scenario_text && scenario_find(scenario_text, &s))
		explore_one(&s, state, t);
	for (unsigned i = 0; i < operation_count && !scenario_text; i++)
		for (unsigned k = i; k < operation_count; k++)
			explore_pair(&operations[i], &operations[k], state, t);
	good = !(t->races + t->violations + t->capped);
	printf("%s - %s, %s: ", good ? "ok" : "not ok", kind->name, world_state_name[state]);
	totals_print(t);
	return good;
}

static int replay(void)
{
	struct explore_schedule schedule;
	unsigned state = 0;
	unsigned kind = 0;
	struct scenario s;
	const char *wrong;

	while (kind < WORLD_KINDS && format_name && strcmp(format_name, world_kind[kind].name) != 0)
		kind++;
	while (
	    state < WORLD_STATES && state_name && strcmp(state_name, world_state_name[state]) != 0)
		state++;
	if (kind == WORLD_KINDS || state == WORLD_STATES || !scenario_text ||
	    !scenario_find(scenario_text, &s) || !parse_schedule(schedule_text, &schedule)) {
		fprintf(stderr, "a schedule wants --format, --state and --scenario as printed\n");
		return 2;
	}
	world_make(&world_kind[kind], (enum world_state)state);
	wrong = scenario_replay(&s, &schedule, true);
	printf("%s\n", wrong ? wrong : "nothing is wrong");
	return wrong != NULL;
}

int main(int argc, char **argv)
{
	const struct poptOption options[] = {{"format", 0, POPT_ARG_STRING, &format_name, 0,
						     "fake8 or fake4", "F"},
		{"state", 0, POPT_ARG_STRING, &state_name, 0, "the state at first", "S"},
		{"scenario", 0, POPT_ARG_STRING, &scenario_text, 0, "one scenario", "A/B/REL"},
		{"schedule", 0, POPT_ARG_STRING, &schedule_text, 0, "one schedule of it", "S"},
		{"bound", 0, POPT_ARG_INT, &bound, 0, "preemptions", "N"},
		{"plain", 0, POPT_ARG_NONE, &plain, 0, "decide before plain accesses", NULL},
		{"mmu", 0, POPT_ARG_NONE, &mmu, 0, "with simulated MMUs", NULL},
		{"jobs", 0, POPT_ARG_INT, &jobs, 0, "processes at a time", "N"},
		{"fault", 0, POPT_ARG_INT, &fault, 0, "a defect to put back", "N"},
		POPT_AUTOHELP POPT_TABLEEND};
	poptContext ctx = poptGetContext(NULL, argc, (const char **)(void *)argv, options, 0);
	int status = poptGetNextOpt(ctx);
	struct totals sum = {0};
	bool good;

	poptFreeContext(ctx);
	if (status < -1) {
		fprintf(stderr, "explore: %s\n", poptStrerror(status));
		return 2;
	}
	pt_defect = (unsigned)fault;
	if (schedule_text)
		return replay();
	good = jobs_run(explore_piece, WORLD_KINDS * WORLD_STATES, (unsigned)jobs, &sum);
	printf("# all: ");
	totals_print(&sum);
	return good ? 0 : 1;
}
