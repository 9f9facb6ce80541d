/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Names that both the text and the JSON output use for what formats can say. */
#ifndef TOOL_WORDS_H
#define TOOL_WORDS_H

#include <ptdesc/format.h>

/* Name of bit of enum pt_attr_flags; NULL: there is none. */
const char *word_attr(unsigned bit);

/* Name of a memory type, 0 to 7; NULL: there is none. */
const char *word_type(unsigned type);

/* Name of pt_entry_info.kind. */
const char *word_kind(int kind);

/* Name of enum pt_judge, short. */
const char *word_judge(unsigned judge);

/* What it means. */
const char *word_judge_long(unsigned judge);

/* The linked format of that name; else says which there are and returns NULL. */
const struct pt_format *word_format(const char *name);

#endif
