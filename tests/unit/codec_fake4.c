/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define FAKE 4
#include "format/fake.h"
#include "format/entry_api.h"

#define CODEC_SWEEP codec_sweep_fake4
#include "tests/unit/codec.inc.h"
