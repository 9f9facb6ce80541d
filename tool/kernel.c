/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Looks at running processes without stopping them: what was read counts only if the number of
 * tables and the VMAs were the same before and after.
 */
#define _GNU_SOURCE
#include "tool/kernel.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "tool/tool.h"

/* A process that still moves after so many looks is said to have changed. */
#define LOOKS 8u

/* Equal looks in a row that are believed: of a process at rest, and of one that runs. */
#define REST_STREAK 2u
#define BUSY_STREAK 5u

int kernel_probe(struct kernel_means *means)
{
	struct utsname name;

	*means = (struct kernel_means){0};
	if (uname(&name) || strcmp(name.sysname, "Linux") || strcmp(name.machine, "x86_64") ||
	    sysconf(_SC_PAGESIZE) != (long)KERNEL_PAGE)
		return -1;
	kernel_probe_scan(means);
	return 0;
}

const char *kernel_state_text(enum snap_state state)
{
	switch (state) {
	case SNAP_OK:
		return "read";
	case SNAP_NO_MEMORY:
		return "no address space";
	case SNAP_GONE:
		return "gone";
	case SNAP_DENIED:
		return "not permitted";
	case SNAP_CHANGED:
		return "changed meanwhile";
	case SNAP_NO_PAGEMAP:
		return "this kernel shows no pagemap";
	}
	return "unknown";
}

/* The name is any bytes that the program likes; what goes to terminals and JSON is plain. */
static void take_name(struct snap_process *process, const char *name)
{
	size_t at = 0;

	for (; name[at] && name[at] != '\n' && at + 1 < sizeof(process->name); at++) {
		unsigned char c = (unsigned char)name[at];

		process->name[at] = c >= ' ' && c < 127 ? (char)c : '?';
	}
	process->name[at] = 0;
}

/* VmPTE in bytes, and the name. */
static enum snap_state read_status(struct snap_process *process, uint64_t *vmpte)
{
	char text[KERNEL_TEXT];
	enum snap_state state = kernel_read_text(process->pid, "status", text);

	if (state != SNAP_OK)
		return state;
	if (!strncmp(text, "Name:\t", 6))
		take_name(process, text + 6);
	return kernel_vmpte_of(text, vmpte) ? SNAP_OK : SNAP_NO_MEMORY;
}

/* Page faults of all its threads so far, minor and major; 0 when they cannot be read. */
static uint64_t read_faults(pid_t pid)
{
	char text[KERNEL_TEXT];
	uint64_t minor = 0;
	uint64_t major = 0;
	const char *fields;

	if (kernel_read_text(pid, "stat", text) != SNAP_OK)
		return 0;
	/* The name before it may hold anything, but no later field holds a bracket. */
	fields = strrchr(text, ')');
	if (fields)
		sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64, &minor,
		    &major);
	return minor + major;
}

/* Whether a thread sleeps where it cannot be in the middle of changing its tables. */
static bool thread_rests(const char *thread)
{
	char state = kernel_thread_state((pid_t)strtol(thread, NULL, 10));

	return state != 'R' && state != 'D';
}

/* Whether all threads of a process do. */
static bool process_rests(pid_t pid)
{
	struct dirent *entry;
	bool rests = true;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	tasks = opendir(path);
	if (!tasks)
		return false;
	while (rests && (entry = readdir(tasks))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			rests = thread_rests(entry->d_name);
	}
	closedir(tasks);
	return rests;
}

/* One look; *steady says whether nothing moved meanwhile. */
static enum snap_state look_once(struct snap_process *process, const struct kernel_means *means,
    bool *steady)
{
	enum snap_state state = read_status(process, &process->vmpte_before);

	*steady = false;
	process->faults_before = read_faults(process->pid);
	if (state == SNAP_OK)
		state = kernel_read_vmas(process);
	if (state == SNAP_OK)
		state = kernel_read_pages(process, means);
	if (state == SNAP_OK)
		state = read_status(process, &process->vmpte_after);
	if (state != SNAP_OK)
		return state;
	process->faults_after = read_faults(process->pid);
	*steady = process->vmpte_before == process->vmpte_after && kernel_same_vmas(process);
	kernel_account(process, means);
	return SNAP_OK;
}

static void rest(unsigned looks)
{
	struct timespec t = {.tv_nsec = 5000000l << (looks < 4 ? looks : 4)};

	nanosleep(&t, NULL);
}

/* Whether two looks saw the same numbers. */
static bool same_account(const struct snap_account *a, const struct snap_account *b)
{
	return a->kernel == b->kernel && a->ours_total == b->ours_total &&
	       a->kept_seen == b->kept_seen && a->unexplained == b->unexplained;
}

/* Each table of the kernel's was seen. */
static bool all_seen(const struct snap_account *account)
{
	return !account->unexplained && !account->kept_unseen && !account->device;
}

/* Looks in a row that said the same, without a page fault in between. */
struct streak {
	struct snap_account account;
	uint64_t faults;
	unsigned looks;
};

static void count_streak(struct streak *streak, const struct snap_process *process, bool steady)
{
	if (!steady || process->faults_before != process->faults_after) {
		streak->looks = 0;
		return;
	}
	if (!streak->looks || streak->faults != process->faults_after ||
	    !same_account(&streak->account, &process->account))
		streak->looks = 0;
	streak->account = process->account;
	streak->faults = process->faults_after;
	streak->looks++;
}

/*
 * Whether this look is the last. Tables may go and others come between two equal counts; and a
 * process that lost its CPU in the middle of a munmap has tables without a VMA for a while. So
 * what was not seen is believed only of a process at rest, twice in a row, or of a running one
 * when it stays so for over 150 ms.
 */
static bool believed(const struct snap_process *process, const struct streak *streak)
{
	if (all_seen(&process->account))
		return true;
	if (streak->looks >= BUSY_STREAK)
		return true;
	return streak->looks >= REST_STREAK && process_rests(process->pid);
}

enum snap_state kernel_look(struct snap_process *process, pid_t pid,
    const struct kernel_means *means)
{
	struct streak streak = {.looks = 0};

	process->pid = pid;
	process->name[0] = 0;
	for (process->looks = 1; process->looks <= LOOKS; process->looks++) {
		bool steady;

		process->state = look_once(process, means, &steady);
		if (process->state != SNAP_OK)
			return process->state;
		count_streak(&streak, process, steady);
		if (steady && believed(process, &streak))
			return SNAP_OK;
		rest(process->looks);
	}
	process->state = SNAP_CHANGED;
	return process->state;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a;
	pid_t y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

pid_t *kernel_processes(size_t *count)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	pid_t *pids = NULL;
	size_t room = 0;

	*count = 0;
	if (!directory)
		return NULL;
	while ((entry = readdir(directory))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		pids = tool_grow(pids, &room, *count + 1, sizeof(*pids));
		pids[(*count)++] = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	closedir(directory);
	if (pids)
		qsort(pids, *count, sizeof(*pids), compare_pids);
	return pids;
}

uint64_t kernel_memory_total(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kib = 0;

	if (!file)
		return 0;
	if (fscanf(file, "MemTotal: %" SCNu64, &kib) != 1)
		kib = 0;
	fclose(file);
	return kib << 10;
}

void snap_free(struct snap_process *process)
{
	free(process->vmas);
	free(process->runs);
	free(process->frames);
	ranges_free(&process->tables);
	*process = (struct snap_process){0};
}
