/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Public operations on a memory, whatever its spaces are. */
#include <ptdesc/boot.h>
#include <ptdesc/frame.h>
#include <ptdesc/slab.h>
#include "core/memory.h"
#include "tests/explore/calls.h"
#include "tests/explore/embedder.h"

/* A space comes and goes beside the others. */
static void do_space(struct call *c)
{
	struct pt_space *space = &world.space[WORLD_OWN + c->fiber];

	c->err = pt_space_init(space, world.memory, world.format, world.flags, space);
	if (!c->err)
		c->err = pt_space_destroy(space, NULL);
}

static struct ptdesc *a_table(struct call *c)
{
	struct ptdesc *pt = pagetable_alloc(world.memory, world.space->classes[0], 0, NULL, 0);

	if (!pt)
		c->err = -PT_ENOMEM;
	else if (ptdesc_from_pa(world.memory, ptdesc_pa(world.memory, pt)) != pt || pt->dead)
		explore_fail("a table that is not its allocator's", pt);
	return pt;
}

static void do_table(struct call *c)
{
	struct ptdesc *pt = a_table(c);

	if (pt)
		pagetable_free(world.memory, pt, NULL);
}

static void do_table_defer(struct call *c)
{
	struct ptdesc *pt = a_table(c);

	if (pt)
		pagetable_free_defer(world.memory, pt, NULL);
}

/* More than are ready, so that the last two are of a new frame. */
static void do_tables(struct call *c)
{
	struct ptdesc *pt[WORLD_TABLES];

	for (unsigned i = 0; i < WORLD_TABLES; i++)
		pt[i] = a_table(c);
	for (unsigned i = 0; i < WORLD_TABLES; i++)
		if (pt[i])
			pagetable_free(world.memory, pt[i], NULL);
}

/* A table of boot memory, which no space has: it leaves by a way of its own. */
static void do_boot_table(struct call *c)
{
	struct ptdesc **mine = &world.boot_table[c->fiber];

	pagetable_free(world.memory, *mine, NULL);
	embedder_forget(mine);
}

/* Frames that say whose they are for as long as they are. */
static void take_frames(struct call *c, unsigned order)
{
	memdesc_t mine = memdesc_create(world.named[c->fiber], MEMDESC_USER_FIRST);
	pt_pfn pfn;

	embedder_write(world.named[c->fiber]);
	pfn = memdesc_alloc_pages(world.memory, 0, order, mine);
	if (pfn == PT_NO_PFN) {
		c->err = -PT_ENOMEM;
		return;
	}
	for (unsigned i = 0; i < 1u << order; i++)
		if (pt_page_memdesc(world.memory, pfn + i).v != mine.v)
			explore_fail("a frame that is not its allocator's", NULL);
	memdesc_free_pages(world.memory, pfn, order);
}

static void do_frames(struct call *c)
{
	take_frames(c, WORLD_FEW);
}

static void do_frames_many(struct call *c)
{
	take_frames(c, WORLD_MANY);
}

/*
 * More than the small sections have, and of the large one what is in use: each is looked at, and
 * none has them.
 */
static void do_frames_below(struct call *c)
{
	(void)c;
	if (memdesc_alloc_pages_below(world.memory, 0, WORLD_SECTION_ORDER + 1, memdesc_none(),
		world.main + (2 << WORLD_SECTION_ORDER)) != PT_NO_PFN)
		explore_fail("frames that are in use", NULL);
}

static void look_at(pt_pfn pfn)
{
	memdesc_t memdesc = pt_page_memdesc(world.memory, pfn);

	if (memdesc_type(memdesc) != MEMDESC_USER_FIRST)
		return;
	if (embedder_read(memdesc_ptr(memdesc)) != EMBEDDER_WROTE)
		explore_fail("what a word names was not written yet", memdesc_ptr(memdesc));
}

/* Frames that others take, of a section that comes, and of one that goes. */
static void do_page_memdesc(struct call *c)
{
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++) {
		look_at(f == c->fiber ? world.absent : world.next_frames[f][0]);
		look_at(f == c->fiber ? world.spare : world.next_frames[f][1]);
	}
}

static void do_object(struct call *c)
{
	unsigned char *object = pt_cache_alloc(world.cache);

	if (!object) {
		c->err = -PT_ENOMEM;
		return;
	}
	for (unsigned i = 0; i < WORLD_OBJECT; i++)
		if (object[i])
			explore_fail("a new object that is not zero", object);
	pt_cache_free(world.cache, object);
}

/* A cache comes and goes beside the others. */
static void do_cache(struct call *c)
{
	struct pt_cache *cache = world.own_cache[c->fiber];
	void *object;

	c->err = pt_cache_init(cache, world.memory, "own", WORLD_OBJECT, 16, 0);
	if (c->err)
		return;
	object = pt_cache_alloc(cache);
	if (object)
		pt_cache_free(cache, object);
	c->err = pt_cache_destroy(cache);
	if (!c->err) /* it is the caller's again */
		embedder_clear(cache, sizeof(*cache));
	if (!c->err && !object)
		c->err = -PT_ENOMEM;
}

/*
 * An object that others may look at while they are in a section: freed, its cache shrunk, and what
 * then is the first free frame, as its own most likely is, written to.
 */
