/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The VMAs of one address space: the list as the kernel showed it last, and the list as calls have
 * changed it since. What the kernel does not show of a VMA, and what fork asks for, is remembered
 * along: it stays with the addresses through split, merge and move (replay-rules.md, 8 and 9).
 */
#ifndef TOOL_REPLAY_VMAS_H
#define TOOL_REPLAY_VMAS_H

#include "tool/trace/trace.h"

/* What is remembered of a VMA. */
enum vma_memory {
	VMA_ANON = 1u << 0,       /* has an anon_vma: was written once */
	VMA_NOT_COPIED = 1u << 1, /* DONTFORK */
	VMA_WIPED = 1u << 2,      /* WIPEONFORK */
};

struct vma {
	struct trace_vma shown;
	uint32_t memory; /* enum vma_memory */
};

struct vma_list {
	struct vma *at; /* by address */
	size_t count;
	size_t room;
	size_t last; /* that was found last */
};

struct vmas {
	struct vma_list now;   /* as calls have left it */
	struct vma_list shown; /* what the next TRACE_VMAS is a difference to */
};

/* The VMA that holds an address, or NULL. */
struct vma *vmas_find(struct vma_list *list, uint64_t va);

/* Position of the first VMA that does not end before or at va; count: there is none. */
size_t vmas_from(struct vma_list *list, uint64_t va);

/* Takes a TRACE_VMAS into what is shown. */
void vmas_show(struct vmas *vmas, const struct trace_event *event);

/* Makes now what is shown, with what was remembered (or forgets that). */
void vmas_take(struct vmas *vmas, bool remember);

/* Cuts [start, end) out of a list. */
void vmas_cut(struct vma_list *list, uint64_t start, uint64_t end);

/* Adds a VMA where nothing is. */
void vmas_add(struct vma_list *list, const struct vma *vma);

/* Sets and clears bits of enum vma_memory in the VMAs that overlap [start, end), whole VMAs. */
void vmas_remember(struct vma_list *list, uint64_t start, uint64_t end, uint32_t set,
    uint32_t clear);

/* Splits the VMAs at an address, so that what is remembered can differ on both sides. */
void vmas_split(struct vma_list *list, uint64_t va);

/* A child's lists are the parent's. */
void vmas_copy(struct vmas *child, const struct vmas *parent);

/* End of the last VMA before va, or 0; start of the first at or after va, or 0. */
uint64_t vmas_floor(struct vma_list *list, uint64_t va);
uint64_t vmas_ceiling(struct vma_list *list, uint64_t va);

void vmas_free(struct vmas *vmas);

#endif
