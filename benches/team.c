/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "benches/team.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <ptdesc/atomic.h>

#include "benches/bench.h"

struct team {
	unsigned threads;
	void (*first)(void *state, unsigned thread);
	void (*work)(void *state, unsigned thread);
	void *state;
	cpu_set_t allowed;
	uint32_t there __attribute__((aligned(64)));
};

struct member {
	struct team *team;
	unsigned thread;
	uint64_t start;
	uint64_t end;
	pthread_t id;
};

/* Tries to have all threads at work at the same time, which takes luck on a busy machine. */
#define TRIES 300

/* The n-th of the CPUs allowed. */
static void move_to(const cpu_set_t *allowed, unsigned n)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	n %= (unsigned)CPU_COUNT(allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, allowed) && n-- == 0)
			CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static void *run(void *at)
{
	struct member *me = at;
	struct team *team = me->team;

	move_to(&team->allowed, me->thread);
	if (team->first)
		team->first(team->state, me->thread);
	PT_FETCH_ADD(&team->there, 1, ACQ_REL);
	while (PT_LOAD(&team->there, ACQUIRE) < team->threads)
		if (team->threads > (unsigned)CPU_COUNT(&team->allowed))
			sched_yield();
	me->start = bench_now();
	team->work(team->state, me->thread);
	me->end = bench_now();
	return NULL;
}

/* One run. Returns ns in the mean; together: were all at work for most of the time. */
static double run_once(struct team *team, bool *together)
{
	struct member members[TEAM_MOST];
	uint64_t started = 0;
	uint64_t ended = UINT64_MAX;
	uint64_t longest = 0;
	uint64_t sum = 0;

	team->there = 0;
	for (unsigned i = 0; i < team->threads; i++)
		members[i] = (struct member){.team = team, .thread = i};
	for (unsigned i = 1; i < team->threads; i++)
		if (pthread_create(&members[i].id, NULL, run, &members[i]) != 0)
			bench_die("no thread");
	(void)run(&members[0]);
	for (unsigned i = 1; i < team->threads; i++)
		(void)pthread_join(members[i].id, NULL);
	for (unsigned i = 0; i < team->threads; i++) {
		uint64_t ns = members[i].end - members[i].start;

		started = members[i].start > started ? members[i].start : started;
		ended = members[i].end < ended ? members[i].end : ended;
		longest = ns > longest ? ns : longest;
		sum += ns;
	}
	*together = ended > started && ended - started >= longest / 5 * 4;
	return (double)sum / team->threads;
}

double team_run(unsigned threads, void (*first)(void *state, unsigned thread),
    void (*work)(void *state, unsigned thread), void *state)
{
	struct team team = {.threads = threads, .first = first, .work = work, .state = state};
	bool together = false;
	bool room;
	double ns = 0;

	if (!threads || threads > TEAM_MOST ||
	    sched_getaffinity(0, sizeof(team.allowed), &team.allowed) != 0)
		bench_die("no threads, too many, or no CPU");
	room = threads <= (unsigned)CPU_COUNT(&team.allowed);
	for (int i = 0; i < (room ? TRIES : 1) && !together; i++)
		ns = run_once(&team, &together);
	if (room && !together)
		fprintf(stderr,
		    "ptdesc-bench: %u threads were never at work together: the machine "
		    "is too busy\n",
		    threads);
	(void)sched_setaffinity(0, sizeof(team.allowed), &team.allowed);
	return ns;
}
