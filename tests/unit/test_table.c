/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tables: classes, allocation and free, magazines of ready tables, pressure, boot tables. */
#include "tests/unit/core_kit.h"

static struct pt_table_class spec_of(uint64_t size)
{
	struct pt_table_class spec = {
		.size = size,
		.align = size,
		.max_pa = UINT64_MAX,
		.empty = 0,
		.entry_bytes = 8,
	};

	return spec;
}

static void test_classes_are_checked(void **state)
{
	struct pt_config config = kit_config();
	struct pt_table_class spec;
	struct kit kit;
	unsigned id;

	(void)state;
	kit_open(&kit, &config, NULL);
#define REFUSED(field, value)                                                                      \
	do {                                                                                       \
		spec = spec_of(4096);                                                              \
		spec.field = (value);                                                              \
		assert_int_equal(pt_class_register(kit.memory, &spec, &id), -PT_EINVAL);           \
	} while (0)
	REFUSED(size, 0);
	REFUSED(size, 8);
	REFUSED(size, 4097);
	REFUSED(size, UINT64_C(4096) << 16);
	REFUSED(align, 0);
	REFUSED(align, 24);
	REFUSED(align, 8192);
	REFUSED(max_pa, 4094);
	REFUSED(entry_bytes, 2);
	REFUSED(entry_bytes, 0);
#undef REFUSED
	/* A part of a frame is in none that ends there. */
	spec = spec_of(2048);
	spec.max_pa = 2047;
	assert_int_equal(pt_class_register(kit.memory, &spec, &id), -PT_EINVAL);
	spec = spec_of(4096);
	spec.entry_bytes = 4;
	spec.empty = UINT64_C(1) << 32;
	assert_int_equal(pt_class_register(kit.memory, &spec, &id), -PT_EINVAL);
	spec = spec_of(4096);
	assert_int_equal(pt_class_register(NULL, &spec, &id), -PT_EINVAL);
	assert_int_equal(pt_class_register(kit.memory, NULL, &id), -PT_EINVAL);
	assert_int_equal(pt_class_register(kit.memory, &spec, NULL), -PT_EINVAL);
	/* A fragment may be aligned to more than its size, up to a frame. */
	spec = spec_of(32);
	spec.align = 4096;
	assert_int_equal(pt_class_register(kit.memory, &spec, &id), 0);
	spec = spec_of(UINT64_C(4096) << 15);
	assert_int_equal(pt_class_register(kit.memory, &spec, &id), 0);
	kit_close(&kit);
}

static void test_equal_classes_are_one(void **state)
{
	struct pt_config config = kit_config();
	struct pt_table_class spec = spec_of(4096);
	struct kit kit;
	unsigned ids[8];
	unsigned again;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (unsigned i = 0; i < 8; i++) {
		spec = spec_of(i < 4 ? UINT64_C(4096) << i : 4096);
		spec.empty = i == 4;
		spec.entry_bytes = i == 5 ? 4 : 8;
		spec.max_pa = i == 6 ? UINT32_MAX : UINT64_MAX;
		spec.size = i == 7 ? 2048 : spec.size;
		assert_int_equal(pt_class_register(kit.memory, &spec, &ids[i]), 0);
		assert_int_equal(ids[i], i);
		assert_int_equal(pt_class_register(kit.memory, &spec, &again), 0);
		assert_int_equal(again, i);
	}
	/* What alignment asks for, a table of a frame has anyway. */
	spec = spec_of(4096);
	spec.align = 64;
	assert_int_equal(pt_class_register(kit.memory, &spec, &again), 0);
	assert_int_equal(again, 0);
	spec = spec_of(1024);
	assert_int_equal(pt_class_register(kit.memory, &spec, &again), -PT_ENOTSUP);
	kit_close(&kit);
}

/* Alignment makes a class of its own where more of a frame goes with a table for it. */
static void test_classes_that_differ_in_alignment(void **state)
{
	struct pt_config config = kit_config();
	struct pt_table_class spec = spec_of(1024);
	struct kit kit;
	unsigned id;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (unsigned i = 0; i < 3; i++) {
		spec.align = UINT64_C(1024) << i;
		assert_int_equal(pt_class_register(kit.memory, &spec, &id), 0);
		assert_int_equal(id, i);
	}
	kit_close(&kit);
}

