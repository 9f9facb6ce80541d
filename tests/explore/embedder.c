/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <string.h>

#include <ptdesc/atomic.h>
#include "tests/explore/embedder.h"

void embedder_write(unsigned *at)
{
	*at = EMBEDDER_WROTE;
}

unsigned embedder_read(const unsigned *at)
{
	return *at;
}

void embedder_clear(void *at, size_t size)
{
	memset(at, 0xff, size);
}

void embedder_forget(struct ptdesc **at)
{
	*at = NULL;
}

void embedder_publish(void **shelf, void *object)
{
	PT_STORE(shelf, object, RELEASE);
}

void embedder_look(void *const *shelf)
{
	const uint64_t *object = PT_LOAD(shelf, ACQUIRE);

	if (object)
		(void)PT_LOAD(object, RELAXED);
}

unsigned embedder_dead(const struct ptdesc *pt)
{
	return PT_LOAD(&pt->dead, RELAXED);
}
