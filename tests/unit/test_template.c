/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The template port, step by step, on memory at a low address. The machine is played by the test:
 * its CPUs take turns, and one that waits lets the others run.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>

#include <ptdesc/frame.h>
#include "port/template/template.c"

#define DIRECT    UINT64_C(0x40000000)
#define RAM       UINT64_C(0x00800000) /* in the middle of a section */
#define RAM_BYTES (UINT64_C(5) << 22)
#define KEPT      UINT64_C(0x00c00000)
#define ACROSS    UINT64_C(0x00fff000) /* two sections */
#define DEVICE    UINT64_C(0x04000000)
#define PAGE      UINT64_C(4096)

static struct template t;
static unsigned this_cpu;
static unsigned interrupts;
static unsigned loads;
static uint32_t *watched; /* changes when somebody waits long enough */
static struct {
	unsigned pages;
	unsigned all;
	uint64_t last;
} flushed[TEMPLATE_CPUS];

unsigned template_cpu(void)
{
	return this_cpu;
}

/* All other CPUs get a turn. */
void template_relax(void)
{
	unsigned me = this_cpu;

	for (this_cpu = 0; this_cpu < TEMPLATE_CPUS; this_cpu++)
		if (this_cpu != me)
			template_answer(&t);
	this_cpu = me;
	if (watched)
		*watched = 0;
}

void template_interrupt(unsigned cpu)
{
	(void)cpu;
	interrupts++;
}

void template_flush_page(uint64_t va)
{
	flushed[this_cpu].pages++;
	flushed[this_cpu].last = va;
}

void template_flush_all(void)
{
	flushed[this_cpu].all++;
}

void template_set_root(const struct pt_root *root)
{
	loads += root->pa.v != 0;
}

void template_stop(enum pt_stop code, const void *object)
{
	(void)code;
	(void)object;
	abort();
}

static const struct template_range kept[] = {{RAM, PAGE}, {KEPT, 16 * PAGE}, {ACROSS, 2 * PAGE},
	{0, 0}};
static const struct template_range devices[] = {{DEVICE, 2 * PAGE}, {0, 0}};

static struct template_map map_of(const struct pt_format *format)
{
	const struct template_map map = {format, {RAM, RAM_BYTES}, kept, devices, DIRECT};

	return map;
}

static struct template_map map;

/* RAM is where the direct map would have it. */
static void open_ram(const struct pt_format *format)
{
	void *at = mmap((void *)(uintptr_t)(DIRECT + RAM), RAM_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_true(at != MAP_FAILED);
	memset(&t, 0, sizeof(t));
	memset(flushed, 0, sizeof(flushed));
	map = map_of(format);
	this_cpu = interrupts = loads = 0;
	watched = NULL;
}

static void close_ram(void)
{
	assert_int_equal(munmap((void *)(uintptr_t)(DIRECT + RAM), RAM_BYTES), 0);
}

static void open_template(const struct pt_format *format)
{
	open_ram(format);
	assert_int_equal(template_memory(&t, &map), 0);
	assert_int_equal(template_kernel(&t), 0);
	template_cpu_up(&t);
}

static void close_template(void)
{
	assert_int_equal(pt_space_destroy(&t.kernel, NULL), 0);
	assert_int_equal(pt_memory_destroy(t.memory, NULL), 0);
	close_ram();
}

static const struct pt_format *const formats[] = {&pt_format_x86_64, &pt_format_i386,
	&pt_format_i386_pae, &pt_format_riscv_sv39, &pt_format_riscv_sv32};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static void test_maps_that_make_no_sense(void **state)
{
	const struct template_range beyond[] = {{RAM + RAM_BYTES - PAGE, PAGE}, {0, 0}};
	const struct template_range below[] = {{RAM - PAGE, PAGE}, {0, 0}};
	const struct template_range half[] = {{RAM, PAGE / 2}, {0, 0}};

	(void)state;
	open_ram(&pt_format_x86_64);
	map.ram.base += 1;
	assert_int_equal(template_memory(&t, &map), -PT_EALIGN);
	map.ram.base -= 1;
	map.ram.size = 0;
	assert_int_equal(template_memory(&t, &map), -PT_EINVAL);
	map.ram.size = PAGE;
	assert_int_equal(template_memory(&t, &map), -PT_EINVAL);
	map.ram.size = RAM_BYTES;
	map.kept = beyond;
	assert_int_equal(template_memory(&t, &map), -PT_EINVAL);
	map.kept = below;
	assert_int_equal(template_memory(&t, &map), -PT_EINVAL);
	map.kept = half;
	assert_int_equal(template_memory(&t, &map), -PT_EALIGN);
	close_ram();
}

/* Every frame that there is is RAM, and none is kept. */
static void test_frames(void **state)
{
	pt_pfn frames[RAM_BYTES / PAGE];
	unsigned count = 0;

	(void)state;
	open_ram(&pt_format_x86_64);
	assert_int_equal(template_memory(&t, &map), 0);
	while ((frames[count] = memdesc_alloc_pages(t.memory, 0, 0, memdesc_none())) != PT_NO_PFN) {
		uint64_t pa = frames[count++] * PAGE;

		assert_in_range(pa, RAM + PAGE, RAM + RAM_BYTES - PAGE);
		assert_false(pa >= KEPT && pa < KEPT + 16 * PAGE);
	}
	/* All but the words, 8 bytes a frame, and the state of a memory. */
	assert_true(count > RAM_BYTES / PAGE - 17 - 2 * 17 - 50);
	while (count--)
		memdesc_free_pages(t.memory, frames[count], 0);
	assert_int_equal(pt_memory_destroy(t.memory, NULL), 0);
	close_ram();
}

static void expect_kernel(const struct pt_space *space)
{
	const uint64_t ends[] = {RAM, RAM + RAM_BYTES - 1, DEVICE, DEVICE + 2 * PAGE - 1};
	struct pt_translation tr;

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pt_translate(space, pt_make_va(DIRECT + ends[i]), &tr), 0);
		assert_int_equal(tr.pa.v, ends[i]);
		assert_false(tr.attr.flags & PT_USER);
	}
	assert_int_equal(pt_translate(space, pt_make_va(DIRECT + DEVICE + 2 * PAGE), &tr),
	    -PT_ENOENT);
}

