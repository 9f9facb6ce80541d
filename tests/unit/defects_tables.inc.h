/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The life of tables: frees, grace periods, fragments, constructors, deposits, owners. */

/* A deferred table is still found by its frames, all the way. */
static void check_deferred_words(void)
{
	struct ptdesc *pts[PT_BATCH_TABLES];
	struct kit kit;

	open_order(&kit, 1, NULL);
	for (unsigned i = 0; i < PT_BATCH_TABLES; i++)
		pts[i] = alloc(&kit, 0);
	for (unsigned i = 0; i < PT_BATCH_TABLES; i++) {
		pagetable_free_defer(kit.memory, pts[i], NULL);
		assert_typed(&kit, pts[i]);
	}
	(void)pt_reclaim_poll(kit.memory, false);
	for (unsigned i = 0; i < PT_BATCH_TABLES; i++)
		assert_typed(&kit, pts[i]);
	kit.over = kit.started;
	assert_int_equal(pt_reclaim_poll(kit.memory, false), PT_BATCH_TABLES);
	kit_close(&kit);
}

static void check_D2(void)
{
	check_deferred_words();
}

static void check_D5(void)
{
	struct kit kit;

	open_order(&kit, 0, NULL);
	for (unsigned i = 0; i < 10; i++) {
		pagetable_free(kit.memory, alloc(&kit, 0), NULL);
		pagetable_free_defer(kit.memory, alloc(&kit, 0), NULL);
		(void)pt_reclaim_poll(kit.memory, true);
		drain(&kit);
		assert_int_equal(kit_stats(&kit).descriptors, 0);
	}
	kit_close(&kit);
}

/* By whichever way a table goes, its count, type and descriptor go with it. */
static void check_all_is_undone(void)
{
	for (unsigned way = 0; way < 4; way++) {
		struct pt_account owner = {0};
		struct ptdesc *pt;
		struct kit kit;
		pt_pfn pfn;

		open_order(&kit, 1, with_events);
		pt = pagetable_alloc(kit.memory, 0, 1, &owner, 0);
		pfn = ptdesc_pfn(pt);
		pt->used = way & 1;
		if (way < 2)
			pagetable_free(kit.memory, pt, &owner);
		else
			pagetable_free_defer(kit.memory, pt, &owner);
		(void)pt_reclaim_poll(kit.memory, true);
		drain(&kit);
		assert_int_equal(kit.starts, 1);
		assert_int_equal(kit.stops, 1);
		assert_int_equal(pt_account_tables(&owner, 1), 0);
		assert_int_equal(kit_stats(&kit).table_frames, 0);
		assert_int_equal(kit_stats(&kit).descriptors, 0);
		for (unsigned i = 0; i < 2; i++)
			assert_int_not_equal(kit_type(&kit, pfn + i), MEMDESC_PAGE_TABLE);
		kit_close(&kit);
	}
}

static void check_D12(void)
{
	check_all_is_undone();
}

static void check_D13(void)
{
	struct ptdesc *pmd;
	struct kit kit;

	open_order(&kit, 0, NULL);
	pmd = alloc(&kit, 0);
	assert_null(pt_withdraw(pmd));
	assert_null(pmd->pmd_huge_pte);
	pagetable_free(kit.memory, pmd, NULL);
	kit_close(&kit);
}

/* Of a frame's fragments none is there twice, none missing, and the frame goes with the last. */
static void check_D18(void)
{
	struct pt_config config = kit_config();
	struct ptdesc *pts[8];
	struct kit kit;

	config.magazine = 2;
	kit_open(&kit, &config, NULL);
	kit_class(&kit, 512, 0, 8);
	for (unsigned i = 0; i < 8; i++) {
		pts[i] = alloc(&kit, 0);
		assert_int_equal(ptdesc_pa(kit.memory, pts[i]).v,
		    (ptdesc_pfn(pts[0]) << 12) + 512 * i);
	}
	for (unsigned i = 0; i < 8; i++)
		pagetable_free(kit.memory, pts[i], NULL);
	drain(&kit);
	assert_int_equal(kit_stats(&kit).table_frames, 0);
	kit_close(&kit);
}

