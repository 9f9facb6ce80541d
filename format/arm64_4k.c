/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define ARM64_GRANULE 12
#define ARM64_WIDE    0
#include "format/arm64.h"

#include "format/entry_api.h"
#include "space/template.inc.h"

#include "format/arm64_formats.h"

const struct pt_format pt_format_arm64_4k_48 = {
	.name = "arm64-4k-48",
	.what = "arm64, 4 KiB granule, 4 levels, 48-bit addresses, runs, break before make",
	ARM64_COMMON,
	ARM64_WIDTH(48),
	.levels = 4,
	.bits = {9, 9, 9, 9},
	.leaves = 7,
	.tables = {ARM64_FULL, ARM64_FULL, ARM64_FULL, ARM64_FULL},
};

const struct pt_format pt_format_arm64_4k_39 = {
	.name = "arm64-4k-39",
	.what = "arm64, 4 KiB granule, 3 levels, 39-bit addresses, runs, break before make",
	ARM64_COMMON,
	ARM64_WIDTH(39),
	.levels = 3,
	.bits = {9, 9, 9},
	.leaves = 7,
	.tables = {ARM64_FULL, ARM64_FULL, ARM64_FULL},
};
