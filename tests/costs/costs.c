/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What calls cost, counted: exchanges, accesses to tables, tables asked for, flushes, waits. The
 * counts are the same on every machine, and costs.tsv has them; one that grew is a call that became
 * slower, one that shrank a row to be written anew.
 *
 *   costs         compares
 *   costs FILE    writes FILE instead
 */
#include "tests/unit/core_kit.h"

#include <ptdesc/space.h>

#include "tests/costs/count.h"

#define PAGE  UINT64_C(0x1000)
#define LARGE UINT64_C(0x200000)
#define GIANT UINT64_C(0x40000000)
#define RW    pt_make_attr(PT_READ | PT_WRITE)
#define RO    pt_make_attr(PT_READ)

#define LINE_BYTES 160u

static const struct machine {
	const struct pt_format *format;
	uint32_t flags;
	const char *name;
} machines[] = {
	{&pt_format_x86_64, 0, "x86_64"},
	{&pt_format_x86_64, PT_SPACE_MMU, "x86_64 mmu"},
	{&pt_format_arm64_4k_48, 0, "arm64-4k-48"},
	{&pt_format_arm64_4k_48, PT_SPACE_MMU, "arm64-4k-48 mmu"},
	{&pt_format_riscv_sv39_napot, PT_SPACE_MMU, "riscv-sv39-napot mmu"},
};

static struct kit kit;
static struct pt_space a, b;
static unsigned pins;
static unsigned made; /* tables */
static unsigned flushes;
static unsigned walks; /* flushes that named entries that point to tables */

static void must(int error)
{
	assert_int_equal(error, 0);
}

/* --- the port --------------------------------------------------------------------------------- */

static unsigned on_pin(void *ctx, bool irq)
{
	pins++;
	return kit_pin(ctx, irq);
}

static void on_flush(void *ctx, const struct pt_flush *request)
{
	(void)ctx;
	flushes++;
	walks += request->tables != 0;
}

static int on_table(void *ctx, pt_pa pa, size_t size, unsigned level, bool start)
{
	(void)ctx;
	(void)pa;
	(void)size;
	(void)level;
	made += start;
	return 0;
}

static void adjust(struct pt_port *port)
{
	port->cpu_pin = on_pin;
	port->flush = on_flush;
	port->table_event = on_table;
}

static void open_world(const struct machine *m)
{
	struct pt_config config = kit_config();

	kit_open(&kit, &config, adjust);
	must(pt_space_init(&a, kit.memory, m->format, m->flags, NULL));
	must(pt_space_init(&b, kit.memory, m->format, m->flags, NULL));
	count_frames_in(kit.arena, kit.sections * kit.frames * PAGE);
}

static void close_world(void)
{
	must(pt_space_destroy(&b, NULL));
	must(pt_space_destroy(&a, NULL));
	kit_close(&kit);
}

/* --- what is there before --------------------------------------------------------------------- */

/* Physical is virtual, so that everything that can be large is. */
static void map(struct pt_space *space, uint64_t va, uint64_t size, pt_attr attr, uint32_t flags)
{
	must(pt_map(space, pt_make_va(va), size, pt_make_pa(va), attr, flags));
}

static void nothing(void)
{
}

static void a_page(void)
{
	map(&a, 0, PAGE, RW, PT_SMALL);
}

static void a_few_pages(void)
{
	map(&a, 0, 3 * PAGE, RW, PT_SMALL);
}

static void many_pages(void)
{
	map(&a, 0, 64 * PAGE, RW, PT_SMALL);
}

/* Every other frame, so that no leaf continues the one before. */
static void many_scattered(void)
{
	for (uint64_t i = 0; i < 64; i++)
		must(pt_map(&a, pt_make_va(i * PAGE), PAGE, pt_make_pa(2 * i * PAGE), RW, 0));
}

/* Accessed and written, all of them. */
static void many_marked(void)
{
	many_pages();
	for (uint64_t i = 0; i < 64; i++)
		must(pt_access_fault(&a, pt_make_va(i * PAGE), PT_WRITE));
}

