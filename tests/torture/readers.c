/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Readers: whatever the writers do, what is found belongs there. */
#include <sched.h>
#include "tests/torture/torture.h"

/* What a reader expects at the pages of a region. */
struct view {
	struct actor *a;
	struct region r;
	uint64_t tag;  /* an own region: whose frames; 0: frame_of says which */
	bool always;   /* never a hole */
	uint64_t seen; /* pages */
};

static void check_frame(const struct view *v, uint64_t page, pt_pa pa)
{
	const struct torture *t = v->a->t;
	uint64_t frame = pa.v >> t->format->page_shift;

	v->a->checked++;
	if (v->tag ? frame >> TAG_SHIFT != v->tag : frame != frame_of(t, page))
		torture_fail(v->a, "a reader found frame %llx at page %llx%s",
		    (unsigned long long)frame, (unsigned long long)page,
		    frame >> TAG_SHIFT == TAG_POISON ? ": a freed table" : "");
}

static void read_one(struct view *v, const struct pt_space *space)
{
	const struct torture *t = v->a->t;
	uint64_t page = v->r.first + random_below(v->a, v->r.pages);
	struct pt_translation out;
	int err = pt_translate(space, va_of(t, page), &out);

	if (err == -PT_ENOENT && !v->always)
		return;
	if (err)
		torture_fail(v->a, "a reader found at page %llx: %s", (unsigned long long)page,
		    pt_strerror(err));
	check_frame(v, page, out.pa);
}

static int see_piece(void *ctx, const struct pt_piece *piece)
{
	struct view *v = ctx;
	const struct torture *t = v->a->t;
	uint64_t first = piece->va.v >> t->format->page_shift;
	uint64_t pages = piece->size >> t->format->page_shift;

	check_frame(v, first, piece->pa);
	check_frame(v, first + pages - 1, pt_make_pa(piece->pa.v + bytes_of(t, pages - 1)));
	v->seen += pages;
	return 0;
}

static void read_part(struct view *v, const struct pt_space *space)
{
	const struct torture *t = v->a->t;

	v->r = random_part(v->a, v->r);
	if (pt_walk(space, va_of(t, v->r.first), bytes_of(t, v->r.pages), see_piece, v))
		torture_fail(v->a, "a walk failed");
	if (v->always && v->seen != v->r.pages)
		torture_fail(v->a, "a walk saw %llu of %llu pages", (unsigned long long)v->seen,
		    (unsigned long long)v->r.pages);
}

/* The entry of a table that translates a page. */
static uint64_t entry_at(const struct torture *t, uint64_t table, unsigned level, pt_va va)
{
	uint64_t index = va.v >> pt_format_shift(t->format, level);
	const char *at = (const char *)t->memory->port.ctx + table;

	index &= (UINT64_C(1) << t->format->bits[level]) - 1;
	if (t->format->entry_bytes == 4)
		return entry_swapped(t,
		    PT_LOAD((const uint32_t *)(const void *)at + index, ACQUIRE));
	return PT_LOAD((const uint64_t *)(const void *)at + index, ACQUIRE);
}

/* Where a slow reader has come by, and in which life of it. */
struct trail {
	uint64_t table[PT_MAX_LEVELS];
	uint32_t life[PT_MAX_LEVELS];
};

/* Goes down to the lowest table, whose level is returned. */
static unsigned follow(const struct torture *t, const struct pt_space *space, pt_va va,
    struct trail *trail)
{
	uint64_t table = ptdesc_pa(t->memory, space->root).v;
	struct pt_entry_info info;
	unsigned l = space->levels - 1u;

	for (;; l--) {
		trail->table[l] = table;
		trail->life[l] = life_of(table);
		if (!l || pt_entry_decode(t->format, entry_at(t, table, l, va), l, &info) ||
		    info.kind != PT_ENTRY_TABLE)
			return l;
		table = info.pa.v;
	}
}

/* A reader that takes its time in a section: what it has reached stays what it was. */
static void linger(struct actor *a, const struct pt_space *space, struct region r)
{
	const struct torture *t = a->t;
	const struct pt_port *port = &t->memory->port;
	pt_va va = va_of(t, r.first + random_below(a, r.pages));
	struct trail trail;
	unsigned lowest;

	port_section_enter(port);
	lowest = follow(t, space, va, &trail);
	for (uint64_t i = random_below(a, 4); i; i--)
		(void)sched_yield();
	for (unsigned l = lowest; l < space->levels; l++)
		if (!(trail.life[l] & 1) || life_of(trail.table[l]) != trail.life[l])
			torture_fail(a, "a reader is in a freed table of level %u", l);
	port_section_exit(port);
}

/* A region, and what is expected there. */
static struct view random_view(struct actor *a)
{
	const struct torture *t = a->t;
	unsigned which = (unsigned)random_below(a, t->writers + 3);
	struct view v = {.a = a, .r = t->commons};

	if (which < t->writers) {
		v.r = t->own[which];
		v.tag = which + 1;
	} else if (which == t->writers && t->joint.pages) {
		v.r = t->joint;
	} else if (which == t->writers + 1) {
		v.r = t->anvil;
		v.always = true;
	}
	return v;
}

void reader_step(struct actor *a)
{
	const struct torture *t = a->t;
	const struct pt_space *space = &t->spaces[random_below(a, SPACES)];
	struct view v = random_view(a);
	unsigned level;

	if (pt_table_level(space, va_of(t, v.r.first), &level) || level >= space->levels)
		torture_fail(a, "a table of level %u", level);
	if (one_in(a, 8))
		linger(a, space, v.r);
	else if (one_in(a, 32) && v.r.pages <= OWN_MAX)
		read_part(&v, space);
	else
		for (unsigned i = 0; i < 8; i++)
			read_one(&v, space);
}
