/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What trace shows, as text or as JSON Lines. */
#ifndef TOOL_TRACE_SHOW_H
#define TOOL_TRACE_SHOW_H

#include "tool/trace/trace.h"

struct trace_summary {
	uint64_t events;
	uint64_t kinds[TRACE_KINDS];
	uint64_t bytes; /* of the file */
	bool cut;       /* the recorder was killed */
	int status;     /* unless cut */
};

void trace_text_header(const struct trace_header *header);
void trace_text_event(const struct trace_event *event);
void trace_text_summary(const struct trace_summary *summary);

void trace_json_header(const struct trace_header *header);
void trace_json_event(const struct trace_event *event);
void trace_json_summary(const struct trace_summary *summary);

#endif
