/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernel's own account of a running process: what /proc/PID/smaps, pagemap and status say,
 * and what number of page tables follows from it. Nothing here knows the library.
 *
 * The rules that this follows, all of Linux on x86-64:
 *  - VmPTE is 4 KiB for each PTE, PMD and PUD table; the root (and P4D) is not counted.
 *  - An anonymous huge page, the huge zero page included, keeps a PTE table deposited. hugetlb and
 *    huge pages of files and shared memory keep none.
 *  - Swapped pages, migration entries and markers (guard pages, userfaultfd) are entries of a
 * table.
 *  - Device mappings are invisible to pagemap. Those that a driver fills at mmap have their tables.
 *  - A table that has become empty often stays until its VMAs go. A PTE table that is empty can be
 *    seen all the same: see kernel_pages.c. PMD and PUD tables that are empty cannot.
 */
#ifndef TOOL_KERNEL_H
#define TOOL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tool/ranges.h"

#define KERNEL_PAGE_SHIFT 12u
#define KERNEL_PAGE       (UINT64_C(1) << KERNEL_PAGE_SHIFT)

/* [vsyscall] lies in the kernel's half and is no part of the process's tables. */
#define KERNEL_USER_END (UINT64_C(1) << 63)

/* Levels whose tables VmPTE counts: PTE, PMD, PUD. */
#define KERNEL_LEVELS 3u

/* log2 of the bytes that one table of a level translates. */
static inline unsigned kernel_table_shift(unsigned level)
{
	return 21u + 9u * level;
}

/* log2 of the bytes that one entry of a level maps. */
static inline unsigned kernel_leaf_shift(unsigned level)
{
	return 12u + 9u * level;
}

/* What this kernel offers; found out once by kernel_probe. */
struct kernel_means {
	bool scan;       /* ioctl PAGEMAP_SCAN (Linux 6.7) */
	bool guard;      /* PAGEMAP_SCAN knows guard pages */
	bool sees_empty; /* PAGEMAP_SCAN shows PTE tables without entries */
};

enum snap_vma_flags {
	SNAP_VMA_READ = 1u << 0,
	SNAP_VMA_WRITE = 1u << 1,
	SNAP_VMA_EXEC = 1u << 2,
	SNAP_VMA_ANON = 1u << 3, /* no file behind it */
	SNAP_VMA_HUGETLB = 1u << 4,
	SNAP_VMA_DEVICE = 1u << 5, /* VM_PFNMAP: pagemap skips it */
	SNAP_VMA_FILLED = 1u << 6, /* a device mapping whose driver fills it at mmap */
	SNAP_VMA_BLIND = 1u << 7,  /* a scan shows holes here as if they were tables */
};

struct snap_vma {
	uint64_t start;
	uint64_t end;
	uint64_t anonymous;  /* bytes in anonymous pages; the zero page is none */
	uint64_t huge_anon;  /* bytes in anonymous huge pages */
	uint64_t huge_file;  /* bytes in huge pages of files and shared memory */
	uint32_t flags;      /* enum snap_vma_flags */
	uint32_t leaf_level; /* of hugetlb pages: 1 or 2; else 0 */
};

enum snap_run_flags {
	SNAP_PRESENT = 1u << 0, /* there is a page */
	SNAP_ENTRY =
	    1u << 1, /* an entry without page: swapped, migrating, a marker, a guard page */
	SNAP_FILE = 1u << 2,
	SNAP_ZERO = 1u << 3,    /* the zero page */
	SNAP_DEPOSIT = 1u << 4, /* a huge page that keeps a table deposited */
	SNAP_UNSEEN = 1u << 5,  /* device memory: known to be mapped, not shown by pagemap */
	SNAP_WRITE = 1u << 6,
	SNAP_EXEC = 1u << 7,
};

/* Neighbouring entries of one VMA, level and kind. */
struct snap_run {
	uint64_t va;
	uint64_t size;  /* bytes */
	size_t frame;   /* SNAP_PRESENT: index of the first leaf's address in frames */
	uint32_t flags; /* enum snap_run_flags */
	uint32_t level; /* of the leaves */
};

/* Kernel's count, ours, and what explains the difference. In tables. */
struct snap_account {
	uint64_t kernel;              /* VmPTE */
	uint64_t ours[KERNEL_LEVELS]; /* by level, from the regions that have entries */
	uint64_t ours_total;
	uint64_t kept_seen;   /* empty tables that the kernel keeps and shows */
	uint64_t kept_unseen; /* empty tables that it must keep beyond these: at most... */
	uint64_t kept_room;   /* ...the regions with a VMA and no known table */
	uint64_t device;      /* tables of device mappings filled on demand: at most... */
	uint64_t device_room; /* ...the regions that only such a mapping overlaps */
	int64_t unexplained;  /* what remains; below 0: ours, or ours and seen, is too many */
};

/* A process as it was at one moment, or why not. */
enum snap_state {
	SNAP_OK,
	SNAP_NO_MEMORY, /* kernel thread or zombie: no address space */
	SNAP_GONE,
	SNAP_DENIED,
	SNAP_CHANGED, /* its tables or VMAs moved in each of the looks */
	SNAP_NO_PAGEMAP,
};

