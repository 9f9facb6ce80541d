/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define ARM64_GRANULE 12
#define ARM64_WIDE    1
#include "format/arm64.h"
#include "format/entry_api.h"

#define CODEC_SWEEP codec_sweep_arm64_4k_52
#include "tests/unit/codec.inc.h"
