/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What changes the rules of the MMU. */
#ifndef PTDESC_PORT_BARE_AARCH64_CONTROL_H
#define PTDESC_PORT_BARE_AARCH64_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

enum aarch64_control {
	AARCH64_PAN = 1u << 0, /* PSTATE, of machine_try: EL1 may not access what EL0 can */
	AARCH64_WXN = 1u << 1, /* SCTLR_EL1: nobody may execute what he may write */
};
#define AARCH64_CONTROLS 2u

/* Sets both, on this CPU. */
void aarch64_set_control(uint32_t control);

/* Does the MMU set the access flag; does it mark pages as dirty. */
bool aarch64_sets_accessed(void);
bool aarch64_sets_dirty(void);

#endif
