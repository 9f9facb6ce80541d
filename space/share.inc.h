/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Truly shared tables of level 1, which hold large leaves that all sharers see change (L6, 16). */

/* The range of the level-2 entry that such a table hangs from. */
static struct pt_range shared_range(uint64_t va)
{
	struct pt_range r = {va & ~slot_mask(2), va | slot_mask(2)};

	return r;
}

/* Locks the level-2 table of a space above va and returns it, NULL when there is none. */
static struct ptdesc *lock_above(struct pt_op *op, struct pt_side *side, uint64_t va)
{
	struct link link;
	unsigned l;
	struct ptdesc *pt = lock_cover(op, side, shared_range(va), 2, &link, &l);

	return l == 2 ? pt : NULL;
}

/* Does a level-1 table hold leaves only, with nothing deposited. */
static bool leaves_only(const struct pt_op *op, const struct ptdesc *pt)
{
	const pf_entry *entry = table_of(op->memory, pt, 1);

	for (unsigned i = 0; i < 1u << pf_bits(1); i++)
		if (pf_is_table(pf_load_locked(&entry[i]), 1))
			return false;
	return !pt->pmd_huge_pte;
}

/* Finds and locks the table to share below its locked parent. */
static int source_table(struct pt_op *op, struct ptdesc *parent, uint64_t va, struct ptdesc **pt)
{
	struct survey q = {.kind = SURVEY_LOCK, .side = &op->side[0]};
	pf_entry e = parent ? pf_load_locked(entry_of(op->memory, parent, 2, va)) : pf_empty(2);

	if (!pf_is_table(e, 2))
		return -PT_ENOENT;
	*pt = lock_child(op, &q, parent, 2, va, e);
	/* Only tables of level 0 are dead before they are unlinked. */
	PT_ASSERT(op->memory, *pt, PT_STOP_BAD_STATE, parent);
	if ((*pt)->shared || leaves_only(op, *pt))
		return 0;
	/* Leaf tables that are dying are none: they are unlinked. */
	if (!PT_DEFECT(98))
		survey(op, &q, *pt, 1, shared_range(va));
	return leaves_only(op, *pt) ? 0 : -PT_ESPLIT;
}

/*
 * Is there something where the table shall hang. The survey has locked what is on the way, which
 * others may have made since the descent: the cover's own entry does not tell (4).
 */
static bool is_taken(const struct pt_op *op, const struct ptdesc *pt, unsigned l, uint64_t va)
{
	pf_entry e = pf_load_locked(entry_of(op->memory, pt, l, va));

	if (PT_DEFECT(70) && l > 2) /* asked of the cover alone */
		return pf_is_leaf(e, l);
	while (l > 2 && pf_is_table(e, l)) {
		pt = desc_at(op->memory, pf_table_pa(e, l));
		e = pf_load_locked(entry_of(op->memory, pt, --l, va));
	}
	return e != pf_empty(l);
}

/* Locks both parents, the lower id first and its tree finished before the other (13). */
static int share_enter(struct pt_op *op, uint64_t va, struct ptdesc **pt, struct ptdesc **above)
{
	struct pt_space *src = op->side[0].space;
	struct survey q = {.kind = SURVEY_POPULATE, .side = &op->side[1], .floor = 2};
	struct link link;
	unsigned l;
	int err = 0;

	if (src->id < op->side[1].space->id)
		err = source_table(op, lock_above(op, &op->side[0], va), va, pt);
	if (err)
		return err;
	*above = lock_cover(op, &op->side[1], shared_range(va), 2, &link, &l);
	survey(op, &q, *above, l, shared_range(va));
	if (is_taken(op, *above, l, va))
		return -PT_EEXIST;
	if (src->id > op->side[1].space->id)
		err = source_table(op, lock_above(op, &op->side[0], va), va, pt);
	return err;
}

static void share_stores(struct pt_op *op, uint64_t va, struct ptdesc *pt, struct ptdesc *above)
{
	struct pt_space *dst = op->side[1].space;
	unsigned l = above == dst->root ? dst->levels - 1u : ptdesc_level(above);

	if (pt->shared) {
		pt_table_lock(op->memory, pt);
		pt->pt_share_count++;
		pt_table_unlock(op->memory, pt);
	} else {
		pt_op_disown(op, op->side[0].space, pt);
		pt->pt_share_count = 2;
		PT_STORE(&pt->shared, SHARED_TRULY, RELAXED);
	}
	above = path_to(op, &op->side[1], above, l, va, 2);
	put(op, entry_of(op->memory, above, 2, va), pf_make_table(table_pa(pt, 1), 2));
	above->used++;
}

static int op_share_table(struct pt_space *dst, struct pt_space *src, uint64_t va, uint32_t flags)
{
	struct ptdesc *above = NULL;
	struct ptdesc *pt = NULL;
	struct pt_op op;
	int err;

	pt_op_begin(&op, src, dst, flags, NULL);
	for (;;) {
		err = share_enter(&op, va, &pt, &above);
		if (err || pt_op_ready(&op))
			break;
		err = pt_op_reserve(&op);
		if (err)
			break;
	}
	if (!err) {
		before_stores(&op);
		share_stores(&op, va, pt, above);
	}
	pt_op_end(&op, NULL);
	return err;
}

static int op_unshare_table(struct pt_space *space, uint64_t va, struct pt_gather *gather)
{
	struct ptdesc *parent;
	struct ptdesc *pt;
	struct pt_op op;
	int err = -PT_ENOENT;
	pf_entry e;

	pt_op_begin(&op, space, NULL, 0, gather);
	parent = lock_above(&op, &op.side[0], va);
	e = parent ? pf_load_locked(entry_of(op.memory, parent, 2, va)) : pf_empty(2);
	if (pf_is_table(e, 2)) {
		pt = desc_at(op.memory, pf_table_pa(e, 2));
		if (PT_LOAD(&pt->shared, RELAXED) == SHARED_TRULY) {
			note_shared(&op);
			before_stores(&op);
			cut_child(&op, &op.side[0], parent, 2, va, pt);
			err = 0;
		}
	}
	pt_op_end(&op, NULL);
	return err;
}
