/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Frames: a buddy allocator that lives in the page words. All that is known of a free block is in
 * the word of its first frame: order, and links to the next and previous block of that order, as
 * indices in the section. Free memory itself is never read or written. In front of it each CPU has
 * a magazine for each order, of frames of its own node.
 *
 * What a word says, for a block of 2^order frames:
 *   free                 head: MEMDESC_FREE, order, links    interior: 0
 *   in a magazine        0                                   0
 *   plain                head: MEMDESC_PLAIN, order          0
 *   typed                the memdesc, in all of them
 */
#include "core/buddy.h"
#include "core/defects.h"

/* Words stored between two compiler fences: a cache line on 64-bit builds. */
#define FILL_WORDS 8u

#define ALL_NODES UINT64_MAX

/* What an allocation asks of the nodes. */
struct request {
	uint64_t prefer; /* bit n: node n is tried, from start upwards */
	uint64_t others; /* tried when these have none */
	pt_pfn max_pfn;  /* no frame above; PT_NO_PFN: no limit */
	unsigned start;
	unsigned order;
	uint32_t flags;
};

void pt_frames_insert(struct pt_memory *memory, struct pt_section *section, uint32_t index,
    uint32_t frames)
{
	range_put(memory, section, index, frames);
	section_changed(&memory->nodes[section->node], section, frames);
}

bool pt_frames_carve(struct pt_memory *memory, struct pt_section *section, uint32_t index,
    uint32_t frames)
{
	uint32_t end = index + frames;
	uint32_t head;
	uint32_t at;
	unsigned order;

	for (at = index; at < end; at = head + (1u << order)) {
		if (!block_find(memory, section, at, &head, &order))
			return false;
	}
	for (at = index; at < end; at = head + (1u << order)) {
		(void)block_find(memory, section, at, &head, &order);
		list_remove(section, head, order);
		if (head < index)
			range_put(memory, section, head, index - head);
		if (head + (1u << order) > end)
			range_put(memory, section, end, head + (1u << order) - end);
	}
	section_changed(&memory->nodes[section->node], section, -(int64_t)frames);
	return true;
}

/* --- nodes; the caller is pinned --- */

static pt_pfn node_alloc(struct pt_memory *memory, unsigned n, const struct request *request)
{
	struct pt_node *node = &memory->nodes[n];
	pt_pfn pfn;

	if (!(PT_LOAD(&node->orders, RELAXED) >> request->order))
		return PT_NO_PFN;
	port_lock(&memory->port, &node->lock);
	if (request->max_pfn >= memory->config.max_pfn - 1)
		pfn = node_take(node, request->order);
	else
		pfn = node_take_below(memory, n, request->order, request->max_pfn);
	port_unlock(&memory->port, &node->lock);
	return pfn;
}

static pt_pfn set_alloc(struct pt_memory *memory, uint64_t set, const struct request *request)
{
	unsigned nodes = memory->config.nodes;
	pt_pfn pfn = PT_NO_PFN;

	for (unsigned i = 0; i < nodes && pfn == PT_NO_PFN; i++) {
		unsigned n = (request->start + i) % nodes;

		if (set >> n & 1u)
			pfn = node_alloc(memory, n, request);
	}
	return pfn;
}

static pt_pfn nodes_alloc(struct pt_memory *memory, const struct request *request)
{
	pt_pfn pfn = set_alloc(memory, request->prefer, request);

	return pfn == PT_NO_PFN ? set_alloc(memory, request->others, request) : pfn;
}

static pt_pfn source_ask(struct pt_memory *memory, int node, const struct request *request)
{
	const struct pt_port *port = &memory->port;
	pt_pfn pfn =
	    port->frame_alloc(port->ctx, request->order, node, request->flags, request->max_pfn);

	if (pfn != PT_NO_PFN)
		PT_FETCH_ADD(&memory->source_frames, (uintptr_t)1 << request->order, RELAXED);
	return pfn;
}

