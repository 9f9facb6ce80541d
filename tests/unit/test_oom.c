/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every allocation of every kind of call fails in turn, once and for ever after: a call that says
 * -PT_ENOMEM has changed nothing and leaked nothing, and works when it is made again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include <ptdesc/kernel.h>
#include <ptdesc/space.h>
#include "tests/kit/test_port.h"

/* Two spaces in a memory of their own, and sizes of the format. */
struct world {
	struct test_port port;
	const struct pt_format *format;
	struct pt_space a;
	struct pt_space b;
	uint64_t page;
	uint64_t large; /* bytes of a leaf of level 1, and of a table of level 0 */
	uint64_t upper; /* bytes that an entry of level 2 maps */
	uint32_t sleep; /* PT_MAY_SLEEP or 0 */
};

struct scenario {
	const char *name;
	void (*prepare)(struct world *w); /* may be NULL */
	int (*act)(struct world *w);
	unsigned flags;
};

enum {
	NEVER_FAILS = 1, /* needs no memory: what it needs was deposited */
	NO_SLEEP = 2,    /* takes no PT_MAY_SLEEP */
	LEVELS_4 = 4,    /* not on formats with fewer levels */
	UPPER = 16,      /* needs tables of level 1 alone, which some formats make with the space */
	KERNEL = 8,      /* in a kernel's space */
};

#define RW pt_make_attr(PT_READ | PT_WRITE)
#define VA pt_make_va
#define PA pt_make_pa

static void must(int err)
{
	assert_int_equal(err, 0);
}

/* --- what is there -------------------------------------------------------------------------- */

/* Everything that a space maps, as a number, and its tables. */
struct picture {
	uint64_t hash;
	struct pt_space_stats stats;
};

static void mix(uint64_t *hash, uint64_t value)
{
	*hash = (*hash ^ value) * UINT64_C(0x100000001b3);
	*hash ^= *hash >> 29;
}

static int see(void *ctx, const struct pt_piece *piece)
{
	uint64_t *hash = ctx;

	mix(hash, piece->va.v);
	mix(hash, piece->pa.v);
	mix(hash, piece->size);
	mix(hash, piece->level);
	mix(hash, (uint64_t)piece->attr.flags << 32 | piece->attr.format);
	return 0;
}

static struct picture take_picture(const struct world *w, const struct pt_space *space)
{
	const struct pt_format *f = w->format;
	unsigned bits = f->va_bits - (f->flags & PT_FORMAT_SIGNED ? 1u : 0u);
	struct pt_fault_report report;
	struct picture p;

	memset(&p, 0, sizeof(p));
	if (!space->root)
		return p;
	must(pt_walk(space, VA(0), UINT64_C(1) << bits, see, &p.hash));
	must(pt_check(space, &report));
	pt_space_stats(space, &p.stats);
	return p;
}

static void assert_same(const struct picture *x, const struct picture *y)
{
	assert_true(x->hash == y->hash);
	assert_memory_equal(&x->stats, &y->stats, sizeof(x->stats));
}

/* --- scenarios ------------------------------------------------------------------------------ */

static int init_space(struct world *w)
{
	struct pt_space space;
	int err = pt_space_init(&space, w->port.memory, w->format, 0, NULL);

	return err ? err : pt_space_destroy(&space, NULL);
}

static int map_pages(struct world *w)
{
	return pt_map(&w->a, VA(w->large - w->page), 3 * w->page, PA(0), RW, w->sleep);
}

static int map_one(struct world *w)
{
	return pt_map(&w->a, VA(w->page), w->page, PA(0), RW, w->sleep);
}

static int map_mixed(struct world *w)
{
	uint64_t from = w->large - w->page;

	return pt_map(&w->a, VA(from), w->upper + 2 * w->page, PA(from), RW, w->sleep);
}

static int map_deposit(struct world *w)
{
	return pt_map(&w->a, VA(w->large), 2 * w->large, PA(w->large), RW, w->sleep | PT_DEPOSIT);
}

static int map_list(struct world *w)
{
	const pt_pa list[] = {{w->page}, {0}, {3 * w->page}};

	return pt_map_list(&w->a, VA(w->large - 2 * w->page), list, 3, RW, w->sleep);
}

