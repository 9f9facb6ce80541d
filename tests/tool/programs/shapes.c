/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * shapes NAME: lays out its address space in one of the ways that are easy to count wrongly, says
 * "ready" and waits to be killed; "absent" and exit status 0 where this machine has no such thing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE (UINT64_C(1) << 12)
#define MIB  (UINT64_C(1) << 20)
#define PMD  (2 * MIB)
#define PUD  (1024 * MIB)
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define GUARD_INSTALL 102 /* MADV_GUARD_INSTALL: newer than the headers */

/* size bytes of VMAs of their own, aligned to a GiB, with holes around. */
static char *space(uint64_t size)
{
	char *at = mmap(NULL, size + 2 * PUD, PROT_NONE, ANON, -1, 0);
	char *aligned = (char *)(((uintptr_t)at + PUD - 1) & ~(PUD - 1));

	if (at == MAP_FAILED || munmap(at, size + 2 * PUD))
		exit(1);
	return aligned;
}

static char *map_at(char *at, uint64_t size, int flags, int file)
{
	if (mmap(at, size, RW, flags | MAP_FIXED, file, 0) == MAP_FAILED)
		exit(1);
	return at;
}

/* Huge pages: whole, split by a partial zap, the zero page, at a new place. */
static int huge(void)
{
	char *at = map_at(space(64 * MIB), 64 * MIB, ANON, -1);

	madvise(at, 64 * MIB, MADV_HUGEPAGE);
	memset(at, 1, 20 * MIB);
	madvise(at, 4 * MIB, MADV_DONTNEED);
	madvise(at + 5 * MIB, MIB, MADV_DONTNEED);
	for (unsigned i = 20; i < 40; i += 2)
		(void)((volatile char *)at)[i * MIB];
	mprotect(at + 22 * MIB, PAGE, PROT_READ);
	return mremap(at + 8 * MIB, 4 * MIB, 4 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED,
		   space(16 * MIB) + 4 * MIB) != MAP_FAILED;
}

/* Huge pages of shared memory keep no table. */
static int shared_huge(void)
{
	int file = memfd_create("shapes", MFD_CLOEXEC);
	char *at = map_at(space(32 * MIB), 32 * MIB, MAP_SHARED, file);

	if (ftruncate(file, 32 * MIB))
		exit(1);
	memset(at, 1, 16 * MIB);
	return !madvise(at, 8 * MIB, MADV_COLLAPSE);
}

static int hugetlb(void)
{
	char *at = mmap(NULL, 8 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	char *shared = mmap(NULL, 4 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (at == MAP_FAILED || shared == MAP_FAILED)
		return 0;
	at[0] = at[4 * MIB] = shared[2 * MIB] = 1;
	return 1;
}

/* Entries that are no pages. */
static int guard(void)
{
	char *at = map_at(space(PUD * 3), PUD * 3, ANON, -1);

	at[5 * PMD] = 1;
	return !madvise(at + 2 * PMD, 5 * PMD, GUARD_INSTALL) &&
	       !madvise(at + PUD + PMD, PAGE, GUARD_INSTALL);
}

static int uffd(void)
{
	struct uffdio_api api = {.api = UFFD_API, .features = 1u << 13 /* WP_UNPOPULATED */};
	char *at = map_at(space(64 * MIB), 64 * MIB, ANON, -1);
	struct uffdio_register area = {.range = {(uintptr_t)at, 64 * MIB},
		.mode = UFFDIO_REGISTER_MODE_WP};
	struct uffdio_writeprotect protect = {.range = {(uintptr_t)at + 30 * MIB, 9 * MIB},
		.mode = UFFDIO_WRITEPROTECT_MODE_WP};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &area))
		return 0;
	at[3 * MIB] = 1;
	return !ioctl(fd, UFFDIO_WRITEPROTECT, &protect);
}

/* A device mapping, alone in its GiB, that pagemap does not show. */
static int perf(void)
{
	struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(event),
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1};
	int fd = (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd >= 0 && mmap(space(PUD) + 100 * MIB, 9 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd,
			      0) != MAP_FAILED;
}

/* Sparse pages over a large range, moved with their tables, a part of them unmapped. */
static int sparse(void)
{
	char *from = map_at(space(PUD * 4), PUD * 4, ANON, -1);
	char *to = space(PUD * 4);

	for (uint64_t i = 0; i < 4096; i += 7)
		from[i * MIB] = 1;
	if (mremap(from + PUD, PUD * 2, PUD * 2, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
		return 0;
	return !munmap(to + 300 * MIB, 100 * MIB);
}

/* A file with a hole punched and its end cut off: tables stay without entries. */
static int punched(void)
{
	int file = memfd_create("shapes", MFD_CLOEXEC);
	char *at = map_at(space(32 * MIB), 32 * MIB, MAP_SHARED, file);

	if (ftruncate(file, 32 * MIB))
		exit(1);
	memset(at, 1, 32 * MIB);
	return !fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * MIB, 8 * MIB) &&
	       !ftruncate(file, 22 * MIB);
}

/*
 * A mapping that is somewhere else all the time: never the same twice. So many VMAs beside it that
 * one look at them takes longer than others can have the CPU.
 */
static int restless(void)
{
	const uint64_t step = 2 * PMD;
	const uint64_t steps = UINT64_C(1) << 16;
	char *at = space(step * steps);
	char *many = map_at(space(12 * MIB), 12 * MIB, ANON, -1);

	for (uint64_t i = 0; i < 12 * MIB; i += 2 * PAGE)
		mprotect(many + i, PAGE, PROT_READ);
	puts("ready");
	fflush(stdout);
	for (uint64_t i = 0;; i = (i + 1) % steps) {
		map_at(at + (i + 1) % steps * step, PMD, ANON, -1)[0] = 1;
		munmap(at + i * step, PMD);
	}
}

static const struct shape {
	const char *name;
	int (*make)(void);
} shapes[] = {
	{"huge", huge},
	{"shared-huge", shared_huge},
	{"hugetlb", hugetlb},
	{"guard", guard},
	{"uffd", uffd},
	{"perf", perf},
	{"sparse", sparse},
	{"punched", punched},
	{"restless", restless},
};

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; argc == 2 && i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		int made;

		if (strcmp(argv[1], shapes[i].name))
			continue;
		made = shapes[i].make();
		puts(made ? "ready" : "absent");
		fflush(stdout);
		if (made) {
			for (;;)
				pause();
		}
		return 0;
	}
	return 2;
}
