/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A program of somebody else's, built against the installed library: asks it for a number. */
#include <ptdesc/format.h>
#include <ptdesc/memory.h>
#include <stdio.h>

int main(void)
{
	static const struct pt_config config = {
		.page_shift = 12,
		.cpus = 1,
		.nodes = 1,
		.section_shift = 12,
		.max_pfn = 1u << 12,
		.magazine = 8,
		.classes = 8,
	};
	size_t size = pt_memory_size(&config);

	printf("%zu bytes, first format %s, error 1: %s\n", size, pt_formats[0]->name,
	    pt_strerror(-PT_ENOMEM));
	return size == 0;
}
