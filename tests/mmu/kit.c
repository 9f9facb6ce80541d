/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The conformance kit, its spaces' tables live: whenever it asks the library what is at an address,
 * the MMU is put on that space, and reads, writes and executes there.
 */
#include "tests/kit/kit.h"
#include "tests/mmu/access.h"
#include "tests/mmu/deviations.h"
#include "tests/mmu/mmu.h"

#define KERNEL_SLOTS 64u

/* Entries of the kernel's root, lent to a root that is probed. */
struct lent {
	unsigned at;
	uint64_t before;
};

struct live_kit {
	struct pt_port port;
	struct lent lent[KERNEL_SLOTS];
	unsigned lents;
	uint32_t hold; /* no grace period ends */
	uint64_t flushes;
	unsigned long probes;
	unsigned long written; /* of them with memory that may be changed */
	unsigned long unasked; /* in a slot that the kernel lends */
};

static struct live_kit live;

static void count_flush(void *ctx, const struct pt_flush *request)
{
	live.flushes++;
	bare_flush(ctx, request);
}

static bool grace_done(void *ctx, uint64_t cookie)
{
	const struct pt_port port = bare_port();

	return !live.hold && port.grace_done(ctx, cookie);
}

static struct pt_memory *open(void *ctx, unsigned page_shift)
{
	struct pt_memory *memory;

	(void)ctx;
	if (bare_memory(machine.ram + MMU_SCRATCH_AT, MMU_SCRATCH_SIZE, page_shift, &live.port,
		&memory))
		return NULL;
	return memory;
}

static int close(void *ctx, struct pt_memory *memory, struct pt_leaks *leaks)
{
	(void)ctx;
	return pt_memory_destroy(memory, leaks);
}

static void hold_grace(void *ctx, bool hold)
{
	(void)ctx;
	live.hold = hold;
}

static uint64_t flushes(void *ctx)
{
	(void)ctx;
	return live.flushes;
}

static void report(void *ctx, const struct pt_format *format, bool with, const char *test,
    const char *what, int line)
{
	(void)ctx;
	(void)format;
	mmu.failed += what != NULL;
	print("%s %u - kit%s: %s\n", what ? "not ok" : "ok", ++mmu.tests, with ? ", live" : "",
	    test);
	if (what)
		print("# line %u: expected %s\n", (unsigned)line, what);
}

static void *slot_of(const struct pt_space *space, unsigned slot)
{
	return (char *)space->top + slot * mmu.format->entry_bytes;
}

/* Is the kernel, or MMU_USER_CODE behind it, in the slot of its root that begins at va. */
static bool is_used(uint64_t va)
{
	uint64_t last = va + (mmu_slot(mmu_top()) - 1);
	const struct machine_device ram = {machine.ram, machine.ram_size + mmu_slot(0)};
	const struct machine_device *d = &ram;

	do {
		uint64_t at = bare_kernel_va(&mmu.kernel, d->pa).v;

		if (at <= last && at + (d->size - 1) >= va)
			return true;
		d = d == &ram ? machine.devices : d + 1;
	} while (d->size);
	return false;
}

/* Where the kernel's root has entries for itself. */
static void find_kernel(void)
{
	const struct pt_format *f = mmu.format;
	uint64_t high = f->flags & PT_FORMAT_SIGNED ? UINT64_MAX << (f->va_bits - 1) : 0;

	live.lents = 0;
	for (unsigned i = 0; i < 1u << f->bits[mmu_top()] && !machine.split; i++) {
		uint64_t va = (uint64_t)i << pt_format_shift(f, mmu_top());

		if (is_used(va & high ? va | high : va) && live.lents < KERNEL_SLOTS)
			live.lent[live.lents++].at = i;
	}
}

static bool is_kernels(unsigned slot)
{
	for (unsigned i = 0; i < live.lents; i++)
		if (live.lent[i].at == slot)
			return true;
	return false;
}

