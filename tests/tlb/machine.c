/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tests/tlb/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TABLE_BYTES (UINT64_C(64) << 20)
#define FRAME_BYTES (UINT64_C(4) << 30)

static void *address_of(void *ctx, uint64_t pa)
{
	const struct machine *m = ctx;

	return pt_hosted_address(m->hosted, pt_make_pa(pa));
}

static void on_flush(void *ctx, const struct pt_flush *request)
{
	struct machine *m = ctx;
	struct pt_flush part = *request;

	if (m->care == NO_LEAVES)
		part.leaves = 0;
	if (m->care == NO_TABLES)
		part.tables = 0;
	if (m->care == TOO_LATE) {
		m->late = part;
		m->delayed++;
	} else if (m->care == NO_REMOTE) {
		tlb_flush_cpu(m->tlb, 0, &part);
	} else {
		tlb_flush(m->tlb, &part);
	}
}

static int on_table(void *ctx, pt_pa pa, size_t size, unsigned level, bool start)
{
	const struct machine *m = ctx;

	return tlb_table(m->tlb, pa, size, level, start);
}

void machine_open(struct machine *m, const struct pt_format *format, bool exact)
{
	const struct pt_hosted_mmu mmu = {m, on_flush, on_table};
	const struct pt_hosted_config config = {.bytes = TABLE_BYTES,
		.page_shift = format->page_shift,
		.mmu = &mmu};
	const struct tlb_config tlb = {
		.format = format,
		.cpus = MACHINE_CPUS,
		.table_bytes = TABLE_BYTES,
		.frame_bytes = FRAME_BYTES,
		.address = address_of,
		.ctx = m,
		.exact = exact,
	};

	memset(m, 0, sizeof(*m));
	m->format = format;
	m->tlb = tlb_open(&tlb);
	assert_non_null(m->tlb);
	assert_int_equal(pt_hosted_memory_create(&config, &m->hosted), 0);
	assert_int_equal(pt_space_init(&m->space, pt_hosted_memory(m->hosted), format, PT_SPACE_MMU,
			     &m->space),
	    0);
}

void machine_close(struct machine *m, bool failure)
{
	struct pt_leaks leaks;

	m->care = CAREFUL;
	assert_int_equal(pt_space_destroy(&m->space, NULL), 0);
	if (!failure)
		tlb_check(m->tlb, &m->space, true);
	if (failure)
		assert_non_null(tlb_failure(m->tlb));
	else
		assert_string_equal(tlb_failure(m->tlb) ? tlb_failure(m->tlb) : "", "");
	assert_int_equal(pt_hosted_memory_destroy(m->hosted, &leaks), 0);
	tlb_close(m->tlb);
}

void machine_late(struct machine *m)
{
	assert_true(m->delayed > 0);
	m->care = CAREFUL;
	tlb_flush(m->tlb, &m->late);
}

void machine_grace(struct machine *m)
{
	(void)pt_memory_shrink(pt_hosted_memory(m->hosted));
}

/* A reader that the host does not run holds all freed tables back: then there is a wait. */
void machine_map(struct machine *m, uint64_t va, uint64_t size, uint64_t pa, uint32_t flags)
{
	assert_int_equal(pt_map(&m->space, pt_make_va(va), size, pt_make_pa(pa),
			     pt_make_attr(PT_READ | PT_WRITE | PT_USER),
			     flags | PT_RELAX | PT_MAY_SLEEP),
	    0);
}

static void release(void *ctx, const struct pt_run *runs, size_t count)
{
	struct machine *m = ctx;

	for (size_t i = 0; i < count; i++)
		tlb_released(m->tlb, runs[i].pa.v, runs[i].size);
}

void machine_unmap(struct machine *m, uint64_t va, uint64_t size)
{
	struct pt_run runs[MACHINE_RUNS];
	struct pt_gather gather = pt_make_gather(runs, MACHINE_RUNS, release, m);

	assert_int_equal(pt_unmap(&m->space, pt_make_va(va), size, PT_MAY_SLEEP, &gather), 0);
}

int machine_access(struct machine *m, unsigned cpu, uint64_t va, uint32_t access,
    struct tlb_result *result)
{
	int err = -PT_EBUSY;

	while (err == -PT_EBUSY) {
		err = tlb_access(m->tlb, cpu, &m->space, va, access, result);
		if (err == -PT_EBUSY)
			err = pt_access_fault(&m->space, pt_make_va(va), access) ? -PT_ENOENT
										 : -PT_EBUSY;
	}
	return err;
}
