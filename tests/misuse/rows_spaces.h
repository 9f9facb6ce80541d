/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Calls on spaces, each with no space, one that was never made, and one that is no more. */
#define VA   pt_make_va(PAGE)
#define FREE pt_make_va(PAGE + 8192)
#define PA   pt_make_pa(0)

#define OF_SPACE(X, call, ...)                                                                     \
	X(call, null, -PT_EINVAL, struct pt_space *s = NULL; w->result = __VA_ARGS__)              \
	X(call, none, -PT_EINVAL, struct pt_space *s = &w->none; w->result = __VA_ARGS__)          \
	X(call, gone, -PT_EINVAL, struct pt_space *s = &w->gone; w->result = __VA_ARGS__)

#define OF_GATHER(X, call, ...)                                                                    \
	X(call, no_room, -PT_EINVAL, struct pt_gather *g = &w->no_room; w->result = __VA_ARGS__)   \
	X(call, unclean, -PT_EINVAL, struct pt_gather *g = &w->unclean; w->result = __VA_ARGS__)

#define OF_USER_SPACE(X, call, ...)                                                                \
	OF_SPACE(X, call, call(s, __VA_ARGS__))                                                    \
	X(call, not_kernel, -PT_EINVAL, w->result = call(&w->space, __VA_ARGS__))