static void check_pattern(struct kit *kit, const struct ptdesc *pt,
    const struct pt_table_class *spec)
{
	const char *at = ptdesc_address(kit->memory, pt);
	uint32_t word = (uint32_t)spec->empty;

	for (size_t i = 0; i < spec->size; i += spec->entry_bytes) {
		if (spec->entry_bytes == 8)
			assert_memory_equal(at + i, &spec->empty, 8);
		else
			assert_memory_equal(at + i, &word, 4);
	}
}

static void test_tables_are_the_empty_pattern(void **state)
{
	static const struct pt_table_class specs[] = {
		{4096, 4096, UINT64_MAX, 0, 8},
		{4096, 4096, UINT64_MAX, 0x20, 8},
		{16384, 16384, UINT64_MAX, UINT64_C(0x123456789abcdef0), 8},
		{4096, 4096, UINT64_MAX, 0x80000001, 4},
		{8192, 8192, UINT64_MAX, 0, 4},
		{16, 16, UINT64_MAX, 0xff, 8},
		{64, 4096, UINT64_MAX, 3, 8},
	};
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (size_t s = 0; s < sizeof(specs) / sizeof(specs[0]); s++) {
		struct ptdesc *tables[20];
		unsigned id;

		assert_int_equal(pt_class_register(kit.memory, &specs[s], &id), 0);
		/* More than a magazine holds; twice, the second time with what was written before.
		 */
		for (int round = 0; round < 2; round++) {
			for (int i = 0; i < 20; i++) {
				tables[i] = pagetable_alloc(kit.memory, id, 0, NULL, 0);
				check_pattern(&kit, tables[i], &specs[s]);
				memset(ptdesc_address(kit.memory, tables[i]), i, specs[s].size);
				tables[i]->used = 1;
			}
			for (int i = 0; i < 20; i++)
				pagetable_free(kit.memory, tables[i], NULL);
		}
	}
	kit_close(&kit);
}

static void with_write_back(struct pt_port *port)
{
	port->write_back = kit_write_back;
}

static void test_what_is_filled_is_written_back(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *pt;
	unsigned filled;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, with_write_back);
	pt = pagetable_alloc(kit.memory, kit_class(&kit, 4096, 0, 8), 0, NULL, 0);
	filled = kit.write_backs;
	assert_int_equal(filled, kit_stats(&kit).ready + 1);
	pagetable_free(kit.memory, pt, NULL);
	assert_int_equal(kit.write_backs, filled);
	pt = pagetable_alloc(kit.memory, 0, 0, NULL, 0);
	pt->used = 1;
	pagetable_free(kit.memory, pt, NULL);
	assert_int_equal(kit.write_backs, filled + 1);
	kit_close(&kit);
}

static void test_arguments_are_checked(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open_boot(&kit, &config, 2, 1024, NULL);
	assert_null(pagetable_alloc(kit.memory, 0, 0, NULL, 0));
	kit_class(&kit, 4096, 0, 8);
	/* Too early: a clear error (M10). */
	assert_null(pagetable_alloc(kit.memory, 0, 0, NULL, 0));
	assert_null(pagetable_alloc_addr(kit.memory, 0, 0, NULL, 0));
	assert_int_equal(pt_memory_online(kit.memory), 0);
	assert_null(pagetable_alloc(kit.memory, 1, 0, NULL, 0));
	assert_null(pagetable_alloc(kit.memory, 0, PT_MAX_LEVELS, NULL, 0));
	assert_null(pagetable_alloc(kit.memory, 0, 0, NULL, PT_MAY_SLEEP));
	assert_int_equal(kit_stats(&kit).tables, 0);
	kit_close(&kit);
}

