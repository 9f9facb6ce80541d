/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What TLBs and walk caches may hold. */
#include <stdio.h>

#include "core/defects.h"
#include "core/memory.h"
#include "tests/explore/mmu.h"
#include "tests/explore/mmu_inside.h"

#define ITEMS  1024u
#define TABLES 512u
#define UNIT   16u /* bytes: no table is smaller */
#define UNITS  (EXPLORE_BLOCK / UNIT)

#define CPUS   7u /* bits of item.held: a CPU each, */
#define DEVICE 8u /* and a device */

/* A cached entry: a leaf, or one that points to a table. */
struct item {
	uint64_t va; /* first address that it translates */
	uint64_t last;
	uint64_t pa;
	struct ref_entry entry;
	uint8_t space;
	uint8_t level; /* of the entry; of a root: as many as there are levels */
	uint8_t held;  /* by whom */
};

/* A table that the library has. */
struct table {
	uint64_t pa;
	size_t bytes;
	uint64_t lock; /* where its descriptor's lock is */
	bool live;
};

struct mmu {
	struct item item[ITEMS];
	unsigned items;
	struct table table[TABLES];
	unsigned tables;
	uint8_t walked[UNITS]; /* by (pa - first) / UNIT: items that point there */
	uint64_t pending_pa;   /* being written: it is so when the next call comes; 0: none */
	size_t pending_size;
};

static struct mmu mmu;
static struct mmu at_first;
static bool on;
static const struct ref_format *format;

const struct ref_format *mmu_format(void)
{
	return format;
}

/* --- entries -------------------------------------------------------------------------------- */

uint64_t mmu_entry(uint64_t pa)
{
	const uint8_t *at = pt_virt(world.memory, pa);
	uint64_t raw = 0;

	for (unsigned i = 0; i < format->entry_bytes; i++)
		raw |= (uint64_t)at[i]
		       << 8 * (format->big_endian ? format->entry_bytes - 1 - i : i);
	return raw;
}

struct ref_entry mmu_decode(uint64_t raw, unsigned level)
{
	static struct {
		uint64_t raw;
		const struct ref_format *format;
		unsigned level;
		struct ref_entry entry;
	} known[4096];
	unsigned at = (unsigned)((raw * UINT64_C(0x9e3779b97f4a7c15) >> 50) + level) % 4096;

	if (known[at].raw != raw || known[at].level != level || known[at].format != format) {
		known[at].raw = raw;
		known[at].level = level;
		known[at].format = format;
		known[at].entry = format->decode(raw, level);
	}
	return known[at].entry;
}

unsigned mmu_shift(unsigned level)
{
	unsigned shift = format->page_shift;

	while (level--)
		shift += format->index_bits[level];
	return shift;
}

uint64_t mmu_entry_pa(uint64_t table, unsigned level, uint64_t va)
{
	uint64_t index = va >> mmu_shift(level) & ((UINT64_C(1) << format->index_bits[level]) - 1);

	return table + index * format->entry_bytes;
}

/* Bytes of a table of a level. */
static uint64_t table_bytes(unsigned level)
{
	return (uint64_t)format->entry_bytes << format->index_bits[level];
}

static size_t unit_of(uint64_t pa)
{
	return (size_t)((pa - WORLD_FIRST_PA) / UNIT) % UNITS;
}

/* --- items ---------------------------------------------------------------------------------- */

static bool is_leaf(const struct item *it)
{
	return it->entry.kind == REF_LEAF;
}

static bool overlap(const struct item *a, const struct item *b)
{
	return a->space == b->space && a->va <= b->last && b->va <= a->last;
}

