/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compose_parts: what statements of sql/compose.c and sql/compose_merge.c have in common.
 * Each call adds a part to the end of `t`.
 */
#ifndef WEIR_SQL_COMPOSE_PARTS_H
#define WEIR_SQL_COMPOSE_PARTS_H

#include <stdbool.h>

#include "sql/compose.h"
#include "sql/driver.h"
#include "sql/schema.h"

/* Begin a statement, and end it with a NUL. */
void part_begin(struct sql_text *t);
void part_end(struct sql_text *t);

void part_put(struct sql_text *t, const char *s);

/* A name in the quotes of the engine. */
void part_name(struct sql_text *t, const struct sql_dialect *d, const char *name);

/* The same of a table, which may have its schema before it. */
void part_table(struct sql_text *t, const struct sql_dialect *d, const char *table);

/* The names of the columns that are written, each behind `prefix`. */
void part_columns(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *prefix);

/* INSERT INTO and these. */
void part_into(struct sql_text *t, const struct sql_dialect *d, const struct sql_schema *s,
    const char *table);

/* Where what is new stands, in a SET list. */
enum part_source {
	FROM_INSERT,  /* what an INSERT brought and found taken */
	FROM_STAGE,   /* rows called `n` */
	FROM_PARAMS,
};

/* How columns that are there change. */
struct part_change {
	enum part_source from;
	bool capped;           /* sums stay at the largest that their column holds */
};

/*
 * The SET list: each column that is no key becomes what it was and what is new
 * together. Columns that are set are named without their table where the engine wants it
 * so.
 */
void part_changes(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, struct part_change how);

/* What follows an INSERT whose rows are added to those that are there. */
void part_adding(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool full_key, bool capped);

/* What follows an INSERT that leaves rows alone that are there. */
void part_yielding(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table);

#endif
