/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The rules of an architecture's MMU, written down again from its manual: one file each. */
#ifndef TESTS_MMU_ARCH_H
#define TESTS_MMU_ARCH_H

#include "port/bare/common/machine.h"

/* Does a fault's code say that nothing is mapped there. */
bool arch_is_unmapped(uint64_t code);

#endif
