/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spaces in detail: what is asked of the port and when, what is seen from inside a call, two
 * memories, leaks. What every format must do is in tests/kit.
 */
#include "tests/kit/soft_mmu.h"
#include "tests/unit/two_spaces.h"

/* What hooks have seen. */
static struct {
	uint64_t watched; /* address whose entry of level 1 is watched */
	unsigned busy;    /* flushes during which that entry was busy */
	unsigned odd;     /* stores made while the move counter was odd */
	struct pt_run run[4];
	unsigned releases;
	uint64_t released;
} seen;

static void open_seen(struct world *w, uint32_t flags)
{
	memset(&seen, 0, sizeof(seen));
	open_world(w, &pt_format_x86_64, flags);
}

static uint64_t pa_of(const struct pt_space *space, uint64_t va)
{
	struct pt_translation t;

	return pt_translate(space, VA(va), &t) ? UINT64_MAX : t.pa.v;
}

static uint32_t flags_of(const struct pt_space *space, uint64_t va)
{
	struct pt_translation t;

	return pt_translate(space, VA(va), &t) ? 0 : t.attr.flags;
}

static const struct pt_flush *last_flush(const struct world *w)
{
	assert_true(w->port.flushes > 0);
	return &w->port.flush[(w->port.flushes - 1) % TEST_PORT_FLUSHES];
}

static void assert_flush(const struct world *w, uint64_t start, uint64_t last, uint32_t leaves,
    uint32_t tables)
{
	const struct pt_flush *f = last_flush(w);

	assert_true(f->start.v == start && f->last.v == last);
	assert_int_equal(f->leaves, leaves);
	assert_int_equal(f->tables, tables);
}

/* --- memories, leaks ------------------------------------------------------------------------ */

static void test_two_memories(void **state)
{
	struct test_port small;
	struct pt_space space;
	struct world w;

	(void)state;
	open_seen(&w, PT_SPACE_MMU);
	test_port_open(&small, 6, 1, 11, 4);
	must(pt_space_init(&space, small.memory, &pt_format_fake8, 0, NULL));
	must(pt_map(&space, VA(0), 64, PA(64), RW, 0));
	must(pt_map(&w.a, VA(0), PAGE, PA(PAGE), RW, 0));
	assert_int_equal(pt_space_init(&w.b, small.memory, &pt_format_x86_64, 0, NULL),
	    -PT_ENOTSUP);
	must(pt_space_destroy(&space, NULL));
	close_memory(&small);
	assert_true(pa_of(&w.a, 0) == PAGE);
	must(pt_space_init(&w.b, w.port.memory, &pt_format_x86_64, 0, NULL));
	assert_true(w.a.id != w.b.id);
	/* The first b was not destroyed but written over: its root is the leak to be found. */
	must(pt_space_destroy(&w.a, NULL));
	must(pt_space_destroy(&w.b, NULL));
	assert_int_equal(pt_memory_destroy(w.port.memory, NULL), -PT_EBUSY);
	test_port_abandon(&w.port);
}

static void test_space_leak(void **state)
{
	struct ptdesc *pt;
	struct world w;

	(void)state;
	open_seen(&w, 0);
	pt = pagetable_alloc(w.port.memory, w.a.classes[0], 0, &w.a.account, 0);
	assert_non_null(pt);
	assert_int_equal(pt_space_destroy(&w.a, NULL), -PT_EBUSY);
	assert_int_equal(pt_account_tables(&w.a.account, 0), 1);
	pagetable_free(w.port.memory, pt, &w.a.account);
	assert_int_equal(pt_account_tables(&w.a.account, 0), 0);
	must(pt_space_destroy(&w.b, NULL));
	assert_null(w.port.memory->roots);
	close_memory(&w.port);
}

static void test_memory_leak(void **state)
{
	struct pt_leaks leaks;
	struct world w;

	(void)state;
	open_seen(&w, 0);
	must(pt_map(&w.a, VA(0), PAGE, PA(0), RW, 0));
	assert_int_equal(pt_memory_destroy(w.port.memory, &leaks), -PT_EBUSY);
	assert_true(leaks.tables == 5 && leaks.frames >= 5);
	/* It can still be looked at, and set right. */
	assert_true(pa_of(&w.a, 0) == 0);
	close_world(&w);
}

