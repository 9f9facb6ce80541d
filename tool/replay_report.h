/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What replay found out, as text or as JSON Lines. */
#ifndef TOOL_REPLAY_REPORT_H
#define TOOL_REPLAY_REPORT_H

#include "tool/replay/replay.h"

/* A trace on one format. */
struct replay_row {
	const struct pt_format *format;
	struct replay_result result;
};

struct replay_report {
	const char *path;
	struct trace_header header;
	enum replay_thp thp;
	uint32_t without;              /* rules that were left out */
	const struct replay_row *rows; /* [0] is the recorded machine's own format */
	size_t count;
	size_t first_shown; /* 1: the first was not asked for, and serves to compare only */
	/* The first format once more, pages known from faults and scans before calls alone. */
	const struct replay_result *blind;
};

/* What a format costs at the moment reported: tables, descriptors, and what rounding wastes. */
uint64_t replay_cost(const struct replay_result *result);

/* Can the number of tables be compared with the kernel's: unless other pages are asked for. */
static inline bool replay_is_compared(const struct replay_report *report)
{
	return report->thp == REPLAY_THP_RECORDED;
}

void replay_report_text(const struct replay_report *report);
void replay_report_json(const struct replay_report *report);

#endif
