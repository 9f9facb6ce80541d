/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define FAKE 4
#include "format/fake.h"
#include "format/entry_api.h"
#include "space/template.inc.h"

#define FAKE4_TABLE(bytes, pa_bits, pattern)                                                       \
	{                                                                                          \
		.size = (bytes),                                                                   \
		.align = (bytes),                                                                  \
		.max_pa = (UINT64_C(1) << (pa_bits)) - 1,                                          \
		.empty = PF_RAW(pattern),                                                          \
		.entry_bytes = 4,                                                                  \
	}

const struct pt_format pt_format_fake4 = {
	.name = "fake4",
	.what = "no machine: 4-byte big-endian entries, 3 levels of 4, 16 and 32, software A and D",
	.ops = &pf_ops,
	.page_shift = PF_PAGE_SHIFT,
	.levels = FAKE_LEVELS,
	.entry_bytes = 4,
	.va_bits = 17,
	.pa_bits = FAKE_PA_BITS,
	.keys = 0,
	.judge = PT_JUDGED_REFERENCE,
	.flags = PT_FORMAT_BBM | PT_FORMAT_FAKE,
	.bits = {2, 4, 5},
	.leaves = 1u << 0 | 1u << 1,
	.attrs = FAKE_ATTRS,
	.types = FAKE_TYPES,
	.format_attrs = 0,
	.manual = "format/fake.h",
	.tables =
	    {
		    FAKE4_TABLE(16, FAKE_PA_BITS, FAKE_EMPTY_0),
		    FAKE4_TABLE(64, FAKE_PA_BITS, FAKE_EMPTY_1),
		    FAKE4_TABLE(128, 23, FAKE_EMPTY_2),
	    },
};
