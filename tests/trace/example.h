/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The example of docs/trace-format.md: an event of each kind, and its bytes worked out by hand. */
#ifndef TESTS_TRACE_EXAMPLE_H
#define TESTS_TRACE_EXAMPLE_H

#include "tool/trace/trace.h"

extern const uint8_t example_bytes[];
extern const size_t example_size;

/* Adds the events. */
bool example_write(struct trace_writer *writer);

#endif
