/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer: the SQL door, whatever the engine. It plans the view (the columns of the
 * table's version, closed bins only where rows are written no more often than bins
 * end), and puts each snapshot into the plugin's spool, from where a drain brings it to the
 * database.
 *
 *   snapshot ── encode ──► spool: a file, synced ── drain ──► store: one transaction a bin
 *
 * A snapshot that the spool does not take (the disk is full, or sql_spool_max reached) is
 * kept and tried again every second; meanwhile the output is `stalled`, and rows stay in
 * the view.
 *
 * plan, open, start: main thread; write: the output's thread; close: main thread, after it.
 */
#ifndef WEIR_SQL_WRITER_H
#define WEIR_SQL_WRITER_H

#include "core/output.h"
#include "sql/config.h"
#include "sql/driver.h"
#include "sql/schema.h"

/*
 * Snapshots kept: the one that found no room, those that were in the queue then, and the
 * last one of all.
 */
#define WRITER_PENDING 4U

/*
 * The members of an engine's struct output_ops. From `open` on a thread connects to the
 * database; `start` waits for it, at most a second.
 */
int writer_plan(struct output *o, struct view_config *vc, struct err *e);
int writer_open(struct output *o, struct err *e);
int writer_start(struct output *o, struct err *e);
void writer_hurry(struct output *o);
int writer_write(struct output *o, const struct snapshot *s, struct output_result *r,
    struct err *e);
void writer_close(struct output *o);

/*
 * The parts of `open`: all but the thread, for an engine's driver; and the thread. Without it,
 * what is written is written by the caller.
 */
int writer_make(struct output *o, const struct sql_driver *d, struct err *e);
int writer_run(struct output *o, struct err *e);

/*
 * What `o`, which is planned, writes: the columns to `schema`, its configuration with
 * every default filled in to `c`. 0, or -WEIR_EINVAL with `e`.
 */
int writer_schema(const struct output *o, struct sql_schema *schema, struct sql_config *c,
    struct err *e);

/* What stands for variables in names that a plugin has; the time is now. */
struct variables writer_vars(const struct output_config *c);

/* The outputs of the engines that are built in. */
extern const struct output_ops sqlite3_output, pgsql_output, mysql_output;

#endif
