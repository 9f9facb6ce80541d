/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What changes the rules of the MMU: bits of sstatus. */
#ifndef PTDESC_PORT_BARE_RISCV_CONTROL_H
#define PTDESC_PORT_BARE_RISCV_CONTROL_H

#include <stdint.h>

enum riscv_control {
	RISCV_SUM = 1u << 0, /* the supervisor may access what is the user's */
	RISCV_MXR = 1u << 1, /* what may be executed may be read */
};
#define RISCV_CONTROLS 2u

/* Sets both, on this hart. */
void riscv_set_control(uint32_t control);

#endif
