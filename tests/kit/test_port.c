/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/kit/test_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_ALIGN ((size_t)1 << 16) /* the largest page; sections are multiples of it */

/* The library broke the contract of the port: no test can go on after that. */
static void broken(const char *what)
{
	fprintf(stderr, "test port: %s\n", what);
	fflush(NULL);
	abort();
}

static void want(bool good, const char *what)
{
	if (!good)
		broken(what);
}

static unsigned port_pin(void *ctx, bool irq)
{
	struct test_port *t = ctx;

	want(irq == t->config.irq, "pinned with the wrong irq");
	want(!t->pinned, "pins do not nest");
	t->pinned = true;
	return 0;
}

static void port_unpin(void *ctx, bool irq)
{
	struct test_port *t = ctx;

	(void)irq;
	want(t->pinned, "unpinned and was not pinned");
	t->pinned = false;
}

static void port_enter(void *ctx)
{
	((struct test_port *)ctx)->in_section++;
}

static void port_exit(void *ctx)
{
	struct test_port *t = ctx;

	want(t->in_section > 0, "left a section that was not entered");
	t->in_section--;
}

static void *port_virt(void *ctx, pt_pa pa)
{
	return test_port_virt(ctx, pa.v);
}

static pt_pa port_phys(void *ctx, const void *address)
{
	struct test_port *t = ctx;
	const char *at = address;

	want(at >= t->arena && at < t->arena + t->size, "an address outside the arena");
	return pt_make_pa(t->first_pa + (uint64_t)(at - t->arena));
}

static void port_wait(void *ctx, const uint32_t *address, uint32_t value)
{
	(void)ctx;
	(void)address;
	(void)value;
	broken("waits for ever: a lock is held, or an entry stayed busy");
}

static void outside(const struct test_port *t)
{
	want(!t->pinned && !t->in_section, "grace period asked for inside a section or pinned");
}

static uint64_t port_grace_start(void *ctx)
{
	struct test_port *t = ctx;

	outside(t);
	return ++t->started;
}

static bool port_grace_done(void *ctx, uint64_t cookie)
{
	struct test_port *t = ctx;

	outside(t);
	if (!t->hold_grace)
		t->over = t->started;
	return cookie <= t->over;
}

/* One thread: nobody else can end it. */
static void port_grace_wait(void *ctx, uint64_t cookie)
{
	struct test_port *t = ctx;

	outside(t);
	t->waits++;
	if (t->over < cookie)
		t->over = cookie;
}

static void port_flush(void *ctx, const struct pt_flush *request)
{
	struct test_port *t = ctx;

	want(!t->pinned, "flush while pinned");
	want(request->leaves || request->tables, "a flush of nothing");
	want(request->start.v <= request->last.v, "a flush of an empty range");
	if (t->on_flush)
		t->on_flush(t->hook, request);
	t->flush[t->flushes++ % TEST_PORT_FLUSHES] = *request;
}

static void port_write_back(void *ctx, const void *address, size_t size)
{
	struct test_port *t = ctx;
	const char *at = address;

	want(at >= t->arena && at + size <= t->arena + t->size, "write-back outside the arena");
	if (t->on_write)
		t->on_write(t->hook, address, size);
	memcpy(t->shadow + (at - t->arena), at, size);
}

static void port_stop(void *ctx, enum pt_stop code, const void *object)
{
	(void)ctx;
	fprintf(stderr, "test port: stopped with code %d at %p\n", (int)code, object);
	abort();
}

static void *zeroed(size_t size, size_t align)
{
	size_t whole = (size + align - 1) / align * align;
	void *at = aligned_alloc(align, whole);

	if (!at)
		broken("no memory");
	memset(at, 0, whole);
	return at;
}

/* The last arena that was given back, since fresh pages take long. Nobody may touch it. */
static struct {
	char *at;
	size_t size;
} kept;

static void protect(char *at, size_t size, int rights)
{
	if (mprotect(at, size, rights))
		broken("an arena's rights cannot be set");
}

