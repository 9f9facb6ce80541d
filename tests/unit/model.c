/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The model itself: made, ended, its numbers, its addresses, and what happens when it is not met.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/model.h"

const struct model_mode model_modes[MODEL_MODES] = {
	{"plain", 0},
	{"mmu", PT_SPACE_MMU},
	{"kernel", PT_SPACE_MMU | PT_SPACE_KERNEL},
};

const char *model_mode_name(uint32_t flags)
{
	for (size_t i = 0; i < MODEL_MODES; i++)
		if (model_modes[i].flags == flags)
			return model_modes[i].name;
	return "?";
}

/* A number made of as many of the bytes as it takes; 0 when there are none left. */
static uint64_t from_bytes(struct model *m, uint64_t below)
{
	uint64_t n = 0;

	for (uint64_t rest = below - 1; rest && m->left; rest >>= 8, m->left--)
		n = n << 8 | *m->bytes++;
	return n % below;
}

uint64_t model_random(struct model *m, uint64_t below)
{
	if (m->bytes)
		return from_bytes(m, below);
	m->rng ^= m->rng >> 12;
	m->rng ^= m->rng << 25;
	m->rng ^= m->rng >> 27;
	return (m->rng * UINT64_C(2685821657736338717) >> 16) % below;
}

bool model_chance(struct model *m, unsigned percent)
{
	return model_random(m, 100) < percent;
}

void model_fail(const struct model *m, const char *format, ...)
{
	va_list args;

	printf("not ok - model: %s %s, operation %llu: %s\n# ", m->format->name,
	    model_mode_name(m->flags), (unsigned long long)m->ops, m->what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	if (!m->bytes)
		printf("\n# again: --format %s --%s --seed %llu --ops %llu --trace",
		    m->format->name, model_mode_name(m->flags), (unsigned long long)m->seed,
		    (unsigned long long)m->ops);
	putchar('\n');
	fflush(stdout);
	exit(1);
}

uint64_t model_page_size(const struct model *m)
{
	return UINT64_C(1) << m->format->page_shift;
}

uint64_t model_va(const struct model *m, unsigned page)
{
	return m->window[page / m->window_pages] + page % m->window_pages * model_page_size(m);
}

uint64_t model_slot_pages(const struct model *m, unsigned level)
{
	return UINT64_C(1) << (pt_format_shift(m->format, level) - m->format->page_shift);
}

bool model_leaf(const struct model *m, unsigned s, unsigned page, struct ref_result *leaf,
    struct span *pages)
{
	uint64_t n;

	pages->first = page;
	pages->count = 1;
	if (soft_mmu_walk(&m->mmu, &m->space[s], model_va(m, page), leaf) != REF_OK)
		return false;
	n = (m->flags & PT_SPACE_MMU ? leaf->run_size : leaf->size) / model_page_size(m);
	pages->first = page - (unsigned)(model_va(m, page) / model_page_size(m) % n);
	pages->count = (unsigned)n;
	return true;
}

/* All attributes of small parts of what the format says that it can say. */
static void choose_attrs(struct model *m)
{
	static const uint32_t rights[] = {PT_READ, PT_READ | PT_WRITE, PT_READ | PT_EXEC,
		PT_READ | PT_WRITE | PT_EXEC | PT_USER, PT_READ | PT_WRITE | PT_USER, PT_EXEC};
	static const uint32_t others[] = {0, 0, PT_GLOBAL, PT_SOFT, PT_ACCESSED,
		PT_ACCESSED | PT_DIRTY, PT_TYPE_UNCACHED << PT_ATTR_TYPE_AT,
		PT_TYPE_WRITE_COMBINING << PT_ATTR_TYPE_AT, 3u << PT_ATTR_KEY_AT};
	uint64_t entry;

	for (size_t r = 0; r < sizeof(rights) / sizeof(rights[0]); r++) {
		for (size_t o = 0; o < sizeof(others) / sizeof(others[0]); o++) {
			pt_attr a = {rights[r] | others[o], o == 1 ? m->format->format_attrs : 0};
			bool all = true;

			for (unsigned l = 0; l < m->format->levels; l++)
				all &= !(m->format->leaves >> l & 1) ||
				       !pt_entry_encode(m->format, pt_make_pa(0), l, a, 0, &entry);
			if (all && m->attrs < MODEL_ATTRS)
				m->attr[m->attrs++] = a;
		}
	}
}

/* Where addresses are taken from: all there are, or the edges of the space and of upper tables. */
static void choose_windows(struct model *m)
{
	unsigned bits = m->format->va_bits;
	uint64_t half = UINT64_C(1) << (bits - 1);
	uint64_t size;

	if (m->format->flags & PT_FORMAT_FAKE) {
		bool two = m->format->flags & PT_FORMAT_SIGNED;

		m->windows = two ? 2 : 1;
		m->window_pages = (unsigned)((two ? half : 2 * half) >> m->format->page_shift);
		m->window[1] = ~UINT64_C(0) - half + 1;
	} else {
		bool two = m->format->flags & PT_FORMAT_SIGNED;

		/* No two windows below one entry of a root of four. */
		m->windows = m->format->bits[m->format->levels - 1u] > 2 ? 4 : 3;
		m->window_pages = 2u << m->format->bits[0];
		size = m->window_pages * model_page_size(m);
		m->window[0] = 0;
		m->window[1] = (two ? 0 : 2 * half) - size;
		m->window[2] = (two ? half / 2 : half) - size / 2;
		m->window[3] = (two ? half : half / 2) - size;
	}
	m->pages = m->windows * m->window_pages;
}

static void *table_of(size_t count, size_t size)
{
	void *at = calloc(count, size);

	if (!at)
		exit(2);
	return at;
}

void model_open(struct model *m, const struct pt_format *format, uint32_t flags)
{
	bool small = format->page_shift < 12;

	memset(m, 0, sizeof(*m));
	m->format = format;
	m->flags = flags;
	choose_attrs(m);
	choose_windows(m);
	test_port_open(&m->port, format->page_shift, small ? 8 : 2, small ? 12 : 8, 8);
	soft_mmu_init(&m->mmu, &m->port, format);
	m->want.frame = table_of(m->pages, sizeof(*m->want.frame));
	m->got.frame = table_of(m->pages, sizeof(*m->got.frame));
	for (unsigned s = 0; s < MODEL_SPACES; s++) {
		m->page[s] = table_of(m->pages, sizeof(*m->page[s]));
		if (pt_space_init(&m->space[s], m->port.memory, format, flags, &m->space[s]))
			model_fail(m, "pt_space_init");
		soft_mmu_attach(&m->mmu, &m->space[s]);
	}
}

void model_close(struct model *m)
{
	struct pt_leaks leaks;

	for (unsigned s = 0; s < MODEL_SPACES; s++) {
		if (pt_space_destroy(&m->space[s], NULL))
			model_fail(m, "pt_space_destroy at the end");
		soft_mmu_detach(&m->mmu, &m->space[s]);
		free(m->page[s]);
	}
	free(m->want.frame);
	free(m->got.frame);
	if (test_port_close(&m->port, &leaks))
		model_fail(m, "leaks: %llu frames, %llu tables, %llu objects",
		    (unsigned long long)leaks.frames, (unsigned long long)leaks.tables,
		    (unsigned long long)leaks.objects);
}
