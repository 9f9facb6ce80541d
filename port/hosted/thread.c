/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads as CPUs: who has which number, and waiting for a lock. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include "port/hosted/thread.h"

/* Looks at a lock before the thread lets others run, of whom one may hold it. */
#define SPINS 200u

/* What an unregistered thread is: never written, and never in the state of the fast paths. */
static struct port_thread nobody = {.in = PORT_NOBODY};

struct port_thread port_threads[PT_HOSTED_CPUS];
uint32_t port_threads_end;
__thread struct port_thread *port_self __attribute__((tls_model("initial-exec"))) = &nobody;

static pthread_mutex_t numbers = PTHREAD_MUTEX_INITIALIZER; /* guards live, and the end */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_end; /* its destructor unregisters a thread that ends */
static uint32_t strict_at_first;

static void thread_end(void *self)
{
	struct port_thread *thread = self;

	pthread_mutex_lock(&numbers);
	PT_STORE(&thread->in, PORT_OUT, RELEASE);
	PT_STORE(&thread->live, 0, RELEASE);
	pthread_mutex_unlock(&numbers);
	port_self = &nobody;
}

static void init(void)
{
	if (pthread_key_create(&at_end, thread_end) != 0)
		abort();
	strict_at_first = port_fence_init();
}

static struct port_thread *number_take(void)
{
	struct port_thread *thread = NULL;

	pthread_mutex_lock(&numbers);
	for (uint32_t n = 0; n < PT_HOSTED_CPUS && !thread; n++) {
		if (port_threads[n].live)
			continue;
		thread = &port_threads[n];
		thread->number = n;
		thread->depth = 0;
		PT_STORE(&thread->strict, strict_at_first, RELAXED);
		PT_STORE(&thread->in, PORT_OUT, RELAXED);
		PT_STORE(&thread->seen, PT_LOAD(&port_epoch.now, ACQUIRE), RELAXED);
		if (n >= port_threads_end)
			PT_STORE(&port_threads_end, n + 1u, RELEASE);
		PT_STORE(&thread->live, 1, RELEASE);
	}
	pthread_mutex_unlock(&numbers);
	return thread;
}

int pt_hosted_thread_register(unsigned *cpu)
{
	struct port_thread *thread = port_self;

	if (!thread->live) {
		(void)pthread_once(&once, init);
		thread = number_take();
		if (!thread)
			return -PT_EBUSY;
		(void)pthread_setspecific(at_end, thread);
		port_self = thread;
		/* Who did not see us in a scan for readers has let us see what it had unlinked. */
		port_fence_others();
	}
	if (cpu)
		*cpu = thread->number;
	return 0;
}

void pt_hosted_thread_unregister(void)
{
	if (!port_self->live)
		return;
	(void)pthread_setspecific(at_end, NULL);
	thread_end(port_self);
}

void pt_hosted_thread_reset(void)
{
	if (!port_self->live)
		return;
	port_self->depth = 0;
	PT_STORE(&port_self->in, PORT_OUT, RELEASE);
}

struct port_thread *port_thread_register(void)
{
	if (pt_hosted_thread_register(NULL) != 0) {
		(void)fprintf(stderr, "ptdesc: more than %u threads\n", PT_HOSTED_CPUS);
		abort();
	}
	return port_self;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#else
	PT_COMPILER_FENCE();
#endif
}

void port_wait(const uint32_t *addr, uint32_t value)
{
	for (unsigned i = 0; i < SPINS; i++) {
		if (PT_LOAD(addr, RELAXED) != value)
			return;
		relax();
	}
	(void)sched_yield();
}
