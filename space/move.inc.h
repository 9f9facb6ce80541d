/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Moving what is mapped to other addresses of the same space: entries, or tables with all below. */

struct move {
	struct pt_side *side;
	uint64_t delta;     /* target less source, modulo 2^64 */
	struct ptdesc *top; /* locked cover of both ranges */
	unsigned top_level;
	struct path_count count;
	bool counting;
};

/* Are source and target aligned alike at a level: then an entry of it can move as it is. */
static inline bool aligned_alike(uint64_t delta, unsigned l)
{
	return !(delta & slot_mask(l));
}

/* Changes the base of a table that moves, and of all below it; all are locked. */
static void rebase(struct pt_op *op, struct ptdesc *pt, unsigned l, uint64_t delta)
{
	const pf_entry *entry = table_of(op->memory, pt, l);

	pt->base += delta;
	for (unsigned left = l ? pt->used : 0; left; entry++) {
		pf_entry e = pf_load_locked(entry);

		left -= e != pf_empty(l);
		if (pf_is_table(e, l))
			rebase(op, desc_at(op->memory, pf_table_pa(e, l)), l - 1, delta);
	}
}

/* Hangs the table below an entry to where it is to go; an empty table that is there gives way. */
static void move_table(struct pt_op *op, struct move *m, struct ptdesc *pt, unsigned l, uint64_t va,
    struct ptdesc *child)
{
	uint64_t to = va + m->delta;
	struct ptdesc *dst;

	if (m->counting) {
		count_path(op, m->side, &m->count, m->top, m->top_level, to, l);
		return;
	}
	dst = path_to(op, m->side, m->top, m->top_level, to, l);
	make_way(op, m->side, dst, l, to);
	put(op, entry_of(op->memory, pt, l, va), pf_empty(l));
	pt->used--;
	flush_below(op, va, l);
	if (PF_BBM)
		pt_op_flush_now(op);
	rebase(op, child, l - 1, m->delta);
	put(op, entry_of(op->memory, dst, l, to), pf_make_table(table_pa(child, l - 1), l));
	dst->used++;
}

/* Moves the leaf of an entry, with what was deposited for it. */
static void move_leaf(struct pt_op *op, struct move *m, struct ptdesc *pt, unsigned l, uint64_t va)
{
	uint64_t to = va + m->delta;
	struct ptdesc *deposit;
	struct ptdesc *dst;
	pf_entry e;

	if (m->counting) {
		count_path(op, m->side, &m->count, m->top, m->top_level, to, l);
		return;
	}
	dst = path_to(op, m->side, m->top, m->top_level, to, l);
	make_way(op, m->side, dst, l, to);
	e = take(op, entry_of(op->memory, pt, l, va), pf_empty(l));
	pt->used--;
	pt_op_flush(op, va, va | slot_mask(l), l, false);
	put(op, entry_of(op->memory, dst, l, to), e);
	dst->used++;
	if (op->flags & PT_DEPOSIT && (deposit = pt_withdraw(pt)))
		pt_deposit(dst, deposit);
}

/* Does a part of a level-0 table hold leaves. */
static bool any_leaf(const pf_entry *entry, unsigned count)
{
	for (; count; count--, entry++)
		if (pf_is_leaf(pf_load_locked(entry), 0))
			return true;
	return false;
}

/* Moves one entry from a table of level 0 to another, if it is a leaf; returns 1 then. */
PF_HOT unsigned move_one(bool mmu, pf_entry *from, pf_entry *to)
{
	pf_entry e = pf_load_locked(from);

	if (!pf_is_leaf(e, 0))
		return 0;
	if (mmu)
		e = pf_exchange(from, pf_empty(0));
	else
		pf_store_leaf(from, pf_empty(0));
	pf_store_leaf(to, e);
	return 1;
}

/* The same for many; returns how many. */
PF_HOT unsigned move_many(bool mmu, pf_entry *from, pf_entry *to, unsigned count)
{
	unsigned n = 0;

	for (; count >= 8; count -= 8, from += 8, to += 8) {
#define ONE(i) n += move_one(mmu, &from[i], &to[i]);
		EIGHT(ONE)
#undef ONE
	}
	for (; count; count--, from++, to++)
		n += move_one(mmu, from, to);
	return n;
}

/* The leaves of a part of a level-0 table that go to one table. */
static void move_part(struct pt_op *op, struct move *m, struct ptdesc *pt, struct pt_range r)
{
	pf_entry *from = entry_of(op->memory, pt, 0, r.va);
	unsigned count = index_of(r.last, 0) - index_of(r.va, 0) + 1;
	uint64_t va = r.va + m->delta;
	struct ptdesc *dst;
	pf_entry *to;
	unsigned n;

	if (!any_leaf(from, count))
		return;
	if (m->counting) {
		count_path(op, m->side, &m->count, m->top, m->top_level, va, 0);
		return;
	}
	dst = path_to(op, m->side, m->top, m->top_level, va, 0);
	to = entry_of(op->memory, dst, 0, va);
	if (op->mmu)
		n = move_many(true, from, to, count);
	else
		n = move_many(false, from, to, count);
	pt->used = (uint16_t)(pt->used - n);
	dst->used = (uint16_t)(dst->used + n);
	wrote(op, from, count);
	wrote(op, to, count);
	pt_op_flush(op, r.va, r.last, 0, false);
}

