/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Calls on tables, memories, frames and caches. */
#define OF_TABLE(X, call, ...)                                                                     \
	X(call, null, PT_STOP_NOT_A_TABLE, call(w->m, NULL __VA_ARGS__))                           \
	X(call, ready, PT_STOP_DOUBLE_FREE, call(w->m, w->ready __VA_ARGS__))                      \
	X(call, waits, PT_STOP_DOUBLE_FREE, call(w->m, w->waits __VA_ARGS__))                      \
	X(call, linked, PT_STOP_BAD_STATE, call(w->m, w->leaf __VA_ARGS__))                        \
	X(call, root, PT_STOP_BAD_STATE, call(w->m, w->root __VA_ARGS__))                          \
	X(call, deposit, PT_STOP_DEPOSIT, call(w->m, w->full __VA_ARGS__))                         \
	X(call, foreign, PT_STOP_BAD_MEMDESC, call(w->m, w->foreign __VA_ARGS__))                  \
	X(call, charged, PT_STOP_BAD_OWNER, call(w->m, w->fresh, &w->account))                     \
	X(call, nothing, PT_STOP_BAD_POISON, call(w->m, (struct ptdesc *)&w->run __VA_ARGS__))     \
	X(call, no_memory, FAULT, call(NULL, w->fresh __VA_ARGS__))

#define OF_LEVEL(X, call, level)                                                                   \
	X(call, null, PT_STOP_NOT_A_TABLE, w->result = call(w->m, NULL, NULL, 0))                  \
	X(call, ready, PT_STOP_BAD_STATE, w->result = call(w->m, w->ready, NULL, 0))               \
	X(call, other_level, PT_STOP_BAD_LEVEL,                                                    \
	    w->result = call(w->m, (level) == 2 ? w->fresh : w->full, NULL, 0))

#define OF_ADDRESS(X, call)                                                                        \
	X(call, null, PT_STOP_NOT_A_TABLE, (void)call(w->m, NULL))                                 \
	X(call, plain, PT_STOP_NOT_A_TABLE, (void)call(w->m, kit_virt(&w->kit, plain_pa(w))))      \
	X(call, no_memory, FAULT, (void)call(NULL, ptdesc_address(w->m, w->fresh)))

