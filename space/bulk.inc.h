/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Many entries of one table at once. Entries of a linked table are stored and loaded one by one,
 * each whole, eight to a step: then the stores are the limit and not the loop around them. A
 * private table is filled with plain stores, in four strips that do not wait for one another's
 * addresses, and entries that nobody writes are compared by plain loads: the compiler turns both
 * into vectors.
 */

/* Compiled into each caller, where level and kind are constants. */
#define PF_HOT static inline __attribute__((always_inline))

/* An operation on each of eight entries. */
#define EIGHT(one) one(0) one(1) one(2) one(3) one(4) one(5) one(6) one(7)

/* Are all entries empty. The caller holds the lock. */
PF_HOT bool all_empty(const pf_entry *entry, unsigned l, unsigned count)
{
	const pf_entry empty = pf_empty(l);
	pf_entry differ = 0;

	for (; count >= 8 && !differ; count -= 8, entry += 8) {
#define ONE(i) differ |= pf_load_locked(&entry[i]) ^ empty;
		EIGHT(ONE)
#undef ONE
	}
	for (; count; count--, entry++)
		differ |= pf_load_locked(entry) ^ empty;
	return !differ;
}

/* Makes entries empty: nothing is published by that. */
PF_HOT void store_empty(pf_entry *entry, unsigned l, unsigned count)
{
	for (; count >= 8; count -= 8, entry += 8) {
#define ONE(i) pf_store_leaf(&entry[i], pf_empty(l));
		EIGHT(ONE)
#undef ONE
	}
	for (; count; count--, entry++)
		pf_store_leaf(entry, pf_empty(l));
}

/* Leaves of contiguous memory into a private table of level 0. */
PF_HOT void fill_private(pf_entry *entry, uint64_t pa, pf_entry bits, unsigned count)
{
	const unsigned strip = count / 4;
	const uint64_t bytes = (uint64_t)strip << PF_PAGE_SHIFT;

	for (unsigned i = 0; i < strip; i++) {
		uint64_t at = pa + ((uint64_t)i << PF_PAGE_SHIFT);

		entry[i] = pf_raw(pf_make_leaf(at, 0, bits));
		entry[i + strip] = pf_raw(pf_make_leaf(at + bytes, 0, bits));
		entry[i + 2 * strip] = pf_raw(pf_make_leaf(at + 2 * bytes, 0, bits));
		entry[i + 3 * strip] = pf_raw(pf_make_leaf(at + 3 * bytes, 0, bits));
	}
	for (unsigned i = 4 * strip; i < count; i++)
		entry[i] = pf_raw(pf_make_leaf(pa + ((uint64_t)i << PF_PAGE_SHIFT), 0, bits));
}

/* The same into a linked table. What was written before is seen by who sees a leaf. */
PF_HOT void fill_linked(pf_entry *entry, uint64_t pa, pf_entry bits, unsigned count)
{
	const uint64_t page = UINT64_C(1) << PF_PAGE_SHIFT;

	PT_FENCE(RELEASE);
	for (; count >= 8; count -= 8, entry += 8, pa += 8 * page) {
#define ONE(i) pf_store_leaf(&entry[i], pf_make_leaf(pa + (i) * page, 0, bits));
		EIGHT(ONE)
#undef ONE
	}
	for (; count; count--, entry++, pa += page)
		pf_store_leaf(entry, pf_make_leaf(pa, 0, bits));
}

/* The same of pages from a list. */
PF_HOT void fill_listed(pf_entry *entry, const pt_pa *list, pf_entry bits, unsigned count)
{
	PT_FENCE(RELEASE);
	for (; count >= 8; count -= 8, entry += 8, list += 8) {
#define ONE(i) pf_store_leaf(&entry[i], pf_make_leaf(list[i].v, 0, bits));
		EIGHT(ONE)
#undef ONE
	}
	for (; count; count--, entry++, list++)
		pf_store_leaf(entry, pf_make_leaf(list->v, 0, bits));
}

/* What one leaf after another must be to continue a run of leaves alike. */
struct alike {
	uint64_t pa; /* of the next */
	pf_entry bits;
	bool run; /* marked as part of a contiguous run */
};

PF_HOT pf_entry next_alike(struct alike a, unsigned l, uint64_t i)
{
	return pf_set_run(pf_make_leaf(a.pa + (i << pf_shift(l)), l, a.bits), l, a.run);
}

/* Leaves that are compared at a time where nobody writes them: enough to be turned into vectors. */
#define STILL 32u

/* Is any of the next leaves not as it must be. */
PF_HOT bool any_differs(struct alike a, const pf_entry *entry, unsigned l)
{
	pf_entry differ = 0;

	for (uint64_t i = 0; i < STILL; i++)
		differ |= pf_read(entry[i], &entry[i]) ^ next_alike(a, l, i);
	return differ;
}

/*
 * How many entries from a leaf on, at most count, are leaves of contiguous memory alike in
 * everything, accessed and dirty included. still: nobody writes them now, MMUs included.
 */
PF_HOT unsigned count_alike(const pf_entry *entry, unsigned l, unsigned count, bool still)
{
	pf_entry first = pf_load_locked(entry);
	struct alike a = {pf_leaf_pa(first, l), pf_attr_bits(first, l), pf_run(first, l)};
	unsigned n = 1;

	a.pa += UINT64_C(1) << pf_shift(l);
	if (count < 2 || pf_load_locked(&entry[1]) != next_alike(a, l, 0))
		return 1;
	while (still && count - n >= STILL && !any_differs(a, &entry[n], l)) {
		n += STILL;
		a.pa += (uint64_t)STILL << pf_shift(l);
	}
	while (n < count && pf_load_locked(&entry[n]) == next_alike(a, l, 0)) {
		n++;
		a.pa += UINT64_C(1) << pf_shift(l);
	}
	return n;
}
