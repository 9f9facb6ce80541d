/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sections: added and removed at run time, short ones, on nodes, under an embedder's own frames. */
#include "tests/unit/core_kit.h"

/* The third section, which kit_open does not add. */
#define NEW_PFN(config) (KIT_FIRST_PFN + (UINT64_C(2) << (config).section_shift))

static void test_add_refuses(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	char *words;

	(void)state;
	kit_open(&kit, &config, NULL);
	words = kit_zeroed(pt_section_size(&config) + 64, 64);
	assert_int_equal(pt_section_add(NULL, 0, 1024, 0, words), -PT_EINVAL);
	assert_int_equal(pt_section_add(kit.memory, 0, 1024, 0, NULL), -PT_EINVAL);
	assert_int_equal(pt_section_add(kit.memory, 0, 0, 0, words), -PT_EINVAL);
	assert_int_equal(pt_section_add(kit.memory, 0, 1025, 0, words), -PT_EINVAL);
	assert_int_equal(pt_section_add(kit.memory, 0, 1024, 1, words), -PT_EINVAL);
	assert_int_equal(pt_section_add(kit.memory, config.max_pfn, 1, 0, words), -PT_EINVAL);
	assert_int_equal(pt_section_add(kit.memory, config.max_pfn - 1024, 1025, 0, words),
	    -PT_EINVAL);
	assert_int_equal(pt_section_add(kit.memory, UINT64_C(1) << 60, 1, 0, words), -PT_EINVAL);
	assert_int_equal(pt_section_add(kit.memory, 512, 512, 0, words), -PT_EALIGN);
	assert_int_equal(pt_section_add(kit.memory, 0, 1024, 0, words + 8), -PT_EALIGN);
	assert_int_equal(pt_section_add(kit.memory, KIT_FIRST_PFN, 1024, 0, words), -PT_EEXIST);
	assert_int_equal(pt_section_remove(NULL, 0), -PT_EINVAL);
	assert_int_equal(pt_section_remove(kit.memory, 0), -PT_ENOENT);
	assert_int_equal(pt_section_remove(kit.memory, KIT_FIRST_PFN + 1), -PT_ENOENT);
	assert_int_equal(pt_section_remove(kit.memory, UINT64_C(1) << 60), -PT_ENOENT);
	assert_int_equal(kit_stats(&kit).frames, 2048);
	free(words);
	kit_close(&kit);
}

static void test_words_of_absent_frames(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	assert_int_equal(pt_page_memdesc(kit.memory, 0).v, 0);
	assert_int_equal(pt_page_memdesc(kit.memory, config.max_pfn).v, 0);
	assert_int_equal(pt_page_memdesc(kit.memory, PT_NO_PFN).v, 0);
	assert_int_equal(pt_node_of(kit.memory, 0), 0);
	assert_int_equal(pt_node_of(kit.memory, PT_NO_PFN), 0);
	kit_close(&kit);
}

static void test_added_and_removed_at_run_time(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	void *words;
	unsigned waits;

	(void)state;
	kit_open(&kit, &config, NULL);
	words = kit_zeroed(pt_section_size(&config), 64);
	for (unsigned i = 0; i < 3; i++) {
		waits = kit.waits;
		assert_int_equal(pt_section_add(kit.memory, NEW_PFN(config), 1024, 0, words), 0);
		assert_int_equal(kit_stats(&kit).frames, 3072);
		assert_int_equal(kit_type(&kit, NEW_PFN(config)), MEMDESC_FREE);
		assert_int_equal(pt_section_remove(kit.memory, NEW_PFN(config)), 0);
		/* Readers by pfn may have been in the words. */
		assert_int_equal(kit.waits, waits + 1);
		assert_int_equal(kit_stats(&kit).frames, 2048);
		assert_int_equal(kit_type(&kit, NEW_PFN(config)), MEMDESC_NONE);
		assert_int_equal(pt_section_remove(kit.memory, NEW_PFN(config)), -PT_ENOENT);
		memset(words, 0, pt_section_size(&config));
	}
	free(words);
	kit_close(&kit);
}

/* Frees what was allocated, from the end so that nothing needs order. */
static void free_all(struct kit *kit, pt_pfn *pfns, unsigned count, unsigned order)
{
	while (count--)
		memdesc_free_pages(kit->memory, pfns[count], order);
}

