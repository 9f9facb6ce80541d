/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The page word: all that is known of a frame, in one word. A memdesc_t is a pointer to the
 * frame's descriptor with the descriptor's type in the low four bits (seed 001, 6/7 and 7/7).
 */
#ifndef PTDESC_PAGE_H
#define PTDESC_PAGE_H

#include <ptdesc/types.h>

/* Typed pointer: a descriptor aligned to 16 bytes, its type in bits 0 to 3. */
typedef struct {
	uintptr_t v;
} memdesc_t;

/* The word of one frame. Nothing computes a pfn from the address of this word. */
struct pt_page {
	memdesc_t memdesc; /* written by the owner of the frame only; read by anybody, acquire */
};

PT_STATIC_ASSERT(sizeof(struct pt_page) == sizeof(uintptr_t), "a page is described by one word");

/* Types 6 to 14 are the embedder's own: the library stores and clears them, and asks nothing. */
enum memdesc_type {
	MEMDESC_NONE = 0,     /* absent, or inside a free block: an untouched array costs nothing */
	MEMDESC_FREE = 1,     /* head of a free block: order and links, relative to its section */
	MEMDESC_RESERVED = 2, /* boot memory; for a boot table kind, level and order, no pointer */
	MEMDESC_PLAIN = 3,    /* head of an allocation without descriptor: its order */
	MEMDESC_SLAB = 4,     /* struct pt_slab */
	MEMDESC_FRAGS = 5,    /* struct pt_frags: a frame cut into tables smaller than itself */
	MEMDESC_USER_FIRST = 6,
	MEMDESC_USER_LAST = 14,
	MEMDESC_PAGE_TABLE = 15, /* struct ptdesc */
};

#define MEMDESC_TYPE_MASK 15u

/* Makes a memdesc of a descriptor aligned to 16 bytes and a type of enum memdesc_type. */
static inline memdesc_t memdesc_create(const void *descriptor, unsigned type)
{
	memdesc_t m;

	m.v = (uintptr_t)descriptor | type;
	return m;
}

/* The memdesc of frames that need no descriptor (they become MEMDESC_PLAIN). */
static inline memdesc_t memdesc_none(void)
{
	return memdesc_create(NULL, MEMDESC_NONE);
}

static inline unsigned memdesc_type(memdesc_t m)
{
	return (unsigned)(m.v & MEMDESC_TYPE_MASK);
}

static inline void *memdesc_ptr(memdesc_t m)
{
	return (void *)(m.v & ~(uintptr_t)MEMDESC_TYPE_MASK);
}

struct pt_memory;

PT_BEGIN_DECLS

/*
 * The word of a frame; MEMDESC_NONE for a pfn of no section. Any context, no lock. What it points
 * to may be used only by the frame's owner or inside a read section of the port.
 */
memdesc_t pt_page_memdesc(const struct pt_memory *memory, pt_pfn pfn);

PT_END_DECLS

#endif
