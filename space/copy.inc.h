/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Copying what one space maps into another: fork. Also the way to a table that may not exist yet.
 */

/* Tables that a path needs were counted up to here: tables are asked for in address order. */
struct path_count {
	uint64_t base[PT_MAX_LEVELS]; /* of the last one counted, by level */
	bool any[PT_MAX_LEVELS];
};

/* Counts what is missing between a locked table and the table of level target that translates va.
 */
static void count_path(const struct pt_op *op, struct pt_side *side, struct path_count *c,
    const struct ptdesc *pt, unsigned l, uint64_t va, unsigned target)
{
	for (; l > target; l--) {
		pf_entry e = pf_load_locked(entry_of(op->memory, pt, l, va));

		if (!pf_is_table(e, l))
			break;
		pt = desc_at(op->memory, pf_table_pa(e, l));
	}
	for (; l > target; l--) {
		uint64_t base = va & ~table_mask(l - 1);

		if (c->any[l - 1] && c->base[l - 1] == base)
			continue;
		c->any[l - 1] = true;
		c->base[l - 1] = base;
		side->need[l - 1]++;
	}
}

/* Links a new table below an entry that is empty. */
static void link_table(struct pt_op *op, struct ptdesc *parent, unsigned l, uint64_t va,
    struct ptdesc *pt)
{
	pt_state_move(op->memory, pt, PT_PRIVATE, PT_LINKED);
	put(op, entry_of(op->memory, parent, l, va), pf_make_table(table_pa(pt, l - 1), l));
	parent->used++;
}

/*
 * The table of level target that translates va; missing ones come from the reserve, and are born
 * locked since the operation goes on in them (7).
 */
static struct ptdesc *path_to(struct pt_op *op, struct pt_side *side, struct ptdesc *pt, unsigned l,
    uint64_t va, unsigned target)
{
	for (; l > target; l--) {
		pf_entry e = pf_load_locked(entry_of(op->memory, pt, l, va));
		struct ptdesc *child;

		if (pf_is_table(e, l)) {
			pt = desc_at(op->memory, pf_table_pa(e, l));
			continue;
		}
		child = pt_op_take(op, side, l - 1, va & ~slot_mask(l));
		pt_op_hold_new(op, side, child);
		link_table(op, pt, l, va, child);
		pt = child;
	}
	return pt;
}

/* Where a leaf or another table is to go, an empty table gives way; all of it is locked. */
static void make_way(struct pt_op *op, struct pt_side *side, struct ptdesc *pt, unsigned l,
    uint64_t va)
{
	pf_entry e = pf_load_locked(entry_of(op->memory, pt, l, va));

	if (!pf_is_table(e, l))
		return;
	cut_child(op, side, pt, l, va, desc_at(op->memory, pf_table_pa(e, l)));
	if (PF_BBM)
		pt_op_flush_now(op);
}

/* One tree's end of a copy. */
struct copy_end {
	struct pt_side *side;
	struct ptdesc *pt; /* locked cover */
	unsigned l;
};

struct copy {
	struct copy_end from;
	struct copy_end to;
	struct copy_end near; /* the target's table of level 1 that was found last; pt NULL: none */
	uint64_t near_base;
	struct path_count count;
	bool counting; /* first pass: count tables; second: copy */
};

/* Where the way to the target's leaf table for va begins: as low as is known. */
static inline const struct copy_end *nearest(const struct copy *c, uint64_t va)
{
	return c->near.pt && c->near_base == (va & ~table_mask(1)) ? &c->near : &c->to;
}

static inline void come_near(struct copy *c, struct ptdesc *pt, uint64_t va)
{
	c->near.side = c->to.side;
	c->near.pt = pt;
	c->near.l = 1;
	c->near_base = va & ~table_mask(1);
}

/* How entries are copied. */
struct copying {
	bool mmu;  /* may write the source */
	bool cow;  /* both are protected from writing */
	bool runs; /* the marks of contiguous runs are copied */
};

