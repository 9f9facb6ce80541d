/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Object caches. Which objects of a slab are free is a bitmap in the slab's descriptor, which is an
 * object of memory->slabs. That cache's own slabs are described by their first object, which is in
 * use for as long as the slab exists: there the recursion of seed 001 (0/7) ends.
 */
#include "core/defects.h"
#include "core/lock.h"
#include "core/table.h"

#define LEAST_OBJECTS 8u
#define LEAST_BITS    128u
#define LARGEST_SIZE  (1u << 24)

#define POISON 0x6b

struct pt_slab {
	struct pt_cache *cache; /* constant */
	struct pt_slab *next;   /* list of the cache that fits the number of objects used */
	struct pt_slab *prev;
	uint64_t pfn;  /* constant */
	uint16_t used; /* objects in use, but for the slab's own descriptor */
	uint16_t hint; /* words of free below this one are 0 */
	uint32_t unused;
	uint64_t free[]; /* bit set: the object is free */
};

/*
 * Objects that a descriptor of this memory has bits for: enough for a frame of 64-byte objects,
 * so that large frames are not wasted.
 */
static uint32_t slab_bits(const struct pt_memory *memory)
{
	uint32_t bits = (1u << memory->config.page_shift) >> 6;

	return bits < LEAST_BITS ? LEAST_BITS : bits;
}

static size_t slab_size(const struct pt_memory *memory)
{
	return sizeof(struct pt_slab) + slab_bits(memory) / 8;
}

/* A slab of slab descriptors: its first object is its own descriptor. */
static bool describes_itself(const struct pt_cache *cache)
{
	return cache == &cache->memory->slabs;
}

static unsigned capacity(const struct pt_cache *cache)
{
	return cache->count - (describes_itself(cache) ? 1u : 0u);
}

static struct pt_slab **list_for(struct pt_cache *cache, const struct pt_slab *slab)
{
	if (slab->used == 0)
		return &cache->empty;
	return slab->used == capacity(cache) ? &cache->full : &cache->partial;
}

static void list_add(struct pt_slab **list, struct pt_slab *slab)
{
	slab->prev = NULL;
	slab->next = *list;
	if (slab->next)
		slab->next->prev = slab;
	*list = slab;
}

static void list_remove(struct pt_slab **list, struct pt_slab *slab)
{
	if (slab->next)
		slab->next->prev = slab->prev;
	if (slab->prev)
		slab->prev->next = slab->next;
	else
		*list = slab->next;
}

/* Changes the number of objects used, and moves the slab to the list where it now belongs. */
static void slab_count(struct pt_cache *cache, struct pt_slab *slab, int change)
{
	struct pt_slab **from = list_for(cache, slab);
	struct pt_slab **to;

	slab->used = (uint16_t)(slab->used + change);
	to = list_for(cache, slab);
	if (to != from) {
		list_remove(from, slab);
		list_add(to, slab);
	}
	if (PT_DEFECT(74)) /* who counts reads it meanwhile */
		cache->objects += (uintptr_t)(intptr_t)change;
	else
		PT_STORE(&cache->objects, cache->objects + (uintptr_t)(intptr_t)change, RELAXED);
}

static char *slab_base(const struct pt_memory *memory, const struct pt_slab *slab)
{
	return pt_virt(memory, slab->pfn << memory->config.page_shift);
}

/* Readers may be looking at an object of a type-stable cache: whole words, atomically. */
static void object_clear(const struct pt_cache *cache, void *object, size_t from)
{
	if (!(cache->flags & PT_CACHE_TYPE_STABLE)) {
		memset((char *)object + from, 0, cache->size - from);
		return;
	}
	for (size_t at = from; at < cache->size; at += sizeof(uintptr_t))
		PT_STORE((uintptr_t *)(void *)((char *)object + at), 0, RELAXED);
}

#ifdef PT_HARDENED

/*
 * What a free object holds: poison, but zeros where readers may follow pointers, and there the
 * first eight bytes are not ours to judge.
 */
static void object_poison(const struct pt_cache *cache, void *object)
{
	if (cache->flags & PT_CACHE_TYPE_STABLE)
		object_clear(cache, object, 8);
	else
		memset(object, POISON, cache->size);
}

static void object_check(const struct pt_cache *cache, const void *object)
{
	bool stable = cache->flags & PT_CACHE_TYPE_STABLE;
	const unsigned char *bytes = object;

	for (size_t i = stable ? 8 : 0; i < cache->size; i++)
		PT_ASSERT(cache->memory, bytes[i] == (stable ? 0 : POISON), PT_STOP_BAD_POISON,
		    object);
}

#else

static void object_poison(const struct pt_cache *cache, void *object)
{
	(void)cache;
	(void)object;
}

static void object_check(const struct pt_cache *cache, const void *object)
{
	(void)cache;
	(void)object;
}

