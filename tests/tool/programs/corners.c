/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * corners WHAT: does to an address space what few programs do, so that each rule of
 * docs/replay-rules.md is needed for it. What this kernel cannot do is left out, and said so.
 * A look() is a memory call that changes nothing: a recorder that checks after each call looks
 * there.
 */
#define _GNU_SOURCE
#include <errno.h>
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
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB  ((size_t)1 << 20)
#define GIB  ((size_t)1 << 30)
#define PAGE ((size_t)4096)
#define LEAF (2 * MIB) /* what a PTE table translates */

/* Newer than the headers of Debian 12. */
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

static volatile char sum;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void look(void)
{
	(void)madvise(NULL, 0, MADV_NORMAL);
}

static void left_out(const char *what)
{
	fprintf(stderr, "left out: %s: %s\n", what, strerror(errno));
}

static char *map(char *at, size_t size, int rights, int flags, int file)
{
	char *got = mmap(at, size, rights, flags | (at ? MAP_FIXED : 0), file, 0);

	if (got == MAP_FAILED)
		fail("mmap");
	return got;
}

#define OURS   (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define WRITES (PROT_READ | PROT_WRITE)

static char *align(char *at, size_t size)
{
	return (char *)(((uintptr_t)at + size - 1) & ~(uintptr_t)(size - 1));
}

/* Private memory whose start is aligned, and addresses beyond that stay free. */
static char *room(size_t size, size_t alignment)
{
	char *at = align(map(NULL, size + 2 * alignment, PROT_NONE, OURS, -1), alignment);

	return map(at, size, WRITES, OURS, -1);
}

static void advise(char *at, size_t size, int advice, const char *what)
{
	if (madvise(at, size, advice))
		left_out(what);
}

/* One page of each step is written, or read. */
static void write_some(char *at, size_t size, size_t step)
{
	for (size_t i = 0; i < size; i += step)
		at[i] = 1;
}

static void read_some(const char *at, size_t size, size_t step)
{
	for (size_t i = 0; i < size; i += step)
		sum += at[i];
}

/* A child looks, does something, and looks again. */
static void in_child(void (*does)(char *), char *at)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		fail("fork");
	if (!child) {
		look();
		if (does)
			does(at);
		look();
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child)
		fail("waitpid");
}

/* --- large pages: rules 4, 5 -------------------------------------------------------------------
 */

static void write_two(char *at)
{
	at[0] = 2;
	at[3 * LEAF] = 2;
	(void)munmap(at + LEAF, PAGE);
}

static void anonymous_huge(void)
{
	char *at = room(20 * MIB, LEAF);

	advise(at, 20 * MIB, MADV_HUGEPAGE, "large pages");
	write_some(at, 12 * MIB, MIB);
	read_some(at + 12 * MIB, 8 * MIB, LEAF); /* the large zero page */
	look();
	in_child(write_two, at);
	(void)madvise(at, LEAF, MADV_DONTNEED);
	(void)madvise(at + LEAF + PAGE, MIB, MADV_DONTNEED);
	(void)mprotect(at + 2 * LEAF, PAGE, PROT_READ);
	(void)munmap(at + 3 * LEAF, MIB);
	look();
	(void)madvise(at + 4 * LEAF, LEAF, MADV_FREE);
	(void)madvise(at + 7 * LEAF, LEAF, MADV_DONTNEED);
	write_some(at + 6 * LEAF, LEAF, MIB); /* over the zero page */
	look();
	(void)munmap(at, 20 * MIB);
}

static void shared_huge(void)
{
	int file = memfd_create("corners", 0);
	char *at = align(map(NULL, 16 * MIB + LEAF, PROT_NONE, OURS, -1), LEAF);

	if (file < 0 || ftruncate(file, 16 * MIB))
		fail("memfd_create");
	at = map(at, 16 * MIB, WRITES, MAP_SHARED, file);
	write_some(at, 16 * MIB, PAGE);
	look();
	advise(at, 16 * MIB, MADV_COLLAPSE, "collapsing shared memory");
	look();
	in_child(write_two, at);
	(void)madvise(at + LEAF, PAGE, MADV_DONTNEED);
	(void)munmap(at + 4 * LEAF, MIB);
	look();
	(void)munmap(at, 16 * MIB);
	close(file);
}

static void collapsed(void)
{
	char *at = room(8 * MIB, LEAF);

	advise(at, 8 * MIB, MADV_NOHUGEPAGE, "no large pages");
	write_some(at, 8 * MIB, PAGE);
	advise(at, 8 * MIB, MADV_HUGEPAGE, "large pages");
	advise(at, 8 * MIB, MADV_COLLAPSE, "collapsing");
	look();
	(void)madvise(at + MIB, MIB, MADV_DONTNEED);
	(void)madvise(at, MIB, MADV_DONTNEED);
	look();
	(void)munmap(at, 8 * MIB);
}

