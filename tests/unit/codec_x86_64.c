/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "format/x86_64.h"
#include "format/entry_api.h"

#define CODEC_SWEEP codec_sweep_x86_64
#include "tests/unit/codec.inc.h"

/* The register that ports load and the types that entries name mean the same (table 11-10). */
void codec_x86_pat(struct codec *c)
{
	static const uint8_t encoding[] = {
		[PT_TYPE_NORMAL] = 6,
		[PT_TYPE_WRITE_THROUGH] = 4,
		[PT_TYPE_UNCACHED_MINUS] = 7,
		[PT_TYPE_UNCACHED] = 0,
		[PT_TYPE_WRITE_COMBINING] = 1,
		[PT_TYPE_WRITE_PROTECT] = 5,
	};

	for (unsigned i = 0; i < 8; i++) {
		/* A PTE with PAT, PCD and PWT spelling i. */
		pf_entry e = 1 | (i & 3) << 3 | (i & 4) << 5;
		uint32_t type = type_bits(pf_attr_of(e, 0)) >> PT_ATTR_TYPE_AT;

		c->entry = e;
		CODEC_CHECK(c, encoding[type] == (c->format->type_register >> 8 * i & 255));
	}
}
