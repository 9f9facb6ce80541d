/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where QEMU's MMU does otherwise than the manual says: the one list of what is excused. */
#ifndef TESTS_MMU_DEVIATIONS_H
#define TESTS_MMU_DEVIATIONS_H

#include "tests/mmu/arch.h"

/* Notes that a row explains the difference; false: none does. */
bool deviation_explains(const struct arch_case *c, const struct arch_outcome *expected,
    const struct arch_outcome *seen);

/* Prints the rows with their counts; the number of rows that were seen. */
unsigned deviations_report(void);

#endif
