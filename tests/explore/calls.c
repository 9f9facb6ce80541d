/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <string.h>

#include <ptdesc/kernel.h>
#include "core/defects.h"
#include "tests/explore/calls.h"
#include "tests/explore/embedder.h"
#include "tests/explore/mmu.h"

#define RUNS 1u /* a gather that is full in the middle of a call, with locks held */

/* Memory that a call maps is its fiber's own. */
static pt_pa new_pa(const struct call *c)
{
	return pt_make_pa(UINT64_C(0x200000) + ((uint64_t)c->fiber << 16) + world_size(c->page));
}

/* Who has found new memory of another call reads it. */
static void read_new(const struct call *c, pt_pa pa)
{
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++)
		if (f != c->fiber && pa.v >> 16 == (UINT64_C(0x200000) >> 16) + f)
			embedder_read(world.named[f]);
}

/* What was handed over, whatever the order. */
static void release(void *ctx, const struct pt_run *runs, size_t count)
{
	struct call *c = ctx;

	for (size_t i = 0; i < count; i++) {
		mmu_released(c, &runs[i]);
		for (uint64_t at = 0; at < runs[i].size; at += world_size(1))
			c->out += (runs[i].pa.v + at + (runs[i].dirty && !mmu_on())) *
				      UINT64_C(0x9e3779b97f4a7c15) +
				  1;
	}
}

static void do_map(struct call *c)
{
	embedder_write(world.named[c->fiber]);
	c->err = pt_map(c->space, world_va(c->page), world_size(c->pages), new_pa(c),
	    pt_make_attr(PT_READ | PT_WRITE | PT_USER), 0);
}

/* And global, where MMUs are and the format has that: CPUs keep it that run another space. */
static pt_attr read_only(void)
{
	uint32_t global = mmu_on() ? world.format->attrs & PT_GLOBAL : 0;

	return pt_make_attr(PT_READ | PT_USER | global);
}

/* Waits for a grace period before it says that there is no memory. */
static void do_map_sleep(struct call *c)
{
	c->err = pt_map(c->space, world_va(c->page), world_size(c->pages), new_pa(c), read_only(),
	    PT_SMALL | PT_MAY_SLEEP);
}

static void map_replace(struct call *c, uint32_t flags)
{
	struct pt_run runs[RUNS];
	struct pt_gather gather = pt_make_gather(runs, RUNS, release, c);

	embedder_write(world.named[c->fiber]);
	c->err = pt_map_replace(c->space, world_va(c->page), world_size(c->pages), new_pa(c),
	    pt_make_attr(PT_READ | PT_WRITE | PT_USER), flags, &gather);
}

static void do_map_replace(struct call *c)
{
	map_replace(c, 0);
}

