/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tool/build.h"

#include <inttypes.h>
#include <stdlib.h>

#include <ptdesc/hosted.h>

#include "tests/reference/reference.h"
#include "tool/tool.h"

/* Pages that are mapped with one call. */
#define BATCH 1024u

/* Times that a process is built, unless it is large. */
#define ROUNDS      3u
#define MANY_LEAVES (UINT64_C(1) << 19)

/*
 * Addresses for pages whose frame the kernel does not tell: all different as far as 44 bits go, and
 * aligned to the leaf.
 */
#define PSEUDO_MASK ((UINT64_C(1) << 44) - 1)

/* Simulated memory for tables: more than any process has; what is not touched costs nothing. */
#define ARENA_BYTES (UINT64_C(4) << 30)

struct builder {
	struct pt_hosted *hosted;
	struct pt_memory *memory;
};

/* One build under way. */
struct build {
	struct pt_space space;
	const struct snap_process *process;
	struct build_result *result;
	pt_pa batch[BATCH];
};

struct builder *builder_open(unsigned page_shift)
{
	struct pt_hosted_config config = {.bytes = ARENA_BYTES, .page_shift = page_shift};
	struct builder *builder = calloc(1, sizeof(*builder));
	int error = builder ? pt_hosted_memory_create(&config, &builder->hosted) : -PT_ENOMEM;

	if (error) {
		tool_error(
		    "no simulated memory for the tables: %s; is there an address space limit?",
		    pt_strerror(error));
		free(builder);
		return NULL;
	}
	builder->memory = pt_hosted_memory(builder->hosted);
	return builder;
}

bool builder_close(struct builder *builder)
{
	struct pt_leaks leaks = {0};
	int error;

	if (!builder)
		return true;
	error = pt_hosted_memory_destroy(builder->hosted, &leaks);
	if (error)
		tool_error("the library leaked %" PRIu64 " tables, %" PRIu64 " frames, %" PRIu64
			   " objects",
		    leaks.tables, leaks.frames, leaks.objects);
	free(builder);
	return !error;
}

static uint64_t leaf_pa(const struct snap_process *process, const struct snap_run *run, size_t leaf)
{
	size_t index = run->frame + leaf;
	uint64_t pa = process->frames[index];

	if (pa)
		return pa;
	return ((uint64_t)index << kernel_leaf_shift(run->level)) & PSEUDO_MASK;
}

static pt_attr run_attr(const struct snap_run *run)
{
	uint32_t flags = PT_READ | PT_USER;

	if (run->flags & SNAP_WRITE)
		flags |= PT_WRITE;
	if (run->flags & SNAP_EXEC)
		flags |= PT_EXEC;
	return pt_make_attr(flags);
}

/* Maps the pages of a run, lowest leaves, many at a time. */
static int map_pages(struct build *build, const struct snap_run *run)
{
	size_t count = (size_t)(run->size >> KERNEL_PAGE_SHIFT);
	pt_attr attr = run_attr(run);
	int error = 0;

	for (size_t at = 0; at < count && !error; at += BATCH) {
		size_t some = count - at < BATCH ? count - at : BATCH;
		uint64_t started;

		for (size_t i = 0; i < some; i++)
			build->batch[i] = pt_make_pa(leaf_pa(build->process, run, at + i));
		started = tool_now_ns();
		error = pt_map_list(&build->space, pt_make_va(run->va + (at << KERNEL_PAGE_SHIFT)),
		    build->batch, some, attr, PT_RELAX);
		build->result->map_ns += tool_now_ns() - started;
	}
	build->result->leaves += count;
	return error;
}

static int map_huge(struct build *build, const struct snap_run *run)
{
	unsigned shift = kernel_leaf_shift(run->level);
	size_t count = (size_t)(run->size >> shift);
	uint32_t flags = PT_RELAX | (run->flags & SNAP_DEPOSIT ? PT_DEPOSIT : 0);
	uint64_t started = tool_now_ns();
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = pt_map(&build->space, pt_make_va(run->va + ((uint64_t)i << shift)),
		    UINT64_C(1) << shift, pt_make_pa(leaf_pa(build->process, run, i)),
		    run_attr(run), flags);
	build->result->map_ns += tool_now_ns() - started;
	build->result->leaves += count;
	return error;
}

