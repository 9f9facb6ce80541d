/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the host kernel takes for its nearest equivalents. It does more than the library each time,
 * and the rows say what; so they have no targets. Pages are 4 KiB: large ones are switched off for
 * this process meanwhile. The way into the kernel and back is included.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benches/bench.h"

#define PAGE   ((size_t)4096)
#define LEAF   ((size_t)2 << 20) /* what a leaf table maps */
#define SMALL  (8 * LEAF)
#define LARGE  (128 * LEAF)
#define SINGLE 500u /* rounds with one page */

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#define WRITABLE  (PROT_READ | PROT_WRITE)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* How a row differs from the plainest. */
enum {
	BIG = 1,    /* LARGE, not SMALL */
	ODD = 2,    /* moved by an odd number of pages: no leaf table can move as a whole */
	FILLED = 4, /* pages are there before the sample */
	SHARED = 8, /* pages are a file's, in memory */
};

struct host {
	char *from; /* this and the next: aligned to LEAF, kept from others between samples */
	char *to;
	size_t size;
	unsigned how;
	int file;
};

static void must(bool done, const char *what)
{
	if (!done)
		bench_die(what);
}

/* Makes addresses unmapped, but not free for anybody else. */
static void reserve(char *at, size_t size)
{
	int flags = ANONYMOUS | MAP_NORESERVE | MAP_FIXED;

	must(mmap(at, size, PROT_NONE, flags, -1, 0) != MAP_FAILED, "no addresses");
}

/* Addresses, with a leaf table's worth to spare on either side. */
static char *reserve_new(size_t size)
{
	char *at = mmap(NULL, size + 3 * LEAF, PROT_NONE, ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(at != MAP_FAILED, "no addresses");
	return at + 2 * LEAF - (uintptr_t)at % LEAF;
}

static void unreserve(char *at, size_t size)
{
	(void)munmap(at - LEAF, size + 2 * LEAF);
}

static void populate(const struct host *h)
{
	int flags = (h->file < 0 ? ANONYMOUS : MAP_SHARED) | MAP_FIXED | MAP_POPULATE;

	must(mmap(h->from, h->size, WRITABLE, flags, h->file, 0) != MAP_FAILED, "mmap");
}

/* Each page is ours, in memory and writable; without a fault for each, from Linux 5.14 on. */
static void touch(const struct host *h)
{
	if (madvise(h->from, h->size, MADV_POPULATE_WRITE) == 0)
		return;
	for (size_t i = 0; i < h->size; i += PAGE)
		*(volatile char *)(h->from + i) = 1;
}

static void *host_open(unsigned how)
{
	struct host *h = bench_memory(sizeof(*h));

	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	h->how = how;
	h->size = how & BIG ? LARGE : SMALL;
	h->from = reserve_new(h->size);
	h->to = reserve_new(h->size);
	h->file = -1;
	if (how & SHARED) {
		h->file = memfd_create("ptdesc-bench", MFD_CLOEXEC);
		must(h->file >= 0 && ftruncate(h->file, (off_t)h->size) == 0, "memfd");
	}
	if (how & (FILLED | SHARED)) {
		populate(h);
		touch(h);
	}
	return h;
}

static void host_close(void *state)
{
	struct host *h = state;

	unreserve(h->from, h->size);
	unreserve(h->to, h->size);
	if (h->file >= 0)
		(void)close(h->file);
	(void)prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	free(h);
}

static double per_page(const struct host *h, const struct bench_timer *timer)
{
	return bench_result(timer, (double)(h->size / PAGE));
}

static double map_sample(void *state)
{
	struct bench_timer timer = {0};
	struct host *h = state;

	reserve(h->from, h->size);
	bench_start(&timer);
	populate(h);
	bench_stop(&timer);
	return per_page(h, &timer);
}

static double unmap_sample(void *state)
{
	struct bench_timer timer = {0};
	struct host *h = state;

	populate(h);
	bench_start(&timer);
	must(munmap(h->from, h->size) == 0, "munmap");
	bench_stop(&timer);
	reserve(h->from, h->size);
	return per_page(h, &timer);
}

static double protect_sample(void *state)
{
	struct bench_timer timer = {0};
	struct host *h = state;

	bench_start(&timer);
	must(mprotect(h->from, h->size, PROT_READ) == 0, "mprotect");
	bench_stop(&timer);
	must(mprotect(h->from, h->size, WRITABLE) == 0, "mprotect");
	touch(h);
	return per_page(h, &timer);
}

static double fork_sample(void *state)
{
	struct bench_timer timer = {0};
	struct host *h = state;
	int status = 0;
	pid_t child;

	bench_start(&timer);
	child = fork();
	if (child == 0)
		_exit(0);
	bench_stop(&timer);
	must(child > 0 && waitpid(child, &status, 0) == child && status == 0, "fork");
	touch(h);
	return per_page(h, &timer);
}

/* The addresses that a move leaves are taken again before anybody else can have them. */
static void move(const struct host *h, char *from, char *to, struct bench_timer *timer)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	void *at;

	bench_start(timer);
	at = mremap(from, h->size, h->size, flags, to);
	bench_stop(timer);
	must(at == to, "mremap");
	reserve(from, h->size);
}

