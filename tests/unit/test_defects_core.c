/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A test for each row of defects.md that lives in the core, named after it. In a build with
 * PT_DEFECTS each test is itself tested: the defect is put back in a process of its own, where the
 * check has to fail. `test_defects_core --put-back N` runs all tests with row N put back: that
 * row's own test must be among those that fail.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/defects.h"
#include "tests/unit/core_kit.h"

#ifdef PT_DEFECTS
unsigned pt_defect;
#endif

#define PAGE 4096u

/* The embedder's types of frames; page.h. */
static memdesc_t users_memdesc(unsigned type)
{
	static char descriptor[16] __attribute__((aligned(16)));

	return memdesc_create(descriptor, type);
}

static struct ptdesc *alloc(struct kit *kit, unsigned class_id)
{
	struct ptdesc *pt = pagetable_alloc(kit->memory, class_id, 1, NULL, 0);

	assert_non_null(pt);
	return pt;
}

static void drain(struct kit *kit)
{
	(void)pt_magazines_drain(kit->memory, &kit->memory->cpus[kit->cpu]);
}

static void with_events(struct pt_port *port)
{
	port->table_event = kit_event;
}

/* One class of a table of 2^order frames, number 0. */
static void open_order(struct kit *kit, unsigned order, void (*adjust)(struct pt_port *))
{
	struct pt_config config = kit_config();

	kit_open(kit, &config, adjust);
	assert_int_equal(kit_class(kit, (uint64_t)PAGE << order, 0, 8), 0);
}

static void assert_typed(struct kit *kit, const struct ptdesc *pt)
{
	for (unsigned i = 0; i < 1u << ptdesc_order(pt); i++) {
		memdesc_t memdesc = pt_page_memdesc(kit->memory, ptdesc_pfn(pt) + i);

		assert_int_equal(memdesc_type(memdesc), MEMDESC_PAGE_TABLE);
		assert_ptr_equal(memdesc_ptr(memdesc), pt);
	}
}

/* Every frame of an allocation has its memdesc, whoever it is for. */
static void check_D3(void)
{
	struct kit kit;

	open_order(&kit, 3, NULL);
	for (unsigned type = MEMDESC_USER_FIRST; type <= MEMDESC_USER_LAST; type++) {
		pt_pfn pfn = memdesc_alloc_pages(kit.memory, 0, 3, users_memdesc(type));

		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(kit_type(&kit, pfn + i), type);
		memdesc_free_pages(kit.memory, pfn, 3);
	}
	kit_close(&kit);
}

/* An address inside a table of several frames is known to be inside a table, and which. */
static void check_D4(void)
{
	struct ptdesc *pt;
	struct kit kit;

	open_order(&kit, 2, NULL);
	pt = alloc(&kit, 0);
	for (uint64_t at = 0; at < 4 * PAGE; at += 512)
		assert_ptr_equal(ptdesc_from_pa(kit.memory,
				     pt_make_pa(ptdesc_pa(kit.memory, pt).v + at)),
		    pt);
	pagetable_free(kit.memory, pt, NULL);
	kit_close(&kit);
}

/* What was a table is none when somebody else has its frames. */
static void check_D6(void)
{
	struct ptdesc *pt;
	struct kit kit;
	pt_pfn pfn;

	open_order(&kit, 3, NULL);
	pt = alloc(&kit, 0);
	pfn = ptdesc_pfn(pt);
	pagetable_free(kit.memory, pt, NULL);
	drain(&kit);
	for (unsigned i = 0; i < 8; i++)
		assert_int_not_equal(kit_type(&kit, pfn + i), MEMDESC_PAGE_TABLE);
	pfn = memdesc_alloc_pages(kit.memory, 0, 3, memdesc_none());
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(kit_type(&kit, pfn + i), i ? MEMDESC_NONE : MEMDESC_PLAIN);
	memdesc_free_pages(kit.memory, pfn, 3);
	kit_close(&kit);
}