static void do_object_stable(struct call *c)
{
	void *object = pt_cache_alloc(world.cache);
	unsigned order = world.cache->order;
	pt_pfn pfn;

	if (!object) {
		c->err = -PT_ENOMEM;
		return;
	}
	embedder_publish(world.shelf, object);
	embedder_publish(world.shelf, NULL);
	pt_cache_free(world.cache, object);
	(void)pt_cache_shrink(world.cache);
	pfn = memdesc_alloc_pages(world.memory, 0, order, memdesc_none());
	if (pfn == PT_NO_PFN)
		return;
	embedder_clear(explore_port().phys_to_virt(NULL, pt_make_pa(pfn << WORLD_FRAME_SHIFT)),
	    (size_t)1 << order << WORLD_FRAME_SHIFT);
	memdesc_free_pages(world.memory, pfn, order);
}

static void do_object_look(struct call *c)
{
	struct pt_port port = explore_port();

	(void)c;
	port.section_enter(port.ctx);
	embedder_look(world.shelf);
	port.section_exit(port.ctx);
}

static void do_cache_shrink(struct call *c)
{
	(void)c;
	(void)pt_cache_shrink(world.cache);
}

static void do_shrink(struct call *c)
{
	(void)c;
	(void)pt_memory_shrink(world.memory);
}

static void do_memory_stats(struct call *c)
{
	struct pt_memory_stats stats;

	(void)c;
	pt_memory_stats(world.memory, &stats);
	(void)pt_node_table_frames(world.memory, 0);
}

static void do_section_add(struct call *c)
{
	c->err =
	    pt_section_add(world.memory, world.absent, WORLD_SECTION, 0, world.words[c->fiber]);
}

/* Whether it is in use at the moment is for nobody to say. */
static void do_section_remove(struct call *c)
{
	c->err = pt_section_remove(world.memory, world.spare);
	if (!c->err) /* its words are the caller's again */
		embedder_clear(world.spare_words, EXPLORE_LINE);
	if (c->err == -PT_EBUSY)
		c->err = 0;
}

static void do_boot_keep(struct call *c)
{
	c->err = pt_boot_keep(world.memory, world.spare + WORLD_SECTION - 1, 1);
	if (c->err == -PT_EBUSY)
		c->err = 0;
}

/* As who looks at memory by frame: what it finds stays a descriptor for as long as it looks. */
static void do_from_pa(struct call *c)
{
	struct pt_port port = explore_port();
	struct ptdesc *pt;

	port.section_enter(port.ctx);
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++) {
		pt = ptdesc_from_pa(world.memory, f == c->fiber ? world.leaf : world.next_table[f]);
		if (pt && embedder_dead(pt) > 1)
			explore_fail("what was found is no descriptor", pt);
	}
	port.section_exit(port.ctx);
}

static void do_class_register(struct call *c)
{
	const struct pt_table_class one = {.size = 64,
		.align = 64,
		.max_pa = UINT64_MAX,
		.empty = 7,
		.entry_bytes = 8};
	unsigned id = 0;

	c->err = pt_class_register(world.memory, &one, &id);
	c->out = id;
}

const struct operation memory_operations[] = {
	{"space_init", PROMISE_POINT, TAKES_MEMORY, 0, do_space},
	{"table", PROMISE_POINT, TAKES_MEMORY, 0, do_table},
	{"tables", PROMISE_POINT, TAKES_MEMORY, WORLD_LEAN, do_tables},
	{"table-boot", PROMISE_POINT, TAKES_MEMORY, 0, do_boot_table},
	{"table-defer", PROMISE_POINT, TAKES_MEMORY, 0, do_table_defer},
	{"frames", PROMISE_POINT, TAKES_MEMORY, 0, do_frames},
	{"frames-many", PROMISE_POINT, TAKES_MEMORY, 0, do_frames_many},
	{"frames_below", PROMISE_POINT, TAKES_MEMORY, WORLD_LEAN, do_frames_below},
	{"page_memdesc", PROMISE_POINT, TAKES_MEMORY, 0, do_page_memdesc},
	{"object", PROMISE_POINT, TAKES_MEMORY, 0, do_object},
	{"object-stable", PROMISE_POINT, TAKES_MEMORY, WORLD_LEAN, do_object_stable},
	{"object-look", PROMISE_NONE, TAKES_MEMORY, 0, do_object_look},
	{"cache", PROMISE_POINT, TAKES_MEMORY, 0, do_cache},
	{"cache_shrink", PROMISE_POINT, TAKES_MEMORY, 0, do_cache_shrink},
	{"memory_shrink", PROMISE_POINT, TAKES_MEMORY, WORLD_LEAN, do_shrink},
	{"memory_stats", PROMISE_NONE, TAKES_MEMORY, 0, do_memory_stats},
	{"section_add", PROMISE_POINT, TAKES_MEMORY, 0, do_section_add},
	{"section_remove", PROMISE_POINT, TAKES_MEMORY, 0, do_section_remove},
	{"boot_keep", PROMISE_NONE, TAKES_MEMORY, 0, do_boot_keep},
	{"from_pa", PROMISE_POINT, TAKES_MEMORY, 0, do_from_pa},
	{"class_register", PROMISE_POINT, TAKES_MEMORY, 0, do_class_register},
};

const unsigned memory_operation_count = sizeof(memory_operations) / sizeof(memory_operations[0]);
