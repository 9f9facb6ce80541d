/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * How many tables a process must have, and what explains it when the kernel counts more.
 *
 * A table is never kept where no VMA overlaps its region. So what the kernel can have beyond the
 * tables with entries is bounded: PTE tables that PAGEMAP_SCAN shows are known one by one; PMD and
 * PUD tables, and all of them on older kernels, number at most the regions with a VMA and no table.
 */
#include "tool/kernel.h"

/* Regions of one level. */
struct level_regions {
	struct ranges entries; /* something maps there: our tables, or a huge page without one */
	struct ranges ours;    /* of these, regions with a table */
	struct ranges known;   /* entries, and regions of tables that the kernel shows */
	struct ranges device;  /* device mappings filled on demand */
	struct ranges vmas;
};

static bool has_table(const struct snap_run *run, unsigned level)
{
	if (!level && run->flags & SNAP_DEPOSIT)
		return true;
	return run->level <= level;
}

static void add_runs(struct level_regions *regions, const struct snap_process *process,
    unsigned level)
{
	unsigned shift = kernel_table_shift(level);

	for (size_t i = 0; i < process->run_count; i++) {
		const struct snap_run *run = &process->runs[i];

		ranges_add_regions(&regions->entries, run->va, run->va + run->size, shift);
		if (has_table(run, level))
			ranges_add_regions(&regions->ours, run->va, run->va + run->size, shift);
	}
}

/* Whether an empty table of a level could hide in a VMA. */
static bool can_hide(const struct snap_vma *vma, unsigned level, bool sees_empty)
{
	if (level)
		return true;
	if (vma->flags & (SNAP_VMA_HUGETLB | SNAP_VMA_DEVICE))
		return false;
	return !sees_empty || vma->flags & SNAP_VMA_BLIND;
}

static void add_vmas(struct level_regions *regions, const struct snap_process *process,
    unsigned level, bool sees_empty)
{
	const uint32_t both = SNAP_VMA_DEVICE | SNAP_VMA_FILLED;
	unsigned shift = kernel_table_shift(level);

	for (size_t i = 0; i < process->vma_count; i++) {
		const struct snap_vma *vma = &process->vmas[i];

		if ((vma->flags & both) == SNAP_VMA_DEVICE)
			ranges_add_regions(&regions->device, vma->start, vma->end, shift);
		else if (can_hide(vma, level, sees_empty))
			ranges_add_regions(&regions->vmas, vma->start, vma->end, shift);
	}
}

/* The kernel shows PTE tables: a table of each level above is needed to reach one. */
static void add_shown(struct level_regions *regions, const struct snap_process *process,
    unsigned level)
{
	struct ranges shown = {0};

	for (size_t i = 0; i < process->tables.count; i++) {
		unsigned down = kernel_table_shift(level) - kernel_table_shift(0);

		ranges_add_regions(&shown, process->tables.at[i].first, process->tables.at[i].end,
		    down);
	}
	ranges_union(&regions->known, &regions->entries, &shown);
	ranges_free(&shown);
}

static void free_regions(struct level_regions *regions)
{
	ranges_free(&regions->entries);
	ranges_free(&regions->ours);
	ranges_free(&regions->known);
	ranges_free(&regions->device);
	ranges_free(&regions->vmas);
}

/* Takes as much of *rest as there is room for. */
static uint64_t explain(int64_t *rest, uint64_t room)
{
	uint64_t part = *rest > 0 ? (uint64_t)*rest : 0;

	if (part > room)
		part = room;
	*rest -= (int64_t)part;
	return part;
}

static void count_tables(struct snap_process *process, bool sees_empty)
{
	struct snap_account *account = &process->account;

	*account = (struct snap_account){.kernel = process->vmpte_after / KERNEL_PAGE};
	for (unsigned level = 0; level < KERNEL_LEVELS; level++) {
		struct level_regions regions = {0};

		add_runs(&regions, process, level);
		add_vmas(&regions, process, level, sees_empty);
		add_shown(&regions, process, level);
		account->ours[level] = ranges_total(&regions.ours);
		account->ours_total += account->ours[level];
		account->kept_seen += ranges_beyond(&regions.known, &regions.entries);
		account->device_room += ranges_beyond(&regions.device, &regions.known);
		account->kept_room += ranges_beyond(&regions.vmas, &regions.known);
		free_regions(&regions);
	}
	account->unexplained =
	    (int64_t)account->kernel - (int64_t)account->ours_total - (int64_t)account->kept_seen;
	account->device = explain(&account->unexplained, account->device_room);
	account->kept_unseen = explain(&account->unexplained, account->kept_room);
}

void kernel_account(struct snap_process *process, const struct kernel_means *means)
{
	const struct snap_account *account = &process->account;

	count_tables(process, means->sees_empty);
	/*
	 * What a scan shows as tables is no promise of the kernel's: when it shows more than there
	 * can be, the count is judged as on a kernel that shows nothing.
	 */
	if (account->unexplained < 0 && account->kernel >= account->ours_total) {
		ranges_clear(&process->tables);
		count_tables(process, false);
	}
}
