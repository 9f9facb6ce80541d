/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The oracle: what concurrent calls answered and left behind must be what they answer and leave one
 * after the other, in an order that agrees with the times at which they began and ended. What they
 * do one after the other is asked of the library itself, which the suite `model` holds against an
 * executable model.
 */
#ifndef TESTS_EXPLORE_ORACLE_H
#define TESTS_EXPLORE_ORACLE_H

#include "tests/explore/calls.h"

/* The world is another one: what is known of end states is of no use. */
void oracle_forget(void);

/*
 * Learns what the calls do in every order; partial: and what some of them do, if the others find no
 * memory. NULL, or what is wrong with that already.
 */
const char *oracle_learn(const struct call *calls, unsigned count, bool partial);

/* How an execution ended, as a number: what calls answered and left behind. */
uint64_t oracle_end(const struct call *calls);

/* Judges an execution that ended. NULL, or what is wrong with it. Takes the world apart. */
const char *oracle_judge(const struct call *calls);

#endif
