/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Frames cut into tables: s390 halves, powerpc fragments, m68k pointer tables, sparc32 granules. */
#include "tests/unit/core_kit.h"

#define MOST 1024

static struct ptdesc *alloc(struct kit *kit, unsigned class_id)
{
	struct ptdesc *pt = pagetable_alloc(kit->memory, class_id, 0, NULL, 0);

	assert_non_null(pt);
	return pt;
}

/* Puts no table aside: what is freed goes back to its frame at once. */
static void free_now(struct kit *kit, struct ptdesc *pt)
{
	pagetable_free(kit->memory, pt, NULL);
	(void)pt_magazines_drain(kit->memory, &kit->memory->cpus[kit->cpu]);
}

/* Every geometry: fragments do not overlap, and each byte finds its own descriptor. */
static void check_geometry(unsigned page_shift, uint64_t size, uint64_t align)
{
	struct pt_config config = kit_config();
	struct pt_table_class spec = {size, align, UINT64_MAX, 0x11, 8};
	static struct ptdesc *tables[MOST];
	uint64_t stride = size > align ? size : align;
	uint64_t frame = UINT64_C(1) << page_shift;
	uint64_t each = frame / stride < 256 ? frame / stride : 256;
	unsigned count = (unsigned)(2 * each + 3);
	struct kit kit;
	unsigned id;

	config.page_shift = page_shift;
	config.section_shift = page_shift < 12 ? 12 : 7;
	kit_open(&kit, &config, NULL);
	assert_int_equal(pt_class_register(kit.memory, &spec, &id), 0);
	for (unsigned i = 0; i < count; i++) {
		tables[i] = alloc(&kit, id);
		assert_int_equal(ptdesc_pa(kit.memory, tables[i]).v % stride, 0);
		assert_true(ptdesc_flags(tables[i]) & PTDESC_FRAGMENT);
		assert_int_equal(ptdesc_order(tables[i]), 0);
		assert_int_equal(kit_type(&kit, ptdesc_pfn(tables[i])), MEMDESC_FRAGS);
		memset(ptdesc_address(kit.memory, tables[i]), (int)(i & 127) + 1, size);
		tables[i]->used = 1;
	}
	for (unsigned i = 0; i < count; i++) {
		uint64_t pa = ptdesc_pa(kit.memory, tables[i]).v;
		unsigned char *at = ptdesc_address(kit.memory, tables[i]);

		for (uint64_t b = 0; b < size; b++)
			assert_int_equal(at[b], (i & 127) + 1);
		assert_ptr_equal(ptdesc_from_pa(kit.memory, pt_make_pa(pa)), tables[i]);
		assert_ptr_equal(ptdesc_from_pa(kit.memory, pt_make_pa(pa + size - 1)), tables[i]);
		assert_ptr_equal(pt_desc(kit.memory, pa), tables[i]);
		assert_ptr_equal(ptdesc_lock_of(kit.memory, at + size - 8), &tables[i]->lock);
	}
	/* Three frames were begun, also counting what is ready. */
	assert_int_equal(kit_stats(&kit).table_frames,
	    (count + kit_stats(&kit).ready + each - 1) / each);
	for (unsigned i = 0; i < count; i++)
		pagetable_free(kit.memory, tables[(i * 13) % count], NULL);
	(void)pt_memory_shrink(kit.memory);
	assert_int_equal(kit_stats(&kit).table_frames, 0);
	kit_close(&kit);
}

static void test_geometries(void **state)
{
	(void)state;
	check_geometry(12, 2048, 2048); /* s390 */
	check_geometry(16, 256, 256);   /* powerpc, 256 in a frame */
	check_geometry(16, 2048, 2048);
	check_geometry(12, 512, 512); /* m68k */
	check_geometry(12, 256, 256); /* sparc32 */
	check_geometry(12, 32, 32);   /* PAE */
	check_geometry(12, 64, 1024); /* aligned to more than its size */
	check_geometry(16, 64, 64);   /* more than 256 would fit */
	check_geometry(6, 16, 16);    /* the fake format's */
	check_geometry(6, 32, 32);
}

