/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The first pass that every writer makes before its own: locks all tables of the range, finds
 * conflicts and counts what is needed.
 */

/* What a survey is made for. */
enum survey_kind {
	SURVEY_MAP,     /* the range must be empty; counts the tables of a mapping */
	SURVEY_REPLACE, /* the same over whatever is there */
	SURVEY_UNMAP,
	SURVEY_CHANGE,   /* attributes, dirty: leaves are split at the edges */
	SURVEY_MOVE,     /* the same, and all of it leaves its tables */
	SURVEY_SPLIT,    /* leaves above a level are split, all others stay as they are */
	SURVEY_AGE,      /* a bit of leaves that may be larger than the range */
	SURVEY_COPY,     /* read only, but for write protection; shared tables stay shared */
	SURVEY_POPULATE, /* counts the tables down to a level */
	SURVEY_LOCK,     /* only locks: all below will leave the tree */
	SURVEY_EMPTY,    /* the range must be empty; counts nothing */
};

struct survey {
	enum survey_kind kind;
	struct pt_side *side;
	const struct pt_map_source *source; /* MAP, REPLACE */
	unsigned floor;                     /* POPULATE: the level of the lowest tables */
	bool second;                        /* second range of a move: */
	uint64_t held_to;             /* tables that begin up to here are locked already (13) */
	const struct ptdesc *ring;    /* PT_DEPOSIT: what is deposited in the table looked at, */
	const struct ptdesc *deposit; /* and the next of it that a split may use; NULL: none */
};

/* Is anything mapped in the range a conflict. */
static inline bool wants_empty(const struct survey *q)
{
	return q->kind == SURVEY_MAP || q->kind == SURVEY_EMPTY;
}

/* What a source maps at va. */
static inline uint64_t source_pa(const struct pt_map_source *source, uint64_t va)
{
	if (source->list)
		return source->list[(va - source->va) >> PF_PAGE_SHIFT].v;
	return source->pa + (va - source->va);
}

/*
 * Counts tables of level l. Who needs more than an operation can reserve is told so, and the survey
 * ends.
 */
static inline void count_tables(struct pt_op *op, const struct survey *q, unsigned l, uint64_t n)
{
	if (n > PT_NEED_MAX - q->side->need[l])
		op->err = -PT_ENOMEM;
	else
		q->side->need[l] += (uint32_t)n;
}

/* Entries of level l that lie in leaves of that level or above, of a range that is mapped anew. */
static uint64_t slots_in_leaves(const struct pt_op *op, const struct survey *q, unsigned l,
    struct pt_range r)
{
	unsigned leaf = l;

	if (op->flags & PT_SMALL || q->source->list)
		return 0;
	while (leaf < PT_MAX_LEVELS && !(q->side->space->format->leaves >> leaf & 1))
		leaf++;
	if (leaf == PT_MAX_LEVELS || (source_pa(q->source, r.va) - r.va) & slot_mask(leaf))
		return 0;
	return whole_slots_in(r, leaf) << (pf_shift(leaf) - pf_shift(l));
}

/* Can this slot be mapped by one leaf of level l. */
static inline bool leaf_fits(const struct pt_op *op, const struct survey *q, unsigned l,
    struct pt_range s)
{
	return !l || slots_in_leaves(op, q, l, s);
}

/* Counts the tables that an empty slot needs: one below each entry that no leaf fills. */
static void count_hole(struct pt_op *op, const struct survey *q, unsigned l, struct pt_range s)
{
	if (q->kind == SURVEY_POPULATE) {
		for (unsigned k = q->floor; k < l; k++)
			count_tables(op, q, k, slots_in(s, k + 1));
		return;
	}
	for (unsigned k = 0; k < l; k++)
		count_tables(op, q, k, slots_in(s, k + 1) - slots_in_leaves(op, q, k + 1, s));
	/* And one for each leaf of level 1. */
	if (op->flags & PT_DEPOSIT)
		count_tables(op, q, 0,
		    slots_in_leaves(op, q, 1, s) -
			(slots_in_leaves(op, q, 2, s) << (pf_shift(2) - pf_shift(1))));
}

