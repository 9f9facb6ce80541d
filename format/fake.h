/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Two formats that no machine has, for tests and for the explorer: small enough that a scenario is
 * a few entries, and different at every level, so that code which takes an entry for one of another
 * level, or of the other byte order, reads nonsense at once. This comment is their manual: the
 * reference walkers of tests/reference/ are written from it and not from the code below.
 *
 * Both have pages and frames of 64 bytes, so that one memory can hold spaces of either.
 *
 *                   fake8                               fake4
 *   entry           8 bytes, little endian              4 bytes, big endian
 *   levels          4                                   3
 *   entries         4, 8, 16, 8 (level 0 upwards)       4, 16, 32
 *   table bytes     32 (half a frame), 64, 128, 64      16 (quarter of a frame), 64, 128
 *   VA              18 bits, sign-extended              17 bits, those above are 0
 *   PA              48 bits                             24 bits
 *   leaves          levels 0, 1, 2                      levels 0, 1
 *   runs            2 entries at level 0                none
 *   A and D         the MMU writes them                 software does
 *   changing        any entry by any other              break before make
 *   root register   PA of the root + number of levels   PA of the root / 128
 *   root below      anywhere                            8 MiB
 *
 * Bits 3:0 of an entry are its code: what it is, and of which level. A code that is not of the
 * entry's level is invalid, and so are 0 and 15 at every level.
 *
 *                   fake8, levels 0 1 2 3               fake4, levels 0 1 2
 *   leaf            9 3 c -                             6 9 -
 *   table           - 6 a 5                             - 3 c
 *   empty           7 d 2 b                             a 1 e
 *   busy            e, every level                      5, every level
 *
 * Empty and busy are whole values; an entry with their code and other bits is invalid:
 *   fake8  empty    level 0 e0e0e0e0e0e0e0e7, level 1 e1e1e1e1e1e1e1ed,
 *                   level 2 e2e2e2e2e2e2e2e2, level 3 e3e3e3e3e3e3e3eb; busy b5b5b5b5b5b5b5be
 *   fake4  empty    level 0 1f2e3d4a, level 1 2b3c4d51, level 2 3c4b5a6e; busy 77665545
 *
 * A table entry has the number of the table: its PA / 32 in fake8, / 16 in fake4. Tables are
 * aligned to their size: an entry that points between is invalid. Only leaves limit rights.
 *   fake8           level 1: bits 57:15, level 2: 50:8, level 3: 61:19
 *   fake4           level 1: bits 27:8, level 2: 31:12
 *
 * A leaf has the number of its first frame, aligned to what it maps, and attributes, bit by bit:
 * R read, W write, X execute, U user, G global, A accessed, D dirty, S soft; T type, K key, F of
 * the format's own (T1 the high bit, T0 the low one). A ~ says: stored inverted.
 *   fake8 level 0   frame 55:14; W 4, R 5, D 6, A 7, X 8, U 9, G 10, S 11, T0 12, T1 13, K0 56,
 *                   K1 57, F0 58, F1 59, run 60
 *   fake8 level 1   frame 61:20; A 4, ~X 5, U 6, ~W 7, G 8, D 9, R 10, S 11, K0 12, K1 13, F0 14,
 *                   F1 15, T1 16, T0 17
 *   fake8 level 2   frame 50:9; U 4, S 5, R 6, G 7, X 8, W 51, ~D 52, ~A 53, F1 54, F0 55, K1 56,
 *                   K0 57, T0 58, T1 59
 *   fake4 level 0   frame 27:10; ~X 4, W 5, U 6, D 7, A 8, S 9, T 28
 *   fake4 level 1   frame 30:13; T 4, S 5, A 6, ~W 7, D 8, U 9, X 10
 * All other bits of tables and leaves are reserved and 0.
 *
 * Types of fake8: 0 uncached, 1 device, 2 normal, 3 write-combining; of fake4: 0 uncached, 1
 * normal. In fake8 W without R is reserved; X alone is execute-only, none of the three is a leaf
 * that nobody may touch. In fake4 every leaf may be read, and there is no global, key or F.
 *
 * A run of fake8 is an even entry of level 0 and the next one. Both carry the mark; their frames
 * are neighbours, the first number even; their attributes are the same but for A and D, which the
 * MMU may write in either.
 */
#ifndef PTDESC_FORMAT_FAKE_H
#define PTDESC_FORMAT_FAKE_H

#include <ptdesc/format.h>