static void test_by_address(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	char *table;

	(void)state;
	kit_open(&kit, &config, NULL);
	table = pagetable_alloc_addr(kit.memory, kit_class(&kit, 16384, 0, 8), 1, NULL, 0);
	assert_non_null(table);
	assert_int_equal((uintptr_t)table % 4096, 0);
	for (int i = 0; i < 16384; i++)
		assert_int_equal(table[i], 0);
	assert_int_equal(ptdesc_level(ptdesc_from_virt(kit.memory, table)), 1);
	assert_int_equal(kit_stats(&kit).tables, 1);
	pagetable_free_addr(kit.memory, table, NULL);
	assert_int_equal(kit_stats(&kit).tables, 0);
	pt_memory_fail_at(kit.memory, 1, true);
	assert_null(pagetable_alloc_addr(kit.memory, 0, 1, NULL, 0));
	pt_memory_fail_at(kit.memory, 0, false);
	kit_close(&kit);
}

/* The magazine: filled and drained by halves, last in first out, one for each CPU and class. */
static void test_magazines(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *tables[16];
	struct kit kit;
	unsigned id;

	(void)state;
	kit_open(&kit, &config, NULL);
	id = kit_class(&kit, 4096, 0, 8);
	tables[0] = pagetable_alloc(kit.memory, id, 0, NULL, 0);
	assert_int_equal(kit_stats(&kit).ready, 3);
	assert_int_equal(kit_stats(&kit).magazine_misses, 1);
	assert_int_equal(kit_stats(&kit).magazine_hits, 0);
	for (int i = 1; i < 4; i++)
		tables[i] = pagetable_alloc(kit.memory, id, 0, NULL, 0);
	assert_int_equal(kit_stats(&kit).ready, 0);
	assert_int_equal(kit_stats(&kit).magazine_hits, 3);
	kit.cpu = 1;
	tables[4] = pagetable_alloc(kit.memory, id, 0, NULL, 0);
	assert_int_equal(kit_stats(&kit).ready, 3);
	kit.cpu = 0;
	for (int i = 5; i < 16; i++)
		tables[i] = pagetable_alloc(kit.memory, id, 0, NULL, 0);
	assert_int_equal(kit_stats(&kit).tables, 16);
	assert_int_equal(kit_stats(&kit).descriptors, 16 + kit_stats(&kit).ready);
	for (int i = 0; i < 16; i++)
		pagetable_free(kit.memory, tables[i], NULL);
	/* 1 + 16 went in; each time a ninth came, four went. */
	assert_int_equal(kit.memory->cpus[0].tables[id].count, 5);
	assert_ptr_equal(pagetable_alloc(kit.memory, id, 0, NULL, 0), tables[15]);
	pagetable_free(kit.memory, tables[15], NULL);
	assert_int_equal(kit_stats(&kit).tables, 0);
	assert_int_equal(kit_stats(&kit).table_frames, 0);
	kit_close(&kit);
}

/* Whoever looks for a table by its address finds a dead one, unless it is somebody's. */
static void test_who_is_alive(void **state)
{
	struct pt_config config = kit_config();
	unsigned dead = 0;
	struct ptdesc *mine;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	mine = pagetable_alloc(kit.memory, kit_class(&kit, 4096, 0, 8), 0, NULL, 0);
	for (pt_pfn i = 0; i < 0x4000; i++) {
		memdesc_t memdesc = pt_page_memdesc(kit.memory, KIT_FIRST_PFN + i);
		const struct ptdesc *pt = memdesc_ptr(memdesc);

		if (memdesc_type(memdesc) != MEMDESC_PAGE_TABLE)
			continue;
		assert_int_equal(pt->dead, pt != mine);
		dead += pt->dead;
	}
	assert_int_equal(dead, kit_stats(&kit).ready);
	pagetable_free(kit.memory, mine, NULL);
	assert_int_equal(mine->dead, 1);
	assert_ptr_equal(pagetable_alloc(kit.memory, 0, 0, NULL, 0), mine);
	assert_int_equal(mine->dead, 0);
	pagetable_free_defer(kit.memory, mine, NULL);
	assert_int_equal(mine->dead, 1);
	kit_close(&kit);
}