/* Two that one MMU must not hold where a break has to come before a make. */
static bool clash(const struct item *a, const struct item *b)
{
	const uint32_t kept = PT_GLOBAL | PT_ATTR_TYPE_MASK;

	if (!(a->held & b->held) || !overlap(a, b))
		return false;
	if (is_leaf(a) && is_leaf(b))
		return a->level != b->level || a->entry.run != b->entry.run ||
		       a->pa - a->va != b->pa - b->va || (a->entry.flags ^ b->entry.flags) & kept;
	return a->level == b->level && (is_leaf(a) != is_leaf(b) || a->pa != b->pa);
}

static void add_item(const struct item *given)
{
	struct item *it;

	for (unsigned i = 0; i < mmu.items && world.format->flags & PT_FORMAT_BBM; i++)
		if (clash(&mmu.item[i], given))
			explore_fail("made before the old entry was broken", NULL);
	if (mmu.items == ITEMS) {
		explore_fail("more is cached than there is room for", NULL);
		return;
	}
	it = &mmu.item[mmu.items++];
	*it = *given;
	if (!is_leaf(it))
		for (uint64_t at = 0; at < table_bytes(it->level - 1u); at += UNIT)
			mmu.walked[unit_of(it->pa + at)]++;
}

static void cache_table(const struct item *it);

/* Bytes that a run of a level maps, less 1. */
static uint64_t run_mask(unsigned level)
{
	return (UINT64_C(1) << (mmu_shift(level) + format->run_shift[level])) - 1;
}

/* A leaf of a run translates for all of it. */
static void widen(struct item *it)
{
	uint64_t run = run_mask(it->level);

	if (!is_leaf(it) || !it->entry.run)
		return;
	it->pa -= it->va & run;
	it->va &= ~run;
	it->last |= run;
}

static bool same(const struct item *a, const struct item *b)
{
	/* What differs most often comes first. */
	return a->pa == b->pa && a->va == b->va && a->last == b->last && a->level == b->level &&
	       a->space == b->space && a->entry.kind == b->entry.kind &&
	       a->entry.flags == b->entry.flags && a->entry.format == b->entry.format &&
	       a->entry.run == b->entry.run;
}

/* Adds an item to what is cached; false: all who may hold it did so already. */
static bool hold(const struct item *it)
{
	for (unsigned i = 0; i < mmu.items; i++) {
		struct item *known = &mmu.item[i];

		if (same(known, it)) {
			bool more = it->held & ~known->held;

			known->held |= it->held;
			return more;
		}
	}
	add_item(it);
	return true;
}

/* Caches what an entry of a table says. level: of the entry. */
static void cache_entry(const struct item *parent, uint64_t va, unsigned level, uint64_t raw)
{
	struct item it = {.va = va,
		.last = va + (UINT64_C(1) << mmu_shift(level)) - 1,
		.entry = mmu_decode(raw, level),
		.space = parent->space,
		.level = (uint8_t)level,
		.held = parent->held};

	it.pa = it.entry.pa;
	if (it.entry.kind == REF_INVALID)
		explore_fail("an entry that the manual does not know", NULL);
	if (it.entry.kind != REF_LEAF && it.entry.kind != REF_TABLE)
		return;
	widen(&it);
	if (hold(&it) && !is_leaf(&it))
		cache_table(&it);
}

/* Caches all that a cached entry leads to. A copy: items move. */
static void cache_table(const struct item *it)
{
	struct item parent = *it;
	unsigned level = parent.level - 1u;

	for (unsigned i = 0; i < 1u << format->index_bits[level]; i++)
		cache_entry(&parent, parent.va + ((uint64_t)i << mmu_shift(level)), level,
		    mmu_entry(parent.pa + (uint64_t)i * format->entry_bytes));
}

