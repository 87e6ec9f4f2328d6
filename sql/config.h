/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directives of the SQL plugins, common to all engines. What SQL shares with print
 * (history, refresh, number forms) is in core/output.h. Filled at load, then constant.
 */
#ifndef WEIR_SQL_CONFIG_H
#define WEIR_SQL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/directive.h"
#include "lib/variable.h"

#define SQL_VERSION_MAX 9U

enum sql_data { SQL_DATA_TYPED, SQL_DATA_UNIFIED };
enum sql_locking { SQL_LOCK_TABLE, SQL_LOCK_ROW, SQL_LOCK_NONE };

struct sql_config {
	const char *db;          /* NULL: the engine's default */
	const char *host;        /* NULL: the server's socket; unix:/path: that one */
	uint32_t port;           /* 0: the server's usual one */
	const char *user, *passwd;
	const char *passwd_file; /* its first line is the password; NULL: see passwd */
	const char *ca_file;     /* the server must prove itself to; NULL: need not */
	int locking;             /* enum sql_locking */
	struct variables vars;   /* of names, all but the time; no directive */
	const char *table;       /* may hold %-variables; NULL: by version */
	uint32_t table_version;  /* 1 to SQL_VERSION_MAX */
	const char *table_schema; /* file with the statement that makes a table; NULL */
	int table_type;          /* there is one */
	int data;                /* enum sql_data */
	bool num_hosts;
	bool optimize_clauses;
	bool dont_try_update;
	bool aggressive;         /* rows of unknown class wait for what may become known */
	bool log;                /* rows have the times of flows: nfacctd_sql_log */
	const char *state_dir;   /* the daemon's; no directive */
	const char *spool_path;  /* where batches wait; NULL: below state_dir */
	uint64_t spool_max;      /* octets */
	const char *backup_host;
	uint32_t max_writers;
	const char *trigger_exec, *trigger_time;
	bool trigger_async;
	uint32_t trigger_limit;  /* s */
	const char *preprocess;
	int preprocess_type;     /* enum preprocess_type */
};

extern const struct directive_set sql_directives;

#endif
