/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ptdesc formats: what this build knows, and how each is judged. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>

#include "tool/json.h"
#include "tool/options.h"
#include "tool/tool.h"
#include "tool/words.h"

#define SCHEMA "ptdesc.formats/1"

static const char examples[] = "\nExamples:\n"
			       "  ptdesc formats\n"
			       "  ptdesc formats --json | jq -r .name\n";

/* 4K, 2M, 1G; whole units only. */
static void print_size(uint64_t bytes)
{
	static const char units[] = "\0KMGTPE";
	unsigned unit = 0;

	while (bytes >= 1024 && bytes % 1024 == 0 && units[unit + 1]) {
		bytes /= 1024;
		unit++;
	}
	printf(" %" PRIu64 "%.1s", bytes, &units[unit]);
}

static void print_text(const struct pt_format *format)
{
	printf("%s\n", format->name);
	printf("  what    %s\n", format->what);
	printf("  widths  virtual %u bits, physical %u bits, entry %u bytes\n", format->va_bits,
	    format->pa_bits, format->entry_bytes);
	printf("  levels  %u, entries from level 0 up:", format->levels);
	for (unsigned level = 0; level < format->levels; level++)
		printf(" %" PRIu64, UINT64_C(1) << format->bits[level]);
	printf("\n  leaves ");
	for (unsigned level = 0; level < format->levels; level++) {
		if (format->leaves & 1u << level)
			print_size(UINT64_C(1) << pt_format_shift(format, level));
	}
	printf("\n  says   ");
	for (unsigned bit = 0; word_attr(bit); bit++) {
		if (format->attrs & 1u << bit)
			printf(" %s", word_attr(bit));
	}
	for (unsigned type = 0; word_type(type); type++) {
		if (format->types & 1u << type)
			printf(" %s", word_type(type));
	}
	if (format->keys)
		printf(" %u keys", format->keys);
	printf("\n  judged  %s: by %s\n", word_judge(format->judge),
	    word_judge_long(format->judge));
	printf("  manual  %s\n", format->manual);
}

static json_t *names(uint32_t bits, const char *(*word)(unsigned))
{
	json_t *array = json_array();

	for (unsigned bit = 0; word(bit); bit++) {
		if (bits & 1u << bit)
			json_array_append_new(array, json_string(word(bit)));
	}
	return array;
}

static void print_json(const struct pt_format *format)
{
	json_t *record = json_record(SCHEMA, NULL);
	json_t *entries = json_array();
	json_t *leaves = json_array();

	for (unsigned level = 0; level < format->levels; level++) {
		json_array_append_new(entries, json_integer(1 << format->bits[level]));
		if (format->leaves & 1u << level)
			json_array_append_new(leaves,
			    json_integer((json_int_t)1 << pt_format_shift(format, level)));
	}
	json_put_text(record, "name", format->name);
	json_put_text(record, "what", format->what);
	json_put_number(record, "page_bytes", UINT64_C(1) << format->page_shift);
	json_put_number(record, "va_bits", format->va_bits);
	json_put_number(record, "pa_bits", format->pa_bits);
	json_put_number(record, "entry_bytes", format->entry_bytes);
	json_put_number(record, "levels", format->levels);
	json_put(record, "entries", entries);
	json_put(record, "leaves", leaves);
	json_put(record, "says", names(format->attrs, word_attr));
	json_put(record, "types", names(format->types, word_type));
	json_put_number(record, "keys", format->keys);
	json_put_bool(record, "machine", !(format->flags & PT_FORMAT_FAKE));
	json_put_text(record, "judged", word_judge(format->judge));
	json_put_text(record, "manual", format->manual);
	json_emit(record);
}

int command_formats(int argc, const char **argv)
{
	int json = 0;
	const struct poptOption table[] = {
		{"json", 'j', POPT_ARG_NONE, &json, 0, "one JSON object for each format", NULL},
		POPT_TABLEEND,
	};
	const struct tool_options options = {.command = "formats",
		.arguments = "",
		.examples = examples,
		.table = table};
	poptContext context;
	int status = options_parse(&options, argc, argv, &context);

	if (status == OPTIONS_GO_ON) {
		status = TOOL_OK;
		if (options_count(poptGetArgs(context))) {
			tool_error("formats takes no arguments: try ptdesc formats --help");
			status = TOOL_USAGE;
		}
		for (size_t i = 0; status == TOOL_OK && pt_formats[i]; i++)
			json ? print_json(pt_formats[i]) : print_text(pt_formats[i]);
	}
	poptFreeContext(context);
	return status;
}
