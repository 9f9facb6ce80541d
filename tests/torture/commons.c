/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What all writers change at will. A call's result depends on the others, but a page is mapped to
 * one frame or to none.
 */
#include "tests/torture/torture.h"

static bool within(struct region r, uint64_t page)
{
	return page - r.first < r.pages;
}

uint64_t frame_of(const struct torture *t, uint64_t page)
{
	if (within(t->commons, page))
		return (TAG_COMMONS << TAG_SHIFT) + t->commons.first % t->large + page -
		       t->commons.first;
	if (within(t->anvil, page))
		return (TAG_ANVIL << TAG_SHIFT) + (page - t->anvil.first);
	return t->joint_frame + (page - t->joint.first);
}

/* Results that a call may have where others change the same range. */
static void any_of(struct actor *a, const char *call, int got)
{
	switch (got) {
	case -PT_ENOMEM:
		a->no_memory++;
		break;
	case 0:
	case -PT_EEXIST:
	case -PT_ENOENT:
	case -PT_ESPLIT:
	case -PT_EATTR:
		break;
	default:
		torture_fail(a, "%s in the commons: %s", call, pt_strerror(got));
	}
}

static pt_attr random_attr(struct actor *a)
{
	return pt_make_attr(PT_READ | (one_in(a, 2) ? PT_WRITE : 0));
}

/* Calls that put something there. */
static void fill(struct actor *a, struct pt_space *s, struct region r)
{
	struct torture *t = a->t;
	pt_va va = va_of(t, r.first);
	uint64_t size = bytes_of(t, r.pages);
	pt_pa pa = pa_of(t, frame_of(t, r.first));
	uint32_t flags = random_flags(a, PT_MAY_SLEEP | PT_SMALL | PT_PIECEWISE);

	switch (random_below(a, 4)) {
	case 0:
		any_of(a, "pt_map_replace",
		    pt_map_replace(s, va, size, pa, random_attr(a), flags, NULL));
		break;
	case 1:
		any_of(a, "pt_map_list", pt_map_list(s, va, &pa, 1, random_attr(a), flags));
		break;
	default:
		any_of(a, "pt_map", pt_map(s, va, size, pa, random_attr(a), flags));
	}
}

/* Calls that leave translations as they are, but for rights. */
static void change(struct actor *a, struct pt_space *s, struct region r)
{
	struct torture *t = a->t;
	pt_va va = va_of(t, r.first);
	uint64_t size = bytes_of(t, r.pages);
	uint32_t flags = random_flags(a, PT_MAY_SLEEP);
	uint64_t bytes;

	switch (random_below(a, 8)) {
	case 0:
		any_of(a, "pt_split", pt_split(s, va, size, 0, flags));
		break;
	case 1:
		any_of(a, "pt_collapse", pt_collapse(s, va, 1, flags));
		break;
	case 2:
		any_of(a, "pt_populate", pt_populate(s, va, size, 0, flags));
		break;
	case 3:
		any_of(a, "pt_prune", pt_prune(s, va, size, pt_make_va(0), pt_make_va(0)));
		break;
	case 4:
		any_of(a, "pt_age", pt_age(s, va, size, &bytes));
		break;
	case 5:
		any_of(a, "pt_dirty", pt_dirty(s, va, size, NULL, NULL, &bytes));
		break;
	case 6:
		any_of(a, "pt_access_fault", pt_access_fault(s, va, PT_READ));
		break;
	default:
		any_of(a, "pt_protect", pt_protect(s, va, size, random_attr(a), flags));
	}
}

static void commons(struct actor *a, struct pt_space *s, struct pt_space *other)
{
	struct torture *t = a->t;
	struct region r = random_part(a, t->commons);
	pt_va va = va_of(t, r.first);
	uint64_t size = bytes_of(t, r.pages);

	switch (random_below(a, 8)) {
	case 0:
	case 1:
	case 2:
		fill(a, s, r);
		break;
	case 3:
	case 4:
		any_of(a, "pt_unmap",
		    pt_unmap(s, va, size,
			random_flags(a, PT_MAY_SLEEP | PT_KEEP_TABLES | PT_PIECEWISE), NULL));
		break;
	case 5:
		any_of(a, "pt_copy",
		    pt_copy(other, s, va, size, one_in(a, 2) ? PT_COW | PT_SHARE : PT_COW));
		break;
	default:
		change(a, s, r);
	}
}

/* The parts of a table that spaces may share are large leaves. */
static void joint(struct actor *a, struct pt_space *s, struct pt_space *other)
{
	struct torture *t = a->t;
	struct region r = random_part(a, t->joint);
	pt_va va;

	r.pages += (r.first - t->joint.first) % t->large;
	r.first -= (r.first - t->joint.first) % t->large;
	r.pages = (r.pages + t->large - 1) / t->large * t->large;
	va = va_of(t, r.first);
	switch (random_below(a, 8)) {
	case 0:
	case 1:
		any_of(a, "pt_share_table", pt_share_table(other, s, va, 0));
		break;
	case 2:
		any_of(a, "pt_unshare_table", pt_unshare_table(s, va, NULL));
		break;
	case 3:
	case 4:
		any_of(a, "pt_map",
		    pt_map(s, va, bytes_of(t, r.pages), pa_of(t, frame_of(t, r.first)),
			random_attr(a), 0));
		break;
	case 5:
		any_of(a, "pt_unmap", pt_unmap(s, va, bytes_of(t, r.pages), 0, NULL));
		break;
	default:
		change(a, s, r);
	}
}

void commons_step(struct actor *a)
{
	unsigned space = (unsigned)random_below(a, SPACES);
	struct pt_space *s = &a->t->spaces[space];
	struct pt_space *other = &a->t->spaces[1 - space];

	switch (random_below(a, 4)) {
	case 0:
		change(a, s, random_part(a, a->t->anvil));
		break;
	case 1:
		if (a->t->joint.pages) {
			joint(a, s, other);
			break;
		}
		/* fall through */
	default:
		commons(a, s, other);
	}
}
