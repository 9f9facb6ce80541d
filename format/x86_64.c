/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "format/x86_64.h"

#include "format/entry_api.h"
#include "space/template.inc.h"

#define X86_TABLE                                                                                  \
	{                                                                                          \
		.size = 4096,                                                                      \
		.align = 4096,                                                                     \
		.max_pa = (UINT64_C(1) << 52) - 1,                                                 \
		.empty = 0,                                                                        \
		.entry_bytes = 8,                                                                  \
	}

#define X86_COMMON                                                                                 \
	.ops = &pf_ops, .page_shift = 12, .entry_bytes = 8, .pa_bits = 52, .keys = 16,             \
	.judge = PT_JUDGED_HW, .flags = PT_FORMAT_MMU_AD | PT_FORMAT_SIGNED, .leaves = 7,          \
	.attrs = X86_ATTRS, .types = 0x3f, .format_attrs = 0x1ff, .type_register = PT_X86_PAT,     \
	.manual =                                                                                  \
	    "Intel SDM 3A 4.5, 4.6.2, 11.12 (edition of about 2016); 5 levels: AMD64 APM 2 5.3"

const struct pt_format pt_format_x86_64 = {
	.name = "x86_64",
	.what = "x86-64, 4 levels, 48-bit addresses, leaves of 4 KiB, 2 MiB and 1 GiB",
	X86_COMMON,
	.levels = 4,
	.control = X86_CR4_PAE,
	.va_bits = 48,
	.bits = {9, 9, 9, 9},
	.tables = {X86_TABLE, X86_TABLE, X86_TABLE, X86_TABLE},
};

const struct pt_format pt_format_x86_64_la57 = {
	.name = "x86_64-la57",
	.what = "x86-64, 5 levels, 57-bit addresses, leaves of 4 KiB, 2 MiB and 1 GiB",
	X86_COMMON,
	.levels = 5,
	.control = X86_CR4_PAE | X86_CR4_LA57,
	.va_bits = 57,
	.bits = {9, 9, 9, 9, 9},
	.tables = {X86_TABLE, X86_TABLE, X86_TABLE, X86_TABLE, X86_TABLE},
};
