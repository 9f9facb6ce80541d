/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The second pass: splits leaves, contiguous runs and all, and takes shared tables apart, so that
 * what follows meets neither, and cannot fail.
 */

/* Most entries that a contiguous run of any format has. */
#define RUN_MAX 128u

/* Bytes of a contiguous run, less 1. */
static inline uint64_t run_mask(unsigned l)
{
	return (UINT64_C(1) << (pf_shift(l) + pf_run_shift(l))) - 1;
}

/* Is the entry for va a leaf of a contiguous run. */
static inline bool in_a_run(const struct pt_op *op, const struct ptdesc *pt, unsigned l,
    uint64_t va)
{
	pf_entry e = pf_load_locked(entry_of(op->memory, pt, l, va));

	return pf_is_leaf(e, l) && pf_run(e, l);
}

/*
 * An MMU notes in any leaf of a run what it did to all of it: gives each of the leaves the accessed
 * and dirty that one has (19). Software notes them where they belong.
 */
static void spread_noted(const struct pt_op *op, pf_entry *e, unsigned l)
{
	unsigned n = 1u << pf_run_shift(l);
	bool accessed = false;
	bool dirty = false;

	if (!op->mmu || PT_DEFECT(79))
		return;
	for (unsigned i = 0; i < n; i++) {
		accessed |= pf_is_leaf(e[i], l) && pf_accessed(e[i], l);
		dirty |= pf_is_leaf(e[i], l) && pf_dirty(e[i], l);
	}
	for (unsigned i = 0; i < n; i++)
		if (pf_is_leaf(e[i], l))
			e[i] = pf_set_ad(e[i], l, accessed, dirty);
}

/* The leaves of a run that stays where it is, in a space that an MMU may run. */
static void load_run(const struct pt_op *op, const pf_entry *entry, unsigned l, pf_entry *e)
{
	for (unsigned i = 0; i < 1u << pf_run_shift(l); i++)
		e[i] = pf_load_locked(&entry[i]);
	spread_noted(op, e, l);
}

/*
 * Takes the contiguous run around va apart. All of it is busy in between: an MMU must not see one
 * entry marked and its neighbour not, and a reader who asks all of them must miss none.
 */
static void break_run(struct pt_op *op, struct ptdesc *pt, unsigned l, uint64_t va)
{
	unsigned n = 1u << pf_run_shift(l);
	uint64_t start = va & ~run_mask(l);
	pf_entry *entry = entry_of(op->memory, pt, l, start);
	pf_entry old[RUN_MAX];

	for (unsigned i = 0; i < n; i++)
		old[i] = take(op, &entry[i], pf_busy(l));
	spread_noted(op, old, l);
	pt_op_flush(op, start, start | run_mask(l), l, false);
	if (PF_BBM)
		pt_op_flush_now(op);
	for (unsigned i = 0; i < n; i++)
		put(op, &entry[i], pf_is_leaf(old[i], l) ? pf_set_run(old[i], l, false) : old[i]);
}

/* Takes all runs apart that a range has a part of. */
static inline void break_all_runs(struct pt_op *op, struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	if (!pf_run_shift(l))
		return;
	for (uint64_t va = r.va;; va = (va | run_mask(l)) + 1) {
		if (in_a_run(op, pt, l, va))
			break_run(op, pt, l, va);
		if ((va | run_mask(l)) >= r.last)
			break;
	}
}

/* Takes the runs apart that the edges of a range cut; those inside are changed alike. */
static inline void break_runs(struct pt_op *op, struct ptdesc *pt, unsigned l, struct pt_range r)
{
	if (!pf_run_shift(l))
		return;
	if (r.va & run_mask(l) && in_a_run(op, pt, l, r.va))
		break_run(op, pt, l, r.va);
	if ((r.last & run_mask(l)) != run_mask(l) && in_a_run(op, pt, l, r.last))
		break_run(op, pt, l, r.last);
}

/* Fills a private table with the parts of a leaf of the level above. */
static void fill_split(const struct pt_op *op, struct ptdesc *pt, unsigned l, pf_entry leaf)
{
	pf_entry *table = table_of(op->memory, pt, l);
	pf_entry bits = pf_attr_relevel(pf_attr_bits(leaf, l + 1), l + 1, l);
	uint64_t pa = pf_leaf_pa(leaf, l + 1);
	unsigned n = 1u << pf_bits(l);

	for (unsigned i = 0; i < n; i++) {
		pf_entry e = pf_make_leaf(pa + ((uint64_t)i << pf_shift(l)), l, bits);

		table[i] = pf_raw(pf_set_run(e, l, pf_run_shift(l) != 0));
	}
	pt->used = (uint16_t)n;
	wrote(op, table, n);
}

/* The table for a split: the one deposited with the leaf, or one of the reserve. */
static struct ptdesc *take_for_split(struct pt_op *op, struct pt_side *side, struct ptdesc *parent,
    unsigned l, uint64_t base)
{
	struct ptdesc *pt;

	if (op->flags & PT_DEPOSIT && l == 1 && (pt = pt_withdraw(parent))) {
		pt->base = (pt->base & 255) | base;
		return pt;
	}
	return pt_op_take(op, side, l - 1, base);
}

/*
 * Replaces a leaf by a table of its parts. The table has its content before it is linked and is
 * born locked, since the operation goes on in it (7). An MMU may set bits in the leaf until it is
 * replaced, so that is a compare and exchange (18); the parts inherit them.
 */
