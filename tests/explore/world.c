/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include <ptdesc/boot.h>
#include <ptdesc/frame.h>
#include "core/memory.h"
#include "tests/explore/mmu.h"
#include "tests/explore/world.h"

#define CPUS (EXPLORE_FIBERS + 1)

const char *const world_state_name[WORLD_STATES] = {
	"empty",
	"page",
	"full",
	"huge",
	"huge-dirty",
	"hollow",
	"shared",
	"sole",
	"truly",
};

/* An MMU that writes accessed and dirty; none; none, and a break before each make. */
const struct world_kind world_kind[WORLD_KINDS] = {
	{"fake8", &pt_format_fake8, PT_SPACE_MMU, false},
	{"fake8-soft", &pt_format_fake8, 0, false},
	{"fake4", &pt_format_fake4, 0, false},
	{"fake8-mmu", &pt_format_fake8, PT_SPACE_MMU, true},
	{"fake4-mmu", &pt_format_fake4, PT_SPACE_MMU, true},
};

struct world world;
static size_t used; /* bytes of the block given out */

static void *take(size_t size)
{
	void *at = explore_block + used;

	used = (used + size + EXPLORE_LINE - 1) & ~(size_t)(EXPLORE_LINE - 1);
	if (used > EXPLORE_BLOCK) {
		fprintf(stderr, "the block is too small\n");
		exit(2);
	}
	return at;
}

/* What a state is made of has to work, and so has to look at one. */
static void must(int err)
{
	if (err) {
		fprintf(stderr, "a state cannot be made or seen: %s\n", pt_strerror(err));
		exit(2);
	}
}

static pt_pa boot_pa[EXPLORE_FIBERS];

/* Tables in boot memory: to be freed by another way than others. */
static void make_boot_tables(void)
{
	const struct pt_table_class one = {.size = 64,
		.align = 64,
		.max_pa = UINT64_MAX,
		.empty = 9,
		.entry_bytes = 8};
	unsigned id;

	must(pt_class_register(world.memory, &one, &id));
	must(pt_boot_reserve(world.memory, world.main, EXPLORE_FIBERS));
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++)
		must(pt_boot_table(world.memory, id, 0, &boot_pa[f]));
}

static void find_boot_tables(void)
{
	world.boot_table = (struct ptdesc **)take(EXPLORE_FIBERS * sizeof(struct ptdesc *));
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++)
		world.boot_table[f] = ptdesc_from_pa(world.memory, boot_pa[f]);
}

/* Of a class, in each CPU's magazine: half of what that holds, since so many are made at once. */
static unsigned ready_tables(void)
{
	return world.flavour & WORLD_LEAN ? 1 : WORLD_READY;
}

static void open_memory(void)
{
	const struct pt_config config = {
		.page_shift = WORLD_FRAME_SHIFT,
		.cpus = CPUS,
		.nodes = 1,
		.section_shift = WORLD_SECTION_SHIFT,
		.max_pfn = 4 * WORLD_FRAMES,
		.magazine = 2 * ready_tables(),
		.classes = 8,
	};
	struct pt_port port = explore_port();
	size_t size = pt_memory_size(&config);
	char *arena;

	must(pt_memory_init(take(size), size, &config, &port, &world.memory));
	world.absent = WORLD_FRAMES;
	world.spare = 2 * WORLD_FRAMES;
	world.main = 3 * WORLD_FRAMES;
	must(pt_section_add(world.memory, world.main, WORLD_FRAMES, 0,
	    take(pt_section_size(&config))));
	arena = take(WORLD_ARENA);
	memset(arena, 0xa5, WORLD_ARENA);
	explore_port_arena(arena, WORLD_ARENA, WORLD_FIRST_PA);
	make_boot_tables();
	must(pt_memory_online(world.memory));
	find_boot_tables();
	world.shelf = (void **)take(sizeof(void *));
	world.spare_words = take(pt_section_size(&config));
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++) {
		world.words[f] = take(pt_section_size(&config));
		world.own_cache[f] = take(sizeof(struct pt_cache));
		world.named[f] = take(sizeof(*world.named[f]));
	}
}

/* Each CPU has ready tables, so that calls meet in tables and not in the allocator. */
static void fill_magazines(void)
{
	const struct pt_space *space = &world.space[0];
	unsigned ready = ready_tables();
	struct ptdesc *pt[WORLD_READY];

	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		explore_port_cpu(cpu);
		for (unsigned l = 0; l < space->levels; l++) {
			for (unsigned i = 0; i < ready; i++)
				pt[i] =
				    pagetable_alloc(world.memory, space->classes[l], l, NULL, 0);
			for (unsigned i = 0; i < ready; i++)
				pagetable_free(world.memory, pt[i], NULL);
		}
	}
	explore_port_cpu(EXPLORE_MAIN);
}

#define HALF (WORLD_LEAF / 2)

