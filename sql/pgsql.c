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
#include <sys/socket.h>

#include "lib/log.h"
#include "sql/driver.h"
#include "sql/holds.h"
#include "sql/rowtext.h"
#include "sql/server.h"
#include "sql/writer.h"

#define PREPARED "weir%u" /* names of prepared statements */
#define STALE_MAX 16U     /* more than a transaction leaves behind */
#define COPY_CHUNK 65536U /* octets that are handed to libpq at once */

struct sql_conn {
	PGconn *pg;
	char *where;           /* "database pmacct on 192.0.2.1" */
	bool utc;
	bool ascii;            /* the database's encoding cannot take all of UTF-8 */
	char zone[SERVER_ZONE_MAX]; /* of the session */
	unsigned n_prepared;
	unsigned stale[STALE_MAX]; /* statements that could not be let go yet */
	unsigned n_stale;
};

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

/* The first line of what libpq says; it says more, with newlines. */
static int
conn_error(const struct sql_conn *c, enum weir_errno code, struct err *e)
{
	const char *text = PQerrorMessage(c->pg);

	return err_set(e, code, "%s: %.*s", c->where, (int)strcspn(text, "\n"), text);
}

/* PostgreSQL's appendix "Error Codes": SQLSTATE by its first characters. */
static const struct {
	const char *state;
	enum weir_errno code;
} states[] = {
	{ "40001", WEIR_EAGAIN },       /* serialization_failure */
	{ "40P01", WEIR_EAGAIN },       /* deadlock_detected */
	{ "55P03", WEIR_EAGAIN },       /* lock_not_available */
	{ "23505", WEIR_EEXIST },       /* unique_violation */
	{ "22003", WEIR_EFULL },        /* numeric_value_out_of_range */
	{ "42501", WEIR_EUNSUPPORTED }, /* insufficient_privilege */
	{ "0A", WEIR_EUNSUPPORTED },    /* feature_not_supported: COPY into a view */
	{ "42809", WEIR_EUNSUPPORTED }, /* wrong_object_type: the same */
};

/* The error of `r`, which it clears. */
static int
result_error(const struct sql_conn *c, PGresult *r, struct err *e)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	enum weir_errno code = WEIR_EIO;

	for (size_t i = 0; state != NULL && i < sizeof(states) / sizeof(states[0]); i++)
		if (strncmp(state, states[i].state, strlen(states[i].state)) == 0)
			code = states[i].code;
	if (text != NULL)
		err_set(e, code, "%s: %s", c->where, text);
	else
		conn_error(c, code, e);
	PQclear(r);
	return -(int)code;
}

/* Whether `r` is a success; 0 and cleared, or its error. */
static int
result_done(const struct sql_conn *c, PGresult *r, struct err *e)
{
	ExecStatusType status = PQresultStatus(r);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
	    status != PGRES_EMPTY_QUERY)
		return result_error(c, r, e);
	PQclear(r);
	return 0;
}

static int
pgsql_run(struct sql_conn *c, const char *sql, struct err *e)
{
	return result_done(c, PQexec(c->pg, sql), e);
}

/* Let go of a prepared statement; not possible in a transaction that has failed. */
static void
prepared_drop(struct sql_conn *c, unsigned no)
{
	char sql[32];

	snprintf(sql, sizeof(sql), "DEALLOCATE " PREPARED, no);
	(void)pgsql_run(c, sql, NULL);
}

static void
prepared_drop_stale(struct sql_conn *c)
{
	while (c->n_stale > 0)
		prepared_drop(c, c->stale[--c->n_stale]);
}

static void
on_notice(void *arg, const char *text)
{
	(void)arg;
	log_debug(LOG_SQL, "pgsql: %.*s", (int)strcspn(text, "\n"), text);
}

static void
pgsql_close(struct sql_conn *c)
{
	if (c == NULL)
		return;
	PQfinish(c->pg);
	free(c->where);
	free(c);
}

