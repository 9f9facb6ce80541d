/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Object caches: alignment, zeroing, slabs that describe themselves, type stability, misuse. */
#include "tests/unit/core_kit.h"

static void init(struct pt_cache *cache, struct kit *kit, size_t size, size_t align, uint32_t flags)
{
	assert_int_equal(pt_cache_init(cache, kit->memory, "test", size, align, flags), 0);
}

static void test_refuses_what_fits_no_slab(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache cache;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	assert_int_equal(pt_cache_init(NULL, kit.memory, "x", 64, 64, 0), -PT_EINVAL);
	assert_int_equal(pt_cache_init(&cache, NULL, "x", 64, 64, 0), -PT_EINVAL);
	assert_int_equal(pt_cache_init(&cache, kit.memory, "x", 0, 64, 0), -PT_EINVAL);
	assert_int_equal(pt_cache_init(&cache, kit.memory, "x", 64, 8, 0), -PT_EINVAL);
	assert_int_equal(pt_cache_init(&cache, kit.memory, "x", 64, 128, 0), -PT_EINVAL);
	assert_int_equal(pt_cache_init(&cache, kit.memory, "x", 64, 48, 0), -PT_EINVAL);
	assert_int_equal(pt_cache_init(&cache, kit.memory, "x", 64, 64, 2), -PT_EINVAL);
	assert_int_equal(pt_cache_init(&cache, kit.memory, "x", SIZE_MAX, 64, 0), -PT_EINVAL);
	/* Eight of these are a whole section; eight of the next are more. */
	assert_int_equal(pt_cache_init(&cache, kit.memory, "x", 512 << 10, 16, 0), 0);
	assert_int_equal(pt_cache_destroy(&cache), 0);
	assert_int_equal(pt_cache_init(&cache, kit.memory, "x", (512 << 10) + 1, 16, 0),
	    -PT_EINVAL);
	kit_close(&kit);
}

static void test_objects_are_aligned_zeroed_and_apart(void **state)
{
	static const size_t sizes[] = {1, 16, 17, 40, 64, 100, 512, 1000, 5000};
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (size_t align = 16; align <= 64; align *= 2) {
			unsigned char *objects[300];
			struct pt_cache cache;

			init(&cache, &kit, sizes[s], align, 0);
			for (int i = 0; i < 300; i++) {
				objects[i] = pt_cache_alloc(&cache);
				assert_non_null(objects[i]);
				assert_int_equal((uintptr_t)objects[i] % align, 0);
				for (size_t b = 0; b < sizes[s]; b++)
					assert_int_equal(objects[i][b], 0);
				memset(objects[i], i, sizes[s]);
			}
			for (int i = 0; i < 300; i++) {
				for (size_t b = 0; b < sizes[s]; b++)
					assert_int_equal(objects[i][b], i & 255);
			}
			assert_int_equal(cache.objects, 300);
			assert_int_equal(pt_cache_destroy(&cache), -PT_EBUSY);
			for (int i = 0; i < 300; i++)
				pt_cache_free(&cache, objects[(i * 7) % 300]);
			assert_int_equal(cache.objects, 0);
			assert_int_equal(pt_cache_destroy(&cache), 0);
		}
	}
	kit_close(&kit);
}

static void test_freed_objects_come_back_zeroed(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache cache;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	for (uint32_t flags = 0; flags <= PT_CACHE_TYPE_STABLE; flags++) {
		unsigned char *object;

		init(&cache, &kit, 80, 16, flags);
		object = pt_cache_alloc(&cache);
		memset(object, 0xee, 80);
		pt_cache_free(&cache, object);
		assert_ptr_equal(pt_cache_alloc(&cache), object);
		for (int i = 0; i < 80; i++)
			assert_int_equal(object[i], 0);
		pt_cache_free(&cache, object);
		assert_int_equal(pt_cache_destroy(&cache), 0);
	}
	kit_close(&kit);
}

