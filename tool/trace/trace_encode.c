/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tool/trace/trace_codec.h"

/* Most bytes of a number, of a VMA, of a run, and of all other fields of an event. */
#define NUMBER_BYTES ((size_t)10)
#define VMA_BYTES    (5 * NUMBER_BYTES + TRACE_NAME)
#define RUN_BYTES    (3 * NUMBER_BYTES)
#define EVENT_BYTES  (12 * NUMBER_BYTES + TRACE_NAME)

bool trace_out_room(struct trace_out *out, size_t more)
{
	size_t room = out->room ? out->room : 4096;
	uint8_t *data;

	if (more <= out->room - out->size)
		return true;
	while (room - out->size < more)
		room *= 2;
	data = realloc(out->data, room);
	if (!data)
		return false;
	out->data = data;
	out->room = room;
	return true;
}

static uint64_t zigzag(int64_t number)
{
	return (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0);
}

void trace_put(struct trace_out *out, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		out->data[out->size++] = (uint8_t)(number | 0x80);
	out->data[out->size++] = (uint8_t)number;
}

void trace_put_signed(struct trace_out *out, int64_t number)
{
	trace_put(out, zigzag(number));
}

void trace_put_bytes(struct trace_out *out, const void *bytes, size_t size)
{
	memcpy(&out->data[out->size], bytes, size);
	out->size += size;
}

/* A difference; it may wrap. */
static void put_change(struct trace_out *out, uint64_t from, uint64_t to)
{
	trace_put(out, zigzag((int64_t)(to - from)));
}

static void put_head(struct trace_coder *coder, struct trace_out *out,
    const struct trace_event *event, bool more)
{
	unsigned kind = TRACE_BIT(event->kind);
	bool space = kind & TRACE_WITH_SPACE && event->space != coder->space;
	bool task = kind & TRACE_WITH_TASK && event->task != coder->task;

	out->data[out->size++] =
	    (uint8_t)(event->kind | (space ? 0 : TRACE_TAG_SAME_SPACE) |
		      (task ? 0 : TRACE_TAG_SAME_TASK) | (more ? TRACE_TAG_MORE : 0));
	if (space)
		trace_put(out, coder->space = event->space);
	if (task) {
		put_change(out, coder->task, event->task);
		coder->task = event->task;
	}
	if (kind & TRACE_WITH_TIME) {
		put_change(out, coder->time, event->time);
		coder->time = event->time;
	}
}

static void put_name(struct trace_out *out, const char *name)
{
	size_t size = strlen(name);

	trace_put(out, size);
	trace_put_bytes(out, name, size);
}

static void put_page(struct trace_coder *coder, struct trace_out *out,
    const struct trace_event *event, uint64_t va)
{
	uint64_t *last = trace_coder_page(coder, event->space);
	uint64_t page = va >> coder->page_shift;

	put_change(out, *last, page);
	*last = page;
}

static void put_call(struct trace_out *out, const struct trace_event *event)
{
	trace_put(out, event->call.nr);
	for (unsigned i = 0; i < 6; i++)
		trace_put_signed(out, (int64_t)event->call.args[i]);
	trace_put_signed(out, event->call.result);
}

static void put_vmas(const struct trace_coder *coder, struct trace_out *out,
    const struct trace_event *event)
{
	uint64_t from = 0;

	trace_put(out, event->vmas.keep_first);
	trace_put(out, event->vmas.keep_last);
	trace_put(out, event->vmas.count);
	for (size_t i = 0; i < event->vmas.count; i++) {
		const struct trace_vma *vma = &event->vmas.vmas[i];

		trace_put(out, (vma->start - from) >> coder->page_shift);
		trace_put(out, (vma->end - vma->start) >> coder->page_shift);
		trace_put(out, vma->inode);
		trace_put(out, vma->flags);
		put_name(out, vma->name);
		from = vma->end;
	}
}

static void put_scan(struct trace_coder *coder, struct trace_out *out,
    const struct trace_event *event)
{
	uint64_t from = event->scan.start;

	trace_put(out, event->scan.why);
	put_page(coder, out, event, from);
	trace_put(out, (event->scan.end - from) >> coder->page_shift);
	trace_put(out, event->scan.count);
	for (size_t i = 0; i < event->scan.count; i++) {
		const struct trace_run *run = &event->scan.runs[i];

		trace_put(out, (run->start - from) >> coder->page_shift);
		trace_put(out, (run->end - run->start) >> coder->page_shift);
		trace_put(out, run->flags);
		from = run->end;
	}
}

static void put_fault(struct trace_coder *coder, struct trace_out *out,
    const struct trace_event *event)
{
	uint64_t offset = event->va & ((UINT64_C(1) << coder->page_shift) - 1);

	put_head(coder, out, event, offset);
	put_page(coder, out, event, event->va);
	if (offset)
		trace_put(out, offset);
}

static void put_check(struct trace_coder *coder, struct trace_out *out,
    const struct trace_event *event)
{
	put_head(coder, out, event, event->check.moved);
	trace_put(out, event->check.why);
	trace_put(out, event->check.vmpte);
}

static size_t most_bytes(const struct trace_event *event)
{
	if (event->kind == TRACE_VMAS)
		return EVENT_BYTES + event->vmas.count * VMA_BYTES;
	if (event->kind == TRACE_SCAN)
		return EVENT_BYTES + event->scan.count * RUN_BYTES;
	return EVENT_BYTES;
}

static void put_rest(struct trace_coder *coder, struct trace_out *out,
    const struct trace_event *event)
{
	switch (event->kind) {
	case TRACE_EXEC:
		put_name(out, event->name);
		break;
	case TRACE_FORK:
		trace_put(out, event->parent);
		break;
	case TRACE_VMAS:
		put_vmas(coder, out, event);
		break;
	case TRACE_CALL:
		put_call(out, event);
		break;
	case TRACE_SCAN:
		put_scan(coder, out, event);
		break;
	case TRACE_KERNEL:
		trace_put_signed(out, event->change);
		break;
	case TRACE_LOST:
		trace_put(out, event->lost);
		break;
	default:
		break;
	}
}

bool trace_encode(struct trace_coder *coder, struct trace_out *out, const struct trace_event *event)
{
	if (!trace_out_room(out, most_bytes(event)))
		return false;
	if (event->kind == TRACE_FAULT || event->kind == TRACE_BUS) {
		put_fault(coder, out, event);
	} else if (event->kind == TRACE_CHECK) {
		put_check(coder, out, event);
	} else {
		put_head(coder, out, event, false);
		put_rest(coder, out, event);
	}
	return true;
}
