/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/trace/trace_codec.h"

#include <stdlib.h>
#include <string.h>

/* First byte of a record: the kind, and what is not said because it is as in the record before. */
#define TAG_KIND       0x0fu
#define TAG_SAME_SPACE 0x10u
#define TAG_SAME_TASK  0x20u
#define TAG_MORE       0x40u /* FAULT, BUS: an offset in the page follows; CHECK: it moved */
#define TAG_NONE       0x80u

/* Most bytes of a number, of a VMA, of a run, and of all other fields of an event. */
#define NUMBER_BYTES 10u
#define VMA_BYTES    (5 * NUMBER_BYTES + TRACE_NAME)
#define RUN_BYTES    (3 * NUMBER_BYTES)
#define EVENT_BYTES  (12 * NUMBER_BYTES + TRACE_NAME)

/* Fewest bytes of a VMA and of a run: each of their numbers has one at least. */
#define VMA_LEAST 5u
#define RUN_LEAST 3u

#define BIT(kind) (1u << (kind))
#define WITH_TASK                                                                                  \
	(BIT(TRACE_EXEC) | BIT(TRACE_FORK) | BIT(TRACE_TASK) | BIT(TRACE_CALL) |                   \
	    BIT(TRACE_FAULT) | BIT(TRACE_BUS) | BIT(TRACE_CHECK))
#define WITH_TIME  (BIT(TRACE_EXEC) | BIT(TRACE_FORK) | BIT(TRACE_CALL) | BIT(TRACE_CHECK))
#define WITH_MORE  (BIT(TRACE_FAULT) | BIT(TRACE_BUS) | BIT(TRACE_CHECK))
#define WITH_SPACE (BIT(TRACE_KINDS) - 1 - BIT(TRACE_LOST))

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

static int64_t unzigzag(uint64_t number)
{
	return (int64_t)(number >> 1 ^ (number & 1 ? UINT64_MAX : 0));
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

/* So many pages from a place. */
static uint64_t get_distance(struct trace_in *in, const struct trace_coder *coder, uint64_t from)
{
	uint64_t distance = get_page(in, coder, trace_get(in));

	if (distance > UINT64_MAX - from)
		in->bad = true;
	return from + distance;
}

void trace_coder_block(struct trace_coder *coder)
{
	coder->block++;
	coder->space = 0;
	coder->task = 0;
	coder->time = 0;
}

void trace_coder_free(struct trace_coder *coder)
{
	free(coder->vmas);
	free(coder->runs);
}

/* The page that the next one of this space is told from. */
static uint64_t *last_page(struct trace_coder *coder, uint32_t number)
{
	struct trace_space *space = trace_spaces_find(coder->spaces, number);

	if (!space)
		return &coder->page;
	if (space->block != coder->block) {
		space->block = coder->block;
		space->page = 0;
	}
	return &space->page;
}

/* --- writing --- */

static void put_head(struct trace_coder *coder, struct trace_out *out,
    const struct trace_event *event, bool more)
{
	unsigned kind = BIT(event->kind);
	bool space = kind & WITH_SPACE && event->space != coder->space;
	bool task = kind & WITH_TASK && event->task != coder->task;

	out->data[out->size++] = (uint8_t)(event->kind | (space ? 0 : TAG_SAME_SPACE) |
					   (task ? 0 : TAG_SAME_TASK) | (more ? TAG_MORE : 0));
	if (space)
		trace_put(out, coder->space = event->space);
	if (task) {
		put_change(out, coder->task, event->task);
		coder->task = event->task;
	}
	if (kind & WITH_TIME) {
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
	uint64_t *last = last_page(coder, event->space);
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

/* --- reading --- */

/* Returns whether TAG_MORE is set. */
static bool get_head(struct trace_coder *coder, struct trace_in *in, struct trace_event *event)
{
	unsigned tag = *in->at++;
	unsigned kind = BIT(tag & TAG_KIND);

	event->kind = (enum trace_kind)(tag & TAG_KIND);
	if (!(tag & TAG_SAME_SPACE))
		coder->space = get_small(in);
	if (!(tag & TAG_SAME_TASK))
		coder->task = (uint32_t)get_change(in, coder->task);
	if (kind & WITH_SPACE)
		event->space = coder->space;
	if (kind & WITH_TASK)
		event->task = coder->task;
	if (kind & WITH_TIME)
		event->time = coder->time = get_change(in, coder->time);
	if (tag & TAG_NONE || event->kind >= TRACE_KINDS || (tag & TAG_MORE && !(kind & WITH_MORE)))
		in->bad = true;
	return tag & TAG_MORE;
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
	uint64_t *last = last_page(coder, event->space);

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
