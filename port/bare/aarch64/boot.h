/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What each CPU loads before it turns its MMU on; made by the first at physical addresses. */
#ifndef PTDESC_PORT_BARE_AARCH64_BOOT_H
#define PTDESC_PORT_BARE_AARCH64_BOOT_H

#include <stdint.h>

/* start.S knows the order. */
struct machine_boot {
	uint64_t tcr;
	uint64_t mair;
	uint64_t ttbr0; /* the image at its physical address */
	uint64_t ttbr1; /* all that is needed at DIRECT */
};

extern struct machine_boot machine_boot;

void machine_boot_tables(void);

#endif
