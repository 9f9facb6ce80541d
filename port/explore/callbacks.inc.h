/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The callbacks that compilers put before and around accesses with -fsanitize=thread, for programs
 * that link this in place of that sanitizer's runtime and run all of them on one thread: plain
 * operations do what an atomic one must. Whoever includes this defines first
 *
 *   void plain(const void *at, size_t size, bool write, const void *pc)   of 1 to 16 bytes
 *   void range(const void *at, size_t size, bool write, const void *pc)   of any number
 *   bool before(const volatile void *at, size_t size, enum atomic_kind kind, const void *pc)
 *   void after(bool tell, const volatile void *at, size_t size, enum atomic_kind kind, int order)
 *       tell is what before said; a failed compare and exchange is a load by then
 *   void fence(int order)
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port/explore/atomic_kind.h"

/* The names are the compilers', and no header has them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define PC __builtin_return_address(0)

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
	range(at, size, false, PC);
}

void __tsan_write_range(void *at, unsigned long size)
{
	range(at, size, true, PC);
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
	/* clang's; the next is gcc's. */                                                          \
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
	}                                                                                          \
	bool __tsan_atomic##bits##_compare_exchange_strong(volatile type *at, type *expected,      \
	    type v, int order, int failure)                                                        \
	{                                                                                          \
		type old =                                                                         \
		    __tsan_atomic##bits##_compare_exchange_val(at, *expected, v, order, failure);  \
		bool same = old == *expected;                                                      \
                                                                                                   \
		*expected = old;                                                                   \
		return same;                                                                       \
	}

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order)
{
	fence(order);
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}
