/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What commands that read a trace say of one that they cannot use. */
#ifndef TOOL_INPUT_H
#define TOOL_INPUT_H

#include <ptdesc/format.h>

#include "tool/trace/trace.h"

/* Says what is wrong with a trace, and where; returns the exit code. */
int input_broken(const char *path, const struct trace_error *error);

/*
 * TOOL_OK if a trace can be replayed on a format, as far as sizes of pages go: one whose pages are
 * smaller than the recorded ones cannot. Else says so, and returns another exit code.
 */
int input_fits(const struct trace_header *header, const struct pt_format *format);

#endif
