/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An executable model of spaces: arrays of page -> address, attributes, accessed, dirty; and random
 * operations made on the model and on the library alike. What a leaf is (how much one entry maps)
 * is learnt from the reference walker, since accessed and dirty belong to leaves; all else is
 * foretold. Where an MMU runs the spaces they belong to all of a contiguous run.
 */
#ifndef TESTS_UNIT_MODEL_H
#define TESTS_UNIT_MODEL_H

#include "tests/kit/soft_mmu.h"

#define MODEL_SPACES  3u
#define MODEL_WINDOWS 4u
#define MODEL_ATTRS   64u
#define MODEL_RUNS    7u /* runs in a gather: few, so that it fills up in the middle */

struct model_page {
	uint64_t pa;
	pt_attr attr;
	bool mapped;
	bool truly; /* below a truly shared table: others see what happens here */
};

/* A page of memory on its way out. */
struct model_frame {
	uint64_t pa;
	bool accessed;
	bool dirty;
};

struct model_frames {
	struct model_frame *frame;
	size_t count;
};

/* Pages [first, first + count) of the model: within one window, so neighbours in the space too. */
struct span {
	unsigned first;
	unsigned count;
};

struct model {
	struct test_port port;
	struct soft_mmu mmu;
	const struct pt_format *format;
	uint32_t flags; /* of the spaces */
	struct pt_space space[MODEL_SPACES];
	struct model_page *page[MODEL_SPACES];
	uint64_t window[MODEL_WINDOWS]; /* addresses at which a window starts */
	unsigned windows;
	unsigned window_pages;
	unsigned pages;            /* in all windows */
	pt_attr attr[MODEL_ATTRS]; /* that the format can say */
	unsigned attrs;
	uint64_t seed;
	uint64_t rng;
	const uint8_t *bytes; /* not NULL: where numbers come from, and how many are left */
	size_t left;
	uint64_t ops;
	uint64_t done[32]; /* operations that succeeded, by kind */
	bool trace;
	struct model_frames want; /* to be handed over by the gather, and what was */
	struct model_frames got;
	struct pt_run runs[MODEL_RUNS];
	struct pt_gather gather;
	bool mixed;     /* the operation may meet a truly shared table: -PT_ESPLIT is allowed */
	char what[256]; /* the operation under way */
};

/* How the spaces of a run are used: no MMU walks them; one does; and they are a kernel's. */
struct model_mode {
	const char *name;
	uint32_t flags;
};

#define MODEL_MODES 3u
extern const struct model_mode model_modes[MODEL_MODES];
const char *model_mode_name(uint32_t flags);

/* Opens a model with its memory and spaces; the caller then says where its numbers come from. */
void model_open(struct model *m, const struct pt_format *format, uint32_t flags);

/* Ends it. Fails if anything leaked. */
void model_close(struct model *m);

/* Numbers: random ones, or the bytes given. */
uint64_t model_random(struct model *m, uint64_t below);
bool model_chance(struct model *m, unsigned percent);

/* Ends the program: prints what, the operation, and how to see it again. */
void model_fail(const struct model *m, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

uint64_t model_va(const struct model *m, unsigned page);
uint64_t model_page_size(const struct model *m);

/* Pages that an entry of a level maps. */
uint64_t model_slot_pages(const struct model *m, unsigned level);

/* The leaf that maps a page, and the pages that are accessed and dirty with it; false: none. */
bool model_leaf(const struct model *m, unsigned s, unsigned page, struct ref_result *leaf,
    struct span *pages);

/* One random operation on library and model, and what can be asked after it. */
void model_step(struct model *m);

/* Compares pages of all spaces with the library. */
void model_compare(struct model *m, struct span span);

/* Compares everything: walks, checks, counts of tables, what was not written back. */
void model_compare_all(struct model *m);

/* After an unmapping without PT_KEEP_TABLES: no table that emptied is left. */
void model_no_empty(struct model *m, unsigned s, struct span span);

/* After pt_prune. */
void model_pruned(struct model *m, unsigned s, struct span span, uint64_t floor, uint64_t last);

/* After pt_populate. */
void model_populated(struct model *m, unsigned s, struct span span, unsigned level);

/* Compares the pieces of a walk. */
void model_walk(struct model *m, unsigned s, struct span span);

#endif
