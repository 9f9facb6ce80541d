/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What each kind of stop means. */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static pid_t event_message(const struct task *task)
{
	unsigned long message = 0;

	ptrace(PTRACE_GETEVENTMSG, task->tid, NULL, &message);
	return (pid_t)message;
}

/*
 * Who is killed while it is stopped goes on by itself, and stops once more when it leaves. To let
 * it go from there would take the place of a stop that nobody has heard of.
 */
static bool has_gone_on(const struct task *task)
{
	const int leaves = SIGTRAP | PTRACE_EVENT_EXIT << 8;
	siginfo_t info;

	return task->status >> 8 != leaves && !ptrace(PTRACE_GETSIGINFO, task->tid, NULL, &info) &&
	       info.si_code == leaves;
}

static void resume(struct task *task, enum resume how, int signal)
{
	static const int requests[] = {
		[RESUME_RUN] = PTRACE_CONT,
		[RESUME_CALL] = PTRACE_SYSCALL,
		[RESUME_LISTEN] = PTRACE_LISTEN,
	};

	if (how == RESUME_NOT)
		return;
	task->stopped = false;
	if (has_gone_on(task))
		return;
	task->listens = how == RESUME_LISTEN;
	/* It may have been killed meanwhile: then that is what it says next. */
	ptrace((enum __ptrace_request)requests[how], task->tid, NULL, (void *)(intptr_t)signal);
}

/* A task runs for the first time: if its space is its own, that is a copy to be looked at. */
static void begin_task(struct recorder *rec, struct task *task)
{
	task->fresh = false;
	if (task->space && !task->space->listed)
		checkpoint_make(rec, task->space, TRACE_WHY_CHILD);
}

/* The child may have stopped before its parent says that it has it. */
static void claim_child(struct recorder *rec, struct task *child)
{
	if (child->queue != &rec->unclaimed) {
		child->fresh = true;
		return;
	}
	task_queue_remove(child);
	begin_task(rec, child);
	resume(child, RESUME_RUN, 0);
}

static enum resume on_new_task(struct recorder *rec, struct task *task, int status)
{
	uint64_t flags = call_clone_flags(task);
	pid_t tid = event_message(task);
	struct task *child = task_find(rec, tid);
	struct trace_event event = {.task = (uint32_t)tid, .time = record_time(rec)};

	(void)status;
	if (!child)
		child = task_add(rec, tid);
	if (task->space) {
		bool shares = flags & CLONE_VM;

		samples_flush(rec);
		task_join(child, shares ? task->space : space_new(rec));
		child->space->blind = task->space->blind;
		event.kind = shares ? TRACE_TASK : TRACE_FORK;
		event.space = child->space->number;
		if (!shares)
			event.parent = task->space->number;
		record_emit(rec, &event);
	}
	call_made_task(rec, task, tid);
	task->vforked = flags & CLONE_VFORK;
	claim_child(rec, child);
	return RESUME_RUN;
}

static enum resume on_vfork_done(struct recorder *rec, struct task *task, int status)
{
	(void)rec;
	(void)status;
	task->vforked = false;
	return RESUME_RUN;
}

static void emit_exec(struct recorder *rec, const struct task *task)
{
	struct trace_event event = {
		.kind = TRACE_EXEC,
		.space = task->space->number,
		.task = (uint32_t)task->tid,
		.time = record_time(rec),
	};
	char name[KERNEL_TEXT];

	if (kernel_read_text(task->tid, "comm", name) == SNAP_OK)
		snprintf(event.name, sizeof(event.name), "%.*s", (int)strcspn(name, "\n"), name);
	record_emit(rec, &event);
}

/* The kernel shows a program that its user may not read to nobody but root. */
static void look_at_program(struct recorder *rec, struct task *task)
{
	if (look_vmas(rec, task)) {
		checkpoint_make(rec, task->space, TRACE_WHY_EXEC);
		return;
	}
	task->space->blind = true;
	if (!rec->told_blind)
		tool_error("task %ld runs a program that its user may not read, and so may not be "
			   "looked at: record it as root",
		    (long)task->tid);
	rec->told_blind = true;
}

/* The program is about to begin: the trace too, if it can. */
static bool begin_program(struct recorder *rec, const struct task *task)
{
	if (rec->writer || rec->failed)
		return true;
	if (!look_may(task)) {
		tool_error(
		    "%s may not be looked at, as its user may not read it: record it as root",
		    rec->program);
		record_refuse(rec, TOOL_UNSUPPORTED);
	} else if (record_begin(rec)) {
		return true;
	}
	kill(task->tid, SIGKILL);
	return false;
}

