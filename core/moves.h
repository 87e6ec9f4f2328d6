/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * moves: records that were counted in one row and belong in another, as their class was told
 * late. While the slab that counted them is there, the worker moves them within it. Those
 * that are in a slab which the publisher has by now it is told of with the next one
 * (slab->moves): as a table whose keys are the two rows' keys, one behind the other, and whose rows
 * go on with what moves, and of how many records it is.
 *
 * No row ever counts less than nothing: what is no longer in its row stays where it went.
 */
#ifndef WEIR_CORE_MOVES_H
#define WEIR_CORE_MOVES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/slab.h"
#include "flow/rowspec.h"
#include "lib/err.h"

/* Let `s` tell of moves. Returns 0, or -WEIR_ENOMEM with `e` filled. */
int moves_init(const struct rowspec *rs, struct slab *s, struct err *e);

/* The most that this can take of a slab's memory, in octets. */
uint64_t moves_max_octets(const struct rowspec *rs);

/* What became of a move. */
enum moved {
	MOVED_NOT,      /* the row does not hold as much, or there is no room: nothing changes */
	MOVED_NOWHERE,  /* both rows are one: nothing is to be done */
	MOVED_DONE,
	MOVED_TOLD,     /* it is for moves_apply to do, and to count */
};

/*
 * Move what `was` counts from its row in `s` to that of `is`, which counts as much, both in bin
 * `bin` of `s`. Not, when the row does not hold as much, or there is no room for the other.
 */
enum moved moves_now(const struct rowspec *rs, struct slab *s, const struct flow *was,
    const struct flow *is, uint16_t bin);

/* Take what `was` counts off its row; the same. */
bool moves_off(const struct rowspec *rs, struct slab *s, const struct flow *was, uint16_t bin);

/*
 * As moves_now, for whoever has what was counted before `s`. Not, when there is no room to tell of
 * it.
 */
enum moved moves_later(const struct rowspec *rs, struct slab *s, const struct flow *was,
    const struct flow *is, uint16_t bin);

/* Records of moves that others were told of: those that they could do, and those that not. */
struct moves_told {
	uint64_t moved, stayed;
};

/* Of how many records the move is that is row `move` of slab->moves. */
uint64_t moves_records(const struct rowspec *rs, const uint8_t *move);

/* Do in `to` what `from`, which may be the same, tells. */
struct moves_told moves_apply(const struct rowspec *rs, struct slab *to, struct slab *from);

#endif
