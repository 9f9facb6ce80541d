/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/replay/shadow.h"

#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

/* Position of the first region whose index is not below. */
static size_t lower(const struct shadow *shadow, uint64_t index)
{
	size_t low = 0;
	size_t high = shadow->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (shadow->at[mid]->index < index)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct region *shadow_find(struct shadow *shadow, uint64_t va)
{
	uint64_t index = va >> shadow_region_shift(shadow);
	size_t at = shadow->last;

	if (at >= shadow->count || shadow->at[at]->index != index) {
		at = lower(shadow, index);
		if (at == shadow->count || shadow->at[at]->index != index)
			return NULL;
		shadow->last = at;
	}
	return shadow->at[at];
}

struct region *shadow_make(struct shadow *shadow, uint64_t va)
{
	struct region *region = shadow_find(shadow, va);
	size_t at;

	if (region)
		return region;
	shadow->at = (struct region **)tool_grow((void *)shadow->at, &shadow->room,
	    shadow->count + 1, sizeof(*shadow->at));
	region = tool_alloc(sizeof(*region));
	region->index = va >> shadow_region_shift(shadow);
	at = lower(shadow, region->index);
	memmove((void *)&shadow->at[at + 1], (void *)&shadow->at[at],
	    (shadow->count - at) * sizeof(*shadow->at));
	shadow->at[at] = region;
	shadow->count++;
	shadow->last = at;
	return region;
}

size_t shadow_from(const struct shadow *shadow, uint64_t va)
{
	return lower(shadow, va >> shadow_region_shift(shadow));
}

static bool is_bare(const struct region *region)
{
	return region->huge == REGION_SMALL && !region_any_page(region);
}

void shadow_tidy(struct shadow *shadow)
{
	size_t kept = 0;

	for (size_t i = 0; i < shadow->count; i++) {
		if (is_bare(shadow->at[i]))
			free(shadow->at[i]);
		else
			shadow->at[kept++] = shadow->at[i];
	}
	shadow->count = kept;
	shadow->last = 0;
}

void shadow_free(struct shadow *shadow)
{
	for (size_t i = 0; i < shadow->count; i++)
		free(shadow->at[i]);
	free((void *)shadow->at);
	*shadow = (struct shadow){.page_shift = shadow->page_shift};
}