static void test_the_frame_goes_with_its_last_fragment(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *tables[8];
	struct kit kit;
	unsigned id;
	pt_pfn pfn;

	(void)state;
	config.magazine = 2;
	kit_open(&kit, &config, NULL);
	id = kit_class(&kit, 1024, 0, 8);
	for (int i = 0; i < 8; i++) {
		tables[i] = alloc(&kit, id);
		assert_int_equal(ptdesc_pfn(tables[i]), ptdesc_pfn(tables[i & ~3]));
	}
	pfn = ptdesc_pfn(tables[0]);
	assert_int_not_equal(pfn, ptdesc_pfn(tables[4]));
	for (int i = 0; i < 4; i++) {
		assert_int_equal(kit_stats(&kit).table_frames, 2);
		assert_int_equal(kit_type(&kit, pfn), MEMDESC_FRAGS);
		free_now(&kit, tables[i]);
	}
	assert_int_equal(kit_stats(&kit).table_frames, 1);
	assert_int_not_equal(kit_type(&kit, pfn), MEMDESC_FRAGS);
	/* A hole is filled before a frame is cut. */
	free_now(&kit, tables[6]);
	tables[0] = alloc(&kit, id);
	assert_int_equal(ptdesc_pfn(tables[0]), ptdesc_pfn(tables[4]));
	assert_int_equal(ptdesc_pa(kit.memory, tables[0]).v, (ptdesc_pfn(tables[4]) << 12) + 2048);
	assert_int_equal(kit_stats(&kit).table_frames, 1);
	free_now(&kit, tables[0]);
	for (int i = 4; i < 8; i++)
		if (i != 6)
			free_now(&kit, tables[i]);
	assert_int_equal(kit_stats(&kit).table_frames, 0);
	kit_close(&kit);
}

/* Neither the fragment nor its frame is used again before the grace period is over (G1, L4). */
static void test_pending_fragments_are_kept(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *halves[2];
	struct ptdesc *others[6];
	struct kit kit;
	unsigned id;
	pt_pfn pfn;

	(void)state;
	config.magazine = 2;
	kit_open(&kit, &config, NULL);
	id = kit_class(&kit, 2048, 0x20, 8);
	for (int i = 0; i < 2; i++)
		halves[i] = alloc(&kit, id);
	pfn = ptdesc_pfn(halves[0]);
	assert_int_equal(ptdesc_pfn(halves[1]), pfn);
	pagetable_free_defer(kit.memory, halves[0], NULL);
	free_now(&kit, halves[1]);
	/* One half is free, one pending: the frame stays, and its descriptor is still found. */
	assert_int_equal(kit_stats(&kit).table_frames, 1);
	assert_int_equal(kit_type(&kit, pfn), MEMDESC_FRAGS);
	assert_ptr_equal(ptdesc_from_pa(kit.memory, pt_make_pa(pfn << 12)), halves[0]);
	assert_int_equal(halves[0]->dead, 1);
	for (int i = 0; i < 6; i++) {
		others[i] = alloc(&kit, id);
		assert_int_not_equal(ptdesc_pa(kit.memory, others[i]).v, pfn << 12);
	}
	for (int i = 0; i < 6; i++)
		free_now(&kit, others[i]);
	assert_int_equal(kit_stats(&kit).table_frames, 1);
	assert_int_equal(pt_reclaim_poll(kit.memory, true), 1);
	(void)pt_magazines_drain(kit.memory, &kit.memory->cpus[0]);
	assert_int_equal(kit_stats(&kit).table_frames, 0);
	assert_int_not_equal(kit_type(&kit, pfn), MEMDESC_FRAGS);
	kit_close(&kit);
}

/* All of a frame deferred at once, in any order of deferral. */
static void test_a_whole_frame_pending(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *tables[256];
	struct kit kit;
	unsigned id;

	(void)state;
	config.page_shift = 16;
	config.section_shift = 7;
	config.magazine = 2;
	kit_open(&kit, &config, NULL);
	id = kit_class(&kit, 256, 0, 8);
	for (int i = 0; i < 256; i++)
		tables[i] = alloc(&kit, id);
	for (int i = 0; i < 256; i++)
		pagetable_free_defer(kit.memory, tables[(i * 77) % 256], NULL);
	assert_int_equal(kit_stats(&kit).tables, 0);
	assert_int_equal(kit_stats(&kit).deferred, 256);
	assert_int_equal(kit_stats(&kit).table_frames, 1);
	assert_int_equal(pt_reclaim_poll(kit.memory, true), 256);
	(void)pt_magazines_drain(kit.memory, &kit.memory->cpus[0]);
	assert_int_equal(kit_stats(&kit).table_frames, 0);
	kit_close(&kit);
}

