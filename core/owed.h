/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owed: what rows of a ledger owe to others, as records that they have counted belong there:
 * their class was told late (core/moves.h). No row of a ledger ever goes down, so each pays of
 * what comes in: the one counts less of the next slabs, the other as much more. What one row owes
 * another is one debt, of all its records. It ends a minute after the last record was added: what
 * is not paid by then, or finds no room, stays where it is, and all records of the debt are said to
 * have stayed, though some of it may be paid.
 *
 * A ledger's; whoever changes the ledger uses it, under the ledger's lock.
 */
#ifndef WEIR_CORE_OWED_H
#define WEIR_CORE_OWED_H

#include <stdint.h>

#include "core/moves.h"
#include "core/slab.h"
#include "flow/rowspec.h"
#include "lib/err.h"

struct ledger;
struct owed;

/* For rows of `rs` (borrowed). NULL with `e` filled when memory is short. */
struct owed *owed_new(const struct rowspec *rs, struct err *e);
void owed_free(struct owed *o);

/* Forget all of it; the next owed_settle tells that it stayed. `o` may be NULL. */
void owed_clear(struct owed *o);

/*
 * `l` has counted slab `s`, at time `now` (ns since 1970): take over what `s` tells of moves, and
 * let rows pay of what they have counted of it. Returns of how many records all has moved by now,
 * ADD fields too, and of how many it is given up.
 */
struct moves_told owed_settle(struct owed *o, struct ledger *l, const struct slab *s,
    uint64_t now);

/* The most that this can take, in octets. */
uint64_t owed_max_octets(const struct rowspec *rs);

#endif
