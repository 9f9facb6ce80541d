/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "tool/trace/trace_block.h"

struct trace_reader {
	int fd;              /* or -1: data has it all */
	const uint8_t *data; /* or NULL */
	uint64_t size;
	uint64_t first;          /* where the first block behind the header begins ... */
	uint64_t first_checksum; /* ... and the seed of its checksum */
	uint64_t block;          /* where the one that is being read begins ... */
	uint64_t next;           /* ... and the next */
	uint64_t checksum;
	uint64_t record; /* number of the last record of this block, from 1 */
	struct trace_in in;
	struct trace_out raw;    /* records of this block */
	struct trace_out stored; /* what was read of a file */
	struct trace_spaces spaces;
	struct trace_coder coder;
	ZSTD_DCtx *zstd;
	uint64_t counts[TRACE_KINDS];
	int status;
	enum trace_next state; /* TRACE_EVENT, until there is no more */
	struct trace_error error;
};

/* Something is wrong at a byte of the file. */
static bool fail(struct trace_reader *reader, uint64_t offset, const char *what)
{
	reader->state = TRACE_BROKEN;
	reader->error.offset = offset;
	snprintf(reader->error.what, sizeof(reader->error.what), "%s", what);
	return false;
}

static bool no_memory(struct trace_reader *reader)
{
	return fail(reader, reader->block, "out of memory");
}

static bool fail_record(struct trace_reader *reader, const struct trace_event *event,
    const char *what)
{
	char text[sizeof(reader->error.what)];

	snprintf(text, sizeof(text),
	    "record %" PRIu64 " of this block, %s of space %" PRIu32 ": %s", reader->record,
	    trace_kind_name(event->kind), event->space, what);
	return fail(reader, reader->block, text);
}

/* --- bytes of the file --- */

static bool read_file(struct trace_reader *reader, uint64_t offset, size_t size)
{
	char what[96];
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(reader->fd, &reader->stored.data[done], size - done,
		    (off_t)(offset + done));

		if (n > 0) {
			done += (size_t)n;
		} else if (!n) {
			return fail(reader, offset, "the file has become shorter meanwhile");
		} else if (errno != EINTR) {
			snprintf(what, sizeof(what), "cannot read: %s", strerror(errno));
			return fail(reader, offset, what);
		}
	}
	return true;
}

/* Bytes that the file is known to have. They stay until the next call. */
static const uint8_t *view(struct trace_reader *reader, uint64_t offset, size_t size)
{
	if (reader->data)
		return reader->data + offset;
	reader->stored.size = 0;
	if (!trace_out_room(&reader->stored, size)) {
		no_memory(reader);
		return NULL;
	}
	return read_file(reader, offset, size) ? reader->stored.data : NULL;
}

/* --- blocks --- */

/* Whether a block can be what its head says, before anything is allocated for it. */
static bool check_head(struct trace_reader *reader, const struct trace_block *block)
{
	uint64_t left = reader->size - reader->next - TRACE_BLOCK_HEAD;

	if (block->kind < TRACE_BLOCK_HEADER || block->kind > TRACE_BLOCK_END)
		return fail(reader, reader->next, "no block begins here: its kind does not exist");
	if (!block->raw || block->raw > TRACE_RAW_MOST || block->stored > TRACE_STORED_MOST)
		return fail(reader, reader->next, "no block begins here: its size is impossible");
	if (block->stored > left)
		return fail(reader, reader->next, "the file ends within this block");
	return true;
}

static bool unpack(struct trace_reader *reader, const struct trace_block *block,
    const uint8_t *payload)
{
	size_t size;

	if (ZSTD_getFrameContentSize(payload, block->stored) != block->raw)
		return fail(reader, reader->block,
		    "this block's payload is not what its head says");
	reader->raw.size = 0;
	if (!trace_out_room(&reader->raw, block->raw))
		return no_memory(reader);
	size =
	    ZSTD_decompressDCtx(reader->zstd, reader->raw.data, block->raw, payload, block->stored);
	if (ZSTD_isError(size) || size != block->raw)
		return fail(reader, reader->block, "this block's payload cannot be decompressed");
	reader->in = (struct trace_in){reader->raw.data, reader->raw.data + size, false};
	return true;
}

