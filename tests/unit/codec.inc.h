/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every level, leaf size, attribute and boundary address of one format. Each combination is made
 * three times over: by the functions of the format's header, by the library's copy of them
 * (pt_entry_encode, pt_entry_decode), and read by the reference walker, which shares no code with
 * either. The file that includes this has included the format's header and format/entry_api.h, and
 * has defined CODEC_SWEEP, the name of the function to make.
 */
#include "tests/unit/codec.h"

static const uint32_t all_flags = 0xff; /* PT_READ to PT_SOFT */

/* Flags of pt_attr that mean nothing. */
static const uint32_t undefined_flags = ~(0xff | PT_ATTR_TYPE_MASK | PT_ATTR_KEY_MASK);

static const unsigned some_keys[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 255};

static const uint32_t some_formats[] = {0, 1, 2, 3, 4, 8, 0x10, 0x80, 0x100, 0x155, 0x1ff, 0x200,
	0x400, 0xaab, 0xfff, 0x1000, UINT32_C(0x80000000)};

#define CODEC_COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool same_attr(pt_attr a, pt_attr b)
{
	return a.flags == b.flags && a.format == b.format;
}

static uint32_t type_bits(pt_attr a)
{
	return a.flags & PT_ATTR_TYPE_MASK;
}

static uint32_t key_bits(pt_attr a)
{
	return a.flags & PT_ATTR_KEY_MASK;
}

/* What the reference reads. */
static struct ref_entry refer(const struct codec *c, pf_entry e, unsigned l)
{
	return c->ref->decode(pf_stored(e), l);
}

/* The reference finds this leaf. */
static bool refers_leaf(const struct codec *c, pf_entry e, uint64_t pa, pt_attr attr, bool run)
{
	struct ref_entry r = refer(c, e, c->level);

	if (run && c->ref->run_one_address)
		pa &= ~((UINT64_C(1) << (pf_shift(c->level) + pf_run_shift(c->level))) - 1);
	return r.kind == REF_LEAF && r.pa == pa && r.flags == attr.flags &&
	       r.format == attr.format && r.run == run;
}

/* The library reads a number in memory as the reference does. */
static void check_decode(const struct codec *c, pf_entry e, unsigned l, const struct ref_entry *r)
{
	static const int kinds[] = {
		[REF_EMPTY] = PT_ENTRY_EMPTY,
		[REF_TABLE] = PT_ENTRY_TABLE,
		[REF_LEAF] = PT_ENTRY_LEAF,
		[REF_BUSY] = PT_ENTRY_BUSY,
		[REF_INVALID] = PT_ENTRY_INVALID,
	};
	struct pt_entry_info info;

	CODEC_CHECK(c, pt_entry_decode(c->format, e, l, &info) == 0);
	CODEC_CHECK(c, (int)info.kind == kinds[r->kind] && info.pa.v == r->pa);
	if (r->kind != REF_LEAF)
		return;
	CODEC_CHECK(c, info.attr.flags == r->flags && info.attr.format == r->format);
	CODEC_CHECK(c, info.size == UINT64_C(1) << pf_shift(l) && info.run == r->run);
}

/* A number in memory is at most one of the four; header, library and reference agree which. */
static void check_word(const struct codec *c, pf_entry word, unsigned l)
{
	const pf_entry e = pf_found(word, 0);
	const bool is[] = {
		[REF_EMPTY] = e == pf_empty(l),
		[REF_TABLE] = pf_is_table(e, l),
		[REF_LEAF] = pf_is_leaf(e, l),
		[REF_BUSY] = e == pf_busy(l),
		[REF_INVALID] = false,
	};
	unsigned kinds = 0u + is[REF_EMPTY] + is[REF_TABLE] + is[REF_LEAF] + is[REF_BUSY];
	struct ref_entry r = c->ref->decode(word, l);

	CODEC_CHECK(c, kinds <= 1);
	if (r.kind == REF_INVALID)
		CODEC_CHECK(c, kinds == 0 || !pf_valid(e, l));
	else
		CODEC_CHECK(c, is[r.kind] && pf_valid(e, l));
	check_decode(c, word, l, &r);
}

static void check_kind(const struct codec *c, pf_entry e, unsigned l)
{
	check_word(c, pf_stored(e), l);
}