/* What was being written is now: whoever can walk there may cache it. */
static void settle(void)
{
	uint64_t from = mmu.pending_pa;
	uint64_t to = from + mmu.pending_size;

	mmu.pending_pa = 0;
	if (!from)
		return;
	for (unsigned i = 0; i < mmu.items; i++) {
		struct item parent = mmu.item[i];
		unsigned level = parent.level - 1u;

		if (is_leaf(&parent) || parent.pa >= to || parent.pa + table_bytes(level) <= from)
			continue;
		for (uint64_t pa = from; pa < to; pa += format->entry_bytes) {
			uint64_t n = (pa - parent.pa) / format->entry_bytes;

			if (pa - parent.pa < table_bytes(level))
				cache_entry(&parent, parent.va + (n << mmu_shift(level)), level,
				    mmu_entry(pa & ~(uint64_t)(format->entry_bytes - 1)));
		}
	}
}

static void drop_item(unsigned i)
{
	struct item *it = &mmu.item[i];

	if (!is_leaf(it))
		for (uint64_t at = 0; at < table_bytes(it->level - 1u); at += UNIT)
			mmu.walked[unit_of(it->pa + at)]--;
	*it = mmu.item[--mmu.items];
}

/* Caches anew what is still within reach. */
static void cache_all(void)
{
	for (unsigned i = 0; i < mmu.items; i++)
		if (!is_leaf(&mmu.item[i]))
			cache_table(&mmu.item[i]);
}

/* Does a request reach who holds an item: of a global leaf, CPUs that run another space, too. */
static bool reaches(const struct pt_flush *f, const struct item *it)
{
	bool global = is_leaf(it) && it->entry.flags & PT_GLOBAL;

	return f->kernel || (!global && f->cookie == &world.space[it->space]);
}

/* Does a request name an item. */
static bool names(const struct pt_flush *f, const struct item *it)
{
	uint32_t levels = is_leaf(it) ? f->leaves : f->tables;

	if (pt_defect == (is_leaf(it) ? MMU_FAULT_LEAVES : MMU_FAULT_TABLES))
		return false;
	return it->level < format->levels && levels >> it->level & 1 && reaches(f, it) &&
	       it->va <= f->last.v && f->start.v <= it->last;
}

/* A TLB may hold the leaves of a run one by one: those that a request does not name stay. */
static void keep_rest(const struct pt_flush *f, const struct item *run, unsigned whom)
{
	uint64_t leaf = (UINT64_C(1) << mmu_shift(run->level)) - 1;
	struct item it = *run;

	it.held &= (uint8_t)whom;
	if (!is_leaf(run) || !run->entry.run || !it.held)
		return;
	for (it.last = it.va | leaf; it.last <= run->last; it.last += leaf + 1) {
		it.va = it.last - leaf;
		it.pa = run->pa + (it.va - run->va);
		if (!names(f, &it))
			(void)hold(&it);
	}
}

static void watch_flush(const struct pt_flush *request, bool device)
{
	unsigned whom = device ? DEVICE : CPUS;

	settle();
	if (pt_defect == MMU_FAULT_REMOTE)
		whom &= 1u << explore_self() | DEVICE;
	if (device && pt_defect == MMU_FAULT_DEVICE)
		return;
	for (unsigned i = mmu.items; i--;) {
		struct item it = mmu.item[i];

		if (!names(request, &it))
			continue;
		keep_rest(request, &it, whom);
		mmu.item[i].held &= (uint8_t)~whom;
		if (!mmu.item[i].held)
			drop_item(i);
	}
	cache_all();
	mmu_walkers_start_again(request);
}

/* --- tables --------------------------------------------------------------------------------- */

static struct table *table_at(uint64_t pa)
{
	for (unsigned i = 0; i < mmu.tables; i++)
		if (mmu.table[i].pa == pa)
			return &mmu.table[i];
	return NULL;
}

static void learn_table(uint64_t pa, size_t bytes)
{
	const struct ptdesc *pt = pt_desc_find(world.memory, pa);
	struct table *t = table_at(pa);

	if (!pt || (!t && mmu.tables == TABLES)) {
		explore_fail("more tables than are watched", NULL);
		return;
	}
	if (!t)
		t = &mmu.table[mmu.tables++];
	t->pa = pa;
	t->bytes = bytes;
	t->lock = explore_port_pa(&pt->lock);
	t->live = true;
}

