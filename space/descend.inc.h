/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way down to the cover of a range, the lowest table that covers it, and its lock. */

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

/* Down to level floor, or as far as there are tables. Up to four levels are constants. */
PF_HOT void go_to(const struct pt_space *space, uint64_t va, unsigned floor, struct path *p,
    struct link *link)
{
	const struct pt_memory *memory = space->memory;
	unsigned levels = space->levels;

	/* Where there are four, the first is the only test of their number. */
	for (; __builtin_expect(levels != 4, 0) && levels > 4; levels--)
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
		if (PT_LOAD(&child->dead, RELAXED) || PT_LOAD(&child->shared, RELAXED))
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

/* A level of which an entry lies whole in the range, the highest. */
static inline unsigned whole_level(const struct pt_space *space, struct pt_range r)
{
	unsigned l = 0;

	while (l + 1 < space->levels && whole_slots_in(r, l + 1))
		l++;
	return l;
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

/* Dying or shared. The space's one lock does not keep those who share a table from marking it. */
static inline bool is_gone(const struct ptdesc *pt)
{
	unsigned dead = PT_ONE_LOCK ? PT_LOAD(&pt->dead, RELAXED) : pt->dead;
	unsigned shared = PT_ONE_LOCK ? PT_LOAD(&pt->shared, RELAXED) : pt->shared;

	return (PT_DEFECT(54) ? 0 : dead) | (PT_DEFECT(56) ? 0 : shared);
}

/*
 * Is a table below the root that was locked still the one that covers va: not dying, not shared,
 * not moved elsewhere (3). Another space's it cannot be: the read section that found it keeps it
 * from being used again, and one that was shared stays marked so.
 */
static inline bool still_there(const struct ptdesc *pt, unsigned l, uint64_t va)
{
	return !is_gone(pt) && (ptdesc_base(pt) == (va & ~table_mask(l)) || PT_DEFECT(55));
}

/* The same for any table. */
static inline bool still_covers(const struct pt_space *space, const struct ptdesc *pt, unsigned l,
    uint64_t va)
{
	return pt == space->root ? !pt->dead : still_there(pt, l, va);
}

/* Locks the cover. link says where it hangs. */
static struct ptdesc *lock_cover(struct pt_op *op, struct pt_side *side, struct pt_range r,
    unsigned floor, struct link *link, unsigned *level)
{
	const struct pt_space *space = side->space;
	bool careful = false;

	for (;;) {
		struct ptdesc *pt = descend(space, r, floor, careful, link, level);

		pt_op_lock(op, side, pt);
		if (still_covers(space, pt, *level, r.va)) {
			pt_op_hold(op, side, pt);
			return pt;
		}
		pt_op_unlock(op, side, pt);
		careful = true;
	}
}
