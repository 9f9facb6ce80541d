/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The VMAs of a process, from /proc/PID/smaps and maps. */
#define _GNU_SOURCE
#include "tool/kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

static FILE *open_proc(pid_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, file);
	return fopen(path, "re");
}

enum snap_state kernel_errno_state(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return SNAP_DENIED;
	case ENOENT:
	case ESRCH:
		return SNAP_GONE;
	default:
		return SNAP_NO_PAGEMAP;
	}
}

/* A number, and the character that must follow it. */
static bool take_number(const char **at, int base, char after, uint64_t *number)
{
	char *end;

	*number = strtoull(*at, &end, base);
	if (end == *at || *end != after)
		return false;
	*at = end + 1;
	return true;
}

bool kernel_parse_maps_line(const char *line, struct kernel_maps_line *out)
{
	const char *at = line;
	uint64_t offset;

	if (!take_number(&at, 16, '-', &out->start) || !take_number(&at, 16, ' ', &out->end))
		return false;
	out->rights = at;
	at = strchr(at, ' ');
	if (!at)
		return false;
	at++;
	if (!take_number(&at, 16, ' ', &offset) || !take_number(&at, 16, ':', &out->major) ||
	    !take_number(&at, 16, ' ', &out->minor))
		return false;
	out->inode = strtoull(at, NULL, 10);
	out->name = at + strspn(at, "0123456789");
	out->name += strspn(out->name, " ");
	return true;
}

bool kernel_filled_at_mmap(const char *name)
{
	static const char *const known[] = {"anon_inode:[perf_event]", "/dev/mem", "/dev/uio",
		"/sys/devices/pci"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strncmp(name, known[i], strlen(known[i])))
			return true;
	}
	return false;
}

static uint32_t flags_of(const struct kernel_maps_line *line)
{
	uint32_t flags = 0;

	if (line->rights[0] == 'r')
		flags |= SNAP_VMA_READ;
	if (line->rights[1] == 'w')
		flags |= SNAP_VMA_WRITE;
	if (line->rights[2] == 'x')
		flags |= SNAP_VMA_EXEC;
	if (!line->inode && !line->major && !line->minor)
		flags |= SNAP_VMA_ANON;
	/* Means something only once VmFlags say that it is a device mapping. */
	if (kernel_filled_at_mmap(line->name))
		flags |= SNAP_VMA_FILLED;
	return flags;
}

static void parse_vm_flags(struct snap_vma *vma, const char *words)
{
	char word[3];
	int used;

	while (sscanf(words, " %2s%n", word, &used) == 1) {
		if (!strcmp(word, "pf"))
			vma->flags |= SNAP_VMA_DEVICE;
		if (!strcmp(word, "ht"))
			vma->flags |= SNAP_VMA_HUGETLB | SNAP_VMA_BLIND;
		/* Where userfaultfd write-protects, holes count as written. */
		if (!strcmp(word, "uw"))
			vma->flags |= SNAP_VMA_BLIND;
		words += used;
	}
}

static uint32_t leaf_level(uint64_t page_bytes)
{
	uint32_t level = 0;

	while (level + 1 < KERNEL_LEVELS && page_bytes >> kernel_leaf_shift(level + 1))
		level++;
	return level;
}

/* One "Field:  number kB" line of smaps. */
static void parse_field(struct snap_process *process, struct snap_vma *vma, const char *line)
{
	struct {
		const char *field;
		uint64_t *sum;
	} sums[] = {
		{"Rss:", &process->resident},
		{"Private_Hugetlb:", &process->resident},
		{"Shared_Hugetlb:", &process->resident},
		{"Anonymous:", &vma->anonymous},
		{"AnonHugePages:", &vma->huge_anon},
		{"ShmemPmdMapped:", &vma->huge_file},
		{"FilePmdMapped:", &vma->huge_file},
	};
	char field[32];
	uint64_t kib;

	if (!strncmp(line, "VmFlags:", 8))
		parse_vm_flags(vma, line + 8);
	if (sscanf(line, "%31s %" SCNu64, field, &kib) != 2)
		return;
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		if (!strcmp(field, sums[i].field))
			*sums[i].sum += kib << 10;
	}
	if (!strcmp(field, "KernelPageSize:"))
		vma->leaf_level = leaf_level(kib << 10);
}

enum snap_state kernel_read_vmas(struct snap_process *process)
{
	FILE *file = open_proc(process->pid, "smaps");
	struct snap_vma *vma = NULL;
	struct kernel_maps_line line;
	char *text = NULL;
	size_t room = 0;
	int failed;

	process->vma_count = 0;
	process->resident = 0;
	if (!file)
		return kernel_errno_state(errno);
	while (getline(&text, &room, file) > 0) {
		if (!kernel_parse_maps_line(text, &line)) {
			if (vma)
				parse_field(process, vma, text);
			continue;
		}
		vma = NULL;
		if (line.start >= KERNEL_USER_END)
			continue;
		process->vmas = tool_grow(process->vmas, &process->vma_room, process->vma_count + 1,
		    sizeof(*process->vmas));
		vma = &process->vmas[process->vma_count++];
		*vma = (struct snap_vma){.start = line.start,
			.end = line.end,
			.flags = flags_of(&line)};
	}
	failed = ferror(file) ? errno : 0;
	free(text);
	fclose(file);
	if (failed)
		return kernel_errno_state(failed);
	return process->vma_count ? SNAP_OK : SNAP_GONE;
}

bool kernel_same_vmas(const struct snap_process *process)
{
	FILE *file = open_proc(process->pid, "maps");
	struct kernel_maps_line line;
	char *text = NULL;
	size_t room = 0;
	size_t i = 0;
	bool same = true;

	if (!file)
		return false;
	while (same && getline(&text, &room, file) > 0) {
		if (!kernel_parse_maps_line(text, &line) || line.start >= KERNEL_USER_END)
			continue;
		same = i < process->vma_count && process->vmas[i].start == line.start &&
		       process->vmas[i].end == line.end &&
		       !((process->vmas[i].flags ^ flags_of(&line)) &
			   (SNAP_VMA_READ | SNAP_VMA_WRITE | SNAP_VMA_EXEC | SNAP_VMA_ANON));
		i++;
	}
	free(text);
	fclose(file);
	return same && i == process->vma_count;
}
