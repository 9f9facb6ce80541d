/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The codec sweep of each format: tests/unit/codec.inc.h compiled with that format's header. */
#ifndef TESTS_UNIT_CODEC_H
#define TESTS_UNIT_CODEC_H

#include <ptdesc/format.h>

#include "tests/reference/reference.h"

/* A sweep under way, and the combination that is being tried: what a failure prints. */
struct codec {
	const struct pt_format *format;
	const struct ref_format *ref;
	uint64_t combinations;
	unsigned level;
	uint64_t pa;
	pt_attr attr;
	uint64_t entry;
};

void codec_sweep_x86_64(struct codec *c);
void codec_sweep_i386(struct codec *c);
void codec_sweep_i386_pae(struct codec *c);
void codec_sweep_arm64_4k(struct codec *c);
void codec_sweep_arm64_4k_52(struct codec *c);
void codec_sweep_arm64_16k(struct codec *c);
void codec_sweep_arm64_64k(struct codec *c);
void codec_sweep_arm64_64k_52(struct codec *c);
void codec_sweep_riscv64(struct codec *c);
void codec_sweep_riscv64_napot(struct codec *c);
void codec_sweep_riscv32(struct codec *c);
void codec_sweep_fake8(struct codec *c);
void codec_sweep_fake4(struct codec *c);

/* What x86's IA32_PAT and arm64's MAIR_EL1 have to hold. */
void codec_x86_pat(struct codec *c);
void codec_arm64_mair(struct codec *c);

/* Ends the test and says in which combination. */
void codec_fail(const struct codec *c, const char *what, const char *file, int line)
    __attribute__((noreturn));

#define CODEC_CHECK(c, condition)                                                                  \
	do {                                                                                       \
		if (!(condition))                                                                  \
			codec_fail((c), #condition, __FILE__, __LINE__);                           \
	} while (0)

#endif
