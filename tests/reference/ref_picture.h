/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Entries as pictures: a string with one character for each bit, the highest first. The bits under
 * one letter, read from left to right, are that field; a dot is reserved and 0.
 */
#ifndef TESTS_REFERENCE_REF_PICTURE_H
#define TESTS_REFERENCE_REF_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

struct ref_fields {
	uint64_t value[64]; /* by letter; fields that are not in the picture are 0 */
};

static inline uint64_t ref_field(const struct ref_fields *fields, char letter)
{
	return fields->value[letter & 63];
}

/* Takes an entry apart. False: a reserved bit is set. */
bool ref_take_apart(const char *picture, uint64_t raw, struct ref_fields *fields);

#endif
