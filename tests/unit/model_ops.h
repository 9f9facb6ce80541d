/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the operations of the model share. */
#ifndef TESTS_UNIT_MODEL_OPS_H
#define TESTS_UNIT_MODEL_OPS_H

#include <stdio.h>
#include <string.h>

#include "tests/unit/model.h"

#define AD        ((uint32_t)(PT_ACCESSED | PT_DIRTY))
#define MAP_FLAGS (PT_SMALL | PT_DEPOSIT | PT_RELAX | PT_MAY_SLEEP | PT_PIECEWISE)

/* Says what is about to be done: for a failure's message, and when it is followed. */
#define SAY(m, ...)                                                                                \
	do {                                                                                       \
		snprintf((m)->what, sizeof((m)->what), __VA_ARGS__);                               \
		if ((m)->trace)                                                                    \
			fprintf(stderr, "%llu: %s\n", (unsigned long long)(m)->ops, (m)->what);    \
	} while (0)

/* Fails unless the library's answer is the one foretold. Did the call succeed? */
bool model_expect(struct model *m, int err, int wanted);

/* Choices. A span: its MMU may have been there already; _of: of so many pages, nobody was. */
unsigned pick_space(struct model *m);
struct span pick_span(struct model *m);
struct span pick_span_of(struct model *m, unsigned count);
pt_attr pick_attr(struct model *m);
/* Memory that lies in its large leaves as the span does, or anyhow. */
uint64_t pick_pa(struct model *m, struct span span);
/* Some of the flags that a call knows. */
uint32_t pick_flags(struct model *m, uint32_t known);
/* A page that is mapped, mostly. */
unsigned pick_page(struct model *m, unsigned s);

pt_va model_span_va(const struct model *m, struct span span);
uint64_t model_span_size(const struct model *m, struct span span);

/* What a piecewise call works on next. */
struct span model_piece(const struct model *m, struct span span, uint32_t flags);

/* Truly shared tables: is any in a span; the pages below one; may a call take a span out. */
bool model_any_truly(const struct model *m, unsigned s, struct span span);
struct span model_truly_span(const struct model *m, unsigned page);
int model_truly_cut(const struct model *m, unsigned s, struct span span);

/* What a call that wants the range empty says. */
int model_occupied(const struct model *m, unsigned s, struct span span);

/* Does space o see what happens to a page of space s. */
bool model_sees(const struct model *m, unsigned o, unsigned s, unsigned page);

/* Changes of the model. map: as far as a call gets, and its answer; a list instead of pa, or NULL.
 */
void model_set_page(struct model *m, unsigned s, unsigned page, uint64_t pa, pt_attr attr);
void model_set_ad(struct model *m, unsigned s, struct span pages, uint32_t set, uint32_t clear);
void model_drop_page(struct model *m, unsigned s, unsigned page);
int model_map(struct model *m, unsigned s, struct span span, uint64_t pa, const pt_pa *list,
    pt_attr attr, uint32_t flags);

/* A gather for a call; and what it handed over is what left. */
struct pt_gather *model_gather(struct model *m);
void model_check_gather(struct model *m);

/* Operations that others are made of. */
void map_span(struct model *m, unsigned s, struct span span, uint64_t pa, uint32_t flags);
void unmap_span(struct model *m, unsigned s, struct span span, uint32_t flags);

/* The operations. Each returns which pages to compare. */
struct span step_map(struct model *m);
struct span step_map_list(struct model *m);
struct span step_cursor(struct model *m);
struct span step_replace(struct model *m);
struct span step_unmap(struct model *m);
struct span step_protect(struct model *m);
struct span step_set_memory(struct model *m);
struct span step_age(struct model *m);
struct span step_dirty(struct model *m);
struct span step_access(struct model *m);
struct span step_split(struct model *m);
struct span step_collapse(struct model *m);
struct span step_populate(struct model *m);
struct span step_prune(struct model *m);
struct span step_copy(struct model *m);
struct span step_move(struct model *m);
struct span step_share(struct model *m);
struct span step_unshare(struct model *m);
struct span step_wrong(struct model *m);

#endif
