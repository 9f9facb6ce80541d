/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The codec sweep (reliability 7): every format that the library links, all levels, all leaf sizes,
 * all attributes, boundary addresses. Prints how many combinations each took.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/codec.h"

static const struct {
	const char *name;
	void (*sweep)(struct codec *c);
} sweeps[] = {
	{"x86_64", codec_sweep_x86_64},
	{"x86_64-la57", codec_sweep_x86_64},
	{"i386", codec_sweep_i386},
	{"i386-pae", codec_sweep_i386_pae},
	{"arm64-4k-48", codec_sweep_arm64_4k},
	{"arm64-4k-39", codec_sweep_arm64_4k},
	{"arm64-4k-52", codec_sweep_arm64_4k_52},
	{"arm64-16k-36", codec_sweep_arm64_16k},
	{"arm64-16k-47", codec_sweep_arm64_16k},
	{"arm64-16k-48", codec_sweep_arm64_16k},
	{"arm64-64k-42", codec_sweep_arm64_64k},
	{"arm64-64k-48", codec_sweep_arm64_64k},
	{"arm64-64k-52", codec_sweep_arm64_64k_52},
	{"riscv-sv39", codec_sweep_riscv64},
	{"riscv-sv48", codec_sweep_riscv64},
	{"riscv-sv57", codec_sweep_riscv64},
	{"riscv-sv39-napot", codec_sweep_riscv64_napot},
	{"riscv-sv48-napot", codec_sweep_riscv64_napot},
	{"riscv-sv57-napot", codec_sweep_riscv64_napot},
	{"riscv-sv32", codec_sweep_riscv32},
	{"fake8", codec_sweep_fake8},
	{"fake4", codec_sweep_fake4},
};

void codec_fail(const struct codec *c, const char *what, const char *file, int line)
{
	print_error("%s:%d: %s\n%s level %u pa %#llx flags %#x format %#x entry %#llx\n", file,
	    line, what, c->format->name, c->level, (unsigned long long)c->pa, c->attr.flags,
	    c->attr.format, (unsigned long long)c->entry);
	fail();
	__builtin_unreachable();
}

/* Finds format and reference of a name; the sweep fails when there are no two of them. */
static struct codec start(const char *name)
{
	struct codec c = {.format = pt_format_find(name), .ref = ref_find(name)};

	if (!c.format)
		fail_msg("%s is not linked", name);
	if (!c.ref)
		fail_msg("%s has no reference walker", name);
	return c;
}

static void run_sweep(const char *name, void (*sweep)(struct codec *c))
{
	struct codec c = start(name);

	assert_int_equal(c.format->levels, c.ref->levels);
	assert_int_equal(c.format->page_shift, c.ref->page_shift);
	assert_int_equal(!!(c.format->flags & PT_FORMAT_SIGNED), c.ref->sign_extended);
	sweep(&c);
	printf("# codec %s: %llu combinations\n", name, (unsigned long long)c.combinations);
}

static void test_every_combination(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++) {
		if (pt_format_find(sweeps[i].name))
			run_sweep(sweeps[i].name, sweeps[i].sweep);
	}
}

static void test_x86_pat(void **state)
{
	struct codec c = start("x86_64");

	(void)state;
	codec_x86_pat(&c);
}

static void test_arm64_mair(void **state)
{
	struct codec c = start("arm64-4k-48");

	(void)state;
	codec_arm64_mair(&c);
}

/* What a port puts into CR4 and TCR_EL1, field by field. */
static void test_control(void **state)
{
	const uint64_t ha_hd = UINT64_C(3) << 39;
	const uint64_t ips48 = UINT64_C(5) << 32;
	const uint64_t ips52 = UINT64_C(6) << 32;
	const struct {
		const char *name;
		uint64_t control;
	} want[] = {
		{"x86_64", 1u << 5},
		{"x86_64-la57", 1u << 5 | 1u << 12},
		{"i386", 1u << 4},
		{"i386-pae", 1u << 5},
		{"arm64-4k-48", (64 - 48) | ips48 | ha_hd},
		{"arm64-4k-39", (64 - 39) | ips48 | ha_hd},
		{"arm64-4k-52", (64 - 52) | ips52 | ha_hd | UINT64_C(1) << 59},
		{"arm64-16k-36", (64 - 36) | 2u << 14 | ips48 | ha_hd},
		{"arm64-16k-48", (64 - 48) | 2u << 14 | ips48 | ha_hd},
		{"arm64-64k-42", (64 - 42) | 1u << 14 | ips48 | ha_hd},
		{"arm64-64k-52", (64 - 52) | 1u << 14 | ips52 | ha_hd},
		{"riscv-sv39", 0},
		{"riscv-sv32", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_true(pt_format_find(want[i].name)->control == want[i].control);
}

/* A format without a sweep would go unnoticed. */
static void test_every_format_is_swept(void **state)
{
	(void)state;
	for (size_t f = 0; pt_formats[f]; f++) {
		bool found = false;

		for (size_t i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++)
			found |= !strcmp(pt_formats[f]->name, sweeps[i].name);
		if (!found)
			fail_msg("%s is not swept", pt_formats[f]->name);
	}
}

static int encode(const struct pt_format *format, uint64_t pa, unsigned level, uint32_t flags)
{
	uint64_t entry;

	return pt_entry_encode(format, pt_make_pa(pa), level, pt_make_attr(PT_READ | PT_EXEC),
	    flags, &entry);
}

static void check_level_errors(const struct pt_format *f, unsigned level)
{
	uint64_t size = UINT64_C(1) << pt_format_shift(f, level);

	if (!(f->leaves >> level & 1)) {
		assert_int_equal(encode(f, 0, level, 0), -PT_EINVAL);
		return;
	}
	assert_int_equal(encode(f, 0, level, 0), 0);
	assert_int_equal(encode(f, 0, level, PT_RELAX), 0);
	assert_int_equal(encode(f, 0, level, PT_MAY_SLEEP), -PT_EINVAL);
	assert_int_equal(encode(f, size / 2, level, 0), -PT_EALIGN);
	assert_int_equal(encode(f, size + 1, level, 0), -PT_EALIGN);
	assert_int_equal(encode(f, UINT64_C(1) << f->pa_bits, level, 0), -PT_EPA);
	assert_int_equal(encode(f, UINT64_C(1) << 63, level, 0), -PT_EPA);
}

static void test_bad_arguments(void **state)
{
	struct pt_entry_info info;

	(void)state;
	for (size_t i = 0; pt_formats[i]; i++) {
		const struct pt_format *f = pt_formats[i];

		for (unsigned level = 0; level < f->levels; level++)
			check_level_errors(f, level);
		assert_int_equal(encode(f, 0, f->levels, 0), -PT_EINVAL);
		assert_int_equal(encode(f, 0, UINT_MAX, 0), -PT_EINVAL);
		assert_int_equal(pt_entry_decode(f, 0, f->levels, &info), -PT_EINVAL);
		assert_int_equal(pt_entry_decode(f, 0, UINT_MAX, &info), -PT_EINVAL);
		if (f->entry_bytes == 4)
			assert_int_equal(pt_entry_decode(f, UINT64_C(1) << 32, 0, &info),
			    -PT_EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_combination),
		cmocka_unit_test(test_every_format_is_swept),
		cmocka_unit_test(test_x86_pat),
		cmocka_unit_test(test_arm64_mair),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_bad_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
