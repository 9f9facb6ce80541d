/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/mmu/deviations.h"

#include "port/bare/common/print.h"
#include "tests/mmu/mmu.h"

/* type_register of all formats of x86, and of arm64. */
#define X86_PAT    UINT64_C(0x0407050600070106)
#define ARM64_MAIR UINT64_C(0x0444bbff)

struct deviation {
	const char *manual; /* and its section */
	const char *what;
	bool (*is_of)(const struct pt_format *format); /* where it must be seen */
	/* NULL: not of an access, see deviation_undone */
	bool (*explains)(const struct arch_case *c, const struct arch_outcome *expected,
	    const struct arch_outcome *seen);
};

static bool x86_wide(const struct pt_format *format)
{
	return format->type_register == X86_PAT && format->entry_bytes == 8;
}

static bool x86_huge(const struct pt_format *format)
{
	return x86_wide(format) && format->leaves >> 2 & 1;
}

static bool x86_pae(const struct pt_format *format)
{
	return format->flags & PT_FORMAT_LOADED_ROOT;
}

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

static bool arm64(const struct pt_format *format)
{
	return format->type_register == ARM64_MAIR;
}

/* arm64: what would become dirty at a write is writable, and so has its executions refused. */
static bool clean_taken_for_read_only(const struct arch_case *c,
    const struct arch_outcome *expected, const struct arch_outcome *seen)
{
	struct arch_case read_only = *c;
	struct arch_outcome o;

	if (c->access != PT_EXEC || (c->flags & (PT_WRITE | PT_DIRTY)) != PT_WRITE)
		return false;
	read_only.flags &= ~PT_WRITE;
	o = arch_expect(&read_only);
	return expected->fault && seen->fault == o.fault && seen->code == o.code &&
	       seen->marks == o.marks;
}

/* A row that is not seen where it belongs fails as well: then QEMU has changed. */
static const struct deviation rows[] = {
	{"Intel SDM 3A table 4-8",
		"accessed is set in entries of a PAE root, which have no such bit", x86_pae, NULL},
	{"Intel SDM 3A 4.7", "the error code of a reserved bit lacks P", x86_wide,
		reserved_without_present},
	{"Intel SDM 3A 4.8", "a leaf of 1 GiB becomes accessed by an access that is refused",
		x86_huge, accessed_though_refused},
	{"Arm ARM D8.5.2.2, RTTLCV and RNKLQN",
		"a leaf with DBM that is clean, under HD, may be executed as if it were read-only",
		arm64, clean_taken_for_read_only},
};

#define ROWS       (sizeof(rows) / sizeof(rows[0]))
#define ROW_MARKED 0u

static unsigned long count[ROWS];

bool deviation_explains(const struct arch_case *c, const struct arch_outcome *expected,
    const struct arch_outcome *seen)
{
	for (unsigned i = 0; i < ROWS; i++) {
		if (rows[i].explains && rows[i].is_of(c->format) &&
		    rows[i].explains(c, expected, seen)) {
			count[i]++;
			return true;
		}
	}
	return false;
}

uint64_t deviation_undone(const struct pt_format *format, unsigned level, uint64_t entry)
{
	const uint64_t accessed = 1u << 5;

	if (!x86_pae(format) || level != format->levels - 1u || !(entry & accessed))
		return entry;
	count[ROW_MARKED]++;
	return entry & ~accessed;
}

void deviations_report(void)
{
	for (unsigned i = 0; i < ROWS; i++) {
		if (!rows[i].is_of(mmu.format))
			continue;
		print("# deviation: %s: %s: %lu times\n", rows[i].manual, rows[i].what, count[i]);
		mmu.deviations += count[i] != 0;
		mmu_ok(count[i] != 0, "a deviation of deviations.c is seen");
	}
}