static void table_begins(uint64_t pa, size_t size)
{
	const struct table *t = table_at(pa);

	if (t && t->live)
		explore_fail("a table is given out twice", NULL);
	learn_table(pa, size);
}

static void table_ends(uint64_t pa)
{
	struct table *t = table_at(pa);

	if (!t || !t->live)
		explore_fail("a table is freed twice", NULL);
	if (!t)
		return;
	t->live = false;
	if (mmu.walked[unit_of(pa)])
		explore_fail("a table is freed that a walk cache holds", NULL);
}

/* That a table begins can fail like any allocation. */
static int watch_table_event(uint64_t pa, size_t size, bool start)
{
	explore_sync_flush(false);
	settle();
	if (start && pt_fail_now(world.memory))
		return -PT_ENOMEM;
	if (start)
		table_begins(pa, size);
	else
		table_ends(pa);
	return 0;
}

static void watch_write(uint64_t pa, size_t size)
{
	settle();
	for (uint64_t at = pa; at < pa + size; at += UNIT)
		if (mmu.walked[unit_of(at)])
			mmu.pending_pa = pa;
	if (mmu.pending_pa)
		explore_meet_all();
	mmu.pending_size = size;
}

/* Does an address lie in a freed table. Its memory may be another's by now. */
static bool is_freed(uint64_t pa)
{
	bool freed = false;

	for (unsigned i = 0; i < mmu.tables; i++) {
		if (pa - mmu.table[i].pa >= mmu.table[i].bytes)
			continue;
		if (mmu.table[i].live)
			return false;
		freed = true;
	}
	return freed;
}

static void watch_store(uint64_t pa)
{
	if (is_freed(pa))
		explore_fail("a freed table is written", NULL);
}

/* Descriptors of freed tables may be others' by now, too. */
static void watch_update(uint64_t pa)
{
	bool freed = false;

	watch_store(pa);
	for (unsigned i = 0; i < mmu.tables; i++) {
		if (mmu.table[i].lock != pa)
			continue;
		if (mmu.table[i].live)
			return;
		freed = true;
	}
	if (freed)
		explore_fail("a freed table is locked", NULL);
}

static void watch_load(uint64_t pa)
{
	if (is_freed(pa))
		explore_fail("a freed table is read", NULL);
}

/* --- executions ----------------------------------------------------------------------------- */

static void watch_begin(void)
{
	mmu.items = at_first.items;
	mmu.tables = at_first.tables;
	memcpy(mmu.item, at_first.item, at_first.items * sizeof(struct item));
	memcpy(mmu.table, at_first.table, at_first.tables * sizeof(struct table));
	memcpy(mmu.walked, at_first.walked, sizeof(mmu.walked));
	mmu.pending_pa = 0;
	mmu_walkers_begin();
}

void mmu_watch(bool wanted)
{
	static const struct explore_watch watch = {watch_begin, watch_write, watch_update,
		watch_store, watch_load, watch_table_event, watch_flush};

	on = wanted;
	explore_watch(wanted ? &watch : NULL);
}

bool mmu_on(void)
{
	return on;
}

/* A table that an entry points to, and those that are deposited there. */
static void learn_tables(const struct item *it)
{
	const struct ptdesc *first;
	const struct ptdesc *pt;

	learn_table(it->pa, table_bytes(it->level - 1u));
	pt = first = pt_desc_find(world.memory, it->pa)->pmd_huge_pte;
	for (; pt; pt = pt->pt_list.next == first ? NULL : pt->pt_list.next)
		learn_table(ptdesc_pa(world.memory, pt).v, table_bytes(0));
}

