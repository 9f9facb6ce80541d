/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Defects that were made, elsewhere or here, put back on purpose: so that the test named after each
 * can be shown to catch it. Only builds with -DPT_DEFECTS contain them; in all others PT_DEFECT is
 * the constant false and nothing of it is left. Rows: docs/defects.md.
 */
#ifndef PTDESC_CORE_DEFECTS_H
#define PTDESC_CORE_DEFECTS_H

#include <ptdesc/types.h>

#ifdef PT_DEFECTS
/* The row that is put back; 0: none. Defined by the test program. */
extern unsigned pt_defect;
#define PT_DEFECT(row) (pt_defect == (row))
#else
#define PT_DEFECT(row) false
#endif

#endif
