/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The operations that are compiled once for each format: the only function pointers on the way, one
 * for each whole operation. Arguments were checked by space/space.c: ranges are not empty, aligned,
 * canonical and within one half; flags are known; last is inclusive.
 */
#ifndef PTDESC_SPACE_OPS_H
#define PTDESC_SPACE_OPS_H

#include <ptdesc/space.h>

/* A range of addresses; the last byte included, so that the end of the space has no special case.
 */
struct pt_range {
	uint64_t va;
	uint64_t last;
};

/* What is to be mapped: contiguous memory from pa on, or a list of pages. */
struct pt_map_source {
	uint64_t va; /* that pa, or list[0], is mapped at */
	uint64_t pa;
	const pt_pa *list; /* NULL: contiguous */
};

struct pt_format_ops {
	int (*map)(struct pt_space *space, struct pt_range r, const struct pt_map_source *source,
	    pt_attr attr, uint32_t flags);
	int (*map_replace)(struct pt_space *space, struct pt_range r,
	    const struct pt_map_source *source, pt_attr attr, uint32_t flags,
	    struct pt_gather *gather);
	int (*unmap)(struct pt_space *space, struct pt_range r, uint32_t flags,
	    struct pt_gather *gather);
	int (*protect)(struct pt_space *space, struct pt_range r, pt_attr attr, uint32_t flags);
	int (*modify)(struct pt_space *space, struct pt_range r, uint32_t set, uint32_t clear,
	    uint32_t flags);
	int (*translate)(const struct pt_space *space, uint64_t va, struct pt_translation *out);
	unsigned (*table_level)(const struct pt_space *space, uint64_t va);
	int (*walk)(const struct pt_space *space, struct pt_range r, pt_walk_fn fn, void *ctx);
	int (*copy)(struct pt_space *dst, struct pt_space *src, struct pt_range r, uint32_t flags);
	int (*move)(struct pt_space *space, struct pt_range r, uint64_t to, uint32_t flags);
	int (*split)(struct pt_space *space, struct pt_range r, unsigned target, uint32_t flags);
	int (*collapse)(struct pt_space *space, uint64_t va, unsigned level, uint32_t flags);
	int (*populate)(struct pt_space *space, struct pt_range r, unsigned level, uint32_t flags);
	int (*prune)(struct pt_space *space, struct pt_range r, struct pt_range within);
	int (*share_table)(struct pt_space *dst, struct pt_space *src, uint64_t va, uint32_t flags);
	int (*unshare_table)(struct pt_space *space, uint64_t va, struct pt_gather *gather);
	int (*age)(struct pt_space *space, struct pt_range r, uint64_t *young);
	int (*dirty)(struct pt_space *space, struct pt_range r, pt_walk_fn fn, void *ctx,
	    uint64_t *bytes);
	int (*access_fault)(struct pt_space *space, uint64_t va, uint32_t access);
	int (*adopt)(struct pt_space *space);
	int (*check)(const struct pt_space *space, struct pt_fault_report *report);
	void (*dump)(const struct pt_space *space, void (*line)(void *, const char *), void *ctx);
	int (*decode)(uint64_t entry, unsigned level, struct pt_entry_info *info);
	int (*encode)(uint64_t pa, unsigned level, pt_attr attr, uint32_t flags, uint64_t *entry);
	uint64_t (*root_value)(uint64_t pa, unsigned levels);
};

#endif
