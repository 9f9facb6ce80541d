/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/ranges.h"

#include <stdlib.h>

#include "tool/tool.h"

void ranges_add(struct ranges *set, uint64_t first, uint64_t end)
{
	struct range *last;

	if (first >= end)
		return;
	if (set->count) {
		last = &set->at[set->count - 1];
		if (first <= last->end) {
			if (end > last->end)
				last->end = end;
			return;
		}
	}
	set->at = tool_grow(set->at, &set->room, set->count + 1, sizeof(*set->at));
	set->at[set->count++] = (struct range){first, end};
}

void ranges_add_regions(struct ranges *set, uint64_t start, uint64_t end, unsigned shift)
{
	if (start < end)
		ranges_add(set, start >> shift, ((end - 1) >> shift) + 1);
}

uint64_t ranges_total(const struct ranges *set)
{
	uint64_t total = 0;

	for (size_t i = 0; i < set->count; i++)
		total += set->at[i].end - set->at[i].first;
	return total;
}

uint64_t ranges_beyond(const struct ranges *a, const struct ranges *b)
{
	uint64_t beyond = 0;
	size_t j = 0;

	for (size_t i = 0; i < a->count; i++) {
		uint64_t at = a->at[i].first;
		uint64_t end = a->at[i].end;

		while (j < b->count && b->at[j].end <= at)
			j++;
		for (size_t k = j; k < b->count && b->at[k].first < end; k++) {
			if (b->at[k].first > at)
				beyond += b->at[k].first - at;
			at = b->at[k].end;
		}
		if (at < end)
			beyond += end - at;
	}
	return beyond;
}

void ranges_union(struct ranges *out, const struct ranges *a, const struct ranges *b)
{
	size_t i = 0;
	size_t j = 0;

	while (i < a->count || j < b->count) {
		const struct range *next;

		if (j == b->count || (i < a->count && a->at[i].first <= b->at[j].first))
			next = &a->at[i++];
		else
			next = &b->at[j++];
		ranges_add(out, next->first, next->end);
	}
}

void ranges_clear(struct ranges *set)
{
	set->count = 0;
}

void ranges_free(struct ranges *set)
{
	free(set->at);
	*set = (struct ranges){0};
}
