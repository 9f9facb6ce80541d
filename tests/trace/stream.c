/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/trace/stream.h"

#include <string.h>

uint64_t stream_random(uint64_t *random)
{
	uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t stream_below(uint64_t *random, uint64_t bound)
{
	return stream_random(random) % bound;
}

static uint64_t below(struct stream *stream, uint64_t bound)
{
	return stream_below(&stream->random, bound);
}

/* Small, any, or at an end of some width. */
static uint64_t any_number(struct stream *stream)
{
	static const uint64_t ends[] = {0, 1, INT32_MAX, UINT32_MAX, INT64_MAX, (uint64_t)INT64_MIN,
		UINT64_MAX - 1, UINT64_MAX};

	unsigned shift = (unsigned)below(stream, 64);

	switch (below(stream, 3)) {
	case 0:
		return below(stream, 200);
	case 1:
		return ends[below(stream, sizeof(ends) / sizeof(ends[0]))];
	default:
		return stream_random(&stream->random) >> shift;
	}
}

void stream_start(struct stream *stream, uint64_t seed, unsigned page_shift)
{
	*stream = (struct stream){.random = seed, .page_shift = page_shift};
}

static void any_name(struct stream *stream, char name[TRACE_NAME])
{
	size_t size = below(stream, TRACE_NAME);

	memset(name, 0, TRACE_NAME);
	for (size_t i = 0; i < size; i++)
		name[i] = (char)(1 + below(stream, 255));
}

/* Takes some pages between *from and to, and moves *from behind them; false: there is no room. */
static bool any_range(struct stream *stream, uint64_t *from, uint64_t to, uint64_t *start,
    uint64_t *end)
{
	uint64_t room = to - *from;
	uint64_t gap = below(stream, 2) ? 0 : below(stream, 1 + room / 8);
	uint64_t size = 1 + below(stream, below(stream, 2) ? 4 : 1 + room / 8);

	if (gap + size > room)
		return false;
	*start = (*from + gap) << stream->page_shift;
	*from += gap + size;
	*end = *from << stream->page_shift;
	return true;
}

static struct stream_space *any_space(struct stream *stream)
{
	return &stream->spaces[below(stream, stream->live)];
}

/* Numbers in no order, each once: multiplication by an odd number is one to one. */
static struct stream_space *new_space(struct stream *stream, struct trace_event *event)
{
	struct stream_space *space = &stream->spaces[stream->live++];

	*space = (struct stream_space){
		.number = (stream->made++ * UINT32_C(0x9e3779b1) - 1) % STREAM_NUMBERS};
	event->space = space->number;
	return space;
}

static void make_exec(struct stream *stream, struct trace_event *event)
{
	event->kind = TRACE_EXEC;
	any_name(stream, event->name);
	new_space(stream, event);
}

static void make_fork(struct stream *stream, struct trace_event *event)
{
	const struct stream_space *parent = any_space(stream);
	struct stream_space *child = new_space(stream, event);

	event->parent = parent->number;
	child->count = parent->count;
	memcpy(child->list, parent->list, sizeof(child->list));
}

static void make_gone(struct stream *stream, struct trace_event *event)
{
	struct stream_space *space = any_space(stream);

	event->space = space->number;
	*space = stream->spaces[--stream->live];
}

static void make_vma(struct stream *stream, struct trace_vma *vma)
{
	vma->inode = any_number(stream);
	vma->flags = (uint32_t)below(stream, TRACE_VMA_SYSV << 1);
	any_name(stream, vma->name);
}

static void make_vmas(struct stream *stream, struct trace_event *event)
{
	struct stream_space *space = any_space(stream);
	size_t first = below(stream, space->count + 1);
	size_t last = below(stream, space->count - first + 1);
	size_t most = below(stream, STREAM_LIST - first - last + 1);
	const struct trace_vma *kept = &space->list[space->count - last];
	uint64_t from = first ? space->list[first - 1].end >> stream->page_shift : 0;
	uint64_t to = (last ? kept->start : UINT64_MAX) >> stream->page_shift;
	size_t n = 0;

	while (
	    n < most && any_range(stream, &from, to, &stream->vmas[n].start, &stream->vmas[n].end))
		make_vma(stream, &stream->vmas[n++]);
	event->space = space->number;
	event->vmas.keep_first = first;
	event->vmas.keep_last = last;
	event->vmas.vmas = stream->vmas;
	event->vmas.count = n;
	memmove(&space->list[first + n], kept, last * sizeof(*kept));
	memcpy(&space->list[first], stream->vmas, n * sizeof(*kept));
	space->count = first + n + last;
}

static void make_scan(struct stream *stream, struct trace_event *event)
{
	uint64_t from = stream_random(&stream->random) >> stream->page_shift;
	uint64_t to = from + 1 + below(stream, 4096);
	uint64_t most = UINT64_MAX >> stream->page_shift;
	size_t n = 0;
	size_t wanted = below(stream, STREAM_LIST + 1);

	if (to > most) {
		from = most - 1;
		to = most;
	}
	event->scan.why = (enum trace_why)below(stream, TRACE_WHYS);
	event->scan.start = from << stream->page_shift;
	event->scan.end = to << stream->page_shift;
	while (n < wanted &&
	       any_range(stream, &from, to, &stream->runs[n].start, &stream->runs[n].end))
		stream->runs[n++].flags = (uint32_t)below(stream, TRACE_PAGE_HUGE << 1);
	event->scan.runs = stream->runs;
	event->scan.count = n;
}

static void make_call(struct stream *stream, struct trace_event *event)
{
	event->time = any_number(stream);
	event->call.nr = (uint32_t)any_number(stream);
	for (unsigned i = 0; i < 6; i++)
		event->call.args[i] = any_number(stream);
	event->call.result = (int64_t)any_number(stream);
}

static void make_fault(struct stream *stream, struct trace_event *event)
{
	event->va = any_number(stream);
	if (below(stream, 2))
		event->va = event->va >> stream->page_shift << stream->page_shift;
}

static void make_check(struct stream *stream, struct trace_event *event)
{
	event->time = any_number(stream);
	event->check.why = (enum trace_why)below(stream, TRACE_WHYS);
	event->check.vmpte = any_number(stream);
	event->check.moved = below(stream, 2);
}

/* Events that change neither the spaces nor their lists. */
static void make_other(struct stream *stream, struct trace_event *event)
{
	event->space = any_space(stream)->number;
	event->task = (uint32_t)any_number(stream);
	switch (event->kind) {
	case TRACE_CALL:
		make_call(stream, event);
		break;
	case TRACE_FAULT:
	case TRACE_BUS:
		make_fault(stream, event);
		break;
	case TRACE_SCAN:
		make_scan(stream, event);
		event->task = 0;
		break;
	case TRACE_CHECK:
		make_check(stream, event);
		break;
	case TRACE_KERNEL:
		event->change = (int64_t)any_number(stream);
		event->task = 0;
		break;
	case TRACE_LOST:
		event->lost = any_number(stream);
		event->space = event->task = 0;
		break;
	default:
		break;
	}
}

/* A kind that can be: something must live, and not too much. */
static enum trace_kind any_kind(struct stream *stream)
{
	enum trace_kind kind = (enum trace_kind)below(stream, TRACE_KINDS);
	bool makes = kind == TRACE_EXEC || kind == TRACE_FORK;

	if (!stream->live)
		return TRACE_EXEC;
	if (makes && stream->live == STREAM_SPACES)
		return TRACE_GONE;
	return kind;
}

struct trace_event stream_next(struct stream *stream)
{
	struct trace_event event = {.kind = any_kind(stream)};

	switch (event.kind) {
	case TRACE_EXEC:
		make_exec(stream, &event);
		break;
	case TRACE_FORK:
		make_fork(stream, &event);
		break;
	case TRACE_GONE:
		make_gone(stream, &event);
		break;
	case TRACE_VMAS:
		make_vmas(stream, &event);
		break;
	default:
		make_other(stream, &event);
		break;
	}
	if (event.kind == TRACE_EXEC || event.kind == TRACE_FORK) {
		event.task = (uint32_t)any_number(stream);
		event.time = any_number(stream);
	}
	return event;
}

/* --- comparing and judging --- */

static bool same_vmas(const struct trace_event *a, const struct trace_event *b)
{
	if (a->vmas.count != b->vmas.count || a->vmas.keep_first != b->vmas.keep_first ||
	    a->vmas.keep_last != b->vmas.keep_last)
		return false;
	for (size_t i = 0; i < a->vmas.count; i++) {
		const struct trace_vma *x = &a->vmas.vmas[i];
		const struct trace_vma *y = &b->vmas.vmas[i];

		if (x->start != y->start || x->end != y->end || x->inode != y->inode ||
		    x->flags != y->flags || strcmp(x->name, y->name) != 0)
			return false;
	}
	return true;
}

static bool same_scan(const struct trace_event *a, const struct trace_event *b)
{
	if (a->scan.why != b->scan.why || a->scan.start != b->scan.start ||
	    a->scan.end != b->scan.end || a->scan.count != b->scan.count)
		return false;
	for (size_t i = 0; i < a->scan.count; i++) {
		const struct trace_run *x = &a->scan.runs[i];
		const struct trace_run *y = &b->scan.runs[i];

		if (x->start != y->start || x->end != y->end || x->flags != y->flags)
			return false;
	}
	return true;
}

static bool same_rest(const struct trace_event *a, const struct trace_event *b)
{
	switch (a->kind) {
	case TRACE_EXEC:
		return !strcmp(a->name, b->name);
	case TRACE_FORK:
		return a->parent == b->parent;
	case TRACE_VMAS:
		return same_vmas(a, b);
	case TRACE_CALL:
		return a->call.nr == b->call.nr && a->call.result == b->call.result &&
		       !memcmp(a->call.args, b->call.args, sizeof(a->call.args));
	case TRACE_FAULT:
	case TRACE_BUS:
		return a->va == b->va;
	case TRACE_SCAN:
		return same_scan(a, b);
	case TRACE_CHECK:
		return a->check.why == b->check.why && a->check.vmpte == b->check.vmpte &&
		       a->check.moved == b->check.moved;
	case TRACE_KERNEL:
		return a->change == b->change;
	case TRACE_LOST:
		return a->lost == b->lost;
	default:
		return true;
	}
}

const char *stream_compare(const struct trace_event *a, const struct trace_event *b)
{
	if (a->kind != b->kind)
		return "the kind differs";
	if (a->space != b->space || a->task != b->task || a->time != b->time)
		return "space, task or time differ";
	return same_rest(a, b) ? NULL : "what only this kind has differs";
}

/* Whole pages, not empty, from *from on, which moves to its end. */
static bool good_range(uint64_t *from, uint64_t start, uint64_t end, unsigned page_shift)
{
	bool good =
	    start >= *from && start < end && !((start | end) & ((UINT64_C(1) << page_shift) - 1));

	*from = end;
	return good;
}

static const char *judge_vmas(const struct trace_event *event, unsigned page_shift)
{
	uint64_t from = 0;

	for (size_t i = 0; i < event->vmas.count; i++) {
		const struct trace_vma *vma = &event->vmas.vmas[i];

		if (!good_range(&from, vma->start, vma->end, page_shift))
			return "a mapping is out of order";
		if (vma->flags >= TRACE_VMA_SYSV << 1)
			return "a mapping has unknown flags";
		if (!memchr(vma->name, 0, sizeof(vma->name)))
			return "a name without end";
	}
	return NULL;
}

static const char *judge_scan(const struct trace_event *event, unsigned page_shift)
{
	uint64_t from = event->scan.start;

	if ((unsigned)event->scan.why >= TRACE_WHYS)
		return "an unknown reason";
	for (size_t i = 0; i < event->scan.count; i++) {
		const struct trace_run *run = &event->scan.runs[i];

		if (!good_range(&from, run->start, run->end, page_shift))
			return "a run is out of order";
		if (run->flags >= TRACE_PAGE_HUGE << 1)
			return "a run has unknown flags";
	}
	return from <= event->scan.end ? NULL : "a run ends behind its scan";
}

const char *stream_judge(const struct trace_event *event, unsigned page_shift)
{
	switch (event->kind) {
	case TRACE_EXEC:
		return memchr(event->name, 0, sizeof(event->name)) ? NULL : "a name without end";
	case TRACE_VMAS:
		return judge_vmas(event, page_shift);
	case TRACE_SCAN:
		return judge_scan(event, page_shift);
	case TRACE_CHECK:
		return (unsigned)event->check.why < TRACE_WHYS ? NULL : "an unknown reason";
	default:
		return (unsigned)event->kind < TRACE_KINDS ? NULL : "an unknown kind";
	}
}
