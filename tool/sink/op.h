/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Operations on page tables as values, what they do, and what is counted of them. Freestanding:
 * the tool does them in simulated memory (sink.h), a bare machine on tables that its MMU walks.
 */
#ifndef TOOL_SINK_OP_H
#define TOOL_SINK_OP_H

#include <ptdesc/space.h>
#include <stdbool.h>
#include <stdint.h>

enum sink_kind {
	SINK_NEW,      /* makes a space */
	SINK_DESTROY,  /* ends it, with all it maps: arg is the digest of end pages (sink_digest) */
	SINK_MAP,      /* [va, +size) to [arg, +size), level-0 leaves */
	SINK_MAP_HUGE, /* the same by leaves of level 1 */
	SINK_REPLACE,  /* SINK_MAP over what is there */
	SINK_POPULATE, /* tables down to level, empty */
	SINK_UNMAP,    /* leaves go, tables stay */
	SINK_PRUNE,    /* empty tables whose range lies within [arg, end) go; end 0: no limit */
	SINK_PROTECT,  /* other attributes */
	SINK_SPLIT,    /* leaves of level 1 into leaves of level 0 */
	SINK_COPY,     /* into the space other: fork */
	SINK_MOVE,     /* to arg */
	SINK_KINDS,
	/* No operation but a question: is there at va what flags (enum sink_look) and arg say? */
	SINK_LOOK = SINK_KINDS,
};

enum sink_look {
	SINK_LOOK_MAPPED = 1u << 0,      /* to arg; else nothing is */
	SINK_LOOK_WRITE = 1u << 1,       /* it may be written */
	SINK_LOOK_WRITE_KNOWN = 1u << 2, /* the bit before means something */
};

struct sink_op {
	uint8_t kind;   /* enum sink_kind */
	uint8_t level;  /* SINK_POPULATE */
	uint16_t flags; /* enum pt_flags, beyond those that the kind has anyway */
	uint32_t space;
	uint32_t other; /* SINK_COPY: the target */
	uint32_t task;  /* of the recorded program, that asked for it; set by sink_do */
	pt_attr attr;   /* SINK_MAP, SINK_REPLACE, SINK_PROTECT */
	uint64_t va;
	uint64_t size;
	uint64_t arg;
	uint64_t end;
};

/*
 * Does an operation on ranges: all but SINK_NEW, SINK_DESTROY and SINK_LOOK. other is the space of
 * that number, where there is one. 0, or the library's error; nothing has changed then.
 */
int sink_apply(struct pt_space *space, struct pt_space *other, const struct sink_op *op);

/* Does the library answer a SINK_LOOK as it should? */
bool sink_answers(const struct pt_space *space, const struct sink_op *look);

/* Names for people: "map", "unmap" ... */
const char *sink_kind_name(enum sink_kind kind);

/*
 * What a sequence of operations comes to. Two that do the same, on whatever machine, have all of it
 * in common: digest is made of the tables of every level after every operation.
 */
struct sink_counts {
	uint64_t operations;
	uint64_t looks;
	uint64_t kinds[SINK_KINDS];     /* operations of each kind */
	uint64_t pages[SINK_KINDS];     /* of the format, in their ranges */
	uint64_t alive;                 /* spaces now */
	uint64_t most_alive;            /* at once */
	uint64_t tables[PT_MAX_LEVELS]; /* of all spaces, now */
	uint64_t peak[PT_MAX_LEVELS];   /* when there were most of them, for the first time */
	uint64_t digest;
};

/*
 * Around each operation that succeeds: the spaces that it may change (NULL: there is none) leave
 * before it and enter after it; then it is noted.
 */
void sink_counts_leave(struct sink_counts *counts, const struct pt_space *space);
void sink_counts_enter(struct sink_counts *counts, const struct pt_space *space);
void sink_counts_note(struct sink_counts *counts, const struct sink_op *op, unsigned page_shift);

uint64_t sink_tables(const uint64_t tables[PT_MAX_LEVELS]);

#endif
