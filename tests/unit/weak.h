/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a reader may see of a few words that one writer stores to, by release and acquire as C11 has
 * them: where all accesses are atomic, no race shows a missing order. A word is the list of what
 * was ever stored to it; a reader may be given any of that but what is older than something it
 * knows of, and learns what a release store knew by an acquire load of it. The writer reads nothing
 * that others store, so that all it does can be done before the reader begins.
 *
 * Included before the code that is to be judged, whose accesses then go here. A test is a loop:
 *   do { weak_begin(); what the writer does; what the reader does } while (weak_next());
 */
#ifndef TESTS_UNIT_WEAK_H
#define TESTS_UNIT_WEAK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ptdesc/atomic.h>

enum weak_order { WEAK_RELAXED, WEAK_ACQUIRE, WEAK_RELEASE };

#define WEAK_WORDS   4u
#define WEAK_STORES  16u
#define WEAK_CHOICES 64u

/* How many stores to each word are known to have been made. */
struct weak_view {
	unsigned stores[WEAK_WORDS];
};

struct weak_store {
	uint64_t value;
	struct weak_view known; /* to who acquires it */
};

static struct {
	const volatile void *address[WEAK_WORDS]; /* of each word that was stored to */
	struct weak_store stored[WEAK_WORDS][WEAK_STORES];
	unsigned stores[WEAK_WORDS];
	struct weak_view writer;
	struct weak_view fenced; /* what the writer knew at its last release fence */
	struct weak_view reader;
	/* Which of what it may be given the reader is given at each load, and of how many. */
	unsigned choice[WEAK_CHOICES];
	unsigned choices[WEAK_CHOICES];
	unsigned loads;
} weak;

static inline unsigned weak_word(const volatile void *p)
{
	unsigned word = 0;

	while (weak.address[word] && weak.address[word] != p)
		word++;
	assert_true(word < WEAK_WORDS);
	weak.address[word] = p;
	return word;
}

static inline void weak_store(const volatile void *p, uint64_t value, enum weak_order order)
{
	unsigned word = weak_word(p);
	struct weak_store *s = &weak.stored[word][weak.stores[word]];

	assert_true(weak.stores[word] < WEAK_STORES);
	weak.writer.stores[word] = ++weak.stores[word];
	s->value = value;
	s->known = order == WEAK_RELEASE ? weak.writer : weak.fenced;
}

/* The writer's, who alone stores to it. */
static inline void weak_add(const volatile void *p, uint64_t value, enum weak_order order)
{
	unsigned word = weak_word(p);

	weak_store(p, weak.stored[word][weak.stores[word] - 1].value + value, order);
}

static inline void weak_fence(enum weak_order order)
{
	if (order == WEAK_RELEASE)
		weak.fenced = weak.writer;
}

static inline uint64_t weak_load(const volatile void *p, enum weak_order order)
{
	unsigned word = weak_word(p);
	unsigned oldest = weak.reader.stores[word];
	const struct weak_store *s;
	unsigned at;

	assert_true(oldest && weak.loads < WEAK_CHOICES);
	at = oldest + weak.choice[weak.loads];
	weak.choices[weak.loads++] = weak.stores[word] - oldest + 1;
	weak.reader.stores[word] = at;
	s = &weak.stored[word][at - 1];
	for (unsigned i = 0; order == WEAK_ACQUIRE && i < WEAK_WORDS; i++)
		if (s->known.stores[i] > weak.reader.stores[i])
			weak.reader.stores[i] = s->known.stores[i];
	return s->value;
}

/* Nothing was stored to any word yet. */
static inline void weak_begin(void)
{
	const struct weak_view nothing = {{0}};

	for (unsigned i = 0; i < WEAK_WORDS; i++)
		weak.stores[i] = 0;
	weak.writer = nothing;
	weak.fenced = nothing;
	weak.loads = 0;
}

/* The reader knows all that was stored so far. */
static inline void weak_share(void)
{
	weak.reader = weak.writer;
}

/* Another way to choose; false: all were tried. */
static inline bool weak_next(void)
{
	while (weak.loads && weak.choice[weak.loads - 1] + 1 >= weak.choices[weak.loads - 1])
		weak.loads--;
	if (weak.loads)
		weak.choice[weak.loads - 1]++;
	for (unsigned i = weak.loads; i < WEAK_CHOICES; i++)
		weak.choice[i] = 0;
	return weak.loads;
}

#undef PT_LOAD
#undef PT_STORE
#undef PT_FETCH_ADD
#undef PT_FENCE
#define PT_LOAD(p, order)         weak_load((p), WEAK_##order)
#define PT_STORE(p, v, order)     weak_store((p), (v), WEAK_##order)
#define PT_FETCH_ADD(p, v, order) weak_add((p), (v), WEAK_##order)
#define PT_FENCE(order)           weak_fence(WEAK_##order)

#endif
