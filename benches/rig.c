/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "benches/rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "benches/bench.h"

void rig_must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "ptdesc-bench: %s: %s\n", what, pt_strerror(err));
	exit(4);
}

/* Takes the runs and drops them: what a caller does with its frames is not ours to measure. */
static void drop(void *ctx, const struct pt_run *runs, size_t count)
{
	BENCH_USE(ctx);
	BENCH_USE(runs);
	BENCH_USE(count);
}

void rig_open(struct rig *rig, uint32_t flags)
{
	struct pt_hosted_config config = {.bytes = GIB};
	const struct pt_format *format = pt_format_find("x86_64");

	if (!format)
		bench_die("built without x86_64");
	rig_must(pt_hosted_memory_create(&config, &rig->hosted), "memory");
	rig->memory = pt_hosted_memory(rig->hosted);
	rig_must(pt_space_init(&rig->space, rig->memory, format, flags, NULL), "space");
	rig_must(pt_space_init(&rig->other, rig->memory, format, flags, NULL), "space");
	rig_must(pt_class_register(rig->memory, &format->tables[0], &rig->class_id), "class");
	rig->gather = pt_make_gather(rig->runs, RIG_RUNS, drop, NULL);
}

void rig_close(struct rig *rig)
{
	rig_must(pt_space_destroy(&rig->other, NULL), "destroy");
	rig_must(pt_space_destroy(&rig->space, NULL), "destroy");
	rig_must(pt_hosted_memory_destroy(rig->hosted, NULL), "leak");
}