/* No field of a descriptor reads as another: every order with every flag, level and class. */
static void check_D7(void)
{
	struct pt_config config = kit_config();
	struct pt_account owner = {0};
	struct kit kit;

	kit_open(&kit, &config, NULL);
	for (unsigned order = 0; order < 6; order++) {
		unsigned id = kit_class(&kit, (uint64_t)PAGE << order, 0, 8);

		for (unsigned n = 0; n < 4 * PT_MAX_LEVELS; n++) {
			struct pt_account *who = n & 1 ? &owner : NULL;
			struct ptdesc *pt = pagetable_alloc(kit.memory, id, n / 4, who,
			    n & 2 ? PT_KERNEL_TABLE : 0);

			assert_int_equal(ptdesc_order(pt), order);
			assert_int_equal(ptdesc_level(pt), n / 4);
			assert_int_equal(ptdesc_class(pt), id);
			assert_int_equal(ptdesc_flags(pt), PTDESC_CONSTRUCTED |
							       (n & 1 ? PTDESC_ACCOUNTED : 0) |
							       (n & 2 ? PTDESC_KERNEL : 0));
			pagetable_free(kit.memory, pt, who);
		}
	}
	kit_close(&kit);
}

/* Nothing of an earlier life, whether the descriptor was ready or in its cache meanwhile. */
static void check_D8(void)
{
	struct kit kit;

	open_order(&kit, 0, NULL);
	for (unsigned round = 0; round < 4; round++) {
		struct ptdesc *pt = alloc(&kit, 0);

		assert_int_equal(pt->lock, 0);
		assert_int_equal(pt->used, 0);
		assert_int_equal(pt->dead, 0);
		assert_int_equal(pt->shared, 0);
		assert_null(pt->space);
		assert_int_equal(pt->pt_index, 0);
		assert_int_equal(pt->base, 0);
		pt->dead = 1;
		pt->shared = 1;
		pt->space = (struct pt_space *)&kit;
		pt->pt_share_count = 5;
		pt->base = 0x12345600;
		pagetable_free(kit.memory, pt, NULL);
		if (round & 1)
			drain(&kit);
	}
	kit_close(&kit);
}

/* Where a table has to be says nothing of where its descriptor has to be. */
static void check_D9(void)
{
	struct pt_table_class spec = {PAGE, PAGE, 0, 0, 8};
	struct pt_config config = kit_config();
	struct ptdesc *pt;
	struct kit kit;
	unsigned id;

	kit_open_boot(&kit, &config, 2, 1024, NULL);
	/* The first descriptors lie in the upper half, for there is no other yet. */
	assert_int_equal(pt_section_remove(kit.memory, KIT_FIRST_PFN), 0);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	memset(kit.words[0], 0, pt_section_size(&config));
	assert_int_equal(pt_section_add(kit.memory, KIT_FIRST_PFN, 1024, 0, kit.words[0]), 0);
	spec.max_pa = ((KIT_FIRST_PFN + 1024) << 12) - 1;
	assert_int_equal(pt_class_register(kit.memory, &spec, &id), 0);
	pt = alloc(&kit, id);
	assert_true(ptdesc_pa(kit.memory, pt).v <= spec.max_pa);
	assert_true(kit_phys(&kit, pt).v > spec.max_pa);
	pagetable_free(kit.memory, pt, NULL);
	kit_close(&kit);
}

/* Early callers get nothing; and a descriptor's memory stays one for whoever may still look. */
static void check_D10(void)
{
	struct pt_config config = kit_config();
	struct ptdesc *pt;
	struct kit kit;

	kit_open_boot(&kit, &config, 2, 1024, NULL);
	kit_class(&kit, PAGE, 0, 8);
	assert_null(pagetable_alloc(kit.memory, 0, 0, NULL, 0));
	assert_int_equal(pt_memory_online(kit.memory), 0);
	pt = alloc(&kit, 0);
	pagetable_free(kit.memory, pt, NULL);
	drain(&kit);
	assert_int_equal(pt->lock, 0);
	assert_int_equal(pt->dead, 1);
	assert_int_equal(pt_cache_shrink(&kit.memory->descriptors), 1);
	assert_int_equal(kit.waits, 1);
	kit_close(&kit);
}

