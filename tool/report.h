/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What snapshot found out, as text or as JSON Lines. */
#ifndef TOOL_REPORT_H
#define TOOL_REPORT_H

#include <stdbool.h>

#include "tool/build.h"
#include "tool/kernel.h"

/* One process; all that outlives the look at it. */
struct report_row {
	pid_t pid;
	char name[64];
	enum snap_state state;
	bool named;   /* on the command line: shown whatever came of it */
	bool started; /* named with --started: must be read */
	uint64_t resident;
	unsigned looks;
	struct snap_account account;
	uint64_t ours[KERNEL_LEVELS]; /* tables by level, by the library's accounting */
	uint64_t ours_total;
	int64_t unexplained;
	struct build_result *results; /* the caller's; [0] is on the kernel's own format */
	size_t result_count;
	size_t first_shown; /* results before it were not asked for */
};

/* Sums over all processes. */
struct report_totals {
	uint64_t read; /* processes that were compared */
	uint64_t equal;
	uint64_t explained;
	uint64_t unexplained;
	uint64_t changed;
	uint64_t denied;
	uint64_t gone;
	uint64_t no_memory; /* kernel threads and zombies */
	uint64_t kernel_tables;
	uint64_t our_tables;
	uint64_t table_bytes; /* of the tables compared, roots included */
	uint64_t descriptor_bytes;
	uint64_t resident;
};

struct report {
	bool json;
	bool color;
	bool names_shown; /* the head of the first table is printed */
	struct report_totals totals;
	uint64_t memory_bytes; /* MemTotal */
};

/* json or text; finds out whether stdout takes colours. */
void report_start(struct report *report, bool json);

/* Counts a row, and prints its comparison (text) or all of it (JSON). */
void report_row(struct report *report, const struct report_row *row);

/* Text: the costs of all rows, format by format. */
void report_costs(const struct report *report, const struct report_row *rows, size_t count);

/* What it all amounts to. */
void report_end(const struct report *report);

/* Frames of the machine, what page words take for them and what Linux's struct page takes. */
struct report_words {
	uint64_t frames;
	uint64_t word_bytes;
	uint64_t linux_bytes;
};
struct report_words report_page_words(uint64_t bytes);

/* The same as JSON; report_json.c. */
void report_json_row(const struct report_row *row);
void report_json_end(const struct report *report);

#endif
