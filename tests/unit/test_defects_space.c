/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A test for each row of defects.md that lives in spaces, named after it. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <ptdesc/kernel.h>
#include "core/defects.h"
#include "tests/unit/core_kit.h"

#ifdef PT_DEFECTS
unsigned pt_defect;
#endif

#define PAGE   UINT64_C(0x1000)
#define LARGE  UINT64_C(0x200000)
#define LARGER UINT64_C(0x40000000)
#define RW     pt_make_attr(PT_READ | PT_WRITE)

/* A memory for x86_64, and a space. */
struct world {
	struct kit kit;
	struct pt_space space;
	uint64_t flushed;
	unsigned made; /* tables that the port was told of */
	bool ordered;  /* nothing was given up before: then nothing may be when the flush comes */
	const uint64_t *watched; /* an entry of arm64 */
	unsigned gone;           /* flushes that came while it was not there */
	bool all;                /* the last flush was for whoever may have something global */
};

static void must(int error)
{
	assert_int_equal(error, 0);
}

/* When the TLBs are flushed no table may be on its way to the allocator yet. */
static void on_flush(void *ctx, const struct pt_flush *request)
{
	struct world *w = ctx;

	w->all = request->kernel;
	if (w->ordered)
		assert_int_equal(kit_stats(&w->kit).deferred, 0);
	w->gone += w->watched && !(*w->watched & 1);
	w->flushed++;
}

static int on_table(void *ctx, pt_pa pa, size_t size, unsigned level, bool start)
{
	struct world *w = ctx;

	(void)pa;
	(void)size;
	(void)level;
	w->made += start;
	return 0;
}

static void with_calls(struct pt_port *port)
{
	port->flush = on_flush;
	port->table_event = on_table;
}

static void open_format(struct world *w, const struct pt_format *format, uint32_t flags)
{
	struct pt_config config = kit_config();

	memset(w, 0, sizeof(*w));
	kit_open(&w->kit, &config, with_calls);
	must(pt_space_init(&w->space, w->kit.memory, format, flags, NULL));
}

static void open_space(struct world *w, uint32_t flags)
{
	open_format(w, &pt_format_x86_64, flags);
}

static void open_world(struct world *w)
{
	open_space(w, PT_SPACE_MMU);
}

static void close_world(struct world *w)
{
	must(pt_space_destroy(&w->space, NULL));
	kit_close(&w->kit);
}

static void map(struct world *w, uint64_t va, uint64_t size, uint32_t flags)
{
	must(pt_map(&w->space, pt_make_va(va), size, pt_make_pa(va), RW, flags));
}

/* Does a page translate to itself. */
static bool is_mapped(struct world *w, uint64_t va)
{
	struct pt_translation t = {.pa = {1}};

	return pt_translate(&w->space, pt_make_va(va), &t) == 0 && t.pa.v == va;
}

/* Tables of the space, found by the words of all frames. */
static unsigned tables_found(struct world *w, uint32_t flags)
{
	unsigned found = 0;

	for (uint64_t pfn = KIT_FIRST_PFN; pfn < KIT_FIRST_PFN + 2048; pfn++) {
		const struct ptdesc *pt;

		if (kit_type(&w->kit, pfn) != MEMDESC_PAGE_TABLE)
			continue;
		pt = ptdesc_from_pa(w->kit.memory, pt_make_pa(pfn << 12));
		found += pt->space == &w->space && !pt->dead && (ptdesc_flags(pt) & flags) == flags;
	}
	return found;
}

/* The entries of the one leaf table of the space, found the same way. */
static uint64_t *leaf_entries(struct world *w)
{
	for (uint64_t pfn = KIT_FIRST_PFN; pfn < KIT_FIRST_PFN + 2048; pfn++) {
		struct ptdesc *pt;

		if (kit_type(&w->kit, pfn) != MEMDESC_PAGE_TABLE)
			continue;
		pt = ptdesc_from_pa(w->kit.memory, pt_make_pa(pfn << 12));
		if (pt->space == &w->space && ptdesc_level(pt) == 0)
			return ptdesc_address(w->kit.memory, pt);
	}
	fail_msg("no leaf table");
	return NULL;
}

