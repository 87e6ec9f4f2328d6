/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine of MariaDB and MySQL. Rows go in by LOAD DATA LOCAL, which reads from weir's
 * memory, never from a file, or where the server forbids that by prepared statements of
 * many rows; straight into the table or by way of a temporary one. The
 * session is not strict: text that is longer than its column is cut and told of, as one
 * row must not stop a batch. Time columns get local time or UTC as text; the session's zone
 * is the same, so that TIMESTAMP columns hold the right instant, too.
 */
#include <assert.h>
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "sql/driver.h"
#include "sql/holds.h"
#include "sql/idle.h"
#include "sql/multirow.h"
#include "sql/mysql_conn.h"
#include "sql/rowtext.h"
#include "sql/tablename.h"
#include "sql/writer.h"

#define LOAD_CHUNK (4U << 20) /* octets that one LOAD DATA brings */

/* A prepared statement, or a load: by LOAD DATA, or by INSERTs of many rows. */
struct sql_stmt {
	struct sql_conn *conn;
	unsigned n;            /* parameters; of a row of a load */
	MYSQL_STMT *st;        /* NULL: a load */
	MYSQL_BIND *binds;
	long long *numbers;
	struct holds *columns; /* NULL: not known */

	char *load;            /* the LOAD DATA statement */
	struct rowtext rows;
	struct multirow multi; /* rows of INSERTs; n 0: not used */
	struct sql_stmt *full; /* of as many rows as one takes */
};

static int
stmt_error(const struct sql_stmt *s, struct err *e)
{
	return maria_error(s->conn, mysql_stmt_errno(s->st), mysql_stmt_error(s->st), e);
}

static void
maria_finish(struct sql_stmt *s)
{
	if (s == NULL)
		return;
	if (s->st != NULL)
		mysql_stmt_close(s->st);
	free(s->binds);
	free(s->numbers);
	free(s->columns);
	free(s->load);
	maria_finish(s->full);
	multirow_fini(&s->multi);
	rowtext_fini(&s->rows);
	free(s);
}

static int
stmt_prepare(struct sql_stmt *s, const char *sql, struct err *e)
{
	if (mysql_stmt_prepare(s->st, sql, strlen(sql)) != 0)
		return stmt_error(s, e);
	s->n = (unsigned)mysql_stmt_param_count(s->st);
	s->binds = calloc(s->n + 1, sizeof(*s->binds));
	s->numbers = calloc(s->n + 1, sizeof(*s->numbers));
	if (s->binds == NULL || s->numbers == NULL)
		return err_set(e, WEIR_ENOMEM, "mysql: no memory");
	for (unsigned i = 0; i < s->n; i++)
		s->binds[i].buffer_type = MYSQL_TYPE_NULL;
	return 0;
}

static int
maria_prepare(struct sql_conn *c, const char *sql, struct sql_stmt **out, struct err *e)
{
	struct sql_stmt *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (s == NULL || (s->st = mysql_stmt_init(c->my)) == NULL) {
		free(s);
		return err_set(e, WEIR_ENOMEM, "mysql: no memory");
	}
	s->conn = c;
	if ((rc = stmt_prepare(s, sql, e)) != 0) {
		maria_finish(s);
		return rc;
	}
	*out = s;
	return 0;
}

static void
maria_bind_int(struct sql_stmt *s, unsigned i, int64_t v)
{
	assert(i >= 1 && i <= s->n);
	if (s->st == NULL) {
		rowtext_int(&s->rows, i - 1, v);
		return;
	}
	s->numbers[i - 1] = v;
	s->binds[i - 1] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONGLONG,
		.buffer = &s->numbers[i - 1] };
}

static void
maria_bind_text(struct sql_stmt *s, unsigned i, const char *text, size_t len)
{
	assert(i >= 1 && i <= s->n);
	if (s->st == NULL) {
		rowtext_text(&s->rows, i - 1, text, len);
		return;
	}
	if (s->columns != NULL)
		len = holds_text(&s->columns[i - 1], text, len, s->conn->where);
	s->binds[i - 1] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING,
		.buffer = (void *)text, .buffer_length = len };
}