/* Copies an entry, if it is a leaf; returns 1 then. */
PF_HOT unsigned copy_entry(struct copying how, pf_entry *from, pf_entry *to, unsigned l)
{
	pf_entry e = pf_load_locked(from);

	if (!pf_is_leaf(e, l))
		return 0;
	if (how.cow && pf_writable(e, l)) {
		if (plain_store(how.mmu, e, l))
			pf_store_leaf(from, pf_wrprotect(e, l));
		else
			while (!pf_replace(from, &e, pf_wrprotect(e, l)))
				;
		e = pf_wrprotect(e, l);
	}
	e = pf_set_ad(e, l, false, false);
	pf_store_leaf(to, how.runs ? e : pf_set_run(e, l, false));
	return 1;
}

/*
 * Copies entries; returns how many leaves. Compiled for each case of what is constant in it. Who
 * sees a leaf, protected or copied, sees what was written before it was mapped.
 */
PF_HOT unsigned copy_many(struct copying how, pf_entry *from, pf_entry *to, unsigned l,
    unsigned count)
{
	unsigned n = 0;

	if (!PT_DEFECT(88))
		PT_FENCE(RELEASE);
	for (; count >= 8; count -= 8, from += 8, to += 8) {
#define ONE(i) n += copy_entry(how, &from[i], &to[i], l);
		EIGHT(ONE)
#undef ONE
	}
	for (; count; count--, from++, to++)
		n += copy_entry(how, from, to, l);
	return n;
}

static unsigned copy_entries(struct pt_op *op, pf_entry *from, pf_entry *to, unsigned l,
    unsigned count, bool runs)
{
	struct copying how = {op->mmu, op->flags & PT_COW, runs};
	const struct copying fork = {false, true, true};
	unsigned n;

	if (l == 0 && how.cow && !how.mmu && (runs || !pf_run_shift(0)))
		n = copy_many(fork, from, to, 0, count);
	else
		n = copy_many(how, from, to, l, count);
	wrote(op, from, count);
	wrote(op, to, count);
	return n;
}

/* Copies a part of a leaf table into the same part of dst, which is locked or still private. */
static void copy_part(struct pt_op *op, struct ptdesc *src, struct ptdesc *dst, struct pt_range r)
{
	pf_entry *from = entry_of(op->memory, src, 0, r.va);
	pf_entry *to = entry_of(op->memory, dst, 0, r.va);
	unsigned count = index_of(r.last, 0) - index_of(r.va, 0) + 1;
	bool runs = src->shared != SHARED_COW || is_whole(r, 1);

	/* A run that the range cuts is taken apart; a frozen table's is only copied so. */
	if (src->shared != SHARED_COW)
		break_runs(op, src, 0, r);
	dst->used = (uint16_t)(dst->used + copy_entries(op, from, to, 0, count, runs));
	if (op->flags & PT_COW)
		pt_op_flush(op, r.va, r.last, 0, false);
}

/* Makes a locked leaf table a shared one: protected from writing and frozen from here on (15). */
static __attribute__((noinline)) void make_shared(struct pt_op *op, struct ptdesc *pt)
{
	pf_entry *entry = table_of(op->memory, pt, 0);
	uint64_t base = ptdesc_base(pt);

	PT_FENCE(RELEASE); /* as in copy_many */
	for (unsigned i = 0; i < 1u << pf_bits(0); i++) {
		pf_entry e = pf_load_locked(&entry[i]);

		if (!pf_is_leaf(e, 0) || !pf_writable(e, 0))
			continue;
		if (!op->mmu)
			pf_store_leaf(&entry[i], pf_wrprotect(e, 0));
		else
			while (!pf_replace(&entry[i], &e, pf_wrprotect(e, 0)))
				;
	}
	wrote(op, entry, 1u << pf_bits(0));
	pt_op_flush(op, base, base | table_mask(0), 0, false);
	pt->pt_share_count = 1;
	PT_STORE(&pt->shared, SHARED_COW, RELAXED);
}