static void lend(const struct pt_space *space)
{
	for (unsigned i = 0; i < live.lents; i++) {
		void *entry = slot_of(space, live.lent[i].at);

		live.lent[i].before = mmu_load(entry);
		mmu_store(entry, mmu_load(slot_of(&mmu.kernel, live.lent[i].at)));
	}
}

static void take_back(const struct pt_space *space)
{
	for (unsigned i = 0; i < live.lents; i++)
		mmu_store(slot_of(space, live.lent[i].at), live.lent[i].before);
	for (unsigned i = 0; i < 1u << mmu.format->bits[mmu_top()]; i++) {
		uint64_t e = mmu_load(slot_of(space, i));
		uint64_t undone = deviation_undone(mmu.format, mmu_top(), e);

		if (e != undone)
			mmu_store(slot_of(space, i), undone);
	}
}

/* The rules that hold at an address: those of the leaf there, or that there is none. */
static struct arch_case case_of(void)
{
	struct arch_case c = {.format = mmu.format, .control = arch_default_control};

	return c;
}

/* Nothing is mapped: every access must say so, and of which level the entry is that says it. */
static const char *ask_hole(const struct pt_space *space, uint64_t va)
{
	static const struct arch_upper nothing = {.name = "nothing", .absent = true};
	struct access_place place = {.va = va};
	struct arch_case c = case_of();
	struct machine_try t;

	c.upper = &nothing;
	if (pt_table_level(space, pt_make_va(va), &c.upper_level))
		return "a level";
	for (unsigned i = 0; i < ACCESSES; i++) {
		access_number(&c, i);
		if (!access_judge(&c, &place, &t))
			return "nothing mapped: the MMU does otherwise";
	}
	return NULL;
}

static bool is_target(uint64_t pa)
{
	uint64_t first = machine.ram + MMU_TARGET_AT;

	return pa >= first && pa - first < MMU_TARGET_SIZE;
}

/*
 * The word that accesses go to: that at va, or another of the same leaf that is memory for tests to
 * change. Its physical address; 0: the leaf has none.
 */
static uint64_t find_word(const struct pt_translation *mapped, uint64_t *va)
{
	uint64_t pa = mapped->pa.v & ~UINT64_C(7);
	uint64_t leaf = pa & ~(mmu_slot(mapped->level) - 1);
	uint64_t target = machine.ram + MMU_TARGET_AT;

	if (is_target(pa))
		return pa;
	if (target < leaf || target - leaf >= mmu_slot(mapped->level))
		return 0;
	*va += target - pa;
	return target;
}

/*
 * What an access has done to memory, which is seen through another mapping, the kernel's: at holds
 * a breakpoint before. Leaves it as it was.
 */
static const char *look_behind(const struct arch_case *c, const struct machine_try *t,
    volatile uint32_t *at, uint32_t before, uint32_t written)
{
	bool done = t->end == MACHINE_DONE;
	uint32_t now = *at;

	if (now != before) {
		*at = before;
		machine_sync_code();
	}
	if (c->access == PT_READ && done && (uint32_t)t->value != before)
		return "that memory: the MMU reads other memory";
	return now == (c->access == PT_WRITE && done ? written : before)
		   ? NULL
		   : "a write that goes where it should, and no other";
}

/* Memory: each access, as the manual says it ends, and the word behind it. */
static const char *ask_memory(struct arch_case *c, struct access_place *place, uint64_t pa)
{
	volatile uint32_t *at = bare_at(pa);
	uint32_t before = *at;
	const char *what = NULL;
	uint32_t word;
	struct machine_try t;

	memcpy(bare_at(pa), machine_breakpoint, machine_breakpoint_size);
	machine_sync_code();
	word = *at;
	place->word = ~(uint32_t)pa;
	for (unsigned i = 0; i < ACCESSES && !what; i++) {
		access_number(c, i);
		if (!access_judge(c, place, &t))
			what = "the rights that the library says: the MMU does otherwise";
		else
			what = look_behind(c, &t, at, word, place->word);
	}
	*at = before;
	machine_sync_code();
	live.written++;
	return what;
}

