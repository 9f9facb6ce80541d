/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/input.h"

#include <inttypes.h>

#include "tool/replay/shadow.h"
#include "tool/tool.h"

int input_broken(const char *path, const struct trace_error *error)
{
	tool_error("%s: byte %" PRIu64 ": %s", path, error->offset, error->what);
	return TOOL_BAD_INPUT;
}

int input_fits(const struct trace_header *header, const struct pt_format *format)
{
	unsigned shift = format->page_shift;

	if (shift >= header->page_shift && shift <= header->page_shift + REGION_BITS)
		return TOOL_OK;
	tool_error("%s has pages of %" PRIu64 " bytes, and the trace of %" PRIu64
		   ": name another --format",
	    format->name, UINT64_C(1) << shift, UINT64_C(1) << header->page_shift);
	return TOOL_UNSUPPORTED;
}
