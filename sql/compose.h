/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compose: the text of SQL statements from a schema, as an engine's dialect spells
 * them. Text is made of names and `?` only; values are bound later. The caller frees
 * the line.
 */
#ifndef WEIR_SQL_COMPOSE_H
#define WEIR_SQL_COMPOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/text.h"
#include "sql/driver.h"
#include "sql/schema.h"

/* A statement: its text, and which parameter each column of the schema is (0: none). */
struct sql_text {
	struct text_line line;  /* ends in a NUL */
	uint16_t n;             /* parameters */
	uint16_t param[SCHEMA_COLUMNS];
};

void sql_text_fini(struct sql_text *t);

/* CREATE TABLE IF NOT EXISTS. */
void compose_create(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table);

/*
 * INSERT that adds to the row of the same key. The key is that of tables that weir
 * makes; with `full_key` also what is in the key of tables that pmacct's scripts made.
 * `capped`, here and below: by sql_dialect's sum_capped.
 */
void compose_upsert(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool full_key, bool capped);

/* INSERT that changes nothing where the key is taken. */
void compose_insert(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table);

/* UPDATE that adds to the rows of the key. */
void compose_update(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool capped);

/* The temporary table of a connection in which rows wait to be merged. */
#define COMPOSE_STAGE "weir_stage"

/* CREATE TEMPORARY TABLE with the columns of `table` that are written. */
void compose_stage(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table);

/* The bulk load into `table`; parameters are the columns in their order. */
void compose_load(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table);

/*
 * compose_upsert for all staged rows. `grouped`: rows of one key are added up first, which
 * engines with ON CONFLICT ask for, but costs time.
 */
void compose_merge(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool full_key, bool grouped,
    bool capped);

/* compose_insert for all staged rows. */
void compose_merge_new(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table);

/*
 * What compose_merge does, for a table without a key: UPDATE of the rows that are there,
 * then INSERT of the others.
 */
void compose_merge_old(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool capped);
void compose_merge_rest(struct sql_text *t, const struct sql_dialect *d,
    const struct sql_schema *s, const char *table, bool capped);

/*
 * DELETE of the rows whose column `less` is below parameter 1 and `equal` is parameter
 * 2.
 */
void compose_prune(struct sql_text *t, const struct sql_dialect *d, const char *table,
    const char *less, const char *equal);

#endif
