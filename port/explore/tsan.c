/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the callbacks of clang's -fsanitize=thread do here. Nothing of it is compiled so itself, and
 * all fibers are one thread.
 */
#include <string.h>

#include "port/explore/inside.h"

/* Of any size. */
static __attribute__((noinline)) void part(size_t offset, size_t size, bool write, const void *pc)
{
	if (offset < EXPLORE_BLOCK && size &&
	    before_access(offset, size, write, explore.config.plain, write ? "write" : "read", pc))
		race_plain(offset, size, write);
}

/* Of a size that is a power of two, known where this is compiled in. */
static inline void plain(const void *address, size_t size, bool write, const void *pc)
{
	size_t offset = block_offset(address);

	if (offset >= EXPLORE_BLOCK)
		return;
	if (is_settled(offset, size, write, write))
		count_access(offset, size, write);
	else
		part(offset, size, write, pc);
}

static inline void range(const void *address, size_t size, bool write, const void *pc)
{
	part(block_offset(address), size, write, pc);
}

/* Before an atomic access; true: tell race.c afterwards. */
static bool before(const volatile void *at, size_t size, enum atomic_kind kind, const void *pc)
{
	static const char *const what[] = {"atomic load", "atomic store", "atomic update"};
	size_t offset = block_offset(at);
	bool write = kind != ATOMIC_LOAD;
	bool tell;

	if (offset >= EXPLORE_BLOCK)
		return false;
	if (is_settled(offset, size, write, true)) {
		count_access(offset, size, write);
		return false;
	}
	tell = before_access(offset, size, write, true, what[kind], pc);
	if (explore.current != EXPLORE_MAIN && watched(offset)) {
		if (kind == ATOMIC_LOAD)
			explore.watch->load(watched(offset));
		else if (kind == ATOMIC_STORE)
			explore.watch->store(watched(offset));
		else
			explore.watch->update(watched(offset));
	}
	return tell;
}

static void after(bool tell, const volatile void *at, size_t size, enum atomic_kind kind, int order)
{
	if (tell)
		race_atomic(block_offset(at), size, kind, order);
}

static void fence(int order)
{
	race_fence(order);
}

#include "port/explore/callbacks.inc.h"

/* gcc has none of these. */
void *__tsan_memset(void *to, int byte, unsigned long size)
{
	range(to, size, true, PC);
	return memset(to, byte, size);
}

void *__tsan_memcpy(void *to, const void *from, unsigned long size)
{
	range(from, size, false, PC);
	range(to, size, true, PC);
	return memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, unsigned long size)
{
	range(from, size, false, PC);
	range(to, size, true, PC);
	return memmove(to, from, size);
}
