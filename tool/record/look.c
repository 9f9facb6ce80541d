/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What /proc shows of a space: its VMAs, its pages, VmPTE. */
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

/* Reads maps into rec->text, ended by a zero. */
static bool read_maps(struct recorder *rec, const struct task *task)
{
	int fd = open_of(task, "maps");
	size_t size = 0;
	ssize_t got;

	if (fd < 0)
		return false;
	do {
		rec->text =
		    tool_grow(rec->text, &rec->text_room, size + 2 * KERNEL_PAGE, sizeof(char));
		got = read(fd, &rec->text[size], rec->text_room - size - 1);
		size += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	close(fd);
	rec->text[size] = 0;
	return !got && size;
}

/* The last part of a file's name; what is in brackets is no file. */
static void take_name(struct trace_vma *vma, const char *name)
{
	size_t length = strcspn(name, "\n");
	const char *slash = *name == '/' ? memrchr(name, '/', length) : NULL;

	if (slash) {
		length -= (size_t)(slash + 1 - name);
		name = slash + 1;
	}
	if (length >= TRACE_NAME)
		length = TRACE_NAME - 1;
	memcpy(vma->name, name, length);
}

static bool is_hugetlb(const struct recorder *rec, const struct kernel_maps_line *line)
{
	for (size_t i = 0; i < rec->hugetlb_count; i++) {
		if (line->inode && rec->hugetlb[i] == (line->major << 32 | line->minor))
			return true;
	}
	return false;
}

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

static uint32_t flags_of_rights(const char *rights)
{
	return (rights[0] == 'r' ? TRACE_VMA_READ : 0u) |
	       (rights[1] == 'w' ? TRACE_VMA_WRITE : 0u) |
	       (rights[2] == 'x' ? TRACE_VMA_EXEC : 0u) |
	       (rights[3] == 's' ? TRACE_VMA_SHARED : 0u);
}

static uint32_t flags_of(const struct recorder *rec, const struct kernel_maps_line *line)
{
	return flags_of_rights(line->rights) | (line->inode ? TRACE_VMA_FILE : 0u) |
	       (is_hugetlb(rec, line) ? TRACE_VMA_HUGETLB : 0u) |
	       (kernel_filled_at_mmap(line->name) ? TRACE_VMA_DEVICE : 0u) |
	       (begins(line->name, "anon_inode:[perf_event]") ? TRACE_VMA_PRIVY : 0u) |
	       (begins(line->name, "[vvar") ? TRACE_VMA_VVAR : 0u) |
	       (begins(line->name, "[stack]") ? TRACE_VMA_STACK : 0u) |
	       (begins(line->name, "[heap]") ? TRACE_VMA_HEAP : 0u) |
	       (begins(line->name, "/SYSV") ? TRACE_VMA_SYSV : 0u);
}

/* Makes rec->vmas of rec->text. */
static size_t parse_maps(struct recorder *rec)
{
	struct kernel_maps_line line;
	size_t count = 0;

	for (const char *at = rec->text; *at; at = strchr(at, '\n') + 1) {
		struct trace_vma *vma;

		if (!kernel_parse_maps_line(at, &line) || line.start >= KERNEL_USER_END)
			break;
		rec->vmas = tool_grow(rec->vmas, &rec->vma_room, count + 1, sizeof(*rec->vmas));
		vma = &rec->vmas[count++];
		memset(vma, 0, sizeof(*vma));
		vma->start = line.start;
		vma->end = line.end;
		vma->inode = line.inode;
		vma->flags = flags_of(rec, &line);
		take_name(vma, line.name);
	}
	return count;
}

static bool same_vma(const struct trace_vma *a, const struct trace_vma *b)
{
	return a->start == b->start && a->end == b->end && a->inode == b->inode &&
	       a->flags == b->flags && !memcmp(a->name, b->name, TRACE_NAME);
}

/* Writes how the count new VMAs in rec->vmas differ from the space's. */
static void emit_vmas(struct recorder *rec, struct space *space, size_t count)
{
	size_t both = count < space->vma_count ? count : space->vma_count;
	const struct trace_vma *new = rec->vmas;
	const struct trace_vma *old = space->vmas;
	size_t first = 0;
	size_t last = 0;

	while (first < both && same_vma(&new[first], &old[first]))
		first++;
	while (last < both - first &&
	       same_vma(&new[count - last - 1], &old[space->vma_count - last - 1]))
		last++;
	if (space->listed && first + last == count && count == space->vma_count)
		return;
	record_emit(rec, &(struct trace_event){.kind = TRACE_VMAS,
				 .space = space->number,
				 .vmas = {first, last, &new[first], count - first - last}});
	space->listed = true;
	space->stirred = true;
}

bool look_vmas(struct recorder *rec, const struct task *task)
{
	struct space *space = task->space;
	struct trace_vma *vmas = space->vmas;
	size_t room = space->vma_room;
	size_t count;

	if (space->blind || !read_maps(rec, task))
		return false;
	count = parse_maps(rec);
	emit_vmas(rec, space, count);
	space->vmas = rec->vmas;
	space->vma_room = rec->vma_room;
	space->vma_count = count;
	rec->vmas = vmas;
	rec->vma_room = room;
	return count > 0;
}

const struct trace_vma *look_find(const struct space *space, uint64_t va)
{
	size_t low = 0;
	size_t high = space->vma_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (va < space->vmas[middle].start)
			high = middle;
		else if (va >= space->vmas[middle].end)
			low = middle + 1;
		else
			return &space->vmas[middle];
	}
	return NULL;
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
