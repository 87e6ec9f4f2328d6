/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filters: the value of aggregate_filter: expressions with commas between, as many as one
 * likes, of which a flow must pass one. A comma always divides: no expression has one.
 * Threads as of a filter.
 */
#ifndef WEIR_RULES_FILTERS_H
#define WEIR_RULES_FILTERS_H

#include <stdint.h>

#include "flow/field.h"
#include "lib/err.h"
#include "rules/batch.h"

struct filters;

/* Compile `list`. Returns NULL with `e` filled. */
struct filters *filters_new(const char *list, struct err *e);
void filters_free(struct filters *fs);

/* As those of a filter, of all of them. */
void filters_reads(const struct filters *fs, struct field_set *reads);
uint32_t filters_reach(const struct filters *fs);
void filters_link(const struct filters *fs, uint32_t linktype);

/* Which flows of `mask` pass one of them. */
uint64_t filters_run(const struct filters *fs, const struct batch *b, uint64_t mask);

#endif
