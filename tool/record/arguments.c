/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the arguments of some calls point to takes their place: the trace cannot follow pointers. */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* Newer than the headers of Debian 12. */
#define UFFD_MOVE 0x05u

/* process_madvise takes no more. */
#define RANGES_MOST 1024u

/* Names for this process, in place of a descriptor. */
#define PIDFD_THREAD  (-10000)
#define PIDFD_PROCESS (-10001)

struct madvise_list {
	pid_t target;
	size_t count;
	struct iovec ranges[];
};

bool arguments_read(const struct task *task, uint64_t va, void *out, size_t size)
{
	struct iovec here = {out, size};
	struct iovec there = {(void *)(uintptr_t)va, size};

	return process_vm_readv(task->tid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

void arguments_clone3(struct task *task)
{
	uint64_t flags;

	/* Its first word. If it cannot be read the call fails too. */
	if (!arguments_read(task, task->args[0], &flags, sizeof(flags)))
		flags = 0;
	task->args[0] = flags;
}

/* start, length, mode; of a move also, in args[5], where the pages are. */
void arguments_userfaultfd(struct task *task)
{
	uint64_t words[4] = {0};
	uint64_t address = task->args[2];
	unsigned which = _IOC_NR(task->args[1]);
	bool copies = which == _UFFDIO_COPY || which == UFFD_MOVE;
	size_t size = _IOC_SIZE(task->args[1]);

	memset(&task->args[2], 0, 4 * sizeof(task->args[2]));
	if (size > sizeof(words))
		size = sizeof(words);
	if (which == _UFFDIO_API || !arguments_read(task, address, words, size))
		return;
	task->args[2] = words[0];
	task->args[3] = words[copies ? 2 : 1];
	task->args[4] = words[copies ? 3 : 2];
	if (which == UFFD_MOVE)
		task->args[5] = words[1];
}

/* Whose process a descriptor of the task's names; 0: nobody's. */
static pid_t pid_of(const struct task *task, int fd)
{
	char file[64];
	char text[KERNEL_TEXT];
	const char *at;

	if (fd == PIDFD_THREAD || fd == PIDFD_PROCESS)
		return task->tid;
	snprintf(file, sizeof(file), "fdinfo/%d", fd);
	if (kernel_read_text(task->tid, file, text) != SNAP_OK)
		return 0;
	at = strstr(text, "\nPid:");
	return at ? (pid_t)strtol(at + strlen("\nPid:"), NULL, 10) : 0;
}

void arguments_keep_ranges(struct recorder *rec, struct task *task)
{
	uint64_t count = task->args[2];
	const struct task *target;
	struct madvise_list *list;

	free(task->ranges);
	task->ranges = NULL;
	if (!count || count > RANGES_MOST)
		return;
	list = tool_alloc(sizeof(*list) + count * sizeof(list->ranges[0]));
	task->ranges = list;
	if (!arguments_read(task, task->args[1], list->ranges, count * sizeof(list->ranges[0])))
		return;
	list->count = count;
	list->target = pid_of(task, (int)task->args[0]);
	target = task_find(rec, list->target);
	if (target && target->space)
		target = space_witness(target->space);
	for (size_t i = 0; target && target->space && i < count; i++) {
		uint64_t start = (uintptr_t)list->ranges[i].iov_base;

		look_range(rec, target, start, start + list->ranges[i].iov_len);
		task->freed += list->ranges[i].iov_len;
	}
}

/* The result is how many bytes were advised: a range beyond them has failed, and the rest waits. */
void arguments_emit_ranges(struct recorder *rec, struct task *task, int64_t result)
{
	const struct madvise_list *list = task->ranges;
	const struct task *target = list ? task_find(rec, list->target) : NULL;
	int64_t rest = result > 0 ? result : 0;
	bool failed = false;

	for (size_t i = 0; target && target->space && !failed && i < list->count; i++) {
		const struct iovec *range = &list->ranges[i];

		failed = (int64_t)range->iov_len > rest;
		record_emit(rec, &(struct trace_event){.kind = TRACE_CALL,
					 .space = target->space->number,
					 .task = (uint32_t)task->tid,
					 .time = record_time(rec),
					 .call = {.nr = SYS_madvise,
						 .args = {(uintptr_t)range->iov_base,
							 range->iov_len, task->args[3]},
						 /* Of a part that failed after others nobody tells
						    the reason. */
						 .result = !failed      ? 0
							   : result < 0 ? result
									: -ENOMEM}});
		target->space->stirred = true;
		rest -= (int64_t)range->iov_len;
	}
	free(task->ranges);
	task->ranges = NULL;
}
