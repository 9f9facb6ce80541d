/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Locks of tables: which lock guards which table, with a lock for each and with one for a space;
 * and what hardened builds stop: each rule of order that is broken, each thing done under a lock
 * that may not be.
 */
#include "space/op.h"
#include "tests/unit/core_kit.h"

#define LOW    UINT64_C(0x40000000)
#define HIGH   UINT64_C(0x40200000)
#define SHARED UINT64_C(0x8000000000)
#define ATTR   pt_make_attr(PT_READ | PT_WRITE)

/* Two spaces, each with two leaf tables side by side. */
struct world {
	struct kit kit;
	struct pt_space space[2];
};

static uint32_t *held; /* by another CPU, which gives it to who waits */
static unsigned waited;
static struct world *copied; /* what is at SHARED in its first space is shared before that */

static void wait_while(void *ctx, const uint32_t *address, uint32_t value)
{
	(void)ctx;
	assert_ptr_equal(address, held);
	assert_int_equal(value, 1);
	*held = 0;
	waited++;
	if (copied)
		assert_int_equal(pt_copy(&copied->space[1], &copied->space[0], pt_make_va(SHARED),
				     0x200000, PT_COW | PT_SHARE),
		    0);
	copied = NULL;
}

static struct pt_space *meddled; /* another CPU maps into it while the first table is asked for */

static void map_page(struct pt_space *space, uint64_t va)
{
	assert_int_equal(pt_map(space, pt_make_va(va), 4096, pt_make_pa(0), ATTR, 0), 0);
}

static int table_event(void *ctx, pt_pa pa, size_t size, unsigned level, bool start)
{
	struct pt_space *space = meddled;

	(void)ctx;
	(void)pa;
	(void)size;
	(void)level;
	meddled = NULL;
	if (start && space)
		map_page(space, SHARED);
	return 0;
}

static void with_another_cpu(struct pt_port *port)
{
	port->wait_while = wait_while;
	port->table_event = table_event;
}

static void open_with(struct world *w, bool irq)
{
	struct pt_config config = kit_config();

	config.irq = irq;
	kit_open(&w->kit, &config, with_another_cpu);
	waited = 0;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pt_space_init(&w->space[i], w->kit.memory, &pt_format_x86_64, 0,
				     NULL),
		    0);
		map_page(&w->space[i], LOW);
		map_page(&w->space[i], HIGH);
	}
}

static void open_world(struct world *w)
{
	open_with(w, false);
}

static void close_world(struct world *w)
{
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pt_space_destroy(&w->space[i], NULL), 0);
	kit_close(&w->kit);
}

/* The table of a level on the way to an address. */
static struct ptdesc *table_at(struct world *w, unsigned space, uint64_t va, unsigned level)
{
	struct ptdesc *pt = w->space[space].root;

	while (ptdesc_level(pt) > level) {
		const uint64_t *entry = ptdesc_address(w->kit.memory, pt);
		uint64_t e = entry[va >> (12 + 9 * ptdesc_level(pt)) & 511];

		pt = ptdesc_from_pa(w->kit.memory, pt_make_pa(e & UINT64_C(0xffffffffff000)));
	}
	return pt;
}

/* The lock found from an entry's address is the one that the call takes (L1). */
static void test_lock_of_an_entry(void **state)
{
	struct world w;
	struct ptdesc *leaf;
	uint32_t *lock;

	(void)state;
	open_world(&w);
	leaf = table_at(&w, 0, LOW, 0);
	lock = ptdesc_lock_of(w.kit.memory, (char *)ptdesc_address(w.kit.memory, leaf) + 8);
	assert_ptr_equal(lock, PT_ONE_LOCK ? &w.space[0].root->lock : &leaf->lock);
	ptdesc_lock(w.kit.memory, leaf);
	assert_int_equal(*lock, 1);
	assert_int_equal(w.space[1].root->lock, 0);
	ptdesc_unlock(w.kit.memory, leaf);
	assert_int_equal(*lock, 0);
	close_world(&w);
}

