/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/config.h"

#define AT(member) offsetof(struct sql_config, member)
static const struct directive sql_rows[] = {
	{ .name = "sql_db", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(db),
	    .doc = "Database to write to; for sqlite3 the path of its file, made "
	           "when there is none. Default: /tmp/pmacct.db." },
	{ .name = "sql_table", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(table),
	    .doc = "Table to write to, made when there is none. %Y %m %d %H %M %S %s "
	           "%w %W %z stand for the start of the time bin, so that each day "
	           "or week has a table of its own; $ref and $hst for "
	           "sql_refresh_time and the length of the bin in seconds. Default: "
	           "acct for version 1, acct_v2 to acct_v9 for the others." },
	{ .name = "sql_table_version", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(table_version), .min = 1, .max = SQL_VERSION_MAX, .def = "1",
	    .doc = "Which of pmacct's default tables is written: each version has "
	           "more columns. 2: agent_id, vlan. 3: tos. 4: flows. 5: class_id. "
	           "6: as_src, as_dst. 7: tcp_flags. 8: port_src and port_dst "
	           "instead of src_port and dst_port. 9: tag instead of agent_id." },
	{ .name = "sql_optimize_clauses", .type = DIRECTIVE_BOOL,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(optimize_clauses), .def = "false",
	    .doc = "Write the columns of the primitives in 'aggregate' only, instead "
	           "of all of the version's." },
	{ .name = "sql_dont_try_update", .type = DIRECTIVE_BOOL,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(dont_try_update), .def = "false",
	    .doc = "Only insert rows, never add to one that is there: a row whose "
	           "key is taken is refused. For sql_history equal to "
	           "sql_refresh_time." },
	{ .name = "nfacctd_sql_log", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(log), .def = "false",
	    .doc = "Write a log of flows instead of time bins: stamp_inserted is the "
	           "second in which a flow began, and a part of its row's key; "
	           "stamp_updated is when it ended, the latest end where flows share a "
	           "row. Times are those that would decide its bin: its own; but both "
	           "are that of its packet or datagram where it has none, beyond "
	           "nfacctd_time_tolerance, and with nfacctd_time_new. sql_history "
	           "only chooses the table, where sql_table has variables of time, and "
	           "nfacctd_pro_rating divides nothing. Flows that find no room in the "
	           "view are one row, of the time of writing. With "
	           "sql_dont_try_update, a flow is refused whose key and second were "
	           "written before." },
	{ .name = "sql_host", .type = DIRECTIVE_NOTICE,
	    .doc = "An SQLite database is a file: see sql_db." },
	{ .name = "sql_user", .type = DIRECTIVE_NOTICE,
	    .doc = "An SQLite database is a file and knows no users." },
	{ .name = "sql_passwd", .type = DIRECTIVE_NOTICE,
	    .doc = "An SQLite database is a file and knows no passwords." },
	{ .name = "sql_locking_style", .type = DIRECTIVE_NOTICE,
	    .doc = "Rows are written in one transaction; nothing else needs a lock." },
	{ .name = "sql_multi_values", .type = DIRECTIVE_NOTICE,
	    .doc = "Statements are prepared once and run in one transaction instead." },
	{ .name = "sql_max_writers", .type = DIRECTIVE_NOTICE,
	    .doc = "Each plugin has one thread that writes; rows wait meanwhile." },
	{ .name = "sql_cache_entries", .type = DIRECTIVE_NOTICE,
	    .doc = "The view holds the rows: see max_entries." },
	{ .name = NULL },
};
#undef AT

const struct directive_set sql_directives = {
	"sql", sql_rows, sizeof(struct sql_config)
};