pt_pa world_pa(unsigned page)
{
	bool swapped = world.swapped && page / WORLD_LEAF == 1;

	return pt_make_pa(UINT64_C(0x100000) + world_size(swapped ? page ^ HALF : page));
}

static void map(unsigned page, unsigned pages, uint32_t flags)
{
	must(pt_map(&world.space[0], world_va(page), world_size(pages), world_pa(page), world.attr,
	    flags));
}

/* The places that calls go to: two neighbouring leaf tables, and one below another upper table. */
static void map_places(unsigned pages, uint32_t flags)
{
	map(0, pages, flags);
	map(WORLD_LEAF, pages, flags);
	map(world.disjoint, pages, flags);
}

/*
 * The same, but the second table's frames are no run: a gather fills up before all is unmapped. The
 * first table's are, so that it can be collapsed.
 */
static void map_swapped(void)
{
	world.swapped = true;
	map(0, WORLD_LEAF, PT_SMALL);
	map(WORLD_LEAF, HALF, PT_SMALL);
	map(WORLD_LEAF + HALF, HALF, PT_SMALL);
	map(world.disjoint, WORLD_LEAF, PT_SMALL);
}

static uint64_t all_pages(void)
{
	return world_size(2 * world.disjoint);
}

static void make_state(enum world_state state)
{
	struct pt_space *space = world.space;

	switch (state) {
	case WORLD_EMPTY:
	case WORLD_STATES:
		break;
	case WORLD_PAGE:
		map_places(1, PT_SMALL);
		break;
	case WORLD_FULL:
		map_places(WORLD_LEAF, PT_SMALL);
		break;
	case WORLD_HUGE:
	case WORLD_HUGE_DIRTY:
		map_places(WORLD_LEAF, world.flavour & WORLD_DEPOSIT ? PT_DEPOSIT : 0);
		break;
	case WORLD_HOLLOW:
		must(pt_populate(space, world_va(0), all_pages(), 1, 0));
		break;
	case WORLD_SHARED:
	case WORLD_SOLE:
		map_swapped();
		must(pt_copy(&space[1], space, world_va(0), all_pages(), PT_COW | PT_SHARE));
		if (state == WORLD_SOLE)
			must(pt_unmap(&space[1], world_va(0), all_pages(), 0, NULL));
		break;
	case WORLD_TRULY:
		map_places(WORLD_LEAF, 0);
		must(pt_share_table(&space[1], space, world_va(0), 0));
		break;
	}
}

/* The lowest table that translates a page, but none below a level. */
static struct ptdesc *lowest_table(const struct pt_space *space, unsigned page, unsigned level)
{
	unsigned l = world.format->levels - 1u;
	pt_pa pa = pt_space_root(space).pa;
	struct pt_entry_info info;

	for (; l > level; l--) {
		unsigned index = (unsigned)(world_va(page).v >> pt_format_shift(world.format, l)) &
				 ((1u << world.format->bits[l]) - 1);
		uint64_t entry = 0;

		pa.v += (uint64_t)index * world.format->entry_bytes;
		memcpy(&entry, explore_port().phys_to_virt(NULL, pa), world.format->entry_bytes);
		must(pt_entry_decode(world.format, entry, l, &info));
		if (info.kind != PT_ENTRY_TABLE)
			break;
		pa = info.pa;
	}
	return ptdesc_from_pa(world.memory, pa);
}

static pt_pfn next_frames(unsigned order)
{
	pt_pfn pfn = memdesc_alloc_pages(world.memory, 0, order, memdesc_none());

	explore_restore();
	return pfn;
}

/* What fibers will be given, so that others can look at it: by taking it, and then it was not. */
static void look_ahead(void)
{
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++) {
		struct ptdesc *pt = NULL;

		explore_port_cpu(f);
		world.next_frames[f][0] = next_frames(WORLD_FEW);
		world.next_frames[f][1] = next_frames(WORLD_MANY);
		for (unsigned i = 0; i < WORLD_TABLES; i++)
			pt = pagetable_alloc(world.memory, world.space->classes[0], 0, NULL, 0);
		world.next_table[f] = ptdesc_pa(world.memory, pt);
		explore_restore();
	}
	explore_port_cpu(EXPLORE_MAIN);
}

