/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "port/explore/explore.h"
#include "tests/explore/ends.h"

#define ENDS ((size_t)1 << 20)

static struct {
	uint64_t end;
	uint32_t scenario;
} known[ENDS];

static uint32_t scenario;
static size_t count;

void ends_begin(void)
{
	scenario++;
	count = 0;
}

bool ends_add(uint64_t end)
{
	size_t at = (size_t)(end >> 32) % ENDS;

	while (known[at].scenario == scenario) {
		if (known[at].end == end)
			return false;
		at = (at + 1) % ENDS;
	}
	if (++count == ENDS)
		explore_fail("more ends than there is room for", NULL);
	known[at].end = end;
	known[at].scenario = scenario;
	return true;
}