/* The kernel is in every space, whose own life is its own. */
static void test_spaces(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FORMATS; i++) {
		struct template_space s[2];
		struct pt_translation tr;

		open_template(formats[i]);
		assert_int_equal(loads, 1);
		for (unsigned j = 0; j < 2; j++) {
			/* Not below the kernel's root entry, which is wide in some. */
			uint64_t low = formats[i]->levels > 3 ? UINT64_C(1) << 40 : 0x10000;
			pt_va va = pt_make_va(low + 0x10000 * j);

			assert_int_equal(template_space_init(&t, &s[j]), 0);
			expect_kernel(&s[j].space);
			assert_int_equal(pt_map(&s[j].space, va, PAGE, pt_make_pa(KEPT),
					     pt_make_attr(PT_READ | PT_USER | PT_EXEC), 0),
			    0);
		}
		assert_int_equal(template_space_destroy(&t, &s[0]), 0);
		expect_kernel(&s[1].space);
		assert_int_equal(template_space_destroy(&t, &s[1]), 0);
		expect_kernel(&t.kernel);
		assert_int_equal(pt_translate(&t.kernel, pt_make_va(0x10000), &tr), -PT_ENOENT);
		close_template();
	}
}

/* A table that a reader on another CPU may be in stays until that reader has left. */
static void test_grace(void **state)
{
	uint64_t cookie;

	(void)state;
	open_template(&pt_format_riscv_sv39);
	this_cpu = 1;
	section_enter(&t);
	section_enter(&t);
	this_cpu = 0;
	cookie = grace_start(&t);
	assert_false(grace_done(&t, cookie));
	this_cpu = 1;
	section_exit(&t);
	assert_false(grace_done(&t, cookie));
	/* One that begins now does not matter to that period, but to the next. */
	section_exit(&t);
	assert_true(grace_done(&t, cookie));
	section_enter(&t);
	assert_true(grace_done(&t, cookie));
	assert_false(grace_done(&t, grace_start(&t)));
	section_exit(&t);
	/* The numbers of epochs begin again. */
	t.epoch = UINT32_MAX;
	section_enter(&t);
	cookie = grace_start(&t);
	assert_int_equal(cookie, 1);
	assert_false(grace_done(&t, cookie));
	section_exit(&t);
	assert_true(grace_done(&t, cookie));
	/* A handler came when a section had begun that nobody could see yet; and leaves it seen. */
	this_cpu = 1;
	t.cpus[1].nested = 1;
	section_enter(&t);
	assert_false(grace_done(&t, grace_start(&t)));
	section_exit(&t);
	assert_false(grace_done(&t, grace_start(&t)));
	section_exit(&t);
	assert_true(grace_done(&t, grace_start(&t)));
	this_cpu = 0;
	close_template();
}

