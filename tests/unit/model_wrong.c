/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Calls with an argument that is wrong: each says which, and changes nothing. */
#include "tests/unit/model_ops.h"

/* A call with a range, and all else right. */
struct wrong {
	struct model *m;
	struct pt_space *space;
	struct pt_space *other;
	uint64_t va;
	uint64_t size;
	uint64_t pa;
	uint32_t flags;
};

static int no_piece(void *ctx, const struct pt_piece *piece)
{
	(void)piece;
	model_fail(((struct wrong *)ctx)->m, "told of a piece");
}

static int call_map(struct wrong *w)
{
	return pt_map(w->space, pt_make_va(w->va), w->size, pt_make_pa(w->pa), pick_attr(w->m),
	    w->flags);
}

static int call_replace(struct wrong *w)
{
	return pt_map_replace(w->space, pt_make_va(w->va), w->size, pt_make_pa(w->pa),
	    pick_attr(w->m), w->flags, NULL);
}

static int call_unmap(struct wrong *w)
{
	return pt_unmap(w->space, pt_make_va(w->va), w->size, w->flags, NULL);
}

static int call_protect(struct wrong *w)
{
	return pt_protect(w->space, pt_make_va(w->va), w->size, pick_attr(w->m), w->flags);
}

static int call_copy(struct wrong *w)
{
	return pt_copy(w->other, w->space, pt_make_va(w->va), w->size, w->flags);
}

static int call_move(struct wrong *w)
{
	return pt_move(w->space, pt_make_va(w->va), w->size, pt_make_va(w->va), w->flags);
}

static int call_split(struct wrong *w)
{
	return pt_split(w->space, pt_make_va(w->va), w->size, 0, w->flags);
}

static int call_populate(struct wrong *w)
{
	return pt_populate(w->space, pt_make_va(w->va), w->size, 0, w->flags);
}

static int call_prune(struct wrong *w)
{
	return pt_prune(w->space, pt_make_va(w->va), w->size, pt_make_va(0), pt_make_va(0));
}

static int call_age(struct wrong *w)
{
	uint64_t young;

	return pt_age(w->space, pt_make_va(w->va), w->size, &young);
}

static int call_dirty(struct wrong *w)
{
	uint64_t bytes;

	return pt_dirty(w->space, pt_make_va(w->va), w->size, no_piece, w, &bytes);
}

static int call_walk(struct wrong *w)
{
	return pt_walk(w->space, pt_make_va(w->va), w->size, no_piece, w);
}

/* A page of the space moved to where no page can be. */
static int call_move_to(struct wrong *w)
{
	return pt_move(w->space, pt_make_va(w->m->window[0]), model_page_size(w->m),
	    pt_make_va(w->va), w->flags);
}

static int call_collapse(struct wrong *w)
{
	return pt_collapse(w->space, pt_make_va(w->va), 1, w->flags);
}

static int call_access(struct wrong *w)
{
	return pt_access_fault(w->space, pt_make_va(w->va), PT_READ);
}

static int call_share(struct wrong *w)
{
	return pt_share_table(w->other, w->space, pt_make_va(w->va), w->flags);
}

static int call_unshare(struct wrong *w)
{
	return pt_unshare_table(w->space, pt_make_va(w->va), NULL);
}

static int call_translate(struct wrong *w)
{
	struct pt_translation t;

	return pt_translate(w->space, pt_make_va(w->va), &t);
}

static int call_table_level(struct wrong *w)
{
	unsigned level;

	return pt_table_level(w->space, pt_make_va(w->va), &level);
}

typedef int (*call_fn)(struct wrong *w);

/* Those with memory come first, then the others with flags. */
#define WITH_PA    2u
#define WITH_FLAGS 8u
static const call_fn range_calls[] = {call_map, call_replace, call_unmap, call_protect, call_copy,
	call_move, call_split, call_populate, call_prune, call_age, call_dirty, call_walk};

static const call_fn page_calls[] = {call_move_to, call_collapse, call_access, call_share,
	call_unshare, call_translate, call_table_level};

#define COUNT(calls) (sizeof(calls) / sizeof((calls)[0]))

