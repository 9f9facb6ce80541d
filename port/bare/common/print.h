/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A small printf onto the machine's console. */
#ifndef PTDESC_PORT_BARE_PRINT_H
#define PTDESC_PORT_BARE_PRINT_H

/* %s, %u, %x, each of the numbers with l or ll; %%. Lines of one CPU at a time are the caller's. */
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);

#endif
