/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/kit/soft_mmu.h"

#include <stdio.h>
#include <string.h>

/* What of a leaf's attributes a TLB keeps; accessed is set by whoever fills it. */
#define CACHED                                                                                     \
	(PT_READ | PT_WRITE | PT_EXEC | PT_USER | PT_GLOBAL | PT_ATTR_TYPE_MASK | PT_ATTR_KEY_MASK)

static void wrong(struct soft_mmu *mmu, const char *what, const struct soft_entry *e)
{
	if (!mmu->fault[0])
		snprintf(mmu->fault, sizeof(mmu->fault), "%s: %s of level %u, va %#llx, pa %#llx",
		    what, e->table ? "table" : "leaf", e->level, (unsigned long long)e->va,
		    (unsigned long long)e->pa);
}

static const void *ref_at(void *ctx, uint64_t pa, size_t size)
{
	const struct soft_mmu *mmu = ctx;
	const struct test_port *t = mmu->port;

	if (pa < t->first_pa || pa - t->first_pa >= t->size || size > t->size - (pa - t->first_pa))
		return NULL;
	return t->arena + (pa - t->first_pa);
}

static struct ref_memory ref_memory_of(const struct soft_mmu *mmu)
{
	struct ref_memory memory = {ref_at, (void *)(uintptr_t)mmu};

	return memory;
}

enum ref_status soft_mmu_walk(const struct soft_mmu *mmu, const struct pt_space *space, uint64_t va,
    struct ref_result *leaf)
{
	struct ref_memory memory = ref_memory_of(mmu);

	return ref_walk(&memory, mmu->format->name, pt_space_root(space).pa.v, va, leaf);
}

enum ref_status soft_mmu_visit(const struct soft_mmu *mmu, const struct pt_space *space,
    const struct ref_visitor *visitor)
{
	struct ref_memory memory = ref_memory_of(mmu);

	return ref_visit(&memory, mmu->format->name, pt_space_root(space).pa.v, visitor, NULL);
}

/* An entry in memory as a number. */
static uint64_t number(const struct soft_mmu *mmu, const unsigned char *at)
{
	unsigned n = mmu->format->entry_bytes;
	uint64_t e = 0;

	for (unsigned i = 0; i < n; i++)
		e = e << 8 | at[mmu->ref->big_endian ? i : n - 1 - i];
	return e;
}

static void set_number(struct soft_mmu *mmu, uint64_t entry_pa, uint64_t e)
{
	unsigned char bytes[8];
	unsigned n = mmu->format->entry_bytes;

	for (unsigned i = 0; i < n; i++)
		bytes[mmu->ref->big_endian ? n - 1 - i : i] = (unsigned char)(e >> 8 * i);
	test_port_poke(mmu->port, entry_pa, bytes, n);
}

static uint64_t raw_entry(const struct soft_mmu *mmu, uint64_t entry_pa)
{
	return number(mmu, test_port_virt(mmu->port, entry_pa));
}

static uint64_t slot_size(const struct soft_mmu *mmu, unsigned level)
{
	return UINT64_C(1) << pt_format_shift(mmu->format, level);
}

static uint64_t slot_index(const struct soft_mmu *mmu, unsigned level, uint64_t va)
{
	return va >> pt_format_shift(mmu->format, level) &
	       ((UINT64_C(1) << mmu->format->bits[level]) - 1);
}

unsigned soft_mmu_entry(const struct soft_mmu *mmu, const struct pt_space *space, uint64_t va,
    unsigned level, struct pt_entry_info *info)
{
	uint64_t table = pt_space_root(space).pa.v;
	unsigned l = mmu->format->levels - 1u;

	for (;; l--) {
		uint64_t e =
		    raw_entry(mmu, table + slot_index(mmu, l, va) * mmu->format->entry_bytes);

		if (pt_entry_decode(mmu->format, e, l, info))
			info->kind = PT_ENTRY_INVALID;
		if (l == level || info->kind != PT_ENTRY_TABLE)
			return l;
		table = info->pa.v;
	}
}

/* Where the leaf of a run is that lies opposite to one. */
static uint64_t opposite(const struct soft_mmu *mmu, const struct ref_result *leaf)
{
	return leaf->entry_pa ^ (leaf->run_size / leaf->size - 1) * mmu->format->entry_bytes;
}