static struct ptdesc *split_leaf(struct pt_op *op, struct pt_side *side, struct ptdesc *parent,
    unsigned l, uint64_t va)
{
	pf_entry *entry = entry_of(op->memory, parent, l, va);
	struct ptdesc *pt = take_for_split(op, side, parent, l, va & ~slot_mask(l));
	pf_entry link = pf_make_table(table_pa(pt, l - 1), l);
	pf_entry old;

	if (PT_DEFECT(1)) /* made of plain pages, whose words say nothing of a table */
		PT_STORE(&pt_page_of(op->memory, ptdesc_pfn(pt))->memdesc.v, MEMDESC_PLAIN,
		    RELEASE);
	if (!PT_DEFECT(58))
		pt_op_hold_new(op, side, pt);
	pt_state_move(op->memory, pt, PT_PRIVATE, PT_LINKED);
	side->flush = true;
	if (PF_BBM) {
		old = take(op, entry, pf_busy(l));
		pt_op_flush(op, va & ~slot_mask(l), va | slot_mask(l), l, false);
		pt_op_flush_now(op);
		fill_split(op, pt, l - 1, pf_set_run(old, l, false));
		put(op, entry, link);
	} else {
		old = pf_load_locked(entry);
		do
			fill_split(op, pt, l - 1, pf_set_run(old, l, false));
		while (!pf_replace(entry, &old, link));
		wrote(op, entry, 1);
		pt_op_flush(op, va & ~slot_mask(l), va | slot_mask(l), l, false);
		op->at_once = !PT_DEFECT(76);
	}
	return pt;
}

/* Row 66 asks: is there nobody else who shares a table. */
static bool shared_by_one(struct pt_op *op, struct ptdesc *shared)
{
	bool one;

	pt_table_lock(op->memory, shared);
	one = shared->pt_share_count == 1;
	pt_table_unlock(op->memory, shared);
	return one;
}

/* Gives this space a copy of its own of a shared leaf table; the shared one stays as it is (15). */
static void unshare_child(struct pt_op *op, struct pt_side *side, struct ptdesc *parent, unsigned l,
    uint64_t va, struct ptdesc *shared)
{
	const pf_entry *from = table_of(op->memory, shared, l - 1);
	unsigned n = 1u << pf_bits(l - 1);
	struct ptdesc *pt;
	pf_entry *to;

	if (PT_DEFECT(66) && shared_by_one(op, shared))
		return;
	pt = pt_op_take(op, side, l - 1, va & ~slot_mask(l));
	to = table_of(op->memory, pt, l - 1);
	for (unsigned i = 0; i < n; i++)
		to[i] = pf_raw(pf_load(&from[i]));
	pt->used = shared->used;
	wrote(op, to, n);
	pt_op_hold_new(op, side, pt);
	pt_state_move(op->memory, pt, PT_PRIVATE, PT_LINKED);
	side->flush = true;
	put_over(op, entry_of(op->memory, parent, l, va), l, va,
	    pf_make_table(table_pa(pt, l - 1), l));
	pt_op_flush(op, va & ~slot_mask(l), va | slot_mask(l), l, true);
	op->at_once = !PT_DEFECT(77);
	pt_table_lock(op->memory, shared);
	pt_op_drop_share(op, side->space, shared);
}

/* Splits and unshares what the survey counted. All tables are locked and all reserves are there. */
static void prepare(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	struct ptdesc *child;

	if (l == 0)
		return;
	for_each_slot (l, r, s) {
		pf_entry e = pf_load_locked(entry_of(op->memory, pt, l, s.va));

		if (pf_is_leaf(e, l) && must_split(op, q, l, s)) {
			break_runs(op, pt, l, s);
			prepare(op, q, split_leaf(op, q->side, pt, l, s.va), l - 1, s);
		} else if (pf_is_table(e, l) && !(q->kind == SURVEY_REPLACE && is_whole(s, l))) {
			child = desc_at(op->memory, pf_table_pa(e, l));
			if (!child->shared)
				prepare(op, q, child, l - 1, s);
			else if (child->shared == SHARED_COW && must_unshare(q, l, s))
				unshare_child(op, q->side, pt, l, s.va, child);
		}
	}
}

/*
 * The second phase begins: no table is locked from here on (6). A slot that a dying table was
 * unlinked from may be linked again by this operation (20).
 */
static inline void before_stores(struct pt_op *op)
{
	if (PT_DEFECT(39)) { /* all of it is flushed now, and what is taken out after that is not */
		pt_op_flush(op, 0, UINT64_MAX, 0, true);
		op->flush.leaves = op->flush.tables = (1u << PT_MAX_LEVELS) - 1;
		pt_op_flush_now(op);
	}
	op->stores = true;
	if (PF_BBM)
		pt_op_flush_now(op);
}

/*
 * Survey and prepare until nothing is missing. On success the cover is locked with all below it;
 * on error the operation has only to end. What op->side needs is set here.
 */
static int enter_range(struct pt_op *op, struct survey *q, struct pt_range r, unsigned floor,
    struct ptdesc **pt, unsigned *level, struct link *link)
{
	int err;

	for (;;) {
		*pt = lock_cover(op, q->side, r, floor, link, level);
		survey(op, q, *pt, *level, r);
		if (op->err)
			return op->err;
		if (pt_op_ready(op))
			break;
		op->prepare = false;
		op->shared = NULL;
		err = pt_op_reserve(op);
		if (err)
			return err;
	}
	if (op->shared)
		pt_op_lock_shared(op);
	before_stores(op);
	if (op->prepare)
		prepare(op, q, *pt, *level, r);
	if (PT_DEFECT(57))
		pt_op_unlock_all(op);
	return 0;
}