/* Lock, used, link and deposit have no second case (L4). */
static void test_fragments_are_tables_like_others(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *pmd;
	struct ptdesc *pte;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	kit_class(&kit, 512, 0, 8);
	pmd = alloc(&kit, 0);
	pte = alloc(&kit, 0);
	assert_int_equal(ptdesc_pfn(pmd), ptdesc_pfn(pte));
	ptdesc_lock(kit.memory, pmd);
	ptdesc_lock(kit.memory, pte);
	pt_deposit(pmd, pte);
	ptdesc_unlock(kit.memory, pte);
	assert_ptr_equal(pt_withdraw(pmd), pte);
	ptdesc_unlock(kit.memory, pmd);
	/* The slot survives the base that a space writes above it. */
	assert_int_equal(pagetable_ctor(kit.memory, pte, NULL, 0, 0x7f0000000000), 0);
	assert_int_equal(ptdesc_base(pte), 0x7f0000000000);
	assert_int_equal(ptdesc_pa(kit.memory, pte).v % 4096, 512 * (pte->base & 255));
	pagetable_free(kit.memory, pte, NULL);
	pagetable_free(kit.memory, pmd, NULL);
	kit_close(&kit);
}

static void test_unused_slots_are_no_tables(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *pt;
	struct kit kit;
	uint64_t pa;

	(void)state;
	config.magazine = 2;
	kit_open(&kit, &config, NULL);
	pt = alloc(&kit, kit_class(&kit, 512, 0, 8));
	pa = ptdesc_pa(kit.memory, pt).v;
	assert_int_equal(pa % 4096, 0);
#ifdef PT_HARDENED
	assert_int_equal(KIT_STOP_CODE(&kit, ptdesc_from_pa(kit.memory, pt_make_pa(pa + 512))),
	    PT_STOP_NOT_A_TABLE);
#else
	assert_null(ptdesc_from_pa(kit.memory, pt_make_pa(pa + 512)));
#endif
	pagetable_free(kit.memory, pt, NULL);
	kit_close(&kit);
}

#ifdef PT_HARDENED

static void test_misuse_stops(void **state)
{
	struct pt_config config = kit_config();
	struct pt_page *page;
	struct ptdesc *pt;
	struct kit kit;
	uintptr_t word;

	(void)state;
	kit_open(&kit, &config, NULL);
	pt = alloc(&kit, kit_class(&kit, 512, 0, 8));
	page = pt_page_of(kit.memory, ptdesc_pfn(pt));
	word = page->memdesc.v;
	page->memdesc.v = 0;
	assert_int_equal(KIT_STOP_CODE(&kit, pt_frag_pending(kit.memory, pt, true)),
	    PT_STOP_BAD_MEMDESC);
	page->memdesc.v = word;
	pt_frag_pending(kit.memory, pt, true);
	assert_int_equal(KIT_STOP_CODE(&kit, pt_frag_give(kit.memory, kit.memory->cpus, pt)),
	    PT_STOP_DOUBLE_FREE);
	kit_abandon(&kit);
}

#endif

/* A frame is cut into so many tables at most; the rest of it is nobody's. */
static void test_the_rest_of_a_frame_is_no_table(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *pt;
	struct kit kit;
	uint64_t frame;

	(void)state;
	config.page_shift = 16;
	config.section_shift = 7;
	kit_open(&kit, &config, NULL);
	pt = alloc(&kit, kit_class(&kit, 64, 0, 8));
	frame = ptdesc_pfn(pt) << 16;
	assert_non_null(pt_desc_find(kit.memory, frame));
	assert_null(pt_desc_find(kit.memory, frame + UINT64_C(256) * 64));
	free_now(&kit, pt);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_geometries),
		cmocka_unit_test(test_the_frame_goes_with_its_last_fragment),
		cmocka_unit_test(test_pending_fragments_are_kept),
		cmocka_unit_test(test_a_whole_frame_pending),
		cmocka_unit_test(test_fragments_are_tables_like_others),
		cmocka_unit_test(test_unused_slots_are_no_tables),
		cmocka_unit_test(test_the_rest_of_a_frame_is_no_table),
#ifdef PT_HARDENED
		cmocka_unit_test(test_misuse_stops),
#endif
	};

	return KIT_RUN("frags", tests);
}
