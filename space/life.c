/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The life of a space: made empty or from a tree of boot tables, looked at, destroyed. */
#include "space/op.h"

/* A space that could not be made is none: whoever calls with it is told so. */
static int make_none(struct pt_space *space, int err)
{
	space->format = NULL;
	space->root = NULL;
	return err;
}

/* Registers the kinds of table that a format has at its levels. */
static int find_classes(struct pt_space *space)
{
	for (unsigned l = 0; l < space->levels; l++) {
		unsigned id;
		int err = pt_class_register(space->memory, &space->format->tables[l], &id);

		if (err)
			return make_none(space, err);
		space->classes[l] = (uint8_t)id;
	}
	return 0;
}

static void list_root(struct pt_memory *memory, struct ptdesc *root)
{
	port_lock(&memory->port, &memory->roots_lock);
	root->pt_list.prev = NULL;
	root->pt_list.next = memory->roots;
	if (memory->roots)
		memory->roots->pt_list.prev = root;
	memory->roots = root;
	port_unlock(&memory->port, &memory->roots_lock);
}

static void unlist_root(struct pt_memory *memory, struct ptdesc *root)
{
	port_lock(&memory->port, &memory->roots_lock);
	if (root->pt_list.prev)
		root->pt_list.prev->pt_list.next = root->pt_list.next;
	else
		memory->roots = root->pt_list.next;
	if (root->pt_list.next)
		root->pt_list.next->pt_list.prev = root->pt_list.prev;
	port_unlock(&memory->port, &memory->roots_lock);
}

static void set_format(struct pt_space *space, const struct pt_format *format)
{
	space->format = format;
	space->levels = format->levels;
	space->page_mask = (UINT64_C(1) << format->page_shift) - 1;
	space->half = format->flags & PT_FORMAT_SIGNED ? UINT64_C(1) << (format->va_bits - 1) : 0;
	space->beyond = format->va_bits < 64 ? UINT64_MAX << format->va_bits : 0;
	space->pa_beyond = format->pa_bits < 64 ? UINT64_MAX << format->pa_bits : 0;
}

/* Never one that another space had: two of them could not be told apart (13). */
static uint64_t next_id(struct pt_memory *memory)
{
	uint64_t id;

	port_lock(&memory->port, &memory->lock);
	id = memory->next_space++;
	port_unlock(&memory->port, &memory->lock);
	return id;
}

/* What pt_space_init and pt_space_adopt have in common, before there is a root. */
static int start_space(struct pt_space *space, struct pt_memory *memory,
    const struct pt_format *format, uint32_t flags, void *cookie)
{
	if (space)
		(void)make_none(space, 0);
	if (!space || !memory || !format || flags & ~(uint32_t)(PT_SPACE_MMU | PT_SPACE_KERNEL))
		return -PT_EINVAL;
	if (memory->stage != PT_STAGE_ONLINE)
		return -PT_ESTAGE;
	if (format->page_shift != memory->config.page_shift)
		return -PT_ENOTSUP;
	memset(space, 0, sizeof(*space));
	space->memory = memory;
	space->cookie = cookie;
	space->flags = flags;
	set_format(space, format);
	space->id = next_id(memory);
	return find_classes(space);
}

/* Nobody is in it: it need not wait for readers. */
static void free_root(struct pt_space *space)
{
	struct ptdesc *deposit;

	/* Where there are two levels, large leaves are in the root, and their deposits with them.
	 */
	while ((deposit = pt_withdraw(space->root)))
		pagetable_free(space->memory, deposit, &space->account);
	unlist_root(space->memory, space->root);
	pt_state_move(space->memory, space->root, PT_LINKED, PT_UNLINKED);
	pagetable_free(space->memory, space->root, &space->account);
	space->root = NULL;
}

/* Where an MMU loads the root's entries, their tables are there from the start (K3). */
static int make_loaded(struct pt_space *space)
{
	const struct pt_format *f = space->format;
	struct pt_range all = {0, (UINT64_C(1) << f->va_bits) - 1};

	if (!(f->flags & PT_FORMAT_LOADED_ROOT))
		return 0;
	return f->ops->populate(space, all, space->levels - 2u, 0);
}

