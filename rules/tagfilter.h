/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tagfilter: which flows a plugin wants by what the maps of tags gave them: pre_tag_filter
 * and pre_tag2_filter (numbers), pre_tag_label_filter (texts). A list of items, read from
 * the left: the first that holds the value decides, and one with '-' before it says no. A
 * value that no item holds is let through where some item has a '-', else not. So "-6,-7"
 * is all but 6 and 7; pmacct takes it for all but 6.
 *
 * Made by the main thread, read by any number of workers.
 */
#ifndef WEIR_RULES_TAGFILTER_H
#define WEIR_RULES_TAGFILTER_H

#include <stdint.h>

#include "flow/field.h"
#include "lib/err.h"
#include "rules/batch.h"

struct tagfilter;

/*
 * Compile `list` for `field`. F_TAG and F_TAG2: a comma list of n, lo-hi, -n and -lo-hi, up
 * to 2^64-1. F_LABEL: a comma list of text and -text; an item holds a label when it equals
 * one of its comma-separated parts, and "null" holds the empty label. Blanks around items
 * go. NULL with `e` saying what to write instead.
 */
struct tagfilter *tagfilter_new(enum field_no field, const char *list, struct err *e);
void tagfilter_free(struct tagfilter *t);

/* Which flows of `mask` it lets through. */
uint64_t tagfilter_run(const struct tagfilter *t, const struct batch *b, uint64_t mask);

#endif
