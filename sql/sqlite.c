/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SQLite engine. Several plugins, other programs and readers may use one file:
 * every transaction begins IMMEDIATE, so that it waits for its turn at the start and
 * never fails half-way; WAL lets readers read meanwhile; synchronous=FULL makes a
 * commit survive a power failure.
 */
#include <arpa/inet.h>
#include <sqlite3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "flow/text.h"
#include "lib/log.h"
#include "sql/driver.h"
#include "sql/idle.h"
#include "sql/writer.h"

#define BUSY_MS   5000  /* SQLite itself waits for a lock so long, */
#define BUSY_TRIES   3  /* so often; at times it does not wait at all */
#define BUSY_PAUSE_MS 20
#define CACHE_KIB 32768 /* pages of an open transaction; more spills to the WAL */
#define OPEN_FLAGS (SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX)

#define STRING_(x) #x
#define STRING(x) STRING_(x)

struct sql_conn {
	sqlite3 *db;
	char *path;
	dev_t dev;    /* of the file as it was opened */
	ino_t ino;
	bool is_file; /* no: ":memory:" */
	bool capped;  /* that a sum was too large is told of */
	const struct attempt *attempt; /* whose end nobody waits beyond */
	_Atomic bool interrupted;
};

struct sql_stmt {
	sqlite3_stmt *st;
};

static int
conn_error(const struct sql_conn *c, struct err *e)
{
	int sys = sqlite3_system_errno(c->db);

	/* SQLite's own text says "unable to open database file" whatever the reason. */
	if (sqlite3_errcode(c->db) == SQLITE_CANTOPEN && sys != 0)
		return err_set(e, WEIR_EINVAL, "%s: %s", c->path, strerror(sys));
	if (sqlite3_errcode(c->db) == SQLITE_CANTOPEN ||
	    sqlite3_errcode(c->db) == SQLITE_NOTADB)
		return err_set(e, WEIR_EINVAL, "%s: %s", c->path, sqlite3_errmsg(c->db));
	return err_set(e, WEIR_EIO, "%s: %s", c->path, sqlite3_errmsg(c->db));
}

static void
sqlite_close(struct sql_conn *c)
{
	if (c == NULL)
		return;
	sqlite3_close(c->db);
	free(c->path);
	free(c);
}