/* The target's table of level 1 for va, made if it is missing. */
static inline struct ptdesc *target_parent(struct pt_op *op, struct copy *c, uint64_t va)
{
	const struct copy_end *end = nearest(c, va);

	if (end->l != 1)
		come_near(c, path_to(op, end->side, end->pt, end->l, va, 1), va);
	return end->l == 1 ? end->pt : c->near.pt;
}

/* Links a leaf table of the source into an entry of the target as well. */
PF_HOT void share_leaf(struct pt_op *op, struct ptdesc *parent, pf_entry *entry, struct ptdesc *pt)
{
	if (pt->shared == SHARED_COW) {
		pt_table_lock(op->memory, pt);
		pt->pt_share_count++;
		pt_table_unlock(op->memory, pt);
	} else {
		make_shared(op, pt);
		pt->pt_share_count++;
	}
	put(op, entry, pf_make_table(table_pa(pt, 0), 1));
	parent->used++;
}

/* The table in the target that the entry of level 1 for va points to, or NULL. */
static struct ptdesc *target_leaf(const struct pt_op *op, struct copy *c, uint64_t va)
{
	const struct copy_end *end = nearest(c, va);
	struct ptdesc *pt = end->pt;

	for (unsigned l = end->l; l > 0; l--) {
		pf_entry e = pf_load_locked(entry_of(op->memory, pt, l, va));

		if (l == 1)
			come_near(c, pt, va);
		if (!pf_is_table(e, l))
			return NULL;
		pt = desc_at(op->memory, pf_table_pa(e, l));
	}
	return pt;
}

/* Copies a part of a leaf table into a new one, which is filled before it is linked (7). */
static void copy_to_new(struct pt_op *op, struct copy *c, struct ptdesc *src, struct pt_range r)
{
	struct ptdesc *parent = target_parent(op, c, r.va);
	struct ptdesc *dst = pt_op_take(op, c->to.side, 0, r.va & ~table_mask(0));

	copy_part(op, src, dst, r);
	link_table(op, parent, 1, r.va, dst);
}

/* Counts for a leaf table: what leads to it, and itself unless it is shared. */
static void count_leaf_table(struct pt_op *op, struct copy *c, uint64_t va, bool share)
{
	const struct copy_end *end = nearest(c, va);

	count_path(op, c->to.side, &c->count, end->pt, end->l, va, share ? 1 : 0);
}

/* Can a leaf table be shared with the target: all of it, and none is there. */
static bool can_share(const struct pt_op *op, const struct copy *c, const struct ptdesc *dst,
    struct pt_range r)
{
	return op->flags & PT_SHARE && is_whole(r, 1) && !dst && c->to.l > 0;
}

/* A leaf table, or the part of it in r. */
static void copy_leaf_table(struct pt_op *op, struct copy *c, struct ptdesc *src, struct pt_range r)
{
	struct ptdesc *dst = target_leaf(op, c, r.va);
	struct ptdesc *parent;
	bool any = is_whole(r, 1) ? src->used != 0 : anything_in(op, src, 0, r);
	bool share = any && can_share(op, c, dst, r);

	if (!any && !(op->flags & PT_KEEP_TABLES))
		return;
	if (c->counting) {
		count_leaf_table(op, c, r.va, share);
	} else if (share) {
		parent = target_parent(op, c, r.va);
		share_leaf(op, parent, entry_of(op->memory, parent, 1, r.va), src);
	} else if (dst) {
		copy_part(op, src, dst, r);
	} else {
		copy_to_new(op, c, src, r);
	}
}

/* Counts for a leaf, or for the parts that it will be split into at the edges of the range. */
static void count_large(struct pt_op *op, struct copy *c, unsigned l, struct pt_range s)
{
	if (l && !is_whole(s, l)) {
		for_each_slot (l - 1, s, t)
			count_large(op, c, l - 1, t);
		return;
	}
	count_path(op, c->to.side, &c->count, c->to.pt, c->to.l, s.va, l);
	if (l == 1 && op->flags & PT_DEPOSIT)
		c->to.side->need[0]++;
}

