/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A memory with two spaces of one format in it; what they have to be when a test ends. */
#ifndef TESTS_UNIT_TWO_SPACES_H
#define TESTS_UNIT_TWO_SPACES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include <ptdesc/space.h>
#include "tests/kit/test_port.h"

#define VA     pt_make_va
#define PA     pt_make_pa
#define RW     pt_make_attr(PT_READ | PT_WRITE)
#define RO     pt_make_attr(PT_READ)
#define PAGE   UINT64_C(0x1000)
#define LARGE  UINT64_C(0x200000)
#define LARGER UINT64_C(0x40000000)
#define TOP    UINT64_C(0x8000000000)

struct world {
	struct test_port port;
	struct pt_space a;
	struct pt_space b;
};

static inline void must(int err)
{
	assert_int_equal(err, 0);
}

/* In a section of 2^shift frames. */
static inline void open_sized(struct world *w, const struct pt_format *format, uint32_t flags,
    unsigned shift)
{
	memset(w, 0, sizeof(*w));
	test_port_open(&w->port, 12, 1, shift, 4);
	must(pt_space_init(&w->a, w->port.memory, format, flags, &w->a));
	must(pt_space_init(&w->b, w->port.memory, format, flags, &w->b));
}

static inline void open_world(struct world *w, const struct pt_format *format, uint32_t flags)
{
	open_sized(w, format, flags, 9);
}

static inline void close_memory(struct test_port *port)
{
	struct pt_leaks leaks;

	must(test_port_close(port, &leaks));
	assert_true(!leaks.frames && !leaks.tables && !leaks.objects);
}

static inline void close_world(struct world *w)
{
	struct pt_fault_report report;

	must(pt_check(&w->a, &report));
	must(pt_check(&w->b, &report));
	must(pt_space_destroy(&w->a, NULL));
	must(pt_space_destroy(&w->b, NULL));
	close_memory(&w->port);
}

/* The entry of a level for an address, where all levels have 9 bits and pages 12. */
static inline uint64_t *entry_at(const struct world *w, const struct pt_space *space, uint64_t va,
    unsigned level)
{
	uint64_t pa = pt_space_root(space).pa.v;

	for (unsigned l = 3;; l--) {
		uint64_t *e = test_port_virt(&w->port, pa + (va >> (12 + 9 * l) & 511) * 8);

		if (l == level)
			return e;
		pa = *e & UINT64_C(0x000ffffffffff000);
	}
}

#endif