/* Of a slab that is full, whichever are given back first are had again before another is made. */
static void test_freed_objects_of_a_full_slab(void **state)
{
	enum { COUNT = 100 };
	struct pt_config config = kit_config();
	void *object[COUNT];
	struct pt_cache cache;
	struct kit kit;
	uint64_t frames;

	(void)state;
	config.magazine = 2;
	kit_open(&kit, &config, NULL);
	init(&cache, &kit, 16, 16, 0);
	for (unsigned i = 0; i < COUNT; i++)
		object[i] = pt_cache_alloc(&cache);
	frames = kit_stats(&kit).free_frames;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < COUNT; i++)
			pt_cache_free(&cache, object[round ? COUNT - 1 - i : i]);
		for (unsigned i = 0; i < COUNT; i++) {
			object[i] = pt_cache_alloc(&cache);
			assert_non_null(object[i]);
			memset(object[i], 0xee, 16);
		}
		assert_int_equal(kit_stats(&kit).free_frames, frames);
	}
	for (unsigned i = 0; i < COUNT; i++)
		pt_cache_free(&cache, object[i]);
	assert_int_equal(pt_cache_destroy(&cache), 0);
	kit_close(&kit);
}

static void test_every_frame_of_a_slab_is_typed(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache cache;
	struct kit kit;
	void *object;
	pt_pfn pfn;

	(void)state;
	kit_open(&kit, &config, NULL);
	init(&cache, &kit, 3000, 16, 0);
	assert_int_equal(cache.order, 3);
	assert_int_equal(cache.count, 10);
	object = pt_cache_alloc(&cache);
	pfn = kit_phys(&kit, object).v >> 12;
	for (int i = 0; i < 8; i++)
		assert_int_equal(kit_type(&kit, pfn + i), MEMDESC_SLAB);
	pt_cache_free(&cache, object);
	assert_int_equal(kit_type(&kit, pfn), MEMDESC_SLAB);
	assert_int_equal(pt_cache_shrink(&cache), 8);
	for (int i = 0; i < 8; i++)
		assert_int_not_equal(kit_type(&kit, pfn + i), MEMDESC_SLAB);
	assert_int_equal(pt_cache_destroy(&cache), 0);
	kit_close(&kit);
}

/* 64-byte objects in 64-byte frames: a slab is eight frames, and describes itself where it must. */
static void test_tiny_frames(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache cache;
	void *objects[200];
	struct kit kit;

	(void)state;
	config.page_shift = 6;
	config.section_shift = 11;
	kit_open(&kit, &config, NULL);
	init(&cache, &kit, 64, 64, 0);
	assert_int_equal(cache.order, 3);
	assert_int_equal(cache.count, 8);
	for (int i = 0; i < 200; i++) {
		objects[i] = pt_cache_alloc(&cache);
		assert_non_null(objects[i]);
	}
	/* 25 slabs and that of the descriptor cache: each slab of descriptors holds all but one. */
	assert_int_equal(cache.slabs, 25);
	assert_int_equal(kit.memory->slabs.objects, 26);
	assert_int_equal(kit.memory->slabs.slabs,
	    (26 + kit.memory->slabs.count - 2) / (kit.memory->slabs.count - 1));
	assert_int_equal(kit_stats(&kit).slab_frames,
	    (25u << 3) + (1u << kit.memory->descriptors.order) +
		(kit.memory->slabs.slabs << kit.memory->slabs.order));
	for (int i = 0; i < 200; i++)
		pt_cache_free(&cache, objects[i]);
	assert_int_equal(pt_cache_destroy(&cache), 0);
	kit_close(&kit);
}

/* A frame of 64 KiB holds 1024 descriptors, not a fraction of them. */
static void test_large_frames_are_not_wasted(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache cache;
	void *objects[1024];
	struct kit kit;

	(void)state;
	config.page_shift = 16;
	config.section_shift = 6;
	kit_open_boot(&kit, &config, 1, 64, NULL);
	assert_int_equal(pt_memory_online(kit.memory), 0);
	init(&cache, &kit, 64, 64, 0);
	for (int i = 0; i < 1024; i++)
		objects[i] = pt_cache_alloc(&cache);
	assert_int_equal(cache.slabs, 1);
	for (int i = 1023; i >= 0; i--)
		pt_cache_free(&cache, objects[i]);
	assert_int_equal(pt_cache_destroy(&cache), 0);
	kit_close(&kit);
}