/* A table that spaces share has a lock of its own in both builds. */
static void test_lock_of_a_shared_table(void **state)
{
	const uint64_t at = UINT64_C(0x80000000);
	struct world w;
	struct ptdesc *pt;
	uint64_t tables;

	(void)state;
	open_world(&w);
	assert_int_equal(pt_map(&w.space[0], pt_make_va(at), 0x200000, pt_make_pa(0), ATTR, 0), 0);
	tables = pt_account_tables(&w.space[0].account, 1);
	assert_int_equal(pt_share_table(&w.space[1], &w.space[0], pt_make_va(at), 0), 0);
	pt = table_at(&w, 0, at, 1);
	assert_ptr_equal(pt, table_at(&w, 1, at, 1));
	assert_ptr_equal(ptdesc_lock_of(w.kit.memory, ptdesc_address(w.kit.memory, pt)), &pt->lock);
	/* Who shares it does not account for it. */
	assert_int_equal(pt_account_tables(&w.space[0].account, 1), tables - 1);
	close_world(&w);
}

/* Nothing stays locked, whatever a call answers. */
/* A move waits for another of the space, and whoever changes a shared table for the others. */
static void test_waits(void **state)
{
	const uint64_t at = UINT64_C(0x80000000);
	struct world w;

	(void)state;
	open_world(&w);
	held = &w.space[0].move_lock;
	*held = 1;
	assert_int_equal(pt_move(&w.space[0], pt_make_va(LOW), 4096, pt_make_va(LOW + 4096), 0), 0);
	assert_int_equal(waited, 1);
	assert_int_equal(pt_map(&w.space[0], pt_make_va(at), 0x200000, pt_make_pa(0), ATTR, 0), 0);
	assert_int_equal(pt_share_table(&w.space[1], &w.space[0], pt_make_va(at), 0), 0);
	/* The page before it, so that the shared table is not where the call begins. */
	held = &table_at(&w, 0, at, 1)->lock;
	*held = 1;
	assert_int_equal(pt_protect(&w.space[1], pt_make_va(at - 4096), 0x201000,
			     pt_make_attr(PT_READ), 0),
	    0);
	assert_int_equal(waited, 2);
	close_world(&w);
}

/* A table that became shared while one waited for its lock has another one then. */
static void test_becomes_shared(void **state)
{
	struct ptdesc *leaf;
	struct world w;

	(void)state;
	open_world(&w);
	map_page(&w.space[0], SHARED);
	leaf = table_at(&w, 0, SHARED, 0);
	held = ptdesc_lock_of(w.kit.memory, ptdesc_address(w.kit.memory, leaf));
	*held = 1;
	copied = &w;
	ptdesc_lock(w.kit.memory, leaf);
	assert_int_equal(waited, 1);
	assert_int_equal(leaf->lock, 1);
	assert_int_equal(w.space[0].root->lock, 0);
	ptdesc_unlock(w.kit.memory, leaf);
	assert_int_equal(leaf->lock, 0);
	close_world(&w);
}

/* What another made while a call asked for memory, and held no lock, is seen. */
static void test_looks_again(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(pt_map(&w.space[0], pt_make_va(SHARED), 0x200000, pt_make_pa(0), ATTR, 0),
	    0);
	meddled = &w.space[1];
	assert_int_equal(pt_share_table(&w.space[1], &w.space[0], pt_make_va(SHARED), 0),
	    -PT_EEXIST);
	assert_null(meddled);
	close_world(&w);
}

static void test_all_is_unlocked(void **state)
{
	struct world w;
	const pt_va low = pt_make_va(LOW);

	(void)state;
	open_world(&w);
	assert_int_equal(pt_map(&w.space[0], low, 0x400000, pt_make_pa(0), ATTR, 0), -PT_EEXIST);
	assert_int_equal(pt_copy(&w.space[1], &w.space[0], low, 0x400000, PT_COW), -PT_EEXIST);
	assert_int_equal(pt_move(&w.space[0], low, 4096, pt_make_va(HIGH), 0), -PT_EEXIST);
	assert_int_equal(pt_collapse(&w.space[0], low, 1, 0), -PT_ENOENT);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned l = 0; l < 4; l++)
			assert_int_equal(table_at(&w, i, HIGH, l)->lock, 0);
	close_world(&w);
}