/* A large leaf; when it is copied, whole in the range. */
static void copy_large(struct pt_op *op, struct copy *c, struct ptdesc *src, unsigned l,
    struct pt_range s)
{
	struct ptdesc *dst;

	if (c->counting) {
		count_large(op, c, l, s);
		return;
	}
	dst = path_to(op, c->to.side, c->to.pt, c->to.l, s.va, l);
	make_way(op, c->to.side, dst, l, s.va);
	copy_entries(op, entry_of(op->memory, src, l, s.va), entry_of(op->memory, dst, l, s.va), l,
	    1, true);
	dst->used++;
	if (op->flags & PT_COW)
		pt_op_flush(op, s.va, s.last, l, false);
	if (l == 1 && op->flags & PT_DEPOSIT)
		pt_deposit(dst, pt_op_take(op, c->to.side, 0, s.va));
}

static void copy_range(struct pt_op *op, struct copy *c, struct ptdesc *src, unsigned l,
    struct pt_range r);

/* A table below: with PT_KEEP_TABLES the target gets one as well, also if this one is empty. */
static void copy_below(struct pt_op *op, struct copy *c, struct ptdesc *src, unsigned l,
    struct pt_range s)
{
	if (l && op->flags & PT_KEEP_TABLES && c->counting)
		count_path(op, c->to.side, &c->count, c->to.pt, c->to.l, s.va, l);
	else if (l && op->flags & PT_KEEP_TABLES)
		path_to(op, c->to.side, c->to.pt, c->to.l, s.va, l);
	copy_range(op, c, src, l, s);
}

/* Is what an entry of level 1 points to shared whole, if anything is in it. */
static inline bool shares(const struct pt_op *op, const struct copy *c, struct pt_range s)
{
	return (op->flags & (PT_SHARE | PT_KEEP_TABLES)) == PT_SHARE && c->to.l && is_whole(s, 1);
}

/*
 * Shares the leaf table of an entry: the short way of a fork, for which counting looks at parents
 * only. Where the target has an empty leaf table, that is filled.
 */
static inline void share_slot(struct pt_op *op, struct copy *c, pf_entry e, struct pt_range s)
{
	struct ptdesc *parent;
	struct ptdesc *pt;
	pf_entry *entry;

	if (c->counting) {
		if (!c->count.any[1] || c->count.base[1] != (s.va & ~table_mask(1)))
			count_path(op, c->to.side, &c->count, c->to.pt, c->to.l, s.va, 1);
		return;
	}
	pt = desc_at(op->memory, pf_table_pa(e, 1));
	if (!pt->used)
		return;
	parent = target_parent(op, c, s.va);
	entry = entry_of(op->memory, parent, 1, s.va);
	if (pf_load_locked(entry) == pf_empty(1))
		share_leaf(op, parent, entry, pt);
	else
		copy_leaf_table(op, c, pt, s);
}

/* The entries of a table above level 0. */
PF_HOT void copy_slots(struct pt_op *op, struct copy *c, struct ptdesc *src, unsigned l,
    struct pt_range r)
{
	const pf_entry *entry = entry_of(op->memory, src, l, r.va);

	for_each_slot (l, r, s) {
		pf_entry e = pf_load_locked(entry++);

		if (pf_is_leaf(e, l))
			copy_large(op, c, src, l, s);
		else if (pf_is_table(e, l) && l == 1 && shares(op, c, s))
			share_slot(op, c, e, s);
		else if (pf_is_table(e, l))
			copy_below(op, c, desc_at(op->memory, pf_table_pa(e, l)), l - 1, s);
	}
}

static void copy_range(struct pt_op *op, struct copy *c, struct ptdesc *src, unsigned l,
    struct pt_range r)
{
	if (l == 0) {
		copy_leaf_table(op, c, src, r);
		return;
	}
	if (!c->counting)
		break_runs(op, src, l, r);
	/* Most tables are below level 1: that is compiled apart. */
	if (l == 1)
		copy_slots(op, c, src, 1, r);
	else
		copy_slots(op, c, src, l, r);
}