static void test_type_stable_memory_waits_for_grace(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache stable;
	struct pt_cache plain;
	struct kit kit;
	uint64_t *object;

	(void)state;
	kit_open(&kit, &config, NULL);
	init(&plain, &kit, 64, 64, 0);
	init(&stable, &kit, 64, 64, PT_CACHE_TYPE_STABLE);
	pt_cache_free(&plain, pt_cache_alloc(&plain));
	object = pt_cache_alloc(&stable);
	object[0] = 0x0100000000000000;
	pt_cache_free(&stable, object);
	/* Readers still find what the object said of itself. */
	assert_int_equal(object[0], 0x0100000000000000);
	assert_int_equal(kit.waits, 0);
	assert_int_equal(pt_cache_shrink(&plain), 1);
	assert_int_equal(kit.waits, 0);
	assert_int_equal(pt_cache_shrink(&stable), 1);
	assert_int_equal(kit.waits, 1);
	/* Nothing to give back: nothing to wait for. */
	assert_int_equal(pt_cache_shrink(&stable), 0);
	assert_int_equal(kit.waits, 1);
	assert_int_equal(pt_cache_destroy(&plain), 0);
	assert_int_equal(pt_cache_destroy(&stable), 0);
	kit_close(&kit);
}

/* Another CPU's call that shrinks all caches ends. */
static void shrinker_ends(void *ctx, const uint32_t *address, uint32_t value)
{
	struct kit *kit = ctx;

	assert_ptr_equal(address, &kit->memory->shrinkers);
	assert_int_equal(value, kit->memory->shrinkers);
	kit->memory->shrinkers--;
}

static void with_shrinkers(struct pt_port *port)
{
	port->wait_while = shrinker_ends;
}

static void test_destroy_waits_for_shrinkers(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache cache;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, with_shrinkers);
	init(&cache, &kit, 64, 64, 0);
	kit.memory->shrinkers = 2;
	assert_int_equal(pt_cache_destroy(&cache), 0);
	assert_int_equal(kit.memory->shrinkers, 0);
	kit_close(&kit);
}

static void test_no_memory(void **state)
{
	struct pt_config config = kit_config();
	struct pt_memory_stats before;
	struct pt_cache cache;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	init(&cache, &kit, 256, 16, 0);
	before = kit_stats(&kit);
	for (uint64_t nth = 1; nth <= 3; nth++) {
		pt_memory_fail_at(kit.memory, nth, true);
		assert_null(pt_cache_alloc(&cache));
		pt_memory_fail_at(kit.memory, 0, false);
		assert_int_equal(kit_stats(&kit).free_frames, before.free_frames);
		assert_int_equal(cache.objects, 0);
		assert_int_equal(cache.slabs, 0);
	}
	assert_int_equal(pt_cache_destroy(&cache), 0);
	kit_close(&kit);
}

/* Sixteen frames of 32 bytes are no slab of anything. */
static void test_no_room_for_slabs(void **state)
{
	struct pt_config config = kit_config();
	struct pt_memory *memory;
	struct pt_port port;
	struct kit kit;
	void *block;

	(void)state;
	memset(&kit, 0, sizeof(kit));
	kit.config = config;
	port = kit_port(&kit);
	config.page_shift = 5;
	config.section_shift = 1;
	block = kit_zeroed(pt_memory_size(&config), 64);
	assert_int_equal(pt_memory_init(block, pt_memory_size(&config), &config, &port, &memory),
	    -PT_EINVAL);
	free(block);
}

static void test_leaked_objects_are_reported(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache cache;
	struct pt_leaks leaks;
	struct kit kit;
	void *object;

	(void)state;
	kit_open(&kit, &config, NULL);
	init(&cache, &kit, 64, 64, 0);
	object = pt_cache_alloc(&cache);
	assert_int_equal(pt_memory_destroy(kit.memory, &leaks), -PT_EBUSY);
	assert_int_equal(leaks.objects, 1);
	assert_int_equal(leaks.tables, 0);
	pt_cache_free(&cache, object);
	assert_int_equal(pt_cache_destroy(&cache), 0);
	kit_close(&kit);
}

#ifdef PT_HARDENED

