/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Changing leaves in place: protection, accessed, dirty. */

/* What is done to each leaf of a range. */
struct change {
	enum { CHANGE_ATTR, CHANGE_MODIFY, CHANGE_OLD, CHANGE_CLEAN, CHANGE_TOUCH } what;
	pt_attr attr;                 /* ATTR */
	pf_entry bits[PT_MAX_LEVELS]; /* ATTR: the same for each level */
	uint32_t set;                 /* MODIFY: flags that are set ... */
	uint32_t clear;               /* ... and cleared */
	uint32_t access;              /* TOUCH: a write sets dirty as well as accessed */
	uint64_t *bytes;              /* OLD, CLEAN: of leaves that had the bit */
	pt_walk_fn fn;                /* CLEAN: told of each dirty leaf; may be NULL */
	void *ctx;
	int result;            /* of fn; TOUCH: of the access */
	struct pt_piece piece; /* CLEAN: dirty, and fn was not told of it yet; size 0: none */
};

/* The leaf with some flags changed; what cannot be said becomes the nearest that grants more. */
static inline pf_entry modified(const struct change *c, pf_entry e, unsigned l)
{
	pt_attr attr = pf_attr_of(e, l);
	pf_entry bits;

	attr.flags = (attr.flags & ~c->clear) | c->set;
	if (pf_attr_make(attr, l, &bits) && pf_attr_make(pf_attr_relax(attr, l), l, &bits))
		return e;
	return pf_set_attr(e, l, bits);
}

/* The leaf as it shall be. */
static inline pf_entry changed(const struct change *c, pf_entry e, unsigned l)
{
	switch (c->what) {
	case CHANGE_ATTR:
		return pf_set_attr(e, l, c->bits[l]);
	case CHANGE_MODIFY:
		return modified(c, e, l);
	case CHANGE_OLD:
		return pf_set_ad(e, l, false, pf_dirty(e, l));
	case CHANGE_CLEAN:
		return pf_set_ad(e, l, pf_accessed(e, l), false);
	default:
		return pf_set_ad(e, l, true, c->access & PT_WRITE || pf_dirty(e, l));
	}
}

/*
 * A plain store loses nothing where no MMU writes, or where it has nothing left to write: accessed
 * set, and dirty set or the leaf read-only (19).
 */
static inline bool plain_store(bool mmu, pf_entry e, unsigned l)
{
	return !mmu || (pf_accessed(e, l) && (pf_dirty(e, l) || !pf_writable(e, l)));
}

/*
 * For formats that want a break before the make a new memory type is a new mapping, and so is one
 * that becomes global: other spaces may have had the address as their own. So is one whose
 * attributes of the format change: they may say how the memory is shared, or which it is.
 */
static inline bool must_break(const struct change *c, pf_entry e, unsigned l)
{
	pt_attr old;
	pt_attr new;

	if (!PF_BBM)
		return false;
	old = pf_attr_of(e, l);
	new = pf_attr_of(changed(c, e, l), l);
	return (old.flags ^ new.flags) & (PT_ATTR_TYPE_MASK | PT_GLOBAL) ||
	       (old.format != new.format && !PT_DEFECT(84));
}

/* Changes one leaf. */
static inline void change_leaf(struct pt_op *op, const struct change *c, pf_entry *entry,
    unsigned l, uint64_t va)
{
	pf_entry old = pf_load_locked(entry);

	if (must_break(c, old, l)) {
		old = take(op, entry, pf_busy(l));
		pt_op_flush(op, va & ~slot_mask(l), va | slot_mask(l), l, false);
		pt_op_flush_now(op);
		pf_store(entry, changed(c, old, l));
	} else if (plain_store(op->mmu, old, l)) {
		pf_store(entry, changed(c, old, l));
	} else {
		while (!pf_replace(entry, &old, changed(c, old, l)))
			;
	}
}

/* Tells of the dirty piece that was collected. False: told to end. */
static bool tell_dirty(struct change *c)
{
	if (c->piece.size && !c->result)
		c->result = c->fn(c->ctx, &c->piece);
	c->piece.size = 0;
	return !c->result;
}

/*
 * Adds size bytes from a dirty leaf on, before they are cleaned, to the piece that fn will be told
 * of: one call for neighbours alike. False: told to end when told of the piece before; these then
 * stay dirty.
 */
static bool add_dirty(struct change *c, pf_entry e, unsigned l, uint64_t va, uint64_t size)
{
	struct pt_piece *p = &c->piece;
	pt_attr attr = pf_attr_of(e, l);

	if (p->size && p->level == l && p->va.v + p->size == va &&
	    p->pa.v + p->size == pf_leaf_pa(e, l) && p->attr.flags == attr.flags &&
	    p->attr.format == attr.format) {
		p->size += size;
		return true;
	}
	if (!tell_dirty(c))
		return false;
	p->va.v = va;
	p->pa.v = pf_leaf_pa(e, l);
	p->size = size;
	p->attr = attr;
	p->level = l;
	return true;
}