static void hugetlb(void)
{
	char *at = mmap(NULL, 8 * MIB, WRITES, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (at == MAP_FAILED) {
		left_out("hugetlb");
		return;
	}
	write_some(at, 8 * MIB, LEAF);
	in_child(write_two, at);
	(void)madvise(at, LEAF, MADV_DONTNEED);
	(void)munmap(at, 8 * MIB);
}

static void huge(void)
{
	anonymous_huge();
	shared_huge();
	collapsed();
	hugetlb();
}

/* --- mremap: rule 7 -----------------------------------------------------------------------------
 */

static char *move(char *at, size_t old, size_t size, char *to)
{
	at = mremap(at, old, size, MREMAP_MAYMOVE | (to ? MREMAP_FIXED : 0), to);
	if (at == MAP_FAILED)
		fail("mremap");
	look();
	return at;
}

static void move_sparse(void)
{
	char *at = room(3 * GIB, GIB);
	char *to = align(map(NULL, 9 * GIB, PROT_NONE, OURS, -1), GIB);

	for (size_t i = 0; i < 3 * GIB; i += 7 * MIB)
		at[i] = 1;
	at = move(at, 3 * GIB, 3 * GIB, to);                                 /* whole PMD tables */
	at = move(at, GIB + 4 * MIB, GIB + 4 * MIB, to + 4 * GIB + 2 * MIB); /* whole PTE tables */
	at = move(at, GIB, GIB, to + 6 * GIB + PAGE);                        /* entries */
	in_child(NULL, at);
	(void)munmap(to, 8 * GIB);
}

/* Tables that are empty move as well, and targets get tables for nothing. */
static void move_empty(void)
{
	char *at = room(16 * MIB, LEAF);
	char *to = align(map(NULL, 64 * MIB, PROT_NONE, OURS, -1), LEAF);

	write_some(at, 16 * MIB, MIB);
	(void)madvise(at, 16 * MIB - PAGE, MADV_DONTNEED);
	(void)madvise(at + LEAF, MIB, MADV_DONTNEED);
	write_some(at + 4 * LEAF, 2 * LEAF, MIB);
	(void)madvise(at + 4 * LEAF, LEAF + MIB, MADV_DONTNEED);
	(void)madvise(at + 5 * LEAF, MIB, MADV_FREE);
	for (size_t i = 4 * LEAF; i < 6 * LEAF; i += PAGE)
		(void)madvise(at + i, PAGE, MADV_DONTNEED); /* page by page: tables stay */
	look();
	at = move(at, 16 * MIB, 16 * MIB, to + PAGE);
	at = move(at, 16 * MIB, 16 * MIB, to + 32 * MIB);
	(void)munmap(at, 16 * MIB);
}

/* Both ends lie alike in a table, with nothing before them: they are taken down to its start. */
static void move_aligned_down(void)
{
	char *at = align(map(NULL, 32 * MIB, PROT_NONE, OURS, -1), LEAF);
	char *to = align(map(NULL, 32 * MIB, PROT_NONE, OURS, -1), LEAF);

	(void)munmap(at, 16 * MIB);
	(void)munmap(to, 16 * MIB);
	at = map(at + MIB, 5 * MIB, WRITES, OURS, -1);
	write_some(at, 5 * MIB, MIB);
	at = move(at, 5 * MIB, 5 * MIB, to + MIB);
	(void)munmap(at, 5 * MIB);
}

static void move_and_keep(void)
{
	char *at = room(8 * MIB, LEAF);
	char *to;

	write_some(at, 8 * MIB, MIB);
	to = mremap(at, 8 * MIB, 8 * MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	if (to == MAP_FAILED) {
		left_out("DONTUNMAP");
		return;
	}
	look();
	at[LEAF] = 1;
	to = move(to, 8 * MIB, MIB, NULL); /* shrinks */
	to = move(to, MIB, 64 * MIB, NULL);
	(void)munmap(to, 64 * MIB);
	(void)munmap(at, 8 * MIB);
}

static void move_huge(void)
{
	char *at = room(16 * MIB, LEAF);
	char *to = align(map(NULL, 64 * MIB, PROT_NONE, OURS, -1), LEAF);

	advise(at, 16 * MIB, MADV_HUGEPAGE, "large pages");
	write_some(at, 16 * MIB, MIB);
	at = move(at, 4 * LEAF, 4 * LEAF, to);
	at = move(at, 3 * LEAF, 3 * LEAF, to + 16 * MIB + MIB);
	(void)munmap(to, 64 * MIB - LEAF);
}

static void moves(void)
{
	move_sparse();
	move_empty();
	move_aligned_down();
	move_and_keep();
	move_huge();
}

/* --- zapping and what is left: rules 6, 10, 11, 12 ----------------------------------------------
 */

static void zaps(void)
{
	char *at = room(32 * MIB, LEAF);

	write_some(at, 32 * MIB, MIB);
	(void)madvise(at, LEAF - PAGE, MADV_DONTNEED); /* not whole */
	(void)madvise(at + LEAF, 2 * LEAF, MADV_DONTNEED);
	(void)madvise(at + 4 * LEAF, 2 * LEAF, MADV_FREE);
	(void)madvise(at + 6 * LEAF, LEAF, MADV_PAGEOUT);
	(void)mprotect(at + 8 * LEAF + MIB, PAGE, PROT_READ); /* two VMAs in one region */
	(void)madvise(at + 8 * LEAF, LEAF, MADV_DONTNEED);
	(void)mprotect(at + 8 * LEAF + MIB, PAGE, WRITES);
	(void)madvise(at + 8 * LEAF, LEAF, MADV_DONTNEED);
	look();
	(void)mlock(at + 10 * LEAF, LEAF);
	advise(at + 10 * LEAF, LEAF, MADV_DONTNEED_LOCKED, "DONTNEED_LOCKED");
	(void)munlock(at + 10 * LEAF, LEAF);
	(void)munmap(at + 12 * LEAF + MIB, LEAF); /* holds on to two tables */
	(void)map(at + 14 * LEAF, LEAF, WRITES, OURS, -1);
	look();
	(void)munmap(at, 32 * MIB);
}

static void guards(void)
{
	char *at = room(16 * MIB, LEAF);

	if (madvise(at + LEAF, 3 * MIB, MADV_GUARD_INSTALL)) {
		left_out("guard pages");
		return;
	}
	look();
	in_child(NULL, at);
	write_some(at, LEAF, MIB);
	(void)madvise(at, 16 * MIB, MADV_DONTNEED);
	(void)madvise(at + LEAF, LEAF, MADV_GUARD_REMOVE);
	(void)madvise(at, 16 * MIB, MADV_DONTNEED);
	(void)munmap(at, 16 * MIB);
}

static void zap(void)
{
	zaps();
	guards();
}

/* --- fork: rules 8, 9, 13 ------------------------------------------------------------------------
 */

static void written_once(void)
{
	char *at = room(16 * MIB, LEAF);
	char *read = room(16 * MIB, LEAF);

	at[0] = 1;
	(void)madvise(at, PAGE, MADV_DONTNEED); /* it was written all the same */
	read_some(at + LEAF, 4 * LEAF, LEAF);
	read_some(read, 16 * MIB, LEAF); /* never */
	in_child(NULL, at);
	(void)mprotect(at + 3 * LEAF, LEAF, PROT_READ); /* splits keep it, merges spread it */
	in_child(NULL, at);
	(void)mprotect(at + 3 * LEAF, LEAF, WRITES);
	in_child(NULL, at);
	(void)munmap(at, 16 * MIB);
	(void)munmap(read, 16 * MIB);
}

static void merged(void)
{
	char *at = align(map(NULL, 64 * MIB, PROT_NONE, OURS, -1), LEAF);

	(void)mprotect(at, 2 * LEAF, WRITES);
	at[0] = 1;
	(void)mprotect(at + 4 * LEAF, 2 * LEAF, WRITES);
	read_some(at + 4 * LEAF, LEAF, LEAF);
	in_child(NULL, at);
	(void)mprotect(at + 2 * LEAF, 2 * LEAF, WRITES);
	in_child(NULL, at);
	(void)munmap(at, 12 * LEAF);
}

static void left_by_fork(char *at)
{
	(void)at;
	in_child(NULL, NULL);
}

static void not_copied(void)
{
	char *at = room(16 * MIB, LEAF);

	write_some(at, 16 * MIB, MIB);
	(void)madvise(at + LEAF, LEAF, MADV_DONTFORK);
	advise(at + 3 * LEAF, LEAF, MADV_WIPEONFORK, "WIPEONFORK");
	in_child(left_by_fork, at);
	(void)madvise(at + LEAF, LEAF, MADV_DOFORK);
	in_child(NULL, at);
	(void)munmap(at, 16 * MIB);
}

/* A ring of perf's, with nothing else near: its table is there at once. */
static void ring(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1};
	char *at = align(map(NULL, 3 * GIB, PROT_NONE, OURS, -1), GIB);
	int event = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	if (event < 0) {
		left_out("perf");
		return;
	}
	if (mmap(at + 512 * MIB, 17 * PAGE, WRITES, MAP_SHARED | MAP_FIXED, event, 0) == MAP_FAILED)
		left_out("a ring of perf's");
	look();
	in_child(NULL, at);
	close(event);
	(void)munmap(at, 2 * GIB);
}

static void forks(void)
{
	written_once();
	merged();
	not_copied();
	ring();
}

/* --- files: rules 3, 11 --------------------------------------------------------------------------
 */

static void beyond_end(char *at)
{
	signal(SIGBUS, SIG_DFL);
	sum += align(at, GIB)[512 * MIB];
}

static void truncated(void)
{
	int file = memfd_create("corners", 0);
	char *at;
	char *mine;
	char *far;

	if (file < 0 || ftruncate(file, 16 * MIB))
		fail("memfd_create");
	at = map(NULL, 16 * MIB, WRITES, MAP_SHARED, file);
	mine = map(NULL, 16 * MIB, WRITES, MAP_PRIVATE, file);
	write_some(at, 16 * MIB, MIB);
	read_some(mine, 16 * MIB, MIB);
	mine[5 * MIB] = 1;
	look();
	(void)madvise(at + 4 * MIB, 4 * MIB, MADV_REMOVE);
	if (ftruncate(file, 10 * MIB))
		fail("ftruncate");
	look();
	in_child(NULL, at);
	far = map(NULL, 4 * GIB, WRITES, MAP_SHARED, file);
	in_child(beyond_end, far);
	(void)munmap(far, 4 * GIB);
	(void)munmap(mine, 16 * MIB);
	(void)munmap(at, 16 * MIB);
	close(file);
}

static void segments(void)
{
	int id = shmget(IPC_PRIVATE, 8 * MIB, IPC_CREAT | 0600);
	char *at = id < 0 ? (char *)-1 : shmat(id, NULL, 0);

	if (at == (char *)-1) {
		left_out("System V shared memory");
		return;
	}
	(void)shmctl(id, IPC_RMID, NULL);
	write_some(at, 8 * MIB, MIB);
	in_child(NULL, at);
	(void)shmdt(at);
	look();
}

static void heap(void)
{
	char *at = sbrk(20 * MIB);

	write_some(at, 20 * MIB, MIB);
	(void)sbrk(-(intptr_t)(15 * MIB));
	(void)sbrk(-(intptr_t)(5 * MIB));
	look();
}

static void stack_of(size_t pages)
{
	volatile char here[16 * PAGE];

	here[0] = 1;
	if (pages)
		stack_of(pages - 1);
	here[1] = here[0];
}

static void files(void)
{
	truncated();
	segments();
	heap();
	stack_of(100);
	look();
}

/* --- entries that are no pages: rule 12 ----------------------------------------------------------
 */

static int watch(char *at, size_t size, uint64_t features, uint64_t mode)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};
	struct uffdio_register range = {.range = {(uintptr_t)at, size}, .mode = mode};
	int file = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	if (file < 0 || ioctl(file, UFFDIO_API, &api) || ioctl(file, UFFDIO_REGISTER, &range)) {
		left_out("userfaultfd");
		return -1;
	}
	return file;
}

