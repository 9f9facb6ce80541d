/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A tree of boot tables becomes a space, and its tables like others (M9, M10). */
#include <ptdesc/boot.h>
#include <ptdesc/space.h>
#include "tests/unit/core_kit.h"

#define MAPPED UINT64_C(0xffff800000200000)

/* A tree made at the boot stage: four tables, two pages of 4 KiB. */
struct tree {
	uint64_t pa[4]; /* by level */
};

static void set(struct kit *kit, uint64_t table, uint64_t va, unsigned level, uint64_t entry)
{
	uint64_t *entries = kit_virt(kit, pt_make_pa(table));

	entries[va >> (12 + 9 * level) & 511] = entry;
}

static void make_tree(struct kit *kit, struct tree *tree)
{
	unsigned id = 0;
	uint64_t leaf;

	assert_int_equal(pt_boot_reserve(kit->memory, KIT_FIRST_PFN, 8), 0);
	assert_int_equal(pt_class_register(kit->memory, &pt_format_x86_64.tables[0], &id), 0);
	for (unsigned l = 0; l < 4; l++) {
		pt_pa pa;

		assert_int_equal(pt_boot_table(kit->memory, id, l, &pa), 0);
		tree->pa[l] = pa.v;
	}
	for (unsigned l = 3; l > 0; l--)
		set(kit, tree->pa[l], MAPPED, l, tree->pa[l - 1] | 7);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pt_entry_encode(&pt_format_x86_64, pt_make_pa(0x5000 + i * 0x1000),
				     0, pt_make_attr(PT_READ | PT_WRITE), 0, &leaf),
		    0);
		set(kit, tree->pa[0], MAPPED + i * 0x1000, 0, leaf);
	}
}

static void open_tree(struct kit *kit, struct tree *tree)
{
	struct pt_config config = kit_config();

	kit_open_boot(kit, &config, 2, (size_t)1 << config.section_shift, NULL);
	make_tree(kit, tree);
}

static int adopt(struct kit *kit, struct pt_space *space, uint64_t root)
{
	return pt_space_adopt(space, kit->memory, &pt_format_x86_64, PT_SPACE_KERNEL | PT_SPACE_MMU,
	    NULL, pt_make_pa(root));
}

static void test_adopted_space_is_like_others(void **state)
{
	struct pt_fault_report report;
	struct pt_translation t;
	struct pt_space_stats stats;
	struct pt_space space;
	struct tree tree;
	struct kit kit;

	(void)state;
	open_tree(&kit, &tree);
	assert_int_equal(adopt(&kit, &space, tree.pa[3]), -PT_ESTAGE);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	assert_int_equal(adopt(&kit, &space, tree.pa[3]), 0);
	assert_int_equal(pt_check(&space, &report), 0);
	for (unsigned l = 0; l < 4; l++)
		assert_true(ptdesc_flags(ptdesc_from_pa(kit.memory, pt_make_pa(tree.pa[l]))) &
			    PTDESC_KERNEL);
	pt_space_stats(&space, &stats);
	for (unsigned l = 0; l < 4; l++)
		assert_int_equal(stats.tables[l], 1);
	assert_int_equal(pt_translate(&space, pt_make_va(MAPPED + 0x1234), &t), 0);
	assert_int_equal(t.pa.v, 0x6234);
	assert_int_equal(pt_map(&space, pt_make_va(MAPPED + 0x2000), 0x1000, pt_make_pa(0x9000),
			     pt_make_attr(PT_READ), 0),
	    0);
	assert_int_equal(pt_unmap(&space, pt_make_va(MAPPED), 0x3000, 0, NULL), 0);
	assert_int_equal(pt_check(&space, &report), 0);
	assert_int_equal(pt_space_destroy(&space, NULL), 0);
	kit_close(&kit);
}

/* What is no tree of boot tables is refused, and can be looked at again. */
static void test_refused(void **state)
{
	struct pt_space other;
	struct pt_space space;
	struct tree tree;
	struct kit kit;

	(void)state;
	open_tree(&kit, &tree);
	set(&kit, tree.pa[0], MAPPED + 0x5000, 0, UINT64_C(1) << 10 | 2);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	assert_int_equal(adopt(&kit, &space, tree.pa[2]), -PT_ENOENT);
	assert_int_equal(adopt(&kit, &space, 0x1000), -PT_ENOENT);
	assert_int_equal(adopt(&kit, &space, tree.pa[3]), -PT_EINVAL);
	set(&kit, tree.pa[0], MAPPED + 0x5000, 0, 0);
	assert_int_equal(adopt(&kit, &space, tree.pa[3]), 0);
	assert_int_equal(adopt(&kit, &other, tree.pa[3]), -PT_ENOENT);
	assert_int_equal(pt_space_destroy(&space, NULL), 0);
	kit_close(&kit);
}

/* A tree that cannot be a space's, by one entry, and can be again without it. */
static void refuses_entry(struct kit *kit, const struct tree *tree, unsigned l, uint64_t entry)
{
	const uint64_t va = MAPPED + (UINT64_C(3) << (12 + 9 * l));
	struct pt_translation t;
	struct pt_space space;

	set(kit, tree->pa[l], va, l, entry);
	assert_int_equal(adopt(kit, &space, tree->pa[3]), -PT_EINVAL);
	assert_int_equal(pt_translate(&space, pt_make_va(MAPPED), &t), -PT_EINVAL);
	assert_int_equal(pt_space_destroy(&space, NULL), -PT_EINVAL);
	set(kit, tree->pa[l], va, l, 0);
}

static void test_refused_entries(void **state)
{
	struct pt_space space;
	struct tree tree;
	struct kit kit;
	pt_pfn plain;

	(void)state;
	open_tree(&kit, &tree);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	plain = memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none());
	for (unsigned l = 1; l < 4; l++) {
		refuses_entry(&kit, &tree, l, tree.pa[l - 1] | 7);    /* there twice */
		refuses_entry(&kit, &tree, l, tree.pa[3] | 7);        /* of another level */
		refuses_entry(&kit, &tree, l, plain << 12 | 7);       /* no table */
		refuses_entry(&kit, &tree, l, UINT64_C(1) << 40 | 7); /* no memory */
	}
	memdesc_free_pages(kit.memory, plain, 0);
	assert_int_equal(adopt(&kit, &space, tree.pa[3] + 8), -PT_ENOENT);
	assert_int_equal(adopt(&kit, &space, tree.pa[3]), 0);
	assert_int_equal(pt_space_destroy(&space, NULL), 0);
	kit_close(&kit);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adopted_space_is_like_others),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_entries),
	};

	return KIT_RUN("adopt", tests);
}