/* Must a leaf be taken apart for this operation. */
static inline bool must_split(const struct pt_op *op, const struct survey *q, unsigned l,
    struct pt_range s)
{
	if (!l || q->kind == SURVEY_AGE || q->kind == SURVEY_POPULATE || q->kind == SURVEY_LOCK)
		return false;
	return l > op->split_to || (q->kind != SURVEY_SPLIT && !is_whole(s, l));
}

/* Sets a deposited table of the table looked at aside for a split; false: there is none. */
static bool count_deposit(struct survey *q, unsigned l)
{
	if (l != 1 || !q->deposit)
		return false;
	q->deposit = q->deposit->pt_list.next == q->ring ? NULL : q->deposit->pt_list.next;
	return true;
}

/* Counts the tables that splitting a leaf needs: down its edges, or everywhere (pt_split). */
static void count_split(struct pt_op *op, struct survey *q, unsigned l, struct pt_range s)
{
	op->prepare = true;
	if (!count_deposit(q, l))
		count_tables(op, q, l - 1, 1);
	if (l == 1)
		return;
	for_each_slot (l - 1, s, t) {
		if (op->err)
			return;
		if (must_split(op, q, l - 1, t))
			count_split(op, q, l - 1, t);
	}
}

/* Does a table shared copy-on-write have to become this space's own for the operation. */
static inline bool must_unshare(const struct survey *q, unsigned l, struct pt_range s)
{
	switch (q->kind) {
	case SURVEY_COPY:
	case SURVEY_SPLIT:
	case SURVEY_POPULATE:
	case SURVEY_LOCK:
		return false;
	case SURVEY_REPLACE:
	case SURVEY_UNMAP:
		return !is_whole(s, l);
	default:
		return true;
	}
}

/* Is anything mapped in a part of a table whose content cannot change now. */
static bool anything_in(const struct pt_op *op, const struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	for_each_slot (l, r, s)
		if (pf_load(entry_of(op->memory, pt, l, s.va)) != pf_empty(l))
			return true;
	return false;
}

/* Values of ptdesc.shared. */
enum {
	SHARED_COW = 1,   /* leaf table, frozen, each who changes it takes a copy (15) */
	SHARED_TRULY = 2, /* table of large leaves that all sharers see change (16) */
};

static void survey(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range r);

/*
 * Changes leaves of a truly shared table in place. It holds leaves only, which stay leaves while it
 * is shared, and is locked last; one for each operation, so that two operations never wait for each
 * other's (16).
 */
static void survey_leaves_only(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range s)
{
	op->err = -PT_ESPLIT;
	for_each_slot (l, s, t)
		if (must_split(op, q, l, t) && anything_in(op, pt, l, t))
			return;
	if (op->shared && q->kind != SURVEY_SPLIT)
		return;
	op->err = 0;
	if (q->kind != SURVEY_SPLIT)
		op->shared = pt;
}

/* A truly shared table: what would take it apart is refused. */
static __attribute__((noinline)) void survey_truly_shared(struct pt_op *op, struct survey *q,
    struct ptdesc *pt, unsigned l, struct pt_range s)
{
	note_shared(op);
	switch (q->kind) {
	case SURVEY_LOCK:
	case SURVEY_POPULATE:
		return;
	case SURVEY_UNMAP:
		op->err = is_whole(s, l + 1) ? 0 : -PT_ESPLIT;
		return;
	case SURVEY_MAP:
	case SURVEY_EMPTY:
		op->err = anything_in(op, pt, l, s) ? -PT_EEXIST : -PT_ESPLIT;
		return;
	case SURVEY_CHANGE:
	case SURVEY_AGE:
	case SURVEY_SPLIT:
		survey_leaves_only(op, q, pt, l, s);
		return;
	default:
		op->err = -PT_ESPLIT;
	}
}

/* A leaf table shared copy-on-write: nothing is locked. s is the part of the range in it. */
PF_HOT void survey_shared(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range s)
{
	if (wants_empty(q) && anything_in(op, pt, l, s)) {
		op->err = -PT_EEXIST;
	} else if (must_unshare(q, l + 1, s)) {
		q->side->need[l]++;
		op->prepare = true;
	}
}

