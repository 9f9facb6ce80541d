/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Starts the program under ptrace and a seccomp filter. */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILTER_ROOM 256u

/* 32-bit pointers in 64-bit mode: numbers of their own, from here on. */
#define X32_FIRST 0x40000000u

struct filter {
	struct sock_filter code[FILTER_ROOM];
	unsigned short size;
};

/* What the new process could not do. */
struct launch_failure {
	enum { AT_FILTER, AT_EXEC } at;
	int error;
};

static void add(struct filter *filter, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (filter->size < FILTER_ROOM)
		filter->code[filter->size++] = (struct sock_filter){code, yes, no, k};
}

static void add_load(struct filter *filter, size_t offset)
{
	add(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void add_stop(struct filter *filter)
{
	add(filter, BPF_RET | BPF_K, SECCOMP_RET_TRACE, 0, 0);
}

static void add_row(struct filter *filter, const struct call_filter *row)
{
	if (!row->mask) {
		add(filter, BPF_JMP | BPF_JEQ | BPF_K, row->nr, 0, 1);
		add_stop(filter);
		return;
	}
	add_load(filter, offsetof(struct seccomp_data, nr));
	add(filter, BPF_JMP | BPF_JEQ | BPF_K, row->nr, 0, 4);
	add_load(filter, offsetof(struct seccomp_data, args) + row->arg * sizeof(uint64_t));
	add(filter, BPF_ALU | BPF_AND | BPF_K, row->mask, 0, 0);
	add(filter, BPF_JMP | BPF_JEQ | BPF_K, row->value, 0, 1);
	add_stop(filter);
}

/* Stops at the calls that matter, and at all of another architecture. */
static void build_filter(struct filter *filter)
{
	struct call_filter row;

	filter->size = 0;
	add_load(filter, offsetof(struct seccomp_data, arch));
	add(filter, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	add_stop(filter);
	add_load(filter, offsetof(struct seccomp_data, nr));
	add(filter, BPF_JMP | BPF_JGE | BPF_K, X32_FIRST, 0, 1);
	add_stop(filter);
	for (size_t i = 0; call_filter(i, &row); i++)
		add_row(filter, &row);
	add(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static _Noreturn void fail(int fd, int at)
{
	struct launch_failure failure = {.at = at, .error = errno};

	if (write(fd, &failure, sizeof(failure)) != sizeof(failure))
		_exit(TOOL_UNSUPPORTED);
	_exit(TOOL_BAD_INPUT);
}

/* The new process: waits until it is traced, then becomes the program. */
static _Noreturn void become(const struct recorder *rec, int go, int told, char *const *argv)
{
	struct filter filter;
	struct sock_fprog program = {.filter = filter.code};
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(TOOL_UNSUPPORTED);
	build_filter(&filter);
	program.len = filter.size;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		fail(told, AT_FILTER);
	loop_restore_signals(rec);
	execvp(argv[0], argv);
	fail(told, AT_EXEC);
}

static bool trace(pid_t child)
{
	return !ptrace(PTRACE_SEIZE, child, NULL,
	    (void *)(intptr_t)(PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD |
			       PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			       PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACEVFORKDONE));
}

/* Samples what it can, and lets the new process go on. */
static int let_go(struct recorder *rec, int go)
{
	if (!trace(rec->child)) {
		tool_error("ptrace is refused (%s): containers need --cap-add=SYS_PTRACE or a "
			   "seccomp profile that allows it, and /proc/sys/kernel/yama/ptrace_scope "
			   "must be below 3",
		    strerror(errno));
		kill(rec->child, SIGKILL);
		waitpid(rec->child, NULL, 0);
		return TOOL_UNSUPPORTED;
	}
	rec->header.faults = samples_open(rec, rec->child);
	if (!rec->header.faults)
		tool_error("page faults cannot be sampled (perf: %s); going on with scans alone. "
			   "As root, or with /proc/sys/kernel/perf_event_paranoid at most 2, they "
			   "can",
		    strerror(errno));
	task_add(rec, rec->child);
	return write(go, "", 1) == 1 ? TOOL_OK : TOOL_UNSUPPORTED;
}

int launch(struct recorder *rec, char *const *argv)
{
	int told[2];
	int go[2];
	int status;

	if (pipe2(told, O_CLOEXEC) || pipe2(go, O_CLOEXEC) || !loop_block_signals(rec)) {
		tool_error("no process can be started: %s", strerror(errno));
		return TOOL_UNSUPPORTED;
	}
	rec->child = fork();
	if (!rec->child) {
		close(go[1]);
		become(rec, go[0], told[1], argv);
	}
	close(go[0]);
	close(told[1]);
	rec->launch_fd = told[0];
	if (rec->child < 0) {
		tool_error("no process can be started: %s", strerror(errno));
		status = TOOL_UNSUPPORTED;
	} else {
		status = let_go(rec, go[1]);
	}
	close(go[1]);
	return status;
}

int launch_explain(struct recorder *rec)
{
	struct launch_failure failure;

	if (read(rec->launch_fd, &failure, sizeof(failure)) != sizeof(failure)) {
		tool_error("%s was killed before it began", rec->program);
		return TOOL_BAD_INPUT;
	}
	if (failure.at == AT_FILTER) {
		tool_error("seccomp is refused (%s): a container's profile must allow prctl "
			   "PR_SET_SECCOMP, and the kernel needs CONFIG_SECCOMP_FILTER",
		    strerror(failure.error));
		return TOOL_UNSUPPORTED;
	}
	tool_error("%s cannot be executed: %s", rec->program, strerror(failure.error));
	return TOOL_BAD_INPUT;
}
