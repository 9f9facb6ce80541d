/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define RISCV 64
#include "format/riscv.h"

#include "format/entry_api.h"
#include "space/template.inc.h"

#define RISCV_TABLE                                                                                \
	{                                                                                          \
		.size = 4096,                                                                      \
		.align = 4096,                                                                     \
		.max_pa = (UINT64_C(1) << RISCV_PA_BITS) - 1,                                      \
		.empty = 0,                                                                        \
		.entry_bytes = 8,                                                                  \
	}

#define RISCV_COMMON                                                                               \
	.ops = &pf_ops, .page_shift = PF_PAGE_SHIFT, .entry_bytes = 8, .pa_bits = RISCV_PA_BITS,   \
	.keys = 0, .judge = PT_JUDGED_HW, .flags = PT_FORMAT_MMU_AD | PT_FORMAT_SIGNED,            \
	.attrs = RISCV_ATTRS, .types = RISCV_TYPES, .format_attrs = 1,                             \
	.manual = "RISC-V ISA manual II (2024): Sv32 to Sv57, Svpbmt; satp: unread"

const struct pt_format pt_format_riscv_sv39 = {
	.name = "riscv-sv39",
	.what = "RISC-V Sv39, 3 levels, 39-bit addresses, leaves of 4 KiB, 2 MiB and 1 GiB",
	RISCV_COMMON,
	.levels = 3,
	.va_bits = 39,
	.bits = {9, 9, 9},
	.leaves = 7,
	.tables = {RISCV_TABLE, RISCV_TABLE, RISCV_TABLE},
};

const struct pt_format pt_format_riscv_sv48 = {
	.name = "riscv-sv48",
	.what = "RISC-V Sv48, 4 levels, 48-bit addresses, leaves of 4 KiB to 512 GiB",
	RISCV_COMMON,
	.levels = 4,
	.va_bits = 48,
	.bits = {9, 9, 9, 9},
	.leaves = 15,
	.tables = {RISCV_TABLE, RISCV_TABLE, RISCV_TABLE, RISCV_TABLE},
};

const struct pt_format pt_format_riscv_sv57 = {
	.name = "riscv-sv57",
	.what = "RISC-V Sv57, 5 levels, 57-bit addresses, leaves of 4 KiB to 256 TiB",
	RISCV_COMMON,
	.levels = 5,
	.va_bits = 57,
	.bits = {9, 9, 9, 9, 9},
	.leaves = 31,
	.tables = {RISCV_TABLE, RISCV_TABLE, RISCV_TABLE, RISCV_TABLE, RISCV_TABLE},
};