/* What was freed can be had again, all of it, as often as one likes. */
static void check_D11(void)
{
	struct kit kit;

	open_order(&kit, 0, NULL);
	for (unsigned i = 0; i < 5000; i++) {
		pt_pfn pfn = memdesc_alloc_pages(kit.memory, 0, i % 4, memdesc_none());

		assert_true(pfn != PT_NO_PFN);
		memdesc_free_pages(kit.memory, pfn, i % 4);
	}
	kit_close(&kit);
}

/* A frame that is no table has no descriptor, and nobody follows what is not there. */
static void check_D15(void)
{
	struct kit kit;
	void *memory;
	pt_pfn pfn;

	open_order(&kit, 0, NULL);
	pfn = memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none());
	memory = kit_virt(&kit, pt_make_pa(pfn << 12));
#ifdef PT_HARDENED
	assert_int_equal(KIT_STOP_CODE(&kit, ptdesc_lock_of(kit.memory, memory)),
	    PT_STOP_NOT_A_TABLE);
	assert_int_equal(KIT_STOP_CODE(&kit, pagetable_free_addr(kit.memory, memory, NULL)),
	    PT_STOP_NOT_A_TABLE);
#else
	assert_null(ptdesc_lock_of(kit.memory, memory));
	pagetable_free_addr(kit.memory, memory, NULL);
#endif
	memdesc_free_pages(kit.memory, pfn, 0);
	kit_close(&kit);
}

/*
 * When somebody else may run on this CPU, new frames say already what they are; and when a table
 * is filled, it can be found.
 */
static struct kit *watched;
static uintptr_t seen[2048];

static void unpin_and_look(void *ctx, bool irq)
{
	for (unsigned i = 0; i < 2048; i++)
		seen[i] = pt_page_of(watched->memory, KIT_FIRST_PFN + i)->memdesc.v;
	kit_unpin(ctx, irq);
}

static void write_back_and_look(void *ctx, const void *address, size_t size)
{
	kit_write_back(ctx, address, size);
	for (size_t at = 0; at < size; at += PAGE)
		assert_int_equal(kit_type(watched,
				     kit_phys(ctx, (const char *)address + at).v >> 12),
		    MEMDESC_PAGE_TABLE);
}

static void that_look(struct pt_port *port)
{
	port->write_back = write_back_and_look;
}

static void check_D16(void)
{
	struct kit kit;
	pt_pfn pfn;

	watched = &kit;
	open_order(&kit, 2, that_look);
	kit.memory->port.cpu_unpin = unpin_and_look;
	pfn = memdesc_alloc_pages(kit.memory, 0, 2, users_memdesc(9));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(seen[pfn - KIT_FIRST_PFN + i], users_memdesc(9).v);
	memdesc_free_pages(kit.memory, pfn, 2);
	kit.memory->port.cpu_unpin = kit_unpin;
	pagetable_free(kit.memory, alloc(&kit, 0), NULL);
	kit_close(&kit);
}

/* No other user's word is taken for a table's. */
static void check_D17(void)
{
	struct kit kit;
	pt_pfn pfn;

	open_order(&kit, 0, NULL);
	for (unsigned type = MEMDESC_USER_FIRST; type <= MEMDESC_USER_LAST; type++) {
		pfn = memdesc_alloc_pages(kit.memory, 0, 0, users_memdesc(type));
#ifdef PT_HARDENED
		assert_int_equal(KIT_STOP_CODE(&kit,
				     ptdesc_from_pa(kit.memory, pt_make_pa(pfn << 12))),
		    PT_STOP_NOT_A_TABLE);
#else
		assert_null(ptdesc_from_pa(kit.memory, pt_make_pa(pfn << 12)));
#endif
		memdesc_free_pages(kit.memory, pfn, 0);
	}
	kit_close(&kit);
}

