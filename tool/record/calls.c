/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The calls that change an address space: what is looked at before them, as it is about to go or
 * move, and what after. In a space one of them is in flight at a time: else nobody could say which
 * of two did what.
 */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/syscall.h>

/* Newer than the headers of Debian 12, or named elsewhere. */
#define NR_SET_MEMPOLICY_HOME_NODE 450
#define NR_MAP_SHADOW_STACK        453
#define NR_MSEAL                   462
#define PR_SET_VMA_CALL            0x53564d41u
#define MADV_LAST_OF_FLAGS         19 /* KEEPONFORK */
#define MADV_COLLAPSE_CALL         25

/* The kernel's own: the call will begin again, and has done nothing. */
#define ERESTART_FIRST 512
#define ERESTART_LAST  516

/* What follows a call. */
enum after {
	AFTER_NOTHING,
	AFTER_VMAS, /* VMAs, or their borders, may have changed */
	AFTER_TASK, /* it makes a task */
	AFTER_EXEC,
};

struct call {
	uint32_t nr;
	enum after after;
	void (*before)(struct recorder *rec, struct task *task); /* NULL: nothing to look at */
	/* The filter stops only if the low word of args[arg] & mask is value; mask 0: always. */
	uint32_t mask;
	uint32_t value;
	uint32_t arg;
};

/* Looks at a range that the call takes away, or moves; how much there is decides on a checkpoint.
 */
static void goes(struct recorder *rec, struct task *task, uint64_t start, uint64_t size)
{
	uint64_t end = start + size < start ? UINT64_MAX : start + size;

	task->freed += end - start;
	look_range(rec, task, start, end);
}

static void before_mmap(struct recorder *rec, struct task *task)
{
	if (task->args[3] & MAP_FIXED)
		goes(rec, task, task->args[0], task->args[1]);
}

static void before_munmap(struct recorder *rec, struct task *task)
{
	goes(rec, task, task->args[0], task->args[1]);
}

static void before_mremap(struct recorder *rec, struct task *task)
{
	look_vmas(rec, task);
	goes(rec, task, task->args[0], task->args[1]);
	if (task->args[3] & MREMAP_FIXED)
		goes(rec, task, task->args[4], task->args[2]);
}

/* Advice up to KEEPONFORK sets flags of VMAs, but for three that take pages away. */
static bool advice_moves_pages(uint64_t advice)
{
	return advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE ||
	       advice > MADV_LAST_OF_FLAGS;
}

/*
 * Pages of a file that become one huge page lose their tables in all spaces that map them. What
 * the others have before and after tells how many went without a call of theirs.
 */
static bool takes_from_others(const struct task *task)
{
	const struct trace_vma *vma = look_find(task->space, task->args[0]);

	return task->call->nr == SYS_madvise && task->args[2] == MADV_COLLAPSE_CALL && vma &&
	       vma->flags & TRACE_VMA_FILE;
}

static void check_others(struct recorder *rec, const struct space *space,
    void (*check)(struct recorder *, struct space *, enum trace_why))
{
	struct space *other;

	for (other = TAILQ_FIRST(&rec->spaces); other; other = TAILQ_NEXT(other, link)) {
		if (other != space)
			check(rec, other, TRACE_WHY_EVERY);
	}
}

static void before_madvise(struct recorder *rec, struct task *task)
{
	look_vmas_near(rec, task, task->args[0], task->args[0] + task->args[1]);
	if (advice_moves_pages(task->args[2]))
		goes(rec, task, task->args[0], task->args[1]);
	if (takes_from_others(task))
		check_others(rec, task->space, checkpoint_make);
}

static void before_process_madvise(struct recorder *rec, struct task *task)
{
	look_vmas(rec, task);
	arguments_keep_ranges(rec, task);
}