/* Ask the server for a connection as `config` says. */
static int
conn_connect(struct sql_conn *c, const struct sql_config *config, struct err *e)
{
	const char *unix_path = server_unix_path(config->host);
	char passwd[SERVER_PASSWD_MAX], port[16] = "", connect_s[16], silence_ms[16];
	const char *names[] = { "dbname", "user", "password", "host", "port", "sslmode",
		"sslrootcert", "client_encoding", "application_name", "connect_timeout",
		"keepalives_idle", "keepalives_interval", "keepalives_count",
		"tcp_user_timeout", NULL };
	const char *values[] = { config->db,
		config->user != NULL ? config->user : SERVER_USER, passwd,
		unix_path != NULL ? unix_path : config->host, port,
		config->ca_file != NULL ? "verify-full" : NULL, config->ca_file, "UTF8",
		"weir", connect_s, "30", "10", "3", silence_ms, NULL };
	int rc = server_passwd(config, passwd, e);

	if (rc != 0)
		return rc;
	snprintf(connect_s, sizeof(connect_s), "%d", SERVER_CONNECT_S);
	snprintf(silence_ms, sizeof(silence_ms), "%d", 1000 * SERVER_SILENCE_S);
	if (config->port != 0)
		snprintf(port, sizeof(port), "%" PRIu32, config->port);
	c->pg = PQconnectdbParams(names, values, 0);
	explicit_bzero(passwd, sizeof(passwd));
	return PQstatus(c->pg) == CONNECTION_OK ? 0 : conn_error(c, WEIR_EIO, e);
}

static int
conn_set_up(struct sql_conn *c, struct err *e)
{
	/* Who told the server not to wait for the disk did not mean books of traffic. */
	static const char set_up[] =
	    "SELECT set_config('synchronous_commit', 'on', false) WHERE "
	    "current_setting('synchronous_commit') = 'off'; SET temp_buffers = '32MB'";
	const char *encoding = PQparameterStatus(c->pg, "server_encoding");

	PQsetNoticeProcessor(c->pg, on_notice, NULL);
	c->ascii = encoding != NULL && strcmp(encoding, "UTF8") != 0 &&
	    strcmp(encoding, "SQL_ASCII") != 0;
	return pgsql_run(c, set_up, e);
}

static int
pgsql_open(const struct sql_config *config, struct sql_conn **conn, struct err *e)
{
	struct sql_conn *c = calloc(1, sizeof(*c));
	int rc;

	*conn = NULL;
	if (c == NULL || asprintf(&c->where, "database %s on %s", config->db,
	        config->host != NULL ? config->host : "this machine") < 0) {
		free(c);
		return err_set(e, WEIR_ENOMEM, "pgsql: no memory");
	}
	c->utc = config->vars.utc;
	if ((rc = conn_connect(c, config, e)) != 0 || (rc = conn_set_up(c, e)) != 0) {
		pgsql_close(c);
		return rc;
	}
	*conn = c;
	return 0;
}

/* Whether the server has said good-bye since. */
static bool
pgsql_alive(struct sql_conn *c)
{
	return PQconsumeInput(c->pg) == 1 && PQstatus(c->pg) == CONNECTION_OK;
}

static int
pgsql_begin(struct sql_conn *c, struct err *e)
{
	char zone[SERVER_ZONE_MAX], set[96];
	int rc;

	prepared_drop_stale(c);
	server_zone(c->utc, zone);
	if (strcmp(zone, c->zone) != 0) {
		snprintf(set, sizeof(set), "SET TIME ZONE INTERVAL '%s' HOUR TO MINUTE",
		    zone);
		if ((rc = pgsql_run(c, set, e)) != 0)
			return rc;
		memcpy(c->zone, zone, sizeof(zone));
	}
	return pgsql_run(c, "BEGIN", e);
}

static int
pgsql_commit(struct sql_conn *c, struct err *e)
{
	PGresult *r = PQexec(c->pg, "COMMIT");

	/* A transaction that had failed is rolled back, and that is no error. */
	if (PQresultStatus(r) == PGRES_COMMAND_OK &&
	    strcmp(PQcmdStatus(r), "COMMIT") != 0) {
		PQclear(r);
		return err_set(e, WEIR_EIO, "%s: rolled back at the end", c->where);
	}
	return result_done(c, r, e);
}

