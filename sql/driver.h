/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What weir must know of a database engine: how its SQL is spelt (struct sql_dialect)
 * and a dozen calls. The writer is blind to everything else; a new engine is one .c
 * file with one `const struct sql_driver`. The library of an engine is included in that
 * file only.
 *
 * Values go in as parameters of prepared statements, never as text of a statement;
 * names of tables and columns are checked by the caller and quoted by sql/compose.c.
 *
 * A connection is used by one thread at a time: the main thread opens it, then it is
 * the output's. After a call that failed within a transaction the caller rolls back.
 */
#ifndef WEIR_SQL_DRIVER_H
#define WEIR_SQL_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "sql/config.h"

struct sql_conn; /* the driver's */
struct sql_stmt; /* the driver's */

/* Kinds of columns; each engine has its own words for them. */
enum sql_type {
	SQL_INT,      /* 32 bits unsigned fit */
	SQL_BIGINT,   /* 63 bits fit */
	SQL_PROTO,    /* "tcp", or a number with sql_num_protos */
	SQL_ADDRESS,  /* text of an IPv4 or IPv6 address */
	SQL_MAC,      /* "xx:xx:xx:xx:xx:xx" */
	SQL_TEXT,     /* to 255 characters of UTF-8 */
	SQL_STAMP,    /* "YYYY-MM-DD HH:MM:SS" */
	SQL_TYPES
};

/* How an engine spells what differs. */
struct sql_dialect {
	char quote;             /* around names: '"', '`' */
	bool numbered;          /* parameters are $1, $2, ...; else ? */
	bool on_conflict;       /* ON CONFLICT (key); else ON DUPLICATE KEY UPDATE */
	const char *types[SQL_TYPES];
	const char *table_options; /* what follows the ) of CREATE TABLE */
	const char *least, *greatest; /* functions of two values: "MIN", "LEAST" */
};

struct sql_driver {
	const char *name;       /* "sqlite3" */
	const char *default_db; /* where sql_db is not given */
	struct sql_dialect dialect;

	/*
	 * Connect to the database of `c`, made where that is the engine's custom.
	 * Whatever is said to be committed later must survive a power failure. Returns
	 * 0 and `*conn`, or -WEIR_EIO with `e` naming the database.
	 */
	int (*open)(const struct sql_config *c, struct sql_conn **conn, struct err *e);
	void (*close)(struct sql_conn *conn);

	/*
	 * Whether `conn` still leads to the database that `c` names; no: open another.
	 */
	bool (*alive)(struct sql_conn *conn);

	/*
	 * Start a transaction that will not find another writer in its way later: waits
	 * for its turn, at most some seconds. Commit: an error may mean that it is done
	 * all the same; the caller's batch row tells. Each returns 0 or -WEIR_EIO with
	 * `e`.
	 */
	int (*begin)(struct sql_conn *conn, struct err *e);
	int (*commit)(struct sql_conn *conn, struct err *e);
	void (*rollback)(struct sql_conn *conn);

	/* One statement without parameters or rows (CREATE TABLE). 0 or -WEIR_EIO. */
	int (*run)(struct sql_conn *conn, const char *sql, struct err *e);

	/* Whether there is a table or view called `name`. 0 or -WEIR_EIO. */
	int (*table_exists)(struct sql_conn *conn, const char *name, bool *yes,
	    struct err *e);

	/*
	 * Prepare one statement; 0, or -WEIR_EINVAL where the engine does not take it.
	 */
	int (*prepare)(struct sql_conn *conn, const char *sql, struct sql_stmt **st,
	    struct err *e);
	void (*finish)(struct sql_stmt *st); /* may be NULL */

	/*
	 * Parameter `i`, from 1. A binding stays until it is bound anew. Text is
	 * borrowed and must stay in its place for as long.
	 */
	void (*bind_int)(struct sql_stmt *st, unsigned i, int64_t v);
	void (*bind_text)(struct sql_stmt *st, unsigned i, const char *text,
	    size_t len);

	/* Execute; `*changed` rows were inserted or updated. 0 or -WEIR_EIO. */
	int (*step)(struct sql_conn *conn, struct sql_stmt *st, uint64_t *changed,
	    struct err *e);
};

#endif
