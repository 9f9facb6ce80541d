/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Looking at everything: check, dump, single entries. */

static int report_fault(struct pt_fault_report *report, uint64_t va, unsigned l, pf_entry e,
    const char *what)
{
	report->va.v = va;
	report->level = l;
	report->entry = e;
	report->what = what;
	return -PT_EINVAL;
}

/* What is wrong with the descriptor of a linked table, or NULL. */
static const char *descriptor_fault(const struct pt_space *space, const struct ptdesc *pt,
    unsigned l, uint64_t base)
{
	if (!pt)
		return "an entry points to a frame that is no table";
	if (ptdesc_level(pt) != l)
		return "a table of another level";
	if (pt->dead)
		return "a dead table is linked";
	if (pt->lock)
		return "a table is locked though no call is under way";
	if (pt->shared)
		return pt->pt_share_count ? NULL : "a shared table that nobody shares";
	if (pt->space != space)
		return "a table of another space";
	if (pt != space->root && ptdesc_base(pt) != base)
		return "a table whose base is not its address";
	return NULL;
}

static const char *leaf_fault(const struct pt_space *space, pf_entry e, unsigned l)
{
	uint64_t pa = pf_leaf_pa(e, l);

	if (!(space->format->leaves >> l & 1))
		return "a leaf at a level that has none";
	if (pa & slot_mask(l))
		return "a leaf that is not aligned to its size";
	if (space->format->pa_bits < 64 && pa >> space->format->pa_bits)
		return "a leaf beyond the width of physical addresses";
	return NULL;
}

/* The address of entry i of a table; the upper half of a signed space is negative. */
static uint64_t entry_va(const struct pt_space *space, uint64_t base, unsigned l, unsigned i)
{
	uint64_t va = base + ((uint64_t)i << pf_shift(l));
	unsigned bits = space->format->va_bits;

	if (space->format->flags & PT_FORMAT_SIGNED && va >> (bits - 1) & 1)
		va |= ~UINT64_C(0) << (bits - 1);
	return va;
}

/* What is wrong with an entry that is not empty, or NULL; tables below are not looked at. */
static const char *entry_fault(const struct pt_space *space, pf_entry e, unsigned l)
{
	if (!pf_valid(e, l))
		return "an entry with reserved bits set";
	if (pf_is_leaf(e, l))
		return leaf_fault(space, e, l);
	return pf_is_table(e, l) ? NULL : "an entry that is neither empty, table nor leaf";
}

static int check_table(const struct pt_space *space, const struct ptdesc *pt, unsigned l,
    uint64_t base, struct pt_fault_report *report);

/* The table that an entry points to, NULL if it does not point to the start of one. */
static struct ptdesc *table_at(const struct pt_space *space, uint64_t pa)
{
	struct ptdesc *pt = pt_desc_find(space->memory, pa);

	return pt && ptdesc_pa(space->memory, pt).v == pa ? pt : NULL;
}

static int check_entry(const struct pt_space *space, pf_entry e, unsigned l, uint64_t va,
    struct pt_fault_report *report)
{
	const char *what = entry_fault(space, pf_unmarked(e, l), l);

	if (what)
		return report_fault(report, va, l, e, what);
	if (!pf_is_table(e, l))
		return 0;
	return check_table(space, table_at(space, pf_table_pa(e, l)), l - 1, va, report);
}

static int check_table(const struct pt_space *space, const struct ptdesc *pt, unsigned l,
    uint64_t base, struct pt_fault_report *report)
{
	const char *what = descriptor_fault(space, pt, l, base);
	const pf_entry *entry;
	unsigned used = 0;

	if (what)
		return report_fault(report, base, l, 0, what);
	entry = table_of(space->memory, pt, l);
	for (unsigned i = 0; i < 1u << pf_bits(l); i++) {
		pf_entry e = pf_load(&entry[i]);
		int err = 0;

		if (e != pf_empty(l)) {
			used++;
			err = check_entry(space, e, l, entry_va(space, base, l, i), report);
		}
		if (err)
			return err;
	}
	if (used != pt->used)
		return report_fault(report, base, l, used, "a count of used entries that is off");
	return 0;
}

