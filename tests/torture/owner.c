/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a writer does to its own region: every result is known beforehand. */
#include <stdlib.h>
#include <string.h>
#include "tests/torture/torture.h"

#define RUNS 16u

struct owner {
	struct torture *t;
	struct region own;
	uint64_t tag;
	struct page pages[SPACES][OWN_MAX];
	struct pt_run runs[RUNS];
	uint64_t frames;       /* sum of the frame numbers that were released */
	uint64_t wanted;       /* what that sum should be, */
	uint64_t wanted_pages; /* and the number of pages */
};

struct owner *owner_create(struct torture *t, unsigned number)
{
	struct owner *o = calloc(1, sizeof(*o));

	if (!o)
		abort();
	o->t = t;
	o->own = t->own[number];
	o->tag = number + 1;
	return o;
}

void owner_destroy(struct owner *o)
{
	free(o);
}

static struct page *page_at(struct owner *o, unsigned space, uint64_t page)
{
	return &o->pages[space][page - o->own.first];
}

static bool any_mapped(struct owner *o, unsigned space, struct region r)
{
	for (uint64_t i = 0; i < r.pages; i++)
		if (page_at(o, space, r.first + i)->frame)
			return true;
	return false;
}

/* Takes what a call releases: called with locks held, and adds only. */
static void release(void *ctx, const struct pt_run *runs, size_t count)
{
	struct owner *o = ctx;

	for (size_t i = 0; i < count; i++) {
		uint64_t frame = runs[i].pa.v >> o->t->format->page_shift;
		uint64_t pages = runs[i].size >> o->t->format->page_shift;

		o->frames += frame * pages + pages * (pages - 1) / 2;
	}
}

static struct pt_gather gather(struct owner *o)
{
	o->frames = 0;
	return pt_make_gather(o->runs, RUNS, release, o);
}

/* What must leave a range goes to the sums, and from the model. */
static void forget(struct owner *o, unsigned space, struct region r)
{
	o->wanted = 0;
	o->wanted_pages = 0;
	for (uint64_t i = 0; i < r.pages; i++) {
		struct page *page = page_at(o, space, r.first + i);

		o->wanted += page->frame;
		o->wanted_pages += page->frame != 0;
		page->frame = 0;
	}
}

static void check_released(struct actor *a, const struct owner *o, const struct pt_gather *g)
{
	if (g->released != bytes_of(o->t, o->wanted_pages) || o->frames != o->wanted)
		torture_fail(a, "released %llu bytes of %llu pages, frames %llx of %llx",
		    (unsigned long long)g->released, (unsigned long long)o->wanted_pages,
		    (unsigned long long)o->frames, (unsigned long long)o->wanted);
}

/* A frame of this owner for a range, aligned like its addresses more often than not. */
static uint64_t random_frame(struct actor *a, const struct owner *o, struct region r)
{
	uint64_t offset = r.first % o->t->large + o->t->large * random_below(a, 8);

	return (o->tag << TAG_SHIFT) + offset + one_in(a, 4);
}

static pt_attr attr_of(bool writable)
{
	return pt_make_attr(PT_READ | (writable ? PT_WRITE : 0));
}

static void note_mapped(struct owner *o, unsigned space, struct region r, uint64_t frame,
    bool writable)
{
	for (uint64_t i = 0; i < r.pages; i++)
		*page_at(o, space, r.first + i) = (struct page){frame + i, writable};
}

static void step_map(struct actor *a, struct owner *o, unsigned space, struct region r)
{
	uint64_t frame = random_frame(a, o, r);
	bool writable = one_in(a, 2);
	uint32_t flags = random_flags(a, PT_MAY_SLEEP | PT_SMALL);
	int err = pt_map(&o->t->spaces[space], va_of(o->t, r.first), bytes_of(o->t, r.pages),
	    pa_of(o->t, frame), attr_of(writable), flags);

	if (expect(a, "pt_map", err, any_mapped(o, space, r) ? -PT_EEXIST : 0) == 0)
		note_mapped(o, space, r, frame, writable);
}

static void step_map_list(struct actor *a, struct owner *o, unsigned space, struct region r)
{
	pt_pa pas[64];
	uint64_t frame = random_frame(a, o, r);
	bool writable = one_in(a, 2);
	int err;

	if (r.pages > 64)
		r.pages = 64;
	for (uint64_t i = 0; i < r.pages; i++)
		pas[i] = pa_of(o->t, frame + i);
	err = pt_map_list(&o->t->spaces[space], va_of(o->t, r.first), pas, (size_t)r.pages,
	    attr_of(writable), random_flags(a, PT_MAY_SLEEP));
	if (expect(a, "pt_map_list", err, any_mapped(o, space, r) ? -PT_EEXIST : 0) == 0)
		note_mapped(o, space, r, frame, writable);
}