static void test_remove_refuses_while_in_use(void **state)
{
	struct pt_config config = kit_config();
	pt_pfn pfns[48];
	unsigned count = 0;
	struct kit kit;
	void *words;

	(void)state;
	kit_open(&kit, &config, NULL);
	words = kit_zeroed(pt_section_size(&config), 64);
	assert_int_equal(pt_section_add(kit.memory, NEW_PFN(config), 1024, 0, words), 0);
	while ((pfns[count] = memdesc_alloc_pages(kit.memory, 0, 6, memdesc_none())) != PT_NO_PFN)
		count++;
	assert_true(count >= 3 * 16 - 2);
	assert_int_equal(pt_section_remove(kit.memory, NEW_PFN(config)), -PT_EBUSY);
	free_all(&kit, pfns, count, 6);
	/* Now some are in this CPU's magazine. */
	(void)pt_memory_shrink(kit.memory);
	assert_int_equal(pt_section_remove(kit.memory, NEW_PFN(config)), 0);
	free(words);
	kit_close(&kit);
}

static void test_kept_in_a_magazine_is_in_use(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	pt_pfn pfn;

	(void)state;
	kit_open(&kit, &config, NULL);
	pfn = memdesc_alloc_pages(kit.memory, 0, 9, memdesc_none());
	memdesc_free_pages(kit.memory, pfn, 9);
	pfn &= ~(pt_pfn)1023;
	assert_int_equal(pt_section_remove(kit.memory, pfn), -PT_EBUSY);
	(void)pt_memory_shrink(kit.memory);
	assert_int_equal(pt_section_remove(kit.memory, pfn), 0);
	kit_close(&kit);
}

/* A section need not be full, and its length not a power of two. */
static void test_short_sections(void **state)
{
	static const uint32_t lengths[] = {1, 2, 3, 511, 512, 513, 1000, 1023};
	struct pt_config config = kit_config();

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const struct pt_section *section;
		unsigned heads = 0;
		struct kit kit;
		void *words;

		kit_open(&kit, &config, NULL);
		words = kit_zeroed(pt_section_size(&config), 64);
		assert_int_equal(pt_section_add(kit.memory, NEW_PFN(config), lengths[i], 0, words),
		    0);
		section = words;
		for (unsigned n = 0; n < 1024; n++)
			heads += section->words[n].memdesc.v != 0;
		/* As many blocks as the length has bits; no other word was touched. */
		assert_int_equal(heads, __builtin_popcount(lengths[i]));
		assert_int_equal(section->free_frames, lengths[i]);
		assert_int_equal(pt_page_memdesc(kit.memory, NEW_PFN(config) + lengths[i]).v, 0);
		assert_int_equal(pt_section_remove(kit.memory, NEW_PFN(config)), 0);
		for (unsigned n = 0; n < 1024; n++)
			assert_int_equal(section->words[n].memdesc.v, 0);
		free(words);
		kit_close(&kit);
	}
}

static void test_nodes_of_sections(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	config.nodes = 2;
	kit_open(&kit, &config, NULL);
	assert_int_equal(pt_node_of(kit.memory, KIT_FIRST_PFN), 0);
	assert_int_equal(pt_node_of(kit.memory, KIT_FIRST_PFN + 1023), 0);
	assert_int_equal(pt_node_of(kit.memory, KIT_FIRST_PFN + 1024), 1);
	kit_close(&kit);
}

/* The last section may end anywhere, and nothing may be added beyond. */
static void test_the_highest_frame(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	void *words;

	(void)state;
	config.max_pfn = KIT_FIRST_PFN + 2048 + 10;
	kit_open(&kit, &config, NULL);
	words = kit_zeroed(pt_section_size(&config), 64);
	assert_int_equal(pt_section_add(kit.memory, NEW_PFN(config), 11, 0, words), -PT_EINVAL);
	assert_int_equal(pt_section_add(kit.memory, NEW_PFN(config), 10, 0, words), 0);
	assert_int_equal(kit_stats(&kit).frames, 2058);
	assert_int_equal(pt_section_remove(kit.memory, NEW_PFN(config)), 0);
	free(words);
	kit_close(&kit);
}

/* An untouched section costs one word, at any size. */
static void test_an_untouched_section_is_one_word(void **state)
{
	struct pt_config config = kit_config();
	const struct pt_section *section;
	struct kit kit;

	(void)state;
	kit_open_boot(&kit, &config, 1, 1024, NULL);
	section = kit.words[0];
	assert_int_equal(memdesc_type(section->words[0].memdesc), MEMDESC_FREE);
	for (unsigned n = 1; n < 1024; n++)
		assert_int_equal(section->words[n].memdesc.v, 0);
	assert_int_equal(section->orders, 1u << 10);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_refuses),
		cmocka_unit_test(test_words_of_absent_frames),
		cmocka_unit_test(test_added_and_removed_at_run_time),
		cmocka_unit_test(test_remove_refuses_while_in_use),
		cmocka_unit_test(test_kept_in_a_magazine_is_in_use),
		cmocka_unit_test(test_short_sections),
		cmocka_unit_test(test_nodes_of_sections),
		cmocka_unit_test(test_the_highest_frame),
		cmocka_unit_test(test_an_untouched_section_is_one_word),
	};

	return KIT_RUN("section", tests);
}
