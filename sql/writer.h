/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer: the SQL door, whatever the engine. It plans the view (the columns of the
 * table's version, closed bins only where rows are written no more often than bins
 * end), takes snapshots, and hands each bin of each to the store.
 *
 * A snapshot that cannot be written (the database is locked, the disk is full) is kept
 * and tried again before the next one, at most WRITER_PENDING of them; then the oldest
 * is given up. Its rows are accounted for when they are written or given up, not
 * before: a call's result may so be about rows of earlier snapshots, or about none.
 *
 * plan and open: main thread; write: the output's thread; close: main thread, after it.
 */
#ifndef WEIR_SQL_WRITER_H
#define WEIR_SQL_WRITER_H

#include "core/output.h"
#include "sql/config.h"
#include "sql/driver.h"
#include "sql/schema.h"

#define WRITER_PENDING 2U /* snapshots kept; their rows stay in the view's memory */

/* The members of an engine's struct output_ops. */
int writer_plan(struct output *o, struct view_config *vc, struct err *e);
int writer_open(struct output *o, const struct sql_driver *d, struct err *e);
int writer_write(struct output *o, const struct snapshot *s, struct output_result *r,
    struct err *e);
void writer_close(struct output *o);

/*
 * What `o`, which is planned, writes: the columns to `schema`, its configuration with
 * every default filled in to `c`. 0, or -WEIR_EINVAL with `e`.
 */
int writer_schema(const struct output *o, struct sql_schema *schema, struct sql_config *c,
    struct err *e);

/* The outputs of the engines that are built in. */
extern const struct output_ops sqlite3_output, pgsql_output, mysql_output;

#endif
