/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * census: who is there. Counts the collectors, exporters and outputs of a running engine
 * into the rows of a tree. The instances that a collector has in several workers are one
 * row, with their sums. Made by the main thread; taken by the publisher's.
 */
#ifndef WEIR_AGENT_CENSUS_H
#define WEIR_AGENT_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/tree.h"
#include "core/engine.h"
#include "lib/err.h"

struct census;

/*
 * A census of `en`, whose collectors must all be open. NULL with `e` filled when memory
 * is short or the names of two collectors, or of two outputs, have one index.
 */
struct census *census_new(const struct engine *en, struct err *e);
void census_free(struct census *c);

/* Whether there are collectors now that were not there when it was made. */
bool census_is_stale(const struct census *c);

/*
 * Set in `n` how many rows census_take will fill: exporters are those known now that
 * belong to a collector. Sorts them when some have come or gone.
 */
void census_count(struct census *c, struct tree_size *n);

/*
 * Fill t->collectors, t->exporters and t->outputs, as many rows as census_count said; and
 * t->interfaces, which are taken anew every some seconds, as they are told no oftener.
 */
void census_take(struct census *c, struct mib_tree *t);

#endif
