/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The life of a memory: sizes, stages, leaks, counts, allocations made to fail. */
#include <signal.h>
#include <ptdesc/space.h>
#include "tests/unit/core_kit.h"

static void test_strerror(void **state)
{
	(void)state;
	for (int e = 0; e <= PT_ENOTSUP; e++) {
		assert_non_null(pt_strerror(e));
		assert_string_equal(pt_strerror(e), pt_strerror(-e));
		assert_string_not_equal(pt_strerror(e), "unknown error");
		for (int f = 0; f < e; f++)
			assert_string_not_equal(pt_strerror(e), pt_strerror(f));
	}
	assert_string_equal(pt_strerror(PT_ENOTSUP + 1), "unknown error");
	assert_string_equal(pt_strerror(INT_MIN), "unknown error");
}

/* Every field of the config, at its limits and just beyond. */
static void test_config_limits(void **state)
{
	static const struct {
		size_t offset;
		unsigned least;
		unsigned most;
	} fields[] = {
		{offsetof(struct pt_config, page_shift), 4, 20},
		{offsetof(struct pt_config, cpus), 1, 4096},
		{offsetof(struct pt_config, nodes), 1, 64},
		{offsetof(struct pt_config, section_shift), 1, sizeof(void *) == 8 ? 20 : 12},
		{offsetof(struct pt_config, magazine), 2, 512},
		{offsetof(struct pt_config, classes), 1, 64},
	};
	struct pt_config config;

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		unsigned *field = (unsigned *)((char *)&config + fields[i].offset);

		config = kit_config();
		*field = fields[i].least;
		assert_int_not_equal(pt_memory_size(&config), 0);
		*field = fields[i].most;
		assert_int_not_equal(pt_memory_size(&config), 0);
		*field = fields[i].least - 1;
		assert_int_equal(pt_memory_size(&config), 0);
		assert_int_equal(pt_section_size(&config), 0);
		*field = fields[i].most + 1;
		assert_int_equal(pt_memory_size(&config), 0);
	}
	config = kit_config();
	config.max_pfn = 0;
	assert_int_equal(pt_memory_size(&config), 0);
	config.max_pfn = (UINT64_C(1) << 44) + 1;
	assert_int_equal(pt_memory_size(&config), 0);
	config.max_pfn = UINT64_C(1) << 44; /* 2^34 sections: too many to index */
	assert_int_equal(pt_memory_size(&config), 0);
	assert_int_equal(pt_memory_size(NULL), 0);
}

static pt_pfn source_alloc(void *ctx, unsigned order, int node, uint32_t flags, pt_pfn max_pfn)
{
	(void)ctx;
	(void)order;
	(void)node;
	(void)flags;
	(void)max_pfn;
	return PT_NO_PFN;
}

static struct pt_page *slot(void *ctx, pt_pfn pfn)
{
	(void)ctx;
	(void)pfn;
	return NULL;
}

/* Sets one call of the port to NULL; false: there are no more. */
static bool take_call(struct pt_port *port, unsigned n)
{
	switch (n) {
	case 0:
		port->cpu_pin = NULL;
		return true;
	case 1:
		port->cpu_unpin = NULL;
		return true;
	case 2:
		port->section_enter = NULL;
		return true;
	case 3:
		port->section_exit = NULL;
		return true;
	case 4:
		port->phys_to_virt = NULL;
		return true;
	case 5:
		port->virt_to_phys = NULL;
		return true;
	case 6:
		port->wait_while = NULL;
		return true;
	case 7:
		port->grace_start = NULL;
		return true;
	case 8:
		port->grace_done = NULL;
		return true;
	case 9:
		port->grace_wait = NULL;
		return true;
	case 10:
		port->frame_alloc = source_alloc; /* without frame_free */
		return true;
	case 11:
		port->memdesc_slot = slot; /* without a source of frames */
		return true;
	default:
		return false;
	}
}

