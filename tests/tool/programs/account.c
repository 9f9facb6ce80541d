/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * kernel_account on processes made up here: what no real kernel does, or not on demand. Prints TAP.
 * Built together with tool/kernel_account.c, tool/ranges.c and tool/tool.c.
 */
#include <stdio.h>

#include "tool/kernel.h"

#define MIB UINT64_C(0x100000)
#define GIB UINT64_C(0x40000000)

static int count;
static int failed;

static void check(const char *what, bool ok)
{
	count++;
	failed += !ok;
	printf("%sok %d - %s\n", ok ? "" : "not ", count, what);
}

/* Two VMAs of 4 MiB, a page in each, in two GiBs: 2 PTE, 2 PMD and 1 PUD table. */
static struct snap_vma vmas[2] = {
	{.start = GIB, .end = GIB + 4 * MIB, .flags = SNAP_VMA_ANON},
	{.start = 5 * GIB, .end = 5 * GIB + 4 * MIB, .flags = SNAP_VMA_ANON},
};
static struct snap_run runs[2] = {
	{.va = GIB, .size = KERNEL_PAGE, .flags = SNAP_PRESENT},
	{.va = 5 * GIB, .size = KERNEL_PAGE, .flags = SNAP_PRESENT},
};

static struct snap_account judge(uint64_t tables, bool sees_empty)
{
	struct kernel_means means = {.scan = sees_empty, .sees_empty = sees_empty};
	struct snap_process process = {
		.vmas = vmas,
		.vma_count = 2,
		.runs = runs,
		.run_count = 2,
		.vmpte_after = tables * KERNEL_PAGE,
	};

	kernel_account(&process, &means);
	return process.account;
}

static void plain(void)
{
	struct snap_account a = judge(5, true);

	check("two pages far apart: five tables, nothing to explain",
	    a.ours_total == 5 && !a.unexplained && !a.kept_seen && !a.kept_unseen);
	check("one too many in ours is not explained", judge(4, true).unexplained == -1);
	check("nor where empty tables cannot be seen", judge(4, false).unexplained == -1);
}

/* Each VMA leaves one region of 2 MiB without a table of ours. */
static void bounds(void)
{
	struct snap_account a = judge(7, false);

	check("as many empty tables as there are regions", !a.unexplained && a.kept_unseen == 2);
	a = judge(8, false);
	check("one more is not explained", a.unexplained == 1 && a.kept_unseen == 2);
	check("where PTE tables are seen there is no room", judge(6, true).unexplained == 1);
	runs[1].flags = SNAP_PRESENT | SNAP_DEPOSIT;
	runs[1].level = 1;
	runs[1].size = 2 * MIB;
	check("a deposit counts as a table", judge(5, true).ours_total == 5);
	runs[1].flags = SNAP_PRESENT | SNAP_FILE;
	check("a huge page of a file has none", judge(4, true).ours_total == 4);
	check("and its region has no room for one", judge(7, false).unexplained == 1);
}

static void devices(void)
{
	vmas[1].flags = SNAP_VMA_DEVICE;
	runs[1].flags = SNAP_PRESENT;
	runs[1].level = 2; /* out of the way: a page of a GiB in the second VMA's place */
	runs[1].size = GIB;
	check("a device mapping in no region of its own explains nothing",
	    judge(4, true).unexplained == 1);
	vmas[1].start = 600 * GIB;
	vmas[1].end = 600 * GIB + MIB;
	check("one with a region of its own explains up to a table of each level",
	    judge(6, true).device == 3 && !judge(6, true).unexplained);
	check("and no more", judge(7, true).unexplained == 1);
}

int main(void)
{
	plain();
	bounds();
	devices();
	printf("1..%d\n", count);
	return failed != 0;
}
