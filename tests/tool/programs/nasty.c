/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * nasty NAME...|all: does to its address space what is easy to rebuild wrongly, one thing after the
 * other, each in processes of its own. Exit status 1 if one failed; 77 if none exists on this
 * machine. Children look at what they inherited: a fork shows what it copies.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define MIB  ((size_t)1 << 20)
#define PMD  (2 * MIB)
#define GIB  ((size_t)1 << 30)

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* Newer than the headers of Debian 12. */
#define ADVICE_COLLAPSE 25
#define ADVICE_GUARD    102
#define ADVICE_UNGUARD  103
#define UFFD_WP_ABSENT  (1u << 13)
#define REMAP_KEEP_OLD  4

#define ABSENT 77

static volatile char sink;

static char *must_map(void *at, size_t size, int rights, int flags, int file)
{
	char *map = mmap(at, size, rights, flags, file, 0);

	if (map == MAP_FAILED)
		exit(1);
	return map;
}

/* size bytes, aligned to a GiB, alone in it. */
static char *reserve(size_t size)
{
	char *map = must_map(NULL, size + 2 * GIB, PROT_NONE, ANON, -1);
	char *at = (char *)(((uintptr_t)map + GIB - 1) & ~(GIB - 1));

	munmap(map, size + 2 * GIB);
	return at;
}

static char *map_new(size_t size)
{
	return must_map(reserve(size), size, RW, ANON | MAP_FIXED, -1);
}

static void touch(char *at, size_t size, size_t step)
{
	for (size_t i = 0; i < size; i += step)
		at[i] = 1;
}

static void look(const char *at, size_t size, size_t step)
{
	for (size_t i = 0; i < size; i += step)
		sink += at[i];
}

static char *map_touched(size_t size)
{
	char *at = map_new(size);

	touch(at, size, PAGE);
	return at;
}

