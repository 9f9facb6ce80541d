/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The entries of a process's tables, from the ioctl PAGEMAP_SCAN and from /proc/PID/pagemap.
 *
 * A scan for entries that were written to, and for nothing else, takes a path in the kernel that
 * reports each entry of a PTE table that is not write-protected by userfaultfd, empty ones
 * included, while a hole above the PTE level is not reported: so it shows every PTE table, those
 * without a single page too. That is not promised anywhere; kernel_probe_scan tries it out.
 */
#define _GNU_SOURCE
#include "tool/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tool/tool.h"

/* Physical frame number in an entry of pagemap; 0 without CAP_SYS_ADMIN. */
#define PAGEMAP_PFN_MASK ((UINT64_C(1) << 55) - 1)
#define PAGEMAP_PRESENT  (UINT64_C(1) << 63)

static uint32_t run_flags(const struct snap_vma *vma, uint32_t flags, bool huge)
{
	if (vma->flags & SNAP_VMA_WRITE && !(flags & SNAP_ZERO))
		flags |= SNAP_WRITE;
	if (vma->flags & SNAP_VMA_EXEC)
		flags |= SNAP_EXEC;
	if (huge && !(vma->flags & SNAP_VMA_HUGETLB) &&
	    (vma->flags & SNAP_VMA_ANON || !(flags & SNAP_FILE)))
		flags |= SNAP_DEPOSIT;
	return flags;
}

void snap_add_runs(struct snap_process *process, struct snap_cursor *cursor, uint64_t start,
    uint64_t end, uint32_t flags, bool huge)
{
	while (start < end) {
		const struct snap_vma *vma;
		uint64_t stop;

		while (cursor->vma < process->vma_count && process->vmas[cursor->vma].end <= start)
			cursor->vma++;
		/* Outside the VMAs that were read: they moved, and the next look finds out. */
		if (cursor->vma == process->vma_count || process->vmas[cursor->vma].start > start)
			return;
		vma = &process->vmas[cursor->vma];
		stop = end < vma->end ? end : vma->end;
		process->runs = tool_grow(process->runs, &process->run_room, process->run_count + 1,
		    sizeof(*process->runs));
		process->runs[process->run_count++] = (struct snap_run){
			.va = start,
			.size = stop - start,
			.flags = run_flags(vma, flags, huge),
			.level = vma->flags & SNAP_VMA_HUGETLB ? vma->leaf_level : huge,
		};
		start = stop;
	}
}

/* A look under way. */
struct taker {
	struct snap_process *process;
	struct snap_cursor cursor;
};

static void take_entry(void *ctx, const struct kernel_region *region)
{
	struct taker *taker = ctx;
	uint32_t flags = 0;

	/* A guard page is reported as swapped too. */
	flags |= region->categories & KERNEL_SCAN_PRESENT ? SNAP_PRESENT : SNAP_ENTRY;
	if (region->categories & KERNEL_SCAN_FILE)
		flags |= SNAP_FILE;
	if (region->categories & KERNEL_SCAN_ZERO)
		flags |= SNAP_ZERO;
	snap_add_runs(taker->process, &taker->cursor, region->start, region->end, flags,
	    region->categories & KERNEL_SCAN_HUGE);
}

/* Keeps what lies in VMAs for which the scan shows tables. */
static void take_table(void *ctx, const struct kernel_region *region)
{
	struct taker *taker = ctx;
	struct snap_process *process = taker->process;

	for (size_t i = taker->cursor.vma; i < process->vma_count; i++) {
		const struct snap_vma *vma = &process->vmas[i];
		uint64_t start = region->start > vma->start ? region->start : vma->start;
		uint64_t end = region->end < vma->end ? region->end : vma->end;

		if (vma->end <= region->start)
			taker->cursor.vma = i + 1;
		if (vma->start >= region->end)
			break;
		if (!(vma->flags & SNAP_VMA_BLIND))
			ranges_add_regions(&process->tables, start, end, kernel_table_shift(0));
	}
}

static int scan_tables(int fd, uint64_t start, uint64_t end, struct taker *taker)
{
	struct kernel_scan scan = {.all_of = KERNEL_SCAN_WRITTEN,
		.report = KERNEL_SCAN_WRITTEN,
		.take = take_table,
		.ctx = taker};

	ranges_clear(&taker->process->tables);
	taker->cursor.vma = 0;
	return kernel_scan(fd, start, end, &scan);
}

static int scan_entries(int fd, uint64_t start, uint64_t end, bool guard, struct taker *taker)
{
	uint64_t any = KERNEL_SCAN_PRESENT | KERNEL_SCAN_SWAPPED | (guard ? KERNEL_SCAN_GUARD : 0);
	struct kernel_scan scan = {
		.any_of = any,
		.report = any | KERNEL_SCAN_FILE | KERNEL_SCAN_ZERO | KERNEL_SCAN_HUGE,
		.take = take_entry,
		.ctx = taker,
	};

	return kernel_scan(fd, start, end, &scan);
}

