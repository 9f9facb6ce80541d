/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Physical memory in which tests of the reference walkers write tables, entry by entry. */
#ifndef TESTS_UNIT_BY_HAND_H
#define TESTS_UNIT_BY_HAND_H

#include <string.h>

#include "tests/reference/reference.h"

#define MEMORY_BYTES 0x6000u

/* Physical memory from 0 on. */
struct machine {
	struct ref_memory memory;
	uint8_t bytes[MEMORY_BYTES];
};

static const void *at(void *ctx, uint64_t pa, size_t size)
{
	struct machine *m = ctx;

	return pa <= MEMORY_BYTES - size ? &m->bytes[pa] : NULL;
}

static void start(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	m->memory.at = at;
	m->memory.ctx = m;
}

static void put(struct machine *m, uint64_t pa, uint64_t entry, unsigned bytes, bool big)
{
	for (unsigned i = 0; i < bytes; i++)
		m->bytes[pa + (big ? bytes - 1 - i : i)] = (uint8_t)(entry >> 8 * i);
}

#endif