/* May an access happen: judged under the lock, where the answer stays true while it is noted. */
static inline bool may_access(struct change *c, pf_entry e, unsigned l)
{
	c->result = c->access & ~pf_attr_of(e, l).flags && !PT_DEFECT(73) ? -PT_EATTR : 0;
	return !c->result;
}

/* Is there anything to change in an entry. */
static inline bool concerns(struct change *c, pf_entry e, unsigned l)
{
	if (!pf_is_leaf(e, l))
		return false;
	if (c->what == CHANGE_TOUCH)
		return may_access(c, e, l);
	if (c->what == CHANGE_OLD)
		return pf_accessed(e, l);
	return c->what != CHANGE_CLEAN || pf_dirty(e, l);
}

/* Is a leaf to be judged and changed with all of its run: by what an MMU notes in any of it. */
static inline bool goes_with_run(const struct pt_op *op, const struct change *c, pf_entry e,
    unsigned l)
{
	return op->mmu && (c->what == CHANGE_OLD || c->what == CHANGE_CLEAN) && pf_is_leaf(e, l) &&
	       pf_run(e, l);
}

/* The part of range r from a slot on that lies in the slot's run. */
static inline struct pt_range rest_of_run(struct pt_range s, unsigned l, struct pt_range r)
{
	s.last = s.va | run_mask(l);
	if (s.last > r.last)
		s.last = r.last;
	return s;
}

/*
 * Changes the run around va as if it were one leaf. It is judged once: what an MMU notes after that
 * in a leaf that was not looked at yet may be of one that was. False: told to end.
 */
static bool change_run(struct pt_op *op, struct change *c, struct ptdesc *pt, unsigned l,
    uint64_t va)
{
	struct pt_range run = {va & ~run_mask(l), va | run_mask(l)};
	pf_entry *entry = entry_of(op->memory, pt, l, run.va);
	pf_entry e[RUN_MAX];

	load_run(op, entry, l, e);
	if (!concerns(c, e[0], l))
		return true;
	if (c->fn && !add_dirty(c, e[0], l, run.va, run_mask(l) + 1))
		return false;
	for_each_slot (l, run, s)
		change_leaf(op, c, entry_of(op->memory, pt, l, s.va), l, s.va);
	*c->bytes += run_mask(l) + 1;
	pt_op_flush(op, run.va, run.last, l, false);
	wrote(op, entry, 1u << pf_run_shift(l));
	return true;
}

/* Changes leaves one by one, until told to end. */
static void change_each(struct pt_op *op, struct change *c, struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	for_each_slot (l, r, s) {
		pf_entry *entry = entry_of(op->memory, pt, l, s.va);
		pf_entry e = pf_load_locked(entry);

		if (goes_with_run(op, c, e, l)) {
			if (!change_run(op, c, pt, l, s.va))
				return;
			s = rest_of_run(s, l, r);
			continue;
		}
		if (!concerns(c, e, l))
			continue;
		if (c->fn && !add_dirty(c, e, l, s.va, slot_mask(l) + 1))
			return;
		if (pf_run(e, l) && must_break(c, e, l))
			break_run(op, pt, l, s.va);
		change_leaf(op, c, entry, l, s.va);
		if (c->bytes)
			*c->bytes += slot_mask(l) + 1;
		pt_op_flush(op, s.va, s.last, l, false);
	}
}

/* Sets the attributes of one leaf, if it is one. */
PF_HOT void set_attr(bool mmu, pf_entry *entry, unsigned l, pf_entry bits)
{
	pf_entry e = pf_load_locked(entry);

	/* What is most likely first: the hot loop then has one branch. */
	if (__builtin_expect(mmu ? pf_marked(e, l) : pf_is_leaf(e, l), 1))
		pf_store_leaf(entry, pf_set_attr(e, l, bits));
	else if (pf_is_leaf(e, l) && plain_store(mmu, e, l))
		pf_store_leaf(entry, pf_set_attr(e, l, bits));
	else
		while (pf_is_leaf(e, l) && !pf_replace(entry, &e, pf_set_attr(e, l, bits)))
			;
}

/*
 * The same for eight leaves that an MMU has nothing to write in, seen by one test; false: not all
 * are, and nothing was done.
 */
PF_HOT bool set_marked(pf_entry *entry, unsigned l, pf_entry bits)
{
	pf_entry e[8];
	pf_entry all = pf_marks(l);

#define ONE(i) all &= e[i] = pf_load_locked(&entry[i]);
	EIGHT(ONE)
#undef ONE
	if (!pf_marks(l) || all != pf_marks(l))
		return false;
#define ONE(i) pf_store_leaf(&entry[i], pf_set_attr(e[i], l, bits));
	EIGHT(ONE)
#undef ONE
	return true;
}

/*
 * The same for many: the hot loop, compiled for each case of what is constant in it. What was
 * written before a page was mapped is seen by who sees it with other attributes.
 */
