/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What can be asked of a format without a space. */
#include <ptdesc/format.h>
#include "space/ops.h"

static bool same_name(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const struct pt_format *pt_format_find(const char *name)
{
	for (unsigned i = 0; name && pt_formats[i]; i++)
		if (same_name(pt_formats[i]->name, name))
			return pt_formats[i];
	return NULL;
}

int pt_entry_decode(const struct pt_format *format, uint64_t entry, unsigned level,
    struct pt_entry_info *info)
{
	if (!format || !info || level >= format->levels)
		return -PT_EINVAL;
	return format->ops->decode(entry, level, info);
}

int pt_entry_encode(const struct pt_format *format, pt_pa pa, unsigned level, pt_attr attr,
    uint32_t flags, uint64_t *entry)
{
	if (!format || !entry || flags & ~(uint32_t)PT_RELAX || level >= format->levels ||
	    !(format->leaves >> level & 1))
		return -PT_EINVAL;
	if (format->pa_bits < 64 && pa.v >> format->pa_bits)
		return -PT_EPA;
	return format->ops->encode(pa.v, level, attr, flags, entry);
}