/* From the embedder's own frames: the preferred nodes one by one, then any. */
static pt_pfn source_alloc(struct pt_memory *memory, const struct request *request)
{
	pt_pfn pfn = PT_NO_PFN;

	if (request->prefer == ALL_NODES)
		return source_ask(memory, -1, request);
	for (unsigned n = 0; n < memory->config.nodes && pfn == PT_NO_PFN; n++) {
		if (request->prefer >> n & 1u)
			pfn = source_ask(memory, (int)n, request);
	}
	if (pfn == PT_NO_PFN && request->others)
		pfn = source_ask(memory, -1, request);
	return pfn;
}

static void block_free(struct pt_memory *memory, struct pt_section *section, pt_pfn pfn,
    unsigned order)
{
	struct pt_node *node = &memory->nodes[section->node];

	port_lock(&memory->port, &node->lock);
	block_put(memory, section, (uint32_t)(pfn - section->first), order);
	section_changed(node, section, INT64_C(1) << order);
	port_unlock(&memory->port, &node->lock);
}

static void source_free(struct pt_memory *memory, pt_pfn pfn, unsigned order)
{
	PT_FETCH_SUB(&memory->source_frames, (uintptr_t)1 << order, RELAXED);
	memory->port.frame_free(memory->port.ctx, pfn, order);
}

/* --- magazines; the caller is pinned to cpu --- */

static bool under_pressure(const struct pt_memory *memory, const struct pt_cpu *cpu)
{
	return PT_LOAD(&memory->pressure, RELAXED) != cpu->pressure_seen;
}

static inline pt_pfn magazine_pop(const struct pt_memory *memory, struct pt_cpu *cpu,
    unsigned order)
{
	struct pt_frame_magazine *magazine;
	uint32_t count;

	if (__builtin_expect(order >= PT_MAGAZINE_ORDERS || under_pressure(memory, cpu), 0))
		return PT_NO_PFN;
	magazine = &cpu->frames[order];
	count = magazine->count;
	if (__builtin_expect(count == 0, 0))
		return PT_NO_PFN;
	PT_STORE(&magazine->count, count - 1u, RELAXED); /* statistics of other CPUs read it */
	return magazine->frames[count - 1u];
}

static inline bool magazine_push(const struct pt_memory *memory, struct pt_cpu *cpu, unsigned node,
    pt_pfn pfn, unsigned order)
{
	struct pt_frame_magazine *magazine;
	uint32_t count;

	if (__builtin_expect(order >= PT_MAGAZINE_ORDERS || under_pressure(memory, cpu), 0))
		return false;
	magazine = &cpu->frames[order];
	count = magazine->count;
	if (__builtin_expect(count >= magazine->depth || node != cpu->node, 0))
		return false;
	magazine->frames[count] = pfn;
	PT_STORE(&magazine->count, count + 1u, RELAXED);
	return true;
}

/* Fills half of a magazine, under one lock, so that its top is the lowest frame. */
static void magazine_refill(struct pt_memory *memory, struct pt_cpu *cpu, unsigned order)
{
	struct pt_frame_magazine *magazine = &cpu->frames[order];
	struct pt_node *node = &memory->nodes[cpu->node];
	uint32_t want = magazine->depth / 2u;
	uint32_t got = 0;

	if (!(PT_LOAD(&node->orders, RELAXED) >> order))
		return;
	port_lock(&memory->port, &node->lock);
	while (got < want) {
		pt_pfn pfn = node_take(node, order);

		if (pfn == PT_NO_PFN)
			break;
		magazine->frames[want - ++got] = pfn;
	}
	port_unlock(&memory->port, &node->lock);
	memmove(magazine->frames, magazine->frames + (want - got), got * sizeof(pt_pfn));
	PT_STORE(&magazine->count, got, RELAXED);
}

/* A frame from the magazine, refilled if it is empty. */
static pt_pfn magazine_alloc(struct pt_memory *memory, struct pt_cpu *cpu, unsigned order)
{
	pt_pfn pfn = magazine_pop(memory, cpu, order);

	if (pfn != PT_NO_PFN || order >= PT_MAGAZINE_ORDERS || under_pressure(memory, cpu))
		return pfn;
	magazine_refill(memory, cpu, order);
	return magazine_pop(memory, cpu, order);
}