static void many_read_only(void)
{
	map(&a, 0, 64 * PAGE, RO, PT_SMALL);
}

static void a_table(void)
{
	map(&a, 0, LARGE, RW, PT_SMALL);
}

static void a_table_with_a_hole(void)
{
	a_table();
	must(pt_unmap(&a, pt_make_va(LARGE - PAGE), PAGE, 0, NULL));
}

static void two_tables(void)
{
	map(&a, 0, 2 * LARGE, RW, PT_SMALL);
}

static void two_tables_and_their_targets(void)
{
	two_tables();
	must(pt_populate(&b, pt_make_va(0), 2 * LARGE, 0, 0));
}

static void a_table_and_a_mapped_target(void)
{
	two_tables();
	map(&b, LARGE, PAGE, RW, PT_SMALL);
}

/* Two below each of two tables of level 1. */
static void tables_over_a_border(void)
{
	map(&a, GIANT - 2 * LARGE, 4 * LARGE, RW, PT_SMALL);
	must(pt_populate(&b, pt_make_va(GIANT - 2 * LARGE), 4 * LARGE, 0, 0));
}

static void an_empty_table(void)
{
	must(pt_populate(&a, pt_make_va(0), PAGE, 0, 0));
}

static void a_large_leaf(void)
{
	map(&a, LARGE, LARGE, RW, 0);
}

static void a_large_leaf_and_an_empty_table(void)
{
	a_large_leaf();
	must(pt_populate(&b, pt_make_va(LARGE), PAGE, 0, 0));
}

static void a_table_between_large_leaves(void)
{
	map(&a, 0, 4 * LARGE, RW, 0);
	must(pt_split(&a, pt_make_va(LARGE), LARGE, 0, 0));
}

static void shared_pages(void)
{
	a_table();
	must(pt_copy(&b, &a, pt_make_va(0), LARGE, PT_COW | PT_SHARE));
}

static void large_leaves(void)
{
	map(&a, GIANT + 16 * LARGE, 16 * LARGE, RW, 0);
}

static void a_shared_table(void)
{
	large_leaves();
	must(pt_share_table(&b, &a, pt_make_va(GIANT), 0));
}

static void a_taken_target(void)
{
	large_leaves();
	map(&b, GIANT, PAGE, RW, PT_SMALL);
}

static void a_taken_target_and_no_source(void)
{
	map(&b, GIANT, PAGE, RW, PT_SMALL);
}

/* --- calls ------------------------------------------------------------------------------------ */

static int map_page(void)
{
	return pt_map(&a, pt_make_va(8 * PAGE), PAGE, pt_make_pa(0), RW, PT_SMALL);
}

static int map_first_page(void)
{
	return pt_map(&a, pt_make_va(0), PAGE, pt_make_pa(0), RW, PT_SMALL);
}

static int map_large(void)
{
	return pt_map(&a, pt_make_va(0), LARGE, pt_make_pa(0), RW, 0);
}

static int replace_page(void)
{
	return pt_map_replace(&a, pt_make_va(0), PAGE, pt_make_pa(GIANT), RW, PT_SMALL, NULL);
}

static int replace_many(void)
{
	return pt_map_replace(&a, pt_make_va(0), 64 * PAGE, pt_make_pa(GIANT), RW, PT_SMALL, NULL);
}

/* Whole tables, and a part of a leaf. */
static int replace_parts(void)
{
	return pt_map_replace(&a, pt_make_va(LARGE), LARGE + PAGE, pt_make_pa(GIANT + LARGE), RW, 0,
	    NULL);
}

static void release(void *ctx, const struct pt_run *runs, size_t count)
{
	(void)ctx;
	(void)runs;
	(void)count;
}

static int unmap(uint64_t va, uint64_t size)
{
	struct pt_run runs[8];
	struct pt_gather gather = pt_make_gather(runs, 8, release, NULL);

	return pt_unmap(&a, pt_make_va(va), size, 0, &gather);
}

