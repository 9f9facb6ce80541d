/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Changes to tables that the MMU is walking, with the flushes that the library asks for and no
 * others: after each call the CPU that looks must see what the tables say. Then the flushes are
 * left out, and the same test must notice.
 */
#include "tests/mmu/mmu.h"

#define READ_AT  0x100u
#define WRITE_AT 0x200u
#define PLACES   16u

/*
 * Where a test works: one leaf at va, room for another at to, two blocks of memory. Of a large leaf
 * one page is looked at, or two, and need be memory that is there. TLBs forget by themselves, so
 * that a canary may have to be tried at several places.
 */
struct place {
	unsigned cpu; /* that looks */
	unsigned level;
	uint64_t size;
	uint64_t look; /* offset of the page that is looked at */
	uint64_t va;
	uint64_t to;
	uint64_t pa;
	uint64_t other; /* 0: there is no second block of that size */
};

/* A change: true if all that is seen after it is what the tables say. */
struct change {
	const char *name;
	bool (*fn)(const struct place *p);
	bool needs_flush; /* without one it is seen */
	bool needs_other; /* a second block of memory */
	uint32_t levels;  /* bit l: of leaves of level l */
	uint32_t needs_attrs;
};

static const uint32_t rw = PT_READ | PT_WRITE;

static bool map(uint64_t va, uint64_t size, uint64_t pa, uint32_t rights)
{
	return !pt_map(mmu.space, pt_make_va(va), size, pt_make_pa(pa), mmu_attr(rights), 0);
}

static bool protect(uint64_t va, uint64_t size, uint32_t rights)
{
	return !pt_protect(mmu.space, pt_make_va(va), size, mmu_attr(rights), 0);
}

/* An access, and what a kernel does when it is refused: the library is asked whether to try again.
 */
static struct machine_try access_at(const struct place *p, uint64_t va, uint32_t access)
{
	struct machine_try t = mmu_try(p->cpu, va, access);

	/* How often a canary has to be tried is chance. */
	mmu.cases += mmu.drop == MMU_DROP_NOTHING;
	for (unsigned i = 0; i < 2 && t.end == MACHINE_FAULT; i++) {
		if (pt_access_fault(mmu.space, pt_make_va(va), access))
			break;
		t = mmu_try(p->cpu, va, access);
	}
	return t;
}

static bool can(const struct place *p, uint64_t va, uint32_t access)
{
	uint64_t at = access == PT_EXEC ? 0 : access == PT_READ ? READ_AT : WRITE_AT;

	return access_at(p, va + p->look + at, access).end == MACHINE_DONE;
}

/* Reads the memory at pa through va. */
static bool reads(const struct place *p, uint64_t va, uint64_t pa)
{
	struct machine_try t = access_at(p, va + p->look + READ_AT, PT_READ);

	return t.end == MACHINE_DONE &&
	       (uint32_t)t.value == *(volatile uint32_t *)bare_at(pa + p->look + READ_AT);
}

static bool begin(const struct place *p, uint32_t rights)
{
	memcpy(bare_at(p->pa + p->look), machine_breakpoint, machine_breakpoint_size);
	machine_sync_code();
	return map(p->va, p->size, p->pa, rights) && reads(p, p->va, p->pa);
}

static bool change_map(const struct place *p)
{
	return !can(p, p->va, PT_READ) && begin(p, rw) && can(p, p->va, PT_WRITE);
}

static bool change_write_protect(const struct place *p)
{
	return begin(p, rw) && can(p, p->va, PT_WRITE) && protect(p->va, p->size, PT_READ) &&
	       !can(p, p->va, PT_WRITE) && reads(p, p->va, p->pa);
}

static bool change_no_execution(const struct place *p)
{
	return begin(p, rw | PT_EXEC) && can(p, p->va, PT_EXEC) && protect(p->va, p->size, rw) &&
	       !can(p, p->va, PT_EXEC);
}

static bool change_unmap(const struct place *p)
{
	return begin(p, rw) && !pt_unmap(mmu.space, pt_make_va(p->va), p->size, 0, NULL) &&
	       !can(p, p->va, PT_READ);
}

/* A page of a large leaf, or the leaf; all else stays as it is. */
static bool change_unmap_page(const struct place *p)
{
	uint64_t page = mmu_slot(0);

	return begin(p, rw) && !pt_unmap(mmu.space, pt_make_va(p->va + p->look), page, 0, NULL) &&
	       !can(p, p->va, PT_READ) && (p->size == page || reads(p, p->va + page, p->pa + page));
}

/* A table of leaves, cut off whole. */
static bool change_unmap_table(const struct place *p)
{
	uint64_t page = mmu_slot(0);
	uint64_t size = mmu_slot(1);
	uint64_t table = p->va & ~(size - 1);

	for (uint64_t at = 0; at < size / 2; at += size / 4)
		if (!map(p->va + at, page, p->pa, rw) || !reads(p, p->va + at, p->pa))
			return false;
	if (pt_unmap(mmu.space, pt_make_va(table), size, 0, NULL))
		return false;
	for (uint64_t at = 0; at < size / 2; at += size / 4)
		if (can(p, p->va + at, PT_READ))
			return false;
	return true;
}

