/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Entries of 8 bytes on a CPU that has no 8-byte atomics (format/entry_api.h, PF_WORDS): what a
 * reader may see, by every order in which the two words may reach it.
 */
#include "tests/unit/weak.h"

#define FAKE      8
#define PF_ACCESS 3
#include "format/fake.h"
#include "format/entry_api.h"

#define ENTRIES 3u
#define CONTENT 0xc0u

static pf_entry place;
static uint32_t content; /* what the entry is to publish */

/* Leaves: the second differs from the first in one word, the third from the second in the other. */
static pf_entry entry_number(unsigned n)
{
	static const uint64_t frame[ENTRIES] = {0x40111, 0x80111, 0x80222};

	return pf_make_leaf(frame[n] << PF_PAGE_SHIFT, 0, pf_attr_bits(pf_make_leaf(0, 0, 0), 0));
}

/* The entry is empty; content is written; then the entry takes one value after the other. */
static void write_all(void)
{
	weak_begin();
	pf_store(&place, pf_empty(0));
	PT_STORE(&content, 0, RELAXED);
	weak_share();
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
		write_all();
		check_found(pf_load(&place), seen);
		ways++;
	} while (weak_next());
	for (unsigned n = 0; n < ENTRIES; n++)
		assert_true(seen[n]);
	print_message("# %u ways to see %u stores\n", ways, ENTRIES);
}

/* Who holds the table's lock finds what was stored last, and knows of it. */
static void test_the_holder_finds_the_last(void **state)
{
	(void)state;
	do {
		write_all();
		weak_share();
		assert_true(pf_load_locked(&place) == entry_number(ENTRIES - 1));
		pf_store_leaf(&place, entry_number(0));
		weak_share();
		assert_true(pf_exchange(&place, pf_empty(0)) == entry_number(0));
	} while (weak_next());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_mixture_is_seen),
		cmocka_unit_test(test_the_holder_finds_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