#define SPACE_ROWS(X)                                                                              \
	X(pt_space_init, null, -PT_EINVAL,                                                         \
	    w->result = pt_space_init(NULL, w->m, &pt_format_x86_64, 0, NULL))                     \
	X(pt_space_init, no_memory, -PT_EINVAL,                                                    \
	    w->result = pt_space_init(&w->none, NULL, &pt_format_x86_64, 0, NULL))                 \
	X(pt_space_adopt, null, -PT_EINVAL,                                                        \
	    w->result = pt_space_adopt(NULL, w->m, &pt_format_x86_64, 0, NULL, PA))                \
	X(pt_space_adopt, plain, -PT_ENOENT,                                                       \
	    w->result = pt_space_adopt(&w->none, w->m, &pt_format_x86_64, 0, NULL, plain_pa(w)))   \
	X(pt_space_adopt, root, -PT_ENOENT,                                                        \
	    w->result = pt_space_adopt(&w->none, w->m, &pt_format_x86_64, 0, NULL,                 \
		ptdesc_pa(w->m, w->root)))                                                         \
	X(pt_space_adopt, leaf, -PT_ENOENT,                                                        \
	    w->result = pt_space_adopt(&w->none, w->m, &pt_format_x86_64, 0, NULL,                 \
		ptdesc_pa(w->m, w->leaf)))                                                         \
	OF_SPACE(X, pt_space_destroy, pt_space_destroy(s, NULL))                                   \
	OF_GATHER(X, pt_space_destroy, pt_space_destroy(&w->space, g))                             \
	X(pt_space_root, null, FAULT, (void)pt_space_root(NULL))                                   \
	X(pt_space_stats, null, FAULT, struct pt_space_stats stats; pt_space_stats(NULL, &stats))  \
	OF_SPACE(X, pt_map, pt_map(s, FREE, 4096, PA, ATTR, 0))                                    \
	X(pt_map, mapped, -PT_EEXIST, w->result = pt_map(&w->space, VA, 4096, PA, ATTR, 0))        \
	OF_SPACE(X, pt_map_list, pt_map_list(s, FREE, (const pt_pa[]){{0}}, 1, ATTR, 0))           \
	OF_SPACE(X, pt_map_replace, pt_map_replace(s, FREE, 4096, PA, ATTR, 0, NULL))              \
	OF_GATHER(X, pt_map_replace, pt_map_replace(&w->space, VA, 4096, PA, ATTR, 0, g))          \
	OF_SPACE(X, pt_unmap, pt_unmap(s, VA, 4096, 0, NULL))                                      \
	OF_GATHER(X, pt_unmap, pt_unmap(&w->space, VA, 4096, 0, g))                                \
	OF_SPACE(X, pt_protect, pt_protect(s, VA, 4096, ATTR, 0))                                  \
	OF_SPACE(X, pt_translate, pt_translate(s, VA, &(struct pt_translation){.size = 0}))        \
	OF_SPACE(X, pt_table_level, pt_table_level(s, VA, &w->small))                              \
	OF_SPACE(X, pt_walk, pt_walk(s, VA, 4096, no_piece, NULL))                                 \
	OF_SPACE(X, pt_copy, pt_copy(&w->space, s, FREE, 4096, 0))                                 \
	X(pt_copy, to_null, -PT_EINVAL, w->result = pt_copy(NULL, &w->space, VA, 4096, 0))         \
	X(pt_copy, to_itself, -PT_EINVAL, w->result = pt_copy(&w->space, &w->space, VA, 4096, 0))  \
	X(pt_copy, to_none, -PT_ENOTSUP, w->result = pt_copy(&w->none, &w->space, VA, 4096, 0))    \
	X(pt_copy, to_other, -PT_ENOTSUP, w->result = pt_copy(&w->other, &w->space, VA, 4096, 0))  \
	OF_SPACE(X, pt_move, pt_move(s, VA, 4096, FREE, 0))                                        \
	X(pt_move, onto_itself, -PT_EINVAL, w->result = pt_move(&w->space, VA, 4096, VA, 0))       \
	OF_SPACE(X, pt_split, pt_split(s, VA, 4096, 0, 0))                                         \
	OF_SPACE(X, pt_collapse, pt_collapse(s, VA, 1, 0))                                         \
	OF_SPACE(X, pt_populate, pt_populate(s, VA, 4096, 0, 0))                                   \
	OF_SPACE(X, pt_prune, pt_prune(s, VA, 4096, pt_make_va(0), pt_make_va(0)))                 \
	OF_SPACE(X, pt_share_table, pt_share_table(&w->space, s, VA, 0))                           \
	X(pt_share_table, to_null, -PT_EINVAL, w->result = pt_share_table(NULL, &w->space, VA, 0)) \
	X(pt_share_table, to_itself, -PT_EINVAL,                                                   \
	    w->result = pt_share_table(&w->space, &w->space, VA, 0))                               \
	X(pt_share_table, to_other, -PT_ENOTSUP,                                                   \
	    w->result = pt_share_table(&w->other, &w->space, VA, 0))                               \
	OF_SPACE(X, pt_unshare_table, pt_unshare_table(s, VA, NULL))                               \
	OF_GATHER(X, pt_unshare_table, pt_unshare_table(&w->space, VA, g))                         \
	OF_SPACE(X, pt_age, pt_age(s, VA, 4096, &w->bytes))                                        \
	OF_SPACE(X, pt_dirty, pt_dirty(s, VA, 4096, NULL, NULL, &w->bytes))                        \
	OF_SPACE(X, pt_access_fault, pt_access_fault(s, VA, PT_READ))                              \
	OF_SPACE(X, pt_check, pt_check(s, &(struct pt_fault_report){.level = 0}))                  \
	X(pt_dump, null, FAULT, pt_dump(NULL, no_line, NULL))                                      \
	OF_SPACE(X, pt_cursor_open,                                                                \
	    fill_cursor(pt_cursor_open(&(struct pt_cursor){.count = 0}, s, VA, ATTR, 0)))          \
	OF_SPACE(X, pt_cursor_map,                                                                 \
	    fill_cursor(pt_cursor_open(&(struct pt_cursor){.count = 0}, s, VA, ATTR, 0)))          \
	OF_SPACE(X, pt_cursor_flush,                                                               \
	    flush_cursor(pt_cursor_open(&(struct pt_cursor){.count = 0}, s, VA, ATTR, 0)))         \
	OF_USER_SPACE(X, pt_direct_map, FREE, 4096, PA, 0)                                         \
	OF_USER_SPACE(X, pt_set_memory, VA, 4096, PT_READ, PT_WRITE, 0)                            \
	OF_USER_SPACE(X, pt_set_memory_ro, VA, 4096, 0)                                            \
	OF_USER_SPACE(X, pt_set_memory_rw, VA, 4096, 0)                                            \
	OF_USER_SPACE(X, pt_set_memory_x, VA, 4096, 0)                                             \
	OF_USER_SPACE(X, pt_set_memory_nx, VA, 4096, 0)
