/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What came of it, for scripts/boot: a name and numbers on each line. */
#include "tool/boot/boot.h"

static void count(const char *name, uint64_t number)
{
	print("COUNT %s %llu\n", name, (unsigned long long)number);
}

static void by_level(const char *name, const uint64_t tables[PT_MAX_LEVELS])
{
	print("COUNT %s", name);
	for (unsigned l = 0; l < boot.format->levels; l++)
		print(" %llu", (unsigned long long)tables[l]);
	print("\n");
}

static void report_flushes(const struct flush_counts *f)
{
	count("flushes.requests", f->requests);
	count("flushes.leaves", f->leaves);
	count("flushes.tables", f->tables);
	count("flushes.loaded_roots", f->roots);
	count("flushes.more_than_64_pages", f->whole);
}

static void report_accesses(const struct access_counts *a)
{
	count("accesses.tried", a->tried);
	count("accesses.reached", a->reached);
	count("accesses.refused", a->refused);
	count("accesses.marked_first", a->marked);
	count("accesses.mismatches", a->mismatches);
	count("accesses.unmodelled", a->unmodelled);
}

void boot_report(void)
{
	const struct sink_counts *c = &boot.counts;

	count("operations", c->operations);
	count("questions", c->looks);
	for (unsigned kind = 0; kind < SINK_KINDS; kind++)
		print("COUNT kinds.%s %llu\n", sink_kind_name(kind),
		    (unsigned long long)c->kinds[kind]);
	count("pages_mapped", c->pages[SINK_MAP] + c->pages[SINK_MAP_HUGE]);
	count("most_spaces", c->most_alive);
	by_level("peak_tables", c->peak);
	by_level("end_tables", c->tables);
	print("COUNT digest %llu\n", (unsigned long long)c->digest);
	report_flushes(&boot.flushes);
	report_accesses(&boot.accesses);
}