static void in_child(void (*function)(char *), char *at)
{
	pid_t child = fork();

	if (!child) {
		if (function)
			function(at);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static int file_of(size_t size)
{
	int file = memfd_create("nasty", MFD_CLOEXEC);

	if (file < 0 || ftruncate(file, (off_t)size))
		exit(1);
	return file;
}

/* --- huge pages ------------------------------------------------------------------------------- */

static void use_huge(char *at)
{
	touch(at + 24 * MIB, 4 * MIB, PAGE);
	at[10 * MIB] = 3;
	munmap(at + 12 * MIB, 3 * MIB);
}

/* Whole, zapped in part, of the zero page, protected in part, copied, moved, collapsed. */
static int huge(void)
{
	char *at = map_new(64 * MIB);
	char *to = reserve(64 * MIB);

	madvise(at, 64 * MIB, MADV_HUGEPAGE);
	touch(at, 20 * MIB, PAGE);
	madvise(at, 4 * MIB, MADV_DONTNEED);
	madvise(at + 4 * MIB, MIB, MADV_DONTNEED);
	madvise(at + 6 * MIB + PAGE, 4 * MIB, MADV_DONTNEED);
	look(at + 20 * MIB, 20 * MIB, PMD);
	madvise(at + 20 * MIB, PMD, MADV_DONTNEED);
	mprotect(at + 22 * MIB, PAGE, PROT_READ);
	in_child(use_huge, at);
	mremap(at + 24 * MIB, 4 * MIB, 4 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, to + 4 * MIB);
	mremap(at + 28 * MIB, PMD, PMD, MREMAP_MAYMOVE | MREMAP_FIXED, to + 13 * MIB);
	madvise(at + 44 * MIB, 8 * MIB, MADV_NOHUGEPAGE);
	touch(at + 44 * MIB, 8 * MIB, PAGE);
	madvise(at + 44 * MIB, 8 * MIB, MADV_HUGEPAGE);
	madvise(at + 44 * MIB, 8 * MIB, ADVICE_COLLAPSE);
	madvise(at + 46 * MIB, PMD, MADV_FREE);
	munmap(at, 64 * MIB);
	return 0;
}

static void collapse(char *at)
{
	madvise(at, 8 * MIB, ADVICE_COLLAPSE);
}

/* Of shared memory: without a table in reserve. */
static int shared_huge(void)
{
	int file = file_of(16 * MIB);
	char *at = must_map(reserve(16 * MIB), 16 * MIB, RW, MAP_SHARED | MAP_FIXED, file);

	touch(at, 16 * MIB, PAGE);
	look(at, 16 * MIB, MIB);
	collapse(at);
	in_child(NULL, at);
	madvise(at + 2 * MIB, PAGE, MADV_DONTNEED);
	madvise(at + 4 * MIB, PMD, MADV_DONTNEED);
	madvise(at, PMD, MADV_REMOVE);
	munmap(at + 5 * MIB, 2 * MIB);
	return 0;
}

/* Another process collapses them, and takes our tables away. */
static int taken_away(void)
{
	int file = file_of(16 * MIB);
	char *at = must_map(reserve(16 * MIB), 16 * MIB, RW, MAP_SHARED | MAP_FIXED, file);

	touch(at, 16 * MIB, PAGE);
	in_child(collapse, at);
	look(at, 16 * MIB, MIB);
	return 0;
}

static void write_one(char *at)
{
	*at = 2;
}

static int hugetlb(void)
{
	char *at = mmap(NULL, 8 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (at == MAP_FAILED)
		return ABSENT;
	touch(at, 4 * MIB, PMD);
	in_child(NULL, at);
	munmap(at + PMD, PMD);
	madvise(at, PMD, MADV_DONTNEED);
	return 0;
}

/* --- what is given back ----------------------------------------------------------------------- */

static int dontneed(void)
{
	char *at = map_touched(32 * MIB);
	char *locked = map_touched(4 * MIB);
	char *file = must_map(NULL, 8 * MIB, RW, MAP_SHARED, file_of(8 * MIB));

	mprotect(at + 3 * MIB, PMD, PROT_READ);
	madvise(at, 16 * MIB, MADV_DONTNEED);
	madvise(at + 17 * MIB, PMD, MADV_DONTNEED);
	madvise(at + 20 * MIB, 4 * MIB, MADV_FREE);
	madvise(at + 24 * MIB, 4 * MIB, MADV_PAGEOUT);
	madvise(at + 30 * MIB, 8 * MIB, MADV_DONTNEED); /* a hole at its end */
	mlock(locked, 4 * MIB);
	madvise(locked, 4 * MIB, MADV_DONTNEED_LOCKED);
	touch(file, 8 * MIB, PAGE);
	madvise(file, 4 * MIB, MADV_DONTNEED);
	madvise(file + 4 * MIB, 2 * MIB, MADV_REMOVE);
	in_child(write_one, at);
	return 0;
}

/* Tables go only where no mapping is left. */
static int unmap(void)
{
	char *at = map_touched(16 * MIB);
	char *top;

	munmap(at + MIB, 3 * MIB);
	must_map(at + 5 * MIB, 6 * MIB, RW, ANON | MAP_FIXED, -1);
	at[6 * MIB] = 1;
	munmap(at + 4 * MIB, 12 * MIB);
	top = sbrk(20 * MIB);
	touch(top, 20 * MIB, PAGE);
	sbrk(-(intptr_t)(15 * MIB));
	sbrk(-(intptr_t)(5 * MIB));
	return 0;
}

static int truncated(void)
{
	int file = file_of(32 * MIB);
	char *shared = must_map(NULL, 32 * MIB, RW, MAP_SHARED, file);
	char *private = must_map(NULL, 32 * MIB, RW, MAP_PRIVATE, file);

	touch(shared, 32 * MIB, PAGE);
	look(private, 32 * MIB, MIB);
	private[5 * MIB] = 1;
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * MIB, 8 * MIB) ||
	    ftruncate(file, 10 * MIB))
		return 1;
	in_child(NULL, shared);
	munmap(shared, 32 * MIB);
	return 0;
}

/* --- moves ------------------------------------------------------------------------------------ */

static void unmap_half(char *at)
{
	munmap(at, GIB);
	at[GIB] = 1;
}

static int moves(void)
{
	char *at = map_new(3 * GIB);
	char *to = reserve(4 * GIB);
	char *odd = map_touched(6 * MIB);

	touch(at, 3 * GIB, 7 * MIB);
	at = mremap(at, 3 * GIB, 4 * GIB, MREMAP_MAYMOVE);
	touch(at, 4 * GIB, 5 * MIB);
	mremap(at + GIB, 2 * GIB, 2 * GIB, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	in_child(unmap_half, to);
	mremap(to + GIB, 512 * MIB, 512 * MIB, MREMAP_MAYMOVE | REMAP_KEEP_OLD, 0);
	/* Pages that move by parts of a table, over what is there. */
	must_map(to, 100 * MIB, RW, ANON | MAP_FIXED, -1);
	touch(to, 9 * MIB, MIB);
	mremap(odd + PAGE, 5 * MIB, 5 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, to + MIB + PAGE);
	odd = mremap(to + MIB + PAGE, 5 * MIB, MIB, 0);
	mremap(odd, MIB, 64 * MIB, MREMAP_MAYMOVE);
	return 0;
}

/* size bytes to another place, or to where the kernel likes. */
static char *moved(char *at, size_t size, char *to)
{
	at = mremap(at, size, size, MREMAP_MAYMOVE | (to ? MREMAP_FIXED : 0), to);
	if (at == MAP_FAILED)
		exit(1);
	return at;
}

/* Whole PMD tables, whole PTE tables, entries: of memory that is sparse. */
static void sparse_moves(void)
{
	char *at = map_new(3 * GIB);
	char *to = reserve(8 * GIB);

	touch(at, 3 * GIB, 7 * MIB);
	at = moved(at, 3 * GIB, to);
	at = moved(at, GIB + 4 * MIB, to + 4 * GIB + PMD);
	at = moved(at, GIB, to + 6 * GIB + PAGE);
	in_child(NULL, at);
}

/* Tables that have become empty move as well, and the target gets tables for nothing. */
static void hollow_moves(void)
{
	char *at = map_touched(16 * MIB);
	char *to = reserve(64 * MIB);

	for (size_t i = 4 * MIB; i < 12 * MIB; i += PAGE)
		madvise(at + i, PAGE, MADV_DONTNEED); /* page by page: the tables stay */
	at = moved(at, 16 * MIB, to + PAGE);
	moved(at, 16 * MIB, to + 32 * MIB);
}

/* Both ends lie alike in a table, with nothing before them: the whole table goes. */
static void alike_moves(void)
{
	char *at = must_map(reserve(16 * MIB) + MIB, 5 * MIB, RW, ANON | MAP_FIXED, -1);

	touch(at, 5 * MIB, MIB);
	moved(at, 5 * MIB, reserve(64 * MIB) + 32 * MIB + MIB);
}

static int odd_moves(void)
{
	sparse_moves();
	hollow_moves();
	alike_moves();
	return 0;
}

/* --- entries without pages -------------------------------------------------------------------- */

static int guards(void)
{
	char *at = map_new(32 * MIB);

	at[MIB] = 1;
	if (madvise(at + PMD, 10 * MIB, ADVICE_GUARD))
		return ABSENT;
	in_child(NULL, at);
	madvise(at + 4 * MIB, 4 * MIB, MADV_DONTNEED);
	madvise(at, 32 * MIB, ADVICE_UNGUARD);
	madvise(at, 32 * MIB, MADV_DONTNEED);
	return 0;
}

static int userfault(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	struct uffdio_api api = {.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_WP_ABSENT};
	char *at = map_new(64 * MIB);
	struct uffdio_register area = {.range = {(uintptr_t)at, 64 * MIB},
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP};
	struct uffdio_writeprotect protect = {.range = {(uintptr_t)at + 30 * MIB, 20 * MIB},
		.mode = UFFDIO_WRITEPROTECT_MODE_WP};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &area))
		return ABSENT;
	for (size_t i = 1; i < 20; i += 3) {
		struct uffdio_copy copy = {.dst = (uintptr_t)at + i * MIB,
			.src = (uintptr_t)page,
			.len = PAGE};

		if (ioctl(fd, UFFDIO_COPY, &copy))
			return 1;
	}
	if (ioctl(fd, UFFDIO_WRITEPROTECT, &protect))
		return 1;
	in_child(NULL, at);
	mremap(at, 64 * MIB, 64 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, reserve(64 * MIB));
	close(fd);
	return 0;
}