void world_make(const struct world_kind *kind, enum world_state state, unsigned flavour)
{
	uint32_t seen = state == WORLD_HUGE_DIRTY ? PT_ACCESSED | PT_DIRTY : 0;

	mmu_watch(kind->mmu);
	explore_clear();
	used = 0;
	(void)take(explore_port_size());
	world.kind = kind;
	world.format = kind->format;
	world.flavour = flavour;
	world.swapped = false;
	world.flags = kind->flags | (flavour & WORLD_KERNEL ? PT_SPACE_KERNEL : 0);
	world.attr = pt_make_attr(PT_READ | PT_WRITE | PT_USER | seen);
	world.disjoint = WORLD_LEAF << kind->format->bits[1];
	world.space = take((WORLD_OWN + EXPLORE_FIBERS) * sizeof(struct pt_space));
	explore_port_cpu(EXPLORE_MAIN);
	world.cache = take(sizeof(struct pt_cache));
	open_memory();
	must(pt_cache_init(world.cache, world.memory, "objects", WORLD_OBJECT, 16,
	    PT_CACHE_TYPE_STABLE));
	for (unsigned i = 0; i < WORLD_SPACES; i++)
		must(pt_space_init(&world.space[i], world.memory, kind->format, world.flags,
		    &world.space[i]));
	fill_magazines();
	make_state(state);
	if (flavour & WORLD_ROOM)
		must(pt_populate(&world.space[WORLD_TARGET_SPACE], world_va(0),
		    world_size(WORLD_LEAF), 0, 0));
	(void)pt_reclaim_poll(world.memory, true);
	must(pt_section_add(world.memory, world.spare, WORLD_SECTION, 0, world.spare_words));
	world.leaf = ptdesc_pa(world.memory, lowest_table(world.space, 0, 0));
	explore_snapshot();
	look_ahead();
	mmu_learn();
}

/* What a page maps, and which table says so: its level. */
static uint64_t page_picture(const struct pt_space *space, unsigned page, unsigned *level)
{
	struct pt_translation t;
	uint64_t sum;

	must(pt_table_level(space, world_va(page), level));
	sum = explore_mix(*level + 1);
	if (pt_translate(space, world_va(page), &t))
		return sum;
	sum = explore_mix(sum + t.pa.v);
	sum = explore_mix(sum + t.size * PT_MAX_LEVELS + t.level);
	/* What MMUs make dirty may spread over a leaf that is split, and need not. */
	return explore_mix(sum + (t.attr.flags & ~(PT_ACCESSED | (mmu_on() ? PT_DIRTY : 0u))));
}

/* Of what a large leaf maps, or a hole of its size, the first page says all. */
static uint64_t pages_picture(const struct pt_space *space, unsigned page, unsigned count)
{
	const unsigned end = page + count;
	uint64_t sum = 0;
	unsigned level;

	while (page < end) {
		sum = explore_mix(sum + page_picture(space, page, &level));
		page |= (1u << (pt_format_shift(world.format, level) - WORLD_FRAME_SHIFT)) - 1;
		page++;
	}
	return sum;
}

/* Tables deposited where the leaf of level 1 is, or would be, that translates a page. */
static unsigned deposits_at(const struct pt_space *space, unsigned page)
{
	const struct ptdesc *first = lowest_table(space, page, 1)->pmd_huge_pte;
	const struct ptdesc *pt;
	unsigned count = 0;

	for (pt = first; pt && (!count || pt != first); pt = pt->pt_list.next)
		count++;
	return count;
}

uint64_t world_picture(void)
{
	uint64_t sum = 0;

	for (unsigned s = 0; s < WORLD_SPACES; s++) {
		const struct pt_space *space = &world.space[s];

		sum = explore_mix(sum);
		if (!space->root)
			continue;
		sum = explore_mix(sum + deposits_at(space, 0));
		sum = explore_mix(sum + deposits_at(space, world.disjoint));
		sum = explore_mix(sum + pages_picture(space, 0, 32));
		sum = explore_mix(sum + pages_picture(space, world.disjoint, WORLD_PAGES - 32));
	}
	return sum;
}

const char *world_check(void)
{
	static char text[160];
	struct pt_leaks leaks = {0};
	struct pt_fault_report report;
	struct pt_space *live[WORLD_SPACES];
	unsigned count = 0;

	for (unsigned s = 0; s < WORLD_SPACES; s++) {
		struct pt_space *space = &world.space[s];

		if (!space->root)
			continue;
		live[count++] = space;
		if (pt_check(space, &report)) {
			snprintf(text, sizeof(text), "pt_check: space %u, page %llu, level %u: %s",
			    s, (unsigned long long)(report.va.v >> WORLD_FRAME_SHIFT), report.level,
			    report.what);
			return text;
		}
	}
	while (count)
		if (pt_space_destroy(live[--count], NULL))
			return "a space cannot be destroyed: tables are charged to it that it lost";
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++)
		if (world.boot_table[f])
			pagetable_free(world.memory, world.boot_table[f], NULL);
	if (pt_cache_destroy(world.cache))
		return "an object was lost";
	if (pt_memory_destroy(world.memory, &leaks)) {
		snprintf(text, sizeof(text), "leaked: %llu frames, %llu tables, %llu objects",
		    (unsigned long long)leaks.frames, (unsigned long long)leaks.tables,
		    (unsigned long long)leaks.objects);
		return text;
	}
	return NULL;
}
