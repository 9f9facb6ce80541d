/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The question that the RFC leaves open: what does a descriptor of its own cost ("a certain cost
 * and very little benefit") against one that lies over the frame's 64 bytes? The same code,
 * compiled with either way to find the descriptor, and the memory that each takes. A row is met
 * when the separate descriptor is no slower than the overlaid one of the same run.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <ptdesc/atomic.h>
#include <ptdesc/memory.h>
#include <ptdesc/ptdesc.h>

#include "benches/bench.h"

#define PAGE         UINT64_C(4096)
#define GIB          (UINT64_C(1) << 30)
#define PAIRS        20000u
#define TABLES       100000u
#define MAGAZINE     64u
#define DESC_BYTES   64u /* a line of its own, or of the frame's */
#define ORDERS       16u
#define FRESH_FRAMES (UINT64_C(1) << 18) /* 1 GiB: tables lie side by side */
#define AGED_FRAMES  (24 * GIB / PAGE)   /* 24 GiB: tables lie anywhere */
#define EVICT        ((size_t)64 << 20)

/* arg of open */
enum {
	COLD = 1, /* with 10^5 tables */
	AGED = 2, /* on a machine that has been up for long */
};

/* A table's descriptor: the fields of struct ptdesc; the overlaid one shares its line with the
 * word. */
struct desc {
	uint32_t lock;
	uint16_t used;
	uint8_t dead;
	uint8_t shared;
	uint64_t word;
	void *next;
	void *prev;
	void *space;
	void *deposit;
	uint64_t base;
};

/* A frame of 64 descriptors. */
struct slab {
	struct slab *next;
	struct slab *prev;
	uint64_t free; /* bit: the descriptor is */
	uint32_t frame;
};

static uint64_t free_word(unsigned order, uint32_t next, uint32_t prev)
{
	return MEMDESC_FREE | (uint64_t)order << 4 | (uint64_t)next << 9 | (uint64_t)prev << 36;
}

static uint32_t word_next(uint64_t word)
{
	return (uint32_t)(word >> 9) & 0x7ffffff;
}

static uint32_t word_prev(uint64_t word)
{
	return (uint32_t)(word >> 36);
}

static bool is_free_head(uint64_t word, unsigned order)
{
	return (word & 0x1ff) == (MEMDESC_FREE | (uint64_t)order << 4);
}

static inline void spin_lock(uint32_t *lock)
{
	uint32_t free = 0;

	while (!PT_CAS(lock, &free, 1, ACQUIRE))
		free = 0;
}

static inline void spin_unlock(uint32_t *lock)
{
	PT_STORE(lock, 0, RELEASE);
}

static void slab_list_add(struct slab **list, struct slab *slab)
{
	slab->prev = NULL;
	slab->next = *list;
	if (slab->next)
		slab->next->prev = slab;
	*list = slab;
}

static void slab_list_remove(struct slab **list, struct slab *slab)
{
	if (slab->next)
		slab->next->prev = slab->prev;
	if (slab->prev)
		slab->prev->next = slab->next;
	else
		*list = slab->next;
}

static void free_slabs(struct slab *slab)
{
	while (slab) {
		struct slab *next = slab->next;

		free(slab);
		slab = next;
	}
}

/* What the constructor leaves behind. */
static inline void desc_reset(struct desc *d)
{
	PT_STORE(&d->lock, 0, RELAXED);
	d->used = 0;
	PT_STORE(&d->dead, 0, RELAXED);
	PT_STORE(&d->shared, 0, RELAXED);
	d->next = NULL;
	d->prev = NULL;
	d->space = NULL;
	d->deposit = NULL;
	d->base = 0;
}

static void *reserve_memory(size_t size, bool large)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		bench_die("no memory");
	/* A kernel's page array is mapped with large pages: neither way shall pay for small ones.
	 */
	if (large)
		(void)madvise(memory, size, MADV_HUGEPAGE);
	return memory;
}

static void shuffle(uint64_t *values, uint64_t count)
{
	uint64_t random = 88172645463325252u;

	for (uint64_t i = count - 1; i > 0; i--) {
		uint64_t j = bench_random(&random) % (i + 1);
		uint64_t swap = values[i];

		values[i] = values[j];
		values[j] = swap;
	}
}

/* Pushes what was used before out of the caches. */
static void evict(void)
{
	static char *much;

	if (!much)
		much = bench_memory(EVICT);
	for (size_t i = 0; i < EVICT; i += 64)
		much[i]++;
	BENCH_USE(much);
}

#define SEPARATE 1
#define NAME(x)  separate_##x
#include "benches/overlay.inc.h"
#undef SEPARATE
#undef NAME

#define SEPARATE 0
#define NAME(x)  overlaid_##x
#include "benches/overlay.inc.h"
#undef SEPARATE
#undef NAME

/* --- memory ----------------------------------------------------------------------------------- */

static double frames_of(void *state)
{
	return (double)(uintptr_t)state * (double)(GIB / PAGE);
}

/* The state of these rows is a number of GiB. */
static void *gib(unsigned arg)
{
	return (void *)(uintptr_t)arg;
}

static double page_words(void *state)
{
	return frames_of(state) * sizeof(struct pt_page);
}