static int
sqlite_run(struct sql_conn *c, const char *sql, struct err *e)
{
	if (sqlite3_exec(c->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return conn_error(c, e);
	return 0;
}

static bool
is_called_off(const struct sql_conn *c)
{
	return atomic_load(&c->interrupted) ||
	       (c->attempt != NULL && attempt_is_over(c->attempt));
}

/* Wait for another's lock, for BUSY_MS in all, if nobody wants an end of it. */
static int
on_busy(void *arg, int times)
{
	struct sql_conn *c = arg;

	if (is_called_off(c) || times >= BUSY_MS / BUSY_PAUSE_MS)
		return 0;
	nanosleep(&(struct timespec){ 0, BUSY_PAUSE_MS * 1000000L }, NULL);
	return 1;
}

static void
sqlite_interrupt(struct sql_conn *c)
{
	atomic_store(&c->interrupted, true);
	sqlite3_interrupt(c->db);
}

/* A statement that may have to wait for others' locks. */
static int
sqlite_run_patiently(struct sql_conn *c, const char *sql, struct err *e)
{
	for (int try = 1;; try++) {
		int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

		if (rc == SQLITE_OK)
			return 0;
		if (((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED) ||
		    try == BUSY_TRIES || is_called_off(c))
			return conn_error(c, e);
		nanosleep(&(struct timespec){ 0, BUSY_PAUSE_MS * 1000000L }, NULL);
	}
}

/* INET6_ATON(text): an address as its 4 or 16 octets, as MySQL's function does it. */
static void
sqlite_to_host(sqlite3_context *ctx, int n, sqlite3_value **values)
{
	const char *text = (const char *)sqlite3_value_text(values[0]);
	unsigned char octets[16];

	(void)n;
	if (text != NULL && inet_pton(AF_INET, text, octets) == 1)
		sqlite3_result_blob(ctx, octets, 4, SQLITE_TRANSIENT);
	else if (text != NULL && inet_pton(AF_INET6, text, octets) == 1)
		sqlite3_result_blob(ctx, octets, 16, SQLITE_TRANSIENT);
	else
		sqlite3_result_null(ctx);
}

/*
 * weir_sum(a, b): SQLite itself goes on with a floating number beyond 2^63, which then
 * forgets small ones. This stays at the largest, and says so once.
 */
static void
sqlite_sum(sqlite3_context *ctx, int n, sqlite3_value **values)
{
	int64_t a = sqlite3_value_int64(values[0]), b = sqlite3_value_int64(values[1]);
	struct sql_conn *c = sqlite3_user_data(ctx);

	(void)n;
	if (sqlite3_value_type(values[0]) == SQLITE_NULL) {
		sqlite3_result_null(ctx);
	} else if (a > 0 && b > INT64_MAX - a) {
		if (!c->capped)
			log_warn("%s: a sum does not fit its column and stays at the largest "
				 "that does",
			    c->path);
		c->capped = true;
		sqlite3_result_int64(ctx, INT64_MAX);
	} else {
		sqlite3_result_int64(ctx, a + b);
	}
}

static int
sqlite_set_up(struct sql_conn *c, struct err *e)
{
	static const char *const pragmas[] = {
		("PRAGMA cache_size = -" STRING(CACHE_KIB)),
		"PRAGMA synchronous = FULL",
		"PRAGMA temp_store = MEMORY",
	};
	struct err wal = ERR_INIT;
	int rc = 0;

	sqlite3_busy_handler(c->db, on_busy, c);
	sqlite3_create_function(c->db, "INET6_ATON", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
	    NULL, sqlite_to_host, NULL, NULL);
	sqlite3_create_function(c->db, "weir_sum", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, c,
	    sqlite_sum, NULL, NULL);
#ifdef SQLITE_DBCONFIG_DQS_DML
	/* A quoted name that is no column must be an error, not a string. */
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
#endif
	for (size_t i = 0; rc == 0 && i < sizeof(pragmas) / sizeof(pragmas[0]); i++)
		rc = sqlite_run(c, pragmas[i], e);
	if (rc != 0)
		return rc;
	/*
	 * This one is a wish: while others read, and on file systems without shared
	 * memory, the file keeps its rollback journal, which is as safe.
	 */
	if (sqlite_run(c, "PRAGMA journal_mode = WAL", &wal) != 0)
		log_debug(LOG_SQL, "sqlite3: no WAL: %s", wal.text);
	/* The first that reads the file: it may be no database at all. */
	rc = sqlite_run_patiently(c, "SELECT count(*) FROM sqlite_master", e);
	c->attempt = NULL;
	return rc;
}

/*
 * Nobody asks how much memory SQLite uses, and counting it takes a lock per allocation.
 */
static void
library_set_up(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int
sqlite_open(const struct sql_config *config, struct attempt *a, struct sql_conn **conn,
    struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sql_conn *c = calloc(1, sizeof(*c));
	struct stat st;

	*conn = NULL;
	attempt_heard(a);
	pthread_once(&once, library_set_up);
	if (c == NULL || (c->path = strdup(config->db)) == NULL) {
		free(c);
		return err_set(e, WEIR_ENOMEM, "%s: no memory", config->db);
	}
	if (sqlite3_open_v2(c->path, &c->db, OPEN_FLAGS, NULL) != SQLITE_OK) {
		int rc = conn_error(c, e);

		sqlite_close(c);
		return rc;
	}
	c->attempt = a;
	if (stat(c->path, &st) == 0) {
		c->is_file = true;
		c->dev = st.st_dev;
		c->ino = st.st_ino;
	}
	*conn = c;
	return 0;
}

/* A file that somebody removed or replaced would swallow rows unseen. */
static bool
sqlite_alive(struct sql_conn *c)
{
	struct stat st;

	return !c->is_file ||
	    (stat(c->path, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino);
}

static int
sqlite_begin(struct sql_conn *c, struct err *e)
{
	return sqlite_run_patiently(c, "BEGIN IMMEDIATE", e);
}

static int
sqlite_commit(struct sql_conn *c, struct err *e)
{
	return sqlite_run_patiently(c, "COMMIT", e);
}

static void
sqlite_rollback(struct sql_conn *c)
{
	if (!sqlite3_get_autocommit(c->db)) /* some errors have rolled back already */
		sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
}

static int
sqlite_table_exists(struct sql_conn *c, const char *name, bool *yes, struct err *e)
{
	static const char ask[] = "SELECT 1 FROM sqlite_master WHERE "
	    "type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";
	sqlite3_stmt *st;
	int rc;

	if (sqlite3_prepare_v2(c->db, ask, -1, &st, NULL) != SQLITE_OK)
		return conn_error(c, e);
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	rc = sqlite3_step(st);
	*yes = rc == SQLITE_ROW;
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : conn_error(c, e);
}

static int
sqlite_prepare(struct sql_conn *c, const char *sql, struct sql_stmt **out,
    struct err *e)
{
	struct sql_stmt *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (s == NULL)
		return err_set(e, WEIR_ENOMEM, "%s: no memory", c->path);
	if (sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->st,
	        NULL) != SQLITE_OK) {
		free(s);
		return err_set(e, WEIR_EINVAL, "%s: %s", c->path,
		    sqlite3_errmsg(c->db));
	}
	*out = s;
	return 0;
}

static void
text_put(struct text_line *l, const char *s)
{
	text_line_put(l, s, strlen(s));
}

/* An upsert names a key that the table has, or the statement does not compile. */
static int
sqlite_has_key(struct sql_conn *c, const char *table, const char *const *columns,
    unsigned n, bool *yes, struct err *e)
{
	struct text_line sql = { 0 };
	sqlite3_stmt *st;

	(void)e;
	text_put(&sql, "INSERT INTO \"");
	text_put(&sql, table);
	text_put(&sql, "\" SELECT * FROM \"");
	text_put(&sql, table);
	text_put(&sql, "\" WHERE TRUE ON CONFLICT (");
	for (unsigned i = 0; i < n; i++) {
		text_put(&sql, i > 0 ? ", \"" : "\"");
		text_put(&sql, columns[i]);
		text_put(&sql, "\"");
	}
	text_put(&sql, ") DO NOTHING");
	*yes = sqlite3_prepare_v2(c->db, sql.p, (int)sql.len, &st, NULL) == SQLITE_OK;
	sqlite3_finalize(st);
	text_line_free(&sql);
	return 0;
}

static void
sqlite_finish(struct sql_stmt *s)
{
	if (s == NULL)
		return;
	sqlite3_finalize(s->st);
	free(s);
}

static void
sqlite_bind_int(struct sql_stmt *s, unsigned i, int64_t v)
{
	sqlite3_bind_int64(s->st, (int)i, v);
}

static void
sqlite_bind_text(struct sql_stmt *s, unsigned i, const char *text, size_t len)
{
	sqlite3_bind_text(s->st, (int)i, text, (int)len, SQLITE_STATIC);
}

static int
sqlite_step(struct sql_conn *c, struct sql_stmt *s, uint64_t *changed, struct err *e)
{
	int rc = sqlite3_step(s->st);

	if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
		rc = conn_error(c, e);
		sqlite3_reset(s->st);
		return rc;
	}
	*changed = (uint64_t)sqlite3_changes(c->db);
	sqlite3_reset(s->st);
	return 0;
}

const struct sql_driver sqlite_driver = {
	.name = "sqlite3",
	.default_db = "/tmp/pmacct.db",
	.dialect = {
		.only_schema = "main",
		.quote = '"',
		.on_conflict = true,
		.types = {
			[SQL_SMALL] = "INTEGER", [SQL_INT] = "INTEGER",
			[SQL_BIGINT] = "BIGINT", [SQL_WIDE] = "BIGINT",
			[SQL_HOST] = "BLOB", [SQL_PROTO] = "CHAR(6)",
			[SQL_ADDRESS] = "CHAR(45)",
			[SQL_MAC] = "CHAR(17)", [SQL_TEXT] = "VARCHAR(255)",
			[SQL_DEGREES] = "DECIMAL(9,6)",
			[SQL_STAMP] = "DATETIME",
		},
		/* Rows lie in the index of their key: half the pages to write. */
		.table_options = " WITHOUT ROWID",
		.keyless_options = "",
		.stamp_none = "0000-00-00 00:00:00",
		.least = "MIN",
		.greatest = "MAX",
		.sum = "weir_sum(@, #)", /* of our own: sqlite_sum */
		.to_host = "INET6_ATON", /* of our own: sqlite_to_host */
	},
	.open = sqlite_open,
	.set_up = sqlite_set_up,
	.close = sqlite_close,
	.alive = sqlite_alive,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.interrupt = sqlite_interrupt,
	.run = sqlite_run_patiently,
	.has_key = sqlite_has_key,
	.table_exists = sqlite_table_exists,
	.prepare = sqlite_prepare,
	.finish = sqlite_finish,
	.bind_int = sqlite_bind_int,
	.bind_text = sqlite_bind_text,
	.step = sqlite_step,
};

const struct output_ops sqlite3_output = {
	.type = "sqlite3",
	.wants = OUTPUT_SNAPSHOTS,
	.sorted = true, /* rows in the order of the key are written three times as fast */
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
