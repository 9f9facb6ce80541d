/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tables on their way out: batches, grace periods, waiting, nothing freed too early. */
#include "tests/unit/core_kit.h"

static struct ptdesc *alloc(struct kit *kit)
{
	struct ptdesc *pt = pagetable_alloc(kit->memory, 0, 0, NULL, 0);

	assert_non_null(pt);
	return pt;
}

static void defer(struct kit *kit, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		pagetable_free_defer(kit->memory, alloc(kit), NULL);
}

static void open_kit(struct kit *kit)
{
	struct pt_config config = kit_config();

	config.section_shift = 12;
	kit_open(kit, &config, NULL);
	kit_class(kit, 4096, 0, 8);
}

static void test_nothing_to_do(void **state)
{
	struct kit kit;

	(void)state;
	open_kit(&kit);
	assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	assert_int_equal(pt_reclaim_poll(kit.memory, true), 0);
	defer(&kit, PT_BATCH_TABLES - 1);
	assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	assert_int_equal(kit.started, 0);
	assert_int_equal(kit.waits, 0);
	assert_int_equal(kit_stats(&kit).deferred, PT_BATCH_TABLES - 1);
	kit_close(&kit);
}

static void test_a_batch_waits_for_its_grace_period(void **state)
{
	struct ptdesc *pt;
	struct kit kit;

	(void)state;
	open_kit(&kit);
	pt = alloc(&kit);
	pt->used = 1;
	memset(ptdesc_address(kit.memory, pt), 0x77, 4096);
	pagetable_free_defer(kit.memory, pt, NULL);
	defer(&kit, PT_BATCH_TABLES - 1);
	assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	assert_int_equal(kit.started, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	assert_int_equal(kit.started, 1);
	/* A few more are no batch, though there is something to do. */
	defer(&kit, 1);
	assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	assert_int_equal(kit.started, 1);
	/* Frozen: typed, dead, its content what it was (rule 11). */
	assert_int_equal(pt->dead, 1);
	assert_int_equal(kit_type(&kit, ptdesc_pfn(pt)), MEMDESC_PAGE_TABLE);
	assert_int_equal(*(unsigned char *)ptdesc_address(kit.memory, pt), 0x77);
	assert_int_equal(kit_stats(&kit).deferred, PT_BATCH_TABLES + 1);
	assert_int_equal(kit_stats(&kit).tables, 0);
	kit.over = 1;
	assert_int_equal(pt_reclaim_poll(kit.memory, false), PT_BATCH_TABLES);
	assert_int_equal(kit_stats(&kit).deferred, 1);
	assert_int_equal(kit.waits, 0);
	kit_close(&kit);
}

/* Half of a magazine, where that is more: what comes back fits, and few periods are started. */
static void test_a_batch_is_half_a_magazine(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	config.section_shift = 12;
	config.magazine = 4 * PT_BATCH_TABLES;
	kit_open(&kit, &config, NULL);
	kit_class(&kit, 4096, 0, 8);
	defer(&kit, 2 * PT_BATCH_TABLES - 1);
	assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	assert_int_equal(kit.started, 0);
	defer(&kit, 1);
	assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	assert_int_equal(kit.started, 1);
	kit_close(&kit);
}

/* The oldest first; and what is not over stays. */
static void test_batches_are_freed_in_order(void **state)
{
	struct kit kit;

	(void)state;
	open_kit(&kit);
	for (unsigned i = 0; i < PT_BATCHES; i++) {
		defer(&kit, PT_BATCH_TABLES);
		assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
		assert_int_equal(kit.started, i + 1);
	}
	assert_int_equal(kit_stats(&kit).deferred, PT_BATCHES * PT_BATCH_TABLES);
	for (unsigned i = 0; i < PT_BATCHES; i++) {
		kit.over = i + 1;
		assert_int_equal(pt_reclaim_poll(kit.memory, false), PT_BATCH_TABLES);
		assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	}
	/* Round the ring once more. */
	for (unsigned i = 0; i < 3 * PT_BATCHES; i++) {
		defer(&kit, PT_BATCH_TABLES);
		(void)pt_reclaim_poll(kit.memory, false);
		kit.over = kit.started;
		assert_int_equal(pt_reclaim_poll(kit.memory, false), PT_BATCH_TABLES);
	}
	kit_close(&kit);
}

/* When the ring is full the newest batch grows, and waits for the later grace period. */
static void test_a_full_ring(void **state)
{
	struct kit kit;

	(void)state;
	open_kit(&kit);
	for (unsigned i = 0; i < PT_BATCHES + 2; i++) {
		defer(&kit, PT_BATCH_TABLES);
		assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	}
	/* The last two wait for room, and are one batch then. */
	assert_int_equal(kit.started, PT_BATCHES);
	assert_int_equal(kit_stats(&kit).deferred, (PT_BATCHES + 2) * PT_BATCH_TABLES);
	kit.over = PT_BATCHES - 1;
	assert_int_equal(pt_reclaim_poll(kit.memory, false), (PT_BATCHES - 1) * PT_BATCH_TABLES);
	kit.over = PT_BATCHES;
	assert_int_equal(pt_reclaim_poll(kit.memory, false), PT_BATCH_TABLES);
	assert_int_equal(kit.started, PT_BATCHES + 1);
	kit.over = PT_BATCHES + 1;
	assert_int_equal(pt_reclaim_poll(kit.memory, false), 2 * PT_BATCH_TABLES);
	assert_int_equal(kit_stats(&kit).deferred, 0);
	kit_close(&kit);
}

/* Others' as well: a CPU that is idle, or whose thread has ended, drives nothing on. */
static void test_waiting_frees_all_of_every_cpu(void **state)
{
	struct kit kit;

	(void)state;
	open_kit(&kit);
	defer(&kit, 2 * PT_BATCH_TABLES);
	assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	defer(&kit, 5);
	kit.cpu = 1;
	defer(&kit, 3);
	assert_int_equal(pt_reclaim_poll(kit.memory, true), 2 * PT_BATCH_TABLES + 8);
	assert_int_equal(kit.waits, 1);
	assert_int_equal(kit.started, 2);
	assert_int_equal(kit_stats(&kit).deferred, 0);
	kit.cpu = 0;
	kit_close(&kit);
}

/* So does who gives memory back. */
static void test_shrinking_frees_all_of_every_cpu(void **state)
{
	struct kit kit;

	(void)state;
	open_kit(&kit);
	defer(&kit, 3);
	kit.cpu = 1;
	(void)pt_memory_shrink(kit.memory);
	assert_int_equal(kit_stats(&kit).deferred, 0);
	kit.cpu = 0;
	kit_close(&kit);
}

static void with_events(struct pt_port *port)
{
	port->table_event = kit_event;
}

/* The destructor runs when the grace period is over, not before (D21). */
static void test_the_destructor_comes_last(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, with_events);
	kit_class(&kit, 4096, 0, 8);
	defer(&kit, PT_BATCH_TABLES);
	assert_int_equal(kit.starts, PT_BATCH_TABLES);
	assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	assert_int_equal(kit.stops, 0);
	kit.over = 1;
	assert_int_equal(pt_reclaim_poll(kit.memory, false), PT_BATCH_TABLES);
	assert_int_equal(kit.stops, PT_BATCH_TABLES);
	kit_close(&kit);
}