#define TABLE_ROWS(X)                                                                              \
	OF_TABLE(X, pagetable_free, , NULL)                                                        \
	X(pagetable_free, locked, PT_STOP_LOCKED, pagetable_free(w->m, w->locked, NULL))           \
	OF_TABLE(X, pagetable_free_defer, , NULL)                                                  \
	X(pagetable_free_addr, null, PT_STOP_NOT_A_TABLE, pagetable_free_addr(w->m, NULL, NULL))   \
	X(pagetable_free_addr, plain, PT_STOP_NOT_A_TABLE,                                         \
	    pagetable_free_addr(w->m, kit_virt(&w->kit, plain_pa(w)), NULL))                       \
	X(pagetable_free_addr, interior, PT_STOP_INTERIOR,                                         \
	    pagetable_free_addr(w->m, (char *)ptdesc_address(w->m, w->wide) + 4096, NULL))         \
	X(pagetable_free_addr, linked, PT_STOP_BAD_STATE,                                          \
	    pagetable_free_addr(w->m, ptdesc_address(w->m, w->leaf), NULL))                        \
	X(pagetable_free_addr, no_memory, FAULT,                                                   \
	    pagetable_free_addr(NULL, ptdesc_address(w->m, w->fresh), NULL))                       \
	X(pagetable_alloc, no_memory, FAULT, (void)!pagetable_alloc(NULL, 0, 0, NULL, 0))          \
	X(pagetable_alloc, class, 0, check_none(w, pagetable_alloc(w->m, 63, 0, NULL, 0)))         \
	X(pagetable_alloc, level, 0, check_none(w, pagetable_alloc(w->m, 0, 9, NULL, 0)))          \
	X(pagetable_alloc_addr, no_memory, FAULT,                                                  \
	    (void)!pagetable_alloc_addr(NULL, 0, 0, NULL, 0))                                      \
	X(ptdesc_pa, null, PT_STOP_NOT_A_TABLE, (void)ptdesc_pa(w->m, NULL))                       \
	X(ptdesc_address, null, PT_STOP_NOT_A_TABLE, (void)ptdesc_address(w->m, NULL))             \
	X(ptdesc_from_pa, plain, PT_STOP_NOT_A_TABLE, (void)ptdesc_from_pa(w->m, plain_pa(w)))     \
	X(ptdesc_from_pa, no_frame, PT_STOP_NOT_A_TABLE,                                           \
	    (void)ptdesc_from_pa(w->m, pt_make_pa(0)))                                             \
	X(ptdesc_from_pa, no_memory, FAULT, (void)ptdesc_from_pa(NULL, plain_pa(w)))               \
	OF_ADDRESS(X, ptdesc_from_virt)                                                            \
	OF_ADDRESS(X, ptdesc_lock_of)                                                              \
	X(ptdesc_lock, null, PT_STOP_NOT_A_TABLE, ptdesc_lock(w->m, NULL))                         \
	X(ptdesc_lock, ready, PT_STOP_BAD_STATE, ptdesc_lock(w->m, w->ready))                      \
	X(ptdesc_lock, foreign, PT_STOP_BAD_MEMDESC, ptdesc_lock(w->m, w->foreign))                \
	X(ptdesc_lock, nothing, PT_STOP_BAD_POISON, ptdesc_lock(w->m, (struct ptdesc *)&w->run))   \
	X(ptdesc_lock, own, PT_STOP_LOCK_TWICE, ptdesc_lock(w->m, w->leaf);                        \
	    ptdesc_lock(w->m, w->leaf))                                                            \
	X(ptdesc_unlock, null, PT_STOP_NOT_A_TABLE, ptdesc_unlock(w->m, NULL))                     \
	X(ptdesc_unlock, ready, PT_STOP_BAD_STATE, ptdesc_unlock(w->m, w->ready))                  \
	X(ptdesc_unlock, nothing, PT_STOP_BAD_POISON,                                              \
	    ptdesc_unlock(w->m, (struct ptdesc *)&w->run))                                         \
	X(ptdesc_unlock, unlocked, PT_STOP_NOT_LOCKED, ptdesc_unlock(w->m, w->leaf))               \
	X(ptdesc_unlock, others, PT_STOP_NOT_HOLDER, ptdesc_unlock(w->m, w->locked))               \
	X(pagetable_ctor, null, PT_STOP_NOT_A_TABLE,                                               \
	    w->result = pagetable_ctor(w->m, NULL, NULL, 0, 0))                                    \
	X(pagetable_ctor, ready, PT_STOP_BAD_STATE,                                                \
	    w->result = pagetable_ctor(w->m, w->ready, NULL, 0, 0))                                \
	X(pagetable_ctor, linked, PT_STOP_BAD_STATE,                                               \
	    w->result = pagetable_ctor(w->m, w->leaf, NULL, 0, 0))                                 \
	X(pagetable_ctor, other_level, PT_STOP_BAD_LEVEL,                                          \
	    w->result = pagetable_ctor(w->m, w->fresh, NULL, 1, 0))                                \
	X(pagetable_dtor, null, PT_STOP_NOT_A_TABLE, pagetable_dtor(w->m, NULL))                   \
	X(pagetable_dtor, ready, PT_STOP_BAD_STATE, pagetable_dtor(w->m, w->ready))                \
	X(pagetable_dtor, linked, PT_STOP_BAD_STATE, pagetable_dtor(w->m, w->leaf))                \
	X(pagetable_dtor, locked, PT_STOP_LOCKED, pagetable_dtor(w->m, w->locked))                 \
	X(pagetable_dtor, deposit, PT_STOP_DEPOSIT, pagetable_dtor(w->m, w->full))                 \
	OF_LEVEL(X, pagetable_pte_ctor, 0)                                                         \
	OF_LEVEL(X, pagetable_pmd_ctor, 2)                                                         \
	OF_LEVEL(X, pagetable_pud_ctor, 2)                                                         \
	OF_LEVEL(X, pagetable_p4d_ctor, 2)                                                         \
	OF_LEVEL(X, pagetable_pgd_ctor, 2)                                                         \
	X(pt_deposit, null, FAULT, pt_deposit(NULL, w->fresh))                                     \
	X(pt_deposit, no_table, FAULT, pt_deposit(w->full, NULL))                                  \
	X(pt_deposit, unlocked, PT_STOP_NOT_LOCKED, pt_deposit(w->leaf, w->fresh))                 \
	X(pt_deposit, linked, PT_STOP_BAD_STATE, ptdesc_lock(w->m, w->leaf);                       \
	    pt_deposit(w->leaf, w->root))                                                          \
	X(pt_deposit, filled, PT_STOP_NOT_EMPTY, ptdesc_lock(w->m, w->leaf); w->fresh->used = 1;   \
	    pt_deposit(w->leaf, w->fresh))                                                         \
	X(pt_withdraw, null, FAULT, (void)pt_withdraw(NULL))                                       \
	X(pt_withdraw, unlocked, PT_STOP_NOT_LOCKED, w->leaf->pmd_huge_pte = w->fresh;             \
	    (void)pt_withdraw(w->leaf))                                                            \
	X(ptdesc_pfn, null, FAULT, w->result = (int)ptdesc_pfn(NULL))                              \
	X(ptdesc_order, null, FAULT, w->result = (int)ptdesc_order(NULL))                          \
	X(ptdesc_level, null, FAULT, w->result = (int)ptdesc_level(NULL))                          \
	X(ptdesc_class, null, FAULT, w->result = (int)ptdesc_class(NULL))                          \
	X(ptdesc_flags, null, FAULT, w->result = (int)ptdesc_flags(NULL))                          \
	X(ptdesc_base, null, FAULT, w->result = (int)ptdesc_base(NULL))                            \
	X(pt_account_tables, null, FAULT, w->result = (int)pt_account_tables(NULL, 0))             \
	X(pt_class_register, no_memory, -PT_EINVAL,                                                \
	    w->result = pt_class_register(NULL, &pt_format_x86_64.tables[0], &w->small))

