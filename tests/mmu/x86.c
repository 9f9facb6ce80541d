/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Intel SDM 3A 4.6.1 (which accesses are allowed), 4.6.2 (protection keys), 4.7 (error codes), 4.8
 * (accessed and dirty), in the numbering of the edition that first had protection keys.
 */
#include "port/bare/x86/control.h"
#include "tests/mmu/arch.h"

/* 4.7, figure 4-12: bits of the error code. */
#define CODE_P    1u  /* the entry was present */
#define CODE_W    2u  /* a write */
#define CODE_U    4u  /* in user mode */
#define CODE_RSVD 8u  /* a reserved bit was set */
#define CODE_ID   16u /* a fetch; only while NXE or SMEP is set */
#define CODE_PK   32u /* a protection key refused it */

/* States of a key: bit 0 AD, bit 1 WD of PKRU. */
#define KEY_AD 1u
#define KEY_WD 2u

const unsigned arch_controls = X86_CONTROLS;
const char *const arch_control_names[] = {"CR0.WP", "CR4.SMEP", "CR4.SMAP", "EFER.NXE", "CR4.PKE",
	"EFLAGS.AC", "CR4.PKS"};
const uint32_t arch_default_control = X86_CONTROL_DEFAULT;
const unsigned arch_key_states = 4;

/* Entries of tables: bit 0 present, 1 writable, 2 user, 63 no execution. PS (bit 7) is reserved
 * where no leaf can be, but makes a leaf elsewhere, so it is not tried. */
const struct arch_upper arch_uppers[] = {
	{"read-only", 2, 0, PT_WRITE, false, false},
	{"supervisor", 4, 0, PT_USER, false, false},
	{"no execution", 0, UINT64_C(1) << 63, PT_EXEC, false, false},
	{"not present", 1, 0, 0, true, false},
	{"an address too wide", 0, UINT64_C(1) << 51, 0, false, true},
	{NULL, 0, 0, 0, false, false},
};

/* Bit 63, with 8 bytes only, and keys, with 4 levels and more. */
static bool has_nx(const struct pt_format *format)
{
	return format->entry_bytes == 8;
}

bool arch_has_control(uint32_t control, const struct pt_format *format)
{
	const uint32_t keys = X86_PKE | X86_PKS;

	return !(control & keys) || (format->levels >= 4 && !(control & keys & ~x86_keys()));
}

/*
 * The four entries of a PAE root have no rights (table 4-8), and are checked when they are loaded.
 * No CPU of QEMU's has addresses of 52 bits.
 */
bool arch_has_upper(const struct arch_upper *upper, unsigned level, const struct pt_format *format)
{
	bool pae = format->levels == 3;
	bool wide = upper->takes & PT_EXEC || upper->reserved;

	return upper->absent || (!(wide && !has_nx(format)) && !(pae && level == 2));
}

void arch_set(uint32_t control, uint32_t key)
{
	x86_set_control(control);
	x86_set_key_rights(control, key << 2 * ARCH_KEY);
}

bool arch_is_unmapped(uint64_t code)
{
	return !(code & CODE_P);
}

/*
 * Does its key refuse the access: data only, of user pages (4.6.2) and, with PKS, of the supervisor
 * to its own. PKS is younger than the edition that was read: unread, QEMU's MMU does so.
 */
static bool key_refuses(const struct arch_case *c, uint32_t rights)
{
	uint32_t key = (c->flags & PT_ATTR_KEY_MASK) >> PT_ATTR_KEY_AT;
	bool wp = c->user || c->control & X86_WP;
	bool has = rights & PT_USER ? c->control & X86_PKE : c->control & X86_PKS && !c->user;

	if (!has || key != ARCH_KEY || c->access == PT_EXEC)
		return false;
	return c->key & KEY_AD || (c->key & KEY_WD && c->access == PT_WRITE && wp);
}

/* 4.6.1, for accesses of the supervisor. */
static bool supervisor_may(const struct arch_case *c, uint32_t rights)
{
	bool nx = c->control & X86_NXE && !(rights & PT_EXEC);

	if (c->access == PT_EXEC)
		return !nx && !(rights & PT_USER && c->control & X86_SMEP);
	if (rights & PT_USER && c->control & X86_SMAP && !(c->control & X86_AC))
		return false;
	return c->access == PT_READ || rights & PT_WRITE || !(c->control & X86_WP);
}

/* The same for those of the user. */
static bool user_may(const struct arch_case *c, uint32_t rights)
{
	if (!(rights & PT_USER))
		return false;
	if (c->access == PT_EXEC)
		return rights & PT_EXEC || !(c->control & X86_NXE);
	return c->access == PT_READ || rights & PT_WRITE;
}

/* What the code of a fault says of the access (4.7). */
static uint64_t access_code(const struct arch_case *c)
{
	uint64_t code = (c->user ? CODE_U : 0) | (c->access == PT_WRITE ? CODE_W : 0);

	if (c->access == PT_EXEC &&
	    (c->control & X86_SMEP || (c->control & X86_NXE && has_nx(c->format))))
		code |= CODE_ID;
	return code;
}

/* What the code says of a leaf that is there; 0: the access may happen. */
static uint64_t refusal(const struct arch_case *c, uint32_t rights)
{
	/* Bit 63 is reserved while NXE is clear, address bits that the CPU has not always (4.5). */
	if ((c->upper && c->upper->reserved) || (!(rights & PT_EXEC) && !(c->control & X86_NXE)))
		return CODE_P | CODE_RSVD;
	if (key_refuses(c, rights))
		return CODE_P | CODE_PK;
	return (c->user ? user_may(c, rights) : supervisor_may(c, rights)) ? 0 : CODE_P;
}

struct arch_outcome arch_expect(const struct arch_case *c)
{
	uint32_t rights = c->flags & ~(c->upper ? c->upper->takes : 0);
	struct arch_outcome o = {.fault = true, .marks = c->flags & (PT_ACCESSED | PT_DIRTY)};
	uint64_t why;

	o.code = access_code(c);
	if (c->upper && c->upper->absent)
		return o;
	why = refusal(c, rights);
	o.code |= why;
	if (why)
		return o;
	o.fault = false;
	o.code = 0;
	o.marks |= PT_ACCESSED | (c->access == PT_WRITE ? PT_DIRTY : 0);
	return o;
}