static void test_init_refuses_what_cannot_work(void **state)
{
	struct pt_config config = kit_config();
	size_t size = pt_memory_size(&config);
	struct kit kit = {0};
	struct pt_port port = kit_port(&kit);
	struct pt_port part = port;
	char *block = kit_zeroed(size + 64, 64);
	struct pt_memory *memory = NULL;

	(void)state;
	assert_int_equal(pt_memory_init(NULL, size, &config, &port, &memory), -PT_EINVAL);
	assert_int_equal(pt_memory_init(block, size, NULL, &port, &memory), -PT_EINVAL);
	assert_int_equal(pt_memory_init(block, size, &config, NULL, &memory), -PT_EINVAL);
	assert_int_equal(pt_memory_init(block, size, &config, &port, NULL), -PT_EINVAL);
	assert_int_equal(pt_memory_init(block, size - 1, &config, &port, &memory), -PT_EINVAL);
	assert_int_equal(pt_memory_init(block + 32, size, &config, &port, &memory), -PT_EINVAL);
	config.cpus = 0;
	assert_int_equal(pt_memory_init(block, size, &config, &port, &memory), -PT_EINVAL);
	config = kit_config();
	config.max_pfn = UINT64_C(1) << 44;
	assert_int_equal(pt_memory_init(block, size, &config, &port, &memory), -PT_EINVAL);
	config = kit_config();
	config.page_shift = 4;
	config.section_shift = 1; /* no descriptor fits two frames of 16 bytes */
	config.max_pfn = 16;
	assert_int_equal(pt_memory_init(block, size, &config, &port, &memory), -PT_EINVAL);
	config = kit_config();
	for (unsigned n = 0; take_call(&part, n); n++, part = port)
		assert_int_equal(pt_memory_init(block, size, &config, &part, &memory), -PT_EINVAL);
	assert_null(memory);
	assert_int_equal(pt_memory_init(block, size, &config, &port, &memory), 0);
	assert_non_null(memory);
	assert_int_equal(pt_memory_destroy(memory, NULL), 0);
	assert_int_equal(pt_memory_destroy(NULL, NULL), -PT_EINVAL);
	assert_int_equal(pt_memory_online(NULL), -PT_EINVAL);
	free(block);
}

/* What the explorer copies and restores: memory, sections and frames together. */
static void test_a_tiny_memory_is_small(void **state)
{
	struct pt_config config = {
		.page_shift = 6,
		.cpus = 2,
		.nodes = 1,
		.section_shift = 8,
		.max_pfn = 512,
		.magazine = 2,
		.classes = 4,
	};
	size_t memory = pt_memory_size(&config);
	size_t section = pt_section_size(&config);
	size_t whole = memory + 2 * section + (512u << 6);

	(void)state;
	print_message("# tiny: memory %zu, section %zu, 512 frames of 64 bytes: %zu bytes\n",
	    memory, section, whole);
	assert_true(whole <= 65536);
	/* A section is one word for each frame and little else. */
	assert_true(section <= 256 * sizeof(struct pt_page) + 256);
}

static void test_a_large_memory_can_be_described(void **state)
{
	struct pt_config config = kit_config();

	(void)state;
	if (sizeof(void *) < 8)
		skip();
	config.section_shift = 15;
	config.max_pfn = UINT64_C(1) << 32; /* 16 TiB: 131072 sections */
	assert_true(pt_memory_size(&config) < (2u << 20));
	assert_int_equal(pt_section_size(&config) & ~(size_t)255, 8u << 15);
}

static bool same_line(const void *a, const void *b)
{
	return (uintptr_t)a / PT_CACHE_LINE == (uintptr_t)b / PT_CACHE_LINE;
}

/* What a CPU writes in every allocation and free is on no line that another CPU looks at. */
static void test_cpus_have_lines_of_their_own(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cpu *cpu;
	struct kit kit;

	(void)state;
	config.cpus = 3;
	config.classes = 1;
	config.magazine = 3;
	config.nodes = 3;
	kit_open(&kit, &config, NULL);
	cpu = kit.memory->cpus;
	for (unsigned n = 0; n < 2; n++) {
		assert_false(same_line(&cpu[n].node_tables[2], &cpu[n + 1].node_tables[0]));
		assert_false(same_line(&cpu[n].tables[0], &cpu[n + 1].tables[0]));
		assert_false(
		    same_line(&cpu[n].tables[0].tables[2], &cpu[n + 1].tables[0].tables[0]));
		assert_false(same_line(&cpu[n].frames[PT_MAGAZINE_ORDERS - 1].frames[1],
		    &cpu[n + 1].frames[0].frames[0]));
	}
	kit_close(&kit);
}

