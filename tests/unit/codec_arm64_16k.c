/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define ARM64_GRANULE 14
#define ARM64_WIDE    0
#include "format/arm64.h"
#include "format/entry_api.h"

#define CODEC_SWEEP codec_sweep_arm64_16k
#include "tests/unit/codec.inc.h"
