/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay: plays files of batches to a database, or lists and tests them: what `weir replay`
 * does. A batch here is the rows of one bin; numbered from 1 through all files. What a
 * database has already counts once there. One thread.
 */
#ifndef WEIR_SQL_REPLAY_H
#define WEIR_SQL_REPLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"
#include "sql/config.h"
#include "sql/driver.h"

struct replay_config {
	const struct sql_driver *driver; /* NULL: the one that a file was meant for */
	struct sql_config sql; /* where to; db NULL: the database of the file */
	const char *table; /* pattern, instead of the file's; NULL: that */
	uint64_t first, count; /* batches to play; count 0: all from `first` on */
	bool only_insert; /* never add to a row that is there */
	bool list, test, rows; /* say what is there; write nothing; print rows */
};

struct replay_tally {
	uint64_t batches, rows; /* read */
	uint64_t written, refused; /* rows */
	uint64_t known; /* batches that the database had already */
	uint64_t damaged; /* files of which something could not be read, */
	uint64_t unread; /* and that could not be read at all, or no further */
	uint64_t number; /* of the last batch, those that were not asked for, too */
};

struct replay;

struct replay *replay_new(const struct replay_config *c, FILE *out);
void replay_free(struct replay *p);

/*
 * Play the file at `path`, or the files of the folder in the order of their names. What
 * cannot be read is said on stderr and left out. Returns 0, or -WEIR_E... with `e` when the
 * database fails: what was played before is in it.
 */
int replay_path(struct replay *p, const char *path, struct err *e);

const struct replay_tally *replay_tally(const struct replay *p);

#endif