/* Deferring takes no memory: it works when there is none. */
static void test_deferring_allocates_nothing(void **state)
{
	struct ptdesc *pts[100];
	struct kit kit;

	(void)state;
	open_kit(&kit);
	for (int i = 0; i < 100; i++)
		pts[i] = alloc(&kit);
	(void)pt_memory_fail_at(kit.memory, 1, true);
	for (int i = 0; i < 100; i++)
		pagetable_free_defer(kit.memory, pts[i], NULL);
	assert_int_equal(pt_reclaim_poll(kit.memory, true), 100);
	assert_int_equal(pt_memory_fail_at(kit.memory, 0, false), 0);
	kit_close(&kit);
}

/* Between taking a batch and starting its grace period the caller may move to another CPU. */
static struct kit *mover;

static uint64_t start_and_move(void *ctx)
{
	mover->cpu ^= 1;
	return kit_grace_start(ctx);
}

static bool done_and_move(void *ctx, uint64_t cookie)
{
	mover->cpu ^= 1;
	return kit_grace_done(ctx, cookie);
}

static void that_moves(struct pt_port *port)
{
	port->grace_start = start_and_move;
	port->grace_done = done_and_move;
}

static void test_moving_between_cpus(void **state)
{
	struct pt_config config = kit_config();
	uint64_t freed = 0;
	struct kit kit;

	(void)state;
	mover = &kit;
	kit_open(&kit, &config, that_moves);
	kit_class(&kit, 4096, 0, 8);
	for (unsigned i = 0; i < 3; i++) {
		kit.cpu = 0;
		defer(&kit, PT_BATCH_TABLES);
		(void)pt_reclaim_poll(kit.memory, false);
	}
	for (unsigned i = 0; i < 20; i++) {
		kit.over = kit.started;
		kit.cpu = i & 1;
		freed += pt_reclaim_poll(kit.memory, false);
	}
	kit.cpu = 0;
	freed += pt_reclaim_poll(kit.memory, true);
	kit.cpu = 0;
	assert_int_equal(freed, 3 * PT_BATCH_TABLES);
	kit_close(&kit);
}