/* The leaves of a part of a level-0 table; the target part may lie in two tables. */
static void move_leaves(struct pt_op *op, struct move *m, struct ptdesc *pt, struct pt_range r)
{
	uint64_t end = ((r.va + m->delta) | table_mask(0)) - m->delta; /* of the first target */
	struct pt_range first = {r.va, end - r.va < r.last - r.va ? end : r.last};
	struct pt_range second = {end + 1, r.last};

	move_part(op, m, pt, first);
	if (first.last != r.last)
		move_part(op, m, pt, second);
}

/* Counts for a leaf that will be split: at the edges, or because the target is aligned otherwise.
 */
static void count_parts(struct pt_op *op, struct move *m, unsigned l, struct pt_range s)
{
	if (!l || (is_whole(s, l) && aligned_alike(m->delta, l))) {
		count_path(op, m->side, &m->count, m->top, m->top_level, s.va + m->delta, l);
	} else if (l == 1) { /* the pages of one table go to two at most */
		count_path(op, m->side, &m->count, m->top, m->top_level, s.va + m->delta, 0);
		count_path(op, m->side, &m->count, m->top, m->top_level, s.last + m->delta, 0);
	} else {
		for_each_slot (l - 1, s, t)
			count_parts(op, m, l - 1, t);
	}
}

static void move_range(struct pt_op *op, struct move *m, struct ptdesc *pt, unsigned l,
    struct pt_range r);

static void move_slot(struct pt_op *op, struct move *m, struct ptdesc *pt, unsigned l,
    struct pt_range s)
{
	pf_entry e = pf_load_locked(entry_of(op->memory, pt, l, s.va));
	struct ptdesc *child;

	if (pf_is_leaf(e, l)) {
		if (m->counting)
			count_parts(op, m, l, s);
		else
			move_leaf(op, m, pt, l, s.va);
		return;
	}
	if (!pf_is_table(e, l))
		return;
	child = desc_at(op->memory, pf_table_pa(e, l));
	if (is_whole(s, l) && aligned_alike(m->delta, l) && child->used) {
		move_table(op, m, pt, l, s.va, child);
		return;
	}
	move_range(op, m, child, l - 1, s);
}

static void move_range(struct pt_op *op, struct move *m, struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	/* A run that is not aligned where it goes is no run any more. */
	if (!m->counting && m->delta & run_mask(l))
		break_all_runs(op, pt, l, r);
	else if (!m->counting)
		break_runs(op, pt, l, r);
	if (l == 0) {
		move_leaves(op, m, pt, r);
		return;
	}
	for_each_slot (l, r, s)
		move_slot(op, m, pt, l, s);
}

/*
 * Locks the cover of both ranges and, in address order, the tables of the lower range and then
 * those of the upper that are not held yet (13).
 */
static int move_enter(struct pt_op *op, struct move *m, struct pt_range from, struct pt_range to)
{
	bool up = from.va < to.va;
	struct pt_range both = {up ? from.va : to.va, up ? to.last : from.last};
	struct survey first = {.kind = up ? SURVEY_MOVE : SURVEY_EMPTY, .side = m->side};
	struct survey second = {.kind = up ? SURVEY_EMPTY : SURVEY_MOVE,
		.side = m->side,
		.second = true,
		.held_to = up ? from.last : to.last};
	struct link link;

	stay_from(op, m->side->space, both, 0);
	m->top = lock_cover(op, m->side, both, 0, &link, &m->top_level);
	survey(op, &first, m->top, m->top_level, up ? from : to);
	if (!op->err)
		survey(op, &second, m->top, m->top_level, up ? to : from);
	return op->err;
}

/* Readers that come across the move try again: the counter is odd meanwhile (14). */
static void move_stores(struct pt_op *op, struct move *m, struct pt_range from, struct pt_range to)
{
	struct survey source = {.kind = SURVEY_MOVE, .side = m->side};
	struct survey target = {.kind = SURVEY_EMPTY, .side = m->side};
	struct pt_range all = {0, UINT64_MAX};
	struct pt_space *space = m->side->space;

	if (op->prepare) {
		prepare(op, &source, m->top, m->top_level, from);
		prepare(op, &target, m->top, m->top_level, to);
	}
	m->counting = false;
	op->at_once = !PT_DEFECT(78);
	port_lock(&op->memory->port, &space->move_lock);
	if (!PT_DEFECT(65))
		move_begin(&space->move_seq);
	move_range(op, m, m->top, m->top_level, from);
	/* Not before: one that the source leaves empty may be the target's as well. */
	if (!(op->flags & PT_KEEP_TABLES))
		prune_range(op, m->top, m->top_level, from, all);
	if (!PT_DEFECT(65))
		move_end(&space->move_seq);
	port_unlock(&op->memory->port, &space->move_lock);
}

static int op_move(struct pt_space *space, struct pt_range r, uint64_t to, uint32_t flags)
{
	struct pt_range target = {to, to + (r.last - r.va)};
	struct pt_op op;
	struct move m;
	unsigned l = space->levels - 1u;
	int err;

	pt_op_begin(&op, space, NULL, flags, NULL);
	while (l && !aligned_alike(to - r.va, l))
		l--;
	op.split_to = (uint8_t)l;
	for (;;) {
		memset(&m, 0, sizeof(m));
		m.side = &op.side[0];
		m.delta = to - r.va;
		m.counting = true;
		err = move_enter(&op, &m, r, target);
		if (err)
			break;
		move_range(&op, &m, m.top, m.top_level, r);
		if (pt_op_ready(&op)) {
			before_stores(&op);
			move_stores(&op, &m, r, target);
			break;
		}
		op.prepare = false;
		err = pt_op_reserve(&op);
		if (err)
			break;
	}
	pt_op_end(&op, harvest);
	return err;
}
