/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What user code finds at an address. The first word of every frame is told apart by its value, so
 * that what is read says which frame was reached.
 */
#include "tool/boot/boot.h"

#define SHOWN 8u /* that are printed */

/* One more of a kind of mistakes. */
static void count_wrong(uint64_t *count, uint64_t va, const char *what)
{
	if (++*count <= SHOWN)
		print("WRONG operation %llu, %llx: %s\n",
		    (unsigned long long)boot.counts.operations, (unsigned long long)va, what);
}

static void wrong(uint64_t va, const char *what)
{
	count_wrong(&boot.accesses.mismatches, va, what);
}

/* An access, and what a kernel does when it is refused. */
static struct machine_try try_user(uint64_t va, uint32_t access)
{
	const char *code = access == PT_WRITE ? machine_try_write : machine_try_read;
	struct machine_try t = {.va = (uintptr_t)va, .user = true};

	t.pc = (uintptr_t)boot.user_code + (uintptr_t)(code - machine_try_page);
	boot.accesses.tried++;
	for (unsigned i = 0;; i++) {
		machine_try(&t);
		if (t.end != MACHINE_FAULT || i == 2 ||
		    pt_access_fault(&boot.loaded->space, pt_make_va(va), access | PT_USER))
			return t;
		machine_flush_page(va, false);
		boot.accesses.marked++;
	}
}

static volatile uint32_t *word_at(uint64_t pa)
{
	return bare_at(pa);
}

static bool in_frames(uint64_t pa)
{
	uint64_t first = machine.ram + BOOT_FRAMES_AT;

	return pa >= first && pa < first + BOOT_FRAMES_SIZE;
}

/* Nothing is mapped there, or not for this access. */
static void must_refuse(uint64_t va, uint32_t access)
{
	struct machine_try t = try_user(va, access);

	if (t.end != MACHINE_FAULT)
		wrong(va, access == PT_WRITE ? "was written" : "was read");
	else if (t.address != va)
		wrong(va, "the fault names another address");
	else
		boot.accesses.refused++;
}

static void must_read(uint64_t va, uint64_t pa)
{
	struct machine_try t = try_user(va, PT_READ);

	if (t.end != MACHINE_DONE)
		wrong(va, "cannot be read");
	else if ((uint32_t)t.value != *word_at(pa))
		wrong(va, "is another frame");
	else
		boot.accesses.reached++;
}

/* What is written is none of the two values that the word may have here. */
static void must_write(uint64_t va, uint64_t pa)
{
	uint32_t before = *word_at(pa);
	struct machine_try t = try_user(va, PT_WRITE);

	if (t.end != MACHINE_DONE)
		wrong(va, "cannot be written");
	else if (*word_at(pa) == before)
		wrong(va, "another frame was written");
	else
		boot.accesses.reached++;
	*word_at(pa) = before;
}

void boot_access(uint64_t va)
{
	struct pt_translation t;
	int error = pt_translate(&boot.loaded->space, pt_make_va(va), &t);

	if (error) {
		must_refuse(va, PT_READ);
		must_refuse(va, PT_WRITE);
		return;
	}
	if (!in_frames(t.pa.v)) {
		wrong(va, "the library names memory that no program has");
		return;
	}
	must_read(va, t.pa.v);
	if (t.attr.flags & PT_WRITE)
		must_write(va, t.pa.v);
	else
		must_refuse(va, PT_WRITE);
}

void boot_look(struct sink_op look)
{
	look.arg = boot_frame(look.arg);
	if (!sink_answers(&boot.loaded->space, &look))
		count_wrong(&boot.accesses.unmodelled, look.va, "is not what the plain model says");
	boot_access(look.va);
}
