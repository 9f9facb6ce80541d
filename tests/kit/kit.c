/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kit's runner, and its questions. */
#include "tests/kit/kit_case.h"

bool kit_check(struct kit *k, bool good, const char *what, int line)
{
	k->checks++;
	if (!good && !k->what) {
		k->what = what;
		k->line = line;
	}
	return good;
}

uint64_t kit_page(const struct kit *k)
{
	return UINT64_C(1) << k->format->page_shift;
}

uint64_t kit_slot(const struct kit *k, unsigned level)
{
	return UINT64_C(1) << pt_format_shift(k->format, level);
}

bool kit_is_leaf_level(const struct kit *k, unsigned level)
{
	return level < k->format->levels && k->format->leaves >> level & 1;
}

unsigned kit_top(const struct kit *k)
{
	return k->format->levels - 1u;
}

unsigned kit_halves(const struct kit *k, struct kit_half half[2])
{
	bool two = k->format->flags & PT_FORMAT_SIGNED;
	unsigned bits = k->format->va_bits - two;

	half[0].first = 0;
	half[0].last = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
	half[1].first = ~half[0].last;
	half[1].last = UINT64_MAX;
	return two ? 2 : 1;
}

uint64_t kit_pa(const struct kit *k, unsigned level, unsigned n)
{
	unsigned bits = k->format->pa_bits < 63 ? k->format->pa_bits : 63;

	return (k->machine->memory + kit_slot(k, level) * (n - 1)) & ((UINT64_C(1) << bits) - 1) &
	       ~(kit_slot(k, level) - 1);
}

/* The MMU agrees that a leaf is at va. Marks that it makes are no business of the test. */
static bool probe_leaf(struct kit *k, const struct pt_space *space, uint64_t va,
    const struct pt_translation *t)
{
	void *entry = kit_entry(k, space, va, t->level);
	uint64_t before;
	const char *what;

	CHECK_OR_FALSE(k, entry != NULL);
	before = kit_load(k, entry);
	/* There are MMUs that refuse what is not marked. */
	(void)kit_touch(k, space, va, PT_ACCESSED);
	what = k->machine->probe(k->machine->ctx, space, va, t);
	if (kit_load(k, entry) != before)
		kit_store(k, entry, before);
	return kit_check(k, !what, what, __LINE__);
}

bool kit_maps(struct kit *k, const struct pt_space *space, uint64_t va, uint64_t pa, pt_attr attr,
    unsigned level)
{
	struct pt_translation t;

	CHECK_OR_FALSE(k, pt_translate(space, VA(va), &t) == 0);
	CHECK_OR_FALSE(k, t.pa.v == pa);
	CHECK_OR_FALSE(k, t.attr.flags == attr.flags && t.attr.format == attr.format);
	CHECK_OR_FALSE(k, t.level == level || level == KIT_ANY_LEVEL);
	CHECK_OR_FALSE(k, t.size >= kit_slot(k, t.level) && !(t.size & (t.size - 1)));
	return !k->machine->probe || probe_leaf(k, space, va, &t);
}

bool kit_unmapped(struct kit *k, const struct pt_space *space, uint64_t va)
{
	struct pt_translation t;
	const char *what;

	CHECK_OR_FALSE(k, pt_translate(space, VA(va), &t) == -PT_ENOENT);
	if (!k->machine->probe)
		return true;
	what = k->machine->probe(k->machine->ctx, space, va, NULL);
	return kit_check(k, !what, what, __LINE__);
}

unsigned kit_level(const struct pt_space *space, uint64_t va)
{
	struct pt_translation t;

	return pt_translate(space, VA(va), &t) ? PT_MAX_LEVELS : t.level;
}

unsigned kit_lowest(const struct pt_space *space, uint64_t va)
{
	unsigned level;

	return pt_table_level(space, VA(va), &level) ? PT_MAX_LEVELS : level;
}

uint64_t kit_size(const struct pt_space *space, uint64_t va)
{
	struct pt_translation t;

	return pt_translate(space, VA(va), &t) ? 0 : t.size;
}

uint64_t kit_run_size(struct kit *k)
{
	uint64_t size = kit_slot(k, 1) / 2;
	struct pt_translation t = {.size = 0};

	if (pt_map(&k->a, VA(kit_slot(k, 1)), size, PA(0), k->rw, 0) ||
	    pt_translate(&k->a, VA(kit_slot(k, 1)), &t) || !kit_clear(k, &k->a))
		return 0;
	return t.size;
}