/* --- what fork copies ------------------------------------------------------------------------- */

static void fork_again(char *at)
{
	in_child(write_one, at);
}

static int inherited(void)
{
	char *at = map_touched(16 * MIB);
	char *zero = map_new(16 * MIB);
	char *merged = map_new(16 * MIB);

	madvise(at + PMD, 4 * MIB, MADV_DONTFORK);
	madvise(at + 8 * MIB, 4 * MIB, MADV_WIPEONFORK);
	mprotect(zero, 16 * MIB, PROT_READ);
	look(zero, 16 * MIB, MIB);
	/* One that was written to once, and of which nothing is left. */
	merged[0] = 1;
	madvise(merged, PAGE, MADV_DONTNEED);
	look(merged + PMD, 8 * MIB, MIB);
	mprotect(merged + 12 * MIB, 4 * MIB, PROT_READ);
	mprotect(merged + 12 * MIB, 4 * MIB, RW);
	in_child(fork_again, at);
	return 0;
}

/* A write is remembered by the whole mapping, and spreads when it merges with its neighbours. */
static int merges(void)
{
	char *at = must_map(reserve(64 * MIB), 64 * MIB, PROT_NONE, ANON | MAP_FIXED, -1);

	mprotect(at, 4 * MIB, RW);
	at[0] = 1;
	mprotect(at + 8 * MIB, 4 * MIB, RW);
	look(at + 8 * MIB, 4 * MIB, MIB);
	in_child(NULL, at);
	mprotect(at + 4 * MIB, 4 * MIB, RW);
	in_child(NULL, at);
	mprotect(at + 9 * MIB, MIB, PROT_READ); /* two VMAs in one region */
	madvise(at + 8 * MIB, PMD, MADV_DONTNEED);
	mprotect(at + 9 * MIB, MIB, RW);
	madvise(at + 8 * MIB, PMD, MADV_DONTNEED);
	in_child(NULL, at);
	return 0;
}