#ifdef PT_HARDENED

/* What stopped has left locks and sections as they were: nothing is closed. */
static int stop_when_locked(struct world *w, struct ptdesc *first, struct ptdesc *second)
{
	ptdesc_lock(w->kit.memory, first);
	return KIT_STOP_CODE(&w->kit, ptdesc_lock(w->kit.memory, second));
}

static void test_order(void **state)
{
	/* Where there is one lock it is the same, or the other space's. */
	const int below = PT_ONE_LOCK ? PT_STOP_LOCK_TWICE : PT_STOP_LOCK_ORDER;
	static const struct {
		unsigned space, level;
		uint64_t va;
	} first[] = {{0, 0, LOW}, {0, 0, HIGH}, {0, 1, LOW}, {1, 0, LOW}, {1, 3, LOW}},
	  second[] = {{0, 1, LOW}, {0, 0, LOW}, {0, 3, LOW}, {0, 0, HIGH}, {0, 3, LOW}};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		for (unsigned wrong = 0; wrong < 2; wrong++) {
			struct world w;
			struct ptdesc *a;
			struct ptdesc *b;
			bool two = first[i].space != second[i].space;

			open_world(&w);
			a = table_at(&w, first[i].space, first[i].va, first[i].level);
			b = table_at(&w, second[i].space, second[i].va, second[i].level);
			assert_int_equal(stop_when_locked(&w, wrong ? a : b, wrong ? b : a),
			    !wrong && (two || !PT_ONE_LOCK) ? 0
			    : two                           ? PT_STOP_LOCK_ORDER
							    : below);
			kit_abandon(&w.kit);
		}
	}
}

/* A truly shared table is the last (16). */
static void test_shared_last(void **state)
{
	const uint64_t at = UINT64_C(0x80000000);
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(pt_map(&w.space[0], pt_make_va(at), 0x200000, pt_make_pa(0), ATTR, 0), 0);
	map_page(&w.space[0], at + 0x40000000);
	assert_int_equal(pt_share_table(&w.space[1], &w.space[0], pt_make_va(at), 0), 0);
	/* An operation that meets it before other tables locks it after them. */
	assert_int_equal(pt_protect(&w.space[0], pt_make_va(at), UINT64_C(0x80000000),
			     pt_make_attr(PT_READ), 0),
	    0);
	assert_int_equal(stop_when_locked(&w, table_at(&w, 0, at, 1),
			     table_at(&w, 0, at + 0x40000000, 0)),
	    PT_STOP_LOCK_ORDER);
	kit_abandon(&w.kit);
}

static void test_holder(void **state)
{
	struct world w;
	struct ptdesc *pt;

	(void)state;
	open_world(&w);
	pt = table_at(&w, 0, LOW, 0);
	assert_int_equal(KIT_STOP_CODE(&w.kit, ptdesc_unlock(w.kit.memory, pt)),
	    PT_STOP_NOT_LOCKED);
	assert_int_equal(stop_when_locked(&w, pt, pt), PT_STOP_LOCK_TWICE);
	w.kit.cpu = 1;
	assert_int_equal(KIT_STOP_CODE(&w.kit, ptdesc_unlock(w.kit.memory, pt)),
	    PT_STOP_NOT_HOLDER);
	w.kit.cpu = 0;
	ptdesc_unlock(w.kit.memory, pt);
	close_world(&w);
}

