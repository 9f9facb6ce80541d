/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define ARM64_GRANULE 16
#define ARM64_WIDE    0
#include "format/arm64.h"

#include "format/entry_api.h"
#include "space/template.inc.h"

#include "format/arm64_formats.h"

const struct pt_format pt_format_arm64_64k_42 = {
	.name = "arm64-64k-42",
	.what = "arm64, 64 KiB granule, 2 levels, 42-bit addresses",
	ARM64_COMMON,
	ARM64_WIDTH(42),
	.levels = 2,
	.bits = {13, 13},
	.leaves = 3,
	.tables = {ARM64_FULL, ARM64_FULL},
};

const struct pt_format pt_format_arm64_64k_48 = {
	.name = "arm64-64k-48",
	.what = "arm64, 64 KiB granule, 3 levels, 48-bit addresses, root of 64 entries",
	ARM64_COMMON,
	ARM64_WIDTH(48),
	.levels = 3,
	.bits = {13, 13, 6},
	.leaves = 3,
	.tables = {ARM64_FULL, ARM64_FULL, ARM64_TABLE_OF(6)},
};