static void test_misuse_stops(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache cache;
	struct pt_cache other;
	struct kit kit;
	char *object;

	(void)state;
	kit_open(&kit, &config, NULL);
	init(&cache, &kit, 80, 16, 0);
	init(&other, &kit, 80, 16, 0);
	object = pt_cache_alloc(&cache);
	assert_int_equal(KIT_STOP_CODE(&kit, pt_cache_free(&other, object)), PT_STOP_BAD_CACHE);
	assert_int_equal(KIT_STOP_CODE(&kit, pt_cache_free(&cache, object + 16)),
	    PT_STOP_BAD_CACHE);
	assert_int_equal(KIT_STOP_CODE(&kit, pt_cache_free(&cache, kit.arena + (100 << 12))),
	    PT_STOP_BAD_CACHE);
	assert_int_equal(KIT_STOP_CODE(&kit, pt_cache_free(&cache, &kit)), PT_STOP_BAD_CACHE);
	pt_cache_free(&cache, object);
	assert_int_equal(KIT_STOP_CODE(&kit, pt_cache_free(&cache, object)), PT_STOP_DOUBLE_FREE);
	kit_abandon(&kit);
}

static void *virt_off_by_8(void *ctx, pt_pa pa)
{
	return (char *)kit_virt(ctx, pa) + 8;
}

/* A port whose memory is not aligned as physical addresses are: no room for types in pointers. */
static void test_misaligned_memory_stops(void **state)
{
	struct pt_config config = kit_config();
	struct pt_cache cache;
	struct kit kit;

	(void)state;
	kit_open(&kit, &config, NULL);
	init(&cache, &kit, 80, 16, 0);
	kit.memory->port.phys_to_virt = virt_off_by_8;
	assert_int_equal(KIT_STOP_CODE(&kit, (void)!pt_cache_alloc(&cache)), PT_STOP_BAD_ALIGN);
	kit_abandon(&kit);
}

static void test_a_slabs_own_descriptor_cannot_be_freed(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;
	pt_pfn pfn = KIT_FIRST_PFN;

	(void)state;
	kit_open(&kit, &config, NULL);
	while (
	    memdesc_ptr(pt_page_memdesc(kit.memory, pfn)) != kit_virt(&kit, pt_make_pa(pfn << 12)))
		pfn++;
	assert_int_equal(KIT_STOP_CODE(&kit, pt_cache_free(&kit.memory->slabs,
						 kit_virt(&kit, pt_make_pa(pfn << 12)))),
	    PT_STOP_BAD_CACHE);
	kit_abandon(&kit);
}

static void test_write_after_free_stops(void **state)
{
	struct pt_config config = kit_config();
	struct kit kit;

	(void)state;
	for (uint32_t flags = 0; flags <= PT_CACHE_TYPE_STABLE; flags++) {
		for (int at = 0; at < 64; at++) {
			struct pt_cache cache;
			bool seen = !flags || at >= 8;
			char *object;

			kit_open(&kit, &config, NULL);
			init(&cache, &kit, 64, 64, flags);
			object = pt_cache_alloc(&cache);
			pt_cache_free(&cache, object);
			object[at] ^= 1;
			assert_int_equal(KIT_STOP_CODE(&kit, object = pt_cache_alloc(&cache)),
			    seen ? PT_STOP_BAD_POISON : 0);
			kit_abandon(&kit);
		}
	}
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refuses_what_fits_no_slab),
		cmocka_unit_test(test_objects_are_aligned_zeroed_and_apart),
		cmocka_unit_test(test_freed_objects_come_back_zeroed),
		cmocka_unit_test(test_freed_objects_of_a_full_slab),
		cmocka_unit_test(test_every_frame_of_a_slab_is_typed),
		cmocka_unit_test(test_tiny_frames),
		cmocka_unit_test(test_large_frames_are_not_wasted),
		cmocka_unit_test(test_type_stable_memory_waits_for_grace),
		cmocka_unit_test(test_destroy_waits_for_shrinkers),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_room_for_slabs),
		cmocka_unit_test(test_leaked_objects_are_reported),
#ifdef PT_HARDENED
		cmocka_unit_test(test_misuse_stops),
		cmocka_unit_test(test_misaligned_memory_stops),
		cmocka_unit_test(test_a_slabs_own_descriptor_cannot_be_freed),
		cmocka_unit_test(test_write_after_free_stops),
#endif
	};

	return KIT_RUN("slab", tests);
}
