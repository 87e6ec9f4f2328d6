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
 * A connection is used by one thread at a time. After a call that failed within a
 * transaction the caller rolls back.
 */
#ifndef WEIR_SQL_DRIVER_H
#define WEIR_SQL_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "sql/attempt.h"
#include "sql/config.h"

struct sql_conn; /* the driver's */
struct sql_stmt; /* the driver's */

/* Kinds of columns; each engine has its own words. New ones go last: batch files. */
enum sql_type {
	SQL_SMALL,    /* 16 bits unsigned fit */
	SQL_INT,      /* 32 bits unsigned fit */
	SQL_BIGINT,   /* 63 bits fit */
	SQL_WIDE,     /* 64 bits unsigned fit */
	SQL_PROTO,    /* "tcp", or a number with sql_num_protos */
	SQL_ADDRESS,  /* text of an IPv4 or IPv6 address */
	SQL_HOST,     /* the same as 4 or 16 octets: sql_num_hosts */
	SQL_MAC,      /* "xx:xx:xx:xx:xx:xx" */
	SQL_TEXT,     /* to 255 characters of UTF-8 */
	SQL_DEGREES,  /* decimal, three digits before the point and six behind */
	SQL_STAMP,    /* "YYYY-MM-DD HH:MM:SS" */
	SQL_TYPES
};

/* How an engine spells what differs. */
struct sql_dialect {
	char quote;             /* around names: '"', '`' */
	bool numbered;          /* parameters are $1, $2, ...; else ? */
	bool on_conflict;       /* ON CONFLICT (key); else ON DUPLICATE KEY UPDATE */
	bool update_from;       /* UPDATE t SET ... FROM o; else UPDATE t, o SET ... */
	bool fold;              /* unquoted names are lower case: pmacct's tables */
	const char *only_schema; /* that tables may be in; NULL: in any */
	bool ports_first;       /* pmacct's tables of every version have port_src, */
	bool num_protos;        /* port_dst, a number in ip_proto, and */
	bool typed;             /* for an AS in an address's place a table of its own */
	const char *types[SQL_TYPES];
	const char *stamp_none; /* what stands for no time bin */
	const char *table_options; /* what follows the ) of CREATE TABLE; and */
	const char *keyless_options; /* where the table has no key */
	const char *least, *greatest; /* functions of two values: "MIN", "LEAST" */
	/*
	 * The sum of @, which is there, and #, which is new; NULL: @ + #. Where the
	 * engine refuses a sum that its column cannot hold, the sum that stays at the
	 * largest then, and the like of all @ of a group; NULL: as without. # stands
	 * there once.
	 */
	const char *sum, *sum_capped, *group_capped;
	/*
	 * Functions around a text column that is compared with text in letters that it
	 * may not have, which some refuse: before and behind its name; NULL: none.
	 */
	const char *any_text[2];
	const char *to_host;    /* function: SQL_HOST of SQL_ADDRESS; NULL: none */
	const char *stage_drop; /* statement that drops the temporary table if there; */
	const char *stage_options; /* and what follows its name where it is made */
	const char *load[3];    /* a bulk load: before the name, the columns, the end */
	unsigned key_columns;   /* of an index at most, and */
	unsigned key_texts;     /* of them SQL_TEXT; 0: any number */
};

struct sql_driver {
	const char *name;       /* "sqlite3" */
	const char *default_db; /* where sql_db is not given */
	bool server;            /* reached over a socket, as a user with a password */
	bool local_socket;      /* without a host, or as localhost, and has no port */
	struct sql_dialect dialect;

	/*
	 * Connect to the database of `c`, made where that is the engine's custom; not
	 * beyond the end of `a`. Returns 0 and `*conn`; -WEIR_EIO with `e` naming the
	 * database; or -WEIR_EINVAL where it cannot be meant: at the start of weir this
	 * is a fault of the configuration.
	 */
	int (*open)(const struct sql_config *c, struct attempt *a,
	    struct sql_conn **conn, struct err *e);