#define PF_PAGE_SHIFT 6
#define FAKE_CODE     15u /* mask of an entry's code */

/* FAKE says which of the two: 8 or 4. */
#if FAKE == 8

typedef uint64_t pf_entry;
#define PF_ENTRY_BITS     64
#define FAKE_PA_BITS      48
#define FAKE_TABLE_UNIT   5 /* log2 bytes that table numbers count */
#define FAKE_LEVELS       4
#define FAKE_BUSY         UINT64_C(0xb5b5b5b5b5b5b5be)
#define FAKE_EMPTY_0      UINT64_C(0xe0e0e0e0e0e0e0e7)
#define FAKE_EMPTY_1      UINT64_C(0xe1e1e1e1e1e1e1ed)
#define FAKE_EMPTY_2      UINT64_C(0xe2e2e2e2e2e2e2e2)
#define FAKE_EMPTY_3      UINT64_C(0xe3e3e3e3e3e3e3eb)
#define FAKE_RUN          (UINT64_C(1) << 60) /* level 0 */
#define FAKE_KEYS         4u
#define FAKE_FORMAT_ATTRS 3u

/* Attributes in the order of a packed word, which is that of pt_attr.flags. */
enum fake_attr {
	FAKE_R,
	FAKE_W,
	FAKE_U,
	FAKE_X,
	FAKE_G,
	FAKE_A,
	FAKE_D,
	FAKE_S,
	FAKE_T0,
	FAKE_T1,
	FAKE_K0,
	FAKE_K1,
	FAKE_F0,
	FAKE_F1,
	FAKE_ATTR_COUNT,
};

#else

typedef uint32_t pf_entry;
#define PF_ENTRY_BITS   32
#define PF_BIG_ENDIAN   1
#define PF_BBM          1
#define FAKE_PA_BITS    24
#define FAKE_TABLE_UNIT 4
#define FAKE_LEVELS     3
#define FAKE_BUSY       UINT32_C(0x77665545)
#define FAKE_EMPTY_0    UINT32_C(0x1f2e3d4a)
#define FAKE_EMPTY_1    UINT32_C(0x2b3c4d51)
#define FAKE_EMPTY_2    UINT32_C(0x3c4b5a6e)

enum fake_attr {
	FAKE_W,
	FAKE_U,
	FAKE_X,
	FAKE_A,
	FAKE_D,
	FAKE_S,
	FAKE_T,
	FAKE_ATTR_COUNT,
};

#endif

/* All that differs between levels. Above the root it is 0: the template is compiled for more. */
struct fake_level {
	pf_entry empty;
	uint16_t flip; /* packed attributes that are stored inverted */
	uint8_t bits;  /* log2 entries */
	uint8_t shift; /* log2 bytes that an entry maps */
	uint8_t leaf;  /* code; 0: no leaves */
	uint8_t table; /* code; 0: no tables */
	uint8_t frame_at;
	uint8_t table_at;
	uint8_t at[FAKE_ATTR_COUNT]; /* bit number of each attribute */
};

static const struct fake_level fake_levels[PT_MAX_LEVELS] = {
#if FAKE == 8
	{FAKE_EMPTY_0, 0, 2, 6, 0x9, 0, 14, 0, {5, 4, 9, 8, 10, 7, 6, 11, 12, 13, 56, 57, 58, 59}},
	{FAKE_EMPTY_1, 1u << FAKE_W | 1u << FAKE_X, 3, 8, 0x3, 0x6, 20, 15,
		{10, 7, 6, 5, 8, 4, 9, 11, 17, 16, 12, 13, 14, 15}},
	{FAKE_EMPTY_2, 1u << FAKE_A | 1u << FAKE_D, 4, 11, 0xc, 0xa, 9, 8,
		{6, 51, 4, 8, 7, 53, 52, 5, 58, 59, 57, 56, 55, 54}},
	{FAKE_EMPTY_3, 0, 3, 15, 0, 0x5, 0, 19, {0}},
#else
	{FAKE_EMPTY_0, 1u << FAKE_X, 2, 6, 0x6, 0, 10, 0, {5, 6, 4, 8, 7, 9, 28}},
	{FAKE_EMPTY_1, 1u << FAKE_W, 4, 8, 0x9, 0x3, 13, 8, {7, 9, 10, 6, 8, 5, 4}},
	{FAKE_EMPTY_2, 0, 5, 12, 0, 0xc, 0, 12, {0}},
#endif
};

static inline unsigned pf_bits(unsigned l)
{
	return fake_levels[l].bits;
}

