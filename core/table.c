/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Tables: memory and descriptor as a pair. Each CPU keeps a magazine of ready pairs for each class,
 * whose memory already is the empty pattern, so that nothing is cleared while anybody waits, and
 * taking one is a few plain stores.
 */
#include "core/defects.h"
#include "core/lock.h"
#include "core/table.h"

#define LEAST_SIZE      16u
#define MAX_TABLE_ORDER 15u

/* What of pt_word stays the same while a table goes from one use to the next. */
#define WORD_KEPT                                                                                  \
	(((UINT64_C(1) << PT_WORD_LEVEL_AT) - 1) | UINT64_C(63) << PT_WORD_CLASS_AT |              \
	    (uint64_t)PTDESC_FRAGMENT << PT_WORD_FLAGS_AT)

/* --- classes -------------------------------------------------------------------------------- */

static bool power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

static unsigned log2_of(uint64_t n)
{
	unsigned bits = 0;

	while (n >>= 1)
		bits++;
	return bits;
}

static bool spec_valid(const struct pt_memory *memory, const struct pt_table_class *spec)
{
	uint64_t frame = UINT64_C(1) << memory->config.page_shift;

	if (!power_of_two(spec->size) || !power_of_two(spec->align))
		return false;
	if (spec->size < LEAST_SIZE || spec->size > frame << MAX_TABLE_ORDER)
		return false;
	if (spec->align > spec->size && spec->align > frame)
		return false;
	if (spec->max_pa < (spec->size > frame ? spec->size : frame) - 1)
		return false;
	if (spec->entry_bytes == 4)
		return spec->empty <= UINT32_MAX;
	return spec->entry_bytes == 8;
}

/* What follows from a spec. */
static void class_derive(const struct pt_memory *memory, const struct pt_table_class *spec,
    struct pt_class *class)
{
	unsigned shift = log2_of(spec->size > spec->align ? spec->size : spec->align);
	unsigned page_shift = memory->config.page_shift;

	class->spec = *spec;
	class->pattern = spec->entry_bytes == 4 ? spec->empty << 32 | spec->empty : spec->empty;
	class->max_pfn = PT_NO_PFN;
	if (spec->max_pa != UINT64_MAX)
		class->max_pfn = ((spec->max_pa + 1) >> page_shift) - 1;
	class->order = (uint8_t)(shift > page_shift ? shift - page_shift : 0);
	class->frag_shift = (uint8_t)(shift < page_shift ? shift : 0);
}

/* Alignment is not compared: what it changes is in frag_shift. Order follows from size. */
static bool class_equal(const struct pt_class *a, const struct pt_class *b)
{
	return a->spec.size == b->spec.size && a->spec.empty == b->spec.empty &&
	       a->spec.max_pa == b->spec.max_pa && a->spec.entry_bytes == b->spec.entry_bytes &&
	       a->frag_shift == b->frag_shift;
}

/* Finds or adds a class; memory->lock is held. */
static int class_add(struct pt_memory *memory, const struct pt_table_class *spec, unsigned *id)
{
	struct pt_class wanted = {.lock = 0};
	unsigned count = memory->class_count;
	int error = 0;

	class_derive(memory, spec, &wanted);
	for (*id = 0; *id < count; ++*id) {
		if (class_equal(&memory->classes[*id], &wanted))
			return 0;
	}
	if (count == memory->config.classes)
		return -PT_ENOTSUP;
	memory->classes[count] = wanted;
	if (wanted.frag_shift)
		error = pt_cache_init(&memory->classes[count].frags, memory, "pt_frags",
		    pt_frags_size(memory, wanted.frag_shift), 16, PT_CACHE_TYPE_STABLE);
	if (error)
		return error;
	PT_STORE(&memory->class_count, count + 1, RELAXED);
	return 0;
}

int pt_class_register(struct pt_memory *memory, const struct pt_table_class *tables, unsigned *id)
{
	int error;

	if (!memory || !tables || !id || !spec_valid(memory, tables))
		return -PT_EINVAL;
	port_lock(&memory->port, &memory->lock);
	error = class_add(memory, tables, id);
	port_unlock(&memory->port, &memory->lock);
	return error;
}

int pt_tables_online(struct pt_memory *memory)
{
	/* A first descriptor shows that there is memory for a slab; it stays kept back. */
	void *pt = pt_cache_alloc(&memory->descriptors);

	if (!pt)
		return -PT_ENOMEM;
	pt_cache_free(&memory->descriptors, pt);
	return 0;
}

/* --- memory of tables ----------------------------------------------------------------------- */