int kit_take_piece(void *ctx, const struct pt_piece *piece)
{
	struct kit_pieces *p = ctx;

	if (p->count < 8)
		p->piece[p->count] = *piece;
	return ++p->count == p->stop_at ? 42 : 0;
}

uint32_t kit_flags(const struct pt_space *space, uint64_t va)
{
	struct pt_translation t;

	return pt_translate(space, VA(va), &t) ? 0 : t.attr.flags;
}

uint64_t kit_tables(const struct pt_space *space, unsigned level)
{
	struct pt_space_stats stats;

	pt_space_stats(space, &stats);
	return stats.tables[level];
}

uint64_t kit_all_tables(const struct pt_space *space)
{
	uint64_t sum = 0;

	for (unsigned l = 0; l < space->levels; l++)
		sum += kit_tables(space, l);
	return sum;
}

uint64_t kit_memory_tables(const struct kit *k)
{
	struct pt_memory_stats stats;

	pt_memory_stats(k->memory, &stats);
	return stats.tables;
}

static void on_release(void *ctx, const struct pt_run *runs, size_t count)
{
	struct kit *k = ctx;
	bool counted = k->machine->flushes && k->flags & PT_SPACE_MMU;

	if (counted && k->machine->flushes(k->machine->ctx) == k->flushes_before)
		k->unflushed++;
	for (size_t i = 0; i < count; i++) {
		k->out_bytes += runs[i].size;
		if (k->outs < KIT_RUNS)
			k->out[k->outs++] = runs[i];
	}
}

struct pt_gather kit_gather(struct kit *k, size_t capacity)
{
	k->outs = 0;
	k->out_bytes = 0;
	k->unflushed = 0;
	k->flushes_before = k->machine->flushes ? k->machine->flushes(k->machine->ctx) : 0;
	return pt_make_gather(k->run, capacity, on_release, k);
}

static uint64_t swap(const struct kit *k, uint64_t e)
{
	if (!k->swapped)
		return e;
	return k->format->entry_bytes == 8 ? __builtin_bswap64(e) : __builtin_bswap32((uint32_t)e);
}

uint64_t kit_load(const struct kit *k, const void *entry)
{
	uint32_t narrow;
	uint64_t e;

	if (k->format->entry_bytes == 8) {
		memcpy(&e, entry, 8);
		return swap(k, e);
	}
	memcpy(&narrow, entry, 4);
	return swap(k, narrow);
}

void kit_store(const struct kit *k, void *entry, uint64_t e)
{
	uint32_t narrow = (uint32_t)swap(k, e);
	uint64_t wide = swap(k, e);

	const void *bytes = k->format->entry_bytes == 8 ? (const void *)&wide : &narrow;

	if (k->machine->poke)
		k->machine->poke(k->machine->ctx, entry, bytes, k->format->entry_bytes);
	else
		memcpy(entry, bytes, k->format->entry_bytes);
}

static uint64_t index_at(const struct kit *k, uint64_t va, unsigned level)
{
	return va >> pt_format_shift(k->format, level) &
	       ((UINT64_C(1) << k->format->bits[level]) - 1);
}

static void *entry_in(const struct kit *k, struct ptdesc *table, uint64_t va, unsigned level)
{
	char *at = ptdesc_address(k->memory, table);

	return at + index_at(k, va, level) * k->format->entry_bytes;
}

/* Is there a table at an address that an entry seems to hold. */
static bool table_there(const struct kit *k, uint64_t pa)
{
	unsigned type = memdesc_type(pt_page_memdesc(k->memory, pa >> k->format->page_shift));

	return type == MEMDESC_PAGE_TABLE || type == MEMDESC_FRAGS;
}

struct ptdesc *kit_table(const struct kit *k, const struct pt_space *space, uint64_t va,
    unsigned level)
{
	struct ptdesc *pt = space->root;

	for (unsigned l = kit_top(k); l > level; l--) {
		struct pt_entry_info info;
		uint64_t e = kit_load(k, entry_in(k, pt, va, l));

		if (pt_entry_decode(k->format, e, l, &info) || info.kind != PT_ENTRY_TABLE ||
		    !table_there(k, info.pa.v))
			return NULL;
		pt = ptdesc_from_pa(k->memory, info.pa);
	}
	return pt;
}

