/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Loads and stores: what is cached is used, what is missing is walked for. */
#include <sched.h>

#include <ptdesc/atomic.h>

#include "tool/tlb/tlb_internal.h"

/* One access under way. */
struct access {
	struct tlb *tlb;
	unsigned cpu;
	const struct pt_space *space;
	uint64_t va;
	uint32_t access; /* PT_READ, PT_WRITE, PT_EXEC */
	bool cached;     /* something that was cached has been used */
};

/* --- entries in memory ----------------------------------------------------------------------- */

static void *entry_at(const struct tlb *tlb, uint64_t table, unsigned level, uint64_t va)
{
	const struct tlb_config *config = &tlb->config;
	uint64_t index =
	    va >> tlb->shift[level] & ((UINT64_C(1) << config->format->bits[level]) - 1);

	return (char *)config->address(config->ctx, table) + index * config->format->entry_bytes;
}

static uint64_t load(const struct tlb *tlb, const void *at)
{
	if (tlb->config.format->entry_bytes == 8)
		return PT_LOAD((const uint64_t *)at, ACQUIRE);
	return PT_LOAD((const uint32_t *)at, ACQUIRE);
}

/* Changes an entry that is still what it was; false: it is not. */
static bool change(const struct tlb *tlb, void *at, uint64_t raw, uint64_t marked)
{
	uint32_t low = (uint32_t)raw;

	if (tlb->config.format->entry_bytes == 8)
		return PT_CAS((uint64_t *)at, &raw, marked, ACQ_REL);
	return PT_CAS((uint32_t *)at, &low, (uint32_t)marked, ACQ_REL);
}

static uint64_t marked(uint64_t raw, struct tlb_mark mark)
{
	return (raw & ~mark.mask) | mark.bits;
}

static bool decode(const struct tlb *tlb, uint64_t raw, unsigned level, uint64_t va,
    struct pt_entry_info *info)
{
	if (pt_entry_decode(tlb->config.format, raw, level, info) || info->kind == PT_ENTRY_INVALID)
		return false;
	/* Where the entries of a run share one address, it is that of the run. */
	if (info->kind == PT_ENTRY_LEAF && info->run_size)
		info->pa.v = (info->pa.v & ~(info->run_size - 1)) |
			     (va & (info->run_size - 1) & ~(info->size - 1));
	return true;
}

/* What the tables say of va, without anything cached: the entry at which the way down ends. */
static unsigned plain_walk(const struct tlb *tlb, const struct pt_space *space, uint64_t va,
    unsigned lowest, struct pt_entry_info *info)
{
	uint64_t table = pt_space_root(space).pa.v;
	unsigned level = tlb->config.format->levels - 1u;

	for (;; level--) {
		if (!decode(tlb, load(tlb, entry_at(tlb, table, level, va)), level, va, info))
			info->kind = PT_ENTRY_INVALID;
		if (level == lowest || info->kind != PT_ENTRY_TABLE)
			return level;
		table = info->pa.v;
	}
}

/* Adds what is noted in the other leaves of a run to what is known of the one at va. */
static void add_noted(const struct tlb *tlb, const struct pt_space *space, uint64_t va,
    unsigned level, struct pt_entry_info *info)
{
	uint64_t start = va & ~(info->run_size - 1);

	for (uint64_t at = 0; at < info->run_size; at += info->size) {
		struct pt_entry_info other;

		if (plain_walk(tlb, space, start + at, level, &other) == level && other.run)
			info->attr.flags |= other.attr.flags & (PT_ACCESSED | PT_DIRTY);
	}
}

bool walk_agrees(const struct tlb *tlb, const struct tlb_entry *e, bool table)
{
	/* A cached mark that the table no longer has loses the next one. */
	const uint32_t rights = PT_READ | PT_WRITE | PT_EXEC | PT_USER | PT_ACCESSED | PT_DIRTY;
	uint64_t va = e->tag << tlb->shift[e->level];
	struct pt_entry_info info;

	if (plain_walk(tlb, e->space, va, e->level, &info) != e->level || info.pa.v != e->pa)
		return false;
	if (table)
		return info.kind == PT_ENTRY_TABLE;
	if (info.run && e->flags & ~info.attr.flags & (PT_ACCESSED | PT_DIRTY))
		add_noted(tlb, e->space, va, e->level, &info);
	return info.kind == PT_ENTRY_LEAF && !(e->flags & ~info.attr.flags & rights);
}

