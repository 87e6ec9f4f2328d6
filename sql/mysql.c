/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine of MariaDB and MySQL. Rows go in by LOAD DATA LOCAL, which reads from weir's
 * memory, never from a file, or where the server forbids that by prepared statements of
 * many rows; straight into the table or by way of a temporary one. The
 * session is not strict: text that is longer than its column is cut and told of, as one
 * row must not stop a batch. Time columns get local time or UTC as text; the session's zone
 * is the same, so that TIMESTAMP columns hold the right instant, too.
 *
 * LOCK TABLES ends a transaction that was begun, and takes the place of BEGIN where
 * autocommit is off: so that is only while tables are locked. Else the locks that looking
 * at a table takes would stay until the next batch.
 */
#include <assert.h>
#include <inttypes.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/log.h"
#include "sql/driver.h"
#include "sql/multirow.h"
#include "sql/rowtext.h"
#include "sql/schema.h"
#include "sql/server.h"
#include "sql/writer.h"

#define LOAD_CHUNK (4U << 20) /* octets that one LOAD DATA brings */
#define WARNINGS_MAX 4U       /* kinds of warnings that are told of, once each */
#define STATEMENT_S 600       /* the longest that a statement may take */

/* Codes that only one of the two servers has, or only newer headers. */
#define ER_LOAD_INFILE_DENIED_MYSQL   3948
#define ER_LOAD_INFILE_DENIED_MARIADB 4166

struct sql_conn {
	MYSQL *my;
	char *where;           /* "database pmacct on 192.0.2.1" */
	bool utc;
	bool may_load;         /* the server allows LOAD DATA LOCAL */
	bool locked;           /* LOCK TABLES is in force */
	unsigned said[WARNINGS_MAX]; /* codes of warnings that were told of */
	char zone[SERVER_ZONE_MAX]; /* of the session */
	struct sql_stmt *loading;   /* whose rows the server may ask for; NULL: none */
};

/* A prepared statement, or a load: by LOAD DATA, or by INSERTs of many rows. */
struct sql_stmt {
	struct sql_conn *conn;
	unsigned n;            /* parameters; of a row of a load */
	MYSQL_STMT *st;        /* NULL: a load */
	MYSQL_BIND *binds;
	long long *numbers;

	char *load;            /* the LOAD DATA statement */
	struct rowtext rows;
	size_t sent;           /* octets of rows.out that the server has */
	struct multirow multi; /* rows of INSERTs; n 0: not used */
	struct sql_stmt *full; /* of as many rows as one takes */
};

static const struct {
	unsigned no;
	enum weir_errno code;
} codes[] = {
	{ ER_LOCK_DEADLOCK, WEIR_EAGAIN },
	{ ER_LOCK_WAIT_TIMEOUT, WEIR_EAGAIN },
	{ ER_CHECKREAD, WEIR_EAGAIN },
	{ ER_DUP_ENTRY, WEIR_EEXIST },
	{ ER_DATA_OUT_OF_RANGE, WEIR_EFULL },
	{ ER_NOT_ALLOWED_COMMAND, WEIR_EUNSUPPORTED },
	{ ER_LOAD_INFILE_DENIED_MYSQL, WEIR_EUNSUPPORTED },
	{ ER_LOAD_INFILE_DENIED_MARIADB, WEIR_EUNSUPPORTED },
	{ ER_DBACCESS_DENIED_ERROR, WEIR_EUNSUPPORTED },
	{ ER_TABLEACCESS_DENIED_ERROR, WEIR_EUNSUPPORTED },
};

static int
error_set(const struct sql_conn *c, unsigned no, const char *text, struct err *e)
{
	enum weir_errno code = WEIR_EIO;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].no == no)
			code = codes[i].code;
	return err_set(e, code, "%s: %s", c->where, text);
}

static int
conn_error(const struct sql_conn *c, struct err *e)
{
	return error_set(c, mysql_errno(c->my), mysql_error(c->my), e);
}

static int
stmt_error(const struct sql_stmt *s, struct err *e)
{
	return error_set(s->conn, mysql_stmt_errno(s->st), mysql_stmt_error(s->st), e);
}

/* One statement or several (a file of sql_table_schema); what they yield is let go. */
static int
maria_run(struct sql_conn *c, const char *sql, struct err *e)
{
	int more = mysql_query(c->my, sql);

	while (more == 0) {
		MYSQL_RES *r = mysql_store_result(c->my);

		mysql_free_result(r);
		more = mysql_next_result(c->my); /* -1: that was all */
	}
	return more > 0 ? conn_error(c, e) : 0;
}

