/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ptdesc decode: what one entry says. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>

#include "tool/json.h"
#include "tool/options.h"
#include "tool/tool.h"
#include "tool/words.h"

/* Versioned: a change that breaks readers gets a new number. See docs/schema/. */
#define SCHEMA "ptdesc.decode/1"

struct decode {
	const struct pt_format *format;
	uint64_t entry;
	uint64_t level;
	bool has_level;
	int json;
	struct pt_entry_info info;
};

static const char examples[] =
    "\nENTRY is the entry as a number, as a CPU of that format loads it.\n"
    "\nExamples:\n"
    "  ptdesc decode x86_64 0x8000000012345067 --level 0\n"
    "  ptdesc decode x86_64 0x40000000000000e7 --level 2 --json\n";

static int take_option(void *ctx, int val, const char *argument)
{
	struct decode *decode = ctx;

	(void)val;
	if (!argument || !options_number(argument, &decode->level)) {
		tool_error("--level takes a number, 0 for the lowest table: try ptdesc formats");
		return TOOL_USAGE;
	}
	decode->has_level = true;
	return TOOL_OK;
}

static int check_arguments(struct decode *decode, const char **arguments)
{
	const struct pt_format *format;

	if (options_count(arguments) != 2 || !decode->has_level) {
		tool_error(
		    "decode takes a format, an entry and --level N: try ptdesc decode --help");
		return TOOL_USAGE;
	}
	if (!options_number(arguments[1], &decode->entry)) {
		tool_error("%s is no 64-bit number: write it like 0x8000000012345067",
		    arguments[1]);
		return TOOL_USAGE;
	}
	format = decode->format = word_format(arguments[0]);
	if (!format)
		return TOOL_BAD_INPUT;
	if (decode->level >= format->levels) {
		tool_error("%s has levels 0 to %u", format->name, format->levels - 1u);
		return TOOL_BAD_INPUT;
	}
	if (format->entry_bytes < 8 && decode->entry >> (8 * format->entry_bytes)) {
		tool_error("entries of %s have %u bytes: %s is too large", format->name,
		    format->entry_bytes, arguments[1]);
		return TOOL_BAD_INPUT;
	}
	return TOOL_OK;
}

static void print_leaf_text(const struct pt_entry_info *info)
{
	const char *type = word_type((info->attr.flags & PT_ATTR_TYPE_MASK) >> PT_ATTR_TYPE_AT);

	printf("size      %" PRIu64 "\n", info->size);
	printf("says     ");
	for (unsigned bit = 0; word_attr(bit); bit++) {
		if (info->attr.flags & 1u << bit)
			printf(" %s", word_attr(bit));
	}
	printf("\ntype      %s\n", type ? type : "unknown");
	printf("key       %u\n", (info->attr.flags & PT_ATTR_KEY_MASK) >> PT_ATTR_KEY_AT);
	printf("run       %s\n", info->run ? "one of a contiguous run" : "no");
	if (info->attr.format)
		printf("format    0x%" PRIx32 " (bits that only this format has)\n",
		    info->attr.format);
}

static void print_text(const struct decode *decode)
{
	const struct pt_entry_info *info = &decode->info;

	printf("entry     0x%" PRIx64 "\n", decode->entry);
	printf("format    %s\n", decode->format->name);
	printf("level     %" PRIu64 "\n", decode->level);
	printf("kind      %s\n", word_kind(info->kind));
	if (info->kind == PT_ENTRY_TABLE || info->kind == PT_ENTRY_LEAF)
		printf("address   0x%" PRIx64 "\n", info->pa.v);
	if (info->kind == PT_ENTRY_LEAF)
		print_leaf_text(info);
}

static void put_leaf(json_t *record, const struct pt_entry_info *info)
{
	const char *type = word_type((info->attr.flags & PT_ATTR_TYPE_MASK) >> PT_ATTR_TYPE_AT);
	json_t *says = json_array();

	for (unsigned bit = 0; word_attr(bit); bit++) {
		if (info->attr.flags & 1u << bit)
			json_array_append_new(says, json_string(word_attr(bit)));
	}
	json_put_number(record, "size", info->size);
	json_put(record, "says", says);
	json_put_text(record, "type", type ? type : "unknown");
	json_put_number(record, "key", (info->attr.flags & PT_ATTR_KEY_MASK) >> PT_ATTR_KEY_AT);
	json_put_bool(record, "run", info->run);
	json_put_hex(record, "format_bits", info->attr.format);
}

static void print_json(const struct decode *decode)
{
	const struct pt_entry_info *info = &decode->info;
	json_t *record = json_record(SCHEMA, word_kind(info->kind));

	json_put_text(record, "format", decode->format->name);
	json_put_hex(record, "entry", decode->entry);
	json_put_number(record, "level", decode->level);
	if (info->kind == PT_ENTRY_TABLE || info->kind == PT_ENTRY_LEAF)
		json_put_hex(record, "address", info->pa.v);
	if (info->kind == PT_ENTRY_LEAF)
		put_leaf(record, info);
	json_emit(record);
}

int command_decode(int argc, const char **argv)
{
	struct decode decode = {0};
	const struct poptOption table[] = {
		{"level", 'l', POPT_ARG_STRING, NULL, 'l',
			"level of the entry's table, 0 the lowest", "N"},
		{"json", 'j', POPT_ARG_NONE, &decode.json, 0, "one JSON object", NULL},
		POPT_TABLEEND,
	};
	const struct tool_options options = {
		.command = "decode",
		.arguments = "FORMAT ENTRY --level N",
		.examples = examples,
		.table = table,
		.take = take_option,
		.ctx = &decode,
	};
	poptContext context;
	int status = options_parse(&options, argc, argv, &context);

	if (status == OPTIONS_GO_ON)
		status = check_arguments(&decode, poptGetArgs(context));
	else
		goto out;
	if (status != TOOL_OK)
		goto out;
	if (pt_entry_decode(decode.format, decode.entry, (unsigned)decode.level, &decode.info)) {
		tool_error("%s cannot decode this level", decode.format->name);
		status = TOOL_BAD_INPUT;
		goto out;
	}
	if (decode.json)
		print_json(&decode);
	else
		print_text(&decode);
out:
	poptFreeContext(context);
	return status;
}
