/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Replaying a trace on a format: the library does what the program did, and is compared.
 *
 * An event of the trace (follow.c) becomes, by the kernel's rules (calls.c, remap.c,
 * seen.c; docs/replay-rules.md has their numbers), changes of pages and tables (pages.h), each of
 * which is made twice: in the library, by way of a sink, and in the plain model that it is compared
 * with (shadow.h, verify.c). VmPTE is compared with what the library counts, and used for nothing
 * else.
 */
#ifndef TOOL_REPLAY_REPLAY_H
#define TOOL_REPLAY_REPLAY_H

#include <stdio.h>

#include "tool/replay/place.h"
#include "tool/replay/shadow.h"
#include "tool/replay/vmas.h"
#include "tool/sink/sink.h"
#include "tool/tlb/tlb.h"
#include "tool/trace/trace.h"

/* Rules that can be left out, by their number in docs/replay-rules.md: to see what they are for. */
#define REPLAY_RULES 14u

/* Levels whose tables VmPTE counts (rule 1): not the root, nor what is above three levels. */
#define VMPTE_LEVELS 3u

enum replay_thp {
	REPLAY_THP_RECORDED,
	REPLAY_THP_NEVER,
	REPLAY_THP_ALWAYS,
};

struct replay_options {
	const struct pt_format *format;
	enum replay_thp thp;
	bool no_checkpoint_scans; /* pages are known from faults and scans before calls alone */
	bool keep;                /* operations are kept, to be timed */
	struct sink_log *log;     /* they are written there, with questions among them; or NULL */
	uint64_t room;            /* addresses from here on are not the program's; 0: none */
	bool tlb;                 /* each fault is an access through the TLB of its thread's CPU */
	unsigned threads;         /* most that do it all again at once, if keep; 0, 1: none do */
	uint32_t without;         /* bit n: rule n is left out */
};

/* The first checkpoint at which the kernel's number of tables and the library's differ. */
struct replay_difference {
	bool found;
	uint64_t checkpoint; /* number, from 1 */
	uint32_t space;
	uint32_t pid;
	char name[TRACE_NAME];
	char call[160];  /* last call of the space before it */
	uint64_t kernel; /* tables */
	uint64_t ours[PT_MAX_LEVELS];
	uint64_t needed[VMPTE_LEVELS]; /* by the pages that the last scan before it showed */
	uint64_t va; /* a region for which a table is held and no page is known; 0: none */
};

/* What was counted. */
struct replay_result {
	uint64_t events[TRACE_KINDS];
	uint64_t spaces;
	uint64_t checkpoints; /* that can be compared */
	uint64_t equal;
	uint64_t explained; /* differ by what the kernel changed by itself, as recorded */
	uint64_t naive;     /* at which a table for each region with a page would be right */
	uint64_t naive_of;  /* for which that could be seen */
	uint64_t moved;     /* VmPTE would not stand still: not compared */
	uint64_t lost;      /* samples */
	uint64_t kernel_changes;
	uint64_t sum_tables; /* kernel's tables over all compared checkpoints */
	uint64_t by_fault;   /* leaf tables that a fault made, ... */
	uint64_t by_call_scan;
	uint64_t by_scan;
	uint64_t not_fitting; /* pages that a narrower space has no room for */
	uint64_t operations;
	struct replay_difference first;
	/* At the checkpoint with most pages, over all spaces alive. */
	uint64_t tables[PT_MAX_LEVELS];
	uint64_t table_bytes;
	uint64_t descriptor_bytes;
	uint64_t resident; /* bytes of pages of the format, spaces added up */
	uint64_t touched;  /* bytes of pages of the recorded machine, likewise */
	double walk_depth; /* tables read to reach a byte, mean over resident bytes */
	/* Over the whole replay. */
	uint64_t hits; /* tables from a CPU's magazine */
	uint64_t misses;
	uint64_t flushes;
	uint64_t relaxed;  /* attributes that the format could not say exactly */
	uint64_t verified; /* pages compared with the plain model */
	char wrong[200];   /* what a check or a call of the library found wrong; "": nothing */
	bool cut;          /* the trace has no end: the recorder was killed */
	int status;        /* the program's */
	struct sink_times times;
	struct sink_crew crew; /* threads 0: not asked for; 1: the program had one */
	struct tlb_counts tlb; /* machine NULL: there are none */
	const char *machine;   /* whose sizes the TLBs have */
};

/* One recorded address space. */
struct mirror {
	uint32_t number;
	uint32_t pid;
	char name[TRACE_NAME];
	char call[160]; /* the last one, for people */
	uint32_t task;  /* of the last event that tells it */
	struct vmas vmas;
	struct shadow shadow;
	struct place place;
	uint64_t naive[VMPTE_LEVELS]; /* tables by the naive rule at the last full scan */
	int64_t change;               /* tables that the kernel changed by itself, as recorded */
	bool seen;                    /* there was one since the last checkpoint */
	bool edited;     /* vmas.now was changed by a call, and not yet by what the kernel shows */
	uint64_t copied; /* a fork under way: addresses below were copied */
};

enum touch_source { TOUCH_FAULT, TOUCH_CALL_SCAN, TOUCH_SCAN };