/* Gives the oldest frames back, under one lock, until keep are left. */
static uint64_t magazine_trim(struct pt_memory *memory, struct pt_cpu *cpu, unsigned order,
    uint32_t keep)
{
	struct pt_frame_magazine *magazine = &cpu->frames[order];
	struct pt_node *node = &memory->nodes[cpu->node];
	uint32_t count = magazine->count - keep;

	port_lock(&memory->port, &node->lock);
	for (uint32_t i = 0; i < count; i++) {
		struct pt_section *section = pt_section_of(memory, magazine->frames[i]);

		block_put(memory, section, (uint32_t)(magazine->frames[i] - section->first), order);
		section_changed(node, section, INT64_C(1) << order);
	}
	port_unlock(&memory->port, &node->lock);
	memmove(magazine->frames, magazine->frames + count, keep * sizeof(pt_pfn));
	PT_STORE(&magazine->count, keep, RELAXED);
	return (uint64_t)count << order;
}

uint64_t pt_frames_drain(struct pt_memory *memory, struct pt_cpu *cpu)
{
	uint64_t frames = 0;

	for (unsigned order = 0; order < PT_MAGAZINE_ORDERS; order++) {
		if (cpu->frames[order].count)
			frames += magazine_trim(memory, cpu, order, 0);
	}
	return frames;
}

uint64_t pt_magazines_drain(struct pt_memory *memory, struct pt_cpu *cpu)
{
	uint64_t frames;

	cpu->pressure_seen = PT_LOAD(&memory->pressure, RELAXED);
	frames = pt_tables_drain(memory, cpu);
	return frames + pt_frames_drain(memory, cpu);
}

/* --- page words of an allocation --- */

/*
 * Words that lie side by side; anybody may read them, and go to the descriptor. Many at once are
 * stored plainly behind one fence, which vectorises; the compiler fence keeps each of them whole,
 * whatever the embedder's memset does.
 */
static void words_fill(struct pt_page *words, uint32_t frames, uintptr_t word)
{
	if (frames < FILL_WORDS || PT_FENCES_UNSEEN) {
		for (uint32_t i = 0; i < frames; i++)
			PT_STORE(&words[i].memdesc.v, word, RELEASE);
		return;
	}
	PT_FENCE(RELEASE);
	for (uint32_t i = 0; i < frames; i += FILL_WORDS) {
		for (uint32_t j = 0; j < FILL_WORDS; j++)
			PT_STORE_FAST(&words[i + j].memdesc.v, word);
		PT_COMPILER_FENCE();
	}
}

/* Words in the embedder's own slots, which need not lie side by side. */
static void slots_fill(struct pt_memory *memory, pt_pfn pfn, uint32_t frames, uintptr_t word)
{
	for (uint32_t i = 0; i < frames; i++) {
		struct pt_page *page = pt_page_of(memory, pfn + i);

		if (page)
			words_fill(page, 1, word);
	}
}

/* The first frame of a block without descriptor tells its order; the others say nothing. */
static uintptr_t plain_word(unsigned order)
{
	if (PT_DEFECT(7))
		return MEMDESC_PLAIN | order;
	return MEMDESC_PLAIN | (uintptr_t)order << ORDER_AT;
}

static void words_stamp(struct pt_memory *memory, struct pt_page *page, pt_pfn pfn, unsigned order,
    uintptr_t word)
{
	uint32_t frames = PT_DEFECT(3) ? 1u : 1u << order;

	if (__builtin_expect(memory->port.memdesc_slot != NULL, 0))
		slots_fill(memory, pfn, frames, word);
	else
		words_fill(page, frames, word);
	if (PT_DEFECT(4) && word && frames > 1)
		words_fill(page + 1, frames - 1u, plain_word(0));
}

/*
 * Says in the words what new frames are; pinned, so that on this CPU nothing can come before it.
 * PT_NO_PFN stays what it is.
 */
