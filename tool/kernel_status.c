/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The small files of /proc/PID. */
#define _GNU_SOURCE
#include "tool/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum snap_state kernel_read_text(pid_t pid, const char *file, char text[KERNEL_TEXT])
{
	char path[64];
	ssize_t got;
	int error;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return kernel_errno_state(errno);
	got = read(fd, text, KERNEL_TEXT - 1);
	error = errno;
	close(fd);
	if (got < 0)
		return kernel_errno_state(error);
	text[got] = 0;
	return got ? SNAP_OK : SNAP_GONE;
}

bool kernel_vmpte_of(const char *status, uint64_t *vmpte)
{
	static const char field[] = "\nVmPTE:";
	const char *at = strstr(status, field);

	if (!at)
		return false;
	*vmpte = strtoull(at + sizeof(field) - 1, NULL, 10) << 10;
	return true;
}

char kernel_thread_state(pid_t tid)
{
	char text[KERNEL_TEXT];
	const char *name_end;

	if (kernel_read_text(tid, "stat", text) != SNAP_OK)
		return 0;
	/* The name may hold anything, but no later field holds a bracket. */
	name_end = strrchr(text, ')');
	return name_end && name_end[1] ? name_end[2] : 0;
}
