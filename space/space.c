/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The public calls on a space: every argument is checked here, once, before a format's own copy. */
#include "space/op.h"

/*
 * Can both ends be translated, in one half. Where addresses are signed all bits from the top
 * translated one upwards are equal: adding half of the width carries out of them, or not, as one.
 */
static inline int check_width(const struct pt_format *f, uint64_t va, uint64_t last)
{
	unsigned bits = f->va_bits;

	if (f->flags & PT_FORMAT_SIGNED) {
		uint64_t half = UINT64_C(1) << (bits - 1);
		uint64_t beyond = bits < 64 ? (va + half) >> bits : 0;

		return beyond | (va ^ last) >> (bits - 1) ? -PT_ECANON : 0;
	}
	if (bits >= 64)
		return 0;
	if (va >> bits)
		return -PT_ECANON;
	return last >> bits ? -PT_EOVERFLOW : 0;
}

/* What is wrong with a range. */
static __attribute__((noinline)) int range_error(const struct pt_space *space, uint64_t va,
    uint64_t size)
{
	const struct pt_format *f = space ? space->format : NULL;
	uint64_t last = va + size - 1;

	if (!f || !size)
		return -PT_EINVAL;
	if ((va | size) & space->page_mask)
		return -PT_EALIGN;
	if (last < va && !PT_DEFECT(48))
		return -PT_EOVERFLOW;
	return check_width(f, va, last);
}

/* Are both ends addresses that can be translated, and in one half. */
static inline bool width_fits(const struct pt_space *space, uint64_t va, uint64_t last)
{
	return !(((va + space->half) | (last + space->half)) & space->beyond) &&
	       !((va ^ last) & -space->half);
}

/* A range that can be walked: the errors that every range call has. On every way, so it is short.
 */
static inline int check_range(const struct pt_space *space, pt_va va, uint64_t size,
    struct pt_range *r)
{
	uint64_t last = va.v + size - 1;

	r->va = va.v;
	r->last = last;
	/* size > 0, and no overflow: one comparison. */
	if (__builtin_expect(space && space->format && size - 1 < ~va.v, 1) &&
	    __builtin_expect(!((va.v | size) & space->page_mask) && width_fits(space, va.v, last),
		1))
		return 0;
	return range_error(space, va.v, size);
}

/* The page that holds an address. */
static int check_page(const struct pt_space *space, pt_va va, struct pt_range *r)
{
	uint64_t page = space && space->format ? UINT64_C(1) << space->format->page_shift : 1;

	return check_range(space, pt_make_va(va.v & ~(page - 1)), page, r);
}

static int check_flags(uint32_t flags, uint32_t known)
{
	return flags & ~known ? -PT_EINVAL : 0;
}

/* [pa, pa + size) is memory that an entry of the format can hold. */
static inline int check_pa(const struct pt_space *space, pt_pa pa, uint64_t size)
{
	uint64_t last = pa.v + size - 1;

	if (pa.v & space->page_mask)
		return -PT_EALIGN;
	return last < pa.v || last & space->pa_beyond ? -PT_EPA : 0;
}

/* Bytes minus one of what an entry of a level maps. */
static uint64_t entry_mask(const struct pt_space *space, unsigned level)
{
	return (UINT64_C(1) << pt_format_shift(space->format, level)) - 1;
}

/* The range up to an end, or all of it. */
static struct pt_range cut_at(struct pt_range r, uint64_t end)
{
	if (end < r.last)
		r.last = end;
	return r;
}

/*
 * What a level-2 entry maps, from the beginning of a range that is worked on piecewise; more where
 * a larger hole, leaf or run is now: there is nothing to do in the one, and the others are not cut.
 */
static __attribute__((noinline)) struct pt_range cut_mapped(const struct pt_space *space,
    struct pt_range r)
{
	unsigned level = space->format->ops->table_level(space, r.va);
	uint64_t mask = entry_mask(space, level > 2 ? level : 2);
	struct pt_translation t;

	if (!space->format->ops->translate(space, r.va, &t) && t.size - 1 > mask)
		mask = t.size - 1;
	return cut_at(r, r.va | mask);
}

/*
 * The same of a range that is mapped anew: more where a larger leaf can be made. One that is
 * replaced by less is cut: the table for that is wanted anyway.
 */
static struct pt_range cut_new(const struct pt_space *space, struct pt_range r,
    const struct pt_map_source *source, uint32_t flags)
{
	uint64_t offset = source->list ? 1 : source->pa + (r.va - source->va);
	unsigned level = flags & PT_SMALL ? 2 : space->levels - 1u;
	uint64_t mask;

	for (; level > 2; level--) {
		mask = entry_mask(space, level);
		if (space->format->leaves >> level & 1 && !((r.va | offset) & mask) &&
		    r.last - r.va >= mask)
			break;
	}
	return cut_at(r, r.va | entry_mask(space, level > 2 ? level : 2));
}

