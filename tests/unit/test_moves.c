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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_page_that_moves_is_always_there),
		cmocka_unit_test(test_a_page_is_at_one_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
