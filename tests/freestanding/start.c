/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The smallest program around the core: supplies the four calls that a compiler may make up, and
 * calls the library, so that the linker has to pull all of it. It is linked, for machines of many
 * kinds, and not run.
 */
#include <ptdesc/format.h>
#include <ptdesc/memory.h>
#include <ptdesc/space.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
void _start(void);

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	while (size--)
		*t++ = *f++;
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if ((uintptr_t)to <= (uintptr_t)from)
		return memcpy(to, from, size);
	while (size--)
		t[size] = f[size];
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	unsigned char *t = to;

	while (size--)
		*t++ = (unsigned char)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a;
	const unsigned char *y = b;

	for (; size; size--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

void _start(void)
{
	static const struct pt_config config = {.page_shift = 12, .cpus = 1, .nodes = 1};
	static const struct pt_port port = {.ctx = NULL};
	struct pt_memory *memory = NULL;
	struct pt_space space;

	if (pt_memory_init(NULL, 0, &config, &port, &memory) || pt_memory_online(memory))
		return;
	if (pt_space_init(&space, memory, pt_formats[0], 0, NULL))
		return;
	(void)pt_map(&space, pt_make_va(0), 4096, pt_make_pa(0), pt_make_attr(PT_READ), 0);
	(void)pt_space_destroy(&space, NULL);
	(void)pt_memory_destroy(memory, NULL);
}
