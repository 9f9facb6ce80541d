/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A port for unit tests of the core: one thread that says which CPU it is, grace periods that end
 * when the test says so, and a stop that can be caught. It checks how the library calls the port:
 * pins do not nest, and grace periods and table events are asked for with nothing held.
 */
#ifndef PTDESC_TESTS_CORE_KIT_H
#define PTDESC_TESTS_CORE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/memory.h"
#include "core/table.h"

/* Physical memory starts here, so that nobody mistakes an address for another kind. */
#define KIT_FIRST_PFN UINT64_C(0x4000)
#define KIT_SECTIONS  4u

struct kit {
	struct pt_memory *memory;
	struct pt_config config;
	unsigned cpu; /* the CPU that the caller is on */
	bool pinned;
	unsigned in_section; /* nesting of read sections */
	uint64_t started;    /* cookie of the grace period that was started last */
	uint64_t over;       /* grace periods up to this cookie are over */
	unsigned waits;      /* times that somebody waited for one */
	int refuse;          /* what table_event answers to a start */
	unsigned starts;     /* table events seen */
	unsigned stops;
	uint64_t event_pa; /* of the last event */
	size_t event_size;
	unsigned event_level;
	unsigned write_backs;
	jmp_buf jump;
	bool armed; /* a stop is expected: jump */
	enum pt_stop code;
	char *arena;
	void *block;
	void *words[KIT_SECTIONS];
	unsigned sections;
	size_t frames; /* in each section */
};

static unsigned kit_pin(void *ctx, bool irq)
{
	struct kit *kit = ctx;

	assert_int_equal(irq, kit->config.irq);
	assert_false(kit->pinned);
	kit->pinned = true;
	return kit->cpu;
}

static void kit_unpin(void *ctx, bool irq)
{
	struct kit *kit = ctx;

	(void)irq;
	assert_true(kit->pinned);
	kit->pinned = false;
}

static void kit_enter(void *ctx)
{
	((struct kit *)ctx)->in_section++;
}

static void kit_exit(void *ctx)
{
	((struct kit *)ctx)->in_section--;
}

static void *kit_virt(void *ctx, pt_pa pa)
{
	struct kit *kit = ctx;

	return kit->arena + (pa.v - (KIT_FIRST_PFN << kit->config.page_shift));
}

static pt_pa kit_phys(void *ctx, const void *address)
{
	struct kit *kit = ctx;

	return pt_make_pa((uint64_t)((const char *)address - kit->arena) +
			  (KIT_FIRST_PFN << kit->config.page_shift));
}

/* One thread: whoever waits for a lock waits for ever. */
static void kit_wait_while(void *ctx, const uint32_t *address, uint32_t value)
{
	(void)ctx;
	(void)address;
	(void)value;
	fail_msg("deadlock: a lock is held already");
}

static void kit_nothing_held(const struct kit *kit)
{
	assert_false(kit->pinned);
	assert_int_equal(kit->in_section, 0);
}

static uint64_t kit_grace_start(void *ctx)
{
	struct kit *kit = ctx;

	kit_nothing_held(kit);
	return ++kit->started;
}

static bool kit_grace_done(void *ctx, uint64_t cookie)
{
	struct kit *kit = ctx;

	kit_nothing_held(kit);
	return cookie <= kit->over;
}

static void kit_grace_wait(void *ctx, uint64_t cookie)
{
	struct kit *kit = ctx;

	kit_nothing_held(kit);
	kit->waits++;
	if (kit->over < cookie)
		kit->over = cookie;
}

static inline void kit_write_back(void *ctx, const void *address, size_t size)
{
	(void)address;
	(void)size;
	((struct kit *)ctx)->write_backs++;
}

static inline int kit_event(void *ctx, pt_pa pa, size_t size, unsigned level, bool start)
{
	struct kit *kit = ctx;

	kit_nothing_held(kit);
	if (start && kit->refuse)
		return kit->refuse;
	*(start ? &kit->starts : &kit->stops) += 1;
	kit->event_pa = pa.v;
	kit->event_size = size;
	kit->event_level = level;
	return 0;
}

static void kit_stop(void *ctx, enum pt_stop code, const void *object)
{
	struct kit *kit = ctx;

	kit->code = code;
	if (kit->armed)
		longjmp(kit->jump, 1);
	fail_msg("stopped with code %d at %p", (int)code, object);
	abort();
}

/* What is live across the setjmp below is not changed between it and the jump. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wclobbered"
#endif

/* The code with which a hardened build stops at a statement; 0: it does not. */
#define KIT_STOP_CODE(kit, statement)                                                              \
	((kit)->armed = true, (kit)->code = (enum pt_stop)0,                                       \
	    setjmp((kit)->jump) == 0 ? (void)(statement) : (void)((kit)->pinned = false),          \
	    (kit)->armed = false, (int)(kit)->code)

/* A small machine: 4 KiB frames, 1024 of them in each of two sections. */
static inline struct pt_config kit_config(void)
{
	struct pt_config config = {
		.page_shift = 12,
		.cpus = 2,
		.nodes = 1,
		.section_shift = 10,
		.max_pfn = KIT_FIRST_PFN + 0x4000,
		.magazine = 8,
		.classes = 8,
	};

	return config;
}