static void test_stats(void **state)
{
	struct pt_space_stats stats;
	struct world w;

	(void)state;
	open_seen(&w, 0);
	must(pt_map(&w.a, VA(LARGER - PAGE), 2 * PAGE, PA(0), RW, 0));
	pt_space_stats(&w.a, &stats);
	assert_true(stats.tables[0] == 2 && stats.tables[1] == 2 && stats.tables[2] == 1 &&
		    stats.tables[3] == 1);
	assert_int_equal(stats.table_bytes, 6 * 4096);
	assert_int_equal(stats.descriptor_bytes, 6 * sizeof(struct ptdesc));
	assert_int_equal(pt_space_root(&w.a).value, pt_space_root(&w.a).pa.v);
	close_world(&w);
}

static void count_line(void *ctx, const char *text)
{
	assert_true(text[0] != 0);
	++*(unsigned *)ctx;
}

static void test_dump(void **state)
{
	unsigned lines = 0;
	struct world w;

	(void)state;
	open_seen(&w, 0);
	pt_dump(&w.a, count_line, &lines);
	assert_int_equal(lines, 0);
	must(pt_map(&w.a, VA(LARGE - PAGE), LARGE + PAGE, PA(LARGE - PAGE), RW, 0));
	pt_dump(&w.a, count_line, &lines);
	assert_int_equal(lines, 3 + 2);
	close_world(&w);
}

/* --- flags ---------------------------------------------------------------------------------- */

static void test_piecewise(void **state)
{
	struct world w;

	(void)state;
	open_seen(&w, 0);
	must(pt_map(&w.a, VA(LARGER + PAGE), PAGE, PA(0), RO, 0));
	assert_int_equal(pt_map(&w.a, VA(LARGER - PAGE), 3 * PAGE, PA(PAGE), RW, 0), -PT_EEXIST);
	assert_true(pa_of(&w.a, LARGER - PAGE) == UINT64_MAX);
	assert_int_equal(pt_map(&w.a, VA(LARGER - PAGE), 3 * PAGE, PA(PAGE), RW, PT_PIECEWISE),
	    -PT_EEXIST);
	assert_true(pa_of(&w.a, LARGER - PAGE) == PAGE);
	assert_true(pa_of(&w.a, LARGER) == UINT64_MAX);
	must(pt_protect(&w.a, VA(LARGER - PAGE), 3 * PAGE, RO, PT_PIECEWISE));
	assert_int_equal(flags_of(&w.a, LARGER - PAGE), PT_READ);
	must(pt_copy(&w.b, &w.a, VA(LARGER - PAGE), 3 * PAGE, PT_PIECEWISE | PT_COW));
	assert_true(pa_of(&w.b, LARGER + PAGE) == 0);
	must(pt_unmap(&w.a, VA(LARGER - PAGE), 3 * PAGE, PT_PIECEWISE, NULL));
	assert_true(pa_of(&w.a, LARGER + PAGE) == UINT64_MAX);
	/* Up to the very end of the space. */
	must(pt_map(&w.a, VA(0 - LARGER - PAGE), LARGER + PAGE, PA(LARGER - PAGE), RW,
	    PT_PIECEWISE));
	must(pt_unmap(&w.a, VA(0 - LARGER - PAGE), LARGER + PAGE, PT_PIECEWISE, NULL));
	close_world(&w);
}

/* What is widened is counted, once for each call. */
static void test_relax(void **state)
{
	pt_attr odd = pt_make_attr(PT_WRITE | pt_attr_type(PT_TYPE_DEVICE));
	struct pt_memory_stats stats;
	struct world w;

	(void)state;
	open_seen(&w, 0);
	assert_int_equal(pt_map(&w.a, VA(0), PAGE, PA(0), odd, 0), -PT_EATTR);
	assert_int_equal(pt_map(&w.a, VA(0), LARGE, PA(0), odd, 0), -PT_EATTR);
	must(pt_map(&w.a, VA(0), PAGE, PA(0), odd, PT_RELAX));
	must(pt_map(&w.a, VA(LARGE), LARGE, PA(LARGE), odd, PT_RELAX));
	must(pt_protect(&w.a, VA(LARGE), LARGE, odd, PT_RELAX));
	must(pt_map(&w.a, VA(PAGE), PAGE, PA(0), RW, PT_RELAX));
	assert_int_equal(flags_of(&w.a, LARGE),
	    PT_READ | PT_WRITE | pt_attr_type(PT_TYPE_UNCACHED));
	pt_memory_stats(w.port.memory, &stats);
	assert_int_equal(stats.relaxed, 3);
	close_world(&w);
}

