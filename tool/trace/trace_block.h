/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a file is made of: magic and version, then blocks. Numbers here are little endian and of
 * fixed size.
 *
 * A block is a head and a payload, which is one zstd frame. The checksum is XXH64 of all that
 * follows it, payload included, with the checksum of the block before as the seed (0 for the
 * first): a block that was taken out, doubled or brought from elsewhere shows.
 */
#ifndef TOOL_TRACE_TRACE_BLOCK_H
#define TOOL_TRACE_TRACE_BLOCK_H

#include "tool/trace/trace_codec.h"

#define TRACE_MAGIC      "PTDTRACE"
#define TRACE_MAGIC_SIZE 8u
#define TRACE_FILE_HEAD  12u /* magic and version */
#define TRACE_BLOCK_HEAD 20u

/* Bytes of a block's records, at most; and of its payload. */
#define TRACE_RAW_MOST    (UINT32_C(1) << 24)
#define TRACE_STORED_MOST (TRACE_RAW_MOST + (UINT32_C(1) << 16))

enum trace_block_kind {
	TRACE_BLOCK_HEADER = 1, /* first, and only there */
	TRACE_BLOCK_EVENTS = 2,
	TRACE_BLOCK_END = 3, /* last */
};

struct trace_block {
	uint64_t checksum;
	uint32_t kind;
	uint32_t stored;
	uint32_t raw;
};

void trace_block_load(struct trace_block *block, const uint8_t bytes[TRACE_BLOCK_HEAD]);
void trace_block_store(const struct trace_block *block, uint8_t bytes[TRACE_BLOCK_HEAD]);

/* Of a block that lies at bytes, with its payload. */
uint64_t trace_block_checksum(const uint8_t *bytes, uint32_t stored, uint64_t before);

/* The file's first TRACE_FILE_HEAD bytes. */
void trace_file_head(uint8_t *bytes);
uint32_t trace_file_version(const uint8_t *bytes);

/* The payload of a header block. False: no memory. */
bool trace_header_encode(struct trace_out *out, const struct trace_header *header);
/* NULL, or a sentence that says what is wrong. */
const char *trace_header_decode(struct trace_in *in, struct trace_header *header);

#endif