/* Accessed, dirty and the right to write, alone and without touching anything else. */
static void check_ad(const struct codec *c, pf_entry e, bool run)
{
	unsigned l = c->level;
	pt_attr attr = c->attr;

	CODEC_CHECK(c, pf_accessed(e, l) == !!(attr.flags & PT_ACCESSED));
	CODEC_CHECK(c, pf_dirty(e, l) == !!(attr.flags & PT_DIRTY));
	CODEC_CHECK(c, pf_writable(e, l) == !!(attr.flags & PT_WRITE));
	for (unsigned ad = 0; ad < 4; ad++) {
		pt_attr want = attr;

		want.flags &= ~(PT_ACCESSED | PT_DIRTY);
		want.flags |= (ad & 1 ? PT_ACCESSED : 0) | (ad & 2 ? PT_DIRTY : 0);
		CODEC_CHECK(c, refers_leaf(c, pf_set_ad(e, l, ad & 1, ad & 2), c->pa, want, run));
	}
	attr.flags &= ~PT_WRITE;
	CODEC_CHECK(c, refers_leaf(c, pf_wrprotect(e, l), c->pa, attr, run));
}

/* Other attributes, the accessed and dirty of before. */
static void check_set_attr(const struct codec *c, pf_entry e, bool run)
{
	const uint32_t ad = PT_ACCESSED | PT_DIRTY;
	unsigned l = c->level;
	pt_attr other = c->attr;
	pf_entry bits;

	other.flags ^= PT_WRITE | PT_EXEC | PT_USER | PT_SOFT | ad;
	other.flags |= PT_READ;
	other.format ^= c->format->format_attrs;
	other = pf_attr_relax(other, l);
	CODEC_CHECK(c, pf_attr_make(other, l, &bits) == 0);
	other.flags = (other.flags & ~ad) | (c->attr.flags & ad);
	CODEC_CHECK(c, refers_leaf(c, pf_set_attr(e, l, bits), c->pa, other, run));
	CODEC_CHECK(c, pf_set_attr(e, l, pf_attr_bits(e, l)) == e);
}

static void check_relevel(const struct codec *c, pf_entry bits)
{
	unsigned l = c->level;

	for (unsigned to = 0; to < c->format->levels; to++) {
		pf_entry made;
		pf_entry moved;

		if (!(c->format->leaves >> to & 1))
			continue;
		CODEC_CHECK(c, pf_attr_make(c->attr, to, &made) == 0);
		moved = pf_attr_relevel(bits, l, to);
		CODEC_CHECK(c, moved == made);
		CODEC_CHECK(c, pf_attr_relevel(moved, to, l) == bits);
	}
}

/* Each entry of a run comes back from its place as it was. */
static void check_run_in_memory(const struct codec *c, pf_entry marked)
{
	static pf_entry table[128] __attribute__((aligned(1024)));
	unsigned l = c->level;
	uint64_t step = UINT64_C(1) << pf_shift(l);
	uint64_t start = c->pa & ~((step << pf_run_shift(l)) - 1);

	for (unsigned i = 0; i < 1u << pf_run_shift(l); i++) {
		pf_entry e = pf_make_leaf(start + i * step, l, pf_attr_bits(marked, l));

		e = pf_set_run(e, l, true);
		pf_store(&table[i], e);
		CODEC_CHECK(c, pf_load(&table[i]) == e && pf_leaf_pa(e, l) == start + i * step);
	}
}

/* The mark of a run is set, read and cleared without touching anything else. */
static void check_run(const struct codec *c, pf_entry e, pf_entry bits)
{
	unsigned l = c->level;
	pf_entry marked = pf_set_run(e, l, true);

	CODEC_CHECK(c, !pf_run(e, l) && pf_set_run(e, l, false) == e);
	CODEC_CHECK(c, pf_set_run(marked, l, false) == e);
	if (!pf_run_shift(l)) {
		CODEC_CHECK(c, marked == e);
		return;
	}
	CODEC_CHECK(c, pf_run(marked, l) && refers_leaf(c, marked, c->pa, c->attr, true));
	CODEC_CHECK(c, pf_attr_bits(marked, l) == bits && pf_leaf_pa(marked, l) == c->pa);
	check_run_in_memory(c, marked);
	check_kind(c, marked, l);
	check_ad(c, marked, true);
	check_set_attr(c, marked, true);
}

/* An entry of one level makes no sense at another: fakes only, where that is so by design. */
static void check_other_levels(const struct codec *c, pf_entry e, unsigned level)
{
	if (!(c->format->flags & PT_FORMAT_FAKE))
		return;
	for (unsigned l = 0; l < c->format->levels; l++)
		CODEC_CHECK(c, l == level || (!pf_valid(e, l) && !pf_is_leaf(e, l)));
}