/* Tables that only wait for a grace period: who may sleep gets them, who may not does not. */
static void test_may_sleep(void **state)
{
	struct world w;
	uint64_t va = 0;
	uint64_t waits;

	(void)state;
	open_sized(&w, &pt_format_x86_64, 0, 6);
	w.port.hold_grace = true;
	while (pt_map(&w.a, VA(va), PAGE, PA(0), RW, 0) == 0)
		va += LARGE;
	assert_true(va > 8 * LARGE);
	must(pt_unmap(&w.a, VA(LARGE), LARGE, 0, NULL));
	waits = w.port.waits;
	assert_int_equal(pt_map(&w.b, VA(0), PAGE, PA(0), RW, 0), -PT_ENOMEM);
	assert_int_equal(w.port.waits, waits);
	/* One table has come free, three are wanted: still none, but it was waited for. */
	assert_int_equal(pt_map(&w.b, VA(0), PAGE, PA(0), RW, PT_MAY_SLEEP), -PT_ENOMEM);
	assert_int_equal(w.port.waits, waits + 1);
	must(pt_unmap(&w.a, VA(2 * LARGE), 3 * LARGE, 0, NULL));
	assert_int_equal(pt_map(&w.b, VA(0), PAGE, PA(0), RW, 0), -PT_ENOMEM);
	must(pt_map(&w.b, VA(0), PAGE, PA(0), RW, PT_MAY_SLEEP));
	/* Where no table waits any more, another call may be about to free those that did. */
	for (va = LARGE; pt_map(&w.b, VA(va), PAGE, PA(0), RW, 0) == 0; va += LARGE)
		;
	waits = w.port.waits;
	assert_int_equal(pt_map(&w.b, VA(va), PAGE, PA(0), RW, PT_MAY_SLEEP), -PT_ENOMEM);
	assert_int_equal(w.port.waits, waits + 1);
	close_world(&w);
}

/* --- flushes and hand-overs ----------------------------------------------------------------- */

static void test_flush_requests(void **state)
{
	struct world w;

	(void)state;
	open_seen(&w, PT_SPACE_MMU);
	must(pt_map(&w.a, VA(0), 3 * PAGE, PA(0), RW, 0));
	must(pt_map(&w.a, VA(LARGE), 2 * LARGE, PA(LARGE), RW, 0));
	assert_int_equal(w.port.flushes, 0);
	must(pt_unmap(&w.a, VA(PAGE), PAGE, 0, NULL));
	assert_flush(&w, PAGE, 2 * PAGE - 1, 1, 0);
	assert_ptr_equal(last_flush(&w)->cookie, &w.a);
	assert_false(last_flush(&w)->kernel);
	must(pt_protect(&w.a, VA(LARGE), LARGE, RO, 0));
	assert_flush(&w, LARGE, 2 * LARGE - 1, 2, 0);
	/* A leaf is split: the old one, and the page that changed. */
	must(pt_protect(&w.a, VA(2 * LARGE), PAGE, RO, 0));
	assert_flush(&w, 2 * LARGE, 3 * LARGE - 1, 3, 0);
	/* The last pages take their table along. */
	must(pt_unmap(&w.a, VA(0), 3 * PAGE, 0, NULL));
	assert_true(last_flush(&w)->leaves & 1 && last_flush(&w)->tables & 2);
	assert_true(last_flush(&w)->start.v == 0 && last_flush(&w)->last.v == LARGE - 1);
	close_world(&w);
}

static void test_kernel_space(void **state)
{
	struct world w;
	struct ptdesc *pt;

	(void)state;
	open_seen(&w, PT_SPACE_MMU | PT_SPACE_KERNEL);
	must(pt_map(&w.a, VA(0), PAGE, PA(0), RW, 0));
	assert_true(ptdesc_flags(w.a.root) & PTDESC_KERNEL);
	pt = pagetable_alloc(w.port.memory, w.a.classes[0], 0, NULL, 0);
	assert_false(ptdesc_flags(pt) & PTDESC_KERNEL);
	pagetable_free(w.port.memory, pt, NULL);
	must(pt_unmap(&w.a, VA(0), PAGE, 0, NULL));
	assert_true(last_flush(&w)->kernel);
	close_world(&w);
}