/* Zeroed is empty; can be filled again and again. */
struct snap_process {
	pid_t pid;
	char name[64];
	enum snap_state state;
	struct snap_vma *vmas;
	size_t vma_count;
	size_t vma_room;
	struct snap_run *runs; /* by address */
	size_t run_count;
	size_t run_room;
	uint64_t *frames; /* physical address of each leaf; 0: the kernel does not tell */
	size_t frame_count;
	size_t frame_room;
	struct ranges
	    tables; /* regions of 2 MiB that the kernel shows a PTE table or huge page for */
	uint64_t vmpte_before; /* bytes */
	uint64_t vmpte_after;
	uint64_t faults_before; /* page faults that it ever took */
	uint64_t faults_after;
	uint64_t resident; /* bytes of present pages, zero page and devices excluded */
	unsigned looks;    /* how often it was read */
	struct snap_account account;
};

/* -1 when this is no Linux on x86-64 with 4 KiB pages. */
int kernel_probe(struct kernel_means *means);

/* Reads a process, again if it moved; sets and returns state. */
enum snap_state kernel_look(struct snap_process *process, pid_t pid,
    const struct kernel_means *means);

/* One line of English; never NULL. */
const char *kernel_state_text(enum snap_state state);

/* All processes, ascending; *count of them in an array that the caller frees. */
pid_t *kernel_processes(size_t *count);

/* MemTotal in bytes, 0 when unknown. */
uint64_t kernel_memory_total(void);

void snap_free(struct snap_process *process);

/* Steps of a look; each returns SNAP_OK or why not. */
enum snap_state kernel_read_vmas(struct snap_process *process);
enum snap_state kernel_read_pages(struct snap_process *process, const struct kernel_means *means);
enum snap_state kernel_read_pagemap(struct snap_process *process, int fd);

/* Whether the VMAs are still those that kernel_read_vmas found. */
bool kernel_same_vmas(const struct snap_process *process);

/* Appends to runs, splitting at the borders of VMAs; va ascending. */
struct snap_cursor {
	size_t vma; /* index of the VMA that the last run was in */
};
void snap_add_runs(struct snap_process *process, struct snap_cursor *cursor, uint64_t start,
    uint64_t end, uint32_t flags, bool huge);

/* Fills account from VmPTE, VMAs, runs and tables. */
void kernel_account(struct snap_process *process, const struct kernel_means *means);

/* PAGEMAP_SCAN probes, on this process. */
void kernel_probe_scan(struct kernel_means *means);

/* What PAGEMAP_SCAN says of a stretch of pages. */
struct kernel_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories; /* enum kernel_scan_category */
};

enum kernel_scan_category {
	KERNEL_SCAN_WRITTEN = 1u << 1,
	KERNEL_SCAN_FILE = 1u << 2,
	KERNEL_SCAN_PRESENT = 1u << 3,
	KERNEL_SCAN_SWAPPED = 1u << 4,
	KERNEL_SCAN_ZERO = 1u << 5,
	KERNEL_SCAN_HUGE = 1u << 6,
	KERNEL_SCAN_GUARD = 1u << 8,
};

/* What a scan is for, and who takes its regions, each once, by address. */
struct kernel_scan {
	uint64_t all_of;
	uint64_t any_of;
	uint64_t report;
	void (*take)(void *ctx, const struct kernel_region *region);
	void *ctx;
};

/* Scans [start, end) of the process whose pagemap fd is. 0, or an errno. */
int kernel_scan(int fd, uint64_t start, uint64_t end, const struct kernel_scan *scan);

/* A line of maps, or one that opens a VMA in smaps. */
struct kernel_maps_line {
	uint64_t start;
	uint64_t end;
	uint64_t inode;
	uint64_t major;
	uint64_t minor;
	const char *rights; /* "rwxp" */
	const char *name;   /* up to the end of the line */
};

/* False when the line is one of the fields that follow a VMA's first line in smaps. */
bool kernel_parse_maps_line(const char *line, struct kernel_maps_line *out);

/*
 * Drivers that map all their memory at mmap (remap_pfn_range), as far as they are known by name;
 * others fill their mappings when they are touched, which nobody outside can see.
 */
bool kernel_filled_at_mmap(const char *name);

/* Room for the text of stat, and of status as far as it matters. */
#define KERNEL_TEXT 4096u

/* The beginning of a file of /proc/PID; pid may be a thread. */
enum snap_state kernel_read_text(pid_t pid, const char *file, char text[KERNEL_TEXT]);

/* VmPTE in bytes out of the text of status; false: no address space. */
bool kernel_vmpte_of(const char *status, uint64_t *vmpte);

/* R, S, D, T, t, Z...; 0 when it is gone. */
char kernel_thread_state(pid_t tid);

/* The state that an errno of opening or reading a file of /proc/PID stands for. */
enum snap_state kernel_errno_state(int error);

#endif