/* Locks one tree of a copy and all of the range in it. */
static int copy_enter(struct pt_op *op, struct copy_end *end, enum survey_kind kind,
    struct pt_range r, unsigned floor)
{
	struct survey q = {.kind = kind, .side = end->side};
	struct link link;

	end->pt = lock_cover(op, end->side, r, floor, &link, &end->l);
	survey(op, &q, end->pt, end->l, r);
	return op->err;
}

/* Both trees, the lower id first, and that one to its leaves before the other (13). */
static int copy_enter_both(struct pt_op *op, struct copy *c, struct pt_range r)
{
	unsigned floor = whole_level(c->from.side->space, r);
	bool from_first = c->from.side->space->id < c->to.side->space->id || PT_DEFECT(64);
	int err = 0;

	if (from_first)
		err = copy_enter(op, &c->from, SURVEY_COPY, r, floor);
	if (!err)
		err = copy_enter(op, &c->to, SURVEY_EMPTY, r, floor);
	if (!err && !from_first)
		err = copy_enter(op, &c->from, SURVEY_COPY, r, floor);
	return err;
}

/* What the copy needs is known once the leaves to split are split: those count for themselves. */
static void copy_prepare(struct pt_op *op, struct copy *c, struct pt_range r)
{
	struct survey from = {.kind = SURVEY_COPY, .side = c->from.side};
	struct survey to = {.kind = SURVEY_EMPTY, .side = c->to.side};

	if (!op->prepare)
		return;
	prepare(op, &from, c->from.pt, c->from.l, r);
	prepare(op, &to, c->to.pt, c->to.l, r);
	op->prepare = false;
}

/* Tables on the way to the source's cover overlap the range as well. */
static void copy_way(struct pt_op *op, struct copy *c, uint64_t va)
{
	if (!(op->flags & PT_KEEP_TABLES))
		return;
	if (c->counting)
		count_path(op, c->to.side, &c->count, c->to.pt, c->to.l, va, c->from.l);
	else
		path_to(op, c->to.side, c->to.pt, c->to.l, va, c->from.l);
}

/* Tables of a level that are reserved on the mere guess that they will be needed. */
#define GUESS 8u

/*
 * Reserves what seems to be missing above the target's leaf tables, so that most forks need not go
 * through all of the source twice (8). What was guessed too much is given back at the end.
 */
static void reserve_guess(struct pt_op *op, struct pt_side *side, struct pt_range r)
{
	struct path path = {side->space->top, PARENT_IS_ROOT, 0};
	struct link link;

	go_to(side->space, r.va, 1, &path, &link);
	for (unsigned l = 1; l < path.l; l++) {
		uint64_t more = (r.last >> pf_shift(l + 1)) - (r.va >> pf_shift(l + 1));

		side->need[l] = more < GUESS ? (uint32_t)more + 1 : GUESS;
	}
	pt_op_try_reserve(op);
}

static int op_copy(struct pt_space *dst, struct pt_space *src, struct pt_range r, uint32_t flags)
{
	struct pt_op op;
	struct copy c;
	int err;

	pt_op_begin(&op, src, dst, flags, NULL);
	if (r.last - r.va > table_mask(0))
		reserve_guess(&op, &op.side[1], r);
	for (;;) {
		memset(&c, 0, sizeof(c));
		c.from.side = &op.side[0];
		c.to.side = &op.side[1];
		c.counting = true;
		err = copy_enter_both(&op, &c, r);
		if (err)
			break;
		copy_way(&op, &c, r.va);
		copy_range(&op, &c, c.from.pt, c.from.l, r);
		if (pt_op_ready(&op)) {
			before_stores(&op);
			note_global(dst, PT_LOAD(&src->global, RELAXED));
			copy_prepare(&op, &c, r);
			c.counting = false;
			copy_way(&op, &c, r.va);
			copy_range(&op, &c, c.from.pt, c.from.l, r);
			break;
		}
		op.prepare = false;
		err = pt_op_reserve(&op);
		if (err)
			break;
	}
	pt_op_end(&op, NULL);
	return err;
}
