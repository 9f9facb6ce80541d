/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Frames: what their words say, merging, nodes, limits, pressure, the embedder's own, misuse. */
#include "tests/unit/core_kit.h"

#define ALL_FRAMES 2048u

static char descriptor[64] __attribute__((aligned(16)));

/* All is free: each section is one block, and one word. */
static void all_free(struct kit *kit)
{
	(void)pt_memory_shrink(kit->memory);
	assert_int_equal(kit_stats(kit).free_frames, kit->sections * kit->frames);
	for (unsigned s = 0; s < kit->sections; s++) {
		const struct pt_section *section = kit->words[s];

		for (unsigned i = 1; i < kit->frames; i++)
			assert_int_equal(section->words[i].memdesc.v, 0);
		assert_int_equal(memdesc_type(section->words[0].memdesc), MEMDESC_FREE);
		assert_int_equal(section->free_frames, kit->frames);
	}
}

/* M1, M7, D3, D4: every frame of a typed allocation says its memdesc; D6: none does afterwards. */
static void test_typed_words(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (unsigned type = MEMDESC_SLAB; type <= MEMDESC_PAGE_TABLE; type++) {
		memdesc_t memdesc = memdesc_create(descriptor, type);

		for (unsigned order = 0; order <= 9; order++) {
			pt_pfn pfn = memdesc_alloc_pages(kit.memory, 0, order, memdesc);

			assert_int_not_equal(pfn, PT_NO_PFN);
			assert_int_equal(pfn % (1u << order), 0);
			for (pt_pfn i = 0; i < 1u << order; i++)
				assert_int_equal(pt_page_memdesc(kit.memory, pfn + i).v, memdesc.v);
			assert_int_not_equal(pt_page_memdesc(kit.memory, pfn - 1).v, memdesc.v);
			assert_int_not_equal(pt_page_memdesc(kit.memory, pfn + (1u << order)).v,
			    memdesc.v);
			memdesc_free_pages(kit.memory, pfn, order);
			for (pt_pfn i = 0; i < 1u << order; i++)
				assert_int_not_equal(pt_page_memdesc(kit.memory, pfn + i).v,
				    memdesc.v);
		}
	}
	all_free(&kit);
	kit_close(&kit);
}

/* The head of a plain block tells its order (D7), its other words nothing. */
static void test_plain_words(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (unsigned order = 0; order <= 10; order++) {
		pt_pfn pfn;

		(void)pt_memory_shrink(kit.memory); /* the largest is a whole section */
		pfn = memdesc_alloc_pages(kit.memory, 0, order, memdesc_none());
		assert_int_not_equal(pfn, PT_NO_PFN);
		assert_int_equal(kit_type(&kit, pfn), MEMDESC_PLAIN);
		assert_int_equal(pt_page_memdesc(kit.memory, pfn).v >> 4, order);
		for (pt_pfn i = 1; i < 1u << order; i++)
			assert_int_equal(kit_type(&kit, pfn + i), MEMDESC_NONE);
		memdesc_free_pages(kit.memory, pfn, order);
		assert_int_not_equal(kit_type(&kit, pfn), MEMDESC_PLAIN);
	}
	all_free(&kit);
	kit_close(&kit);
}

/* D17: a memdesc comes back bit for bit, whatever type and descriptor; types do not overlap. */
static void test_types_are_apart(void **state)
{
	(void)state;
	for (unsigned type = 0; type <= MEMDESC_TYPE_MASK; type++) {
		memdesc_t memdesc = memdesc_create(descriptor, type);

		assert_int_equal(memdesc_type(memdesc), type);
		assert_ptr_equal(memdesc_ptr(memdesc), descriptor);
	}
	assert_int_equal(memdesc_none().v, 0);
	assert_true(MEMDESC_PAGE_TABLE <= MEMDESC_TYPE_MASK);
	assert_true(MEMDESC_FRAGS < MEMDESC_USER_FIRST);
	assert_true(MEMDESC_USER_LAST < MEMDESC_PAGE_TABLE);
}

/* What the CPU that allocates would see at the first moment at which it can do something else. */
static struct kit *watched;
static pt_pfn watched_pfn;
static unsigned watched_type;

static void watch_unpin(void *ctx, bool irq)
{
	if (watched_pfn)
		watched_type = kit_type(watched, watched_pfn);
	kit_unpin(ctx, irq);
}