/* Addresses of the leaves of one run; what is not told, or no longer there, becomes 0. */
static void read_run_frames(struct snap_process *process, struct snap_run *run, int fd)
{
	unsigned shift = kernel_leaf_shift(run->level);
	uint64_t step = UINT64_C(1) << (shift - KERNEL_PAGE_SHIFT);
	uint64_t count = run->size >> shift;
	uint64_t at = run->va >> KERNEL_PAGE_SHIFT;
	uint64_t *out;

	process->frames = tool_grow(process->frames, &process->frame_room,
	    process->frame_count + count, sizeof(*process->frames));
	run->frame = process->frame_count;
	process->frame_count += count;
	out = &process->frames[run->frame];
	memset(out, 0, count * sizeof(*out));
	if (step == 1) {
		if (pread(fd, out, count * sizeof(*out), (off_t)(at * sizeof(*out))) < 0)
			return;
	} else {
		for (uint64_t i = 0; i < count; i++) {
			off_t where = (off_t)((at + i * step) * sizeof(*out));

			if (pread(fd, &out[i], sizeof(*out), where) < 0)
				break;
		}
	}
	for (uint64_t i = 0; i < count; i++)
		out[i] =
		    out[i] & PAGEMAP_PRESENT ? (out[i] & PAGEMAP_PFN_MASK) << KERNEL_PAGE_SHIFT : 0;
}

/*
 * Device mappings that pagemap skips. Their runs are out of order at the end of the array for the
 * moment.
 */
static void add_device_runs(struct snap_process *process)
{
	const uint32_t both = SNAP_VMA_DEVICE | SNAP_VMA_FILLED;
	struct snap_cursor cursor = {0};

	for (size_t i = 0; i < process->vma_count; i++) {
		const struct snap_vma *vma = &process->vmas[i];

		if ((vma->flags & both) == both)
			snap_add_runs(process, &cursor, vma->start, vma->end, SNAP_UNSEEN, false);
	}
}

/* Insertion: the few runs from first on go where they belong. */
static void order_runs(struct snap_process *process, size_t first)
{
	for (size_t i = first; i < process->run_count; i++) {
		struct snap_run run = process->runs[i];
		size_t at = i;

		for (; at && process->runs[at - 1].va > run.va; at--)
			process->runs[at] = process->runs[at - 1];
		process->runs[at] = run;
	}
}

static int read_by_scan(struct snap_process *process, int fd, const struct kernel_means *means)
{
	uint64_t end = process->vmas[process->vma_count - 1].end;
	struct taker taker = {.process = process};
	int error = scan_entries(fd, 0, end, means->guard, &taker);

	if (!error && means->sees_empty)
		error = scan_tables(fd, 0, end, &taker);
	return error;
}

enum snap_state kernel_read_pages(struct snap_process *process, const struct kernel_means *means)
{
	enum snap_state state = SNAP_OK;
	size_t seen;
	char path[64];
	int error;
	int fd;

	process->run_count = 0;
	process->frame_count = 0;
	ranges_clear(&process->tables);
	snprintf(path, sizeof(path), "/proc/%ld/pagemap", (long)process->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return kernel_errno_state(errno);
	if (means->scan) {
		error = read_by_scan(process, fd, means);
		if (error)
			state = kernel_errno_state(error);
	} else {
		state = kernel_read_pagemap(process, fd);
	}
	for (size_t i = 0; state == SNAP_OK && i < process->run_count; i++) {
		if (process->runs[i].flags & SNAP_PRESENT)
			read_run_frames(process, &process->runs[i], fd);
	}
	close(fd);
	seen = process->run_count;
	add_device_runs(process);
	order_runs(process, seen);
	return state;
}

/* Whether a scan of our own shows an empty table at the first of two regions, and no more. */
static bool probe_empty(int fd, uint64_t first)
{
	uint64_t end = first + (UINT64_C(2) << kernel_table_shift(0));
	struct snap_vma vma = {.start = first, .end = end};
	struct snap_process self = {.vmas = &vma, .vma_count = 1};
	struct taker taker = {.process = &self};
	bool sees = !scan_tables(fd, first, end, &taker) && ranges_total(&self.tables) == 1 &&
		    self.tables.at[0].first == first >> kernel_table_shift(0);

	ranges_free(&self.tables);
	return sees;
}

void kernel_probe_scan(struct kernel_means *means)
{
	size_t region = (size_t)1 << kernel_table_shift(0);
	struct taker none = {.process = &(struct snap_process){0}};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	void *map = mmap(NULL, 4 * region, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *page;

	*means = (struct kernel_means){0};
	if (fd >= 0 && map != MAP_FAILED) {
		/* One page in the first region, the second a hole; both within the mapping. */
		page = (char *)(((uintptr_t)map + region) & ~(uintptr_t)(region - 1));
		madvise(page, 2 * region, MADV_NOHUGEPAGE);
		*(volatile char *)page = 1;
		means->guard =
		    !scan_entries(fd, (uintptr_t)page, (uintptr_t)page + KERNEL_PAGE, true, &none);
		means->scan = means->guard || !scan_entries(fd, (uintptr_t)page,
						  (uintptr_t)page + KERNEL_PAGE, false, &none);
		/* Less than the whole region, so that no kernel frees the table. */
		madvise(page, KERNEL_PAGE, MADV_DONTNEED);
		means->sees_empty = means->scan && probe_empty(fd, (uintptr_t)page);
	}
	if (map != MAP_FAILED)
		munmap(map, 4 * region);
	if (fd >= 0)
		close(fd);
}
