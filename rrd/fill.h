/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fill: what one archive shall be told to be up to date: what its row counted in the bins
 * that are over, zeros for bins in which it was idle, "unknown" for the time in which no weir
 * was running. RRD takes nothing at or before an archive's last update, so what comes
 * later than its bin is carried to the next bin that is told: totals hold. It goes into a
 * round of the journal; nothing is written here, but new archives are made. The
 * output's thread only.
 */
#ifndef WEIR_RRD_FILL_H
#define WEIR_RRD_FILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rrd/journal.h"
#include "rrd/known.h"

/* More idle bins in a row than this are one unknown stretch. */
#define FILL_IDLE_MAX 2016

/* What one bin of a row, or several rows of one archive, counted. */
struct fill_item {
	int64_t end;          /* of its bin, s since 1970; a multiple of the step */
	struct sums sums;
	uint32_t rows;        /* of the snapshot */
	uint32_t next;        /* item of the same archive, from 1; 0: none. In order of time */
};

/* The items of a round. Zeroed at first, reused. */
struct fill_items {
	struct fill_item *v;
	uint32_t n, room;
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
	uint64_t taken;    /* are in the round, or carried to the next */
	uint64_t refused;
	uint64_t late;     /* part of the two above */
};

/* Add an item of archive `k`. Memory that is short ends the process. */
void fill_item_add(struct fill_items *items, struct known *k, int64_t end,
    const struct sums *sums);

/*
 * Put what archive `k` shall be told into `round`; its items are taken. Adds to `r`.
 * Returns 0; or -WEIR_E... with `e` when the archive cannot be made or is not ours.
 */
int fill_archive(struct known_set *ks, struct known *k, struct fill_items *items,
    const struct fill_times *t, struct journal_round *round, struct fill_result *r,
    struct err *e);

/* The round did not come into the journal: carry all that is in it to the next one. */
void fill_undo(struct known_set *ks, const struct journal_round *round);

#endif
