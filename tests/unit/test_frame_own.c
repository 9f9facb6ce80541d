/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Frames: the embedder's own, and words of its own. */
#include "tests/unit/core_kit.h"

static char descriptor[64] __attribute__((aligned(16)));

#define OWN_FIRST UINT64_C(0x123450)
#define OWN_COUNT 64u

static struct own {
	struct pt_page words[OWN_COUNT * 3]; /* a word of ours in every third place */
	unsigned next;
	unsigned taken;
	int node;
	uint32_t flags;
	unsigned words_end;
} own_frames;

static pt_pfn own_alloc(void *ctx, unsigned order, int node, uint32_t flags, pt_pfn max_pfn)
{
	pt_pfn pfn =
	    (OWN_FIRST + own_frames.next + (1u << order) - 1) & ~(pt_pfn)((1u << order) - 1);

	(void)ctx;
	own_frames.node = node;
	own_frames.flags = flags;
	if (pfn + (1u << order) > OWN_FIRST + OWN_COUNT || pfn + (1u << order) - 1 > max_pfn)
		return PT_NO_PFN;
	own_frames.next = (unsigned)(pfn - OWN_FIRST) + (1u << order);
	own_frames.taken += 1u << order;
	return pfn;
}

static void own_free(void *ctx, pt_pfn pfn, unsigned order)
{
	(void)ctx;
	assert_true(pfn >= OWN_FIRST);
	own_frames.taken -= 1u << order;
}

static struct pt_page *own_slot(void *ctx, pt_pfn pfn)
{
	(void)ctx;
	if (pfn < OWN_FIRST || pfn >= OWN_FIRST + own_frames.words_end)
		return NULL;
	return &own_frames.words[(pfn - OWN_FIRST) * 3];
}

static void slot_set(pt_pfn pfn, uintptr_t word)
{
	own_slot(NULL, pfn)->memdesc.v = word;
}

static void own_port(struct pt_port *port)
{
	port->frame_alloc = own_alloc;
	port->frame_free = own_free;
	port->memdesc_slot = own_slot;
}

static void source_port(struct pt_port *port)
{
	port->frame_alloc = own_alloc;
	port->frame_free = own_free;
}

static void test_own_frames_and_words(void **state)
{
	struct pt_config config = kit_config();
	memdesc_t memdesc = memdesc_create(descriptor, 8);
	struct pt_leaks leaks;
	struct kit kit;
	pt_pfn typed;
	pt_pfn plain;

	(void)state;
	memset(&own_frames, 0, sizeof(own_frames));
	own_frames.words_end = OWN_COUNT;
	config.nodes = 2;
	kit_open_boot(&kit, &config, 0, 0, own_port);
	kit.memory->stage = PT_STAGE_ONLINE;
	typed =
	    memdesc_alloc_pages(kit.memory, 0, 0, memdesc_create(descriptor, MEMDESC_PAGE_TABLE));
	assert_ptr_equal(pt_desc_linked(kit.memory, typed << 12, 12, true), descriptor);
	memdesc_free_pages(kit.memory, typed, 0);
	typed = memdesc_alloc_pages(kit.memory, 0, 2, memdesc);
	assert_int_equal(own_frames.node, -1);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pt_page_memdesc(kit.memory, typed + i).v, memdesc.v);
	plain = memdesc_alloc_pages_node(kit.memory, PT_THIS_NODE, 1, memdesc_none(), 0);
	assert_int_equal(own_frames.node, 0);
	assert_int_equal(own_frames.flags, PT_THIS_NODE);
	assert_int_equal(kit_type(&kit, plain), MEMDESC_PLAIN);
	assert_int_equal(own_frames.taken, 6);
	assert_int_equal(pt_memory_destroy(kit.memory, &leaks), -PT_EBUSY);
	assert_int_equal(leaks.frames, 6);
	memdesc_free_pages(kit.memory, plain, 1);
	memdesc_free_pages(kit.memory, typed, 2);
	assert_int_equal(own_frames.taken, 0);
	for (unsigned i = 0; i < OWN_COUNT * 3; i++)
		assert_int_equal(own_frames.words[i].memdesc.v, 0);
	assert_int_equal(memdesc_alloc_pages_below(kit.memory, 0, 0, memdesc, OWN_FIRST - 1),
	    PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 7, memdesc), PT_NO_PFN);
	assert_int_equal(memdesc_alloc_pages_many(kit.memory, PT_THIS_NODE, 7, memdesc, 2),
	    PT_NO_PFN);
	assert_int_equal(own_frames.node, 1);
	/* A node that has none, then any. */
	assert_int_equal(memdesc_alloc_pages_node(kit.memory, 0, 7, memdesc, 0), PT_NO_PFN);
	assert_int_equal(own_frames.node, -1);
	/* Frames past the last that has a word: those that have one say what they are. */
	own_frames.words_end = 2;
	own_frames.next = 0;
	typed = memdesc_alloc_pages(kit.memory, 0, 2, memdesc);
	assert_int_equal(kit_type(&kit, typed + 1), 8);
	assert_int_equal(kit_type(&kit, typed + 2), MEMDESC_NONE);
	own_frames.words_end = OWN_COUNT;
	slot_set(typed + 2, memdesc.v);
	slot_set(typed + 3, memdesc.v);
	memdesc_free_pages(kit.memory, typed, 2);
	own_frames.words_end = 0;
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 0, memdesc), PT_NO_PFN);
	assert_int_equal(own_frames.taken, 0);
	kit_close(&kit);
}

