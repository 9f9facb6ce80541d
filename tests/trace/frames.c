/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/trace/frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#define FILE_HEAD  12u
#define BLOCK_HEAD 20u

static uint64_t get(const uint8_t *bytes, unsigned size)
{
	uint64_t number = 0;

	while (size--)
		number = number << 8 | bytes[size];
	return number;
}

static void put(uint8_t *bytes, uint64_t number, unsigned size)
{
	for (; size--; number >>= 8)
		*bytes++ = (uint8_t)number;
}

static void insist(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "frames: %s\n", what);
	exit(1);
}

void frames_take_apart(struct frames *frames, struct bytes file)
{
	size_t at = FILE_HEAD;

	for (frames->count = 0; at < file.size; frames->count++) {
		const uint8_t *head = file.data + at;
		struct frame *frame = &frames->frames[frames->count];
		size_t stored = get(head + 12, 4);

		insist(frames->count < FRAMES_MOST && at + BLOCK_HEAD + stored <= file.size,
		    "no whole trace");
		*frame = (struct frame){.kind = (uint32_t)get(head + 8, 4), .offset = at};
		frame->raw.size = get(head + 16, 4);
		frame->raw.data = malloc(frame->raw.size);
		insist(frame->raw.data && ZSTD_decompress(frame->raw.data, frame->raw.size,
					      head + BLOCK_HEAD, stored) == frame->raw.size,
		    "no zstd frame");
		at += BLOCK_HEAD + stored;
	}
}

void frames_free(struct frames *frames)
{
	for (size_t i = 0; i < frames->count; i++)
		free(frames->frames[i].raw.data);
	frames->count = 0;
}

/* Level 1 with a context that is made anew would be most of a test's time. */
static ZSTD_CCtx *context(void)
{
	static ZSTD_CCtx *one;

	if (!one)
		one = ZSTD_createCCtx();
	insist(one != NULL, "out of memory");
	return one;
}

static size_t join_frame(uint8_t *at, const struct frame *frame)
{
	size_t room = ZSTD_compressBound(frame->raw.size);
	size_t stored = ZSTD_compressCCtx(context(), at + BLOCK_HEAD, room, frame->raw.data,
	    frame->raw.size, 1);

	insist(!ZSTD_isError(stored), "zstd");
	put(at + 8, frame->kind, 4);
	put(at + 12, stored, 4);
	put(at + 16, frame->raw.size, 4);
	return BLOCK_HEAD + stored;
}

struct bytes frames_join(const struct frames *frames)
{
	struct bytes file = {NULL, FILE_HEAD};
	size_t room = FILE_HEAD;

	for (size_t i = 0; i < frames->count; i++)
		room += BLOCK_HEAD + ZSTD_compressBound(frames->frames[i].raw.size);
	file.data = malloc(room);
	insist(file.data != NULL, "out of memory");
	memcpy(file.data, "PTDTRACE\1\0\0\0", FILE_HEAD);
	for (size_t i = 0; i < frames->count; i++)
		file.size += join_frame(file.data + file.size, &frames->frames[i]);
	frames_mend(file);
	return file;
}

size_t frames_offset(struct bytes file, size_t n)
{
	size_t at = FILE_HEAD;

	while (n--)
		at += BLOCK_HEAD + get(file.data + at + 12, 4);
	return at;
}

void frames_mend(struct bytes file)
{
	uint64_t before = 0;

	for (size_t at = FILE_HEAD; at <= file.size && file.size - at >= BLOCK_HEAD;) {
		uint8_t *head = file.data + at;
		size_t stored = get(head + 12, 4);

		if (stored > file.size - at - BLOCK_HEAD)
			return;
		before = XXH64(head + 8, BLOCK_HEAD - 8 + stored, before);
		put(head, before, 8);
		at += BLOCK_HEAD + stored;
	}
}
