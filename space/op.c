/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An operation under way: locks, reserve, gather, end. */
#include "space/op.h"

/* Roots are on the list of roots, so they are held apart. */
static bool is_root(const struct pt_op *op, const struct ptdesc *pt, unsigned side)
{
	return op->side[side].space && op->side[side].space->root == pt;
}

void pt_op_hold(struct pt_op *op, struct pt_side *side, struct ptdesc *pt)
{
	for (unsigned i = 0; i < PT_SIDES; i++) {
		if (is_root(op, pt, i)) {
			PT_ASSERT(op->memory, !op->stores, PT_STOP_LOCK_LATE, pt);
			pt_lock_ordered(op->memory, pt);
			op->held_root[i] = pt;
			return;
		}
	}
	pt_op_hold_child(op, side, pt);
}

void pt_op_lock_shared(struct pt_op *op)
{
	pt_table_lock(op->memory, op->shared);
	pt_lock_ordered(op->memory, op->shared);
	op->shared_held = true;
}

static bool holds_root(const struct pt_op *op, unsigned side)
{
	return PT_ONE_LOCK ? op->side[side].space && op->side[side].locks
			   : op->held_root[side] != NULL;
}

void pt_op_unlock_all(struct pt_op *op)
{
	struct ptdesc *next;

	if (op->at_once)
		pt_op_flush_now(op);
	if (op->shared_held)
		pt_table_unlock(op->memory, op->shared);
	op->shared_held = false;
	for (struct ptdesc *pt = op->held; pt && !PT_ONE_LOCK; pt = next) {
		next = pt->pt_list.next;
		pt_table_unlock(op->memory, pt);
	}
	op->held = NULL;
	for (unsigned i = 0; i < PT_SIDES; i++) {
		if (holds_root(op, i))
			pt_table_unlock(op->memory, op->side[i].space->root);
		op->held_root[i] = NULL;
		op->side[i].locks = 0;
	}
}

static bool is_flushed(const struct pt_op *op)
{
	return !(op->flush.leaves | op->flush.tables) || (PT_DEFECT(39) && op->stores);
}

void pt_op_flush_now(struct pt_op *op)
{
	const struct pt_port *port = &op->memory->port;

	if (is_flushed(op))
		return;
	for (unsigned i = 0; i < PT_SIDES && op->mmu && port->flush; i++) {
		const struct pt_space *space = op->side[i].space;

		if (!space)
			break;
		if (!op->side[i].flush || !(space->flags & PT_SPACE_MMU))
			continue;
		op->flush.cookie = space->cookie;
		op->flush.kernel = flushes_all(space) || op->everywhere;
		port->flush(port->ctx, &op->flush);
	}
	op->flush.leaves = 0;
	op->flush.tables = 0;
}

/* Hands the buffer over; everything in it was flushed. */
static void release(struct pt_gather *gather)
{
	if (!gather || !gather->count)
		return;
	if (gather->release)
		gather->release(gather->ctx, gather->runs, gather->count);
	gather->count = 0;
}

void pt_op_release(struct pt_op *op)
{
	pt_op_flush_now(op);
	release(op->gather);
}

void pt_op_unlinked(struct pt_op *op, struct ptdesc *pt)
{
	struct ptdesc *deposit;

	pt_state_move(op->memory, pt, PT_LINKED, PT_UNLINKED);
	while ((deposit = pt_withdraw(pt))) {
		deposit->pt_list.next = op->never;
		op->never = deposit;
	}
	pt->pt_list.prev = op->out;
	op->out = pt;
}

/* To its grace period, whatever its level. */
static void give_up(const struct pt_op *op, struct ptdesc *pt)
{
	struct pt_account *owner = pt->space ? &pt->space->account : NULL;

	/* While a reader may be in it; 42: only tables of level 0 wait for readers. */
	if (PT_DEFECT(35) || (PT_DEFECT(42) && ptdesc_level(pt)))
		pagetable_free(op->memory, pt, owner);
	else
		pagetable_free_defer(op->memory, pt, owner);
}

/* Queues the unlinked tables for their grace period. They were flushed. */
static void hand_over(struct pt_op *op, void (*harvest)(struct pt_op *, const struct ptdesc *))
{
	struct ptdesc *next;

	if (harvest)
		for (struct ptdesc *pt = op->out; pt; pt = pt->pt_list.prev)
			if (pt->used)
				harvest(op, pt);
	release(op->gather);
	for (struct ptdesc *pt = op->out; pt; pt = next) {
		next = pt->pt_list.prev;
		give_up(op, pt);
	}
	op->out = NULL;
	for (struct ptdesc *pt = op->never; pt; pt = next) {
		next = pt->pt_list.next;
		pagetable_free(op->memory, pt, pt->space ? &pt->space->account : NULL);
	}
	op->never = NULL;
}

bool pt_op_ready(const struct pt_op *op)
{
	for (unsigned i = 0; i < PT_SIDES && op->side[i].space; i++)
		for (unsigned l = 0; l < op->side[i].space->levels; l++)
			if (op->side[i].need[l] > op->side[i].spares[l])
				return false;
	return true;
}