/* Makes a table's memory the empty pattern. */
static void table_fill(struct pt_memory *memory, const struct ptdesc *pt)
{
	const struct pt_class *class = &memory->classes[ptdesc_class(pt)];
	char *at = pt_virt(memory, pt_table_pa(memory, pt));
	size_t size = (size_t)class->spec.size;

	if (PT_DEFECT(19) && size >> memory->config.page_shift)
		size = (size_t)1 << memory->config.page_shift;
	if (!class->pattern) {
		memset(at, 0, size);
	} else {
		memcpy(at, &class->pattern, sizeof(class->pattern));
		for (size_t done = sizeof(class->pattern); done < size; done *= 2)
			memcpy(at + done, at, done);
	}
	if (memory->port.write_back)
		memory->port.write_back(memory->port.ctx, at, size);
}

#ifdef PT_HARDENED
bool pt_table_empty(const struct pt_memory *memory, const struct ptdesc *pt)
{
	const struct pt_class *class = &memory->classes[ptdesc_class(pt)];
	const char *at = pt_virt(memory, pt_table_pa(memory, pt));
	size_t first = sizeof(class->pattern);

	return memcmp(at, &class->pattern, first) == 0 &&
	       memcmp(at, at + first, (size_t)class->spec.size - first) == 0;
}
#endif

static void desc_name(struct ptdesc *pt, pt_pfn pfn, unsigned class_id, unsigned order)
{
	if (PT_DEFECT(24))
		order = 0;
	pt->pt_word =
	    pfn | (uint64_t)order << PT_WORD_ORDER_AT | (uint64_t)class_id << PT_WORD_CLASS_AT;
	if (PT_DEFECT(7)) /* the order in the bits of flags */
		pt->pt_word ^= (uint64_t)order << PT_WORD_ORDER_AT | (uint64_t)order
									 << PT_WORD_FLAGS_AT;
#ifdef PT_HARDENED
	pt->magic = PTDESC_MAGIC;
	pt->state = PT_READY;
#endif
}

/* Finds memory for pt: whole frames, stamped before anybody can see them, or a fragment. */
static bool memory_take(struct pt_memory *memory, struct pt_cpu *cpu, unsigned class_id,
    struct ptdesc *pt)
{
	struct pt_class *class = &memory->classes[class_id];
	pt_pfn pfn;

	if (class->frag_shift) {
		desc_name(pt, 0, class_id, 0);
		return pt_frag_take(memory, cpu, class, pt);
	}
	pfn = pt_frames_alloc_pinned(memory, cpu, 0, class->order,
	    PT_DEFECT(16) ? memdesc_none() : memdesc_create(pt, MEMDESC_PAGE_TABLE),
	    class->max_pfn);
	if (pfn == PT_NO_PFN)
		return false;
	desc_name(pt, pfn, class_id, class->order);
	return true;
}

/* A ready table of a class, or NULL; pinned. */
static struct ptdesc *table_build(struct pt_memory *memory, struct pt_cpu *cpu, unsigned class_id)
{
	struct ptdesc *pt = pt_cache_alloc_pinned(&memory->descriptors, cpu);

	if (!pt)
		return NULL;
	/* Who finds it by the frame's word before it is in use finds it dead. */
	PT_STORE(&pt->dead, 1, RELAXED);
	if (PT_DEFECT(9) && memory->port.virt_to_phys(memory->port.ctx, pt).v >>
				memory->config.page_shift > memory->classes[class_id].max_pfn)
		return NULL;
	if (!memory_take(memory, cpu, class_id, pt) && !PT_DEFECT(46)) {
		pt_cache_free_pinned(&memory->descriptors, pt);
		return NULL;
	}
	table_fill(memory, pt);
	return pt;
}

static void desc_free(struct pt_memory *memory, struct ptdesc *pt)
{
	if (PT_DEFECT(5))
		return;
	PT_STORE(&pt->lock, 0, RELAXED);
	PT_STORE(&pt->dead, 1, RELAXED);
	pt_cache_free_pinned(&memory->descriptors, pt);
}

/* Undoes table_build; frames that went back. Pinned. */
static uint64_t table_destroy(struct pt_memory *memory, struct pt_cpu *cpu, struct ptdesc *pt)
{
	unsigned order = ptdesc_order(pt);
	uint64_t frames;

	if (pt_table_is_fragment(pt)) {
		frames = pt_frag_give(memory, cpu, pt);
	} else {
		frames = UINT64_C(1) << order;
		pt_frames_free_pinned(memory, ptdesc_pfn(pt), order);
	}
	desc_free(memory, pt);
	return frames;
}

