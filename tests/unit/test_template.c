/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The template port does what its documentation says, on memory at a low address. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/mman.h>

#include <ptdesc/frame.h>
#include <ptdesc/ptdesc.h>
#include "port/template/template.c"

#define RAM_BYTES ((size_t)5 << 22) /* a section, and a quarter of the next */

/* Low, as physical memory is: there is a pointer for each section below the highest frame. */
static uintptr_t map_ram(void)
{
	void *at = mmap((void *)(uintptr_t)0x40000000, 2 * RAM_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_true(at != MAP_FAILED);
	return (uintptr_t)at;
}

static void test_tables_in_identity_mapped_memory(void **state)
{
	const struct pt_table_class spec = {.size = 4096,
		.align = 4096,
		.max_pa = UINT64_MAX,
		.entry_bytes = 8};
	uintptr_t ram = map_ram();
	struct pt_memory_stats stats;
	struct pt_memory *memory;
	struct ptdesc *table;
	unsigned id;

	(void)state;
	assert_int_equal(template_memory(ram + 4096, RAM_BYTES, &memory), -PT_EALIGN);
	assert_int_equal(template_memory(ram, 4096, &memory), -PT_EINVAL);
	assert_int_equal(template_memory(ram, 0, &memory), -PT_EINVAL);
	assert_int_equal(template_memory(ram, RAM_BYTES, &memory), 0);
	pt_memory_stats(memory, &stats);
	/* All but the words, 8 bytes a frame, and the state of a memory. */
	assert_true(stats.frames > (RAM_BYTES >> 12) - 2 * 17 - 50);
	assert_true(stats.frames < RAM_BYTES >> 12);
	assert_int_equal(pt_class_register(memory, &spec, &id), 0);
	table = pagetable_alloc(memory, id, 0, NULL, 0);
	assert_non_null(table);
	assert_int_equal(ptdesc_pa(memory, table).v, (uintptr_t)ptdesc_address(memory, table));
	assert_in_range((uintptr_t)ptdesc_address(memory, table), ram, ram + RAM_BYTES);
	pagetable_free_defer(memory, table, NULL);
	assert_int_equal(pt_memory_destroy(memory, NULL), 0);
	assert_int_equal(munmap((void *)ram, 2 * RAM_BYTES), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables_in_identity_mapped_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
