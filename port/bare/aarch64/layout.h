/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Numbers that assembly and C share; link.ld knows the first, the runner the second. */
#ifndef PTDESC_PORT_BARE_AARCH64_LAYOUT_H
#define PTDESC_PORT_BARE_AARCH64_LAYOUT_H

/* Virtual minus physical address: within what TTBR1 translates at 36 bits and more. */
#define DIRECT     0xfffffff000000000
#define PARAMETERS 0x40ff0000 /* where the runner leaves 8 bytes */

#define STACK_SHIFT 15 /* log2 bytes of a CPU's stack */

/* Offsets in struct machine_frame. */
#define FRAME_X30  (19 * 8)
#define FRAME_ELR  (20 * 8)
#define FRAME_SPSR (21 * 8)
#define FRAME_SIZE (22 * 8)

#endif
