/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Arm Architecture Reference Manual for ARMv8-A, an early issue. Read: D4.3.1, D4.3.3 (descriptors
 * and their attributes), D4.4.1 up to its table D4-33 (AP, APTable, UXN, PXN; what EL0 may write
 * EL1 may not execute; SCTLR_EL1.WXN). Its tables D4-29, D4-32 and D4-33 are pictures: unread.
 *
 * Of an issue that has FEAT_BBML1: D8.5.2.1 the beginning, D8.5.2.2 (dirty state; WXN), TCR_EL1
 * (HA, HD, HPD0, HPD1). Arm's pseudocode of v9.4-A, as Sail, AArch64.*: S1Walk, S1Translate (access
 * flag, dirty state, E0PD), S1ApplyOutputPerms (DBM), S1ApplyTablePerms, S1NextWalkStateTable
 * (HPD), S1DirectBasePermissions (PAN, EPAN, WXN), S1ComputePermissions. From Arm's guides, the
 * manual unread: syndromes of aborts.
 *
 * SettingAccessFlagPermitted leaves it open whether an access that is refused sets the access flag:
 * QEMU's MMU does not.
 */
#include "port/bare/aarch64/control.h"
#include "tests/mmu/arch.h"

/* ESR_EL1: class in 31:26, WnR in 6, status code in 5:0. */
#define CLASS_AT          26
#define CLASS_FETCH       0x20u /* from EL0; from EL1 one more */
#define CLASS_DATA        0x24u
#define WRITE             0x40u
#define TRANSLATION       0x04u /* and the level of the architecture: 3 is that of pages */
#define ACCESS_FLAG       0x08u
#define PERMISSION        0x0cu
#define TRANSLATION_ABOVE 0x2bu /* at level -1 */

/* In pt_attr.format: the other exception level may execute as well. */
#define FORMAT_OTHER 4u

const unsigned arch_controls = AARCH64_CONTROLS;
const char *const arch_control_names[] = {"PSTATE.PAN", "SCTLR_EL1.WXN", "TCR_EL1.HA clear",
	"TCR_EL1.HD clear", "TCR_EL1.HPD0", "TCR_EL1.HPD1", "TCR_EL1.E0PD0", "SCTLR_EL1.EPAN"};
const uint32_t arch_default_control = 0;
const unsigned arch_key_states = 1;

#define TAKES_EL0_DATA 0x80000000u /* APTable[0]; execution is left */
#define TAKES_EL1_EXEC 0x40000000u
#define TAKES_EL0_EXEC 0x20000000u

/* Attributes of table entries: 61 and 62 APTable, 59 PXNTable, 60 UXNTable. */
const struct arch_upper arch_uppers[] = {
	{"not valid", 1, 0, 0, true, false},
	{"no access of EL0", 0, UINT64_C(1) << 61, TAKES_EL0_DATA, false, false},
	{"read-only", 0, UINT64_C(1) << 62, PT_WRITE, false, false},
	{"no execution by EL1", 0, UINT64_C(1) << 59, TAKES_EL1_EXEC, false, false},
	{"no execution by EL0", 0, UINT64_C(1) << 60, TAKES_EL0_EXEC, false, false},
	{NULL, 0, 0, 0, false, false},
};

bool arch_has_control(uint32_t control, const struct pt_format *format)
{
	(void)format;
	return !(control & ~aarch64_controls());
}

bool arch_has_upper(const struct arch_upper *upper, unsigned level, const struct pt_format *format)
{
	(void)upper;
	(void)level;
	(void)format;
	return true;
}

void arch_set(uint32_t control, uint32_t key)
{
	(void)key;
	aarch64_set_control(control);
}

static unsigned status_of(uint64_t code)
{
	return code & 0x3f;
}

bool arch_is_unmapped(uint64_t code)
{
	return (status_of(code) & ~3u) == TRANSLATION || status_of(code) == TRANSLATION_ABOVE;
}