/* A combination that the format can say. */
static void check_leaf(struct codec *c)
{
	unsigned l = c->level;
	pf_entry bits;
	pf_entry e;
	uint64_t made;

	CODEC_CHECK(c, pf_attr_make(c->attr, l, &bits) == 0);
	e = pf_make_leaf(c->pa, l, bits);
	c->entry = e;
	CODEC_CHECK(c, pt_entry_encode(c->format, pt_make_pa(c->pa), l, c->attr, 0, &made) == 0);
	CODEC_CHECK(c, made == e);
	CODEC_CHECK(c, refers_leaf(c, e, c->pa, c->attr, false));
	CODEC_CHECK(c, pf_leaf_pa(e, l) == c->pa && same_attr(pf_attr_of(e, l), c->attr));
	CODEC_CHECK(c, pf_attr_bits(e, l) == bits);
	CODEC_CHECK(c, pf_make_leaf(pf_leaf_pa(e, l), l, pf_attr_bits(e, l)) == e);
	check_kind(c, e, l);
	check_ad(c, e, false);
	check_set_attr(c, e, false);
	check_relevel(c, bits);
	check_run(c, e, bits);
	check_other_levels(c, e, l);
}

/* What is granted instead is no less than what was asked, and of safe kinds only. */
static void check_grants(const struct codec *c, pt_attr got)
{
	const uint32_t rights = PT_READ | PT_WRITE | PT_EXEC | PT_USER;
	const uint32_t kept = PT_ACCESSED | PT_DIRTY | PT_SOFT;
	const uint32_t strictest = pt_attr_type(
	    c->format->types >> PT_TYPE_UNCACHED & 1 ? PT_TYPE_UNCACHED : PT_TYPE_NORMAL);
	pt_attr asked = c->attr;

	CODEC_CHECK(c, !(asked.flags & rights & ~got.flags));
	CODEC_CHECK(c, !((asked.flags ^ got.flags) & kept));
	CODEC_CHECK(c, !(got.flags & PT_GLOBAL & ~asked.flags));
	CODEC_CHECK(c, type_bits(got) == type_bits(asked) || type_bits(got) == strictest);
	CODEC_CHECK(c, key_bits(got) == key_bits(asked) || key_bits(got) == 0);
	CODEC_CHECK(c, !(got.format & ~asked.format));
}

/* A combination that it cannot say: refused, or widened when asked to. */
static void check_refused(struct codec *c)
{
	unsigned l = c->level;
	pt_attr got = pf_attr_relax(c->attr, l);
	pf_entry bits;
	uint64_t made = 0;

	CODEC_CHECK(c, pf_attr_make(c->attr, l, &bits) == -PT_EATTR);
	CODEC_CHECK(c,
	    pt_entry_encode(c->format, pt_make_pa(c->pa), l, c->attr, 0, &made) == -PT_EATTR);
	if ((c->attr.flags & undefined_flags) ||
	    type_bits(c->attr) > pt_attr_type(PT_TYPE_DEVICE)) {
		CODEC_CHECK(c, pf_attr_make(got, l, &bits) == -PT_EATTR);
		CODEC_CHECK(c, pt_entry_encode(c->format, pt_make_pa(c->pa), l, c->attr, PT_RELAX,
				   &made) == -PT_EATTR);
		return;
	}
	check_grants(c, got);
	CODEC_CHECK(c, c->ref->can_say(got.flags, got.format));
	CODEC_CHECK(c,
	    pt_entry_encode(c->format, pt_make_pa(c->pa), l, c->attr, PT_RELAX, &made) == 0);
	c->entry = made;
	CODEC_CHECK(c, refers_leaf(c, (pf_entry)made, c->pa, got, false));
}

static void check_combination(struct codec *c)
{
	c->combinations++;
	if (!c->ref->can_say(c->attr.flags, c->attr.format)) {
		check_refused(c);
		return;
	}
	CODEC_CHECK(c, same_attr(pf_attr_relax(c->attr, c->level), c->attr));
	check_leaf(c);
}

/* All flags and types with one key and one value of the format's bits. */
static void sweep_flags(struct codec *c, unsigned key, uint32_t format, uint32_t flag_step)
{
	for (uint32_t type = 0; type < 8; type++) {
		for (uint32_t f = type % flag_step; f <= all_flags; f += flag_step) {
			c->attr.flags = f | type << PT_ATTR_TYPE_AT | pt_attr_key(key);
			c->attr.format = format;
			check_combination(c);
		}
	}
}