static bool change_replace(const struct place *p)
{
	return begin(p, rw) &&
	       !pt_map_replace(mmu.space, pt_make_va(p->va), p->size, pt_make_pa(p->other),
		   mmu_attr(rw), 0, NULL) &&
	       reads(p, p->va, p->other);
}

static bool change_move(const struct place *p)
{
	return begin(p, rw) &&
	       !pt_move(mmu.space, pt_make_va(p->va), p->size, pt_make_va(p->to), 0) &&
	       !can(p, p->va, PT_READ) && reads(p, p->to, p->pa);
}

/* A whole table of leaves moves by one entry. */
static bool change_move_table(const struct place *p)
{
	uint64_t size = mmu_slot(1);
	uint64_t table = p->va & ~(size - 1);

	return map(p->va, mmu_slot(0), p->pa, rw) && reads(p, p->va, p->pa) &&
	       !pt_move(mmu.space, pt_make_va(table), size, pt_make_va(table + size), 0) &&
	       !can(p, p->va, PT_READ) && reads(p, p->va + size, p->pa);
}

static bool change_split(const struct place *p)
{
	uint64_t page = mmu_slot(0);

	return begin(p, rw) && can(p, p->va, PT_WRITE) &&
	       !pt_split(mmu.space, pt_make_va(p->va), p->size, p->level - 1, 0) &&
	       reads(p, p->va, p->pa) && can(p, p->va, PT_WRITE) &&
	       reads(p, p->va + page, p->pa + page);
}

/* Splits, by making a page read-only, and makes all alike again. */
static bool take_apart(const struct place *p)
{
	uint64_t page = mmu_slot(0);

	return protect(p->va + p->look, page, PT_READ) && !can(p, p->va, PT_WRITE) &&
	       can(p, p->va + page, PT_WRITE) && protect(p->va + p->look, page, rw);
}

/* The parts are put together again. */
static bool change_collapse(const struct place *p)
{
	uint64_t page = mmu_slot(0);
	struct pt_translation t;

	return begin(p, rw) && take_apart(p) && !pt_collapse(mmu.space, pt_make_va(p->va), 1, 0) &&
	       !pt_translate(mmu.space, pt_make_va(p->va), &t) && t.level == 1 &&
	       reads(p, p->va, p->pa) && reads(p, p->va + page, p->pa + page) &&
	       can(p, p->va, PT_WRITE);
}

static bool marked(const struct place *p, uint32_t mark)
{
	struct pt_translation t;

	return !pt_translate(mmu.space, pt_make_va(p->va + p->look), &t) && t.attr.flags & mark;
}

static bool change_age(const struct place *p)
{
	uint64_t young;

	return begin(p, rw) && marked(p, PT_ACCESSED) &&
	       !pt_age(mmu.space, pt_make_va(p->va), p->size, &young) && young == p->size &&
	       !marked(p, PT_ACCESSED) && can(p, p->va, PT_READ) && marked(p, PT_ACCESSED);
}

static bool change_dirty(const struct place *p)
{
	uint64_t bytes;

	return begin(p, rw) && !marked(p, PT_DIRTY) && can(p, p->va, PT_WRITE) &&
	       marked(p, PT_DIRTY) &&
	       !pt_dirty(mmu.space, pt_make_va(p->va), p->size, NULL, NULL, &bytes) &&
	       bytes == p->size && !marked(p, PT_DIRTY) && can(p, p->va, PT_WRITE) &&
	       marked(p, PT_DIRTY);
}

/* Fork: both sides lose the right to write. */
static bool change_copy(const struct place *p)
{
	struct pt_space child;
	bool good;

	if (!begin(p, rw) || !can(p, p->va, PT_WRITE) ||
	    pt_space_init(&child, mmu.memory, mmu.format, PT_SPACE_MMU, NULL))
		return false;
	good = !pt_copy(&child, mmu.space, pt_make_va(p->va), p->size, PT_COW) &&
	       !can(p, p->va, PT_WRITE) && reads(p, p->va, p->pa);
	return !pt_space_destroy(&child, NULL) && good;
}

/* What is handed over cannot be reached any more by then. */
struct handed {
	const struct place *p;
	uint64_t bytes;
	bool reachable;
};

static void on_release(void *ctx, const struct pt_run *runs, size_t count)
{
	struct handed *h = ctx;

	for (size_t i = 0; i < count; i++)
		h->bytes += runs[i].size;
	h->reachable |= mmu_try(h->p->cpu, h->p->va + h->p->look, PT_READ).end == MACHINE_DONE;
}

static bool change_gather(const struct place *p)
{
	struct handed h = {.p = p};
	struct pt_run run;
	struct pt_gather gather = pt_make_gather(&run, 1, on_release, &h);

	return begin(p, rw) && !pt_unmap(mmu.space, pt_make_va(p->va), p->size, 0, &gather) &&
	       h.bytes == p->size && !h.reachable;
}

