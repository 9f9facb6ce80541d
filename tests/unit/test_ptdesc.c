/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Descriptors: fields, queries by address, locks, constructor and destructor, deposits. */
#include "tests/unit/core_kit.h"

static struct ptdesc *alloc(struct kit *kit, unsigned class_id, unsigned level)
{
	struct ptdesc *pt = pagetable_alloc(kit->memory, class_id, level, NULL, 0);

	assert_non_null(pt);
	return pt;
}

static void release(struct kit *kit, struct ptdesc *pt)
{
	pagetable_free(kit->memory, pt, NULL);
}

static void test_size(void **state)
{
	(void)state;
#ifdef PT_HARDENED
	assert_int_equal(sizeof(struct ptdesc) % 64, 0);
#else
	assert_int_equal(sizeof(struct ptdesc), sizeof(void *) == 8 ? 64 : 48);
#endif
}

static void test_fields_of_a_new_table(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	unsigned id;

	(void)state;
	kit_open(&kit, &config, NULL);
	kit_class(&kit, 4096, 0, 8);
	id = kit_class(&kit, 16384, 7, 8);
	for (unsigned level = 0; level < PT_MAX_LEVELS; level++) {
		struct ptdesc *pt =
		    pagetable_alloc(kit.memory, id, level, NULL, level & 1 ? PT_KERNEL_TABLE : 0);

		assert_non_null(pt);
		assert_int_equal((uintptr_t)pt % 64, 0);
		assert_int_equal(ptdesc_class(pt), id);
		assert_int_equal(ptdesc_order(pt), 2);
		assert_int_equal(ptdesc_level(pt), level);
		assert_int_equal(ptdesc_flags(pt),
		    PTDESC_CONSTRUCTED | (level & 1 ? PTDESC_KERNEL : 0));
		assert_int_equal(ptdesc_pfn(pt) % 4, 0);
		assert_int_equal(ptdesc_base(pt), 0);
		assert_int_equal(pt->lock, 0);
		assert_int_equal(pt->used, 0);
		assert_int_equal(pt->dead, 0);
		assert_int_equal(pt->shared, 0);
		assert_null(pt->pt_list.next);
		assert_null(pt->pt_list.prev);
		assert_null(pt->space);
		assert_null(pt->pmd_huge_pte);
		assert_int_equal(pt->pt_index, 0);
		release(&kit, pt);
	}
	kit_close(&kit);
}

/* Each interior frame answers "page table" and finds the descriptor (M7, D4). */
static void test_every_byte_finds_its_descriptor(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (unsigned order = 0; order <= 3; order++) {
		unsigned id = kit_class(&kit, UINT64_C(4096) << order, 0, 8);
		struct ptdesc *pt = alloc(&kit, id, 1);
		uint64_t pa = ptdesc_pa(kit.memory, pt).v;
		char *at = ptdesc_address(kit.memory, pt);

		assert_int_equal(pa, ptdesc_pfn(pt) << 12);
		assert_ptr_equal(at, kit_virt(&kit, pt_make_pa(pa)));
		for (uint64_t offset = 0; offset < UINT64_C(4096) << order; offset += 8) {
			assert_ptr_equal(ptdesc_from_pa(kit.memory, pt_make_pa(pa + offset)), pt);
			assert_ptr_equal(ptdesc_from_virt(kit.memory, at + offset), pt);
			assert_ptr_equal(ptdesc_lock_of(kit.memory, at + offset), &pt->lock);
			assert_ptr_equal(pt_desc(kit.memory, pa + offset), pt);
		}
		for (unsigned i = 0; i < 1u << order; i++)
			assert_int_equal(kit_type(&kit, ptdesc_pfn(pt) + i), MEMDESC_PAGE_TABLE);
		release(&kit, pt);
	}
	kit_close(&kit);
}

static void test_what_is_no_table(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	pt_pfn pfn;

	(void)state;
	kit_open(&kit, &config, NULL);
	pfn = memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none());
#ifdef PT_HARDENED
	assert_int_equal(KIT_STOP_CODE(&kit, ptdesc_from_pa(kit.memory, pt_make_pa(pfn << 12))),
	    PT_STOP_NOT_A_TABLE);
	assert_int_equal(KIT_STOP_CODE(&kit, ptdesc_from_pa(kit.memory, pt_make_pa(0))),
	    PT_STOP_NOT_A_TABLE);
	assert_int_equal(KIT_STOP_CODE(&kit, ptdesc_from_virt(kit.memory, NULL)),
	    PT_STOP_NOT_A_TABLE);
	assert_int_equal(KIT_STOP_CODE(&kit, ptdesc_lock_of(kit.memory, NULL)),
	    PT_STOP_NOT_A_TABLE);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free(kit.memory, NULL, NULL)),
	    PT_STOP_NOT_A_TABLE);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free_addr(kit.memory, NULL, NULL)),
	    PT_STOP_NOT_A_TABLE);
