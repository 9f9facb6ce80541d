/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Frames: what their words say, merging, misuse. */
#include "tests/unit/core_kit.h"

static char descriptor[64] __attribute__((aligned(16)));

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
	kit_all_free(&kit);
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
	kit_all_free(&kit);
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
	pt_pfn *pfns = calloc(KIT_FRAMES, sizeof(*pfns));
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
		assert_int_equal(count, KIT_FRAMES >> order);
		assert_int_equal(kit_stats(&kit).free_frames, 0);
		for (unsigned i = 0; i < count; i++)
			memdesc_free_pages(kit.memory, pfns[i * step % count], order);
		kit_all_free(&kit);
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
	unsigned char *owned = calloc(KIT_FRAMES, 1);
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
	kit_all_free(&kit);
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
	kit_all_free(&kit);
	for (size_t i = 0; i < (size_t)KIT_FRAMES << 12; i += 8)
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
		kit_all_free(&kit);
	}
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
