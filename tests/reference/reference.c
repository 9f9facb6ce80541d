/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What all formats have in common: trees of tables, and nothing else. */
#include "tests/reference/reference.h"

/* A walk or visit under way. */
struct ref_state {
	const struct ref_memory *memory;
	const struct ref_format *format;
	const struct ref_visitor *visitor;
	struct ref_result *bad;
};

static bool same_name(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const struct ref_format *ref_find(const char *name)
{
	static const struct ref_format *const all[] = {
		&ref_x86_64,
		&ref_x86_64_la57,
		&ref_i386,
		&ref_i386_pae,
		&ref_arm64_4k_48,
		&ref_arm64_4k_39,
		&ref_arm64_4k_52,
		&ref_arm64_16k_36,
		&ref_arm64_16k_47,
		&ref_arm64_16k_48,
		&ref_arm64_64k_42,
		&ref_arm64_64k_48,
		&ref_arm64_64k_52,
		&ref_riscv_sv39,
		&ref_riscv_sv48,
		&ref_riscv_sv57,
		&ref_riscv_sv39_napot,
		&ref_riscv_sv48_napot,
		&ref_riscv_sv57_napot,
		&ref_riscv_sv32,
		&ref_fake8,
		&ref_fake4,
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (same_name(all[i]->name, name))
			return all[i];
	}
	return NULL;
}

/* Bytes of address space under one entry of a level. */
static uint64_t reach(const struct ref_format *format, unsigned level)
{
	uint64_t bytes = (uint64_t)1 << format->page_shift;

	for (unsigned below = 0; below < level; below++)
		bytes <<= format->index_bits[below];
	return bytes;
}

static uint64_t entries(const struct ref_format *format, unsigned level)
{
	return (uint64_t)1 << format->index_bits[level];
}

/* Widens the highest translated address bit over the rest of the word. */
static uint64_t canonical(const struct ref_format *format, uint64_t va)
{
	uint64_t half = reach(format, format->levels) / 2;

	va %= 2 * half;
	if (format->sign_extended && va >= half)
		va -= 2 * half;
	return va;
}

static bool read_entry(const struct ref_state *s, uint64_t pa, uint64_t *raw)
{
	const uint8_t *byte = s->memory->at(s->memory->ctx, pa, s->format->entry_bytes);
	unsigned bytes = s->format->entry_bytes;

	if (!byte)
		return false;
	*raw = 0;
	for (unsigned i = 0; i < bytes; i++)
		*raw = *raw * 256 + byte[s->format->big_endian ? i : bytes - 1 - i];
	return true;
}

/* Reads and decodes entry index of the table; result gets all but va and run_size. */
static enum ref_status look(const struct ref_state *s, uint64_t table, unsigned level,
    uint64_t index, struct ref_result *result)
{
	result->level = level;
	result->size = reach(s->format, level);
	result->run_size = result->size;
	result->raw = 0;
	result->entry_pa = table + index * s->format->entry_bytes;
	if (!read_entry(s, result->entry_pa, &result->raw))
		return REF_NO_MEMORY;
	result->entry = s->format->decode(result->raw, level);
	result->pa = result->entry.pa;
	switch (result->entry.kind) {
	case REF_EMPTY:
		return REF_NOT_MAPPED;
	case REF_TABLE:
	case REF_LEAF:
		return REF_OK;
	case REF_BUSY:
		return REF_BUSY_ENTRY;
	default:
		return REF_BAD_ENTRY;
	}
}

/* Whether two leaves of a run say the same but for accessed and dirty, which the MMU writes. */
static bool alike(const struct ref_entry *a, const struct ref_entry *b)
{
	const uint32_t mmu = PT_ACCESSED | PT_DIRTY;

	return b->kind == REF_LEAF && b->run && (a->flags | mmu) == (b->flags | mmu) &&
	       a->format == b->format;
}

/* A leaf with a run mark: all of its run must be there. Sets run_size. */
static enum ref_status look_run(const struct ref_state *s, uint64_t table, uint64_t index,
    struct ref_result *leaf)
{
	uint64_t count = (uint64_t)1 << s->format->run_shift[leaf->level];
	uint64_t first = index - index % count;
	uint64_t step = s->format->run_one_address ? 0 : leaf->size; /* from entry to entry */
	uint64_t pa = leaf->entry.pa - (index - first) * step;

	leaf->run_size = leaf->size * count;
	leaf->entry.pa = pa + (index - first) * leaf->size;
	leaf->pa = leaf->entry.pa;
	if (count == 1 || pa % leaf->run_size)
		return REF_BAD_ENTRY;
	for (uint64_t i = 0; i < count; i++) {
		struct ref_result other;

		if (look(s, table, leaf->level, first + i, &other) != REF_OK ||
		    !alike(&leaf->entry, &other.entry) || other.pa != pa + i * step)
			return REF_BAD_ENTRY;
	}
	return REF_OK;
}

static enum ref_status look_leaf(const struct ref_state *s, uint64_t table, unsigned level,
    uint64_t index, struct ref_result *result)
{
	enum ref_status status = look(s, table, level, index, result);

	if (status == REF_OK && result->entry.kind == REF_LEAF && result->entry.run)
		status = look_run(s, table, index, result);
	return status;
}

enum ref_status ref_walk(const struct ref_memory *memory, const char *format, uint64_t root,
    uint64_t va, struct ref_result *result)
{
	struct ref_state s = {.memory = memory, .format = ref_find(format)};
	uint64_t table = root;
	uint32_t rights = REF_RIGHTS;

	if (!s.format)
		return REF_NO_FORMAT;
	if (canonical(s.format, va) != va)
		return REF_NOT_CANONICAL;
	for (unsigned level = s.format->levels; level-- > 0;) {
		uint64_t index = va / reach(s.format, level) % entries(s.format, level);
		enum ref_status status = look_leaf(&s, table, level, index, result);

		result->va = va;
		if (status != REF_OK)
			return status;
		if (result->entry.kind == REF_LEAF) {
			result->pa += va % result->size;
			result->entry.flags &= rights | ~(uint32_t)REF_RIGHTS;
			return REF_OK;
		}
		rights &= result->entry.flags;
		table = result->entry.pa;
	}
	return REF_BAD_ENTRY;
}

/* A table that is being visited. */
struct ref_place {
	uint64_t table;
	unsigned level;
	uint64_t va;     /* of its first entry; not yet canonical */
	uint32_t rights; /* that the tables above leave it */
};

static enum ref_status visit_table(const struct ref_state *s, const struct ref_place *place);

static enum ref_status visit_entry(const struct ref_state *s, const struct ref_place *place,
    uint64_t index)
{
	struct ref_place below = {.va = place->va + index * reach(s->format, place->level)};
	struct ref_result result;
	enum ref_status status = look_leaf(s, place->table, place->level, index, &result);

	result.va = canonical(s->format, below.va);
	if (status == REF_NOT_MAPPED)
		return REF_OK;
	if (status != REF_OK) {
		if (s->bad)
			*s->bad = result;
		return status;
	}
	if (result.entry.kind == REF_TABLE) {
		below.table = result.pa;
		below.level = place->level - 1;
		below.rights = place->rights & result.entry.flags;
		return visit_table(s, &below);
	}
	result.entry.flags &= place->rights | ~(uint32_t)REF_RIGHTS;
	if (s->visitor->leaf && s->visitor->leaf(s->visitor->ctx, &result))
		return REF_STOPPED;
	return REF_OK;
}

/* Recursion ends: a decode never finds a table at level 0. */
static enum ref_status visit_table(const struct ref_state *s, const struct ref_place *place)
{
	const struct ref_visitor *v = s->visitor;

	if (v->table &&
	    v->table(v->ctx, canonical(s->format, place->va), place->table, place->level))
		return REF_STOPPED;
	for (uint64_t index = 0; index < entries(s->format, place->level); index++) {
		enum ref_status status = visit_entry(s, place, index);

		if (status != REF_OK)
			return status;
	}
	return REF_OK;
}

enum ref_status ref_visit(const struct ref_memory *memory, const char *format, uint64_t root,
    const struct ref_visitor *visitor, struct ref_result *bad)
{
	struct ref_state s = {memory, ref_find(format), visitor, bad};
	struct ref_place place = {.table = root, .rights = REF_RIGHTS};

	if (!s.format)
		return REF_NO_FORMAT;
	place.level = s.format->levels - 1;
	return visit_table(&s, &place);
}

enum ref_status ref_for_each(const struct ref_memory *memory, const char *format, uint64_t root,
    int (*fn)(void *ctx, const struct ref_result *leaf), void *ctx)
{
	struct ref_visitor visitor = {.leaf = fn, .ctx = ctx};

	return ref_visit(memory, format, root, &visitor, NULL);
}

static int count_table(void *ctx, uint64_t va, uint64_t pa, unsigned level)
{
	uint64_t *counts = ctx;

	(void)va;
	(void)pa;
	counts[level]++;
	return 0;
}

enum ref_status ref_count_tables(const struct ref_memory *memory, const char *format, uint64_t root,
    uint64_t counts[REF_MAX_LEVELS])
{
	struct ref_visitor visitor = {.table = count_table, .ctx = counts};

	for (unsigned level = 0; level < REF_MAX_LEVELS; level++)
		counts[level] = 0;
	return ref_visit(memory, format, root, &visitor, NULL);
}