#else
	assert_null(ptdesc_from_pa(kit.memory, pt_make_pa(pfn << 12)));
	assert_null(ptdesc_from_pa(kit.memory, pt_make_pa(0)));
	assert_null(ptdesc_from_pa(kit.memory, pt_make_pa(UINT64_MAX)));
	assert_null(ptdesc_from_virt(kit.memory, kit_virt(&kit, pt_make_pa(pfn << 12))));
	assert_null(pt_desc(kit.memory, UINT64_MAX));
	assert_null(pt_desc(kit.memory, pfn << 12));
	assert_null(ptdesc_from_virt(kit.memory, NULL));
	assert_null(ptdesc_lock_of(kit.memory, NULL));
	pagetable_free_addr(kit.memory, NULL, NULL);
#endif
	memdesc_free_pages(kit.memory, pfn, 0);
	kit_close(&kit);
}

static void test_locks(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *pt;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	pt = alloc(&kit, kit_class(&kit, 4096, 0, 8), 0);
	ptdesc_lock(kit.memory, pt);
	assert_int_equal(pt->lock, 1);
	ptdesc_unlock(kit.memory, pt);
	assert_int_equal(pt->lock, 0);
#ifdef PT_HARDENED
	assert_int_equal(KIT_STOP_CODE(&kit, ptdesc_unlock(kit.memory, pt)), PT_STOP_NOT_LOCKED);
	ptdesc_lock(kit.memory, pt);
	assert_int_equal(KIT_STOP_CODE(&kit, release(&kit, pt)), PT_STOP_LOCKED);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_dtor(kit.memory, pt)), PT_STOP_LOCKED);
	ptdesc_unlock(kit.memory, pt);
#endif
	release(&kit, pt);
	kit_close(&kit);
}

static void let_go(void *ctx, const uint32_t *address, uint32_t value)
{
	struct kit *kit = ctx;

	assert_int_equal(*address, value);
	kit->waits++;
	*(uint32_t *)(uintptr_t)address = kit->waits < 3 ? value : 0;
}

static void that_lets_go(struct pt_port *port)
{
	port->wait_while = let_go;
}

/* The port is asked to wait for as long as somebody else has the lock. */
static void test_a_held_lock_is_waited_for(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *pt;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, that_lets_go);
	pt = alloc(&kit, kit_class(&kit, 4096, 0, 8), 0);
	pt->lock = 1;
	ptdesc_lock(kit.memory, pt);
	assert_int_equal(kit.waits, 3);
	assert_int_equal(pt->lock, 1);
	ptdesc_unlock(kit.memory, pt);
	release(&kit, pt);
	kit_close(&kit);
}

static void with_events(struct pt_port *port)
{
	port->table_event = kit_event;
}

static void test_the_port_is_told_once_for_each_use(void **state)
{
	struct pt_config config = kit_config();
	struct pt_space *space = (struct pt_space *)&config;
	struct ptdesc *pt;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, with_events);
	pt = alloc(&kit, kit_class(&kit, 8192, 0, 8), 2);
	assert_int_equal(kit.starts, 1);
	assert_int_equal(kit.event_pa, ptdesc_pa(kit.memory, pt).v);
	assert_int_equal(kit.event_size, 8192);
	assert_int_equal(kit.event_level, 2);
	/* As one writes it in Linux: what alloc did already is not told twice. */
	assert_int_equal(pagetable_pud_ctor(kit.memory, pt, space, 0x40000000), 0);
	assert_int_equal(kit.starts, 1);
	assert_ptr_equal(pt->space, space);
	assert_int_equal(ptdesc_base(pt), 0x40000000);
	pagetable_dtor(kit.memory, pt);
	assert_int_equal(kit.stops, 1);
	/* A pool of the embedder's own. */
	assert_int_equal(pagetable_ctor(kit.memory, pt, NULL, 2, 0), 0);
	assert_int_equal(kit.starts, 2);
	assert_null(pt->space);
	pagetable_dtor(kit.memory, pt);
	assert_int_equal(kit.stops, 2);
	/* Of what is over already nothing is told, and a hardened build stops. */
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_dtor(kit.memory, pt)),
	    PT_HARDENED_BUILD ? PT_STOP_BAD_STATE : 0);
	assert_int_equal(kit.stops, 2);
	release(&kit, pt);
	assert_int_equal(kit.stops, 2);
	release(&kit, alloc(&kit, 0, 0));
	assert_int_equal(kit.starts, 3);
	assert_int_equal(kit.stops, 3);
	kit_close(&kit);
}

