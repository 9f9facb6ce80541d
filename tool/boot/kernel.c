/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel's own space, and what of it is in every other. */
#include "tool/boot/boot.h"

/* More pages than a port flushes one by one. */
#define MANY_PAGES 64u

static void count_flush(void *ctx, const struct pt_flush *request)
{
	struct flush_counts *counts = &boot.flushes;
	uint32_t root = 1u << (boot.format->levels - 1u);
	uint64_t pages = ((request->last.v - request->start.v) >> boot.format->page_shift) + 1;

	counts->requests++;
	counts->leaves += !request->tables;
	counts->tables += request->tables != 0;
	counts->roots += boot.format->flags & PT_FORMAT_LOADED_ROOT && request->tables & root;
	counts->whole += pages > MANY_PAGES;
	if (!boot.drop)
		bare_flush(ctx, request);
}

/* User code that accesses memory, in the kernel's part of every space: behind the RAM. */
static int map_user_code(void)
{
	uint64_t page = UINT64_C(1) << boot.format->page_shift;
	uint64_t pa = bare_pa(machine_try_page);
	uint64_t at = machine.ram + machine.ram_size;
	uint32_t flags = PT_READ | PT_EXEC | PT_USER | PT_ACCESSED;

	boot.user_code = (uintptr_t)bare_at(at + (pa & (page - 1)));
	return pt_map(&boot.kernel, bare_kernel_va(&boot.kernel, at), page,
	    pt_make_pa(pa & ~(page - 1)), pt_make_attr(flags), 0);
}

static int is_mapped(void *ctx, const struct pt_piece *piece)
{
	(void)ctx;
	(void)piece;
	return 1;
}

/* The root entries below which the kernel maps something; those of a root for itself stay there. */
static int find_slots(void)
{
	const struct pt_format *f = boot.format;
	unsigned shift = pt_format_shift(f, f->levels - 1u);
	uint64_t high = f->flags & PT_FORMAT_SIGNED ? UINT64_MAX << (f->va_bits - 1) : 0;

	for (unsigned i = 0; i < 1u << f->bits[f->levels - 1u] && !machine.split; i++) {
		uint64_t va = (uint64_t)i << shift;

		va = va & high ? va | high : va;
		if (!pt_walk(&boot.kernel, pt_make_va(va), UINT64_C(1) << shift, is_mapped, NULL))
			continue;
		if (boot.slots == BOOT_SLOTS)
			return -PT_ENOTSUP;
		boot.slot[boot.slots++] = i;
	}
	return 0;
}

bool boot_kernel(void)
{
	struct pt_port port = bare_port();
	struct pt_root root;
	int error;

	port.flush = count_flush;
	error = bare_memory(machine.ram + BOOT_MEMORY_AT, BOOT_MEMORY_SIZE, boot.format->page_shift,
	    &port, &boot.memory);
	if (!error)
		error = bare_kernel_space(&boot.kernel, boot.memory, boot.format);
	if (!error)
		error = map_user_code();
	if (!error)
		error = find_slots();
	if (!error && machine.split)
		error =
		    pt_space_init(&boot.idle, boot.memory, boot.format, PT_SPACE_MMU, &boot.idle);
	if (error) {
		print("WRONG no kernel on the library's tables: %s\n", pt_strerror(error));
		return false;
	}
	root = pt_space_root(&boot.kernel);
	machine_set_kernel_root(&root);
	boot_load(NULL);
	return true;
}