/* So many roots are on the list, and each knows the one before it. */
static void check_roots(const struct world *w, unsigned count)
{
	const struct ptdesc *before = NULL;

	for (const struct ptdesc *root = w->kit.memory->roots; root; root = root->pt_list.next) {
		assert_ptr_equal(root->pt_list.prev, before);
		before = root;
		count--;
	}
	assert_int_equal(count, 0);
}

/*
 * The tables below the root of a kernel's area can be made at once, whatever the format: what
 * other spaces have copied from the root is then the same for ever.
 */
static void check_root_stays(const struct pt_format *format)
{
	unsigned top = format->levels - 1u;
	uint64_t slot = UINT64_C(1) << pt_format_shift(format, top);
	uint64_t va = (format->va_bits == 32 ? UINT64_C(1) << 32 : 0) - 8 * slot;
	uint8_t before[4096];
	struct world w;

	open_format(&w, format, PT_SPACE_KERNEL);
	assert_true(format->tables[top].size <= sizeof(before));
	must(pt_populate(&w.space, pt_make_va(va), 8 * slot, top - 1, 0));
	memcpy(before, w.space.top, format->tables[top].size);
	for (uint64_t i = 0; i < 8; i++)
		must(
		    pt_map(&w.space, pt_make_va(va + i * slot), PAGE, pt_make_pa(0), RW, PT_RELAX));
	assert_memory_equal(before, w.space.top, format->tables[top].size);
	close_world(&w);
}

static void check_D14(void)
{
	check_root_stays(&pt_format_x86_64);
	check_root_stays(&pt_format_riscv_sv39);
	check_root_stays(&pt_format_i386);
}

/* Each root is a table like others: its frame says so, and it is the one on the list of roots. */
static void check_D23(void)
{
	struct pt_space more[3];
	struct world w;

	open_world(&w);
	for (unsigned i = 0; i < 3; i++)
		must(pt_space_init(&more[i], w.kit.memory, &pt_format_x86_64, 0, NULL));
	for (unsigned i = 0; i < 3; i++) {
		const struct ptdesc *root = w.kit.memory->roots;

		while (root && root->space != &more[i])
			root = root->pt_list.next;
		assert_ptr_equal(ptdesc_from_pa(w.kit.memory, pt_space_root(&more[i]).pa), root);
		assert_non_null(root);
	}
	must(pt_space_destroy(&more[1], NULL));
	check_roots(&w, 3);
	must(pt_space_destroy(&more[0], NULL));
	check_roots(&w, 2);
	must(pt_space_destroy(&more[2], NULL));
	check_roots(&w, 1);
	close_world(&w);
}

/* Tables are given up after the flush, of whichever call. */
static void check_D31(void)
{
	struct world w;

	open_world(&w);
	w.ordered = true;
	map(&w, 0, 3 * PAGE, 0);
	must(pt_unmap(&w.space, pt_make_va(0), LARGE, 0, NULL));
	assert_int_equal(w.flushed, 1);
	(void)pt_reclaim_poll(w.kit.memory, true);
	map(&w, 0, PAGE, 0);
	must(pt_unmap(&w.space, pt_make_va(0), PAGE, 0, NULL));
	(void)pt_reclaim_poll(w.kit.memory, true);
	map(&w, LARGE, LARGE, PT_SMALL);
	must(pt_collapse(&w.space, pt_make_va(LARGE), 1, 0));
	(void)pt_reclaim_poll(w.kit.memory, true);
	assert_int_equal(w.flushed, 3);
	close_world(&w);
}

/* Tables that splits in a kernel's map make are tables of the kernel's, all told of. */
static void check_D34(void)
{
	struct world w;

	open_space(&w, PT_SPACE_KERNEL | PT_SPACE_MMU);
	must(pt_direct_map(&w.space, pt_make_va(0), LARGER, pt_make_pa(0), 0));
	must(pt_set_memory_ro(&w.space, pt_make_va(LARGE + PAGE), PAGE, 0));
	assert_int_equal(w.made, 4);
	assert_int_equal(tables_found(&w, 0), 4);
	assert_int_equal(tables_found(&w, PTDESC_KERNEL | PTDESC_CONSTRUCTED), 4);
	close_world(&w);
}

