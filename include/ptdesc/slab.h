/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Object caches on frames. A slab's descriptor is out of line, and which objects are free is kept
 * there and never in the objects. A slab of slab descriptors is described by its own first object,
 * which ends the recursion that seed 001 (0/7) names.
 */
#ifndef PTDESC_SLAB_H
#define PTDESC_SLAB_H

#include <ptdesc/types.h>

struct pt_memory;
struct pt_slab;

enum pt_cache_flags {
	/* A freed object's memory stays an object of this cache until a grace period is over. */
	/* Its first eight bytes are left as they were at the free, so that readers find it dead. */
	PT_CACHE_TYPE_STABLE = 1u << 0,
};

/* One cache; the caller's memory, filled by pt_cache_init; its fields are the library's. */
struct pt_cache {
	struct pt_memory *memory;
	const char *name;
	struct pt_slab *partial; /* slabs with free and used objects */
	struct pt_slab *empty;   /* slabs without used objects, kept back */
	struct pt_slab *full;    /* slabs without free objects */
	struct pt_cache *next;   /* all caches of the memory; guarded by a lock of the memory's */
	uintptr_t objects;       /* objects in use; read without the lock by who counts */
	uint64_t slabs;          /* slabs, empty ones included */
	uint32_t lock;           /* guards all fields below and above but the constants */
	uint32_t size;           /* bytes of an object, alignment included; constant */
	uint16_t count;          /* objects in a slab; constant */
	uint8_t order;           /* log2 frames of a slab; constant */
	uint8_t flags;           /* enum pt_cache_flags; constant */
};

PT_BEGIN_DECLS

/*
 * Makes a cache of objects of size bytes aligned to align (a power of two, 16 to 64, also the least
 * unit of size). No allocation yet. -PT_EINVAL: sizes that fit no slab.
 */
PT_MUST_CHECK int pt_cache_init(struct pt_cache *cache, struct pt_memory *memory, const char *name,
    size_t size, size_t align, uint32_t flags);

/* An object, zeroed, or NULL. Never sleeps. -> NULL also before pt_memory_online. */
PT_MUST_CHECK void *pt_cache_alloc(struct pt_cache *cache);

/* Frees an object of this cache, not NULL (hardened: BAD_CACHE, DOUBLE_FREE). */
void pt_cache_free(struct pt_cache *cache, void *object);

/* Gives empty slabs back; of a type-stable cache after a grace period (sleeps). Frames freed. */
uint64_t pt_cache_shrink(struct pt_cache *cache);

/*
 * Ends a cache; its memory is the caller's again when it returns, also beside pt_memory_shrink, for
 * which it waits. -PT_EBUSY: objects are in use, nothing changed. May sleep as shrink does.
 */
PT_MUST_CHECK int pt_cache_destroy(struct pt_cache *cache);

PT_END_DECLS

#endif
