/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads that do what was kept, as planned. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ptdesc/atomic.h>

#include "tool/sink/plan.h"
#include "tool/sink/sink_internal.h"
#include "tool/tool.h"

#define SPINS 200u

struct member {
	uint32_t done; /* operations; others wait for it */
	unsigned number;
	struct crew *crew;
	pthread_t thread;
	uint64_t began; /* ns */
	uint64_t ended;
	uint64_t spaces;
	uint64_t pages;
} __attribute__((aligned(64)));

struct crew {
	const struct sink *from;
	struct sink *to;
	const struct plan *plan;
	struct sink_crew *result;
	struct member *members;
	pthread_barrier_t join;
	pthread_mutex_t failing;
	uint32_t failed;
	bool compare; /* at checkpoints and at the end of spaces */
};

static void fail(struct crew *crew, const char *what, const struct sink_op *op, const char *why)
{
	pthread_mutex_lock(&crew->failing);
	if (!crew->result->wrong[0])
		snprintf(crew->result->wrong, sizeof(crew->result->wrong),
		    "on %u threads %s, space %" PRIu32 ", %#" PRIx64 ": %s", crew->plan->threads,
		    what, op->space, op->va, why);
	PT_STORE(&crew->failed, 1, RELEASE);
	pthread_mutex_unlock(&crew->failing);
}

/* --- the end of a space ---------------------------------------------------------------------- */

