/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Short ways for what happens most: a range inside one leaf table, which is there or is the only
 * one missing. The rules are those of the long way; what they find not to fit is left to it,
 * untouched.
 */

/* What a short way says when the long one is needed: no error number. */
enum { LONG_WAY = 1 };

/*
 * Locks the leaf table that covers a page; NULL: there is none, or it is shared, dying or moved.
 * path says how far down there are tables, link where the lowest hangs.
 */
PF_HOT struct ptdesc *lock_leaf(const struct pt_space *space, uint64_t va, struct path *path,
    struct link *link)
{
	struct ptdesc *pt;

	path->table = space->top;
	path->pa = PARENT_IS_ROOT;
	link->parent = PARENT_IS_ROOT;
	link->entry = NULL;
	go_to(space, va, 0, path, link);
	if (path->l)
		return NULL;
	pt = desc_at(space->memory, path->pa);
	pt_table_lock(space->memory, pt_guard(space, pt));
	if (__builtin_expect(still_there(pt, 0, va), 1))
		return pt;
	pt_table_unlock(space->memory, pt_guard(space, pt));
	path->l = PT_MAX_LEVELS;
	return NULL;
}

/* Fills a range of a locked leaf table. */
static inline int map_in_leaf(struct pt_space *space, struct pt_range r,
    const struct pt_map_source *source, pf_entry bits, struct ptdesc *pt, pf_entry *table)
{
	pf_entry *entry = table + index_of(r.va, 0);
	unsigned count = index_of(r.last, 0) - index_of(r.va, 0) + 1;

	if (pt->used && !all_empty(entry, 0, count))
		return -PT_EEXIST;
	if (count == 1)
		pf_store(entry, pf_make_leaf(source_pa(source, r.va), 0, bits));
	else
		fill_live(entry, source, bits, r.va, count);
	write_back(space->memory, entry, count);
	pt->used = (uint16_t)(pt->used + count);
	return 0;
}

/*
 * Hangs a filled leaf table below the entry of level 1 for va, if that is still empty. The reserve
 * is made before the lock is taken, so that there is one lock and no second try (7, 8).
 */
static inline bool link_leaf(struct pt_space *space, uint64_t va, struct ptdesc *parent,
    struct ptdesc *pt)
{
	bool linked = false;
	pf_entry *entry;

	pt_table_lock(space->memory, pt_guard(space, parent));
	entry = entry_of(space->memory, parent, 1, va);
	if (still_covers(space, parent, 1, va) && pf_load_locked(entry) == pf_empty(1)) {
		pt_state_move(space->memory, pt, PT_PRIVATE, PT_LINKED);
		pf_store(entry, pf_make_table(table_pa(pt, 0), 1));
		write_back(space->memory, entry, 1);
		parent->used++;
		linked = true;
	}
	pt_table_unlock(space->memory, pt_guard(space, parent));
	return linked;
}

/* Maps a range of a leaf table that is missing. */
static int map_new_leaf(struct pt_space *space, struct pt_range r, struct ptdesc *parent,
    const struct pt_map_source *source, pf_entry bits)
{
	struct ptdesc *pt = pagetable_alloc(space->memory, space->classes[0], 0, &space->account,
	    space->flags & PT_SPACE_KERNEL ? PT_KERNEL_TABLE : 0);
	pf_entry *entry;
	unsigned count = index_of(r.last, 0) - index_of(r.va, 0) + 1;

	if (!pt)
		return LONG_WAY;
	pt->space = space;
	pt->base = (pt->base & 255) | (r.va & ~table_mask(0));
	entry = entry_of(space->memory, pt, 0, r.va);
	fill_fresh(entry, source, bits, r.va, count);
	mark_runs(source, entry, r);
	write_back(space->memory, entry, count);
	pt->used = (uint16_t)count;
	if (__builtin_expect(link_leaf(space, r.va, parent, pt), 1))
		return 0;
	pagetable_free(space->memory, pt, &space->account);
	return LONG_WAY;
}

/* Is a range within one leaf table, and not to be mapped by a larger leaf. */
static inline bool in_one_leaf(struct pt_range r, uint32_t flags)
{
	return (r.va ^ r.last) <= table_mask(0) &&
	       (r.last - r.va < table_mask(0) || flags & PT_SMALL);
}

static inline int map_fast(struct pt_space *space, struct pt_range r,
    const struct pt_map_source *source, pf_entry bits)
{
	const struct pt_port *port = &space->memory->port;
	struct ptdesc *pt;
	int err = LONG_WAY;
	struct link link;
	struct path path;

	pt_lock_none(space->memory, PT_STOP_ENTER_LOCKED);
	port_section_enter(port);
	pt = lock_leaf(space, r.va, &path, &link);
	if (pt) {
		err = map_in_leaf(space, r, source, bits, pt, path.table);
		pt_table_unlock(space->memory, pt_guard(space, pt));
	} else if (path.l == 1) {
		pt = link.entry ? desc_at(space->memory, path.pa) : space->root;
		err = map_new_leaf(space, r, pt, source, bits);
	}
	port_section_exit(port);
	return err;
}

