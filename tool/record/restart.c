/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Calls that return EINTR (epoll_wait, semop and their kin) do so whenever their sleep is broken
 * off, by whatever. Two things break it off only because somebody traces: a checkpoint's
 * interruption, and a signal that the program ignores, which is delivered to nobody else. Such a
 * call is set back to its beginning. If a signal comes that the program does handle, between our
 * setting it back and its beginning, it returns EINTR after all.
 */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

/* Both the 64-bit and the 32-bit call instruction are so long. */
#define CALL_BYTES 2u

/* Whether it is at the end of a call that was broken off, and that did nothing yet. */
static bool broken_off(const struct user_regs_struct *regs)
{
	return (int64_t)regs->orig_rax >= 0 && (int64_t)regs->rax == -EINTR &&
	       regs->orig_rax != SYS_close;
}

static void set_back(struct task *task, struct user_regs_struct *regs)
{
	regs->rax = regs->orig_rax;
	regs->rip -= CALL_BYTES;
	if (!ptrace(PTRACE_SETREGS, task->tid, NULL, regs))
		task->restarted = regs->rip;
}

void restart_interrupted(struct task *task)
{
	struct user_regs_struct regs;

	if (!ptrace(PTRACE_GETREGS, task->tid, NULL, &regs) && broken_off(&regs))
		set_back(task, &regs);
}

static bool in_mask(const char *status, const char *field, int signal)
{
	const char *at = strstr(status, field);

	return at && (strtoull(at + strlen(field), NULL, 16) >> (signal - 1) & 1);
}

static bool is_ignored(const struct task *task, int signal)
{
	char status[KERNEL_TEXT];
	bool by_default =
	    signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH;

	if (kernel_read_text(task->tid, "status", status) != SNAP_OK)
		return false;
	return in_mask(status, "\nSigIgn:", signal) ||
	       (by_default && !in_mask(status, "\nSigCgt:", signal));
}

void restart_signalled(struct task *task, int signal)
{
	struct user_regs_struct regs;
	bool undo;

	if (ptrace(PTRACE_GETREGS, task->tid, NULL, &regs))
		return;
	undo = task->restarted && regs.rip == task->restarted;
	if (!undo && !broken_off(&regs))
		return;
	if (is_ignored(task, signal)) {
		if (!undo)
			set_back(task, &regs);
		return;
	}
	task->restarted = 0;
	if (undo) {
		regs.rax = (uint64_t)-EINTR;
		regs.rip += CALL_BYTES;
		ptrace(PTRACE_SETREGS, task->tid, NULL, &regs);
	}
}
