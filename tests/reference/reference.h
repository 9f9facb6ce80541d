/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A second reader of page tables, written from the manuals alone: it shares no code, no constant
 * and no table with format/ and space/, so that a mistake there is not repeated here. It only
 * reads, keeps no state, and calls no library. Tests hold the library's answers against it; the
 * tool counts tables with it.
 *
 * Nothing may write the tables meanwhile: entries are read byte by byte.
 */
#ifndef TESTS_REFERENCE_REFERENCE_H
#define TESTS_REFERENCE_REFERENCE_H

#include <ptdesc/format.h>

#define REF_MAX_LEVELS 6

/* Where physical memory is. */
struct ref_memory {
	/* The bytes [pa, pa + size), which lie within one frame; NULL: there is no memory. */
	const void *(*at)(void *ctx, uint64_t pa, size_t size);
	void *ctx;
};

enum ref_status {
	REF_OK = 0,
	REF_NO_FORMAT,     /* no format of that name */
	REF_NOT_CANONICAL, /* the address cannot be translated */
	REF_NOT_MAPPED,
	REF_BUSY_ENTRY, /* an entry that is being changed */
	REF_BAD_ENTRY,  /* reserved bits, an impossible entry, or a broken run */
	REF_NO_MEMORY,  /* a table where there is no memory */
	REF_STOPPED,    /* the callback ended the visit */
};

enum ref_kind {
	REF_EMPTY,
	REF_TABLE,
	REF_LEAF,
	REF_BUSY,
	REF_INVALID,
};

/* What one entry says. */
struct ref_entry {
	enum ref_kind kind;
	uint64_t pa; /* of the table or the mapped memory */
	/*
	 * As pt_attr.flags. Leaves: rights, accessed, dirty, type, key. Tables: the rights that
	 * what lies below can have at most.
	 */
	uint32_t flags;
	uint32_t format; /* leaves: as pt_attr.format */
	bool run;        /* marked as part of a contiguous run */
};

#define REF_RIGHTS (PT_READ | PT_WRITE | PT_EXEC | PT_USER)

/* A leaf, and where it was found. Its rights are those that all tables above leave it. */
struct ref_result {
	uint64_t va;       /* first address of the leaf; ref_walk: the one asked for */
	uint64_t pa;       /* what that address translates to */
	uint64_t size;     /* bytes of the leaf, run excluded */
	uint64_t run_size; /* bytes of the run that it is part of; else as size */
	unsigned level;
	uint64_t entry_pa; /* where the entry is */
	uint64_t raw;      /* the entry as a number */
	struct ref_entry entry;
};

/* A format as its manual describes it. */
struct ref_format {
	const char *name;
	unsigned page_shift;
	unsigned levels;
	unsigned entry_bytes;
	bool big_endian;
	bool sign_extended;
	unsigned index_bits[REF_MAX_LEVELS]; /* log2 entries of a table */
	unsigned run_shift[REF_MAX_LEVELS];  /* log2 entries of a run; 0: no runs */
	bool run_one_address; /* all entries of a run hold its address, else each its own */
	struct ref_entry (*decode)(uint64_t raw, unsigned level);
	/* Whether a leaf of the format can have exactly these attributes. */
	bool (*can_say)(uint32_t flags, uint32_t format);
	/* The root's address out of the MMU's register. */
	uint64_t (*root)(uint64_t value);
};

/* The format of that name, NULL: none. */
const struct ref_format *ref_find(const char *name);

/* What va translates to, in the tables below root (a physical address). */
enum ref_status ref_walk(const struct ref_memory *memory, const char *format, uint64_t root,
    uint64_t va, struct ref_result *result);

/*
 * Visits every table, the root included, and every leaf, in address order; a table that two entries
 * point to is visited twice. Either function may be NULL; non-zero ends the visit (REF_STOPPED).
 * A bad or busy entry ends it too; *bad (may be NULL) says where: va, level, entry_pa, raw.
 */
struct ref_visitor {
	int (*table)(void *ctx, uint64_t va, uint64_t pa, unsigned level);
	int (*leaf)(void *ctx, const struct ref_result *leaf);
	void *ctx;
};
enum ref_status ref_visit(const struct ref_memory *memory, const char *format, uint64_t root,
    const struct ref_visitor *visitor, struct ref_result *bad);

/* Calls fn for every leaf. */
enum ref_status ref_for_each(const struct ref_memory *memory, const char *format, uint64_t root,
    int (*fn)(void *ctx, const struct ref_result *leaf), void *ctx);

/* counts[l]: tables of level l, the root included. */
enum ref_status ref_count_tables(const struct ref_memory *memory, const char *format, uint64_t root,
    uint64_t counts[REF_MAX_LEVELS]);

extern const struct ref_format ref_x86_64;
extern const struct ref_format ref_x86_64_la57;
extern const struct ref_format ref_i386;
extern const struct ref_format ref_i386_pae;
extern const struct ref_format ref_arm64_4k_48;
extern const struct ref_format ref_arm64_4k_39;
extern const struct ref_format ref_arm64_4k_52;
extern const struct ref_format ref_arm64_16k_36;
extern const struct ref_format ref_arm64_16k_47;
extern const struct ref_format ref_arm64_16k_48;
extern const struct ref_format ref_arm64_64k_42;
extern const struct ref_format ref_arm64_64k_48;
extern const struct ref_format ref_arm64_64k_52;
extern const struct ref_format ref_riscv_sv39;
extern const struct ref_format ref_riscv_sv48;
extern const struct ref_format ref_riscv_sv57;
extern const struct ref_format ref_riscv_sv39_napot;
extern const struct ref_format ref_riscv_sv48_napot;
extern const struct ref_format ref_riscv_sv57_napot;
extern const struct ref_format ref_riscv_sv32;
extern const struct ref_format ref_fake8;
extern const struct ref_format ref_fake4;

#endif