static int unmap_page(void)
{
	return unmap(0, PAGE);
}

static int unmap_few(void)
{
	return unmap(0, 3 * PAGE);
}

static int unmap_many(void)
{
	return unmap(0, 64 * PAGE);
}

static int unmap_large(void)
{
	return unmap(0, LARGE);
}

static int map_list(void)
{
	pt_pa pas[64];

	for (uint64_t i = 0; i < 64; i++)
		pas[i] = pt_make_pa(2 * i * PAGE);
	return pt_map_list(&a, pt_make_va(64 * PAGE), pas, 64, RW, 0);
}

static int translate_page(void)
{
	struct pt_translation t;

	return pt_translate(&a, pt_make_va(0), &t);
}

static int walk_piece(void *ctx, const struct pt_piece *piece)
{
	(void)ctx;
	(void)piece;
	return 0;
}

static int walk_large(void)
{
	return pt_walk(&a, pt_make_va(0), LARGE, walk_piece, NULL);
}

static int clean_many(void)
{
	uint64_t bytes;

	return pt_dirty(&a, pt_make_va(0), 64 * PAGE, NULL, NULL, &bytes);
}

static int protect_many(void)
{
	return pt_protect(&a, pt_make_va(0), 64 * PAGE, RO, 0);
}

static int protect_large(void)
{
	return pt_protect(&a, pt_make_va(0), LARGE, RO, 0);
}

static int age_large_leaves(void)
{
	uint64_t young;

	return pt_age(&a, pt_make_va(GIANT + 16 * LARGE), 16 * LARGE, &young);
}

static int copy_page(void)
{
	return pt_copy(&b, &a, pt_make_va(8 * PAGE), PAGE, 0);
}

static int fork_many(void)
{
	return pt_copy(&b, &a, pt_make_va(0), 64 * PAGE, PT_COW);
}

static int fork_tables(void)
{
	return pt_copy(&b, &a, pt_make_va(0), 2 * LARGE, PT_COW);
}

static int share_pages(void)
{
	return pt_copy(&b, &a, pt_make_va(0), LARGE, PT_COW | PT_SHARE);
}

static int copy_over_border(void)
{
	return pt_copy(&b, &a, pt_make_va(GIANT - 2 * LARGE), 4 * LARGE, PT_COW);
}

static int fork_large(void)
{
	return pt_copy(&b, &a, pt_make_va(LARGE), LARGE, PT_COW);
}

static int copy_large(void)
{
	return pt_copy(&b, &a, pt_make_va(LARGE), LARGE, 0);
}

static int move_many(void)
{
	return pt_move(&a, pt_make_va(0), 64 * PAGE, pt_make_va(LARGE), 0);
}

static int move_table(void)
{
	return pt_move(&a, pt_make_va(0), LARGE, pt_make_va(GIANT), 0);
}

static int move_onto_pages(void)
{
	return pt_move(&a, pt_make_va(0), LARGE, pt_make_va(LARGE), 0);
}

static int move_shared(void)
{
	return pt_move(&a, pt_make_va(GIANT + 16 * LARGE), LARGE, pt_make_va(2 * GIANT), 0);
}

static int split_large(void)
{
	return pt_split(&a, pt_make_va(LARGE), LARGE, 0, 0);
}

static int collapse(void)
{
	return pt_collapse(&a, pt_make_va(0), 1, 0);
}

static int prune(void)
{
	return pt_prune(&a, pt_make_va(0), 2 * GIANT, pt_make_va(0), pt_make_va(4 * GIANT));
}

static int share_table(void)
{
	return pt_share_table(&b, &a, pt_make_va(GIANT), 0);
}

static int share_table_back(void)
{
	return pt_share_table(&a, &b, pt_make_va(GIANT), 0);
}

static int remove_section(void)
{
	/* The section that was added last is used first. */
	return pt_section_remove(kit.memory, KIT_FIRST_PFN + (1u << kit.config.section_shift));
}

