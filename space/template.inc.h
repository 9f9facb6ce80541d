/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The algorithms, compiled once for each kind of entry. A format's .c file includes its header,
 * format/entry_api.h and this, in that order, and refers to pf_ops.
 */
#ifndef PTDESC_SPACE_TEMPLATE_H
#define PTDESC_SPACE_TEMPLATE_H

#include "space/op.h"

/* Each needs those above it. First what all operations do: */
#include "space/bulk.inc.h"
#include "space/entries.inc.h"
#include "space/descend.inc.h"
#include "space/survey.inc.h"
#include "space/prepare.inc.h"

/* then the operations. */
#include "space/read.inc.h"
#include "space/unmap.inc.h"
#include "space/map.inc.h"
#include "space/fast.inc.h"
#include "space/attr.inc.h"
#include "space/huge.inc.h"
#include "space/copy.inc.h"
#include "space/move.inc.h"
#include "space/share.inc.h"
#include "space/check.inc.h"
#include "space/adopt.inc.h"

static const struct pt_format_ops pf_ops = {
	.map = op_map,
	.map_replace = op_map_replace,
	.unmap = op_unmap,
	.protect = op_protect,
	.modify = op_modify,
	.translate = op_translate,
	.table_level = op_table_level,
	.walk = op_walk,
	.copy = op_copy,
	.move = op_move,
	.split = op_split,
	.collapse = op_collapse,
	.populate = op_populate,
	.prune = op_prune,
	.share_table = op_share_table,
	.unshare_table = op_unshare_table,
	.age = op_age,
	.dirty = op_dirty,
	.access_fault = op_access_fault,
	.adopt = op_adopt,
	.check = op_check,
	.dump = op_dump,
	.decode = op_decode,
	.encode = op_encode,
	.root_value = pf_root_value,
};

#endif
