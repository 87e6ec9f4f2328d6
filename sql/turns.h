/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * turns: how many plugins write to databases at a time, all engines together
 * (sql_max_writers). Any thread.
 */
#ifndef WEIR_SQL_TURNS_H
#define WEIR_SQL_TURNS_H

#include <stdbool.h>

/*
 * Wait until fewer than `max` write; once `ends` says so, not for ever for those that hang.
 * Returns how many do, this one included.
 */
unsigned turn_take(unsigned max, bool (*ends)(void *arg), void *arg);
void turn_give(void);

#endif
