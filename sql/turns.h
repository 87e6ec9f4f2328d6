/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * turns: how many plugins write to databases at a time, all engines together
 * (sql_max_writers). Any thread.
 */
#ifndef WEIR_SQL_TURNS_H
#define WEIR_SQL_TURNS_H

#include <stdbool.h>
#include <stdint.h>

struct turn {
	uint64_t no; /* who came how late */
};

/*
 * Wait until fewer than `max` write and those that asked before have had their turn, or have
 * a lesser `max` and wait for others that were before them in any case. `ends` is asked
 * meanwhile, under a lock of ours; two seconds after it first says so that is over, as others
 * may hang. Fills `t`, for turn_give. Returns how many write, this one included.
 */
unsigned turn_take(struct turn *t, unsigned max, bool (*ends)(void *arg), void *arg);
void turn_give(const struct turn *t);

#endif
