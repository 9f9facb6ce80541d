/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The VMAs of a space: all of them, from maps, or only those around a range, from the ioctl
 * PROCMAP_QUERY of Linux 6.11. A call changes no others, and programs have hundreds.
 */
#define _GNU_SOURCE
#include "tool/record/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Our own copy of what linux/fs.h has since 6.11. */
struct query_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t va;
	uint64_t start;
	uint64_t end;
	uint64_t rights; /* 1 read, 2 write, 4 execute, 8 shared */
	uint64_t page_size;
	uint64_t offset;
	uint64_t inode;
	uint32_t major;
	uint32_t minor;
	uint32_t name_size;
	uint32_t id_size;
	uint64_t name;
	uint64_t id;
};

#define QUERY_IOCTL _IOWR('f', 17, struct query_arg)

/* The VMA with va in it, or the next one. */
#define QUERY_OR_NEXT 0x10u

/* Room for a file's path. */
#define NAME_ROOM 4096u

static int open_maps(const struct task *task)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/maps", (long)task->tid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Reads maps into rec->text, ended by a zero. */
static bool read_maps(struct recorder *rec, const struct task *task)
{
	int fd = open_maps(task);
	size_t size = 0;
	ssize_t got;

	if (fd < 0)
		return false;
	do {
		rec->text =
		    tool_grow(rec->text, &rec->text_room, size + 2 * KERNEL_PAGE, sizeof(char));
		got = read(fd, &rec->text[size], rec->text_room - size - 1);
		size += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	close(fd);
	rec->text[size] = 0;
	return !got && size;
}

/* The last part of a file's name; what is in brackets is no file. */
static void take_name(struct trace_vma *vma, const char *name)
{
	size_t length = strcspn(name, "\n");
	const char *slash = *name == '/' ? memrchr(name, '/', length) : NULL;

	if (slash) {
		length -= (size_t)(slash + 1 - name);
		name = slash + 1;
	}
	if (length >= TRACE_NAME)
		length = TRACE_NAME - 1;
	memcpy(vma->name, name, length);
}

static bool is_hugetlb(const struct recorder *rec, const struct kernel_maps_line *line)
{
	for (size_t i = 0; i < rec->hugetlb_count; i++) {
		if (line->inode && rec->hugetlb[i] == (line->major << 32 | line->minor))
			return true;
	}
	return false;
}

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

static uint32_t flags_of_rights(const char *rights)
{
	return (rights[0] == 'r' ? TRACE_VMA_READ : 0u) |
	       (rights[1] == 'w' ? TRACE_VMA_WRITE : 0u) |
	       (rights[2] == 'x' ? TRACE_VMA_EXEC : 0u) |
	       (rights[3] == 's' ? TRACE_VMA_SHARED : 0u);
}

static uint32_t flags_of(const struct recorder *rec, const struct kernel_maps_line *line)
{
	return flags_of_rights(line->rights) | (line->inode ? TRACE_VMA_FILE : 0u) |
	       (is_hugetlb(rec, line) ? TRACE_VMA_HUGETLB : 0u) |
	       (kernel_filled_at_mmap(line->name) ? TRACE_VMA_DEVICE : 0u) |
	       (begins(line->name, "anon_inode:[perf_event]") ? TRACE_VMA_PRIVY : 0u) |
	       (begins(line->name, "[vvar") ? TRACE_VMA_VVAR : 0u) |
	       (begins(line->name, "[stack]") ? TRACE_VMA_STACK : 0u) |
	       (begins(line->name, "[heap]") ? TRACE_VMA_HEAP : 0u) |
	       (begins(line->name, "/SYSV") ? TRACE_VMA_SYSV : 0u);
}

/* Makes a line rec->vmas[at]. */
static void add_vma(struct recorder *rec, size_t at, const struct kernel_maps_line *line)
{
	struct trace_vma *vma;

	rec->vmas = tool_grow(rec->vmas, &rec->vma_room, at + 1, sizeof(*rec->vmas));
	vma = &rec->vmas[at];
	memset(vma, 0, sizeof(*vma));
	vma->start = line->start;
	vma->end = line->end;
	vma->inode = line->inode;
	vma->flags = flags_of(rec, line);
	take_name(vma, line->name);
}

/* Makes rec->vmas of rec->text. */
static size_t parse_maps(struct recorder *rec)
{
	struct kernel_maps_line line;
	size_t count = 0;

	for (const char *at = rec->text; *at; at = strchr(at, '\n') + 1) {
		if (!kernel_parse_maps_line(at, &line) || line.start >= KERNEL_USER_END)
			break;
		add_vma(rec, count++, &line);
	}
	return count;
}

static bool same_vma(const struct trace_vma *a, const struct trace_vma *b)
{
	return a->start == b->start && a->end == b->end && a->inode == b->inode &&
	       a->flags == b->flags && !memcmp(a->name, b->name, TRACE_NAME);
}

/* Writes how the count new VMAs in rec->vmas differ from the space's. */
static void emit_vmas(struct recorder *rec, struct space *space, size_t count)
{
	size_t both = count < space->vma_count ? count : space->vma_count;
	const struct trace_vma *new = rec->vmas;
	const struct trace_vma *old = space->vmas;
	size_t first = 0;
	size_t last = 0;

	while (first < both && same_vma(&new[first], &old[first]))
		first++;
	while (last < both - first &&
	       same_vma(&new[count - last - 1], &old[space->vma_count - last - 1]))
		last++;
	if (space->listed && first + last == count && count == space->vma_count)
		return;
	record_emit(rec, &(struct trace_event){.kind = TRACE_VMAS,
				 .space = space->number,
				 .vmas = {first, last, &new[first], count - first - last}});
	space->listed = true;
	space->stirred = true;
}

/* The count VMAs in rec->vmas become the space's; how they differ is written. */
static void take_list(struct recorder *rec, struct space *space, size_t count)
{
	struct trace_vma *vmas = space->vmas;
	size_t room = space->vma_room;

	emit_vmas(rec, space, count);
	space->vmas = rec->vmas;
	space->vma_room = rec->vma_room;
	space->vma_count = count;
	rec->vmas = vmas;
	rec->vma_room = room;
}

bool look_vmas(struct recorder *rec, const struct task *task)
{
	size_t count;

	if (task->space->blind || !read_maps(rec, task))
		return false;
	count = parse_maps(rec);
	take_list(rec, task->space, count);
	return count > 0;
}

/* How many VMAs end at va or below. */
static size_t count_below(const struct space *space, uint64_t va)
{
	size_t low = 0;
	size_t high = space->vma_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (space->vmas[middle].end <= va)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t copy_vmas(struct recorder *rec, size_t at, const struct trace_vma *vmas, size_t count)
{
	rec->vmas = tool_grow(rec->vmas, &rec->vma_room, at + count, sizeof(*rec->vmas));
	if (count)
		memcpy(&rec->vmas[at], vmas, count * sizeof(*vmas));
	return at + count;
}

/* The VMA at va, or the next, as a line of maps. False: there is none, or no such ioctl. */
static bool query(int fd, uint64_t va, struct kernel_maps_line *line, char name[NAME_ROOM])
{
	static const char rights[16][5] = {"---p", "r--p", "-w-p", "rw-p", "--xp", "r-xp", "-wxp",
		"rwxp", "---s", "r--s", "-w-s", "rw-s", "--xs", "r-xs", "-wxs", "rwxs"};
	struct query_arg arg = {
		.size = sizeof(arg),
		.flags = QUERY_OR_NEXT,
		.va = va,
		.name_size = NAME_ROOM,
		.name = (uintptr_t)name,
	};

	name[0] = 0;
	if (ioctl(fd, QUERY_IOCTL, &arg))
		return false;
	*line = (struct kernel_maps_line){arg.start, arg.end, arg.inode, arg.major, arg.minor,
		rights[arg.rights & 15], name};
	return true;
}

/* Appends to rec->vmas those from va on that begin at last or below. */
static bool query_all(struct recorder *rec, const struct task *task, uint64_t va, uint64_t last,
    size_t *count)
{
	struct kernel_maps_line line;
	char name[NAME_ROOM];
	int fd = open_maps(task);

	if (fd < 0)
		return false;
	errno = 0;
	for (; va <= last && query(fd, va, &line, name) && line.start <= last; va = line.end)
		add_vma(rec, (*count)++, &line);
	close(fd);
	return !errno || errno == ENOENT;
}

static bool in_order(const struct trace_vma *vmas, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (vmas[i].start < vmas[i - 1].end)
			return false;
	}
	return true;
}

/* Makes rec->vmas of the space's, and of the kernel's for those that touch [first, last]. */
static bool replace_near(struct recorder *rec, const struct task *task, uint64_t first,
    uint64_t last, size_t *count)
{
	const struct space *space = task->space;
	size_t after = count_below(space, first);

	*count = copy_vmas(rec, 0, space->vmas, after);
	if (!query_all(rec, task, first, last, count)) {
		rec->no_query |= errno == ENOTTY;
		return false;
	}
	while (after < space->vma_count && space->vmas[after].start <= last)
		after++;
	*count = copy_vmas(rec, *count, &space->vmas[after], space->vma_count - after);
	return in_order(rec->vmas, *count);
}

bool look_vmas_near(struct recorder *rec, const struct task *task, uint64_t start, uint64_t end)
{
	size_t count;

	/* The neighbours too: they may have become one with what the call made. */
	if (task->space->blind || rec->no_query || start > end ||
	    !replace_near(rec, task, start ? start - 1 : 0, end, &count))
		return look_vmas(rec, task);
	take_list(rec, task->space, count);
	return true;
}

const struct trace_vma *look_find(const struct space *space, uint64_t va)
{
	size_t at = count_below(space, va);

	return at < space->vma_count && space->vmas[at].start <= va ? &space->vmas[at] : NULL;
}
