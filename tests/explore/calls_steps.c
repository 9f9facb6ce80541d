/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Calls of several steps, one by one, for the oracle. */
#include "space/op.h"
#include "tests/explore/calls.h"

/* Rights are changed, then leaf tables are put together, then those of level 1. */
#define SET_MEMORY_STEPS 3u

static void set_memory_step(struct call *c, unsigned step)
{
	unsigned apart;

	if (!step) {
		c->err =
		    pt_modify(c->space, world_va(c->page), world_size(c->pages), 0, PT_WRITE, 0);
		return;
	}
	if (c->err || !(world.format->leaves >> step & 1))
		return;
	apart = 1u << (pt_format_shift(world.format, step) - world.format->page_shift);
	for (unsigned page = c->page - c->page % apart; page < c->page + c->pages; page += apart)
		(void)!pt_collapse(c->space, world_va(page), step, 0);
}

unsigned call_steps(const struct call *c)
{
	return c->op->promise == PROMISE_STEPS ? SET_MEMORY_STEPS : 1;
}

void call_step(struct call *c, unsigned step)
{
	if (c->op->promise == PROMISE_STEPS)
		set_memory_step(c, step);
	else
		call_run(c);
}
