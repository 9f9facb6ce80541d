/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * When memory is a table: the port is told at its first use and after its last grace period. In
 * between lives it is poison, which a reader with a stale pointer takes for a leaf of nobody's.
 */
#include <stdlib.h>
#include <string.h>
#include "tests/torture/torture.h"

/* No table is smaller. */
#define LEAST_SHIFT 4u

static struct torture *torture;
static uint32_t *lives;

uint32_t life_of(uint64_t pa)
{
	return PT_LOAD(&lives[pa >> LEAST_SHIFT], ACQUIRE);
}

uint64_t entry_swapped(const struct torture *t, uint64_t entry)
{
	return strcmp(t->format->name, "fake4") ? entry : __builtin_bswap32((uint32_t)entry);
}

static void fill_table(pt_pa pa, size_t size, uint64_t entry)
{
	char *at = (char *)torture->memory->port.ctx + pa.v;
	unsigned step = torture->format->entry_bytes;

	for (size_t i = 0; i < size; i += step)
		memcpy(at + i, &entry, step);
}

/* A leaf where the level is one that has them and most tables are, else what is no table either. */
static uint64_t poison_of(unsigned level)
{
	const struct torture *t = torture;
	pt_pa pa = pa_of(t, (uint64_t)TAG_POISON << TAG_SHIFT);
	uint64_t entry;

	if (level > 1 || pt_entry_encode(t->format, pa, level, pt_make_attr(PT_READ), 0, &entry))
		return t->format->tables[level].empty;
	return entry_swapped(t, entry);
}

static int table_event(void *ctx, pt_pa pa, size_t size, unsigned level, bool start)
{
	(void)ctx;
	PT_FETCH_ADD(&lives[pa.v >> LEAST_SHIFT], 1, ACQ_REL);
	fill_table(pa, size, start ? torture->format->tables[level].empty : poison_of(level));
	return 0;
}

void lives_begin(struct torture *t)
{
	torture = t;
	lives = calloc(ARENA_BYTES >> LEAST_SHIFT, sizeof(*lives));
	if (!lives)
		abort();
	t->memory->port.table_event = table_event;
}