/* S1Translate: HD is nothing without HA. A CPU that has neither has no bit to clear, either. */
static bool sets_accessed(const struct arch_case *c)
{
	return aarch64_controls() & AARCH64_NO_HA & ~c->control;
}

static bool sets_dirty(const struct arch_case *c)
{
	return sets_accessed(c) && aarch64_controls() & AARCH64_NO_HD & ~c->control;
}

/* AP[1] as the tables above leave it; AP[2] clear: somebody has written, or the MMU notes it. */
static bool el0_data(const struct arch_case *c, uint32_t takes)
{
	return c->flags & PT_USER && !(takes & TAKES_EL0_DATA);
}

static bool writable(const struct arch_case *c, uint32_t takes)
{
	return c->flags & PT_WRITE && !(takes & PT_WRITE) && (c->flags & PT_DIRTY || sets_dirty(c));
}

/* What EL0 may write is never EL1's to execute; with WXN what one may write is not one's own. */
static bool written_code(const struct arch_case *c, uint32_t takes)
{
	if (!writable(c, takes))
		return false;
	return c->user ? el0_data(c, takes) && c->control & AARCH64_WXN
		       : el0_data(c, takes) || c->control & AARCH64_WXN;
}

/* UXN or PXN, as the tables above leave it. */
static bool executable(const struct arch_case *c, uint32_t takes, bool user)
{
	bool mine = user == !!(c->flags & PT_USER);
	bool granted = mine ? c->flags & PT_EXEC : c->format_attrs & FORMAT_OTHER;

	return granted && !(takes & (user ? TAKES_EL0_EXEC : TAKES_EL1_EXEC));
}

/* What EL1 may not access under PAN. */
static bool is_el0s(const struct arch_case *c, uint32_t takes)
{
	return el0_data(c, takes) || (c->control & AARCH64_EPAN && executable(c, takes, true));
}

static bool may(const struct arch_case *c, uint32_t takes)
{
	if (c->access == PT_EXEC)
		return executable(c, takes, c->user) && !written_code(c, takes);
	if (c->user ? !el0_data(c, takes) : c->control & AARCH64_PAN && is_el0s(c, takes))
		return false;
	return c->access == PT_READ || writable(c, takes);
}

static uint64_t status_at(uint32_t kind, unsigned level)
{
	return level > 3 ? TRANSLATION_ABOVE : kind + (3 - level);
}

/* The status of a fault; 0: there is none. */
static uint64_t refusal(const struct arch_case *c)
{
	uint32_t takes = c->upper && !(c->control & AARCH64_HPD0) ? c->upper->takes : 0;

	/* S1Translate: before any table is read, and so at level 0 whatever the root's is. */
	if (c->user && c->control & AARCH64_E0PD0)
		return TRANSLATION;
	if (c->upper && c->upper->absent)
		return status_at(TRANSLATION, c->upper_level);
	if (!(c->flags & PT_ACCESSED) && !sets_accessed(c))
		return status_at(ACCESS_FLAG, c->level);
	return may(c, takes) ? 0 : status_at(PERMISSION, c->level);
}

struct arch_outcome arch_expect(const struct arch_case *c)
{
	uint32_t class = (c->access == PT_EXEC ? CLASS_FETCH : CLASS_DATA) + !c->user;
	struct arch_outcome o = {.fault = true, .marks = c->flags & (PT_ACCESSED | PT_DIRTY)};
	uint64_t why = refusal(c);

	o.code = (uint64_t)class << CLASS_AT | (c->access == PT_WRITE ? WRITE : 0) | why;
	if (why)
		return o;
	o.fault = false;
	o.code = 0;
	o.marks |= sets_accessed(c) ? PT_ACCESSED : 0;
	o.marks |= c->access == PT_WRITE && sets_dirty(c) ? PT_DIRTY : 0;
	return o;
}