uint32_t soft_mmu_marks(const struct soft_mmu *mmu, const struct ref_result *leaf)
{
	uint64_t bytes = leaf->run_size / leaf->size * mmu->format->entry_bytes;
	uint64_t first = leaf->entry_pa & ~(bytes - 1);
	uint32_t flags = 0;

	for (uint64_t at = 0; at < bytes; at += mmu->format->entry_bytes) {
		struct ref_entry e = mmu->ref->decode(raw_entry(mmu, first + at), leaf->level);

		flags |= e.kind == REF_LEAF ? e.flags : 0;
	}
	return flags & (PT_ACCESSED | PT_DIRTY);
}

/* Accessed and dirty that the tables have for what an entry translates, a leaf or all of a run. */
static uint32_t marks_for(const struct soft_mmu *mmu, const struct soft_entry *e)
{
	struct ref_result leaf;

	if (soft_mmu_walk(mmu, e->space, e->va, &leaf) != REF_OK || leaf.run_size < e->size)
		return 0;
	return soft_mmu_marks(mmu, &leaf);
}

/*
 * Does a cached entry still say what the tables say of va. missing: its accessed and dirty that the
 * leaf there has not are added.
 */
static bool true_at(const struct soft_mmu *mmu, const struct soft_entry *e, uint64_t va,
    uint32_t *missing)
{
	struct pt_entry_info info;

	if (soft_mmu_entry(mmu, e->space, va, e->level, &info) != e->level)
		return false;
	if (e->table)
		return info.kind == PT_ENTRY_TABLE && info.pa.v == e->pa;
	if (info.run && mmu->ref->run_one_address)
		info.pa.v += va & ((slot_size(mmu, e->level) << mmu->ref->run_shift[e->level]) - 1);
	if (info.kind != PT_ENTRY_LEAF || info.pa.v != e->pa + (va - e->va))
		return false;
	*missing |= e->flags & ~info.attr.flags & (PT_DIRTY | PT_ACCESSED);
	return !((e->flags ^ info.attr.flags) & CACHED);
}

static bool still_true(const struct soft_mmu *mmu, const struct soft_entry *e)
{
	uint32_t missing = 0;

	for (uint64_t at = 0; at < e->size; at += slot_size(mmu, e->level))
		if (!true_at(mmu, e, e->va + at, &missing))
			return false;
	/* A cached dirty mark that the table no longer has loses the next write. */
	return !missing || !(missing & ~marks_for(mmu, e));
}

static bool overlaps(const struct soft_entry *e, uint64_t va, uint64_t last)
{
	return e->va <= last && e->va + (e->size - 1) >= va;
}

/* Nothing cached may contradict an entry that has just become valid. */
static void check_made(struct soft_mmu *mmu, const struct pt_space *space, uint64_t va,
    unsigned level)
{
	for (unsigned i = 0; i < SOFT_MMU_ENTRIES; i++) {
		const struct soft_entry *e = &mmu->cache[i];

		if (e->space == space && overlaps(e, va, va + slot_size(mmu, level) - 1) &&
		    e->level <= level && !still_true(mmu, e))
			wrong(mmu, "an entry was made before the old one was flushed", e);
	}
}

static bool is_valid(const struct pt_entry_info *info)
{
	return info->kind == PT_ENTRY_TABLE || info->kind == PT_ENTRY_LEAF;
}

/* May a live entry become another without a break. */
static bool may_follow(const struct pt_entry_info *old, const struct pt_entry_info *new)
{
	return !is_valid(old) || !is_valid(new) ||
	       (old->kind == new->kind && old->pa.v == new->pa.v &&
		   (old->kind == PT_ENTRY_TABLE ||
		       (old->run == new->run && old->attr.format == new->attr.format &&
			   !((old->attr.flags ^ new->attr.flags) &
			       (PT_ATTR_TYPE_MASK | PT_GLOBAL)))));
}

/*
 * Is everything that is live in the group of an entry of one run with it, or of none: an MMU that
 * meets one marked entry translates for all.
 */