static void test_kept_back_tables_are_given_back(void **state)
{
	struct pt_config config = kit_config();
	struct pt_memory_stats stats;
	struct ptdesc *pt;
	struct kit kit;
	unsigned id;

	(void)state;
	kit_open(&kit, &config, NULL);
	id = kit_class(&kit, 4096, 0, 8);
	for (kit.cpu = 0; kit.cpu < 2; kit.cpu++)
		pagetable_free(kit.memory, pagetable_alloc(kit.memory, id, 0, NULL, 0), NULL);
	kit.cpu = 0;
	assert_int_equal(kit_stats(&kit).ready, 8);
	assert_true(pt_memory_shrink(kit.memory) >= 4);
	stats = kit_stats(&kit);
	assert_int_equal(stats.ready, 4);
	/* The other CPU drains when it comes by next, be it for an allocation or a free. */
	kit.cpu = 1;
	pt = pagetable_alloc(kit.memory, id, 0, NULL, 0);
	assert_int_equal(kit_stats(&kit).ready, 0);
	pagetable_free(kit.memory, pt, NULL);
	assert_int_equal(kit_stats(&kit).ready, 1);
	kit_close(&kit);
}

static void test_all_memory_can_be_had(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *last = NULL;
	uint64_t kept = 0;
	struct kit kit;
	unsigned small;
	unsigned large;
	unsigned held = 0;

	(void)state;
	kit_open(&kit, &config, NULL);
	small = kit_class(&kit, 4096, 0, 8);
	large = kit_class(&kit, 16384, 0, 8);
	/* Ready tables of one class are no reason to have none of another. */
	for (kit.cpu = 0; kit.cpu < 2; kit.cpu++)
		pagetable_free(kit.memory, pagetable_alloc(kit.memory, large, 0, NULL, 0), NULL);
	kit.cpu = 0;
	for (;; held++) {
		struct ptdesc *pt = pagetable_alloc(kit.memory, small, 0, NULL, 0);

		if (!pt)
			break;
		pt->pt_list.next = last;
		last = pt;
	}
	assert_int_equal(kit_stats(&kit).tables, held);
	/* What is left belongs to the other CPU, which has not come by. */
	assert_int_equal(kit_stats(&kit).ready, 4);
	for (int order = 0; order < (int)PT_MAGAZINE_ORDERS; order++)
		kept += (uint64_t)kit.memory->cpus[1].frames[order].count << order;
	assert_int_equal(kit_stats(&kit).free_frames, kept);
	kit.cpu = 1;
	for (int i = 0; i < 4; i++, held++) {
		struct ptdesc *pt = pagetable_alloc(kit.memory, small, 0, NULL, 0);

		assert_non_null(pt);
		pt->pt_list.next = last;
		last = pt;
	}
	assert_int_equal(kit.memory->cpus[1].tables[large].count, 0);
	kit.cpu = 0;
	while (last) {
		struct ptdesc *next = last->pt_list.next;

		pagetable_free(kit.memory, last, NULL);
		last = next;
	}
	kit_close(&kit);
}

/* Failing the nth allocation, once and for ever, leaks nothing and changes nothing. */
static void test_no_memory_changes_nothing(void **state)
{
	struct pt_config config = kit_config();

	(void)state;
	for (unsigned forever = 0; forever < 2; forever++) {
		for (uint64_t nth = 1; nth < 20; nth++) {
			static const uint64_t sizes[] = {512, 4096, 8192};
			struct kit kit;

			kit_open(&kit, &config, NULL);
			for (unsigned i = 0; i < 3; i++) {
				unsigned id = kit_class(&kit, sizes[i], 0, 8);
				struct ptdesc *pt;

				pt_memory_fail_at(kit.memory, nth, forever);
				pt = pagetable_alloc(kit.memory, id, 0, NULL, 0);
				assert_int_equal(kit_stats(&kit).tables, pt != NULL);
				if (pt)
					pagetable_free(kit.memory, pt, NULL);
				else
					assert_int_equal(kit_stats(&kit).table_frames, 0);
				pt_memory_fail_at(kit.memory, 0, false);
			}
			kit_close(&kit);
		}
	}
}

