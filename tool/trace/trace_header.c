/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The header: keys and values, each text that ends with a zero byte. A reader passes over keys
 * that it does not know, so that new ones need no new version.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/trace/trace_block.h"

/* All keys and all numbers together, ends included; the texts come on top. */
#define OTHER_BYTES 256u

static void put_text(struct trace_out *out, const char *key, const char *text, size_t most)
{
	static const char end = 0;

	trace_put_bytes(out, key, strlen(key) + 1);
	trace_put_bytes(out, text, strnlen(text, most));
	trace_put_bytes(out, &end, 1);
}

static void put_number(struct trace_out *out, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	put_text(out, key, text, sizeof(text));
}

bool trace_header_encode(struct trace_out *out, const struct trace_header *header)
{
	if (!trace_out_room(out, sizeof(*header) + OTHER_BYTES))
		return false;
	put_text(out, "kernel", header->kernel, sizeof(header->kernel) - 1);
	put_text(out, "command", header->command, sizeof(header->command) - 1);
	put_text(out, "thp", header->thp, sizeof(header->thp) - 1);
	put_number(out, "page_shift", header->page_shift);
	put_number(out, "levels", header->levels);
	put_number(out, "reclaim", header->reclaim);
	put_number(out, "faults", header->faults);
	put_number(out, "scan", header->scan);
	put_number(out, "start", header->start);
	return true;
}

/* The text that begins at *at; NULL: its end is not here. */
static const char *next_text(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *text = *at;
	const uint8_t *zero = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;

	if (!zero)
		return NULL;
	*at = zero + 1;
	return (const char *)text;
}

/* The value of a key; NULL and bad: there is none. */
static const char *find(struct trace_in *in, const char *key)
{
	const uint8_t *at = in->at;

	while (at < in->end) {
		const char *name = next_text(&at, in->end);
		const char *value = next_text(&at, in->end);

		if (!name || !value)
			break;
		if (!strcmp(name, key))
			return value;
	}
	in->bad = true;
	return NULL;
}

static void get_text(struct trace_in *in, const char *key, char *text, size_t room)
{
	const char *value = find(in, key);

	if (!value || strlen(value) >= room)
		in->bad = true;
	else
		memcpy(text, value, strlen(value) + 1);
}

static uint64_t get_number(struct trace_in *in, const char *key, uint64_t least, uint64_t most)
{
	const char *value = find(in, key);
	uint64_t number;
	char again[24];

	if (!value)
		return 0;
	number = strtoull(value, NULL, 10);
	/* As it would be written, and in no other way: signs, blanks, letters, too many digits. */
	snprintf(again, sizeof(again), "%" PRIu64, number);
	if (strcmp(value, again) != 0 || number < least || number > most)
		in->bad = true;
	return number;
}

const char *trace_header_decode(struct trace_in *in, struct trace_header *header)
{
	*header = (struct trace_header){0};
	get_text(in, "kernel", header->kernel, sizeof(header->kernel));
	get_text(in, "command", header->command, sizeof(header->command));
	get_text(in, "thp", header->thp, sizeof(header->thp));
	header->page_shift = (uint32_t)get_number(in, "page_shift", 12, 16);
	header->levels = (uint32_t)get_number(in, "levels", 4, 5);
	header->reclaim = get_number(in, "reclaim", 0, 1);
	header->faults = get_number(in, "faults", 0, 1);
	header->scan = get_number(in, "scan", 0, 1);
	header->start = get_number(in, "start", 0, UINT64_MAX);
	return in->bad ? "the header lacks something, or says what cannot be" : NULL;
}
