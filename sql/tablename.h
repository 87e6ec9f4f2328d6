/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of tables, which may hold variables: "acct_v4_%Y%m%d" gives each day a table of
 * its own. Names are made of letters, digits and _, checked when the configuration is
 * read and again when a name is built. Any thread; nothing is kept.
 */
#ifndef WEIR_SQL_TABLENAME_H
#define WEIR_SQL_TABLENAME_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

#define TABLENAME_MAX 64U /* characters */

/* What the variables of a name stand for. */
struct tablename_vars {
	uint64_t bin_start;  /* ns since 1970: %-variables */
	uint32_t refresh_s;  /* $ref */
	uint32_t history_s;  /* $hst */
	bool utc;            /* %-variables in UTC, not local time */
};

/* Whether `pattern` holds variables of time. */
bool tablename_is_timed(const char *pattern);

/*
 * Write the name to `buf`. Returns 0, or -WEIR_EINVAL with `e` saying what is wrong
 * with it.
 */
int tablename_expand(const char *pattern, const struct tablename_vars *v,
    char buf[TABLENAME_MAX + 1], struct err *e);

#endif
