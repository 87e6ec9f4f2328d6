/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PostgreSQL engine. Rows go in by COPY, straight into the table or by way of a
 * temporary one; what COPY would choke on (text that is longer than the column, numbers
 * beyond its type) is made to fit on the way, as one row must not stop a batch.
 * Time columns get local time or UTC as text; the session's zone is the same, so that
 * columns with a time zone hold the right instant, too.
 */
#include <assert.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/driver.h"
#include "sql/holds.h"
#include "sql/idle.h"
#include "sql/pgsql_conn.h"
#include "sql/rowtext.h"
#include "sql/writer.h"

#define COPY_CHUNK 65536U /* octets that are handed to libpq at once */

/* A prepared statement or a load. */
struct sql_stmt {
	struct sql_conn *conn;
	unsigned n;            /* parameters */
	unsigned no;           /* of a prepared statement, */
	char name[16];         /* which makes its name */
	bool prepared;
	const char **values;
	char (*texts)[TEXT_MAX]; /* `values` point into */

	char *copy;            /* the COPY statement of a load; NULL: prepared */
	struct rowtext rows;
	struct holds *columns;
	char (*plain)[TEXT_MAX]; /* text made ASCII; NULL: not needed */
};

static void
pgsql_finish(struct sql_stmt *s)
{
	if (s == NULL)
		return;
	if (s->copy == NULL && s->prepared)
		pgsql_prepared_drop(s->conn, s->no);
	free(s->values);
	free(s->texts);
	free(s->copy);
	rowtext_fini(&s->rows);
	free(s->columns);
	free(s->plain);
	free(s);
}

/* Types of columns by their fixed numbers (pg_type.dat). */
enum { TYPE_INT8 = 20, TYPE_INT2 = 21, TYPE_INT4 = 23, TYPE_BPCHAR = 1042,
	TYPE_VARCHAR = 1043 };
#define TYPMOD_HEAD 4 /* of a text type: characters and this */

static void
column_describe(struct holds *col, long type, long typmod)
{
	switch (type) {
	case TYPE_INT2:
		col->max = INT16_MAX;
		break;
	case TYPE_INT4:
		col->max = INT32_MAX;
		break;
	case TYPE_INT8:
		col->max = INT64_MAX;
		break;
	case TYPE_BPCHAR:
	case TYPE_VARCHAR:
		if (typmod > TYPMOD_HEAD)
			col->chars = (size_t)(typmod - TYPMOD_HEAD);
		break;
	default: /* takes whatever weir has for it */
		break;
	}
}

/* How many parameters the prepared statement has, and what they hold. */
static int
stmt_describe(struct sql_stmt *s, struct err *e)
{
	PGresult *r = PQdescribePrepared(s->conn->pg, s->name);

	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		return pgsql_result_error(s->conn, r, e);
	s->n = (unsigned)PQnparams(r);
	s->values = calloc(s->n + 1, sizeof(*s->values));
	s->texts = calloc(s->n + 1, sizeof(*s->texts));
	s->columns = calloc(s->n + 1, sizeof(*s->columns));
	if (s->conn->ascii)
		s->plain = calloc(s->n + 1, sizeof(*s->plain));
	if (s->values == NULL || s->texts == NULL || s->columns == NULL ||
	    (s->conn->ascii && s->plain == NULL)) {
		PQclear(r);
		return err_set(e, WEIR_ENOMEM, "pgsql: no memory");
	}
	for (unsigned i = 0; i < s->n; i++) {
		snprintf(s->columns[i].name, sizeof(s->columns[i].name), "number %u", i + 1);
		column_describe(&s->columns[i], (long)PQparamtype(r, (int)i), 0);
	}
	PQclear(r);
	return 0;
}

static int
pgsql_prepare(struct sql_conn *c, const char *sql, struct sql_stmt **out, struct err *e)
{
	struct sql_stmt *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (s == NULL)
		return err_set(e, WEIR_ENOMEM, "pgsql: no memory");
	s->conn = c;
	s->no = c->n_prepared++;
	snprintf(s->name, sizeof(s->name), PGSQL_PREPARED, s->no);
	rc = pgsql_result_done(c, PQprepare(c->pg, s->name, sql, 0, NULL), e);
	s->prepared = rc == 0;
	if (rc != 0 || (rc = stmt_describe(s, e)) != 0) {
		pgsql_finish(s);
		return rc;
	}
	*out = s;
	return 0;
}