static inline struct pt_port kit_port(struct kit *kit)
{
	struct pt_port port = {
		.ctx = kit,
		.cpu_pin = kit_pin,
		.cpu_unpin = kit_unpin,
		.section_enter = kit_enter,
		.section_exit = kit_exit,
		.phys_to_virt = kit_virt,
		.virt_to_phys = kit_phys,
		.wait_while = kit_wait_while,
		.grace_start = kit_grace_start,
		.grace_done = kit_grace_done,
		.grace_wait = kit_grace_wait,
		.stop = kit_stop,
	};

	return port;
}

static inline void *kit_zeroed(size_t size, size_t align)
{
	size_t whole = (size + align - 1) / align * align;
	void *block = aligned_alloc(align, whole);

	assert_non_null(block);
	memset(block, 0, whole);
	return block;
}

/* A memory at the boot stage, with sections; section i is on node i % nodes. */
static inline void kit_open_boot(struct kit *kit, const struct pt_config *config, unsigned sections,
    size_t frames, void (*adjust)(struct pt_port *))
{
	struct pt_port port = kit_port(kit);
	size_t size = pt_memory_size(config);

	memset(kit, 0, sizeof(*kit));
	kit->config = *config;
	kit->sections = sections;
	kit->frames = frames;
	if (adjust)
		adjust(&port);
	assert_true(size > 0);
	kit->block = kit_zeroed(size, 64);
	/* Not zero: tables must be made empty, not found empty. */
	kit->arena = kit_zeroed(((size_t)sections << config->section_shift) << config->page_shift,
	    (size_t)1 << (config->page_shift < 12 ? 12 : config->page_shift));
	memset(kit->arena, 0xa5, ((size_t)sections << config->section_shift) << config->page_shift);
	assert_int_equal(pt_memory_init(kit->block, size, config, &port, &kit->memory), 0);
	for (unsigned i = 0; i < sections; i++) {
		pt_pfn first = KIT_FIRST_PFN + ((pt_pfn)i << config->section_shift);

		kit->words[i] = kit_zeroed(pt_section_size(config), 64);
		assert_int_equal(pt_section_add(kit->memory, first, frames, i % config->nodes,
				     kit->words[i]),
		    0);
	}
}

static inline void kit_open(struct kit *kit, const struct pt_config *config,
    void (*adjust)(struct pt_port *))
{
	kit_open_boot(kit, config, 2, (size_t)1 << config->section_shift, adjust);
	assert_int_equal(pt_memory_online(kit->memory), 0);
}

/* Gives the memory up without asking what is left in it. */
static inline void kit_abandon(struct kit *kit)
{
	for (unsigned i = 0; i < kit->sections; i++)
		free(kit->words[i]);
	free(kit->block);
	free(kit->arena);
}

/* Ends a test: nothing may be left. */
static inline void kit_close(struct kit *kit)
{
	struct pt_leaks leaks = {1, 1, 1};
	int error = pt_memory_destroy(kit->memory, &leaks);

	assert_int_equal(leaks.frames, 0);
	assert_int_equal(leaks.tables, 0);
	assert_int_equal(leaks.objects, 0);
	assert_int_equal(error, 0);
	kit_abandon(kit);
}

static inline unsigned kit_class(struct kit *kit, uint64_t size, uint64_t empty,
    uint8_t entry_bytes)
{
	struct pt_table_class spec = {
		.size = size,
		.align = size,
		.max_pa = UINT64_MAX,
		.empty = empty,
		.entry_bytes = entry_bytes,
	};
	unsigned id = UINT32_MAX;

	assert_int_equal(pt_class_register(kit->memory, &spec, &id), 0);
	return id;
}

static inline struct pt_memory_stats kit_stats(const struct kit *kit)
{
	struct pt_memory_stats stats;

	pt_memory_stats(kit->memory, &stats);
	return stats;
}

/* Frames of all sections of kit_config. */
#define KIT_FRAMES 2048u

/* All is free: each section is one block, and one word. */
static inline void kit_all_free(struct kit *kit)
{
	(void)pt_memory_shrink(kit->memory);
	assert_int_equal(kit_stats(kit).free_frames, kit->sections * kit->frames);
	for (unsigned s = 0; s < kit->sections; s++) {
		const struct pt_section *section = kit->words[s];

		for (unsigned i = 1; i < kit->frames; i++)
			assert_int_equal(section->words[i].memdesc.v, 0);
		assert_int_equal(memdesc_type(section->words[0].memdesc), MEMDESC_FREE);
		assert_int_equal(section->free_frames, kit->frames);
	}
}

static inline unsigned kit_type(const struct kit *kit, pt_pfn pfn)
{
	return memdesc_type(pt_page_memdesc(kit->memory, pfn));
}

/* Test programs speak TAP. */
static inline int kit_main(const char *name, const struct CMUnitTest *tests, size_t count)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

#define KIT_RUN(name, tests) kit_main(name, tests, sizeof(tests) / sizeof((tests)[0]))

#endif
