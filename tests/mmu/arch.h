/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The rules of an architecture's MMU, written down again from its manual, one file each: it knows
 * what a leaf was meant to grant, and nothing of how format/ encodes that.
 */
#ifndef TESTS_MMU_ARCH_H
#define TESTS_MMU_ARCH_H

#include "port/bare/common/machine.h"

/* What is written into the entry of a table, above a leaf, to see that it counts. */
struct arch_upper {
	const char *name; /* NULL ends a list */
	uint64_t clear;   /* bits of the entry */
	uint64_t set;
	uint32_t takes; /* PT_READ, ...: what everything below may no longer do */
	bool absent;    /* there is no table any more */
	bool reserved;  /* the entry is malformed */
};

/* One access to one leaf. */
struct arch_case {
	const struct pt_format *format;
	unsigned level;        /* of the leaf */
	uint32_t flags;        /* of the leaf, as pt_attr has them, accessed and dirty included */
	uint32_t format_attrs; /* as pt_attr.format has them */
	uint32_t access;       /* PT_READ, PT_WRITE or PT_EXEC */
	bool user;
	uint32_t control;               /* number of a combination of control bits */
	uint32_t key;                   /* what the key of the leaf may do, see arch_key_states */
	const struct arch_upper *upper; /* NULL: the tables above grant everything */
	unsigned upper_level;
};

/* What comes of it. */
struct arch_outcome {
	bool fault;
	uint64_t code;  /* of the fault */
	uint32_t marks; /* PT_ACCESSED, PT_DIRTY of the leaf afterwards */
};

/* Does a fault's code say that nothing is mapped there. */
bool arch_is_unmapped(uint64_t code);

struct arch_outcome arch_expect(const struct arch_case *c);

/* Control bits, and whether this start's format and CPU have a combination that is to be tried. */
extern const unsigned arch_controls;
extern const char *const arch_control_names[];
bool arch_has_control(uint32_t control, const struct pt_format *format);
/* The one that all else runs under: the supervisor may read what is the user's. */
extern const uint32_t arch_default_control;

/* The combinations of rights that a key can be given, at least 1. The key of the tests is 5. */
extern const unsigned arch_key_states;
#define ARCH_KEY 5u

/* Sets the control bits and the rights of the key. */
void arch_set(uint32_t control, uint32_t key);

/* What can be written into entries of tables, and whether entries of a level have it. */
extern const struct arch_upper arch_uppers[];
bool arch_has_upper(const struct arch_upper *upper, unsigned level, const struct pt_format *format);

#endif