/* What a short unmapping has to do after its locks. */
struct cleared {
	struct pt_run run;    /* size 0: nothing was mapped */
	struct ptdesc *table; /* the leaf table, if it was unlinked */
};

/* Flushes, then hands over memory and table, in this order (12, L3). */
static void hand_over_page(struct pt_space *space, uint64_t va, const struct cleared *c,
    struct pt_gather *gather)
{
	const struct pt_port *port = &space->memory->port;

	if (space->flags & PT_SPACE_MMU && port->flush) {
		struct pt_flush flush = {.cookie = space->cookie,
			.start = {va},
			.last = {va | slot_mask(0)},
			.leaves = 1,
			.tables = c->table ? 2 : 0,
			.kernel = flushes_all(space)};

		if (c->table) {
			flush.start.v &= ~table_mask(0);
			flush.last.v |= table_mask(0);
		}
		port->flush(port->ctx, &flush);
	}
	if (gather && gather->release && c->run.size)
		gather->release(gather->ctx, &c->run, 1);
	if (gather)
		gather->released += c->run.size;
	if (c->table)
		pagetable_free_defer(space->memory, c->table, &space->account);
}

/* The leaf table was emptied and has its dying mark: unlinks it, unless somebody has (9). */
static bool unlink_leaf(struct pt_space *space, const struct link *link, const struct ptdesc *pt)
{
	struct ptdesc *parent =
	    link->parent == PARENT_IS_ROOT ? space->root : desc_at(space->memory, link->parent);
	pf_entry *entry = link->entry;
	bool mine = false;
	pf_entry e;

	pt_table_lock(space->memory, pt_guard(space, parent));
	e = pf_load_locked(entry);
	if ((!parent->dead && pf_is_table(e, 1) && pf_table_pa(e, 1) == table_pa(pt, 0)) ||
	    PT_DEFECT(60)) {
		pf_store(entry, pf_empty(1));
		write_back(space->memory, entry, 1);
		parent->used--;
		mine = true;
	}
	pt_table_unlock(space->memory, pt_guard(space, parent));
	return mine;
}

/*
 * Clears one page of a locked leaf table, or, where no MMU is, several that are one run. false:
 * they are not, and nothing was done.
 */
static inline bool clear_few(struct pt_space *space, struct ptdesc *pt, pf_entry *entry,
    unsigned count, struct cleared *c)
{
	pf_entry e = pf_load_locked(entry);

	if (count > 1 && (!pf_is_leaf(e, 0) || count_alike(entry, 0, count, true) != count))
		return false;
	if (e == pf_empty(0))
		return true;
	if (space->flags & PT_SPACE_MMU && !PT_DEFECT(67))
		e = pf_exchange(entry, pf_empty(0));
	else if (count == 1)
		pf_store_leaf(entry, pf_empty(0));
	else
		store_empty(entry, 0, count);
	write_back(space->memory, entry, count);
	pt->used = (uint16_t)(pt->used - count);
	c->run.pa.v = pf_leaf_pa(e, 0);
	c->run.size = (uint64_t)count << PF_PAGE_SHIFT;
	c->run.accessed = pf_accessed(e, 0);
	c->run.dirty = pf_dirty(e, 0);
	return true;
}

/* Locks the leaf table of a range and clears that, but for what a contiguous run holds; or NULL. */
static inline struct ptdesc *lock_and_clear(struct pt_space *space, struct pt_range r,
    struct link *link, struct cleared *c)
{
	struct path path;
	struct ptdesc *pt = lock_leaf(space, r.va, &path, link);
	pf_entry *entry = path.table + index_of(r.va, 0);
	unsigned count = (unsigned)((r.last - r.va) >> PF_PAGE_SHIFT) + 1;

	if (!pt)
		return NULL;
	if (!(pf_run_shift(0) && pf_run(pf_load_locked(entry), 0)) &&
	    clear_few(space, pt, entry, count, c))
		return pt;
	pt_table_unlock(space->memory, pt_guard(space, pt));
	return NULL;
}

/* Unlocks a leaf table, with a dying mark if it may go and is empty; says whether it is to. */
static inline bool unlock_or_mark(struct pt_space *space, struct ptdesc *pt, bool may_die)
{
	bool dying = may_die && !pt->used;

	if (dying)
		PT_STORE(&pt->dead, 1, RELAXED);
	pt_table_unlock(space->memory, pt_guard(space, pt));
	return dying;
}

static inline int unmap_fast(struct pt_space *space, struct pt_range r, uint32_t flags,
    struct pt_gather *gather)
{
	const struct pt_port *port = &space->memory->port;
	struct cleared c;
	struct ptdesc *pt;
	struct link link;
	bool may_die;