static void test_highest_address(void **state)
{
	struct pt_config config = kit_config();
	struct pt_table_class spec = spec_of(4096);
	struct ptdesc *pt;
	struct kit kit;
	unsigned id;

	(void)state;
	kit_open(&kit, &config, NULL);
	/* Half a frame into the third: two frames will do. */
	spec.max_pa = ((KIT_FIRST_PFN + 102) << 12) + 2047;
	assert_int_equal(pt_class_register(kit.memory, &spec, &id), 0);
	for (unsigned i = 0; i < 100; i++) {
		pt = pagetable_alloc(kit.memory, id, 0, NULL, 0);
		if (!pt)
			break;
		assert_true(ptdesc_pfn(pt) <= KIT_FIRST_PFN + 101);
		pagetable_free_defer(kit.memory, pt, NULL);
	}
	spec.max_pa = 4095;
	assert_int_equal(pt_class_register(kit.memory, &spec, &id), 0);
	assert_null(pagetable_alloc(kit.memory, id, 0, NULL, 0));
	spec.max_pa = 4096;
	spec.size = 512;
	spec.align = 512;
	assert_int_equal(pt_class_register(kit.memory, &spec, &id), 0);
	assert_null(pagetable_alloc(kit.memory, id, 0, NULL, 0));
	kit_close(&kit);
}

static void test_the_constructor_is_undone(void **state)
{
	struct pt_config config = kit_config();
	struct pt_account owner = {0};
	struct kit kit;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		static const uint64_t sizes[] = {1024, 4096, 16384};
		struct ptdesc *pt;
		unsigned id;

		kit_open(&kit, &config, NULL);
		kit.memory->port.table_event = kit_event;
		id = kit_class(&kit, sizes[i], 0, 8);
		kit.refuse = -PT_ENOTSUP;
		assert_null(pagetable_alloc(kit.memory, id, 1, &owner, 0));
		assert_int_equal(kit_stats(&kit).tables, 0);
		assert_int_equal(kit_stats(&kit).table_frames, sizes[i] < 4096);
		assert_int_equal(kit_stats(&kit).ready, 4);
		assert_int_equal(pt_account_tables(&owner, 1), 0);
		kit.refuse = 0;
		pt = pagetable_alloc(kit.memory, id, 1, &owner, 0);
		assert_non_null(pt);
		assert_int_equal(pt->dead, 0);
		pagetable_free(kit.memory, pt, &owner);
		assert_int_equal(kit.starts, 1);
		assert_int_equal(kit.stops, 1);
		kit_close(&kit);
	}
}

static void test_boot_tables(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *pts[2];
	struct kit kit;
	uint64_t *entries;
	unsigned id;
	pt_pa pas[2];

	(void)state;
	kit_open_boot(&kit, &config, 2, 1024, NULL);
	id = kit_class(&kit, 8192, 9, 8);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN, 64), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pt_boot_table(kit.memory, id, (unsigned)i + 1, &pas[i]), 0);
	entries = kit_virt(&kit, pas[0]);
	entries[5] = 1;
	entries[1023] = 2;
	assert_int_equal(pt_memory_online(kit.memory), 0);
	for (int i = 0; i < 2; i++) {
		pts[i] = ptdesc_from_pa(kit.memory, pt_make_pa(pas[i].v + 8191));
		assert_non_null(pts[i]);
		assert_int_equal(ptdesc_pa(kit.memory, pts[i]).v, pas[i].v);
		assert_int_equal(ptdesc_level(pts[i]), i + 1);
		assert_int_equal(ptdesc_order(pts[i]), 1);
		assert_true(ptdesc_flags(pts[i]) & PTDESC_RESERVED);
	}
	assert_int_equal(pts[0]->used, 2);
	assert_int_equal(pts[1]->used, 0);
	assert_int_equal(kit_stats(&kit).tables, 2);
	assert_int_equal(kit_stats(&kit).table_frames, 4);
	assert_int_equal(kit_stats(&kit).reserved, 4);
	pagetable_free(kit.memory, pts[0], NULL);
	assert_int_equal(pts[0]->dead, 1); /* its memory stays a descriptor's for a while */
	assert_int_equal(kit_stats(&kit).reserved, 2);
	assert_int_equal(kit_stats(&kit).ready, 0);
	assert_int_not_equal(kit_type(&kit, pas[0].v >> 12), MEMDESC_PAGE_TABLE);
	pagetable_free_defer(kit.memory, pts[1], NULL);
	assert_int_equal(kit_type(&kit, pas[1].v >> 12), MEMDESC_PAGE_TABLE);
	assert_int_equal(pt_reclaim_poll(kit.memory, true), 1);
	assert_int_not_equal(kit_type(&kit, pas[1].v >> 12), MEMDESC_PAGE_TABLE);
	assert_int_equal(kit_stats(&kit).reserved, 0);
	assert_int_equal(kit_stats(&kit).tables, 0);
	kit_close(&kit);
}

