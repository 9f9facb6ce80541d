/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The ways in which a scenario ends: answers and end states. Schedules that are left out are those
 * that end as another does, so however many are explored, the ends are the same.
 */
#ifndef TESTS_EXPLORE_ENDS_H
#define TESTS_EXPLORE_ENDS_H

#include <stdbool.h>
#include <stdint.h>

/* Another scenario: none is known. */
void ends_begin(void);

/* true: there was none of this number yet. */
bool ends_add(uint64_t end);

#endif