static void test_the_constructor_may_be_refused(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc before;
	struct ptdesc *pt;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, with_events);
	pt = alloc(&kit, kit_class(&kit, 4096, 0, 8), 0);
	pagetable_dtor(kit.memory, pt);
	kit.refuse = -PT_ENOMEM;
	before = *pt;
	assert_int_equal(pagetable_pte_ctor(kit.memory, pt, NULL, 0x1000), -PT_ENOMEM);
	assert_memory_equal(pt, &before, sizeof(before));
	release(&kit, pt);
	assert_int_equal(kit.starts, 1);
	assert_int_equal(kit.stops, 1);
	kit_close(&kit);
}

static void test_constructors_are_of_their_level(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	unsigned id;

	(void)state;
	kit_open(&kit, &config, NULL);
	id = kit_class(&kit, 4096, 0, 8);
	for (unsigned level = 0; level < 5; level++) {
		struct ptdesc *pt = alloc(&kit, id, level);

		for (unsigned other = 0; other < 5; other++) {
			int (*const ctors[])(const struct pt_memory *, struct ptdesc *,
			    struct pt_space *, uint64_t) = {pagetable_pte_ctor, pagetable_pmd_ctor,
				pagetable_pud_ctor, pagetable_p4d_ctor, pagetable_pgd_ctor};
#ifdef PT_HARDENED
			int result = 0;
			int code =
			    KIT_STOP_CODE(&kit, result = ctors[other](kit.memory, pt, NULL, 0));

			assert_int_equal(code, other == level ? 0 : PT_STOP_BAD_LEVEL);
			assert_int_equal(result, 0);
#else
			assert_int_equal(ctors[other](kit.memory, pt, NULL, 0),
			    other == level ? 0 : -PT_EINVAL);
#endif
		}
		release(&kit, pt);
	}
	kit_close(&kit);
}

static void test_deposits_are_first_in_first_out(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *tables[5];
	struct ptdesc *pmd;
	struct kit kit;
	unsigned id;

	(void)state;
	kit_open(&kit, &config, NULL);
	id = kit_class(&kit, 4096, 0, 8);
	pmd = alloc(&kit, id, 1);
	for (int i = 0; i < 5; i++)
		tables[i] = alloc(&kit, id, 0);
	assert_null(pt_withdraw(pmd));
	for (int count = 1; count <= 5; count++) {
		for (int i = 0; i < count; i++)
			pt_deposit(pmd, tables[i]);
		for (int i = 0; i < count; i++) {
			assert_ptr_equal(pt_withdraw(pmd), tables[i]);
			assert_null(tables[i]->pt_list.next);
			assert_null(tables[i]->pt_list.prev);
		}
		assert_null(pt_withdraw(pmd));
		assert_null(pmd->pmd_huge_pte);
	}
	/* In and out mixed. */
	pt_deposit(pmd, tables[0]);
	pt_deposit(pmd, tables[1]);
	assert_ptr_equal(pt_withdraw(pmd), tables[0]);
	pt_deposit(pmd, tables[2]);
	pt_deposit(pmd, tables[0]);
	assert_ptr_equal(pt_withdraw(pmd), tables[1]);
	assert_ptr_equal(pt_withdraw(pmd), tables[2]);
	assert_ptr_equal(pt_withdraw(pmd), tables[0]);
	assert_null(pt_withdraw(pmd));
#ifdef PT_HARDENED
	pt_deposit(pmd, tables[0]);
	assert_int_equal(KIT_STOP_CODE(&kit, release(&kit, pmd)), PT_STOP_DEPOSIT);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_dtor(kit.memory, pmd)), PT_STOP_DEPOSIT);
	assert_ptr_equal(pt_withdraw(pmd), tables[0]);
#endif
	for (int i = 0; i < 5; i++)
		release(&kit, tables[i]);
	release(&kit, pmd);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_fields_of_a_new_table),
		cmocka_unit_test(test_every_byte_finds_its_descriptor),
		cmocka_unit_test(test_what_is_no_table),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_a_held_lock_is_waited_for),
		cmocka_unit_test(test_the_port_is_told_once_for_each_use),
		cmocka_unit_test(test_the_constructor_may_be_refused),
		cmocka_unit_test(test_constructors_are_of_their_level),
		cmocka_unit_test(test_deposits_are_first_in_first_out),
	};

	return KIT_RUN("ptdesc", tests);
}
