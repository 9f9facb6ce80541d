/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define ARM64_GRANULE 14
#define ARM64_WIDE    0
#include "format/arm64.h"

#include "format/entry_api.h"
#include "space/template.inc.h"

#include "format/arm64_formats.h"

const struct pt_format pt_format_arm64_16k_36 = {
	.name = "arm64-16k-36",
	.what = "arm64, 16 KiB granule, 2 levels, 36-bit addresses",
	ARM64_COMMON,
	ARM64_WIDTH(36),
	.levels = 2,
	.bits = {11, 11},
	.leaves = 3,
	.tables = {ARM64_FULL, ARM64_FULL},
};

const struct pt_format pt_format_arm64_16k_47 = {
	.name = "arm64-16k-47",
	.what = "arm64, 16 KiB granule, 3 levels, 47-bit addresses",
	ARM64_COMMON,
	ARM64_WIDTH(47),
	.levels = 3,
	.bits = {11, 11, 11},
	.leaves = 3,
	.tables = {ARM64_FULL, ARM64_FULL, ARM64_FULL},
};

const struct pt_format pt_format_arm64_16k_48 = {
	.name = "arm64-16k-48",
	.what = "arm64, 16 KiB granule, 4 levels, 48-bit addresses, root of 2 entries",
	ARM64_COMMON,
	ARM64_WIDTH(48),
	.levels = 4,
	.bits = {11, 11, 11, 1},
	.leaves = 3,
	.tables = {ARM64_FULL, ARM64_FULL, ARM64_FULL, ARM64_TABLE_OF(1)},
};
