/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tool/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ptdesc/page.h>

#include "tool/tool.h"

#define RED   "\033[1;31m"
#define PLAIN "\033[0m"

/* Room for a phrase. */
#define PHRASE 256u

void report_start(struct report *report, bool json)
{
	const char *no_color = getenv("NO_COLOR");

	*report = (struct report){
		.json = json,
		.color = !json && isatty(STDOUT_FILENO) && !(no_color && *no_color),
		.memory_bytes = kernel_memory_total(),
	};
}

struct report_words report_page_words(uint64_t bytes)
{
	struct report_words words = {.frames = bytes >> KERNEL_PAGE_SHIFT};

	words.word_bytes = words.frames * sizeof(struct pt_page);
	words.linux_bytes = words.frames * LINUX_PAGE_BYTES;
	return words;
}

static void count_row(struct report_totals *totals, const struct report_row *row)
{
	switch (row->state) {
	case SNAP_OK:
		break;
	case SNAP_NO_MEMORY:
		totals->no_memory++;
		return;
	case SNAP_GONE:
		totals->gone++;
		return;
	case SNAP_CHANGED:
		totals->changed++;
		return;
	default:
		totals->denied++;
		return;
	}
	totals->read++;
	if (row->unexplained)
		totals->unexplained++;
	else if (row->account.kernel == row->ours_total)
		totals->equal++;
	else
		totals->explained++;
	totals->kernel_tables += row->account.kernel;
	totals->our_tables += row->ours_total;
	totals->resident += row->resident;
	if (row->result_count) {
		totals->table_bytes += row->results[0].table_bytes;
		totals->descriptor_bytes += row->results[0].descriptor_bytes;
	}
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static void add(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(char *text, const char *format, ...)
{
	size_t at = strlen(text);
	va_list args;

	va_start(args, format);
	if (at && at + 2 < PHRASE) {
		memcpy(text + at, ", ", 3);
		at += 2;
	}
	vsnprintf(text + at, PHRASE - at, format, args);
	va_end(args);
}

static void cause_text(const struct report_row *row, char text[PHRASE])
{
	const struct snap_account *account = &row->account;

	text[0] = 0;
	if (account->kept_seen)
		add(text, "%" PRIu64 " empty table%s kept by the kernel", account->kept_seen,
		    plural(account->kept_seen));
	if (account->kept_unseen)
		add(text,
		    "%" PRIu64 " empty table%s kept that pagemap cannot show (room for %" PRIu64
		    ")",
		    account->kept_unseen, plural(account->kept_unseen), account->kept_room);
	if (account->device)
		add(text, "%" PRIu64 " table%s of device mappings (room for %" PRIu64 ")",
		    account->device, plural(account->device), account->device_room);
	if (row->unexplained > 0)
		add(text, "UNEXPLAINED: %" PRId64 " more in the kernel", row->unexplained);
	if (row->unexplained < 0)
		add(text, "UNEXPLAINED: %" PRId64 " too many in ours", -row->unexplained);
	if (!text[0])
		add(text, "equal");
}

static void print_comparison(struct report *report, const struct report_row *row)
{
	char cause[PHRASE];
	char name[TOOL_ESCAPED(sizeof(row->name))];
	const char *on = report->color && row->unexplained ? RED : "";

	if (!report->names_shown)
		printf("%7s  %-20s %7s %7s %6s  %s\n", "PID", "PROGRAM", "KERNEL", "OURS", "DIFF",
		    "CAUSE");
	report->names_shown = true;
	printf("%7ld%c %-20.20s ", (long)row->pid, row->started ? '*' : ' ',
	    tool_escape(name, row->name));
	if (row->state != SNAP_OK) {
		printf("%7s %7s %6s  %s\n", "-", "-", "-", kernel_state_text(row->state));
		return;
	}
	cause_text(row, cause);
	printf("%7" PRIu64 " %7" PRIu64 " %6" PRId64 "  %s%s%s\n", row->account.kernel,
	    row->ours_total, (int64_t)(row->account.kernel - row->ours_total), on, cause,
	    *on ? PLAIN : "");
}

void report_row(struct report *report, const struct report_row *row)
{
	count_row(&report->totals, row);
	/* Most of what --all finds is kernel threads; they are counted. */
	if (!row->named && (row->state == SNAP_NO_MEMORY || row->state == SNAP_GONE))
		return;
	if (report->json)
		report_json_row(row);
	else
		print_comparison(report, row);
}

static double each(uint64_t ns, uint64_t count)
{
	return count ? (double)ns / (double)count : 0;
}

static void print_cost(const struct report_row *row, const struct build_result *result)
{
	struct report_words words = report_page_words(row->resident);
	char name[TOOL_ESCAPED(sizeof(row->name))];
	uint64_t tables = result->hits + result->misses;

	printf("%7ld  %-16.16s", (long)row->pid, tool_escape(name, row->name));
	if (result->error) {
		printf(" %s\n", pt_strerror(result->error));
		return;
	}
	tool_print_bytes(row->resident);
	for (unsigned level = 0; level < result->format->levels; level++)
		printf(" %6" PRIu64, result->tables[level]);
	tool_print_bytes(result->table_bytes);
	tool_print_bytes(result->descriptor_bytes);
	tool_print_bytes(words.word_bytes);
	tool_print_bytes(words.linux_bytes);
	printf(" %5.0f%% %5.2f %6.1f %6.1f %6.1f\n",
	    tables ? 100.0 * (double)result->hits / (double)tables : 0, result->walk_depth,
	    each(result->map_ns, result->leaves), each(result->translate_ns, result->leaves),
	    each(result->unmap_ns, result->leaves));
}

static void print_cost_head(const struct pt_format *format)
{
	printf("\nformat %s: tables by level, bytes, nanoseconds for each page\n", format->name);
	printf("%7s  %-16s %7s", "PID", "PROGRAM", "RESIDNT");
	for (unsigned level = 0; level < format->levels; level++)
		printf("     L%u", level);
	printf(" %7s %7s %7s %7s %6s %5s %6s %6s %6s\n", "TABLES", "DESCS", "WORDS", "LINUX64",
	    "HITS", "DEPTH", "MAP", "TRANSL", "UNMAP");
}

/* Costs of all rows on their format number f; false when no row has so many. */
static bool print_costs(const struct report_row *rows, size_t count, size_t f)
{
	bool head = false;

	for (size_t i = 0; i < count; i++) {
		if (rows[i].result_count <= f || rows[i].first_shown > f)
			continue;
		if (!head)
			print_cost_head(rows[i].results[f].format);
		head = true;
		print_cost(&rows[i], &rows[i].results[f]);
	}
	return head;
}

void report_costs(const struct report *report, const struct report_row *rows, size_t count)
{
	if (report->json)
		return;
	for (size_t f = 0; print_costs(rows, count, f) || !f; f++)
		;
}

static void print_counts(const struct report_totals *totals)
{
	printf("\n%" PRIu64 " processes read: %" PRIu64 " equal, %" PRIu64 " explained, %" PRIu64
	       " unexplained.",
	    totals->read, totals->equal, totals->explained, totals->unexplained);
	if (totals->changed)
		printf(" %" PRIu64 " changed meanwhile.", totals->changed);
	if (totals->denied)
		printf(" %" PRIu64 " not permitted.", totals->denied);
	if (totals->gone)
		printf(" %" PRIu64 " gone.", totals->gone);
	if (totals->no_memory)
		printf(" %" PRIu64 " without address space (kernel threads, zombies).",
		    totals->no_memory);
	printf("\n");
}

static void print_machine(const struct report *report)
{
	const struct report_totals *totals = &report->totals;
	struct report_words words = report_page_words(report->memory_bytes);
	uint64_t tables = totals->table_bytes / KERNEL_PAGE;
	uint64_t saved = words.linux_bytes - words.word_bytes;
	const double mib = 1 << 20;

	if (tables)
		printf("A table with a descriptor of its own costs %" PRIu64
		       " + %.0f bytes (%.1f%% more): "
		       "the %" PRIu64 " tables above, roots included, take %.2f MiB and their "
		       "descriptors %.3f MiB.\n",
		    KERNEL_PAGE, (double)totals->descriptor_bytes / (double)tables,
		    100.0 * (double)totals->descriptor_bytes / (double)totals->table_bytes, tables,
		    (double)totals->table_bytes / mib, (double)totals->descriptor_bytes / mib);
	if (words.frames)
		printf(
		    "One word for each of this machine's %" PRIu64
		    " frames takes %.1f MiB where Linux's 64 bytes take %.1f MiB: %.1f MiB less, "
		    "%.2f%% of its memory.\n",
		    words.frames, (double)words.word_bytes / mib, (double)words.linux_bytes / mib,
		    (double)saved / mib, 100.0 * (double)saved / (double)report->memory_bytes);
}

void report_end(const struct report *report)
{
	if (report->json) {
		report_json_end(report);
		return;
	}
	print_counts(&report->totals);
	if (report->totals.read)
		print_machine(report);
}