static bool is_one_run(const struct soft_mmu *mmu, const struct pt_entry_info *e, unsigned level,
    const unsigned char *at)
{
	size_t bytes = mmu->format->entry_bytes;
	size_t group = bytes << mmu->ref->run_shift[level];
	const unsigned char *first = at - (uintptr_t)at % group;

	for (size_t i = 0; i < group; i += bytes) {
		struct pt_entry_info other;

		if (!pt_entry_decode(mmu->format, number(mmu, first + i), level, &other) &&
		    is_valid(&other) && other.run != e->run)
			return false;
	}
	return true;
}

/* One entry of a linked table was written. */
static void entry_written(struct soft_mmu *mmu, const struct pt_space *space, uint64_t va,
    unsigned level, const unsigned char *at)
{
	const unsigned char *shadow =
	    (unsigned char *)mmu->port->shadow + (at - (unsigned char *)mmu->port->arena);
	struct soft_entry e = {.space = space, .va = va, .level = level};
	struct pt_entry_info old;
	struct pt_entry_info new;

	if (pt_entry_decode(mmu->format, number(mmu, shadow), level, &old) ||
	    pt_entry_decode(mmu->format, number(mmu, at), level, &new))
		return;
	if (!may_follow(&old, &new))
		wrong(mmu, "a live entry was replaced without a break", &e);
	if (is_valid(&new) && !is_one_run(mmu, &new, level, at))
		wrong(mmu, "a run stands beside other live entries of its group", &e);
	if (is_valid(&new) && !is_valid(&old)) {
		mmu->breaks++;
		check_made(mmu, space, va, level);
	}
}

/* Of a size that the compiler knows: it is asked of every entry, again and again. */
static bool is_same(const unsigned char *a, const unsigned char *b, size_t bytes)
{
	return bytes == 8 ? !memcmp(a, b, 8) : !memcmp(a, b, 4);
}

/* Does entry i of a table point to another, at pa. Most are empty, and one like another. */
static bool is_table(const struct soft_mmu *mmu, const unsigned char *table, size_t i,
    unsigned level, uint64_t *pa)
{
	size_t bytes = mmu->format->entry_bytes;
	const unsigned char *entry = table + i * bytes;
	struct pt_entry_info info;

	if ((i && is_same(entry, entry - bytes, bytes)) ||
	    pt_entry_decode(mmu->format, number(mmu, entry), level, &info) ||
	    info.kind != PT_ENTRY_TABLE)
		return false;
	*pa = info.pa.v;
	return true;
}

/* Looks for a table that holds [at, at + size) below the table at pa; true: found. */
static bool find_written(struct soft_mmu *mmu, const struct pt_space *space, uint64_t pa,
    unsigned level, uint64_t base, const unsigned char *at, size_t size)
{
	const unsigned char *table = test_port_virt(mmu->port, pa);
	size_t bytes = mmu->format->entry_bytes;
	size_t n = (size_t)1 << mmu->format->bits[level];
	uint64_t child;

	if (at >= table && at < table + n * bytes) {
		for (size_t i = (size_t)(at - table) / bytes;
		    i < n && table + i * bytes < at + size; i++)
			entry_written(mmu, space, base + i * slot_size(mmu, level), level,
			    table + i * bytes);
		return true;
	}
	for (size_t i = 0; level && i < n; i++)
		if (is_table(mmu, table, i, level, &child) &&
		    find_written(mmu, space, child, level - 1, base + i * slot_size(mmu, level), at,
			size))
			return true;
	return false;
}

/* Break before make: how a live entry may change is part of the format. */
static void on_write(void *ctx, const void *address, size_t size)
{
	struct soft_mmu *mmu = ctx;
	size_t offset = (size_t)((const char *)address - mmu->port->arena);

	if (!(mmu->format->flags & PT_FORMAT_BBM) ||
	    memcmp(address, mmu->port->shadow + offset, size) == 0)
		return;
	for (unsigned i = 0; i < SOFT_MMU_SPACES; i++)
		if (mmu->space[i] && mmu->space[i]->root)
			(void)find_written(mmu, mmu->space[i], pt_space_root(mmu->space[i]).pa.v,
			    mmu->format->levels - 1u, 0, address, size);
}

/* An entry of a space's root, in memory. */
static uint64_t root_entry(const struct soft_mmu *mmu, unsigned space, unsigned i)
{
	uint64_t root = pt_space_root(mmu->space[space]).pa.v;

	return raw_entry(mmu, root + (uint64_t)i * mmu->format->entry_bytes);
}

