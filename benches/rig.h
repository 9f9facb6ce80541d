/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What most rows work on: a hosted memory with two spaces of x86-64 in it. */
#ifndef BENCHES_RIG_H
#define BENCHES_RIG_H

#include <ptdesc/hosted.h>
#include <ptdesc/space.h>

#define PAGE     UINT64_C(4096)
#define MIB      (UINT64_C(1) << 20)
#define GIB      (UINT64_C(1) << 30)
#define RIG_RUNS 64u

struct rig {
	struct pt_hosted *hosted;
	struct pt_memory *memory;
	struct pt_space space;
	struct pt_space other; /* what is forked into */
	unsigned class_id;     /* of the leaf tables */
	struct pt_gather gather;
	struct pt_run runs[RIG_RUNS];
};

/* flags: of the spaces. Ends the program when there is no memory. */
void rig_open(struct rig *rig, uint32_t flags);
void rig_close(struct rig *rig);

/* Ends the program if a call that cannot fail did. */
void rig_must(int err, const char *what);

#endif
