/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The port under the scheduler: its calls are decisions, and monitors of what was promised. */
#include "port/explore/inside.h"

/* What a fiber does, as others' grace periods see it: in one word, 0 depth for outside. */
struct section {
	uint16_t depth;
	uint16_t serial; /* of sections that have ended */
	uint32_t pad;
};

struct port_state {
	struct section section[EXPLORE_FIBERS + 1];
	uint32_t flush; /* read and written only so that schedules have a say in when one comes */
	/* Is a fiber pinned to the CPU that all share. */
	uint32_t pinned __attribute__((aligned(GRANULE)));
};

static unsigned main_cpu;
static bool one_cpu; /* all fibers share */

static struct port_state *state(void)
{
	return (struct port_state *)(void *)explore_block;
}

size_t explore_port_size(void)
{
	return sizeof(struct port_state);
}

static unsigned cpu_of(unsigned fiber)
{
	return one_cpu && fiber != EXPLORE_MAIN ? 0 : fiber;
}

void explore_port_cpu(unsigned fiber)
{
	main_cpu = cpu_of(fiber);
}

void explore_port_one_cpu(void)
{
	one_cpu = true;
}

void explore_port_arena(char *arena, size_t size, uint64_t first_pa)
{
	explore.arena = block_offset(arena);
	explore.arena_size = size;
	explore.arena_pa = first_pa;
}

static void section_enter(void *ctx)
{
	struct section *s = &state()->section[explore_self()];

	(void)ctx;
	if (!s->depth)
		explore_sync(s, true);
	s->depth++;
}

static void section_exit(void *ctx)
{
	struct section *s = &state()->section[explore_self()];

	(void)ctx;
	if (!s->depth)
		explore_fail("a section is left that was not entered", NULL);
	if (s->depth == 1) {
		explore_sync(s, true);
		s->serial++;
		race_section_exit();
	}
	s->depth--;
}

static void *phys_to_virt(void *ctx, pt_pa pa)
{
	(void)ctx;
	if (pa.v - explore.arena_pa >= explore.arena_size)
		explore_fail("a table where there is no memory", NULL);
	return explore_block + explore.arena + (pa.v - explore.arena_pa);
}

static pt_pa virt_to_phys(void *ctx, const void *address)
{
	(void)ctx;
	return pt_make_pa(block_offset(address) - explore.arena + explore.arena_pa);
}

uint64_t explore_port_pa(const void *address)
{
	return virt_to_phys(NULL, address).v;
}

static bool is_another(const void *address, uint64_t value)
{
	return *(const uint32_t *)address != (uint32_t)value;
}

static void wait_while(void *ctx, const uint32_t *addr, uint32_t value)
{
	bool *early = &explore.early[explore_self()];

	(void)ctx;
	/* It may come back early: it does so once in each execution. */
	if (explore_self() != EXPLORE_MAIN && !*early) {
		*early = true;
		return;
	}
	explore_wait(is_another, addr, value);
}

/* Of fibers that share a CPU one is pinned at a time: they take turns as with a lock. */
static void pin(uint32_t *pinned)
{
	for (;;) {
		explore_sync(pinned, true);
		if (!*pinned)
			break;
		explore_wait(is_another, pinned, 1);
	}
	race_atomic(block_offset(pinned), sizeof(*pinned), ATOMIC_UPDATE, ORDER_ACQUIRE);
	*pinned = 1;
}

static unsigned cpu_pin(void *ctx, bool irq)
{
	(void)ctx;
	(void)irq;
	if (explore_self() == EXPLORE_MAIN)
		return main_cpu;
	if (one_cpu)
		pin(&state()->pinned);
	return cpu_of(explore_self());
}

static void cpu_unpin(void *ctx, bool irq)
{
	uint32_t *pinned = &state()->pinned;

	(void)ctx;
	(void)irq;
	if (!one_cpu || explore_self() == EXPLORE_MAIN)
		return;
	explore_sync(pinned, true);
	race_atomic(block_offset(pinned), sizeof(*pinned), ATOMIC_STORE, ORDER_RELEASE);
	*pinned = 0;
}

/* Sixteen bits for each fiber: the section it is in, with the top bit; else 0. */
static uint64_t grace_start(void *ctx)
{
	uint64_t cookie = 0;

	(void)ctx;
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++) {
		const struct section *s = &state()->section[f];

		explore_sync(s, false);
		if (f == explore_self() && s->depth)
			explore_fail("a grace period is started in a section", NULL);
		if (s->depth)
			cookie |= (uint64_t)(0x8000u | s->serial) << (16 * f);
	}
	return cookie;
}

static bool is_over(const void *address, uint64_t cookie)
{
	(void)address;
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++) {
		const struct section *s = &state()->section[f];
		unsigned was = cookie >> (16 * f) & 0xffff;

		if (was && s->depth && was == (0x8000u | s->serial))
			return false;
	}
	return true;
}

static bool grace_done(void *ctx, uint64_t cookie)
{
	(void)ctx;
	for (unsigned f = 0; f < EXPLORE_FIBERS; f++)
		explore_sync(&state()->section[f], false);
	if (!is_over(NULL, cookie))
		return false;
	race_grace_over();
	return true;
}

static void grace_wait(void *ctx, uint64_t cookie)
{
	(void)ctx;
	explore_wait(is_over, NULL, cookie);
	race_grace_over();
}

void explore_sync_flush(bool write)
{
	explore_sync(&state()->flush, write);
	explore_meet_all();
}

static void flush(void *ctx, const struct pt_flush *request)
{
	(void)ctx;
	if (explore_self() == EXPLORE_MAIN)
		return;
	for (unsigned device = 0; device < 2; device++) {
		explore_sync_flush(true);
		explore.watch->flush(request, device);
	}
}

static int table_event(void *ctx, pt_pa pa, size_t size, unsigned level, bool start)
{
	(void)level;
	if (explore_self() == EXPLORE_MAIN)
		return 0;
	/* Whoever gets a freed table's memory may write all of it. */
	if (!start)
		(void)note_access(block_offset(phys_to_virt(ctx, pa)), size, true);
	return explore.watch->table_event(pa.v, size, start);
}

struct pt_port explore_port(void)
{
	struct pt_port port = {
		.cpu_pin = cpu_pin,
		.cpu_unpin = cpu_unpin,
		.section_enter = section_enter,
		.section_exit = section_exit,
		.phys_to_virt = phys_to_virt,
		.virt_to_phys = virt_to_phys,
		.wait_while = wait_while,
		.grace_start = grace_start,
		.grace_done = grace_done,
		.grace_wait = grace_wait,
	};

	if (explore.watch) {
		port.flush = flush;
		port.table_event = table_event;
	}
	return port;
}
