/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define ARM64_GRANULE 12
#define ARM64_WIDE    1
#include "format/arm64.h"

#include "format/entry_api.h"
#include "space/template.inc.h"

#include "format/arm64_formats.h"

const struct pt_format pt_format_arm64_4k_52 = {
	.name = "arm64-4k-52",
	.what = "arm64 with LPA2, 4 KiB granule, 5 levels, 52-bit addresses, root of 16 entries",
	ARM64_COMMON,
	ARM64_WIDTH(52),
	.levels = 5,
	.bits = {9, 9, 9, 9, 4},
	.leaves = 15,
	.tables = {ARM64_FULL, ARM64_FULL, ARM64_FULL, ARM64_FULL, ARM64_TABLE_OF(4)},
};
