/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Mapping: filling holes, replacing, and making tables without leaves. */

/* Beside a call's flags: this call was counted as one that widened an attribute. */
#define RELAX_COUNTED (1u << 31)

/* A mapping under way. */
struct mapping {
	struct survey q;              /* the survey that reserved for it */
	pf_entry bits[PT_MAX_LEVELS]; /* attributes, for each level that can hold leaves */
};

/* Makes the attribute bits; with PT_RELAX the nearest, counted once for each call. */
static int attr_bits(const struct pt_space *space, pt_attr attr, unsigned l, uint32_t *flags,
    pf_entry *bits)
{
	int err = pf_attr_make(attr, l, bits);

	if (err && *flags & PT_RELAX) {
		err = pf_attr_make(pf_attr_relax(attr, l), l, bits);
		if (!err && !(*flags & RELAX_COUNTED))
			PT_FETCH_ADD(&space->memory->relaxed, 1, RELAXED);
		*flags |= RELAX_COUNTED;
	}
	return err;
}

/* The same for every level from bottom to top that can hold leaves. */
static int all_attr_bits(const struct pt_space *space, pt_attr attr, unsigned bottom, unsigned top,
    uint32_t flags, pf_entry *bits)
{
	for (unsigned l = bottom; l <= top; l++) {
		int err = space->format->leaves >> l & 1
			      ? attr_bits(space, attr, l, &flags, &bits[l])
			      : 0;

		if (err)
			return err;
	}
	return 0;
}

/* Can the aligned run around va be one contiguous run: whole in r, and contiguous memory. */
static inline bool in_run(const struct pt_map_source *source, unsigned l, uint64_t va,
    struct pt_range r)
{
	uint64_t mask = run_mask(l);

	return !source->list && (va & ~mask) >= r.va && (va | mask) <= r.last &&
	       !(source_pa(source, va & ~mask) & mask);
}

/* Fills entries of a private table: plain stores, which the compiler turns into vectors. */
static void fill_fresh(pf_entry *entry, const struct pt_map_source *source, pf_entry bits,
    uint64_t va, unsigned count)
{
	uint64_t pa = source->pa + (va - source->va);
	const pt_pa *list = source->list;

	if (list) {
		list += (va - source->va) >> PF_PAGE_SHIFT;
		for (unsigned i = 0; i < count; i++)
			entry[i] = pf_raw(pf_make_leaf(list[i].v, 0, bits));
	} else {
		fill_private(entry, pa, bits, count);
	}
}

/* Fills empty entries of a linked table: each store is whole, the mark of a run included. */
static void fill_live(pf_entry *entry, const struct pt_map_source *source, pf_entry bits,
    uint64_t va, unsigned count)
{
	struct pt_range r = {va, va + ((uint64_t)count << PF_PAGE_SHIFT) - 1};
	uint64_t pa = source->pa + (va - source->va);
	const pt_pa *list = source->list;

	if (list) {
		fill_listed(entry, list + ((va - source->va) >> PF_PAGE_SHIFT), bits, count);
	} else if (!pf_run_shift(0)) {
		fill_linked(entry, pa, bits, count);
	} else {
		for (unsigned i = 0; i < count; i++) {
			uint64_t offset = (uint64_t)i << PF_PAGE_SHIFT;
			pf_entry e = pf_make_leaf(pa + offset, 0, bits);

			e = pf_set_run(e, 0, in_run(source, 0, va + offset, r));
			pf_store(&entry[i], e);
		}
	}
}

/* Marks the whole runs among the leaves of r, in a private table. */
static inline void mark_runs(const struct pt_map_source *source, pf_entry *entry, struct pt_range r)
{
	if (!pf_run_shift(0))
		return;
	for_each_slot (0, r, s) {
		if (in_run(source, 0, s.va, r))
			pf_store_leaf(entry, pf_set_run(pf_load_locked(entry), 0, true));
		entry++;
	}
}

/* Level 0, entries empty. */
static void fill_leaves(const struct pt_op *op, const struct mapping *m, struct ptdesc *pt,
    struct pt_range r, bool fresh)
{
	pf_entry *entry = entry_of(op->memory, pt, 0, r.va);
	unsigned count = index_of(r.last, 0) - index_of(r.va, 0) + 1;