static struct ptdesc *alloc_table(const struct pt_op *op, const struct pt_side *side,
    unsigned level)
{
	struct pt_space *space = side->space;
	bool kernel = space->flags & PT_SPACE_KERNEL && !PT_DEFECT(34);
	struct ptdesc *pt = pagetable_alloc(op->memory, space->classes[level], level,
	    &space->account, kernel ? PT_KERNEL_TABLE : 0);

	if (pt)
		pt->space = space;
	return pt;
}

/* Fills one side's reserve; false: the allocator was empty. */
static bool fill_reserve(const struct pt_op *op, struct pt_side *side)
{
	for (unsigned l = 0; l < side->space->levels; l++) {
		while (side->spares[l] < side->need[l]) {
			struct ptdesc *pt = alloc_table(op, side, l);

			if (!pt)
				return false;
			pt->pt_list.next = side->spare[l];
			side->spare[l] = pt;
			side->spares[l]++;
		}
	}
	return true;
}

static bool fill_all(struct pt_op *op)
{
	for (unsigned i = 0; i < PT_SIDES && op->side[i].space; i++)
		if (!fill_reserve(op, &op->side[i]))
			return false;
	return true;
}

static void forget_needs(struct pt_op *op)
{
	for (unsigned i = 0; i < PT_SIDES; i++)
		memset(op->side[i].need, 0, sizeof(op->side[i].need));
}

void pt_op_try_reserve(struct pt_op *op)
{
	(void)fill_all(op);
	forget_needs(op);
}

int pt_op_reserve(struct pt_op *op)
{
	pt_op_unlock_all(op);
	pt_op_flush_now(op);
	hand_over(op, NULL);
	while (!fill_all(op)) {
		if (op->slept || !(op->flags & PT_MAY_SLEEP))
			return -PT_ENOMEM;
		op->slept = true;
		port_section_exit(&op->memory->port);
		/* Where nothing waits another may have taken it, and be about to free it. */
		if (!pt_reclaim_poll(op->memory, true))
			pt_grace_wait(op->memory);
		port_section_enter(&op->memory->port);
	}
	forget_needs(op);
	return 0;
}

struct ptdesc *pt_op_take(struct pt_op *op, struct pt_side *side, unsigned level, uint64_t base)
{
	struct ptdesc *pt = side->spare[level];

	(void)op;
	side->spare[level] = pt->pt_list.next;
	side->spares[level]--;
	pt->space = side->space;
	pt->base = (pt->base & 255) | base;
	return pt;
}

/* Whoever changes an entry of a root that MMUs load as a whole has its lock (K3). */
static void note_loaded_roots(struct pt_op *op)
{
	for (unsigned i = 0; i < PT_SIDES; i++) {
		const struct pt_format *f = op->side[0].space->format;

		if (!op->held_root[i] || !(f->flags & PT_FORMAT_LOADED_ROOT))
			continue;
		op->side[i].flush = true;
		pt_op_flush(op, 0, (UINT64_C(1) << f->va_bits) - 1, f->levels - 1u, true);
	}
}

void pt_op_end(struct pt_op *op, void (*harvest)(struct pt_op *, const struct ptdesc *))
{
	struct pt_memory *memory = op->memory;
	struct ptdesc *next;

	note_loaded_roots(op);
	pt_op_unlock_all(op);
	if (PT_DEFECT(31)) /* freed before the flush */
		hand_over(op, harvest);
	pt_op_flush_now(op);
	hand_over(op, harvest);
	for (unsigned i = 0; i < PT_SIDES && op->side[i].space; i++) {
		for (unsigned l = 0; l < op->side[i].space->levels; l++) {
			for (struct ptdesc *pt = op->side[i].spare[l]; pt; pt = next) {
				next = pt->pt_list.next;
				pagetable_free(memory, pt, &pt->space->account);
			}
		}
	}
	port_section_exit(&memory->port);
	pt_reclaim_drive(memory);
}

/* Takes a leaf table out of the account of a space that no longer maps it but others do. */
void pt_op_disown(struct pt_op *op, struct pt_space *space, struct ptdesc *pt)
{
	if (pt->space != space)
		return;
	pt->space = NULL;
	pt_account_move(op->memory, pt, &space->account, NULL);
}

void pt_op_drop_share(struct pt_op *op, struct pt_space *space, struct ptdesc *pt)
{
	/*
	 * The table stays frozen to its end, also for the last who shares it: a reader of the
	 * space that leaves may still be inside and must not see the other's changes.
	 */
	if (pt->pt_share_count-- == 1) {
		PT_STORE(&pt->dead, 1, RELAXED);
		pt_table_unlock(op->memory, pt);
		pt_op_unlinked(op, pt);
		return;
	}
	pt_op_disown(op, space, pt);
	pt_table_unlock(op->memory, pt);
}
