/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spool: the folder where a plugin's batches wait for their database, one file each,
 * named after the run of weir that counted and the number of the snapshot: in the order
 * of their names they are in that of time. A lock file keeps others out. Files of former
 * runs are there again at the start, before what comes.
 *
 * What others find in the folder: *.batch waits; *.writing has not ended yet; *.backup went to
 * the backup at least in part; *.damaged was
 * written as far as it could be read; *.rejected is what sql_preprocess rejected with
 * recover=1. `weir replay` reads all of them, but *.writing only when nobody writes there.
 *
 * The calls of a writer (spool_begin to spool_drop) and those of a drain (the others) are
 * for one thread each; spool_depth for any.
 */
#ifndef WEIR_SQL_SPOOL_H
#define WEIR_SQL_SPOOL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "sql/batch.h"

struct spool;

/* What the name of a file in a spool says of it. */
enum spool_kind {
	SPOOL_ALIEN, /* not ours */
	SPOOL_WAITS, /* *.batch */
	SPOOL_BOUND, /* *.N.backup: the backup may have it, but for the first N bins */
	SPOOL_WRITING, /* one of these when weir ended, or now */
	SPOOL_ASIDE_WRITING, /* the same of a rejected one */
	SPOOL_ASIDE /* rejected or damaged */
};
enum spool_kind spool_kind(const char *name);

/* Whether a weir that runs has the spool in the folder at `path`. */
bool spool_is_taken(const char *path);

/* A file that waits. */
struct spool_item {
	struct spool_item *next; /* private */
	char name[64];
	uint64_t octets;
	uint64_t since; /* it waits, ns since 1970 */
	bool former; /* of an earlier run of weir, */
	bool unfinished; /* which ended within it */
	uint64_t rows; /* in it; 0 of former ones */
	/* the drain's */
	uint64_t rows_done;
	uint32_t bins_done;
	bool unsure; /* the primary may have the bin that is next */
	bool bound; /* the backup may have it: for it only, whoever runs */
	bool bound_kept; /* and a power cut does not undo that */
	bool left; /* not ours to write: of a newer weir */
	uint32_t faults; /* tries in a row that failed though the database was there */
	bool hopeless; /* others need not wait for it */
	uint64_t pause, again; /* then: how long, until when (monotonic ns) */
	bool refused; /* by the backup */
	uint64_t backup_pause, backup_again; /* before it is tried there again */
};

struct spool_depth {
	uint64_t batches, octets;
	uint64_t since; /* the oldest waits, ns since 1970; 0: none */
};

/*
 * Take over the folder `dir`/`name`, made where there is none, for at most `max` octets
 * of files that wait, and as many of those set aside; but one that waits fits whatever its
 * length. Characters that a file cannot be
 * called become %XX. NULL with `e`: it cannot be written, or another weir has it.
 */
struct spool *spool_open(
    const char *dir, const char *name, uint64_t max, struct err *e);
void spool_close(struct spool *sp);

/* Where it is, and where the file of `item` is. */
const char *spool_path(const struct spool *sp);
void spool_item_path(
    const struct spool *sp, const struct spool_item *item, char path[PATH_MAX]);

/* A file that is being written. */
struct spool_file {
	struct batch_writer *w;
	struct spool_item *item; /* private */
	bool waits; /* private: it will */
};

/*
 * Begin a file that `head` tells of, with `tail` for the end of its name: "batch" or
 * "rejected". NULL with `e`: WEIR_EFULL when there is no room, WEIR_EIO.
 */
struct spool_file *spool_begin(
    struct spool *sp, const struct batch_head *head, const char *tail, struct err *e);

/*
 * End it, with `rows` rows: it then is on the disk. Returns 0, or what batch_commit does:
 * there is no file then, and `f` is gone.
 */
int spool_end(struct spool *sp, struct spool_file *f, uint64_t rows, struct err *e);

/* What was ended waits from now on, being a "batch". Frees `f`. */
void spool_add(struct spool *sp, struct spool_file *f);

/* There shall be no such file. Frees `f`, which was not ended. */
void spool_drop(struct spool_file *f);

/* The oldest that waits, and the one after `item`; NULL: none. */
struct spool_item *spool_first(struct spool *sp);
struct spool_item *spool_next(struct spool *sp, const struct spool_item *item);

/* It is in the database: forget `item` and its file, or (`keep`) call that *.damaged. */
void spool_done(struct spool *sp, struct spool_item *item, bool keep);

/*
 * Have it on the disk that `item`, but for the bins_done that the primary has, is for the
 * backup from now on. 0, or -WEIR_EIO with `e`: again, then, before the backup gets it; so
 * with one of a former run, whose name need not be on the disk yet.
 */
int spool_bind(struct spool *sp, struct spool_item *item, struct err *e);

struct spool_depth spool_depth(struct spool *sp);

/*
 * Say in the log which folders of `dir` hold batches of plugins that are not among the `n`
 * `names` (of at most 63 characters), and of no other weir that runs.
 */
void spool_orphans(const char *dir, const char *const *names, unsigned n);

#endif
