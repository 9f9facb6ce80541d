/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The same from plain /proc/PID/pagemap, for kernels before 6.7: one 64-bit word for each page of
 * each VMA. It does not say which pages are huge: smaps tells how many bytes of a VMA are, and the
 * stretches that can be are taken in order of address. That is exact for counting tables: which of
 * two stretches is the huge one makes no difference to how many there are.
 */
#define _GNU_SOURCE
#include "tool/kernel.h"

#include <errno.h>
#include <unistd.h>

#include "tool/tool.h"

/* On the stack: a mapping of its own would change the very process, if it looks at itself. */
#define WORDS 8192u

#define PM_PRESENT (UINT64_C(1) << 63)
#define PM_SWAPPED (UINT64_C(1) << 62)
#define PM_FILE    (UINT64_C(1) << 61)
#define PM_GUARD   (UINT64_C(1) << 58)

#define HUGE_BYTES (UINT64_C(1) << 21)

/* A run that is being made longer. */
struct growing {
	uint64_t start;
	uint64_t end;
	uint32_t flags;
};

static uint32_t word_flags(uint64_t word)
{
	uint32_t flags = 0;

	if (word & PM_PRESENT)
		flags |= SNAP_PRESENT;
	else if (word & (PM_SWAPPED | PM_GUARD))
		flags |= SNAP_ENTRY;
	if (flags && word & PM_FILE)
		flags |= SNAP_FILE;
	return flags;
}

static void grow_end(struct snap_process *process, struct snap_cursor *cursor,
    struct growing *growing)
{
	if (growing->flags)
		snap_add_runs(process, cursor, growing->start, growing->end, growing->flags, false);
	growing->flags = 0;
}

static void grow_words(struct snap_process *process, struct snap_cursor *cursor,
    struct growing *growing, uint64_t va, const uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++, va += KERNEL_PAGE) {
		uint32_t flags = word_flags(words[i]);

		if (flags != growing->flags) {
			grow_end(process, cursor, growing);
			growing->start = va;
			growing->flags = flags;
		}
		growing->end = va + KERNEL_PAGE;
	}
}

/* Splits the stretch [start, start + HUGE_BYTES) out of a run as one huge page. */
static size_t cut_huge(struct snap_process *process, size_t index, uint64_t start, bool file)
{
	struct snap_run *runs;
	struct snap_run run = process->runs[index];
	uint64_t end = start + HUGE_BYTES;
	size_t before = start > run.va;
	size_t after = end < run.va + run.size;

	process->runs = tool_grow(process->runs, &process->run_room,
	    process->run_count + before + after, sizeof(*process->runs));
	runs = process->runs;
	for (size_t i = process->run_count; i-- > index + 1;)
		runs[i + before + after] = runs[i];
	process->run_count += before + after;
	if (before) {
		runs[index].size = start - run.va;
		index++;
	}
	runs[index] = run;
	runs[index].va = start;
	runs[index].size = HUGE_BYTES;
	runs[index].level = 1;
	if (!file)
		runs[index].flags |= SNAP_DEPOSIT;
	if (after) {
		index++;
		runs[index] = run;
		runs[index].va = end;
		runs[index].size = run.va + run.size - end;
	}
	return index;
}

/* Makes huge pages of the runs from first on until so many bytes are huge. */
static void promote(struct snap_process *process, size_t first, uint64_t bytes, bool file)
{
	for (size_t i = first; i < process->run_count && bytes >= HUGE_BYTES; i++) {
		const struct snap_run *run = &process->runs[i];
		uint64_t start = (run->va + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);

		if (run->level || !(run->flags & SNAP_PRESENT) ||
		    !(run->flags & SNAP_FILE) != !file)
			continue;
		if (start + HUGE_BYTES > run->va + run->size)
			continue;
		/* Goes on with what is left behind the huge page, if anything. */
		i = cut_huge(process, i, start, file);
		if (process->runs[i].va > start)
			i--;
		bytes -= HUGE_BYTES;
	}
}

static int read_vma(struct snap_process *process, int fd, const struct snap_vma *vma,
    struct snap_cursor *cursor)
{
	uint64_t words[WORDS];
	struct growing growing = {0};
	uint64_t va = vma->start;

	while (va < vma->end) {
		size_t count = (size_t)((vma->end - va) >> KERNEL_PAGE_SHIFT);
		ssize_t got;

		if (count > WORDS)
			count = WORDS;
		got = pread(fd, words, count * sizeof(*words),
		    (off_t)((va >> KERNEL_PAGE_SHIFT) * sizeof(*words)));
		if (got < 0)
			return errno;
		if (!got)
			return ESRCH;
		count = (size_t)got / sizeof(*words);
		grow_words(process, cursor, &growing, va, words, count);
		va += count << KERNEL_PAGE_SHIFT;
	}
	grow_end(process, cursor, &growing);
	return 0;
}

/* The zero page looks like an anonymous one here; where there is none of these, all are it. */
static void mark_zero(struct snap_process *process, size_t first, const struct snap_vma *vma)
{
	const uint32_t what = SNAP_PRESENT | SNAP_FILE;

	if (vma->anonymous || vma->flags & SNAP_VMA_HUGETLB)
		return;
	for (size_t i = first; i < process->run_count; i++)
		if ((process->runs[i].flags & what) == SNAP_PRESENT)
			process->runs[i].flags |= SNAP_ZERO;
}

enum snap_state kernel_read_pagemap(struct snap_process *process, int fd)
{
	struct snap_cursor cursor = {0};
	int error = 0;

	for (size_t i = 0; i < process->vma_count && !error; i++) {
		const struct snap_vma *vma = &process->vmas[i];
		size_t first = process->run_count;

		if (vma->flags & SNAP_VMA_DEVICE)
			continue;
		error = read_vma(process, fd, vma, &cursor);
		promote(process, first, vma->huge_anon, false);
		promote(process, first, vma->huge_file, true);
		mark_zero(process, first, vma);
	}
	return error ? kernel_errno_state(error) : SNAP_OK;
}
