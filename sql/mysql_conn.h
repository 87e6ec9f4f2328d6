/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mysql_conn: connections to MariaDB and MySQL, for sql/mysql.c only: the calls of struct
 * sql_driver (sql/driver.h) that are about the connection and its transactions, and what
 * statements need of it. One thread at a time.
 */
#ifndef WEIR_SQL_MYSQL_CONN_H
#define WEIR_SQL_MYSQL_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "flow/text.h"
#include "lib/err.h"
#include "sql/config.h"
#include "sql/driver.h"
#include "sql/server.h"

#define MYSQL_WARNINGS_MAX 4U /* kinds of warnings that are told of, once each */

struct st_mysql; /* MYSQL of the library */

struct sql_conn {
	struct st_mysql *my;
	int socket;            /* our own descriptor of its: server_socket_watch */
	char *where;           /* "database pmacct on 192.0.2.1" */
	bool utc;
	bool may_load;         /* the server allows LOAD DATA LOCAL */
	bool locked;           /* LOCK TABLES is in force */
	bool unfinished;       /* something of a transaction is left: of no more use */
	unsigned said[MYSQL_WARNINGS_MAX]; /* codes of warnings that were told of */
	char zone[SERVER_ZONE_MAX]; /* of the session */
	const struct text_line *loading; /* rows that the server may ask for; NULL: none */
	size_t sent;           /* octets of them that it has */
};

int maria_open(const struct sql_config *config, struct attempt *a, struct sql_conn **conn,
    struct err *e);
int maria_set_up(struct sql_conn *c, struct err *e);
void maria_close(struct sql_conn *c);
bool maria_alive(struct sql_conn *c);
void maria_interrupt(struct sql_conn *c);
int maria_begin(struct sql_conn *c, struct err *e);
int maria_commit(struct sql_conn *c, struct err *e);
void maria_rollback(struct sql_conn *c);
int maria_lock(struct sql_conn *c, const char *table, struct err *e);

/* One statement or several (a file of sql_table_schema); what they yield is let go. */
int maria_run(struct sql_conn *c, const char *sql, struct err *e);

/* The library's error `no`, `text` as one of the driver's; that of the last call of `c`. */
int maria_error(const struct sql_conn *c, unsigned no, const char *text, struct err *e);
int maria_conn_error(const struct sql_conn *c, struct err *e);

/* Say once what the server made of values that do not fit, and of sums. */
void maria_warnings_log(struct sql_conn *c);

#endif