/* Loads the root of a space into registers, for formats that have it there. */
static void load_root(struct soft_mmu *mmu, unsigned space)
{
	if (mmu->format->flags & PT_FORMAT_LOADED_ROOT)
		for (unsigned i = 0; i < 4; i++)
			mmu->loaded[space][i] = root_entry(mmu, space, i);
}

/* The registers say what the roots say. */
static void check_loaded(struct soft_mmu *mmu)
{
	for (unsigned s = 0; s < SOFT_MMU_SPACES; s++) {
		struct soft_entry e = {.space = mmu->space[s], .table = true, .level = 2};

		if (!e.space || !(e.space->flags & PT_SPACE_MMU) ||
		    !(mmu->format->flags & PT_FORMAT_LOADED_ROOT))
			continue;
		for (unsigned i = 0; i < 4; i++)
			if (mmu->loaded[s][i] != root_entry(mmu, s, i))
				wrong(mmu, "the root changed and was not loaded again", &e);
	}
}

void soft_mmu_attach(struct soft_mmu *mmu, const struct pt_space *space)
{
	unsigned i = 0;

	while (mmu->space[i])
		i++;
	mmu->space[i] = space;
	load_root(mmu, i);
}

void soft_mmu_detach(struct soft_mmu *mmu, const struct pt_space *space)
{
	for (unsigned i = 0; i < SOFT_MMU_SPACES; i++)
		if (mmu->space[i] == space)
			mmu->space[i] = NULL;
	for (unsigned i = 0; i < SOFT_MMU_ENTRIES; i++) {
		if (mmu->cache[i].space != space)
			continue;
		wrong(mmu, "cached for a space that is gone", &mmu->cache[i]);
		mmu->cache[i].space = NULL;
	}
}

static void cache(struct soft_mmu *mmu, const struct soft_entry *e)
{
	for (unsigned i = 0; i < SOFT_MMU_ENTRIES; i++) {
		struct soft_entry *c = &mmu->cache[i];

		if (c->space == e->space && c->va == e->va && c->level == e->level &&
		    c->size == e->size && c->table == e->table) {
			*c = *e;
			return;
		}
	}
	mmu->cache[mmu->next++ % SOFT_MMU_ENTRIES] = *e;
}

/* Keeps all that a walk has seen. */
static void cache_walk(struct soft_mmu *mmu, const struct pt_space *space,
    const struct ref_result *leaf)
{
	struct soft_entry e = {.space = space};
	struct pt_entry_info info;

	for (unsigned l = mmu->format->levels - 1u; l > leaf->level; l--) {
		if (soft_mmu_entry(mmu, space, leaf->va, l, &info) != l)
			return;
		e.va = leaf->va & ~(slot_size(mmu, l) - 1);
		e.size = slot_size(mmu, l);
		e.pa = info.pa.v;
		e.level = l;
		e.table = true;
		cache(mmu, &e);
	}
	e.va = leaf->va & ~(leaf->size - 1);
	e.size = leaf->size;
	e.pa = leaf->entry.pa;
	e.level = leaf->level;
	e.flags = leaf->entry.flags;
	e.table = false;
	cache(mmu, &e);
	if (leaf->run_size == leaf->size)
		return;
	/* A contiguous run is one translation. */
	e.pa -= e.va & (leaf->run_size - 1);
	e.va &= ~(leaf->run_size - 1);
	e.size = leaf->run_size;
	cache(mmu, &e);
}

void soft_mmu_ahead(struct soft_mmu *mmu, const struct pt_space *space, uint64_t va)
{
	struct ref_result leaf;
	enum ref_status status = soft_mmu_walk(mmu, space, va, &leaf);

	/* An MMU does not ask whether the rest of a run is there. */
	if (status == REF_OK ||
	    (status == REF_BAD_ENTRY && leaf.entry.kind == REF_LEAF && leaf.entry.run)) {
		leaf.va = va;
		cache_walk(mmu, space, &leaf);
	}
}

/* A flush that names entries of the root makes who runs the space load it. */
static void reload_roots(struct soft_mmu *mmu, const struct pt_flush *request)
{
	if (!(request->tables >> (mmu->format->levels - 1u) & 1))
		return;
	for (unsigned i = 0; i < SOFT_MMU_SPACES; i++) {
		const struct pt_space *space = mmu->space[i];

		if (space && space->root && (request->kernel || space->cookie == request->cookie))
			load_root(mmu, i);
	}
}

