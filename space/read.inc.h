/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Readers: they take no lock, only a read section. */

/* A leaf that a reader found. */
struct found {
	pf_entry e;
	unsigned l;
};

/* Where a reader is: the table it looks into next. */
struct reader {
	const pf_entry *table;
	const pf_entry *entry; /* looked at last */
};

/* Follows the entry of one level; false: it is the end. */
PF_HOT bool step_down(const struct pt_memory *memory, uint64_t va, unsigned l, struct reader *at,
    struct found *f)
{
	at->entry = &at->table[index_of(va, l)];
	f->e = pf_load(at->entry);
	f->l = l;
	if (!pf_is_table(f->e, l))
		return false;
	at->table = pt_virt(memory, pf_table_pa(f->e, l));
	return true;
}

/* Where the descent starts depends on the format; from there the levels are constants. */
PF_HOT void go_down(const struct pt_memory *memory, unsigned levels, uint64_t va, struct reader *at,
    struct found *f)
{
	PT_STATIC_ASSERT(PT_MAX_LEVELS == 6, "one case for each level");
	switch (__builtin_expect(levels, 4)) {
	case 6:
		if (!step_down(memory, va, 5, at, f))
			break;
		/* fall through */
	case 5:
		if (!step_down(memory, va, 4, at, f))
			break;
		/* fall through */
	case 4:
		if (!step_down(memory, va, 3, at, f))
			break;
		/* fall through */
	case 3:
		if (!step_down(memory, va, 2, at, f))
			break;
		/* fall through */
	default:
		if (step_down(memory, va, 1, at, f))
			step_down(memory, va, 0, at, f);
	}
}

/*
 * Has a leaf of a run to be asked about with all others: where an MMU runs the space, that may have
 * noted in any of them what it did to this one (19).
 */
static inline bool is_in_noted_run(const struct pt_space *space, pf_entry e, unsigned l)
{
	return pf_run_shift(l) && space->flags & PT_SPACE_MMU && pf_is_leaf(e, l) && pf_run(e, l) &&
	       !(pf_accessed(e, l) && pf_dirty(e, l));
}

/*
 * Gives a leaf what is noted in the others of its run. false: it has changed meanwhile, or a run is
 * being taken apart; f is busy then, and *at is what to wait for. A neighbour that is neither busy
 * nor of a run is not there yet: all of a run is busy before any of it goes.
 */
static __attribute__((noinline)) bool ask_run(struct reader *at, struct found *f)
{
	const unsigned n = 1u << pf_run_shift(f->l);
	const pf_entry *own = at->entry;
	const pf_entry *first = own - ((uintptr_t)own / sizeof(*own) & (n - 1));
	bool accessed = false;
	bool dirty = false;

	for (unsigned i = 0; i < n; i++) {
		pf_entry e = pf_load(&first[i]);

		if (e == pf_busy(f->l)) {
			at->entry = &first[i];
			f->e = e;
			return false;
		}
		accessed |= pf_is_leaf(e, f->l) && pf_run(e, f->l) && pf_accessed(e, f->l);
		dirty |= pf_is_leaf(e, f->l) && pf_run(e, f->l) && pf_dirty(e, f->l);
	}
	if (pf_load(own) != f->e)
		return false;
	f->e = pf_set_ad(f->e, f->l, accessed, dirty);
	return true;
}

/*
 * One descent. false: try again, because the entry is being changed, or entries were moved
 * meanwhile: the counter has to be even, and the same before and after (14). Loads acquire, so that
 * the table that an entry points to is seen complete (7).
 */
PF_HOT bool look_up_once(const struct pt_space *space, uint64_t va, struct reader *at,
    struct found *f)
{
	uint32_t seq = move_look(&space->move_seq);

	at->table = (const pf_entry *)space->top;
	go_down(space->memory, space->levels, va, at, f);
	if (is_in_noted_run(space, f->e, f->l) && !ask_run(at, f))
		return false;
	return f->e != pf_busy(f->l) && !move_seen(&space->move_seq, seq) && !(seq & 1);
}

/*
 * Waits while an entry is busy: for its low half, which tells busy from all that may follow, to be
 * another. What is waited for is the pattern, not what a second look finds: that may have changed.
 */
static void wait_busy(const struct pt_port *port, const pf_entry *entry, unsigned l)
{
	const size_t low = PF_ENTRY_BITS == 64 && PF_BIG_ENDIAN;
	const pf_entry busy = pf_raw(pf_busy(l));
	uint32_t value[sizeof(busy) / sizeof(uint32_t)];

	memcpy(value, &busy, sizeof(busy));
	port->wait_while(port->ctx, (const uint32_t *)(const void *)entry + low, value[low]);
}

/* What the descent for va ends at, and where. Waits for what is in the way, until nothing is. */
static void look_up(const struct pt_space *space, uint64_t va, struct reader *at, struct found *f)
{
	const struct pt_port *port = &space->memory->port;

	while (__builtin_expect(!look_up_once(space, va, at, f), 0)) {
		uint32_t seq = PT_LOAD(&space->move_seq, RELAXED);

		if (f->e == pf_busy(f->l))
			wait_busy(port, at->entry, f->l);
		else if (seq & 1)
			port->wait_while(port->ctx, &space->move_seq, seq);
	}
}

/* What a leaf says of an address. */
PF_HOT void answer(pf_entry e, unsigned l, uint64_t va, struct pt_translation *out)
{
	out->pa.v = pf_leaf_pa(e, l) + (va & slot_mask(l));
	out->attr = pf_attr_of(e, l);
	out->size = (slot_mask(l) + 1) << (pf_run(e, l) ? pf_run_shift(l) : 0);
	out->level = l;
}

