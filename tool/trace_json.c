/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A trace as JSON Lines: docs/schema/trace.json. */
#include <inttypes.h>
#include <stdio.h>

#include "tool/json.h"
#include "tool/trace_show.h"

/* Versioned: a change that breaks readers gets a new number. See docs/schema/. */
#define SCHEMA "ptdesc.trace/1"

/* Integers of JSON end at 2^63; what is above is a damaged clock or the like, and inexact. */
static void put_number(json_t *record, const char *key, uint64_t number)
{
	if (number <= INT64_MAX)
		json_put_number(record, key, number);
	else
		json_put_real(record, key, (double)number);
}

void trace_json_header(const struct trace_header *header)
{
	json_t *record = json_record(SCHEMA, "header");

	json_put_text(record, "command", header->command);
	json_put_text(record, "kernel", header->kernel);
	json_put_text(record, "thp", header->thp);
	put_number(record, "start", header->start);
	json_put_number(record, "page_bytes", UINT64_C(1) << header->page_shift);
	json_put_number(record, "levels", header->levels);
	json_put_bool(record, "reclaim", header->reclaim);
	json_put_bool(record, "faults", header->faults);
	json_put_bool(record, "scan", header->scan);
	json_emit(record);
}

static void put_range(json_t *record, uint64_t start, uint64_t end)
{
	json_put_hex(record, "start", start);
	json_put_hex(record, "end", end);
}

static void put_flags(json_t *record, uint32_t flags, const char *(*name)(unsigned))
{
	json_t *array = json_array();

	for (unsigned bit = 0; name(bit); bit++) {
		if (flags & 1u << bit)
			json_array_append_new(array, json_string(name(bit)));
	}
	json_put(record, "flags", array);
}

static void put_vmas(json_t *record, const struct trace_event *event)
{
	json_t *array = json_array();

	json_put_number(record, "keep_first", event->vmas.keep_first);
	json_put_number(record, "keep_last", event->vmas.keep_last);
	for (size_t i = 0; i < event->vmas.count; i++) {
		const struct trace_vma *vma = &event->vmas.vmas[i];
		json_t *object = json_object();

		put_range(object, vma->start, vma->end);
		put_flags(object, vma->flags, trace_vma_flag_name);
		put_number(object, "inode", vma->inode);
		json_put_text(object, "name", vma->name);
		json_array_append_new(array, object);
	}
	json_put(record, "vmas", array);
}

static void put_scan(json_t *record, const struct trace_event *event)
{
	json_t *array = json_array();

	json_put_text(record, "why", trace_why_name(event->scan.why));
	put_range(record, event->scan.start, event->scan.end);
	for (size_t i = 0; i < event->scan.count; i++) {
		const struct trace_run *run = &event->scan.runs[i];
		json_t *object = json_object();

		put_range(object, run->start, run->end);
		put_flags(object, run->flags, trace_page_flag_name);
		json_array_append_new(array, object);
	}
	json_put(record, "runs", array);
}

static void put_call(json_t *record, const struct trace_event *event)
{
	json_t *array = json_array();

	put_number(record, "time", event->time);
	json_put_number(record, "nr", event->call.nr);
	json_put_text(record, "name", trace_call_name(event->call.nr));
	for (unsigned i = 0; i < 6; i++) {
		char text[20];

		snprintf(text, sizeof(text), "0x%" PRIx64, event->call.args[i]);
		json_array_append_new(array, json_string(text));
	}
	json_put(record, "args", array);
	json_put_signed(record, "result", event->call.result);
}

static void put_check(json_t *record, const struct trace_event *event)
{
	put_number(record, "time", event->time);
	json_put_text(record, "why", trace_why_name(event->check.why));
	put_number(record, "vmpte", event->check.vmpte);
	json_put_bool(record, "moved", event->check.moved);
}

/* What only this kind has. */
static void put_rest(json_t *record, const struct trace_event *event)
{
	switch (event->kind) {
	case TRACE_EXEC:
		put_number(record, "time", event->time);
		json_put_text(record, "name", event->name);
		break;
	case TRACE_FORK:
		put_number(record, "time", event->time);
		json_put_number(record, "parent", event->parent);
		break;
	case TRACE_VMAS:
		put_vmas(record, event);
		break;
	case TRACE_CALL:
		put_call(record, event);
		break;
	case TRACE_FAULT:
	case TRACE_BUS:
		json_put_hex(record, "va", event->va);
		break;
	case TRACE_SCAN:
		put_scan(record, event);
		break;
	case TRACE_CHECK:
		put_check(record, event);
		break;
	case TRACE_KERNEL:
		json_put_signed(record, "change", event->change);
		break;
	case TRACE_LOST:
		put_number(record, "lost", event->lost);
		break;
	default:
		break;
	}
}

void trace_json_event(const struct trace_event *event)
{
	json_t *record = json_record(SCHEMA, trace_kind_name(event->kind));

	if (event->kind != TRACE_LOST)
		json_put_number(record, "space", event->space);
	if (trace_kind_has_task(event->kind))
		json_put_number(record, "task", event->task);
	put_rest(record, event);
	json_emit(record);
}

void trace_json_summary(const struct trace_summary *summary)
{
	json_t *record = json_record(SCHEMA, "summary");
	json_t *kinds = json_object();

	for (unsigned kind = 0; kind < TRACE_KINDS; kind++)
		json_put_number(kinds, trace_kind_name((enum trace_kind)kind),
		    summary->kinds[kind]);
	json_put_number(record, "events", summary->events);
	json_put(record, "kinds", kinds);
	json_put_number(record, "bytes", summary->bytes);
	json_put_bool(record, "cut", summary->cut);
	if (!summary->cut)
		json_put_signed(record, "status", summary->status);
	json_emit(record);
}
