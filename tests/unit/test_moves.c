/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A reader beside a move (space/move_seq.h): whatever reaches it in which order, it must not find
 * the source empty and the target empty after that, nor the page at both.
 */
#include "tests/unit/weak.h"

#define FAKE 8
#include "format/fake.h"
#include "format/entry_api.h"
#include "space/move_seq.h"

#define TRIES 3u /* then the way is given up: the move has been seen under way so often */

static pf_entry source;
static pf_entry target;
static uint32_t seq;

static pf_entry page(void)
{
	return pf_make_leaf(0x40111 << PF_PAGE_SHIFT, 0, pf_attr_bits(pf_make_leaf(0, 0, 0), 0));
}

static void move_page(void)
{
	weak_begin();
	PT_STORE(&seq, 6, RELAXED);
	pf_store(&source, page());
	pf_store(&target, pf_empty(0));
	weak_share();
	move_begin(&seq);
	pf_store_leaf(&source, pf_empty(0));
	pf_store_leaf(&target, page());
	move_end(&seq);
}

/* As a look-up does it. false: given up. */
static bool look(const pf_entry *entry, pf_entry *found)
{
	for (unsigned i = 0; i < TRIES; i++) {
		uint32_t before = move_look(&seq);

		*found = pf_load(entry);
		if (!move_seen(&seq, before) && !(before & 1))
			return true;
	}
	return false;
}

static void test_a_page_that_moves_is_always_there(void **state)
{
	unsigned ways[2] = {0, 0};
	pf_entry first;
	pf_entry second;

	(void)state;
	do {
		move_page();
		if (!look(&source, &first) || !look(&target, &second))
			continue;
		ways[first == pf_empty(0)]++;
		assert_true(first != pf_empty(0) || second == page());
	} while (weak_next());
	assert_true(ways[0] && ways[1]);
	print_message("# %u ways before the move, %u after it\n", ways[0], ways[1]);
}

static void test_a_page_is_at_one_place(void **state)
{
	pf_entry first;
	pf_entry second;

	(void)state;
	do {
		move_page();
		if (look(&target, &first) && look(&source, &second))
			assert_true(first == pf_empty(0) || second == pf_empty(0));
	} while (weak_next());
}

/* An entry leads to a leaf in a table that the space leaves; another changes that afterwards. */
static void leave_table(void)
{
	weak_begin();
	PT_STORE(&seq, 6, RELAXED);
	pf_store(&source, page());
	pf_store(&target, page());
	weak_share();
	pf_store_leaf(&source, pf_empty(0));
	move_retry(&seq);
	pf_store(&target, pf_empty(0));
}

/* Goes where the entry leads. false: given up. */
static bool follow(pf_entry *above, pf_entry *leaf)
{
	for (unsigned i = 0; i < TRIES; i++) {
		uint32_t before = move_look(&seq);

		*above = pf_load(&source);
		*leaf = pf_load(&target);
		if (!move_seen(&seq, before))
			return true;
	}
	return false;
}

/* What others do to a table is not seen by who came to it by an entry that is no more. */
static void test_a_table_that_was_left(void **state)
{
	unsigned ways[2] = {0, 0};
	pf_entry above;
	pf_entry leaf;

	(void)state;
	do {
		leave_table();
		if (!follow(&above, &leaf))
			continue;
		ways[above == pf_empty(0)]++;
		assert_true(above == pf_empty(0) || leaf == page());
	} while (weak_next());
	assert_true(ways[0] && ways[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_page_that_moves_is_always_there),
		cmocka_unit_test(test_a_page_is_at_one_place),
		cmocka_unit_test(test_a_table_that_was_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
