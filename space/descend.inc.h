/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The way down: geometry, the cover of a range, and the two passes that every writer makes before
 * its own: survey locks all tables of the range and counts what is needed, prepare splits leaves
 * and takes shared tables apart so that what follows meets neither, and cannot fail.
 */

/* Index of the entry of a table of level l that translates va. */
static inline unsigned index_of(uint64_t va, unsigned l)
{
	return (unsigned)(va >> pf_shift(l)) & ((1u << pf_bits(l)) - 1);
}

/* Bytes that one entry maps, less 1. */
static inline uint64_t slot_mask(unsigned l)
{
	return (UINT64_C(1) << pf_shift(l)) - 1;
}

/* Bytes that a whole table translates, less 1. */
static inline uint64_t table_mask(unsigned l)
{
	unsigned shift = pf_shift(l) + pf_bits(l);

	return shift > 63 ? UINT64_MAX : (UINT64_C(1) << shift) - 1;
}

/* Does the range cover the whole entry it lies in. */
static inline bool is_whole(struct pt_range r, unsigned l)
{
	return !(r.va & slot_mask(l)) && (r.last & slot_mask(l)) == slot_mask(l);
}

/* The part of a range that lies in the entry of its first address. */
static inline struct pt_range first_slot(unsigned l, struct pt_range r)
{
	uint64_t end = r.va | slot_mask(l);

	if (end < r.last)
		r.last = end;
	return r;
}

/* Moves a slot on within r; false at the end. */
static inline bool next_slot(unsigned l, struct pt_range r, struct pt_range *slot)
{
	if (slot->last == r.last)
		return false;
	r.va = slot->last + 1;
	*slot = first_slot(l, r);
	return true;
}

/* Visits the parts of range r entry by entry of level l, in address order. */
#define for_each_slot(l, r, s)                                                                     \
	for (struct pt_range s = first_slot(l, r), *more_ = &s; more_;                             \
	    more_ = next_slot(l, r, &s) ? &s : NULL)

/* The entries of a table. */
static inline pf_entry *table_of(const struct pt_memory *memory, const struct ptdesc *pt,
    unsigned l)
{
	const unsigned shift = pf_bits(l) + (PF_ENTRY_BITS == 64 ? 3 : 2);
	uint64_t pa = ptdesc_pfn(pt) << PF_PAGE_SHIFT;

	if (shift < PF_PAGE_SHIFT)
		pa += (pt->base & 255) << shift;
	return pt_virt(memory, pa);
}

static inline uint64_t table_pa(const struct ptdesc *pt, unsigned l)
{
	const unsigned shift = pf_bits(l) + (PF_ENTRY_BITS == 64 ? 3 : 2);
	uint64_t pa = ptdesc_pfn(pt) << PF_PAGE_SHIFT;

	return shift < PF_PAGE_SHIFT ? pa + ((pt->base & 255) << shift) : pa;
}

/* Is no table of a format smaller than a frame: known when it is compiled, for most formats. */
PF_HOT bool whole_frames(void)
{
	const unsigned bits = PF_PAGE_SHIFT - (PF_ENTRY_BITS == 64 ? 3 : 2);

	return pf_bits(0) >= bits && pf_bits(1) >= bits && pf_bits(2) >= bits &&
	       pf_bits(3) >= bits && pf_bits(4) >= bits && pf_bits(5) >= bits;
}

/* The descriptor of the table that an entry points to. */
PF_HOT struct ptdesc *desc_at(const struct pt_memory *memory, uint64_t pa)
{
	return pt_desc_linked(memory, pa, PF_PAGE_SHIFT, whole_frames());
}

static inline pf_entry *entry_of(const struct pt_memory *memory, const struct ptdesc *pt,
    unsigned l, uint64_t va)
{
	return table_of(memory, pt, l) + index_of(va, l);
}

/* Makes stores visible to walkers that do not snoop. */
static inline void write_back(const struct pt_memory *memory, const pf_entry *entry, unsigned count)
{
	const struct pt_port *port = &memory->port;

	if (__builtin_expect(port->write_back != NULL, 0))
		port->write_back(port->ctx, entry, count * sizeof(*entry));
}

static inline void wrote(const struct pt_op *op, const pf_entry *entry, unsigned count)
{
	write_back(op->memory, entry, count);
}

/* Stores to an entry of a linked table, which the caller has locked. */
static inline void put(const struct pt_op *op, pf_entry *entry, pf_entry e)
{
	pf_store(entry, e);
	wrote(op, entry, 1);
}

