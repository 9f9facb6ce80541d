/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Readers: they take no lock, only a read section. */

/* A leaf that a reader found. */
struct found {
	pf_entry e;
	unsigned l;
};

/* Waits while something that is being changed is in the way. */
static void wait_word(const struct pt_memory *memory, const void *word, uint32_t value)
{
	memory->port.wait_while(memory->port.ctx, word, value);
}

/* Where a reader is: the table it looks into next. */
struct reader {
	const pf_entry *table;
	const pf_entry *entry; /* looked at last */
};

/* Follows the entry of one level; false: it is the end. */
static inline bool step_down(const struct pt_memory *memory, uint64_t va, unsigned l,
    struct reader *at, struct found *f)
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
static inline void go_down(const struct pt_memory *memory, unsigned levels, uint64_t va,
    struct reader *at, struct found *f)
{
	PT_STATIC_ASSERT(PT_MAX_LEVELS == 6, "one case for each level");
	switch (levels) {
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
 * One descent. false: try again, the entry is being changed. Loads acquire, so that the table that
 * an entry points to is seen complete (7).
 */
static inline bool look_up(const struct pt_space *space, uint64_t va, struct found *f)
{
	struct reader at = { .table = (const pf_entry *)space->top };

	go_down(space->memory, space->levels, va, &at, f);
	if (__builtin_expect(f->e != pf_busy(f->l), 1))
		return true;
	wait_word(space->memory, at.entry,
	    PT_LOAD((const uint32_t *)(const void *)at.entry, RELAXED));
	return false;
}

/* A descent that no move of a table crossed: the counter is even, and the same before and after (14). */
static inline void look_up_stable(const struct pt_space *space, uint64_t va, struct found *f)
{
	for (;;) {
		uint32_t seq = PT_LOAD(&space->move_seq, ACQUIRE);

		if (__builtin_expect(seq & 1, 0)) {
			wait_word(space->memory, &space->move_seq, seq);
			continue;
		}
		if (look_up(space, va, f) && PT_LOAD(&space->move_seq, RELAXED) == seq)
			return;
	}
}

static int op_translate(const struct pt_space *space, uint64_t va, struct pt_translation *out)
{
	struct found f;

	port_section_enter(&space->memory->port);
	look_up_stable(space, va, &f);
	port_section_exit(&space->memory->port);
	if (!pf_is_leaf(f.e, f.l))
		return -PT_ENOENT;
	out->pa.v = pf_leaf_pa(f.e, f.l) + (va & slot_mask(f.l));
	out->attr = pf_attr_of(f.e, f.l);
	out->size = (slot_mask(f.l) + 1) << (pf_run(f.e, f.l) ? pf_run_shift(f.l) : 0);
	out->level = f.l;
	return 0;
}

/* Joins neighbouring leaves and hands a piece on when the next does not continue it. */
struct walker {
	struct pt_piece piece; /* size 0: none */
	pt_walk_fn fn;
	void *ctx;
};

static int walk_piece(struct walker *w, pf_entry e, unsigned l, struct pt_range s)
{
	struct pt_piece *p = &w->piece;
	uint64_t pa = pf_leaf_pa(e, l) + (s.va & slot_mask(l));
	pt_attr attr = pf_attr_of(e, l);
	int result = 0;

	if (p->size && p->level == l && p->va.v + p->size == s.va && p->pa.v + p->size == pa &&
	    p->attr.flags == attr.flags && p->attr.format == attr.format) {
		p->size += s.last - s.va + 1;
		return 0;
	}
	if (p->size)
		result = w->fn(w->ctx, p);
	p->va.v = s.va;
	p->pa.v = pa;
	p->size = s.last - s.va + 1;
	p->attr = attr;
	p->level = l;
	return result;
}

static int op_walk(const struct pt_space *space, struct pt_range r, pt_walk_fn fn, void *ctx)
{
	struct walker w = { .fn = fn, .ctx = ctx };
	struct pt_range rest = r;
	int result = 0;

	while (!result) {
		struct pt_range s;
		struct found f;

		port_section_enter(&space->memory->port);
		look_up_stable(space, rest.va, &f);
		s = first_slot(f.l, rest);
		if (pf_is_leaf(f.e, f.l))
			result = walk_piece(&w, f.e, f.l, s);
		port_section_exit(&space->memory->port);
		if (s.last == r.last)
			break;
		rest.va = s.last + 1;
	}
	if (!result && w.piece.size)
		result = fn(ctx, &w.piece);
	return result;
}
