/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Frames: which ones one gets: nodes, limits, magazines, pressure. */
#include "tests/unit/core_kit.h"

static char descriptor[64] __attribute__((aligned(16)));

/* Three nodes of a section each; two CPUs, the second of which is nearest to node 1. */
static void open_nodes(struct kit *kit, struct pt_config *config)
{
	*config = kit_config();
	config->nodes = 3;
	kit_open_boot(kit, config, 3, 1024, NULL);
	kit->memory->stage = PT_STAGE_ONLINE;
}

static unsigned node_got(struct kit *kit, pt_pfn pfn, unsigned order)
{
	unsigned node;

	if (pfn == PT_NO_PFN)
		return UINT_MAX;
	node = pt_node_of(kit->memory, pfn);
	memdesc_free_pages(kit->memory, pfn, order);
	return node;
}

/* M2 */
static void test_nodes(void **state)
{
	memdesc_t none = memdesc_none();
	struct pt_config config;
	struct kit kit;

	(void)state;
	open_nodes(&kit, &config);
	assert_int_equal(kit.memory->cpus[1].node, 1);
	for (kit.cpu = 0; kit.cpu < 2; kit.cpu++)
		assert_int_equal(node_got(&kit, memdesc_alloc_pages(kit.memory, 0, 0, none), 0),
		    kit.cpu);
	kit.cpu = 0;
	for (unsigned node = 0; node < 3; node++)
		for (unsigned order = 0; order <= 8; order += 4) {
			pt_pfn pfn;

			(void)pt_memory_shrink(kit.memory);
			pfn = memdesc_alloc_pages_node(kit.memory, 0, order, none, node);
			assert_int_equal(node_got(&kit, pfn, order), node);
		}
	(void)pt_memory_shrink(kit.memory);
	assert_int_equal(node_got(&kit, memdesc_alloc_pages_many(kit.memory, 0, 0, none, 4), 0), 2);
	assert_int_equal(node_got(&kit, memdesc_alloc_pages_many(kit.memory, 0, 0, none, 6), 0), 1);
	/* No node that exists is preferred: all will do, unless it is this set or nothing. */
	assert_int_equal(node_got(&kit, memdesc_alloc_pages_many(kit.memory, 0, 0, none, 1u << 9),
			     0),
	    0);
	assert_int_equal(memdesc_alloc_pages_many(kit.memory, PT_THIS_NODE, 0, none, 1u << 9),
	    PT_NO_PFN);
	(void)pt_memory_shrink(kit.memory);
	kit.cpu = 1;
	(void)pt_memory_shrink(kit.memory);
	kit_close(&kit);
}

static void test_nodes_fall_back(void **state)
{
	memdesc_t none = memdesc_none();
	struct pt_config config;
	struct kit kit;
	pt_pfn whole;

	(void)state;
	open_nodes(&kit, &config);
	whole = memdesc_alloc_pages_node(kit.memory, PT_THIS_NODE, 10, none, 0);
	assert_int_equal(pt_node_of(kit.memory, whole), 0);
	/* Node 0 is used up: the nearest number upwards. */
	assert_int_equal(node_got(&kit, memdesc_alloc_pages(kit.memory, 0, 3, none), 3), 1);
	assert_int_equal(node_got(&kit, memdesc_alloc_pages_node(kit.memory, 0, 3, none, 0), 3), 1);
	assert_int_equal(node_got(&kit, memdesc_alloc_pages_many(kit.memory, 0, 3, none, 1), 3), 1);
	assert_int_equal(node_got(&kit, memdesc_alloc_pages_node(kit.memory, 0, 3, none, 2), 3), 2);
	assert_int_equal(memdesc_alloc_pages(kit.memory, PT_THIS_NODE, 3, none), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages_node(kit.memory, PT_THIS_NODE, 3, none, 0), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages_many(kit.memory, PT_THIS_NODE, 3, none, 1), PT_NO_PFN);
	memdesc_free_pages(kit.memory, whole, 10);
	kit_all_free(&kit);
	kit_close(&kit);
}

/* Frames of another node do not get into a CPU's magazine. */
static void test_magazines_are_of_one_node(void **state)
{
	memdesc_t none = memdesc_none();
	struct pt_config config;
	struct kit kit;

	(void)state;
	open_nodes(&kit, &config);
	for (unsigned i = 0; i < 20; i++) {
		pt_pfn pfn = memdesc_alloc_pages_node(kit.memory, PT_THIS_NODE, 0, none, 2);

		memdesc_free_pages(kit.memory, pfn, 0);
		assert_int_equal(kit.memory->cpus[0].frames[0].count, 0);
	}
	kit_all_free(&kit);
	kit_close(&kit);
}