static void step_replace(struct actor *a, struct owner *o, unsigned space, struct region r)
{
	uint64_t frame = random_frame(a, o, r);
	bool writable = one_in(a, 2);
	struct pt_gather g = gather(o);
	int err = pt_map_replace(&o->t->spaces[space], va_of(o->t, r.first),
	    bytes_of(o->t, r.pages), pa_of(o->t, frame), attr_of(writable),
	    random_flags(a, PT_MAY_SLEEP | PT_SMALL), &g);

	if (expect(a, "pt_map_replace", err, 0))
		return;
	forget(o, space, r);
	check_released(a, o, &g);
	note_mapped(o, space, r, frame, writable);
}

static void step_unmap(struct actor *a, struct owner *o, unsigned space, struct region r)
{
	struct pt_gather g = gather(o);
	int err = pt_unmap(&o->t->spaces[space], va_of(o->t, r.first), bytes_of(o->t, r.pages),
	    random_flags(a, PT_MAY_SLEEP | PT_KEEP_TABLES), &g);

	if (expect(a, "pt_unmap", err, 0))
		return;
	forget(o, space, r);
	check_released(a, o, &g);
}

static void step_protect(struct actor *a, struct owner *o, unsigned space, struct region r)
{
	bool writable = one_in(a, 2);
	int err = pt_protect(&o->t->spaces[space], va_of(o->t, r.first), bytes_of(o->t, r.pages),
	    attr_of(writable), random_flags(a, PT_MAY_SLEEP));

	if (expect(a, "pt_protect", err, 0))
		return;
	for (uint64_t i = 0; i < r.pages; i++)
		page_at(o, space, r.first + i)->writable = writable;
}

/* Moves a part of the region to another that does not overlap it, if there is room. */
static void step_move(struct actor *a, struct owner *o, unsigned space, struct region r)
{
	struct region to = {o->own.first, r.pages};
	uint64_t room = o->own.pages - r.pages + 1;
	int err;

	to.first += one_in(a, 2) ? random_below(a, room) : (r.first + o->t->large) % room;
	if (to.first < r.first + r.pages && r.first < to.first + r.pages)
		return;
	err = pt_move(&o->t->spaces[space], va_of(o->t, r.first), bytes_of(o->t, r.pages),
	    va_of(o->t, to.first), random_flags(a, PT_MAY_SLEEP | PT_KEEP_TABLES));
	if (expect(a, "pt_move", err, any_mapped(o, space, to) ? -PT_EEXIST : 0))
		return;
	for (uint64_t i = 0; i < r.pages; i++) {
		*page_at(o, space, to.first + i) = *page_at(o, space, r.first + i);
		page_at(o, space, r.first + i)->frame = 0;
	}
}

/* What a copy with these flags leaves in source and target. */
static void note_copied(struct owner *o, unsigned from, struct region r, uint32_t flags)
{
	for (uint64_t i = 0; i < r.pages; i++) {
		struct page *page = page_at(o, from, r.first + i);

		if (flags & PT_COW)
			page->writable = false;
		*page_at(o, 1 - from, r.first + i) = *page;
	}
}

static uint32_t copy_flags(struct actor *a)
{
	static const uint32_t kinds[] = {0, PT_COW, PT_COW | PT_SHARE, PT_COW | PT_SHARE};

	return kinds[random_below(a, 4)] | random_flags(a, PT_MAY_SLEEP | PT_KEEP_TABLES);
}

static void step_copy(struct actor *a, struct owner *o, unsigned space, struct region r)
{
	uint32_t flags = copy_flags(a);
	int err = pt_copy(&o->t->spaces[1 - space], &o->t->spaces[space], va_of(o->t, r.first),
	    bytes_of(o->t, r.pages), flags);

	if (expect(a, "pt_copy", err, any_mapped(o, 1 - space, r) ? -PT_EEXIST : 0) == 0)
		note_copied(o, space, r, flags);
}

/* Compares a translation with a page of the model. */
static void check_page(struct actor *a, const struct owner *o, const struct pt_space *space,
    uint64_t number, const struct page *page)
{
	struct pt_translation out;
	int err = pt_translate(space, va_of(o->t, number), &out);

	a->checked++;
	if (err != (page->frame ? 0 : -PT_ENOENT))
		torture_fail(a, "page %llx: %s", (unsigned long long)number, pt_strerror(err));
	if (!err && (out.pa.v != pa_of(o->t, page->frame).v ||
			!(out.attr.flags & PT_WRITE) == page->writable))
		torture_fail(a, "page %llx is at %llx, flags %x; frame %llx, writable %d",
		    (unsigned long long)number, (unsigned long long)out.pa.v, out.attr.flags,
		    (unsigned long long)page->frame, page->writable);
}