static struct pt_flush request_of(uint64_t first, uint64_t pages, uint32_t tables)
{
	const struct pt_flush request = {.start = pt_make_va(first),
		.last = pt_make_va(first + pages * PAGE - 1),
		.leaves = 1,
		.tables = tables};

	return request;
}

/* Every CPU that is up flushes, and the one that asks waits for it. */
static void test_flush(void **state)
{
	struct pt_flush request = request_of(0x10000, 3, 0);

	(void)state;
	open_template(&pt_format_i386_pae);
	this_cpu = 2;
	template_cpu_up(&t);
	this_cpu = 0;
	memset(flushed, 0, sizeof(flushed));
	flush(&t, &request);
	assert_int_equal(interrupts, 1);
	for (unsigned i = 0; i < TEMPLATE_CPUS; i++) {
		assert_int_equal(flushed[i].pages, i == 0 || i == 2 ? 3 : 0);
		assert_int_equal(flushed[i].all, 0);
	}
	assert_int_equal(flushed[2].last, 0x10000 + 2 * PAGE);
	request = request_of(0x10000, FLUSH_PAGES + 1, 0);
	flush(&t, &request);
	assert_int_equal(flushed[0].pages, 3);
	assert_int_equal(flushed[2].all, 1);
	/* One page, and the root's entry above it, which the MMU has in a register. */
	request = request_of(0x10000, 1, 1u << 2);
	flush(&t, &request);
	assert_int_equal(flushed[2].all, 2);
	assert_int_equal(flushed[2].pages, 3);
	close_template();
}

/* A CPU that comes up may have walked what changed while nobody asked it yet. */
static void test_coming_up_flushes(void **state)
{
	(void)state;
	open_template(&pt_format_riscv_sv39);
	assert_int_equal(flushed[0].all, 1);
	this_cpu = 1;
	template_cpu_up(&t);
	assert_int_equal(flushed[1].all, 1);
	assert_int_equal(flushed[0].all, 1);
	this_cpu = 0;
	close_template();
}

/* Who waits for a lock, or for its turn to ask, answers. */
static void test_waiting_answers(void **state)
{
	uint32_t lock = 1;

	(void)state;
	open_template(&pt_format_riscv_sv39);
	memset(flushed, 0, sizeof(flushed));
	t.request = request_of(0x10000, 1, 0);
	t.cpus[0].asked = ASKED;
	watched = &lock;
	wait_while(&t, &lock, 1);
	assert_int_equal(flushed[0].pages, 1);
	assert_int_equal(t.cpus[0].asked, 0);
	/* Not twice for one request, nor in the midst of an answer that an interrupt breaks into.
	 */
	template_answer(&t);
	t.cpus[0].asked = ANSWERING;
	template_answer(&t);
	assert_int_equal(flushed[0].pages, 1);
	t.cpus[0].asked = 0;
	close_template();
}

static void test_faults(void **state)
{
	struct template_space s;
	struct pt_translation tr;

	(void)state;
	open_template(&pt_format_riscv_sv39);
	assert_int_equal(template_space_init(&t, &s), 0);
	assert_int_equal(pt_map(&s.space, pt_make_va(PAGE), PAGE, pt_make_pa(KEPT),
			     pt_make_attr(PT_READ | PT_USER), 0),
	    0);
	assert_int_equal(template_fault(&s.space, PAGE, PT_READ | PT_USER), 0);
	/* Obsolete: nothing is changed, but the MMU may have kept that there was nothing. */
	memset(flushed, 0, sizeof(flushed));
	assert_int_equal(template_fault(&s.space, PAGE, PT_READ | PT_USER), 0);
	assert_int_equal(flushed[0].pages, 1);
	assert_int_equal(flushed[0].last, PAGE);
	assert_int_equal(pt_translate(&s.space, pt_make_va(PAGE), &tr), 0);
	assert_true(tr.attr.flags & PT_ACCESSED);
	assert_int_equal(template_fault(&s.space, PAGE, PT_WRITE | PT_USER), -PT_EATTR);
	assert_int_equal(template_fault(&s.space, 2 * PAGE, PT_READ | PT_USER), -PT_ENOENT);
	assert_int_equal(template_space_destroy(&t, &s), 0);
	close_template();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps_that_make_no_sense),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_spaces),
		cmocka_unit_test(test_grace),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_coming_up_flushes),
		cmocka_unit_test(test_waiting_answers),
		cmocka_unit_test(test_faults),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