/* Entries without a page, and pages that cannot be seen, need their tables all the same. */
static int map_run(struct build *build, const struct snap_run *run)
{
	unsigned level = run->flags & SNAP_DEPOSIT ? 0 : run->level;

	if (!(run->flags & SNAP_PRESENT))
		return pt_populate(&build->space, pt_make_va(run->va), run->size, level, 0);
	build->result->mapped_bytes += run->size;
	return run->level ? map_huge(build, run) : map_pages(build, run);
}

static int map_all(struct build *build)
{
	int error = 0;

	for (size_t i = 0; i < build->process->run_count && !error; i++)
		error = map_run(build, &build->process->runs[i]);
	return error;
}

/* Every leaf once, in order. Mean number of tables on the way weighs each leaf by its bytes. */
static void translate_all(struct build *build)
{
	struct build_result *result = build->result;
	unsigned levels = build->space.format->levels;
	double read = 0;
	uint64_t started = tool_now_ns();

	for (size_t i = 0; i < build->process->run_count; i++) {
		const struct snap_run *run = &build->process->runs[i];
		uint64_t step = UINT64_C(1) << kernel_leaf_shift(run->level);

		for (uint64_t at = 0; run->flags & SNAP_PRESENT && at < run->size; at += step) {
			struct pt_translation to;

			if (pt_translate(&build->space, pt_make_va(run->va + at), &to)) {
				result->wrong = "pt_translate does not find a page that was mapped";
				result->wrong_va = run->va + at;
				return;
			}
			read += (double)(levels - to.level) * (double)step;
		}
	}
	result->translate_ns = tool_now_ns() - started;
	if (result->mapped_bytes)
		result->walk_depth = read / (double)result->mapped_bytes;
}

static int unmap_all(struct build *build)
{
	uint64_t started = tool_now_ns();
	int error = 0;

	for (size_t i = 0; i < build->process->run_count && !error; i++) {
		const struct snap_run *run = &build->process->runs[i];

		error = pt_unmap(&build->space, pt_make_va(run->va), run->size,
		    run->flags & SNAP_DEPOSIT ? PT_DEPOSIT : 0, NULL);
	}
	build->result->unmap_ns = tool_now_ns() - started;
	return error;
}

/* Where the reference walker is among what should be mapped. */
struct expected {
	const struct snap_process *process;
	size_t run;
	size_t leaf;
};

static int check_leaf(void *ctx, const struct ref_result *leaf)
{
	struct expected *expected = ctx;
	const struct snap_process *process = expected->process;
	const struct snap_run *run;
	unsigned shift;

	while (expected->run < process->run_count &&
	       !(process->runs[expected->run].flags & SNAP_PRESENT))
		expected->run++;
	if (expected->run == process->run_count)
		return 1;
	run = &process->runs[expected->run];
	shift = kernel_leaf_shift(run->level);
	if (leaf->va != run->va + ((uint64_t)expected->leaf << shift) || leaf->size >> shift != 1 ||
	    leaf->pa != leaf_pa(process, run, expected->leaf) ||
	    !(leaf->entry.flags & PT_WRITE) != !(run->flags & SNAP_WRITE) ||
	    !(leaf->entry.flags & PT_EXEC) != !(run->flags & SNAP_EXEC))
		return 1;
	expected->leaf++;
	if (expected->leaf == run->size >> shift) {
		expected->leaf = 0;
		expected->run++;
	}
	return 0;
}

static bool nothing_left(struct expected *expected)
{
	while (expected->run < expected->process->run_count &&
	       !(expected->process->runs[expected->run].flags & SNAP_PRESENT))
		expected->run++;
	return expected->run == expected->process->run_count;
}

/* Deposited tables hang on no entry: the walker cannot meet them. */
static uint64_t deposits(const struct snap_process *process)
{
	uint64_t count = 0;

	for (size_t i = 0; i < process->run_count; i++) {
		const struct snap_run *run = &process->runs[i];

		if (run->flags & SNAP_DEPOSIT && run->flags & SNAP_PRESENT)
			count += run->size >> kernel_leaf_shift(1);
	}
	return count;
}