static void that_moves_later(struct pt_port *port)
{
	port->grace_done = done_and_move;
}

/* Moved after its grace period was found over: what that CPU has waiting is not taken for it. */
static void test_moving_to_another_batch(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	mover = &kit;
	kit_open(&kit, &config, that_moves_later);
	kit_class(&kit, 4096, 0, 8);
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		kit.cpu = cpu;
		defer(&kit, PT_BATCH_TABLES);
		assert_int_equal(pt_reclaim_poll(kit.memory, false), 0);
	}
	assert_int_equal(kit.started, 2);
	kit.over = 1;
	kit.cpu = 0;
	(void)pt_reclaim_poll(kit.memory, false);
	assert_int_equal(kit_stats(&kit).deferred, 2 * PT_BATCH_TABLES);
	kit.over = kit.started;
	(void)pt_reclaim_poll(kit.memory, true);
	kit.cpu = 0;
	kit_close(&kit);
}

#ifdef PT_HARDENED

static void test_misuse_stops(void **state)
{
	struct ptdesc *pt;
	struct kit kit;

	(void)state;
	open_kit(&kit);
	pt = alloc(&kit);
	/* Until its grace period is over a writer may hold the lock, to see that the table is dead.
	 */
	pt->lock = 1;
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free_defer(kit.memory, pt, NULL)), 0);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free_defer(kit.memory, pt, NULL)),
	    PT_STOP_DOUBLE_FREE);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free(kit.memory, pt, NULL)),
	    PT_STOP_DOUBLE_FREE);
	assert_int_equal(KIT_STOP_CODE(&kit, (void)pt_reclaim_poll(kit.memory, true)),
	    PT_STOP_LOCKED);
	kit_abandon(&kit);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_a_batch_waits_for_its_grace_period),
		cmocka_unit_test(test_a_batch_is_half_a_magazine),
		cmocka_unit_test(test_batches_are_freed_in_order),
		cmocka_unit_test(test_a_full_ring),
		cmocka_unit_test(test_waiting_frees_all_of_every_cpu),
		cmocka_unit_test(test_shrinking_frees_all_of_every_cpu),
		cmocka_unit_test(test_the_destructor_comes_last),
		cmocka_unit_test(test_deferring_allocates_nothing),
		cmocka_unit_test(test_moving_between_cpus),
		cmocka_unit_test(test_moving_to_another_batch),
#ifdef PT_HARDENED
		cmocka_unit_test(test_misuse_stops),
#endif
	};

	return KIT_RUN("reclaim", tests);
}
