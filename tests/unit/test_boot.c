/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Boot memory: reserved frames, tables made in them, adoption, and the way back (M9, M10). */
#include "tests/unit/core_kit.h"

#define SHIFT 12

static void open_boot(struct kit *kit, uint64_t first, uint64_t frames)
{
	struct pt_config config = kit_config();

	kit_open_boot(kit, &config, 2, 1024, NULL);
	assert_int_equal(pt_boot_reserve(kit->memory, KIT_FIRST_PFN + first, frames), 0);
}

static void test_reserve(void **state)
{
	struct kit kit;

	(void)state;
	open_boot(&kit, 100, 50);
	for (pt_pfn i = 99; i <= 150; i++)
		assert_int_equal(kit_type(&kit, KIT_FIRST_PFN + i) == MEMDESC_RESERVED,
		    i >= 100 && i < 150);
	assert_int_equal(kit_stats(&kit).reserved, 50);
	assert_int_equal(kit_stats(&kit).free_frames, 2048 - 50);
	assert_int_equal(pt_boot_reserve(NULL, KIT_FIRST_PFN, 1), -PT_EINVAL);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN, 0), -PT_EINVAL);
	assert_int_equal(pt_boot_reserve(kit.memory, 0, 1), -PT_EINVAL);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 1000, 25), -PT_EINVAL);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 1, UINT64_MAX), -PT_EINVAL);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 100, 50), -PT_EBUSY);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 60, 41), -PT_EBUSY);
	/* What failed has changed nothing. */
	assert_int_equal(kit_stats(&kit).reserved, 50);
	assert_int_equal(kit_stats(&kit).free_frames, 2048 - 50);
	/* What lies before it in the same block is still to be had. */
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 90, 10), 0);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 1024, 1024), 0);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 150, 1), 0);
	assert_int_equal(pt_section_remove(kit.memory, KIT_FIRST_PFN), -PT_EBUSY);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN, 1), -PT_ESTAGE);
	/* What nobody used is free now. */
	assert_int_equal(kit_stats(&kit).reserved, 0);
	kit_close(&kit);
}

/* Holes, and what lies in memory already, at any stage. */
static void test_keep(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	pt_pa pa;

	(void)state;
	kit_open_boot(&kit, &config, 2, 1024, NULL);
	assert_int_equal(pt_boot_keep(NULL, KIT_FIRST_PFN, 1), -PT_EINVAL);
	assert_int_equal(pt_boot_keep(kit.memory, KIT_FIRST_PFN, 0), -PT_EINVAL);
	assert_int_equal(pt_boot_keep(kit.memory, KIT_FIRST_PFN + 1023, 2), -PT_EINVAL);
	assert_int_equal(pt_boot_keep(kit.memory, 1, 1), -PT_EINVAL);
	assert_int_equal(pt_boot_keep(kit.memory, KIT_FIRST_PFN, 1023), 0);
	assert_int_equal(pt_boot_keep(kit.memory, KIT_FIRST_PFN + 10, 1), -PT_EBUSY);
	assert_int_equal(pt_boot_pages(kit.memory, 0, &pa), -PT_ENOMEM);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	assert_int_equal(pt_boot_keep(kit.memory, KIT_FIRST_PFN + 1536, 100), 0);
	assert_int_equal(kit_stats(&kit).reserved, 1123);
	for (unsigned i = 0; i < 1023; i++)
		assert_int_equal(kit_type(&kit, KIT_FIRST_PFN + i), MEMDESC_RESERVED);
	while (memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none()) != PT_NO_PFN)
		continue;
	assert_int_equal(kit_type(&kit, KIT_FIRST_PFN + 5), MEMDESC_RESERVED);
	assert_int_equal(kit_type(&kit, KIT_FIRST_PFN + 1536), MEMDESC_RESERVED);
	kit_abandon(&kit);
}

static pt_pfn no_frame(void *ctx, unsigned order, int node, uint32_t flags, pt_pfn max_pfn)
{
	(void)ctx;
	(void)order;
	(void)node;
	(void)flags;
	(void)max_pfn;
	return PT_NO_PFN;
}

static void no_free(void *ctx, pt_pfn pfn, unsigned order)
{
	(void)ctx;
	(void)pfn;
	(void)order;
}

static void no_source(struct pt_port *port)
{
	port->frame_alloc = no_frame;
	port->frame_free = no_free;
}