/* The next piece of a range: all of it, unless it is worked on piecewise. */
static inline struct pt_range next_piece(const struct pt_space *space, struct pt_range r,
    uint32_t flags)
{
	return __builtin_expect(flags & PT_PIECEWISE, 0) ? cut_mapped(space, r) : r;
}

static inline struct pt_range next_new(const struct pt_space *space, struct pt_range r,
    const struct pt_map_source *source, uint32_t flags)
{
	return __builtin_expect(flags & PT_PIECEWISE, 0) ? cut_new(space, r, source, flags) : r;
}

/* Maps a checked range, whole or piece by piece. */
static __attribute__((noinline)) int map_pieces(struct pt_space *space, struct pt_range r,
    const struct pt_map_source *source, pt_attr attr, uint32_t flags)
{
	note_global(space, attr.flags & PT_GLOBAL);
	if (PT_DEFECT(50)) /* what was done before a failure stays */
		flags |= PT_PIECEWISE;
	for (;;) {
		struct pt_range piece = next_new(space, r, source, flags);
		int err = space->format->ops->map(space, piece, source, attr, flags);

		if (err || piece.last == r.last)
			return err;
		r.va = piece.last + 1;
	}
}

#define MAP_FLAGS (PT_SMALL | PT_DEPOSIT | PT_RELAX | PT_MAY_SLEEP | PT_PIECEWISE)

int pt_map(struct pt_space *space, pt_va va, uint64_t size, pt_pa pa, pt_attr attr, uint32_t flags)
{
	struct pt_map_source source = {va.v, pa.v, NULL};
	struct pt_range r;
	int err = check_range(space, va, size, &r);

	if (!err)
		err = check_flags(flags, MAP_FLAGS);
	if (!err)
		err = check_pa(space, pa, size);
	if (err)
		return err;
	if (__builtin_expect(flags & PT_PIECEWISE || PT_DEFECT(50), 0))
		return map_pieces(space, r, &source, attr, flags);
	note_global(space, attr.flags & PT_GLOBAL);
	return space->format->ops->map(space, r, &source, attr, flags);
}

int pt_map_replace(struct pt_space *space, pt_va va, uint64_t size, pt_pa pa, pt_attr attr,
    uint32_t flags, struct pt_gather *gather)
{
	struct pt_map_source source = {va.v, pa.v, NULL};
	struct pt_range r;
	int err = check_range(space, va, size, &r);

	if (!err)
		err = check_flags(flags, MAP_FLAGS);
	if (!err)
		err = check_pa(space, pa, size);
	if (!err)
		err = pt_check_gather(gather);
	if (PT_DEFECT(50))
		flags |= PT_PIECEWISE;
	if (!err)
		note_global(space, attr.flags & PT_GLOBAL);
	while (!err) {
		struct pt_range piece = next_new(space, r, &source, flags);

		err = space->format->ops->map_replace(space, piece, &source, attr, flags, gather);
		if (piece.last == r.last)
			break;
		r.va = piece.last + 1;
	}
	return err;
}

int pt_map_list(struct pt_space *space, pt_va va, const pt_pa *pas, size_t count, pt_attr attr,
    uint32_t flags)
{
	struct pt_map_source source = {va.v, 0, pas};
	const struct pt_format *f = space ? space->format : NULL;
	struct pt_range r;
	uint64_t all = 0;
	int err;

	if (!f || !pas || !count || check_flags(flags, MAP_FLAGS))
		return -PT_EINVAL;
	if (count > UINT64_MAX >> f->page_shift)
		return -PT_EOVERFLOW;
	err = check_range(space, va, (uint64_t)count << f->page_shift, &r);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++)
		all |= pas[i].v;
	err = check_pa(space, pt_make_pa(all), 1);
	return err ? err : map_pieces(space, r, &source, attr, flags | PT_SMALL);
}

/* Beside a cursor's flags: it has mapped the last page that there is. */
#define CURSOR_AT_END (1u << 31)

int pt_cursor_flush(struct pt_cursor *cursor)
{
	int err;

	if (!cursor->count)
		return 0;
	if (cursor->flags & CURSOR_AT_END)
		return -PT_EOVERFLOW;
	if (cursor->flags & PT_PIECEWISE)
		return -PT_EINVAL;
	err = pt_map_list(cursor->space, cursor->va, cursor->pas, cursor->count, cursor->attr,
	    cursor->flags);
	if (err)
		return err;
	cursor->va.v += (uint64_t)cursor->count << cursor->space->format->page_shift;
	cursor->count = 0;
	if (!cursor->va.v)
		cursor->flags |= CURSOR_AT_END;
	return 0;
}

