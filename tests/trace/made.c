/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tests/trace/made.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "made: %s\n", what);
	exit(1);
}

int made_file(char path[64])
{
	int fd = memfd_create("trace", 0);

	insist(fd >= 0, "no memfd");
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

struct bytes made_bytes(int fd)
{
	struct bytes file = {NULL, 0};
	struct stat stat;

	insist(!fstat(fd, &stat), "fstat");
	file.size = (size_t)stat.st_size;
	file.data = malloc(file.size);
	insist(!file.size || file.data, "out of memory");
	insist(pread(fd, file.data, file.size, 0) == (ssize_t)file.size, "pread");
	close(fd);
	return file;
}

struct trace_header made_header(unsigned page_shift)
{
	return (struct trace_header){
		.kernel = "6.1.0 #1 SMP",
		.command = "sh -c 'a|b'",
		.thp = "madvise never",
		.page_shift = page_shift,
		.levels = 5,
		.reclaim = true,
		.scan = true,
		.start = 1700000000,
	};
}

struct made made_trace(uint64_t seed, unsigned page_shift, size_t events)
{
	struct made made = {seed, page_shift, events, {NULL, 0}};
	struct trace_header header = made_header(page_shift);
	struct trace_writer *writer;
	struct trace_error error;
	struct stream stream;
	char path[64];
	int fd = made_file(path);

	writer = trace_create(path, &header, &error);
	insist(writer, error.what);
	stream_start(&stream, seed, page_shift);
	for (size_t i = 0; i < events; i++) {
		struct trace_event event = stream_next(&stream);

		if (!trace_write(writer, &event)) {
			trace_close(writer, 0, &error);
			insist(false, error.what);
		}
		if (i % 6 == 5)
			insist(trace_flush(writer), "flush");
	}
	insist(trace_close(writer, MADE_STATUS, &error), error.what);
	made.file = made_bytes(fd);
	return made;
}

void made_free(struct made *made)
{
	free(made->file.data);
}

/* stream: what is expected, or NULL. */
static struct seen read_all(struct stream *stream, unsigned page_shift, struct bytes file)
{
	struct seen seen = {.end = TRACE_BROKEN};
	struct trace_header header;
	struct trace_event event;
	struct trace_reader *reader = trace_open_memory(file.data, file.size, &header, &seen.error);

	if (!reader)
		return seen;
	while ((seen.end = trace_read(reader, &event, &seen.error)) == TRACE_EVENT) {
		const char *wrong = stream_judge(&event, page_shift);

		seen.events++;
		if (stream && !wrong) {
			struct trace_event wanted = stream_next(stream);

			wrong = stream_compare(&event, &wanted);
		}
		if (wrong)
			seen.wrong = wrong;
	}
	seen.status = trace_status(reader);
	trace_reader_close(reader);
	return seen;
}

struct seen made_read(const struct made *made, struct bytes file)
{
	struct stream stream;

	stream_start(&stream, made->seed, made->page_shift);
	return read_all(&stream, made->page_shift, file);
}

struct seen made_judge(unsigned page_shift, struct bytes file)
{
	return read_all(NULL, page_shift, file);
}
