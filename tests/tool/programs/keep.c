/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * keep pte|pmd K: has exactly K page tables without a single entry, of one level, then says
 * "ready" and waits to be killed.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PAGE        (UINT64_C(1) << 12)
#define PMD         (UINT64_C(1) << 21)
#define PUD         (UINT64_C(1) << 30)
#define FATAL(what) (perror(what), exit(1))

static sigjmp_buf after_fault;

/* An aligned address with size bytes reserved, all in one VMA of its own. */
static char *reserve(uint64_t size, uint64_t align, int rights, int flags, int file)
{
	char *at =
	    mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *aligned = (char *)(((uintptr_t)at + align - 1) & ~(align - 1));

	if (at == MAP_FAILED)
		FATAL("mmap");
	munmap(at, size + align);
	if (mmap(aligned, size, rights, flags | MAP_FIXED | MAP_NORESERVE, file, 0) == MAP_FAILED)
		FATAL("mmap");
	return aligned;
}

/*
 * A page in each of K regions of 2 MiB, taken back one at a time: too little for a kernel that
 * frees the table when a whole region goes. One more page in the same GiB is left, so that the PMD
 * table has an entry.
 */
static void keep_pte(unsigned count)
{
	char *at = reserve(PUD, PUD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	madvise(at, PUD, MADV_NOHUGEPAGE);
	at[0] = 1;
	for (unsigned i = 1; i <= count; i++) {
		at[i * PMD] = 1;
		if (madvise(at + i * PMD, PAGE, MADV_DONTNEED))
			FATAL("madvise");
	}
}

static void on_fault(int number)
{
	(void)number;
	siglongjmp(after_fault, 1);
}

/*
 * A fault beyond the end of a file makes PUD and PMD tables and no PTE table. The last of the GiBs
 * has a page, so that the PUD table has an entry; a region of 512 GiB holds them all.
 */
static void keep_pmd(unsigned count)
{
	int file = memfd_create("keep", MFD_CLOEXEC);
	char *at = reserve(PUD * 512, PUD * 512, PROT_READ, MAP_SHARED, file);
	char *page = mmap(at + PUD * 511, PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (page == MAP_FAILED)
		FATAL("mmap");
	page[0] = 1;
	signal(SIGBUS, on_fault);
	for (volatile unsigned i = 0; i < count; i++) {
		if (!sigsetjmp(after_fault, 1)) {
			(void)*(volatile char *)(at + i * PUD);
			fprintf(stderr, "no fault\n");
			exit(1);
		}
	}
}

int main(int argc, char **argv)
{
	unsigned count = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc == 3 && !strcmp(argv[1], "pte") && count < 512)
		keep_pte(count);
	else if (argc == 3 && !strcmp(argv[1], "pmd") && count < 511)
		keep_pmd(count);
	else
		return 2;
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}
