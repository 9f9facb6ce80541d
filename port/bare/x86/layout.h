/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Numbers that assembly and C share; link.ld is given the first, the runner the second. */
#ifndef PTDESC_PORT_BARE_X86_LAYOUT_H
#define PTDESC_PORT_BARE_X86_LAYOUT_H

/* Virtual minus physical address. At 32 bits all that is needed lies in one GiB with it. */
#ifdef __x86_64__
#define DIRECT 0xffffc00000000000
#else
#define DIRECT 0x88000000
#endif

#define PARAMETERS 0xff0000 /* where the runner leaves 8 bytes */
#define TRAMPOLINE 0x8000   /* where other CPUs start */

#define CR0_PE 1 /* protection */

/* Segments until each CPU has a table of its own, which begins alike. */
#define BOOT_CODE32 0x08
#define BOOT_DATA   0x10
#define BOOT_CODE64 0x18

#define STACK_SHIFT 15 /* log2 bytes of a CPU's stack */
#define VECTORS     33 /* the exceptions, and one interrupt */
#define INTERRUPT   32

#endif