void *kit_entry(const struct kit *k, const struct pt_space *space, uint64_t va, unsigned level)
{
	struct ptdesc *pt = kit_table(k, space, va, level);

	return pt ? entry_in(k, pt, va, level) : NULL;
}

bool kit_touch(struct kit *k, const struct pt_space *space, uint64_t va, uint32_t flags)
{
	struct pt_translation t;
	struct pt_entry_info info;
	uint64_t without;
	uint64_t with;
	void *entry;

	if (flags & ~k->format->attrs || pt_translate(space, VA(va), &t))
		return false;
	entry = kit_entry(k, space, va, t.level);
	/* Which bits these are is what an encoded leaf with them differs by from one without. */
	t.attr.flags &= ~flags;
	if (pt_entry_encode(k->format, PA(0), t.level, t.attr, 0, &without))
		return false;
	t.attr.flags |= flags;
	if (pt_entry_encode(k->format, PA(0), t.level, t.attr, 0, &with))
		return false;
	kit_store(k, entry, (kit_load(k, entry) & ~(without ^ with)) | (with & (without ^ with)));
	return !pt_entry_decode(k->format, kit_load(k, entry), t.level, &info) &&
	       (info.attr.flags & flags) == flags;
}

/* Looks at every entry of a table and of those below. */
static bool settled_below(struct kit *k, struct ptdesc *pt, unsigned level)
{
	const char *at = ptdesc_address(k->memory, pt);
	unsigned used = 0;

	CHECK_OR_FALSE(k, !pt->lock && !pt->dead && ptdesc_level(pt) == level);
	for (size_t i = 0; i < (size_t)1 << k->format->bits[level]; i++) {
		uint64_t e = kit_load(k, at + i * k->format->entry_bytes);
		struct pt_entry_info info;

		CHECK_OR_FALSE(k, pt_entry_decode(k->format, e, level, &info) == 0);
		CHECK_OR_FALSE(k, info.kind != PT_ENTRY_BUSY && info.kind != PT_ENTRY_INVALID);
		used += info.kind != PT_ENTRY_EMPTY;
		if (info.kind != PT_ENTRY_TABLE)
			continue;
		CHECK_OR_FALSE(k, table_there(k, info.pa.v));
		if (!settled_below(k, ptdesc_from_pa(k->memory, info.pa), level - 1))
			return false;
	}
	CHECK_OR_FALSE(k, used == pt->used);
	return true;
}

bool kit_settled(struct kit *k, const struct pt_space *space)
{
	struct pt_fault_report report;

	if (!settled_below(k, space->root, kit_top(k)))
		return false;
	if (pt_check(space, &report) == 0)
		return true;
	return kit_check(k, false, report.what, __LINE__);
}

bool kit_clear(struct kit *k, struct pt_space *space)
{
	struct kit_half half[2];
	unsigned n = kit_halves(k, half);
	int err = 0;

	for (unsigned i = 0; !err && i < n; i++) {
		uint64_t size = half[i].last - half[i].first + 1;

		err = pt_unmap(space, VA(half[i].first), size, 0, NULL);
		if (!err)
			err = pt_prune(space, VA(half[i].first), size, VA(0), VA(0));
	}
	return !err;
}

/* Can all levels that hold leaves say it. */
static bool sayable(const struct pt_format *format, pt_attr attr)
{
	uint64_t entry;

	for (unsigned l = 0; l < format->levels; l++)
		if (format->leaves >> l & 1 && pt_entry_encode(format, PA(0), l, attr, 0, &entry))
			return false;
	return true;
}

/* The attributes that the tests use: whatever of these the format can say. */
static void choose_attrs(struct kit *k)
{
	static const uint32_t rights[] = {PT_READ | PT_WRITE, PT_READ, PT_READ | PT_WRITE | PT_USER,
		PT_READ | PT_USER, PT_READ | PT_WRITE | PT_EXEC, PT_READ | PT_EXEC,
		PT_READ | PT_WRITE | PT_EXEC | PT_USER, PT_READ | PT_EXEC | PT_USER};
	static const uint32_t more[] = {0, PT_SOFT, PT_GLOBAL, PT_TYPE_UNCACHED << PT_ATTR_TYPE_AT,
		PT_TYPE_DEVICE << PT_ATTR_TYPE_AT};

	for (size_t m = 0; m < sizeof(more) / sizeof(more[0]); m++) {
		for (size_t r = 0; r < sizeof(rights) / sizeof(rights[0]); r++) {
			pt_attr attr = pt_make_attr(rights[r] | more[m]);

			if (k->attrs < KIT_ATTRS && sayable(k->format, attr))
				k->attr[k->attrs++] = attr;
		}
	}
	for (unsigned i = k->attrs; i--;) {
		if (k->attr[i].flags & PT_WRITE)
			k->rw = k->attr[i];
	}
	k->ro = k->rw;
	k->ro.flags &= ~(uint32_t)PT_WRITE;
}