static void do_map_replace_deposit(struct call *c)
{
	map_replace(c, PT_DEPOSIT);
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

/* What was unlinked is freed before the call ends: a grace period is waited for. */
static void do_unmap_shrink(struct call *c)
{
	unmap(c, 0);
	(void)pt_memory_shrink(world.memory);
}

static void do_protect(struct call *c)
{
	c->err = pt_protect(c->space, world_va(c->page), world_size(c->pages), read_only(), 0);
}

/* Another memory type and the same rights: it comes after a break, where the format wants one. */
static void do_protect_deposit(struct call *c)
{
	pt_attr attr = world.attr;

	attr.flags |= pt_attr_type(PT_TYPE_UNCACHED);
	c->err = pt_protect(c->space, world_va(c->page), world_size(c->pages), attr, PT_DEPOSIT);
}

static void do_translate(struct call *c)
{
	struct pt_translation t;

	c->err = pt_translate(c->space, world_va(c->page), &t);
	if (pt_defect == CALL_FAULT_STALE && explore_self() != EXPLORE_MAIN) {
		t = (struct pt_translation){.pa = world_pa(c->page), .attr = world.attr};
		c->err = 0;
	}
	if (!c->err)
		read_new(c, t.pa);
	if (!c->err)
		c->out = t.pa.v << 16 ^ (t.attr.flags & ~(uint32_t)PT_ACCESSED);
}

static void do_table_level(struct call *c)
{
	unsigned level;

	c->err = pt_table_level(c->space, world_va(c->page), &level);
	if (!c->err)
		c->out = level;
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

/* The space that a call copies into, or shares with. */
static struct pt_space *target_space(const struct call *c)
{
	return &world.space[c->space == &world.space[WORLD_TARGET_SPACE] ? 0 : WORLD_TARGET_SPACE];
}

static void copy(struct call *c, uint32_t flags)
{
	c->err = pt_copy(target_space(c), c->space, world_va(c->page), world_size(c->pages), flags);
}

static void do_copy(struct call *c)
{
	copy(c, PT_COW);
}

static void do_copy_deposit(struct call *c)
{
	copy(c, PT_COW | PT_DEPOSIT);
}

static void do_copy_share(struct call *c)
{
	/* Whole leaf tables: only they are shared. */
	unsigned first = c->page - c->page % WORLD_LEAF;
	unsigned pages = c->pages < WORLD_LEAF ? WORLD_LEAF : c->pages;

	c->err = pt_copy(target_space(c), c->space, world_va(first), world_size(pages),
	    PT_COW | PT_SHARE);
}

/* Where a page moves. */
static pt_va target_of(unsigned page)
{
	return world_va(WORLD_TARGET + page % (2 * WORLD_LEAF));
}

static void move(struct call *c, uint32_t flags)
{
	c->err =
	    pt_move(c->space, world_va(c->page), world_size(c->pages), target_of(c->page), flags);
}

static void do_move(struct call *c)
{
	move(c, 0);
}

static void do_move_deposit(struct call *c)
{
	move(c, PT_DEPOSIT);
}

/* Looks where a page is moved from, then where it goes: whatever is under way, it is not lost. */
static void do_follow(struct call *c)
{
	struct pt_translation t;

	c->out = !pt_translate(c->space, world_va(c->page), &t);
	c->out |= !pt_translate(c->space, target_of(c->page), &t);
}

/* Of what is larger than two leaf tables leaves of level 1 are made. */
static void split(struct call *c, uint32_t flags)
{
	unsigned target = c->pages > 2 * WORLD_LEAF;

	c->err = pt_split(c->space, world_va(c->page), world_size(c->pages), target, flags);
}

static void do_split(struct call *c)
{
	split(c, 0);
}

static void do_split_deposit(struct call *c)
{
	split(c, PT_DEPOSIT);
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
	c->err = pt_share_table(target_space(c), c->space, world_va(c->page), 0);
}

static void do_unshare_table(struct call *c)
{
	struct pt_run runs[RUNS];
	struct pt_gather gather = pt_make_gather(runs, RUNS, release, c);

	c->err = pt_unshare_table(c->space, world_va(c->page), &gather);
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
}

static void do_access_fault(struct call *c)
{
	c->err = pt_access_fault(c->space, world_va(c->page), PT_WRITE);
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
	(void)pt_account_tables(&c->space->account, 0);
	c->err = root.levels == world.format->levels ? 0 : -PT_EINVAL;
}

static void do_map_list(struct call *c)
{
	pt_pa pas[2 * WORLD_LEAF];

	/* The last first: what is contiguous goes another way. */
	for (unsigned i = 0; i < c->pages; i++)
		pas[i].v = new_pa(c).v + world_size(c->pages - 1 - i);
	embedder_write(world.named[c->fiber]);
	c->err = pt_map_list(c->space, world_va(c->page), pas, c->pages,
	    pt_make_attr(PT_READ | PT_USER), 0);
}

static void do_cursor(struct call *c)
{
	struct pt_cursor cursor;

	pt_cursor_open(&cursor, c->space, world_va(c->page), read_only(), 0);
	for (unsigned i = 0; i < c->pages && !c->err; i++)
		c->err = pt_cursor_map(&cursor, pt_make_pa(new_pa(c).v + world_size(i)));
	if (!c->err)
		c->err = pt_cursor_flush(&cursor);
}

/* The leaf table's whole range: a large leaf, which carries a table. */
static void do_map_deposit(struct call *c)
{
	unsigned first = c->page - c->page % WORLD_LEAF;

	c->err = pt_map(c->space, world_va(first), world_size(WORLD_LEAF),
	    pt_make_pa(UINT64_C(0x400000) + world_size(first)), read_only(), PT_DEPOSIT);
}

static void do_unmap_deposit(struct call *c)
{
	unmap(c, PT_DEPOSIT);
}

static void do_collapse_deposit(struct call *c)
{
	c->err = pt_collapse(c->space, world_va(c->page), 1, PT_DEPOSIT);
}

static void do_direct_map(struct call *c)
{
	c->err = pt_direct_map(c->space, world_va(c->page), world_size(c->pages), new_pa(c), 0);
}

static void do_set_memory(struct call *c)
{
	c->err = pt_set_memory_ro(c->space, world_va(c->page), world_size(c->pages), 0);
}

/* A root's lock is an embedder's to take, too; and found from the address of an entry. */
static void do_lock(struct call *c)
{
	struct pt_port port = explore_port();
	struct ptdesc *pt;
	void *entry;

	port.section_enter(port.ctx);
	pt = ptdesc_from_pa(world.memory, pt_space_root(c->space).pa);
	entry = pt ? ptdesc_address(world.memory, pt) : NULL;
	if (!entry || ptdesc_lock_of(world.memory, entry) != &pt->lock) {
		explore_fail("a root is not found by its address", pt);
	} else {
		ptdesc_lock(world.memory, pt);
		if (pt->dead || ptdesc_level(pt) + 1u != world.format->levels)
			explore_fail("a root that is none is locked", pt);
		ptdesc_unlock(world.memory, pt);
	}
	port.section_exit(port.ctx);
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

static const struct operation operations[] = {
	{"map", PROMISE_POINT, TAKES_PLACE, 0, do_map},
	{"map_list", PROMISE_POINT, TAKES_PLACE, 0, do_map_list},
	{"map-deposit", PROMISE_POINT, TAKES_PLACE, 0, do_map_deposit},
	{"map-sleep", PROMISE_POINT, TAKES_PLACE, 0, do_map_sleep},
	{"cursor", PROMISE_POINT, TAKES_PLACE, 0, do_cursor},
	{"map_replace", PROMISE_POINT, TAKES_PLACE, 0, do_map_replace},
	{"map_replace-deposit", PROMISE_POINT, TAKES_PLACE, WORLD_DEPOSIT, do_map_replace_deposit},
	{"unmap", PROMISE_POINT, TAKES_PLACE, 0, do_unmap},
	{"unmap-shrink", PROMISE_POINT, TAKES_PLACE, WORLD_LEAN, do_unmap_shrink},
	{"unmap-keep", PROMISE_POINT, TAKES_PLACE, 0, do_unmap_keep},
	{"unmap-deposit", PROMISE_POINT, TAKES_PLACE, WORLD_DEPOSIT, do_unmap_deposit},
	{"protect", PROMISE_POINT, TAKES_PLACE, 0, do_protect},
	{"protect-deposit", PROMISE_POINT, TAKES_PLACE, WORLD_DEPOSIT, do_protect_deposit},
	{"translate", PROMISE_POINT, TAKES_PLACE, 0, do_translate},
	{"follow", PROMISE_POINT, TAKES_PLACE, 0, do_follow},
	{"table_level", PROMISE_BETWEEN, TAKES_PLACE, 0, do_table_level},
	{"walk", PROMISE_PAGES, TAKES_PLACE, 0, do_walk},
	{"copy", PROMISE_POINT, TAKES_PLACE, 0, do_copy},
	{"copy-deposit", PROMISE_POINT, TAKES_PLACE, WORLD_DEPOSIT, do_copy_deposit},
	{"copy-share", PROMISE_POINT, TAKES_PLACE, 0, do_copy_share},
	{"move", PROMISE_POINT, TAKES_PLACE, 0, do_move},
	{"move-deposit", PROMISE_POINT, TAKES_PLACE, WORLD_DEPOSIT, do_move_deposit},
	{"split", PROMISE_POINT, TAKES_PLACE, 0, do_split},
	{"split-deposit", PROMISE_POINT, TAKES_PLACE, WORLD_DEPOSIT, do_split_deposit},
	{"collapse", PROMISE_POINT, TAKES_PLACE, 0, do_collapse},
	{"collapse-deposit", PROMISE_POINT, TAKES_PLACE, 0, do_collapse_deposit},
	{"populate", PROMISE_POINT, TAKES_PLACE, 0, do_populate},
	{"prune", PROMISE_POINT, TAKES_PLACE, 0, do_prune},
	{"share_table", PROMISE_POINT, TAKES_PLACE, 0, do_share_table},
	{"unshare_table", PROMISE_POINT, TAKES_PLACE, 0, do_unshare_table},
	{"age", PROMISE_POINT, TAKES_PLACE, 0, do_age},
	{"dirty", PROMISE_POINT, TAKES_PLACE, 0, do_dirty},
	{"access_fault", PROMISE_POINT, TAKES_PLACE, 0, do_access_fault},
	{"direct_map", PROMISE_POINT, TAKES_PLACE, WORLD_KERNEL, do_direct_map},
	{"set_memory", PROMISE_STEPS, TAKES_PLACE, WORLD_KERNEL, do_set_memory},
	{"space_destroy", PROMISE_POINT, TAKES_SPACE, 0, do_destroy},
	{"space_stats", PROMISE_NONE, TAKES_SPACE, 0, do_stats},
	{"lock", PROMISE_POINT, TAKES_SPACE, 0, do_lock},
	{"mmu_read", PROMISE_NONE, TAKES_PLACE, 0, do_mmu_read},
	{"mmu_write", PROMISE_NONE, TAKES_PLACE, 0, do_mmu_write},
};

#define SPACE_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

unsigned operation_count(void)
{
	return SPACE_OPERATIONS + memory_operation_count;
}

const struct operation *operation_at(unsigned n)
{
	if (n < SPACE_OPERATIONS)
		return &operations[n];
	return &memory_operations[n - SPACE_OPERATIONS];
}

const struct operation *operation_find(const char *name)
{
	for (unsigned i = 0; i < operation_count(); i++)
		if (!strcmp(operation_at(i)->name, name))
			return operation_at(i);
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
