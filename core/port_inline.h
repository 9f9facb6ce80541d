/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The hot calls of the port, as the library makes them. PT_PORT_HEADER names a header that defines
 * the eight port_* functions below inline; without it they go through the table.
 */
#ifndef PTDESC_CORE_PORT_INLINE_H
#define PTDESC_CORE_PORT_INLINE_H

#include <ptdesc/atomic.h>
#include <ptdesc/port.h>
#include "core/defects.h"

#ifdef PT_PORT_HEADER
#include PT_PORT_HEADER
#else

static inline unsigned port_cpu_pin(const struct pt_port *port, bool irq)
{
	return port->cpu_pin(port->ctx, irq);
}

static inline void port_cpu_unpin(const struct pt_port *port, bool irq)
{
	port->cpu_unpin(port->ctx, irq);
}

static inline void port_section_enter(const struct pt_port *port)
{
	if (!PT_DEFECT(62))
		port->section_enter(port->ctx);
}

/* Enters as well, unless that would take long; false: nothing was done. */
static inline bool port_section_try(const struct pt_port *port)
{
	port_section_enter(port);
	return true;
}

static inline void port_section_exit(const struct pt_port *port)
{
	if (!PT_DEFECT(62))
		port->section_exit(port->ctx);
}

static inline void *port_phys_to_virt(const struct pt_port *port, uint64_t pa)
{
	return port->phys_to_virt(port->ctx, pt_make_pa(pa));
}

/* A lock is 32 bits on every build: 0 free, 1 held. */
static inline void port_lock(const struct pt_port *port, uint32_t *lock)
{
	uint32_t free = 0;

	while (!PT_CAS(lock, &free, 1, ACQUIRE)) {
		port->wait_while(port->ctx, lock, 1);
		free = 0;
	}
}

static inline void port_unlock(const struct pt_port *port, uint32_t *lock)
{
	(void)port;
	if (PT_DEFECT(69))
		PT_STORE(lock, 0, RELAXED);
	else
		PT_STORE(lock, 0, RELEASE);
}

#endif

#endif
