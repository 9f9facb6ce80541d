/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kit on a host: the test port, and an MMU in software where there is a reference walker. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "tests/kit/kit.h"
#include "tests/kit/soft_mmu.h"
#include "tests/kit/test_port.h"

struct host {
	struct test_port port;
	unsigned results;
	unsigned failed;
};

static struct pt_memory *host_open(void *ctx, unsigned page_shift)
{
	struct host *host = ctx;
	unsigned shift = page_shift < 12 ? 12 : page_shift > 12 ? 8 : 9;

	test_port_open(&host->port, page_shift, 1, shift, 4);
	return host->port.memory;
}

static int host_close(void *ctx, struct pt_memory *memory, struct pt_leaks *leaks)
{
	struct host *host = ctx;

	(void)memory;
	return test_port_close(&host->port, leaks);
}

static void host_hold_grace(void *ctx, bool hold)
{
	struct host *host = ctx;

	host->port.hold_grace = hold;
	test_port_grace(&host->port);
}

static void host_poke(void *ctx, void *entry, const void *bytes, size_t size)
{
	struct host *host = ctx;
	uint64_t offset = (uint64_t)((char *)entry - host->port.arena);

	test_port_poke(&host->port, host->port.first_pa + offset, bytes, size);
}

static uint64_t host_flushes(void *ctx)
{
	return ((struct host *)ctx)->port.flushes;
}

static const char *host_complaint(void *ctx)
{
	struct host *host = ctx;

	return test_port_unwritten(&host->port) ? "a store to a table was not written back" : NULL;
}

static void host_report(void *ctx, const struct pt_format *format, bool mmu, const char *test,
    const char *what, int line)
{
	struct host *host = ctx;

	printf("%s %u - kit: %s%s: %s\n", what ? "not ok" : "ok", ++host->results, format->name,
	    mmu ? " with an MMU" : "", test);
	if (what)
		printf("# line %d: expected %s\n", line, what);
}

static void add(struct kit_counts *all, const struct kit_counts *counts)
{
	all->passed += counts->passed;
	all->failed += counts->failed;
	all->skipped += counts->skipped;
	all->checks += counts->checks;
}

/*
 * Formats that differ in their number of levels alone share a compiled copy: here are some that no
 * machine has, with the root where others have their large leaves.
 */
static void run_cut_down(const struct kit_machine *machine, struct kit_counts *all)
{
	static const char *const names[] = {"x86_64 of 2 levels", "x86_64 of 3 levels"};

	for (unsigned i = 0; i < 2; i++) {
		struct pt_format format = pt_format_x86_64;
		struct kit_counts counts;

		format.name = names[i];
		format.levels = (uint8_t)(2 + i);
		format.va_bits = (uint8_t)(30 + 9 * i);
		format.flags &= (uint8_t)~PT_FORMAT_SIGNED;
		format.leaves = i ? 7 : 3;
		counts = kit_run_format(machine, &format);
		add(all, &counts);
	}
}

int main(int argc, char **argv)
{
	static struct host host;
	const struct kit_machine machine = {
		.ctx = &host,
		.open = host_open,
		.close = host_close,
		.hold_grace = host_hold_grace,
		.poke = host_poke,
		.flushes = host_flushes,
		.complaint = host_complaint,
		.report = host_report,
	};
	struct kit_counts counts;

	/* Each test opens a memory: what was freed is kept, else pages would be most of the time.
	 */
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 128 << 20);
	if (argc > 1 && pt_format_find(argv[1])) {
		counts = kit_run_format(&machine, pt_format_find(argv[1]));
	} else {
		counts = kit_run(&machine, pt_formats);
		run_cut_down(&machine, &counts);
	}
	printf("## kit: %u passed, %u failed, %u not for the format, %lu checks\n1..%u\n",
	    counts.passed, counts.failed, counts.skipped, counts.checks, host.results);
	return counts.failed != 0;
}
