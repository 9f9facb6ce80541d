/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <string.h>

#include "tests/explore/calls.h"
#include "tests/explore/mmu.h"

#define RUNS 4u

/* Memory that a call maps is its fiber's own. */
static pt_pa new_pa(const struct call *c)
{
	return pt_make_pa(UINT64_C(0x200000) + ((uint64_t)c->fiber << 16) + world_size(c->page));
}

static pt_attr read_only(void)
{
	return pt_make_attr(PT_READ | PT_USER);
}

/* What was handed over, whatever the order. */
static void release(void *ctx, const struct pt_run *runs, size_t count)
{
	struct call *c = ctx;

	for (size_t i = 0; i < count; i++) {
		mmu_released(c, &runs[i]);
		for (uint64_t at = 0; at < runs[i].size; at += world_size(1))
			c->out += (runs[i].pa.v + at) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	}
}

static void do_map(struct call *c)
{
	c->err = pt_map(c->space, world_va(c->page), world_size(c->pages), new_pa(c),
	    pt_make_attr(PT_READ | PT_WRITE | PT_USER), 0);
}

static void do_map_replace(struct call *c)
{
	struct pt_run runs[RUNS];
	struct pt_gather gather = pt_make_gather(runs, RUNS, release, c);

	c->err = pt_map_replace(c->space, world_va(c->page), world_size(c->pages), new_pa(c),
	    pt_make_attr(PT_READ | PT_WRITE | PT_USER), 0, &gather);
}

static void unmap(struct call *c, uint32_t flags)
{
	struct pt_run runs[RUNS];
	struct pt_gather gather = pt_make_gather(runs, RUNS, release, c);

	c->err = pt_unmap(c->space, world_va(c->page), world_size(c->pages), flags, &gather);
}

static void do_unmap(struct call *c)
{
	unmap(c, 0);
}

static void do_unmap_keep(struct call *c)
{
	unmap(c, PT_KEEP_TABLES);
}

static void do_protect(struct call *c)
{
	c->err = pt_protect(c->space, world_va(c->page), world_size(c->pages), read_only(), 0);
}

static void do_translate(struct call *c)
{
	struct pt_translation t;

	c->err = pt_translate(c->space, world_va(c->page), &t);
	if (!c->err)
		c->out = t.pa.v << 16 ^ (t.attr.flags & ~(uint32_t)PT_ACCESSED);
}

static void do_table_level(struct call *c)
{
	unsigned level;

	c->err = pt_table_level(c->space, world_va(c->page), &level);
	if (!c->err && level >= world.format->levels)
		c->err = -PT_EINVAL;
}

static int see_piece(void *ctx, const struct pt_piece *piece)
{
	struct call *c = ctx;
	unsigned first = (unsigned)(piece->va.v >> world.format->page_shift) - c->page;

	for (unsigned i = 0; i < piece->size >> world.format->page_shift; i++)
		c->page_out[first + i] = (piece->pa.v + world_size(i)) << 16 ^
					 (piece->attr.flags & ~(uint32_t)PT_ACCESSED);
	return 0;
}

static void do_walk(struct call *c)
{
	c->err = pt_walk(c->space, world_va(c->page), world_size(c->pages), see_piece, c);
}

static void do_copy(struct call *c)
{
	struct pt_space *to = &world.space[c->space == &world.space[2] ? 0 : 2];

	c->err = pt_copy(to, c->space, world_va(c->page), world_size(c->pages), PT_COW);
}

static void do_copy_share(struct call *c)
{
	/* Whole leaf tables: only they are shared. */
	unsigned first = c->page - c->page % WORLD_LEAF;
	unsigned pages = c->pages < WORLD_LEAF ? WORLD_LEAF : c->pages;

	c->err = pt_copy(&world.space[2], c->space, world_va(first), world_size(pages),
	    PT_COW | PT_SHARE);
}

static void do_move(struct call *c)
{
	unsigned to = WORLD_TARGET + c->page % (2 * WORLD_LEAF);

	c->err = pt_move(c->space, world_va(c->page), world_size(c->pages), world_va(to), 0);
}

static void do_split(struct call *c)
{
	c->err = pt_split(c->space, world_va(c->page), world_size(c->pages), 0, 0);
}

static void do_collapse(struct call *c)
{
	c->err = pt_collapse(c->space, world_va(c->page), 1, 0);
}