/* The block that begins at next; there are bytes. */
static bool read_block(struct trace_reader *reader, struct trace_block *block)
{
	const uint8_t *bytes;

	reader->block = reader->next;
	if (reader->size - reader->block < TRACE_BLOCK_HEAD)
		return fail(reader, reader->block, "the file ends within the head of this block");
	bytes = view(reader, reader->block, TRACE_BLOCK_HEAD);
	if (!bytes)
		return false;
	trace_block_load(block, bytes);
	if (!check_head(reader, block))
		return false;
	bytes = view(reader, reader->block, TRACE_BLOCK_HEAD + (size_t)block->stored);
	if (!bytes)
		return false;
	if (trace_block_checksum(bytes, block->stored, reader->checksum) != block->checksum)
		return fail(reader, reader->block,
		    "this block is damaged, or in the wrong place: its checksum differs");
	if (!unpack(reader, block, bytes + TRACE_BLOCK_HEAD))
		return false;
	reader->checksum = block->checksum;
	reader->next += TRACE_BLOCK_HEAD + (uint64_t)block->stored;
	reader->record = 0;
	return true;
}

static bool read_end(struct trace_reader *reader)
{
	int64_t status;

	for (unsigned kind = 0; kind < TRACE_KINDS; kind++) {
		if (trace_get(&reader->in) != reader->counts[kind])
			return fail(reader, reader->block,
			    "the end tells of another number of events than there were");
	}
	status = trace_get_signed(&reader->in);
	if (reader->in.bad || reader->in.at != reader->in.end)
		return fail(reader, reader->block, "the end is not as long as an end is");
	if (status != (int)status)
		return fail(reader, reader->block, "the exit status is none");
	if (reader->next != reader->size)
		return fail(reader, reader->next, "there is something behind the end");
	reader->status = (int)status;
	reader->state = TRACE_END;
	return true;
}

/* Until there are records, or no more. */
static void next_block(struct trace_reader *reader)
{
	struct trace_block block;

	if (reader->next == reader->size) {
		reader->state = TRACE_CUT;
		return;
	}
	if (!read_block(reader, &block))
		return;
	if (block.kind == TRACE_BLOCK_HEADER)
		fail(reader, reader->block, "a second header");
	else if (block.kind == TRACE_BLOCK_END)
		read_end(reader);
	else
		trace_coder_block(&reader->coder);
}

/* --- the file --- */

static bool read_head(struct trace_reader *reader)
{
	const uint8_t *bytes;
	char what[96];
	uint32_t version;

	if (!reader->size)
		return fail(reader, 0, "the file is empty");
	if (reader->size < TRACE_FILE_HEAD)
		return fail(reader, 0, "this is no trace: too short");
	bytes = view(reader, 0, TRACE_FILE_HEAD);
	if (!bytes)
		return false;
	if (memcmp(bytes, TRACE_MAGIC, TRACE_MAGIC_SIZE) != 0)
		return fail(reader, 0, "this is no trace: it does not begin with " TRACE_MAGIC);
	version = trace_file_version(bytes);
	if (version == TRACE_VERSION)
		return true;
	snprintf(what, sizeof(what), "a trace of version %" PRIu32 "; this ptdesc reads version %u",
	    version, TRACE_VERSION);
	return fail(reader, TRACE_MAGIC_SIZE, what);
}