/* Who still looks at the entries of a table that was put together sees what was there. */
static void check_D35(void)
{
	struct world w;
	uint64_t *entry;
	uint64_t value;

	open_world(&w);
	map(&w, LARGE, LARGE, PT_SMALL);
	entry = leaf_entries(&w);
	value = entry[5];
	kit_enter(&w.kit);
	must(pt_collapse(&w.space, pt_make_va(LARGE), 1, 0));
	for (uint64_t i = 0; i < 8; i++)
		map(&w, (8 + i) * LARGE, PAGE, 0);
	assert_true(entry[5] == value);
	kit_exit(&w.kit);
	close_world(&w);
}

/* Tables of every level, and those of a kernel's map, wait until nobody looks. */
static void check_D42(void)
{
	struct world w;

	open_world(&w);
	map(&w, LARGER, PAGE, 0);
	must(pt_unmap(&w.space, pt_make_va(0), 512 * LARGER, 0, NULL));
	assert_int_equal(kit_stats(&w.kit).deferred, 3);
	must(pt_populate(&w.space, pt_make_va(0), PAGE, 0, 0));
	must(pt_prune(&w.space, pt_make_va(0), PAGE, pt_make_va(0), pt_make_va(0)));
	assert_int_equal(kit_stats(&w.kit).deferred, 6);
	close_world(&w);
	open_space(&w, PT_SPACE_KERNEL | PT_SPACE_MMU);
	must(pt_direct_map(&w.space, pt_make_va(0), LARGER, pt_make_pa(0), 0));
	must(pt_set_memory_ro(&w.space, pt_make_va(0), PAGE, 0));
	must(pt_set_memory_rw(&w.space, pt_make_va(0), PAGE, 0));
	assert_int_equal(kit_stats(&w.kit).deferred, 2);
	/* As for memory that is unplugged, with the tables of its map. */
	must(pt_set_memory_ro(&w.space, pt_make_va(0), PAGE, 0));
	must(pt_unmap(&w.space, pt_make_va(0), 512 * LARGER, 0, NULL));
	assert_int_equal(kit_stats(&w.kit).deferred, 5);
	close_world(&w);
}

/* An error is an error, and never an address. */
static void check_D47(void)
{
	struct pt_translation t = {.pa = {42}};
	struct world w;

	open_world(&w);
	map(&w, PAGE, PAGE, 0);
	assert_int_equal(pt_translate(&w.space, pt_make_va(0), &t), -PT_ENOENT);
	assert_int_equal(pt_translate(&w.space, pt_make_va(LARGER), &t), -PT_ENOENT);
	assert_true(t.pa.v == 42);
	close_world(&w);
}

/* No end of a range lies beyond the last address. */
static void check_D48(void)
{
	struct world w;

	open_world(&w);
	assert_int_equal(pt_map(&w.space, pt_make_va(0 - PAGE), 2 * PAGE, pt_make_pa(0), RW, 0),
	    -PT_EOVERFLOW);
	assert_int_equal(pt_unmap(&w.space, pt_make_va(2 * PAGE), 0 - PAGE, 0, NULL),
	    -PT_EOVERFLOW);
	must(pt_map(&w.space, pt_make_va(0 - PAGE), PAGE, pt_make_pa(0), RW, 0));
	close_world(&w);
}

/* Where a reader begins, and how far down it goes, is the same from init to destroy. */
static void check_D49(void)
{
	unsigned level = 9;
	struct world w;
	void *top;

	open_world(&w);
	top = w.space.top;
	map(&w, LARGER, LARGER, PT_SMALL);
	must(pt_collapse(&w.space, pt_make_va(LARGER), 1, 0));
	must(pt_move(&w.space, pt_make_va(LARGER), LARGER, pt_make_va(0), 0));
	must(pt_prune(&w.space, pt_make_va(LARGER), LARGER, pt_make_va(0), pt_make_va(0)));
	must(pt_table_level(&w.space, pt_make_va(512 * LARGER), &level));
	assert_int_equal(level, 3);
	must(pt_unmap(&w.space, pt_make_va(0), 512 * LARGER, 0, NULL));
	must(pt_table_level(&w.space, pt_make_va(0), &level));
	assert_int_equal(level, 3);
	assert_ptr_equal(w.space.top, top);
	assert_int_equal(w.space.levels, 4);
	close_world(&w);
}