struct replay {
	const struct replay_options *options;
	struct trace_header header;
	struct sink *sink;
	struct mirror **mirrors; /* by number; NULL: not alive */
	size_t mirror_room;
	struct mirror *last; /* of the last event */
	uint32_t next_frame; /* frames of the format */
	uint32_t looks;      /* rounds of questions */
	unsigned parts_bits; /* log2 of recorded pages in one of the format's */
	bool huge;           /* one entry of level 1 maps what it does on the recorded machine */
	enum touch_source source;
	uint64_t peak_pages;
	struct replay_result *result;
};

/* Bytes of a page, and of a region, of the recorded machine. */
static inline uint64_t host_page(const struct replay *r)
{
	return UINT64_C(1) << r->header.page_shift;
}

static inline uint64_t region_bytes(const struct mirror *m)
{
	return UINT64_C(1) << shadow_region_shift(&m->shadow);
}

static inline bool has_rule(const struct replay *r, unsigned rule)
{
	return !(r->options->without >> rule & 1);
}

/* Reads the trace to its end. False: it is broken, error says where. */
bool replay_run(struct trace_reader *reader, const struct trace_header *header,
    const struct replay_options *options, struct replay_result *result, struct trace_error *error);

/* --- follow.c: events ------------------------------------------------------------------------ */

/* Notes what went wrong; the first is kept. */
void replay_wrong(struct replay *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- pages.h: changes, made in the library and in the plain model ---------------------------- */

enum page_kind {
	PAGE_MAPPED,
	PAGE_ENTRY, /* an entry without a page: swapped, a marker */
	PAGE_GUARD, /* the same, a guard page */
};

/* Pages [va, end) are there now: those that are not in the model are mapped. */
void pages_touch(struct replay *r, struct mirror *m, uint64_t va, uint64_t end,
    enum page_kind kind);

/* A fault on a page that is there: the copy after copy-on-write. */
void pages_replace(struct replay *r, struct mirror *m, uint64_t va);

/* The whole region is mapped by one entry of level 1 now. */
void pages_make_huge(struct replay *r, struct mirror *m, uint64_t va, enum region_huge huge);

/* The region's large entry becomes a table of pages. */
void pages_split(struct replay *r, struct mirror *m, struct region *region);

/* Pages [va, end) go; tables stay. */
void pages_unmap(struct replay *r, struct mirror *m, uint64_t va, uint64_t end);

/* The same but for guard pages; or for these only. */
void pages_zap(struct replay *r, struct mirror *m, uint64_t va, uint64_t end);
void pages_unguard(struct replay *r, struct mirror *m, uint64_t va, uint64_t end);

/* Empty leaf tables whose whole range lies in [va, end) go, those above stay. */
void pages_reclaim(struct replay *r, struct mirror *m, uint64_t va, uint64_t end);

/* Other rights for [va, end). */
void pages_protect(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint32_t flags);

/* Empty tables that overlap [va, end) and whose range lies within [floor, ceiling) go. */
void pages_prune(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint64_t floor,
    uint64_t ceiling);

/* Tables down to a level are there for [va, end). */
void pages_populate(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, unsigned level);

/* What parent maps in [va, end) is copied to child; pages that may be written are protected. */
void pages_copy(struct replay *r, struct mirror *child, struct mirror *parent, uint64_t va,
    uint64_t end, bool cow);

/* Pages [va, end) move to to; tables stay, but for those that move as a whole. */
void pages_move(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint64_t to);

/* The same page by page: what was there is mapped anew. */
void pages_move_anew(struct replay *r, struct mirror *m, uint64_t va, uint64_t end, uint64_t to);

/* The lowest level that has a table for va: levels of the format when the address has no place. */
unsigned pages_level(struct replay *r, struct mirror *m, uint64_t va);

/* --- the kernel's rules ---------------------------------------------------------------------- */

void rules_call(struct replay *r, struct mirror *m, const struct trace_event *event);
void rules_unmap(struct replay *r, struct mirror *m, uint64_t va, uint64_t end);
void rules_mremap(struct replay *r, struct mirror *m, const struct trace_event *event);
void rules_fork(struct replay *r, struct mirror *child, struct mirror *parent);
void rules_fault(struct replay *r, struct mirror *m, uint64_t va);
void rules_bus(struct replay *r, struct mirror *m, uint64_t va);
void rules_scan(struct replay *r, struct mirror *m, const struct trace_event *event);
void rules_vmas(struct replay *r, struct mirror *m, const struct trace_event *event);

/* A call has changed the VMAs, and the kernel's list is what it was: for what went came the like.
 */
void rules_same_vmas(struct replay *r, struct mirror *m);

/* --- access.c ------------------------------------------------------------------------------- */

/* After a fault: the access that had it goes through the TLB of its thread's CPU. */
void access_again(struct replay *r, struct mirror *m, const struct trace_event *event);

/* --- verify.c -------------------------------------------------------------------------------- */

/*
 * Compares every translation of a space with the plain model. Unless op, which ends the space, is
 * NULL, the model goes into it as a number (sink_digest).
 */
void verify_space(struct replay *r, struct mirror *m, struct sink_op *op);

/* --- look.c ---------------------------------------------------------------------------------- */

/* Writes questions about a few pages and holes into the log, answered by the plain model. */
void look_at_some(struct replay *r, struct mirror *m);

#endif
