/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/mmu/access.h"
#include "tests/mmu/deviations.h"
#include "tests/mmu/mmu.h"

#define SHOWN 8u /* mismatches that are printed */

static unsigned shown;

void access_number(struct arch_case *c, unsigned n)
{
	static const uint32_t accesses[] = {PT_READ, PT_WRITE, PT_EXEC};

	c->access = accesses[n % 3];
	c->user = n / 3;
}

/* Where the code that makes an access is. */
static uintptr_t code_of(const struct arch_case *c, uint64_t va)
{
	if (c->access == PT_EXEC)
		return (uintptr_t)va;
	return mmu_code(c->access, c->user);
}

static struct arch_outcome attempt(const struct arch_case *c, const struct access_place *place,
    struct machine_try *t)
{
	struct arch_outcome seen = {false, 0, 0};
	struct pt_entry_info info;

	if (place->entry)
		mmu_store(place->entry, place->raw);
	machine_flush_page(place->va, false);
	*t = (struct machine_try){.user = c->user, .value = place->word};
	t->pc = code_of(c, place->va);
	t->va = (uintptr_t)place->va;
	machine_try(t);
	seen.fault = t->end != MACHINE_DONE;
	seen.code = seen.fault ? t->code : 0;
	if (place->entry && !pt_entry_decode(mmu.format, mmu_load(place->entry), c->level, &info))
		seen.marks = info.attr.flags & (PT_ACCESSED | PT_DIRTY);
	/* An outcome that no model predicts. */
	if (t->end == MACHINE_OTHER || (t->end == MACHINE_FAULT && t->address != place->va))
		seen.code = ~t->code;
	return seen;
}

static void show(const struct arch_case *c, const struct arch_outcome *expected,
    const struct arch_outcome *seen)
{
	if (shown++ >= SHOWN)
		return;
	print("# mismatch: level %u flags %x access %u %s control %x key %x upper %s of level %u\n",
	    c->level, c->flags, c->access, c->user ? "user" : "supervisor", c->control, c->key,
	    c->upper ? c->upper->name : "-", c->upper_level);
	print("#   expected %s %llx marks %x, seen %s %llx marks %x\n",
	    expected->fault ? "fault" : "success", (unsigned long long)expected->code,
	    expected->marks, seen->fault ? "fault" : "success", (unsigned long long)seen->code,
	    seen->marks);
}

bool access_judge(const struct arch_case *c, const struct access_place *place,
    struct machine_try *t)
{
	struct arch_outcome expected = arch_expect(c);
	struct arch_outcome seen = attempt(c, place, t);

	mmu.cases++;
	if (expected.fault == seen.fault && expected.code == seen.code &&
	    expected.marks == seen.marks)
		return true;
	if (deviation_explains(c, &expected, &seen))
		return true;
	mmu.mismatches++;
	show(c, &expected, &seen);
	return false;
}
