/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Numbers that assembly and C share; link.ld is given the first, the runner knows the second. */
#ifndef PTDESC_PORT_BARE_RISCV_LAYOUT_H
#define PTDESC_PORT_BARE_RISCV_LAYOUT_H

#if __riscv_xlen == 64
#define DIRECT     0xffffffe000000000 /* virtual minus physical address */
#define ROOT_SHIFT 30                 /* log2 bytes of a root entry of the smallest format */
#define ROOT_BITS  9
#define REGISTER   8
#else
#define DIRECT     0x70000000
#define ROOT_SHIFT 22
#define ROOT_BITS  10
#define REGISTER   4
#endif

#define RAM        0x80000000
#define PARAMETERS 0x80ff0000 /* where the runner leaves 8 bytes */
#define CLINT      0x02000000 /* a word for each hart: its software interrupt in M-mode */

#define STACK_SHIFT 15 /* log2 bytes of a hart's stack */
#define TRAP_SHIFT  13 /* and of the one that it takes traps on */

/* Offsets in struct machine_frame. */
#define FRAME_SP     (1 * REGISTER)
#define FRAME_EPC    (16 * REGISTER)
#define FRAME_STATUS (17 * REGISTER)
#define FRAME_CAUSE  (18 * REGISTER)
#define FRAME_TVAL   (19 * REGISTER)
#define FRAME_SIZE   (20 * REGISTER)

#endif
