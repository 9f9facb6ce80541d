/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * RISC-V Instruction Set Manual, volume II: "Addressing and Memory Protection" and "Virtual Address
 * Translation Process" of Sv32, which the wider formats share; sstatus's SUM and MXR.
 */
#include "port/bare/riscv/control.h"
#include "tests/mmu/arch.h"

/* Exception codes of page faults. */
#define CODE_FETCH 12u
#define CODE_LOAD  13u
#define CODE_STORE 15u

const unsigned arch_controls = RISCV_CONTROLS;
const char *const arch_control_names[] = {"sstatus.SUM", "sstatus.MXR"};
const uint32_t arch_default_control = RISCV_SUM;
const unsigned arch_key_states = 1;

/* Bits of a PTE: 0 V, 2 W, 4 U, 6 A, 7 D. A pointer to a table has R, W and X clear. */
const struct arch_upper arch_uppers[] = {
	{"not valid", 1, 0, 0, true, false},
	{"writable, not readable", 0, 1 << 2, 0, false, true},
	{"user", 0, 1 << 4, 0, false, true},
	{"accessed", 0, 1 << 6, 0, false, true},
	{"dirty", 0, 1 << 7, 0, false, true},
	{"global", 0, 1 << 5, 0, false, false},
	{NULL, 0, 0, 0, false, false},
};

bool arch_has_control(uint32_t control, const struct pt_format *format)
{
	(void)control;
	(void)format;
	return true;
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
	riscv_set_control(control);
}

/* The code says which access it was, and nothing more. */
bool arch_is_unmapped(uint64_t code)
{
	return code == CODE_LOAD;
}

/* Step 6 of the translation: the U bit. */
static bool may_enter(const struct arch_case *c)
{
	if (c->user)
		return c->flags & PT_USER;
	return !(c->flags & PT_USER) || (c->access != PT_EXEC && c->control & RISCV_SUM);
}

/* And each kind of access. */
static bool may(const struct arch_case *c)
{
	uint32_t wanted = c->access;

	if (wanted == PT_READ && c->control & RISCV_MXR)
		wanted |= PT_EXEC;
	return may_enter(c) && c->flags & wanted;
}

struct arch_outcome arch_expect(const struct arch_case *c)
{
	struct arch_outcome o = {.fault = true, .marks = c->flags & (PT_ACCESSED | PT_DIRTY)};

	o.code = c->access == PT_EXEC ? CODE_FETCH : c->access == PT_WRITE ? CODE_STORE : CODE_LOAD;
	if ((c->upper && (c->upper->absent || c->upper->reserved)) || !may(c))
		return o;
	/* Of the two schemes that the manual allows this MMU has the one that sets the bits. */
	o.fault = false;
	o.code = 0;
	o.marks |= PT_ACCESSED | (c->access == PT_WRITE ? PT_DIRTY : 0);
	return o;
}
