/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Operations on whole spaces and on memory; the choice among all of them. */
#include "tests/unit/model_ops.h"

static struct span step_destroy(struct model *m)
{
	unsigned s = pick_space(m);
	struct pt_gather *gather = model_gather(m);
	struct span all = {0, m->pages};
	int err;

	SAY(m, "destroy space %u capacity %zu", s, gather->capacity);
	err = pt_space_destroy(&m->space[s], gather);
	model_expect(m, err, 0);
	for (unsigned i = 0; i < m->pages; i++)
		model_drop_page(m, s, i);
	model_check_gather(m);
	soft_mmu_detach(&m->mmu, &m->space[s]);
	err = pt_space_init(&m->space[s], m->port.memory, m->format, m->flags, &m->space[s]);
	model_expect(m, err, 0);
	soft_mmu_attach(&m->mmu, &m->space[s]);
	m->done[17]++;
	return all;
}

static struct span step_walk(struct model *m)
{
	unsigned s = pick_space(m);
	struct span span = pick_span(m);

	SAY(m, "walk space %u pages %u+%u", s, span.first, span.count);
	model_walk(m, s, span);
	m->done[18]++;
	return span;
}

/* Grace periods stay open for a while, then all end; memory is given back. */
static struct span step_grace(struct model *m)
{
	struct span none = {0, 0};

	SAY(m, "grace");
	m->port.hold_grace = model_chance(m, 50);
	if (!m->port.hold_grace)
		test_port_grace(&m->port);
	if (model_chance(m, 20))
		(void)pt_memory_shrink(m->port.memory);
	m->done[19]++;
	return none;
}

struct kind {
	struct span (*step)(struct model *m);
	unsigned weight;
};

static const struct kind kinds[] = {
	{step_map, 16},
	{step_map_list, 4},
	{step_cursor, 1},
	{step_replace, 6},
	{step_unmap, 10},
	{step_protect, 8},
	{step_age, 4},
	{step_dirty, 4},
	{step_access, 14},
	{step_split, 4},
	{step_collapse, 8},
	{step_populate, 3},
	{step_prune, 4},
	{step_copy, 10},
	{step_move, 8},
	{step_share, 3},
	{step_unshare, 1},
	{step_destroy, 1},
	{step_walk, 3},
	{step_grace, 2},
	{step_set_memory, 4},
	{step_wrong, 6},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

void model_step(struct model *m)
{
	unsigned sum = 0;
	unsigned pick;
	size_t k = 0;
	const char *fault;

	for (size_t i = 0; i < KINDS; i++)
		sum += kinds[i].weight;
	pick = (unsigned)model_random(m, sum);
	while (pick >= kinds[k].weight)
		pick -= kinds[k++].weight;
	m->mixed = false;
	m->ops++;
	model_compare(m, kinds[k].step(m));
	fault = soft_mmu_check(&m->mmu);
	if (fault)
		model_fail(m, "MMU: %s", fault);
}
