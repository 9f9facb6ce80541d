/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Pieces of work in processes of their own: two CPUs are used, and a crash is one failure. */
#ifndef TESTS_EXPLORE_JOBS_H
#define TESTS_EXPLORE_JOBS_H

#include "tests/explore/scenario.h"

/* A piece: what it prints is shown in the order of pieces; false: it failed. */
typedef bool (*job_fn)(unsigned piece, struct totals *totals);

/*
 * Does pieces 0 to count - 1, at most processes at a time; first: and no more once one has failed.
 * Returns false if one failed; the sums of their totals in sum.
 */
bool jobs_run(job_fn job, unsigned count, unsigned processes, bool first, struct totals *sum);

#endif