static void watch(struct pt_port *port)
{
	port->cpu_unpin = watch_unpin;
}

/* D16 */
static void test_words_are_stamped_before_frames_are_seen(void **state)
{
	struct pt_config config = kit_config();
	memdesc_t memdesc = memdesc_create(descriptor, MEMDESC_USER_FIRST);
	struct kit kit;
	pt_pfn pfn;

	(void)state;
	watched = &kit;
	watched_pfn = 0;
	kit_open(&kit, &config, watch);
	pfn = memdesc_alloc_pages(kit.memory, 0, 0, memdesc);
	watched_pfn = pfn;
	memdesc_free_pages(kit.memory, pfn, 0);
	assert_int_equal(watched_type, MEMDESC_NONE);
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 0, memdesc), pfn);
	assert_int_equal(watched_type, MEMDESC_USER_FIRST);
	memdesc_free_pages(kit.memory, pfn, 0);
	watched_pfn = 0;
	kit_close(&kit);
}

static void test_orders_that_do_not_exist(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 11, memdesc_none()), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, PT_MAX_ORDER + 1, memdesc_none()),
	    PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, UINT_MAX, memdesc_none()), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages(kit.memory, PT_RELAX, 0, memdesc_none()), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages_node(kit.memory, PT_RELAX, 0, memdesc_none(), 0),
	    PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages_node(kit.memory, 0, 0, memdesc_none(), 1), PT_NO_PFN);
	assert_int_equal(kit.memory->pressure, 0);
	kit_close(&kit);
}

/* Whole machines are used up and come back, at each order, and in either order of freeing. */
static void test_all_of_it(void **state)
{
	struct pt_config config = kit_config();
	pt_pfn *pfns = calloc(ALL_FRAMES, sizeof(*pfns));
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (unsigned order = 0; order <= 9; order++) {
		unsigned count = 0;
		unsigned step = 7; /* prime to any count below */
		pt_pfn pfn;

		(void)pt_memory_shrink(kit.memory);
		kit.cpu = order % 2;
		while (
		    (pfn = memdesc_alloc_pages(kit.memory, 0, order, memdesc_none())) != PT_NO_PFN)
			pfns[count++] = pfn;
		assert_int_equal(count, ALL_FRAMES >> order);
		assert_int_equal(kit_stats(&kit).free_frames, 0);
		for (unsigned i = 0; i < count; i++)
			memdesc_free_pages(kit.memory, pfns[i * step % count], order);
		all_free(&kit);
		kit.cpu = 1 - kit.cpu; /* the other one keeps some back as well */
		(void)pt_memory_shrink(kit.memory);
	}
	free(pfns);
	kit_close(&kit);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

struct block {
	pt_pfn pfn;
	unsigned order;
};

static void own(unsigned char *owned, const struct block *block, unsigned char from,
    unsigned char to)
{
	for (unsigned i = 0; i < 1u << block->order; i++) {
		unsigned char *frame = &owned[block->pfn - KIT_FIRST_PFN + i];

		assert_int_equal(*frame, from);
		*frame = to;
	}
}

/* Random sizes, types, CPUs against a model: nothing is given twice, all merges in the end. */
static void test_against_a_model(void **state)
{
	struct pt_config config = kit_config();
	unsigned char *owned = calloc(ALL_FRAMES, 1);
	struct block blocks[200];
	unsigned count = 0;
	uint32_t seed = 0x2545f491;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (unsigned step = 0; step < 200000; step++) {
		kit.cpu = next_random(&seed) % 2;
		if (count < 200 && next_random(&seed) % 2) {
			struct block *b = &blocks[count];
			bool typed = next_random(&seed) % 2;

			b->order = next_random(&seed) % 8;
			b->pfn = memdesc_alloc_pages(kit.memory, 0, b->order,
			    typed ? memdesc_create(descriptor, 9) : memdesc_none());
			if (b->pfn == PT_NO_PFN)
				continue;
			own(owned, b, 0, 1);
			count++;
		} else if (count) {
			unsigned i = next_random(&seed) % count;

			own(owned, &blocks[i], 1, 0);
			memdesc_free_pages(kit.memory, blocks[i].pfn, blocks[i].order);
			blocks[i] = blocks[--count];
		}
	}
	while (count) {
		count--;
		memdesc_free_pages(kit.memory, blocks[count].pfn, blocks[count].order);
	}
	kit.cpu = 0;
	(void)pt_memory_shrink(kit.memory);
	kit.cpu = 1;
	all_free(&kit);
	free(owned);
	kit_close(&kit);
}

/* Free memory is never read or written: the arena keeps its pattern. */
static void test_free_memory_is_not_touched(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	pt_pfn pfn;

	(void)state;
	kit_open_boot(&kit, &config, 2, 1024, NULL);
	kit.memory->stage = PT_STAGE_ONLINE; /* frames alone, no slab */
	for (unsigned order = 0; order <= 9; order++) {
		pfn = memdesc_alloc_pages(kit.memory, 0, order, memdesc_create(descriptor, 9));
		memdesc_free_pages(kit.memory, pfn, order);
	}
	all_free(&kit);
	for (size_t i = 0; i < (size_t)ALL_FRAMES << 12; i += 8)
		assert_memory_equal(kit.arena + i, "\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5", 8);
	kit_abandon(&kit);
}

/* The lists survive every order of freeing four neighbours. */
static void test_merging_of_neighbours(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	config.section_shift = 2;
	config.max_pfn = KIT_FIRST_PFN + 8;
	kit_open_boot(&kit, &config, 1, 4, NULL);
	kit.memory->stage = PT_STAGE_ONLINE;
	for (unsigned permutation = 0; permutation < 256; permutation++) {
		unsigned seen = 0;

		for (unsigned i = 0; i < 4; i++)
			seen |= 1u << (permutation >> 2 * i & 3);
		if (seen != 15)
			continue;
		for (unsigned i = 0; i < 4; i++)
			assert_int_not_equal(memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none()),
			    PT_NO_PFN);
		for (unsigned i = 0; i < 4; i++)
			memdesc_free_pages(kit.memory, KIT_FIRST_PFN + (permutation >> 2 * i & 3),
			    0);
		all_free(&kit);
	}
	kit_close(&kit);
}

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
	all_free(&kit);
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
	all_free(&kit);
	kit_close(&kit);
}

