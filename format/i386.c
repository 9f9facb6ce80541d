/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "format/i386.h"

#include "format/entry_api.h"
#include "space/template.inc.h"

#define I386_TABLE                                                                                 \
	{                                                                                          \
		.size = 4096,                                                                      \
		.align = 4096,                                                                     \
		.max_pa = UINT32_MAX,                                                              \
		.empty = 0,                                                                        \
		.entry_bytes = 4,                                                                  \
	}

const struct pt_format pt_format_i386 = {
	.name = "i386",
	.what = "i386, 2 levels, 32-bit addresses, leaves of 4 KiB and 4 MiB",
	.ops = &pf_ops,
	.page_shift = 12,
	.levels = 2,
	.entry_bytes = 4,
	.va_bits = 32,
	.pa_bits = 32,
	.keys = 0,
	.judge = PT_JUDGED_HW,
	.flags = PT_FORMAT_MMU_AD,
	.bits = {10, 10},
	.leaves = 3,
	.attrs = I386_ATTRS,
	.types = X86_PAT_TYPES,
	.format_attrs = I386_FORMAT,
	.type_register = PT_X86_PAT,
	.control = X86_CR4_PSE,
	.manual = "Intel SDM 3A 4.3: figure 4-4, table 4-4 (253668-032US)",
	.tables = {I386_TABLE, I386_TABLE},
};
