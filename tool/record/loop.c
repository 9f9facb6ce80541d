/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Waits for stops of tasks and for signals, and has them handled. */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* By which the thread of the samples wakes the loop. */
#define KICK SIGUSR1

/* A call that sleeps for so long holds up no other one of its space any more. */
#define HELD_NS 20000000

/* After so long without an event what was kept goes to the trace: the next may be to be killed. */
#define QUIET_SECONDS 1

/* Those that the loop waits for, and no handler takes. */
static void fill_set(sigset_t *set)
{
	static const int signals[] = {SIGCHLD, KICK, SIGINT, SIGQUIT, SIGTERM, SIGHUP};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(set, signals[i]);
}

/*
 * Ignored, as some parents leave it, SIGCHLD would never come. Of the others a write says enough: a
 * trace that cannot be written is no reason for the program to end.
 */
static const struct {
	int signal;
	void (*act)(int);
} acts[RECORD_ACTS] = {{SIGCHLD, SIG_DFL}, {SIGPIPE, SIG_IGN}, {SIGXFSZ, SIG_IGN}};

bool loop_block_signals(struct recorder *rec)
{
	sigset_t set;

	fill_set(&set);
	for (unsigned i = 0; i < RECORD_ACTS; i++) {
		const struct sigaction act = {.sa_handler = acts[i].act};

		if (sigaction(acts[i].signal, &act, &rec->acts[i]))
			return false;
	}
	return !sigprocmask(SIG_BLOCK, &set, &rec->signals);
}

void loop_restore_signals(const struct recorder *rec)
{
	for (unsigned i = 0; i < RECORD_ACTS; i++)
		sigaction(acts[i].signal, &rec->acts[i], NULL);
	sigprocmask(SIG_SETMASK, &rec->signals, NULL);
}

void loop_kick(unsigned long thread)
{
	pthread_kill(thread, KICK);
}

/* A task that nobody has spoken of yet: its parent will, until then it waits. */
static void add_unclaimed(struct recorder *rec, pid_t tid, int status)
{
	struct task *task;

	if (!WIFSTOPPED(status))
		return;
	task = task_add(rec, tid);
	task->status = status;
	task->stopped = true;
	task_queue_put(&rec->unclaimed, task);
}

/* The next task that has something to say. */
static struct task *next_task(struct recorder *rec)
{
	struct task *task = TAILQ_FIRST(&rec->ready);
	int status;
	pid_t tid;

	if (task) {
		task_queue_remove(task);
		return task;
	}
	do {
		tid = waitpid(-1, &status, __WALL | WNOHANG);
		if (tid <= 0)
			return NULL;
		task = task_find(rec, tid);
		if (!task)
			add_unclaimed(rec, tid, status);
	} while (!task);
	/* What it waited for in a queue is no more, if it was killed there. */
	task_queue_remove(task);
	task->status = status;
	task->stopped = true;
	return task;
}

static void handle_stops(struct recorder *rec)
{
	struct task *task;

	while ((task = next_task(rec))) {
		uint64_t from = tool_now_ns();

		stop_take(rec, task);
		rec->counts.stopped_ns += tool_now_ns() - from;
	}
}

/* Checkpoints that no stop has led to. */
static void make_due(struct recorder *rec)
{
	struct space *space;

	rec->due = false;
	for (space = TAILQ_FIRST(&rec->spaces); space; space = TAILQ_NEXT(space, link)) {
		uint64_t from = tool_now_ns();

		checkpoint_due(rec, space);
		rec->counts.stopped_ns += tool_now_ns() - from;
	}
}

static bool has_held(const struct recorder *rec)
{
	const struct space *space = TAILQ_FIRST(&rec->spaces);

	while (space && TAILQ_EMPTY(&space->held))
		space = TAILQ_NEXT(space, link);
	return space;
}

/*
 * A call may sleep until another thread has made one: of a page that userfaultfd is to fill, say.
 */
static void let_held_go(struct recorder *rec)
{
	struct space *space;

	for (space = TAILQ_FIRST(&rec->spaces); space; space = TAILQ_NEXT(space, link)) {
		struct task *task = TAILQ_FIRST(&space->held);

		if (!task || !space->caller || kernel_thread_state(space->caller->tid) == 'R')
			continue;
		space->caller = NULL;
		space->copied_since = 0;
		task_queue_put(&rec->ready, task);
	}
}

/* The whole program is killed; what it did up to now is in the trace. */
static void kill_all(struct recorder *rec, int signal)
{
	rec->status = 128 + signal;
	rec->killed = true;
	for (unsigned i = 0; i < TASK_BUCKETS; i++) {
		for (struct task *task = rec->tasks[i]; task; task = task->next_by_tid)
			kill(task->tid, SIGKILL);
	}
}

/*
 * What a terminal sends went to the program too, which decides; what somebody sent us alone is
 * passed on to it. The other signals end it.
 */
static void take_signal(struct recorder *rec, const siginfo_t *info)
{
	int signal = info->si_signo;

	if (signal == SIGTERM || signal == SIGHUP)
		kill_all(rec, signal);
	else if (info->si_code <= 0 && task_find(rec, rec->child))
		kill(rec->child, signal);
}

/* Sleeps until something has happened. */
static void wait_for_signal(struct recorder *rec)
{
	const struct timespec held = {.tv_nsec = HELD_NS};
	const struct timespec quiet = {.tv_sec = QUIET_SECONDS};
	siginfo_t info;
	sigset_t set;
	int got;

	fill_set(&set);
	got = sigtimedwait(&set, &info, has_held(rec) ? &held : &quiet);
	if (got < 0 && has_held(rec))
		let_held_go(rec);
	else if (got < 0)
		trace_flush_all(rec->writer);
	else if (got == KICK)
		samples_flush(rec);
	else if (got != SIGCHLD)
		take_signal(rec, &info);
}

static void show_progress(struct recorder *rec)
{
	const struct record_counts *counts = &rec->counts;

	progress_text(&rec->progress, "%.16s: %.1f s, %llu events, %llu faults, %llu checkpoints",
	    rec->program, (double)record_time(rec) / 1e9, (unsigned long long)counts->events,
	    (unsigned long long)counts->faults, (unsigned long long)counts->checkpoints);
}

void loop_run(struct recorder *rec)
{
	progress_start(&rec->progress);
	for (;;) {
		handle_stops(rec);
		if (rec->due)
			make_due(rec);
		if (!rec->task_count || rec->killed)
			break;
		show_progress(rec);
		if (TAILQ_EMPTY(&rec->ready))
			wait_for_signal(rec);
	}
	progress_end(&rec->progress);
}
