/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * schema: the columns of a table and where their values come from. pmacct's default
 * tables, versions 1 to 9, are rows in schema.c: a column, the primitive in it, the
 * versions that have it, and what is written where the primitive is not aggregated.
 * Constant once planned; any thread.
 */
#ifndef WEIR_SQL_SCHEMA_H
#define WEIR_SQL_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/field.h"
#include "lib/err.h"
#include "sql/config.h"
#include "sql/driver.h"

#define SCHEMA_COLUMNS (3U * FIELD_COUNT)

/* Where the value of a column comes from. */
enum sql_source {
	SQL_FROM_FIELD,
	SQL_FROM_RESIDUAL, /* microseconds of a field that is a time */
	SQL_FROM_FILLER,   /* the same for all rows */
	SQL_FROM_BIN,      /* start of the row's time bin: stamp_inserted */
	SQL_FROM_CUT,      /* time of writing: stamp_updated */
	SQL_FROM_SPAN,     /* a field that is a time of the flow; of other rows as SQL_FROM_CUT */
	SQL_FROM_CALLER,   /* bound by hand: the batch table */
};

/* What becomes of it where the row is there already. New ones go last: batch files. */
enum sql_role { SQL_KEY, SQL_ADD, SQL_OR, SQL_LEAST, SQL_GREATEST, SQL_REPLACE };

struct sql_column {
	char name[40];
	enum sql_source source;
	enum sql_role role;
	enum sql_type type;
	bool number;               /* bound as an integer, not as text */
	bool written;              /* by statements; others take their default */
	bool made;                 /* in tables that weir makes, not only in pmacct's */
	const struct field *field; /* NULL where there is none */
	const char *filler;        /* as text; NULL: none, the column may be NULL */
};

struct sql_schema {
	unsigned n;
	struct sql_column columns[SCHEMA_COLUMNS];
};

/* What a schema depends on. */
struct sql_shape {
	const struct sql_config *config;
	const struct sql_dialect *dialect; /* of the engine */
	struct field_set fields;  /* of `aggregate` */
	bool history;             /* rows have a time bin */
	bool since_epoch;         /* times are integers */
	bool num_protos;
	bool secs;                /* times have no column for their fraction */
};

/*
 * The columns for `shape`; those that make the key in the order that an index should
 * have. Returns 0, or -WEIR_EINVAL with `e` naming a primitive that the version has no
 * column for and the version that has, or two that want the same column.
 */
int schema_plan(struct sql_schema *s, const struct sql_shape *shape, struct err *e);

/* The fields that stamps come from with nfacctd_sql_log, whether or not they are shown. */
void schema_stamps(struct field_set *fields);

/* The name of the default table for `shape`. */
const char *schema_default_table(const struct sql_shape *shape);

/* A column by name, or NULL. */
const struct sql_column *schema_find(const struct sql_schema *s, const char *name);

/*
 * weir's table of the batches that are in: collector, boot, seq, bin; stored (seconds).
 */
extern const struct sql_schema schema_batch;
#define SCHEMA_BATCH_TABLE "weir_batch"

#endif
