/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the tool does on terminals only, with a row that no real process gives: one difference
 * without a cause on stdout, and on stderr a piece of work that takes longer than a second, after
 * one that does not. Built together with tool/report.c and tool/tool.c.
 */
#include <time.h>

#include <ptdesc/types.h>

#include "tool/report.h"
#include "tool/tool.h"

/* What report.c calls elsewhere. */
uint64_t kernel_memory_total(void)
{
	return 0;
}

const char *kernel_state_text(enum snap_state state)
{
	(void)state;
	return "";
}

const char *pt_strerror(int error)
{
	(void)error;
	return "";
}

void report_json_row(const struct report_row *row)
{
	(void)row;
}

void report_json_end(const struct report *report)
{
	(void)report;
}

int main(void)
{
	const struct timespec second = {.tv_sec = 1, .tv_nsec = 50000000};
	struct report_row row = {.pid = 1, .name = "made up", .state = SNAP_OK, .unexplained = -1};
	struct tool_progress progress;
	struct report report;

	report_start(&report, false);
	report_row(&report, &row);
	progress_start(&progress);
	progress_show(&progress, 1, 3, "at once");
	nanosleep(&second, NULL);
	progress_show(&progress, 2, 3, "later");
	progress_end(&progress);
	return 0;
}
