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
	for (size_t i = 0; i < width; i++) {
		uint64_t bit = raw >> (width - 1 - i) & 1;
		uint64_t *value = &fields->value[picture[i] & 63];

		if (picture[i] != '.')
			*value = 2 * *value + bit;
		else if (bit)
			return false;
	}
	return true;
}
