/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Taking over a tree of boot tables: all of it, or nothing. */

/* The table that an entry of level l + 1 points to, NULL if it cannot be this space's. */
static struct ptdesc *boot_child(const struct pt_space *space, pf_entry e, unsigned l)
{
	struct ptdesc *pt = table_at(space, pf_table_pa(e, l + 1));

	if (!pt || pt->space || ptdesc_level(pt) != l || ptdesc_class(pt) != space->classes[l])
		return NULL;
	return pt;
}

/*
 * Can a tree become a space's: leaves, and tables of the right kinds, each in one place. Those that
 * were seen say whose they will be, so that none is taken twice.
 */
static int claim_below(struct pt_space *space, const struct ptdesc *pt, unsigned l)
{
	const pf_entry *entry = table_of(space->memory, pt, l);
	int err = 0;

	for (unsigned i = 0; !err && i < 1u << pf_bits(l); i++) {
		pf_entry e = pf_load(&entry[i]);
		struct ptdesc *child;

		if (e == pf_empty(l))
			continue;
		if (entry_fault(space, e, l))
			return -PT_EINVAL;
		if (!pf_is_table(e, l))
			continue;
		child = boot_child(space, e, l - 1);
		if (!child)
			return -PT_EINVAL;
		child->space = space;
		err = claim_below(space, child, l - 1);
	}
	return err;
}

/* Undoes that: what was not claimed is not looked into. */
static void unclaim_below(const struct pt_space *space, const struct ptdesc *pt, unsigned l)
{
	const pf_entry *entry = table_of(space->memory, pt, l);

	for (unsigned i = 0; i < 1u << pf_bits(l); i++) {
		pf_entry e = pf_load(&entry[i]);
		struct ptdesc *child;

		if (!pf_is_table(e, l))
			continue;
		child = table_at(space, pf_table_pa(e, l));
		if (!child || child->space != space)
			continue;
		child->space = NULL;
		unclaim_below(space, child, l - 1);
	}
}

/* Makes it the space's: counts what the tables hold. */
static void adopt_table(struct pt_space *space, struct ptdesc *pt, unsigned l, uint64_t base)
{
	const pf_entry *entry = table_of(space->memory, pt, l);
	unsigned used = 0;

	for (unsigned i = 0; i < 1u << pf_bits(l); i++) {
		pf_entry e = pf_load(&entry[i]);

		used += e != pf_empty(l);
		if (pf_is_table(e, l))
			adopt_table(space, pt_desc(space->memory, pf_table_pa(e, l)), l - 1,
			    entry_va(space, base, l, i));
	}
	pt->space = space;
	if (space->flags & PT_SPACE_KERNEL)
		pt->pt_word |= (uint64_t)PTDESC_KERNEL << PT_WORD_FLAGS_AT;
	pt->base = (pt->base & 255) | (pt == space->root ? 0 : base);
	pt->used = (uint16_t)used;
	pt_state_move(space->memory, pt, PT_PRIVATE, PT_LINKED);
	pt_account_move(space->memory, pt, NULL, &space->account);
}

static int op_adopt(struct pt_space *space)
{
	const unsigned top = space->levels - 1u;
	int err = claim_below(space, space->root, top);

	if (err)
		unclaim_below(space, space->root, top);
	else
		adopt_table(space, space->root, top, 0);
	/* Most likely: what boots is a kernel. */
	note_global(space, !err);
	return err;
}
