/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A kernel's own space: the direct map of all memory at the largest sizes, and changing the rights
 * of parts of it, as module loading does: large leaves are split where a part differs and put
 * together again when all is alike (K1; seeds 000 and 001, generic/108).
 *
 * Calls need no lock of the caller's. pt_set_memory is two steps, both as other calls see them
 * whole: rights are changed, then tables are put together.
 *
 * The space is one made with PT_SPACE_KERNEL. Errors and flags are those of pt_protect.
 */
#ifndef PTDESC_KERNEL_H
#define PTDESC_KERNEL_H

#include <ptdesc/space.h>

PT_BEGIN_DECLS

/* Maps [pa, pa + size) at va, readable and writable, global, for the kernel only. */
PT_MUST_CHECK int pt_direct_map(struct pt_space *space, pt_va va, uint64_t size, pt_pa pa,
    uint32_t flags);

/*
 * Sets and clears rights (PT_READ, PT_WRITE, PT_EXEC) of what is mapped in the range, all or
 * nothing; other attributes stay. Then puts together what can be: the tables that this frees leave
 * behind the flush and a grace period. -PT_EATTR: a right that the format does not know; where it
 * cannot say a combination, the nearest that grants more is taken. flags: PT_MAY_SLEEP.
 */
PT_MUST_CHECK int pt_set_memory(struct pt_space *space, pt_va va, uint64_t size, uint32_t set,
    uint32_t clear, uint32_t flags);

PT_MUST_CHECK static inline int pt_set_memory_ro(struct pt_space *space, pt_va va, uint64_t size,
    uint32_t flags)
{
	return pt_set_memory(space, va, size, 0, PT_WRITE, flags);
}

PT_MUST_CHECK static inline int pt_set_memory_rw(struct pt_space *space, pt_va va, uint64_t size,
    uint32_t flags)
{
	return pt_set_memory(space, va, size, PT_WRITE, 0, flags);
}

PT_MUST_CHECK static inline int pt_set_memory_x(struct pt_space *space, pt_va va, uint64_t size,
    uint32_t flags)
{
	return pt_set_memory(space, va, size, PT_EXEC, 0, flags);
}

PT_MUST_CHECK static inline int pt_set_memory_nx(struct pt_space *space, pt_va va, uint64_t size,
    uint32_t flags)
{
	return pt_set_memory(space, va, size, 0, PT_EXEC, flags);
}

PT_END_DECLS

#endif