/* The same of what is charged to a space, wherever the embedder puts the space. */
static void test_accounts_have_lines_of_their_own(void **state)
{
	char room[sizeof(struct pt_space) + PT_CACHE_LINE] __attribute__((aligned(PT_CACHE_LINE)));

	(void)state;
	for (size_t at = 0; at < PT_CACHE_LINE; at += sizeof(void *)) {
		const struct pt_space *space = (const struct pt_space *)(const void *)(room + at);

		assert_false(same_line((const char *)&space->account - 1,
		    &space->account.slot[0].tables[0]));
		for (unsigned n = 0; n + 1 < PT_ACCOUNT_SLOTS; n++)
			assert_false(same_line(&space->account.slot[n].tables[7],
			    &space->account.slot[n + 1].tables[0]));
	}
}

static void test_two_memories_side_by_side(void **state)
{
	struct pt_config config = kit_config();
	struct kit a;
	struct kit b;
	pt_pfn pfn;

	(void)state;
	kit_open(&a, &config, NULL);
	kit_open(&b, &config, NULL);
	pfn = memdesc_alloc_pages(a.memory, 0, 0, memdesc_none());
	assert_int_equal(kit_type(&a, pfn), MEMDESC_PLAIN);
	assert_int_not_equal(kit_type(&b, pfn), MEMDESC_PLAIN);
	kit_close(&b);
	memdesc_free_pages(a.memory, pfn, 0);
	kit_close(&a);
}

/* M10: each stage used too early is an error and no crash. */
static void test_stages(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache cache;
	struct kit kit;
	unsigned id;

	(void)state;
	kit_open_boot(&kit, &config, 2, 1024, NULL);
	id = kit_class(&kit, 4096, 0, 8);
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none()), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages_node(kit.memory, 0, 0, memdesc_none(), 0), PT_NO_PFN);
	assert_null(pagetable_alloc(kit.memory, id, 0, NULL, 0));
	assert_int_equal(pt_cache_init(&cache, kit.memory, "early", 64, 64, 0), 0);
	assert_null(pt_cache_alloc(&cache));
	assert_int_equal(pt_cache_destroy(&cache), 0);
	assert_int_equal(pt_memory_shrink(kit.memory), 0);
	assert_int_equal(kit_stats(&kit).free_frames, 2048);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	assert_int_equal(pt_memory_online(kit.memory), -PT_ESTAGE);
	kit_close(&kit);
}

static void test_destroy_reports_leaks(void **state)
{
	struct pt_config config = kit_config();
	struct pt_leaks leaks;
	struct pt_cache cache;
	struct ptdesc *table;
	struct kit kit;
	void *object;
	unsigned id;
	pt_pfn pfn;

	(void)state;
	kit_open(&kit, &config, NULL);
	id = kit_class(&kit, 4096, 0, 8);
	pfn = memdesc_alloc_pages(kit.memory, 0, 3, memdesc_none());
	assert_int_equal(pt_memory_destroy(kit.memory, &leaks), -PT_EBUSY);
	assert_int_equal(leaks.frames, 8);
	assert_int_equal(leaks.tables, 0);
	assert_int_equal(leaks.objects, 0);
	/* It still works. */
	table = pagetable_alloc(kit.memory, id, 0, NULL, 0);
	assert_non_null(table);
	memdesc_free_pages(kit.memory, pfn, 3);
	assert_int_equal(pt_memory_destroy(kit.memory, &leaks), -PT_EBUSY);
	assert_int_equal(leaks.tables, 1);
	assert_int_equal(leaks.objects, 0);
	assert_true(leaks.frames >= 1);
	pagetable_free(kit.memory, table, NULL);
	assert_int_equal(pt_cache_init(&cache, kit.memory, "leak", 64, 64, 0), 0);
	object = pt_cache_alloc(&cache);
	assert_int_equal(pt_memory_destroy(kit.memory, &leaks), -PT_EBUSY);
	assert_int_equal(leaks.tables, 0);
	assert_int_equal(leaks.objects, 1);
	pt_cache_free(&cache, object);
	assert_int_equal(pt_cache_destroy(&cache), 0);
	kit_close(&kit);
}

