/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the callbacks of gcc's -fsanitize=thread do here: count. */
#include "tests/costs/count.h"

#include <stdbool.h>

#include "port/explore/atomic_kind.h"

struct counts counts;
static uintptr_t frames;
static size_t frames_size;

void count_frames_in(const void *start, size_t size)
{
	frames = (uintptr_t)start;
	frames_size = size;
}

static void plain(const volatile void *at, size_t size, bool write, const void *pc)
{
	bool counted = (uintptr_t)at - frames < frames_size;

	(void)size;
	(void)pc;
	counts.loads += counted && !write;
	counts.stores += counted && write;
}

static void range(const void *at, size_t size, bool write, const void *pc)
{
	plain(at, size, write, pc);
}

static bool before(const volatile void *at, size_t size, enum atomic_kind kind, const void *pc)
{
	if (kind == ATOMIC_UPDATE)
		counts.locked++;
	else
		plain(at, size, kind == ATOMIC_STORE, pc);
	return false;
}

static void after(bool tell, const volatile void *at, size_t size, enum atomic_kind kind, int order)
{
	(void)tell;
	(void)at;
	(void)size;
	(void)kind;
	(void)order;
}

static void fence(int order)
{
	(void)order;
}

#include "port/explore/callbacks.inc.h"
