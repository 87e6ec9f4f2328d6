/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * turns: how many plugins write to databases at a time, all engines together
 * (sql_max_writers). Any thread.
 */
#ifndef WEIR_SQL_TURNS_H
#define WEIR_SQL_TURNS_H

#include <stdbool.h>

/*
 * Wait until fewer than `max` write and those that asked before have had their turn. `ends`
 * is asked meanwhile, under a lock of ours; two seconds after it first says so that is over,
 * as others may hang. Returns how many write, this one included.
 */
unsigned turn_take(unsigned max, bool (*ends)(void *arg), void *arg);
void turn_give(void);

#endif
