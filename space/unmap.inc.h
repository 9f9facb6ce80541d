/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Unmapping: clearing entries, cutting off whole tables, freeing empty ones. */

/* Adds the memory of n leaves alike, of which e is the first, to the gather. */
static inline void gather_alike(struct pt_op *op, pf_entry e, unsigned l, unsigned n)
{
	pt_op_gather(op, pf_leaf_pa(e, l), (uint64_t)n << pf_shift(l), pf_accessed(e, l),
	    pf_dirty(e, l));
}

/* Adds the memory of a run, of which entry is the first, to the gather. */
static void gather_run(struct pt_op *op, const pf_entry *entry, unsigned l)
{
	pf_entry e[RUN_MAX];

	load_run(op, entry, l, e);
	for (unsigned i = 0; i < 1u << pf_run_shift(l); i++)
		gather_alike(op, e[i], l, 1);
}

/*
 * Adds the leaves among count entries of a table that nobody changes to the gather. still: no MMU
 * sets bits in them either.
 */
static inline void gather_level(struct pt_op *op, const pf_entry *entry, unsigned l, unsigned count,
    bool still)
{
	for (unsigned n; count; count -= n, entry += n) {
		pf_entry e = pf_load_locked(entry);

		n = 1;
		if (!pf_is_leaf(e, l))
			continue;
		if (op->mmu && pf_run(e, l)) {
			n <<= pf_run_shift(l);
			gather_run(op, entry, l);
			continue;
		}
		n = count_alike(entry, l, count, still);
		gather_alike(op, e, l, n);
	}
}

/* The same; level 0, where most leaves are, is compiled apart. */
static void gather_entries(struct pt_op *op, const pf_entry *entry, unsigned l, unsigned count,
    bool still)
{
	if (!op->gather)
		return;
	if (l == 0)
		gather_level(op, entry, 0, count, still);
	else
		gather_level(op, entry, l, count, still);
}

/*
 * What a table that was unlinked whole still maps: it is the list itself. Called after the flush,
 * when no MMU writes it any more, so it is read plainly (19).
 */
static void harvest(struct pt_op *op, const struct ptdesc *pt)
{
	unsigned l = ptdesc_level(pt);

	/* What a shared table maps was gathered when it was cut off. */
	if (op->gather && !pt->shared)
		gather_entries(op, table_of(op->memory, pt, l), l, 1u << pf_bits(l), true);
}

/*
 * Cuts a shared table off an entry of a locked parent; the other sharers keep it. When there are
 * none, the last dirty marks are in it only after the flush.
 */
static void cut_shared(struct pt_op *op, struct pt_side *side, struct ptdesc *pt, unsigned l)
{
	pt_table_lock(op->memory, pt);
	if (pt->pt_share_count == 1)
		pt_op_flush_now(op);
	gather_entries(op, table_of(op->memory, pt, l), l, 1u << pf_bits(l), false);
	/* The others go on changing it, and that is nothing that this space maps. */
	if (pt->shared == SHARED_TRULY && !PT_DEFECT(97))
		move_retry(&side->space->move_seq);
	pt_op_drop_share(op, side->space, pt);
}

/* Kills a table that no entry points to any more, and all below it; they are locked. */
static void cut_tree(struct pt_op *op, struct pt_side *side, struct ptdesc *pt, unsigned l)
{
	const pf_entry *entry = table_of(op->memory, pt, l);

	for (unsigned left = l ? pt->used : 0; left; entry++) {
		pf_entry e = pf_load_locked(entry);
		struct ptdesc *child;

		if (e == pf_empty(l))
			continue;
		left--;
		if (!pf_is_table(e, l))
			continue;
		child = desc_at(op->memory, pf_table_pa(e, l));
		if (child->shared)
			cut_shared(op, side, child, l - 1);
		else
			cut_tree(op, side, child, l - 1);
	}
	PT_STORE(&pt->dead, 1, RELAXED);
	pt_op_unlinked(op, pt);
}

/* Cuts the table below an entry off, whatever it maps. */
static void cut_child(struct pt_op *op, struct pt_side *side, struct ptdesc *parent, unsigned l,
    uint64_t va, struct ptdesc *child)
{
	put(op, entry_of(op->memory, parent, l, va), pf_empty(l));
	parent->used--;
	side->flush = true;
	flush_below(op, va, l);
	if (child->shared)
		cut_shared(op, side, child, l - 1);
	else
		cut_tree(op, side, child, l - 1);
}

/* A large leaf took its deposit along. */
static void return_deposit(struct pt_op *op, struct ptdesc *pt, unsigned l)
{
	struct ptdesc *deposit;

	if (l != 1 || !(op->flags & PT_DEPOSIT))
		return;
	deposit = pt_withdraw(pt);
	if (deposit) {
		deposit->pt_list.next = op->never;
		op->never = deposit;
	}
}