	c.run.size = 0;
	c.table = NULL;
	pt_lock_none(space->memory, PT_STOP_ENTER_LOCKED);
	port_section_enter(port);
	pt = lock_and_clear(space, r, &link, &c);
	if (!pt) {
		port_section_exit(port);
		return LONG_WAY;
	}
	may_die = link.entry && !(flags & PT_KEEP_TABLES);
	if (unlock_or_mark(space, pt, may_die) && unlink_leaf(space, &link, pt)) {
		pt_state_move(space->memory, pt, PT_LINKED, PT_UNLINKED);
		c.table = pt;
	}
	if (c.run.size || c.table)
		hand_over_page(space, r.va, &c, gather);
	port_section_exit(port);
	if (c.table)
		pt_reclaim_poll(space->memory, false);
	return 0;
}

static int map_slow(struct pt_space *space, struct pt_range r, struct mapping *m, uint32_t flags,
    struct pt_gather *gather)
{
	struct pt_op op;
	struct link link;
	struct ptdesc *pt;
	unsigned l;
	int err;

	pt_op_begin(&op, space, NULL, flags, gather);
	m->q.side = &op.side[0];
	/* What is replaced gives way to the largest leaves: tables that the range covers go whole.
	 */
	err = enter_range(&op, &m->q, r, m->q.kind == SURVEY_REPLACE ? whole_level(space, r) : 0,
	    &pt, &l, &link);
	if (!err)
		map_range(&op, m, pt, l, r, false);
	pt_op_end(&op, harvest);
	return err;
}

/* Apart from the short way, so that this keeps its arguments in registers. */
static __attribute__((noinline)) int map_long(struct pt_space *space, struct pt_range r,
    const struct pt_map_source *source, pt_attr attr, uint32_t flags, bool replace,
    struct pt_gather *gather)
{
	struct mapping m;
	int err;

	m.q.kind = replace ? SURVEY_REPLACE : SURVEY_MAP;
	m.q.source = source;
	m.q.second = false;
	err =
	    all_attr_bits(space, attr, 0, flags & PT_SMALL ? 0 : space->levels - 1u, flags, m.bits);
	if (err)
		return err;
	return map_slow(space, r, &m, flags, gather);
}

static int op_map(struct pt_space *space, struct pt_range r, const struct pt_map_source *source,
    pt_attr attr, uint32_t flags)
{
	pf_entry bits;
	int err;

	/* What has to be said otherwise is the long way's business. */
	if (in_one_leaf(r, flags) && !pf_attr_make(attr, 0, &bits)) {
		err = map_fast(space, r, source, bits);
		if (err != LONG_WAY)
			return err;
	}
	return map_long(space, r, source, attr, flags, false, NULL);
}

static int op_map_replace(struct pt_space *space, struct pt_range r,
    const struct pt_map_source *source, pt_attr attr, uint32_t flags, struct pt_gather *gather)
{
	return map_long(space, r, source, attr, flags, true, gather);
}

static __attribute__((noinline)) int unmap_long(struct pt_space *space, struct pt_range r,
    uint32_t flags, struct pt_gather *gather)
{
	struct pt_op op;
	struct survey q = {.kind = SURVEY_UNMAP};
	/* A table that the range covers is cut off whole, from its parent. */
	unsigned floor = flags & PT_KEEP_TABLES ? 0 : whole_level(space, r);
	struct link link;
	struct ptdesc *pt;
	unsigned l;
	int err;

	pt_op_begin(&op, space, NULL, flags, gather);
	q.side = &op.side[0];
	/* A leaf table goes even if it is the cover. */
	stay_from(&op, space, r, floor ? floor : 1);
	err = enter_range(&op, &q, r, floor, &pt, &l, &link);
	if (!err) {
		unmap_range(&op, q.side, pt, l, r);
		if (l == 0 && !pt->used && !(flags & PT_KEEP_TABLES))
			bury_cover(&op, q.side, pt, l, &link, r.va);
	}
	pt_op_end(&op, harvest);
	return err;
}

/*
 * Is a range for the short way: a page, or, where there is neither an MMU nor a contiguous run, a
 * part of one leaf table. Break before make flushes under the locks: the long way.
 */
static inline bool unmaps_in_leaf(const struct pt_space *space, struct pt_range r)
{
	if (PF_BBM)
		return false;
	if (r.last - r.va == slot_mask(0))
		return true;
	return !pf_run_shift(0) && !(space->flags & PT_SPACE_MMU) &&
	       (r.va ^ r.last) <= table_mask(0) && r.last - r.va < table_mask(0);
}

static int op_unmap(struct pt_space *space, struct pt_range r, uint32_t flags,
    struct pt_gather *gather)
{
	int err;

	if (unmaps_in_leaf(space, r)) {
		err = unmap_fast(space, r, flags, gather);
		if (err != LONG_WAY)
			return err;
	}
	return unmap_long(space, r, flags, gather);
}