/* ---- what the server asks for in LOAD DATA LOCAL ---- */

static int
infile_init(void **ptr, const char *name, void *arg)
{
	struct sql_conn *c = arg;

	(void)name; /* whatever file a server asks for, it gets rows */
	*ptr = c;
	return c->loading == NULL;
}

static int
infile_read(void *ptr, char *buf, unsigned room)
{
	struct sql_conn *c = ptr;
	struct sql_stmt *s = c->loading;
	size_t n;

	if (s == NULL)
		return -1;
	n = s->rows.out.len - s->sent;
	if (n > room)
		n = room;
	memcpy(buf, s->rows.out.p + s->sent, n);
	s->sent += n;
	return (int)n;
}

static void
infile_end(void *ptr)
{
	(void)ptr;
}

static int
infile_error(void *ptr, char *buf, unsigned room)
{
	(void)ptr;
	snprintf(buf, room, "the server asks for a file that it is not to have");
	return ER_NOT_ALLOWED_COMMAND;
}

/* ---- connections ---- */

static void
maria_close(struct sql_conn *c)
{
	if (c == NULL)
		return;
	if (c->my != NULL)
		mysql_close(c->my);
	free(c->where);
	free(c);
}

static void
options_set(struct sql_conn *c, const struct sql_config *config)
{
	unsigned connect_s = SERVER_CONNECT_S, statement_s = STATEMENT_S, yes = 1;

	mysql_options(c->my, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	mysql_options(c->my, MYSQL_OPT_READ_TIMEOUT, &statement_s);
	mysql_options(c->my, MYSQL_OPT_WRITE_TIMEOUT, &statement_s);
	mysql_options(c->my, MYSQL_OPT_LOCAL_INFILE, &yes);
	mysql_options(c->my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_set_local_infile_handler(c->my, infile_init, infile_read, infile_end,
	    infile_error, c);
	if (config->ca_file != NULL) {
		my_bool verify = 1;

		mysql_ssl_set(c->my, NULL, NULL, config->ca_file, NULL, NULL);
		mysql_options(c->my, MYSQL_OPT_SSL_ENFORCE, &verify);
		mysql_options(c->my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
	}
}

static int
conn_connect(struct sql_conn *c, const struct sql_config *config, struct err *e)
{
	const char *unix_path = server_unix_path(config->host);
	char passwd[SERVER_PASSWD_MAX];
	int rc = server_passwd(config, passwd, e);

	if (rc != 0)
		return rc;
	options_set(c, config);
	if (mysql_real_connect(c->my, unix_path != NULL ? NULL : config->host,
	        config->user != NULL ? config->user : SERVER_USER, passwd, config->db,
	        config->port, unix_path, CLIENT_MULTI_STATEMENTS) == NULL)
		rc = err_set(e, WEIR_EIO, "%s: %s", c->where, mysql_error(c->my));
	explicit_bzero(passwd, sizeof(passwd));
	return rc;
}

/* The only value of the only row that `sql` yields, as a number. */
static int
conn_number(struct sql_conn *c, const char *sql, long long *v, struct err *e)
{
	MYSQL_RES *r;
	MYSQL_ROW row;

	if (mysql_query(c->my, sql) != 0 || (r = mysql_store_result(c->my)) == NULL)
		return conn_error(c, e);
	row = mysql_fetch_row(r);
	*v = row != NULL && row[0] != NULL ? strtoll(row[0], NULL, 10) : 0;
	mysql_free_result(r);
	return 0;
}

static int
conn_set_up(struct sql_conn *c, struct err *e)
{
	long long v = 0;
	/* What a load says of rows that it skipped is read: in English. */
	int rc = maria_run(c, "SET SESSION sql_mode = '', lc_messages = 'en_US', "
	                      "join_buffer_size = 33554432", e);

	/* MySQL hashes joins that have no index by itself, MariaDB when it is told to. */
	if (rc == 0 && mariadb_connection(c->my))
		rc = maria_run(c, "SET SESSION join_cache_level = 4", e);
	if (rc == 0 && (rc = conn_number(c, "SELECT @@local_infile", &v, e)) == 0)
		c->may_load = v != 0;
	if (rc == 0)
		rc = conn_number(c, "SELECT @@innodb_flush_log_at_trx_commit", &v, e);
	if (rc == 0 && v != 1)
		log_warn("%s: innodb_flush_log_at_trx_commit is %lld: when the server's "
		    "machine fails, what was written last may be lost", c->where, v);
	return rc;
}

static void
library_set_up(void)
{
	(void)mysql_library_init(0, NULL, NULL);
}

static int
maria_open(const struct sql_config *config, struct sql_conn **conn, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sql_conn *c = calloc(1, sizeof(*c));
	int rc;

	*conn = NULL;
	pthread_once(&once, library_set_up);
	if (c == NULL || (c->my = mysql_init(NULL)) == NULL ||
	    asprintf(&c->where, "database %s on %s", config->db,
	        config->host != NULL ? config->host : "this machine") < 0) {
		maria_close(c);
		return err_set(e, WEIR_ENOMEM, "mysql: no memory");
	}
	c->utc = config->vars.utc;
	if ((rc = conn_connect(c, config, e)) != 0 || (rc = conn_set_up(c, e)) != 0) {
		maria_close(c);
		return rc;
	}
	*conn = c;
	return 0;
}

static bool
maria_alive(struct sql_conn *c)
{
	return mysql_ping(c->my) == 0;
}

/* The other end then looks gone, to whatever waits for it. */
static void
maria_interrupt(struct sql_conn *c)
{
	(void)shutdown(mysql_get_socket(c->my), SHUT_RDWR);
}

static int
maria_begin(struct sql_conn *c, struct err *e)
{
	char zone[SERVER_ZONE_MAX], set[64];
	int rc;

	server_zone(c->utc, zone);
	if (strcmp(zone, c->zone) != 0) {
		snprintf(set, sizeof(set), "SET time_zone = '%s'", zone);
		if ((rc = maria_run(c, set, e)) != 0)
			return rc;
		memcpy(c->zone, zone, sizeof(zone));
	}
	return maria_run(c, "START TRANSACTION", e);
}

static int
conn_unlock(struct sql_conn *c, struct err *e)
{
	if (!c->locked)
		return 0;
	c->locked = false;
	return maria_run(c, "UNLOCK TABLES; SET autocommit = 1", e);
}

static int
maria_commit(struct sql_conn *c, struct err *e)
{
	int rc = maria_run(c, "COMMIT", e);

	(void)conn_unlock(c, NULL);
	return rc;
}

static void
maria_rollback(struct sql_conn *c)
{
	(void)maria_run(c, "ROLLBACK", NULL);
	(void)conn_unlock(c, NULL);
}

static int
maria_lock(struct sql_conn *c, const char *table, struct err *e)
{
	char sql[320];

	/* By every name that statements give to it. */
	snprintf(sql, sizeof(sql), "SET autocommit = 0; LOCK TABLES `%s` WRITE, `%s` AS o "
	    "WRITE, `%s` WRITE", table, table, SCHEMA_BATCH_TABLE);
	c->locked = true; /* or on the way to it */
	return maria_run(c, sql, e);
}

/* ---- statements ---- */

static void
maria_finish(struct sql_stmt *s)
{
	if (s == NULL)
		return;
	if (s->st != NULL)
		mysql_stmt_close(s->st);
	free(s->binds);
	free(s->numbers);
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
	s->binds[i - 1] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING,
		.buffer = (void *)text, .buffer_length = len };
}

/* Whether warnings of `code` are news; they are none then. */
static bool
warning_is_new(struct sql_conn *c, unsigned code)
{
	for (unsigned i = 0; i < WARNINGS_MAX; i++) {
		if (c->said[i] == code)
			return false;
		if (c->said[i] == 0) {
			c->said[i] = code;
			return true;
		}
	}
	return false;
}

/* Say once what the server made of values that do not fit, and of sums. */
static void
warnings_log(struct sql_conn *c)
{
	MYSQL_RES *r;
	MYSQL_ROW row;

	if (c->said[WARNINGS_MAX - 1] != 0 || mysql_warning_count(c->my) == 0 ||
	    mysql_query(c->my, "SHOW WARNINGS LIMIT 100") != 0 ||
	    (r = mysql_store_result(c->my)) == NULL)
		return;
	while ((row = mysql_fetch_row(r)) != NULL) {
		unsigned code = row[1] != NULL ? (unsigned)strtoul(row[1], NULL, 10) : 0;

		if (code == 0 || code == ER_WARN_DEPRECATED_SYNTAX ||
		    strcmp(row[0], "Warning") != 0)
			continue;
		if (row[2] != NULL && warning_is_new(c, code))
			log_warn("%s: %s%s", c->where, row[2],
			    code == ER_WARN_DATA_OUT_OF_RANGE ?
			        ": it stays at the largest; ALTER TABLE to make it a BIGINT" : "");
	}
	mysql_free_result(r);
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
	c->loading = s;
	s->sent = 0;
	if (mysql_query(c->my, s->load) != 0) {
		rc = conn_error(c, e);
		if (rc == -WEIR_EUNSUPPORTED) /* since now; the next connection knows */
			rc = -WEIR_EIO;
	}
	if (rc == 0 && rows_skipped(mysql_info(c->my)) > 0)
		rc = err_set(e, WEIR_EEXIST, "%s: keys are taken", c->where);
	c->loading = NULL;
	s->rows.out.len = 0;
	if (rc == 0)
		warnings_log(c);
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
	warnings_log(s->conn);
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
		warnings_log(c);
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

static int
maria_table_exists(struct sql_conn *c, const char *name, bool *yes, struct err *e)
{
	long long n;
	int rc = conn_ask(c,
	    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() "
	    "AND table_name = ?", &name, 1, &n, e);

	*yes = rc == 0 && n > 0;
	return rc;
}

static int
maria_has_key(struct sql_conn *c, const char *table, const char *const *columns,
    unsigned n, bool *yes, struct err *e)
{
	static const char ask[] =
	    "SELECT COUNT(*) FROM (SELECT 1 FROM information_schema.statistics WHERE "
	    "table_schema = DATABASE() AND table_name = ? AND non_unique = 0 GROUP BY "
	    "index_name HAVING COUNT(*) = ? AND SUM(FIND_IN_SET(column_name, ?) > 0) = "
	    "COUNT(*) AND COUNT(sub_part) = 0) AS k";
	struct text_line list = { 0 };
	const char *values[3];
	char count[16];
	long long found;
	int rc;

	for (unsigned i = 0; i < n; i++) {
		text_line_put(&list, columns[i], strlen(columns[i]));
		text_line_put(&list, i + 1 < n ? "," : "", 1);
	}
	snprintf(count, sizeof(count), "%u", n);
	values[0] = table;
	values[1] = count;
	values[2] = list.p;
	rc = conn_ask(c, ask, values, 3, &found, e);
	text_line_free(&list);
	*yes = rc == 0 && found > 0;
	return rc;
}

/* ---- loads ---- */

/* MyISAM and its like know no transactions. A temporary table needs none. */
static int
table_check(struct sql_conn *c, const char *table, struct err *e)
{
	long long n;
	int rc = conn_ask(c,
	    "SELECT COUNT(*) FROM information_schema.tables AS t JOIN "
	    "information_schema.engines AS e ON e.engine = t.engine WHERE t.table_schema = "
	    "DATABASE() AND t.table_name = ? AND e.transactions <> 'YES' AND t.table_type = "
	    "'BASE TABLE'", &table, 1, &n, e);

	if (rc != 0 || n == 0)
		return rc;
	log_warn("%s: table %s has no transactions: what a server that fails was about to write "
	    "may count twice; ALTER TABLE %s ENGINE=InnoDB", c->where, table, table);
	return err_set(e, WEIR_EUNSUPPORTED, "%s: table %s has no transactions", c->where, table);
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
		.to_host = "INET6_ATON",
		.stage_drop = "DROP TEMPORARY TABLE IF EXISTS weir_stage",
		.stage_options = " ENGINE=MyISAM",
		.load = { "LOAD DATA LOCAL INFILE 'weir' INTO TABLE ", " CHARACTER SET utf8mb4 (",
		    ")" },
		.key_columns = 16,
		.key_texts = 2, /* of 1020 octets; InnoDB's keys have 3072 */
	},
	.open = maria_open,
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
	.finish = maria_finish,
	.bind_int = maria_bind_int,
	.bind_text = maria_bind_text,
	.step = maria_step,
	.load_open = maria_load_open,
	.load_begin = maria_load_begin,
	.load_end = maria_load_end,
};

static int
maria_output_open(struct output *o, struct err *e)
{
	return writer_open(o, &mysql_driver, e);
}

const struct output_ops mysql_output = {
	.type = "mysql",
	.wants = OUTPUT_SNAPSHOTS,
	.sorted = true, /* InnoDB keeps rows in the order of their key */
	.directives = &sql_directives,
	.spools = true,
	.plan = writer_plan,
	.open = maria_output_open,
	.start = writer_start,
	.write = writer_write,
	.close = writer_close,
};
