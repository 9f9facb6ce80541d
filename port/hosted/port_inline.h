/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The hot calls of the hosted port, inline: what PT_PORT_HEADER names when the library is built
 * for it. A thread is a CPU, so that pinning is looking up its number. ctx is the address of
 * physical address 0.
 */
#ifndef PTDESC_PORT_HOSTED_PORT_INLINE_H
#define PTDESC_PORT_HOSTED_PORT_INLINE_H

#include <ptdesc/atomic.h>
#include <ptdesc/port.h>

/* Values of port_thread.in. */
enum {
	PORT_OUT = 0,    /* in no section */
	PORT_IN = 1,     /* in one */
	PORT_NOBODY = 2, /* not registered: no thread of its own has this record */
};

/* Values of port_thread.strict: whether the thread passes a full fence when it enters a section. */
enum {
	PORT_LAX = 0,
	PORT_ASKED = 1,  /* it will from its next section on */
	PORT_STRICT = 2, /* it does: who passes a fence as well sees whether it is in a section */
};

/* One registered thread. Written by the thread, read by those that wait for grace periods. */
struct port_thread {
	uint32_t in;     /* PORT_* */
	uint32_t depth;  /* sections open inside the outermost one */
	uint32_t strict; /* PORT_LAX to PORT_STRICT; only the thread itself goes back to lax */
	uint32_t number; /* the CPU */
	uint32_t live;   /* registered */
	uint32_t polls;  /* times that it asked for a grace period in vain */
	uint32_t fences; /* sections that it has entered strictly since it was made to */
	uintptr_t seen;  /* port_epoch as of its last moment outside sections that it announced */
} __attribute__((aligned(64)));

/*
 * Counts up with each grace period that is started. Bounds of the line it shares: nothing else,
 * for every thread reads it at each exit.
 */
struct port_epoch {
	uintptr_t now;
} __attribute__((aligned(64)));

extern struct port_epoch port_epoch __attribute__((visibility("hidden")));
extern __thread struct port_thread *port_self __attribute__((tls_model("initial-exec")));

/* Where the inline calls end; port/hosted/thread.c, grace.c. */
struct port_thread *port_thread_register(void) __attribute__((cold));
void port_section_enter_slow(void) __attribute__((cold));
void port_section_enter_strict(struct port_thread *self) __attribute__((cold));
void port_quiet(struct port_thread *self) __attribute__((cold));
void port_wait(const uint32_t *addr, uint32_t value) __attribute__((cold));

static inline unsigned port_cpu_pin(const struct pt_port *port, bool irq)
{
	const struct port_thread *self = port_self;

	(void)port;
	(void)irq;
	if (__builtin_expect(!self->live, 0))
		self = port_thread_register();
	return self->number;
}

static inline void port_cpu_unpin(const struct pt_port *port, bool irq)
{
	(void)port;
	(void)irq;
}

/*
 * Stores of constants, so that one section does not wait for the stores of the last. That the
 * store is seen before the loads of the section is the business of who waits (grace.c).
 */
static inline void port_section_enter(const struct pt_port *port)
{
	struct port_thread *self = port_self;

	(void)port;
	if (__builtin_expect(PT_LOAD(&self->in, RELAXED) != PORT_OUT, 0)) {
		port_section_enter_slow();
		return;
	}
	PT_STORE(&self->in, PORT_IN, RELAXED);
	PT_COMPILER_FENCE();
	if (__builtin_expect(PT_LOAD(&self->strict, RELAXED) != PORT_LAX, 0))
		port_section_enter_strict(self);
}

/* The same if it takes no call, which would cost the caller registers; false: nothing was done. */
static inline bool port_section_try(const struct pt_port *port)
{
	struct port_thread *self = port_self;

	(void)port;
	if (__builtin_expect(PT_LOAD(&self->in, RELAXED) != PORT_OUT, 0))
		return false;
	PT_STORE(&self->in, PORT_IN, RELAXED);
	PT_COMPILER_FENCE();
	if (__builtin_expect(PT_LOAD(&self->strict, RELAXED) == PORT_LAX, 1))
		return true;
	PT_STORE(&self->in, PORT_OUT, RELEASE);
	return false;
}

static inline void port_section_exit(const struct pt_port *port)
{
	struct port_thread *self = port_self;

	(void)port;
	if (__builtin_expect(self->depth != 0, 0)) {
		self->depth--;
		return;
	}
	PT_STORE(&self->in, PORT_OUT, RELEASE);
	if (__builtin_expect(PT_LOAD(&port_epoch.now, RELAXED) != self->seen, 0))
		port_quiet(self);
}

static inline void *port_phys_to_virt(const struct pt_port *port, uint64_t pa)
{
	return (char *)port->ctx + pa;
}

static inline void port_lock(const struct pt_port *port, uint32_t *lock)
{
	uint32_t free = 0;

	(void)port;
	while (__builtin_expect(!PT_CAS(lock, &free, 1, ACQUIRE), 0)) {
		port_wait(lock, 1);
		free = 0;
	}
}

static inline void port_unlock(const struct pt_port *port, uint32_t *lock)
{
	(void)port;
	PT_STORE(lock, 0, RELEASE);
}

#endif
