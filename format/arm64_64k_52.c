/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define ARM64_GRANULE 16
#define ARM64_WIDE    1
#include "format/arm64.h"

#include "format/entry_api.h"
#include "space/template.inc.h"

#include "format/arm64_formats.h"

const struct pt_format pt_format_arm64_64k_52 = {
	.name = "arm64-64k-52",
	.what = "arm64 with LVA and LPA, 64 KiB granule, 3 levels, 52-bit addresses",
	ARM64_COMMON,
	ARM64_WIDTH(52),
	.levels = 3,
	.bits = {13, 13, 10},
	.leaves = 7,
	.tables = {ARM64_FULL, ARM64_FULL, ARM64_TABLE_OF(10)},
};
