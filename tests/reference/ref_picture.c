/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stddef.h>

#include "tests/reference/ref_picture.h"

bool ref_take_apart(const char *picture, uint64_t raw, struct ref_fields *fields)
{
	size_t width = 0;

	for (size_t i = 0; i < 64; i++)
		fields->value[i] = 0;
	while (picture[width])
		width++;
	for (size_t i = 0, end; i < width; i = end) {
		uint64_t *value = &fields->value[picture[i] & 63];
		uint64_t bits;

		for (end = i + 1; picture[end] == picture[i];)
			end++;
		bits = raw >> (width - end) & ((UINT64_C(1) << (end - i)) - 1);
		if (picture[i] != '.')
			*value = *value << (end - i) | bits;
		else if (bits)
			return false;
	}
	return true;
}
