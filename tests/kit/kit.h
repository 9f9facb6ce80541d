/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The conformance kit: what a space must do, asked of every format, at every level and leaf size,
 * with an MMU behind and without, on a host and on bare metal. It needs no libc but memcpy and
 * memset, runs one test at a time, and tells its results through a callback.
 */
#ifndef TESTS_KIT_KIT_H
#define TESTS_KIT_KIT_H

#include <ptdesc/space.h>

/* What the kit needs of the machine that it runs on. */
struct kit_machine {
	void *ctx;

	/*
	 * A memory of frames of 2^page_shift bytes: online, nothing in use, room for some 200
	 * tables of that size. NULL: this machine has none. One at a time.
	 */
	struct pt_memory *(*open)(void *ctx, unsigned page_shift);

	/* Most of what tests map is the leaf with this physical address in it, or follows. */
	uint64_t memory;

	/* Ends it; what pt_memory_destroy says. */
	int (*close)(void *ctx, struct pt_memory *memory, struct pt_leaks *leaks);

	/* While hold is true no grace period ends but by a wait. NULL: the machine cannot. */
	void (*hold_grace)(void *ctx, bool hold);

	/* Stores an entry as an MMU would, which tells nobody. NULL: memcpy. */
	void (*poke)(void *ctx, void *entry, const void *bytes, size_t size);

	/* Flushes made since open. NULL: not counted. */
	uint64_t (*flushes)(void *ctx);

	/* What the machine itself found wrong since open, or NULL. May be NULL. */
	const char *(*complaint)(void *ctx);

	/*
	 * Has the machine's own MMU read at va through a space's tables. mapped: what the library
	 * says is there, NULL: nothing. NULL: it agrees, or cannot be asked; else what it does. The
	 * kit puts back what it marks in the leaf. NULL: there is none.
	 */
	const char *(*probe)(void *ctx, const struct pt_space *space, uint64_t va,
	    const struct pt_translation *mapped);

	/* One result. what: NULL passed, else what was expected and did not hold; line: where. */
	void (*report)(void *ctx, const struct pt_format *format, bool mmu, const char *test,
	    const char *what, int line);
};

/* Counts of a run. */
struct kit_counts {
	unsigned passed;
	unsigned failed;
	unsigned skipped; /* the format or the machine has nothing of the kind */
	unsigned long checks;
};

/* Runs all tests on one format; on the formats of a list that ends with NULL. */
struct kit_counts kit_run_format(const struct kit_machine *machine, const struct pt_format *format);
struct kit_counts kit_run(const struct kit_machine *machine,
    const struct pt_format *const *formats);

#endif
