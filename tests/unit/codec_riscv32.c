/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define RISCV       32
#define RISCV_NAPOT 0
#include "format/riscv.h"
#include "format/entry_api.h"

#define CODEC_SWEEP codec_sweep_riscv32
#include "tests/unit/codec.inc.h"
