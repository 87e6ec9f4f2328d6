/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * known: the archives that an output keeps, found by the identity of their row. Every
 * known archive is written every bin, with zeros when its row was idle. The folder
 * belongs to one weir at a time (a lock). After known_open everything is the output's
 * thread's.
 *
 * An archive is at first only a name; its file is looked at (shape, last update) or
 * made when it is written first.
 */
#ifndef WEIR_RRD_KNOWN_H
#define WEIR_RRD_KNOWN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "flow/rowspec.h"
#include "lib/err.h"
#include "lib/table.h"
#include "rrd/archive.h"

struct known {
	uint64_t id;         /* of the row; the key in the table, so it stands first */
	char *file;          /* below the folder; owned */
	char *key;           /* text for people; owned */
	int64_t last;        /* end of the last bin written, s since 1970; while `ready` */
	struct sums carry;   /* goes into the next bin written: came late, or failed */
	uint32_t rank;       /* place in the order of writing */
	bool ready;          /* the file is there and has our shape */
};

struct known_set {
	char folder[PATH_MAX];
	struct archive_shape shape;
	struct table table;     /* struct known */
	uint32_t max;           /* archives at most; the other one is not counted */
	struct known other;     /* takes the rows beyond `max` */
	bool other_used;
	struct known **order;   /* by file name, so that folders are walked one by one */
	uint32_t n;             /* in `order` */
	bool unsorted;          /* `order` has new ones at its end */
	bool unsaved;           /* the index lacks some */
	int lock_fd;
};

/*
 * Open the folder `folder` (made when it is not there), lock it, and know what its
 * index knows. New archives get `shape`, and no more are made when there are `max`.
 * Returns 0, or -WEIR_E... with `e`; known_close then has nothing to do.
 */
int known_open(struct known_set *ks, const char *folder, const struct archive_shape *shape,
    uint32_t max, struct err *e);

/* Close; nothing is written. */
void known_close(struct known_set *ks);

/*
 * The archive of row `id`, or of the other row when it has none and there is no room.
 * `key_text(arg, buf)` writes the row's text (INDEX_KEY_MAX at most) if it is needed.
 */
struct known *known_get(struct known_set *ks, uint64_t id,
    void (*key_text)(void *arg, char *buf), void *arg);

/* The archive of the other row. */
struct known *known_other(struct known_set *ks);

/* Bring ks->order into order, and number it. */
void known_sort(struct known_set *ks);

/*
 * Look at the file of `k`. Returns 0 when it is ready; -WEIR_ENOENT when there is none;
 * otherwise as archive_check.
 */
int known_check(struct known_set *ks, struct known *k, struct err *e);

/* Make the file of `k`, with its first bin starting at `start`. */
int known_create(struct known_set *ks, struct known *k, int64_t start, struct err *e);

/* Write bins to `k`; a failure makes it not ready. As archive_update. */
int known_update(struct known_set *ks, struct known *k, const struct archive_bin *bins,
    size_t n, struct err *e);

/*
 * Write the index if it lacks something, or if what is carried must outlive the process
 * (`with_carry`). Returns 0 or -WEIR_EIO with `e`.
 */
int known_save(struct known_set *ks, bool with_carry, struct err *e);

#endif
