/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What this machine is, found out before a recording. */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define REGION ((size_t)1 << 21)

/* Above what four levels translate for a program. */
#define ABOVE_47_BITS ((void *)(uintptr_t)(UINT64_C(1) << 50))

/*
 * The kernel maps above 47 bits only where it is asked to, and only with five levels: the flag of
 * the CPU alone would not tell whether the kernel uses them.
 */
static uint32_t probe_levels(void)
{
	void *at = mmap(ABOVE_47_BITS, KERNEL_PAGE, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint32_t levels = (uintptr_t)at >> 47 ? 5 : 4;

	if (at == MAP_FAILED)
		return 4;
	munmap(at, KERNEL_PAGE);
	return levels;
}

static uint64_t own_vmpte(void)
{
	char status[KERNEL_TEXT];
	uint64_t vmpte = 0;

	if (kernel_read_text(getpid(), "status", status) == SNAP_OK)
		kernel_vmpte_of(status, &vmpte);
	return vmpte;
}

/* Whether DONTNEED over a whole PTE table gives it back (Linux 6.14 with PT_RECLAIM). */
static bool probe_reclaim(void)
{
	char *map = mmap(NULL, 4 * REGION, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t before;
	uint64_t after;
	char *table;

	if (map == MAP_FAILED)
		return false;
	table = (char *)(((uintptr_t)map + 2 * REGION) & ~(uintptr_t)(REGION - 1));
	madvise(map, 4 * REGION, MADV_NOHUGEPAGE);
	*(volatile char *)table = 1;
	before = own_vmpte();
	madvise(table, REGION, MADV_DONTNEED);
	after = own_vmpte();
	munmap(map, 4 * REGION);
	return after < before;
}

/* The word in brackets. */
static void read_mode(const char *file, char mode[32])
{
	char path[96];
	FILE *stream;

	snprintf(path, sizeof(path), "/sys/kernel/mm/transparent_hugepage/%s", file);
	stream = fopen(path, "re");
	if (!stream || fscanf(stream, "%*[^[][%31[a-z_]", mode) != 1)
		snprintf(mode, 32, "unknown");
	if (stream)
		fclose(stream);
}

static void add_hugetlb(struct recorder *rec, uint64_t device_major, uint64_t device_minor)
{
	if (rec->hugetlb_count < sizeof(rec->hugetlb) / sizeof(rec->hugetlb[0]))
		rec->hugetlb[rec->hugetlb_count++] = device_major << 32 | device_minor;
}

/* The kernel's own hugetlbfs, one for each size, holds what is mapped without a file's name. */
static void probe_hugetlb(struct recorder *rec)
{
	static const unsigned shifts[] = {21, 30};

	for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
		int fd = memfd_create("ptdesc", MFD_CLOEXEC | MFD_HUGETLB | shifts[i] << 26);
		struct stat info;

		if (fd < 0)
			continue;
		if (!fstat(fd, &info))
			add_hugetlb(rec, major(info.st_dev), minor(info.st_dev));
		close(fd);
	}
}

/* Those that are mounted. */
static void read_mounts(struct recorder *rec)
{
	FILE *stream = fopen("/proc/self/mountinfo", "re");
	unsigned device_major;
	unsigned device_minor;
	char *line = NULL;
	size_t room = 0;

	while (stream && getline(&line, &room, stream) > 0) {
		if (strstr(line, " - hugetlbfs ") &&
		    sscanf(line, "%*d %*d %u:%u", &device_major, &device_minor) == 2)
			add_hugetlb(rec, device_major, device_minor);
	}
	free(line);
	if (stream)
		fclose(stream);
}

static void fill_header(struct recorder *rec)
{
	struct trace_header *header = &rec->header;
	struct utsname name;
	char enabled[32];
	char shmem[32];

	uname(&name);
	snprintf(header->kernel, sizeof(header->kernel), "%.60s %.60s", name.release, name.version);
	read_mode("enabled", enabled);
	read_mode("shmem_enabled", shmem);
	snprintf(header->thp, sizeof(header->thp), "%.30s, shmem %.20s", enabled, shmem);
	header->page_shift = KERNEL_PAGE_SHIFT;
	header->levels = probe_levels();
	header->reclaim = probe_reclaim();
	header->scan = rec->means.scan;
	header->start = (uint64_t)time(NULL);
}

int host_probe(struct recorder *rec)
{
	int fd;

	if (kernel_probe(&rec->means)) {
		tool_error(
		    "record compares with the kernel's own tables: it needs Linux on x86-64");
		return TOOL_UNSUPPORTED;
	}
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		tool_error("pagemap is refused (%s): /proc must be mounted, and the kernel needs "
			   "CONFIG_PROC_PAGE_MONITOR",
		    strerror(errno));
		return TOOL_UNSUPPORTED;
	}
	close(fd);
	if (!rec->means.scan)
		tool_error("PAGEMAP_SCAN is refused (Linux 6.7 has it); going on with plain "
			   "pagemap: slow, and guard pages and zero pages are not told apart");
	probe_hugetlb(rec);
	read_mounts(rec);
	fill_header(rec);
	return TOOL_OK;
}