static int map_cursor(struct world *w)
{
	struct pt_cursor cursor;
	int err;

	pt_cursor_open(&cursor, &w->a, VA(0), RW, w->sleep);
	err = pt_cursor_map(&cursor, PA(w->page));
	return err ? err : pt_cursor_flush(&cursor);
}

/* Three large leaves, of which the first begins at large. */
static void prepare_large(struct world *w)
{
	must(pt_map(&w->a, VA(w->large), 3 * w->large, PA(w->large), RW, 0));
}

static void prepare_deposit(struct world *w)
{
	must(map_deposit(w));
}

static int replace(struct world *w)
{
	return pt_map_replace(&w->a, VA(w->large + w->page), 2 * w->large, PA(0), RW, w->sleep,
	    NULL);
}

static int replace_deposit(struct world *w)
{
	return pt_map_replace(&w->a, VA(w->large), 2 * w->large, PA(0), RW, w->sleep | PT_DEPOSIT,
	    NULL);
}

static int unmap_edges(struct world *w)
{
	return pt_unmap(&w->a, VA(w->large + w->page), 2 * w->large, w->sleep, NULL);
}

static int unmap_deposit(struct world *w)
{
	return pt_unmap(&w->a, VA(w->large + w->page), w->large, PT_DEPOSIT, NULL);
}

static int protect(struct world *w)
{
	return pt_protect(&w->a, VA(w->large + w->page), w->large, pt_make_attr(PT_READ), w->sleep);
}

static int protect_deposit(struct world *w)
{
	return pt_protect(&w->a, VA(w->large + w->page), w->large, pt_make_attr(PT_READ),
	    PT_DEPOSIT);
}

static int dirty(struct world *w)
{
	uint64_t bytes;

	return pt_dirty(&w->a, VA(w->large + w->page), w->page, NULL, NULL, &bytes);
}

static int split(struct world *w)
{
	return pt_split(&w->a, VA(w->large), 2 * w->large, 0, w->sleep);
}

static int split_deposit(struct world *w)
{
	return pt_split(&w->a, VA(w->large), 2 * w->large, 0, PT_DEPOSIT);
}

static void prepare_small(struct world *w)
{
	must(pt_map(&w->a, VA(w->large), w->large, PA(w->large), RW, PT_SMALL));
}

static int collapse(struct world *w)
{
	return pt_collapse(&w->a, VA(w->large), 1, w->sleep | PT_DEPOSIT);
}

static int populate(struct world *w)
{
	return pt_populate(&w->a, VA(w->large), 2 * w->large, 0, w->sleep);
}

static void prepare_both_sizes(struct world *w)
{
	must(pt_map(&w->a, VA(0), 2 * w->page, PA(0), RW, 0));
	must(pt_map(&w->a, VA(w->large), 2 * w->large, PA(w->large), RW, 0));
	must(pt_populate(&w->a, VA(4 * w->large), w->large, 0, 0));
}

static int copy(struct world *w)
{
	return pt_copy(&w->b, &w->a, VA(0), 5 * w->large, w->sleep | PT_COW);
}

static int copy_back(struct world *w)
{
	return pt_copy(&w->a, &w->b, VA(0), 5 * w->large, w->sleep | PT_COW);
}

static int copy_edges(struct world *w)
{
	return pt_copy(&w->b, &w->a, VA(w->page), 2 * w->large, w->sleep | PT_DEPOSIT);
}

static int copy_share(struct world *w)
{
	return pt_copy(&w->b, &w->a, VA(0), 5 * w->large,
	    w->sleep | PT_COW | PT_SHARE | PT_KEEP_TABLES);
}

static void prepare_other_first(struct world *w)
{
	must(pt_map(&w->b, VA(0), 2 * w->page, PA(0), RW, 0));
	must(pt_map(&w->b, VA(w->large), 2 * w->large, PA(w->large), RW, 0));
}

static void prepare_shared(struct world *w)
{
	prepare_both_sizes(w);
	must(pt_copy(&w->b, &w->a, VA(0), w->large, PT_COW | PT_SHARE));
}

static int unshare_map(struct world *w)
{
	return pt_map(&w->b, VA(2 * w->page), w->page, PA(0), RW, w->sleep);
}

static int unshare_unmap(struct world *w)
{
	return pt_unmap(&w->a, VA(w->page), w->page, w->sleep, NULL);
}

static int unshare_age(struct world *w)
{
	uint64_t young;

	return pt_age(&w->a, VA(0), w->page, &young);
}

