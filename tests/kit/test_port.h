/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A port for tests of spaces: one thread, physical memory in a malloc'ed arena, grace periods that
 * end at once or when the test says so, flushes that are recorded, and a stop that ends the
 * program. It checks how the library calls it (see the table in ptdesc/port.h) and that every store
 * to a table is followed by a write-back: a shadow of the arena holds what write-backs have told
 * of.
 */
#ifndef TESTS_KIT_TEST_PORT_H
#define TESTS_KIT_TEST_PORT_H

#include "core/memory.h"

#define TEST_PORT_SECTIONS 8u
#define TEST_PORT_FLUSHES  64u

struct test_port {
	struct pt_memory *memory;
	struct pt_config config;
	uint64_t first_pa; /* of the arena */
	size_t size;       /* bytes of the arena */
	char *arena;
	char *shadow; /* the arena as write-backs have told of it */
	void *block;
	void *words[TEST_PORT_SECTIONS];
	unsigned sections;
	unsigned in_section; /* nesting of read sections */
	bool pinned;
	bool hold_grace;  /* grace periods end only by test_port_grace or a wait */
	uint64_t started; /* cookie of the last grace period started */
	uint64_t over;    /* those up to this cookie are over */
	uint64_t waits;
	uint64_t flushes;                         /* since the port was opened */
	struct pt_flush flush[TEST_PORT_FLUSHES]; /* the last of them, at number % size */
	/* Hooks of a test, may be NULL: before the record of a flush; before the shadow is updated.
	 */
	void (*on_flush)(void *ctx, const struct pt_flush *request);
	void (*on_write)(void *ctx, const void *address, size_t size);
	void *hook;
};

/* Opens a memory: sections of 2^section_shift frames. Ends the program when it cannot. */
void test_port_open(struct test_port *t, unsigned page_shift, unsigned sections,
    unsigned section_shift, unsigned magazine);

/* Ends it: what pt_memory_destroy says. */
int test_port_close(struct test_port *t, struct pt_leaks *leaks);

/* Gives up a memory that is in no state to be closed. */
void test_port_abandon(struct test_port *t);

/* Ends all grace periods that were started. */
void test_port_grace(struct test_port *t);

/*
 * Every store to a table was told to write_back: NULL, or the first byte in the arena that was not.
 * Only frames that are tables now are looked at.
 */
const void *test_port_unwritten(const struct test_port *t);

/* An address of the arena, and a store to it that an MMU would make. */
void *test_port_virt(const struct test_port *t, uint64_t pa);
void test_port_poke(struct test_port *t, uint64_t pa, const void *bytes, size_t size);

#endif
