/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multirow: rows gathered for INSERTs of many rows each: their values, as text, and the
 * text of a statement for so many. One thread at a time.
 */
#ifndef WEIR_SQL_MULTIROW_H
#define WEIR_SQL_MULTIROW_H

#include <stddef.h>

#include "flow/text.h"
#include "sql/rowtext.h"

#define MULTIROW_PARAMS 4096U /* of a statement; MySQL takes 65535 */

struct multirow {
	unsigned n;            /* values a row */
	unsigned rows;         /* gathered */
	char *insert;          /* what stands before the rows: INSERT INTO `t` (`a`) VALUES */
	struct text_line out;  /* the values, */
	struct multirow_value {
		size_t at, len;
	} *values;             /* and where each stands */
};

/* For the `n` columns of `table`, names quoted by `quote`. 0 or -1: no memory. */
int multirow_init(struct multirow *m, const char *table, const char *const *columns,
    unsigned n, char quote);
void multirow_fini(struct multirow *m);

/* How many rows a statement takes. */
unsigned multirow_room(const struct multirow *m);

/* Gather the row that `r`, which is plain, has. There is room. */
void multirow_put(struct multirow *m, const struct rowtext *r);

/* The statement for `rows` rows, to `sql`; it ends in a NUL. */
void multirow_text(const struct multirow *m, unsigned rows, struct text_line *sql);

/* The rows are in, or given up. */
void multirow_clear(struct multirow *m);

#endif