/* Who else has the table is not known: every space is flushed. */
static void test_flush_of_truly_shared(void **state)
{
	struct world w;

	(void)state;
	open_seen(&w, PT_SPACE_MMU);
	must(pt_map(&w.a, VA(LARGER), LARGE, PA(LARGE), RW, 0));
	must(pt_share_table(&w.b, &w.a, VA(LARGER), 0));
	must(pt_protect(&w.b, VA(LARGER), LARGE, RO, 0));
	assert_true(last_flush(&w)->kernel);
	assert_int_equal(flags_of(&w.a, LARGER), PT_READ);
	must(pt_map(&w.b, VA(0), PAGE, PA(0), RW, 0));
	must(pt_protect(&w.b, VA(0), PAGE, RO, 0));
	assert_false(last_flush(&w)->kernel);
	close_world(&w);
}

/* The flush comes first, whether the buffer fills up in the middle or not. */
static void on_release(void *ctx, const struct pt_run *runs, size_t count)
{
	struct world *w = ctx;

	assert_true(w->port.flushes > 0);
	assert_in_range(count, 1, 2);
	for (size_t i = 0; i < count; i++)
		seen.released += runs[i].size;
	seen.releases++;
}

static void test_release_after_flush(void **state)
{
	struct pt_gather gather;
	struct world w;

	(void)state;
	open_seen(&w, PT_SPACE_MMU);
	for (unsigned i = 0; i < 5; i++)
		must(pt_map(&w.a, VA(i * PAGE), PAGE, PA(2 * i * PAGE), RW, 0));
	gather = pt_make_gather(seen.run, 2, on_release, &w);
	must(pt_unmap(&w.a, VA(0), LARGE, 0, &gather));
	assert_int_equal(seen.releases, 3);
	assert_true(seen.released == 5 * PAGE && gather.released == 5 * PAGE);
	/* Part of a table: entries one by one, a flush for what was cleared since the last. */
	for (unsigned i = 0; i < 5; i++)
		must(pt_map(&w.a, VA(i * PAGE), PAGE, PA(2 * i * PAGE), RW, 0));
	w.port.flushes = 0;
	must(pt_unmap(&w.a, VA(0), 5 * PAGE, PT_KEEP_TABLES, &gather));
	assert_int_equal(seen.releases, 6);
	assert_in_range(w.port.flushes, 2, 3);
	/* No release function: dropped, and still flushed. */
	must(pt_map(&w.a, VA(0), 2 * PAGE, PA(0), RW, 0));
	gather = pt_make_gather(seen.run, 1, NULL, NULL);
	w.port.flushes = 0;
	must(pt_unmap(&w.a, VA(0), 2 * PAGE, 0, &gather));
	assert_true(gather.released == 2 * PAGE && gather.count == 0 && w.port.flushes == 1);
	close_world(&w);
}

static void test_bad_gather(void **state)
{
	struct pt_gather none;
	struct pt_gather full;
	struct world w;

	(void)state;
	open_seen(&w, 0);
	must(pt_map(&w.a, VA(0), PAGE, PA(0), RW, 0));
	none = pt_make_gather(seen.run, 0, NULL, NULL);
	full = pt_make_gather(seen.run, 1, NULL, NULL);
	full.count = 1;
	assert_int_equal(pt_unmap(&w.a, VA(0), PAGE, 0, &none), -PT_EINVAL);
	assert_int_equal(pt_unmap(&w.a, VA(0), PAGE, 0, &full), -PT_EINVAL);
	assert_int_equal(pt_map_replace(&w.a, VA(0), PAGE, PA(0), RO, 0, &none), -PT_EINVAL);
	assert_int_equal(pt_space_destroy(&w.a, &none), -PT_EINVAL);
	assert_int_equal(flags_of(&w.a, 0), PT_READ | PT_WRITE);
	close_world(&w);
}

/* --- seen from inside a call ---------------------------------------------------------------- */

/* The raw entry of a level for an address. */

static void watch_busy(void *ctx, const struct pt_flush *request)
{
	struct world *w = ctx;
	struct pt_entry_info info;

	(void)request;
	must(pt_entry_decode(&pt_format_x86_64, *entry_at(w, &w->a, seen.watched, 1), 1, &info));
	seen.busy += info.kind == PT_ENTRY_BUSY;
}