/* Finds the byte order of entries: the root entry of a mapped page points to a table in one only.
 */
static bool find_order(struct kit *k)
{
	struct pt_entry_info info;
	uint64_t e;

	if (pt_map(&k->a, VA(0), kit_page(k), PA(0), k->rw, PT_SMALL))
		return false;
	e = kit_load(k, entry_in(k, k->a.root, 0, kit_top(k)));
	k->swapped = pt_entry_decode(k->format, e, kit_top(k), &info) ||
		     info.kind != PT_ENTRY_TABLE || !table_there(k, info.pa.v);
	return kit_clear(k, &k->a);
}

static bool begin(struct kit *k)
{
	choose_attrs(k);
	CHECK_OR_FALSE(k, k->attrs > 0 && sayable(k->format, k->ro));
	CHECK_OR_FALSE(k, pt_space_init(&k->a, k->memory, k->format, k->flags, &k->a) == 0);
	CHECK_OR_FALSE(k, pt_space_init(&k->b, k->memory, k->format, k->flags, &k->b) == 0);
	/* Tables that are made with the space are not what the tests count. */
	CHECK_OR_FALSE(k, find_order(k) && kit_clear(k, &k->b));
	return true;
}

/* What must hold at the end of every test. */
static void end(struct kit *k)
{
	struct pt_leaks leaks;
	const char *complaint;

	if (!k->what && kit_settled(k, &k->a) && kit_settled(k, &k->b)) {
		kit_check(k, k->unflushed == 0, "memory handed over before a flush", __LINE__);
		kit_check(k, pt_space_destroy(&k->a, NULL) == 0, "destroy", __LINE__);
		kit_check(k, pt_space_destroy(&k->b, NULL) == 0, "destroy", __LINE__);
	}
	if (k->machine->hold_grace)
		k->machine->hold_grace(k->machine->ctx, false);
	complaint = k->machine->complaint ? k->machine->complaint(k->machine->ctx) : NULL;
	if (complaint)
		kit_check(k, false, complaint, __LINE__);
	kit_check(k, k->machine->close(k->machine->ctx, k->memory, &leaks) == 0,
	    "nothing is leaked", __LINE__);
}

static void run_test(const struct kit_machine *machine, const struct pt_format *format,
    uint32_t flags, const struct kit_test *test, struct kit_counts *counts)
{
	static struct kit k; /* too large for the stack of a small machine */

	memset(&k, 0, sizeof(k));
	k.machine = machine;
	k.format = format;
	k.flags = flags;
	k.memory = machine->open(machine->ctx, format->page_shift);
	if (!k.memory) {
		counts->skipped++;
		return;
	}
	if (begin(&k))
		test->fn(&k);
	end(&k);
	counts->checks += k.checks;
	counts->skipped += k.skipped;
	if (k.what)
		counts->failed++;
	else if (!k.skipped)
		counts->passed++;
	if (!k.skipped || k.what)
		machine->report(machine->ctx, format, flags & PT_SPACE_MMU, test->name, k.what,
		    k.line);
}

struct kit_counts kit_run_format(const struct kit_machine *machine, const struct pt_format *format)
{
	static const struct kit_test *const lists[] = {kit_leaf_tests, kit_mark_tests,
		kit_table_tests, kit_space_tests};
	struct kit_counts counts = {0, 0, 0, 0};

	for (unsigned mmu = 0; mmu < 2; mmu++)
		for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
			for (const struct kit_test *t = lists[i]; t->name; t++)
				run_test(machine, format, mmu ? PT_SPACE_MMU : 0, t, &counts);
	return counts;
}

struct kit_counts kit_run(const struct kit_machine *machine, const struct pt_format *const *formats)
{
	struct kit_counts all = {0, 0, 0, 0};

	for (; *formats; formats++) {
		struct kit_counts counts = kit_run_format(machine, *formats);

		all.passed += counts.passed;
		all.failed += counts.failed;
		all.skipped += counts.skipped;
		all.checks += counts.checks;
	}
	return all;
}