static bool read_header(struct trace_reader *reader, struct trace_header *header)
{
	struct trace_block block;
	const char *what;

	reader->next = TRACE_FILE_HEAD;
	if (!read_block(reader, &block))
		return false;
	if (block.kind != TRACE_BLOCK_HEADER)
		return fail(reader, reader->block, "the header is missing");
	what = trace_header_decode(&reader->in, header);
	if (what)
		return fail(reader, reader->block, what);
	reader->spaces.page_shift = reader->coder.page_shift = header->page_shift;
	reader->first = reader->next;
	reader->first_checksum = reader->checksum;
	return true;
}

static struct trace_reader *new_reader(struct trace_error *error)
{
	struct trace_reader *reader = calloc(1, sizeof(*reader));

	*error = (struct trace_error){.what = "out of memory"};
	if (!reader)
		return NULL;
	reader->fd = -1;
	reader->coder.spaces = &reader->spaces;
	reader->zstd = ZSTD_createDCtx();
	if (reader->zstd)
		return reader;
	free(reader);
	return NULL;
}

/* Reads the header; NULL, and the reader is closed, if there is none. */
static struct trace_reader *begin(struct trace_reader *reader, struct trace_header *header,
    struct trace_error *error)
{
	if (reader->state == TRACE_EVENT && read_head(reader) && read_header(reader, header)) {
		trace_rewind(reader);
		return reader;
	}
	*error = reader->error;
	trace_reader_close(reader);
	return NULL;
}

static void open_file(struct trace_reader *reader, const char *path)
{
	char what[96];
	struct stat stat;

	/* Not waiting for a writer, should it be a pipe. */
	reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (reader->fd < 0 || fstat(reader->fd, &stat)) {
		snprintf(what, sizeof(what), "cannot open it: %s", strerror(errno));
		fail(reader, 0, what);
	} else if (!S_ISREG(stat.st_mode)) {
		fail(reader, 0, "this is no regular file");
	} else {
		reader->size = (uint64_t)stat.st_size;
	}
}

struct trace_reader *trace_open(const char *path, struct trace_header *header,
    struct trace_error *error)
{
	struct trace_reader *reader = new_reader(error);

	if (!reader)
		return NULL;
	open_file(reader, path);
	return begin(reader, header, error);
}

struct trace_reader *trace_open_memory(const void *data, size_t size, struct trace_header *header,
    struct trace_error *error)
{
	struct trace_reader *reader = new_reader(error);

	if (!reader)
		return NULL;
	reader->data = data;
	reader->size = size;
	return begin(reader, header, error);
}

static bool read_record(struct trace_reader *reader, struct trace_event *event)
{
	const char *what;

	reader->record++;
	what = trace_decode(&reader->coder, &reader->in, event);
	if (!what)
		what = trace_spaces_take(&reader->spaces, event);
	if (what)
		return fail_record(reader, event, what);
	reader->counts[event->kind]++;
	return true;
}

enum trace_next trace_read(struct trace_reader *reader, struct trace_event *event,
    struct trace_error *error)
{
	if (reader->state == TRACE_EVENT && reader->in.at == reader->in.end)
		next_block(reader);
	if (reader->state == TRACE_EVENT && read_record(reader, event))
		return TRACE_EVENT;
	*error = reader->error;
	return reader->state;
}

void trace_rewind(struct trace_reader *reader)
{
	trace_spaces_reset(&reader->spaces);
	memset(reader->counts, 0, sizeof(reader->counts));
	reader->next = reader->block = reader->first;
	reader->checksum = reader->first_checksum;
	reader->in = (struct trace_in){0};
	reader->state = TRACE_EVENT;
	reader->error = (struct trace_error){0};
}

int trace_status(const struct trace_reader *reader)
{
	return reader->status;
}

uint64_t trace_position(const struct trace_reader *reader)
{
	return reader->next;
}

uint64_t trace_size(const struct trace_reader *reader)
{
	return reader->size;
}

void trace_reader_close(struct trace_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	trace_spaces_reset(&reader->spaces);
	trace_coder_free(&reader->coder);
	free(reader->raw.data);
	free(reader->stored.data);
	ZSTD_freeDCtx(reader->zstd);
	free(reader);
}