	/*
	 * Once, next, on a connection that may be interrupted by now: have the session
	 * as it shall be. Whatever is said to be committed later must survive a power
	 * failure. Errors are those of open; the caller closes.
	 */
	int (*set_up)(struct sql_conn *conn, struct err *e);
	void (*close)(struct sql_conn *conn);

	/*
	 * Whether `conn` still leads to the database that `c` names; no: open another.
	 */
	bool (*alive)(struct sql_conn *conn);

	/*
	 * Errors of the following calls: -WEIR_EAGAIN where the same transaction may
	 * well succeed when it is rolled back and repeated at once (a deadlock, a
	 * serialisation failure); -WEIR_EEXIST where a row's key is taken; -WEIR_EFULL
	 * where a sum does not fit its column; else -WEIR_EIO.
	 *
	 * Start a transaction that will not find another writer in its way later: waits
	 * for its turn, at most some seconds. Commit: an error may mean that it is done
	 * all the same; the caller's batch row tells. Where a rollback fails, no
	 * transaction can begin any more.
	 */
	int (*begin)(struct sql_conn *conn, struct err *e);
	int (*commit)(struct sql_conn *conn, struct err *e);
	void (*rollback)(struct sql_conn *conn);

	/*
	 * Have the call that `conn` waits in end soon, with an error. The connection is
	 * of no more use then. Any thread. May be NULL.
	 */
	void (*interrupt)(struct sql_conn *conn);

	/* One statement without parameters or rows (CREATE TABLE). 0 or -WEIR_EIO. */
	int (*run)(struct sql_conn *conn, const char *sql, struct err *e);

	/*
	 * Keep other writers from `table` until the transaction ends, which has only
	 * begun: sql_locking_style. NULL: every transaction does.
	 */
	int (*lock)(struct sql_conn *conn, const char *table, struct err *e);

	/*
	 * Whether the `n` columns are, in some order, all those of a unique index of
	 * `table`. 0 or -WEIR_EIO.
	 */
	int (*has_key)(struct sql_conn *conn, const char *table,
	    const char *const *columns, unsigned n, bool *yes, struct err *e);

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
	 * Have the parameters of `st` made to fit the columns of `table`, whose names
	 * `columns` has in their order, NULL where a parameter is none. NULL: the
	 * engine does that by itself. 0 or -WEIR_EIO.
	 */
	int (*describe)(struct sql_conn *conn, struct sql_stmt *st, const char *table,
	    const char *const *columns, struct err *e);

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

	/*
	 * Bulk loads; all NULL: the engine has nothing faster than statements. A load
	 * is a statement that takes many rows: bound and stepped as others are, between
	 * load_begin and load_end, in a transaction and with nothing else on the
	 * connection. `sql` is what compose_load made for the `n` columns of `table`. A
	 * step may send its row at once or keep it; `*changed` is left alone.
	 *
	 * load_open, load_begin: 0, or -WEIR_EUNSUPPORTED where the server's settings,
	 * the user's rights or the kind of table forbid it, or where it could not be
	 * rolled back, or -WEIR_EIO. load_end: all rows are in (0), or none of them
	 * counts and the caller rolls back: -WEIR_EEXIST when keys were taken.
	 */
	int (*load_open)(struct sql_conn *conn, const char *sql, const char *table,
	    const char *const *columns, unsigned n, struct sql_stmt **st,
	    struct err *e);
	int (*load_begin)(struct sql_conn *conn, struct sql_stmt *st, struct err *e);
	int (*load_end)(struct sql_conn *conn, struct sql_stmt *st, struct err *e);
};

/* Of plugin type `type`; NULL where it is not built in. */
const struct sql_driver *sql_driver_find(const char *type);

/* Engines, each in its file, where built. */
extern const struct sql_driver sqlite_driver;
extern const struct sql_driver pgsql_driver;
extern const struct sql_driver mysql_driver;

#endif