/* Whole frames, fragments and boot tables: each kind is typed by what makes it. */
static void check_D36(void)
{
	struct pt_config config = kit_config();
	struct ptdesc *pts[2];
	struct kit kit;
	pt_pa pa;

	kit_open_boot(&kit, &config, 2, 1024, NULL);
	kit_class(&kit, 4 * PAGE, 0, 8);
	kit_class(&kit, 512, 0, 8);
	assert_int_equal(pt_boot_reserve(kit.memory, KIT_FIRST_PFN + 512, 16), 0);
	assert_int_equal(pt_boot_table(kit.memory, 0, 0, &pa), 0);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(kit_type(&kit, (pa.v >> 12) + i), MEMDESC_PAGE_TABLE);
	for (unsigned i = 0; i < 2; i++)
		pts[i] = alloc(&kit, i);
	assert_typed(&kit, pts[0]);
	assert_int_equal(kit_type(&kit, ptdesc_pfn(pts[1])), MEMDESC_FRAGS);
	for (unsigned i = 0; i < 2; i++)
		pagetable_free(kit.memory, pts[i], NULL);
	pagetable_free(kit.memory, ptdesc_from_pa(kit.memory, pa), NULL);
	kit_close(&kit);
}

/* Only what was asked to be a kernel's table is one. */
static void check_D38(void)
{
	struct pt_account owner = {0};
	struct kit kit;

	open_order(&kit, 0, NULL);
	for (unsigned n = 0; n < 4; n++) {
		struct pt_account *who = n & 1 ? &owner : NULL;
		struct ptdesc *pt =
		    pagetable_alloc(kit.memory, 0, 0, who, n & 2 ? PT_KERNEL_TABLE : 0);

		assert_int_equal(!!(ptdesc_flags(pt) & PTDESC_KERNEL), !!(n & 2));
		assert_int_equal(!!(ptdesc_flags(pt) & PTDESC_ACCOUNTED), n & 1);
		assert_int_equal(ptdesc_flags(pt) & (PTDESC_RESERVED | PTDESC_FRAGMENT), 0);
		pagetable_free(kit.memory, pt, who);
	}
	kit_close(&kit);
}

/*
 * An interrupt may come wherever the CPU is not pinned, and use the memory. Each call of the port
 * stands for a moment at which it does.
 */
static struct pt_cache interrupted;
static bool in_interrupt;

static void *virt_with_interrupt(void *ctx, pt_pa pa)
{
	struct kit *kit = ctx;

	if (!kit->pinned && !in_interrupt && watched) {
		in_interrupt = true;
		pt_cache_free(&interrupted, pt_cache_alloc(&interrupted));
		pagetable_free_defer(kit->memory, alloc(kit, 0), NULL);
		in_interrupt = false;
	}
	return kit_virt(ctx, pa);
}

static void with_interrupts(struct pt_port *port)
{
	port->phys_to_virt = virt_with_interrupt;
}

static void check_D43(void)
{
	struct pt_config config = kit_config();
	struct kit kit;
	void *object;

	config.irq = true;
	watched = NULL;
	kit_open(&kit, &config, with_interrupts);
	kit_class(&kit, 512, 0, 8);
	assert_int_equal(pt_cache_init(&interrupted, kit.memory, "test", 64, 64, 0), 0);
	watched = &kit;
	for (unsigned i = 0; i < 100; i++) {
		object = pt_cache_alloc(&interrupted);
		pagetable_free(kit.memory, alloc(&kit, 0), NULL);
		pagetable_free_defer(kit.memory, alloc(&kit, 0), NULL);
		(void)ptdesc_address(kit.memory,
		    ptdesc_from_virt(kit.memory, pagetable_alloc_addr(kit.memory, 0, 0, NULL, 0)));
		pt_cache_free(&interrupted, object);
	}
	watched = NULL;
	kit_abandon(&kit);
}

