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

/* Two cache lines, of which a round needs mostly the first. */
struct known {
	uint64_t id;         /* of the row; the key in the table, so it stands first */
	char *file;          /* below the folder; owned */
	int64_t last;        /* end of the last bin that it got or shall get, s since 1970 */
	int64_t was;         /* `last` before the present round */
	int64_t journaled;   /* end of the last bin that was told, and is in the journal or was */
	int64_t seen;        /* end of the last bin with a row; 0: not known */
	uint32_t items;      /* fill's: the first of its items in this round, from 1; 0: none */
	uint32_t carry_rows;
	uint16_t file_len;   /* octets of `file`, without its NUL */
	bool ready : 1;      /* the file is there and has our shape */
	bool foreign : 1;    /* it has another shape, or is no archive */
	bool failed : 1;     /* in the present delivery: it is told no more */
	bool carry_changed : 1; /* the journal does not know */
	bool headed : 1;     /* its head is kept (heads.h) */
	bool suspect : 1;    /* may be half changed: that comes first, before it is told more */
	bool unsure : 1;     /* somebody else writes it: what it holds is not looked at */
	struct sums carry;   /* goes into the next bin: came late, or could not be written */
	uint32_t carry_kept; /* rows of what is carried that the journal knows */
	int64_t stored;      /* end of the last bin that the file has, as far as we know */
	int64_t base;        /* `headed`: end of the last bin that it had then */
	uint64_t told;       /* delivery's: the journal's octets before it have got through */
	char *key;           /* text for people; owned */
};

/* How many archives ahead of the present one they are fetched into the cache. */
#define KNOWN_AHEAD 32U

/* Have `k`, which will be needed soon, in the cache. */
static inline void
known_prefetch(const struct known *k)
{
	__builtin_prefetch(k);
	__builtin_prefetch((const char *)k + 64);
}

struct known_set {
	char folder[PATH_MAX];
	size_t folder_len;
	struct archive_shape shape;
	unsigned patience_ms;   /* how long locked archives are still waited for, in all */
	size_t head_octets;     /* of an archive of that shape; 0: not known yet */
	struct table table;     /* struct known */
	uint32_t max;           /* archives at most; the other one is not counted */
	struct known other;     /* takes the rows that have no archive of their own */
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

/* The archive of row `id`, if it has one; NULL. */
struct known *known_find(struct known_set *ks, uint64_t id, bool other);

/* The archives of the `n` (to TABLE_BATCH) rows `ids`, NULL where there is none, in `to`. */
void known_look(struct known_set *ks, const uint64_t *ids, unsigned n, struct known **to);

/* Whether one more archive may be made. */
bool known_room(const struct known_set *ks);

/*
 * Know row `id`, which known_find does not, as `key` (its text) in the file `file`. NULL
 * when there is no room.
 */
struct known *known_add(struct known_set *ks, uint64_t id, const char *file, const char *key);

/* The archive of the other row. */
struct known *known_other(struct known_set *ks);

/* Bring ks->order into order. */
void known_sort(struct known_set *ks);

/* A number of `k` by itself, from 0 to ks->table.n. */
uint32_t known_no(const struct known_set *ks, const struct known *k);

/* The path of its file, in `buf` (PATH_MAX). */
const char *known_path(const struct known_set *ks, const struct known *k, char *buf);

/*
 * Look at the file of `k`. Returns 0 when it is ready; -WEIR_ENOENT when there is none;
 * otherwise as archive_wait and archive_check.
 */
int known_check(struct known_set *ks, struct known *k, struct err *e);

/* Make the file of `k`, with its first bin starting at `start`. */
int known_create(struct known_set *ks, struct known *k, int64_t start, struct err *e);

/* Write bins to `k`; a failure makes it not ready. As archive_update. */
int known_update(struct known_set *ks, struct known *k, const struct archive_bin *bins,
    size_t n, struct err *e);

/*
 * Forget the archives that `gone` says are gone, after their files are removed. Pointers to
 * others are not valid any more. Returns how many there were, or -WEIR_ENOMEM.
 */
int known_forget(struct known_set *ks, bool (*gone)(void *arg, struct known *k), void *arg);

/*
 * Write the index if it lacks something, or `anyway`. Returns 0 or -WEIR_EIO with `e`.
 */
int known_save(struct known_set *ks, bool anyway, struct err *e);

#endif
