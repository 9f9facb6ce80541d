/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "tool/trace/trace_block.h"

/* Bytes of records that make a block; and at a flush, if the last one is not a second old. */
#define BLOCK_USUAL (UINT32_C(128) << 10)
#define BLOCK_FLUSH (UINT32_C(4) << 10)

#define SECOND_NS UINT64_C(1000000000)

#define ZSTD_LEVEL 3

struct trace_writer {
	int fd;
	bool failed;
	struct trace_error error; /* when failed */
	struct trace_spaces spaces;
	struct trace_coder coder;
	struct trace_out raw;    /* records that are kept */
	struct trace_out stored; /* the block as it is put out */
	ZSTD_CCtx *zstd;
	uint64_t written;
	uint64_t checksum; /* of the block before */
	uint64_t now;      /* time of the last event that had one */
	uint64_t put_out;  /* now, when the last block was put out */
	uint64_t counts[TRACE_KINDS];
};

static bool fail(struct trace_writer *writer, const char *what)
{
	writer->failed = true;
	writer->error.offset = writer->written;
	snprintf(writer->error.what, sizeof(writer->error.what), "%s", what);
	return false;
}

static bool no_memory(struct trace_writer *writer)
{
	return fail(writer, "out of memory");
}

/* After so many bytes of a block: it is taken back, so that the file ends with a whole one. */
static bool cannot_write(struct trace_writer *writer, size_t done)
{
	const char *why = strerror(errno);
	bool whole = !done || !ftruncate(writer->fd, (off_t)writer->written);
	char what[120];

	snprintf(what, sizeof(what), "cannot write: %s%s", why,
	    whole ? "" : "; the last block is not whole");
	return fail(writer, what);
}

/* One write, unless the kernel takes less. */
static bool put_file(struct trace_writer *writer)
{
	size_t done = 0;

	while (done < writer->stored.size) {
		ssize_t n =
		    write(writer->fd, &writer->stored.data[done], writer->stored.size - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return cannot_write(writer, done);
	}
	writer->written += done;
	writer->stored.size = 0;
	return true;
}

/* Appends to stored the block that raw makes, and empties raw. */
static bool make_block(struct trace_writer *writer, enum trace_block_kind kind)
{
	struct trace_block block = {.kind = kind, .raw = (uint32_t)writer->raw.size};
	size_t room = ZSTD_compressBound(writer->raw.size);
	uint8_t *head;
	size_t stored;

	if (!trace_out_room(&writer->stored, TRACE_BLOCK_HEAD + room))
		return no_memory(writer);
	head = &writer->stored.data[writer->stored.size];
	stored = ZSTD_compressCCtx(writer->zstd, head + TRACE_BLOCK_HEAD, room, writer->raw.data,
	    writer->raw.size, ZSTD_LEVEL);
	if (ZSTD_isError(stored))
		return fail(writer, ZSTD_getErrorName(stored));
	block.stored = (uint32_t)stored;
	trace_block_store(&block, head);
	block.checksum = trace_block_checksum(head, block.stored, writer->checksum);
	trace_block_store(&block, head);
	writer->checksum = block.checksum;
	writer->stored.size += TRACE_BLOCK_HEAD + stored;
	writer->raw.size = 0;
	return true;
}

static bool put_block(struct trace_writer *writer, enum trace_block_kind kind)
{
	return make_block(writer, kind) && put_file(writer);
}

static bool put_events(struct trace_writer *writer)
{
	if (!writer->raw.size)
		return true;
	writer->put_out = writer->now;
	if (!put_block(writer, TRACE_BLOCK_EVENTS))
		return false;
	trace_coder_block(&writer->coder);
	return true;
}

static bool put_header(struct trace_writer *writer, const struct trace_header *header)
{
	struct trace_header again;
	struct trace_in in;
	const char *what;

	if (!trace_out_room(&writer->stored, TRACE_FILE_HEAD) ||
	    !trace_header_encode(&writer->raw, header))
		return no_memory(writer);
	in = (struct trace_in){writer->raw.data, writer->raw.data + writer->raw.size, false};
	what = trace_header_decode(&in, &again);
	if (what)
		return fail(writer, what);
	trace_file_head(writer->stored.data);
	writer->stored.size = TRACE_FILE_HEAD;
	return put_block(writer, TRACE_BLOCK_HEADER);
}

static bool put_end(struct trace_writer *writer, int status)
{
	if (!trace_out_room(&writer->raw, (size_t)(TRACE_KINDS + 1) * 10))
		return no_memory(writer);
	for (unsigned kind = 0; kind < TRACE_KINDS; kind++)
		trace_put(&writer->raw, writer->counts[kind]);
	trace_put_signed(&writer->raw, status);
	return put_block(writer, TRACE_BLOCK_END);
}

static void free_writer(struct trace_writer *writer)
{
	if (writer->fd >= 0)
		close(writer->fd);
	trace_spaces_reset(&writer->spaces);
	trace_coder_free(&writer->coder);
	free(writer->raw.data);
	free(writer->stored.data);
	ZSTD_freeCCtx(writer->zstd);
	free(writer);
}

static bool open_file(struct trace_writer *writer, const char *path)
{
	char what[96];

	/* A pipe without a reader is an error, and is not waited for. */
	writer->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666);
	if (writer->fd >= 0 && !fcntl(writer->fd, F_SETFL, 0))
		return true;
	snprintf(what, sizeof(what), "cannot create it: %s",
	    errno == ENXIO ? "nobody reads from it" : strerror(errno));
	return fail(writer, what);
}