static int sysv(void)
{
	int id = shmget(IPC_PRIVATE, 16 * MIB, IPC_CREAT | 0600);
	char *at = id < 0 ? (void *)-1 : shmat(id, reserve(16 * MIB), 0);

	if (id < 0 || at == (void *)-1)
		return ABSENT;
	shmctl(id, IPC_RMID, NULL);
	touch(at, 16 * MIB, PAGE);
	in_child(write_one, at);
	munmap(at + 4 * MIB, 2 * MIB);
	return shmdt(at) != 0;
}

/* A device mapping: its tables are there from mmap on, and fork copies them. */
static int ring(void)
{
	struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(event),
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1};
	int fd = (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	char *at =
	    fd < 0 ? MAP_FAILED : mmap(reserve(MIB), 17 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);

	if (at == MAP_FAILED)
		return ABSENT;
	in_child(NULL, at);
	return munmap(at, 17 * PAGE) != 0;
}

/* --- faults that fail ------------------------------------------------------------------------- */

static void read_one(char *at)
{
	sink += *at;
}

/* Beyond a file's end, in a GiB of its own. */
static int bus(void)
{
	char *at = must_map(reserve(GIB), GIB, RW, MAP_SHARED | MAP_FIXED, file_of(MIB));

	in_child(read_one, at + 512 * MIB);
	sink += *at;
	return 0;
}

