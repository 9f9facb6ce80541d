/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The plain model of one address space: which pages it maps to which frames, as bits and numbers,
 * without any table. What the library holds is compared with it. In pages of the recorded machine.
 */
#ifndef TOOL_REPLAY_SHADOW_H
#define TOOL_REPLAY_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pages of a region: what one leaf table of the recorded machine translates. */
#define REGION_BITS  9u
#define REGION_PAGES (1u << REGION_BITS)

typedef uint64_t region_bits[REGION_PAGES / 64];

enum region_huge {
	REGION_SMALL,     /* pages, if any */
	REGION_HUGE_ANON, /* one entry of level 1, with a deposited table */
	REGION_HUGE_FILE, /* the same without: file, shared memory, hugetlb */
};

struct region {
	uint64_t index; /* va >> region shift */
	enum region_huge huge;
	region_bits page;             /* something is mapped: a page, or a marker in its place */
	region_bits mark;             /* of these: an entry without a page (swapped, guard, ...) */
	region_bits guard;            /* of these: a guard page */
	region_bits write;            /* of these: may be written now */
	uint32_t frame[REGION_PAGES]; /* where page is set, or all if huge */
};

struct shadow {
	struct region **at; /* by index */
	size_t count;
	size_t room;
	size_t last; /* that was found last */
	unsigned page_shift;
};

static inline bool region_bit(const region_bits bits, unsigned page)
{
	return bits[page / 64] >> (page % 64) & 1;
}

static inline void region_set(region_bits bits, unsigned page, bool on)
{
	uint64_t bit = UINT64_C(1) << (page % 64);

	bits[page / 64] = on ? bits[page / 64] | bit : bits[page / 64] & ~bit;
}

/* The bits of word w that stand for pages of [first, first + count). */
static inline uint64_t region_mask(unsigned w, unsigned first, unsigned count)
{
	unsigned start = w * 64;
	unsigned end = first + count;
	uint64_t from = first > start ? UINT64_MAX << (first - start) : UINT64_MAX;
	uint64_t to = end < start + 64 ? (UINT64_C(1) << (end - start)) - 1 : UINT64_MAX;

	return from & to;
}

/* Visits the words that have bits of [first, first + count). */
#define for_each_word(w, first, count)                                                             \
	for (unsigned w = (first) / 64; (count) && w * 64 < (first) + (count); w++)

/* Is a bit set in [first, first + count). */
static inline bool region_any(const region_bits bits, unsigned first, unsigned count)
{
	for_each_word (w, first, count)
		if (bits[w] & region_mask(w, first, count))
			return true;
	return false;
}

static inline bool region_any_page(const struct region *region)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < REGION_PAGES / 64; i++)
		any |= region->page[i];
	return any;
}

static inline unsigned region_count(const region_bits bits)
{
	unsigned count = 0;

	for (unsigned i = 0; i < REGION_PAGES / 64; i++)
		count += (unsigned)__builtin_popcountll(bits[i]);
	return count;
}

static inline unsigned shadow_region_shift(const struct shadow *shadow)
{
	return shadow->page_shift + REGION_BITS;
}

/* First address of a region, and the number of a page in it. */
static inline uint64_t region_va(const struct shadow *shadow, const struct region *region)
{
	return region->index << shadow_region_shift(shadow);
}

static inline unsigned page_in_region(const struct shadow *shadow, uint64_t va)
{
	return (unsigned)(va >> shadow->page_shift) & (REGION_PAGES - 1);
}

/* The region of an address; NULL: nothing was ever mapped there. */
struct region *shadow_find(struct shadow *shadow, uint64_t va);

/* The same, made if it is missing. */
struct region *shadow_make(struct shadow *shadow, uint64_t va);

/* Position of the first region that does not end before va; count: there is none. */
size_t shadow_from(const struct shadow *shadow, uint64_t va);

/* Forgets regions without pages. */
void shadow_tidy(struct shadow *shadow);

void shadow_free(struct shadow *shadow);

#endif