PF_HOT void set_attrs(bool mmu, pf_entry *entry, unsigned l, pf_entry bits, unsigned count)
{
	if (!PT_DEFECT(87))
		PT_FENCE(RELEASE);
	for (; count >= 8; count -= 8, entry += 8) {
		if (mmu && set_marked(entry, l, bits))
			continue;
#define ONE(i) set_attr(mmu, &entry[i], l, bits);
		EIGHT(ONE)
#undef ONE
	}
	for (; count; count--, entry++)
		set_attr(mmu, entry, l, bits);
}

/* The leaves of one table. Level 0, where most of them are, is compiled apart. */
static void change_leaves(struct pt_op *op, struct change *c, struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	pf_entry *entry = entry_of(op->memory, pt, l, r.va);
	unsigned count = index_of(r.last, l) - index_of(r.va, l) + 1;

	if (c->what == CHANGE_ATTR && !PF_BBM && l == 0 && op->mmu) {
		set_attrs(true, entry, 0, c->bits[0], count);
	} else if (c->what == CHANGE_ATTR && !PF_BBM && l == 0) {
		set_attrs(false, entry, 0, c->bits[0], count);
	} else if (c->what == CHANGE_ATTR && !PF_BBM) {
		set_attrs(op->mmu, entry, l, c->bits[l], count);
	} else {
		change_each(op, c, pt, l, r);
		wrote(op, entry, count);
		return;
	}
	pt_op_flush(op, r.va, r.last, l, false);
	wrote(op, entry, count);
}

static void change_range(struct pt_op *op, struct change *c, struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	/* What an MMU noted in a run is not the clean part's alone. */
	if (c->what == CHANGE_ATTR || c->what == CHANGE_MODIFY ||
	    (c->what == CHANGE_CLEAN && op->mmu))
		break_runs(op, pt, l, r);
	if (l == 0) {
		change_leaves(op, c, pt, 0, r);
		return;
	}
	for_each_slot (l, r, s) {
		pf_entry e = pf_load_locked(entry_of(op->memory, pt, l, s.va));

		if (goes_with_run(op, c, e, l))
			s = rest_of_run(s, l, r);
		if (pf_is_leaf(e, l))
			change_leaves(op, c, pt, l, s);
		else if (pf_is_table(e, l))
			change_range(op, c, desc_at(op->memory, pf_table_pa(e, l)), l - 1, s);
	}
}

static int op_change(struct pt_space *space, struct pt_range r, struct change *c, uint32_t flags)
{
	struct pt_op op;
	struct survey q = {.kind = c->what == CHANGE_OLD || c->what == CHANGE_TOUCH
				       ? SURVEY_AGE
				       : SURVEY_CHANGE};
	struct link link;
	struct ptdesc *pt;
	unsigned l;
	int err;

	pt_op_begin(&op, space, NULL, flags, NULL);
	q.side = &op.side[0];
	err = enter_range(&op, &q, r, 0, &pt, &l, &link);
	if (!err)
		change_range(&op, c, pt, l, r);
	pt_op_end(&op, harvest);
	return err;
}

static int op_protect(struct pt_space *space, struct pt_range r, pt_attr attr, uint32_t flags)
{
	struct change c;
	int err;

	c.what = CHANGE_ATTR;
	c.attr = attr;
	c.bytes = NULL;
	c.fn = NULL;
	err = all_attr_bits(space, attr, 0, space->levels - 1u, flags, c.bits);
	if (err)
		return err;
	return op_change(space, r, &c, flags);
}

static int op_modify(struct pt_space *space, struct pt_range r, uint32_t set, uint32_t clear,
    uint32_t flags)
{
	struct change c = {.what = CHANGE_MODIFY, .set = set, .clear = clear};

	if ((set | clear) & ~space->format->attrs)
		return -PT_EATTR;
	return op_change(space, r, &c, flags);
}

static int op_age(struct pt_space *space, struct pt_range r, uint64_t *young)
{
	struct change c = {.what = CHANGE_OLD, .bytes = young};

	*young = 0;
	return op_change(space, r, &c, 0);
}

static int op_dirty(struct pt_space *space, struct pt_range r, pt_walk_fn fn, void *ctx,
    uint64_t *bytes)
{
	struct change c = {.what = CHANGE_CLEAN, .bytes = bytes, .fn = fn, .ctx = ctx};
	int err;

	*bytes = 0;
	err = op_change(space, r, &c, 0);
	if (!err)
		(void)tell_dirty(&c);
	return err ? err : c.result;
}

static int op_access_fault(struct pt_space *space, uint64_t va, uint32_t access)
{
	struct change c = {.what = CHANGE_TOUCH, .access = access, .result = -PT_ENOENT};
	struct pt_range r = {va & ~slot_mask(0), va | slot_mask(0)};
	struct pt_translation t;
	uint32_t wanted = PT_ACCESSED | (access & PT_WRITE ? PT_DIRTY : 0);
	int err = op_translate(space, va, &t);

	if (err)
		return err;
	if (access & ~t.attr.flags)
		return -PT_EATTR;
	/* Of a run the leaf itself may lack what another has: who sent us asks that one leaf. */
	if ((t.attr.flags & wanted) == wanted && t.size == slot_mask(t.level) + 1)
		return 0;
	err = op_change(space, r, &c, 0);
	return err ? err : c.result;
}