/* Takes an entry out, with the accessed and dirty bits that an MMU has set by then (19). */
static inline pf_entry take(const struct pt_op *op, pf_entry *entry, pf_entry e)
{
	pf_entry old;

	if (op->mmu) {
		old = pf_exchange(entry, e);
	} else {
		old = pf_load_locked(entry);
		pf_store_leaf(entry, e);
	}
	wrote(op, entry, 1);
	return old;
}

/* Notes that everything below an entry of level l goes. */
static void flush_below(struct pt_op *op, uint64_t va, unsigned l)
{
	pt_op_flush(op, va & ~slot_mask(l), va | slot_mask(l), l, true);
	op->flush.tables |= (1u << l) - 1;
	op->flush.leaves |= (1u << l) - 1;
}

/*
 * Replaces a live entry by another that points elsewhere. Where the format wants a break before the
 * make, the entry is busy meanwhile, on which readers and faults wait (17, 20).
 */
static inline pf_entry put_over(struct pt_op *op, pf_entry *entry, unsigned l, uint64_t va,
    pf_entry e)
{
	pf_entry old;

	if (!PF_BBM)
		return take(op, entry, e);
	old = take(op, entry, pf_busy(l));
	if (pf_is_table(old, l))
		flush_below(op, va, l);
	else
		pt_op_flush(op, va & ~slot_mask(l), va | slot_mask(l), l, false);
	pt_op_flush_now(op);
	put(op, entry, e);
	return old;
}

/* The parent of a table whose parent is the root. */
#define PARENT_IS_ROOT UINT64_MAX

/* Where the cover of a range hangs: asked for only if it empties. */
struct link {
	uint64_t parent; /* physical address of the table with the entry, or PARENT_IS_ROOT */
	pf_entry *entry; /* NULL: the cover is the root */
};

/* A descent: the table it has come to. */
struct path {
	pf_entry *table;
	uint64_t pa; /* of the table; PARENT_IS_ROOT: the root, where it matters as a parent only */
	unsigned l;
};

/* One level down from l; false: the table is as low as wanted, or the entry holds no table. */
PF_HOT bool step(struct path *p, const struct pt_memory *memory, uint64_t va, unsigned l,
    unsigned floor, struct link *link)
{
	pf_entry *entry = &p->table[index_of(va, l)];
	pf_entry e;

	p->l = l;
	if (l <= floor)
		return false;
	e = pf_load(entry);
	if (__builtin_expect(!pf_is_table(e, l), 0))
		return false;
	link->parent = p->pa;
	link->entry = entry;
	p->pa = pf_table_pa(e, l);
	p->table = pt_virt(memory, p->pa);
	p->l = l - 1;
	return true;
}

/* Down to level floor, or as far as there are tables. The levels that most formats have are
 * constants. */
PF_HOT void go_to(const struct pt_space *space, uint64_t va, unsigned floor, struct path *p,
    struct link *link)
{
	const struct pt_memory *memory = space->memory;

	unsigned levels = space->levels;

	for (; __builtin_expect(levels > 4, 0); levels--)
		if (!step(p, memory, va, levels - 1, floor, link))
			return;
	if (__builtin_expect(levels == 4, 1) && !step(p, memory, va, 3, floor, link))
		return;
	if (__builtin_expect(levels >= 3, 1) && !step(p, memory, va, 2, floor, link))
		return;
	(void)step(p, memory, va, 1, floor, link);
}

/* The same, stopping above a child that is dead or shared (2). */
static void go_carefully(const struct pt_space *space, uint64_t va, unsigned floor, struct path *p,
    struct link *link)
{
	for (unsigned l = space->levels - 1u; l > floor; l--) {
		pf_entry e = pf_load(&p->table[index_of(va, l)]);
		const struct ptdesc *child;

		p->l = l;
		if (!pf_is_table(e, l))
			return;
		child = desc_at(space->memory, pf_table_pa(e, l));
		if (PT_LOAD(&child->dead, ACQUIRE) || PT_LOAD(&child->shared, ACQUIRE))
			return;
		link->parent = p->pa;
		link->entry = &p->table[index_of(va, l)];
		p->pa = pf_table_pa(e, l);
		p->table = pt_virt(space->memory, p->pa);
		p->l = l - 1;
	}
}

/* The level of the lowest table that can cover a range, not below floor. */
static inline unsigned cover_level(const struct pt_space *space, struct pt_range r, unsigned floor)
{
	while (floor < space->levels - 1u && (r.va ^ r.last) > table_mask(floor))
		floor++;
	return floor;
}