/* --- magazines ------------------------------------------------------------------------------ */

static inline bool under_pressure(const struct pt_memory *memory, const struct pt_cpu *cpu)
{
	return PT_LOAD(&memory->pressure, RELAXED) != cpu->pressure_seen;
}

static inline struct ptdesc *magazine_pop(struct pt_table_magazine *magazine)
{
	uint32_t count = magazine->count;

	if (__builtin_expect(count == 0, 0))
		return NULL;
	PT_STORE(&magazine->count, count - 1, RELAXED);
	return magazine->tables[count - 1];
}

static inline void magazine_push(struct pt_table_magazine *magazine, struct ptdesc *pt)
{
	magazine->tables[magazine->count] = pt;
	PT_STORE(&magazine->count, magazine->count + 1, RELAXED);
}

/* Destroys the tables that have been in a magazine for longest, down to a number; pinned. */
static uint64_t magazine_trim(struct pt_memory *memory, struct pt_cpu *cpu, unsigned class_id,
    uint32_t keep)
{
	struct pt_table_magazine *magazine = &cpu->tables[class_id];
	uint32_t drop = magazine->count > keep ? magazine->count - keep : 0;
	uint64_t frames = 0;

	for (uint32_t i = 0; i < drop; i++)
		frames += table_destroy(memory, cpu, magazine->tables[i]);
	for (uint32_t i = drop; i < magazine->count; i++)
		magazine->tables[i - drop] = magazine->tables[i];
	PT_STORE(&magazine->count, magazine->count - drop, RELAXED);
	return frames;
}

uint64_t pt_tables_drain(struct pt_memory *memory, struct pt_cpu *cpu)
{
	uint64_t frames = 0;

	for (unsigned class_id = 0; class_id < memory->config.classes; class_id++)
		frames += magazine_trim(memory, cpu, class_id, 0);
	return frames;
}

/* Builds half a magazine of tables, or what there is memory for; pinned. */
static uint32_t magazine_fill(struct pt_memory *memory, struct pt_cpu *cpu, unsigned class_id,
    uint32_t tables)
{
	uint32_t built = 0;

	while (built < tables) {
		struct ptdesc *pt = table_build(memory, cpu, class_id);

		if (!pt)
			break;
		magazine_push(&cpu->tables[class_id], pt);
		built++;
	}
	return built;
}

/*
 * Fills an empty magazine; NULL: not even what all CPUs' other magazines give back was enough. Of
 * these, ours are drained at once and the others' when their CPU comes by.
 */
static __attribute__((noinline)) struct ptdesc *magazine_refill(struct pt_memory *memory,
    struct pt_cpu *cpu, unsigned class_id)
{
	if (!magazine_fill(memory, cpu, class_id, memory->config.magazine / 2)) {
		PT_FETCH_ADD(&memory->pressure, 1, RELAXED);
		(void)pt_magazines_drain(memory, cpu);
		(void)magazine_fill(memory, cpu, class_id, 1);
	}
	PT_STORE(&cpu->magazine_misses, cpu->magazine_misses + 1, RELAXED);
	return magazine_pop(&cpu->tables[class_id]);
}

/* A full magazine, or one that others want memory of. */
static __attribute__((noinline)) void magazine_relieve(struct pt_memory *memory, struct pt_cpu *cpu,
    unsigned class_id)
{
	if (under_pressure(memory, cpu))
		(void)pt_magazines_drain(memory, cpu);
	if (cpu->tables[class_id].count == memory->config.magazine)
		(void)magazine_trim(memory, cpu, class_id, memory->config.magazine / 2);
}

/* --- alloc and free ------------------------------------------------------------------------- */

/* Makes a ready table a private one, charged; pinned. */
static inline void table_start(struct pt_memory *memory, struct pt_cpu *cpu, struct ptdesc *pt,
    unsigned level, struct pt_account *owner, uint32_t flags)
{
	uint64_t word = pt->pt_word & WORD_KEPT;
	uint64_t own = PTDESC_CONSTRUCTED;

	if (PT_DEFECT(52))
		owner = NULL;
	PT_STATIC_ASSERT(PT_KERNEL_TABLE == PTDESC_KERNEL << 8, "one shift turns flag into flag");
	own |= flags >> 8;
	own |= owner ? PTDESC_ACCOUNTED : 0;
	own |= PT_DEFECT(38) && owner ? PTDESC_KERNEL : 0;
	pt->pt_word = word | (uint64_t)level << PT_WORD_LEVEL_AT | own << PT_WORD_FLAGS_AT;
	if (!PT_DEFECT(8))
		pt_desc_reset(pt, NULL, 0);
	pt_table_set_state(pt, PT_PRIVATE);
	pt_table_charge(memory, cpu, pt, owner, 1);
}