/* Unmaps a checked range piece by piece. */
static __attribute__((noinline)) int unmap_pieces(struct pt_space *space, struct pt_range r,
    uint32_t flags, struct pt_gather *gather)
{
	for (;;) {
		struct pt_range piece = next_piece(space, r, flags);
		int err = space->format->ops->unmap(space, piece, flags, gather);

		if (err || piece.last == r.last)
			return err;
		r.va = piece.last + 1;
	}
}

int pt_unmap(struct pt_space *space, pt_va va, uint64_t size, uint32_t flags,
    struct pt_gather *gather)
{
	struct pt_range r;
	int err = check_range(space, va, size, &r);

	if (!err)
		err = check_flags(flags, PT_KEEP_TABLES | PT_DEPOSIT | PT_MAY_SLEEP | PT_PIECEWISE);
	if (!err)
		err = pt_check_gather(gather);
	if (err)
		return err;
	if (__builtin_expect(!(flags & PT_PIECEWISE), 1))
		return space->format->ops->unmap(space, r, flags, gather);
	return unmap_pieces(space, r, flags, gather);
}

int pt_protect(struct pt_space *space, pt_va va, uint64_t size, pt_attr attr, uint32_t flags)
{
	struct pt_range r;
	int err = check_range(space, va, size, &r);

	if (!err)
		err = check_flags(flags, PT_DEPOSIT | PT_RELAX | PT_MAY_SLEEP | PT_PIECEWISE);
	if (!err)
		note_global(space, attr.flags & PT_GLOBAL);
	while (!err) {
		struct pt_range piece = next_piece(space, r, flags);

		err = space->format->ops->protect(space, piece, attr, flags);
		if (piece.last == r.last)
			break;
		r.va = piece.last + 1;
	}
	return err;
}

int pt_modify(struct pt_space *space, pt_va va, uint64_t size, uint32_t set, uint32_t clear,
    uint32_t flags)
{
	struct pt_range r;
	int err = check_range(space, va, size, &r);

	if (!err)
		err = check_flags(flags, PT_MAY_SLEEP);
	if (!err)
		note_global(space, set & PT_GLOBAL);
	return err ? err : space->format->ops->modify(space, r, set, clear, flags);
}

/* One address of a space that a reader is asked for. */
static inline int check_address(const struct pt_space *space, pt_va va)
{
	if (!space || !space->format)
		return -PT_EINVAL;
	return (va.v + space->half) & space->beyond ? -PT_ECANON : 0;
}

int pt_translate(const struct pt_space *space, pt_va va, struct pt_translation *out)
{
	int err = out ? check_address(space, va) : -PT_EINVAL;

	return err ? err : space->format->ops->translate(space, va.v, out);
}

int pt_table_level(const struct pt_space *space, pt_va va, unsigned *level)
{
	int err = level ? check_address(space, va) : -PT_EINVAL;

	if (!err)
		*level = space->format->ops->table_level(space, va.v);
	return err;
}

int pt_walk(const struct pt_space *space, pt_va va, uint64_t size, pt_walk_fn fn, void *ctx)
{
	struct pt_range r;
	int err = fn ? check_range(space, va, size, &r) : -PT_EINVAL;

	return err ? err : space->format->ops->walk(space, r, fn, ctx);
}

/* Two spaces that tables can go between. */
static int check_pair(const struct pt_space *dst, const struct pt_space *src)
{
	if (!dst || dst == src)
		return -PT_EINVAL;
	return dst->format != src->format || dst->memory != src->memory ? -PT_ENOTSUP : 0;
}

int pt_copy(struct pt_space *dst, struct pt_space *src, pt_va va, uint64_t size, uint32_t flags)
{
	struct pt_range r;
	int err = check_range(src, va, size, &r);

	if (!err)
		err = check_flags(flags,
		    PT_COW | PT_SHARE | PT_DEPOSIT | PT_KEEP_TABLES | PT_MAY_SLEEP | PT_PIECEWISE);
	if (!err && flags & PT_SHARE && !(flags & PT_COW))
		err = -PT_EINVAL;
	if (!err)
		err = check_pair(dst, src);
	/* Of the marks in a run an MMU's space says more: its tables are none for others. */
	if (!err && (src->flags ^ dst->flags) & PT_SPACE_MMU)
		flags &= ~(uint32_t)PT_SHARE;
	while (!err) {
		struct pt_range piece = next_piece(src, r, flags);

		err = src->format->ops->copy(dst, src, piece, flags);
		if (piece.last == r.last)
			break;
		r.va = piece.last + 1;
	}
	return err;
}