/* What the server still has to say; the last error wins. */
static int
results_drain(struct sql_conn *c, struct err *e)
{
	PGresult *r;
	int rc = 0;

	while ((r = PQgetResult(c->pg)) != NULL) {
		int one;

		if (PQresultStatus(r) == PGRES_COPY_IN) { /* only a lost connection ends it */
			PQclear(r);
			return conn_error(c, WEIR_EIO, e);
		}
		if ((one = result_done(c, r, e)) != 0)
			rc = one;
	}
	return rc;
}

static void
pgsql_rollback(struct sql_conn *c)
{
	if (PQtransactionStatus(c->pg) == PQTRANS_ACTIVE &&
	    PQputCopyEnd(c->pg, "rolled back") == 1)
		(void)results_drain(c, NULL);
	if (PQtransactionStatus(c->pg) != PQTRANS_IDLE)
		(void)pgsql_run(c, "ROLLBACK", NULL);
}

/* The other end then looks gone, to whatever waits for it. */
static void
pgsql_interrupt(struct sql_conn *c)
{
	(void)shutdown(PQsocket(c->pg), SHUT_RDWR);
}

static int
pgsql_lock(struct sql_conn *c, const char *table, struct err *e)
{
	char sql[160];

	/* Readers go on. */
	snprintf(sql, sizeof(sql), "LOCK TABLE \"%s\" IN EXCLUSIVE MODE", table);
	return pgsql_run(c, sql, e);
}

/* A query with text parameters; its rows, or NULL with `e`. */
static PGresult *
conn_ask(struct sql_conn *c, const char *sql, const char *const *values, int n,
    struct err *e)
{
	PGresult *r = PQexecParams(c->pg, sql, n, NULL, values, NULL, NULL, 0);

	if (PQresultStatus(r) == PGRES_TUPLES_OK)
		return r;
	(void)result_error(c, r, e);
	return NULL;
}

static int
pgsql_table_exists(struct sql_conn *c, const char *name, bool *yes, struct err *e)
{
	PGresult *r = conn_ask(c,
	    "SELECT to_regclass('\"' || $1 || '\"') IS NOT NULL", &name, 1, e);

	if (r == NULL)
		return -WEIR_EIO;
	*yes = PQgetvalue(r, 0, 0)[0] == 't';
	PQclear(r);
	return 0;
}

/* Names as an array of PostgreSQL's: {"a","b"}. */
static void
array_put(struct text_line *l, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		text_line_put(l, i == 0 ? "{\"" : ",\"", 2);
		text_line_put(l, names[i], strlen(names[i]));
		text_line_put(l, "\"", 1);
	}
	text_line_put(l, "}", 2);
}

static int
pgsql_has_key(struct sql_conn *c, const char *table, const char *const *columns,
    unsigned n, bool *yes, struct err *e)
{
	static const char ask[] =
	    "SELECT count(*) > 0 FROM pg_index i WHERE indrelid = to_regclass('\"' || $1 || "
	    "'\"') AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL "
	    "AND (SELECT array_agg(attname::text ORDER BY attname::text) FROM pg_attribute "
	    "WHERE attrelid = indrelid AND attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1]"
	    ")) = (SELECT array_agg(k ORDER BY k) FROM unnest($2::text[]) AS k)";
	struct text_line list = { 0 };
	const char *values[2];
	PGresult *r;

	array_put(&list, columns, n);
	values[0] = table;
	values[1] = list.p;
	r = conn_ask(c, ask, values, 2, e);
	text_line_free(&list);
	if (r == NULL)
		return -WEIR_EIO;
	*yes = PQgetvalue(r, 0, 0)[0] == 't';
	PQclear(r);
	return 0;
}

static void
prepared_finish(struct sql_conn *c, unsigned no)
{
	PGTransactionStatusType status = PQtransactionStatus(c->pg);

	if (status == PQTRANS_IDLE || status == PQTRANS_INTRANS)
		prepared_drop(c, no);
	else if (status == PQTRANS_INERROR && c->n_stale < STALE_MAX)
		c->stale[c->n_stale++] = no;
}