static inline unsigned pf_shift(unsigned l)
{
	return fake_levels[l].shift;
}

static inline pf_entry pf_empty(unsigned l)
{
	return fake_levels[l].empty;
}

/* The same for all levels: pf_store does not know the level of what it stores. */
static inline pf_entry pf_busy(unsigned l)
{
	(void)l;
	return FAKE_BUSY;
}

static inline bool pf_is_table(pf_entry e, unsigned l)
{
	return fake_levels[l].table && (e & FAKE_CODE) == fake_levels[l].table;
}

static inline bool pf_is_leaf(pf_entry e, unsigned l)
{
	return fake_levels[l].leaf && (e & FAKE_CODE) == fake_levels[l].leaf;
}

/* Bits of a table number, in place. */
static inline pf_entry fake_table_mask(unsigned l)
{
	return (((pf_entry)1 << (FAKE_PA_BITS - FAKE_TABLE_UNIT)) - 1) << fake_levels[l].table_at;
}

/* Bits of a frame number, in place. */
static inline pf_entry fake_frame_mask(unsigned l)
{
	return (((pf_entry)1 << (FAKE_PA_BITS - PF_PAGE_SHIFT)) - 1) << fake_levels[l].frame_at;
}

static inline uint64_t pf_table_pa(pf_entry e, unsigned l)
{
	return (uint64_t)((e & fake_table_mask(l)) >> fake_levels[l].table_at) << FAKE_TABLE_UNIT;
}

static inline uint64_t pf_leaf_pa(pf_entry e, unsigned l)
{
	return (uint64_t)((e & fake_frame_mask(l)) >> fake_levels[l].frame_at) << PF_PAGE_SHIFT;
}

static inline pf_entry pf_make_table(uint64_t pa, unsigned l)
{
	return (pf_entry)(pa >> FAKE_TABLE_UNIT) << fake_levels[l].table_at | fake_levels[l].table;
}

static inline pf_entry pf_make_leaf(uint64_t pa, unsigned l, pf_entry bits)
{
	return (pf_entry)(pa >> PF_PAGE_SHIFT) << fake_levels[l].frame_at | bits;
}

/* A leaf's bits from packed attributes, and back. */
static inline pf_entry fake_scatter(uint32_t packed, unsigned l)
{
	pf_entry e = fake_levels[l].leaf;

	packed ^= fake_levels[l].flip;
	for (unsigned i = 0; i < FAKE_ATTR_COUNT; i++)
		e |= (pf_entry)(packed >> i & 1) << fake_levels[l].at[i];
	return e;
}

static inline uint32_t fake_collect(pf_entry e, unsigned l)
{
	uint32_t packed = 0;

	for (unsigned i = 0; i < FAKE_ATTR_COUNT; i++)
		packed |= (uint32_t)(e >> fake_levels[l].at[i] & 1) << i;
	return packed ^ fake_levels[l].flip;
}

/* Bits that attributes of a leaf occupy. */
static inline pf_entry fake_attr_mask(unsigned l)
{
	pf_entry mask = 0;

	for (unsigned i = 0; i < FAKE_ATTR_COUNT; i++)
		mask |= (pf_entry)1 << fake_levels[l].at[i];
	return mask;
}

/* One attribute of a leaf. */
static inline bool fake_get(pf_entry e, unsigned l, enum fake_attr which)
{
	return (e >> fake_levels[l].at[which] & 1) != (fake_levels[l].flip >> which & 1);
}

static inline pf_entry fake_put(pf_entry e, unsigned l, enum fake_attr which, bool value)
{
	pf_entry bit = (pf_entry)1 << fake_levels[l].at[which];
	bool set = value != (bool)(fake_levels[l].flip >> which & 1);

	return set ? e | bit : e & ~bit;
}

static inline unsigned fake_type_of(pt_attr attr)
{
	return (attr.flags & PT_ATTR_TYPE_MASK) >> PT_ATTR_TYPE_AT;
}

#if FAKE == 8

#define FAKE_ATTRS                                                                                 \
	(PT_READ | PT_WRITE | PT_EXEC | PT_USER | PT_GLOBAL | PT_ACCESSED | PT_DIRTY | PT_SOFT)
#define FAKE_TYPES                                                                                 \
	(1u << PT_TYPE_NORMAL | 1u << PT_TYPE_UNCACHED | 1u << PT_TYPE_WRITE_COMBINING |           \
	    1u << PT_TYPE_DEVICE)