/* All of a table is empty, not its first frame. */
static void check_D19(void)
{
	for (unsigned order = 0; order < 4; order++) {
		struct kit kit;

		open_order(&kit, order, NULL);
		for (unsigned round = 0; round < 2; round++) {
			struct ptdesc *pt = alloc(&kit, 0);
			unsigned char *at = ptdesc_address(kit.memory, pt);

			for (size_t i = 0; i < (size_t)PAGE << order; i++)
				assert_int_equal(at[i], 0);
			memset(at, 0xff, (size_t)PAGE << order);
			pt->used = 1;
			pagetable_free(kit.memory, pt, NULL);
		}
		kit_close(&kit);
	}
}

/*
 * Everything that frees, now or later, takes a descriptor and is of one type; what is named by
 * address says so in its name. The compiler refuses the rest.
 */
#define IS(function, type) _Generic(&(function), type: 1, default: 0)

static void check_D20(void)
{
	typedef void (*by_descriptor)(struct pt_memory *, struct ptdesc *, struct pt_account *);
	typedef void (*by_address)(struct pt_memory *, void *, struct pt_account *);
	typedef void *(*of_cache)(struct pt_cache *);

	_Static_assert(IS(pagetable_free, by_descriptor), "free takes a descriptor");
	_Static_assert(IS(pagetable_free_defer, by_descriptor), "so does the deferred free");
	_Static_assert(IS(pagetable_free_addr, by_address), "an address where the name says so");
	_Static_assert(IS(pt_cache_alloc, of_cache), "no flags of tables reach a cache (D9)");
}

/* Until the grace period is over a reader may take the lock, and the port knows of the table. */
static void check_D21(void)
{
	struct kit kit;

	open_order(&kit, 0, with_events);
	for (unsigned i = 0; i < PT_BATCH_TABLES; i++)
		pagetable_free_defer(kit.memory, alloc(&kit, 0), NULL);
	(void)pt_reclaim_poll(kit.memory, false);
	assert_int_equal(kit.started, 1);
	assert_int_equal(kit.stops, 0);
	kit.over = 1;
	(void)pt_reclaim_poll(kit.memory, false);
	assert_int_equal(kit.stops, PT_BATCH_TABLES);
	kit_close(&kit);
}

/* Named by address, the whole of the pair goes as well. */
static void check_D22(void)
{
	struct kit kit;

	open_order(&kit, 1, with_events);
	pagetable_free_addr(kit.memory, pagetable_alloc_addr(kit.memory, 0, 1, NULL, 0), NULL);
	drain(&kit);
	assert_int_equal(kit.stops, 1);
	assert_int_equal(kit_stats(&kit).tables, 0);
	assert_int_equal(kit_stats(&kit).descriptors, 0);
	kit_close(&kit);
}

/* The order that a table is freed with is the one that it was allocated with. */
static void check_D24(void)
{
	for (unsigned order = 0; order < 5; order++) {
		struct ptdesc *pt;
		struct kit kit;

		open_order(&kit, order, NULL);
		pt = alloc(&kit, 0);
		assert_int_equal(ptdesc_order(pt), order);
		assert_int_equal(kit_stats(&kit).table_frames, 1u << order);
		pagetable_free(kit.memory, pt, NULL);
		kit_close(&kit);
	}
}

static void check_D25(void)
{
	struct kit kit;

	open_order(&kit, 0, NULL);
	pt_memory_fail_at(kit.memory, 1, true);
	assert_null(pagetable_alloc_addr(kit.memory, 0, 0, NULL, 0));
	assert_null(pagetable_alloc(kit.memory, 0, 0, NULL, 0));
	pt_memory_fail_at(kit.memory, 0, false);
	kit_close(&kit);
}

