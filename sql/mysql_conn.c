/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LOCK TABLES ends a transaction that was begun, and takes the place of BEGIN where
 * autocommit is off: so that is only while tables are locked. Else the locks that looking
 * at a table takes would stay until the next batch.
 */
#include "sql/mysql_conn.h"

#include <errmsg.h>
#include <errno.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "sql/lookup.h"
#include "sql/schema.h"
#include "sql/tablename.h"

#define STATEMENT_S 600 /* the longest that a statement may take */
#define HOST_MAX 256U
#define CONNECT_STACK (256U << 10) /* of an attempt to connect, with TLS */

/* Codes that only one of the two servers has, or only newer headers. */
#define ER_LOAD_INFILE_DENIED_MYSQL   3948
#define ER_LOAD_INFILE_DENIED_MARIADB 4166

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

int
maria_error(const struct sql_conn *c, unsigned no, const char *text, struct err *e)
{
	enum weir_errno code = WEIR_EIO;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].no == no)
			code = codes[i].code;
	return err_set(e, code, "%s: %s", c->where, text);
}

int
maria_conn_error(const struct sql_conn *c, struct err *e)
{
	return maria_error(c, mysql_errno(c->my), mysql_error(c->my), e);
}

int
maria_run(struct sql_conn *c, const char *sql, struct err *e)
{
	int more = mysql_query(c->my, sql);

	while (more == 0) {
		MYSQL_RES *r = mysql_store_result(c->my);

		mysql_free_result(r);
		more = mysql_next_result(c->my); /* -1: that was all */
	}
	return more > 0 ? maria_conn_error(c, e) : 0;
}

/* What the server asks for in LOAD DATA LOCAL. */
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
	const struct text_line *rows = c->loading;
	size_t n;

	if (rows == NULL)
		return -1;
	n = rows->len - c->sent;
	if (n > room)
		n = room;
	memcpy(buf, rows->p + c->sent, n);
	c->sent += n;
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

void
maria_close(struct sql_conn *c)
{
	if (c == NULL)
		return;
	if (c->my != NULL)
		mysql_close(c->my);
	server_socket_close(c->socket);
	free(c->where);
	free(c);
}

static void
options_set(struct sql_conn *c, const struct sql_config *config)
{
	unsigned connect_s = SERVER_CONNECT_S, statement_s = STATEMENT_S, yes = 1;
	size_t stack = CONNECT_STACK;

	mysql_options(c->my, MYSQL_OPT_NONBLOCK, &stack);
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

/* For what `status` says that the library waits for; what has come of it. */
static int
conn_wait(struct sql_conn *c, struct attempt *a, int status)
{
	static const struct {
		int status;
		short event;
	} map[] = { { MYSQL_WAIT_READ, POLLIN }, { MYSQL_WAIT_WRITE, POLLOUT },
		{ MYSQL_WAIT_EXCEPT, POLLPRI } };
	uint64_t until = clock_mono() + SERVER_CONNECT_S * CLOCK_S;
	short events = 0;
	int got, come = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if ((status & map[i].status) != 0)
			events |= map[i].event;
	if ((status & MYSQL_WAIT_TIMEOUT) != 0)
		until = clock_mono() + mysql_get_timeout_value_ms(c->my) * CLOCK_MS;
	if ((got = attempt_wait(a, mysql_get_socket(c->my), events, until)) <= 0)
		return MYSQL_WAIT_TIMEOUT;
	attempt_heard(a);
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if ((got & map[i].event) != 0)
			come |= map[i].status;
	/* A fault of the socket is for who reads or writes. */
	return come != 0 ? come : status & ~MYSQL_WAIT_TIMEOUT;
}

/* One of the servers: a name, maybe with a port. */
static int
name_await(const char *text, size_t len, struct attempt *a, struct err *e)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	struct addrinfo *list;
	char host[HOST_MAX], *port;
	int rc;

	snprintf(host, sizeof(host), "%.*s", (int)len, text);
	port = host + strspn(host, letters);
	/* A socket's, or no name: for the library to understand. */
	if (port == host || len >= sizeof(host) || strcmp(host, "localhost") == 0 ||
	    (*port != '\0' &&
	    (*port != ':' || port[1 + strspn(port + 1, "0123456789")] != '\0')))
		return 0;
	*port = '\0';
	if ((rc = lookup_run(host, a, &list, e)) == 0)
		freeaddrinfo(list);
	return rc;
}

/*
 * The library waits for the resolver, whatever else it does not wait for. So it is only called
 * when the resolver has answered just now for one of `hosts` at least. It asks again: one that
 * falls silent in between is waited for as long as the C library does.
 */
static int
names_await(const char *hosts, struct attempt *a, struct err *e)
{
	struct err each = ERR_INIT;
	int rc = 0;
	bool any = false;

	while (hosts != NULL && *hosts != '\0' && !(rc != 0 && attempt_is_over(a))) {
		size_t len = strcspn(hosts, ",");

		rc = name_await(hosts, len, a, &each);
		any |= rc == 0;
		hosts += len + (hosts[len] == ',');
	}
	if (rc == 0 || (any && !attempt_is_over(a)))
		return 0;
	*e = each;
	return rc;
}

/* By the library's calls that do not block, so that the attempt can be given up. */
static int
conn_connect(struct sql_conn *c, const struct sql_config *config, struct attempt *a,
    struct err *e)
{
	const char *unix_path = server_unix_path(config->host);
	char passwd[SERVER_PASSWD_MAX];
	MYSQL *done = NULL;
	int status, rc = names_await(unix_path != NULL ? NULL : config->host, a, e);