static void test_an_own_source_has_no_boot_memory(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open_boot(&kit, &config, 1, 1024, no_source);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN, 1), -PT_ENOTSUP);
	assert_int_equal(pt_boot_keep(kit.memory, KIT_FIRST_PFN, 1), -PT_ENOTSUP);
	assert_int_equal(pt_memory_online(kit.memory), -PT_ENOMEM);
	kit_abandon(&kit);
}

static void with_write_back(struct pt_port *port)
{
	port->write_back = kit_write_back;
}

static void test_tables_are_empty_and_aligned(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	unsigned pte;
	unsigned crst;
	pt_pa pa;

	(void)state;
	kit_open_boot(&kit, &config, 2, 1024, with_write_back);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 3, 40), 0);
	pte = kit_class(&kit, 4096, 0x11223344, 4);
	crst = kit_class(&kit, 16384, 0x20, 8);
	assert_int_equal(pt_boot_table(kit.memory, pte, 0, &pa), 0);
	assert_int_equal(pa.v >> SHIFT, KIT_FIRST_PFN + 3);
	assert_int_equal(kit.write_backs, 1);
	for (unsigned i = 0; i < 1024; i++)
		assert_int_equal(((uint32_t *)kit_virt(&kit, pa))[i], 0x11223344);
	assert_int_equal(pt_boot_table(kit.memory, crst, 3, &pa), 0);
	assert_int_equal(pa.v >> SHIFT, KIT_FIRST_PFN + 4);
	for (unsigned i = 0; i < 2048; i++)
		assert_int_equal(((uint64_t *)kit_virt(&kit, pa))[i], 0x20);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(kit_type(&kit, KIT_FIRST_PFN + 3 + i), MEMDESC_RESERVED);
	assert_int_equal(kit_stats(&kit).reserved, 40);
	kit_abandon(&kit);
}

static void test_table_errors(void **state)
{
	struct pt_table_class low = {
		.size = 4096,
		.align = 4096,
		.max_pa = ((KIT_FIRST_PFN + 5) << SHIFT) + 4094, /* the next frame is not in it */
		.entry_bytes = 8,
	};
	struct kit kit;
	unsigned pte;
	unsigned half;
	unsigned below;
	unsigned huge;
	pt_pa pa;

	(void)state;
	open_boot(&kit, 4, 2);
	pte = kit_class(&kit, 4096, 0, 8);
	half = kit_class(&kit, 2048, 0, 8);
	huge = kit_class(&kit, 4096u << 12, 0, 8); /* more than a section */
	assert_int_equal(pt_class_register(kit.memory, &low, &below), 0);
	assert_int_equal(pt_boot_table(NULL, pte, 0, &pa), -PT_EINVAL);
	assert_int_equal(pt_boot_table(kit.memory, pte, 0, NULL), -PT_EINVAL);
	assert_int_equal(pt_boot_table(kit.memory, 63, 0, &pa), -PT_EINVAL);
	assert_int_equal(pt_boot_table(kit.memory, pte, PT_MAX_LEVELS, &pa), -PT_EINVAL);
	assert_int_equal(pt_boot_table(kit.memory, half, 0, &pa), -PT_ENOTSUP);
	assert_int_equal(pt_boot_table(kit.memory, huge, 0, &pa), -PT_ENOMEM);
	assert_int_equal(pt_boot_pages(kit.memory, 20, &pa), -PT_ENOMEM);
	assert_int_equal(pt_boot_pages(kit.memory, 2, &pa), -PT_ENOMEM);
	assert_int_equal(pt_boot_pages(NULL, 0, &pa), -PT_EINVAL);
	assert_int_equal(pt_boot_pages(kit.memory, 0, NULL), -PT_EINVAL);
	assert_int_equal(pt_boot_table(kit.memory, below, 0, &pa), 0);
	assert_int_equal(pt_boot_table(kit.memory, below, 0, &pa), -PT_ENOMEM);
	assert_int_equal(pt_boot_table(kit.memory, pte, 0, &pa), 0);
	assert_int_equal(pt_boot_table(kit.memory, pte, 0, &pa), -PT_ENOMEM);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	assert_int_equal(pt_boot_table(kit.memory, pte, 0, &pa), -PT_ESTAGE);
	assert_int_equal(pt_boot_pages(kit.memory, 0, &pa), -PT_ESTAGE);
	kit_abandon(&kit);
}