static int take_frames(void)
{
	pt_pfn pfn = memdesc_alloc_pages(kit.memory, 0, 4, memdesc_none());

	assert_int_not_equal(pfn, PT_NO_PFN);
	memdesc_free_pages(kit.memory, pfn, 4);
	return 0;
}

static int take_frame(void)
{
	pt_pfn pfn = memdesc_alloc_pages(kit.memory, 0, 0, memdesc_none());

	assert_int_not_equal(pfn, PT_NO_PFN);
	memdesc_free_pages(kit.memory, pfn, 0);
	return 0;
}

static const struct row {
	const char *what;
	void (*before)(void);
	int (*call)(void);
} rows[] = {
	{"map: a page, its tables missing", nothing, map_page},
	{"map: a page, its leaf table missing", a_large_leaf, map_page},
	{"map: a page beside others", a_page, map_page},
	{"map: a page that is mapped", a_page, map_first_page},
	{"map: a large leaf", nothing, map_large},
	{"map_list: many pages beside others", a_page, map_list},
	{"map_replace: a page", a_page, replace_page},
	{"map_replace: many scattered pages", many_scattered, replace_many},
	{"map_replace: many pages, none there", an_empty_table, replace_many},
	{"map_replace: a table and a part of a leaf", a_table_between_large_leaves, replace_parts},
	{"unmap: a page that is not mapped", an_empty_table, unmap_page},
	{"unmap: a page, no table on the way", nothing, unmap_page},
	{"unmap: a page beside others", many_pages, unmap_page},
	{"unmap: the last page", a_page, unmap_page},
	{"unmap: a few of many pages", many_pages, unmap_few},
	{"unmap: the last few pages", a_few_pages, unmap_few},
	{"unmap: many pages", many_pages, unmap_many},
	{"unmap: many scattered pages", many_scattered, unmap_many},
	{"unmap: many marked pages", many_marked, unmap_many},
	{"unmap: a table", a_table, unmap_large},
	{"unmap: a table of scattered pages", many_scattered, unmap_large},
	{"unmap: a table that is shared", shared_pages, unmap_large},
	{"protect: many pages", many_pages, protect_many},
	{"protect: many marked pages", many_marked, protect_many},
	{"protect: a table of pages", a_table, protect_large},
	{"translate: a page", a_page, translate_page},
	{"walk: a table", a_table, walk_large},
	{"dirty: many marked pages", many_marked, clean_many},
	{"age: large leaves", large_leaves, age_large_leaves},
	{"copy: a page that is not mapped", an_empty_table, copy_page},
	{"copy: many pages, copy on write", many_pages, fork_many},
	{"copy: many marked pages, copy on write", many_marked, fork_many},
	{"copy: many read-only pages, copy on write", many_read_only, fork_many},
	{"copy: two tables, copy on write", two_tables, fork_tables},
	{"copy: two tables, the target's are there", two_tables_and_their_targets, fork_tables},
	{"copy: two tables, the target's one is not empty", a_table_and_a_mapped_target,
		fork_tables},
	{"copy: a table to be shared", a_table, share_pages},
	{"copy: a table of read-only pages to be shared", many_read_only, share_pages},
	{"copy: tables over a border", tables_over_a_border, copy_over_border},
	{"copy: a large leaf over an empty table, copy on write", a_large_leaf_and_an_empty_table,
		fork_large},
	{"copy: a large leaf over an empty table", a_large_leaf_and_an_empty_table, copy_large},
	{"move: many pages", many_pages, move_many},
	{"move: many marked pages", many_marked, move_many},
	{"move: a table", a_table, move_table},
	{"move: an empty table", an_empty_table, move_table},
	{"move: onto what is mapped", two_tables, move_onto_pages},
	{"move: out of a shared table", a_shared_table, move_shared},
	{"split: a large leaf", a_large_leaf, split_large},
	{"collapse: a table", a_table, collapse},
	{"collapse: a table with a hole", a_table_with_a_hole, collapse},
	{"prune: an empty table", an_empty_table, prune},
	{"prune: over a shared table", a_shared_table, prune},
	{"share_table", large_leaves, share_table},
	{"share_table: nothing there", a_taken_target_and_no_source, share_table},
	{"share_table: nothing there, and no way to the target", nothing, share_table_back},
	{"share_table: the target taken", a_taken_target, share_table},
	{"section_remove: tables in it", a_page, remove_section},
	{"a frame and back", nothing, take_frame},
	{"16 frames and back", nothing, take_frames},
};