	if (rc != 0 || (rc = server_passwd(config, passwd, e)) != 0)
		return rc;
	options_set(c, config);
	attempt_heard(a);
	status = mysql_real_connect_start(&done, c->my, unix_path != NULL ? NULL : config->host,
	    config->user != NULL ? config->user : SERVER_USER, passwd, config->db,
	    config->port, unix_path, CLIENT_MULTI_STATEMENTS);
	while (status != 0)
		status = mysql_real_connect_cont(&done, c->my, conn_wait(c, a, status));
	if (done == NULL && attempt_is_over(a))
		rc = err_set(e, WEIR_EIO, "%s: given up, as weir ends", c->where);
	else if (done == NULL && config->ca_file != NULL &&
	    mysql_errno(c->my) == CR_SSL_CONNECTION_ERROR)
		rc = err_set(e, WEIR_EIO, "%s: with sql_conn_ca_file %s: %s", c->where,
		    config->ca_file, mysql_error(c->my));
	else if (done == NULL)
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
		return maria_conn_error(c, e);
	row = mysql_fetch_row(r);
	*v = row != NULL && row[0] != NULL ? strtoll(row[0], NULL, 10) : 0;
	mysql_free_result(r);
	return 0;
}

int
maria_set_up(struct sql_conn *c, struct err *e)
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

int
maria_open(const struct sql_config *config, struct attempt *a, struct sql_conn **conn,
    struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sql_conn *c = calloc(1, sizeof(*c));
	int rc;

	*conn = NULL;
	pthread_once(&once, library_set_up);
	if (c != NULL)
		c->socket = -1;
	if (c == NULL || (c->my = mysql_init(NULL)) == NULL ||
	    asprintf(&c->where, "database %s on %s", config->db,
	        config->host != NULL ? config->host : "this machine") < 0) {
		maria_close(c);
		return err_set(e, WEIR_ENOMEM, "mysql: no memory");
	}
	c->utc = config->vars.utc;
	rc = conn_connect(c, config, a, e);
	if (rc == 0 && (c->socket = server_socket_watch(mysql_get_socket(c->my))) == -1)
		rc = err_set(e, WEIR_EIO, "%s: %s", c->where, strerror(errno));
	if (rc != 0) {
		maria_close(c);
		return rc;
	}
	*conn = c;
	return 0;
}

bool
maria_alive(struct sql_conn *c)
{
	return mysql_ping(c->my) == 0;
}

void
maria_interrupt(struct sql_conn *c)
{
	server_socket_cut(c->socket);
}

int
maria_begin(struct sql_conn *c, struct err *e)
{
	char zone[SERVER_ZONE_MAX], set[64];
	int rc;

	if (c->unfinished)
		return err_set(e, WEIR_EIO, "%s: the last transaction may be open", c->where);
	server_zone(c->utc, zone);
	if (strcmp(zone, c->zone) != 0) {
		snprintf(set, sizeof(set), "SET time_zone = '%s'", zone);
		if ((rc = maria_run(c, set, e)) != 0)
			return rc;
		memcpy(c->zone, zone, sizeof(zone));
	}
	if ((rc = maria_run(c, "START TRANSACTION", e)) == 0)
		server_socket_loads(c->socket, true);
	return rc;
}

/* After the end of a transaction. */
static void
conn_unlock(struct sql_conn *c)
{
	if (c->locked)
		c->unfinished = maria_run(c, "UNLOCK TABLES; SET autocommit = 1", NULL) != 0;
	c->locked = false;
}

int
maria_commit(struct sql_conn *c, struct err *e)
{
	int rc;

	server_socket_loads(c->socket, false); /* it has taken all rows */
	if ((rc = maria_run(c, "COMMIT", e)) == 0)
		conn_unlock(c);
	return rc;
}

/* Whatever comes after a transaction that is still there would commit it. */
void
maria_rollback(struct sql_conn *c)
{
	c->unfinished = maria_run(c, "ROLLBACK", NULL) != 0;
	server_socket_loads(c->socket, false);
	if (!c->unfinished)
		conn_unlock(c);
}

int
maria_lock(struct sql_conn *c, const char *table, struct err *e)
{
	char name[TABLENAME_QUOTED], sql[2 * TABLENAME_QUOTED + 100];

	tablename_quote(table, '`', name);
	/* By every name that statements give to it. */
	snprintf(sql, sizeof(sql), "SET autocommit = 0; LOCK TABLES %s WRITE, %s AS o "
	    "WRITE, `%s` WRITE", name, name, SCHEMA_BATCH_TABLE);
	c->locked = true; /* or on the way to it */
	return maria_run(c, sql, e);
}

/* Whether warnings of `code` are news; they are none then. */
static bool
warning_is_new(struct sql_conn *c, unsigned code)
{
	for (unsigned i = 0; i < MYSQL_WARNINGS_MAX; i++) {
		if (c->said[i] == code)
			return false;
		if (c->said[i] == 0) {
			c->said[i] = code;
			return true;
		}
	}
	return false;
}

void
maria_warnings_log(struct sql_conn *c)
{
	MYSQL_RES *r;
	MYSQL_ROW row;

	if (c->said[MYSQL_WARNINGS_MAX - 1] != 0 || mysql_warning_count(c->my) == 0 ||
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
			        ": it stays at the largest; ALTER TABLE to make it a BIGINT"
			        : "");
	}
	mysql_free_result(r);
}
