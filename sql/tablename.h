/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of tables, which may hold the variables of lib/variable.h: "acct_v4_%Y%m%d" gives
 * each day a table of its own. Names are made of letters, digits and _, checked when the configuration is
 * read and again when a name is built. Any thread; nothing is kept.
 */
#ifndef WEIR_SQL_TABLENAME_H
#define WEIR_SQL_TABLENAME_H

#include <stdbool.h>

#include "lib/err.h"
#include "lib/variable.h"

#define TABLENAME_MAX 64U /* characters */

/*
 * Write the name to `buf`. Returns 0, or -WEIR_EINVAL with `e` saying what is wrong
 * with it.
 */
int tablename_expand(const char *pattern, const struct variables *v,
    char buf[TABLENAME_MAX + 1], struct err *e);

/* `name` as an engine takes names that are not quoted: in lower case, with `fold`. */
void tablename_fold(const char *name, bool fold, char buf[TABLENAME_MAX + 1]);

#endif
