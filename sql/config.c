/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sql/config.h"

#define AT(member) offsetof(struct sql_config, member)
static const struct directive sql_rows[] = {
	{ .name = "sql_db", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(db),
	    .doc = "Database to write to; for sqlite3 the path of its file, made "
	           "when there is none. Default: pmacct; for sqlite3 /tmp/pmacct.db." },
	{ .name = "sql_table", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(table),
	    .doc = "Table to write to, made when there is none. %Y %m %d %H %M %S %s "
	           "%w %W %z stand for the start of the time bin, so that each day "
	           "or week has a table of its own; $ref and $hst for "
	           "sql_refresh_time and the length of the bin in seconds. With PostgreSQL a "
	           "schema and a point may stand before the name, with MySQL a database. "
	           "Default: acct for version 1, acct_v2 to acct_v9 for the others; for "
	           "pgsql see sql_data." },
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
	{ .name = "sql_data", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(data), .words = "typed|unified", .def = "typed",
	    .doc = "Which of pmacct's tables for PostgreSQL is the default before "
	           "sql_table_version 6: typed has addresses, or AS numbers in acct_as; "
	           "unified has text in acct_uni." },
	{ .name = "sql_table_type", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(table_type), .words = "original", .def = "original",
	    .doc = "Only the original tables: weir speaks no BGP." },
	{ .name = "sql_table_schema", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(table_schema),
	    .doc = "File with the statement that makes a table when it is not there, "
	           "instead of weir's own (which 'weir sql schema' prints). The variables "
	           "of sql_table stand for the same as there." },
	{ .name = "sql_num_hosts", .type = DIRECTIVE_BOOL, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(num_hosts), .def = "false",
	    .doc = "Write addresses as their 4 or 16 octets, as INET6_ATON() makes them, "
	           "into columns of type VARBINARY(16) or BLOB. Nothing to PostgreSQL, "
	           "whose INET is no text." },
	{ .name = "sql_host", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(host),
	    .doc = "Database server: a name or address, unix:/path for a socket (with "
	           "PostgreSQL the folder that it is in); PostgreSQL also takes several "
	           "with commas between, the first that answers. Default: the server on "
	           "this machine, by its socket. SQLite has no servers." },
	{ .name = "sql_port", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(port), .max = 65535, .def = "0",
	    .doc = "Port of the database server; 0: its usual one, 5432 or 3306." },
	{ .name = "sql_user", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(user), .doc = "User of the database server. Default: pmacct." },
	{ .name = "sql_passwd", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(passwd), .secret = true,
	    .doc = "Password of the user; better written to sql_passwd_file, or to the "
	           "environment as WEIR_SQL_PASSWD. Default: arealsmartpwd, which is "
	           "pmacct's." },
	{ .name = "sql_passwd_file", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(passwd_file),
	    .doc = "File whose first line is the password; others must not be able to "
	           "read it. It is read at each connection." },
	{ .name = "sql_conn_ca_file", .type = DIRECTIVE_PATH, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(ca_file),
	    .doc = "Certificates of those that may vouch for the server (PEM): with it the "
	           "connection is TLS, and the server must prove to be sql_host." },
	{ .name = "sql_locking_style", .type = DIRECTIVE_ENUM, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(locking), .words = "table|row|none", .def = "row",
	    .doc = "table: others that write the table wait while a batch is written, with "
	           "MySQL those that read it, too. row and none: only who writes the same "
	           "rows waits. Nothing is lost either way, as rows are added to in one "
	           "statement; what two got each other's way with is written again. SQLite "
	           "has one writer at a time always." },
	{ .name = "sql_use_copy", .type = DIRECTIVE_NOTICE,
	    .doc = "Rows go to PostgreSQL by COPY always." },
	{ .name = "sql_delimiter", .type = DIRECTIVE_NOTICE,
	    .doc = "Rows go by COPY with values quoted: no character needs to be kept "
	           "free." },
	{ .name = "sql_spool_max", .type = DIRECTIVE_OCTETS, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(spool_max), .min = 1 << 20, .def = "1G", .unit = "octets",
	    .doc = "How much may wait on the disk for the database, in state_dir/spool. "
	           "Beyond, rows stay in memory and add up there, within max_entries, until "
	           "there is room again; what then still finds none when weir ends is "
	           "refused, and counted so." },
	{ .name = "sql_recovery_logfile", .type = DIRECTIVE_PATH,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(spool_path),
	    .doc = "Folder in which batches wait for the database, instead of one in "
	           "state_dir/spool. They are written when the database is back, without "
	           "being played; 'weir replay' lists them and plays them elsewhere." },
	{ .name = "sql_recovery_backup_host", .type = DIRECTIVE_STRING,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(backup_host),
	    .doc = "Second server, or for sqlite3 a second file, that gets what the first "
	           "does not take, whatever the reason. What the first may have got, as its "
	           "answer failed to come or weir was killed, waits for the first." },
	{ .name = "sql_backup_host", .alias_of = "sql_recovery_backup_host" },
	{ .name = "sql_max_writers", .type = DIRECTIVE_U32, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(max_writers), .min = 1, .max = 99, .def = "10",
	    .doc = "How many SQL plugins may write at the same time while this one does. "
	           "Each has one writer; what finds none free waits in the spool." },
	{ .name = "sql_trigger_exec", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(trigger_exec),
	    .doc = "Program, with arguments divided by blanks, that is run after each batch "
	           "that was written, or as sql_trigger_time says; without a shell, and with "
	           "nothing but pmacct's variables, PATH and HOME in its environment." },
	{ .name = "sql_trigger_exec_async", .type = DIRECTIVE_BOOL,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(trigger_async), .def = "false",
	    .doc = "Go on while the trigger runs; at most 16 run at a time." },
	{ .name = "sql_trigger_time", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(trigger_time),
	    .doc = "Run the trigger every N[s|m|h|d|w|M] instead of after each batch; what "
	           "tells of a batch is then not in its environment." },
	{ .name = "sql_trigger_limit", .type = DIRECTIVE_SECONDS,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(trigger_limit), .min = 1,
	    .max = 86400, .def = "60", .unit = "s",
	    .doc = "A trigger that runs longer is killed, and what it has started." },
	{ .name = "sql_preprocess", .type = DIRECTIVE_STRING, .scope = DIRECTIVE_PLUGIN,
	    .offset = AT(preprocess),
	    .doc = "Which rows of a bin are written, as a list of key=number. A condition: "
	           "qnum, the checks only apply to so many rows or more. Checks: minp, minf, "
	           "minb, minbpp, minppf (from so many packets, flows, bytes, bytes per "
	           "packet, packets per flow on), maxp, maxf, maxb, maxbpp, maxppf (below); "
	           "fss: rows of fewer bytes are sampled, each that is kept counting so "
	           "many; fsrc: so many rows are kept, with weights that make the sum of "
	           "bytes right. Actions on all rows: usrf multiplies counters, adjb adds so "
	           "many bytes for each packet (or takes off); recover=1 keeps rejected rows "
	           "in the spool for 'weir replay'. Rejected rows count as refused. The row "
	           "of what a full view could not tell apart passes all checks." },
	{ .name = "sql_preprocess_type", .type = DIRECTIVE_ENUM,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(preprocess_type), .words = "any|all",
	    .def = "any",
	    .doc = "Whether a row is written that passes one check of sql_preprocess, or "
	           "only one that passes them all." },
	{ .name = "sql_aggressive_classification", .type = DIRECTIVE_BOOL,
	    .scope = DIRECTIVE_PLUGIN, .offset = AT(aggressive), .def = "false",
	    .doc = "Hold back rows of unknown class, for five refreshes at most, while a "
	           "stream is looked at that may be in them, so that they are written with "
	           "the class that they turn out to be of; with sql_dont_try_update, all "
	           "rows of their interval." },
	{ .name = "sql_multi_values", .type = DIRECTIVE_NOTICE,
	    .doc = "Rows go in by the quickest way that the server has already." },
	{ .name = NULL },
};
#undef AT

const struct directive_set sql_directives = {
	"sql", sql_rows, sizeof(struct sql_config)
};