/* --- the table -------------------------------------------------------------------------------- */

#define MACHINES (sizeof(machines) / sizeof(machines[0]))
#define ROWS     (sizeof(rows) / sizeof(rows[0]))

static FILE *table; /* costs.tsv, or what is written instead */
static bool writing;

/* What a line of the table says, and the call measured costs. */
struct line {
	const struct machine *machine;
	const struct row *row;
	char name[LINE_BYTES];
};

static struct line lines[MACHINES * ROWS];
static struct CMUnitTest tests[MACHINES * ROWS];

static void measure(const struct line *line, char text[LINE_BYTES])
{
	unsigned waits;
	int result;

	open_world(line->machine);
	line->row->before();
	waits = kit.waits;
	pins = made = flushes = walks = 0;
	memset(&counts, 0, sizeof(counts));
	result = line->row->call();
	(void)snprintf(text, LINE_BYTES, "%s\t%s\t%d\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\n",
	    line->machine->name, line->row->what, result, counts.locked, counts.loads,
	    counts.stores, pins, made, flushes, walks, kit.waits - waits);
	close_world();
}

/* The next line of the table; empty: there is none. */
static void next_line(char text[LINE_BYTES])
{
	do
		if (!fgets(text, LINE_BYTES, table))
			text[0] = 0;
	while (text[0] == '#');
}

static void test_line(void **state)
{
	char expected[LINE_BYTES];
	char text[LINE_BYTES];

	if (!writing)
		next_line(expected);
	measure(*state, text);
	if (writing)
		(void)fputs(text, table);
	else
		assert_string_equal(text, expected);
}

/* Of a call that is not made any more. */
static int no_line_left(void **state)
{
	char text[LINE_BYTES] = "";

	(void)state;
	if (!writing)
		next_line(text);
	return text[0] ? -1 : 0;
}

static void prepare(void)
{
	for (size_t i = 0; i < MACHINES * ROWS; i++) {
		struct line *line = &lines[i];

		line->machine = &machines[i / ROWS];
		line->row = &rows[i % ROWS];
		(void)snprintf(line->name, LINE_BYTES, "%s, %s", line->machine->name,
		    line->row->what);
		tests[i].name = line->name;
		tests[i].test_func = test_line;
		tests[i].initial_state = line;
	}
	if (writing)
		(void)fputs(
		    "# SPDX-License-Identifier: MIT OR Apache-2.0\n"
		    "# What calls cost; tests/costs/costs writes it. locked: atomic updates;\n"
		    "# loads, stores: of tables and descriptors; pins: to a CPU, as for each "
		    "table\n"
		    "# taken or given back; tables: made; flushes, and how many of them walk "
		    "caches\n"
		    "# are told of; waits: for grace periods.\n"
		    "# machine\tcall\tresult\tlocked\tloads\tstores\tpins\ttables\tflushes\t"
		    "walks\twaits\n",
		    table);
}

int main(int argc, char **argv)
{
	int failed;

	writing = argc == 2 && argv[1][0] != '-';
	table = writing ? fopen(argv[1], "w") : fopen(COSTS, "r");
	if (argc > 2 || (argc == 2 && !writing) || !table) {
		fprintf(stderr, "usage: costs         compares what calls cost with " COSTS
				"\n       costs FILE    writes FILE instead\n");
		return 2;
	}
	prepare();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests_name("costs", tests, NULL, no_line_left);
	return fclose(table) || failed ? 1 : 0;
}
