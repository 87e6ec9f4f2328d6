/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every directive of SQL plugins with every engine: it has its effect, or says why not. A
 * directive that has no row here fails the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sql/driver.h"
#include "sql/idle.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum { SQLITE, PGSQL, MYSQL, ENGINES };
static const char *const types[ENGINES] = { "sqlite3", "pgsql", "mysql" };

/* What is said with each engine; NULL: nothing, as the directive has its effect. */
#define ALL(why) { why, why, why }
#define FILE_ONLY(why) { [SQLITE] = why }

static const struct {
	const char *name;
	const char *beside; /* what else is configured */
	struct sql_config c;
	struct output_config common;
	const char *said[ENGINES];
} cases[] = {
	{ .name = "sql_db" },
	{ .name = "sql_table" },
	{ .name = "sql_table_version" },
	{ .name = "sql_table_type" },
	{ .name = "sql_table_schema" },
	{ .name = "sql_optimize_clauses" },
	{ .name = "sql_dont_try_update" },
	{ .name = "nfacctd_sql_log" },
	{ .name = "sql_data", "version 5", .c.table_version = 5,
	    .said = { "only PostgreSQL", NULL, "only PostgreSQL" } },
	{ .name = "sql_data", "version 6", .c.table_version = 6,
	    .said = { "only PostgreSQL", "from sql_table_version 6 on", "only PostgreSQL" } },
	{ .name = "sql_data", "a table of one's own",
	    .c = { .table_version = 5, .optimize_clauses = true },
	    .said = { "only PostgreSQL", "sql_optimize_clauses", "only PostgreSQL" } },
	{ .name = "sql_num_hosts", .said = { [PGSQL] = "INET" } },
	{ .name = "sql_num_protos", .said = { [PGSQL] = "numbers" } },
	{ .name = "sql_host", "a name", .c.host = "db.example.net",
	    .said = FILE_ONLY("as sql_db") },
	{ .name = "sql_port", "a name", .c.host = "db.example.net",
	    .said = FILE_ONLY("no server") },
	{ .name = "sql_port", "localhost is a socket to MySQL", .c.host = "localhost",
	    .said = { "no server", NULL, "sql_host: 127.0.0.1" } },
	{ .name = "sql_port", "no host: a socket",
	    .said = { "no server", NULL, "sql_host: 127.0.0.1" } },
	{ .name = "sql_port", "a socket", .c.host = "unix:/run/db",
	    .said = { "no server", NULL, "sql_host: 127.0.0.1" } },
	{ .name = "sql_user", .said = FILE_ONLY("permissions") },
	{ .name = "sql_passwd", .said = FILE_ONLY("permissions") },
	{ .name = "sql_passwd", "a file", .c.passwd_file = "/etc/weir/password",
	    .said = { "permissions", "sql_passwd_file", "sql_passwd_file" } },
	{ .name = "sql_passwd_file", "a file", .c.passwd_file = "/etc/weir/password",
	    .said = FILE_ONLY("permissions") },
	{ .name = "sql_conn_ca_file", "a name", .c.host = "db.example.net",
	    .said = FILE_ONLY("no server") },
	{ .name = "sql_conn_ca_file", "a socket", .c.host = "unix:/run/db",
	    .said = { "no server", "no TLS", NULL } },
	{ .name = "sql_conn_ca_file", "a folder", .c.host = "/run/db",
	    .said = { "no server", "no TLS", NULL } },
	{ .name = "sql_locking_style", .said = FILE_ONLY("one writer") },
	{ .name = "sql_spool_max" },
	{ .name = "sql_recovery_logfile" },
	{ .name = "sql_recovery_backup_host" },
	{ .name = "sql_max_writers" },
	{ .name = "sql_trigger_exec", "it", .c.trigger_exec = "/bin/true" },
	{ .name = "sql_trigger_exec_async", "a trigger", .c.trigger_exec = "/bin/true" },
	{ .name = "sql_trigger_exec_async", .said = ALL("write sql_trigger_exec") },
	{ .name = "sql_trigger_time", "a trigger", .c.trigger_exec = "/bin/true" },
	{ .name = "sql_trigger_time", .said = ALL("write sql_trigger_exec") },
	{ .name = "sql_trigger_limit", "a trigger", .c.trigger_exec = "/bin/true" },
	{ .name = "sql_trigger_limit", .said = ALL("write sql_trigger_exec") },
	{ .name = "sql_preprocess", "it", .c.preprocess = "minp=2" },
	{ .name = "sql_preprocess_type", "checks", .c.preprocess = "minp=2" },
	{ .name = "sql_preprocess_type", .said = ALL("write sql_preprocess") },
	{ .name = "sql_aggressive_classification", "class",
	    .common.aggregate = "src_host, class" },
	{ .name = "sql_aggressive_classification", "another", .common.aggregate = "src_host",
	    .said = ALL("class in aggregate") },
	{ .name = "sql_history", "it", .common.history = "5m" },
	{ .name = "sql_history_roundoff", "bins", .common.history = "5m" },
	{ .name = "sql_history_roundoff" }, /* of the times of writing */
	{ .name = "sql_history_offset", "bins", .common.history = "5m" },
	{ .name = "sql_history_offset", .said = ALL("write sql_history") },
	{ .name = "sql_refresh_time" },
	{ .name = "sql_startup_delay" },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(cases); i++)
		for (int engine = 0; engine < ENGINES; engine++) {
			struct output_ops ops = { .type = types[engine] };
			const char *want = cases[i].said[engine], *said;

			if (sql_driver_find(ops.type) == NULL)
				continue; /* not built */
			said = sql_idle(&ops, &cases[i].common, &cases[i].c, cases[i].name);
			if ((said == NULL) != (want == NULL) ||
			    (want != NULL && strstr(said, want) == NULL))
				fail_msg("%s of %s with %s: %s", cases[i].name, ops.type,
				    cases[i].beside != NULL ? cases[i].beside : "nothing else",
				    said != NULL ? said : "nothing is said");
		}
}

/* Those of `set` whose names begin so have a case; or have no value, and say so always. */
static void
rows_covered(const struct directive_set *set, const char *begin)
{
	for (const struct directive *d = set->rows; d->name != NULL; d++) {
		bool covered = d->alias_of != NULL || d->type == DIRECTIVE_NOTICE ||
			       strncmp(d->name, begin, strlen(begin)) != 0;

		for (size_t i = 0; i < N(cases) && !covered; i++)
			covered = strcmp(cases[i].name, d->name) == 0;
		if (!covered)
			fail_msg("%s has no case", d->name);
	}
}

static void
test_every_directive_has_a_case(void **state)
{
	(void)state;
	rows_covered(&sql_directives, "");
	rows_covered(&output_directives, "sql_");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_every_directive_has_a_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