#endif

/* Stamps a slab that describes itself: its descriptor did not exist when the frames were taken. */
static void slab_stamp(struct pt_memory *memory, struct pt_slab *slab, unsigned order)
{
	memdesc_t memdesc = memdesc_create(slab, MEMDESC_SLAB);

	for (uint64_t i = 0; i < UINT64_C(1) << order; i++) {
		struct pt_page *page = pt_page_of(memory, slab->pfn + i);

		if (page)
			PT_STORE(&page->memdesc.v, memdesc.v, RELAXED);
	}
}

static void slab_fill(struct pt_cache *cache, struct pt_slab *slab, pt_pfn pfn)
{
	char *base;

	slab->cache = cache;
	slab->pfn = pfn;
	slab->used = 0;
	slab->hint = 0;
	for (unsigned i = 0; i < cache->count; i++)
		slab->free[i / 64] |= UINT64_C(1) << i % 64;
	base = slab_base(cache->memory, slab);
	if (describes_itself(cache))
		slab->free[0] &= ~UINT64_C(1);
	for (unsigned i = describes_itself(cache) ? 1 : 0; i < cache->count; i++)
		object_poison(cache, base + (size_t)i * cache->size);
}

static pt_pfn slab_frames_alloc(struct pt_cache *cache, struct pt_cpu *cpu,
    const struct pt_slab *slab)
{
	struct pt_memory *memory = cache->memory;
	memdesc_t memdesc = slab ? memdesc_create(slab, MEMDESC_SLAB) : memdesc_none();
	pt_pfn pfn = pt_frames_alloc_pinned(memory, cpu, 0, cache->order, memdesc, PT_NO_PFN);

	if (pfn != PT_NO_PFN)
		PT_FETCH_ADD(&memory->slab_frames, (uintptr_t)1 << cache->order, RELAXED);
	return pfn;
}

static struct pt_slab *slab_create(struct pt_cache *cache, struct pt_cpu *cpu)
{
	struct pt_memory *memory = cache->memory;
	struct pt_slab *slab = NULL;
	pt_pfn pfn;

	if (!describes_itself(cache)) {
		slab = pt_cache_alloc_pinned(&memory->slabs, cpu);
		if (!slab)
			return NULL;
	}
	pfn = slab_frames_alloc(cache, cpu, slab);
	if (pfn == PT_NO_PFN) {
		if (slab)
			pt_cache_free_pinned(&memory->slabs, slab);
		return NULL;
	}
	if (!slab) {
		slab = pt_virt(memory, pfn << memory->config.page_shift);
		memset(slab, 0, cache->size);
		slab_fill(cache, slab, pfn);
		slab_stamp(memory, slab, cache->order);
	} else {
		slab_fill(cache, slab, pfn);
	}
	PT_ASSERT(memory, (uintptr_t)slab_base(memory, slab) % 16 == 0, PT_STOP_BAD_ALIGN, slab);
	return slab;
}

static void slab_destroy(struct pt_cache *cache, struct pt_slab *slab)
{
	struct pt_memory *memory = cache->memory;

	pt_frames_free_pinned(memory, slab->pfn, cache->order);
	PT_FETCH_SUB(&memory->slab_frames, (uintptr_t)1 << cache->order, RELAXED);
	if (!describes_itself(cache))
		pt_cache_free_pinned(&memory->slabs, slab);
}

/* In halves: not every 32-bit machine can do it at once without the compiler's library. */
static unsigned lowest_bit(uint64_t bits)
{
	uint32_t low = (uint32_t)bits;

	return (unsigned)(low ? __builtin_ctz(low) : 32 + __builtin_ctz((uint32_t)(bits >> 32)));
}

/* Takes a free object of a slab that has one; lock held. */
static void *slab_take(struct pt_cache *cache, struct pt_slab *slab)
{
	unsigned word = slab->hint;
	unsigned bit;

	while (!slab->free[word])
		word++;
	bit = lowest_bit(slab->free[word]);
	slab->free[word] &= ~(UINT64_C(1) << bit);
	slab->hint = (uint16_t)word;
	slab_count(cache, slab, 1);
	return slab_base(cache->memory, slab) + (size_t)(word * 64 + bit) * cache->size;
}

/* An object of a slab that is there already, or of the fresh one; else NULL. */
static void *cache_take(struct pt_cache *cache, struct pt_slab *fresh)
{
	const struct pt_port *port = &cache->memory->port;
	struct pt_slab *slab;
	void *object;

	port_lock(port, &cache->lock);
	if (fresh) {
		list_add(&cache->empty, fresh);
		cache->slabs++;
	}
	slab = cache->partial ? cache->partial : cache->empty;
	object = slab ? slab_take(cache, slab) : NULL;
	port_unlock(port, &cache->lock);
	return object;
}

