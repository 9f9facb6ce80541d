/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Memory types of x86: indices into the page attribute table, and bits of CR4, for all its formats.
 * Read: see format/x86_64.h.
 */
#ifndef PTDESC_FORMAT_X86_PAT_H
#define PTDESC_FORMAT_X86_PAT_H

#include <ptdesc/format.h>

/* The value of IA32_PAT that the memory types mean; pt_root.types. */
#define PT_X86_PAT UINT64_C(0x0407050600070106)

/* Types that can be said: all but device. */
#define X86_PAT_TYPES 0x3fu

/* Bits of CR4; pt_root.control. */
#define X86_CR4_PSE  (UINT64_C(1) << 4)
#define X86_CR4_PAE  (UINT64_C(1) << 5)
#define X86_CR4_LA57 (UINT64_C(1) << 12)

/* The index of a type that can be said. */
static inline unsigned x86_pat_index(unsigned type)
{
	static const uint8_t index[8] = {
		[PT_TYPE_WRITE_THROUGH] = 7,
		[PT_TYPE_UNCACHED_MINUS] = 2,
		[PT_TYPE_UNCACHED] = 3,
		[PT_TYPE_WRITE_COMBINING] = 1,
		[PT_TYPE_WRITE_PROTECT] = 5,
	};

	return index[type];
}

static inline enum pt_memory_type x86_pat_type(unsigned index)
{
	static const uint8_t type[8] = {PT_TYPE_NORMAL, PT_TYPE_WRITE_COMBINING,
		PT_TYPE_UNCACHED_MINUS, PT_TYPE_UNCACHED, PT_TYPE_NORMAL, PT_TYPE_WRITE_PROTECT,
		PT_TYPE_UNCACHED_MINUS, PT_TYPE_WRITE_THROUGH};

	return (enum pt_memory_type)type[index];
}

#endif
