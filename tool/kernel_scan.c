/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The ioctl PAGEMAP_SCAN of Linux 6.7. */
#define _GNU_SOURCE
#include "tool/kernel.h"

#include <errno.h>
#include <sys/ioctl.h>

/* Our own copy of what linux/fs.h has since 6.7: the build's headers may be older. */
struct scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arg)

/*
 * No more than the kernel's own buffer holds: once that was full and there is room for more, the
 * kernel goes on to the end, but says that it stopped where it was full, and what lies behind comes
 * twice (seen on 6.18).
 */
#define SCAN_REGIONS 512u

/* Hands a region on, less what was handed on before. */
static void take_region(const struct kernel_scan *scan, struct kernel_region *region,
    uint64_t *taken)
{
	if (region->start < *taken)
		region->start = *taken;
	if (region->start >= region->end)
		return;
	*taken = region->end;
	scan->take(scan->ctx, region);
}

int kernel_scan(int fd, uint64_t start, uint64_t end, const struct kernel_scan *scan)
{
	struct kernel_region regions[SCAN_REGIONS];
	uint64_t taken = start;

	while (start < end) {
		struct scan_arg arg = {
			.size = sizeof(arg),
			.start = start,
			.end = end,
			.vec = (uintptr_t)regions,
			.vec_len = SCAN_REGIONS,
			.category_mask = scan->all_of,
			.category_anyof_mask = scan->any_of,
			.return_mask = scan->report,
		};
		int count = ioctl(fd, SCAN_IOCTL, &arg);

		if (count < 0)
			return errno;
		for (int i = 0; i < count; i++)
			take_region(scan, &regions[i], &taken);
		if (arg.walk_end <= start)
			return EIO;
		start = arg.walk_end;
	}
	return 0;
}
