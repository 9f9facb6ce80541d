/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "benches/team.h"

#include <pthread.h>
#include <sched.h>

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
	uint64_t ns;
	pthread_t id;
};

unsigned team_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

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
	uint64_t start;

	move_to(&team->allowed, me->thread);
	if (team->first)
		team->first(team->state, me->thread);
	PT_FETCH_ADD(&team->there, 1, ACQ_REL);
	while (PT_LOAD(&team->there, ACQUIRE) < team->threads)
		if (team->threads > (unsigned)CPU_COUNT(&team->allowed))
			sched_yield();
	start = bench_now();
	team->work(team->state, me->thread);
	me->ns = bench_now() - start;
	return NULL;
}

double team_run(unsigned threads, void (*first)(void *state, unsigned thread),
    void (*work)(void *state, unsigned thread), void *state)
{
	struct team team = {.threads = threads, .first = first, .work = work, .state = state};
	struct member members[TEAM_MOST];
	uint64_t ns = 0;

	if (threads > TEAM_MOST || sched_getaffinity(0, sizeof(team.allowed), &team.allowed) != 0)
		bench_die("too many threads, or no CPU");
	for (unsigned i = 0; i < threads; i++)
		members[i] = (struct member){.team = &team, .thread = i};
	for (unsigned i = 1; i < threads; i++)
		if (pthread_create(&members[i].id, NULL, run, &members[i]) != 0)
			bench_die("no thread");
	(void)run(&members[0]);
	for (unsigned i = 1; i < threads; i++)
		(void)pthread_join(members[i].id, NULL);
	(void)sched_setaffinity(0, sizeof(team.allowed), &team.allowed);
	for (unsigned i = 0; i < threads; i++)
		ns += members[i].ns;
	return (double)ns / threads;
}