/* Is an address one that the format translates. */
static bool is_address(const struct pt_format *f, uint64_t va)
{
	uint64_t above = va >> (f->va_bits - 1);

	if (f->va_bits == 64)
		return true;
	if (f->flags & PT_FORMAT_SIGNED)
		return above == 0 || above == UINT64_MAX >> (f->va_bits - 1);
	return above <= 1;
}

/* What every call says to a range; 0: nothing is wrong with it. */
static int range_says(const struct model *m, uint64_t va, uint64_t size)
{
	const struct pt_format *f = m->format;
	uint64_t last = va + (size - 1);
	bool signs = f->flags & PT_FORMAT_SIGNED;

	if (!size)
		return -PT_EINVAL;
	if (va % model_page_size(m) || size % model_page_size(m))
		return -PT_EALIGN;
	if (last < va)
		return -PT_EOVERFLOW;
	if (!is_address(f, va))
		return -PT_ECANON;
	if (signs && va >> 63 != last >> 63)
		return -PT_ECANON;
	if (!is_address(f, last))
		return signs ? -PT_ECANON : -PT_EOVERFLOW;
	return 0;
}

/* An address near an end: of all numbers, of the space, of its halves. */
static uint64_t pick_edge(struct model *m)
{
	const uint64_t half = UINT64_C(1) << (m->format->va_bits - 1);
	const uint64_t edges[] = {0, half, 2 * half, 0 - half, UINT64_C(1) << 63};
	uint64_t off = model_random(m, 4) * model_page_size(m) + model_random(m, 2);

	return edges[model_random(m, 5)] + (model_chance(m, 50) ? off : 0 - off);
}

/* A range that reaches from one end to another, or a short one. */
static void wrong_range(struct model *m, struct wrong *w)
{
	call_fn call = range_calls[model_random(m, COUNT(range_calls))];
	int wanted;

	w->va = pick_edge(m);
	w->size =
	    model_chance(m, 50) ? pick_edge(m) - w->va : model_random(m, 3) * model_page_size(m);
	if (!range_says(m, w->va, w->size))
		w->size = 0;
	wanted = range_says(m, w->va, w->size);
	SAY(m, "wrong range va %#llx size %#llx", (unsigned long long)w->va,
	    (unsigned long long)w->size);
	model_expect(m, call(w), wanted);
}

static void wrong_page(struct model *m, struct wrong *w)
{
	call_fn call = page_calls[model_random(m, COUNT(page_calls))];

	w->va = pick_edge(m) & ~(model_page_size(m) - 1);
	SAY(m, "wrong page va %#llx", (unsigned long long)w->va);
	if (!is_address(m->format, w->va))
		model_expect(m, call(w), -PT_ECANON);
}

static void wrong_flags(struct model *m, struct wrong *w)
{
	call_fn call = range_calls[model_random(m, WITH_FLAGS)];

	w->flags = 1u << (16 + model_random(m, 16));
	SAY(m, "wrong flags %#x", w->flags);
	model_expect(m, call(w), -PT_EINVAL);
}

/* Memory that an entry cannot say, in part or not at all, or that starts in the middle of a page.
 */
static void wrong_pa(struct model *m, struct wrong *w)
{
	call_fn call = range_calls[model_random(m, WITH_PA)];
	uint64_t end = m->format->pa_bits < 64 ? UINT64_C(1) << m->format->pa_bits : 0;
	bool whole = model_chance(m, 50);

	w->pa = end - (whole ? 0 : model_page_size(m)) + model_random(m, 2);
	w->size *= 2;
	SAY(m, "wrong pa %#llx", (unsigned long long)w->pa);
	model_expect(m, call(w), w->pa % model_page_size(m) ? -PT_EALIGN : -PT_EPA);
}

struct span step_wrong(struct model *m)
{
	unsigned s = pick_space(m);
	struct wrong w = {
		.m = m,
		.space = &m->space[s],
		.other = &m->space[(s + 1) % MODEL_SPACES],
		.va = m->window[0],
		.size = model_page_size(m),
	};

	switch (model_random(m, 4)) {
	case 0:
		wrong_flags(m, &w);
		break;
	case 1:
		wrong_pa(m, &w);
		break;
	case 2:
		wrong_page(m, &w);
		break;
	default:
		wrong_range(m, &w);
		break;
	}
	m->done[21]++;
	return (struct span){0, m->pages};
}