static void entries(void)
{
	static char page[2 * 4096];
	char *at = room(32 * MIB, LEAF);
	char *to = align(map(NULL, 64 * MIB, PROT_NONE, OURS, -1), LEAF);
	int file = watch(at, 32 * MIB, UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_UNPOPULATED,
	    UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP);
	struct uffdio_writeprotect protect = {.range = {(uintptr_t)at + 8 * LEAF, 4 * LEAF},
		.mode = UFFDIO_WRITEPROTECT_MODE_WP};

	if (file < 0)
		return;
	for (size_t i = 0; i < 6; i += 2) {
		struct uffdio_copy copy = {.dst = (uintptr_t)at + i * LEAF,
			.src = (uintptr_t)align(page, PAGE),
			.len = PAGE};

		(void)ioctl(file, UFFDIO_COPY, &copy);
	}
	look();
	if (ioctl(file, UFFDIO_WRITEPROTECT, &protect))
		left_out("write protection of what is not there");
	look();
	in_child(NULL, at);
	at = move(at, 32 * MIB, 32 * MIB, to);
	close(file);
	look();
	(void)munmap(at, 32 * MIB);
}

/* -------------------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	void (*run)(void);
} corners[] = {
	{"huge", huge},
	{"moves", moves},
	{"zaps", zap},
	{"forks", forks},
	{"files", files},
	{"entries", entries},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(corners) / sizeof(corners[0]); i++) {
		if (!strcmp(argv[1], corners[i].name)) {
			corners[i].run();
			return 0;
		}
	}
	fputs("usage: corners huge | moves | zaps | forks | files | entries\n", stderr);
	return 2;
}