static void do_populate(struct call *c)
{
	c->err = pt_populate(c->space, world_va(c->page), world_size(c->pages), 0, 0);
}

static void do_prune(struct call *c)
{
	c->err =
	    pt_prune(c->space, world_va(c->page), world_size(c->pages), world_va(0), pt_make_va(0));
}

static void do_share_table(struct call *c)
{
	c->err = pt_share_table(&world.space[2], c->space, world_va(c->page), 0);
}

static void do_unshare_table(struct call *c)
{
	c->err = pt_unshare_table(c->space, world_va(c->page));
}

static void do_age(struct call *c)
{
	c->err = pt_age(c->space, world_va(c->page), world_size(c->pages), &c->out);
}

static int see_dirty(void *ctx, const struct pt_piece *piece)
{
	mmu_told_dirty(ctx, piece->pa.v, piece->size);
	return 0;
}

static void do_dirty(struct call *c)
{
	c->err = pt_dirty(c->space, world_va(c->page), world_size(c->pages), see_dirty, c, &c->out);
	if (mmu_on()) /* how far a mark spreads is not promised */
		c->out = 0;
}

static void do_access_fault(struct call *c)
{
	c->err = pt_access_fault(c->space, world_va(c->page), PT_WRITE);
}

/* A space comes and goes beside the others. */
static void do_space(struct call *c)
{
	struct pt_space *space = &world.space[WORLD_OWN + c->fiber];

	c->err = pt_space_init(space, world.memory, world.format, world.flags, space);
	if (!c->err)
		c->err = pt_space_destroy(space, NULL);
}

/* A space that may share tables with the one worked on goes. */
static void do_destroy(struct call *c)
{
	mmu_stop(c->victim);
	c->err = pt_space_destroy(&world.space[c->victim], NULL);
}

static void do_stats(struct call *c)
{
	struct pt_space_stats stats;
	struct pt_root root = pt_space_root(c->space);

	pt_space_stats(c->space, &stats);
	c->err = root.levels == world.format->levels ? 0 : -PT_EINVAL;
}

/* What is no call: an MMU that walks and writes bits; where there is none, nothing. */
static void do_mmu_read(struct call *c)
{
	mmu_access(c, false);
}

static void do_mmu_write(struct call *c)
{
	mmu_access(c, true);
}

const struct operation operations[] = {
	{"map", PROMISE_POINT, do_map},
	{"map_replace", PROMISE_POINT, do_map_replace},
	{"unmap", PROMISE_POINT, do_unmap},
	{"unmap-keep", PROMISE_POINT, do_unmap_keep},
	{"protect", PROMISE_POINT, do_protect},
	{"translate", PROMISE_POINT, do_translate},
	{"table_level", PROMISE_NONE, do_table_level},
	{"walk", PROMISE_PAGES, do_walk},
	{"copy", PROMISE_POINT, do_copy},
	{"copy-share", PROMISE_POINT, do_copy_share},
	{"move", PROMISE_POINT, do_move},
	{"split", PROMISE_POINT, do_split},
	{"collapse", PROMISE_POINT, do_collapse},
	{"populate", PROMISE_POINT, do_populate},
	{"prune", PROMISE_POINT, do_prune},
	{"share_table", PROMISE_POINT, do_share_table},
	{"unshare_table", PROMISE_POINT, do_unshare_table},
	{"age", PROMISE_POINT, do_age},
	{"dirty", PROMISE_POINT, do_dirty},
	{"access_fault", PROMISE_POINT, do_access_fault},
	{"space_init", PROMISE_POINT, do_space},
	{"space_destroy", PROMISE_POINT, do_destroy},
	{"space_stats", PROMISE_NONE, do_stats},
	{"mmu_read", PROMISE_NONE, do_mmu_read},
	{"mmu_write", PROMISE_NONE, do_mmu_write},
};

const unsigned operation_count = sizeof(operations) / sizeof(operations[0]);

const struct operation *operation_find(const char *name)
{
	for (unsigned i = 0; i < operation_count; i++)
		if (!strcmp(operations[i].name, name))
			return &operations[i];
	return NULL;
}

void call_run(struct call *c)
{
	c->err = 0;
	c->out = 0;
	memset(c->page_out, 0, sizeof(c->page_out));
	c->began = explore_time();
	c->op->run(c);
	c->ended = explore_time();
}
