/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An outside judge: leaves of all sizes at addresses of all kinds are mapped, addresses are named
 * with what the library says of them, and the machine stands still for somebody to ask its MMU.
 */
#include "tests/mmu/mmu.h"

#define PLACES 24u /* for each level of leaves */

static void name_address(uint64_t va)
{
	struct pt_translation t;

	if (va > UINTPTR_MAX)
		return;
	if (pt_translate(mmu.space, pt_make_va(va), &t))
		print("SAMPLE %llx -\n", (unsigned long long)va);
	else
		print("SAMPLE %llx %llx\n", (unsigned long long)va, (unsigned long long)t.pa.v);
}

/* The leaf's ends, and what lies before and behind. */
static void name_around(uint64_t va, uint64_t size)
{
	name_address(va);
	name_address(va + size - 1);
	name_address(va + size / 2);
	if (va)
		name_address(va - 1);
	if (va + size)
		name_address(va + size);
}

/* The nth slot of a level in the space: spread over all tables. */
static uint64_t spread(unsigned level, unsigned n)
{
	const struct pt_format *f = mmu.format;
	unsigned bits = f->va_bits - pt_format_shift(f, level);
	uint64_t slot = (n * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - bits);
	uint64_t va = slot << pt_format_shift(f, level);

	if (f->flags & PT_FORMAT_SIGNED && va >> (f->va_bits - 1) & 1)
		va |= ~((UINT64_C(1) << (f->va_bits - 1)) - 1);
	return va;
}

/* Memory that exists or does not: nobody will access it. */
static uint64_t memory_for(unsigned level, unsigned n)
{
	unsigned bits = mmu.format->pa_bits < 36 ? mmu.format->pa_bits : 36;
	uint64_t pa = (n * UINT64_C(0xd1342543de82ef95)) >> (64 - bits);

	return pa & ~(mmu_slot(level) - 1);
}

static void sample_level(unsigned level)
{
	pt_attr attr = mmu_attr(PT_READ | PT_WRITE | PT_ACCESSED | PT_DIRTY);
	uint64_t size = mmu_slot(level);

	for (unsigned n = 1; n <= PLACES; n++) {
		uint64_t va = spread(level, n);

		/* Where something is already, it stays. */
		(void)!pt_map(mmu.space, pt_make_va(va), size, pt_make_pa(memory_for(level, n)),
		    attr, 0);
		name_around(va, size);
	}
}

void mmu_judge(void)
{
	for (unsigned level = 0; level < mmu.format->levels; level++)
		if (mmu.format->leaves >> level & 1)
			sample_level(level);
	if (!machine.split)
		name_around(bare_kernel_va(&mmu.kernel, machine.ram).v, machine.ram_size);
	print("JUDGE\n");
	for (;;)
		machine_relax();
}