/* All attributes, at one address; under sanitizers a part of the flags with each. */
static void sweep_attributes(struct codec *c)
{
	for (size_t k = 0; k < CODEC_COUNT(some_keys); k++) {
		for (size_t f = 0; f < CODEC_COUNT(some_formats); f++)
			sweep_flags(c, some_keys[k], some_formats[f], CODEC_STEP);
	}
	for (unsigned bit = 0; bit < 32; bit++) {
		c->attr.flags = PT_READ | UINT32_C(1) << bit;
		c->attr.format = 0;
		if (undefined_flags >> bit & 1)
			check_combination(c);
	}
}

/*
 * The addresses that are most likely to be got wrong, multiples of 2^shift: the first and the last,
 * a single bit, all but one, alternating. Number index of them; false: there is none.
 */
static bool boundary_address(unsigned pa_bits, unsigned shift, unsigned index, uint64_t *pa)
{
	const uint64_t mask = (UINT64_C(1) << pa_bits) - (UINT64_C(1) << shift);
	const uint64_t fixed[] = {mask & UINT64_C(0x5555555555555555),
		mask & UINT64_C(0xaaaaaaaaaaaaaaaa), 0, mask, mask & UINT64_C(3) << shift};
	const unsigned count = (unsigned)CODEC_COUNT(fixed);
	unsigned bit;

	if (index < count) {
		*pa = fixed[index];
		return true;
	}
	bit = shift + (index - count) / 2;
	if (bit >= pa_bits)
		return false;
	*pa = (index - count) & 1 ? UINT64_C(1) << bit : mask & ~(UINT64_C(1) << bit);
	return true;
}

/* Memory has the target's byte order, and the accesses agree with one another. */
static void check_memory(const struct codec *c, pf_entry e)
{
	pf_entry slot = pf_raw(pf_empty(c->level));
	pf_entry old = pf_empty(c->level);
	const uint8_t *byte = (const uint8_t *)&slot;
	uint64_t value = 0;

	CODEC_CHECK(c, pf_load(&slot) == old && pf_load_locked(&slot) == old);
	pf_store_leaf(&slot, e);
	for (unsigned i = 0; i < sizeof(slot); i++)
		value |= (uint64_t)byte[i] << 8 * (c->ref->big_endian ? sizeof(slot) - 1 - i : i);
	CODEC_CHECK(c, value == e && pf_load(&slot) == e);
	CODEC_CHECK(c, pf_exchange(&slot, old) == e && pf_load(&slot) == old);
	CODEC_CHECK(c, pf_replace(&slot, &old, e) && pf_load(&slot) == e);
	pf_store(&slot, pf_busy(c->level));
	CODEC_CHECK(c, pf_load(&slot) == pf_busy(c->level));
}

/* All boundary addresses, with a few attributes of each kind. */
static void sweep_addresses(struct codec *c)
{
	unsigned shift = pf_shift(c->level);

	for (unsigned i = 0; boundary_address(c->format->pa_bits, shift, i, &c->pa); i++) {
		sweep_flags(c, 0, 0, 7);
		sweep_flags(c, c->format->keys ? c->format->keys - 1u : 0, c->format->format_attrs,
		    41);
		check_memory(c, (pf_entry)c->entry);
	}
}

static void sweep_leaves(struct codec *c)
{
	unsigned shift = pf_shift(c->level);

	for (unsigned i = 0; i < 2; i++) {
		CODEC_CHECK(c, boundary_address(c->format->pa_bits, shift, i, &c->pa));
		sweep_attributes(c);
	}
	sweep_addresses(c);
}

/* Entries that point to tables at all addresses where such a table can be. */
static void sweep_tables(struct codec *c)
{
	unsigned l = c->level;
	unsigned shift = 0;

	while (UINT64_C(1) << shift < c->format->tables[l - 1].align)
		shift++;
	for (unsigned i = 0; boundary_address(c->format->pa_bits, shift, i, &c->pa); i++) {
		pf_entry e = pf_make_table(c->pa, l);
		struct ref_entry r = refer(c, e, l);

		c->combinations++;
		c->entry = e;
		CODEC_CHECK(c, pf_is_table(e, l) && pf_valid(e, l));
		CODEC_CHECK(c, pf_table_pa(e, l) == c->pa);
		CODEC_CHECK(c, r.kind == REF_TABLE && r.pa == c->pa);
		CODEC_CHECK(c, r.flags == REF_RIGHTS); /* leaves decide */
		check_kind(c, e, l);
		check_memory(c, e);
		check_other_levels(c, e, l);
	}
}