void mmu_learn(void)
{
	if (!on)
		return;
	format = ref_find(world.format->name);
	memset(&mmu, 0, sizeof(mmu));
	for (unsigned s = 0; s < WORLD_SPACES; s++) {
		struct item root = {.last = UINT64_MAX,
			.pa = pt_space_root(&world.space[s]).pa.v,
			.entry = {.kind = REF_TABLE},
			.space = (uint8_t)s,
			.level = (uint8_t)format->levels,
			.held = CPUS | DEVICE};

		add_item(&root);
	}
	cache_all();
	for (unsigned i = 0; i < mmu.items; i++) {
		const struct item *it = &mmu.item[i];

		if (!is_leaf(it) && !table_at(it->pa))
			learn_tables(it);
	}
	at_first = mmu;
}

void mmu_stop(unsigned space)
{
	if (!on || explore_self() == EXPLORE_MAIN)
		return;
	settle();
	for (unsigned i = mmu.items; i--;)
		if (mmu.item[i].space == space && mmu.item[i].level == format->levels)
			drop_item(i);
}

/* The entry that the tables have for va at a level; kind INVALID: they have none. */
static struct ref_entry now(const struct item *it, uint64_t va)
{
	const struct ref_entry none = {.kind = REF_INVALID};
	uint64_t table = pt_space_root(&world.space[it->space]).pa.v;

	for (unsigned level = format->levels; level-- > it->level;) {
		struct ref_entry e = mmu_decode(mmu_entry(mmu_entry_pa(table, level, va)), level);

		if (level == it->level)
			return e;
		if (e.kind != REF_TABLE)
			return none;
		table = e.pa;
	}
	return none;
}

/* Do the tables still say what is cached, or more. A run is dirty where one of its leaves is. */
static bool is_true(const struct item *it)
{
	struct ref_entry e = now(it, it->va);
	uint64_t run = run_mask(it->level);
	const uint32_t same = PT_GLOBAL | PT_ATTR_TYPE_MASK | PT_ATTR_KEY_MASK;
	const uint32_t held = REF_RIGHTS | PT_DIRTY;

	if (e.kind != it->entry.kind || e.pa != it->pa || e.run != it->entry.run ||
	    e.format != it->entry.format || (e.flags ^ it->entry.flags) & same)
		return false;
	for (uint64_t va = it->va & ~run; e.run && va <= (it->va | run); va += world_size(1))
		e.flags |= now(it, va).flags & PT_DIRTY;
	return !is_leaf(it) || !(it->entry.flags & ~e.flags & held);
}

void mmu_released(const struct call *call, const struct pt_run *run)
{
	if (!on || explore_self() == EXPLORE_MAIN)
		return;
	explore_sync_flush(false);
	settle();
	for (unsigned i = 0; i < mmu.items; i++) {
		const struct item *it = &mmu.item[i];

		if (is_leaf(it) && &world.space[it->space] == call->space &&
		    it->pa < run->pa.v + run->size && run->pa.v < it->pa + (it->last - it->va) + 1)
			explore_fail(it->held & CPUS ? "memory is handed over that a TLB holds"
						     : "memory is handed over that an IOTLB holds",
			    NULL);
	}
	if (run->dirty)
		mmu_told_dirty(call, run->pa.v, run->size);
}

const char *mmu_judge(const struct call *calls, unsigned count)
{
	static char text[128];
	const char *wrong;

	if (!on)
		return NULL;
	settle();
	for (unsigned i = 0; i < mmu.items; i++) {
		const struct item *it = &mmu.item[i];

		if (it->level == format->levels || (world.space[it->space].format && is_true(it)))
			continue;
		snprintf(text, sizeof(text), "%s still holds page %u of space %u, level %u",
		    !is_leaf(it)      ? "a walk cache"
		    : it->held & CPUS ? "a TLB"
				      : "an IOTLB",
		    (unsigned)(it->va >> format->page_shift), it->space, it->level);
		return text;
	}
	wrong = mmu_walkers_judge(calls, count);
	return wrong ? wrong : explore_failure();
}