static void test_below_a_limit(void **state)
{
	memdesc_t none = memdesc_none();
	struct pt_config config = kit_config();
	pt_pfn pfns[ALL_FRAMES];
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
	all_free(&kit);
	/* A section that is used up is passed over. */
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 10, none, KIT_FIRST_PFN + 1023),
	    KIT_FIRST_PFN);
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 0, none, KIT_FIRST_PFN + 1024),
	    KIT_FIRST_PFN + 1024);
	memdesc_free_pages(kit.memory, KIT_FIRST_PFN, 10);
	memdesc_free_pages(kit.memory, KIT_FIRST_PFN + 1024, 0);
	all_free(&kit);
	/* Every second frame: the one list is searched for those that are low enough. */
	for (count = 0; count < ALL_FRAMES; count++)
		pfns[count] = memdesc_alloc_pages(kit.memory, 0, 0, none);
	for (unsigned i = 0; i < ALL_FRAMES; i++)
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
		all_free(&kit);
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
	all_free(&kit);
	kit_close(&kit);
}

/* What one CPU keeps back, another that finds nothing gets at the next call of the first. */
static void test_pressure(void **state)
{
	memdesc_t none = memdesc_none();
	struct pt_config config = kit_config();
	static pt_pfn pfns[ALL_FRAMES];
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
	assert_int_equal(count, ALL_FRAMES - 4);
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
	all_free(&kit);
	kit_close(&kit);
}

/* --- an embedder's own frames, and words ------------------------------------------------------ */

#define OWN_FIRST UINT64_C(0x123450)
#define OWN_COUNT 64u

static struct own {
	struct pt_page words[OWN_COUNT * 3]; /* a word of ours in every third place */
	unsigned next;
	unsigned taken;
	int node;
	uint32_t flags;
	unsigned words_end;
} own_frames;

static pt_pfn own_alloc(void *ctx, unsigned order, int node, uint32_t flags, pt_pfn max_pfn)
{
	pt_pfn pfn =
	    (OWN_FIRST + own_frames.next + (1u << order) - 1) & ~(pt_pfn)((1u << order) - 1);

	(void)ctx;
	own_frames.node = node;
	own_frames.flags = flags;
	if (pfn + (1u << order) > OWN_FIRST + OWN_COUNT || pfn + (1u << order) - 1 > max_pfn)
		return PT_NO_PFN;
	own_frames.next = (unsigned)(pfn - OWN_FIRST) + (1u << order);
	own_frames.taken += 1u << order;
	return pfn;
}

