/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Checkpoints: the tables of a space, counted by the kernel while nothing moves. */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

/* Looks until VmPTE stands still. */
#define LOOKS 8u

/* A task that does not stop for so long sleeps where nothing wakes it: in a page's read, an exec.
 */
#define STOP_NS      UINT64_C(100000000)
#define STOP_POLL_NS 200000

/* What a table of PTEs translates. */
#define TABLE_BYTES (UINT64_C(1) << 21)

void checkpoint_ask(struct recorder *rec, struct space *space, enum trace_why why)
{
	if (space->due && space->due_why == TRACE_WHY_HEAL)
		return;
	space->due = true;
	space->due_why = why;
	rec->due = true;
}

void checkpoint_due(struct recorder *rec, struct space *space)
{
	if (space->due)
		checkpoint_make(rec, space, space->due_why);
}

/*
 * Asks a task to stop, or finds that it has. One that sleeps is left alone: to be woken would end
 * the calls that it sleeps in.
 */
static bool ask_to_stop(struct task *task)
{
	char state;

	if (task->stopped || task->listens || task->vforked)
		return false;
	state = kernel_thread_state(task->tid);
	if (state != 'R' && state != 'D' && state != 't')
		return false;
	if (state != 't') {
		if (ptrace(PTRACE_INTERRUPT, task->tid, NULL, NULL))
			return false;
		task->interrupted = true;
	}
	return true;
}

/* Takes the stop of an awaited task, if it has come: the loop will handle it. */
static bool has_stopped(struct recorder *rec, struct task *task)
{
	int status;
	pid_t tid = waitpid(task->tid, &status, __WALL | WNOHANG);

	if (!tid)
		return false;
	task->awaited = false;
	if (tid == task->tid) {
		task->stopped = true;
		task->status = status;
		task_queue_put(&rec->ready, task);
	}
	return true;
}

static size_t count_awaited(struct recorder *rec, struct space *space)
{
	size_t count = 0;

	for (struct task *task = TAILQ_FIRST(&space->tasks); task;
	    task = TAILQ_NEXT(task, in_space)) {
		if (task->awaited)
			count += !has_stopped(rec, task);
	}
	return count;
}

/* Until a child changes state, or for a moment. */
static void wait_briefly(void)
{
	const struct timespec moment = {.tv_nsec = STOP_POLL_NS};
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigtimedwait(&child, NULL, &moment);
}

/* Stops the tasks of a space that run. False: some would not. */
static bool freeze(struct recorder *rec, struct space *space)
{
	uint64_t until = tool_now_ns() + STOP_NS;
	size_t waiting = 0;

	for (struct task *task = TAILQ_FIRST(&space->tasks); task;
	    task = TAILQ_NEXT(task, in_space)) {
		task->awaited = ask_to_stop(task);
		waiting += task->awaited;
	}
	while (waiting && (waiting = count_awaited(rec, space))) {
		if (tool_now_ns() > until)
			return false;
		wait_briefly();
	}
	return true;
}

/*
 * A call that has returned belongs before the checkpoint. False: one is still in flight, of a task
 * that sleeps in it.
 */
static bool finish_calls(struct recorder *rec, struct space *space)
{
	bool still = true;

	for (struct task *task = TAILQ_FIRST(&space->tasks); task;
	    task = TAILQ_NEXT(task, in_space)) {
		if (task->call && task->queue == &rec->ready && WIFSTOPPED(task->status) &&
		    WSTOPSIG(task->status) == (SIGTRAP | 0x80))
			call_end(rec, task);
		if (space->caller == task && !task->stopped)
			still = false;
	}
	return still;
}

/* One look; false: the tables moved meanwhile. */
static bool look(struct recorder *rec, struct space *space, enum trace_why why, uint64_t *vmpte)
{
	const struct task *witness = space_witness(space);
	uint64_t before;
	uint64_t faults;

	samples_flush(rec);
	if (!witness || !look_vmas(rec, witness) || !look_vmpte(witness, &before))
		return false;
	faults = space->faults;
	look_all(rec, witness, why);
	samples_flush(rec);
	return look_vmpte(witness, vmpte) && before == *vmpte && faults == space->faults;
}