/* Takes a dead child out of its parent, which is locked, and gathers it (9). */
static void unlink_child(struct pt_op *op, struct ptdesc *parent, unsigned l, uint64_t va,
    struct ptdesc *child)
{
	put(op, entry_of(op->memory, parent, l, va), pf_empty(l));
	parent->used--;
	pt_op_flush(op, va & ~slot_mask(l), va | slot_mask(l), l, true);
	pt_op_unlinked(op, child);
}

/*
 * Locks the table below an entry, unless it is shared or held already. NULL: it was dying and is
 * unlinked now; whoever meets it under the parent's lock does that (9).
 */
PF_HOT struct ptdesc *lock_child(struct pt_op *op, const struct survey *q, struct ptdesc *parent,
    unsigned l, uint64_t va, pf_entry e)
{
	struct ptdesc *child = desc_at(op->memory, pf_table_pa(e, l));

	if (PT_LOAD(&child->shared, RELAXED) || (q->second && ptdesc_base(child) <= q->held_to))
		return child;
	pt_op_lock(op, q->side, child);
	if (__builtin_expect(child->dead, 0)) {
		pt_op_unlock(op, q->side, child);
		q->side->flush = true;
		unlink_child(op, parent, l, va, child);
		return NULL;
	}
	pt_op_hold_child(op, q->side, child);
	return child;
}

/* A leaf or a hole. */
static void survey_end(struct pt_op *op, struct survey *q, unsigned l, struct pt_range s,
    pf_entry e)
{
	bool fills = q->kind == SURVEY_MAP || q->kind == SURVEY_REPLACE;

	if (e == pf_empty(l)) {
		if (fills || q->kind == SURVEY_POPULATE)
			count_hole(op, q, l, s);
	} else if (wants_empty(q)) {
		op->err = -PT_EEXIST;
	} else if (must_split(op, q, l, s)) {
		count_split(op, q, l, s);
		if (fills)
			for_each_slot (l - 1, s, t)
				count_hole(op, q, l - 1, t);
	} else if (fills) {
		count_hole(op, q, l, s);
	}
}

/* e is the entry of pt that the slot is. */
PF_HOT void survey_slot(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range s, pf_entry e)
{
	struct survey all;
	struct ptdesc *child;
	uint8_t shared;

	if (!pf_is_table(e, l)) {
		survey_end(op, q, l, s, e);
		return;
	}
	child = lock_child(op, q, pt, l, s.va, e);
	if (!child) {
		survey_end(op, q, l, s, pf_empty(l));
		return;
	}
	if (q->kind == SURVEY_REPLACE && is_whole(s, l)) {
		count_hole(op, q, l, s);
		all = *q;
		all.kind = SURVEY_LOCK;
		q = &all;
	}
	shared = PT_LOAD(&child->shared, RELAXED);
	if (shared == SHARED_TRULY)
		survey_truly_shared(op, q, child, l - 1, s);
	else if (shared)
		survey_shared(op, q, child, l - 1, s);
	else if (l > 1 || wants_empty(q))
		survey(op, q, child, l - 1, s);
}

/* The entries of a table above level 0. */
PF_HOT void survey_slots(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	const pf_entry *entry = entry_of(op->memory, pt, l, r.va);

	for_each_slot (l, r, s) {
		survey_slot(op, q, pt, l, s, pf_load_locked(entry++));
		if (op->err)
			return;
	}
}

/*
 * Locks every table below pt, parents first, in address order (5), and counts in op and the side
 * what is needed. pt is locked. Stops at op->err. Level 0 takes the short way.
 */
static void survey(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	if (l == 0) {
		/* A table without used entries is empty: its entries are not even looked at. */
		if (wants_empty(q) && pt->used &&
		    !all_empty(entry_of(op->memory, pt, 0, r.va), 0,
			index_of(r.last, 0) - index_of(r.va, 0) + 1))
			op->err = -PT_EEXIST;
		return;
	}
	q->ring = l == 1 && op->flags & PT_DEPOSIT ? pt->pmd_huge_pte : NULL;
	q->deposit = q->ring;
	/* Most tables are below level 1: that is compiled apart. */
	if (l == 1)
		survey_slots(op, q, pt, 1, r);
	else
		survey_slots(op, q, pt, l, r);
	/* The tables above have none. */
	q->deposit = NULL;
}