bool walk_replaced(const struct tlb *tlb, const struct tlb_entry *e, bool table)
{
	uint64_t va = e->tag << tlb->shift[e->level];
	struct pt_entry_info info;
	unsigned level = plain_walk(tlb, e->space, va, e->level, &info);

	if (info.kind != PT_ENTRY_TABLE && info.kind != PT_ENTRY_LEAF)
		return false;
	if (level != e->level || info.pa.v != e->pa || table != (info.kind == PT_ENTRY_TABLE))
		return true;
	return !table && (e->flags ^ info.attr.flags) & (PT_ATTR_TYPE_MASK | PT_GLOBAL);
}

/* --- what is cached -------------------------------------------------------------------------- */

static struct tlb_cpu *cpu_of(const struct access *a)
{
	return &a->tlb->cpus[a->cpu];
}

/* Is an entry good to be used; if not, the failure is noted. */
static bool may_use(struct access *a, const struct tlb_entry *e, bool table)
{
	const struct tlb_generations *g = table ? &a->tlb->tables : &a->tlb->frames;
	const char *what = NULL;

	a->cached = true;
	if (generation_of(g, e->pa) != e->generation)
		what = "an access reached what was freed through an entry that was not flushed";
	else if (a->tlb->config.exact && !walk_agrees(a->tlb, e, table))
		what = "an access used an entry that was not flushed";
	if (what)
		tlb_fail(a->tlb, a->cpu, what, e, table);
	return !what;
}

/* A leaf of any level; *array: where it was found. */
static struct tlb_entry *find_leaf(struct access *a, struct tlb_array **array)
{
	struct tlb_cpu *cpu = cpu_of(a);

	for (unsigned i = 0; i < TLB_ARRAYS; i++)
		for (unsigned l = 0; l < a->tlb->config.format->levels; l++) {
			struct tlb_entry *e = array_find(a->tlb, &cpu->leaf[i], a->space, a->va, l);

			*array = &cpu->leaf[i];
			if (e)
				return e;
		}
	return NULL;
}

/* The lowest table that is cached. */
static const struct tlb_entry *find_table(struct access *a)
{
	const struct tlb_entry *e = NULL;

	for (unsigned l = 1; l < a->tlb->config.format->levels && !e; l++)
		e = array_find(a->tlb, &cpu_of(a)->walk, a->space, a->va, l);
	return e;
}

static void cache_table(struct access *a, unsigned level, uint64_t pa)
{
	const struct tlb_entry e = {
		.space = a->space,
		.tag = a->va >> a->tlb->shift[level],
		.pa = pa,
		.generation = generation_of(&a->tlb->tables, pa),
		.level = (uint8_t)level,
	};

	array_put(&cpu_of(a)->walk, &e);
}

static void cache_leaf(struct access *a, unsigned level, const struct pt_entry_info *info)
{
	const struct tlb_entry e = {
		.space = a->space,
		.tag = a->va >> a->tlb->shift[level],
		.pa = info->pa.v,
		.flags = info->attr.flags,
		.generation = generation_of(&a->tlb->frames, info->pa.v),
		.level = (uint8_t)level,
	};

	for (unsigned i = 0; i < TLB_ARRAYS; i++)
		array_put(&cpu_of(a)->leaf[i], &e);
}

/* --- walks ----------------------------------------------------------------------------------- */

/*
 * Where what is done to a leaf is noted: an MMU may take any leaf of its run, so it is the one that
 * lies opposite, while that is of the same run. *raw, the leaf, becomes what is there: no other
 * value may be marked, since the run may be on its way out.
 */
static void *place_of(const struct tlb *tlb, unsigned level, void *at,
    const struct pt_entry_info *info, uint64_t *raw)
{
	size_t bytes = tlb->config.format->entry_bytes;
	struct pt_entry_info there;
	uint64_t found;
	size_t offset;
	size_t run;
	char *other;

	if (!info->run)
		return at;
	run = (size_t)(info->run_size / info->size) * bytes;
	offset = (uintptr_t)at & (run - 1);
	other = (char *)at - offset + (run - bytes - offset);
	found = load(tlb, other);
	if (pt_entry_decode(tlb->config.format, found, level, &there) || !there.run ||
	    (there.pa.v ^ info->pa.v) & ~(info->run_size - 1))
		return at;
	*raw = found;
	return other;
}

