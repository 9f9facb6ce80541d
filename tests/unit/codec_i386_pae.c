/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define X86_PAE 1
#include "format/x86_64.h"
#include "format/entry_api.h"

#define CODEC_SWEEP codec_sweep_i386_pae
#include "tests/unit/codec.inc.h"