/* Collapse: while the TLBs are flushed the entry is busy, neither the table nor the leaf (17). */
static void test_collapse_is_busy(void **state)
{
	struct world w;

	(void)state;
	open_seen(&w, PT_SPACE_MMU);
	must(pt_map(&w.a, VA(LARGE), LARGE, PA(LARGE), RW, PT_SMALL));
	seen.watched = LARGE;
	w.port.hook = &w;
	w.port.on_flush = watch_busy;
	must(pt_collapse(&w.a, VA(LARGE), 1, 0));
	assert_int_equal(seen.busy, 1);
	assert_int_equal(w.port.flushes, 1);
	assert_int_equal(last_flush(&w)->tables & 2, 2);
	assert_int_equal(last_flush(&w)->leaves & 1, 1);
	assert_true(pa_of(&w.a, LARGE) == LARGE);
	w.port.on_flush = NULL;
	close_world(&w);
}

/* Dirty that an MMU sets up to the flush is in the leaf. */
static void set_dirty(void *ctx, const struct pt_flush *request)
{
	struct world *w = ctx;

	(void)request;
	*(uint64_t *)test_port_virt(&w->port, seen.watched) |= 0x60;
}

static void test_collapse_keeps_late_dirty(void **state)
{
	struct world w;
	uint64_t *entry;

	(void)state;
	open_seen(&w, PT_SPACE_MMU);
	must(pt_map(&w.a, VA(LARGE), LARGE, PA(LARGE), RW, PT_SMALL));
	entry = entry_at(&w, &w.a, LARGE + 7 * PAGE, 0);
	seen.watched = w.port.first_pa + (uint64_t)((char *)entry - w.port.arena);
	w.port.hook = &w;
	w.port.on_flush = set_dirty;
	must(pt_collapse(&w.a, VA(LARGE), 1, 0));
	assert_int_equal(flags_of(&w.a, LARGE), PT_READ | PT_WRITE | PT_ACCESSED | PT_DIRTY);
	w.port.on_flush = NULL;
	close_world(&w);
}

/* The same for a table that is unlinked whole: it is read after the flush. */
static void note_dirty(void *ctx, const struct pt_run *runs, size_t count)
{
	(void)ctx;
	for (size_t i = 0; i < count; i++)
		seen.busy += runs[i].dirty;
}

static void test_unmap_keeps_late_dirty(void **state)
{
	struct pt_gather gather;
	struct world w;
	uint64_t *entry;

	(void)state;
	open_seen(&w, PT_SPACE_MMU);
	must(pt_map(&w.a, VA(LARGE), LARGE, PA(LARGE), RW, PT_SMALL));
	entry = entry_at(&w, &w.a, LARGE + 7 * PAGE, 0);
	seen.watched = w.port.first_pa + (uint64_t)((char *)entry - w.port.arena);
	w.port.hook = &w;
	w.port.on_flush = set_dirty;
	gather = pt_make_gather(seen.run, 4, note_dirty, NULL);
	must(pt_unmap(&w.a, VA(LARGE), LARGE, 0, &gather));
	assert_int_equal(seen.busy, 1);
	assert_true(gather.released == LARGE);
	w.port.on_flush = NULL;
	close_world(&w);
}

/* The last who has a truly shared table hands its memory over; the first does not take it away. */
static void test_shared_keeps_late_dirty(void **state)
{
	struct pt_gather gather;
	struct world w;
	uint64_t *entry;

	(void)state;
	open_seen(&w, PT_SPACE_MMU);
	must(pt_map(&w.a, VA(LARGER), LARGE, PA(LARGE), RW, 0));
	must(pt_share_table(&w.b, &w.a, VA(LARGER), 0));
	must(pt_unmap(&w.a, VA(LARGER), LARGER, 0, NULL));
	entry = entry_at(&w, &w.b, LARGER, 1);
	seen.watched = w.port.first_pa + (uint64_t)((char *)entry - w.port.arena);
	w.port.hook = &w;
	w.port.on_flush = set_dirty;
	gather = pt_make_gather(seen.run, 4, note_dirty, NULL);
	must(pt_unmap(&w.b, VA(LARGER), LARGER, 0, &gather));
	assert_int_equal(seen.busy, 1);
	assert_true(gather.released == LARGE);
	w.port.on_flush = NULL;
	close_world(&w);
}

static void watch_move(void *ctx, const void *address, size_t size)
{
	struct world *w = ctx;

	(void)address;
	(void)size;
	seen.odd += w->a.move_seq & 1;
}

