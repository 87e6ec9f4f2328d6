/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "daemon/doors.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "collectors/datagram_config.h"
#include "collectors/pcap.h"
#include "collectors/tcp.h"
#include "collectors/udp.h"
#include "core/engine.h"
#include "export/nfprobe.h"
#include "export/sfprobe.h"
#include "export/tee.h"
#include "report/memory.h"
#include "report/print.h"

#ifdef WITH_SNMP
#include "agent/agent.h"
#endif
#ifdef WITH_RRD
#include "rrd/output.h"
#endif
#if defined(WITH_SQLITE) || defined(WITH_PGSQL) || defined(WITH_MYSQL)
#define WITH_SQL
#include "sql/ddl.h"
#include "sql/spool.h"
#include "sql/writer.h"
#endif

static const struct output_ops *const outputs[] = {
	&memory_output,
	&print_output,
	&tee_output,
	&nfprobe_output,
	&sfprobe_output,
#ifdef WITH_SNMP
	&snmp_output,
#endif
#ifdef WITH_RRD
	&rrd_output,
#endif
#ifdef WITH_SQLITE
	&sqlite3_output,
#endif
#ifdef WITH_PGSQL
	&pgsql_output,
#endif
#ifdef WITH_MYSQL
	&mysql_output,
#endif
};
#define N_OUTPUTS (sizeof(outputs) / sizeof(outputs[0]))

const struct directive_set *const door_directives[] = {
	&memory_directives,
	&print_directives,
	&tee_directives,
	&nfprobe_directives,
	&sfprobe_directives,
#ifdef WITH_SNMP
	&snmp_directives,
#endif
#ifdef WITH_RRD
	&rrd_directives,
#endif
#ifdef WITH_SQL
	&sql_directives,
#endif
	NULL,
};

const struct door_in doors_in[DOOR_IN_COUNT] = {
	[DOOR_PCAP] = { "pmacctd", &pcap_directives, &pcap_live_collector, &pcap_file_collector,
	    NULL },
	[DOOR_NETFLOW] = { "nfacctd", &netflow_directives, &netflow_udp_collector,
	    &netflow_file_collector, &ipfix_tcp_collector },
	[DOOR_SFLOW] = { "sfacctd", &sflow_directives, &sflow_udp_collector,
	    &sflow_file_collector, NULL },
};

static const struct {
	const char *type, *why;
} missing[] = {
	{ "snmp", "this build has no SNMP: configure it with net-snmp's headers" },
	{ "rrd", "this build has no RRD: configure it with librrd's headers" },
	{ "sqlite3", "this build has no SQLite: configure it with SQLite's headers" },
	{ "mysql", "this build has no MariaDB: configure it with libmariadb's headers" },
	{ "pgsql", "this build has no PostgreSQL: configure it with libpq's headers" },
	{ "kafka", "weir writes to no message broker" },
	{ "amqp", "weir writes to no message broker" },
	{ "mongodb", "weir writes to no MongoDB: use pgsql, mysql, sqlite3 or print" },
};

const struct output_ops *
door_output(const char *type)
{
	for (size_t i = 0; i < N_OUTPUTS; i++)
		if (strcmp(outputs[i]->type, type) == 0)
			return outputs[i];
	return NULL;
}

const char *
door_output_missing(const char *type)
{
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
		if (strcmp(missing[i].type, type) == 0)
			return missing[i].why;
	return "unknown type: write print, memory, snmp, rrd, sqlite3, "
	       "pgsql, mysql, tee, nfprobe or sfprobe";
}

void
door_output_defaults(const struct output_ops *ops, void *config, const char *state_dir)
{
#ifdef WITH_RRD
	static char rrd_path[PATH_MAX];

	if (ops == &rrd_output) {
		snprintf(rrd_path, sizeof(rrd_path), "%s/rrd", state_dir);
		((struct rrd_config *)config)->default_path = rrd_path;
	}
#endif
#ifdef WITH_SNMP
	static char boot_path[PATH_MAX];

	if (ops == &snmp_output) {
		snprintf(boot_path, sizeof(boot_path), "%s/snmp-boot", state_dir);
		((struct snmp_config *)config)->boot_file = boot_path;
	}
#endif
#ifdef WITH_SQL
	if (ops->directives == &sql_directives)
		((struct sql_config *)config)->state_dir = state_dir;
#endif
	(void)ops, (void)config, (void)state_dir;
}

void
door_outputs_check(const struct engine *en, const char *state_dir)
{
#ifdef WITH_SQL
	const char *names[ENGINE_OUTPUTS];
	char dir[PATH_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < en->n_outputs; i++)
		if (en->outputs[i]->ops->directives == &sql_directives)
			names[n++] = en->outputs[i]->name;
	if ((size_t)snprintf(dir, sizeof(dir), "%s/spool", state_dir) < sizeof(dir))
		spool_orphans(dir, names, n);
#else
	(void)en, (void)state_dir;
#endif
}

int
door_schema_print(const struct output *o, FILE *to, struct err *e)
{
#ifdef WITH_SQL
	if (o->ops->directives == &sql_directives)
		return ddl_print(o, to, e);
#endif
	(void)o, (void)to, (void)e;
	return 0;
}