/* What is returned is memory for a table, not a descriptor. */
static void check_D27(void)
{
	struct kit kit;
	char *at;

	open_order(&kit, 0, NULL);
	at = pagetable_alloc_addr(kit.memory, 0, 1, NULL, 0);
	assert_int_equal(kit_phys(&kit, at).v % PAGE, 0);
	assert_int_equal(kit_type(&kit, kit_phys(&kit, at).v >> 12), MEMDESC_PAGE_TABLE);
	memset(at, 0, PAGE);
	pagetable_free_addr(kit.memory, at, NULL);
	kit_close(&kit);
}

/* A PMD table does not get the constructor of a PTE table; and no destructor in its place. */
static void check_D28(void)
{
	struct ptdesc *pmd;
	struct kit kit;

	open_order(&kit, 0, with_events);
	pmd = alloc(&kit, 0);
	pagetable_dtor(kit.memory, pmd);
#ifdef PT_HARDENED
	assert_int_equal(KIT_STOP_CODE(&kit, (void)!pagetable_pte_ctor(kit.memory, pmd, NULL, 0)),
	    PT_STOP_BAD_LEVEL);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_dtor(kit.memory, pmd)), PT_STOP_BAD_STATE);
#else
	assert_int_equal(pagetable_pte_ctor(kit.memory, pmd, NULL, 0), -PT_EINVAL);
#endif
	assert_int_equal(kit.starts, 1);
	assert_int_equal(pagetable_pmd_ctor(kit.memory, pmd, NULL, 0), 0);
	assert_int_equal(kit.starts, 2);
	pagetable_free(kit.memory, pmd, NULL);
	kit_close(&kit);
}

static void check_D29(void)
{
	check_all_is_undone();
}

/* The port refused: no table. */
static void check_D32(void)
{
	struct kit kit;

	open_order(&kit, 0, with_events);
	kit.refuse = -PT_ENOMEM;
	assert_null(pagetable_alloc(kit.memory, 0, 0, NULL, 0));
	assert_int_equal(kit_stats(&kit).tables, 0);
	kit_close(&kit);
}

/* And nothing lost with it, fragment or not; the port was asked with nothing held (core_kit.h). */
static void check_D33(void)
{
	static const uint64_t sizes[] = {256, PAGE, 4 * PAGE};

	for (unsigned i = 0; i < 3; i++) {
		struct pt_config config = kit_config();
		struct kit kit;

		kit_open(&kit, &config, with_events);
		kit_class(&kit, sizes[i], 0, 8);
		kit.refuse = -PT_ENOMEM;
		for (unsigned n = 0; n < 20; n++)
			assert_null(pagetable_alloc(kit.memory, 0, 0, NULL, 0));
		drain(&kit);
		assert_int_equal(kit_stats(&kit).table_frames, 0);
		assert_int_equal(kit_stats(&kit).descriptors, 0);
		kit_close(&kit);
	}
}

/* Yes is yes, no is no. */
static void check_D37(void)
{
	struct pt_account owner = {0};
	struct ptdesc *pt;
	struct kit kit;

	open_order(&kit, 0, with_events);
	pt = pagetable_alloc(kit.memory, 0, 0, &owner, 0);
	assert_non_null(pt);
	assert_int_equal(pt_account_tables(&owner, 0), 1);
	kit.refuse = -PT_ENOMEM;
	assert_null(pagetable_alloc(kit.memory, 0, 0, &owner, 0));
	assert_int_equal(pt_account_tables(&owner, 0), 1);
	pagetable_free(kit.memory, pt, &owner);
	kit_close(&kit);
}

/* While a batch is freed the port may do as it likes: all locks are free. */
static int event_and_look(void *ctx, pt_pa pa, size_t size, unsigned level, bool start)
{
	const struct pt_memory *memory = watched->memory;

	assert_int_equal(memory->lock, 0);
	assert_int_equal(memory->caches_lock, 0);
	assert_int_equal(memory->roots_lock, 0);
	assert_int_equal(memory->descriptors.lock, 0);
	assert_int_equal(memory->slabs.lock, 0);
	for (unsigned i = 0; i < memory->config.nodes; i++)
		assert_int_equal(memory->nodes[i].lock, 0);
	for (unsigned i = 0; i < memory->config.classes; i++)
		assert_int_equal(memory->classes[i].lock, 0);
	return kit_event(ctx, pa, size, level, start);
}

