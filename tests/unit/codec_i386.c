/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "format/i386.h"
#include "format/entry_api.h"

#define CODEC_SWEEP codec_sweep_i386
#include "tests/unit/codec.inc.h"