static int unshare_fault(struct world *w)
{
	return pt_access_fault(&w->b, VA(0), PT_READ);
}

static int move_tables(struct world *w)
{
	return pt_move(&w->a, VA(0), 3 * w->large, VA(w->upper + w->large), w->sleep);
}

static int move_pages(struct world *w)
{
	return pt_move(&w->a, VA(0), 3 * w->large, VA(w->upper + w->page), w->sleep | PT_DEPOSIT);
}

static int move_edge(struct world *w)
{
	return pt_move(&w->a, VA(w->large + w->page), w->large, VA(w->upper), w->sleep);
}

static int share_table(struct world *w)
{
	return pt_share_table(&w->b, &w->a, VA(w->large), w->sleep);
}

static void prepare_direct(struct world *w)
{
	must(pt_direct_map(&w->a, VA(w->large), 3 * w->large, PA(w->large), 0));
}

static int direct_map(struct world *w)
{
	return pt_direct_map(&w->a, VA(w->large - w->page), 2 * w->large, PA(w->page), w->sleep);
}

static int set_memory(struct world *w)
{
	return pt_set_memory_ro(&w->a, VA(w->large + w->page), w->large, w->sleep);
}

static const struct scenario scenarios[] = {
	{"space_init", NULL, init_space, NO_SLEEP},
	{"map one page", NULL, map_one, 0},
	{"map pages of two tables", NULL, map_pages, 0},
	{"map leaves of all sizes", NULL, map_mixed, 0},
	{"map with deposits", NULL, map_deposit, 0},
	{"map_list", NULL, map_list, 0},
	{"cursor", NULL, map_cursor, 0},
	{"map_replace", prepare_large, replace, 0},
	{"map_replace with deposits", prepare_deposit, replace_deposit, 0},
	{"unmap, leaves split", prepare_large, unmap_edges, 0},
	{"unmap, leaves split into deposits", prepare_deposit, unmap_deposit, NEVER_FAILS},
	{"protect, leaves split", prepare_large, protect, 0},
	{"protect, leaves split into deposits", prepare_deposit, protect_deposit, NEVER_FAILS},
	{"dirty, a leaf split", prepare_large, dirty, NO_SLEEP},
	{"split", prepare_large, split, 0},
	{"split into deposits", prepare_deposit, split_deposit, NEVER_FAILS},
	{"collapse with deposit", prepare_small, collapse, 0},
	{"populate", NULL, populate, 0},
	{"copy", prepare_both_sizes, copy, 0},
	{"copy from the later space", prepare_other_first, copy_back, 0},
	{"copy, leaves split", prepare_both_sizes, copy_edges, 0},
	{"copy, tables shared", prepare_both_sizes, copy_share, 0},
	{"map into a shared table", prepare_shared, unshare_map, 0},
	{"unmap from a shared table", prepare_shared, unshare_unmap, 0},
	{"age in a shared table", prepare_shared, unshare_age, NO_SLEEP},
	{"fault in a shared table", prepare_shared, unshare_fault, NO_SLEEP},
	{"move tables", prepare_both_sizes, move_tables, UPPER},
	{"move pages", prepare_both_sizes, move_pages, 0},
	{"move part of a leaf", prepare_large, move_edge, 0},
	{"share_table", prepare_large, share_table, LEVELS_4},
	{"direct_map", NULL, direct_map, KERNEL},
	{"set_memory", prepare_direct, set_memory, KERNEL},
};

/* --- the runs ------------------------------------------------------------------------------- */

static void open_world(struct world *w, const struct pt_format *format, uint32_t flags)
{
	bool small = format->page_shift < 12;

	memset(w, 0, sizeof(*w));
	w->format = format;
	w->page = UINT64_C(1) << format->page_shift;
	w->large = UINT64_C(1) << pt_format_shift(format, 1);
	w->upper = UINT64_C(1) << pt_format_shift(format, 2);
	test_port_open(&w->port, format->page_shift, 1, small ? 11 : 8, 2);
	must(pt_space_init(&w->a, w->port.memory, format, flags, &w->a));
	must(pt_space_init(&w->b, w->port.memory, format, flags, &w->b));
}

static void close_world(struct world *w)
{
	struct pt_leaks leaks;

	must(pt_space_destroy(&w->a, NULL));
	must(pt_space_destroy(&w->b, NULL));
	must(test_port_close(&w->port, &leaks));
}

