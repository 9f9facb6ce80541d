/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Damaged traces: as many as the first argument says (3,000 unless given), always the same. Half
 * are damaged as disks and copies do it; half so that every checksum is right, which no accident
 * can: that reaches the code behind.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/trace/made.h"

#define TRACES  16u
#define SECONDS 20u /* that one trace may take */

struct damage {
	uint64_t random;
	struct made made[TRACES];
	struct frames frames[TRACES];
	uint64_t events; /* that were read */
	uint64_t ends[TRACE_BROKEN + 1];
};

static uint64_t below(struct damage *damage, uint64_t bound)
{
	return stream_below(&damage->random, bound);
}

/* A copy with room for more. */
static struct bytes copy_of(struct bytes from, size_t more)
{
	struct bytes copy = {malloc(from.size + more), from.size};

	if (!copy.data)
		abort();
	memcpy(copy.data, from.data, from.size);
	return copy;
}

static void flip(struct damage *damage, struct bytes *bytes)
{
	size_t at = below(damage, bytes->size);

	bytes->data[at] ^= (uint8_t)(1u << below(damage, 8));
}

/* Values at which checks go wrong. */
static void overwrite(struct damage *damage, struct bytes *bytes)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
	size_t at = below(damage, bytes->size);

	bytes->data[at] = values[below(damage, sizeof(values))];
}

static void cut_off(struct damage *damage, struct bytes *bytes)
{
	bytes->size = below(damage, bytes->size);
}

static void take_out(struct damage *damage, struct bytes *bytes)
{
	size_t at = below(damage, bytes->size);
	size_t size = 1 + below(damage, bytes->size - at);

	memmove(bytes->data + at, bytes->data + at + size, bytes->size - at - size);
	bytes->size -= size;
}

/* Over bytes, a part of the same size or less that comes from other. */
static void splice(struct damage *damage, struct bytes *bytes, struct bytes other)
{
	size_t at = below(damage, bytes->size);
	size_t from = other.size ? below(damage, other.size) : 0;
	size_t most = bytes->size - at < other.size - from ? bytes->size - at : other.size - from;

	if (most)
		memcpy(bytes->data + at, other.data + from, 1 + below(damage, most));
}

static void hurt(struct damage *damage, struct bytes *bytes, struct bytes other)
{
	for (uint64_t times = 1 + below(damage, 4); times && bytes->size; times--) {
		switch (below(damage, 8)) {
		case 0:
			cut_off(damage, bytes);
			break;
		case 1:
			take_out(damage, bytes);
			break;
		case 2:
			splice(damage, bytes, other);
			break;
		case 3:
		case 4:
			overwrite(damage, bytes);
			break;
		default:
			flip(damage, bytes);
			break;
		}
	}
}

static int give_up(const char *what, const struct seen *seen)
{
	printf("# %s; byte %" PRIu64 ": %s\n", what, seen->error.offset, seen->error.what);
	return 1;
}

static int judge(struct damage *damage, const struct seen *seen, struct bytes file)
{
	damage->events += seen->events;
	damage->ends[seen->end]++;
	if (seen->wrong)
		return give_up(seen->wrong, seen);
	if (seen->end == TRACE_BROKEN && (!seen->error.what[0] || seen->error.offset > file.size))
		return give_up("an error that does not say what and where", seen);
	return 0;
}

/* Of the file's exact size, so that a sanitizer sees every byte too far. */
static struct bytes exact(struct bytes file)
{
	struct bytes copy = copy_of(file, 0);

	free(file.data);
	return copy;
}

/* By accident: only what was written comes out, and the damage shows. */
static int accident(struct damage *damage)
{
	unsigned which = (unsigned)below(damage, TRACES);
	const struct made *made = &damage->made[which];
	struct bytes file = copy_of(made->file, 0);
	struct seen seen;
	int failed;

	if (below(damage, 16))
		hurt(damage, &file, damage->made[below(damage, TRACES)].file);
	else
		file.size = frames_offset(file, 1 + below(damage, damage->frames[which].count - 1));
	file = exact(file);
	seen = made_read(made, file);
	failed = judge(damage, &seen, file);
	if (!failed && seen.end == TRACE_END &&
	    (file.size != made->file.size || memcmp(file.data, made->file.data, file.size) != 0))
		failed = give_up("a damaged trace was read to its end", &seen);
	free(file.data);
	return failed;
}

/* On purpose: what a block holds is changed, or its head, and the checksums are made right. */
static int purpose(struct damage *damage)
{
	unsigned which = (unsigned)below(damage, TRACES);
	struct frames *frames = &damage->frames[which];
	struct frame *frame = &frames->frames[below(damage, frames->count)];
	struct bytes other = damage->frames[below(damage, TRACES)].frames[1].raw;
	struct bytes was = frame->raw;
	struct bytes file;
	struct seen seen;
	int failed;

	frame->raw = copy_of(was, 0);
	hurt(damage, &frame->raw, other);
	file = frames_join(frames);
	free(frame->raw.data);
	frame->raw = was;
	if (!below(damage, 8)) {
		hurt(damage, &file, damage->made[which].file);
		frames_mend(file);
	}
	file = exact(file);
	seen = made_judge(damage->made[which].page_shift, file);
	failed = judge(damage, &seen, file);
	free(file.data);
	return failed;
}

static void start(struct damage *damage)
{
	*damage = (struct damage){.random = 1};
	for (unsigned i = 0; i < TRACES; i++) {
		damage->made[i] = made_trace(i, 12, 20 + 10 * i);
		frames_take_apart(&damage->frames[i], damage->made[i].file);
	}
}

static void end(struct damage *damage)
{
	for (unsigned i = 0; i < TRACES; i++) {
		frames_free(&damage->frames[i]);
		made_free(&damage->made[i]);
	}
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 3000;
	static struct damage damage;
	int failed = 0;

	start(&damage);
	for (unsigned long i = 0; i < count && !failed; i++) {
		alarm(SECONDS); /* one that hangs ends the program by its signal */
		failed = i & 1 ? purpose(&damage) : accident(&damage);
		if (failed)
			printf("# trace %lu\n", i);
	}
	printf("# %" PRIu64 " events; %" PRIu64 " whole, %" PRIu64 " cut, %" PRIu64 " broken\n",
	    damage.events, damage.ends[TRACE_END], damage.ends[TRACE_CUT],
	    damage.ends[TRACE_BROKEN]);
	/* All three must have been met, else nothing was shown. */
	failed |= !damage.ends[TRACE_END] || !damage.ends[TRACE_CUT] || !damage.ends[TRACE_BROKEN];
	printf("%s 1 - %lu damaged traces\n1..1\n", failed ? "not ok" : "ok", count);
	end(&damage);
	return failed;
}