static void test_pages(void **state)
{
	struct pt_leaks leaks;
	struct kit kit;
	pt_pa pa;

	(void)state;
	open_boot(&kit, 1, 63);
	for (unsigned order = 0; order < 5; order++) {
		assert_int_equal(pt_boot_pages(kit.memory, order, &pa), 0);
		assert_int_equal((pa.v >> SHIFT) % (1u << order), 0);
	}
	assert_int_equal(pt_memory_online(kit.memory), 0);
	/* They stay reserved, and are no leak. */
	assert_int_equal(kit_stats(&kit).reserved, 31);
	assert_int_equal(pt_memory_destroy(kit.memory, &leaks), 0);
	kit_abandon(&kit);
}

/* Of several regions all are used, those that came later as well; none past the end of one. */
static void test_regions(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	pt_pa pa;

	(void)state;
	kit_open_boot(&kit, &config, 2, 1022, NULL);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 1020, 2), 0);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 1024 + 7, 1), 0);
	assert_int_equal(pt_boot_pages(kit.memory, 2, &pa), -PT_ENOMEM);
	assert_int_equal(pt_boot_pages(kit.memory, 1, &pa), 0);
	assert_int_equal(pa.v >> SHIFT, KIT_FIRST_PFN + 1020);
	assert_int_equal(pt_boot_pages(kit.memory, 0, &pa), 0);
	assert_int_equal(pa.v >> SHIFT, KIT_FIRST_PFN + 1024 + 7);
	assert_int_equal(pt_boot_pages(kit.memory, 0, &pa), -PT_ENOMEM);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 16, 4), 0);
	assert_int_equal(pt_boot_pages(kit.memory, 2, &pa), 0);
	assert_int_equal(pa.v >> SHIFT, KIT_FIRST_PFN + 16);
	kit_abandon(&kit);
}

static void test_release_of_what_is_not_there(void **state)
{
	struct kit kit;

	(void)state;
	open_boot(&kit, 1, 1);
#ifdef PT_HARDENED
	assert_int_equal(KIT_STOP_CODE(&kit, pt_boot_release(kit.memory, 0, 0)),
	    PT_STOP_BAD_MEMDESC);
#else
	pt_boot_release(kit.memory, 0, 0);
#endif
	kit_close(&kit);
}

/* Two tables with entries in them, and pages beside them. */
struct tables {
	unsigned pte;
	unsigned crst;
	pt_pa leaf;
	pt_pa root;
	pt_pa pages;
};

static void make_tables(struct kit *kit, struct tables *t)
{
	t->pte = kit_class(kit, 4096, 0, 8);
	t->crst = kit_class(kit, 16384, 0x20, 8);
	assert_int_equal(pt_boot_table(kit->memory, t->pte, 0, &t->leaf), 0);
	assert_int_equal(pt_boot_pages(kit->memory, 1, &t->pages), 0);
	assert_int_equal(pt_boot_table(kit->memory, t->crst, 3, &t->root), 0);
	((uint64_t *)kit_virt(kit, t->leaf))[7] = 1;
	((uint64_t *)kit_virt(kit, t->leaf))[511] = 1;
	((uint64_t *)kit_virt(kit, t->root))[2047] = 0x99;
}

static void check_adopted(struct kit *kit, const struct tables *t)
{
	struct ptdesc *leaf = ptdesc_from_pa(kit->memory, t->leaf);
	struct ptdesc *root = ptdesc_from_pa(kit->memory, t->root);

	assert_non_null(leaf);
	assert_non_null(root);
	assert_int_equal(ptdesc_level(leaf), 0);
	assert_int_equal(ptdesc_class(leaf), t->pte);
	assert_int_equal(leaf->used, 2);
	assert_true(ptdesc_flags(leaf) & PTDESC_RESERVED);
	assert_int_equal(ptdesc_level(root), 3);
	assert_int_equal(ptdesc_class(root), t->crst);
	assert_int_equal(ptdesc_order(root), 2);
	assert_int_equal(root->used, 1);
	/* M7: also from its last frame. */
	for (unsigned i = 0; i < 4; i++)
		assert_ptr_equal(ptdesc_from_pa(kit->memory, pt_make_pa(t->root.v + i * 4096 + 8)),
		    root);
	assert_int_equal(kit_type(kit, t->pages.v >> SHIFT), MEMDESC_RESERVED);
	assert_int_equal(kit_stats(kit).tables, 2);
	assert_int_equal(pt_node_table_frames(kit->memory, 0), 5);
	pagetable_free(kit->memory, leaf, NULL);
	pagetable_free(kit->memory, root, NULL);
	/* Their frames are ordinary ones now. */
	assert_int_equal(kit_stats(kit).reserved, 2);
	assert_int_equal(kit_stats(kit).tables, 0);
}