/* A leaf was found: sets what the MMU sets. -PT_EBUSY: software has to, or it was changed. */
static int set_marks(struct access *a, unsigned level, void *at, uint64_t raw,
    struct pt_entry_info *info)
{
	const struct pt_format *format = a->tlb->config.format;
	uint32_t wanted = (PT_ACCESSED | (a->access & PT_WRITE ? PT_DIRTY : 0)) & format->attrs &
			  ~info->attr.flags;
	void *place;
	uint64_t now;

	if (!wanted)
		return 0;
	place = place_of(a->tlb, level, at, info, &raw);
	now = raw;
	if (wanted & PT_ACCESSED)
		now = marked(now, a->tlb->accessed[level]);
	if (wanted & PT_DIRTY)
		now = marked(now, a->tlb->dirty[level]);
	if (!(format->flags & PT_FORMAT_MMU_AD) || !change(a->tlb, place, raw, now))
		return -PT_EBUSY;
	cpu_of(a)->counts.marks += now != raw;
	info->attr.flags |= wanted;
	return 0;
}

static int end_of_walk(struct access *a, unsigned level, void *at, uint64_t raw,
    struct pt_entry_info *info, struct tlb_result *result)
{
	int err;

	if (info->kind == PT_ENTRY_BUSY)
		return -PT_EBUSY;
	if (info->kind != PT_ENTRY_LEAF)
		return -PT_ENOENT;
	if (a->access & ~info->attr.flags)
		return -PT_EATTR;
	err = set_marks(a, level, at, raw, info);
	if (err)
		return err;
	cache_leaf(a, level, info);
	*result = (struct tlb_result){
		.pa = info->pa.v | (a->va & ((UINT64_C(1) << a->tlb->shift[level]) - 1)),
		.flags = info->attr.flags,
		.level = level,
	};
	return 0;
}

static int walk(struct access *a, struct tlb_result *result)
{
	struct tlb_counts *counts = &cpu_of(a)->counts;
	const struct tlb_entry *start = find_table(a);
	uint64_t table = start ? start->pa : pt_space_root(a->space).pa.v;
	unsigned level = start ? start->level - 1u : a->tlb->config.format->levels - 1u;
	struct pt_entry_info info;

	counts->walks++;
	if (start && !may_use(a, start, true))
		return -PT_EINVAL;
	counts->walk_hits += start != NULL;
	for (;; level--) {
		void *at = entry_at(a->tlb, table, level, a->va);
		uint64_t raw = load(a->tlb, at);

		counts->walk_loads++;
		if (!decode(a->tlb, raw, level, a->va, &info))
			return -PT_EINVAL;
		if (info.kind != PT_ENTRY_TABLE)
			return end_of_walk(a, level, at, raw, &info, result);
		table = info.pa.v;
		cache_table(a, level, table);
	}
}

/* Has a cached leaf all that the access needs; dirty, too, which a walk has to set else. */
static bool suffices(const struct access *a, const struct tlb_entry *e)
{
	uint32_t needed = a->access | (a->access & PT_WRITE ? PT_DIRTY : 0);

	return !(needed & ~(e->flags | (PT_DIRTY & ~a->tlb->config.format->attrs)));
}

static int lookup(struct access *a, struct tlb_result *result)
{
	struct tlb_counts *counts = &cpu_of(a)->counts;
	struct tlb_array *array;
	struct tlb_entry *e = find_leaf(a, &array);

	counts->accesses++;
	/* Without the right it is walked for again before there is a fault, as x86 does. */
	if (!e || !suffices(a, e))
		return walk(a, result);
	if (!may_use(a, e, false))
		return -PT_EINVAL;
	if (array->shape.second)
		counts->second++;
	else
		counts->first++;
	*result = (struct tlb_result){
		.pa = e->pa | (a->va & ((UINT64_C(1) << a->tlb->shift[e->level]) - 1)),
		.flags = e->flags,
		.level = e->level,
	};
	for (unsigned i = 0; array->shape.second && i < TLB_ARRAYS; i++)
		array_put(&cpu_of(a)->leaf[i], e);
	return 0;
}

int tlb_access(struct tlb *tlb, unsigned cpu, const struct pt_space *space, uint64_t va,
    uint32_t access, struct tlb_result *result)
{
	struct access a = {.tlb = tlb, .cpu = cpu, .space = space, .va = va, .access = access};
	int err;

	while (PT_LOAD(&tlb->cpus[cpu].pending, ACQUIRE))
		(void)sched_yield();
	pthread_mutex_lock(&tlb->cpus[cpu].lock);
	err = lookup(&a, result);
	pthread_mutex_unlock(&tlb->cpus[cpu].lock);
	return err;
}