/* The same when the kernel reads there: no signal, and tables all the same. */
static int bad_address(void)
{
	char *at = must_map(reserve(GIB), GIB, RW, MAP_SHARED | MAP_FIXED, file_of(MIB));
	int ends[2];

	if (pipe(ends) || write(ends[1], at + 512 * MIB, 1) >= 0 || errno != EFAULT)
		return 1;
	in_child(NULL, at);
	sink += *at;
	return 0;
}

static int segv(void)
{
	char *at = must_map(reserve(GIB), GIB, PROT_NONE, ANON | MAP_FIXED, -1);

	in_child(read_one, at);
	in_child(write_one, NULL);
	return 0;
}

/* --- without a call, without a fault ---------------------------------------------------------- */

static int grows(void)
{
	char *top = reserve(64 * MIB) + 40 * MIB;
	volatile char stack[6 * MIB];

	must_map(top, PMD, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1);
	for (size_t i = 1; i < 900; i++)
		top[-(ptrdiff_t)(PAGE * i)] = 1;
	munmap(top, MIB);
	for (size_t i = sizeof(stack); i > 0; i -= PAGE)
		stack[i - 1] = 1;
	return 0;
}

/* Pages that the kernel brings in: by read, by populate, by mlock, by another process. */
static int kernel(void)
{
	char *at = map_new(64 * MIB);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char *populated =
	    must_map(NULL, 8 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
	pid_t child;

	if (read(zero, at + MIB, 12 * MIB) < 0)
		return 1;
	mlock(at + 20 * MIB, 3 * MIB);
	munlock(at + 20 * MIB, 3 * MIB);
	madvise(at + 30 * MIB, 3 * MIB, MADV_POPULATE_READ);
	madvise(at + 40 * MIB, 3 * MIB, MADV_POPULATE_WRITE);
	child = fork();
	if (!child) {
		struct iovec here = {populated, 2 * PAGE};
		struct iovec there = {at + 52 * MIB - PAGE, 2 * PAGE};

		_exit(process_vm_writev(getppid(), &here, 1, &there, 1, 0) < 0);
	}
	waitpid(child, NULL, 0);
	munmap(at, 64 * MIB);
	return 0;
}

/* By descriptor, several ranges at once. */
static int by_descriptor(void)
{
	char *at = map_touched(16 * MIB);
	struct iovec ranges[] = {{at, 4 * MIB}, {at + 8 * MIB, 2 * MIB}};
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	return syscall(SYS_process_madvise, fd, ranges, 2, MADV_COLD, 0) == 6 * (long)MIB ? 0
											  : ABSENT;
}

static const struct {
	const char *name;
	int (*run)(void);
} deeds[] = {
	{"huge", huge},
	{"shared-huge", shared_huge},
	{"taken-away", taken_away},
	{"hugetlb", hugetlb},
	{"dontneed", dontneed},
	{"unmap", unmap},
	{"truncated", truncated},
	{"moves", moves},
	{"odd-moves", odd_moves},
	{"guards", guards},
	{"userfault", userfault},
	{"inherited", inherited},
	{"merges", merges},
	{"sysv", sysv},
	{"ring", ring},
	{"bus", bus},
	{"bad-address", bad_address},
	{"segv", segv},
	{"grows", grows},
	{"kernel", kernel},
	{"by-descriptor", by_descriptor},
};

/* In a process of its own, so that what it leaves behind is no burden to the next. */
static int run(size_t i)
{
	pid_t child = fork();
	int status = 0;

	if (!child)
		_exit(deeds[i].run());
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == ABSENT))
		return WEXITSTATUS(status);
	fprintf(stderr, "%s failed: %#x\n", deeds[i].name, (unsigned)status);
	return 1;
}

int main(int argc, char **argv)
{
	int worst = ABSENT;

	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
		for (int arg = 1; arg < argc; arg++) {
			int got;

			if (strcmp(argv[arg], deeds[i].name) != 0 && strcmp(argv[arg], "all") != 0)
				continue;
			got = run(i);
			worst = worst == 1 || got == ABSENT ? worst : got;
		}
	}
	return worst;
}