bool checkpoint_had_table(const struct space *space, uint64_t va, bool huge)
{
	uint64_t start = va & ~(TABLE_BYTES - 1);
	size_t low = 0;
	size_t high = space->run_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (space->runs[middle].end <= start)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < space->run_count && space->runs[low].start < start + TABLE_BYTES; low++) {
		if (huge == !!(space->runs[low].flags & TRACE_PAGE_HUGE))
			return true;
	}
	return false;
}

/* Whether the pages of a run are where tables were at the last checkpoint. */
static bool had_tables(const struct space *space, const struct trace_run *run)
{
	for (uint64_t va = run->start & ~(TABLE_BYTES - 1); va < run->end; va += TABLE_BYTES) {
		if (!checkpoint_had_table(space, va, run->flags & TRACE_PAGE_HUGE))
			return false;
	}
	return true;
}

/*
 * Tables that came or went though nothing of this space's doing was written that could be why, and
 * nothing is mapped where there was no table: only where every fault is known is that certain.
 */
static void tell_kernel(struct recorder *rec, const struct space *space, uint64_t vmpte)
{
	if (!rec->samples || !space->checked || space->stirred || space->vmpte == vmpte)
		return;
	for (size_t i = 0; i < rec->run_count; i++) {
		if (!had_tables(space, &rec->runs[i]))
			return;
	}
	record_emit(rec,
	    &(struct trace_event){.kind = TRACE_KERNEL,
		    .space = space->number,
		    .change = ((int64_t)vmpte - (int64_t)space->vmpte) / (int64_t)KERNEL_PAGE});
}

/* The runs of the last look become the space's. */
static void keep(struct recorder *rec, struct space *space, uint64_t vmpte, bool still)
{
	struct trace_run *runs = space->runs;
	size_t room = space->run_room;

	space->runs = rec->runs;
	space->run_room = rec->run_room;
	space->run_count = rec->run_count;
	rec->runs = runs;
	rec->run_room = room;
	space->checked = still;
	space->vmpte = vmpte;
	space->faults = 0;
	space->calls = 0;
	space->stirred = false;
	space->due = false;
}

/* Tasks that stopped for the checkpoint are handled by the loop; these have nothing to handle. */
static void emit_check(struct recorder *rec, const struct space *space, enum trace_why why,
    uint64_t vmpte, bool still)
{
	record_emit(rec, &(struct trace_event){.kind = TRACE_CHECK,
				 .space = space->number,
				 .task = (uint32_t)space_witness(space)->tid,
				 .time = record_time(rec),
				 .check = {.why = why, .vmpte = vmpte, .moved = !still}});
	rec->counts.checkpoints++;
	if (rec->writer && !rec->failed)
		trace_flush(rec->writer);
}

void checkpoint_unmoved(struct recorder *rec, const struct task *task)
{
	struct space *space = task->space;
	uint64_t vmpte;

	if (space->checked && !space->stirred && rec->samples && look_vmpte(task, &vmpte) &&
	    vmpte != space->vmpte)
		checkpoint_make(rec, space, TRACE_WHY_EVERY);
}

void checkpoint_make(struct recorder *rec, struct space *space, enum trace_why why)
{
	uint64_t vmpte = 0;
	unsigned looks = 0;
	bool stopped;
	bool still;

	space->due = false;
	if (space->blind)
		return;
	do {
		stopped = freeze(rec, space);
		stopped = finish_calls(rec, space) && stopped;
		still = look(rec, space, why, &vmpte) && stopped;
	} while (!still && stopped && ++looks < LOOKS);
	if (still)
		tell_kernel(rec, space, vmpte);
	if (vmpte)
		emit_check(rec, space, why, vmpte, still);
	keep(rec, space, vmpte, still);
}
