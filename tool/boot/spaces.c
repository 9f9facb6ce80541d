/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Spaces of the trace. Where the kernel has no root for itself, its root entries are in theirs from
 * when they are made to their end: written before the MMU sees the root, and taken back after.
 */
#include "tool/boot/boot.h"

static void *slot_of(const struct pt_space *space, unsigned slot)
{
	return (char *)space->top + (size_t)slot * boot.format->entry_bytes;
}

static uint64_t load(const void *entry)
{
	return boot.format->entry_bytes == 8 ? *(const volatile uint64_t *)entry
					     : *(const volatile uint32_t *)entry;
}

static void store(void *entry, uint64_t e)
{
	if (boot.format->entry_bytes == 8)
		*(volatile uint64_t *)entry = e;
	else
		*(volatile uint32_t *)entry = (uint32_t)e;
}

int boot_make(struct live_space *live)
{
	int error = pt_space_init(&live->space, boot.memory, boot.format, PT_SPACE_MMU, live);

	if (error)
		return error;
	live->alive = true;
	for (unsigned i = 0; i < boot.slots; i++) {
		void *entry = slot_of(&live->space, boot.slot[i]);

		live->own[i] = load(entry);
		store(entry, load(slot_of(&boot.kernel, boot.slot[i])));
	}
	return 0;
}

int boot_destroy(struct live_space *live)
{
	if (boot.loaded == live)
		boot_load(NULL);
	for (unsigned i = 0; i < boot.slots; i++)
		store(slot_of(&live->space, boot.slot[i]), live->own[i]);
	live->alive = false;
	return pt_space_destroy(&live->space, NULL);
}

void boot_load(struct live_space *live)
{
	const struct pt_space *none = machine.split ? &boot.idle : &boot.kernel;
	struct pt_root root = pt_space_root(live ? &live->space : none);

	machine_set_root(&root);
	boot.loaded = live;
}

struct live_space *boot_space(uint32_t number)
{
	return number < boot.space_count && boot.spaces[number].alive ? &boot.spaces[number] : NULL;
}