static void test_below_a_limit(void **state)
{
	memdesc_t none = memdesc_none();
	struct pt_config config = kit_config();
	pt_pfn pfns[KIT_FRAMES];
	unsigned count = 0;
	struct kit kit;
	pt_pfn last;

	(void)state;
	kit_open_boot(&kit, &config, 2, 1024, NULL);
	kit.memory->stage = PT_STAGE_ONLINE;
	last = KIT_FIRST_PFN + 99;
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 0, none, KIT_FIRST_PFN - 1),
	    PT_NO_PFN);
	while (
	    (pfns[count] = memdesc_alloc_pages_below(kit.memory, 0, 2, none, last)) != PT_NO_PFN) {
		assert_true(pfns[count] + 3 <= last);
		count++;
	}
	assert_int_equal(count, 25);
	/* A limit beyond all memory is none. */
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 10, none, config.max_pfn - 1),
	    KIT_FIRST_PFN + 1024);
	memdesc_free_pages(kit.memory, KIT_FIRST_PFN + 1024, 10);
	while (count--)
		memdesc_free_pages(kit.memory, pfns[count], 2);
	kit_all_free(&kit);
	/* A section that is used up is passed over. */
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 10, none, KIT_FIRST_PFN + 1023),
	    KIT_FIRST_PFN);
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 0, none, KIT_FIRST_PFN + 1024),
	    KIT_FIRST_PFN + 1024);
	memdesc_free_pages(kit.memory, KIT_FIRST_PFN, 10);
	memdesc_free_pages(kit.memory, KIT_FIRST_PFN + 1024, 0);
	kit_all_free(&kit);
	/* Every second frame: the one list is searched for those that are low enough. */
	for (count = 0; count < KIT_FRAMES; count++)
		pfns[count] = memdesc_alloc_pages(kit.memory, 0, 0, none);
	for (unsigned i = 0; i < KIT_FRAMES; i++)
		if (pfns[i] % 2)
			memdesc_free_pages(kit.memory, pfns[i], 0);
	(void)pt_memory_shrink(kit.memory);
	for (unsigned i = 0; i < 50; i++)
		assert_true(memdesc_alloc_pages_below(kit.memory, 0, 0, none, last) <= last);
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 0, none, last), PT_NO_PFN);
	kit_abandon(&kit);
}

/* Sections of other nodes, full ones and holes lie below the limit as well. */
static void test_below_a_limit_on_nodes(void **state)
{
	memdesc_t none = memdesc_none();
	struct pt_config config;
	struct kit kit;
	pt_pfn limit;
	pt_pfn whole;

	(void)state;
	open_nodes(&kit, &config);
	limit = KIT_FIRST_PFN + 3 * 1024 - 5;
	whole = memdesc_alloc_pages_below(kit.memory, 0, 10, none, limit);
	assert_int_equal(whole, KIT_FIRST_PFN);
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 10, none, limit),
	    KIT_FIRST_PFN + 1024);
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 10, none, limit), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 9, none, limit),
	    KIT_FIRST_PFN + 2048);
	memdesc_free_pages(kit.memory, KIT_FIRST_PFN, 10);
	memdesc_free_pages(kit.memory, KIT_FIRST_PFN + 1024, 10);
	memdesc_free_pages(kit.memory, KIT_FIRST_PFN + 2048, 9);
	(void)pt_memory_shrink(kit.memory);
	assert_int_equal(pt_section_remove(kit.memory, KIT_FIRST_PFN), 0);
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 0, none, limit),
	    KIT_FIRST_PFN + 1024);
	kit_abandon(&kit);
}

/* Less than half a magazine is left; and a block too large for any magazine. */
static void test_odd_sizes(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	pt_pfn all[3];

	(void)state;
	config.section_shift = 12;
	kit_open_boot(&kit, &config, 1, 3, NULL);
	kit.memory->stage = PT_STAGE_ONLINE;
	for (unsigned i = 0; i < 3; i++) {
		all[i] = memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none());
		assert_int_not_equal(all[i], PT_NO_PFN);
	}
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none()), PT_NO_PFN);
	for (unsigned i = 0; i < 3; i++)
		memdesc_free_pages(kit.memory, all[i], 0);
	kit_close(&kit);
	kit_open_boot(&kit, &config, 1, 4096, NULL);
	kit.memory->stage = PT_STAGE_ONLINE;
	for (unsigned order = 11; order <= 12; order++) {
		pt_pfn pfn = memdesc_alloc_pages(kit.memory, 0, order, memdesc_none());

		assert_int_equal(pfn, KIT_FIRST_PFN);
		memdesc_free_pages(kit.memory, pfn, order);
		kit_all_free(&kit);
	}
	kit_close(&kit);
}