uint64_t sink_digest(uint64_t va, uint64_t pa, bool write)
{
	uint64_t h =
	    va * UINT64_C(0x9e3779b97f4a7c15) ^ (pa | write) * UINT64_C(0xc2b2ae3d27d4eb4f);

	h = (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	return h ^ h >> 32;
}

struct digesting {
	uint64_t page; /* bytes */
	bool rights;
	uint64_t sum;
	uint64_t pages;
};

static int add_piece(void *ctx, const struct pt_piece *piece)
{
	struct digesting *d = ctx;
	bool write = d->rights && piece->attr.flags & PT_WRITE;

	for (uint64_t at = 0; at < piece->size; at += d->page) {
		d->sum += sink_digest(piece->va.v + at, piece->pa.v + at, write);
		d->pages++;
	}
	return 0;
}

/* All that the space maps, with the model as it was when the operation was kept. */
static void compare_end(struct member *member, const struct sink_op *op)
{
	struct crew *crew = member->crew;
	const struct pt_format *format = crew->to->format;
	const struct pt_space *space = crew->to->spaces[op->space];
	uint64_t size = UINT64_C(1) << sink_user_bits(format);
	struct digesting d = {.page = UINT64_C(1) << format->page_shift, .rights = op->flags};
	struct pt_fault_report report;

	if (pt_walk(space, pt_make_va(0), size, add_piece, &d) || d.sum != op->arg ||
	    d.pages != op->end)
		fail(crew, "a space maps other pages than the model", op, format->name);
	if (pt_check(space, &report))
		fail(crew, "a space is damaged", op, report.what);
	member->spaces++;
	member->pages += d.pages;
}

/* --- checkpoints ----------------------------------------------------------------------------- */

static void compare_tables(struct crew *crew, const struct sink_check *check)
{
	const struct sink_op where = {.space = check->space};
	struct sink_crew *result = crew->result;
	struct pt_space_stats now;
	uint64_t sum = 0;

	pt_space_stats(crew->to->spaces[check->space], &now);
	result->checkpoints++;
	if (memcmp(now.tables, check->tables.tables, sizeof(now.tables)) == 0)
		result->same++;
	else
		fail(crew, "other tables than on one", &where, "at a checkpoint");
	if (check->kernel == SINK_UNKNOWN)
		return;
	for (unsigned l = 0; l < 3; l++)
		sum += now.tables[l];
	result->kernels++;
	result->equal += sum == check->kernel;
}

/* --- threads --------------------------------------------------------------------------------- */

static void wait_for(struct crew *crew, const struct plan_wait *wait)
{
	const uint32_t *done = &crew->members[wait->thread].done;

	for (unsigned i = 0; PT_LOAD(done, ACQUIRE) < wait->turn; i++) {
		if (PT_LOAD(&crew->failed, ACQUIRE))
			return;
		if (i >= SPINS)
			(void)sched_yield();
	}
}

static void take_step(struct member *member, const struct plan_step *step)
{
	struct crew *crew = member->crew;
	const struct sink_op *op = &crew->from->ops[step->op];
	int error;

	for (uint32_t i = 0; i < step->waits; i++)
		wait_for(crew, &crew->plan->waits[step->first_wait + i]);
	if (PT_LOAD(&crew->failed, ACQUIRE))
		return;
	if (crew->compare && op->kind == SINK_DESTROY)
		compare_end(member, op);
	error = sink_execute(crew->to, op);
	if (error)
		fail(crew, sink_kind_name(op->kind), op, pt_strerror(error));
	PT_STORE(&member->done, member->done + 1, RELEASE);
}

/* All meet at a checkpoint, and one of them compares. */
static void join_at(struct member *member, const struct sink_check *check)
{
	struct crew *crew = member->crew;

	(void)pthread_barrier_wait(&crew->join);
	if (!member->number && !PT_LOAD(&crew->failed, ACQUIRE))
		compare_tables(crew, check);
	(void)pthread_barrier_wait(&crew->join);
}

static void *work(void *arg)
{
	struct member *member = arg;
	struct crew *crew = member->crew;
	const struct plan_thread *own = &crew->plan->thread[member->number];
	size_t at = 0;

	if (pt_hosted_thread_register(NULL))
		fail(crew, "a thread cannot be registered", &crew->from->ops[0], "too many");
	(void)pthread_barrier_wait(&crew->join);
	member->began = tool_now_ns();
	for (size_t c = 0; crew->compare && c < crew->from->check_count; c++) {
		const struct sink_check *check = &crew->from->checks[c];

		while (at < own->count && own->steps[at].op < check->at)
			take_step(member, &own->steps[at++]);
		join_at(member, check);
	}
	while (at < own->count)
		take_step(member, &own->steps[at++]);
	member->ended = tool_now_ns();
	return NULL;
}

/* --- a run ----------------------------------------------------------------------------------- */

static bool open_crew(struct crew *crew)
{
	uint32_t most = 0;

	for (size_t i = 0; i < crew->from->op_count; i++)
		if (crew->from->ops[i].space > most)
			most = crew->from->ops[i].space;
	crew->to = sink_open(crew->from->format, SINK_MANY, NULL);
	if (!crew->to)
		return false;
	sink_reserve(crew->to, most);
	crew->members = aligned_alloc(64, crew->plan->threads * sizeof(*crew->members));
	if (!crew->members)
		return false;
	pthread_barrier_init(&crew->join, NULL, crew->plan->threads);
	pthread_mutex_init(&crew->failing, NULL);
	return true;
}

/* From the moment when the first begins until the last has ended. */
static uint64_t let_work(struct crew *crew)
{
	uint64_t began = UINT64_MAX;
	uint64_t ended = 0;

	for (unsigned i = 0; i < crew->plan->threads; i++) {
		crew->members[i] = (struct member){.number = i, .crew = crew};
		if (pthread_create(&crew->members[i].thread, NULL, work, &crew->members[i])) {
			tool_error("no more threads: try a smaller --threads");
			exit(TOOL_UNSUPPORTED);
		}
	}
	for (unsigned i = 0; i < crew->plan->threads; i++) {
		const struct member *member = &crew->members[i];

		(void)pthread_join(member->thread, NULL);
		began = member->began < began ? member->began : began;
		ended = member->ended > ended ? member->ended : ended;
		crew->result->spaces += member->spaces;
		crew->result->pages += member->pages;
	}
	return ended - began;
}

static uint64_t run(const struct sink *sink, const struct plan *plan, bool compare,
    struct sink_crew *result)
{
	struct crew crew = {.from = sink, .plan = plan, .result = result, .compare = compare};
	const struct sink_op none = {.space = 0};
	uint64_t took = 0;

	if (!open_crew(&crew)) {
		snprintf(result->wrong, sizeof(result->wrong), "no memory for several threads");
		(void)sink_close(crew.to);
		return 0;
	}
	took = let_work(&crew);
	if (!sink_close(crew.to))
		fail(&crew, "the library leaked", &none, sink->format->name);
	pthread_barrier_destroy(&crew.join);
	pthread_mutex_destroy(&crew.failing);
	free(crew.members);
	return took;
}

static uint64_t best_of(const struct sink *sink, const struct plan *plan, struct sink_crew *result)
{
	uint64_t best = UINT64_MAX;

	for (unsigned round = 0; round < sink_rounds(sink) && !result->wrong[0]; round++) {
		uint64_t took = run(sink, plan, false, result);

		best = took < best ? took : best;
	}
	return result->wrong[0] ? 0 : best;
}

void sink_parallel(const struct sink *sink, unsigned most, struct sink_crew *crew)
{
	struct plan plan;
	struct plan alone;

	*crew = (struct sink_crew){.threads = 1};
	plan_make(&plan, sink->format, sink->ops, sink->op_count, most);
	crew->tasks = plan.tasks;
	if (plan.threads > 1) {
		crew->threads = plan.threads;
		crew->operations = sink->op_count;
		crew->ordered = plan.ordered;
		(void)run(sink, &plan, true, crew);
		crew->ns = best_of(sink, &plan, crew);
		plan_make(&alone, sink->format, sink->ops, sink->op_count, 1);
		crew->ns_one = best_of(sink, &alone, crew);
		plan_free(&alone);
	}
	plan_free(&plan);
}