static void
pgsql_finish(struct sql_stmt *s)
{
	if (s == NULL)
		return;
	if (s->copy == NULL && s->prepared)
		prepared_finish(s->conn, s->no);
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
		return result_error(s->conn, r, e);
	s->n = (unsigned)PQnparams(r);
	s->values = calloc(s->n + 1, sizeof(*s->values));
	s->texts = calloc(s->n + 1, sizeof(*s->texts));
	s->columns = calloc(s->n + 1, sizeof(*s->columns));
	if (s->values == NULL || s->texts == NULL || s->columns == NULL) {
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
	snprintf(s->name, sizeof(s->name), PREPARED, s->no);
	rc = result_done(c, PQprepare(c->pg, s->name, sql, 0, NULL), e);
	s->prepared = rc == 0;
	if (rc != 0 || (rc = stmt_describe(s, e)) != 0) {
		pgsql_finish(s);
		return rc;
	}
	*out = s;
	return 0;
}

static void
pgsql_bind_int(struct sql_stmt *s, unsigned i, int64_t v)
{
	assert(i >= 1 && i <= s->n);
	if (s->copy != NULL) {
		rowtext_int(&s->rows, i - 1,
		    holds_number(&s->columns[i - 1], v, s->conn->where));
		return;
	}
	snprintf(s->texts[i - 1], TEXT_MAX, "%" PRId64,
	    holds_number(&s->columns[i - 1], v, s->conn->where));
	s->values[i - 1] = s->texts[i - 1];
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
	const struct holds *col;

	assert(i >= 1 && i <= s->n);
	if (s->copy == NULL) {
		snprintf(s->texts[i - 1], TEXT_MAX, "%.*s", (int)len, text);
		s->values[i - 1] = s->texts[i - 1];
		return;
	}
	col = &s->columns[i - 1];
	if (col->max == INT64_MAX) {
		/* A key beyond 2^63: the type is signed, and its bits stay apart. */
		char digits[24]; /* `text` has no end of its own */

		snprintf(digits, sizeof(digits), "%.*s", (int)len, text);
		rowtext_int(&s->rows, i - 1, (int64_t)strtoull(digits, NULL, 10));
		return;
	}
	len = holds_text(col, text, len);
	if (s->plain != NULL)
		text = text_plain(s, i - 1, text, len);
	rowtext_text(&s->rows, i - 1, text, len);
}

/* Send what is gathered. */
static int
copy_send(struct sql_conn *c, struct sql_stmt *s, struct err *e)
{
	int rc = 0;

	if (s->rows.out.len > 0 &&
	    PQputCopyData(c->pg, s->rows.out.p, (int)s->rows.out.len) != 1) {
		rc = results_drain(c, e);
		rc = rc != 0 ? rc : conn_error(c, WEIR_EIO, e);
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
		return result_error(c, r, e);
	*changed = strtoull(PQcmdTuples(r), NULL, 10);
	PQclear(r);
	return 0;
}

/* What the columns of `table` can hold. */
static int
columns_describe(struct sql_stmt *s, const char *table, const char *const *columns,
    struct err *e)
{
	PGresult *r = conn_ask(s->conn,
	    "SELECT attname, atttypid::int8, atttypmod FROM pg_attribute WHERE attrelid = "
	    "to_regclass('\"' || $1 || '\"') AND attnum > 0 AND NOT attisdropped", &table, 1, e);

	if (r == NULL)
		return -WEIR_EIO;
	for (unsigned i = 0; i < s->n; i++) {
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
		return result_error(c, r, e);
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
		return conn_error(c, WEIR_EIO, e);
	return results_drain(c, e);
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
	.finish = pgsql_finish,
	.bind_int = pgsql_bind_int,
	.bind_text = pgsql_bind_text,
	.step = pgsql_step,
	.load_open = pgsql_load_open,
	.load_begin = pgsql_load_begin,
	.load_end = pgsql_load_end,
};

static int
pgsql_output_open(struct output *o, struct err *e)
{
	return writer_open(o, &pgsql_driver, e);
}

const struct output_ops pgsql_output = {
	.type = "pgsql",
	.wants = OUTPUT_SNAPSHOTS,
	.sorted = true, /* two that write the same rows then meet in the same order */
	.directives = &sql_directives,
	.spools = true,
	.plan = writer_plan,
	.open = pgsql_output_open,
	.start = writer_start,
	.write = writer_write,
	.close = writer_close,
};