/*
 * The lowest table that covers a range, not below level floor; a guess, to be locked and checked.
 * A careful descent stops above a child that is dead or shared (2).
 */
static inline struct ptdesc *descend(const struct pt_space *space, struct pt_range r,
    unsigned floor, bool careful, struct link *link, unsigned *level)
{
	struct path path = {space->top, PARENT_IS_ROOT, space->levels - 1u};

	link->entry = NULL;
	floor = cover_level(space, r, floor);
	if (careful)
		go_carefully(space, r.va, floor, &path, link);
	else
		go_to(space, r.va, floor, &path, link);
	*level = path.l;
	return link->entry ? desc_at(space->memory, path.pa) : space->root;
}

/*
 * Is the table that was locked still the one that covers va: not dying, not shared, not moved
 * elsewhere, not another space's (3).
 */
static inline bool still_covers(const struct pt_space *space, const struct ptdesc *pt, unsigned l,
    uint64_t va)
{
	if (pt->dead || pt->shared)
		return false;
	if (pt == space->root)
		return true;
	return pt->space == space && ptdesc_base(pt) == (va & ~table_mask(l));
}

/* Locks the cover. link says where it hangs. */
static struct ptdesc *lock_cover(struct pt_op *op, struct pt_space *space, struct pt_range r,
    unsigned floor, struct link *link, unsigned *level)
{
	bool careful = false;

	for (;;) {
		struct ptdesc *pt = descend(space, r, floor, careful, link, level);

		pt_table_lock(op->memory, pt);
		if (still_covers(space, pt, *level, r.va)) {
			pt_op_hold(op, pt);
			return pt;
		}
		pt_table_unlock(op->memory, pt);
		careful = true;
	}
}

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

/* Can this slot be mapped by one leaf of level l. */
static inline bool leaf_fits(const struct pt_op *op, const struct survey *q, unsigned l,
    struct pt_range s)
{
	if (!l)
		return true;
	if (op->flags & PT_SMALL || q->source->list || !(q->side->space->format->leaves >> l & 1))
		return false;
	return is_whole(s, l) && !(source_pa(q->source, s.va) & slot_mask(l));
}