/* Readers are told of a move before its first store and until after its last (14). */
static void test_move_counter(void **state)
{
	uint32_t before;
	struct world w;

	(void)state;
	open_seen(&w, 0);
	must(pt_map(&w.a, VA(LARGE), LARGE, PA(0), RW, PT_SMALL));
	must(pt_populate(&w.a, VA(TOP), PAGE, 1, 0));
	before = w.a.move_seq;
	w.port.hook = &w;
	w.port.on_write = watch_move;
	must(pt_move(&w.a, VA(LARGE), LARGE, VA(TOP), 0));
	assert_true(seen.odd >= 2);
	assert_int_equal(w.a.move_seq, before + 2);
	seen.odd = 0;
	assert_int_equal(pt_move(&w.a, VA(LARGE), PAGE, VA(TOP), 0), -PT_EEXIST);
	assert_int_equal(w.a.move_seq, before + 2);
	w.port.on_write = NULL;
	close_world(&w);
}

/* --- calls in detail ------------------------------------------------------------------------ */

static void test_cursor_keeps(void **state)
{
	struct pt_cursor cursor;
	struct world w;

	(void)state;
	open_seen(&w, 0);
	must(pt_map(&w.a, VA(PAGE), PAGE, PA(0), RO, 0));
	pt_cursor_open(&cursor, &w.a, VA(0), RW, 0);
	must(pt_cursor_map(&cursor, PA(5 * PAGE)));
	must(pt_cursor_map(&cursor, PA(6 * PAGE)));
	assert_int_equal(pt_cursor_flush(&cursor), -PT_EEXIST);
	assert_true(cursor.count == 2 && pa_of(&w.a, 0) == UINT64_MAX);
	must(pt_unmap(&w.a, VA(PAGE), PAGE, 0, NULL));
	must(pt_cursor_flush(&cursor));
	assert_true(pa_of(&w.a, PAGE) == 6 * PAGE && cursor.va.v == 2 * PAGE);
	close_world(&w);
}

/* An error is an error, and never an address (D47). */
static void test_D47_translate_error(void **state)
{
	struct pt_translation t = {.pa = {42}, .size = 43};
	struct world w;

	(void)state;
	open_seen(&w, 0);
	must(pt_map(&w.a, VA(PAGE), PAGE, PA(0), RW, 0));
	assert_int_equal(pt_translate(&w.a, VA(0), &t), -PT_ENOENT);
	assert_int_equal(pt_translate(&w.a, VA(LARGER), &t), -PT_ENOENT);
	assert_int_equal(pt_translate(&w.a, VA(UINT64_C(1) << 47), &t), -PT_ECANON);
	assert_true(t.pa.v == 42 && t.size == 43);
	close_world(&w);
}

/* The end of the range is not computed past the last address (D48). */
static void test_D48_range_end(void **state)
{
	struct world w;

	(void)state;
	open_seen(&w, 0);
	assert_int_equal(pt_map(&w.a, VA(0 - PAGE), 2 * PAGE, PA(0), RW, 0), -PT_EOVERFLOW);
	assert_int_equal(pt_map(&w.a, VA(PAGE), 0 - PAGE, PA(0), RW, 0), -PT_ECANON);
	assert_int_equal(pt_map(&w.a, VA(2 * PAGE), 0 - PAGE, PA(0), RW, 0), -PT_EOVERFLOW);
	assert_int_equal(pt_map(&w.a, VA(0), PAGE, PA(0 - PAGE), RW, 0), -PT_EPA);
	assert_int_equal(pt_map(&w.a, VA(0), 2 * PAGE, PA(0 - PAGE), RW, 0), -PT_EPA);
	must(pt_map(&w.a, VA(0 - PAGE), PAGE, PA(0), RW, 0));
	assert_true(pa_of(&w.a, UINT64_MAX) == PAGE - 1);
	must(pt_unmap(&w.a, VA(0 - LARGE), LARGE, 0, NULL));
	close_world(&w);
}

