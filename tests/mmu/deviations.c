/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/mmu/deviations.h"

#include "port/bare/common/print.h"

struct deviation {
	const char *manual; /* and its section */
	const char *what;
	bool (*explains)(const struct arch_case *c, const struct arch_outcome *expected,
	    const struct arch_outcome *seen);
};

/* x86: a reserved bit was set, and bit 0 of the code, which then must be, is not. */
static bool reserved_without_present(const struct arch_case *c, const struct arch_outcome *expected,
    const struct arch_outcome *seen)
{
	(void)c;
	return expected->fault && seen->fault && expected->code & 8 &&
	       seen->code == (expected->code & ~UINT64_C(1)) && seen->marks == expected->marks;
}

/* x86: the manual has accessed set when an entry is used for a translation; there was none. */
static bool accessed_though_refused(const struct arch_case *c, const struct arch_outcome *expected,
    const struct arch_outcome *seen)
{
	bool reserved = expected->code & 8;

	return c->level == 2 && expected->fault && seen->fault &&
	       seen->code == (expected->code & ~(uint64_t)reserved) &&
	       !(expected->marks & PT_ACCESSED) && seen->marks == (expected->marks | PT_ACCESSED);
}

/* Those that were seen are reported, with how many cases each explains. */
static const struct deviation rows[] = {
	{"Intel SDM 3A 4.7", "the error code of a reserved bit lacks P", reserved_without_present},
	{"Intel SDM 3A 4.8", "a leaf of 1 GiB becomes accessed by an access that is refused",
		accessed_though_refused},
	{NULL, NULL, NULL},
	/* Not of an access: deviation_undone. */
	{"Intel SDM 3A table 4-8",
		"accessed is set in entries of a PAE root, which have no such bit", NULL},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static unsigned long count[ROWS];

bool deviation_explains(const struct arch_case *c, const struct arch_outcome *expected,
    const struct arch_outcome *seen)
{
	for (unsigned i = 0; rows[i].explains; i++) {
		if (rows[i].explains(c, expected, seen)) {
			count[i]++;
			return true;
		}
	}
	return false;
}

uint64_t deviation_undone(const struct pt_format *format, unsigned level, uint64_t entry)
{
	const uint64_t accessed = 1u << 5;

	if (!(format->flags & PT_FORMAT_LOADED_ROOT) || level != format->levels - 1u ||
	    !(entry & accessed))
		return entry;
	count[ROWS - 1]++;
	return entry & ~accessed;
}

unsigned deviations_report(void)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < ROWS; i++) {
		if (!count[i])
			continue;
		seen++;
		print("# deviation: %s: %s: %lu cases\n", rows[i].manual, rows[i].what, count[i]);
	}
	return seen;
}
