/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slab: rows counted since the last rotation, the time bins they belong to, and what the
 * books must know about them. A worker fills the slab of its shard; rotation hands it to
 * the publisher, who merges it into others, publishes it as a snapshot, and gives it back
 * to the view's pool. One owner at a time, so nothing here is locked.
 */
#ifndef WEIR_CORE_SLAB_H
#define WEIR_CORE_SLAB_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bins.h"
#include "flow/rowspec.h"
#include "lib/table.h"

#define SLAB_BINS 1024U /* bins that one slab can tell apart */
/*
 * From so many on those who can wait let it go first. There is room besides for one more batch
 * (pipeline_wait), and for some workers' slabs in one, with what is held. Not so
 * for a datagram whose records have some 900 other bins, nor for a crowd of workers that read files
 * of other times each: what finds none is counted (late_records).
 */
#define SLAB_CROWDED 96U

#define SLAB_RECENT 4U       /* bins that are looked at one by one, the newest first, */
#define SLAB_PLACES 2048U    /* before a place, of so many, is looked up by the bin's hash */

struct slab {
	struct slab *next;           /* in the view's pool */
	struct table table;
	uint16_t n_bins;
	struct bin bins[SLAB_BINS];  /* by the number in the rows' keys */
	uint16_t places[SLAB_PLACES]; /* their numbers + 1, by hash; 0: nobody's */
	struct sums other[SLAB_BINS]; /* the other row of each bin: what found no room */
	struct sums fed;             /* the books: what the shard was offered, */
	struct sums filtered;        /* what the view's filter left out, */
	struct sums sampled_out;     /* and its sample, */
	struct sums scaled;          /* what renormalising the sample added, */
	struct sums counted;         /* and what went into rows and other rows */
	uint64_t other_records;      /* records that went to an other row */
	uint64_t late_records;       /* records whose bin could not be had: in the last one */
	bool emptied;                /* all of some row may have been moved to another */
	struct table moves;          /* of what others hold (core/moves.h); no rows: none is told of */
	uint8_t waited[SLAB_BINS];   /* times that rows of the bin were held back for their class */
};

/* A new slab for rows of `rs`, at most `max_rows`; NULL with `e` filled. */
struct slab *slab_new(const struct rowspec *rs, uint32_t max_rows, struct err *e);
void slab_free(struct slab *s);

/* Forget what it holds, for the next round. */
void slab_clear(struct slab *s);

/* The number of bin `bin` in `s`, added when new; -1 when SLAB_BINS others are there. */
int slab_bin(struct slab *s, struct bin bin);

/* The number of the bin in `s` that time `stamp` is in; -1: there is none. */
int slab_bin_find(const struct slab *s, uint64_t stamp);

/* Let rows go of which all was moved to others. Short of memory, they stay, with nothing. */
void slab_tidy(const struct rowspec *rs, struct slab *s);

/*
 * Count the rows, other rows and books of `from` into `to` (rows of one rowspec). Bins are
 * matched by their times; what finds no room goes to the other row of its bin. Returns how many
 * rows and other rows have no bin of their own in `to`, as SLAB_BINS others are there: they
 * are in the last one.
 */
uint64_t slab_merge(const struct rowspec *rs, struct slab *to, const struct slab *from);

/* What of a bin is held back. */
enum slab_stays {
	SLAB_GOES,
	SLAB_STAYS,
	SLAB_UNKNOWN_STAYS, /* rows whose class is unknown; the others and the other row go */
};

/* How a slab is split. */
struct slab_split {
	uint8_t stays[SLAB_BINS]; /* enum slab_stays, by number of the bin */
	uint32_t unknown;         /* class_id of what has no class; read for SLAB_UNKNOWN_STAYS, */
	uint32_t class_offset;    /* of the class in a row */
};

/*
 * Move what stays from `s` to `held`, which is empty, so that `s` keeps what goes.
 * `s` can afterwards be walked and cleared, not searched.
 */
void slab_split(const struct rowspec *rs, struct slab *s, struct slab *held,
    const struct slab_split *how);

/* Sums over all rows / all other rows of `s`. */
struct sums slab_rows_sum(const struct rowspec *rs, const struct slab *s);
struct sums slab_other_sum(const struct slab *s);

#endif
