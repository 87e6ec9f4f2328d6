/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal: `journal` in the folder of an output: what its archives shall be told, written
 * before they are told, and kept until they are known to have it. What one snapshot came
 * to is some rounds, each there as a whole or not at all, with all that is for an archive in
 * one of them.
 *
 *   head    "weir-rrdjnl" NUL, version (4)
 *   round   "rnd:" (4), number of entries (4), XXH64 of the entries (8), the entries
 *   entry   row (8), end of the bin (8), packets, bytes, flows (8 each), rows or bins (4),
 *           kind (1), whether it is the other row's (1), zero (2)
 *
 * All numbers in network order. A bin names its time, and RRD takes no time twice, so
 * telling it once more does no harm. Read as hostile input. The output's thread only.
 */
#ifndef WEIR_RRD_JOURNAL_H
#define WEIR_RRD_JOURNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/rowspec.h"
#include "lib/err.h"

#define JOURNAL_FILE "journal"

struct known;

enum journal_kind {
	JOURNAL_BIN,      /* the bin that ends at `end` counted `sums` */
	JOURNAL_IDLE,     /* `n` bins of nothing, of which the last ends at `end` */
	JOURNAL_UNKNOWN,  /* nobody measured up to `end` */
	JOURNAL_CARRY,    /* `sums` wait for the next bin, in place of what waited before; `end`,
	                   * where it is not 0: somebody else writes the archive */
	JOURNAL_KINDS
};

struct journal_entry {
	uint64_t id;          /* of the row whose archive is meant */
	int64_t end;          /* s since 1970 */
	struct sums sums;
	uint32_t n;           /* rows of snapshots; JOURNAL_IDLE: bins */
	uint8_t kind;         /* enum journal_kind */
	bool other;           /* the archive of the other row; `id` is 0 */
	struct known *k;      /* whose it is, where that is known; not in the file */
};

/* A round in memory: zeroed at first, reused. */
struct journal_round {
	struct journal_entry *entries;
	size_t n, room;
	uint64_t at, end;     /* the octets of the journal that it has, when it was appended or read */
};

/* Add an entry; memory that is short ends the process, as it does for rows. */
void journal_put(struct journal_round *r, const struct journal_entry *entry);
void journal_round_fini(struct journal_round *r);

struct journal {
	int fd;
	char path[PATH_MAX];
	uint64_t size;        /* octets, of whole rounds and the head */
	uint64_t max;         /* octets at most */
	uint64_t damaged;     /* octets between rounds that were none when it was opened */
	/* private; of a journal_sync_begin that has not ended: */
	bool syncing;
	pthread_t sync_thread;
	uint64_t sync_size;   /* what `size` was, */
	uint64_t synced;      /* and is that on the disk */
	int sync_errno;
};

/* Where the first round begins. */
#define JOURNAL_START 16U

/* Octets of a journal of `rounds` with `entries` in all. */
uint64_t journal_octets(uint64_t rounds, uint64_t entries);

/*
 * Open the journal in `folder`, made when there is none; what a killed weir left unfinished
 * at its end is cut off, what is damaged between is passed over. Returns 0;
 * -WEIR_EUNSUPPORTED with `e` when a newer weir wrote it or it is none; -WEIR_EIO,
 * -WEIR_ENOMEM.
 */
int journal_open(struct journal *j, const char *folder, uint64_t max, struct err *e);
void journal_close(struct journal *j);

/*
 * Append `r`, as a whole. Returns 0; or, with `e` and the journal as it was, -WEIR_EFULL
 * (`max`) or -WEIR_EIO.
 */
int journal_append(struct journal *j, struct journal_round *r, struct err *e);

/* Have it on the disk. Returns 0 or -WEIR_EIO with `e`. */
int journal_sync(struct journal *j, struct err *e);

/* Begin that, in a thread of its own, while other things are done; journal_sync ends it. */
void journal_sync_begin(struct journal *j);

/* Forget all rounds and begin with `r`. Returns as journal_append. */
int journal_restart(struct journal *j, const struct journal_round *r, struct err *e);

/*
 * Read the round at `at`, or the next one that is whole, into `r`; the one after it begins at
 * r->end. Returns 1; 0 at the end; or, when it cannot be read just now, -WEIR_EIO or
 * -WEIR_ENOMEM with `e`.
 */
int journal_read(const struct journal *j, uint64_t at, struct journal_round *r, struct err *e);

#endif
