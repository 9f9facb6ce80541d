/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Defects that were made elsewhere, put back on purpose: so that the test named after each can be
 * shown to catch it. Only builds with -DPT_DEFECTS contain them; in all others PT_DEFECT is the
 * constant false and nothing of it is left. Rows: docs/defects.md.
 */
#ifndef PTDESC_CORE_DEFECTS_H
#define PTDESC_CORE_DEFECTS_H

#include <ptdesc/types.h>

#ifdef PT_DEFECTS
/* Bit n: row Dn is put back. Defined by the test program. */
extern uint64_t pt_defects;
#define PT_DEFECT(row) ((pt_defects >> (row) & 1u) != 0)
#else
#define PT_DEFECT(row) false
#endif

#endif