/* Rows that a LOAD DATA left out, as their key is taken, by what the server says of it. */
static unsigned long long
rows_skipped(const char *info)
{
	static const char word[] = "Skipped: ";
	const char *at = info != NULL ? strstr(info, word) : NULL;

	return at != NULL ? strtoull(at + sizeof(word) - 1, NULL, 10) : 0;
}

/* Have the server take what is gathered. */
static int
load_send(struct sql_conn *c, struct sql_stmt *s, struct err *e)
{
	int rc = 0;

	if (s->rows.out.len == 0)
		return 0;
	c->loading = &s->rows.out;
	c->sent = 0;
	if (mysql_query(c->my, s->load) != 0) {
		rc = maria_conn_error(c, e);
		if (rc == -WEIR_EUNSUPPORTED) /* since now; the next connection knows */
			rc = -WEIR_EIO;
	}
	if (rc == 0 && rows_skipped(mysql_info(c->my)) > 0)
		rc = err_set(e, WEIR_EEXIST, "%s: keys are taken", c->where);
	c->loading = NULL;
	s->rows.out.len = 0;
	if (rc == 0)
		maria_warnings_log(c);
	return rc;
}

/* Prepare an INSERT of `rows` rows. */
static int
multi_prepare(struct sql_stmt *s, unsigned rows, struct sql_stmt **st, struct err *e)
{
	struct text_line sql = { 0 };
	int rc;

	multirow_text(&s->multi, rows, &sql);
	rc = maria_prepare(s->conn, sql.p, st, e);
	text_line_free(&sql);
	return rc;
}

/* Insert the rows that are gathered, with `st` for so many. */
static int
multi_insert(struct sql_stmt *s, struct sql_stmt *st, struct err *e)
{
	for (unsigned i = 0; i < st->n; i++)
		maria_bind_text(st, i + 1, s->multi.out.p + s->multi.values[i].at,
		    s->multi.values[i].len);
	multirow_clear(&s->multi); /* its memory stays */
	if (mysql_stmt_bind_param(st->st, st->binds) != 0 ||
	    mysql_stmt_execute(st->st) != 0)
		return stmt_error(st, e);
	maria_warnings_log(s->conn);
	return 0;
}

static int
multi_step(struct sql_stmt *s, struct err *e)
{
	unsigned room = multirow_room(&s->multi);
	int rc = 0;

	multirow_put(&s->multi, &s->rows);
	if (s->multi.rows < room)
		return 0;
	if (s->full == NULL)
		rc = multi_prepare(s, room, &s->full, e);
	return rc == 0 ? multi_insert(s, s->full, e) : rc;
}

/* Insert the last rows, which are fewer. */
static int
multi_end(struct sql_stmt *s, struct err *e)
{
	struct sql_stmt *st;
	int rc = 0;

	if (s->multi.rows > 0 && (rc = multi_prepare(s, s->multi.rows, &st, e)) == 0) {
		rc = multi_insert(s, st, e);
		maria_finish(st);
	}
	return rc;
}

static int
maria_step(struct sql_conn *c, struct sql_stmt *s, uint64_t *changed, struct err *e)
{
	if (s->multi.n != 0)
		return multi_step(s, e);
	if (s->st == NULL) {
		rowtext_put(&s->rows);
		return s->rows.out.len < LOAD_CHUNK ? 0 : load_send(c, s, e);
	}
	if ((s->n > 0 && mysql_stmt_bind_param(s->st, s->binds) != 0) ||
	    mysql_stmt_execute(s->st) != 0)
		return stmt_error(s, e);
	*changed = mysql_stmt_affected_rows(s->st);
	if (mysql_stmt_field_count(s->st) == 0) /* else its rows are to be read first */
		maria_warnings_log(c);
	return 0;
}

/* Run `sql`, which yields one number, with text parameters. */
static int
conn_ask(struct sql_conn *c, const char *sql, const char *const *values, unsigned n,
    long long *v, struct err *e)
{
	MYSQL_BIND out = { .buffer_type = MYSQL_TYPE_LONGLONG, .buffer = v };
	struct sql_stmt *s;
	uint64_t changed;
	int rc = maria_prepare(c, sql, &s, e);

	if (rc != 0)
		return rc;
	*v = 0;
	for (unsigned i = 0; i < n; i++)
		maria_bind_text(s, i + 1, values[i], strlen(values[i]));
	rc = maria_step(c, s, &changed, e);
	if (rc == 0 && (mysql_stmt_bind_result(s->st, &out) != 0 ||
	                   mysql_stmt_store_result(s->st) != 0 ||
	                   mysql_stmt_fetch(s->st) == 1))
		rc = stmt_error(s, e);
	maria_finish(s);
	return rc;
}