static struct machine_try read_at(uint64_t va)
{
	struct machine_try t = {.va = (uintptr_t)va, .pc = mmu_code(PT_READ, false)};

	machine_try(&t);
	mmu.cases++;
	return t;
}

/* No memory: what is refused must be, and reads must be translated; what they find is the bus's. */
static const char *ask_bus(struct arch_case *c, struct access_place *place)
{
	struct machine_try t;

	for (unsigned i = 0; i < ACCESSES; i++) {
		access_number(c, i);
		if (!arch_expect(c).fault)
			continue;
		if (!access_judge(c, place, &t))
			return "the rights that the library says: the MMU does otherwise";
	}
	access_number(c, 0);
	if (arch_expect(c).fault)
		return NULL;
	t = read_at(place->va);
	return t.end == MACHINE_FAULT ? "something mapped: the MMU faulted" : NULL;
}

/* A read right there, whatever memory it is: nobody changes it. */
static const char *ask_word(uint64_t va, uint64_t pa)
{
	struct machine_try t;

	if (pa < machine.ram || pa - machine.ram >= machine.ram_size)
		return NULL;
	t = read_at(va);
	return t.end == MACHINE_DONE && (uint32_t)t.value == *(volatile uint32_t *)bare_at(pa)
		   ? NULL
		   : "that memory: the MMU reads other memory";
}

static const char *ask_leaf(const struct pt_space *space, uint64_t va,
    const struct pt_translation *mapped)
{
	struct access_place place = {.va = va, .entry = mmu_entry(space, va, mapped->level)};
	struct arch_case c = case_of();
	struct pt_entry_info info;
	uint64_t pa;

	if (!place.entry)
		return "an entry";
	place.raw = mmu_load(place.entry);
	if (pt_entry_decode(mmu.format, place.raw, mapped->level, &info))
		return "an entry that can be decoded";
	c.level = mapped->level;
	c.flags = info.attr.flags;
	c.format_attrs = info.attr.format;
	pa = find_word(mapped, &place.va);
	if (!pa)
		return ask_bus(&c, &place);
	if (place.va != va && !arch_expect(&c).fault) {
		const char *what = ask_word(va, mapped->pa.v & ~UINT64_C(7));

		if (what)
			return what;
	}
	return ask_memory(&c, &place, pa);
}

static const char *probe(void *ctx, const struct pt_space *space, uint64_t va,
    const struct pt_translation *mapped)
{
	unsigned top = mmu_top();
	unsigned slot = (unsigned)(va >> pt_format_shift(mmu.format, top) &
				   ((UINT64_C(1) << mmu.format->bits[top]) - 1));
	struct pt_root root = pt_space_root(space);
	const char *what;

	(void)ctx;
	if (is_kernels(slot)) {
		live.unasked++;
		return NULL;
	}
	live.probes++;
	va &= ~UINT64_C(7);
	lend(space);
	machine_set_root(&root);
	what = mapped ? ask_leaf(space, va, mapped) : ask_hole(space, va);
	machine_set_root(&mmu.root);
	take_back(space);
	return what;
}

void mmu_kit(void)
{
	struct kit_machine kit = {
		.open = open,
		.close = close,
		.hold_grace = hold_grace,
		.flushes = flushes,
		.probe = probe,
		.report = report,
	};
	struct kit_counts counts;

	kit.memory = machine.ram + MMU_TARGET_AT;
	live.port = bare_port();
	live.port.flush = count_flush;
	live.port.grace_done = grace_done;
	find_kernel();
	counts = kit_run_format(&kit, mmu.format);
	print("# kit: %u passed, %u failed, %u not for the format, %lu checks\n", counts.passed,
	    counts.failed, counts.skipped, counts.checks);
	print("# kit: the MMU was asked %lu times, %lu of memory that was written; not asked %lu "
	      "times\n",
	    live.probes, live.written, live.unasked);
}
