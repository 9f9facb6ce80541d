/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/trace/trace_block.h"

#include <string.h>
#include <xxhash.h>

/* Where a block's fields are. */
enum {
	AT_CHECKSUM = 0,
	AT_KIND = 8,
	AT_STORED = 12,
	AT_RAW = 16,
};

static void store32(uint8_t *bytes, uint32_t number)
{
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(number >> 8 * i);
}

static uint32_t load32(const uint8_t *bytes)
{
	uint32_t number = 0;

	for (unsigned i = 0; i < 4; i++)
		number |= (uint32_t)bytes[i] << 8 * i;
	return number;
}

void trace_block_load(struct trace_block *block, const uint8_t bytes[TRACE_BLOCK_HEAD])
{
	block->checksum = load32(&bytes[AT_CHECKSUM]);
	block->checksum |= (uint64_t)load32(&bytes[AT_CHECKSUM + 4]) << 32;
	block->kind = load32(&bytes[AT_KIND]);
	block->stored = load32(&bytes[AT_STORED]);
	block->raw = load32(&bytes[AT_RAW]);
}

void trace_block_store(const struct trace_block *block, uint8_t bytes[TRACE_BLOCK_HEAD])
{
	store32(&bytes[AT_CHECKSUM], (uint32_t)block->checksum);
	store32(&bytes[AT_CHECKSUM + 4], (uint32_t)(block->checksum >> 32));
	store32(&bytes[AT_KIND], block->kind);
	store32(&bytes[AT_STORED], block->stored);
	store32(&bytes[AT_RAW], block->raw);
}

uint64_t trace_block_checksum(const uint8_t *bytes, uint32_t stored, uint64_t before)
{
	return XXH64(&bytes[AT_KIND], TRACE_BLOCK_HEAD - AT_KIND + (size_t)stored, before);
}

void trace_file_head(uint8_t *bytes)
{
	static const char magic[TRACE_MAGIC_SIZE] = TRACE_MAGIC;

	memcpy(bytes, magic, sizeof(magic));
	store32(&bytes[TRACE_MAGIC_SIZE], TRACE_VERSION);
}

uint32_t trace_file_version(const uint8_t *bytes)
{
	return load32(&bytes[TRACE_MAGIC_SIZE]);
}