/* Does a leaf continue a row of n leaves: contiguous memory, accessed and dirty alike. */
static inline bool continues(pf_entry first, unsigned n, pf_entry e, unsigned l)
{
	return pf_leaf_pa(e, l) == pf_leaf_pa(first, l) + ((uint64_t)n << pf_shift(l)) &&
	       pf_accessed(e, l) == pf_accessed(first, l) && pf_dirty(e, l) == pf_dirty(first, l);
}

/* Leaves that were taken out one after the other, on their way to the gather. */
struct row {
	pf_entry first;
	unsigned n; /* 0: none */
};

static inline void end_row(struct pt_op *op, struct row *row, unsigned l)
{
	if (row->n)
		gather_alike(op, row->first, l, row->n);
	row->n = 0;
}

static inline void add_to_row(struct pt_op *op, struct row *row, pf_entry e, unsigned l)
{
	if (row->n && !continues(row->first, row->n, e, l))
		end_row(op, row, l);
	if (!row->n)
		row->first = e;
	row->n++;
}

/*
 * Takes the leaves of a contiguous run out, all of it before any can be handed over: an MMU that
 * meets one marked entry translates for all. And all of it is busy before any is empty: a reader
 * who asks all of them must miss none.
 */
static unsigned clear_run(struct pt_op *op, pf_entry *entry, unsigned l)
{
	unsigned n = 1u << pf_run_shift(l);
	pf_entry old[RUN_MAX];

	for (unsigned i = 0; i < n; i++)
		old[i] = pf_exchange(&entry[i], PT_DEFECT(83) ? pf_empty(l) : pf_busy(l));
	/* Each a release: who sees one empty sees the others busy. */
	for (unsigned i = 0; i < n; i++)
		pf_store(&entry[i], pf_empty(l));
	spread_noted(op, old, l);
	for (unsigned i = 0; i < n; i++)
		gather_alike(op, old[i], l, 1);
	return n;
}

/* Clears leaves that an MMU may write: an exchange each (19). Returns how many there were. */
static unsigned clear_exchanged(struct pt_op *op, pf_entry *entry, unsigned l, struct pt_range r,
    unsigned count)
{
	struct row row = {.n = 0};
	unsigned used = 0;

	for (unsigned i = 0; i < count; i++) {
		pf_entry e = pf_load_locked(&entry[i]);

		if (e == pf_empty(l))
			continue;
		/* Again after the buffer was flushed and handed over in the middle. */
		if (!used++ || !op->flush.leaves)
			pt_op_flush(op, r.va, r.last, l, false);
		if (pf_run(e, l)) {
			used += clear_run(op, &entry[i], l) - 1;
			i += (1u << pf_run_shift(l)) - 1;
			continue;
		}
		add_to_row(op, &row, pf_exchange(&entry[i], pf_empty(l)), l);
	}
	end_row(op, &row, l);
	return used;
}

/* Clears leaves that nobody else writes. Returns how many there were. */
static inline unsigned clear_plain(struct pt_op *op, pf_entry *entry, unsigned l, unsigned count)
{
	unsigned used = 0;

	for (unsigned n; count; count -= n, entry += n) {
		pf_entry e = pf_load_locked(entry);

		n = 1;
		if (e == pf_empty(l))
			continue;
		n = count_alike(entry, l, count, true);
		used += n;
		store_empty(entry, l, n);
		gather_alike(op, e, l, n);
	}
	return used;
}

/*
 * Clears the leaves of a range. What goes to the gather is cleared before, and the flush noted,
 * since a full buffer is flushed and handed over; where no MMU is there is nothing to flush.
 */
static void clear_leaves(struct pt_op *op, struct ptdesc *pt, unsigned l, struct pt_range r)
{
	pf_entry *entry = entry_of(op->memory, pt, l, r.va);
	unsigned count = index_of(r.last, l) - index_of(r.va, l) + 1;
	unsigned used = 0;

	if (!pt->used)
		return;
	if (op->mmu)
		used = clear_exchanged(op, entry, l, r, count);
	else if (l == 0)
		used = clear_plain(op, entry, 0, count);
	else
		used = clear_plain(op, entry, l, count);
	wrote(op, entry, count);
	pt->used = (uint16_t)(pt->used - used);
}

static void unmap_range(struct pt_op *op, struct pt_side *side, struct ptdesc *pt, unsigned l,
    struct pt_range r);

/* What is cleared with a leaf: all of its contiguous run, which the range does not cut any more. */
static inline struct pt_range with_run(pf_entry e, unsigned l, struct pt_range s)
{
	if (pf_run(e, l)) {
		s.va &= ~run_mask(l);
		s.last = s.va | run_mask(l);
	}
	return s;
}