/* Entries that are the same wherever they are. */
static void check_fixed(struct codec *c)
{
	unsigned l = c->level;

	c->entry = pf_empty(l);
	CODEC_CHECK(c, pf_empty(l) != pf_busy(l));
	CODEC_CHECK(c, c->format->tables[l].empty == pf_raw(pf_empty(l)));
	CODEC_CHECK(c, refer(c, pf_empty(l), l).kind == REF_EMPTY);
	CODEC_CHECK(c, refer(c, pf_busy(l), l).kind == REF_BUSY);
	check_kind(c, pf_empty(l), l);
	check_kind(c, pf_busy(l), l);
	check_other_levels(c, pf_empty(l), l);
	check_kind(c, 0, l);
	check_kind(c, (pf_entry) ~(pf_entry)0, l);
}

/* xorshift64: any sequence will do, as long as it is the same each time. */
static uint64_t next_word(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Words that nobody made, and entries with one bit wrong, are judged as the reference does. */
static void sweep_words(struct codec *c)
{
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15) + c->level;

	for (unsigned i = 0; i < 200000; i++) {
		pf_entry word = (pf_entry)next_word(&state);

		/* Half of them with few bits, so that reserved ones are often all 0. */
		if (i & 1)
			word &= (pf_entry)(next_word(&state) & next_word(&state)) | 15;
		c->entry = word;
		c->combinations++;
		check_word(c, word, c->level);
	}
	for (unsigned bit = 0; bit < PF_ENTRY_BITS; bit++) {
		pf_entry flip = (pf_entry)1 << bit;

		c->entry = bit;
		check_kind(c, pf_empty(c->level) ^ flip, c->level);
		check_kind(c, pf_busy(c->level) ^ flip, c->level);
	}
}

/* Every entry that differs in one bit from a leaf with all attributes set, or none. */
static void sweep_flips(struct codec *c)
{
	unsigned l = c->level;
	pt_attr attr = pf_attr_relax(pt_make_attr(PT_READ), l);

	for (unsigned all = 0; all < 2; all++) {
		pf_entry bits;
		pf_entry e;

		CODEC_CHECK(c, pf_attr_make(attr, l, &bits) == 0);
		CODEC_CHECK(c, boundary_address(c->format->pa_bits, pf_shift(l), all, &c->pa));
		e = pf_make_leaf(c->pa, l, bits);
		for (unsigned bit = 0; bit < PF_ENTRY_BITS; bit++) {
			c->entry = e ^ (pf_entry)1 << bit;
			c->combinations++;
			check_word(c, (pf_entry)c->entry, l);
		}
		attr.flags = c->format->attrs;
		attr.format = c->format->format_attrs;
	}
}

/* What the format publishes is what its functions do and what its manual says. */
static void check_geometry(const struct codec *c)
{
	unsigned shift = PF_PAGE_SHIFT;

	CODEC_CHECK(c, c->format->page_shift == PF_PAGE_SHIFT);
	CODEC_CHECK(c, c->format->entry_bytes * 8 == PF_ENTRY_BITS);
	CODEC_CHECK(c, !(c->format->flags & PT_FORMAT_BBM) == !PF_BBM);
	CODEC_CHECK(c, c->ref->big_endian == PF_BIG_ENDIAN);
	for (unsigned l = 0; l < c->format->levels; l++) {
		CODEC_CHECK(c, pf_bits(l) == c->format->bits[l] && pf_shift(l) == shift);
		CODEC_CHECK(c, pf_run_shift(l) == c->ref->run_shift[l]);
		CODEC_CHECK(c,
		    c->format->tables[l].size == (UINT64_C(1) << pf_bits(l)) * sizeof(pf_entry));
		shift += pf_bits(l);
	}
}

/* The register, taken apart by the reference. */
static void check_root(const struct codec *c)
{
	unsigned root = c->format->levels - 1u;
	uint64_t align = c->format->tables[root].align;

	for (uint64_t i = 0; i < 6; i++) {
		uint64_t last = c->format->tables[root].max_pa & ~(align - 1);
		uint64_t pa = i < 5 ? i * 3 * align : last;

		CODEC_CHECK(c, c->ref->root(pf_root_value(pa, c->format->levels)) == pa);
	}
}

void CODEC_SWEEP(struct codec *c)
{
	check_geometry(c);
	check_root(c);
	for (unsigned l = 0; l < c->format->levels; l++) {
		c->level = l;
		check_fixed(c);
		sweep_words(c);
		if (l > 0)
			sweep_tables(c);
		if (!(c->format->leaves >> l & 1))
			continue;
		sweep_flips(c);
		sweep_leaves(c);
	}
}
