/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * carry: what archives could not take, in the journal, so that they get it with their next bin
 * whoever is killed meanwhile. The output's thread only.
 */
#ifndef WEIR_RRD_CARRY_H
#define WEIR_RRD_CARRY_H

#include <stdbool.h>
#include <stdint.h>

#include "rrd/journal.h"
#include "rrd/known.h"

/* Put what `k` carries into `round`. When that is in the journal, tell carry_kept. */
void carry_put(struct known *k, struct journal_round *round);
void carry_kept(struct known *k);

/*
 * The same of all archives that carry otherwise than the journal knows; or, for a journal that
 * begins anew, of all that carry something.
 */
void carries_put(struct known_set *ks, struct journal_round *round, bool anew);
void carries_kept(struct known_set *ks);

/* Rows that are carried, and that the journal does not know: they end with the process. */
uint64_t carries_unkept(const struct known_set *ks);

#endif
