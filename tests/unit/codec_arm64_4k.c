/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define ARM64_GRANULE 12
#define ARM64_WIDE    0
#include "format/arm64.h"
#include "format/entry_api.h"

#define CODEC_SWEEP codec_sweep_arm64_4k
#include "tests/unit/codec.inc.h"

/*
 * The register that ports load and the types that entries name mean the same. Its encodings, from
 * Linux: normal is two nibbles, outer and inner, 15 write-back, 11 write-through, 4 not cacheable;
 * device is 0 nGnRnE, 4 nGnRE.
 */
void codec_arm64_mair(struct codec *c)
{
	static const uint8_t encoding[] = {
		[PT_TYPE_NORMAL] = 0xff,
		[PT_TYPE_WRITE_THROUGH] = 0xbb,
		[PT_TYPE_WRITE_COMBINING] = 0x44,
		[PT_TYPE_DEVICE] = 0x04,
		[PT_TYPE_UNCACHED] = 0x00,
	};

	for (unsigned i = 0; i < 8; i++) {
		pf_entry e = 3 | i << 2;
		uint32_t type = type_bits(pf_attr_of(e, 0)) >> PT_ATTR_TYPE_AT;

		c->entry = e;
		CODEC_CHECK(c, encoding[type] == (c->format->type_register >> 8 * i & 255));
	}
}