/* All other threads have ended, and the one that is left has the number of the first. */
static enum resume on_exec(struct recorder *rec, struct task *task, int status)
{
	pid_t former = event_message(task);
	struct task *other = former == task->tid ? NULL : task_find(rec, former);

	(void)status;
	samples_flush(rec);
	if (other)
		task_forget(rec, other);
	task_leave(rec, task);
	task->call = NULL;
	task->vforked = false;
	task->restarted = 0;
	if (!begin_program(rec, task))
		return RESUME_RUN;
	task_join(task, space_new(rec));
	emit_exec(rec, task);
	look_at_program(rec, task);
	return RESUME_RUN;
}

/* A parent that was killed says nothing of its child: that goes on, unrecorded. */
static void let_unclaimed_go(struct recorder *rec)
{
	struct task *child;

	while ((child = TAILQ_FIRST(&rec->unclaimed))) {
		task_queue_remove(child);
		resume(child, RESUME_RUN, 0);
	}
}

static enum resume on_exit(struct recorder *rec, struct task *task, int status)
{
	(void)status;
	if (task->call)
		let_unclaimed_go(rec);
	samples_flush(rec);
	if (task->space && task->space->task_count == 1)
		checkpoint_make(rec, task->space, TRACE_WHY_EXIT);
	task_leave(rec, task);
	return RESUME_RUN;
}

static enum resume on_call(struct recorder *rec, struct task *task, int status)
{
	(void)status;
	return call_begin(rec, task);
}

static enum resume on_other_stop(struct recorder *rec, struct task *task, int status)
{
	int signal = WSTOPSIG(status);

	if (task->fresh)
		begin_task(rec, task);
	if (task->interrupted)
		restart_interrupted(task);
	task->interrupted = false;
	if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)
		return RESUME_LISTEN;
	return RESUME_RUN;
}

/* Reading beyond a file's end gets as far as a table for the table. */
static void tell_bus(struct recorder *rec, const struct task *task)
{
	struct space *space = task->space;
	siginfo_t info;

	if (!space || ptrace(PTRACE_GETSIGINFO, task->tid, NULL, &info) ||
	    info.si_code != BUS_ADRERR)
		return;
	samples_flush(rec);
	record_emit(rec, &(struct trace_event){.kind = TRACE_BUS,
				 .space = space->number,
				 .task = (uint32_t)task->tid,
				 .va = (uintptr_t)info.si_addr});
	space->stirred = true;
}

static enum resume on_call_end(struct recorder *rec, struct task *task)
{
	call_end(rec, task);
	if (task->space)
		checkpoint_due(rec, task->space);
	return RESUME_RUN;
}

static void on_end(struct recorder *rec, struct task *task)
{
	if (task->call)
		let_unclaimed_go(rec);
	if (task->tid == rec->child && !rec->killed)
		rec->status = WIFEXITED(task->status) ? WEXITSTATUS(task->status)
						      : 128 + WTERMSIG(task->status);
	task_forget(rec, task);
}

static enum resume on_event(struct recorder *rec, struct task *task, int status)
{
	static enum resume (*const handlers[])(struct recorder *, struct task *, int) = {
		[PTRACE_EVENT_FORK] = on_new_task,
		[PTRACE_EVENT_VFORK] = on_new_task,
		[PTRACE_EVENT_CLONE] = on_new_task,
		[PTRACE_EVENT_EXEC] = on_exec,
		[PTRACE_EVENT_VFORK_DONE] = on_vfork_done,
		[PTRACE_EVENT_EXIT] = on_exit,
		[PTRACE_EVENT_SECCOMP] = on_call,
		[PTRACE_EVENT_STOP] = on_other_stop,
	};
	unsigned event = (unsigned)status >> 16;

	if (event < sizeof(handlers) / sizeof(handlers[0]) && handlers[event])
		return handlers[event](rec, task, status);
	return RESUME_RUN;
}

void stop_take(struct recorder *rec, struct task *task)
{
	int status = task->status;
	int signal = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
	enum resume how = RESUME_RUN;

	if (!signal) {
		on_end(rec, task);
		return;
	}
	task->listens = false;
	if (signal == (SIGTRAP | 0x80)) {
		how = on_call_end(rec, task);
		signal = 0;
	} else if (status >> 16) {
		how = on_event(rec, task, status);
		signal = 0;
	} else {
		if (signal == SIGBUS)
			tell_bus(rec, task);
		restart_signalled(task, signal);
	}
	resume(task, how, signal);
}
