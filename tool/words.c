/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/words.h"

#include <stdio.h>

#include "tool/tool.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

const char *word_attr(unsigned bit)
{
	static const char *const names[] = {"read", "write", "user", "exec", "global", "accessed",
		"dirty", "soft"};

	return bit < LENGTH(names) ? names[bit] : NULL;
}

const char *word_type(unsigned type)
{
	static const char *const names[] = {"normal", "write-through", "uncached-minus", "uncached",
		"write-combining", "write-protect", "device"};

	return type < LENGTH(names) ? names[type] : NULL;
}

const char *word_kind(int kind)
{
	switch (kind) {
	case PT_ENTRY_EMPTY:
		return "empty";
	case PT_ENTRY_TABLE:
		return "table";
	case PT_ENTRY_LEAF:
		return "leaf";
	case PT_ENTRY_BUSY:
		return "busy";
	default:
		return "invalid";
	}
}

const char *word_judge(unsigned judge)
{
	static const char *const names[] = {"HW", "SW", "reference"};

	return judge < LENGTH(names) ? names[judge] : "unknown";
}

const char *word_judge_long(unsigned judge)
{
	static const char *const names[] = {"an MMU that walks the tables itself",
		"a refill handler in software", "a second walker that shares no code"};

	return judge < LENGTH(names) ? names[judge] : "unknown";
}

const struct pt_format *word_format(const char *name)
{
	const struct pt_format *format = pt_format_find(name);
	char known[512] = "";
	size_t at = 0;

	if (format)
		return format;
	for (size_t i = 0; pt_formats[i] && at < sizeof(known); i++)
		at += (size_t)snprintf(known + at, sizeof(known) - at, " %s", pt_formats[i]->name);
	tool_error("no format %s in this build; there are:%s", name, known);
	return NULL;
}