static double page_structs(void *state)
{
	return frames_of(state) * 64;
}

/* Descriptors for the tables that map all memory once with 4 KiB leaves: the most there is use for.
 */
static double descriptors(void *state)
{
	double tables = 0;

	for (double n = frames_of(state) / 512; n > 1; n /= 512)
		tables += n;
	return page_words(state) + tables * sizeof(struct ptdesc);
}

#define OVERLAID(row, sample_, arg_)                                                               \
	{.name = row,                                                                              \
		.unit = "table",                                                                   \
		.reference = 1,                                                                    \
		.arg = (arg_),                                                                     \
		.open = overlaid_open,                                                             \
		.sample = overlaid_##sample_,                                                      \
		.close = overlaid_close,                                                           \
		.what = "the same code, the descriptor lies over the frame's 64 bytes"}
#define STRUCTS(row, gib_)                                                                         \
	{.name = row,                                                                              \
		.unit = "bytes",                                                                   \
		.bytes = true,                                                                     \
		.reference = 1,                                                                    \
		.arg = (gib_),                                                                     \
		.open = gib,                                                                       \
		.sample = page_structs,                                                            \
		.what = "64 bytes a frame, as in Linux today"}

static const struct bench overlaid[] = {
	OVERLAID("overlaid-hot", hot, 0),
	OVERLAID("overlaid-cold", cold, COLD),
	OVERLAID("overlaid-cold-aged", cold, COLD | AGED),
	OVERLAID("overlaid-lock", lock, COLD),
	OVERLAID("overlaid-lock-aged", lock, COLD | AGED),
	STRUCTS("memory-24g-overlaid", 24),
	STRUCTS("memory-1t-overlaid", 1024),
	STRUCTS("memory-16t-overlaid", 16384),
};

#define SEPARATE_ROW(sample_, arg_, n)                                                             \
	.unit = "table", .target = 1, .calibration = &overlaid[n], .arg = (arg_),                  \
	.open = separate_open, .sample = separate_##sample_, .close = separate_close
#define MEMORY(sample_, arg_, n)                                                                   \
	.unit = "bytes", .bytes = true, .calibration = &overlaid[n], .arg = (arg_), .open = gib,   \
	.sample = (sample_)

const struct bench bench_overlay[] = {
	{.name = "overlay-hot",
		SEPARATE_ROW(hot, 0, 0),
		.what =
		    "alloc and free of a table with a descriptor of its own, hot; limit: overlaid"},
	{.name = "overlay-cold",
		SEPARATE_ROW(cold, COLD, 1),
		.what = "10^5 tables side by side freed in random order by address"},
	{.name = "overlay-cold-aged",
		SEPARATE_ROW(cold, COLD | AGED, 2),
		.what = "the same, tables anywhere in 24 GiB"},
	{.name = "overlay-lock",
		SEPARATE_ROW(lock, COLD, 3),
		.what = "lock found from a random entry's address, taken and let go; 10^5 tables"},
	{.name = "overlay-lock-aged",
		SEPARATE_ROW(lock, COLD | AGED, 4),
		.what = "the same, tables anywhere in 24 GiB"},
	{.name = "overlay-word",
		.unit = "table",
		.arg = COLD,
		.open = separate_open,
		.sample = separate_word,
		.close = separate_close,
		.what = "a random table's page word alone: what overlay-lock has to look up first"},
	{.name = "overlay-word-aged",
		.unit = "table",
		.arg = COLD | AGED,
		.open = separate_open,
		.sample = separate_word,
		.close = separate_close,
		.what = "the same, tables anywhere in 24 GiB"},
	{.name = "overlay-known",
		.unit = "table",
		.arg = COLD,
		.calibration = &overlaid[3],
		.open = separate_open,
		.sample = separate_known,
		.close = separate_close,
		.what = "overlay-lock where the descriptor is known: the rest of it is the word"},
	{.name = "overlay-known-aged",
		.unit = "table",
		.arg = COLD | AGED,
		.calibration = &overlaid[4],
		.open = separate_open,
		.sample = separate_known,
		.close = separate_close,
		.what = "the same, tables anywhere in 24 GiB"},
	{.name = "memory-24g",
		MEMORY(page_words, 24, 5),
		.target = 0.125,
		.what = "page words of a machine of 24 GiB; limit: 64 bytes a frame"},
	{.name = "memory-24g-all",
		MEMORY(descriptors, 24, 5),
		.what = "with a descriptor for each table that maps all of it once, 4 KiB leaves"},
	{.name = "memory-1t",
		MEMORY(page_words, 1024, 6),
		.target = 0.125,
		.what = "page words of a machine of 1 TiB"},
	{.name = "memory-1t-all",
		MEMORY(descriptors, 1024, 6),
		.what = "with a descriptor for each table that maps all of it once"},
	{.name = "memory-16t",
		MEMORY(page_words, 16384, 7),
		.target = 0.125,
		.what = "page words of a machine of 16 TiB"},
	{.name = "memory-16t-all",
		MEMORY(descriptors, 16384, 7),
		.what = "with a descriptor for each table that maps all of it once"},
	{0},
};
