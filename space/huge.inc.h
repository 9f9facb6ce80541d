/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Large leaves: taking them apart, and putting a table together into one. */

static int op_split(struct pt_space *space, struct pt_range r, unsigned target, uint32_t flags)
{
	struct pt_op op;
	struct survey q = {.kind = SURVEY_SPLIT};
	struct link link;
	struct ptdesc *pt;
	unsigned l;
	int err;

	pt_op_begin(&op, space, NULL, flags, NULL);
	op.split_to = (uint8_t)target;
	q.side = &op.side[0];
	err = enter_range(&op, &q, r, 0, &pt, &l, &link);
	pt_op_end(&op, harvest);
	return err;
}

/* The leaf that a full table of alike, contiguous leaves amounts to; false: it is none. */
static bool as_one_leaf(const struct pt_op *op, const struct ptdesc *pt, unsigned l, pf_entry *leaf)
{
	const pf_entry *entry = table_of(op->memory, pt, l);
	unsigned n = 1u << pf_bits(l);
	pf_entry first = pf_set_run(pf_load_locked(entry), l, false);
	uint64_t pa = pf_leaf_pa(first, l);
	pf_entry bits;

	if (pt->used != n || !pf_is_leaf(first, l) || pa & slot_mask(l + 1))
		return false;
	bits = pf_attr_bits(pf_set_ad(first, l, false, false), l);
	for (unsigned i = 0; i < n; i++) {
		pf_entry e = pf_set_run(pf_load_locked(&entry[i]), l, false);

		/* The bits of one that is no leaf are others. */
		if (pf_leaf_pa(e, l) != pa + ((uint64_t)i << pf_shift(l)) ||
		    pf_attr_bits(pf_set_ad(e, l, false, false), l) != bits)
			return false;
	}
	*leaf = pf_make_leaf(pa, l + 1, pf_attr_relevel(bits, l, l + 1));
	return true;
}

/* Accessed and dirty of any part; read after the flush, when no MMU writes them any more. */
static pf_entry with_ad(const struct pt_op *op, const struct ptdesc *pt, unsigned l, pf_entry leaf)
{
	const pf_entry *entry = table_of(op->memory, pt, l);
	bool accessed = false;
	bool dirty = false;

	for (unsigned i = 0; i < 1u << pf_bits(l); i++) {
		pf_entry e = pf_load_locked(&entry[i]);

		accessed |= pf_accessed(e, l);
		dirty |= pf_dirty(e, l);
	}
	return pf_set_ad(leaf, l + 1, accessed, dirty);
}

/*
 * Puts the table below an entry together. The entry is busy, so that readers and faults wait and
 * never see the memory unmapped; then flush; then what an MMU wrote is read; then the leaf (17).
 * The table is dead and stays as it is (11).
 */
static int collapse_entry(struct pt_op *op, struct pt_side *side, struct ptdesc *pt, unsigned l,
    uint64_t va, struct ptdesc *child)
{
	pf_entry *entry = entry_of(op->memory, pt, l, va);
	pf_entry leaf;

	if (!as_one_leaf(op, child, l - 1, &leaf))
		return -PT_ENOENT;
	if (l == 1 && op->flags & PT_DEPOSIT && !side->spares[0]) {
		side->need[0] = 1;
		return 0;
	}
	before_stores(op);
	put(op, entry, PT_DEFECT(68) ? pf_empty(l) : pf_busy(l));
	flush_below(op, va, l);
	pt_op_flush_now(op);
	put(op, entry, with_ad(op, child, l - 1, leaf));
	for (unsigned i = 0; PT_DEFECT(61) && i < 1u << pf_bits(l - 1); i++)
		put(op, table_of(op->memory, child, l - 1) + i, pf_empty(l - 1));
	PT_STORE(&child->dead, 1, RELAXED);
	pt_op_unlinked(op, child);
	if (l == 1 && op->flags & PT_DEPOSIT)
		pt_deposit(pt, pt_op_take(op, side, 0, va & ~slot_mask(l)));
	return 0;
}

static int collapse_once(struct pt_op *op, struct survey *q, uint64_t va, unsigned level)
{
	struct pt_range r = {va & ~slot_mask(level), va | slot_mask(level)};
	struct link link;
	struct ptdesc *child;
	struct ptdesc *pt;
	unsigned l;
	pf_entry e;

	pt = lock_cover(op, q->side, r, level, &link, &l);
	e = pf_load_locked(entry_of(op->memory, pt, l, va));
	if (l != level || !pf_is_table(e, l))
		return -PT_ENOENT;
	child = lock_child(op, q, pt, l, va, e);
	if (!child || child->shared)
		return -PT_ENOENT;
	return collapse_entry(op, q->side, pt, l, va, child);
}

static int op_collapse(struct pt_space *space, uint64_t va, unsigned level, uint32_t flags)
{
	struct pt_op op;
	struct survey q = {.kind = SURVEY_LOCK};
	int err;

	pt_op_begin(&op, space, NULL, flags, NULL);
	q.side = &op.side[0];
	err = collapse_once(&op, &q, va, level);
	if (!pt_op_ready(&op)) {
		err = pt_op_reserve(&op);
		if (!err)
			err = collapse_once(&op, &q, va, level);
	}
	pt_op_end(&op, NULL);
	return err;
}
