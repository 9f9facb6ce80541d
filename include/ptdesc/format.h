/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Formats: what a page table of an architecture looks like in memory. A struct pt_format is all
 * that a program names; what entries look like is private to the format's own compiled copy of the
 * algorithms (format/entry_api.h).
 */
#ifndef PTDESC_FORMAT_H
#define PTDESC_FORMAT_H

#include <ptdesc/ptdesc.h>
#include <ptdesc/types.h>

/*
 * Attributes of a mapping: portable flags, and bits that only one format knows. A format publishes
 * which flags it can say; what it cannot is -PT_EATTR.
 */
typedef struct {
	uint32_t flags;  /* enum pt_attr_flags, memory type and key */
	uint32_t format; /* bits of the format's own, as its header defines them */
} pt_attr;

/* Rights, accessed and dirty are where x86 has them, so that most of its leaves take no shift. */
enum pt_attr_flags {
	PT_READ = 1u << 0,
	PT_WRITE = 1u << 1,
	PT_USER = 1u << 2,
	PT_EXEC = 1u << 3,
	PT_GLOBAL = 1u << 4,   /* the same in all spaces: survives a change of space */
	PT_ACCESSED = 1u << 5, /* set by the MMU, or by software before it maps */
	PT_DIRTY = 1u << 6,
	PT_SOFT = 1u << 7, /* a bit for the embedder, which the MMU ignores */
};

/* Memory types, a number in bits 8 to 10 of the flags. */
enum pt_memory_type {
	PT_TYPE_NORMAL = 0, /* write-back cacheable */
	PT_TYPE_WRITE_THROUGH = 1,
	PT_TYPE_UNCACHED_MINUS = 2, /* uncached unless the machine's ranges say write-combining */
	PT_TYPE_UNCACHED = 3,
	PT_TYPE_WRITE_COMBINING = 4,
	PT_TYPE_WRITE_PROTECT = 5,
	PT_TYPE_DEVICE = 6,
};

#define PT_ATTR_TYPE_AT   8
#define PT_ATTR_TYPE_MASK (7u << PT_ATTR_TYPE_AT)
#define PT_ATTR_KEY_AT    16
#define PT_ATTR_KEY_MASK  (255u << PT_ATTR_KEY_AT) /* protection key, 0: none */

static inline pt_attr pt_make_attr(uint32_t flags)
{
	pt_attr a;

	a.flags = flags;
	a.format = 0;
	return a;
}

static inline uint32_t pt_attr_type(enum pt_memory_type type)
{
	return (uint32_t)type << PT_ATTR_TYPE_AT;
}

static inline uint32_t pt_attr_key(unsigned key)
{
	return (uint32_t)key << PT_ATTR_KEY_AT;
}

/* How far an entry of a format was checked, best first. */
enum pt_judge {
	PT_JUDGED_HW,        /* an MMU that walks the tables itself */
	PT_JUDGED_SW,        /* a refill handler of ours */
	PT_JUDGED_REFERENCE, /* a second walker that shares no code */
};

enum pt_format_flags {
	PT_FORMAT_MMU_AD = 1u << 0, /* the MMU writes accessed and dirty bits */
	PT_FORMAT_BBM = 1u << 1,    /* break before make: no live entry is replaced by another */
	PT_FORMAT_SIGNED = 1u << 2, /* canonical: bits above the VA width repeat its top bit */
	PT_FORMAT_FAKE = 1u << 3,   /* no machine has it: for tests */
	/*
	 * The MMU loads all entries of the root into registers and walks from those: the tables
	 * below are made with the space, and a change of the root is flushed, linking included.
	 */
	PT_FORMAT_LOADED_ROOT = 1u << 4,
};

/* What one entry says. */
struct pt_entry_info {
	enum {
		PT_ENTRY_EMPTY,
		PT_ENTRY_TABLE,
		PT_ENTRY_LEAF,
		PT_ENTRY_BUSY,    /* being changed: readers and faults try again */
		PT_ENTRY_INVALID, /* reserved bits set, or impossible at this level */
	} kind;
	pt_pa pa;      /* of the table or the mapped memory; of the run, if its entries share one */
	uint64_t size; /* bytes that the entry maps, run excluded; leaves */
	pt_attr attr;  /* leaves */
	bool run;      /* one of a contiguous run */
	uint64_t run_size; /* bytes of that run; 0: there is none */
};