void *pt_cache_alloc_pinned(struct pt_cache *cache, struct pt_cpu *cpu)
{
	void *object;

	if (pt_fail_now(cache->memory))
		return NULL;
	object = cache_take(cache, NULL);
	if (!object) {
		struct pt_slab *slab = slab_create(cache, cpu);

		if (!slab)
			return NULL;
		object = cache_take(cache, slab);
	}
	object_check(cache, object);
	if (!PT_DEFECT(8))
		object_clear(cache, object, 0);
	return object;
}

/* The slab that an object lies in, by the words of its frames; NULL: no slab. */
static struct pt_slab *slab_of(const struct pt_memory *memory, const void *object, uint64_t *pa)
{
	const struct pt_page *page;
	memdesc_t memdesc;

	*pa = memory->port.virt_to_phys(memory->port.ctx, object).v;
	page = pt_page_of(memory, *pa >> memory->config.page_shift);
	if (!page)
		return NULL;
	memdesc.v = PT_LOAD(&page->memdesc.v, RELAXED);
	return memdesc_type(memdesc) == MEMDESC_SLAB ? memdesc_ptr(memdesc) : NULL;
}

void pt_cache_free_pinned(struct pt_cache *cache, void *object)
{
	struct pt_memory *memory = cache->memory;
	struct pt_slab *slab;
	uint32_t offset;
	uint32_t index;
	uint64_t pa;

	slab = slab_of(memory, object, &pa);
	PT_ASSERT(memory, slab && slab->cache == cache, PT_STOP_BAD_CACHE, object);
	offset = (uint32_t)(pa - (slab->pfn << memory->config.page_shift));
	index = offset / cache->size;
	PT_ASSERT(memory, index * cache->size == offset && index < cache->count, PT_STOP_BAD_CACHE,
	    object);
	PT_ASSERT(memory, index || !describes_itself(cache), PT_STOP_BAD_CACHE, object);
	port_lock(&memory->port, &cache->lock);
	PT_ASSERT(memory, !(slab->free[index / 64] >> index % 64 & 1), PT_STOP_DOUBLE_FREE, object);
	object_poison(cache, object);
	slab->free[index / 64] |= UINT64_C(1) << index % 64;
	if (slab->hint > index / 64)
		slab->hint = (uint16_t)(index / 64);
	slab_count(cache, slab, -1);
	port_unlock(&memory->port, &cache->lock);
}

static bool cache_valid(size_t size, size_t align, uint32_t flags)
{
	if (size == 0 || size > LARGEST_SIZE || flags & ~(uint32_t)PT_CACHE_TYPE_STABLE)
		return false;
	return align >= 16 && align <= 64 && (align & (align - 1)) == 0;
}

/* Finds the smallest slab that holds enough objects; false: not even a section does. */
static bool cache_shape(struct pt_cache *cache, const struct pt_memory *memory, size_t size)
{
	unsigned most = pt_largest_order(memory);
	uint64_t bytes = UINT64_C(1) << memory->config.page_shift;
	uint64_t wanted = (uint64_t)LEAST_OBJECTS * size;
	uint64_t described = (uint64_t)slab_bits(memory) * size;
	unsigned order = 0;

	while (bytes < wanted && order < most) {
		bytes <<= 1;
		order++;
	}
	if (bytes > described)
		bytes = described;
	cache->size = (uint32_t)size;
	cache->count = (uint16_t)((uint32_t)bytes / (uint32_t)size);
	cache->order = (uint8_t)order;
	return bytes >= wanted;
}

static void cache_enlist(struct pt_cache *cache)
{
	struct pt_memory *memory = cache->memory;

	(void)pt_pin(memory);
	port_lock(&memory->port, &memory->caches_lock);
	cache->next = memory->caches;
	memory->caches = cache;
	port_unlock(&memory->port, &memory->caches_lock);
	pt_unpin(memory);
}

int pt_cache_init(struct pt_cache *cache, struct pt_memory *memory, const char *name, size_t size,
    size_t align, uint32_t flags)
{
	struct pt_cache made = {.memory = memory, .name = name, .flags = (uint8_t)flags};

	if (!cache || !memory || !cache_valid(size, align, flags))
		return -PT_EINVAL;
	if (!cache_shape(&made, memory, (size + align - 1) & ~(align - 1)))
		return -PT_EINVAL;
	*cache = made;
	cache_enlist(cache);
	return 0;
}

void *pt_cache_alloc(struct pt_cache *cache)
{
	void *object;

	if (PT_DEFECT(43)) /* an interrupt may come in while the lock is held */
		return pt_cache_alloc_pinned(cache, cache->memory->cpus);
	object = pt_cache_alloc_pinned(cache, pt_pin(cache->memory));
	pt_unpin(cache->memory);
	return object;
}

