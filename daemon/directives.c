/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/directives.h"

#include "daemon/settings.h"
#include "lib/log.h"

#define AT(member) offsetof(struct weir_config, member)
static const struct directive weir_rows[] = {
	{ .name = "plugins", .type = DIRECTIVE_STRING, .offset = AT(plugins),
	    .doc = "Comma list of outputs, each type or type[name]: print, memory, snmp, rrd, "
	           "sqlite3, pgsql, mysql, nfprobe, sfprobe, tee. The name binds directives to one "
	           "of them." },
	{ .name = "workers", .type = DIRECTIVE_STRING, .offset = AT(workers), .def = "auto",
	    .doc = "Threads that read and count: auto is one per core." },
	{ .name = "max_entries", .type = DIRECTIVE_U64, .offset = AT(max_entries), .min = 1,
	    .max = 1U << 30, .def = "1000000", .unit = "rows",
	    .doc = "Rows that a view holds at most; what finds no room is counted in its other "
	           "row." },
	{ .name = "max_exporters", .type = DIRECTIVE_U32, .offset = AT(max_exporters), .min = 1,
	    .max = 1000000, .def = "10000",
	    .doc = "Exporters (address and observation domain) that are remembered at most." },
	{ .name = "aggregate_primitives", .type = DIRECTIVE_PATH, .offset = AT(aggregate_primitives),
	    .doc = "File of primitives of your own, a line each: name=NAME "
	           "field_type=[ENTERPRISE:]ELEMENT len=OCTETS|vlen "
	           "semantics=u_int|hex|ip|mac|str|raw; at most 16. They stand in aggregate like any "
	           "other. New ones belong at the end: rows are known by the order." },
	{ .name = "state_dir", .type = DIRECTIVE_PATH, .offset = AT(state_dir),
	    .def = "/var/lib/weir", .doc = "Directory of what must outlive a restart. Of several weirs "
	    "each needs one of its own: who finds another there warns, and keeps no totals, "
	    "templates or thresholds; its outputs refuse folders that the other one's have." },
	{ .name = "checkpoint_interval", .type = DIRECTIVE_SECONDS,
	    .offset = AT(checkpoint_interval), .def = "60", .unit = "s",
	    .doc = "How often running totals that SNMP shows are written to state_dir, from "
	           "where they go on after a restart. After a crash as much may be missing. 0: "
	           "at the end only." },
	{ .name = "control_socket", .type = DIRECTIVE_PATH, .offset = AT(control_socket),
	    .doc = "UNIX socket that weir show and weir top talk to; by default "
	           "/run/weir/weir.sock, where weir may make it and reads live input." },
	{ .name = "control_group", .type = DIRECTIVE_STRING, .offset = AT(control_group),
	    .doc = "Group that may use the control socket and those of imt_path, besides the owner." },
	{ .name = "logfile", .type = DIRECTIVE_PATH, .offset = AT(logfile),
	    .doc = "File to log to; opened anew on SIGHUP." },
	{ .name = "syslog", .type = DIRECTIVE_STRING, .offset = AT(syslog),
	    .doc = "Facility to log to: auth, mail, daemon, kern, user, local0 to local7." },
	{ .name = "syslog_ident", .type = DIRECTIVE_STRING, .offset = AT(syslog_ident),
	    .doc = "Name to log under." },
	{ .name = "pidfile", .type = DIRECTIVE_PATH, .offset = AT(pidfile),
	    .doc = "File to write the process id to, locked while weir runs: a second one with it "
	           "does not start." },
	{ .name = "daemonize", .type = DIRECTIVE_BOOL, .offset = AT(daemonize),
	    .def = "false", .doc = "Go to the background once all is open. A start that "
	                           "fails is said on standard error, with exit status 1." },
	{ .name = "debug", .type = DIRECTIVE_BOOL, .offset = AT(debug), .def = "false",
	    .doc = "Log debug lines." },
	{ .name = "debug_topics", .type = DIRECTIVE_STRING, .offset = AT(debug_topics),
	    .doc = "What the debug lines are about: topics with commas between. Default: all. There "
	           "are" LOG_TOPIC_NAMES "." },
	{ .name = NULL },
};
#undef AT

const struct directive_set weir_directives = {
	"weir", weir_rows, sizeof(struct weir_config)
};