static void with_looking_events(struct pt_port *port)
{
	port->table_event = event_and_look;
}

static void check_D40(void)
{
	struct kit kit;

	watched = &kit;
	open_order(&kit, 0, with_looking_events);
	for (unsigned i = 0; i < 5; i++)
		pagetable_free_defer(kit.memory, alloc(&kit, 0), NULL);
	assert_int_equal(pt_reclaim_poll(kit.memory, true), 5);
	assert_int_equal(kit.stops, 5);
	kit_close(&kit);
}

static void check_D41(void)
{
	check_deferred_words();
}

/* What was allocated as one kind of table is freed as that kind. */
static void check_D44(void)
{
	struct pt_config config = kit_config();
	struct pt_account owner = {0};
	struct ptdesc *pmd;
	struct ptdesc *pte;
	struct kit kit;

	kit_open(&kit, &config, NULL);
	kit_class(&kit, PAGE, 0, 8);
	kit_class(&kit, 4 * PAGE, 0x20, 8);
	pmd = pagetable_alloc(kit.memory, 1, 1, &owner, 0);
	pagetable_free(kit.memory, pmd, &owner);
	assert_int_equal(pt_account_tables(&owner, 0), 0);
	assert_int_equal(pt_account_tables(&owner, 1), 0);
	pte = pagetable_alloc(kit.memory, 0, 0, &owner, 0);
	assert_int_equal(ptdesc_order(pte), 0);
	assert_int_equal(ptdesc_class(pte), 0);
	pagetable_free(kit.memory, pte, &owner);
	kit_close(&kit);
}

static void check_D51(void)
{
	struct ptdesc *pts[4];
	struct ptdesc *pmd;
	struct kit kit;

	open_order(&kit, 0, NULL);
	pmd = alloc(&kit, 0);
	for (unsigned i = 0; i < 4; i++) {
		pts[i] = alloc(&kit, 0);
		pt_deposit(pmd, pts[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_ptr_equal(pt_withdraw(pmd), pts[i]);
		pagetable_free(kit.memory, pts[i], NULL);
	}
	assert_null(pt_withdraw(pmd));
	pagetable_free(kit.memory, pmd, NULL);
	kit_close(&kit);
}

static void check_D52(void)
{
	struct pt_account owner = {0};
	struct ptdesc *pt;
	struct kit kit;

	open_order(&kit, 0, NULL);
	pt = pagetable_alloc(kit.memory, 0, 2, &owner, 0);
	assert_true(ptdesc_flags(pt) & PTDESC_ACCOUNTED);
	assert_int_equal(pt_account_tables(&owner, 2), 1);
	pagetable_free(kit.memory, pt, &owner);
	assert_int_equal(pt_account_tables(&owner, 2), 0);
	kit_close(&kit);
}

/* A frame stays while one of its tables is in use, without any count of references. */
static void check_D53(void)
{
	struct pt_config config = kit_config();
	struct ptdesc *pts[4];
	struct kit kit;

	config.magazine = 2;
	kit_open(&kit, &config, NULL);
	kit_class(&kit, 1024, 0, 8);
	for (unsigned i = 0; i < 4; i++)
		pts[i] = alloc(&kit, 0);
	for (unsigned i = 0; i < 3; i++) {
		pagetable_free(kit.memory, pts[i], NULL);
		drain(&kit);
		assert_int_equal(kit_type(&kit, ptdesc_pfn(pts[3])), MEMDESC_FRAGS);
		assert_ptr_equal(ptdesc_from_pa(kit.memory, ptdesc_pa(kit.memory, pts[3])), pts[3]);
	}
	pagetable_free(kit.memory, pts[3], NULL);
	kit_close(&kit);
}
