/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fill: bring one archive up to date: what its row counted in the bins that are over,
 * zeros for bins in which it was idle, "unknown" for the time in which no weir was
 * running. RRD takes nothing at or before an archive's last update, so what comes later
 * than its bin, and what could not be written, is carried to the next bin that is:
 * totals hold. The output's thread only.
 */
#ifndef WEIR_RRD_FILL_H
#define WEIR_RRD_FILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rrd/known.h"

/* More idle bins in a row than this are written as one unknown stretch. */
#define FILL_IDLE_MAX 2016

/* What one bin of a row, or several rows of one archive, counted. */
struct fill_item {
	struct known *known;
	int64_t end;          /* of its bin, s since 1970; a multiple of the step */
	struct sums sums;
	uint64_t rows;        /* of the snapshot */
};

/* All s since 1970 and multiples of the step. */
struct fill_times {
	int64_t measured;  /* before it no weir was running */
	int64_t closed;    /* bins up to here are over */
	int64_t latest;    /* no bin ends after it: such a time is wrong */
	bool drop_late;    /* what is late is refused, not carried */
};

/* What became of the rows. */
struct fill_result {
	uint64_t written, carried, refused;
	uint64_t late;     /* rows; part of the three above */
};

/*
 * Write the `n` items of archive `k`, in ascending order of time. Adds to `r`. Returns
 * 0, or -WEIR_E... with `e`; the rows are accounted for in either case.
 */
int fill_archive(struct known_set *ks, struct known *k, const struct fill_item *items,
    size_t n, const struct fill_times *t, struct fill_result *r, struct err *e);

#endif
