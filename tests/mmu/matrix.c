/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every leaf that the library can make, tried: rights, accessed and dirty in every combination,
 * other attributes one at a time, entries of upper tables one at a time; by read, write and
 * execution, as supervisor and as user, under every combination of control bits.
 */
#include "tests/mmu/access.h"
#include "tests/mmu/deviations.h"
#include "tests/mmu/mmu.h"

#define MARKS    (PT_ACCESSED | PT_DIRTY)
#define COMBINED (PT_READ | PT_WRITE | PT_EXEC | PT_USER | MARKS)
#define READ_AT  0x100u
#define WRITE_AT 0x200u

/* The leaf under test. */
struct leaf {
	unsigned level;
	uint64_t va; /* of the target page */
	uint64_t pa; /* of the leaf */
	void *entry;
	uint64_t raw; /* what is tried */
};

static struct leaf leaf;

static void *entry_at(uint64_t va, unsigned level)
{
	void *at = mmu_entry(mmu.space, va, level);

	if (!at) {
		print("not ok - no entry of level %u\n", level);
		machine_exit(98);
	}
	return at;
}

/* Maps the target page by a leaf of a level, which may hold much else. */
static bool leaf_open(unsigned level)
{
	uint64_t size = mmu_slot(level);
	uint64_t target = machine.ram + MMU_TARGET_AT;
	uint64_t base = mmu_slot(mmu_top());
	pt_attr attr = mmu_attr(PT_READ | PT_WRITE);

	leaf.level = level;
	leaf.pa = target & ~(size - 1);
	leaf.va = base + (target - leaf.pa);
	if (pt_map(mmu.space, pt_make_va(base), size, pt_make_pa(leaf.pa), attr, 0))
		return false;
	leaf.entry = entry_at(leaf.va, level);
	return true;
}

static bool leaf_close(void)
{
	uint64_t size = mmu_slot(leaf.level);

	return !pt_unmap(mmu.space, pt_make_va(mmu_slot(mmu_top())), size, 0, NULL) &&
	       !pt_prune(mmu.space, pt_make_va(mmu_slot(mmu_top())), size, pt_make_va(0),
		   pt_make_va(0));
}

static void judge_accesses(struct arch_case *c)
{
	struct access_place place = {.entry = leaf.entry, .raw = leaf.raw};
	struct machine_try t;

	for (unsigned i = 0; i < ACCESSES; i++) {
		access_number(c, i);
		place.va = leaf.va;
		if (c->access != PT_EXEC)
			place.va += c->access == PT_WRITE ? WRITE_AT : READ_AT;
		(void)access_judge(c, &place, &t);
	}
}

/* Puts a leaf with these attributes under test; false: the format cannot say them. */
static bool take_leaf(struct arch_case *c, pt_attr attr)
{
	c->flags = attr.flags;
	c->format_attrs = attr.format;
	return !pt_entry_encode(mmu.format, pt_make_pa(leaf.pa), leaf.level, attr, 0, &leaf.raw);
}

static void judge_rights(struct arch_case *c, uint32_t more)
{
	for (uint32_t flags = 0; flags <= COMBINED; flags = ((flags | ~COMBINED) + 1) & COMBINED) {
		if (take_leaf(c, pt_make_attr(flags | more)))
			judge_accesses(c);
		if (flags == COMBINED)
			break;
	}
}

/* The accesses to a leaf with these attributes, if the format can say them. */
static void judge_leaf(struct arch_case *c, pt_attr attr)
{
	if (take_leaf(c, attr))
		judge_accesses(c);
}

/* What should make no difference to the outcome: types, and bits that the MMU ignores. */
static void judge_others(struct arch_case *c)
{
	for (unsigned user = 0; user < 2; user++) {
		uint32_t rights = PT_READ | PT_WRITE | PT_EXEC | (user ? PT_USER : 0);
		pt_attr attr = pt_make_attr(rights | PT_SOFT);

		for (unsigned type = 0; type < 8; type++)
			judge_leaf(c, pt_make_attr(rights | type << PT_ATTR_TYPE_AT));
		judge_leaf(c, pt_make_attr(rights | PT_GLOBAL));
		judge_leaf(c, attr);
		for (unsigned bit = 0; bit < 32; bit++) {
			attr.format = mmu.format->format_attrs & 1u << bit;
			if (attr.format)
				judge_leaf(c, attr);
		}
	}
}

static void judge_upper(struct arch_case *c, const struct arch_upper *upper, unsigned level)
{
	void *entry = entry_at(leaf.va, level);
	uint64_t before = mmu_load(entry);

	c->upper = upper;
	c->upper_level = level;
	mmu_store(entry, (before & ~upper->clear) | upper->set);
	machine_flush_all(false);
	for (unsigned user = 0; user < 2; user++)
		if (take_leaf(c, pt_make_attr(PT_READ | PT_WRITE | PT_EXEC | (user ? PT_USER : 0))))
			judge_accesses(c);
	mmu_store(entry, before);
	machine_flush_all(false);
	c->upper = NULL;
}

static void judge_control(struct arch_case *c)
{
	arch_set(c->control, 0);
	judge_rights(c, 0);
	judge_others(c);
	for (unsigned level = leaf.level + 1; level < mmu.format->levels; level++)
		for (const struct arch_upper *u = arch_uppers; u->name; u++)
			if (arch_has_upper(u, level, mmu.format))
				judge_upper(c, u, level);
	for (c->key = 0; mmu.format->keys > ARCH_KEY && c->key < arch_key_states; c->key++) {
		arch_set(c->control, c->key);
		judge_rights(c, pt_attr_key(ARCH_KEY));
	}
	c->key = 0;
}

static void judge_level(unsigned level)
{
	unsigned long cases = mmu.cases;

	if (!leaf_open(level)) {
		mmu_ok(false, "matrix: a leaf is mapped");
		return;
	}
	for (uint32_t control = 0; control < 1u << arch_controls; control++) {
		struct arch_case c = {.format = mmu.format, .level = level, .control = control};

		if (arch_has_control(control, mmu.format))
			judge_control(&c);
	}
	arch_set(arch_default_control, 0);
	mmu_ok(leaf_close(), "matrix: a leaf is unmapped");
	print("# matrix: leaves of level %u: %lu cases\n", level, mmu.cases - cases);
}

/* The target is full of breakpoints, for it will be executed. */
static void fill_target(void)
{
	char *target = bare_at(machine.ram + MMU_TARGET_AT);

	for (uint64_t at = 0; at < mmu_slot(0); at += machine_breakpoint_size)
		memcpy(target + at, machine_breakpoint, machine_breakpoint_size);
	machine_sync_code();
}

/* Says which control bits are left out. */
static void name_missing(void)
{
	for (unsigned i = 0; i < arch_controls; i++)
		if (!arch_has_control(1u << i, mmu.format))
			print("ok %u - matrix: %s # SKIP this CPU does not have it with this "
			      "format\n",
			    ++mmu.tests, arch_control_names[i]);
}

void mmu_matrix(void)
{
	unsigned long before = mmu.mismatches;

	name_missing();
	fill_target();
	for (unsigned level = 0; level < mmu.format->levels; level++)
		if (mmu.format->leaves >> level & 1)
			judge_level(level);
	mmu_ok(mmu.mismatches == before, "matrix: QEMU's MMU does what the manual says");
}
