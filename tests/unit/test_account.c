/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Accounting: for each node and owner, once, in allocation and free, and nowhere else (M5). */
#include "tests/unit/core_kit.h"

static void check_owner(const struct pt_account *owner, unsigned level, uint64_t tables)
{
	for (unsigned l = 0; l < 8; l++)
		assert_int_equal(pt_account_tables(owner, l), l == level ? tables : 0);
	assert_int_equal(pt_account_tables(owner, 8), 0);
	assert_int_equal(pt_account_tables(owner, UINT32_MAX), 0);
}

static void test_owner_and_node(void **state)
{
	static const uint64_t sizes[] = {4096, 8192, 65536};
	struct pt_config config = kit_config();

	(void)state;
	for (unsigned cpus = 2; cpus <= 32; cpus *= 4) {
		struct pt_account owner = {0};
		struct kit kit;

		config.cpus = cpus;
		config.section_shift = 12;
		kit_open(&kit, &config, NULL);
		for (unsigned i = 0; i < 3; i++) {
			unsigned id = kit_class(&kit, sizes[i], 0, 8);
			struct ptdesc *pts[64];

			for (unsigned n = 0; n < 64; n++) {
				kit.cpu = n % cpus;
				pts[n] = pagetable_alloc(kit.memory, id, i, &owner, 0);
				assert_true(ptdesc_flags(pts[n]) & PTDESC_ACCOUNTED);
				check_owner(&owner, i, n + 1);
				assert_int_equal(pt_node_table_frames(kit.memory, 0),
				    (n + 1) << i * (i == 2 ? 2 : 1));
				assert_int_equal(kit_stats(&kit).tables, n + 1);
			}
			/* Freed on other CPUs than they were allocated on, now or later. */
			for (unsigned n = 0; n < 64; n++) {
				kit.cpu = (n * 7 + 1) % cpus;
				if (n & 1)
					pagetable_free(kit.memory, pts[n], &owner);
				else
					pagetable_free_defer(kit.memory, pts[n], &owner);
				check_owner(&owner, i, 63 - n);
				assert_int_equal(kit_stats(&kit).tables, 63 - n);
			}
			assert_int_equal(pt_node_table_frames(kit.memory, 0), 0);
		}
		kit.cpu = 0;
		kit_close(&kit);
		check_owner(&owner, 0, 0);
	}
}

static void test_nodes(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *pts[2];
	struct kit kit;
	unsigned id;

	(void)state;
	config.nodes = 2;
	kit_open(&kit, &config, NULL);
	id = kit_class(&kit, 8192, 0, 8);
	for (kit.cpu = 0; kit.cpu < 2; kit.cpu++)
		pts[kit.cpu] = pagetable_alloc(kit.memory, id, 0, NULL, 0);
	kit.cpu = 0;
	for (unsigned node = 0; node < 2; node++) {
		/* Each CPU's own node first; and the other CPU frees. */
		assert_int_equal(pt_node_of(kit.memory, ptdesc_pfn(pts[node])), node);
		assert_int_equal(pt_node_table_frames(kit.memory, node), 2);
	}
	assert_int_equal(pt_node_table_frames(kit.memory, 2), 0);
	pagetable_free(kit.memory, pts[1], NULL);
	assert_int_equal(pt_node_table_frames(kit.memory, 0), 2);
	assert_int_equal(pt_node_table_frames(kit.memory, 1), 0);
	kit.cpu = 1;
	pagetable_free(kit.memory, pts[0], NULL);
	assert_int_equal(pt_node_table_frames(kit.memory, 0), 0);
	kit.cpu = 0;
	kit_close(&kit);
}

/* Each fragment is charged; its frame is counted when cut and when it goes. */
static void test_fragments(void **state)
{
	struct pt_config config = kit_config();
	struct pt_account owner = {0};
	struct ptdesc *pts[5];
	struct kit kit;
	unsigned id;

	(void)state;
	config.magazine = 2;
	kit_open(&kit, &config, NULL);
	id = kit_class(&kit, 1024, 0, 8);
	for (unsigned n = 0; n < 5; n++) {
		pts[n] = pagetable_alloc(kit.memory, id, 3, &owner, 0);
		check_owner(&owner, 3, n + 1);
		assert_int_equal(pt_node_table_frames(kit.memory, 0), n / 4 + 1);
	}
	for (unsigned n = 0; n < 5; n++) {
		pagetable_free(kit.memory, pts[n], &owner);
		check_owner(&owner, 3, 4 - n);
	}
	(void)pt_memory_shrink(kit.memory);
	assert_int_equal(pt_node_table_frames(kit.memory, 0), 0);
	kit_close(&kit);
}

static void test_unowned(void **state)
{
	struct pt_config config = kit_config();
	struct pt_account owner = {0};
	struct ptdesc *pt;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	pt = pagetable_alloc(kit.memory, kit_class(&kit, 4096, 0, 8), 0, NULL, 0);
	assert_false(ptdesc_flags(pt) & PTDESC_ACCOUNTED);
	assert_int_equal(pt_node_table_frames(kit.memory, 0), 1);
#ifdef PT_HARDENED
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free(kit.memory, pt, &owner)),
	    PT_STOP_BAD_OWNER);
#endif
	pagetable_free(kit.memory, pt, NULL);
	check_owner(&owner, 0, 0);
	kit_close(&kit);
}

#ifdef PT_HARDENED

static void test_another_owner_stops(void **state)
{
	struct pt_config config = kit_config();
	struct pt_account owners[2];
	struct ptdesc *pt;
	struct kit kit;

	(void)state;
	memset(owners, 0, sizeof(owners));
	kit_open(&kit, &config, NULL);
	pt = pagetable_alloc(kit.memory, kit_class(&kit, 4096, 0, 8), 0, &owners[0], 0);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free(kit.memory, pt, &owners[1])),
	    PT_STOP_BAD_OWNER);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free_defer(kit.memory, pt, &owners[1])),
	    PT_STOP_BAD_OWNER);
	kit_abandon(&kit);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owner_and_node),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_unowned),
#ifdef PT_HARDENED
		cmocka_unit_test(test_another_owner_stops),
#endif
	};

	return KIT_RUN("account", tests);
}
