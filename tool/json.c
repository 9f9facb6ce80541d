/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

void json_put(json_t *object, const char *key, json_t *value)
{
	if (!value || json_object_set_new(object, key, value)) {
		tool_error("out of memory, in field %s", key);
		exit(TOOL_UNSUPPORTED);
	}
}

json_t *json_record(const char *schema, const char *kind)
{
	json_t *object = json_object();

	if (!object) {
		tool_error("out of memory");
		exit(TOOL_UNSUPPORTED);
	}
	json_put_text(object, "schema", schema);
	if (kind)
		json_put_text(object, "kind", kind);
	return object;
}

void json_put_text(json_t *object, const char *key, const char *text)
{
	json_t *value = json_string(text);
	char *escaped;

	if (!value) {
		escaped = tool_alloc(TOOL_ESCAPED(strlen(text)));
		value = json_string(tool_escape(escaped, text));
		free(escaped);
	}
	json_put(object, key, value);
}

void json_put_number(json_t *object, const char *key, uint64_t number)
{
	json_put(object, key, json_integer((json_int_t)number));
}

void json_put_signed(json_t *object, const char *key, int64_t number)
{
	json_put(object, key, json_integer(number));
}

void json_put_real(json_t *object, const char *key, double number)
{
	json_put(object, key, json_real(number));
}

void json_put_bool(json_t *object, const char *key, int yes)
{
	json_put(object, key, json_boolean(yes));
}

void json_put_hex(json_t *object, const char *key, uint64_t number)
{
	char text[20];

	snprintf(text, sizeof(text), "0x%" PRIx64, number);
	json_put_text(object, key, text);
}

void json_emit(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(object);
}