static void own_free(void *ctx, pt_pfn pfn, unsigned order)
{
	(void)ctx;
	assert_true(pfn >= OWN_FIRST);
	own_frames.taken -= 1u << order;
}

static struct pt_page *own_slot(void *ctx, pt_pfn pfn)
{
	(void)ctx;
	if (pfn < OWN_FIRST || pfn >= OWN_FIRST + own_frames.words_end)
		return NULL;
	return &own_frames.words[(pfn - OWN_FIRST) * 3];
}

static void slot_set(pt_pfn pfn, uintptr_t word)
{
	own_slot(NULL, pfn)->memdesc.v = word;
}

static void own_port(struct pt_port *port)
{
	port->frame_alloc = own_alloc;
	port->frame_free = own_free;
	port->memdesc_slot = own_slot;
}

static void source_port(struct pt_port *port)
{
	port->frame_alloc = own_alloc;
	port->frame_free = own_free;
}

static void test_own_frames_and_words(void **state)
{
	struct pt_config config = kit_config();
	memdesc_t memdesc = memdesc_create(descriptor, 8);
	struct pt_leaks leaks;
	struct kit kit;
	pt_pfn typed;
	pt_pfn plain;

	(void)state;
	memset(&own_frames, 0, sizeof(own_frames));
	own_frames.words_end = OWN_COUNT;
	config.nodes = 2;
	kit_open_boot(&kit, &config, 0, 0, own_port);
	kit.memory->stage = PT_STAGE_ONLINE;
	typed =
	    memdesc_alloc_pages(kit.memory, 0, 0, memdesc_create(descriptor, MEMDESC_PAGE_TABLE));
	assert_ptr_equal(pt_desc_linked(kit.memory, typed << 12, 12, true), descriptor);
	memdesc_free_pages(kit.memory, typed, 0);
	typed = memdesc_alloc_pages(kit.memory, 0, 2, memdesc);
	assert_int_equal(own_frames.node, -1);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pt_page_memdesc(kit.memory, typed + i).v, memdesc.v);
	plain = memdesc_alloc_pages_node(kit.memory, PT_THIS_NODE, 1, memdesc_none(), 0);
	assert_int_equal(own_frames.node, 0);
	assert_int_equal(own_frames.flags, PT_THIS_NODE);
	assert_int_equal(kit_type(&kit, plain), MEMDESC_PLAIN);
	assert_int_equal(own_frames.taken, 6);
	assert_int_equal(pt_memory_destroy(kit.memory, &leaks), -PT_EBUSY);
	assert_int_equal(leaks.frames, 6);
	memdesc_free_pages(kit.memory, plain, 1);
	memdesc_free_pages(kit.memory, typed, 2);
	assert_int_equal(own_frames.taken, 0);
	for (unsigned i = 0; i < OWN_COUNT * 3; i++)
		assert_int_equal(own_frames.words[i].memdesc.v, 0);
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 0, memdesc, OWN_FIRST - 1),
	    PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 7, memdesc), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages_many(kit.memory, PT_THIS_NODE, 7, memdesc, 2),
	    PT_NO_PFN);
	assert_int_equal(own_frames.node, 1);
	/* A node that has none, then any. */
	assert_int_equal(memdesc_alloc_pages_node(kit.memory, 0, 7, memdesc, 0), PT_NO_PFN);
	assert_int_equal(own_frames.node, -1);
	/* Frames past the last that has a word: those that have one say what they are. */
	own_frames.words_end = 2;
	own_frames.next = 0;
	typed = memdesc_alloc_pages(kit.memory, 0, 2, memdesc);
	assert_int_equal(kit_type(&kit, typed + 1), 8);
	assert_int_equal(kit_type(&kit, typed + 2), MEMDESC_NONE);
	own_frames.words_end = OWN_COUNT;
	slot_set(typed + 2, memdesc.v);
	slot_set(typed + 3, memdesc.v);
	memdesc_free_pages(kit.memory, typed, 2);
	own_frames.words_end = 0;
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 0, memdesc), PT_NO_PFN);
	assert_int_equal(own_frames.taken, 0);
	kit_close(&kit);
}

