/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/trace/trace_codec.h"

#include <stdlib.h>

void trace_coder_block(struct trace_coder *coder)
{
	coder->block++;
	coder->space = 0;
	coder->task = 0;
	coder->time = 0;
}

void trace_coder_free(struct trace_coder *coder)
{
	free(coder->vmas);
	free(coder->runs);
}

uint64_t *trace_coder_page(struct trace_coder *coder, uint32_t number)
{
	struct trace_space *space = trace_spaces_find(coder->spaces, number);

	if (!space)
		return &coder->page;
	if (space->block != coder->block) {
		space->block = coder->block;
		space->page = 0;
	}
	return &space->page;
}

bool trace_kind_has_task(enum trace_kind kind)
{
	return TRACE_BIT(kind) & TRACE_WITH_TASK;
}