static void with_events(struct pt_port *port)
{
	port->table_event = kit_event;
}

/* Adoption that fails leaves the boot stage as it was, and can be tried again. */
static void test_boot_tables_may_fail(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	pt_pa pas[3];

	(void)state;
	for (uint64_t nth = 1; nth < 8; nth++) {
		unsigned adopted = 0;
		int error;

		kit_open_boot(&kit, &config, 2, 1024, with_events);
		kit_class(&kit, 4096, 0, 8);
		assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN, 8), 0);
		for (int i = 0; i < 3; i++)
			assert_int_equal(pt_boot_table(kit.memory, 0, 0, &pas[i]), 0);
		pt_memory_fail_at(kit.memory, nth, true);
		error = pt_memory_online(kit.memory);
		pt_memory_fail_at(kit.memory, 0, false);
		if (error) {
			assert_int_equal(error, -PT_ENOMEM);
			assert_null(pagetable_alloc(kit.memory, 0, 0, NULL, 0));
			kit.refuse = -PT_EBUSY;
			assert_int_equal(pt_memory_online(kit.memory), -PT_EBUSY);
			kit.refuse = 0;
			assert_int_equal(pt_memory_online(kit.memory), 0);
		}
		for (int i = 0; i < 3; i++) {
			struct ptdesc *pt = ptdesc_from_pa(kit.memory, pas[i]);

			adopted += pt != NULL;
			pagetable_free(kit.memory, pt, NULL);
		}
		assert_int_equal(adopted, 3);
		assert_int_equal(kit.starts, 3);
		assert_int_equal(kit.stops, 3);
		kit_close(&kit);
	}
}

/* No frames, no online; a class whose fragments need more than a section is refused. */
static void test_too_small(void **state)
{
	struct pt_config config = kit_config();
	struct pt_table_class spec = spec_of(16);
	struct kit kit;
	unsigned id;

	(void)state;
	kit_open_boot(&kit, &config, 0, 0, NULL);
	assert_int_equal(pt_memory_online(kit.memory), -PT_ENOMEM);
	kit_abandon(&kit);
	config.section_shift = 1;
	kit_open_boot(&kit, &config, 2, 2, NULL);
	assert_int_equal(pt_class_register(kit.memory, &spec, &id), -PT_EINVAL);
	assert_int_equal(kit.memory->class_count, 0);
	kit_abandon(&kit);
}

#ifdef PT_HARDENED