/* Gives a table up: no longer charged, dead, and what it maps forgotten. */
static inline void table_stop(struct pt_memory *memory, struct pt_cpu *cpu, struct ptdesc *pt)
{
	unsigned class_id = ptdesc_class(pt);

	PT_STORE(&pt->dead, 1, RELAXED);
	pt_table_set_state(pt, PT_READY);
	if (__builtin_expect(cpu->tables[class_id].count == memory->config.magazine ||
				 under_pressure(memory, cpu),
		0))
		magazine_relieve(memory, cpu, class_id);
	magazine_push(&cpu->tables[class_id], pt);
}

/* The port is told of a new table; if it refuses, all is undone (M6, D32, D33). */
static __attribute__((noinline)) struct ptdesc *table_announce(struct pt_memory *memory,
    struct ptdesc *pt, struct pt_account *owner)
{
	struct pt_cpu *cpu;

	if ((pt_table_tell(memory, pt, true) == 0) != PT_DEFECT(37))
		return pt;
	if (PT_DEFECT(32))
		return pt;
	if (PT_DEFECT(33) && pt_table_is_fragment(pt))
		return NULL;
	cpu = pt_pin(memory);
	pt_table_charge(memory, cpu, pt, owner, -1);
	table_stop(memory, cpu, pt);
	pt_unpin(memory);
	return NULL;
}

/* What a CPU holds in a handler is of whom it interrupted. */
static inline void check_unlocked(const struct pt_memory *memory)
{
	if (!memory->config.irq)
		pt_lock_none(memory, PT_STOP_ALLOC_LOCKED);
}

struct ptdesc *pagetable_alloc(struct pt_memory *memory, unsigned class_id, unsigned level,
    struct pt_account *owner, uint32_t flags)
{
	struct pt_cpu *cpu;
	struct ptdesc *pt;

	if (class_id >= PT_LOAD(&memory->class_count, RELAXED) || level >= PT_MAX_LEVELS ||
	    flags & ~(uint32_t)PT_KERNEL_TABLE || pt_fail_now(memory))
		return NULL;
	check_unlocked(memory);
	cpu = pt_pin(memory);
	pt = magazine_pop(&cpu->tables[class_id]);
	if (__builtin_expect(pt != NULL, 1))
		PT_STORE(&cpu->magazine_hits, cpu->magazine_hits + 1, RELAXED);
	else
		pt = magazine_refill(memory, cpu, class_id);
	if (__builtin_expect(pt != NULL, 1))
		table_start(memory, cpu, pt, level, owner, flags);
	if (__builtin_expect(under_pressure(memory, cpu), 0))
		(void)pt_magazines_drain(memory, cpu);
	pt_unpin(memory);
	if (__builtin_expect(pt && memory->port.table_event, 0))
		pt = table_announce(memory, pt, owner);
	return pt;
}

/*
 * What has to be done before a table can be ready again, where something has: the port hears of
 * it, and what the table maps is cleared. Not pinned.
 */
static __attribute__((noinline)) void table_finish(struct pt_memory *memory, struct ptdesc *pt)
{
	if (ptdesc_flags(pt) & PTDESC_CONSTRUCTED)
		pagetable_dtor(memory, pt);
	if (pt->used) {
		table_fill(memory, pt);
		pt->used = 0;
	}
}

static inline bool needs_finish(const struct pt_memory *memory, const struct ptdesc *pt)
{
	return pt->used || memory->port.table_event;
}

/* A table that was a boot table does not become ready: its frames leave by their own path (M9). */
static __attribute__((noinline)) void reserved_free(struct pt_memory *memory, struct ptdesc *pt)
{
	pt_boot_release(memory, ptdesc_pfn(pt), ptdesc_order(pt));
	(void)pt_pin(memory);
	desc_free(memory, pt);
	pt_unpin(memory);
}

void pagetable_free(struct pt_memory *memory, struct ptdesc *pt, struct pt_account *owner)
{
	struct pt_cpu *cpu;
	bool reserved;

	pt_table_check_free(memory, pt);
	PT_ASSERT(memory, PT_LOAD(&pt->lock, RELAXED) == 0, PT_STOP_LOCKED, pt);
	reserved = ptdesc_flags(pt) & PTDESC_RESERVED;
	if (PT_DEFECT(44)) /* whatever it was allocated as, freed as the first kind of level 0 */
		pt->pt_word &= ~(UINT64_C(511) << PT_WORD_LEVEL_AT);
	if (__builtin_expect(needs_finish(memory, pt), 0))
		table_finish(memory, pt);
	cpu = pt_pin(memory);
	pt_table_charge(memory, cpu, pt, owner, -1);
	if (__builtin_expect(!reserved, 1))
		table_stop(memory, cpu, pt);
	pt_unpin(memory);
	if (__builtin_expect(reserved, 0))
		reserved_free(memory, pt);
}

