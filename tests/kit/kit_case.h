/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the kit's tests share: a case under way, and questions about spaces and raw entries. */
#ifndef TESTS_KIT_KIT_CASE_H
#define TESTS_KIT_KIT_CASE_H

#include "tests/kit/kit.h"

void *memcpy(void *__restrict to, const void *__restrict from, size_t size);
void *memset(void *at, int byte, size_t size);

#define KIT_ATTRS 16u
#define KIT_RUNS  16u

/* One test on one format: two empty spaces. */
struct kit {
	const struct kit_machine *machine;
	const struct pt_format *format;
	struct pt_memory *memory;
	uint32_t flags;    /* of the spaces */
	struct pt_space a; /* the lower id */
	struct pt_space b;
	bool swapped;            /* entries are not in the byte order of this CPU */
	pt_attr rw;              /* readable, writable; the first that the format can say */
	pt_attr ro;              /* readable */
	pt_attr attr[KIT_ATTRS]; /* different combinations that all leaf levels can say */
	unsigned attrs;
	struct pt_run run[KIT_RUNS]; /* a buffer of a gather, and what was handed over */
	struct pt_run out[KIT_RUNS];
	unsigned outs;
	uint64_t out_bytes;
	uint64_t flushes_before; /* of the call under way */
	unsigned unflushed;      /* hand-overs without a flush in this call */
	bool skipped;
	const char *what; /* first failure */
	int line;
	unsigned long checks;
};

typedef void (*kit_test_fn)(struct kit *k);

struct kit_test {
	const char *name;
	kit_test_fn fn;
};

/* The tests, in lists that end with an empty name. */
extern const struct kit_test kit_leaf_tests[];
extern const struct kit_test kit_mark_tests[];
extern const struct kit_test kit_table_tests[];
extern const struct kit_test kit_space_tests[];

/* Notes a failure; false: it did not hold. */
bool kit_check(struct kit *k, bool good, const char *what, int line);

/* Ends the test when something does not hold. */
#define CHECK(k, good)                                                                             \
	do {                                                                                       \
		if (!kit_check((k), (good), #good, __LINE__))                                      \
			return;                                                                    \
	} while (0)

/* The same in a function that says whether all held. */
#define CHECK_OR_FALSE(k, good)                                                                    \
	do {                                                                                       \
		if (!kit_check((k), (good), #good, __LINE__))                                      \
			return false;                                                              \
	} while (0)

#define VA pt_make_va
#define PA pt_make_pa

/* Bytes of a page; of an entry of a level; whether a level can hold leaves. */
uint64_t kit_page(const struct kit *k);
uint64_t kit_slot(const struct kit *k, unsigned level);
bool kit_is_leaf_level(const struct kit *k, unsigned level);
unsigned kit_top(const struct kit *k);

/* The first and last address of the space's lower and, if there are two, upper half. */
struct kit_half {
	uint64_t first;
	uint64_t last;
};
unsigned kit_halves(const struct kit *k, struct kit_half half[2]);

/* Memory aligned to an entry of a level, different for each n from 1 to 4; 1 has
 * kit_machine.memory. */
uint64_t kit_pa(const struct kit *k, unsigned level, unsigned n);

/* Does va translate to pa with these attributes, by a leaf of this level. */
#define KIT_ANY_LEVEL PT_MAX_LEVELS
bool kit_maps(struct kit *k, const struct pt_space *space, uint64_t va, uint64_t pa, pt_attr attr,
    unsigned level);
bool kit_unmapped(struct kit *k, const struct pt_space *space, uint64_t va);

/* The level of the leaf at va; PT_MAX_LEVELS: none. */
unsigned kit_level(const struct pt_space *space, uint64_t va);

/* The level of the lowest table on the way to va; PT_MAX_LEVELS: no answer. */
unsigned kit_lowest(const struct pt_space *space, uint64_t va);

/* Bytes of the leaf or contiguous run at va; 0: not mapped. */
uint64_t kit_size(const struct pt_space *space, uint64_t va);

/* Bytes of a contiguous run of level 0; a page: the format has none. */
uint64_t kit_run_size(struct kit *k);

/* Pieces as a walk gave them to kit_take_piece. */
struct kit_pieces {
	struct pt_piece piece[8];
	unsigned count;
	unsigned stop_at; /* piece at which the callback ends the walk */
};

int kit_take_piece(void *ctx, const struct pt_piece *piece);

/* Attribute flags at va; 0: not mapped. */
uint32_t kit_flags(const struct pt_space *space, uint64_t va);

/* Tables charged to a space: of a level; all; in the whole memory. */
uint64_t kit_tables(const struct pt_space *space, unsigned level);
uint64_t kit_all_tables(const struct pt_space *space);
uint64_t kit_memory_tables(const struct kit *k);

/* A fresh gather into k->out, through a buffer of that many runs. */
struct pt_gather kit_gather(struct kit *k, size_t capacity);

/* The address of the entry of a level for va; NULL: the way down ends above. */
void *kit_entry(const struct kit *k, const struct pt_space *space, uint64_t va, unsigned level);
uint64_t kit_load(const struct kit *k, const void *entry);
void kit_store(const struct kit *k, void *entry, uint64_t e);

/* Sets accessed and dirty in the leaf at va as an MMU would; false: the format cannot say them. */
bool kit_touch(struct kit *k, const struct pt_space *space, uint64_t va, uint32_t flags);

/* The descriptor of the table of a level that translates va, or NULL. */
struct ptdesc *kit_table(const struct kit *k, const struct pt_space *space, uint64_t va,
    unsigned level);

/* Nothing in a space is busy or invalid, and pt_check finds nothing. */
bool kit_settled(struct kit *k, const struct pt_space *space);

/* Unmaps everything in both halves, dropping it; true: it worked. */
bool kit_clear(struct kit *k, struct pt_space *space);

#endif