/* A mapping that meets another leaves nothing behind, and that one alone. */
static void check_D50(void)
{
	struct pt_space_stats before;
	struct pt_space_stats after;
	struct world w;

	open_world(&w);
	map(&w, LARGER, PAGE, 0);
	pt_space_stats(&w.space, &before);
	assert_int_equal(pt_map(&w.space, pt_make_va(LARGER - PAGE), 2 * PAGE, pt_make_pa(0), RW,
			     0),
	    -PT_EEXIST);
	assert_false(is_mapped(&w, LARGER - PAGE));
	assert_true(is_mapped(&w, LARGER));
	pt_space_stats(&w.space, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	close_world(&w);
}

/* What may say how a page is shared changes by a break: no CPU has the page two ways at once. */
static void check_D84(void)
{
	pt_attr attr = RW;
	struct world w;

	open_format(&w, &pt_format_arm64_4k_48, PT_SPACE_MMU);
	map(&w, PAGE, PAGE, 0);
	w.watched = &leaf_entries(&w)[1];
	attr.format = 1;
	must(pt_protect(&w.space, pt_make_va(PAGE), PAGE, attr, 0));
	assert_int_equal(*w.watched & 1, 1);
	assert_int_equal(w.gone, 1);
	w.watched = NULL;
	close_world(&w);
}

static int see_sections(void *ctx, const struct pt_piece *piece)
{
	struct world *w = ctx;

	(void)piece;
	assert_int_equal(w->kit.in_section, 0);
	w->made++;
	return 0;
}

/* Whoever is told of a piece may wait for readers: it is none itself. */
static void check_D86(void)
{
	struct world w;

	open_world(&w);
	map(&w, 0, PAGE, 0);
	map(&w, 2 * PAGE, PAGE, 0);
	w.made = 0;
	must(pt_walk(&w.space, pt_make_va(0), 4 * PAGE, see_sections, &w));
	assert_int_equal(w.made, 2);
	close_world(&w);
}

/* All of a run is gone before any of the one that comes is there. */
static void check_D93(void)
{
	struct world w;

	open_format(&w, &pt_format_arm64_4k_48, PT_SPACE_MMU);
	for (uint64_t i = 0; i < 16; i++)
		must(pt_map(&w.space, pt_make_va(i * PAGE), PAGE, pt_make_pa((15 - i) * PAGE), RW,
		    0));
	w.watched = &leaf_entries(&w)[15];
	w.flushed = 0;
	must(
	    pt_map_replace(&w.space, pt_make_va(0), 16 * PAGE, pt_make_pa(16 * PAGE), RW, 0, NULL));
	assert_int_equal(*w.watched & 1, 1);
	assert_true(w.flushed == w.gone || w.flushed == w.gone + 1);
	w.watched = NULL;
	close_world(&w);
}

/* Who runs another space may still have what is global. */
static void check_D94(void)
{
	struct world w;

	open_space(&w, PT_SPACE_MMU);
	must(pt_map(&w.space, pt_make_va(0), PAGE, pt_make_pa(0), pt_make_attr(PT_READ | PT_GLOBAL),
	    0));
	must(pt_unmap(&w.space, pt_make_va(0), PAGE, 0, NULL));
	assert_true(w.all);
	close_world(&w);
}

/* clang-format off */
#define ROWS(X) \
	X(14, 1) X(23, 1) X(31, 1) X(34, 1) X(35, 1) X(42, 1) X(47, 1) X(48, 1) X(49, 1) \
	X(50, 1) X(84, 1) X(86, 1) X(93, 1) X(94, 1)
/* clang-format on */

#define DEFECTS_NAME "defects_space"
#include "tests/unit/defects_main.inc.h"