/* With pages around it that nobody may touch either; they stay when it goes. */
static char *new_arena(size_t size)
{
	char *base = mmap(NULL, size + 2 * ARENA_ALIGN, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		broken("no memory");
	return base + (ARENA_ALIGN - (uintptr_t)base % ARENA_ALIGN);
}

/* Memory of any contents, aligned for every page size. */
static char *take_arena(size_t size)
{
	char *at = kept.size == size ? kept.at : NULL;

	if (at)
		kept.at = NULL;
	else
		at = new_arena(size);
	protect(at, size, PROT_READ | PROT_WRITE);
	return at;
}

static void give_arena(char *at, size_t size)
{
	if (kept.at && munmap(kept.at, kept.size))
		broken("an arena cannot be given back");
	kept.at = at;
	kept.size = size;
	protect(at, size, PROT_NONE);
}

static struct pt_port make_port(struct test_port *t)
{
	struct pt_port port = {
		.ctx = t,
		.cpu_pin = port_pin,
		.cpu_unpin = port_unpin,
		.section_enter = port_enter,
		.section_exit = port_exit,
		.phys_to_virt = port_virt,
		.virt_to_phys = port_phys,
		.wait_while = port_wait,
		.grace_start = port_grace_start,
		.grace_done = port_grace_done,
		.grace_wait = port_grace_wait,
		.flush = port_flush,
		.write_back = port_write_back,
		.stop = port_stop,
	};

	return port;
}

void test_port_open(struct test_port *t, unsigned page_shift, unsigned sections,
    unsigned section_shift, unsigned magazine)
{
	struct pt_port port = make_port(t);
	pt_pfn frames = (pt_pfn)1 << section_shift;

	memset(t, 0, sizeof(*t));
	want(sections && sections <= TEST_PORT_SECTIONS, "too many sections");
	t->config.page_shift = page_shift;
	t->config.cpus = 1;
	t->config.nodes = 1;
	t->config.section_shift = section_shift;
	t->config.max_pfn = frames * (sections + 1);
	t->config.magazine = magazine;
	t->config.classes = 16;
	t->sections = sections;
	/* Not from 0, so that nobody mistakes an offset for an address. */
	t->first_pa = (uint64_t)frames << page_shift;
	t->size = (size_t)(frames * sections) << page_shift;
	t->shadow = take_arena(2 * t->size);
	t->arena = t->shadow + t->size;
	/* Not zero: tables must be made empty, not found empty. */
	memset(t->arena, 0xa5, t->size);
	memset(t->shadow, 0x5a, t->size);
	t->block = zeroed(pt_memory_size(&t->config), 64);
	want(!pt_memory_init(t->block, pt_memory_size(&t->config), &t->config, &port, &t->memory),
	    "pt_memory_init failed");
	for (unsigned i = 0; i < sections; i++) {
		t->words[i] = zeroed(pt_section_size(&t->config), 64);
		want(!pt_section_add(t->memory, frames * (i + 1), frames, 0, t->words[i]),
		    "pt_section_add failed");
	}
	want(!pt_memory_online(t->memory), "pt_memory_online failed");
}

void test_port_abandon(struct test_port *t)
{
	for (unsigned i = 0; i < t->sections; i++)
		free(t->words[i]);
	free(t->block);
	give_arena(t->shadow, 2 * t->size);
}

int test_port_close(struct test_port *t, struct pt_leaks *leaks)
{
	int err = pt_memory_destroy(t->memory, leaks);

	test_port_abandon(t);
	return err;
}

void test_port_grace(struct test_port *t)
{
	t->over = t->started;
}

/* Bytes of a frame that differ from the shadow, from an offset on; NULL: none. */
static const char *differs(const struct test_port *t, size_t offset)
{
	for (size_t i = 0; i < (size_t)1 << t->config.page_shift; i++)
		if (t->arena[offset + i] != t->shadow[offset + i])
			return &t->arena[offset + i];
	return NULL;
}

const void *test_port_unwritten(const struct test_port *t)
{
	size_t frame = (size_t)1 << t->config.page_shift;

	for (size_t at = 0; at < t->size; at += frame) {
		pt_pfn pfn = (t->first_pa + at) >> t->config.page_shift;
		unsigned type = memdesc_type(pt_page_memdesc(t->memory, pfn));
		const char *byte =
		    type == MEMDESC_PAGE_TABLE && memcmp(t->arena + at, t->shadow + at, frame)
			? differs(t, at)
			: NULL;

		if (byte)
			return byte;
	}
	return NULL;
}

void *test_port_virt(const struct test_port *t, uint64_t pa)
{
	want(pa >= t->first_pa && pa - t->first_pa < t->size, "a physical address without memory");
	return t->arena + (pa - t->first_pa);
}

void test_port_poke(struct test_port *t, uint64_t pa, const void *bytes, size_t size)
{
	char *at = test_port_virt(t, pa);

	memcpy(at, bytes, size);
	memcpy(t->shadow + (at - t->arena), bytes, size);
}
