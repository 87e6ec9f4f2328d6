/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pgsql_conn: connections to PostgreSQL, for sql/pgsql.c only: the calls of struct
 * sql_driver (sql/driver.h) that are about the connection, its transactions and what is
 * in the database, and what statements need of it. One thread at a time.
 */
#ifndef WEIR_SQL_PGSQL_CONN_H
#define WEIR_SQL_PGSQL_CONN_H

#include <stdbool.h>

#include "lib/err.h"
#include "sql/config.h"
#include "sql/driver.h"
#include "sql/server.h"

#define PGSQL_PREPARED "weir%u" /* names of prepared statements */
#define PGSQL_STALE_MAX 16U     /* more than a transaction leaves behind */

struct pg_conn;   /* PGconn of the library, */
struct pg_result; /* and PGresult */

/* A table whose name is the first parameter: its number; NULL where there is none. */
#define PGSQL_TABLE "to_regclass('\"' || replace($1, '.', '\".\"') || '\"')"

struct sql_conn {
	struct pg_conn *pg;
	int socket;            /* our own descriptor of its: server_socket_watch */
	char *where;           /* "database pmacct on 192.0.2.1" */
	bool utc;
	bool ascii;            /* the database's encoding cannot take all of UTF-8 */
	char zone[SERVER_ZONE_MAX]; /* of the session */
	unsigned n_prepared;
	unsigned stale[PGSQL_STALE_MAX]; /* statements that could not be let go yet */
	unsigned n_stale;
};

int pgsql_open(const struct sql_config *config, struct attempt *a, struct sql_conn **conn,
    struct err *e);
int pgsql_set_up(struct sql_conn *c, struct err *e);
void pgsql_close(struct sql_conn *c);
bool pgsql_alive(struct sql_conn *c);
void pgsql_interrupt(struct sql_conn *c);
int pgsql_begin(struct sql_conn *c, struct err *e);
int pgsql_commit(struct sql_conn *c, struct err *e);
void pgsql_rollback(struct sql_conn *c);
int pgsql_lock(struct sql_conn *c, const char *table, struct err *e);
int pgsql_run(struct sql_conn *c, const char *sql, struct err *e);
int pgsql_table_exists(struct sql_conn *c, const char *name, bool *yes, struct err *e);
int pgsql_has_key(struct sql_conn *c, const char *table, const char *const *columns,
    unsigned n, bool *yes, struct err *e);

/* Have c->pg connected: sql/pgsql_connect.c. 0, or -WEIR_EIO with `e`. */
int pgsql_connect(struct sql_conn *c, const struct sql_config *config, struct attempt *a,
    struct err *e);

/* The error `code` with the first line of what libpq says; it says more, with newlines. */
int pgsql_error(const struct sql_conn *c, enum weir_errno code, struct err *e);

/* The error of `r`, which it clears; by its SQLSTATE one of the driver's. */
int pgsql_result_error(const struct sql_conn *c, struct pg_result *r, struct err *e);

/* Whether `r` is a success; 0 and cleared, or its error. */
int pgsql_result_done(const struct sql_conn *c, struct pg_result *r, struct err *e);

/* What the server still has to say; the last error wins. */
int pgsql_drain(struct sql_conn *c, struct err *e);

/* A query with text parameters; its rows, or NULL with `e`. */
struct pg_result *pgsql_ask(struct sql_conn *c, const char *sql, const char *const *values,
    int n, struct err *e);

/* Let go of prepared statement `no`: now, or when a transaction that failed is over. */
void pgsql_prepared_drop(struct sql_conn *c, unsigned no);

#endif
