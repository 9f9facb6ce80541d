/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/sink/plan.h"

#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

/*
 * No thread may be farther ahead of the others than so many operations: those are compared. In
 * steps, so that not each operation has one to wait for that just left the window.
 */
#define WINDOW 512u
#define STEP   256u

/* --- what operations reach ------------------------------------------------------------------- */

struct reach {
	uint32_t space;
	uint64_t first;
	uint64_t last;
};

static struct reach whole(uint32_t space)
{
	return (struct reach){space, 0, UINT64_MAX};
}

/* Tables that pruning frees overlap the range and lie within the limits, below the root. */
static struct reach reach_of_prune(const struct pt_format *format, const struct sink_op *op)
{
	uint64_t mask = (UINT64_C(1) << pt_format_shift(format, format->levels - 1u)) - 1;
	struct reach reach = {op->space, op->va & ~mask, (op->va + op->size - 1) | mask};

	if (reach.first < op->arg)
		reach.first = op->arg;
	if (op->end && reach.last > op->end - 1)
		reach.last = op->end - 1;
	return reach;
}

/* One or two; how many. */
static unsigned reach_of(const struct pt_format *format, const struct sink_op *op,
    struct reach out[2])
{
	switch (op->kind) {
	case SINK_NEW:
	case SINK_DESTROY:
		out[0] = whole(op->space);
		return 1;
	case SINK_COPY:
		out[0] = whole(op->space);
		out[1] = whole(op->other);
		return 2;
	case SINK_PRUNE:
		out[0] = reach_of_prune(format, op);
		return 1;
	case SINK_MOVE:
		out[1] = (struct reach){op->space, op->arg, op->arg + op->size - 1};
		out[0] = (struct reach){op->space, op->va, op->va + op->size - 1};
		return 2;
	default:
		out[0] = (struct reach){op->space, op->va, op->va + op->size - 1};
		return 1;
	}
}

static bool overlap(const struct reach *a, unsigned n, const struct reach *b, unsigned k)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < k; j++)
			if (a[i].space == b[j].space && a[i].first <= b[j].last &&
			    b[j].first <= a[i].last)
				return true;
	return false;
}

bool plan_exchangeable(const struct pt_format *format, const struct sink_op *a,
    const struct sink_op *b)
{
	struct reach of_a[2];
	struct reach of_b[2];
	unsigned n = reach_of(format, a, of_a);
	unsigned k = reach_of(format, b, of_b);

	return !overlap(of_a, n, of_b, k);
}

/* --- planning -------------------------------------------------------------------------------- */

struct planning {
	struct plan *plan;
	const struct pt_format *format;
	const struct sink_op *ops;
	uint32_t *tasks; /* in the order in which they appear */
	size_t task_room;
	uint32_t *thread; /* of each operation */
	uint32_t *turn;   /* how many of its thread's there are up to it, itself included */
	size_t oldest;    /* operation in the window */
	uint32_t *past;   /* by thread: turns before the window */
	uint32_t *known;  /* by thread and thread: turns of the second that the first has awaited */
	uint32_t *found;  /* by thread: the turn to wait for */
};

static unsigned task_number(struct planning *p, uint32_t task)
{
	unsigned i = 0;

	while (i < p->plan->tasks && p->tasks[i] != task)
		i++;
	if (i == p->plan->tasks) {
		p->tasks = tool_grow(p->tasks, &p->task_room, i + 1u, sizeof(*p->tasks));
		p->tasks[p->plan->tasks++] = task;
	}
	return i;
}

static void add_wait(struct plan *plan, uint32_t thread, uint32_t turn)
{
	plan->waits =
	    tool_grow(plan->waits, &plan->wait_room, plan->wait_count + 1, sizeof(*plan->waits));
	plan->waits[plan->wait_count++] = (struct plan_wait){thread, turn};
}

/* The last operation of each other thread that this one is not exchangeable with; is there one. */
static bool find_waits(struct planning *p, size_t at)
{
	struct reach own[2];
	struct reach other[2];
	unsigned n = reach_of(p->format, &p->ops[at], own);
	bool any = false;

	memcpy(p->found, p->past, p->plan->threads * sizeof(*p->found));
	for (size_t i = at; i-- > p->oldest;) {
		uint32_t thread = p->thread[i];

		if (thread == p->thread[at] || p->found[thread] >= p->turn[i] ||
		    !overlap(other, reach_of(p->format, &p->ops[i], other), own, n))
			continue;
		p->found[thread] = p->turn[i];
		any = true;
	}
	return any;
}

static void move_window(struct planning *p, size_t at)
{
	if (at - p->oldest < WINDOW + STEP)
		return;
	for (unsigned i = 0; i < STEP; i++, p->oldest++)
		p->past[p->thread[p->oldest]] = p->turn[p->oldest];
}

/* What the thread has waited for already it need not wait for again. */
static void add_step(struct planning *p, size_t at)
{
	struct plan *plan = p->plan;
	uint32_t self = p->thread[at];
	struct plan_thread *thread = &plan->thread[self];
	struct plan_step *step;

	thread->steps =
	    tool_grow(thread->steps, &thread->room, thread->count + 1, sizeof(*thread->steps));
	step = &thread->steps[thread->count++];
	step->op = (uint32_t)at;
	step->first_wait = (uint32_t)plan->wait_count;
	step->waits = 0;
	p->turn[at] = (uint32_t)thread->count;
	if (plan->threads == 1)
		return;
	move_window(p, at);
	plan->ordered += find_waits(p, at);
	for (uint32_t other = 0; other < plan->threads; other++) {
		uint32_t *known = &p->known[self * plan->threads + other];

		if (other == self || p->found[other] <= *known)
			continue;
		*known = p->found[other];
		add_wait(plan, other, *known);
	}
	step->waits = (uint32_t)plan->wait_count - step->first_wait;
}

static void deal(struct planning *p, size_t count, unsigned most)
{
	for (size_t i = 0; i < count; i++)
		p->thread[i] = task_number(p, p->ops[i].task) % most;
	p->plan->threads = p->plan->tasks < most ? p->plan->tasks : most;
}

void plan_make(struct plan *plan, const struct pt_format *format, const struct sink_op *ops,
    size_t count, unsigned most)
{
	struct planning p = {.plan = plan, .format = format, .ops = ops};

	*plan = (struct plan){.tasks = 0};
	p.thread = tool_alloc((count + 1) * sizeof(*p.thread));
	p.turn = tool_alloc((count + 1) * sizeof(*p.turn));
	deal(&p, count, most);
	plan->thread = tool_alloc((plan->threads + 1u) * sizeof(*plan->thread));
	p.past = tool_alloc((plan->threads + 1u) * sizeof(*p.past));
	p.found = tool_alloc((plan->threads + 1u) * sizeof(*p.found));
	p.known = tool_alloc((plan->threads * plan->threads + 1u) * sizeof(*p.known));
	for (size_t i = 0; i < count; i++)
		add_step(&p, i);
	free(p.tasks);
	free(p.thread);
	free(p.turn);
	free(p.past);
	free(p.found);
	free(p.known);
}

void plan_free(struct plan *plan)
{
	for (unsigned i = 0; i < plan->threads; i++)
		free(plan->thread[i].steps);
	free(plan->thread);
	free(plan->waits);
}