struct trace_writer *trace_create(const char *path, const struct trace_header *header,
    struct trace_error *error)
{
	struct trace_writer *writer = calloc(1, sizeof(*writer));

	*error = (struct trace_error){.what = "out of memory"};
	if (!writer)
		return NULL;
	writer->fd = -1;
	writer->spaces.page_shift = writer->coder.page_shift = header->page_shift;
	writer->coder.spaces = &writer->spaces;
	trace_coder_block(&writer->coder);
	writer->zstd = ZSTD_createCCtx();
	if (!writer->zstd)
		no_memory(writer);
	if (writer->failed || !open_file(writer, path) || !put_header(writer, header)) {
		*error = writer->error;
		free_writer(writer);
		return NULL;
	}
	return writer;
}

/* Encodes after what is kept; what is kept goes out first if the two would be too much. */
static bool keep(struct trace_writer *writer, const struct trace_event *event)
{
	size_t before = writer->raw.size;

	if (!trace_encode(&writer->coder, &writer->raw, event))
		return no_memory(writer);
	if (writer->raw.size <= TRACE_RAW_MOST)
		return true;
	writer->raw.size = before;
	if (!before)
		return fail(writer, "an event is larger than a block may be");
	return put_events(writer) && keep(writer, event);
}

bool trace_write(struct trace_writer *writer, const struct trace_event *event)
{
	const char *what;

	if (writer->failed)
		return false;
	what = trace_spaces_take(&writer->spaces, event);
	if (what)
		return fail(writer, what);
	if (!keep(writer, event))
		return false;
	writer->counts[event->kind]++;
	if (TRACE_BIT(event->kind) & TRACE_WITH_TIME)
		writer->now = event->time;
	return writer->raw.size < BLOCK_USUAL || put_events(writer);
}

bool trace_flush_all(struct trace_writer *writer)
{
	return !writer->failed && put_events(writer);
}

bool trace_flush(struct trace_writer *writer)
{
	if (writer->failed)
		return false;
	/* Small blocks compress badly. A time that runs backwards counts as much time. */
	if (writer->raw.size < BLOCK_FLUSH && writer->now - writer->put_out < SECOND_NS)
		return true;
	return put_events(writer);
}

bool trace_close(struct trace_writer *writer, int status, struct trace_error *error)
{
	bool done = !writer->failed && put_events(writer) && put_end(writer, status);
	int fd = writer->fd;

	writer->fd = -1;
	if (close(fd) && done)
		done = cannot_write(writer, 0);
	*error = writer->error;
	free_writer(writer);
	return done;
}

uint64_t trace_written(const struct trace_writer *writer)
{
	return writer->written;
}
