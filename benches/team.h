/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads that begin together, each on a CPU of its own as far as there are enough. */
#ifndef BENCHES_TEAM_H
#define BENCHES_TEAM_H

#include <stdint.h>

#define TEAM_MOST 8u

/*
 * Runs work in so many threads, of which the caller is number 0, once all are there. first: before
 * that, for what need not be timed; may be NULL. Returns ns that a thread took, in the mean, of a
 * run in which all were at work together; says so if there was none.
 */
double team_run(unsigned threads, void (*first)(void *state, unsigned thread),
    void (*work)(void *state, unsigned thread), void *state);

#endif