int pt_space_init(struct pt_space *space, struct pt_memory *memory, const struct pt_format *format,
    uint32_t flags, void *cookie)
{
	int err = start_space(space, memory, format, flags, cookie);
	unsigned top;

	if (err)
		return err;
	top = space->levels - 1u;
	space->root = pagetable_alloc(memory, space->classes[top], top, &space->account,
	    flags & PT_SPACE_KERNEL ? PT_KERNEL_TABLE : 0);
	if (!space->root)
		return make_none(space, -PT_ENOMEM);
	space->root->space = space;
	space->top = ptdesc_address(memory, space->root);
	if (PT_DEFECT(23)) /* made of plain pages, whose words say nothing of a table */
		PT_STORE(&pt_page_of(memory, ptdesc_pfn(space->root))->memdesc.v, MEMDESC_PLAIN,
		    RELEASE);
	pt_state_move(memory, space->root, PT_PRIVATE, PT_LINKED);
	list_root(memory, space->root);
	err = make_loaded(space);
	if (err) {
		free_root(space);
		return make_none(space, err);
	}
	return 0;
}

/* The table at pa, NULL if it cannot be the root of this space. */
static struct ptdesc *boot_root(const struct pt_space *space, uint64_t pa)
{
	struct ptdesc *pt = pt_desc_find(space->memory, pa);
	unsigned top = space->levels - 1u;

	if (!pt || pt->space || ptdesc_pa(space->memory, pt).v != pa || ptdesc_level(pt) != top ||
	    ptdesc_class(pt) != space->classes[top])
		return NULL;
	return pt;
}

int pt_space_adopt(struct pt_space *space, struct pt_memory *memory, const struct pt_format *format,
    uint32_t flags, void *cookie, pt_pa root)
{
	int err = start_space(space, memory, format, flags, cookie);

	if (err)
		return err;
	space->root = boot_root(space, root.v);
	if (!space->root)
		return make_none(space, -PT_ENOENT);
	space->top = ptdesc_address(memory, space->root);
	err = format->ops->adopt(space);
	if (err)
		return make_none(space, err);
	list_root(memory, space->root);
	return 0;
}

/* Unmaps all of one half and frees its tables. */
static int clear_half(struct pt_space *space, struct pt_range r, struct pt_gather *gather)
{
	int err = space->format->ops->unmap(space, r, 0, gather);

	return err ? err : space->format->ops->prune(space, r, r);
}

static int clear_all(struct pt_space *space, struct pt_gather *gather)
{
	bool halves = space->format->flags & PT_FORMAT_SIGNED;
	unsigned bits = space->format->va_bits - (halves ? 1u : 0u);
	struct pt_range low = {0, bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX};
	struct pt_range high = {~low.last, UINT64_MAX};
	int err = clear_half(space, low, gather);

	return err || !halves ? err : clear_half(space, high, gather);
}

int pt_space_destroy(struct pt_space *space, struct pt_gather *gather)
{
	int err = space && space->format && space->root ? pt_check_gather(gather) : -PT_EINVAL;

	if (!err)
		err = clear_all(space, gather);
	if (err)
		return err;
	free_root(space);
	pt_reclaim_poll(space->memory, false);
	/* Whoever calls with it again is told so. */
	space->format = NULL;
	for (unsigned l = 0; l < space->levels; l++)
		if (pt_account_tables(&space->account, l))
			return -PT_EBUSY;
	return 0;
}

struct pt_root pt_space_root(const struct pt_space *space)
{
	struct pt_root root;

	root.pa = ptdesc_pa(space->memory, space->root);
	root.levels = space->levels;
	root.value = space->format->ops->root_value(root.pa.v, space->levels);
	root.types = space->format->type_register;
	root.control = space->format->control;
	return root;
}

void pt_space_stats(const struct pt_space *space, struct pt_space_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	for (unsigned l = 0; space->format && l < space->levels; l++) {
		stats->tables[l] = pt_account_tables(&space->account, l);
		stats->table_bytes += stats->tables[l] * space->format->tables[l].size;
		stats->descriptor_bytes += stats->tables[l] * sizeof(struct ptdesc);
	}
}
