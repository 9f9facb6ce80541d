/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Boot memory: tables made before there are frames, slab or descriptors. They come from a region
 * of a section whose words say reserved; what each is (level, order, class) is in its words, and
 * pt_memory_online adopts them: from then on they are tables like others (M9, M10). One CPU makes
 * them; the others have not begun, or wait. pt_boot_keep alone may be called at any time.
 */
#ifndef PTDESC_BOOT_H
#define PTDESC_BOOT_H

#include <ptdesc/types.h>

struct pt_memory;

PT_BEGIN_DECLS

/*
 * Sets frames of an added section aside as boot memory; they must be free. Only before
 * pt_memory_online (-PT_ESTAGE), which frees what is unused by then. -PT_EINVAL: outside the
 * section; -PT_EBUSY: in use; -PT_ENOTSUP: the port has a frame source of its own.
 */
PT_MUST_CHECK int pt_boot_reserve(struct pt_memory *memory, pt_pfn first, uint64_t frames);

/*
 * Marks frames of an added section that hold something already, or nothing at all: the program
 * itself, what firmware left, a hole. They are reserved for ever and never given to anybody. At any
 * stage, beside other calls, while they are free. Errors as above, but for -PT_ESTAGE.
 */
PT_MUST_CHECK int pt_boot_keep(struct pt_memory *memory, pt_pfn first, uint64_t frames);

/*
 * A table of a class (a whole number of frames) out of boot memory, filled with the class's empty
 * pattern; *pa is where. -PT_ENOMEM: boot memory is used up; -PT_ESTAGE: after pt_memory_online use
 * pagetable_alloc; -PT_ENOTSUP: a class of fragments.
 */
PT_MUST_CHECK int pt_boot_table(struct pt_memory *memory, unsigned class_id, unsigned level,
    pt_pa *pa);

/* 2^order frames of boot memory for anything else; never given back. Errors as above. */
PT_MUST_CHECK int pt_boot_pages(struct pt_memory *memory, unsigned order, pt_pa *pa);

PT_END_DECLS

#endif