int pt_move(struct pt_space *space, pt_va va, uint64_t size, pt_va to, uint32_t flags)
{
	struct pt_range from;
	struct pt_range target;
	int err = check_range(space, va, size, &from);

	if (!err)
		err = check_range(space, to, size, &target);
	if (!err)
		err = check_flags(flags, PT_DEPOSIT | PT_KEEP_TABLES | PT_MAY_SLEEP);
	if (!err && from.va <= target.last && target.va <= from.last)
		err = -PT_EINVAL;
	return err ? err : space->format->ops->move(space, from, to.v, flags);
}

int pt_split(struct pt_space *space, pt_va va, uint64_t size, unsigned target, uint32_t flags)
{
	struct pt_range r;
	int err = check_range(space, va, size, &r);

	if (!err)
		err = check_flags(flags, PT_DEPOSIT | PT_MAY_SLEEP);
	if (!err && (target >= space->levels || !(space->format->leaves >> target & 1)))
		err = -PT_EINVAL;
	return err ? err : space->format->ops->split(space, r, target, flags);
}

int pt_collapse(struct pt_space *space, pt_va va, unsigned level, uint32_t flags)
{
	struct pt_range r;
	int err = check_page(space, va, &r);

	if (!err)
		err = check_flags(flags, PT_DEPOSIT | PT_MAY_SLEEP);
	if (!err && (level == 0 || level >= space->levels || !(space->format->leaves >> level & 1)))
		err = -PT_EINVAL;
	return err ? err : space->format->ops->collapse(space, r.va, level, flags);
}

int pt_populate(struct pt_space *space, pt_va va, uint64_t size, unsigned level, uint32_t flags)
{
	struct pt_range r;
	int err = check_range(space, va, size, &r);

	if (!err)
		err = check_flags(flags, PT_MAY_SLEEP);
	if (!err && level >= space->levels)
		err = -PT_EINVAL;
	return err ? err : space->format->ops->populate(space, r, level, flags);
}

int pt_prune(struct pt_space *space, pt_va va, uint64_t size, pt_va floor, pt_va ceiling)
{
	struct pt_range within = {floor.v, ceiling.v - 1};
	struct pt_range r;
	int err = check_range(space, va, size, &r);

	if (!err)
		err = space->format->ops->prune(space, r, within);
	if (!err && PT_DEFECT(49)) /* a root that shrinks: this first, the pointer later */
		space->levels--;
	return err;
}

int pt_share_table(struct pt_space *dst, struct pt_space *src, pt_va va, uint32_t flags)
{
	struct pt_range r;
	int err = check_page(src, va, &r);

	if (!err)
		err = check_flags(flags, PT_MAY_SLEEP);
	if (!err)
		err = check_pair(dst, src);
	/* Who has no MMU would not flush for one who has. */
	if (!err && (src->levels < 3 || (src->flags ^ dst->flags) & PT_SPACE_MMU))
		err = -PT_ENOTSUP;
	return err ? err : src->format->ops->share_table(dst, src, r.va, flags);
}

int pt_unshare_table(struct pt_space *space, pt_va va, struct pt_gather *gather)
{
	struct pt_range r;
	int err = check_page(space, va, &r);

	if (!err)
		err = pt_check_gather(gather);
	if (!err && space->levels < 3)
		err = -PT_ENOTSUP;
	return err ? err : space->format->ops->unshare_table(space, r.va, gather);
}

int pt_age(struct pt_space *space, pt_va va, uint64_t size, uint64_t *young)
{
	struct pt_range r;
	int err = young ? check_range(space, va, size, &r) : -PT_EINVAL;

	return err ? err : space->format->ops->age(space, r, young);
}

int pt_dirty(struct pt_space *space, pt_va va, uint64_t size, pt_walk_fn fn, void *ctx,
    uint64_t *bytes)
{
	struct pt_range r;
	int err = bytes ? check_range(space, va, size, &r) : -PT_EINVAL;

	return err ? err : space->format->ops->dirty(space, r, fn, ctx, bytes);
}

int pt_access_fault(struct pt_space *space, pt_va va, uint32_t access)
{
	struct pt_range r;
	int err = check_page(space, va, &r);

	if (!err && (!access || access & ~(uint32_t)(PT_READ | PT_WRITE | PT_EXEC | PT_USER)))
		err = -PT_EINVAL;
	return err ? err : space->format->ops->access_fault(space, va.v, access);
}

int pt_check(const struct pt_space *space, struct pt_fault_report *report)
{
	return space && space->root && report ? space->format->ops->check(space, report)
					      : -PT_EINVAL;
}

void pt_dump(const struct pt_space *space, void (*line)(void *ctx, const char *text), void *ctx)
{
	space->format->ops->dump(space, line, ctx);
}
