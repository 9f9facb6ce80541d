/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Grace periods. Starting one raises the epoch; a thread that leaves its outermost section and
 * finds a new epoch announces it, and the period is over when all threads have announced it or a
 * later one. Busy threads do that within an operation of each other, without a system call.
 *
 * A thread that does nothing announces nothing. Whoever has asked in vain for a while therefore
 * has every thread pass a fence (membarrier), and then counts those that are in no section as well:
 * a section that begins later sees what was unlinked. Where the system cannot do that, threads are
 * strict: they pass the fence themselves at the start of each section.
 *
 * Why not liburcu: its grace periods can be waited for and not polled (0.13), so that a helper
 * thread has to wait for them; measured with two busy threads on two CPUs a period then took
 * 10^6 operations, against 10^2 here, and all that time nothing is reused.
 */
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/membarrier.h>
#include <sys/syscall.h>
#endif
#include "port/hosted/thread.h"

#if PT_RACE_DETECTOR && !defined(__clang__)
/* The detector does not know fences; what they order here is atomic accesses, which it does. */
#pragma GCC diagnostic ignored "-Wtsan"
#endif

/* Polls in vain before the other threads are made to pass a fence, which costs microseconds. */
#define PATIENCE 256u

/* Rounds of waiting without sleep, and the length of a sleep. */
#define WAIT_SPINS 16u
#define WAIT_NS    50000

struct port_epoch port_epoch = {1};
static struct port_epoch completed; /* this epoch's grace period is known to be over */

#ifdef __linux__
static uint32_t can_fence_others;

uint32_t port_fence_init(void)
{
	long error = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);

	PT_STORE(&can_fence_others, error == 0, RELEASE);
	return error == 0 ? PORT_OUT : PORT_STRICT;
}

void port_fence_others(void)
{
	if (PT_LOAD(&can_fence_others, RELAXED))
		(void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	PT_FENCE(SEQ_CST);
}
#else
uint32_t port_fence_init(void)
{
	return PORT_STRICT;
}

void port_fence_others(void)
{
	PT_FENCE(SEQ_CST);
}
#endif

void port_section_enter_slow(void)
{
	struct port_thread *self = port_self;

	if (!self->live)
		self = port_thread_register();
	if (self->in == PORT_IN) {
		self->depth++;
		return;
	}
	PT_STORE(&self->in, PORT_IN, RELAXED);
	if (self->rest == PORT_STRICT)
		PT_FENCE(SEQ_CST);
}

/*
 * Acquire: sections from here on see all that was unlinked before the epoch was raised. Release:
 * whoever sees the announcement sees that earlier sections have ended.
 */
void port_quiet(struct port_thread *self)
{
	PT_STORE(&self->seen, PT_LOAD(&port_epoch.now, ACQUIRE), RELEASE);
}

uint64_t port_grace_start(void *ctx)
{
	(void)ctx;
	return PT_FETCH_ADD(&port_epoch.now, 1, ACQ_REL) + 1;
}

/* Epochs wrap on 32-bit hosts. */
static bool reached(uintptr_t epoch, uintptr_t cookie)
{
	return (intptr_t)(epoch - cookie) >= 0;
}

/* True when no thread is left that may hold what was unlinked; resting: see port_fence_others. */
static bool scan(uintptr_t cookie, bool resting)
{
	uint32_t end = PT_LOAD(&port_threads_end, ACQUIRE);

	for (uint32_t n = 0; n < end; n++) {
		const struct port_thread *thread = &port_threads[n];

		if (!PT_LOAD(&thread->live, ACQUIRE) ||
		    reached(PT_LOAD(&thread->seen, ACQUIRE), cookie))
			continue;
		if (!resting || PT_LOAD(&thread->in, ACQUIRE) == PORT_IN)
			return false;
	}
	return true;
}

/* Others may have got further meanwhile; falling back behind them would only cost a scan. */
static void complete(uintptr_t cookie)
{
	if (!reached(PT_LOAD(&completed.now, RELAXED), cookie))
		PT_STORE(&completed.now, cookie, RELEASE);
}

bool port_grace_done(void *ctx, uint64_t cookie)
{
	struct port_thread *self = port_self;
	uintptr_t epoch = (uintptr_t)cookie;
	bool done;

	(void)ctx;
	if (reached(PT_LOAD(&completed.now, ACQUIRE), epoch))
		return true;
	if (!self->live)
		self = port_thread_register();
	if (self->in != PORT_IN)
		port_quiet(self);
	if (self->rest == PORT_STRICT)
		PT_FENCE(SEQ_CST);
	done = scan(epoch, false);
	if (!done && ++self->polls >= PATIENCE) {
		port_fence_others();
		done = scan(epoch, true);
		self->polls = 0;
	}
	if (done) {
		self->polls = 0;
		complete(epoch);
	}
	return done;
}

void port_grace_wait(void *ctx, uint64_t cookie)
{
	const struct timespec nap = {.tv_nsec = WAIT_NS};
	unsigned rounds = 0;

	while (!port_grace_done(ctx, cookie)) {
		port_self->polls = PATIENCE;
		if (++rounds > WAIT_SPINS)
			(void)nanosleep(&nap, NULL);
	}
}