/* Counts the tables that an empty slot needs. */
static void count_hole(struct pt_op *op, const struct survey *q, unsigned l, struct pt_range s)
{
	uint32_t *need = q->side->need;

	if (q->kind == SURVEY_POPULATE ? l <= q->floor : leaf_fits(op, q, l, s)) {
		if (l == 1 && q->kind != SURVEY_POPULATE && op->flags & PT_DEPOSIT)
			need[0]++;
		return;
	}
	need[l - 1]++;
	if (l == 1)
		return;
	for_each_slot (l - 1, s, t)
		count_hole(op, q, l - 1, t);
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
		q->side->need[l - 1]++;
	for_each_slot (l - 1, s, t)
		if (must_split(op, q, l - 1, t))
			count_split(op, q, l - 1, t);
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
 * Changes leaves of a truly shared table in place. It holds leaves only and is locked last; one for
 * each operation, so that two operations never wait for each other's.
 */
static void survey_leaves_only(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range s)
{
	op->err = -PT_ESPLIT;
	for_each_slot (l, s, t)
		if (must_split(op, q, l, t) && anything_in(op, pt, l, t))
			return;
	if (op->truly && q->kind != SURVEY_SPLIT)
		return;
	op->err = 0;
	if (q->kind == SURVEY_SPLIT)
		return;
	op->truly = true;
	pt_table_lock(op->memory, pt);
	pt_op_hold(op, pt);
}

/* A truly shared table: what would take it apart is refused. */
static void survey_truly_shared(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range s)
{
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

/* A table below, shared: nothing is locked. s is the part of the range that it covers. */
static void survey_shared(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range s)
{
	if (PT_LOAD(&pt->shared, RELAXED) == SHARED_TRULY) {
		survey_truly_shared(op, q, pt, l, s);
		return;
	}
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
static inline struct ptdesc *lock_child(struct pt_op *op, const struct survey *q,
    struct ptdesc *parent, unsigned l, uint64_t va, pf_entry e)
{
	struct ptdesc *child = desc_at(op->memory, pf_table_pa(e, l));

	if (PT_LOAD(&child->shared, ACQUIRE) || (q->second && ptdesc_base(child) <= q->held_to))
		return child;
	pt_table_lock(op->memory, child);
	if (__builtin_expect(child->dead, 0)) {
		pt_table_unlock(op->memory, child);
		unlink_child(op, parent, l, va, child);
		return NULL;
	}
	pt_op_hold_child(op, child);
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
static inline void survey_slot(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range s, pf_entry e)
{
	struct survey all;
	struct ptdesc *child;

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
	if (PT_LOAD(&child->shared, RELAXED))
		survey_shared(op, q, child, l - 1, s);
	else if (l > 1 || wants_empty(q))
		survey(op, q, child, l - 1, s);
}

/*
 * Locks every table below pt, parents first, in address order (5), and counts in op and the side
 * what is needed. pt is locked. Stops at op->err. Level 0 takes the short way.
 */
static void survey(struct pt_op *op, struct survey *q, struct ptdesc *pt, unsigned l,
    struct pt_range r)
{
	const pf_entry *entry;

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
	entry = entry_of(op->memory, pt, l, r.va);
	for_each_slot (l, r, s) {
		survey_slot(op, q, pt, l, s, pf_load_locked(entry++));
		if (op->err)
			return;
	}
	/* The tables above have none. */
	q->deposit = NULL;
}

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
 * Takes the contiguous run around va apart. All of it is busy in between: an MMU must not see one
 * entry marked and its neighbour not.
 */
static void break_run(struct pt_op *op, struct ptdesc *pt, unsigned l, uint64_t va)
{
	unsigned n = 1u << pf_run_shift(l);
	uint64_t start = va & ~run_mask(l);
	pf_entry *entry = entry_of(op->memory, pt, l, start);
	pf_entry old[RUN_MAX];

	for (unsigned i = 0; i < n; i++)
		old[i] = take(op, &entry[i], pf_busy(l));
	pt_op_flush(op, start, start | run_mask(l), l, false);
	if (PF_BBM)
		pt_op_flush_now(op);
	for (unsigned i = 0; i < n; i++)
		put(op, &entry[i], pf_is_leaf(old[i], l) ? pf_set_run(old[i], l, false) : old[i]);
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
	pt_table_lock(op->memory, pt);
	pt_op_hold(op, pt);
	pt_state_move(op->memory, pt, PT_PRIVATE, PT_LINKED);
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
	}
	return pt;
}

/* Gives this space a copy of its own of a shared leaf table; the shared one stays as it is (15). */
static void unshare_child(struct pt_op *op, struct pt_side *side, struct ptdesc *parent, unsigned l,
    uint64_t va, struct ptdesc *shared)
{
	struct ptdesc *pt = pt_op_take(op, side, l - 1, va & ~slot_mask(l));
	pf_entry *to = table_of(op->memory, pt, l - 1);
	const pf_entry *from = table_of(op->memory, shared, l - 1);
	unsigned n = 1u << pf_bits(l - 1);

	for (unsigned i = 0; i < n; i++)
		to[i] = pf_raw(pf_load(&from[i]));
	pt->used = shared->used;
	wrote(op, to, n);
	pt_table_lock(op->memory, pt);
	pt_op_hold(op, pt);
	pt_state_move(op->memory, pt, PT_PRIVATE, PT_LINKED);
	put_over(op, entry_of(op->memory, parent, l, va), l, va,
	    pf_make_table(table_pa(pt, l - 1), l));
	pt_op_flush(op, va & ~slot_mask(l), va | slot_mask(l), l, true);
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

/* A level of which an entry lies whole in the range, the highest. */
static inline unsigned whole_level(const struct pt_space *space, struct pt_range r)
{
	unsigned l = 0;

	while (l + 1 < space->levels) {
		uint64_t first = (r.va + slot_mask(l + 1)) & ~slot_mask(l + 1);

		if (first < r.va || first > r.last || r.last - first < slot_mask(l + 1))
			break;
		l++;
	}
	return l;
}

/* A slot that a dying table was unlinked from may be linked again by this operation (20). */
static inline void before_stores(struct pt_op *op)
{
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
		*pt = lock_cover(op, q->side->space, r, floor, link, level);
		survey(op, q, *pt, *level, r);
		if (op->err)
			return op->err;
		if (pt_op_ready(op))
			break;
		op->prepare = false;
		op->truly = false;
		err = pt_op_reserve(op);
		if (err)
			return err;
	}
	before_stores(op);
	if (op->prepare)
		prepare(op, q, *pt, *level, r);
	return 0;
}