static void before_brk(struct recorder *rec, struct task *task)
{
	const struct space *space = task->space;
	uint64_t end = 0;

	for (size_t i = 0; i < space->vma_count; i++) {
		if (space->vmas[i].flags & TRACE_VMA_HEAP)
			end = space->vmas[i].end;
	}
	if (task->args[0] && task->args[0] < end)
		goes(rec, task, task->args[0], end - task->args[0]);
}

/* Of all of a segment's VMAs, those that other calls cut it into included. */
static void before_shmdt(struct recorder *rec, struct task *task)
{
	const struct space *space = task->space;
	uint64_t end = task->args[0];

	for (size_t i = 0; i < space->vma_count; i++) {
		const struct trace_vma *vma = &space->vmas[i];

		if (vma->flags & TRACE_VMA_SYSV && vma->end > end)
			end = vma->end;
	}
	goes(rec, task, task->args[0], end - task->args[0]);
}

/* How large the segment is, is not known before it is there. */
static void before_shmat(struct recorder *rec, struct task *task)
{
	if (task->args[2] & SHM_REMAP)
		goes(rec, task, task->args[1], UINT64_MAX - task->args[1]);
}

static void before_io_destroy(struct recorder *rec, struct task *task)
{
	const struct trace_vma *vma = look_find(task->space, task->args[0]);

	if (vma)
		goes(rec, task, vma->start, vma->end - vma->start);
}

static void before_userfaultfd(struct recorder *rec, struct task *task)
{
	arguments_userfaultfd(task);
	if (task->args[5]) /* pages that move */
		goes(rec, task, task->args[5], task->args[3]);
}

static void before_clone(struct recorder *rec, struct task *task)
{
	if (task->call->nr == SYS_clone3)
		arguments_clone3(task);
	if (!(call_clone_flags(task) & CLONE_VM))
		checkpoint_make(rec, task->space, TRACE_WHY_FORK);
}

static void before_exec(struct recorder *rec, struct task *task)
{
	checkpoint_make(rec, task->space, TRACE_WHY_LEAVE);
}

