/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define RISCV       32
#define RISCV_NAPOT 0
#include "format/riscv.h"

#include "format/entry_api.h"
#include "space/template.inc.h"

#define RISCV_TABLE                                                                                \
	{                                                                                          \
		.size = 4096,                                                                      \
		.align = 4096,                                                                     \
		.max_pa = (UINT64_C(1) << RISCV_PA_BITS) - 1,                                      \
		.empty = 0,                                                                        \
		.entry_bytes = 4,                                                                  \
	}

const struct pt_format pt_format_riscv_sv32 = {
	.name = "riscv-sv32",
	.what = "RISC-V Sv32, 2 levels, 32-bit addresses, leaves of 4 KiB and 4 MiB",
	.ops = &pf_ops,
	.page_shift = PF_PAGE_SHIFT,
	.levels = 2,
	.entry_bytes = 4,
	.va_bits = 32,
	.pa_bits = RISCV_PA_BITS,
	.keys = 0,
	.judge = PT_JUDGED_HW,
	.flags = PT_FORMAT_MMU_AD,
	.bits = {10, 10},
	.leaves = 3,
	.attrs = RISCV_ATTRS,
	.types = RISCV_TYPES,
	.format_attrs = 1,
	.manual = "RISC-V ISA manual II (2024): Sv32; satp: unread",
	.tables = {RISCV_TABLE, RISCV_TABLE},
};
