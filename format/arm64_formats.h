/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the formats of arm64 have in common, for their struct pt_format. */
#ifndef PTDESC_FORMAT_ARM64_FORMATS_H
#define PTDESC_FORMAT_ARM64_FORMATS_H

/* A table of 2^bits entries. */
#define ARM64_TABLE_OF(bits)                                                                       \
	{                                                                                          \
		.size = UINT64_C(8) << (bits),                                                     \
		.align = UINT64_C(8) << (bits),                                                    \
		.max_pa = (UINT64_C(1) << ARM64_PA_BITS) - 1,                                      \
		.empty = 0,                                                                        \
		.entry_bytes = 8,                                                                  \
	}

#define ARM64_FULL ARM64_TABLE_OF(ARM64_STRIDE)

/* Fields of TCR_EL1. IPS 5 is 48 bits, 6 is 52. */
#define ARM64_TG0 ((uint64_t)(ARM64_GRANULE == 12 ? 0 : ARM64_GRANULE == 14 ? 2 : 1) << 14)
#define ARM64_IPS ((uint64_t)(ARM64_WIDE ? 6 : 5) << 32)
#define ARM64_HA  (UINT64_C(1) << 39)
#define ARM64_HD  (UINT64_C(1) << 40)
#define ARM64_DS  ((uint64_t)ARM64_LPA2 << 59)

/* What depends on the width of addresses. */
#define ARM64_WIDTH(bits)                                                                          \
	.va_bits = (bits),                                                                         \
	.control = (64 - (bits)) | ARM64_TG0 | ARM64_IPS | ARM64_HA | ARM64_HD | ARM64_DS

#define ARM64_COMMON                                                                               \
	.ops = &pf_ops, .page_shift = ARM64_GRANULE, .entry_bytes = 8, .pa_bits = ARM64_PA_BITS,   \
	.keys = 0, .judge = PT_JUDGED_HW, .flags = PT_FORMAT_MMU_AD | PT_FORMAT_BBM,               \
	.attrs = ARM64_ATTRS, .types = ARM64_TYPES, .format_attrs = ARM64_FORMAT,                  \
	.type_register = PT_ARM64_MAIR,                                                            \
	.manual =                                                                                  \
	    "Arm ARM D8.3.1.2, D8.5.2.1, D8.7.1, D8.17.1; early issue: D4.3.1, D4.3.3, D4.4.1"

#endif