#define ALL UINT32_MAX

static const struct change changes[] = {
	{"map", change_map, false, false, ALL, 0},
	{"write-protect", change_write_protect, true, false, ALL, 0},
	{"forbid execution", change_no_execution, true, false, ALL, PT_EXEC},
	{"unmap", change_unmap, true, false, ALL, 0},
	{"unmap a page", change_unmap_page, true, false, ALL, 0},
	{"unmap a table", change_unmap_table, true, false, 1, 0},
	{"hand over", change_gather, true, false, ALL, 0},
	{"replace", change_replace, true, true, ALL, 0},
	{"move", change_move, true, false, ALL, 0},
	{"move a table", change_move_table, true, false, 1, 0},
	{"split", change_split, false, false, ALL - 1, 0},
	{"collapse", change_collapse, false, false, 2, 0},
	{"clear accessed", change_age, true, false, ALL, PT_ACCESSED},
	{"clear dirty", change_dirty, true, false, ALL, PT_DIRTY},
	{"copy on write", change_copy, true, false, ALL, 0},
};

/* Runs a change on fresh ground, and cleans up behind it, with all flushes. */
static bool run(const struct change *c, const struct place *p, enum mmu_drop drop)
{
	static const struct pt_flush everything = {.last = {UINT64_MAX}};
	pt_va base = pt_make_va(mmu_slot(mmu_top()));
	uint64_t size = mmu_slot(mmu_top());
	bool good;

	if (size < 8 * p->size)
		size = 8 * p->size;

	mmu.drop = drop;
	good = c->fn(p);
	mmu.drop = MMU_DROP_NOTHING;
	good &= !pt_unmap(mmu.space, base, size, 0, NULL) &&
		!pt_prune(mmu.space, base, size, pt_make_va(0), pt_make_va(0));
	/* Whatever a canary has left behind. */
	bare_flush(NULL, &everything);
	return good;
}

/* The nth place for leaves of a level. */
static struct place place_of(unsigned level, unsigned cpu, unsigned n)
{
	uint64_t size = mmu_slot(level);
	uint64_t base = mmu_slot(mmu_top());
	uint64_t scratch = machine.ram + MMU_SCRATCH_AT;
	struct place p = {.cpu = cpu, .level = level, .size = size};

	p.va = base + (level ? 0 : 7 * n * size);
	p.to = p.va + 4 * size;
	p.pa = scratch & ~(size - 1);
	p.look = scratch - p.pa + (level ? 7 * n * mmu_slot(0) : 0);
	if (size <= MMU_SCRATCH_SIZE / 2)
		p.other = p.pa + size;
	return p;
}

static bool possible(const struct change *c, const struct place *p)
{
	/* Not where whatever can be read can be executed. */
	if (c->fn == change_no_execution && mmu_attr(rw).flags & PT_EXEC)
		return false;
	return c->levels >> p->level & 1 &&
	       (mmu.format->attrs & c->needs_attrs) == c->needs_attrs &&
	       (!c->needs_other || p->other);
}

/* Is the change noticed to be wrong at one place at least, when its flushes are left out. */
static bool noticed(const struct change *c, const struct place *at, enum mmu_drop canary)
{
	for (unsigned n = 0; n < PLACES; n++) {
		struct place p = place_of(at->level, at->cpu, n);

		if (!run(c, &p, canary))
			return true;
	}
	return false;
}

static void all_changes(const struct place *p, enum mmu_drop canary)
{
	unsigned unseen = 0;
	unsigned failed = 0;
	unsigned dropped = 0;

	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct change *c = &changes[i];

		if (!possible(c, p))
			continue;
		if (!run(c, p, MMU_DROP_NOTHING)) {
			print("# not seen: %s, level %u, CPU %u\n", c->name, p->level, p->cpu);
			failed++;
		}
		if (!c->needs_flush)
			continue;
		dropped++;
		if (!noticed(c, p, canary)) {
			print("# nobody misses the flush: %s, level %u, CPU %u\n", c->name,
			    p->level, p->cpu);
			unseen++;
		}
	}
	mmu.mismatches += failed + unseen;
	mmu_ok(!failed,
	    p->cpu ? "live: changes are seen by another CPU" : "live: changes are seen");
	mmu_ok(!unseen, p->cpu ? "live: each remote flush left out is noticed"
			       : "live: each flush left out is noticed");
	print("# live: leaves of level %u: %u flushes left out\n", p->level, dropped);
}

static void all_levels(unsigned cpu, enum mmu_drop canary)
{
	mmu_fill_scratch();
	for (unsigned level = 0; level < mmu.format->levels; level++) {
		struct place p = place_of(level, cpu, 0);

		if (mmu.format->leaves >> level & 1)
			all_changes(&p, canary);
	}
}

void mmu_live(void)
{
	all_levels(0, MMU_DROP_ALL);
}

void mmu_live_remote(void)
{
	all_levels(1, MMU_DROP_REMOTE);
}
