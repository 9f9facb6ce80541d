/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A flattened trace: operations of sink/op.h as bytes, for whoever does them elsewhere.
 * docs/flat-format.md has the layout. Freestanding; nothing that is read is believed.
 */
#ifndef TOOL_SINK_FLAT_H
#define TOOL_SINK_FLAT_H

#include "tool/sink/op.h"

#define FLAT_HEADER 64u
#define FLAT_NAME   32u
#define FLAT_RECORD 128u /* no record is longer */

struct flat_header {
	char format[FLAT_NAME]; /* name of the format, 0 behind it */
	uint64_t bytes;         /* of all records */
	uint64_t records;
	uint32_t spaces;   /* their numbers are below it */
	uint32_t checksum; /* of the records */
};

struct flat_reader {
	const uint8_t *next;
	const uint8_t *end;
	uint64_t records; /* that are left */
	unsigned page_shift;
};

/* FNV-1a, 32 bits. */
#define FLAT_CHECKSUM_START 0x811c9dc5u
uint32_t flat_checksum(uint32_t sum, const uint8_t *bytes, uint64_t size);

void flat_put_header(uint8_t out[FLAT_HEADER], const struct flat_header *header);

/* size: the bytes that there are. NULL, or what is wrong with it. */
const char *flat_get_header(const uint8_t *bytes, uint64_t size, struct flat_header *header);

/* Returns how many bytes an operation took; 0: it is not in whole pages. */
unsigned flat_put(uint8_t out[FLAT_RECORD], const struct sink_op *op, unsigned page_shift);

enum flat_next { FLAT_OP, FLAT_END, FLAT_BROKEN };

enum flat_next flat_get(struct flat_reader *reader, struct sink_op *op);

#endif