static inline pt_pfn stamp(struct pt_memory *memory, pt_pfn pfn, unsigned order, memdesc_t memdesc)
{
	struct pt_page *page;

	if (__builtin_expect(pfn == PT_NO_PFN, 0))
		return pfn;
	page = pt_page_of(memory, pfn);
	PT_ASSERT(memory, memdesc.v == 0 || memdesc_type(memdesc) > MEMDESC_PLAIN,
	    PT_STOP_BAD_MEMDESC, page);
	if (__builtin_expect(!page, 0)) {
		/* The embedder gave frames that it has no words for. */
		source_free(memory, pfn, order);
		return PT_NO_PFN;
	}
	if (memdesc_type(memdesc) == MEMDESC_NONE)
		PT_STORE(&page->memdesc.v, plain_word(order), RELAXED);
	else
		words_stamp(memory, page, pfn, order, memdesc.v);
	return pfn;
}

static inline void clear(struct pt_memory *memory, struct pt_page *page, pt_pfn pfn, unsigned order)
{
	unsigned type = (unsigned)(PT_LOAD(&page->memdesc.v, RELAXED) & MEMDESC_TYPE_MASK);

	if (type == MEMDESC_PLAIN)
		PT_STORE(&page->memdesc.v, MEMDESC_NONE, RELAXED);
	else if (!PT_DEFECT(6))
		words_stamp(memory, page, pfn, order, MEMDESC_NONE);
}

#ifdef PT_HARDENED
/* A block's without descriptor, which may be larger than any free one, and has no links. */
static unsigned plain_order(uintptr_t word)
{
	return (unsigned)(word >> ORDER_AT) & 31u;
}

static uintptr_t word_at(const struct pt_memory *memory, pt_pfn pfn)
{
	const struct pt_page *page = pt_page_of(memory, pfn);

	return page ? PT_LOAD(&page->memdesc.v, RELAXED) : MEMDESC_NONE;
}

/* Types whose descriptor is of one allocation only: equal words side by side are one block. */
static bool type_is_ours(unsigned type)
{
	return type == MEMDESC_SLAB || type == MEMDESC_FRAGS || type == MEMDESC_PAGE_TABLE;
}

/*
 * All words of a typed block must say the same. If from one power of two on none does, the block
 * was allocated with a smaller order; else somebody changed a word.
 */
static void check_typed(const struct pt_memory *memory, pt_pfn pfn, unsigned order, uintptr_t word)
{
	uint64_t frames = UINT64_C(1) << order;
	uint64_t same = 1;
	uint64_t equal = 1;

	while (same < frames && word_at(memory, pfn + same) == word)
		same++;
	for (uint64_t i = 1; i < frames; i++)
		equal += word_at(memory, pfn + i) == word;
	PT_ASSERT(memory, equal == same, PT_STOP_BAD_MEMDESC, (void *)word);
	PT_ASSERT(memory, same == frames || (same & (same - 1)) == 0, PT_STOP_BAD_MEMDESC,
	    (void *)word);
	PT_ASSERT(memory, same == frames, PT_STOP_BAD_ORDER, (void *)word);
	if (!type_is_ours(word & MEMDESC_TYPE_MASK))
		return;
	PT_ASSERT(memory, word_at(memory, pfn + frames) != word, PT_STOP_BAD_ORDER, (void *)word);
	PT_ASSERT(memory, word_at(memory, pfn - 1) != word, PT_STOP_BAD_ORDER, (void *)word);
}

static void check_free(const struct pt_memory *memory, pt_pfn pfn, unsigned order)
{
	const struct pt_page *page = pt_page_of(memory, pfn);
	uintptr_t word = word_at(memory, pfn);
	unsigned type = word & MEMDESC_TYPE_MASK;

	if (PT_DEFECT(45))
		return;
	PT_ASSERT(memory, order <= PT_MAX_ORDER, PT_STOP_BAD_ORDER, page);
	PT_ASSERT(memory, pfn % (UINT64_C(1) << order) == 0, PT_STOP_BAD_ORDER, page);
	PT_ASSERT(memory, page != NULL, PT_STOP_BAD_MEMDESC, page);
	PT_ASSERT(memory, type != MEMDESC_NONE && type != MEMDESC_FREE, PT_STOP_DOUBLE_FREE, page);
	PT_ASSERT(memory, type != MEMDESC_RESERVED, PT_STOP_BAD_MEMDESC, page);
	if (type == MEMDESC_PLAIN)
		PT_ASSERT(memory, plain_order(word) == order, PT_STOP_BAD_ORDER, page);
	else
		check_typed(memory, pfn, order, word);
}
#else
static inline void check_free(const struct pt_memory *memory, pt_pfn pfn, unsigned order)
{
	(void)memory;
	(void)pfn;
	(void)order;
}
#endif

