/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Threads and grace periods of the hosted port, as its own files see them. */
#ifndef PTDESC_PORT_HOSTED_THREAD_H
#define PTDESC_PORT_HOSTED_THREAD_H

#include <ptdesc/hosted.h>
#include "port/hosted/port_inline.h"

/* By CPU number. Static, so that a thread that ends can still be looked at. */
extern struct port_thread port_threads[PT_HOSTED_CPUS];

/* No registered thread has this number or a higher one. */
extern uint32_t port_threads_end;

/* Lets every other thread of the process pass a full fence. */
void port_fence_others(void);

/* Readies the above, once; what threads are at first: PORT_STRICT where it cannot be done. */
uint32_t port_fence_init(void);

/* The port's grace calls; ctx is not used: sections are of the process. */
uint64_t port_grace_start(void *ctx);
bool port_grace_done(void *ctx, uint64_t cookie);
void port_grace_wait(void *ctx, uint64_t cookie);

#endif
