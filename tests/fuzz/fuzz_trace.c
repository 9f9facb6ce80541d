/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The reader of traces under libFuzzer. The first byte says what the others are: a file; records; a
 * header. The latter two are packed as blocks whose checksums are right: no fuzzer finds one.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/trace/made.h"

#define HEADER                                                                                     \
	"kernel\0\0command\0\0thp\0\0page_shift\00012\0levels\0004\0reclaim\0000\0faults\0001\0"   \
	"scan\0001\0start\0000\0"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct bytes file)
{
	struct seen seen = made_judge(12, file);

	if (seen.wrong || (seen.end == TRACE_BROKEN && seen.error.offset > file.size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = {(uint8_t *)(uintptr_t)data + 1, size - 1};
	struct bytes header = {(uint8_t *)(uintptr_t)HEADER, sizeof(HEADER) - 1};
	struct frames frames = {.count = 2, .frames = {{.kind = 1}, {.kind = 2}}};
	struct bytes file;

	if (!size)
		return 0;
	if (data[0] % 3 == 0) {
		judge(rest);
		return 0;
	}
	frames.frames[0].raw = data[0] % 3 == 1 ? header : rest;
	frames.frames[1].raw = rest;
	file = frames_join(&frames);
	judge(file);
	free(file.data);
	return 0;
}
