/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tables in a memory of frames: the hot and the cold way of core/table.c, core/frame.c and
 * core/slab.c, without what has no part in the question (classes, nodes, irq, failing on purpose,
 * the tables' own memory). Compiled twice: SEPARATE 1, a word for each frame that points to a
 * descriptor of its own, from a slab; SEPARATE 0, the descriptor is the frame's 64 bytes in one
 * array. NAME(x) makes the names of each.
 */

/* What is kept for each frame. */
struct NAME(page) {
	uint64_t word; /* free head: order and links; table: its descriptor */
#if !SEPARATE
	struct desc desc;
#endif
};

#if SEPARATE
PT_STATIC_ASSERT(sizeof(struct NAME(page)) == 8, "one word");
#else
PT_STATIC_ASSERT(sizeof(struct NAME(page)) == DESC_BYTES, "as in Linux today");
#endif

struct NAME(memory) {
	uint64_t frames;
	struct NAME(page) * pages;
	char *arena;   /* for slabs; the tables in it are never touched */
	uint32_t lock; /* of the free lists */
	uint32_t slab_lock;
	uint32_t orders; /* bit k: head[k] is one of a ring of free blocks */
	uint32_t head[ORDERS];
	struct slab *partial;
	struct slab *full;
	uint64_t tables;
	uint32_t count; /* ready tables */
	struct desc *ready[MAGAZINE];
};

/* --- free blocks, as in core/frame.c ---------------------------------------------------------- */

static void NAME(link)(struct NAME(memory) * m, unsigned order, uint32_t prev, uint32_t next)
{
	m->pages[prev].word = free_word(order, next, word_prev(m->pages[prev].word));
	m->pages[next].word = free_word(order, word_next(m->pages[next].word), prev);
}

static void NAME(list_add)(struct NAME(memory) * m, uint32_t index, unsigned order)
{
	m->pages[index].word = free_word(order, index, index);
	if (m->orders >> order & 1u) {
		uint32_t next = m->head[order];
		uint32_t prev = word_prev(m->pages[next].word);

		NAME(link)(m, order, prev, index);
		NAME(link)(m, order, index, next);
	}
	m->head[order] = index;
	m->orders |= 1u << order;
}

static void NAME(list_remove)(struct NAME(memory) * m, uint32_t index, unsigned order)
{
	uint64_t word = m->pages[index].word;
	uint32_t next = word_next(word);

	if (next == index) {
		m->orders &= ~(1u << order);
	} else {
		NAME(link)(m, order, word_prev(word), next);
		m->head[order] = next;
	}
	m->pages[index].word = 0;
}

static uint32_t NAME(frame_alloc)(struct NAME(memory) * m)
{
	unsigned order;
	uint32_t index;

	spin_lock(&m->lock);
	if (!m->orders)
		bench_die("overlay: no frames");
	order = (unsigned)__builtin_ctz(m->orders);
	index = m->head[order];
	NAME(list_remove)(m, index, order);
	while (order) {
		order--;
		NAME(list_add)(m, index + (1u << order), order);
	}
	spin_unlock(&m->lock);
	return index;
}

static void NAME(frame_free)(struct NAME(memory) * m, uint32_t index)
{
	unsigned order = 0;

	PT_STORE(&m->pages[index].word, 0, RELEASE);
	spin_lock(&m->lock);
	for (; order < ORDERS - 1; order++) {
		uint32_t buddy = index ^ 1u << order;

		if (!is_free_head(m->pages[buddy].word, order))
			break;
		NAME(list_remove)(m, buddy, order);
		index &= ~(1u << order);
	}
	NAME(list_add)(m, index, order);
	spin_unlock(&m->lock);
}

/* --- descriptors: the only part that differs -------------------------------------------------- */

#if SEPARATE

/* A frame of 64 descriptors; the slab's own descriptor is out of line, its pointer in the word. */
static void NAME(slab_make)(struct NAME(memory) * m)
{
	struct slab *slab = bench_memory(sizeof(*slab));

	slab->frame = NAME(frame_alloc)(m);
	slab->free = ~UINT64_C(0);
	m->pages[slab->frame].word = (uint64_t)(uintptr_t)slab | MEMDESC_SLAB;
	slab_list_add(&m->partial, slab);
}

static struct desc *NAME(desc_alloc)(struct NAME(memory) * m, uint32_t frame)
{
	struct slab *slab;
	struct desc *d;
	unsigned i;

	if (!m->partial)
		NAME(slab_make)(m);
	spin_lock(&m->slab_lock);
	slab = m->partial;
	i = (unsigned)__builtin_ctzll(slab->free);
	slab->free &= slab->free - 1;
	if (!slab->free) {
		slab_list_remove(&m->partial, slab);
		slab_list_add(&m->full, slab);
	}
	spin_unlock(&m->slab_lock);
	d = (struct desc *)(void *)(m->arena + (uint64_t)slab->frame * PAGE + i * DESC_BYTES);
	d->word = frame;
	m->pages[frame].word = (uint64_t)(uintptr_t)d | MEMDESC_PAGE_TABLE;
	return d;
}

static void NAME(desc_free)(struct NAME(memory) * m, struct desc *d)
{
	uint64_t pa = (uint64_t)((char *)d - m->arena);
	struct slab *slab = (struct slab *)(uintptr_t)(m->pages[pa / PAGE].word - MEMDESC_SLAB);

	spin_lock(&m->slab_lock);
	if (!slab->free) {
		slab_list_remove(&m->full, slab);
		slab_list_add(&m->partial, slab);
	}
	slab->free |= UINT64_C(1) << pa % PAGE / DESC_BYTES;
	spin_unlock(&m->slab_lock);
}

static uint32_t NAME(frame_of)(const struct NAME(memory) * m, const struct desc *d)
{
	(void)m;
	return (uint32_t)d->word;
}

static inline struct desc *NAME(find)(const struct NAME(memory) * m, uint64_t pa)
{
	uint64_t word = PT_LOAD(&m->pages[pa / PAGE].word, ACQUIRE);

	return (struct desc *)(uintptr_t)(word - MEMDESC_PAGE_TABLE);
}

#else

static struct desc *NAME(desc_alloc)(struct NAME(memory) * m, uint32_t frame)
{
	m->pages[frame].word = MEMDESC_PAGE_TABLE;
	return &m->pages[frame].desc;
}

static void NAME(desc_free)(struct NAME(memory) * m, struct desc *d)
{
	(void)m;
	(void)d;
}

static uint32_t NAME(frame_of)(const struct NAME(memory) * m, const struct desc *d)
{
	const char *page = (const char *)d - offsetof(struct NAME(page), desc);

	return (uint32_t)((const struct NAME(page) *)(const void *)page - m->pages);
}

static inline struct desc *NAME(find)(const struct NAME(memory) * m, uint64_t pa)
{
	return &m->pages[pa / PAGE].desc;
}

#endif

/* --- tables, as in core/table.c --------------------------------------------------------------- */

static struct desc *NAME(build)(struct NAME(memory) * m)
{
	return NAME(desc_alloc)(m, NAME(frame_alloc)(m));
}

static void NAME(destroy)(struct NAME(memory) * m, struct desc *d)
{
	uint32_t frame = NAME(frame_of)(m, d);

	NAME(frame_free)(m, frame);
	PT_STORE(&d->lock, 0, RELAXED);
	NAME(desc_free)(m, d);
}

static __attribute__((noinline)) void NAME(refill)(struct NAME(memory) * m)
{
	while (m->count < MAGAZINE / 2)
		m->ready[m->count++] = NAME(build)(m);
}

static __attribute__((noinline)) void NAME(trim)(struct NAME(memory) * m)
{
	for (uint32_t i = 0; i < MAGAZINE / 2; i++)
		NAME(destroy)(m, m->ready[i]);
	for (uint32_t i = MAGAZINE / 2; i < m->count; i++)
		m->ready[i - MAGAZINE / 2] = m->ready[i];
	m->count -= MAGAZINE / 2;
}

static inline struct desc *NAME(alloc)(struct NAME(memory) * m)
{
	struct desc *d;

	if (__builtin_expect(m->count == 0, 0))
		NAME(refill)(m);
	d = m->ready[m->count - 1];
	PT_STORE(&m->count, m->count - 1, RELAXED);
	desc_reset(d);
	PT_STORE(&m->tables, m->tables + 1, RELAXED);
	return d;
}

static inline void NAME(free)(struct NAME(memory) * m, struct desc *d)
{
	PT_STORE(&d->dead, 1, RELAXED);
	PT_STORE(&m->tables, m->tables - 1, RELAXED);
	if (__builtin_expect(m->count == MAGAZINE, 0))
		NAME(trim)(m);
	m->ready[m->count] = d;
	PT_STORE(&m->count, m->count + 1, RELAXED);
}

/* --- the rows --------------------------------------------------------------------------------- */

struct NAME(state) {
	struct NAME(memory) m;
	size_t mapped; /* bytes of pages */
	uint64_t *pa;  /* of the tables, in random order */
};

/* Tables that are side by side, or, on a machine that has been up for long, anywhere. */
static void NAME(make_tables)(struct NAME(state) * s, bool aged)
{
	uint64_t random = 88172645463325252u;
	uint64_t every = aged ? s->m.frames / (TABLES + TABLES / 16) : 1;
	uint64_t skip = 0;

	s->pa = bench_memory(TABLES * sizeof(*s->pa));
	for (uint64_t i = 0; i < TABLES; i++) {
		for (; skip; skip--)
			(void)NAME(frame_alloc)(&s->m);
		s->pa[i] = (uint64_t)NAME(frame_of)(&s->m, NAME(build)(&s->m)) * PAGE;
		skip = every > 1 ? bench_random(&random) % (2 * every - 1) : 0;
	}
	shuffle(s->pa, TABLES);
}

static void *NAME(open)(unsigned arg)
{
	struct NAME(state) *s = bench_memory(sizeof(*s));

	s->m.frames = arg & AGED ? AGED_FRAMES : FRESH_FRAMES;
	s->mapped = s->m.frames * sizeof(*s->m.pages);
	s->m.pages = reserve_memory(s->mapped, true);
	s->m.arena = reserve_memory(s->m.frames * PAGE, false);
	for (uint64_t i = 0; i < s->m.frames; i += 1u << (ORDERS - 1))
		NAME(list_add)(&s->m, (uint32_t)(s->m.frames - (1u << (ORDERS - 1)) - i),
		    ORDERS - 1);
	if (arg & COLD)
		NAME(make_tables)(s, arg & AGED);
	return s;
}

static void NAME(close)(void *state)
{
	struct NAME(state) *s = state;

	free_slabs(s->m.partial);
	free_slabs(s->m.full);
	munmap(s->m.pages, s->mapped);
	munmap(s->m.arena, s->m.frames * PAGE);
	free(s->pa);
	free(s);
}

static double NAME(hot)(void *state)
{
	struct NAME(state) *s = state;
	struct bench_timer timer = {0};

	bench_start(&timer);
	for (unsigned i = 0; i < PAIRS; i++) {
		struct desc *d = NAME(alloc)(&s->m);

		BENCH_USE(d);
		NAME(free)(&s->m, d);
	}
	bench_stop(&timer);
	return bench_result(&timer, PAIRS);
}

/* All tables are freed, then made again at the same places. */
static double NAME(cold)(void *state)
{
	struct NAME(state) *s = state;
	struct bench_timer timer = {0};

	evict();
	bench_start(&timer);
	for (unsigned i = 0; i < TABLES; i++)
		NAME(free)(&s->m, NAME(find)(&s->m, s->pa[i]));
	bench_stop(&timer);
	while (s->m.count)
		NAME(destroy)(&s->m, s->m.ready[--s->m.count]);
	for (unsigned i = 0; i < TABLES; i++)
		s->pa[i] = (uint64_t)NAME(frame_of)(&s->m, NAME(build)(&s->m)) * PAGE;
	shuffle(s->pa, TABLES);
	return bench_result(&timer, TABLES);
}

static double NAME(lock)(void *state)
{
	struct NAME(state) *s = state;
	struct bench_timer timer = {0};

	evict();
	bench_start(&timer);
	for (unsigned i = 0; i < TABLES; i++) {
		struct desc *d = NAME(find)(&s->m, s->pa[i] + (i * 8u & (PAGE - 1)));

		spin_lock(&d->lock);
		spin_unlock(&d->lock);
	}
	bench_stop(&timer);
	return bench_result(&timer, TABLES);
}

#if SEPARATE
/* The page words alone, which an overlaid descriptor does without. */
static double NAME(word)(void *state)
{
	struct NAME(state) *s = state;
	struct bench_timer timer = {0};
	uint64_t sum = 0;

	evict();
	bench_start(&timer);
	for (unsigned i = 0; i < TABLES; i++)
		sum += PT_LOAD(&s->m.pages[s->pa[i] / PAGE].word, ACQUIRE);
	bench_stop(&timer);
	BENCH_USE(sum);
	return bench_result(&timer, TABLES);
}

/* The locks alone: where they are was looked up before. */
static double NAME(known)(void *state)
{
	struct NAME(state) *s = state;
	struct desc **descs = bench_memory(TABLES * sizeof(struct desc *));
	struct bench_timer timer = {0};

	for (unsigned i = 0; i < TABLES; i++)
		descs[i] = NAME(find)(&s->m, s->pa[i]);
	evict();
	bench_start(&timer);
	for (unsigned i = 0; i < TABLES; i++) {
		spin_lock(&descs[i]->lock);
		spin_unlock(&descs[i]->lock);
	}
	bench_stop(&timer);
	free(descs);
	return bench_result(&timer, TABLES);
}
#endif