static void test_allocations_fail_by_number(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	pt_pfn pfn[4];

	(void)state;
	kit_open(&kit, &config, NULL);
	for (unsigned nth = 1; nth <= 4; nth++) {
		(void)pt_memory_fail_at(kit.memory, nth, false);
		for (unsigned i = 0; i < 4; i++) {
			pfn[i] = memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none());
			assert_int_equal(pfn[i] == PT_NO_PFN, i + 1 == nth);
		}
		assert_int_equal(pt_memory_fail_at(kit.memory, 0, false), 4);
		for (unsigned i = 0; i < 4; i++)
			if (pfn[i] != PT_NO_PFN)
				memdesc_free_pages(kit.memory, pfn[i], 0);
	}
	(void)pt_memory_fail_at(kit.memory, 2, true);
	pfn[0] = memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none());
	assert_int_not_equal(pfn[0], PT_NO_PFN);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none()), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages_node(kit.memory, 0, 0, memdesc_none(), 0), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages_many(kit.memory, 0, 0, memdesc_none(), 1), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 0, memdesc_none(), KIT_FIRST_PFN),
	    PT_NO_PFN);
	assert_int_equal(pt_memory_fail_at(kit.memory, 0, false), 8);
	assert_int_equal(pt_memory_fail_at(kit.memory, 0, false), 0);
	memdesc_free_pages(kit.memory, pfn[0], 0);
	kit_close(&kit);
}

static void test_counts_of_frames(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	uint64_t all;
	pt_pfn pfn;

	(void)state;
	kit_open(&kit, &config, NULL);
	all = 2048 - kit_stats(&kit).slab_frames; /* a slab is kept for the first descriptors */
	assert_int_equal(kit_stats(&kit).frames, 2048);
	assert_int_equal(kit_stats(&kit).free_frames, all);
	assert_int_equal(kit_stats(&kit).page_word_bytes, 2048 * sizeof(struct pt_page));
	pfn = memdesc_alloc_pages(kit.memory, 0, 4, memdesc_none());
	assert_int_equal(kit_stats(&kit).free_frames, all - 16);
	kit.cpu = 1;
	memdesc_free_pages(kit.memory, pfn, 4); /* into the magazine of another CPU */
	assert_int_equal(kit_stats(&kit).free_frames, all);
	assert_int_equal(pt_node_table_frames(kit.memory, 0), 0);
	assert_int_equal(pt_node_table_frames(kit.memory, 1), 0);
	kit_close(&kit);
}

/* Frames in the magazines, of this CPU and of all. */
static uint64_t kept(const struct kit *kit)
{
	return kit_stats(kit).free_frames - kit->memory->nodes[0].free_frames;
}

static void keep_some(struct kit *kit, unsigned cpu)
{
	kit->cpu = cpu;
	for (unsigned order = 0; order < 4; order++)
		memdesc_free_pages(kit->memory,
		    memdesc_alloc_pages(kit->memory, 0, order, memdesc_none()), order);
}

static void test_shrink_reaches_every_cpu(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	uint64_t frames;
	uint64_t others;

	(void)state;
	kit_open(&kit, &config, NULL);
	keep_some(&kit, 0);
	others = kept(&kit);
	assert_true(others > 0);
	keep_some(&kit, 1);
	frames = kept(&kit) - others + kit_stats(&kit).slab_frames;
	assert_int_equal(pt_memory_shrink(kit.memory), frames);
	assert_int_equal(kept(&kit), others);
	/* The other CPU hears of it at its next call, and gives back what it kept until then. */
	kit.cpu = 0;
	memdesc_free_pages(kit.memory, memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none()), 0);
	assert_int_equal(kept(&kit), 1);
	assert_int_equal(pt_memory_shrink(kit.memory), 1);
	assert_int_equal(kept(&kit), 0);
	kit_close(&kit);
}

static unsigned odd_node(void *ctx, unsigned cpu)
{
	(void)ctx;
	return cpu == 0 ? 1 : 5;
}

static void with_odd_nodes(struct pt_port *port)
{
	port->cpu_node = odd_node;
}

static void test_the_port_says_which_node_is_near(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	config.nodes = 4;
	kit_open(&kit, &config, with_odd_nodes);
	assert_int_equal(kit.memory->cpus[0].node, 1);
	assert_int_equal(kit.memory->cpus[1].node, 1); /* beyond the last: wraps */
	kit_close(&kit);
}

