/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * batch: what one snapshot brings to a database, as a file that tells all that is needed
 * to write it anywhere: who collected it, its number, the columns of the table and what
 * each is for, and then of each time bin the table, the start, and the rows as values of
 * columns. It is written from front to back once, synced, and never changed.
 *
 * A file is blocks, each with a head of 32 octets in network order:
 *
 *   0  "weirbtch"     8  kind (1), zero (3)     12  number, from 0
 *  16  octets of the body     20  rows in it     24  XXH64 of head and body with 0 here
 *
 *   kind 1  head: version, identity, columns; first
 *   kind 2  rows of one bin: start of the bin, table, rows
 *   kind 3  end: rows and blocks of rows in the file; last
 *
 * A row is a bitmap of the columns that differ from the row before, then their values: a
 * varint (7 bits an octet, least first) that is twice a number, or twice the length of a
 * text and 1, and the text. A block's first row has all columns, so that a block can be
 * read without those before it: a damaged file loses the damaged blocks only.
 *
 * A writer and a reader belong to one thread at a time. Memory is bounded: a block each.
 */
#ifndef WEIR_SQL_BATCH_H
#define WEIR_SQL_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "sql/driver.h"
#include "sql/row.h"
#include "sql/schema.h"
#include "sql/tablename.h"

#define BATCH_VERSION 1U
#define BATCH_WORD 160U /* octets of a word of the identity, with its NUL */
#define BATCH_FILLER 32U

/* What is the same for the whole file. */
struct batch_head {
	char collector[BATCH_WORD]; /* who counts: host and plugin */
	int64_t boot; /* of the run of weir that counted */
	uint64_t seq; /* of the snapshot within it */
	uint64_t cut; /* when it was cut, ns since 1970 */
	char engine[BATCH_WORD]; /* where it was meant to go: "sqlite3", */
	char db[BATCH_WORD * 4]; /* its database, */
	char plugin[64]; /* by which plugin */
	bool only_insert; /* sql_dont_try_update */
	bool utc; /* times of rows are UTC; else of the local zone */
	struct sql_schema schema; /* of a column: all but field and source */
	uint64_t schema_sum; /* read: tells apart what must be written differently */
	char fillers[SCHEMA_COLUMNS][BATCH_FILLER]; /* read: those of the schema */
};

/* Copy a head with what it points to. */
void batch_head_copy(struct batch_head *to, const struct batch_head *from);

struct batch_value {
	const char *text; /* NULL: a number */
	uint32_t len;
	int64_t number;
};

/* ---- writing ---- */

struct batch_writer;

/* What its name has at the end until all of it is on the disk. */
#define BATCH_WRITING ".writing"

/*
 * Begin a file that shall be at `path` when it has ended; until then it has another name.
 * At most `max` octets will be written. NULL with `e` filled.
 */
struct batch_writer *batch_create(
    const char *path, const struct batch_head *head, uint64_t max, struct err *e);

/* The statement that a struct row binds values to; the parameter of column i is i + 1. */
extern const struct sql_driver batch_driver;
struct sql_stmt *batch_stmt(struct batch_writer *w);

/* Rows that follow are of the bin that starts at `start` (ns), in `table`. */
void batch_bin(struct batch_writer *w, uint64_t start, const char *table);

/* Write a row of the values that are bound. Faults are told by batch_commit. */
void batch_row(struct batch_writer *w);

/*
 * End the file and have it on the disk; frees `w`. Returns 0 and the octets of the file,
 * or -WEIR_EIO, -WEIR_EFULL with `e` filled: there is no file then.
 */
int batch_commit(struct batch_writer *w, uint64_t *octets, struct err *e);

/* There shall be no such file; frees `w`. */
void batch_drop(struct batch_writer *w);

/* ---- reading ---- */

struct batch_reader {
	struct batch_head head;
	/* of the bin that batch_next_bin came to */
	uint64_t start; /* ns */
	char table[TABLENAME_MAX + 1];
	/* of the row that batch_next_row came to */
	struct batch_value values[SCHEMA_COLUMNS];
	uint8_t changed[(SCHEMA_COLUMNS + 7) / 8]; /* since the row before */
	/* of what was read so far */
	uint64_t rows;
	bool damaged; /* something could not be read */
	bool ended; /* its end was there: it was written to the end */
	uint64_t rows_promised; /* by its end */

	/* private */
	struct batch_source *source;
};

static inline bool
batch_changed(const struct batch_reader *r, unsigned column)
{
	return (r->changed[column / 8] >> column % 8 & 1) != 0;
}

/*
 * Open the file and read its head. Returns 0; -WEIR_ENOENT when there is none;
 * -WEIR_EUNSUPPORTED when a newer weir wrote it; -WEIR_EMALFORMED when its head cannot be
 * read; -WEIR_EIO, -WEIR_ENOMEM; each with `e` naming the file.
 */
int batch_open(struct batch_reader *r, const char *path, struct err *e);
void batch_close(struct batch_reader *r);

/*
 * Whether the file could not be read further though it may be whole: 0, or -WEIR_EIO with
 * `e`. To be asked when there are no more rows or bins: what was read then is a part, and
 * nothing of it means damage.
 */
int batch_fault(const struct batch_reader *r, struct err *e);

/* Go on to the next bin, over rows that are left of this one. false: there is none. */
bool batch_next_bin(struct batch_reader *r);

/* Go back to before the first row of the bin. */
void batch_again(struct batch_reader *r);

/*
 * Go on to the next row of the bin. Texts of its values stay in their place until a row
 * of which all columns have changed. false: the bin has no more.
 */
bool batch_next_row(struct batch_reader *r);

/* Read to the end: whether every row is there. `r` is as after the last row. */
bool batch_is_whole(struct batch_reader *r);

#endif
