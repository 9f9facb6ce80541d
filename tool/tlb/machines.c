/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sizes of real machines. A walk cache may hold entries of any level here, whatever the machine
 * restricts it to: architectures allow all of them to be cached, so that a flush of any can be
 * missed.
 */
#include <string.h>

#include "tool/tlb/tlb.h"

#define ALL   0x3f
#define PAGES 1 /* level 0 */
#define LARGE (ALL & ~PAGES)

/* Ends with a machine without name. */
static const struct tlb_machine machines[] = {
	{
		.name = "AMD Zen",
		.formats = "x86_64",
		.leaf = {{64, 64, ALL, 0}, {1536, 12, 3, 1}},
		.walk = {64, 64, ALL, 0},
		.source =
		    "WikiChip on Zen: 64 entries for all sizes, 1536 entries without 1 GiB; 12 "
		    "ways: AMD's optimization guide of 2017, unread; walk cache: assumed",
	},
	{
		.name = "AMD Zen",
		.formats = "i386",
		.leaf = {{64, 64, ALL, 0}, {1536, 12, 3, 1}},
		.walk = {64, 64, ALL, 0},
		.source = "as for x86_64",
	},
	{
		.name = "Arm Cortex-A55",
		.formats = "arm64",
		.leaf = {{16, 16, ALL, 0}, {1024, 4, ALL, 1}},
		.walk = {64, 4, ALL, 0},
		.source = "Intel's manual of Agilex 5, 3.6.3.4.1, table of the Cortex-A55's MMU",
	},
	{
		.name = "Rocket",
		.formats = "riscv",
		.leaf = {{32, 32, PAGES, 0}, {4, 4, LARGE, 0}},
		.walk = {8, 8, ALL, 0},
		.source =
		    "rocket-chip's defaults: DCacheParams, RocketCoreParams; its sectors of four "
		    "pages are entries of their own here",
	},
	{.name = NULL},
};

const struct tlb_machine *tlb_machine_of(const struct pt_format *format)
{
	const struct tlb_machine *machine = machines;

	while (machine->name && strncmp(format->name, machine->formats, strlen(machine->formats)))
		machine++;
	return machine->name ? machine : NULL;
}