/* --- allocation --- */

static bool servable(const struct pt_memory *memory, uint32_t flags, unsigned order)
{
	if (PT_LOAD(&memory->stage, RELAXED) != PT_STAGE_ONLINE || flags & ~(uint32_t)PT_THIS_NODE)
		return false;
	return order <= pt_largest_order(memory);
}

/* A request for the memory nearest to a CPU. */
static struct request request_near(unsigned node, uint32_t flags, unsigned order)
{
	struct request request = {
		.prefer = flags & PT_THIS_NODE ? UINT64_C(1) << node : ALL_NODES,
		.max_pfn = PT_NO_PFN,
		.start = node,
		.order = order,
		.flags = flags,
	};

	return request;
}

/* Past the magazines; when there is nothing, everybody gives back what it keeps. Pinned. */
static pt_pfn alloc_hard(struct pt_memory *memory, struct pt_cpu *cpu,
    const struct request *request)
{
	pt_pfn pfn;

	if (!servable(memory, request->flags, request->order))
		return PT_NO_PFN;
	if (under_pressure(memory, cpu))
		(void)pt_magazines_drain(memory, cpu);
	pfn =
	    memory->port.frame_alloc ? source_alloc(memory, request) : nodes_alloc(memory, request);
	if (pfn != PT_NO_PFN)
		return pfn;
	PT_FETCH_ADD(&memory->pressure, 1, RELAXED);
	(void)pt_magazines_drain(memory, cpu);
	return memory->port.frame_alloc ? source_alloc(memory, request)
					: nodes_alloc(memory, request);
}

/* The magazine is empty, or may not be used now. Pinned. */
static __attribute__((noinline)) pt_pfn alloc_refill(struct pt_memory *memory, struct pt_cpu *cpu,
    uint32_t flags, unsigned order)
{
	struct request request = request_near(cpu->node, flags, order);
	pt_pfn pfn = PT_NO_PFN;

	if (!servable(memory, flags, order))
		return PT_NO_PFN;
	if (!memory->port.frame_alloc)
		pfn = magazine_alloc(memory, cpu, order);
	return pfn == PT_NO_PFN ? alloc_hard(memory, cpu, &request) : pfn;
}

pt_pfn memdesc_alloc_pages(struct pt_memory *memory, uint32_t flags, unsigned order,
    memdesc_t memdesc)
{
	struct pt_cpu *cpu;
	pt_pfn pfn;

	if (pt_fail_now(memory) || flags & ~(uint32_t)PT_THIS_NODE)
		return PT_NO_PFN;
	cpu = pt_pin(memory);
	pfn = magazine_pop(memory, cpu, order);
	if (__builtin_expect(pfn == PT_NO_PFN, 0))
		pfn = alloc_refill(memory, cpu, flags, order);
	if (!PT_DEFECT(16))
		pfn = stamp(memory, pfn, order, memdesc);
	pt_unpin(memory);
	if (PT_DEFECT(16))
		pfn = stamp(memory, pfn, order, memdesc);
	return pfn;
}

/* Any request, pinned meanwhile. */
static pt_pfn alloc_request(struct pt_memory *memory, const struct request *request,
    memdesc_t memdesc)
{
	struct pt_cpu *cpu;
	pt_pfn pfn;

	if (pt_fail_now(memory))
		return PT_NO_PFN;
	cpu = pt_pin(memory);
	pfn = alloc_hard(memory, cpu, request);
	pfn = stamp(memory, pfn, request->order, memdesc);
	pt_unpin(memory);
	return pfn;
}

pt_pfn memdesc_alloc_pages_node(struct pt_memory *memory, uint32_t flags, unsigned order,
    memdesc_t memdesc, unsigned node)
{
	struct request request;

	if (node >= memory->config.nodes)
		return PT_NO_PFN;
	request = request_near(node, flags, order);
	if (!(flags & PT_THIS_NODE)) {
		request.prefer = UINT64_C(1) << node;
		request.others = ~request.prefer;
	}
	return alloc_request(memory, &request, memdesc);
}

