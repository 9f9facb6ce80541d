/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads by their number, and the address spaces that they share. */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static struct task **bucket(struct recorder *rec, pid_t tid)
{
	return &rec->tasks[(uint32_t)tid % TASK_BUCKETS];
}

struct task *task_find(const struct recorder *rec, pid_t tid)
{
	struct task *task = rec->tasks[(uint32_t)tid % TASK_BUCKETS];

	while (task && task->tid != tid)
		task = task->next_by_tid;
	return task;
}

struct task *task_add(struct recorder *rec, pid_t tid)
{
	struct task **at = bucket(rec, tid);
	struct task *task = tool_alloc(sizeof(*task));

	task->tid = tid;
	task->next_by_tid = *at;
	*at = task;
	rec->task_count++;
	return task;
}

void task_forget(struct recorder *rec, struct task *task)
{
	struct task **at = bucket(rec, task->tid);

	task_leave(rec, task);
	task_queue_remove(task);
	while (*at != task)
		at = &(*at)->next_by_tid;
	*at = task->next_by_tid;
	rec->task_count--;
	free(task->ranges);
	free(task);
}

void task_queue_remove(struct task *task)
{
	if (task->queue)
		TAILQ_REMOVE(task->queue, task, in_queue);
	task->queue = NULL;
}

void task_queue_put(struct task_queue *queue, struct task *task)
{
	task_queue_remove(task);
	TAILQ_INSERT_TAIL(queue, task, in_queue);
	task->queue = queue;
}

struct space *space_new(struct recorder *rec)
{
	struct space *space = tool_alloc(sizeof(*space));

	space->number = ++rec->last_space;
	TAILQ_INIT(&space->tasks);
	TAILQ_INIT(&space->held);
	TAILQ_INSERT_TAIL(&rec->spaces, space, link);
	return space;
}

/* Whether /proc shows the space under the task's number. */
static bool is_witness(const struct task *task)
{
	if (task->stopped && !WIFSTOPPED(task->status))
		return false;
	/* A task that executes a program may be in its new space, and we have not heard of it. */
	return !call_is_exec(task) || (task->stopped && task->status >> 16 != PTRACE_EVENT_EXEC);
}

const struct task *space_witness(const struct space *space)
{
	const struct task *found = NULL;

	for (const struct task *task = TAILQ_FIRST(&space->tasks); task;
	    task = TAILQ_NEXT(task, in_space)) {
		if (is_witness(task) && (!found || task->stopped))
			found = task;
		if (found && found->stopped)
			break;
	}
	return found;
}

static void space_gone(struct recorder *rec, struct space *space)
{
	record_emit(rec, &(struct trace_event){.kind = TRACE_GONE, .space = space->number});
	TAILQ_REMOVE(&rec->spaces, space, link);
	free(space->vmas);
	free(space->runs);
	free(space);
}

void task_join(struct task *task, struct space *space)
{
	TAILQ_INSERT_TAIL(&space->tasks, task, in_space);
	space->task_count++;
	task->space = space;
}

void task_leave(struct recorder *rec, struct task *task)
{
	struct space *space = task->space;

	if (!space)
		return;
	call_drop(rec, task);
	TAILQ_REMOVE(&space->tasks, task, in_space);
	task->space = NULL;
	if (!--space->task_count)
		space_gone(rec, space);
}