/* A number as parameter `i`, from 0. */
static void
number_put(struct sql_stmt *s, unsigned i, int64_t v)
{
	if (s->copy != NULL) {
		rowtext_int(&s->rows, i, v);
		return;
	}
	snprintf(s->texts[i], TEXT_MAX, "%" PRId64, v);
	s->values[i] = s->texts[i];
}

static void
pgsql_bind_int(struct sql_stmt *s, unsigned i, int64_t v)
{
	assert(i >= 1 && i <= s->n);
	number_put(s, i - 1, holds_number(&s->columns[i - 1], v, s->conn->where));
}

/* `text` as the database's encoding can take it. */
static const char *
text_plain(struct sql_stmt *s, unsigned i, const char *text, size_t len)
{
	char *to = s->plain[i];

	for (size_t k = 0; k < len && k < TEXT_MAX; k++)
		to[k] = (unsigned char)text[k] < 0x80 ? text[k] : '?';
	return to;
}

static void
pgsql_bind_text(struct sql_stmt *s, unsigned i, const char *text, size_t len)
{
	struct holds *col;

	assert(i >= 1 && i <= s->n);
	col = &s->columns[i - 1];
	if (col->max == INT64_MAX) {
		/* A key beyond 2^63: the type is signed, and its bits stay apart. */
		char digits[24]; /* `text` has no end of its own */

		snprintf(digits, sizeof(digits), "%.*s", (int)len, text);
		number_put(s, i - 1, (int64_t)strtoull(digits, NULL, 10));
		return;
	}
	len = holds_text(col, text, len, s->conn->where);
	if (s->plain != NULL)
		text = text_plain(s, i - 1, text, len);
	if (s->copy != NULL) {
		rowtext_text(&s->rows, i - 1, text, len);
		return;
	}
	snprintf(s->texts[i - 1], TEXT_MAX, "%.*s", (int)len, text);
	s->values[i - 1] = s->texts[i - 1];
}

/* Send what is gathered. */
static int
copy_send(struct sql_conn *c, struct sql_stmt *s, struct err *e)
{
	int rc = 0;

	if (s->rows.out.len > 0 &&
	    PQputCopyData(c->pg, s->rows.out.p, (int)s->rows.out.len) != 1) {
		rc = pgsql_drain(c, e);
		rc = rc != 0 ? rc : pgsql_error(c, WEIR_EIO, e);
	}
	s->rows.out.len = 0;
	return rc;
}

static int
pgsql_step(struct sql_conn *c, struct sql_stmt *s, uint64_t *changed, struct err *e)
{
	PGresult *r;

	if (s->copy != NULL) {
		rowtext_put(&s->rows);
		return s->rows.out.len < COPY_CHUNK ? 0 : copy_send(c, s, e);
	}
	r = PQexecPrepared(c->pg, s->name, (int)s->n, s->values, NULL, NULL, 0);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		return pgsql_result_error(c, r, e);
	*changed = strtoull(PQcmdTuples(r), NULL, 10);
	PQclear(r);
	return 0;
}

/* What the columns of `table` can hold. */
static int
columns_describe(struct sql_stmt *s, const char *table, const char *const *columns,
    struct err *e)
{
	PGresult *r = pgsql_ask(s->conn,
	    "SELECT attname, atttypid::int8, atttypmod FROM pg_attribute WHERE attrelid = "
	    PGSQL_TABLE " AND attnum > 0 AND NOT attisdropped", &table,
	    1, e);

	if (r == NULL)
		return -WEIR_EIO;
	for (unsigned i = 0; i < s->n; i++) {
		if (columns[i] == NULL)
			continue;
		snprintf(s->columns[i].name, sizeof(s->columns[i].name), "%s", columns[i]);
		for (int k = 0; k < PQntuples(r); k++)
			if (strcmp(PQgetvalue(r, k, 0), columns[i]) == 0)
				column_describe(&s->columns[i],
				    strtol(PQgetvalue(r, k, 1), NULL, 10),
				    strtol(PQgetvalue(r, k, 2), NULL, 10));
	}
	PQclear(r);
	return 0;
}

static int
pgsql_describe(struct sql_conn *c, struct sql_stmt *s, const char *table,
    const char *const *columns, struct err *e)
{
	(void)c;
	return columns_describe(s, table, columns, e);
}