#define MEMORY_ROWS(X)                                                                             \
	X(pt_memory_init, no_block, -PT_EINVAL, struct pt_port port = kit_port(&w->kit);           \
	    struct pt_memory * memory;                                                             \
	    w->result = pt_memory_init(NULL, 1u << 20, &w->kit.config, &port, &memory))            \
	X(pt_memory_online, no_memory, -PT_EINVAL, w->result = pt_memory_online(NULL))             \
	X(pt_memory_destroy, no_memory, -PT_EINVAL, w->result = pt_memory_destroy(NULL, NULL))     \
	X(pt_memory_destroy, in_use, -PT_EBUSY, w->locked->lock = 0;                               \
	    w->result = pt_memory_destroy(w->m, NULL))                                             \
	X(pt_memory_shrink, no_memory, FAULT, (void)pt_memory_shrink(NULL))                        \
	X(pt_memory_stats, no_memory, FAULT, struct pt_memory_stats stats;                         \
	    pt_memory_stats(NULL, &stats))                                                         \
	X(pt_node_table_frames, no_memory, FAULT, (void)pt_node_table_frames(NULL, 0))             \
	X(pt_memory_fail_at, no_memory, FAULT, (void)pt_memory_fail_at(NULL, 0, false))            \
	X(pt_section_add, no_memory, -PT_EINVAL,                                                   \
	    w->result = pt_section_add(NULL, 0, 1, 0, &w->kit))                                    \
	X(pt_section_add, twice, -PT_EEXIST,                                                       \
	    w->result = pt_section_add(w->m, KIT_FIRST_PFN, 1024, 0, w->kit.words[0]))             \
	X(pt_section_remove, no_memory, -PT_EINVAL, w->result = pt_section_remove(NULL, 0))        \
	X(pt_section_remove, no_section, -PT_ENOENT, w->result = pt_section_remove(w->m, 0))       \
	X(pt_section_remove, in_use, -PT_EBUSY,                                                    \
	    w->result = pt_section_remove(w->m, w->plain & ~UINT64_C(1023)))                       \
	X(pt_page_memdesc, no_memory, FAULT, (void)pt_page_memdesc(NULL, 0))                       \
	X(pt_boot_reserve, no_memory, -PT_EINVAL, w->result = pt_boot_reserve(NULL, 0, 1))         \
	X(pt_boot_reserve, online, -PT_ESTAGE,                                                     \
	    w->result = pt_boot_reserve(w->m, KIT_FIRST_PFN, 1))                                   \
	X(pt_boot_keep, no_memory, -PT_EINVAL, w->result = pt_boot_keep(NULL, 0, 1))               \
	X(pt_boot_keep, in_use, -PT_EBUSY, w->result = pt_boot_keep(w->m, w->plain, 1))            \
	X(pt_boot_table, no_memory, -PT_EINVAL, pt_pa pa;                                          \
	    w->result = pt_boot_table(NULL, 0, 0, &pa))                                            \
	X(pt_boot_table, online, -PT_ESTAGE, pt_pa pa;                                             \
	    w->result = pt_boot_table(w->m, w->small, 0, &pa))                                     \
	X(pt_boot_pages, no_memory, -PT_EINVAL, pt_pa pa; w->result = pt_boot_pages(NULL, 0, &pa)) \
	X(pt_boot_pages, online, -PT_ESTAGE, pt_pa pa; w->result = pt_boot_pages(w->m, 0, &pa))    \
	X(memdesc_alloc_pages, no_memory, FAULT,                                                   \
	    (void)!memdesc_alloc_pages(NULL, 0, 0, memdesc_none()))                                \
	X(memdesc_alloc_pages_node, no_memory, FAULT,                                              \
	    (void)!memdesc_alloc_pages_node(NULL, 0, 0, memdesc_none(), 0))                        \
	X(memdesc_alloc_pages_many, no_memory, FAULT,                                              \
	    (void)!memdesc_alloc_pages_many(NULL, 0, 0, memdesc_none(), 1))                        \
	X(memdesc_alloc_pages_below, no_memory, FAULT,                                             \
	    (void)!memdesc_alloc_pages_below(NULL, 0, 0, memdesc_none(), 1))                       \
	X(memdesc_free_pages, no_memory, FAULT, memdesc_free_pages(NULL, w->plain, 0))             \
	X(memdesc_free_pages, twice, PT_STOP_DOUBLE_FREE, memdesc_free_pages(w->m, w->plain, 0);   \
	    memdesc_free_pages(w->m, w->plain, 0))                                                 \
	X(memdesc_free_pages, other_order, PT_STOP_BAD_ORDER,                                      \
	    memdesc_free_pages(w->m, w->plain, 1))                                                 \
	X(pt_cache_init, null, -PT_EINVAL, w->result = pt_cache_init(NULL, w->m, "", 64, 16, 0))   \
	X(pt_cache_alloc, null, FAULT, (void)!pt_cache_alloc(NULL))                                \
	X(pt_cache_free, other_cache, PT_STOP_BAD_CACHE,                                           \
	    pt_cache_free(&w->other_cache, w->object))                                             \
	X(pt_cache_free, twice, PT_STOP_DOUBLE_FREE, pt_cache_free(&w->cache, w->object);          \
	    pt_cache_free(&w->cache, w->object))                                                   \
	X(pt_cache_shrink, null, FAULT, (void)pt_cache_shrink(NULL))                               \
	X(pt_cache_destroy, in_use, -PT_EBUSY, w->result = pt_cache_destroy(&w->cache))
