/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the formats of 64-bit RISC-V have in common, for their struct pt_format. */
#ifndef PTDESC_FORMAT_RISCV64_FORMATS_H
#define PTDESC_FORMAT_RISCV64_FORMATS_H

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
	.manual = "RISC-V ISA manual II (2024): Sv32 to Sv57, Svnapot, Svpbmt; satp: unread"

#define RISCV_SV39                                                                                 \
	RISCV_COMMON, .levels = 3, .va_bits = 39, .bits = {9, 9, 9}, .leaves = 7,                  \
	    .tables = {RISCV_TABLE, RISCV_TABLE, RISCV_TABLE}

#define RISCV_SV48                                                                                 \
	RISCV_COMMON, .levels = 4, .va_bits = 48, .bits = {9, 9, 9, 9}, .leaves = 15,              \
	    .tables = {RISCV_TABLE, RISCV_TABLE, RISCV_TABLE, RISCV_TABLE}

#define RISCV_SV57                                                                                 \
	RISCV_COMMON, .levels = 5, .va_bits = 57, .bits = {9, 9, 9, 9, 9}, .leaves = 31,           \
	    .tables = {RISCV_TABLE, RISCV_TABLE, RISCV_TABLE, RISCV_TABLE, RISCV_TABLE}

#endif