#define NOTICE(key, why) { .name = key, .type = DIRECTIVE_NOTICE, .doc = why }
#define REFUSED(key, why) { .name = key, .type = DIRECTIVE_REFUSED, .doc = why }
#define ONE_PROCESS "Nothing to tune: weir is one process without queues between collecting and counting."
#define NO_BGP "weir measures traffic and speaks no BGP, BMP or IS-IS; take the AS and next hop from the exporter or networks_file."
#define NO_BROKER "weir writes to no message broker; use print, sqlite3 or rrd."
#define FILES_OWNER "Files are for weir's user and group: run it as those that are to have them (User=, Group= and UMask= of the service manager)."
static const struct directive pmacct_rows[] = {
	NOTICE("plugin_pipe_size", ONE_PROCESS),
	NOTICE("plugin_buffer_size", ONE_PROCESS),
	NOTICE("plugin_pipe_zmq", ONE_PROCESS),
	NOTICE("plugin_pipe_zmq_retry", ONE_PROCESS),
	NOTICE("plugin_pipe_zmq_profile", ONE_PROCESS),
	NOTICE("plugin_pipe_zmq_hwm", ONE_PROCESS),
	NOTICE("debug_internal_msg", ONE_PROCESS),
	NOTICE("thread_stack", "weir's threads need no more than the system gives."),
	NOTICE("propagate_signals", ONE_PROCESS),
	NOTICE("plugin_exit_any", ONE_PROCESS),
	NOTICE("maps_refresh", "Files of lists and maps are always read anew on SIGUSR2 and SIGHUP."),
	NOTICE("refresh_maps", "Files of lists and maps are always read anew on SIGUSR2 and SIGHUP."),
	NOTICE("proc_priority", "Use the service manager's setting."),
	NOTICE("core_proc_name", "weir names its threads itself."),
	NOTICE("nfacctd_proc_name", "weir names its threads itself."),
	NOTICE("pmacctd_proc_name", "weir names its threads itself."),
	NOTICE("sfacctd_proc_name", "weir names its threads itself."),
	NOTICE("pmacctd_time_new", "Packets count at the time that they were captured, also those of a file."),
	NOTICE("sql_cache_entries", "Use max_entries: tables grow as rows come."),
	NOTICE("networks_cache_entries", "Look-ups need no cache here."),
	NOTICE("pmacctd_nonroot", "weir needs no root where it has the capabilities."),
	NOTICE("nfacctd_nonroot", "weir needs no root where it has the capabilities."),
	NOTICE("sfacctd_nonroot", "weir needs no root where it has the capabilities."),
	REFUSED("geoip_ipv4_file", "Databases of the first format are not read: write geoipv2_file."),
	REFUSED("geoip_ipv6_file", "Databases of the first format are not read: write geoipv2_file."),
	REFUSED("bgp_*", NO_BGP),
	REFUSED("bmp_*", NO_BGP),
	REFUSED("isis_*", NO_BGP),
	REFUSED("igp_*", NO_BGP),
	REFUSED("rpki_*", NO_BGP),
	REFUSED("tmp_bgp_*", NO_BGP),
	REFUSED("telemetry_*", "weir takes no streaming telemetry."),
	REFUSED("kafka_*", NO_BROKER),
	REFUSED("amqp_*", NO_BROKER),
	REFUSED("mongo_*", "weir writes to no MongoDB; use pgsql, mysql, sqlite3 or print."),
	REFUSED("avro_*", "weir writes no Avro: print_output has json and csv."),
	REFUSED("redis_*", "weir keeps no state in Redis."),
	REFUSED("cluster_*", "weirs know nothing of each other."),
	REFUSED("uacctd_*", "weir takes packets from interfaces: write pcap_interface."),
	REFUSED("pcap_arista_*", "weir does not look at Arista's trailers."),
	REFUSED("print_output_custom_*", "weir loads no libraries: print_output has json and csv."),
	REFUSED("files_umask", FILES_OWNER),
	REFUSED("files_uid", FILES_OWNER),
	REFUSED("files_gid", FILES_OWNER),
	{ .name = NULL },
};

const struct directive_set pmacct_directives = { "pmacct", pmacct_rows, 0 };