/* A range that is partly taken: nothing of it is mapped, nothing that was there is gone (D50). */
static void test_D50_rollback(void **state)
{
	const pt_pa list[] = {{PAGE}, {2 * PAGE}, {3 * PAGE}};
	struct pt_space_stats before;
	struct pt_space_stats after;
	struct world w;

	(void)state;
	open_seen(&w, 0);
	must(pt_map(&w.a, VA(2 * LARGE), PAGE, PA(0), RW, 0));
	pt_space_stats(&w.a, &before);
	assert_int_equal(pt_map(&w.a, VA(LARGE - PAGE), LARGE + 2 * PAGE, PA(0), RW, 0),
	    -PT_EEXIST);
	assert_int_equal(pt_map_list(&w.a, VA(2 * LARGE - 2 * PAGE), list, 3, RW, 0), -PT_EEXIST);
	for (uint64_t va = LARGE - PAGE; va < 2 * LARGE; va += PAGE)
		assert_true(pa_of(&w.a, va) == UINT64_MAX);
	assert_true(pa_of(&w.a, 2 * LARGE) == 0);
	pt_space_stats(&w.a, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	close_world(&w);
}

/* A fork whose tables are shared costs no leaf tables, and a write in one only its own copy. */
static void test_fork_accounts(void **state)
{
	struct pt_space_stats a;
	struct pt_space_stats b;
	struct world w;

	(void)state;
	open_seen(&w, PT_SPACE_MMU);
	for (unsigned i = 0; i < 6; i++)
		must(pt_map(&w.a, VA(i * LARGE), PAGE, PA(i * PAGE), RW, 0));
	must(pt_copy(&w.b, &w.a, VA(0), 6 * LARGE, PT_COW | PT_SHARE));
	pt_space_stats(&w.a, &a);
	pt_space_stats(&w.b, &b);
	assert_true(a.tables[0] == 6 && b.tables[0] == 0 && b.tables[1] == 1);
	must(pt_unmap(&w.a, VA(0), 6 * LARGE, 0, NULL));
	pt_space_stats(&w.a, &a);
	pt_space_stats(&w.b, &b);
	assert_true(a.tables[0] == 0 && b.tables[0] == 0);
	for (unsigned i = 0; i < 6; i++)
		assert_true(pa_of(&w.b, i * LARGE) == i * PAGE);
	must(pt_protect(&w.b, VA(0), PAGE, RW, 0));
	pt_space_stats(&w.b, &b);
	assert_int_equal(b.tables[0], 1);
	close_world(&w);
}

/* The space from which a page is unmapped by somebody else, as soon as a reader has left. */
static struct world *interfered;
static void (*leave_section)(void *ctx);

static void unmap_behind(void *ctx)
{
	struct world *w = interfered;

	leave_section(ctx);
	interfered = NULL;
	if (w)
		must(pt_unmap(&w->a, VA(PAGE), PAGE, 0, NULL));
}

/* What was mapped when it was looked up need not be when the bits are set: the lock decides. */
static void test_fault_on_what_goes(void **state)
{
	struct world w;

	(void)state;
	open_seen(&w, 0);
	must(pt_map(&w.a, VA(PAGE), PAGE, PA(PAGE), RW, 0));
	leave_section = w.port.memory->port.section_exit;
	w.port.memory->port.section_exit = unmap_behind;
	interfered = &w;
	assert_int_equal(pt_access_fault(&w.a, VA(PAGE), PT_WRITE), -PT_ENOENT);
	assert_null(interfered);
	w.port.memory->port.section_exit = leave_section;
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fault_on_what_goes),
		cmocka_unit_test(test_two_memories),
		cmocka_unit_test(test_space_leak),
		cmocka_unit_test(test_memory_leak),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_piecewise),
		cmocka_unit_test(test_relax),
		cmocka_unit_test(test_may_sleep),
		cmocka_unit_test(test_flush_requests),
		cmocka_unit_test(test_kernel_space),
		cmocka_unit_test(test_flush_of_truly_shared),
		cmocka_unit_test(test_release_after_flush),
		cmocka_unit_test(test_bad_gather),
		cmocka_unit_test(test_collapse_is_busy),
		cmocka_unit_test(test_collapse_keeps_late_dirty),
		cmocka_unit_test(test_unmap_keeps_late_dirty),
		cmocka_unit_test(test_shared_keeps_late_dirty),
		cmocka_unit_test(test_move_counter),
		cmocka_unit_test(test_cursor_keeps),
		cmocka_unit_test(test_D47_translate_error),
		cmocka_unit_test(test_D48_range_end),
		cmocka_unit_test(test_D50_rollback),
		cmocka_unit_test(test_fork_accounts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
