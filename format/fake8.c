/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define FAKE 8
#include "format/fake.h"
#include "format/entry_api.h"
#include "space/template.inc.h"

#define FAKE8_TABLE(bytes, pattern)                                                                \
	{                                                                                          \
		.size = (bytes),                                                                   \
		.align = (bytes),                                                                  \
		.max_pa = (UINT64_C(1) << FAKE_PA_BITS) - 1,                                       \
		.empty = PF_RAW(pattern),                                                          \
		.entry_bytes = 8,                                                                  \
	}

const struct pt_format pt_format_fake8 = {
	.name = "fake8",
	.what = "no machine: 8-byte entries, 4 levels of 4, 8, 16 and 8, runs, MMU writes A and D",
	.ops = &pf_ops,
	.page_shift = PF_PAGE_SHIFT,
	.levels = FAKE_LEVELS,
	.entry_bytes = 8,
	.va_bits = 18,
	.pa_bits = FAKE_PA_BITS,
	.keys = FAKE_KEYS,
	.judge = PT_JUDGED_REFERENCE,
	/* A build of the explorer has breaks as well: tests/explore/meson.build. */
	.flags =
	    PT_FORMAT_MMU_AD | PT_FORMAT_SIGNED | PT_FORMAT_FAKE | (PF_BBM ? PT_FORMAT_BBM : 0),
	.bits = {2, 3, 4, 3},
	.leaves = 1u << 0 | 1u << 1 | 1u << 2,
	.attrs = FAKE_ATTRS,
	.types = FAKE_TYPES,
	.format_attrs = FAKE_FORMAT_ATTRS,
	.manual = "format/fake.h",
	.tables =
	    {
		    FAKE8_TABLE(32, FAKE_EMPTY_0),
		    FAKE8_TABLE(64, FAKE_EMPTY_1),
		    FAKE8_TABLE(128, FAKE_EMPTY_2),
		    FAKE8_TABLE(64, FAKE_EMPTY_3),
	    },
};
