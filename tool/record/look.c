/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What /proc shows of a space: its pages, VmPTE. */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_of(const struct task *task, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)task->tid, file);
	return open(path, O_RDONLY | O_CLOEXEC);
}

bool look_may(const struct task *task)
{
	int fd = open_of(task, "pagemap");

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void add_run(struct recorder *rec, uint64_t start, uint64_t end, uint32_t flags)
{
	struct trace_run *last = rec->run_count ? &rec->runs[rec->run_count - 1] : NULL;

	if (last && last->end == start && last->flags == flags) {
		last->end = end;
		return;
	}
	rec->runs = tool_grow(rec->runs, &rec->run_room, rec->run_count + 1, sizeof(*rec->runs));
	rec->runs[rec->run_count++] = (struct trace_run){start, end, flags};
}

static void take_region(void *ctx, const struct kernel_region *region)
{
	uint64_t is = region->categories;

	add_run(ctx, region->start, region->end,
	    (is & KERNEL_SCAN_PRESENT ? TRACE_PAGE_PRESENT : 0u) |
		(is & KERNEL_SCAN_SWAPPED ? TRACE_PAGE_ENTRY : 0u) |
		(is & KERNEL_SCAN_GUARD ? TRACE_PAGE_GUARD : 0u) |
		(is & KERNEL_SCAN_FILE ? TRACE_PAGE_FILE : 0u) |
		(is & KERNEL_SCAN_ZERO ? TRACE_PAGE_ZERO : 0u) |
		(is & KERNEL_SCAN_HUGE ? TRACE_PAGE_HUGE : 0u));
}

static bool scan(struct recorder *rec, int fd, uint64_t start, uint64_t end)
{
	uint64_t any =
	    KERNEL_SCAN_PRESENT | KERNEL_SCAN_SWAPPED | (rec->means.guard ? KERNEL_SCAN_GUARD : 0);
	const struct kernel_scan scan = {
		.any_of = any,
		.report = any | KERNEL_SCAN_FILE | KERNEL_SCAN_ZERO | KERNEL_SCAN_HUGE,
		.take = take_region,
		.ctx = rec,
	};

	return !kernel_scan(fd, start, end, &scan);
}

static uint32_t flags_of_snap(const struct snap_run *run)
{
	return (run->flags & SNAP_PRESENT ? TRACE_PAGE_PRESENT : 0u) |
	       (run->flags & SNAP_ENTRY ? TRACE_PAGE_ENTRY : 0u) |
	       (run->flags & SNAP_FILE ? TRACE_PAGE_FILE : 0u) |
	       (run->flags & SNAP_ZERO ? TRACE_PAGE_ZERO : 0u) |
	       (run->level ? TRACE_PAGE_HUGE : 0u);
}

/* The same from plain pagemap: of the whole space, as huge pages are told for each VMA only. */
static bool read_words(struct recorder *rec, const struct task *task, int fd, uint64_t start,
    uint64_t end)
{
	struct snap_process process = {.pid = task->tid};
	bool read =
	    kernel_read_vmas(&process) == SNAP_OK && kernel_read_pagemap(&process, fd) == SNAP_OK;

	for (size_t i = 0; read && i < process.run_count; i++) {
		const struct snap_run *run = &process.runs[i];
		uint64_t from = run->va > start ? run->va : start;
		uint64_t to = run->va + run->size < end ? run->va + run->size : end;

		if (from < to)
			add_run(rec, from, to, flags_of_snap(run));
	}
	snap_free(&process);
	return read;
}

static bool collect(struct recorder *rec, const struct task *task, uint64_t start, uint64_t end)
{
	int fd = open_of(task, "pagemap");
	bool read;

	rec->run_count = 0;
	if (fd < 0)
		return false;
	read = rec->means.scan ? scan(rec, fd, start, end) : read_words(rec, task, fd, start, end);
	close(fd);
	return read;
}

static void look_pages(struct recorder *rec, const struct task *task, enum trace_why why,
    uint64_t start, uint64_t end)
{
	if (task->space->blind || start >= end || !collect(rec, task, start, end))
		return;
	record_emit(rec, &(struct trace_event){.kind = TRACE_SCAN,
				 .space = task->space->number,
				 .scan = {why, start, end, rec->runs, rec->run_count}});
}

/* Where the last VMA ends. */
static uint64_t space_end(const struct space *space)
{
	return space->vma_count ? space->vmas[space->vma_count - 1].end : 0;
}

void look_range(struct recorder *rec, const struct task *task, uint64_t start, uint64_t end)
{
	uint64_t most = space_end(task->space);

	start &= ~(KERNEL_PAGE - 1);
	end = end < most ? (end + KERNEL_PAGE - 1) & ~(KERNEL_PAGE - 1) : most;
	look_pages(rec, task, TRACE_WHY_CALL, start, end);
}

void look_all(struct recorder *rec, const struct task *task, enum trace_why why)
{
	rec->run_count = 0;
	look_pages(rec, task, why, 0, space_end(task->space));
}

bool look_vmpte(const struct task *task, uint64_t *vmpte)
{
	char status[KERNEL_TEXT];

	return kernel_read_text(task->tid, "status", status) == SNAP_OK &&
	       kernel_vmpte_of(status, vmpte);
}
