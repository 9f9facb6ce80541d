/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What changes the rules of the MMU: bits that a test of permissions sets in every combination. */
#ifndef PTDESC_PORT_BARE_X86_CONTROL_H
#define PTDESC_PORT_BARE_X86_CONTROL_H

#include <stdint.h>

enum x86_control {
	X86_WP = 1u << 0,   /* CR0: the supervisor too may not write what is read-only */
	X86_SMEP = 1u << 1, /* CR4: it may not execute what is the user's */
	X86_SMAP = 1u << 2, /* CR4: nor access it, unless AC is set */
	X86_NXE = 1u << 3,  /* EFER: bit 63 means something */
	X86_PKE = 1u << 4,  /* CR4: protection keys */
	X86_AC = 1u << 5,   /* EFLAGS, of machine_try */
	X86_PKS = 1u << 6,  /* CR4: protection keys of the supervisor's pages */
};
#define X86_CONTROLS 7u

/* What the kernel runs with. */
#define X86_CONTROL_DEFAULT (X86_WP | X86_NXE)

/* Sets all of them, on this CPU. */
void x86_set_control(uint32_t control);

/* The bits of X86_PKE and X86_PKS that this CPU has in its present mode. */
uint32_t x86_keys(void);

/* The rights of user and supervisor keys, as PKRU has them; each only while its bit is set. */
void x86_set_key_rights(uint32_t control, uint32_t rights);

#endif