static void test_adoption(void **state)
{
	struct tables tables;
	struct kit kit;

	(void)state;
	open_boot(&kit, 1, 30);
	make_tables(&kit, &tables);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	check_adopted(&kit, &tables);
	kit_close(&kit);
}

/* Whatever fails in the middle can be repeated. */
static void test_adoption_that_fails_is_repeated(void **state)
{
	uint64_t total = 1;

	(void)state;
	for (uint64_t nth = 1; nth <= total; nth++) {
		struct tables tables;
		struct kit kit;

		open_boot(&kit, 1, 30);
		make_tables(&kit, &tables);
		(void)pt_memory_fail_at(kit.memory, nth, false);
		if (pt_memory_online(kit.memory) != 0) {
			total = nth + 1;
			/* Still the boot stage: more tables can be made. */
			assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none()),
			    PT_NO_PFN);
			assert_int_equal(pt_boot_pages(kit.memory, 0, &tables.leaf), 0);
			tables.leaf = pt_make_pa((KIT_FIRST_PFN + 1) << SHIFT);
			(void)pt_memory_fail_at(kit.memory, 0, false);
			assert_int_equal(pt_memory_online(kit.memory), 0);
			assert_int_equal(kit_stats(&kit).reserved, 1 + 2 + 1 + 4);
			pagetable_free(kit.memory, ptdesc_from_pa(kit.memory, tables.leaf), NULL);
			pagetable_free(kit.memory, ptdesc_from_pa(kit.memory, tables.root), NULL);
		} else {
			(void)pt_memory_fail_at(kit.memory, 0, false);
			check_adopted(&kit, &tables);
		}
		kit_close(&kit);
	}
	assert_true(total > 3);
}

static void with_events(struct pt_port *port)
{
	port->table_event = kit_event;
}

static void test_the_port_refuses_a_boot_table(void **state)
{
	struct pt_config config = kit_config();
	struct tables tables;
	struct kit kit;

	(void)state;
	kit_open_boot(&kit, &config, 2, 1024, with_events);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 1024, 1), 0);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 1, 30), 0);
	make_tables(&kit, &tables);
	kit.refuse = -PT_EBUSY;
	assert_int_equal(pt_memory_online(kit.memory), -PT_EBUSY);
	kit.refuse = 0;
	assert_int_equal(pt_memory_online(kit.memory), 0);
	check_adopted(&kit, &tables);
	kit_close(&kit);
}

/* All frames are boot memory: more must come before there can be descriptors. */
static void test_online_without_frames(void **state)
{
	struct pt_config config = kit_config();
	struct tables tables;
	struct kit kit;
	void *words;

	(void)state;
	kit_open_boot(&kit, &config, 1, 16, NULL);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN, 16), 0);
	make_tables(&kit, &tables);
	assert_int_equal(pt_memory_online(kit.memory), -PT_ENOMEM);
	assert_int_equal(pt_memory_online(kit.memory), -PT_ENOMEM);
	words = kit_zeroed(pt_section_size(&config), 64);
	/* The arena of the kit is as large as the section, whatever part of it was added. */
	assert_int_equal(pt_section_add(kit.memory, KIT_FIRST_PFN + 1024, 1024, 0, words), 0);
	kit.arena = realloc(kit.arena, 8u << 20);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	check_adopted(&kit, &tables);
	kit_close(&kit);
	free(words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_an_own_source_has_no_boot_memory),
		cmocka_unit_test(test_tables_are_empty_and_aligned),
		cmocka_unit_test(test_table_errors),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_regions),
		cmocka_unit_test(test_release_of_what_is_not_there),
		cmocka_unit_test(test_adoption),
		cmocka_unit_test(test_adoption_that_fails_is_repeated),
		cmocka_unit_test(test_the_port_refuses_a_boot_table),
		cmocka_unit_test(test_online_without_frames),
	};

	return KIT_RUN("boot", tests);
}