/* The words of a section for frames that are not ours to give. */
static void test_own_frames_in_a_section(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	void *words;
	pt_pfn pfn;

	(void)state;
	memset(&own_frames, 0, sizeof(own_frames));
	config.max_pfn = OWN_FIRST + 4096;
	kit_open_boot(&kit, &config, 0, 0, source_port);
	kit.memory->stage = PT_STAGE_ONLINE;
	words = kit_zeroed(pt_section_size(&config), 64);
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none()), PT_NO_PFN);
	assert_int_equal(own_frames.taken, 0);
	assert_int_equal(pt_section_add(kit.memory, OWN_FIRST & ~UINT64_C(1023), 1024, 0, words),
	    0);
	assert_int_equal(kit_stats(&kit).free_frames, 0);
	pfn = memdesc_alloc_pages(kit.memory, 0, 1, memdesc_create(descriptor, 8));
	assert_int_equal(kit_type(&kit, pfn + 1), 8);
	memdesc_free_pages(kit.memory, pfn, 1);
	pfn = memdesc_alloc_pages(kit.memory, 0, 1, memdesc_create(descriptor, MEMDESC_PAGE_TABLE));
	assert_ptr_equal(pt_desc_linked(kit.memory, pfn << 12, 12, true), descriptor);
	assert_int_equal(pt_section_remove(kit.memory, OWN_FIRST & ~UINT64_C(1023)), -PT_EBUSY);
	memdesc_free_pages(kit.memory, pfn, 1);
	assert_int_equal(pt_section_remove(kit.memory, OWN_FIRST & ~UINT64_C(1023)), 0);
	free(words);
	kit_close(&kit);
}

/* --- misuse ----------------------------------------------------------------------------------- */

#ifdef PT_HARDENED
#define STOPS(kit, statement, stop) assert_int_equal(KIT_STOP_CODE(kit, statement), stop)

static void test_double_free(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (unsigned typed = 0; typed < 2; typed++) {
		memdesc_t memdesc = typed ? memdesc_create(descriptor, 7) : memdesc_none();
		pt_pfn pfn = memdesc_alloc_pages(kit.memory, 0, 1, memdesc);

		memdesc_free_pages(kit.memory, pfn, 1);
		STOPS(&kit, memdesc_free_pages(kit.memory, pfn, 1), PT_STOP_DOUBLE_FREE);
		(void)pt_memory_shrink(kit.memory);
		STOPS(&kit, memdesc_free_pages(kit.memory, pfn, 1), PT_STOP_DOUBLE_FREE);
	}
	kit_close(&kit);
}

/* D7, D45: a block goes back as what it was, whole. */
static void test_wrong_order(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (unsigned type = 0; type <= MEMDESC_PAGE_TABLE; type += 5) {
		memdesc_t memdesc = memdesc_create(type ? descriptor : NULL, type);
		pt_pfn pfn = memdesc_alloc_pages(kit.memory, 0, 4, memdesc);
		pt_pfn end = memdesc_alloc_pages(kit.memory, 0, 4, memdesc_none());

		for (unsigned order = 0; order <= 10; order++) {
			/* The embedder may use one descriptor for many blocks: only too large
			 * shows. */
			if (order == 4 || pfn % (1u << order) || (type == 10 && order < 4))
				continue;
			STOPS(&kit, memdesc_free_pages(kit.memory, pfn, order), PT_STOP_BAD_ORDER);
		}
		STOPS(&kit, memdesc_free_pages(kit.memory, pfn + 1, 4), PT_STOP_BAD_ORDER);
		STOPS(&kit, memdesc_free_pages(kit.memory, pfn, 19), PT_STOP_BAD_ORDER);
		memdesc_free_pages(kit.memory, pfn, 4);
		memdesc_free_pages(kit.memory, end, 4);
	}
	kit_close(&kit);
}

static void test_middle_of_a_block(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	pt_pfn pfn;

	(void)state;
	kit_open(&kit, &config, NULL);
	pfn = memdesc_alloc_pages(kit.memory, 0, 4, memdesc_none());
	STOPS(&kit, memdesc_free_pages(kit.memory, pfn + 2, 1), PT_STOP_DOUBLE_FREE);
	memdesc_free_pages(kit.memory, pfn, 4);
	pfn = memdesc_alloc_pages(kit.memory, 0, 4, memdesc_create(descriptor, MEMDESC_SLAB));
	STOPS(&kit, memdesc_free_pages(kit.memory, pfn + 2, 1), PT_STOP_BAD_ORDER);
	STOPS(&kit, memdesc_free_pages(kit.memory, pfn + 8, 3), PT_STOP_BAD_ORDER);
	memdesc_free_pages(kit.memory, pfn, 4);
	kit_close(&kit);
}