static void test_misuse_stops(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *pt;
	struct kit kit;
	uint64_t *entry;
	struct pt_page *page;
	uintptr_t word;

	(void)state;
	kit_open(&kit, &config, NULL);
	kit_class(&kit, 16384, 0, 8);
	pt = pagetable_alloc(kit.memory, 0, 0, NULL, 0);
	/* Called empty, and is not: any entry of any frame. */
	for (int i = 0; i < 2048; i += 89) {
		entry = (uint64_t *)ptdesc_address(kit.memory, pt) + i;
		*entry = 1;
		assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free(kit.memory, pt, NULL)),
		    PT_STOP_NOT_EMPTY);
		*entry = 0;
	}
	/* A page word that changed under its owner: any frame. */
	for (int i = 0; i < 4; i++) {
		page = pt_page_of(kit.memory, ptdesc_pfn(pt) + i);
		word = page->memdesc.v;
		page->memdesc.v = 0;
		assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free(kit.memory, pt, NULL)),
		    PT_STOP_BAD_MEMDESC);
		page->memdesc.v = word;
	}
	pt_state_move(kit.memory, pt, PT_PRIVATE, PT_LINKED);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free(kit.memory, pt, NULL)),
	    PT_STOP_BAD_STATE);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free_defer(kit.memory, pt, NULL)),
	    PT_STOP_BAD_STATE);
	assert_int_equal(KIT_STOP_CODE(&kit, pt_state_move(kit.memory, pt, PT_PRIVATE, PT_LINKED)),
	    PT_STOP_BAD_STATE);
	pt_state_move(kit.memory, pt, PT_LINKED, PT_UNLINKED);
	pagetable_free(kit.memory, pt, NULL);
	/* Ready by now, and freed again; then back in the cache. */
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free(kit.memory, pt, NULL)),
	    PT_STOP_DOUBLE_FREE);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free_defer(kit.memory, pt, NULL)),
	    PT_STOP_DOUBLE_FREE);
	assert_int_equal(KIT_STOP_CODE(&kit, (void)!pagetable_ctor(kit.memory, pt, NULL, 0, 0)),
	    PT_STOP_BAD_STATE);
	pt_memory_shrink(kit.memory);
	kit_close(&kit);
}

static void test_freed_descriptors_stop(void **state)
{
	struct pt_config config = kit_config();
	struct ptdesc *pts[2];
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	kit_class(&kit, 4096, 0, 8);
	for (int i = 0; i < 2; i++)
		pts[i] = pagetable_alloc(kit.memory, 0, 0, NULL, 0);
	pagetable_free(kit.memory, pts[0], NULL);
	kit.cpu = 0;
	(void)pt_magazines_drain(kit.memory, &kit.memory->cpus[0]);
	assert_int_equal(pts[0]->dead, 1);
	assert_int_equal(pts[0]->lock, 0);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free(kit.memory, pts[0], NULL)),
	    PT_STOP_DOUBLE_FREE);
	pts[1]->magic ^= 4;
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free(kit.memory, pts[1], NULL)),
	    PT_STOP_BAD_POISON);
	pts[1]->magic ^= 4;
	pagetable_dtor(kit.memory, pts[1]);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_dtor(kit.memory, pts[1])),
	    PT_STOP_BAD_STATE);
	pts[1]->used = 1;
	assert_int_equal(KIT_STOP_CODE(&kit, (void)!pagetable_ctor(kit.memory, pts[1], NULL, 0, 0)),
	    PT_STOP_NOT_EMPTY);
	pagetable_free(kit.memory, pts[1], NULL);
	kit.cpu = 2;
	assert_int_equal(KIT_STOP_CODE(&kit, pts[1] = pagetable_alloc(kit.memory, 0, 0, NULL, 0)),
	    PT_STOP_BAD_CPU);
	kit.cpu = 0;
	kit_close(&kit);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes_are_checked),
		cmocka_unit_test(test_equal_classes_are_one),
		cmocka_unit_test(test_classes_that_differ_in_alignment),
		cmocka_unit_test(test_tables_are_the_empty_pattern),
		cmocka_unit_test(test_what_is_filled_is_written_back),
		cmocka_unit_test(test_arguments_are_checked),
		cmocka_unit_test(test_by_address),
		cmocka_unit_test(test_magazines),
		cmocka_unit_test(test_who_is_alive),
		cmocka_unit_test(test_kept_back_tables_are_given_back),
		cmocka_unit_test(test_all_memory_can_be_had),
		cmocka_unit_test(test_no_memory_changes_nothing),
		cmocka_unit_test(test_highest_address),
		cmocka_unit_test(test_the_constructor_is_undone),
		cmocka_unit_test(test_boot_tables),
		cmocka_unit_test(test_boot_tables_may_fail),
		cmocka_unit_test(test_too_small),
#ifdef PT_HARDENED
		cmocka_unit_test(test_misuse_stops),
		cmocka_unit_test(test_freed_descriptors_stop),
#endif
	};

	return KIT_RUN("table", tests);
}