/* Those with a condition come last: the filter wants them so. */
static const struct call calls[] = {
	{SYS_mmap, AFTER_VMAS, before_mmap, 0, 0, 0},
	{SYS_munmap, AFTER_VMAS, before_munmap, 0, 0, 0},
	{SYS_brk, AFTER_VMAS, before_brk, 0, 0, 0},
	{SYS_mprotect, AFTER_VMAS, NULL, 0, 0, 0},
	{SYS_mremap, AFTER_VMAS, before_mremap, 0, 0, 0},
	{SYS_madvise, AFTER_VMAS, before_madvise, 0, 0, 0},
	{SYS_process_madvise, AFTER_VMAS, before_process_madvise, 0, 0, 0},
	{SYS_pkey_mprotect, AFTER_VMAS, NULL, 0, 0, 0},
	{SYS_mlock, AFTER_VMAS, NULL, 0, 0, 0},
	{SYS_mlock2, AFTER_VMAS, NULL, 0, 0, 0},
	{SYS_mlockall, AFTER_VMAS, NULL, 0, 0, 0},
	{SYS_munlock, AFTER_VMAS, NULL, 0, 0, 0},
	{SYS_munlockall, AFTER_VMAS, NULL, 0, 0, 0},
	{SYS_shmat, AFTER_VMAS, before_shmat, 0, 0, 0},
	{SYS_shmdt, AFTER_VMAS, before_shmdt, 0, 0, 0},
	{SYS_remap_file_pages, AFTER_VMAS, before_munmap, 0, 0, 0},
	{SYS_io_setup, AFTER_VMAS, NULL, 0, 0, 0},
	{SYS_io_destroy, AFTER_VMAS, before_io_destroy, 0, 0, 0},
	{SYS_process_vm_writev, AFTER_NOTHING, NULL, 0, 0, 0},
	{SYS_mbind, AFTER_VMAS, NULL, 0, 0, 0},
	{NR_SET_MEMPOLICY_HOME_NODE, AFTER_VMAS, NULL, 0, 0, 0},
	{NR_MAP_SHADOW_STACK, AFTER_VMAS, NULL, 0, 0, 0},
	{NR_MSEAL, AFTER_VMAS, NULL, 0, 0, 0},
	{SYS_fork, AFTER_TASK, before_clone, 0, 0, 0},
	{SYS_vfork, AFTER_TASK, before_clone, 0, 0, 0},
	{SYS_clone, AFTER_TASK, before_clone, 0, 0, 0},
	{SYS_clone3, AFTER_TASK, before_clone, 0, 0, 0},
	{SYS_execve, AFTER_EXEC, before_exec, 0, 0, 0},
	{SYS_execveat, AFTER_EXEC, before_exec, 0, 0, 0},
	/* _IOC_TYPE of userfaultfd's. */
	{SYS_ioctl, AFTER_VMAS, before_userfaultfd, 0xff00, 0xaa00, 1},
	{SYS_prctl, AFTER_VMAS, NULL, UINT32_MAX, PR_SET_MM, 0},
	{SYS_prctl, AFTER_VMAS, NULL, UINT32_MAX, PR_SET_VMA_CALL, 0},
	/* A vDSO at another place, and shadow stacks; not the registers of each start. */
	{SYS_arch_prctl, AFTER_VMAS, NULL, 0xf000, 0x2000, 0},
	{SYS_arch_prctl, AFTER_VMAS, NULL, 0xf000, 0x5000, 0},
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* What 32-bit programs call them. */
static const uint16_t foreign[][2] = {{2, SYS_fork}, {11, SYS_execve}, {45, SYS_brk},
	{91, SYS_munmap}, {120, SYS_clone}, {125, SYS_mprotect}, {150, SYS_mlock},
	{151, SYS_munlock}, {152, SYS_mlockall}, {153, SYS_munlockall}, {163, SYS_mremap},
	{190, SYS_vfork}, {192, SYS_mmap}, {219, SYS_madvise}, {257, SYS_remap_file_pages},
	{358, SYS_execveat}, {397, SYS_shmat}, {398, SYS_shmdt}, {435, SYS_clone3}};

bool call_filter(size_t i, struct call_filter *row)
{
	if (i >= CALLS)
		return false;
	*row = (struct call_filter){calls[i].nr, calls[i].arg, calls[i].mask, calls[i].value};
	return true;
}

static const struct call *find_call(uint64_t nr)
{
	for (size_t i = 0; i < CALLS; i++) {
		if (calls[i].nr == nr)
			return &calls[i];
	}
	return NULL;
}

static uint64_t translate(struct recorder *rec, const struct task *task, uint32_t arch, uint64_t nr)
{
	if (!rec->told_foreign)
		tool_error("task %ld makes calls of another architecture (32 bits?): only the "
			   "usual ones are recorded, and it is slow",
		    (long)task->tid);
	rec->told_foreign = true;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (arch == AUDIT_ARCH_I386 && foreign[i][0] == nr)
			return foreign[i][1];
	}
	return UINT64_MAX;
}

/* The call that the task is about to make, with its arguments; NULL: none that matters. */
static const struct call *take_call(struct recorder *rec, struct task *task)
{
	struct __ptrace_syscall_info info;
	uint64_t nr;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return NULL;
	nr = info.seccomp.nr;
	if (info.arch != AUDIT_ARCH_X86_64 || !find_call(nr))
		nr = translate(rec, task, info.arch, nr);
	for (unsigned i = 0; i < 6; i++)
		task->args[i] = info.seccomp.args[i];
	return find_call(nr);
}

/* A thread or a vfork neither changes the space nor returns before long. */
static bool is_exclusive(const struct task *task)
{
	if (task->call->after == AFTER_TASK)
		return !(call_clone_flags(task) & CLONE_VM);
	return task->call->after == AFTER_VMAS;
}

enum resume call_begin(struct recorder *rec, struct task *task)
{
	struct space *space = task->space;