	if (fresh) {
		fill_fresh(entry, m->q.source, m->bits[0], r.va, count);
		mark_runs(m->q.source, entry, r);
	} else {
		fill_live(entry, m->q.source, m->bits[0], r.va, count);
	}
	pt->used = (uint16_t)(pt->used + count);
	wrote(op, entry, count);
}

/* What a replaced entry held goes to the gather. It is flushed where a break came before the make.
 */
static void displace(struct pt_op *op, struct pt_side *side, struct ptdesc *pt, unsigned l,
    uint64_t va, pf_entry old)
{
	struct ptdesc *child;

	if (!PF_BBM)
		flush_old(op, l, va, old);
	if (pf_is_leaf(old, l)) {
		pt_op_gather(op, pf_leaf_pa(old, l), slot_mask(l) + 1, pf_accessed(old, l),
		    pf_dirty(old, l));
		return_deposit(op, pt, l);
	} else if (pf_is_table(old, l)) {
		child = desc_at(op->memory, pf_table_pa(old, l));
		if (child->shared)
			cut_shared(op, side, child, l - 1);
		else
			cut_tree(op, side, child, l - 1);
	}
}

static void map_range(struct pt_op *op, struct mapping *m, struct ptdesc *pt, unsigned l,
    struct pt_range r, bool fresh);

/* The entry that maps a whole slot: a leaf, or a table that is filled before it is linked (7). */
static pf_entry make_entry(struct pt_op *op, struct mapping *m, unsigned l, struct pt_range s,
    bool run)
{
	struct ptdesc *child;
	pf_entry e;

	if (leaf_fits(op, &m->q, l, s)) {
		e = pf_make_leaf(source_pa(m->q.source, s.va), l, m->bits[l]);
		return pf_set_run(e, l, run);
	}
	child = pt_op_take(op, m->q.side, l - 1, s.va & ~slot_mask(l));
	map_range(op, m, child, l - 1, s, true);
	pt_state_move(op->memory, child, PT_PRIVATE, PT_LINKED);
	return pf_make_table(table_pa(child, l - 1), l);
}

/*
 * Can the run around va be made: its leaves may be, and no table that stays in one of its entries
 * leaves a gap.
 */
static bool run_fits(const struct pt_op *op, const struct mapping *m, const struct ptdesc *pt,
    unsigned l, uint64_t va, struct pt_range r)
{
	struct pt_range s = {va & ~slot_mask(l), va | slot_mask(l)};
	const pf_entry *entry;

	if (!pf_run_shift(l) || !in_run(m->q.source, l, va, r) || !leaf_fits(op, &m->q, l, s))
		return false;
	entry = entry_of(op->memory, pt, l, va & ~run_mask(l));
	for (unsigned i = 0; l && m->q.kind == SURVEY_MAP && i < 1u << pf_run_shift(l); i++)
		if (pf_is_table(pf_load_locked(&entry[i]), l))
			return false;
	return true;
}

/*
 * Maps a whole run over what is there. All of it is busy, and flushed where the format wants a
 * break, before the first new leaf is to be seen: an MMU that meets one marked entry translates for
 * all, whatever the others still say, and notes what it does in any of them.
 */
static void replace_run(struct pt_op *op, struct mapping *m, struct ptdesc *pt, unsigned l,
    uint64_t va)
{
	struct pt_range r = {va & ~run_mask(l), va | run_mask(l)};
	pf_entry *entry = entry_of(op->memory, pt, l, r.va);
	pf_entry old[RUN_MAX];
	const pf_entry *next = old;

	for (unsigned i = 0; i < 1u << pf_run_shift(l); i++)
		old[i] = take(op, &entry[i], pf_busy(l));
	if (pf_is_leaf(old[0], l) && pf_run(old[0], l))
		spread_noted(op, old, l);
	if (PF_BBM) {
		for_each_slot (l, r, s) {
			if (*next != pf_empty(l))
				flush_old(op, l, s.va, *next);
			next++;
		}
		pt_op_flush_now(op);
		next = old;
	}
	for_each_slot (l, r, s)
		put(op, entry++, make_entry(op, m, l, s, true));
	for_each_slot (l, r, s) {
		if (*next == pf_empty(l))
			pt->used++;
		else
			displace(op, m->q.side, pt, l, s.va, *next);
		next++;
		if (l == 1 && op->flags & PT_DEPOSIT)
			pt_deposit(pt, pt_op_take(op, m->q.side, 0, s.va));
	}
}

