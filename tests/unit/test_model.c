/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random operations on spaces against an executable model, compared after each one.
 *
 *   test_model [--seed N] [--format NAME] [--ops N] [--plain] [--mmu] [--kernel] [--trace]
 *
 * plain: no MMU walks the spaces; mmu: one does; kernel: and they are a kernel's.
 * PT_MODEL_OPS in the environment sets how many operations each machine is given.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/model.h"

#define DEFAULT_OPS  3000u
#define COMPARE_EACH 64u

static struct model model;

/* Of all runs. */
static struct {
	uint64_t operations;
	uint64_t done;
	uint64_t walks;
} total;

/* What the command line says. */
struct arguments {
	uint64_t seed;
	uint64_t ops;
	const char *format;
	bool trace;
	unsigned modes; /* bit i: model_modes[i] */
};

static void run(unsigned number, const struct pt_format *format, uint32_t flags,
    const struct arguments *a)
{
	struct model *m = &model;
	uint64_t done = 0;

	model_open(m, format, flags);
	m->seed = a->seed;
	m->rng = a->seed * 2 + 1;
	m->trace = a->trace;
	while (m->ops < a->ops) {
		model_step(m);
		if (m->ops % COMPARE_EACH == 0 || m->ops == a->ops)
			model_compare_all(m);
	}
	model_close(m);
	for (unsigned i = 0; i < 32; i++)
		done += m->done[i];
	printf("ok %u - model: %s %s, seed %llu, %llu operations, %llu took effect\n", number,
	    format->name, model_mode_name(flags), (unsigned long long)a->seed,
	    (unsigned long long)a->ops, (unsigned long long)done);
	printf("#");
	for (unsigned i = 0; i < 22; i++)
		printf(" %llu", (unsigned long long)m->done[i]);
	printf("; %llu walks\n", (unsigned long long)m->mmu.walks);
	total.operations += a->ops;
	total.done += done;
	total.walks += m->mmu.walks;
	fflush(stdout);
}

/* The mode that an argument names, as a bit, or 0. */
static unsigned mode_of(const char *argument)
{
	for (size_t mode = 0; mode < MODEL_MODES; mode++)
		if (!strncmp(argument, "--", 2) && !strcmp(argument + 2, model_modes[mode].name))
			return 1u << mode;
	return 0;
}

static struct arguments parse(int argc, char **argv)
{
	const char *ops = getenv("PT_MODEL_OPS");
	struct arguments a = {.seed = (uint64_t)time(NULL), .ops = DEFAULT_OPS};

	if (ops)
		a.ops = strtoull(ops, NULL, 0);
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--seed"))
			a.seed = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--ops"))
			a.ops = strtoull(value, NULL, 0);
		else if (!strcmp(argv[i], "--format"))
			a.format = value;
		a.trace |= !strcmp(argv[i], "--trace");
		a.modes |= mode_of(argv[i]);
	}
	if (!a.modes)
		a.modes = (1u << MODEL_MODES) - 1;
	return a;
}

/* Is a format wanted. Those with large pages take minutes, and share all but sizes with others. */
static bool wanted(const struct pt_format *format, const char *name)
{
	if (!ref_find(format->name))
		return false;
	return name ? !strcmp(name, format->name) : format->page_shift <= 12;
}

int main(int argc, char **argv)
{
	struct arguments a = parse(argc, argv);
	unsigned number = 0;

	for (unsigned i = 0; pt_formats[i]; i++) {
		if (!wanted(pt_formats[i], a.format))
			continue;
		for (size_t mode = 0; mode < MODEL_MODES; mode++)
			if (a.modes >> mode & 1)
				run(++number, pt_formats[i], model_modes[mode].flags, &a);
	}
	printf("1..%u\n## model: %llu operations, %llu took effect, %llu walks of an MMU\n", number,
	    (unsigned long long)total.operations, (unsigned long long)total.done,
	    (unsigned long long)total.walks);
	return 0;
}
