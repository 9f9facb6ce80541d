/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Operations on spaces under libFuzzer, held against the model of tests/unit/model.h after each.
 * The first byte chooses format and mode, the others are the numbers that random ones would be
 * elsewhere. In the environment PT_FUZZ_TRACE shows the operations, and PT_FUZZ_DEFECT=N puts back
 * row N of docs/defects.md, which is then to be found.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/defects.h"
#include "tests/unit/model.h"

unsigned pt_defect;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct model model;
static unsigned long long operations;

static void report(void)
{
	printf("## %llu operations\n", operations);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *defect = getenv("PT_FUZZ_DEFECT");

	(void)argc;
	(void)argv;
	(void)atexit(report);
	if (defect)
		pt_defect = (unsigned)strtoul(defect, NULL, 10);
	return 0;
}

static unsigned formats(void)
{
	unsigned n = 0;

	while (pt_formats[n])
		n++;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model *m = &model;
	unsigned mode;

	if (size < 2)
		return 0;
	mode = data[0] / formats() % MODEL_MODES;
	model_open(m, pt_formats[data[0] % formats()], model_modes[mode].flags);
	m->bytes = data + 1;
	m->left = size - 1;
	m->trace = getenv("PT_FUZZ_TRACE") != NULL;
	while (m->left)
		model_step(m);
	model_compare_all(m);
	operations += m->ops;
	model_close(m);
	return 0;
}
