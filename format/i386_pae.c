/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define X86_PAE 1
#include "format/x86_64.h"

#include "format/entry_api.h"
#include "space/template.inc.h"

#define PAE_TABLE(bytes, pa_bits)                                                                  \
	{                                                                                          \
		.size = (bytes),                                                                   \
		.align = (bytes),                                                                  \
		.max_pa = (UINT64_C(1) << (pa_bits)) - 1,                                          \
		.empty = 0,                                                                        \
		.entry_bytes = 8,                                                                  \
	}

/* CR3 has 32 bits, of which the lowest 5 are no address. */
const struct pt_format pt_format_i386_pae = {
	.name = "i386-pae",
	.what = "i386 with PAE, 3 levels, 32-bit addresses, root of 4 entries that CR3 loads",
	.ops = &pf_ops,
	.page_shift = 12,
	.levels = 3,
	.entry_bytes = 8,
	.va_bits = 32,
	.pa_bits = 52,
	.keys = 0,
	.judge = PT_JUDGED_HW,
	.flags = PT_FORMAT_MMU_AD | PT_FORMAT_LOADED_ROOT,
	.bits = {9, 9, 2},
	.leaves = 3,
	.attrs = X86_ATTRS,
	.types = X86_PAT_TYPES,
	.format_attrs = X86_FORMAT,
	.type_register = PT_X86_PAT,
	.control = X86_CR4_PAE,
	.manual = "Intel SDM 3A 4.4 (253668-032US)",
	.tables = {PAE_TABLE(4096, 52), PAE_TABLE(4096, 52), PAE_TABLE(32, 32)},
};