	task->call = space ? take_call(rec, task) : NULL;
	if (!task->call || (space->blind && task->call->after != AFTER_TASK))
		return RESUME_RUN;
	task->freed = 0;
	/* Before the call is in flight: stacks that have grown are still told before its faults. */
	samples_flush(rec);
	if (is_exclusive(task)) {
		if (space->caller) {
			task->call = NULL;
			task_queue_put(&space->held, task);
			return RESUME_NOT;
		}
		space->caller = task;
	}
	checkpoint_unmoved(rec, task);
	if (task->call->before)
		task->call->before(rec, task);
	if (space->caller == task && task->call->after == AFTER_TASK)
		space->copied_since = tool_now_ns();
	return RESUME_CALL;
}

void call_drop(struct recorder *rec, struct task *task)
{
	struct space *space = task->space;
	struct task *next;

	task->call = NULL;
	if (!space || space->caller != task)
		return;
	space->caller = NULL;
	space->copied_since = 0;
	next = TAILQ_FIRST(&space->held);
	if (next)
		task_queue_put(&rec->ready, next);
}

static void emit_call(struct recorder *rec, const struct task *task, int64_t result)
{
	struct trace_event event = {
		.kind = TRACE_CALL,
		.space = task->space->number,
		.task = (uint32_t)task->tid,
		.time = record_time(rec),
		.call = {.nr = task->call->nr, .result = result},
	};

	memcpy(event.call.args, task->args, sizeof(event.call.args));
	record_emit(rec, &event);
	task->space->stirred |= task->call->after == AFTER_VMAS;
}

/* Looks at the VMAs around what the call changed, if its arguments tell, else at all. */
static void look_after(struct recorder *rec, const struct task *task, int64_t result)
{
	uint64_t start = task->args[0];

	switch (task->call->nr) {
	case SYS_mmap:
		start = (uint64_t)result;
		break;
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
	case SYS_madvise:
		break;
	default:
		look_vmas(rec, task);
		return;
	}
	if (result < 0)
		look_vmas(rec, task);
	else
		look_vmas_near(rec, task, start, start + task->args[1] + KERNEL_PAGE - 1);
}

static void count_call(struct recorder *rec, struct task *task, bool failed)
{
	struct space *space = task->space;

	if (!failed && task->freed >= CHECK_FREED)
		checkpoint_ask(rec, space, TRACE_WHY_FREED);
	else if (++space->calls >= rec->every)
		checkpoint_ask(rec, space, TRACE_WHY_EVERY);
	if (takes_from_others(task))
		check_others(rec, space, checkpoint_ask);
}

void call_end(struct recorder *rec, struct task *task)
{
	struct __ptrace_syscall_info info;
	int64_t result;
	bool failed;

	if (!task->call || !task->space ||
	    ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_EXIT) {
		call_drop(rec, task);
		return;
	}
	result = info.exit.rval;
	failed = info.exit.is_error;
	samples_flush(rec);
	if (!failed || result > -ERESTART_FIRST || result < -ERESTART_LAST) {
		if (task->call->nr == SYS_process_madvise)
			arguments_emit_ranges(rec, task, result);
		else
			emit_call(rec, task, result);
		if (task->call->after == AFTER_VMAS)
			look_after(rec, task, result);
		count_call(rec, task, failed);
	}
	call_drop(rec, task);
}

void call_made_task(struct recorder *rec, struct task *task, pid_t child)
{
	if (task->call)
		emit_call(rec, task, child);
	call_drop(rec, task);
}

bool call_is_exec(const struct task *task)
{
	return task->call && task->call->after == AFTER_EXEC;
}

uint64_t call_clone_flags(const struct task *task)
{
	if (!task->call)
		return 0;
	switch (task->call->nr) {
	case SYS_clone:
	case SYS_clone3:
		return task->args[0];
	case SYS_vfork:
		return CLONE_VM | CLONE_VFORK;
	default:
		return 0;
	}
}
