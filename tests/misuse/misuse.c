/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* misuse [--list]: runs every row, or names the calls that have one. Prints TAP. */
#include <signal.h>
#include "tests/misuse/misuse.h"
#include "tests/misuse/rows_spaces.h"
#include "tests/misuse/rows_tables.h"

static sigjmp_buf faulted;

static pt_pa plain_pa(const struct world *w)
{
	return pt_make_pa(w->plain << 12);
}

/* For calls that say so by giving nothing. */
static void check_none(struct world *w, const void *got)
{
	w->result = got != NULL;
}

static int no_piece(void *ctx, const struct pt_piece *piece)
{
	(void)ctx;
	(void)piece;
	return 0;
}

static void no_line(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* The first page that does not fit in any more. */
static int fill_cursor(struct pt_cursor *cursor)
{
	int err = 0;

	for (unsigned i = 0; i <= PT_CURSOR_PAGES && !err; i++)
		err = pt_cursor_map(cursor, pt_make_pa(0));
	return err;
}

/* One page fits; that it cannot be mapped is for the flush to say. */
static int flush_cursor(struct pt_cursor *cursor)
{
	int err = pt_cursor_map(cursor, pt_make_pa(0));

	assert_int_equal(err, 0);
	return pt_cursor_flush(cursor);
}

#define RUN(call, object, want, ...)                                                               \
	static void run_##call##_##object(struct world *w)                                         \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
		(void)w;                                                                           \
	}
#define ALL_ROWS(X) TABLE_ROWS(X) MEMORY_ROWS(X) SPACE_ROWS(X)
ALL_ROWS(RUN)

struct row {
	const char *call;
	const char *object;
	int want;
	void (*run)(struct world *w);
};

#define ROW(call, object, want, ...) {#call, #object, want, run_##call##_##object},
static const struct row rows[] = {ALL_ROWS(ROW)};

static struct ptdesc *table(struct world *w, unsigned class_id, unsigned level)
{
	struct ptdesc *pt = pagetable_alloc(w->m, class_id, level, NULL, 0);

	assert_non_null(pt);
	return pt;
}

static void open_tables(struct world *w)
{
	w->small = kit_class(&w->kit, 4096, 0, 8);
	w->big = kit_class(&w->kit, 16384, 0, 8);
	w->fresh = table(w, w->small, 0);
	w->wide = table(w, w->big, 1);
	w->full = table(w, w->small, 1);
	w->locked = table(w, w->small, 0);
	pt_deposit(w->full, table(w, w->small, 0));
	w->waits = table(w, w->small, 0);
	pagetable_free_defer(w->m, w->waits, NULL);
	w->ready = table(w, w->small, 0);
	pagetable_free(w->m, w->ready, NULL);
	w->kit.cpu = 1;
	ptdesc_lock(w->m, w->locked);
	w->kit.cpu = 0;
	w->foreign =
	    pagetable_alloc(w->elsewhere.memory, kit_class(&w->elsewhere, 4096, 0, 8), 0, NULL, 0);
	assert_non_null(w->foreign);
}

static void open_spaces(struct world *w)
{
	pt_va va = pt_make_va(PAGE);

	assert_int_equal(pt_space_init(&w->space, w->m, &pt_format_x86_64, 0, NULL), 0);
	assert_int_equal(pt_map(&w->space, va, 4096, pt_make_pa(0), ATTR, 0), 0);
	assert_int_equal(pt_space_init(&w->gone, w->m, &pt_format_x86_64, 0, NULL), 0);
	assert_int_equal(pt_space_destroy(&w->gone, NULL), 0);
	assert_int_equal(pt_space_init(&w->none, w->m, &pt_format_x86_64, 1u << 31, NULL),
	    -PT_EINVAL);
	assert_int_equal(pt_space_init(&w->other, w->m, &pt_format_x86_64_la57, 0, NULL), 0);
	w->root = w->space.root;
	w->leaf = w->root;
	while (ptdesc_level(w->leaf)) {
		const uint64_t *entry = ptdesc_address(w->m, w->leaf);
		uint64_t e = entry[PAGE >> (12 + 9 * ptdesc_level(w->leaf)) & 511];

		w->leaf = ptdesc_from_pa(w->m, pt_make_pa(e & UINT64_C(0xffffffffff000)));
	}
}

static void open_world(struct world *w)
{
	struct pt_config config = kit_config();

	memset(w, 0, sizeof(*w));
	kit_open(&w->elsewhere, &config, NULL);
	kit_open(&w->kit, &config, NULL);
	w->m = w->kit.memory;
	open_tables(w);
	open_spaces(w);
	w->no_room = pt_make_gather(&w->run, 0, NULL, NULL);
	w->unclean = pt_make_gather(&w->run, 1, NULL, NULL);
	w->unclean.count = 1;
	assert_int_equal(pt_cache_init(&w->cache, w->m, "one", 64, 16, 0), 0);
	assert_int_equal(pt_cache_init(&w->other_cache, w->m, "two", 64, 16, 0), 0);
	w->object = pt_cache_alloc(&w->cache);
	w->plain = memdesc_alloc_pages(w->m, 0, 0, memdesc_none());
	assert_non_null(w->object);
}

static void on_fault(int number)
{
	siglongjmp(faulted, number);
}

/* What a row ends with: FAULT, the code of a stop, or the call's error. */
static int outcome(const struct row *row)
{
	static struct world w;
	int code = FAULT;

	open_world(&w);
	if (sigsetjmp(faulted, 1) == 0)
		code = KIT_STOP_CODE(&w.kit, row->run(&w));
	if (code == 0)
		code = w.result;
	kit_abandon(&w.kit);
	kit_abandon(&w.elsewhere);
	return code;
}

static void run_rows(void **state)
{
	const size_t count = sizeof(rows) / sizeof(rows[0]);
	size_t good = 0;

	(void)state;
	(void)signal(SIGSEGV, on_fault);
	(void)signal(SIGILL, on_fault);
	for (size_t i = 0; i < count; i++) {
		int got = outcome(&rows[i]);

		if (got == rows[i].want)
			good++;
		else
			printf("# %s with %s: %d, not %d\n", rows[i].call, rows[i].object, got,
			    rows[i].want);
	}
	printf("## misuse: %zu of %zu\n", good, count);
	assert_int_equal(good, count);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(run_rows)};

	if (argc == 1)
		return KIT_RUN("misuse", tests);
	if (argc != 2 || strcmp(argv[1], "--list") != 0)
		return 2;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		puts(rows[i].call);
	return 0;
}