/* For callers that are pinned: the magazine, the nodes, a limit, and nothing else. */
static void test_pinned(void **state)
{
	struct pt_config config = kit_config();
	memdesc_t memdesc = memdesc_create(descriptor, MEMDESC_SLAB);
	struct pt_cpu *cpu;
	struct kit kit;
	pt_pfn pfn;

	(void)state;
	kit_open_boot(&kit, &config, 2, 1024, NULL);
	kit.memory->stage = PT_STAGE_ONLINE;
	cpu = pt_pin(kit.memory);
	pfn = pt_frames_alloc_pinned(kit.memory, cpu, 0, 1, memdesc, PT_NO_PFN);
	assert_int_equal(kit_type(&kit, pfn + 1), MEMDESC_SLAB);
	pt_frames_free_pinned(kit.memory, pfn, 1);
	pfn = pt_frames_alloc_pinned(kit.memory, cpu, 0, 2, memdesc, KIT_FIRST_PFN + 3);
	assert_int_equal(pfn, KIT_FIRST_PFN);
	assert_int_equal(pt_frames_alloc_pinned(kit.memory, cpu, 0, 2, memdesc, KIT_FIRST_PFN + 3),
	    PT_NO_PFN);
	pt_frames_free_pinned(kit.memory, pfn, 2);
	assert_int_equal(pt_frames_alloc_pinned(kit.memory, cpu, 0, 11, memdesc, PT_NO_PFN),
	    PT_NO_PFN);
	kit.memory->pressure++; /* nothing is taken from a magazine that is to be drained */
	pfn = pt_frames_alloc_pinned(kit.memory, cpu, 0, 0, memdesc, PT_NO_PFN);
	assert_int_equal(cpu->frames[0].count, 0);
	pt_frames_free_pinned(kit.memory, pfn, 0);
	(void)pt_memory_fail_at(kit.memory, 1, false);
	assert_int_equal(pt_frames_alloc_pinned(kit.memory, cpu, 0, 0, memdesc, PT_NO_PFN),
	    PT_NO_PFN);
	(void)pt_memory_fail_at(kit.memory, 0, false);
	pt_unpin(kit.memory);
	kit_all_free(&kit);
	kit_close(&kit);
}

/* What one CPU keeps back, another that finds nothing gets at the next call of the first. */
static void test_pressure(void **state)
{
	memdesc_t none = memdesc_none();
	struct pt_config config = kit_config();
	static pt_pfn pfns[KIT_FRAMES];
	unsigned count = 0;
	struct kit kit;

	(void)state;
	kit_open_boot(&kit, &config, 2, 1024, NULL);
	kit.memory->stage = PT_STAGE_ONLINE;
	kit.cpu = 1;
	memdesc_free_pages(kit.memory, memdesc_alloc_pages(kit.memory, 0, 0, none), 0);
	assert_int_equal(kit.memory->cpus[1].frames[0].count, 4);
	kit.cpu = 0;
	while ((pfns[count] = memdesc_alloc_pages(kit.memory, 0, 0, none)) != PT_NO_PFN)
		count++;
	assert_int_equal(count, KIT_FRAMES - 4);
	kit.cpu = 1;
	memdesc_free_pages(kit.memory, pfns[--count], 0);
	kit.cpu = 0;
	for (unsigned i = 0; i < 4; i++) {
		pfns[count] = memdesc_alloc_pages(kit.memory, 0, 0, none);
		assert_int_not_equal(pfns[count++], PT_NO_PFN);
	}
	/* Large blocks that small ones in the own magazine stand in the way of. */
	while (count--)
		memdesc_free_pages(kit.memory, pfns[count], 0);
	kit.cpu = 1;
	(void)pt_memory_shrink(kit.memory);
	kit.cpu = 0;
	for (unsigned i = 0; i < 2; i++)
		pfns[i] = memdesc_alloc_pages(kit.memory, 0, 10, none);
	assert_int_not_equal(pfns[0], PT_NO_PFN);
	assert_int_not_equal(pfns[1], PT_NO_PFN);
	memdesc_free_pages(kit.memory, pfns[0], 10);
	memdesc_free_pages(kit.memory, pfns[1], 10);
	kit_all_free(&kit);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_nodes_fall_back),
		cmocka_unit_test(test_magazines_are_of_one_node),
		cmocka_unit_test(test_below_a_limit),
		cmocka_unit_test(test_below_a_limit_on_nodes),
		cmocka_unit_test(test_odd_sizes),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_pressure),
	};

	return KIT_RUN("frame where", tests);
}