/* D1, D2: a word that changed under its owner. */
static void test_changed_word(void **state)
{
	struct pt_config config = kit_config();
	memdesc_t memdesc = memdesc_create(descriptor, MEMDESC_PAGE_TABLE);
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (unsigned i = 1; i < 15; i++) {
		pt_pfn pfn = memdesc_alloc_pages(kit.memory, 0, 4, memdesc);
		struct pt_page *page = pt_page_of(kit.memory, pfn + i);

		page->memdesc.v = 0x5a5a5a59;
		STOPS(&kit, memdesc_free_pages(kit.memory, pfn, 4), PT_STOP_BAD_MEMDESC);
		page->memdesc = memdesc;
		memdesc_free_pages(kit.memory, pfn, 4);
	}
	/* All from the fourth on: no order would explain that. */
	struct pt_page copy[16];
	pt_pfn pfn = memdesc_alloc_pages(kit.memory, 0, 4, memdesc);

	memcpy(copy, pt_page_of(kit.memory, pfn), sizeof(copy));
	memset(pt_page_of(kit.memory, pfn + 3), 0, sizeof(copy) * 13 / 16);
	STOPS(&kit, memdesc_free_pages(kit.memory, pfn, 4), PT_STOP_BAD_MEMDESC);
	memcpy(pt_page_of(kit.memory, pfn), copy, sizeof(copy));
	memdesc_free_pages(kit.memory, pfn, 4);
	kit_close(&kit);
}

static void test_frames_that_are_not_there(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	STOPS(&kit, memdesc_free_pages(kit.memory, 0, 0), PT_STOP_BAD_MEMDESC);
	STOPS(&kit, memdesc_free_pages(kit.memory, PT_NO_PFN, 0), PT_STOP_BAD_MEMDESC);
	STOPS(&kit, pt_frames_free_pinned(kit.memory, 0, 0), PT_STOP_BAD_MEMDESC);
	assert_int_equal(pt_boot_keep(kit.memory, KIT_FIRST_PFN + 900, 1), 0);
	STOPS(&kit, memdesc_free_pages(kit.memory, KIT_FIRST_PFN + 900, 0), PT_STOP_BAD_MEMDESC);
	STOPS(&kit,
	    (void)!memdesc_alloc_pages(kit.memory, 0, 0, memdesc_create(NULL, MEMDESC_FREE)),
	    PT_STOP_BAD_MEMDESC);
	kit_abandon(&kit);
}
#else
static void test_frames_that_are_not_there(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	memdesc_free_pages(kit.memory, 0, 0);
	memdesc_free_pages(kit.memory, PT_NO_PFN, 0);
	pt_frames_free_pinned(kit.memory, 0, 0);
	kit_close(&kit);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_typed_words),
		cmocka_unit_test(test_plain_words),
		cmocka_unit_test(test_types_are_apart),
		cmocka_unit_test(test_words_are_stamped_before_frames_are_seen),
		cmocka_unit_test(test_orders_that_do_not_exist),
		cmocka_unit_test(test_all_of_it),
		cmocka_unit_test(test_against_a_model),
		cmocka_unit_test(test_free_memory_is_not_touched),
		cmocka_unit_test(test_merging_of_neighbours),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_nodes_fall_back),
		cmocka_unit_test(test_magazines_are_of_one_node),
		cmocka_unit_test(test_below_a_limit),
		cmocka_unit_test(test_below_a_limit_on_nodes),
		cmocka_unit_test(test_odd_sizes),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_pressure),
		cmocka_unit_test(test_own_frames_and_words),
		cmocka_unit_test(test_own_frames_in_a_section),
		cmocka_unit_test(test_frames_that_are_not_there),
#ifdef PT_HARDENED
		cmocka_unit_test(test_double_free),
		cmocka_unit_test(test_wrong_order),
		cmocka_unit_test(test_middle_of_a_block),
		cmocka_unit_test(test_changed_word),
#endif
	};

	return KIT_RUN("frame", tests);
}
