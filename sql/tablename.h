/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of tables, which may hold the variables of lib/variable.h: "acct_v4_%Y%m%d" gives
 * each day a table of its own. Names are made of letters, digits and _, with a schema and a point before where
 * it is not the connection's own ("sc.acct"; with MySQL the database), checked when the
 * configuration is read and again when a name is built. Any thread; nothing is kept.
 */
#ifndef WEIR_SQL_TABLENAME_H
#define WEIR_SQL_TABLENAME_H

#include <stdbool.h>

#include "lib/err.h"
#include "lib/variable.h"
#include "sql/driver.h"

#define TABLENAME_PART 64U /* characters of a schema, and of a table */
#define TABLENAME_MAX (2 * TABLENAME_PART + 1)
#define TABLENAME_QUOTED (TABLENAME_MAX + 5) /* octets, with quotes and the NUL */

/*
 * Write the name to `buf`. Returns 0, or -WEIR_EINVAL with `e` saying what is wrong
 * with it.
 */
int tablename_expand(const char *pattern, const struct variables *v,
    char buf[TABLENAME_MAX + 1], struct err *e);

/*
 * `name` as the engine called `engine` takes names that are not quoted: in lower case where
 * it folds them, and without the schema that is the only one that it has. Returns 0, or
 * -WEIR_EINVAL with `e`, where the schema is another.
 */
int tablename_fit(const char *name, const char *engine, const struct sql_dialect *d,
    char buf[TABLENAME_MAX + 1], struct err *e);

/* `name`, of at most TABLENAME_MAX characters, with each of its parts in `quote`. */
void tablename_quote(const char *name, char quote, char buf[TABLENAME_QUOTED]);

/* The table in `name`, a part of it; its schema, "" for none, goes to `schema`. */
const char *tablename_split(const char *name, char schema[TABLENAME_PART + 1]);

#endif
