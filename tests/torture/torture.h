/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Torture: threads that change address spaces while others read them. Two spaces, and in both the
 * same regions, which share tables at their borders:
 *
 *   own      one for each writer, who alone changes it and knows every page of it
 *   commons  all writers change it at will; where something is mapped is only known as a function
 *   anvil    is always mapped; it is split, collapsed and protected, and must never look unmapped
 *   joint    large leaves, in a table that the spaces share or do not
 *
 * A frame number says who mapped it, so that a reader who gets hold of a table of another life sees
 * it; and a table is full of poison from its last grace period to its next use.
 */
#ifndef TESTS_TORTURE_TORTURE_H
#define TESTS_TORTURE_TORTURE_H

#include <ptdesc/hosted.h>
#include <ptdesc/space.h>
#include "core/memory.h"

#define MAX_WRITERS 6u
#define OWN_MAX     2048u /* pages of an own region at most */
#define SPACES      2u
#define ARENA_BYTES (UINT64_C(64) << 20)

/* Frames: the upper part says whose, the lower which. */
#define TAG_SHIFT   14u
#define TAG_COMMONS 9u
#define TAG_ANVIL   10u
#define TAG_POISON  11u
#define TAG_JOINT   12u

/* A number of pages somewhere, from a page number on. */
struct region {
	uint64_t first;
	uint64_t pages;
};

struct torture {
	struct pt_memory *memory;
	const struct pt_format *format;
	struct pt_space spaces[SPACES];
	unsigned writers;
	uint64_t ops;   /* each writer makes so many */
	uint64_t seed;  /* of the first thread */
	uint64_t large; /* pages of a large leaf */
	struct region own[MAX_WRITERS];
	struct region commons;
	struct region anvil;
	struct region joint; /* pages 0: the format has no level for it */
	uint64_t joint_frame;
	uint32_t done;      /* writers that are */
	uint64_t backlog;   /* most tables that were seen to wait for a grace period */
	uint64_t read;      /* translations that readers checked */
	uint64_t no_memory; /* calls that said so */
};

/* A thread. */
struct actor {
	struct torture *t;
	unsigned number;
	uint64_t random;
	uint64_t op; /* what it is at */
	uint64_t checked;
	uint64_t no_memory;
};

/* What a page of an own region is. */
struct page {
	uint64_t frame; /* 0: nothing is mapped */
	bool writable;
};

/* Ends the program: what failed, and where. */
_Noreturn void torture_fail(const struct actor *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline uint64_t random_next(struct actor *a)
{
	a->random ^= a->random >> 12;
	a->random ^= a->random << 25;
	a->random ^= a->random >> 27;
	return a->random * UINT64_C(0x2545f4914f6cdd1d);
}

/* A number below n; 0 below 0. */
static inline uint64_t random_below(struct actor *a, uint64_t n)
{
	return n ? (random_next(a) >> 16) % n : 0;
}

static inline bool one_in(struct actor *a, uint64_t n)
{
	return random_below(a, n) == 0;
}

static inline pt_va va_of(const struct torture *t, uint64_t page)
{
	return pt_make_va(page << t->format->page_shift);
}

static inline pt_pa pa_of(const struct torture *t, uint64_t frame)
{
	return pt_make_pa(frame << t->format->page_shift);
}

static inline uint64_t bytes_of(const struct torture *t, uint64_t pages)
{
	return pages << t->format->page_shift;
}

/* A part of a region: often one page, seldom all of it. */
struct region random_part(struct actor *a, struct region r);

/* Flags that change how a call works, not what it does. */
uint32_t random_flags(struct actor *a, uint32_t allowed);

/* A call that may run out of memory, or have found this error; all others fail the run. */
int expect(struct actor *a, const char *call, int got, int error);

/* One operation of a writer on its own region, checked against what it knows. owner.c */
struct owner;
struct owner *owner_create(struct torture *t, unsigned number);
void owner_destroy(struct owner *o);
void owner_step(struct actor *a, struct owner *o);

/* One operation on what belongs to all. commons.c */
void commons_step(struct actor *a);

/* The frame that is mapped at a page of commons, anvil or joint, if any. */
uint64_t frame_of(const struct torture *t, uint64_t page);

/* A reader's step: one or more translations, checked. readers.c */
void reader_step(struct actor *a);

/* Takes hold of the tables' life: poison after the last grace period, and lives counted. lives.c */
void lives_begin(struct torture *t);

/* Counts up when what is at an address becomes a table, and when it stops being one: odd, it is. */
uint32_t life_of(uint64_t pa);

/* An entry as a number, from the format's byte order, and back. */
uint64_t entry_swapped(const struct torture *t, uint64_t entry);

#endif
