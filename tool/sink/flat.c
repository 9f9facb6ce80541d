/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/sink/flat.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size);
int memcmp(const void *a, const void *b, size_t size);

static const uint8_t magic[8] = {'P', 'T', 'F', 'L', 'A', 'T', 0, 1};

/* Fields of a record, in their order. */
enum field {
	SPACE,
	OTHER,
	LEVEL,
	FLAGS,
	ATTR,
	ATTR_FORMAT,
	VA, /* from here on in pages */
	SIZE,
	ARG,
	END,
	FIELDS,
};

#define HAS(field) (1u << (field))
#define RANGE      (HAS(SPACE) | HAS(VA) | HAS(SIZE))
#define ATTRS      (HAS(ATTR) | HAS(ATTR_FORMAT))

static const uint16_t fields_of[] = {
	[SINK_NEW] = HAS(SPACE),
	[SINK_DESTROY] = HAS(SPACE),
	[SINK_MAP] = RANGE | ATTRS | HAS(ARG),
	[SINK_MAP_HUGE] = RANGE | ATTRS | HAS(FLAGS) | HAS(ARG),
	[SINK_REPLACE] = RANGE | ATTRS | HAS(ARG),
	[SINK_POPULATE] = RANGE | HAS(LEVEL),
	[SINK_UNMAP] = RANGE | HAS(FLAGS),
	[SINK_PRUNE] = RANGE | HAS(ARG) | HAS(END),
	[SINK_PROTECT] = RANGE | ATTRS | HAS(FLAGS),
	[SINK_SPLIT] = RANGE | HAS(FLAGS),
	[SINK_COPY] = RANGE | HAS(OTHER) | HAS(FLAGS),
	[SINK_MOVE] = RANGE | HAS(FLAGS) | HAS(ARG),
	[SINK_LOOK] = HAS(SPACE) | HAS(FLAGS) | HAS(VA) | HAS(ARG),
};

#define KINDS (sizeof(fields_of) / sizeof(fields_of[0]))

uint32_t flat_checksum(uint32_t sum, const uint8_t *bytes, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 0x01000193u;
	return sum;
}

static void put_number(uint8_t *out, uint64_t number, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		out[i] = (uint8_t)(number >> 8 * i);
}

static uint64_t get_number(const uint8_t *bytes, unsigned count)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < count; i++)
		number |= (uint64_t)bytes[i] << 8 * i;
	return number;
}

void flat_put_header(uint8_t out[FLAT_HEADER], const struct flat_header *header)
{
	memcpy(out, magic, 8);
	memcpy(out + 8, header->format, FLAT_NAME);
	put_number(out + 40, header->bytes, 8);
	put_number(out + 48, header->records, 8);
	put_number(out + 56, header->spaces, 4);
	put_number(out + 60, header->checksum, 4);
}

const char *flat_get_header(const uint8_t *bytes, uint64_t size, struct flat_header *header)
{
	if (size < FLAT_HEADER || memcmp(bytes, magic, 8) != 0)
		return "this is no flattened trace of version 1";
	memcpy(header->format, bytes + 8, FLAT_NAME);
	header->bytes = get_number(bytes + 40, 8);
	header->records = get_number(bytes + 48, 8);
	header->spaces = (uint32_t)get_number(bytes + 56, 4);
	header->checksum = (uint32_t)get_number(bytes + 60, 4);
	if (header->format[FLAT_NAME - 1])
		return "the format's name has no end";
	if (header->bytes > size - FLAT_HEADER)
		return "records are missing";
	if (flat_checksum(FLAT_CHECKSUM_START, bytes + FLAT_HEADER, header->bytes) !=
	    header->checksum)
		return "the records are not those that were written";
	return NULL;
}

static uint64_t field_of(const struct sink_op *op, enum field field)
{
	const uint64_t all[FIELDS] = {op->space, op->other, op->level, op->flags, op->attr.flags,
		op->attr.format, op->va, op->size, op->arg, op->end};

	return all[field];
}

/* LEB128: seven bits a byte, the lowest first. */
static unsigned put_varying(uint8_t *out, uint64_t number)
{
	unsigned count = 0;

	for (; number >= 128; number >>= 7)
		out[count++] = (uint8_t)(number | 128);
	out[count++] = (uint8_t)number;
	return count;
}

unsigned flat_put(uint8_t out[FLAT_RECORD], const struct sink_op *op, unsigned page_shift)
{
	unsigned count = 0;

	out[count++] = op->kind;
	for (unsigned f = 0; f < FIELDS; f++) {
		uint64_t number = field_of(op, f);

		if (!(fields_of[op->kind] & HAS(f)))
			continue;
		if (f >= VA) {
			if (number & ((UINT64_C(1) << page_shift) - 1))
				return 0;
			number >>= page_shift;
		}
		count += put_varying(out + count, number);
	}
	return count;
}

static bool get_varying(struct flat_reader *reader, uint64_t *number)
{
	*number = 0;
	for (unsigned shift = 0; shift < 64 && reader->next < reader->end; shift += 7) {
		uint64_t byte = *reader->next++;

		*number |= (byte & 127) << shift;
		if (byte < 128)
			return true;
	}
	return false;
}

static void set_op(struct sink_op *op, const uint64_t all[FIELDS], unsigned shift)
{
	op->space = (uint32_t)all[SPACE];
	op->other = (uint32_t)all[OTHER];
	op->task = 0;
	op->level = (uint8_t)all[LEVEL];
	op->flags = (uint16_t)all[FLAGS];
	op->attr.flags = (uint32_t)all[ATTR];
	op->attr.format = (uint32_t)all[ATTR_FORMAT];
	op->va = all[VA] << shift;
	op->size = all[SIZE] << shift;
	op->arg = all[ARG] << shift;
	op->end = all[END] << shift;
}

enum flat_next flat_get(struct flat_reader *reader, struct sink_op *op)
{
	uint64_t all[FIELDS] = {0};

	if (!reader->records)
		return reader->next == reader->end ? FLAT_END : FLAT_BROKEN;
	if (reader->next == reader->end || *reader->next >= KINDS)
		return FLAT_BROKEN;
	reader->records--;
	op->kind = *reader->next++;
	for (unsigned f = 0; f < FIELDS; f++)
		if (fields_of[op->kind] & HAS(f) && !get_varying(reader, &all[f]))
			return FLAT_BROKEN;
	set_op(op, all, reader->page_shift);
	return FLAT_OP;
}