/* A table whose schema ("" for the connection's) and name are the next two parameters. */
#define IS_TABLE(of) of "table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND " of \
	"table_name = ?"

/*
 * The server cuts what a column does not hold by itself; but the row that it then has must be
 * found again by the same text, where there is no key to find it by.
 */
static int
maria_describe(struct sql_conn *c, struct sql_stmt *s, const char *table,
    const char *const *columns, struct err *e)
{
	struct holds *holds = calloc(s->n + 1, sizeof(*holds));
	char schema[TABLENAME_PART + 1];
	int rc = 0;

	if (holds == NULL)
		return err_set(e, WEIR_ENOMEM, "mysql: no memory");
	for (unsigned i = 0; i < s->n && rc == 0; i++) {
		const char *const values[] = { schema, tablename_split(table, schema),
			columns[i] };
		long long chars;

		if (columns[i] == NULL)
			continue;
		rc = conn_ask(c,
		    "SELECT COALESCE(MAX(character_maximum_length), 0) FROM "
		    "information_schema.columns WHERE " IS_TABLE("") " AND column_name = ? AND "
		    "character_set_name IS NOT NULL", values, 3,
		    &chars, e);
		snprintf(holds[i].name, sizeof(holds[i].name), "%s", columns[i]);
		holds[i].chars = rc == 0 ? (size_t)chars : 0;
	}
	s->columns = holds;
	return rc;
}

static int
maria_table_exists(struct sql_conn *c, const char *name, bool *yes, struct err *e)
{
	char schema[TABLENAME_PART + 1];
	const char *const values[] = { schema, tablename_split(name, schema) };
	long long n;
	int rc = conn_ask(c, "SELECT COUNT(*) FROM information_schema.tables WHERE "
	    IS_TABLE(""), values, 2, &n, e);

	*yes = rc == 0 && n > 0;
	return rc;
}

static int
maria_has_key(struct sql_conn *c, const char *table, const char *const *columns,
    unsigned n, bool *yes, struct err *e)
{
	static const char ask[] =
	    "SELECT COUNT(*) FROM (SELECT 1 FROM information_schema.statistics WHERE "
	    IS_TABLE("") " AND non_unique = 0 GROUP BY "
	    "index_name HAVING COUNT(*) = ? AND SUM(FIND_IN_SET(column_name, ?) > 0) = "
	    "COUNT(*) AND COUNT(sub_part) = 0) AS k";
	struct text_line list = { 0 };
	char schema[TABLENAME_PART + 1], count[16];
	const char *values[4];
	long long found;
	int rc;

	for (unsigned i = 0; i < n; i++) {
		text_line_put(&list, columns[i], strlen(columns[i]));
		text_line_put(&list, i + 1 < n ? "," : "", 1);
	}
	snprintf(count, sizeof(count), "%u", n);
	values[0] = schema;
	values[1] = tablename_split(table, schema);
	values[2] = count;
	values[3] = list.p;
	rc = conn_ask(c, ask, values, 4, &found, e);
	text_line_free(&list);
	*yes = rc == 0 && found > 0;
	return rc;
}

/* MyISAM and its like know no transactions. A temporary table needs none. */
static int
table_check(struct sql_conn *c, const char *table, struct err *e)
{
	char schema[TABLENAME_PART + 1];
	const char *const values[] = { schema, tablename_split(table, schema) };
	long long n;
	int rc = conn_ask(c,
	    "SELECT COUNT(*) FROM information_schema.tables AS t JOIN "
	    "information_schema.engines AS e ON e.engine = t.engine WHERE " IS_TABLE("t.")
	    " AND e.transactions <> 'YES' AND t.table_type = 'BASE TABLE'", values, 2, &n, e);

	if (rc != 0 || n == 0)
		return rc;
	log_warn("%s: table %s has no transactions: what a server that fails was about to "
	    "write may count twice; ALTER TABLE %s ENGINE=InnoDB", c->where, table, table);
	return err_set(e, WEIR_EUNSUPPORTED, "%s: table %s has no transactions", c->where,
	    table);
}