/* The words of a section for frames that are not ours to give. */
static void test_own_frames_in_a_section(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	void *words;
	pt_pfn pfn;

	(void)state;
	memset(&own_frames, 0, sizeof(own_frames));
	config.max_pfn = OWN_FIRST + 4096;
	kit_open_boot(&kit, &config, 0, 0, source_port);
	kit.memory->stage = PT_STAGE_ONLINE;
	words = kit_zeroed(pt_section_size(&config), 64);
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none()), PT_NO_PFN);
	assert_int_equal(own_frames.taken, 0);
	assert_int_equal(pt_section_add(kit.memory, OWN_FIRST & ~UINT64_C(1023), 1024, 0, words),
	    0);
	assert_int_equal(kit_stats(&kit).free_frames, 0);
	pfn = memdesc_alloc_pages(kit.memory, 0, 1, memdesc_create(descriptor, 8));
	assert_int_equal(kit_type(&kit, pfn + 1), 8);
	memdesc_free_pages(kit.memory, pfn, 1);
	pfn = memdesc_alloc_pages(kit.memory, 0, 1, memdesc_create(descriptor, MEMDESC_PAGE_TABLE));
	assert_ptr_equal(pt_desc_linked(kit.memory, pfn << 12, 12, true), descriptor);
	assert_int_equal(pt_section_remove(kit.memory, OWN_FIRST & ~UINT64_C(1023)), -PT_EBUSY);
	memdesc_free_pages(kit.memory, pfn, 1);
	/* More frames than a section has words for: the source is not asked. */
	own_frames.node = 7;
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, config.section_shift + 1,
			     memdesc_create(descriptor, 8)),
	    PT_NO_PFN);
	assert_int_equal(own_frames.node, 7);
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, config.section_shift, memdesc_none()),
	    PT_NO_PFN);
	assert_int_equal(own_frames.node, -1);
	assert_int_equal(pt_section_remove(kit.memory, OWN_FIRST & ~UINT64_C(1023)), 0);
	free(words);
	kit_close(&kit);
}

/* Nor more than the largest order, where a section is larger. */
static void test_own_frames_in_a_large_section(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	memset(&own_frames, 0, sizeof(own_frames));
	config.section_shift = PT_MAX_ORDER + 1;
	kit_open_boot(&kit, &config, 0, 0, source_port);
	kit.memory->stage = PT_STAGE_ONLINE;
	own_frames.node = 7;
	assert_int_equal(memdesc_alloc_pages(kit.memory, 0, PT_MAX_ORDER + 1, memdesc_none()),
	    PT_NO_PFN);
	assert_int_equal(own_frames.node, 7);
	kit_close(&kit);
}

#define SHORT_COUNT 64u

/* Short frames; that of the first slab is followed by frames without a word, while there is a hole.
 */
static struct {
	struct pt_page words[SHORT_COUNT];
	unsigned next;
	bool hole;
} short_frames;

static pt_pfn short_alloc(void *ctx, unsigned order, int node, uint32_t flags, pt_pfn max_pfn)
{
	unsigned size = 1u << order;
	unsigned at = (short_frames.next + size - 1) & ~(size - 1);

	(void)ctx;
	(void)node;
	(void)flags;
	(void)max_pfn;
	assert_true(at + size <= SHORT_COUNT);
	short_frames.next = at + size;
	return KIT_FIRST_PFN + at;
}

static void short_free(void *ctx, pt_pfn pfn, unsigned order)
{
	(void)ctx;
	(void)pfn;
	(void)order;
}

static struct pt_page *short_slot(void *ctx, pt_pfn pfn)
{
	(void)ctx;
	if (pfn < KIT_FIRST_PFN || pfn >= KIT_FIRST_PFN + SHORT_COUNT)
		return NULL;
	if (short_frames.hole && (pfn == KIT_FIRST_PFN + 1 || pfn == KIT_FIRST_PFN + 2))
		return NULL;
	return &short_frames.words[pfn - KIT_FIRST_PFN];
}

static void short_port(struct pt_port *port)
{
	port->frame_alloc = short_alloc;
	port->frame_free = short_free;
	port->memdesc_slot = short_slot;
}

/* The first slab of slabs is of four frames; those of them that have a word say what they are. */
static void test_own_words_of_a_slab(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache cache;
	struct kit kit;
	void *object;

	(void)state;
	memset(&short_frames, 0, sizeof(short_frames));
	short_frames.hole = true;
	config.page_shift = 7;
	kit_open_boot(&kit, &config, 0, 0, short_port);
	free(kit.arena);
	kit.arena = kit_zeroed(SHORT_COUNT << 7, 4096);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	assert_int_equal(pt_cache_init(&cache, kit.memory, "one", 16, 16, 0), 0);
	object = pt_cache_alloc(&cache);
	assert_non_null(object);
	assert_int_equal(kit_type(&kit, KIT_FIRST_PFN), MEMDESC_SLAB);
	assert_int_equal(kit_type(&kit, KIT_FIRST_PFN + 1), MEMDESC_NONE);
	assert_int_equal(kit_type(&kit, KIT_FIRST_PFN + 3), MEMDESC_SLAB);
	assert_int_equal(short_frames.words[1].memdesc.v, 0);
	/* Their own free wants them all alike. */
	short_frames.hole = false;
	short_frames.words[1] = short_frames.words[2] = short_frames.words[0];
	pt_cache_free(&cache, object);
	assert_int_equal(pt_cache_destroy(&cache), 0);
	kit_close(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_frames_and_words),
		cmocka_unit_test(test_own_frames_in_a_section),
		cmocka_unit_test(test_own_frames_in_a_large_section),
		cmocka_unit_test(test_own_words_of_a_slab),
	};

	return KIT_RUN("frame own", tests);
}
