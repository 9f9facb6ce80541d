/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* JSON Lines: one object a line, each naming the schema that describes it. */
#ifndef TOOL_JSON_H
#define TOOL_JSON_H

#include <jansson.h>
#include <stdint.h>

/* A new object of a schema of docs/schema, and of a kind if the schema has several (or NULL). */
json_t *json_record(const char *schema, const char *kind);

/* What is no UTF-8, as the arguments of programs need not be, is escaped. */
void json_put_text(json_t *object, const char *key, const char *text);
void json_put_number(json_t *object, const char *key, uint64_t number);
void json_put_signed(json_t *object, const char *key, int64_t number);
void json_put_real(json_t *object, const char *key, double number);
void json_put_bool(json_t *object, const char *key, int yes);
/* Takes value over. */
void json_put(json_t *object, const char *key, json_t *value);

/* 0x...: addresses and entries, which a reader's doubles could not hold. */
void json_put_hex(json_t *object, const char *key, uint64_t number);

/* Prints the object as a line on stdout and lets go of it. */
void json_emit(json_t *object);

#endif