/* Where physical address 0 of the simulated memory is: it is one piece. */
static const void *memory_at(void *ctx, uint64_t pa, size_t size)
{
	const struct build *build = ctx;
	const struct pt_memory *memory = build->space.memory;
	const struct ptdesc *root = build->space.root;
	const char *base = (const char *)ptdesc_address(memory, root) - ptdesc_pa(memory, root).v;

	return pa < ARENA_BYTES && size <= ARENA_BYTES - pa ? base + pa : NULL;
}

/* The library's accounting against a walk that shares no code with it. */
static void check_by_reference(struct build *build)
{
	struct ref_memory memory = {.at = memory_at, .ctx = build};
	const char *name = build->space.format->name;
	uint64_t root = pt_space_root(&build->space).pa.v;
	uint64_t counts[REF_MAX_LEVELS] = {0};
	struct expected expected = {.process = build->process};
	struct build_result *result = build->result;

	if (ref_for_each(&memory, name, root, check_leaf, &expected) || !nothing_left(&expected)) {
		result->wrong = "the reference walker finds other pages than were mapped";
		if (expected.run < build->process->run_count)
			result->wrong_va = build->process->runs[expected.run].va;
		return;
	}
	if (ref_count_tables(&memory, name, root, counts))
		result->wrong = "the reference walker cannot count the tables";
	counts[0] += deposits(build->process);
	for (unsigned level = 0; level < build->space.format->levels; level++) {
		if (counts[level] != result->tables[level])
			result->wrong = "the reference walker counts other tables than the library";
	}
}

static void check(struct build *build)
{
	struct pt_fault_report report = {.what = NULL};

	if (!build->result->wrong)
		check_by_reference(build);
	if (!build->result->wrong && pt_check(&build->space, &report)) {
		build->result->wrong = report.what;
		build->result->wrong_va = report.va.v;
	}
}

static void take_stats(struct build *build)
{
	struct pt_space_stats stats;

	pt_space_stats(&build->space, &stats);
	for (unsigned level = 0; level < PT_MAX_LEVELS; level++)
		build->result->tables[level] = stats.tables[level];
	build->result->table_bytes = stats.table_bytes;
	build->result->descriptor_bytes = stats.descriptor_bytes;
}

/* Maps everything, looks, and unmaps it again. */
static int run_build(struct build *build, bool verify)
{
	struct build_result *result = build->result;
	struct pt_memory_stats before;
	struct pt_memory_stats after;
	int error;

	pt_memory_stats(build->space.memory, &before);
	error = map_all(build);
	if (error)
		return error;
	pt_memory_stats(build->space.memory, &after);
	result->hits = after.magazine_hits - before.magazine_hits;
	result->misses = after.magazine_misses - before.magazine_misses;
	take_stats(build);
	translate_all(build);
	if (verify)
		check(build);
	return unmap_all(build);
}

static int build_once(struct builder *builder, const struct pt_format *format,
    const struct snap_process *process, struct build_result *result, bool verify)
{
	struct build build = {.process = process, .result = result};
	int error;
	int left;

	*result = (struct build_result){.format = format};
	error = pt_space_init(&build.space, builder->memory, format, 0, NULL);
	if (error)
		return error;
	error = run_build(&build, verify);
	left = pt_space_destroy(&build.space, NULL);
	return error ? error : left;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool build_tables(struct builder *builder, const struct pt_format *format,
    const struct snap_process *process, struct build_result *result)
{
	int error = build_once(builder, format, process, result, true);

	/*
	 * Again, for the times alone: the first time the host still finds memory for the simulated
	 * one, and any time it may take the CPU away. The best of the rounds is ours.
	 */
	for (unsigned round = 1; round < ROUNDS && !error && result->leaves < MANY_LEAVES;
	    round++) {
		struct build_result again;

		error = build_once(builder, format, process, &again, false);
		result->map_ns = lesser(result->map_ns, again.map_ns);
		result->translate_ns = lesser(result->translate_ns, again.translate_ns);
		result->unmap_ns = lesser(result->unmap_ns, again.unmap_ns);
	}
	result->error = error;
	return !error;
}

uint64_t build_kernel_tables(const struct build_result *result)
{
	uint64_t total = 0;

	for (unsigned level = 0; level < KERNEL_LEVELS; level++)
		total += result->tables[level];
	return total;
}
