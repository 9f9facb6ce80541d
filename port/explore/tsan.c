/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The callbacks that clang puts into code compiled with -fsanitize=thread, in place of that
 * sanitizer's runtime. Nothing here is compiled so itself, and all fibers are one thread: plain
 * operations do what an atomic one must.
 */
#include <string.h>

#include "port/explore/inside.h"

/* The names are the compiler's, and no header has them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define PC __builtin_return_address(0)

/* Of any size. */
static __attribute__((noinline)) void range(size_t offset, size_t size, bool write, const void *pc)
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
	if (!is_settled(offset, size, write)) {
		range(offset, size, write, pc);
		return;
	}
	if (write)
		mark_dirty(offset, size);
	explore.count[explore.current]++;
	explore.time++;
}

void __tsan_init(void)
{
}

#define PLAIN(size)                                                                                \
	void __tsan_read##size(void *at)                                                           \
	{                                                                                          \
		plain(at, size, false, PC);                                                        \
	}                                                                                          \
	void __tsan_write##size(void *at)                                                          \
	{                                                                                          \
		plain(at, size, true, PC);                                                         \
	}                                                                                          \
	void __tsan_unaligned_read##size(void *at)                                                 \
	{                                                                                          \
		plain(at, size, false, PC);                                                        \
	}                                                                                          \
	void __tsan_unaligned_write##size(void *at)                                                \
	{                                                                                          \
		plain(at, size, true, PC);                                                         \
	}

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *at, unsigned long size)
{
	range(block_offset(at), size, false, PC);
}

void __tsan_write_range(void *at, unsigned long size)
{
	range(block_offset(at), size, true, PC);
}

void *__tsan_memset(void *to, int byte, unsigned long size)
{
	range(block_offset(to), size, true, PC);
	return memset(to, byte, size);
}

void *__tsan_memcpy(void *to, const void *from, unsigned long size)
{
	range(block_offset(from), size, false, PC);
	range(block_offset(to), size, true, PC);
	return memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, unsigned long size)
{
	range(block_offset(from), size, false, PC);
	range(block_offset(to), size, true, PC);
	return memmove(to, from, size);
}

/* Before an atomic access; true: tell race.c afterwards. */
static bool before(const volatile void *at, size_t size, enum atomic_kind kind, const void *pc)
{
	static const char *const what[] = {"atomic load", "atomic store", "atomic update"};
	size_t offset = block_offset(at);

	bool tell;

	if (offset >= EXPLORE_BLOCK)
		return false;
	tell = before_access(offset, size, kind != ATOMIC_LOAD, true, what[kind], pc);
	if (explore.current != EXPLORE_MAIN && watched(offset)) {
		if (kind == ATOMIC_LOAD)
			explore.watch->load(watched(offset));
		else if (kind == ATOMIC_UPDATE)
			explore.watch->update(watched(offset));
	}
	return tell;
}

static void after(bool tell, const volatile void *at, size_t size, enum atomic_kind kind, int order)
{
	if (tell)
		race_atomic(block_offset(at), size, kind, order);
}

#define UPDATE(bits, type, name, becomes)                                                          \
	type __tsan_atomic##bits##_##name(volatile type *at, type v, int order)                    \
	{                                                                                          \
		bool tell = before(at, sizeof(type), ATOMIC_UPDATE, PC);                           \
		type old = *at;                                                                    \
                                                                                                   \
		*at = (type)(becomes);                                                             \
		after(tell, at, sizeof(type), ATOMIC_UPDATE, order);                               \
		return old;                                                                        \
	}

#define ATOMIC(bits, type)                                                                         \
	type __tsan_atomic##bits##_load(const volatile type *at, int order)                        \
	{                                                                                          \
		bool tell = before(at, sizeof(type), ATOMIC_LOAD, PC);                             \
                                                                                                   \
		after(tell, at, sizeof(type), ATOMIC_LOAD, order);                                 \
		return *at;                                                                        \
	}                                                                                          \
	void __tsan_atomic##bits##_store(volatile type *at, type v, int order)                     \
	{                                                                                          \
		bool tell = before(at, sizeof(type), ATOMIC_STORE, PC);                            \
                                                                                                   \
		*at = v;                                                                           \
		after(tell, at, sizeof(type), ATOMIC_STORE, order);                                \
	}                                                                                          \
	UPDATE(bits, type, exchange, v)                                                            \
	UPDATE(bits, type, fetch_add, old + v)                                                     \
	UPDATE(bits, type, fetch_sub, old - v)                                                     \
	UPDATE(bits, type, fetch_and, old &v)                                                      \
	UPDATE(bits, type, fetch_or, old | v)                                                      \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *at, type expected, type v,  \
	    int order, int failure)                                                                \
	{                                                                                          \
		bool tell = before(at, sizeof(type), ATOMIC_UPDATE, PC);                           \
		type old = *at;                                                                    \
                                                                                                   \
		if (old == expected)                                                               \
			*at = v;                                                                   \
		after(tell, at, sizeof(type), old == expected ? ATOMIC_UPDATE : ATOMIC_LOAD,       \
		    old == expected ? order : failure);                                            \
		return old;                                                                        \
	}

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order)
{
	race_fence(order);
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}