static int op_check(const struct pt_space *space, struct pt_fault_report *report)
{
	if (space->move_seq & 1)
		return report_fault(report, 0, 0, space->move_seq, "a move that has not ended");
	return check_table(space, space->root, space->levels - 1u, 0, report);
}

/* One line of a dump, built without printf. */
struct text_line {
	char text[96];
	unsigned n;
};

static void add_text(struct text_line *line, const char *s)
{
	while (*s && line->n < sizeof(line->text) - 1)
		line->text[line->n++] = *s++;
	line->text[line->n] = 0;
}

static void add_hex(struct text_line *line, uint64_t v)
{
	char digits[17];
	unsigned n = sizeof(digits) - 1;

	digits[n] = 0;
	do {
		digits[--n] = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v);
	add_text(line, "0x");
	add_text(line, &digits[n]);
}

static void dump_entry(const struct pt_space *space, uint64_t va, unsigned l, pf_entry e,
    void (*print)(void *, const char *), void *ctx)
{
	static const char indent[] = "          ";
	struct text_line line = {.n = 0};
	uint64_t pa = pf_is_table(e, l) ? pf_table_pa(e, l) : pf_leaf_pa(e, l);

	add_text(&line, &indent[sizeof(indent) - 1 - (space->levels - 1u - l)]);
	add_hex(&line, va);
	add_text(&line, pf_is_table(e, l) ? " table " : pf_is_leaf(e, l) ? " leaf " : " busy ");
	add_hex(&line, pa);
	add_text(&line, " entry ");
	add_hex(&line, e);
	print(ctx, line.text);
}

static void dump_table(const struct pt_space *space, const struct ptdesc *pt, unsigned l,
    uint64_t base, void (*print)(void *, const char *), void *ctx)
{
	const pf_entry *entry = table_of(space->memory, pt, l);

	for (unsigned i = 0; i < 1u << pf_bits(l); i++) {
		pf_entry e = pf_load(&entry[i]);
		uint64_t va = entry_va(space, base, l, i);

		if (e == pf_empty(l))
			continue;
		dump_entry(space, va, l, e, print, ctx);
		if (pf_is_table(e, l))
			dump_table(space, pt_desc(space->memory, pf_table_pa(e, l)), l - 1, va,
			    print, ctx);
	}
}

static void op_dump(const struct pt_space *space, void (*line)(void *, const char *), void *ctx)
{
	dump_table(space, space->root, space->levels - 1u, 0, line, ctx);
}

static int op_decode(uint64_t entry, unsigned l, struct pt_entry_info *info)
{
	pf_entry e = pf_found((pf_entry)entry, 0);

	memset(info, 0, sizeof(*info));
	if ((pf_entry)entry != entry)
		return -PT_EINVAL;
	if (e == pf_empty(l)) {
		info->kind = PT_ENTRY_EMPTY;
	} else if (e == pf_busy(l)) {
		info->kind = PT_ENTRY_BUSY;
	} else if (!pf_valid(e, l)) {
		info->kind = PT_ENTRY_INVALID;
	} else if (pf_is_table(e, l)) {
		info->kind = PT_ENTRY_TABLE;
		info->pa.v = pf_table_pa(e, l);
	} else if (pf_is_leaf(e, l)) {
		info->kind = PT_ENTRY_LEAF;
		info->pa.v = pf_leaf_pa(e, l);
		info->size = slot_mask(l) + 1;
		info->attr = pf_attr_of(e, l);
		info->run = pf_run(e, l);
		info->run_size = info->run ? run_mask(l) + 1 : 0;
	} else {
		info->kind = PT_ENTRY_INVALID;
	}
	return 0;
}

static int op_encode(uint64_t pa, unsigned l, pt_attr attr, uint32_t flags, uint64_t *entry)
{
	pf_entry bits;
	int err;

	if (pa & slot_mask(l))
		return -PT_EALIGN;
	err = pf_attr_make(attr, l, &bits);
	if (err && flags & PT_RELAX)
		err = pf_attr_make(pf_attr_relax(attr, l), l, &bits);
	if (!err)
		*entry = pf_make_leaf(pa, l, bits);
	return err;
}