/* Translates, whatever is in the way and whatever is found. inside: a section was entered. */
static __attribute__((noinline)) int translate_any(const struct pt_space *space, uint64_t va,
    struct pt_translation *out, bool inside)
{
	struct reader at;
	struct found f;

	if (!inside)
		port_section_enter(&space->memory->port);
	look_up(space, va, &at, &f);
	port_section_exit(&space->memory->port);
	if (!pf_is_leaf(f.e, f.l)) {
		if (PT_DEFECT(47)) { /* an error in the place of an address */
			out->pa.v = (uint64_t)-PT_ENOENT;
			return 0;
		}
		return -PT_ENOENT;
	}
	answer(f.e, f.l, va, out);
	return 0;
}

/*
 * What most look-ups find, a leaf of level 0, with nothing in the way. All else is left to the
 * last call, so that no register is saved. As look_up_once: a busy entry is no leaf, and a counter
 * that was odd is never found one less (14).
 */
static int op_translate(const struct pt_space *space, uint64_t va, struct pt_translation *out)
{
	struct path path = {space->top, PARENT_IS_ROOT, 0};
	struct link link;
	uint32_t seq;
	pf_entry e;

	if (__builtin_expect(!port_section_try(&space->memory->port), 0))
		return translate_any(space, va, out, false);
	seq = move_look(&space->move_seq) & ~1u;
	go_to(space, va, 0, &path, &link);
	if (__builtin_expect(path.l != 0, 0))
		return translate_any(space, va, out, true);
	e = pf_load(&path.table[index_of(va, 0)]);
	if (__builtin_expect(!pf_is_leaf(e, 0), 0) ||
	    __builtin_expect(move_seen(&space->move_seq, seq), 0) || is_in_noted_run(space, e, 0))
		return translate_any(space, va, out, true);
	answer(e, 0, va, out);
	port_section_exit(&space->memory->port);
	return 0;
}

static unsigned op_table_level(const struct pt_space *space, uint64_t va)
{
	struct reader at;
	struct found f;

	port_section_enter(&space->memory->port);
	look_up(space, va, &at, &f);
	port_section_exit(&space->memory->port);
	return f.l; /* the table that holds the entry which ended the descent */
}

/* Joins neighbouring leaves to pieces. */
struct walker {
	struct pt_range rest;  /* not looked at yet */
	bool ended;            /* nothing is left of it */
	struct pt_piece piece; /* size 0: none */
};

/* Does a leaf continue the piece. */
static inline bool piece_goes_on(const struct pt_piece *p, uint64_t va, uint64_t pa, pt_attr attr,
    unsigned l)
{
	return p->va.v + p->size == va && p->pa.v + p->size == pa && p->level == l &&
	       p->attr.flags == attr.flags && p->attr.format == attr.format;
}

/* Takes a slot of what is left; false: it begins another piece, and this one is not given yet. */
static bool walk_slot(struct walker *w, pf_entry e, unsigned l)
{
	struct pt_range s = first_slot(l, w->rest);
	struct pt_piece *p = &w->piece;

	if (pf_is_leaf(e, l)) {
		uint64_t pa = pf_leaf_pa(e, l) + (s.va & slot_mask(l));
		pt_attr attr = pf_attr_of(e, l);

		if (!p->size)
			*p = (struct pt_piece){{s.va}, {pa}, 0, attr, l};
		else if (!piece_goes_on(p, s.va, pa, attr, l))
			return false;
		p->size += s.last - s.va + 1;
	}
	w->ended = s.last == w->rest.last;
	w->rest.va = s.last + 1;
	return true;
}

/*
 * On to the next entry of the table; false: it is to be looked up. It is, unless it is a leaf or a
 * hole, and nothing was moved (14).
 */
static inline bool read_on(const struct pt_space *space, uint32_t seq, struct reader *at,
    struct found *f)
{
	f->e = pf_load(++at->entry);
	if (is_in_noted_run(space, f->e, f->l) && !ask_run(at, f))
		return false;
	return (pf_is_leaf(f->e, f->l) || f->e == pf_empty(f->l)) &&
	       (!move_seen(&space->move_seq, seq) || PT_DEFECT(85));
}

/*
 * What is left, as far as the table goes that a look-up ends in. false: a piece is to be given
 * first; whoever is told of it may change what comes after, and is to see that.
 */
static bool walk_table(const struct pt_space *space, struct walker *w)
{
	uint32_t seq = move_look(&space->move_seq);
	struct reader at;
	struct found f;

	look_up(space, w->rest.va, &at, &f);
	do {
		if (!walk_slot(w, f.e, f.l))
			return false;
	} while (!w->ended && w->rest.va & table_mask(f.l) && read_on(space, seq, &at, &f));
	return true;
}

/* In no section: whoever is told may wait for readers. */
static int tell(const struct pt_space *space, pt_walk_fn fn, void *ctx,
    const struct pt_piece *piece)
{
	int result;

	if (PT_DEFECT(86))
		port_section_enter(&space->memory->port);
	result = fn(ctx, piece);
	if (PT_DEFECT(86))
		port_section_exit(&space->memory->port);
	return result;
}

static int op_walk(const struct pt_space *space, struct pt_range r, pt_walk_fn fn, void *ctx)
{
	struct walker w = {.rest = r};
	int result = 0;

	while (!result && !w.ended) {
		bool more;

		port_section_enter(&space->memory->port);
		more = walk_table(space, &w);
		port_section_exit(&space->memory->port);
		if (w.piece.size && (!more || w.ended)) {
			result = tell(space, fn, ctx, &w.piece);
			w.piece.size = 0;
		}
	}
	return result;
}
