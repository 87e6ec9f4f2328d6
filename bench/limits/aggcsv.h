/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of a table as CSV, with nothing of stdio's or libc's in the way of a number
 * or an address: what a result costs at least when it is written down.
 */
#ifndef WEIR_BENCH_LIMITS_AGGCSV_H
#define WEIR_BENCH_LIMITS_AGGCSV_H

#include "bench/limits/aggtable.h"

/* Write a title and one line a row to `path`; the program ends when that fails. */
void aggcsv_write(const struct aggtable *t, const char *path);

#endif