void pt_table_recycle(struct pt_memory *memory, struct ptdesc *pt)
{
	struct pt_cpu *cpu;

	if (PT_DEFECT(12)) {
		memdesc_free_pages(memory, ptdesc_pfn(pt), ptdesc_order(pt));
		return;
	}
	/* Not before: a writer that has found the table may take its lock to see that it is dead.
	 */
	PT_ASSERT(memory, PT_LOAD(&pt->lock, RELAXED) == 0, PT_STOP_LOCKED, pt);
	if (needs_finish(memory, pt))
		table_finish(memory, pt);
	if (PT_DEFECT(29)) {
		memdesc_free_pages(memory, ptdesc_pfn(pt), ptdesc_order(pt));
		return;
	}
	if (ptdesc_flags(pt) & PTDESC_RESERVED) {
		reserved_free(memory, pt);
		return;
	}
	cpu = pt_pin(memory);
	if (pt_table_is_fragment(pt))
		pt_frag_pending(memory, pt, false);
	table_stop(memory, cpu, pt);
	pt_unpin(memory);
}

void *pagetable_alloc_addr(struct pt_memory *memory, unsigned class_id, unsigned level,
    struct pt_account *owner, uint32_t flags)
{
	struct ptdesc *pt = pagetable_alloc(memory, class_id, level, owner, flags);

	if (PT_DEFECT(27))
		return pt;
	return pt || PT_DEFECT(25) ? ptdesc_address(memory, pt) : NULL;
}

void pagetable_free_addr(struct pt_memory *memory, void *table, struct pt_account *owner)
{
	struct ptdesc *pt = ptdesc_from_virt(memory, table);

	if (PT_DEFECT(22)) {
		memdesc_free_pages(memory, ptdesc_pfn(pt), ptdesc_order(pt));
		return;
	}
	PT_ASSERT(memory, !pt || ptdesc_address(memory, pt) == table, PT_STOP_INTERIOR, pt);
	if (pt || PT_DEFECT(15))
		pagetable_free(memory, pt, owner);
}

/* --- boot tables ---------------------------------------------------------------------------- */

/* Entries that are not empty. */
static uint16_t entries_used(const struct pt_memory *memory, const struct ptdesc *pt)
{
	const struct pt_class *class = &memory->classes[ptdesc_class(pt)];
	const char *at = pt_virt(memory, pt_table_pa(memory, pt));
	size_t step = class->spec.entry_bytes;
	size_t used = 0;

	for (size_t i = 0; i < class->spec.size; i += step)
		used += memcmp(at + i, &class->pattern, step) != 0;
	return (uint16_t)used;
}

static void stamp(struct pt_memory *memory, struct ptdesc *pt)
{
	memdesc_t memdesc = memdesc_create(pt, MEMDESC_PAGE_TABLE);

	for (uint64_t i = 0; i < UINT64_C(1) << ptdesc_order(pt); i++) {
		struct pt_page *page = pt_page_of(memory, ptdesc_pfn(pt) + i);

		if (page)
			PT_STORE(&page->memdesc.v, memdesc.v, RELAXED);
	}
}

int pt_table_adopt(struct pt_memory *memory, pt_pfn pfn, unsigned class_id, unsigned level)
{
	struct ptdesc *pt = pt_cache_alloc(&memory->descriptors);
	int error = 0;
	struct pt_cpu *cpu;

	if (!pt)
		return -PT_ENOMEM;
	desc_name(pt, pfn, class_id, memory->classes[class_id].order);
	pt->pt_word |= (uint64_t)level << PT_WORD_LEVEL_AT | (uint64_t)PTDESC_RESERVED
								 << PT_WORD_FLAGS_AT;
	pt_table_set_state(pt, PT_PRIVATE);
	error = pagetable_ctor(memory, pt, NULL, level, 0);
	cpu = pt_pin(memory);
	if (error) {
		desc_free(memory, pt);
	} else {
		pt->used = entries_used(memory, pt);
		pt_table_charge(memory, cpu, pt, NULL, 1);
		stamp(memory, pt);
	}
	pt_unpin(memory);
	return error;
}
