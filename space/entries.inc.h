/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Geometry: which part of a range lies in which entry of which table. And what is done to one entry
 * of a linked table.
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

/* Entries of level l that a range has a part of. */
static inline uint64_t slots_in(struct pt_range r, unsigned l)
{
	return (r.last >> pf_shift(l)) - (r.va >> pf_shift(l)) + 1;
}

/* Entries of level l that lie whole in a range. */
static inline uint64_t whole_slots_in(struct pt_range r, unsigned l)
{
	uint64_t first = (r.va + slot_mask(l)) & ~slot_mask(l);

	if (first < r.va || first > r.last || r.last - first < slot_mask(l))
		return 0;
	return ((r.last - first - slot_mask(l)) >> pf_shift(l)) + 1;
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

/*
 * Is no table that an entry can point to smaller than a frame: known when it is compiled, for most
 * formats.
 */
PF_HOT bool whole_frames(void)
{
	const unsigned bits = PF_PAGE_SHIFT - (PF_ENTRY_BITS == 64 ? 3 : 2);

	if (PF_FRAMED_TABLES)
		return true;
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
	if (PT_DEFECT(75))
		pf_store_leaf(entry, e);
	else
		pf_store(entry, e);
	wrote(op, entry, 1);
}

/*
 * Takes an entry out, with the accessed and dirty bits that an MMU has set by then (19). What comes
 * in its place may be a table, whose content was written before (7).
 */
static inline pf_entry take(const struct pt_op *op, pf_entry *entry, pf_entry e)
{
	pf_entry old;

	if (op->mmu && !PT_DEFECT(67)) {
		old = pf_exchange(entry, e);
	} else {
		old = pf_load_locked(entry);
		if (PT_DEFECT(71)) /* a table that was just filled is linked without release */
			pf_store_leaf(entry, e);
		else
			pf_store(entry, e);
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

/* Notes that an entry goes that may be a table. */
static inline void flush_old(struct pt_op *op, unsigned l, uint64_t va, pf_entry old)
{
	if (pf_is_table(old, l))
		flush_below(op, va, l);
	else
		pt_op_flush(op, va & ~slot_mask(l), va | slot_mask(l), l, false);
}

/*
 * Replaces a live entry by another that points elsewhere. Where the format wants a break before the
 * make, the entry is busy meanwhile, on which readers and faults wait (17, 20).
 */
static inline pf_entry put_over(struct pt_op *op, pf_entry *entry, unsigned l, uint64_t va,
    pf_entry e)
{
	pf_entry old;

	if (!PF_BBM || PT_DEFECT(80))
		return take(op, entry, e);
	old = take(op, entry, pf_busy(l));
	flush_old(op, l, va, old);
	pt_op_flush_now(op);
	put(op, entry, e);
	return old;
}
