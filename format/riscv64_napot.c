/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define RISCV       64
#define RISCV_NAPOT 1
#include "format/riscv.h"

#include "format/entry_api.h"
#include "space/template.inc.h"

#include "format/riscv64_formats.h"

const struct pt_format pt_format_riscv_sv39_napot = {
	RISCV_SV39,
	.name = "riscv-sv39-napot",
	.what = "RISC-V Sv39 with Svnapot, 3 levels, 39-bit addresses, leaves of 4 KiB, 2 MiB and "
		"1 GiB, runs of 64 KiB",
};

const struct pt_format pt_format_riscv_sv48_napot = {
	RISCV_SV48,
	.name = "riscv-sv48-napot",
	.what = "RISC-V Sv48 with Svnapot, 4 levels, 48-bit addresses, leaves of 4 KiB to 512 GiB, "
		"runs of 64 KiB",
};

const struct pt_format pt_format_riscv_sv57_napot = {
	RISCV_SV57,
	.name = "riscv-sv57-napot",
	.what = "RISC-V Sv57 with Svnapot, 5 levels, 57-bit addresses, leaves of 4 KiB to 256 TiB, "
		"runs of 64 KiB",
};