struct pt_format_ops; /* whole operations; space/ops.h */

/* A format: constants, and the operations compiled for its entries. */
struct pt_format {
	const char *name; /* stable: x86_64, x86_64-la57, ... */
	const char *what; /* one line for people */
	const struct pt_format_ops *ops;
	uint8_t page_shift;          /* log2 bytes of a level-0 leaf */
	uint8_t levels;              /* 2 to PT_MAX_LEVELS */
	uint8_t entry_bytes;         /* 4 or 8 */
	uint8_t va_bits;             /* width of a VA that can be translated */
	uint8_t pa_bits;             /* width of a PA that an entry holds */
	uint8_t keys;                /* protection keys, 0: none; key numbers are below it */
	uint8_t judge;               /* enum pt_judge */
	uint8_t flags;               /* enum pt_format_flags */
	uint8_t bits[PT_MAX_LEVELS]; /* log2 entries of a table of the level */
	uint32_t leaves;             /* bit l: level l can hold leaves */
	uint32_t attrs;              /* enum pt_attr_flags that can be said */
	uint32_t types;              /* bit t: memory type t can be said */
	uint32_t format_attrs;       /* bits of pt_attr.format that mean something */
	/*
	 * What must be in the register that gives memory types their meaning (IA32_PAT, MAIR_EL1)
	 * and in the one that chooses how tables are walked (CR4, TCR_EL1); 0: the machine has
	 * none. The format's header names their bits.
	 */
	uint64_t type_register;
	uint64_t control;
	const char *manual;                          /* where the layout was read */
	struct pt_table_class tables[PT_MAX_LEVELS]; /* by level */
};

/* log2 of the bytes that one entry of a level maps. */
static inline unsigned pt_format_shift(const struct pt_format *format, unsigned level)
{
	unsigned shift = format->page_shift;

	for (unsigned l = 0; l < level; l++)
		shift += format->bits[l];
	return shift;
}

PT_BEGIN_DECLS

/* The formats that this build links, ending with NULL; made by the build. */
extern const struct pt_format *const pt_formats[];

extern const struct pt_format pt_format_x86_64;
extern const struct pt_format pt_format_x86_64_la57;
extern const struct pt_format pt_format_i386;
extern const struct pt_format pt_format_i386_pae;
extern const struct pt_format pt_format_arm64_4k_48;
extern const struct pt_format pt_format_arm64_4k_39;
extern const struct pt_format pt_format_arm64_4k_52;
extern const struct pt_format pt_format_arm64_16k_36;
extern const struct pt_format pt_format_arm64_16k_47;
extern const struct pt_format pt_format_arm64_16k_48;
extern const struct pt_format pt_format_arm64_64k_42;
extern const struct pt_format pt_format_arm64_64k_48;
extern const struct pt_format pt_format_arm64_64k_52;
extern const struct pt_format pt_format_riscv_sv39;
extern const struct pt_format pt_format_riscv_sv48;
extern const struct pt_format pt_format_riscv_sv57;
extern const struct pt_format pt_format_riscv_sv39_napot;
extern const struct pt_format pt_format_riscv_sv48_napot;
extern const struct pt_format pt_format_riscv_sv57_napot;
extern const struct pt_format pt_format_riscv_sv32;
extern const struct pt_format pt_format_fake8;
extern const struct pt_format pt_format_fake4;

/* The linked format of that name, or NULL. */
const struct pt_format *pt_format_find(const char *name);

/* What an entry says at a level (below format->levels; -PT_EINVAL). Pure; any context. */
PT_MUST_CHECK int pt_entry_decode(const struct pt_format *format, uint64_t entry, unsigned level,
    struct pt_entry_info *info);

/*
 * A leaf entry. -PT_EATTR, -PT_EPA (too wide), -PT_EALIGN, -PT_EINVAL (level, flags). flags:
 * PT_RELAX. Pure.
 */
PT_MUST_CHECK int pt_entry_encode(const struct pt_format *format, pt_pa pa, unsigned level,
    pt_attr attr, uint32_t flags, uint64_t *entry);

PT_END_DECLS

#endif
