/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tool/trace/trace_codec.h"

/* Fewest bytes of a VMA and of a run: each of their numbers has one at least. */
#define VMA_LEAST 5u
#define RUN_LEAST 3u

static int64_t unzigzag(uint64_t number)
{
	return (int64_t)(number >> 1 ^ (number & 1 ? UINT64_MAX : 0));
}

uint64_t trace_get(struct trace_in *in)
{
	uint64_t number = 0;

	for (unsigned shift = 0; in->at < in->end && shift < 64; shift += 7) {
		uint8_t byte = *in->at++;

		if (shift == 63 && byte > 1)
			break;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	in->bad = true;
	return 0;
}

int64_t trace_get_signed(struct trace_in *in)
{
	return unzigzag(trace_get(in));
}

static uint64_t get_change(struct trace_in *in, uint64_t from)
{
	return from + (uint64_t)unzigzag(trace_get(in));
}

static uint32_t get_small(struct trace_in *in)
{
	uint64_t number = trace_get(in);

	if (number > UINT32_MAX)
		in->bad = true;
	return (uint32_t)number;
}

/* A page's first byte; bad if the page lies beyond 64 bits. */
static uint64_t get_page(struct trace_in *in, const struct trace_coder *coder, uint64_t page)
{
	if (page > UINT64_MAX >> coder->page_shift)
		in->bad = true;
	return page << coder->page_shift;
}

/* So many pages from a place. If it wraps the range is out of order, and trace_spaces_take sees it.
 */
static uint64_t get_distance(struct trace_in *in, const struct trace_coder *coder, uint64_t from)
{
	return from + get_page(in, coder, trace_get(in));
}

/* Returns whether TRACE_TAG_MORE is set. */
static bool get_head(struct trace_coder *coder, struct trace_in *in, struct trace_event *event)
{
	unsigned tag = *in->at++;
	unsigned kind = TRACE_BIT(tag & TRACE_TAG_KIND);

	event->kind = (enum trace_kind)(tag & TRACE_TAG_KIND);
	if (!(tag & TRACE_TAG_SAME_SPACE))
		coder->space = get_small(in);
	if (!(tag & TRACE_TAG_SAME_TASK))
		coder->task = (uint32_t)get_change(in, coder->task);
	if (kind & TRACE_WITH_SPACE)
		event->space = coder->space;
	if (kind & TRACE_WITH_TASK)
		event->task = coder->task;
	if (kind & TRACE_WITH_TIME)
		event->time = coder->time = get_change(in, coder->time);
	if (tag & TRACE_TAG_NONE || event->kind >= TRACE_KINDS ||
	    (tag & TRACE_TAG_MORE && !(kind & TRACE_WITH_MORE)))
		in->bad = true;
	return tag & TRACE_TAG_MORE;
}

static void get_name(struct trace_in *in, char name[TRACE_NAME])
{
	uint64_t size = trace_get(in);

	if (size >= TRACE_NAME || size > (size_t)(in->end - in->at)) {
		in->bad = true;
		return;
	}
	memset(name, 0, TRACE_NAME);
	memcpy(name, in->at, size);
	in->at += size;
	if (strlen(name) != size)
		in->bad = true;
}

static uint64_t get_va(struct trace_coder *coder, struct trace_in *in,
    const struct trace_event *event)
{
	uint64_t *last = trace_coder_page(coder, event->space);

	*last = get_change(in, *last);
	return get_page(in, coder, *last);
}

static void get_fault(struct trace_coder *coder, struct trace_in *in, struct trace_event *event,
    bool more)
{
	uint64_t offset;

	event->va = get_va(coder, in, event);
	if (!more)
		return;
	offset = trace_get(in);
	if (offset >> coder->page_shift)
		in->bad = true;
	event->va += offset;
}

static void get_call(struct trace_in *in, struct trace_event *event)
{
	event->call.nr = get_small(in);
	for (unsigned i = 0; i < 6; i++)
		event->call.args[i] = (uint64_t)trace_get_signed(in);
	event->call.result = trace_get_signed(in);
}

/* A number of things that have least bytes each: no more than the bytes that are left can hold. */
static size_t get_count(struct trace_in *in, unsigned least)
{
	uint64_t count = trace_get(in);

	if (count > (size_t)(in->end - in->at) / least) {
		in->bad = true;
		return 0;
	}
	return (size_t)count;
}

/* Makes *array hold count elements; what it held is of no use any more. */
static bool make_room(void **array, size_t *room, size_t count, size_t size)
{
	if (count <= *room)
		return true;
	free(*array);
	*array = calloc(count, size);
	*room = *array ? count : 0;
	return *array;
}

static void get_vma(const struct trace_coder *coder, struct trace_in *in, uint64_t from,
    struct trace_vma *vma)
{
	vma->start = get_distance(in, coder, from);
	vma->end = get_distance(in, coder, vma->start);
	vma->inode = trace_get(in);
	vma->flags = get_small(in);
	get_name(in, vma->name);
}

static bool get_vmas(struct trace_coder *coder, struct trace_in *in, struct trace_event *event)
{
	uint64_t from = 0;

	event->vmas.keep_first = trace_get(in);
	event->vmas.keep_last = trace_get(in);
	event->vmas.count = get_count(in, VMA_LEAST);
	if (!make_room((void **)&coder->vmas, &coder->vma_room, event->vmas.count,
		sizeof(*coder->vmas)))
		return false;
	event->vmas.vmas = coder->vmas;
	for (size_t i = 0; i < event->vmas.count && !in->bad; i++) {
		get_vma(coder, in, from, &coder->vmas[i]);
		from = coder->vmas[i].end;
	}
	return true;
}

static bool get_scan(struct trace_coder *coder, struct trace_in *in, struct trace_event *event)
{
	uint64_t from;

	event->scan.why = (enum trace_why)get_small(in);
	from = event->scan.start = get_va(coder, in, event);
	event->scan.end = get_distance(in, coder, from);
	event->scan.count = get_count(in, RUN_LEAST);
	if (!make_room((void **)&coder->runs, &coder->run_room, event->scan.count,
		sizeof(*coder->runs)))
		return false;
	event->scan.runs = coder->runs;
	for (size_t i = 0; i < event->scan.count && !in->bad; i++) {
		struct trace_run *run = &coder->runs[i];

		run->start = get_distance(in, coder, from);
		from = run->end = get_distance(in, coder, run->start);
		run->flags = get_small(in);
	}
	return true;
}

/* False: no memory. */
static bool get_rest(struct trace_coder *coder, struct trace_in *in, struct trace_event *event,
    bool more)
{
	switch (event->kind) {
	case TRACE_EXEC:
		get_name(in, event->name);
		break;
	case TRACE_FORK:
		event->parent = get_small(in);
		break;
	case TRACE_VMAS:
		return get_vmas(coder, in, event);
	case TRACE_CALL:
		get_call(in, event);
		break;
	case TRACE_FAULT:
	case TRACE_BUS:
		get_fault(coder, in, event, more);
		break;
	case TRACE_SCAN:
		return get_scan(coder, in, event);
	case TRACE_CHECK:
		event->check.moved = more;
		event->check.why = (enum trace_why)get_small(in);
		event->check.vmpte = trace_get(in);
		break;
	case TRACE_KERNEL:
		event->change = trace_get_signed(in);
		break;
	case TRACE_LOST:
		event->lost = trace_get(in);
		break;
	default:
		break;
	}
	return true;
}

const char *trace_decode(struct trace_coder *coder, struct trace_in *in, struct trace_event *event)
{
	bool more;

	*event = (struct trace_event){0};
	more = get_head(coder, in, event);
	if (!in->bad && !get_rest(coder, in, event, more))
		return "out of memory";
	return in->bad ? "a record ends too early, or holds what no record can" : NULL;
}
