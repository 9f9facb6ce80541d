/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What changes the rules of the MMU. */
#ifndef PTDESC_PORT_BARE_AARCH64_CONTROL_H
#define PTDESC_PORT_BARE_AARCH64_CONTROL_H

#include <stdint.h>

enum aarch64_control {
	AARCH64_PAN = 1u << 0,   /* PSTATE, of machine_try: EL1 may not access what EL0 can */
	AARCH64_WXN = 1u << 1,   /* SCTLR_EL1: nobody may execute what he may write */
	AARCH64_NO_HA = 1u << 2, /* TCR_EL1.HA clear: the MMU sets no access flags */
	AARCH64_NO_HD = 1u << 3, /* TCR_EL1.HD clear: it marks nothing as dirty */
	AARCH64_HPD0 = 1u << 4,  /* TCR_EL1: rights in entries of tables do not count, TTBR0 */
	AARCH64_HPD1 = 1u << 5,  /* the same, TTBR1 */
	AARCH64_E0PD0 = 1u << 6, /* TCR_EL1: EL0 may not access what TTBR0 translates */
	AARCH64_EPAN = 1u << 7,  /* SCTLR_EL1: PAN is also of what EL0 can only execute */
};
#define AARCH64_CONTROLS 8u

/* Sets all of them, on this CPU. */
void aarch64_set_control(uint32_t control);

/* Those that this CPU has: AARCH64_NO_HA where there is an HA to clear. */
uint32_t aarch64_controls(void);

#endif