static int
maria_load_open(struct sql_conn *c, const char *sql, const char *table,
    const char *const *columns, unsigned n, struct sql_stmt **out, struct err *e)
{
	struct sql_stmt *s;
	bool fine;
	int rc = table_check(c, table, e);

	*out = NULL;
	if (rc != 0)
		return rc;
	if (!c->may_load && strchr(sql, '@') != NULL)
		return err_set(e, WEIR_EUNSUPPORTED,
		    "%s: local_infile is off, which sql_num_hosts needs to be quick",
		    c->where);
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return err_set(e, WEIR_ENOMEM, "mysql: no memory");
	s->conn = c;
	s->n = n;
	fine = rowtext_init(&s->rows, n) == 0;
	if (fine && c->may_load)
		fine = (s->load = strdup(sql)) != NULL;
	else if (fine)
		fine = multirow_init(&s->multi, table, columns, n, '`') == 0;
	s->rows.plain = s->multi.n != 0;
	if (!fine) {
		maria_finish(s);
		return err_set(e, WEIR_ENOMEM, "mysql: no memory");
	}
	*out = s;
	return 0;
}

static int
maria_load_begin(struct sql_conn *c, struct sql_stmt *s, struct err *e)
{
	(void)c, (void)e;
	s->rows.out.len = 0;
	if (s->multi.n != 0)
		multirow_clear(&s->multi);
	return 0;
}

static int
maria_load_end(struct sql_conn *c, struct sql_stmt *s, struct err *e)
{
	return s->multi.n != 0 ? multi_end(s, e) : load_send(c, s, e);
}

const struct sql_driver mysql_driver = {
	.name = "mysql",
	.default_db = "pmacct",
	.server = true,
	.local_socket = true,
	.dialect = {
		.quote = '`',
		.types = {
			[SQL_SMALL] = "INT UNSIGNED", [SQL_INT] = "INT UNSIGNED",
			[SQL_BIGINT] = "BIGINT UNSIGNED", [SQL_WIDE] = "BIGINT UNSIGNED",
			[SQL_PROTO] = "CHAR(20) CHARACTER SET ascii",
			[SQL_ADDRESS] = "CHAR(45) CHARACTER SET ascii",
			[SQL_HOST] = "VARBINARY(16)",
			[SQL_MAC] = "CHAR(17) CHARACTER SET ascii",
			[SQL_TEXT] = "VARCHAR(255)", [SQL_DEGREES] = "DECIMAL(9,6)",
			[SQL_STAMP] = "DATETIME",
		},
		.stamp_none = "0000-00-00 00:00:00",
		/* Else values that differ in case only would be one. */
		.table_options = " ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
		.keyless_options = " ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
		.least = "LEAST",
		.greatest = "GREATEST",
		/* Decimals do not run over, and the column takes its largest of one. */
		.sum_capped = "CAST(@ AS DECIMAL(40)) + #",
		.any_text = { "CONVERT(", " USING utf8mb4)" },
		.to_host = "INET6_ATON",
		.stage_drop = "DROP TEMPORARY TABLE IF EXISTS weir_stage",
		.stage_options = " ENGINE=MyISAM",
		.load = { "LOAD DATA LOCAL INFILE 'weir' INTO TABLE ",
		    " CHARACTER SET utf8mb4 (", ")" },
		.key_columns = 16,
		.key_texts = 2, /* of 1020 octets; InnoDB's keys have 3072 */
	},
	.open = maria_open,
	.set_up = maria_set_up,
	.close = maria_close,
	.alive = maria_alive,
	.begin = maria_begin,
	.commit = maria_commit,
	.rollback = maria_rollback,
	.interrupt = maria_interrupt,
	.run = maria_run,
	.lock = maria_lock,
	.has_key = maria_has_key,
	.table_exists = maria_table_exists,
	.prepare = maria_prepare,
	.describe = maria_describe,
	.finish = maria_finish,
	.bind_int = maria_bind_int,
	.bind_text = maria_bind_text,
	.step = maria_step,
	.load_open = maria_load_open,
	.load_begin = maria_load_begin,
	.load_end = maria_load_end,
};

const struct output_ops mysql_output = {
	.type = "mysql",
	.wants = OUTPUT_SNAPSHOTS,
	.sorted = true, /* InnoDB keeps rows in the order of their key */
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