/* What was flushed is walked again at once: all that is still mapped comes back. */
static void on_flush(void *ctx, const struct pt_flush *request)
{
	struct soft_mmu *mmu = ctx;
	static struct soft_entry dropped[SOFT_MMU_ENTRIES];
	unsigned n = 0;

	for (unsigned i = 0; i < SOFT_MMU_ENTRIES; i++) {
		struct soft_entry *e = &mmu->cache[i];
		uint32_t levels = e->table ? request->tables : request->leaves;

		if (!e->space || (!request->kernel && e->space->cookie != request->cookie))
			continue;
		if (!(levels >> e->level & 1) || !overlaps(e, request->start.v, request->last.v))
			continue;
		dropped[n++] = *e;
		e->space = NULL;
	}
	reload_roots(mmu, request);
	for (unsigned i = 0; i < n; i++)
		if (!dropped[i].table)
			soft_mmu_ahead(mmu, dropped[i].space, dropped[i].va);
}

void soft_mmu_init(struct soft_mmu *mmu, struct test_port *port, const struct pt_format *format)
{
	memset(mmu, 0, sizeof(*mmu));
	mmu->port = port;
	mmu->format = format;
	mmu->ref = ref_find(format->name);
	port->hook = mmu;
	port->on_flush = on_flush;
	port->on_write = on_write;
}

/* The bits that differ between a leaf without and with attributes, and their values with. */
static uint64_t attr_bits(const struct soft_mmu *mmu, unsigned level, uint32_t flags,
    uint64_t *mask)
{
	uint64_t without = 0;
	uint64_t with = 0;

	if (pt_entry_encode(mmu->format, pt_make_pa(0), level, pt_make_attr(PT_READ), PT_RELAX,
		&without) ||
	    pt_entry_encode(mmu->format, pt_make_pa(0), level, pt_make_attr(PT_READ | flags),
		PT_RELAX, &with))
		return *mask = 0;
	*mask = without ^ with;
	return with & *mask;
}

int soft_mmu_access(struct soft_mmu *mmu, const struct pt_space *space, uint64_t va,
    uint32_t access, struct ref_result *leaf)
{
	uint32_t set = PT_ACCESSED | (access & PT_WRITE ? PT_DIRTY : 0);
	enum ref_status status = soft_mmu_walk(mmu, space, va, leaf);
	uint64_t place;
	uint64_t mask;
	uint64_t bits;

	mmu->walks++;
	if (status != REF_OK)
		return status == REF_NOT_MAPPED ? -PT_ENOENT : -PT_EINVAL;
	if (access & ~leaf->entry.flags)
		return -PT_EATTR;
	leaf->va = va;
	if (!(mmu->format->flags & PT_FORMAT_MMU_AD)) {
		if ((leaf->entry.flags & set) != set)
			return -PT_EBUSY;
	} else {
		bits = attr_bits(mmu, leaf->level, set, &mask);
		place = opposite(mmu, leaf);
		set_number(mmu, place, (raw_entry(mmu, place) & ~mask) | bits);
		leaf->entry.flags |= set;
	}
	cache_walk(mmu, space, leaf);
	return 0;
}

const char *soft_mmu_check(struct soft_mmu *mmu)
{
	for (unsigned i = 0; i < SOFT_MMU_ENTRIES; i++)
		if (mmu->cache[i].space && !still_true(mmu, &mmu->cache[i]))
			wrong(mmu, "not flushed", &mmu->cache[i]);
	check_loaded(mmu);
	return mmu->fault[0] ? mmu->fault : NULL;
}

void soft_mmu_release(struct soft_mmu *mmu, const struct pt_run *runs, size_t count)
{
	for (unsigned i = 0; i < SOFT_MMU_ENTRIES; i++) {
		const struct soft_entry *e = &mmu->cache[i];

		for (size_t r = 0; e->space && !e->table && r < count; r++)
			if (runs[r].pa.v < e->pa + e->size && e->pa < runs[r].pa.v + runs[r].size &&
			    !still_true(mmu, e))
				wrong(mmu, "memory was released before the flush", e);
	}
}
