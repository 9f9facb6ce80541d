/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Boot tables, in the granule and width of the variant, since those cannot be changed while the MMU
 * is on. All of this runs at physical addresses: it may not use an address that the linker wrote
 * down.
 */
#include "port/bare/aarch64/boot.h"

#include "port/bare/aarch64/layout.h"
#include "port/bare/common/machine.h"

#define TABLE_ROOM UINT64_C(0x10000) /* a table of the largest granule */
#define TABLES     12u

#define ENTRY_TABLE  UINT64_C(3)
#define BLOCK_NORMAL UINT64_C(0x401) /* accessed, memory type 0 */
#define BLOCK_DEVICE UINT64_C(0x40d) /* accessed, memory type 3 */

/* TCR_EL1: what format.control says of TTBR0, and what is chosen here; then the same of TTBR1. */
#define TCR_T0SZ    UINT64_C(0x3f)
#define TCR_TG0_AT  14
#define TCR_IPS_AT  32
#define TCR_IPS     (UINT64_C(7) << TCR_IPS_AT)
#define TCR_HA      (UINT64_C(1) << 39)
#define TCR_HD      (UINT64_C(1) << 40)
#define TCR_CACHED  (UINT64_C(0x35) << 8 | UINT64_C(0x35) << 24) /* write-back, inner shareable */
#define TCR_T1SZ_AT 16
#define TCR_TG1_AT  30

struct machine_boot machine_boot;

static struct {
	char table[TABLES][TABLE_ROOM] __attribute__((aligned(TABLE_ROOM)));
	unsigned used;
} pool;

static uint64_t physical(const void *at)
{
	return (uint64_t)at & (((uint64_t)1 << 36) - 1);
}

static uint64_t *new_table(void)
{
	return (uint64_t *)(void *)pool.table[pool.used++];
}

/* One block of level 1, in tables below root. */
static void map_block(const struct pt_format *f, uint64_t *root, uint64_t va, uint64_t entry)
{
	uint64_t *table = root;

	for (unsigned l = f->levels - 1u;; l--) {
		uint64_t *e =
		    &table[va >> pt_format_shift(f, l) & ((UINT64_C(1) << f->bits[l]) - 1)];

		if (l == 1) {
			*e = entry;
			return;
		}
		if (!*e)
			*e = physical(new_table()) | ENTRY_TABLE;
		table = (uint64_t *)*(volatile uint64_t *)e;
		table = (uint64_t *)((uint64_t)table & ~UINT64_C(0xfff));
	}
}

/* The console's block and RAM. */
static uint64_t make_tables(const struct pt_format *f, uint64_t offset)
{
	uint64_t size = UINT64_C(1) << pt_format_shift(f, 1);
	uint64_t low = offset & ((UINT64_C(1) << f->va_bits) - 1);
	uint64_t *root = new_table();
	uint64_t device = UINT64_C(0x09000000) & ~(size - 1);

	map_block(f, root, low + device, device | BLOCK_DEVICE);
	for (uint64_t pa = 0x40000000; pa < 0x48000000; pa += size)
		map_block(f, root, low + pa, pa | BLOCK_NORMAL);
	return physical(root);
}

static uint64_t make_tcr(uint64_t control)
{
	/* TG1's code for TG0's 4K, 64K, 16K. */
	const uint64_t granule = control >> TCR_TG0_AT & 3;
	const uint64_t tg1 = granule == 0 ? 2 : granule == 1 ? 3 : 1;
	uint64_t features;
	uint64_t marks;
	uint64_t range;

	__asm__("mrs %0, id_aa64mmfr0_el1; mrs %1, id_aa64mmfr1_el1" : "=r"(features), "=r"(marks));
	range = (features & 15) << TCR_IPS_AT;
	if (range < (control & TCR_IPS))
		control = (control & ~TCR_IPS) | range;
	if ((marks & 15) < 1)
		control &= ~TCR_HA;
	if ((marks & 15) < 2)
		control &= ~TCR_HD;
	return control | TCR_CACHED | (control & TCR_T0SZ) << TCR_T1SZ_AT | tg1 << TCR_TG1_AT;
}

void machine_boot_tables(void)
{
	uint64_t variant = *(const volatile uint8_t *)PARAMETERS;
	const struct machine_variant *variants =
	    (const struct machine_variant *)physical(machine.variants);
	const struct pt_format *f = (const struct pt_format *)physical(variants[variant].format);

	machine_boot.tcr = make_tcr(f->control);
	machine_boot.mair = f->type_register;
	machine_boot.ttbr0 = make_tables(f, 0);
	machine_boot.ttbr1 = make_tables(f, DIRECT);
}
