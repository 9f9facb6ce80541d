/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where QEMU's MMU does otherwise than the manual says: the one list of what is excused. */
#ifndef TESTS_MMU_DEVIATIONS_H
#define TESTS_MMU_DEVIATIONS_H

#include "tests/mmu/arch.h"

/* Notes that a row explains the difference; false: none does. */
bool deviation_explains(const struct arch_case *c, const struct arch_outcome *expected,
    const struct arch_outcome *seen);

/*
 * An entry as the library wrote it: without a mark that QEMU's MMU makes where the architecture has
 * none. Notes that.
 */
uint64_t deviation_undone(const struct pt_format *format, unsigned level, uint64_t entry);

/* Prints the rows of this machine with their counts; one that was not seen has failed. */
void deviations_report(void);

#endif