/* What a scenario comes to, however often it failed before. */
struct outcome {
	struct picture a;
	struct picture b;
	bool known;
};

static void same_outcome(struct outcome *outcome, const struct world *w)
{
	struct picture a = take_picture(w, &w->a);
	struct picture b = take_picture(w, &w->b);

	if (outcome->known) {
		assert_same(&outcome->a, &a);
		assert_same(&outcome->b, &b);
	}
	outcome->a = a;
	outcome->b = b;
	outcome->known = true;
}

/* One scenario with the nth allocation failing. False: there is no nth. */
static bool run_once(const struct scenario *s, const struct pt_format *format, uint32_t flags,
    uint32_t sleep, uint64_t nth, bool forever, struct outcome *outcome)
{
	struct world w;
	struct picture before_a;
	struct picture before_b;
	struct picture after;
	uint64_t asked;
	int err;

	open_world(&w, format, flags);
	if (s->prepare)
		s->prepare(&w);
	w.sleep = sleep;
	before_a = take_picture(&w, &w.a);
	before_b = take_picture(&w, &w.b);
	(void)pt_memory_fail_at(w.port.memory, nth, forever);
	err = s->act(&w);
	asked = pt_memory_fail_at(w.port.memory, 0, false);
	if (s->flags & NEVER_FAILS)
		assert_true(asked == 0);
	/* One that may sleep asks again after the grace period. */
	assert_true(err == 0 || (err == -PT_ENOMEM && asked >= nth && (forever || !sleep)));
	if (err) {
		after = take_picture(&w, &w.a);
		assert_same(&before_a, &after);
		after = take_picture(&w, &w.b);
		assert_same(&before_b, &after);
		must(s->act(&w));
	}
	same_outcome(outcome, &w);
	assert_null(test_port_unwritten(&w.port));
	close_world(&w);
	return asked >= nth;
}

/* Counts of a run, for the log. */
struct counts {
	unsigned failures;
	unsigned most; /* allocations of one call */
};

static bool never_fails(const struct scenario *s, const struct pt_format *format)
{
	return s->flags & NEVER_FAILS ||
	       (s->flags & UPPER && format->flags & PT_FORMAT_LOADED_ROOT);
}

static void run_scenario(const struct scenario *s, const struct pt_format *format, uint32_t flags,
    struct counts *counts)
{
	struct outcome outcome = {.known = false};

	if (s->flags & KERNEL)
		flags |= PT_SPACE_KERNEL;
	for (unsigned how = 0; how < 4; how++) {
		uint32_t sleep = how & 2 ? PT_MAY_SLEEP : 0;
		unsigned nth = 1;

		if (sleep && s->flags & (NO_SLEEP | NEVER_FAILS))
			continue;
		while (run_once(s, format, flags, sleep, nth, how & 1, &outcome))
			nth++;
		if (!never_fails(s, format))
			assert_true(nth > 1);
		counts->failures += nth - 1;
		if (nth - 1 > counts->most)
			counts->most = nth - 1;
	}
}

static void run_format(const struct pt_format *format, uint32_t flags)
{
	struct counts counts = {0, 0};

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		const struct scenario *s = &scenarios[i];

		if (s->flags & LEVELS_4 && format->levels < 4)
			continue;
		run_scenario(s, format, flags, &counts);
	}
	print_message("## %s: %u allocations made to fail, up to %u in one call\n", format->name,
	    counts.failures, counts.most);
}

static void test_plain(void **state)
{
	run_format(*state, 0);
}

static void test_mmu(void **state)
{
	run_format(*state, PT_SPACE_MMU);
}

#define OF(name, format, test) {name, test, NULL, NULL, (void *)(uintptr_t)&pt_format_##format}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF("oom: fake8", fake8, test_plain),
		OF("oom: fake8 with an MMU", fake8, test_mmu),
		OF("oom: fake4", fake4, test_plain),
		OF("oom: fake4 with an MMU", fake4, test_mmu),
		OF("oom: x86_64", x86_64, test_plain),
		OF("oom: x86_64 with an MMU", x86_64, test_mmu),
		OF("oom: i386-pae", i386_pae, test_plain),
		OF("oom: i386-pae with an MMU", i386_pae, test_mmu),
		OF("oom: arm64-4k-48 with an MMU", arm64_4k_48, test_mmu),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
