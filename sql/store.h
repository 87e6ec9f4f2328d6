/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store: a connection to a database with its prepared statements, which takes the rows
 * of one time bin of a snapshot in one transaction and exactly once.
 *
 * Each transaction also inserts a row (collector, boot, seq, bin) into weir_batch.
 * Where that row is there already, the batch is in: an earlier commit had succeeded
 * though its answer was lost. So a batch may be handed over again after any error.
 *
 * Any error closes the connection; the next batch opens another, makes tables that have
 * gone, and prepares anew. One thread at a time.
 */
#ifndef WEIR_SQL_STORE_H
#define WEIR_SQL_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/output.h"
#include "core/snapshot.h"
#include "sql/driver.h"
#include "sql/schema.h"
#include "sql/tablename.h"

struct store_config {
	const struct sql_driver *driver; /* borrowed */
	struct sql_config sql;           /* with every default filled in */
	struct sql_schema schema;
	const struct rowspec *rs;        /* of the view, borrowed */
	char collector[160];             /* who writes: host and plugin */
};

struct store;

/*
 * Connect and, where its name does not depend on time, open the table. NULL with `e`.
 */
struct store *store_open(const struct store_config *c, struct err *e);
void store_close(struct store *st);

/* Rows of bin number `bin` of `s`, its other row included. */
uint32_t store_batch_rows(const struct snapshot *s, uint16_t bin);

/*
 * Write the rows of bin number `bin` of `s`, and add to `r` what became of them; rows
 * are refused one by one only where sql_dont_try_update finds their key taken. Returns
 * 0, or -WEIR_E... with `e`: then nothing of the batch is in, or all, and `r` is as it
 * was.
 */
int store_write(struct store *st, const struct snapshot *s, uint16_t bin,
    struct output_result *r, struct err *e);

#endif