static void check_all(struct actor *a, struct owner *o)
{
	for (unsigned space = 0; space < SPACES; space++)
		for (uint64_t i = 0; i < o->own.pages; i++)
			check_page(a, o, &o->t->spaces[space], o->own.first + i,
			    &o->pages[space][i]);
}

/* A child that shares or copies the region, changes its part, and ends. */
static void step_fork(struct actor *a, struct owner *o, unsigned space, struct region r)
{
	uint32_t flags = copy_flags(a) | PT_COW;
	struct pt_gather g = gather(o);
	struct pt_space *child = malloc(sizeof(*child));
	struct pt_space *parent = &o->t->spaces[space];
	uint64_t page = r.first + random_below(a, r.pages);
	int err = child ? pt_space_init(child, o->t->memory, o->t->format, parent->flags, NULL)
			: -PT_ENOMEM;

	if (expect(a, "pt_space_init", err, 0)) {
		free(child);
		return;
	}
	err = pt_copy(child, parent, va_of(o->t, r.first), bytes_of(o->t, r.pages), flags);
	if (expect(a, "pt_copy to a child", err, 0) == 0) {
		for (uint64_t i = 0; i < r.pages; i++)
			page_at(o, space, r.first + i)->writable = false;
		check_page(a, o, child, page, page_at(o, space, page));
		err = pt_unmap(child, va_of(o->t, page), bytes_of(o->t, 1), 0, &g);
		(void)expect(a, "pt_unmap of a child", err, 0);
	}
	if (pt_space_destroy(child, &g))
		torture_fail(a, "a child did not end");
	free(child);
}

/* What changes tables and translations' sizes, and nothing that is mapped. */
static void step_shape(struct actor *a, struct owner *o, unsigned space, struct region r)
{
	struct pt_space *s = &o->t->spaces[space];
	pt_va va = va_of(o->t, r.first);
	uint64_t size = bytes_of(o->t, r.pages);
	uint32_t flags = random_flags(a, PT_MAY_SLEEP);

	switch (random_below(a, 4)) {
	case 0:
		(void)expect(a, "pt_split", pt_split(s, va, size, 0, flags), 0);
		break;
	case 1:
		(void)expect(a, "pt_collapse", pt_collapse(s, va, 1, flags), -PT_ENOENT);
		break;
	case 2:
		(void)expect(a, "pt_populate", pt_populate(s, va, size, 0, flags), 0);
		break;
	default:
		(void)expect(a, "pt_prune", pt_prune(s, va, size, pt_make_va(0), pt_make_va(0)), 0);
	}
}

/* Faults, accessed and dirty. */
static void step_bits(struct actor *a, struct owner *o, unsigned space, struct region r)
{
	const struct page *page = page_at(o, space, r.first);
	struct pt_space *s = &o->t->spaces[space];
	uint64_t size = bytes_of(o->t, r.pages);
	pt_va va = va_of(o->t, r.first);
	uint64_t bytes;

	switch (random_below(a, 4)) {
	case 0:
		(void)expect(a, "pt_age", pt_age(s, va, size, &bytes), 0);
		break;
	case 1:
		(void)expect(a, "pt_dirty", pt_dirty(s, va, size, NULL, NULL, &bytes), 0);
		break;
	default:
		(void)expect(a, "pt_access_fault", pt_access_fault(s, va, PT_READ | PT_WRITE),
		    !page->frame      ? -PT_ENOENT
		    : !page->writable ? -PT_EATTR
				      : 0);
	}
}

void owner_step(struct actor *a, struct owner *o)
{
	static void (*const steps[])(struct actor *, struct owner *, unsigned, struct region) = {
		step_map,
		step_map,
		step_map_list,
		step_replace,
		step_unmap,
		step_unmap,
		step_unmap,
		step_protect,
		step_move,
		step_copy,
		step_copy,
		step_shape,
		step_shape,
		step_bits,
	};
	unsigned space = (unsigned)random_below(a, SPACES);
	struct region r = random_part(a, o->own);
	uint64_t page = o->own.first + random_below(a, o->own.pages);

	if (one_in(a, 64))
		step_fork(a, o, space, r);
	else
		steps[random_below(a, sizeof(steps) / sizeof(steps[0]))](a, o, space, r);
	check_page(a, o, &o->t->spaces[space], r.first, page_at(o, space, r.first));
	check_page(a, o, &o->t->spaces[space], page, page_at(o, space, page));
	if (one_in(a, 1024))
		check_all(a, o);
}
