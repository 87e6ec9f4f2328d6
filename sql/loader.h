/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loader: the rows of a batch into one table, in the quickest way that the engine has and
 * the table allows:
 *
 *   straight    a bulk load into the table, for rows that are likely all new;
 *   staged      a bulk load into a temporary table, then a statement for all rows that
 *               adds them to those that are there;
 *   row by row  a prepared statement for each, or two where the table has no key.
 *
 * Whether a key is taken shows when a straight load ends: then the batch is rolled back and
 * comes again, staged. A loader lives as long as its connection, and belongs to the
 * same thread.
 */
#ifndef WEIR_SQL_LOADER_H
#define WEIR_SQL_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "sql/config.h"
#include "sql/driver.h"
#include "sql/row.h"
#include "sql/schema.h"

struct loader;

/*
 * Prepare to write to `table`, which is there. All arguments but `table` are borrowed as
 * long as the loader lives. NULL with `e`: the table does not fit the schema.
 */
struct loader *loader_open(const struct sql_driver *d, struct sql_conn *conn,
    const struct sql_config *c, const struct sql_schema *s, const char *table,
    struct err *e);
void loader_close(struct loader *l); /* may be NULL */

/* Whether the table has no unique key of what is aggregated, though rows are to be added. */
bool loader_is_keyless(const struct loader *l);

/*
 * The life of a batch, in a transaction that the caller begins, and commits or rolls back:
 * lock first of all; begin for the bin that starts at `bin` (ns since 1970) tells the
 * statements that rows are to be bound to; row stores what is bound; end stores the rest.
 * `refused` counts rows whose key was taken, with sql_dont_try_update only.
 *
 * Each returns 0 or an error of the driver; after -WEIR_EEXIST the same batch may well
 * succeed when it is begun anew.
 */
int loader_lock(struct loader *l, struct err *e);
int loader_begin(struct loader *l, uint64_t bin, struct row_target targets[ROW_TARGETS],
    unsigned *n, struct err *e);
int loader_row(struct loader *l, uint64_t *refused, struct err *e);
int loader_end(struct loader *l, uint64_t *refused, struct err *e);

#endif