static void unmap_slot(struct pt_op *op, struct pt_side *side, struct ptdesc *pt, unsigned l,
    struct pt_range s)
{
	pf_entry e = pf_load_locked(entry_of(op->memory, pt, l, s.va));
	bool keep = op->flags & PT_KEEP_TABLES;
	struct ptdesc *child;

	if (pf_is_leaf(e, l)) {
		struct pt_range all = with_run(e, l, s);

		clear_leaves(op, pt, l, all);
		for_each_slot (l, all, t)
			return_deposit(op, pt, l);
		return;
	}
	if (!pf_is_table(e, l))
		return;
	child = desc_at(op->memory, pf_table_pa(e, l));
	if (is_whole(s, l) && (!keep || child->shared)) {
		cut_child(op, side, pt, l, s.va, child);
		return;
	}
	unmap_range(op, side, child, l - 1, s);
	if (!keep && !child->used && l - 1 < op->stay) {
		PT_STORE(&child->dead, 1, RELAXED);
		unlink_child(op, pt, l, s.va, child);
	}
}

/*
 * Tables that cover the whole range stay though they become empty, also where they lie below the
 * cover that was locked: the descent ended above them, because another call had not hung them there
 * yet (10). floor: the level that the range's cover has at least.
 */
static inline void stay_from(struct pt_op *op, const struct pt_space *space, struct pt_range r,
    unsigned floor)
{
	if (!PT_DEFECT(89))
		op->stay = (uint8_t)cover_level(space, r, floor);
}

/* Unmaps a range of a locked table; tables below op->stay that it empties are unlinked (10). */
static void unmap_range(struct pt_op *op, struct pt_side *side, struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	break_runs(op, pt, l, r);
	if (l == 0) {
		clear_leaves(op, pt, 0, r);
		return;
	}
	for_each_slot (l, r, s)
		unmap_slot(op, side, pt, l, s);
}

/*
 * The cover itself was emptied: a dying mark under its own lock, which is then dropped; only then
 * the parent's. If the entry still points to it, it is ours to unlink; else somebody who held the
 * parent's lock has done it (9). Locks never nest upwards.
 */
static void bury_cover(struct pt_op *op, struct pt_side *side, struct ptdesc *pt, unsigned l,
    const struct link *link, uint64_t va)
{
	struct ptdesc *parent =
	    link->parent == UINT64_MAX ? side->space->root : desc_at(op->memory, link->parent);
	pf_entry e;

	PT_STORE(&pt->dead, 1, RELAXED);
	if (!PT_DEFECT(59))
		pt_op_unlock_all(op);
	pt_op_lock(op, side, parent);
	e = pf_load_locked(link->entry);
	if ((!parent->dead && pf_is_table(e, l + 1) && pf_table_pa(e, l + 1) == table_pa(pt, l)) ||
	    PT_DEFECT(60))
		unlink_child(op, parent, l + 1, va, pt);
	/* Nobody may link another table there before the flush (20). */
	if (PF_BBM)
		pt_op_flush_now(op);
	pt_op_unlock(op, side, parent);
}

/* Unlinks the empty tables below pt, and below op->stay, that lie within a range. All are locked.
 */
static void prune_range(struct pt_op *op, struct ptdesc *pt, unsigned l, struct pt_range r,
    struct pt_range within)
{
	if (l == 0)
		return;
	for_each_slot (l, r, s) {
		pf_entry e = pf_load_locked(entry_of(op->memory, pt, l, s.va));
		struct ptdesc *child;

		if (!pf_is_table(e, l))
			continue;
		child = desc_at(op->memory, pf_table_pa(e, l));
		if (child->shared)
			continue;
		prune_range(op, child, l - 1, s, within);
		if (!child->used && l - 1 < op->stay && (s.va & ~slot_mask(l)) >= within.va &&
		    (s.va | slot_mask(l)) <= within.last) {
			PT_STORE(&child->dead, 1, RELAXED);
			unlink_child(op, pt, l, s.va, child);
		}
	}
}

static int op_prune(struct pt_space *space, struct pt_range r, struct pt_range within)
{
	struct pt_op op;
	struct survey q = {.kind = SURVEY_LOCK};
	struct link link;
	struct ptdesc *pt;
	unsigned l;

	pt_op_begin(&op, space, NULL, 0, NULL);
	q.side = &op.side[0];
	pt = lock_cover(&op, q.side, r, space->levels - 1u, &link, &l);
	survey(&op, &q, pt, l, r);
	before_stores(&op);
	prune_range(&op, pt, l, r, within);
	pt_op_end(&op, harvest);
	return 0;
}