static inline int fake_pack(pt_attr attr, uint32_t *packed)
{
	static const uint8_t type[8] = {
		[PT_TYPE_NORMAL] = 2,
		[PT_TYPE_DEVICE] = 1,
		[PT_TYPE_WRITE_COMBINING] = 3,
	};
	unsigned key = (attr.flags & PT_ATTR_KEY_MASK) >> PT_ATTR_KEY_AT;

	if ((attr.flags & ~(FAKE_ATTRS | PT_ATTR_TYPE_MASK | PT_ATTR_KEY_MASK)) ||
	    !(FAKE_TYPES >> fake_type_of(attr) & 1) || key >= FAKE_KEYS ||
	    attr.format > FAKE_FORMAT_ATTRS || (attr.flags & (PT_READ | PT_WRITE)) == PT_WRITE)
		return -PT_EATTR;
	*packed = (attr.flags & FAKE_ATTRS) | (uint32_t)type[fake_type_of(attr)] << FAKE_T0 |
		  key << FAKE_K0 | attr.format << FAKE_F0;
	return 0;
}

static inline pt_attr fake_unpack(uint32_t packed)
{
	static const uint8_t type[4] = {PT_TYPE_UNCACHED, PT_TYPE_DEVICE, PT_TYPE_NORMAL,
		PT_TYPE_WRITE_COMBINING};
	pt_attr a;

	a.flags = (packed & FAKE_ATTRS) | (uint32_t)type[packed >> FAKE_T0 & 3] << PT_ATTR_TYPE_AT |
		  (packed >> FAKE_K0 & 3) << PT_ATTR_KEY_AT;
	a.format = packed >> FAKE_F0 & FAKE_FORMAT_ATTRS;
	return a;
}

/* A type that cannot be said becomes uncached, which promises a driver no less; a key none. */
static inline pt_attr pf_attr_relax(pt_attr attr, unsigned l)
{
	unsigned type = fake_type_of(attr);

	(void)l;
	if (attr.flags & PT_WRITE)
		attr.flags |= PT_READ;
	if (!(FAKE_TYPES >> type & 1) && type <= PT_TYPE_DEVICE)
		attr.flags = (attr.flags & ~PT_ATTR_TYPE_MASK) | pt_attr_type(PT_TYPE_UNCACHED);
	if ((attr.flags & PT_ATTR_KEY_MASK) >= pt_attr_key(FAKE_KEYS))
		attr.flags &= ~PT_ATTR_KEY_MASK;
	attr.format &= FAKE_FORMAT_ATTRS;
	return attr;
}

static inline uint64_t pf_root_value(uint64_t pa, unsigned levels)
{
	return pa + levels;
}

static inline unsigned pf_run_shift(unsigned l)
{
	return l == 0;
}
#define pf_run_shift pf_run_shift

static inline bool pf_run(pf_entry e, unsigned l)
{
	return l == 0 && (e & FAKE_RUN);
}

static inline pf_entry pf_set_run(pf_entry e, unsigned l, bool run)
{
	if (l != 0)
		return e;
	return run ? e | FAKE_RUN : e & ~FAKE_RUN;
}

/* Bits of a leaf besides code, frame and attributes. */
static inline pf_entry fake_other_mask(unsigned l)
{
	return l == 0 ? FAKE_RUN : 0;
}

static inline bool fake_possible(pf_entry e, unsigned l)
{
	return fake_get(e, l, FAKE_R) || !fake_get(e, l, FAKE_W);
}

#else

#define FAKE_ATTRS (PT_READ | PT_WRITE | PT_EXEC | PT_USER | PT_ACCESSED | PT_DIRTY | PT_SOFT)
#define FAKE_TYPES (1u << PT_TYPE_NORMAL | 1u << PT_TYPE_UNCACHED)

static inline int fake_pack(pt_attr attr, uint32_t *packed)
{
	unsigned type = fake_type_of(attr);

	if ((attr.flags & ~(FAKE_ATTRS | PT_ATTR_TYPE_MASK)) || !(FAKE_TYPES >> type & 1) ||
	    attr.format || !(attr.flags & PT_READ))
		return -PT_EATTR;
	*packed = (attr.flags & (PT_WRITE | PT_EXEC | PT_USER)) >> 1 |
		  (attr.flags & (PT_ACCESSED | PT_DIRTY | PT_SOFT)) >> 2 |
		  (type == PT_TYPE_NORMAL) << FAKE_T;
	return 0;
}

