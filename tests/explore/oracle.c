/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tests/explore/oracle.h"

#define ORDERS   2048u /* three calls of three steps have 1680; more than these are an error */
#define STEPS    (3u * EXPLORE_FIBERS)
#define VERDICTS 32768u

/* One order of the calls' steps, or of some of them, and what came of it. */
struct order {
	unsigned count;
	uint8_t nth[STEPS];
	struct call call[EXPLORE_FIBERS];
	uint64_t picture;
};

static struct order orders[ORDERS];
static unsigned order_count;
static unsigned call_count;

/* End states that were looked at: most executions in a world end in few. */
static struct {
	uint64_t digest;
	uint64_t picture;
} verdict[VERDICTS];

void oracle_forget(void)
{
	memset(verdict, 0, sizeof(verdict));
}

/* Looks at an end state, unless it is known. */
static const char *look(uint64_t *picture)
{
	uint64_t digest = explore_digest() | 1;
	unsigned at = (unsigned)(digest >> 20) % VERDICTS;
	const char *wrong;

	for (unsigned i = 0; i < 16; i++) {
		unsigned slot = (at + i) % VERDICTS;

		if (verdict[slot].digest == digest) {
			*picture = verdict[slot].picture;
			return NULL;
		}
		if (!verdict[slot].digest) {
			at = slot;
			break;
		}
	}
	*picture = world_picture();
	wrong = world_check();
	if (!wrong)
		wrong = explore_failure();
	if (!wrong) {
		verdict[at].digest = digest;
		verdict[at].picture = *picture;
	}
	return wrong;
}

static unsigned steps_in(const struct order *order, unsigned n)
{
	unsigned steps = 0;

	for (unsigned i = 0; i < order->count; i++)
		steps += order->nth[i] == n;
	return steps;
}

/* Each call is where it is under a schedule: magazines are not the same on every CPU. */
static const char *run_order(const struct call *calls, struct order *order)
{
	const char *wrong;
	uint8_t done[EXPLORE_FIBERS] = {0};

	explore_restore();
	for (unsigned i = 0; i < order->count; i++) {
		unsigned n = order->nth[i];

		if (!done[n])
			order->call[n] = calls[n];
		explore_port_cpu(n);
		call_step(&order->call[n], done[n]++);
	}
	explore_port_cpu(EXPLORE_MAIN);
	wrong = explore_failure();
	return wrong ? wrong : look(&order->picture);
}

/* Adds every order that begins as one does. */
static const char *learn_from(const struct call *calls, const struct order *begun, bool partial)
{
	const char *wrong = NULL;
	bool all = true;

	for (unsigned n = 0; n < call_count && !wrong; n++) {
		struct order longer = *begun;

		if (steps_in(begun, n) == call_steps(&calls[n]))
			continue;
		all = false;
		longer.nth[longer.count++] = (uint8_t)n;
		wrong = learn_from(calls, &longer, partial);
	}
	if (wrong || !(all || partial))
		return wrong;
	if (order_count == ORDERS)
		return "more orders than the oracle keeps";
	orders[order_count] = *begun;
	return run_order(calls, &orders[order_count++]);
}

const char *oracle_learn(const struct call *calls, unsigned count, bool partial)
{
	struct order none;

	memset(&none, 0, sizeof(none));
	call_count = count;
	order_count = 0;
	return learn_from(calls, &none, partial);
}

/* No step comes in the order after one of a call that began when its own had ended. */
static bool in_time(const struct call *calls, const struct order *order)
{
	for (unsigned i = 0; i < order->count; i++)
		for (unsigned k = i + 1; k < order->count; k++)
			if (calls[order->nth[k]].ended < calls[order->nth[i]].began)
				return false;
	return true;
}

/* What each page of a walk says was so before the others or after them, as time allows. */
static bool pages_seen(const struct call *calls, unsigned n)
{
	for (unsigned page = 0; page < WORLD_PAGES; page++) {
		bool found = false;

		for (unsigned i = 0; i < order_count; i++)
			found |= orders[i].call[n].op && in_time(calls, &orders[i]) &&
				 orders[i].call[n].page_out[page] == calls[n].page_out[page];
		if (!found)
			return false;
	}
	return true;
}

/* Some order that time allows says as much or less, and some as much or more. */
static bool is_between(const struct call *calls, unsigned n)
{
	bool least = false;
	bool most = false;

	for (unsigned i = 0; i < order_count; i++) {
		const struct order *order = &orders[i];

		if (!order->call[n].op || !in_time(calls, order))
			continue;
		least |= order->call[n].out <= calls[n].out;
		most |= order->call[n].out >= calls[n].out;
	}
	return least && most;
}

static bool same_answer(const struct call *calls, const struct order *order, unsigned n)
{
	const struct call *call = &calls[n];

	switch (call->op->promise) {
	case PROMISE_STEPS:
	case PROMISE_POINT:
		return call->err == order->call[n].err && call->out == order->call[n].out;
	case PROMISE_PAGES:
		return call->err == order->call[n].err && pages_seen(calls, n);
	case PROMISE_BETWEEN:
		return call->err == order->call[n].err && is_between(calls, n);
	case PROMISE_NONE:
		break;
	}
	return call->err == order->call[n].err;
}

static bool explains(const struct call *calls, const struct order *order, uint64_t picture)
{
	if (order->picture != picture || !in_time(calls, order))
		return false;
	for (unsigned n = 0; n < call_count; n++) {
		bool left_out = !order->call[n].op;

		/* A call that found no memory has changed nothing. */
		if (left_out != (calls[n].err == -PT_ENOMEM))
			return false;
		if (!left_out && !same_answer(calls, order, n))
			return false;
	}
	return true;
}

uint64_t oracle_end(const struct call *calls)
{
	uint64_t end = explore_digest();

	for (unsigned n = 0; n < call_count; n++) {
		end = explore_mix(end + (uint64_t)calls[n].err);
		end = explore_mix(end + calls[n].out);
		for (unsigned page = 0; page < WORLD_PAGES; page++)
			end = explore_mix(end + calls[n].page_out[page]);
	}
	return end;
}

const char *oracle_judge(const struct call *calls)
{
	static char text[200];
	uint64_t picture = 0;
	const char *wrong = look(&picture);
	int at;

	if (wrong)
		return wrong;
	for (unsigned i = 0; i < order_count; i++)
		if (explains(calls, &orders[i], picture))
			return NULL;
	at = snprintf(text, sizeof(text), "not linearizable:");
	for (unsigned n = 0; n < call_count; n++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, " %s said %d, %#llx;",
		    calls[n].op->name, calls[n].err, (unsigned long long)calls[n].out);
	return text;
}
