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

#define SQL_VERSION_MAX 9U

struct sql_config {
	const char *db;          /* NULL: the engine's default */
	const char *table;       /* may hold %-variables; NULL: by version */
	uint32_t table_version;  /* 1 to SQL_VERSION_MAX */
	bool optimize_clauses;
	bool dont_try_update;
	bool log;                /* rows have the times of flows: nfacctd_sql_log */
};

extern const struct directive_set sql_directives;

#endif