pt_pfn memdesc_alloc_pages_many(struct pt_memory *memory, uint32_t flags, unsigned order,
    memdesc_t memdesc, uint64_t nodes)
{
	struct request request = request_near(0, 0, order);

	request.flags = flags;
	request.prefer = nodes;
	request.others = flags & PT_THIS_NODE ? 0 : ~nodes;
	return alloc_request(memory, &request, memdesc);
}

static unsigned home_node(const struct pt_memory *memory)
{
	unsigned node = pt_pin(memory)->node;

	pt_unpin(memory);
	return node;
}

pt_pfn memdesc_alloc_pages_below(struct pt_memory *memory, uint32_t flags, unsigned order,
    memdesc_t memdesc, pt_pfn max_pfn)
{
	struct request request;

	if (!memory->port.frame_alloc && max_pfn >= memory->config.max_pfn - 1)
		return memdesc_alloc_pages(memory, flags, order, memdesc);
	request = request_near(home_node(memory), flags, order);
	request.max_pfn = max_pfn;
	return alloc_request(memory, &request, memdesc);
}

pt_pfn pt_frames_alloc_pinned(struct pt_memory *memory, struct pt_cpu *cpu, uint32_t flags,
    unsigned order, memdesc_t memdesc, pt_pfn max_pfn)
{
	struct request request = request_near(cpu->node, flags, order);
	pt_pfn pfn = PT_NO_PFN;

	if (pt_fail_now(memory) || !servable(memory, flags, order))
		return PT_NO_PFN;
	request.max_pfn = max_pfn;
	if (memory->port.frame_alloc) {
		pfn = source_alloc(memory, &request);
	} else {
		if (max_pfn >= memory->config.max_pfn - 1)
			pfn = magazine_alloc(memory, cpu, order);
		if (pfn == PT_NO_PFN)
			pfn = nodes_alloc(memory, &request);
	}
	return stamp(memory, pfn, order, memdesc);
}

/* --- free --- */

void pt_frames_free_pinned(struct pt_memory *memory, pt_pfn pfn, unsigned order)
{
	struct pt_page *page = pt_page_of(memory, pfn);

	check_free(memory, pfn, order);
	if (!page)
		return;
	clear(memory, page, pfn, order);
	if (memory->port.frame_alloc)
		source_free(memory, pfn, order);
	else
		block_free(memory, pt_section_of(memory, pfn), pfn, order);
}

/* The magazine is full, of another node, or to be drained. Pinned. */
static __attribute__((noinline)) void free_trim(struct pt_memory *memory, struct pt_cpu *cpu,
    struct pt_section *section, pt_pfn pfn, unsigned order)
{
	if (under_pressure(memory, cpu))
		(void)pt_magazines_drain(memory, cpu);
	else if (order < PT_MAGAZINE_ORDERS && section->node == cpu->node)
		(void)magazine_trim(memory, cpu, order, cpu->frames[order].depth / 2u);
	if (!magazine_push(memory, cpu, section->node, pfn, order))
		block_free(memory, section, pfn, order);
}

void memdesc_free_pages(struct pt_memory *memory, pt_pfn pfn, unsigned order)
{
	struct pt_section *section;
	struct pt_cpu *cpu;

	if (PT_DEFECT(45))
		order = 0;
	if (PT_DEFECT(11)) /* the reference count of frozen frames is 0, and never becomes 0 */
		return;
	if (__builtin_expect(memory->port.frame_alloc != NULL, 0)) {
		pt_frames_free_pinned(memory, pfn, order);
		return;
	}
	check_free(memory, pfn, order);
	section = pt_section_of(memory, pfn);
	if (__builtin_expect(!section, 0))
		return;
	clear(memory, &section->words[pfn - section->first], pfn, order);
	cpu = pt_pin(memory);
	if (__builtin_expect(!magazine_push(memory, cpu, section->node, pfn, order), 0))
		free_trim(memory, cpu, section, pfn, order);
	pt_unpin(memory);
}
