/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sequence that crashed the RFC in generic/108: a direct map of large leaves, a module that is
 * loaded (its text becomes read-only and executable, so that a large leaf is split) and unloaded
 * (all is alike again, so that it is put together and the tables are freed).
 */
#ifndef PTDESC_TESTS_KERNEL_KIT_H
#define PTDESC_TESTS_KERNEL_KIT_H

#include <ptdesc/kernel.h>
#include "tests/unit/core_kit.h"

#define DIRECT_VA   UINT64_C(0xffff888000000000)
#define DIRECT_SIZE (UINT64_C(1) << 30)
#define TEXT_VA     (DIRECT_VA + 0x2345000)
#define TEXT_SIZE   UINT64_C(0x10000)

static inline void kernel_open(struct kit *kit, struct pt_space *space)
{
	struct pt_config config = kit_config();

	kit_open(kit, &config, NULL);
	assert_int_equal(pt_space_init(space, kit->memory, &pt_format_x86_64,
			     PT_SPACE_KERNEL | PT_SPACE_MMU, NULL),
	    0);
	assert_int_equal(pt_direct_map(space, pt_make_va(DIRECT_VA), DIRECT_SIZE, pt_make_pa(0), 0),
	    0);
}

static inline void module_load(struct pt_space *space)
{
	assert_int_equal(pt_set_memory_ro(space, pt_make_va(TEXT_VA), TEXT_SIZE, 0), 0);
	assert_int_equal(pt_set_memory_x(space, pt_make_va(TEXT_VA), TEXT_SIZE, 0), 0);
}

static inline void module_unload(struct pt_space *space)
{
	assert_int_equal(pt_set_memory_nx(space, pt_make_va(TEXT_VA), TEXT_SIZE, 0), 0);
	assert_int_equal(pt_set_memory_rw(space, pt_make_va(TEXT_VA), TEXT_SIZE, 0), 0);
}

/* Frees what waits: the destructor asks every page word that a deferred free left behind. */
static inline void let_grace_end(struct kit *kit)
{
	pt_reclaim_poll(kit->memory, true);
}

#endif
