/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Entries of 8 bytes on a CPU that has no 8-byte atomics (format/entry_api.h, PF_WORDS): what a
 * reader may see, by every order in which the two words may reach it. The accesses of the real code
 * go to a model of release and acquire: a word is the list of what was ever stored to it, a reader
 * may be given any of that but what is older than something it knows of, and it learns what a
 * release store knew by an acquire load of it. The writer loads nothing, so that all of it can be
 * done before the reader begins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ptdesc/atomic.h>

enum order { ORDER_RELAXED, ORDER_ACQUIRE, ORDER_RELEASE };

static uint32_t model_load(const uint32_t *p, enum order order);
static void model_store(const uint32_t *p, uint32_t value, enum order order);

#undef PT_LOAD
#undef PT_STORE
#define PT_LOAD(p, order)     model_load((p), ORDER_##order)
#define PT_STORE(p, v, order) model_store((p), (v), ORDER_##order)

#define FAKE      8
#define PF_ACCESS 3
#include "format/fake.h"
#include "format/entry_api.h"

#define WORDS   3u /* the two of the entry, and one that the entry is to publish */
#define STORES  16u
#define CHOICES 64u
#define ENTRIES 3u
#define CONTENT UINT32_C(0xc0)

/* How many stores to each word are known to have been made. */
struct view {
	unsigned stores[WORDS];
};

struct message {
	uint32_t value;
	struct view known; /* by who stored it; of a relaxed store nothing */
};

static pf_entry place;
static uint32_t content;
static struct message stored[WORDS][STORES];
static unsigned stores[WORDS];
static struct view writer;
static struct view reader;

/* Which of what it may be given a reader is given at each load, and of how many. */
static unsigned choice[CHOICES];
static unsigned choices[CHOICES];
static unsigned loads;

static unsigned word_of(const uint32_t *p)
{
	const uint32_t *words = (const uint32_t *)(const void *)&place;

	return p == &content ? 2u : (unsigned)(p - words);
}

static void model_store(const uint32_t *p, uint32_t value, enum order order)
{
	unsigned word = word_of(p);
	struct message *m = &stored[word][stores[word]];
	const struct view nothing = {{0}};

	assert_true(stores[word] < STORES);
	writer.stores[word] = ++stores[word];
	m->value = value;
	m->known = order == ORDER_RELEASE ? writer : nothing;
}

static uint32_t model_load(const uint32_t *p, enum order order)
{
	unsigned word = word_of(p);
	unsigned oldest = reader.stores[word];
	const struct message *m;
	unsigned at;

	assert_true(loads < CHOICES);
	at = oldest + choice[loads];
	choices[loads++] = stores[word] - oldest + 1;
	reader.stores[word] = at;
	m = &stored[word][at - 1];
	for (unsigned i = 0; order == ORDER_ACQUIRE && i < WORDS; i++)
		if (m->known.stores[i] > reader.stores[i])
			reader.stores[i] = m->known.stores[i];
	return m->value;
}

/* The next way to choose; false: that was the last. */
static bool choose(void)
{
	while (loads && choice[loads - 1] + 1 >= choices[loads - 1])
		loads--;
	if (loads)
		choice[loads - 1]++;
	for (unsigned i = loads; i < CHOICES; i++)
		choice[i] = 0;
	return loads;
}

/* Leaves: the second differs from the first in one word, the third from the second in the other. */
static pf_entry entry_number(unsigned n)
{
	static const uint64_t frame[ENTRIES] = {0x40111, 0x80111, 0x80222};

	return pf_make_leaf(frame[n] << PF_PAGE_SHIFT, 0, pf_attr_bits(pf_make_leaf(0, 0, 0), 0));
}

/* The entry is empty; content is written; then the entry takes one value after the other. */
static void write_all(void)
{
	const struct view nothing = {{0}};

	for (unsigned i = 0; i < WORDS; i++)
		stores[i] = 0;
	writer = nothing;
	pf_store(&place, pf_empty(0));
	PT_STORE(&content, 0, RELAXED);
	reader = writer; /* so far */
	PT_STORE(&content, CONTENT, RELAXED);
	for (unsigned n = 0; n < ENTRIES; n++)
		pf_store(&place, entry_number(n));
}

/* What a reader found: was it ever there, and does it lead to what was written before. */
static void check_found(pf_entry e, bool *seen)
{
	unsigned n = 0;

	while (n < ENTRIES && e != entry_number(n))
		n++;
	if (n == ENTRIES) {
		assert_true(e == pf_empty(0) || e == pf_busy(0));
		return;
	}
	seen[n] = true;
	assert_int_equal(PT_LOAD(&content, RELAXED), CONTENT);
}

static void test_no_mixture_is_seen(void **state)
{
	bool seen[ENTRIES] = {false};
	unsigned ways = 0;

	(void)state;
	do {
		loads = 0;
		write_all();
		check_found(pf_load(&place), seen);
		ways++;
	} while (choose());
	for (unsigned n = 0; n < ENTRIES; n++)
		assert_true(seen[n]);
	print_message("# %u ways to see %u stores\n", ways, ENTRIES);
}

/* Who holds the table's lock finds what was stored last, if it knows of it. */
static void test_the_holder_finds_the_last(void **state)
{
	(void)state;
	do {
		loads = 0;
		write_all();
		reader = writer;
		assert_true(pf_load_locked(&place) == entry_number(ENTRIES - 1));
		pf_store_leaf(&place, entry_number(0));
		reader = writer;
		assert_true(pf_exchange(&place, pf_empty(0)) == entry_number(0));
	} while (choose());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_mixture_is_seen),
		cmocka_unit_test(test_the_holder_finds_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
