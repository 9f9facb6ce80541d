/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The callbacks that the compiler puts into code compiled with -fsanitize=thread, in place of that
 * sanitizer's runtime. There is one thread: plain operations do what an atomic one must.
 */
#include "tests/costs/count.h"

#include <stdbool.h>

/* The names are the compiler's, and no header has them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

struct counts counts;
static uintptr_t frames;
static size_t frames_size;

void count_frames_in(const void *start, size_t size)
{
	frames = (uintptr_t)start;
	frames_size = size;
}

static inline bool in_frames(const volatile void *at)
{
	return (uintptr_t)at - frames < frames_size;
}

static inline void load(const volatile void *at)
{
	counts.loads += in_frames(at);
}

static inline void store(const volatile void *at)
{
	counts.stores += in_frames(at);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void)
{
}

#define PLAIN(size)                                                                                \
	void __tsan_read##size(void *at)                                                           \
	{                                                                                          \
		load(at);                                                                          \
	}                                                                                          \
	void __tsan_write##size(void *at)                                                          \
	{                                                                                          \
		store(at);                                                                         \
	}                                                                                          \
	void __tsan_unaligned_read##size(void *at)                                                 \
	{                                                                                          \
		load(at);                                                                          \
	}                                                                                          \
	void __tsan_unaligned_write##size(void *at)                                                \
	{                                                                                          \
		store(at);                                                                         \
	}

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *at, unsigned long size)
{
	(void)size;
	load(at);
}

void __tsan_write_range(void *at, unsigned long size)
{
	(void)size;
	store(at);
}

#define UPDATE(bits, type, name, becomes)                                                          \
	type __tsan_atomic##bits##_##name(volatile type *at, type v, int order)                    \
	{                                                                                          \
		type old = *at;                                                                    \
                                                                                                   \
		(void)order;                                                                       \
		counts.locked++;                                                                   \
		*at = (type)(becomes);                                                             \
		return old;                                                                        \
	}

#define ATOMIC(bits, type)                                                                         \
	type __tsan_atomic##bits##_load(const volatile type *at, int order)                        \
	{                                                                                          \
		(void)order;                                                                       \
		load(at);                                                                          \
		return *at;                                                                        \
	}                                                                                          \
	void __tsan_atomic##bits##_store(volatile type *at, type v, int order)                     \
	{                                                                                          \
		(void)order;                                                                       \
		store(at);                                                                         \
		*at = v;                                                                           \
	}                                                                                          \
	UPDATE(bits, type, exchange, v)                                                            \
	UPDATE(bits, type, fetch_add, old + v)                                                     \
	UPDATE(bits, type, fetch_sub, old - v)                                                     \
	UPDATE(bits, type, fetch_and, old &v)                                                      \
	UPDATE(bits, type, fetch_or, old | v)                                                      \
	bool __tsan_atomic##bits##_compare_exchange_strong(volatile type *at, type *expected,      \
	    type v, int order, int failure)                                                        \
	{                                                                                          \
		type old = *at;                                                                    \
                                                                                                   \
		(void)order;                                                                       \
		(void)failure;                                                                     \
		counts.locked++;                                                                   \
		if (old == *expected) {                                                            \
			*at = v;                                                                   \
			return true;                                                               \
		}                                                                                  \
		*expected = old;                                                                   \
		return false;                                                                      \
	}

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order)
{
	(void)order;
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}
