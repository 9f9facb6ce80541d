/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The only place that names the compiler's atomics. Operands are plain integers, so that C++ can
 * include the headers, and the memory order is a constant at the call (RELAXED, ACQUIRE, RELEASE,
 * ACQ_REL), so that a reader, and a race detector, sees every one of them.
 */
#ifndef PTDESC_ATOMIC_H
#define PTDESC_ATOMIC_H

#define PT_LOAD(p, order)         __atomic_load_n((p), __ATOMIC_##order)
#define PT_STORE(p, v, order)     __atomic_store_n((p), (v), __ATOMIC_##order)
#define PT_XCHG(p, v, order)      __atomic_exchange_n((p), (v), __ATOMIC_##order)
#define PT_FETCH_ADD(p, v, order) __atomic_fetch_add((p), (v), __ATOMIC_##order)
#define PT_FETCH_SUB(p, v, order) __atomic_fetch_sub((p), (v), __ATOMIC_##order)
#define PT_FETCH_AND(p, v, order) __atomic_fetch_and((p), (v), __ATOMIC_##order)
#define PT_FETCH_OR(p, v, order)  __atomic_fetch_or((p), (v), __ATOMIC_##order)

/*
 * Strong compare and exchange: true when *p was *expected; else *expected becomes what it was, by a
 * relaxed load.
 */
#define PT_CAS(p, expected, v, order)                                                              \
	__atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_##order, __ATOMIC_RELAXED)

/*
 * Release: the relaxed and plain stores that follow come after what came before, for filling many
 * words at once. Acquire: what follows comes after the relaxed loads before.
 */
#define PT_FENCE(order) __atomic_thread_fence(__ATOMIC_##order)

/* Keeps the compiler from merging the stores before with those after (into a memset, say). */
#define PT_COMPILER_FENCE() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* A race detector is linked: it must see every word that others may read as an atomic one. */
#if defined(__SANITIZE_THREAD__)
#define PT_RACE_DETECTOR 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PT_RACE_DETECTOR 1
#endif
#endif
#ifndef PT_RACE_DETECTOR
#define PT_RACE_DETECTOR 0
#endif

/* A relaxed store that compilers may vectorise; the caller sees to it that they tear none. */
#if PT_RACE_DETECTOR
#define PT_STORE_FAST(p, v) PT_STORE(p, v, RELAXED)
#else
#define PT_STORE_FAST(p, v) (*(p) = (v))
#endif

/* It does not know fences, as ThreadSanitizer; the explorer's does. */
#ifndef PT_FENCES_UNSEEN
#define PT_FENCES_UNSEEN PT_RACE_DETECTOR
#endif

#endif