void pt_cache_free(struct pt_cache *cache, void *object)
{
	(void)pt_pin(cache->memory);
	pt_cache_free_pinned(cache, object);
	pt_unpin(cache->memory);
}

/* Takes the empty slabs out of a cache: nobody gets an object of theirs any more. */
static struct pt_slab *empty_take(struct pt_cache *cache)
{
	const struct pt_memory *memory = cache->memory;
	struct pt_slab *first;

	(void)pt_pin(memory);
	port_lock(&memory->port, &cache->lock);
	first = cache->empty;
	cache->empty = NULL;
	for (const struct pt_slab *slab = first; slab; slab = slab->next)
		cache->slabs--;
	port_unlock(&memory->port, &cache->lock);
	pt_unpin(memory);
	return first;
}

uint64_t pt_cache_shrink(struct pt_cache *cache)
{
	struct pt_memory *memory = cache->memory;
	struct pt_slab *slab = empty_take(cache);
	uint64_t frames = 0;

	if (slab && cache->flags & PT_CACHE_TYPE_STABLE)
		pt_grace_wait(memory);
	(void)pt_pin(memory);
	while (slab) {
		struct pt_slab *next = slab->next;

		slab_destroy(cache, slab);
		frames += UINT64_C(1) << cache->order;
		slab = next;
	}
	pt_unpin(memory);
	return frames;
}

static void cache_forget(struct pt_cache *cache)
{
	struct pt_memory *memory = cache->memory;
	struct pt_cache **at = &memory->caches;

	(void)pt_pin(memory);
	port_lock(&memory->port, &memory->caches_lock);
	while (*at != cache)
		at = &(*at)->next;
	*at = cache->next;
	port_unlock(&memory->port, &memory->caches_lock);
	pt_unpin(memory);
}

/* Whoever began to shrink all caches while this one was among them may still be in it. */
static void wait_for_shrinkers(const struct pt_memory *memory)
{
	uint32_t n;

	while (!PT_DEFECT(92) && (n = PT_LOAD(&memory->shrinkers, ACQUIRE)))
		memory->port.wait_while(memory->port.ctx, &memory->shrinkers, n);
}

int pt_cache_destroy(struct pt_cache *cache)
{
	const struct pt_memory *memory = cache->memory;

	if (cache->objects)
		return -PT_EBUSY;
	(void)pt_cache_shrink(cache);
	cache_forget(cache);
	wait_for_shrinkers(memory);
	return 0;
}

int pt_slab_online(struct pt_memory *memory)
{
	size_t align = sizeof(struct ptdesc) % 64 == 0 ? 64 : 16;
	uint32_t flags = PT_DEFECT(10) ? 0 : PT_CACHE_TYPE_STABLE;
	int error = pt_cache_init(&memory->slabs, memory, "pt_slab", slab_size(memory), 16, 0);

	if (error)
		return error;
	return pt_cache_init(&memory->descriptors, memory, "ptdesc", sizeof(struct ptdesc), align,
	    flags);
}

/* The next cache of the memory that is not the one of slabs; NULL: there are no more. */
static struct pt_cache *cache_next(struct pt_memory *memory, const struct pt_cache *cache)
{
	struct pt_cache *next;

	(void)pt_pin(memory);
	port_lock(&memory->port, &memory->caches_lock);
	next = cache ? cache->next : memory->caches;
	if (next == &memory->slabs)
		next = next->next;
	port_unlock(&memory->port, &memory->caches_lock);
	pt_unpin(memory);
	return next;
}

uint64_t pt_slab_shrink_all(struct pt_memory *memory)
{
	struct pt_cache *cache = NULL;
	uint64_t frames = 0;

	/* Ordered by caches_lock: whoever has taken a cache off the list by then sees it. */
	PT_FETCH_ADD(&memory->shrinkers, 1, RELAXED);
	while ((cache = cache_next(memory, cache)))
		frames += pt_cache_shrink(cache);
	PT_FETCH_SUB(&memory->shrinkers, 1, RELEASE);
	/* Last: the descriptors of the slabs that just went. */
	return frames + pt_cache_shrink(&memory->slabs);
}

/* Objects of the library's own are not counted as anybody's. */
static bool is_internal(const struct pt_memory *memory, const struct pt_cache *cache)
{
	if (cache == &memory->descriptors)
		return true;
	for (unsigned i = 0; i < memory->config.classes; i++) {
		if (cache == &memory->classes[i].frags)
			return true;
	}
	return false;
}

uint64_t pt_slab_objects(struct pt_memory *memory)
{
	struct pt_cache *cache = NULL;
	uint64_t objects = 0;

	while ((cache = cache_next(memory, cache))) {
		if (!is_internal(memory, cache))
			objects += PT_LOAD(&cache->objects, RELAXED);
	}
	return objects;
}