static inline pt_attr fake_unpack(uint32_t packed)
{
	pt_attr a;

	a.flags = PT_READ | (packed << 1 & (PT_WRITE | PT_EXEC | PT_USER)) |
		  (packed << 2 & (PT_ACCESSED | PT_DIRTY | PT_SOFT)) |
		  (packed >> FAKE_T & 1 ? 0 : pt_attr_type(PT_TYPE_UNCACHED));
	a.format = 0;
	return a;
}

/* Without a global mark translations only live shorter; without a key nothing is denied. */
static inline pt_attr pf_attr_relax(pt_attr attr, unsigned l)
{
	unsigned type = fake_type_of(attr);

	(void)l;
	attr.flags |= PT_READ;
	attr.flags &= ~(PT_GLOBAL | PT_ATTR_KEY_MASK);
	if (!(FAKE_TYPES >> type & 1) && type <= PT_TYPE_DEVICE)
		attr.flags = (attr.flags & ~PT_ATTR_TYPE_MASK) | pt_attr_type(PT_TYPE_UNCACHED);
	attr.format = 0;
	return attr;
}

static inline uint64_t pf_root_value(uint64_t pa, unsigned levels)
{
	(void)levels;
	return pa >> 7;
}

static inline pf_entry fake_other_mask(unsigned l)
{
	(void)l;
	return 0;
}

static inline bool fake_possible(pf_entry e, unsigned l)
{
	(void)e;
	(void)l;
	return true;
}

#endif

static inline int pf_attr_make(pt_attr attr, unsigned l, pf_entry *bits)
{
	uint32_t packed;
	int err = fake_pack(attr, &packed);

	if (err)
		return err;
	*bits = fake_scatter(packed, l);
	return 0;
}

static inline pt_attr pf_attr_of(pf_entry e, unsigned l)
{
	return fake_unpack(fake_collect(e, l));
}

static inline pf_entry pf_attr_bits(pf_entry e, unsigned l)
{
	return e & (FAKE_CODE | fake_attr_mask(l));
}

static inline pf_entry pf_attr_relevel(pf_entry bits, unsigned from, unsigned to)
{
	return fake_scatter(fake_collect(bits, from), to);
}

static inline bool pf_accessed(pf_entry e, unsigned l)
{
	return fake_get(e, l, FAKE_A);
}

static inline bool pf_dirty(pf_entry e, unsigned l)
{
	return fake_get(e, l, FAKE_D);
}

static inline bool pf_writable(pf_entry e, unsigned l)
{
	return fake_get(e, l, FAKE_W);
}

static inline pf_entry pf_set_ad(pf_entry e, unsigned l, bool accessed, bool dirty)
{
	return fake_put(fake_put(e, l, FAKE_A, accessed), l, FAKE_D, dirty);
}

static inline pf_entry pf_wrprotect(pf_entry e, unsigned l)
{
	return fake_put(e, l, FAKE_W, false);
}

/* The run mark stays: it belongs to the place, not to the attributes. */
static inline pf_entry pf_set_attr(pf_entry e, unsigned l, pf_entry bits)
{
	bits = pf_set_ad(bits, l, pf_accessed(e, l), pf_dirty(e, l));
	return (e & ~(FAKE_CODE | fake_attr_mask(l))) | bits;
}

/* Frame bits that a leaf of this level must leave 0. */
static inline pf_entry fake_low_frames(unsigned l)
{
	pf_entry frames = ((pf_entry)1 << (pf_shift(l) - PF_PAGE_SHIFT)) - 1;

	return frames << fake_levels[l].frame_at;
}

static inline bool fake_table_valid(pf_entry e, unsigned l)
{
	uint64_t bytes = (uint64_t)sizeof(pf_entry) << pf_bits(l - 1);

	return !(e & ~(FAKE_CODE | fake_table_mask(l))) && !(pf_table_pa(e, l) & (bytes - 1));
}

static inline bool fake_leaf_valid(pf_entry e, unsigned l)
{
	pf_entry known = FAKE_CODE | (fake_frame_mask(l) & ~fake_low_frames(l)) |
			 fake_attr_mask(l) | fake_other_mask(l);

	return !(e & ~known) && fake_possible(e, l);
}

static inline bool pf_valid(pf_entry e, unsigned l)
{
	if (pf_is_table(e, l))
		return fake_table_valid(e, l);
	if (pf_is_leaf(e, l))
		return fake_leaf_valid(e, l);
	return e == pf_empty(l) || e == pf_busy(l);
}
#define pf_valid pf_valid

#endif
