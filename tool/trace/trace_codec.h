/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Records: events as bytes. docs/trace-format.md has the layout.
 *
 * Numbers are LEB128; signed ones and differences are zigzagged first. Differences begin anew with
 * each block, so that each block can be decoded alone.
 */
#ifndef TOOL_TRACE_TRACE_CODEC_H
#define TOOL_TRACE_TRACE_CODEC_H

#include "tool/trace/trace.h"
#include "tool/trace/trace_spaces.h"

/* First byte of a record: the kind, and what is not said because it is as in the record before. */
#define TRACE_TAG_KIND       0x0fu
#define TRACE_TAG_SAME_SPACE 0x10u
#define TRACE_TAG_SAME_TASK  0x20u
#define TRACE_TAG_MORE       0x40u /* FAULT, BUS: an offset in the page follows; CHECK: it moved */
#define TRACE_TAG_NONE       0x80u

/* Kinds that have a task, a time, ... */
#define TRACE_BIT(kind) (1u << (kind))
#define TRACE_WITH_TASK                                                                            \
	(TRACE_BIT(TRACE_EXEC) | TRACE_BIT(TRACE_FORK) | TRACE_BIT(TRACE_TASK) |                   \
	    TRACE_BIT(TRACE_CALL) | TRACE_BIT(TRACE_FAULT) | TRACE_BIT(TRACE_BUS) |                \
	    TRACE_BIT(TRACE_CHECK))
#define TRACE_WITH_TIME                                                                            \
	(TRACE_BIT(TRACE_EXEC) | TRACE_BIT(TRACE_FORK) | TRACE_BIT(TRACE_CALL) |                   \
	    TRACE_BIT(TRACE_CHECK))
#define TRACE_WITH_MORE  (TRACE_BIT(TRACE_FAULT) | TRACE_BIT(TRACE_BUS) | TRACE_BIT(TRACE_CHECK))
#define TRACE_WITH_SPACE (TRACE_BIT(TRACE_KINDS) - 1 - TRACE_BIT(TRACE_LOST))

/* Bytes being made. */
struct trace_out {
	uint8_t *data;
	size_t size;
	size_t room;
};

/* Bytes being read. bad sticks: it is asked once a record, and before a count is believed. */
struct trace_in {
	const uint8_t *at;
	const uint8_t *end;
	bool bad; /* ended too early, or a number of more than 64 bits */
};

/* What both sides know from the records before. */
struct trace_coder {
	struct trace_spaces *spaces;
	unsigned page_shift;
	uint64_t block; /* number of the block that is coded, from 1 */
	uint32_t space; /* of the record before, in this block; as are the others */
	uint32_t task;
	uint64_t time;
	uint64_t page; /* of a space that is not known; the spaces have their own */
	struct trace_vma *vmas;
	struct trace_run *runs;
	size_t vma_room;
	size_t run_room;
};

/* Makes room for so many bytes more. False: no memory. */
bool trace_out_room(struct trace_out *out, size_t more);

/* These write into room that was made before: 10 bytes at most for a number. */
void trace_put(struct trace_out *out, uint64_t number);
void trace_put_signed(struct trace_out *out, int64_t number);
void trace_put_bytes(struct trace_out *out, const void *bytes, size_t size);

/* 0 when bad. */
uint64_t trace_get(struct trace_in *in);
int64_t trace_get_signed(struct trace_in *in);

/* Begins the next block. */
void trace_coder_block(struct trace_coder *coder);

void trace_coder_free(struct trace_coder *coder);

/* The page that the next one of this space is told from. */
uint64_t *trace_coder_page(struct trace_coder *coder, uint32_t number);

/* Adds the record of an event that trace_spaces_take accepted. False: no memory. */
bool trace_encode(struct trace_coder *coder, struct trace_out *out,
    const struct trace_event *event);

/*
 * Takes one record. NULL, or a sentence that says what is wrong. What the numbers mean is not
 * checked: that is trace_spaces_take's.
 */
const char *trace_decode(struct trace_coder *coder, struct trace_in *in, struct trace_event *event);

#endif