/* All frames of a large block go. */
static void check_D45(void)
{
	struct kit kit;

	open_order(&kit, 0, NULL);
	for (unsigned order = 0; order < 10; order++) {
		uint64_t before = kit_stats(&kit).free_frames;
		pt_pfn pfn = memdesc_alloc_pages(kit.memory, 0, order, users_memdesc(7));

		memdesc_free_pages(kit.memory, pfn, order);
		assert_int_equal(kit_stats(&kit).free_frames, before);
	}
	kit_close(&kit);
}

/* Each allocation inside an allocation may fail. */
static void check_D46(void)
{
	static const uint64_t sizes[] = {512, PAGE, 4 * PAGE};

	for (unsigned nth = 1; nth < 12; nth++) {
		struct pt_config config = kit_config();
		struct kit kit;

		kit_open(&kit, &config, NULL);
		for (unsigned i = 0; i < 3; i++) {
			struct ptdesc *pt;

			kit_class(&kit, sizes[i], 0, 8);
			pt_memory_fail_at(kit.memory, nth, true);
			pt = pagetable_alloc(kit.memory, i, 0, NULL, 0);
			pt_memory_fail_at(kit.memory, 0, false);
			if (!pt)
				continue;
			memset(ptdesc_address(kit.memory, pt), 0, sizes[i]);
			pagetable_free(kit.memory, pt, NULL);
		}
		kit_close(&kit);
	}
}

static bool
    overtaken; /* another thread is on this CPU before the one that starts a period is back */

static void defer_batch(struct kit *kit)
{
	for (unsigned i = 0; i < PT_BATCH_TABLES; i++)
		pagetable_free_defer(kit->memory, alloc(kit, 0), NULL);
	(void)pt_reclaim_poll(kit->memory, false);
}

static uint64_t start_and_be_overtaken(void *ctx)
{
	struct kit *kit = ctx;
	uint64_t cookie = ++kit->started;

	if (overtaken) {
		overtaken = false;
		defer_batch(kit);
	}
	return cookie;
}

static void that_is_overtaken(struct pt_port *port)
{
	port->grace_start = start_and_be_overtaken;
}

/* A batch that finds the ring full does not take its period for a later one than those there. */
static void check_D95(void)
{
	struct pt_config config = kit_config();
	struct kit kit;

	config.section_shift = 12;
	kit_open(&kit, &config, that_is_overtaken);
	kit_class(&kit, 4096, 0, 8);
	for (unsigned i = 1; i < PT_BATCHES; i++)
		defer_batch(&kit);
	overtaken = true;
	defer_batch(&kit);
	assert_int_equal(kit.started, PT_BATCHES + 1);
	kit.over = PT_BATCHES;
	(void)pt_reclaim_poll(kit.memory, false);
	/* What was deferred after the last period but one had begun is there. */
	assert_true(kit_stats(&kit).deferred >= PT_BATCH_TABLES);
	kit.over = UINT64_MAX;
	(void)pt_reclaim_poll(kit.memory, true);
	kit_close(&kit);
}

#include "tests/unit/defects_tables.inc.h"

/* Row, and whether a build can put it back: D20 is the compiler's to refuse. */
/* clang-format off */
#define ROWS(X) \
	X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(9, 1) \
	X(10, 1) X(11, 1) X(12, 1) X(13, 1) X(15, 1) X(16, 1) X(17, 1) X(18, 1) \
	X(19, 1) X(20, 0) X(21, 1) X(22, 1) X(24, 1) X(25, 1) X(27, 1) X(28, 1) \
	X(29, 1) X(32, 1) X(33, 1) X(36, 1) X(37, 1) X(38, 1) X(40, 1) X(41, 1) \
	X(43, 1) X(44, 1) X(45, 1) X(46, 1) X(51, 1) X(52, 1) X(53, 1) \
	X(95, 1)
/* clang-format on */

#define DEFECTS_NAME "defects_core"
#include "tests/unit/defects_main.inc.h"