/* No lock after the first store (6). */
static void test_two_phases(void **state)
{
	struct pt_op op;
	struct world w;
	struct ptdesc *pt;

	(void)state;
	open_world(&w);
	pt = table_at(&w, 0, LOW, 0);
	pt_op_begin(&op, &w.space[0], NULL, 0, NULL);
	pt_op_lock(&op, &op.side[0], pt);
	pt_op_hold(&op, &op.side[0], pt);
	op.stores = true;
	pt = table_at(&w, 0, HIGH, 0);
	pt_op_lock(&op, &op.side[0], pt);
	assert_int_equal(KIT_STOP_CODE(&w.kit, pt_op_hold(&op, &op.side[0], pt)),
	    PT_STOP_LOCK_LATE);
	assert_int_equal(KIT_STOP_CODE(&w.kit, pt_op_hold(&op, &op.side[0], w.space[0].root)),
	    PT_STOP_LOCK_LATE);
	kit_abandon(&w.kit);
}

/* What may sleep, and what allocates, is not called with a table locked; nor is a space's call. */
static void test_under_a_lock(void **state)
{
	struct pt_memory *memory;
	struct world w;
	void *pt;

	(void)state;
	open_world(&w);
	memory = w.kit.memory;
	ptdesc_lock(memory, table_at(&w, 0, LOW, 0));
	assert_int_equal(KIT_STOP_CODE(&w.kit, (void)pt_memory_shrink(memory)),
	    PT_STOP_WAIT_LOCKED);
	assert_int_equal(KIT_STOP_CODE(&w.kit, (void)pt_reclaim_poll(memory, false)),
	    PT_STOP_WAIT_LOCKED);
	assert_int_equal(KIT_STOP_CODE(&w.kit, pt_grace_wait(memory)), PT_STOP_WAIT_LOCKED);
	assert_int_equal(KIT_STOP_CODE(&w.kit,
			     pt = pagetable_alloc(memory, w.space[0].classes[0], 0, NULL, 0)),
	    PT_STOP_ALLOC_LOCKED);
	for (uint64_t size = 4096; size <= 8192; size += 4096) {
		assert_int_equal(KIT_STOP_CODE(&w.kit,
				     (void)!pt_map(&w.space[1], pt_make_va(HIGH + 4096), size,
					 pt_make_pa(0), ATTR, 0)),
		    PT_STOP_ENTER_LOCKED);
		assert_int_equal(KIT_STOP_CODE(&w.kit,
				     (void)!pt_unmap(&w.space[1], pt_make_va(HIGH), size, 0, NULL)),
		    PT_STOP_ENTER_LOCKED);
		assert_int_equal(KIT_STOP_CODE(&w.kit, (void)!pt_protect(&w.space[1],
							   pt_make_va(HIGH), size, ATTR, 0)),
		    PT_STOP_ENTER_LOCKED);
	}
	assert_int_equal(w.kit.in_section, 0);
	ptdesc_unlock(memory, table_at(&w, 0, LOW, 0));
	close_world(&w);
}

/* A handler that allocates may have interrupted who holds a lock on its CPU. */
static void test_in_a_handler(void **state)
{
	struct ptdesc *locked;
	struct ptdesc *pt;
	struct world w;

	(void)state;
	open_with(&w, true);
	locked = table_at(&w, 0, LOW, 0);
	ptdesc_lock(w.kit.memory, locked);
	pt = pagetable_alloc(w.kit.memory, w.space[0].classes[0], 0, NULL, 0);
	assert_non_null(pt);
	pagetable_free(w.kit.memory, pt, NULL);
	ptdesc_unlock(w.kit.memory, locked);
	close_world(&w);
}

#endif

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lock_of_an_entry),
		cmocka_unit_test(test_lock_of_a_shared_table),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_becomes_shared),
		cmocka_unit_test(test_looks_again),
		cmocka_unit_test(test_all_is_unlocked),
#ifdef PT_HARDENED
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_shared_last),
		cmocka_unit_test(test_holder),
		cmocka_unit_test(test_two_phases),
		cmocka_unit_test(test_under_a_lock),
		cmocka_unit_test(test_in_a_handler),
#endif
	};

	return KIT_RUN("locks", tests);
}
