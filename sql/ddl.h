/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ddl: how tables come to be: by the statement in the file of sql_table_schema, or by
 * weir's own. Plain functions; any thread.
 */
#ifndef WEIR_SQL_DDL_H
#define WEIR_SQL_DDL_H

#include <stdint.h>
#include <stdio.h>

#include "core/output.h"
#include "flow/text.h"
#include "lib/err.h"
#include "sql/config.h"
#include "sql/driver.h"
#include "sql/schema.h"

/*
 * Whether the file of sql_table_schema at `path` can be read. 0, or -WEIR_EIO with `e`, which
 * names it.
 */
int ddl_check(const char *path, struct err *e);

/*
 * The statement that makes `table` with the columns `s` for a bin that starts at `time` (ns
 * since 1970), to `line`, which the caller frees; it ends in a NUL. 0, or -WEIR_EIO with
 * `e`: the file cannot be read.
 */
int ddl_text(struct text_line *line, const struct sql_dialect *d,
    const struct sql_config *c, const struct sql_schema *s, const char *table,
    uint64_t time, struct err *e);

/*
 * Run the statement `sql` that makes `table`. That another weir makes it at the same time
 * is as well. 0 or -WEIR_EIO with `e`, which says what to do where weir may not.
 */
int ddl_make(const struct sql_driver *d, struct sql_conn *conn, const char *sql,
    const char *table, struct err *e);

/* Write the statements that make the tables of `o`, an SQL output that is planned. */
int ddl_print(const struct output *o, FILE *to, struct err *e);

#endif
