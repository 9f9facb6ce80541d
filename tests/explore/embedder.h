/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What calls do to memory of their own, compiled with callbacks as the library is: so that others'
 * accesses to it are races unless the library orders them.
 */
#ifndef TESTS_EXPLORE_EMBEDDER_H
#define TESTS_EXPLORE_EMBEDDER_H

#include <ptdesc/ptdesc.h>

#define EMBEDDER_WROTE 0x600du

/* Plain accesses. */
void embedder_write(unsigned *at);
unsigned embedder_read(const unsigned *at);
void embedder_clear(void *at, size_t size);
void embedder_forget(struct ptdesc **at);

/* Is the table dead that somebody else may free meanwhile; an atomic access. */
unsigned embedder_dead(const struct ptdesc *pt);

/* Shows an object to others; looks at the one that is shown. */
void embedder_publish(void **shelf, void *object);
void embedder_look(void *const *shelf);

#endif