static int
pgsql_load_open(struct sql_conn *c, const char *sql, const char *table,
    const char *const *columns, unsigned n, struct sql_stmt **out, struct err *e)
{
	struct sql_stmt *s = calloc(1, sizeof(*s));
	int rc = -WEIR_ENOMEM;

	*out = NULL;
	if (s == NULL)
		return err_set(e, WEIR_ENOMEM, "pgsql: no memory");
	s->conn = c;
	s->n = n;
	s->copy = strdup(sql);
	s->columns = calloc(n, sizeof(*s->columns));
	if (c->ascii)
		s->plain = calloc(n, sizeof(*s->plain));
	if (s->copy == NULL || s->columns == NULL || (c->ascii && s->plain == NULL) ||
	    rowtext_init(&s->rows, n) != 0)
		err_set(e, WEIR_ENOMEM, "pgsql: no memory");
	else
		rc = columns_describe(s, table, columns, e);
	if (rc != 0) {
		pgsql_finish(s);
		return rc;
	}
	*out = s;
	return 0;
}

static int
pgsql_load_begin(struct sql_conn *c, struct sql_stmt *s, struct err *e)
{
	PGresult *r = PQexec(c->pg, s->copy);

	s->rows.out.len = 0;
	if (PQresultStatus(r) != PGRES_COPY_IN)
		return pgsql_result_error(c, r, e);
	PQclear(r);
	return 0;
}

static int
pgsql_load_end(struct sql_conn *c, struct sql_stmt *s, struct err *e)
{
	int rc = copy_send(c, s, e);

	if (rc != 0)
		return rc;
	if (PQputCopyEnd(c->pg, NULL) != 1)
		return pgsql_error(c, WEIR_EIO, e);
	return pgsql_drain(c, e);
}

/* The largest number of the type that `column` has (numbers of pg_type.dat); else NULL. */
#define LARGEST(column) \
	"CASE pg_typeof(" column ")::oid WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 " \
	"WHEN 20 THEN 9223372036854775807 END"

const struct sql_driver pgsql_driver = {
	.name = "pgsql",
	.default_db = "pmacct",
	.server = true,
	.dialect = {
		.quote = '"',
		.numbered = true,
		.on_conflict = true,
		.update_from = true,
		.fold = true,
		.ports_first = true,
		.num_protos = true,
		.typed = true,
		.types = {
			[SQL_SMALL] = "INT", [SQL_INT] = "BIGINT", [SQL_BIGINT] = "BIGINT",
			[SQL_WIDE] = "BIGINT", [SQL_PROTO] = "SMALLINT",
			[SQL_ADDRESS] = "INET", [SQL_HOST] = "INET", [SQL_MAC] = "MACADDR",
			[SQL_TEXT] = "VARCHAR(255)",
			[SQL_DEGREES] = "DECIMAL(9,6)",
			[SQL_STAMP] = "TIMESTAMP(0) WITHOUT TIME ZONE",
		},
		.stamp_none = "0001-01-01 00:00:00",
		.table_options = "",
		.keyless_options = "",
		.least = "LEAST",
		.greatest = "GREATEST",
		.sum_capped = "LEAST(@::numeric + #, " LARGEST("@") ")",
		.group_capped = "LEAST(SUM(@), " LARGEST("MIN(@)") ")",
		.stage_drop = "DROP TABLE IF EXISTS pg_temp.weir_stage",
		.stage_options = " ON COMMIT DELETE ROWS",
		.load = { "COPY ", " (", ") FROM STDIN" },
		.key_columns = 32,
	},
	.open = pgsql_open,
	.set_up = pgsql_set_up,
	.close = pgsql_close,
	.alive = pgsql_alive,
	.begin = pgsql_begin,
	.commit = pgsql_commit,
	.rollback = pgsql_rollback,
	.interrupt = pgsql_interrupt,
	.run = pgsql_run,
	.lock = pgsql_lock,
	.has_key = pgsql_has_key,
	.table_exists = pgsql_table_exists,
	.prepare = pgsql_prepare,
	.describe = pgsql_describe,
	.finish = pgsql_finish,
	.bind_int = pgsql_bind_int,
	.bind_text = pgsql_bind_text,
	.step = pgsql_step,
	.load_open = pgsql_load_open,
	.load_begin = pgsql_load_begin,
	.load_end = pgsql_load_end,
};

const struct output_ops pgsql_output = {
	.type = "pgsql",
	.wants = OUTPUT_SNAPSHOTS,
	.sorted = true, /* two that write the same rows then meet in the same order */
	.directives = &sql_directives,
	.spools = true,
	.plan = writer_plan,
	.idle = sql_idle,
	.open = writer_open,
	.start = writer_start,
	.hurry = writer_hurry,
	.write = writer_write,
	.close = writer_close,
};