static double move_sample(void *state)
{
	struct bench_timer timer = {0};
	struct host *h = state;
	char *to = h->to + (h->how & ODD ? PAGE : 0);

	move(h, h->from, to, &timer);
	move(h, to, h->from, &timer);
	return per_page(h, &timer) / 2;
}

/* Alone in what its leaf table maps: that table comes and goes with it, and the upper ones stay. */
static double page_sample(void *state)
{
	struct bench_timer timer = {0};
	struct host *h = state;
	char *at = h->from + LEAF / 2;

	must(munmap(h->from, LEAF) == 0, "munmap");
	bench_start(&timer);
	for (unsigned i = 0; i < SINGLE; i++) {
		must(mmap(at, PAGE, WRITABLE, ANONYMOUS | MAP_FIXED, -1, 0) == at, "mmap");
		*(volatile char *)at = 1;
		must(munmap(at, PAGE) == 0, "munmap");
	}
	bench_stop(&timer);
	reserve(h->from, LEAF);
	return bench_result(&timer, SINGLE);
}

#define HOST .unit = "page", .open = host_open, .close = host_close

/* clang-format off */
const struct bench bench_host[] = {
	{.name = "host-map", HOST, .sample = map_sample,
		.what = "mmap, MAP_POPULATE, 16 MiB; allocates, zeroes and charges pages, VMA, rmap, LRU"},
	{.name = "host-map-shared", HOST, .arg = SHARED, .sample = map_sample,
		.what = "the same of a file in memory whose pages are there: look-up, counts, rmap"},
	{.name = "host-unmap", HOST, .sample = unmap_sample,
		.what = "munmap of host-map; TLB flush, rmap, pages uncharged and freed, VMA"},
	{.name = "host-unmap-shared", HOST, .arg = SHARED, .sample = unmap_sample,
		.what = "munmap of host-map-shared; TLB flush, dirty, rmap, counts; no page is freed"},
	{.name = "host-protect", HOST, .arg = FILLED, .sample = protect_sample,
		.what = "mprotect of 16 MiB to read-only; an exchange each, TLB flush, VMA, accounting"},
	{.name = "host-fork", HOST, .arg = BIG | FILLED, .sample = fork_sample,
		.what = "fork, 256 MiB touched, until it is back; the whole process, rmap, counts"},
	{.name = "host-move", HOST, .arg = BIG | FILLED, .sample = move_sample,
		.what = "mremap of 256 MiB, aligned: leaf tables move; rmap locks, TLB flush, VMA"},
	{.name = "host-move-entries", HOST, .arg = BIG | ODD | FILLED, .sample = move_sample,
		.what = "the same by an odd number of pages: entries move, an exchange each"},
	{.name = "host-page", HOST, .sample = page_sample,
		.what = "mmap, touch, munmap of one page and its leaf table: two calls, a fault, zeroing"},
	{0},
};
/* clang-format on */