/* Tables on their way out are counted, in the batch that fills up and in those that wait. */
static void test_deferred_tables_are_counted(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	unsigned id;

	(void)state;
	kit_open(&kit, &config, NULL);
	id = kit_class(&kit, 4096, 0, 8);
	for (unsigned i = 1; i <= PT_BATCH_TABLES * 2 + 5; i++) {
		struct ptdesc *pt = pagetable_alloc(kit.memory, id, 0, NULL, 0);

		assert_non_null(pt);
		pt_state_move(kit.memory, pt, PT_PRIVATE, PT_LINKED);
		pt_state_move(kit.memory, pt, PT_LINKED, PT_UNLINKED);
		pagetable_free_defer(kit.memory, pt, NULL);
		(void)pt_reclaim_poll(kit.memory, false);
		assert_int_equal(kit_stats(&kit).deferred, i);
	}
	kit_close(&kit);
}

static sigjmp_buf trapped;

static void on_trap(int signal)
{
	(void)signal;
	siglongjmp(trapped, 1);
}

static void without_stop(struct pt_port *port)
{
	port->stop = NULL;
}

/* A port that does not say how to stop: the compiler's trap. */
static void test_stop_without_a_port(void **state)
{
	struct pt_config config = kit_config();
	struct sigaction action = {.sa_handler = on_trap};
	struct sigaction ill;
	struct sigaction trap;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, without_stop);
	assert_int_equal(sigaction(SIGILL, &action, &ill), 0);
	assert_int_equal(sigaction(SIGTRAP, &action, &trap), 0);
	if (sigsetjmp(trapped, 1) == 0)
		pt_stop(kit.memory, PT_STOP_BAD_STATE, NULL);
	assert_int_equal(sigaction(SIGILL, &ill, NULL), 0);
	assert_int_equal(sigaction(SIGTRAP, &trap, NULL), 0);
	kit_close(&kit);
}

static void test_stop(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	assert_int_equal(KIT_STOP_CODE(&kit, pt_stop(kit.memory, PT_STOP_BAD_CACHE, NULL)),
	    PT_STOP_BAD_CACHE);
	kit_close(&kit);
}

/* A table made on one CPU and freed on another, while the CPUs' counts are read one by one. */
static void test_sums_are_not_below_zero(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	kit.memory->cpus[1].tables_count = -1;
	kit.memory->cpus[1].node_tables[0] = -1;
	assert_int_equal(kit_stats(&kit).tables, 0);
	assert_int_equal(pt_node_table_frames(kit.memory, 0), 0);
	kit.memory->cpus[1].tables_count = 0;
	kit.memory->cpus[1].node_tables[0] = 0;
	kit_close(&kit);
}

static void test_a_cpu_that_does_not_exist(void **state)
{
	(void)state;
#ifdef PT_HARDENED
	struct pt_config config = kit_config();
	struct kit kit;

	kit_open(&kit, &config, NULL);
	kit.cpu = 2;
	assert_int_equal(KIT_STOP_CODE(&kit,
			     (void)!memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none())),
	    PT_STOP_BAD_CPU);
	kit.cpu = 0;
	kit_close(&kit);
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strerror),
		cmocka_unit_test(test_config_limits),
		cmocka_unit_test(test_init_refuses_what_cannot_work),
		cmocka_unit_test(test_a_tiny_memory_is_small),
		cmocka_unit_test(test_a_large_memory_can_be_described),
		cmocka_unit_test(test_cpus_have_lines_of_their_own),
		cmocka_unit_test(test_accounts_have_lines_of_their_own),
		cmocka_unit_test(test_two_memories_side_by_side),
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_destroy_reports_leaks),
		cmocka_unit_test(test_allocations_fail_by_number),
		cmocka_unit_test(test_counts_of_frames),
		cmocka_unit_test(test_shrink_reaches_every_cpu),
		cmocka_unit_test(test_the_port_says_which_node_is_near),
		cmocka_unit_test(test_deferred_tables_are_counted),
		cmocka_unit_test(test_stop_without_a_port),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_sums_are_not_below_zero),
		cmocka_unit_test(test_a_cpu_that_does_not_exist),
	};

	return KIT_RUN("memory", tests);
}