/* Maps a slot with its run, if one takes the place of what is there; false: none does. */
static bool map_in_run(struct pt_op *op, struct mapping *m, struct ptdesc *pt, unsigned l,
    uint64_t va, struct pt_range r)
{
	if (m->q.kind != SURVEY_REPLACE || PT_DEFECT(93) || !run_fits(op, m, pt, l, va, r))
		return false;
	if (!(va & run_mask(l)))
		replace_run(op, m, pt, l, va);
	return true;
}

static void map_slot(struct pt_op *op, struct mapping *m, struct ptdesc *pt, unsigned l,
    struct pt_range s, struct pt_range r)
{
	pf_entry *entry = entry_of(op->memory, pt, l, s.va);
	pf_entry old = pf_load_locked(entry);
	pf_entry e;

	/* All of a run that is replaced goes at once, not entry by entry. */
	if (pf_is_leaf(old, l) && pf_run(old, l)) {
		break_run(op, pt, l, s.va);
		old = pf_load_locked(entry);
	}

	if (pf_is_table(old, l) && !(m->q.kind == SURVEY_REPLACE && is_whole(s, l))) {
		map_range(op, m, desc_at(op->memory, pf_table_pa(old, l)), l - 1, s, false);
		return;
	}
	e = make_entry(op, m, l, s, run_fits(op, m, pt, l, s.va, r));
	if (old == pf_empty(l)) {
		put(op, entry, e);
		pt->used++;
	} else {
		displace(op, m->q.side, pt, l, s.va, put_over(op, entry, l, s.va, e));
	}
	if (l == 1 && op->flags & PT_DEPOSIT && pf_is_leaf(e, l))
		pt_deposit(pt, pt_op_take(op, m->q.side, 0, s.va));
}

/* Maps a range of a table: all is reserved, nothing can fail. fresh: nobody sees the table yet. */
static void map_range(struct pt_op *op, struct mapping *m, struct ptdesc *pt, unsigned l,
    struct pt_range r, bool fresh)
{
	bool replace = m->q.kind == SURVEY_REPLACE && !fresh;

	if (replace)
		break_runs(op, pt, l, r);
	if (l == 0 && !replace) {
		fill_leaves(op, m, pt, r, fresh);
		return;
	}
	for_each_slot (l, r, s)
		if (!map_in_run(op, m, pt, l, s.va, r))
			map_slot(op, m, pt, l, s, r);
}

/* Makes the tables of a range down to a level. */
static void populate_range(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	if (l <= q->floor)
		return;
	for_each_slot (l, r, s) {
		pf_entry *entry = entry_of(op->memory, pt, l, s.va);
		pf_entry e = pf_load_locked(entry);
		struct ptdesc *child;

		if (pf_is_table(e, l)) {
			child = desc_at(op->memory, pf_table_pa(e, l));
			if (!child->shared)
				populate_range(op, q, child, l - 1, s);
		} else if (e == pf_empty(l)) {
			child = pt_op_take(op, q->side, l - 1, s.va & ~slot_mask(l));
			populate_range(op, q, child, l - 1, s);
			pt_state_move(op->memory, child, PT_PRIVATE, PT_LINKED);
			put(op, entry, pf_make_table(table_pa(child, l - 1), l));
			pt->used++;
		}
	}
}

static int op_populate(struct pt_space *space, struct pt_range r, unsigned level, uint32_t flags)
{
	struct pt_op op;
	struct survey q = {.kind = SURVEY_POPULATE, .floor = level};
	struct link link;
	struct ptdesc *pt;
	unsigned l;
	int err;

	if (PT_DEFECT(14) && PF_ENTRY_BITS == 32)
		return 0;
	pt_op_begin(&op, space, NULL, flags, NULL);
	q.side = &op.side[0];
	err = enter_range(&op, &q, r, level, &pt, &l, &link);
	if (!err)
		populate_range(&op, &q, pt, l, r);
	pt_op_end(&op, harvest);
	return err;
}
