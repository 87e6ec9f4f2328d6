/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables, by version and by time; rows that are there already; batches that count once;
 * tables that others made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "sql/writer.h"
#include "tests/sql/rig.h"

static const struct {
	uint32_t version;
	const char *table;
	const char *columns; /* of the key marked with * */
} versions[] = {
	{ 1, "acct",
	    "bytes dst_port* ip_dst* ip_proto* ip_src* mac_dst* mac_src* packets "
	    "src_port* stamp_inserted* stamp_updated" },
	{ 2, "acct_v2",
	    "agent_id* bytes dst_port* ip_dst* ip_proto* ip_src* mac_dst* mac_src* "
	    "packets src_port* stamp_inserted* stamp_updated vlan*" },
	{ 3, "acct_v3",
	    "agent_id* bytes dst_port* ip_dst* ip_proto* ip_src* mac_dst* mac_src* "
	    "packets src_port* stamp_inserted* stamp_updated tos* vlan*" },
	{ 4, "acct_v4",
	    "agent_id* bytes dst_port* flows ip_dst* ip_proto* ip_src* mac_dst* "
	    "mac_src* packets src_port* stamp_inserted* stamp_updated tos* vlan*" },
	{ 5, "acct_v5",
	    "agent_id* bytes class_id* dst_port* flows ip_dst* ip_proto* ip_src* "
	    "mac_dst* mac_src* packets src_port* stamp_inserted* stamp_updated tos* "
	    "vlan*" },
	{ 6, "acct_v6",
	    "agent_id* as_dst* as_src* bytes class_id* dst_port* flows ip_dst* "
	    "ip_proto* ip_src* mac_dst* mac_src* packets src_port* stamp_inserted* "
	    "stamp_updated tos* vlan*" },
	{ 7, "acct_v7",
	    "agent_id* as_dst* as_src* bytes class_id* dst_port* flows ip_dst* "
	    "ip_proto* ip_src* mac_dst* mac_src* packets src_port* stamp_inserted* "
	    "stamp_updated tcp_flags tos* vlan*" },
	{ 8, "acct_v8",
	    "agent_id* as_dst* as_src* bytes class_id* flows ip_dst* ip_proto* "
	    "ip_src* mac_dst* mac_src* packets port_dst* port_src* stamp_inserted* "
	    "stamp_updated tcp_flags tos* vlan*" },
	{ 9, "acct_v9",
	    "as_dst* as_src* bytes class_id* flows ip_dst* ip_proto* ip_src* "
	    "mac_dst* mac_src* packets port_dst* port_src* stamp_inserted* "
	    "stamp_updated tag* tcp_flags tos* vlan*" },
};

static void
test_versions(void **state)
{
	struct flow f = rig_flow("192.0.2.1", "192.0.2.2", 1, 2, 6, 3, 400);

	(void)state;
	for (size_t i = 0; i < N(versions); i++) {
		struct rig g = { .sc.table_version = versions[i].version,
			.o.common = { .aggregate = "src_host", .history = "5m" } };
		char sql[256];

		rig_open(&g);
		rig_write(&g, &f, 1);
		snprintf(sql, sizeof(sql),
		    "SELECT name || CASE WHEN pk > 0 THEN '*' ELSE '' END "
		    "FROM pragma_table_info('%s') ORDER BY name",
		    versions[i].table);
		assert_string_equal(rig_rows(sql), versions[i].columns);
		snprintf(sql, sizeof(sql),
		    "SELECT ip_src, ip_dst, ip_proto, mac_src, packets, "
		    "bytes, stamp_inserted, stamp_updated FROM %s",
		    versions[i].table);
		assert_string_equal(rig_rows(sql),
		    "192.0.2.1|0.0.0.0|0|0:0:0:0:0:0|3|400|" LOCAL_BIN "|" LOCAL_CUT);
		rig_close(&g);
	}
	assert_string_equal(
	    rig_rows("SELECT class_id, flows, tag, tcp_flags FROM acct_v9"),
	    "unknown|0|0|0");
}

static void
test_table_per_day_and_ring(void **state)
{
	struct rig g = { .sc = { .table = "acct_%Y%m%d" },
		.o.common = { .aggregate = "src_host", .history = "1h" } };
	struct rig w = { .sc = { .table = "acct_%w" },
		.o.common = { .aggregate = "src_host", .history = "1h" } };
	struct flow f[3] = { rig_flow("192.0.2.1", NULL, 0, 0, 0, 1, 10),
		rig_flow("192.0.2.1", NULL, 0, 0, 0, 2, 20),
		rig_flow("192.0.2.1", NULL, 0, 0, 0, 4, 40) };

	(void)state;
	f[0].stamp = (T_BIN - 3600) * CLOCK_S; /* before local midnight */
	f[2].stamp = (T_BIN + 3600) * CLOCK_S;
	rig_open(&g);
	rig_write(&g, f, 3);
	assert_int_equal(g.r.written, 3);
	rig_close(&g);
	assert_string_equal(
	    rig_rows("SELECT sum(packets), count(*) FROM acct_20231114"), "1|1");
	assert_string_equal(
	    rig_rows("SELECT sum(packets), count(*) FROM acct_20231115"), "6|2");
	rig_open(&w);
	rig_write(&w, f, 3);
	rig_write(&w, f, 3); /* back to the first table: its statements are made anew */
	rig_close(&w);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct_2"), "2");
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct_3"), "12");
}

static void
test_no_history(void **state)
{
	struct rig g = { .sc.table_version = 2,
		.o.common = { .aggregate = "src_host" } };
	struct rig none = { .sc = { .table = "total", .optimize_clauses = true },
		.o.common = { .aggregate = "none" } };
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 0, 1, 10);

	(void)state;
	rig_open(&g);
	for (int i = 0; i < 3; i++)
		rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(
	    rig_rows("SELECT ip_src, packets, bytes, stamp_inserted, stamp_updated "
		     "FROM acct_v2"),
	    "192.0.2.1|3|30|0000-00-00 00:00:00|NULL");
	rig_open(&none);
	for (int i = 0; i < 3; i++)
		rig_write(&none, &f, 1);
	rig_close(&none);
	assert_string_equal(rig_rows("SELECT * FROM total"), "3|30");
}

static void
test_rows_are_added_to(void **state)
{
	struct rig g = { .sc.table_version = 7,
		.o.common = { .aggregate = "src_host, tcpflags, flows", .history = "5m" } };
	struct flow f[2] = { rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		rig_flow("192.0.2.2", NULL, 0, 0, 6, 5, 50) };

	(void)state;
	rig_open(&g);
	f[0].tcp_flags = 2;
	rig_write(&g, f, 2);
	f[0].tcp_flags = 18;
	f[0].bytes = 7;
	rig_write(&g, f, 1);
	rig_close(&g);
	assert_string_equal(
	    rig_rows("SELECT ip_src, packets, bytes, flows, tcp_flags FROM acct_v7 "
		     "ORDER BY ip_src"),
	    "192.0.2.1|2|17|2|18 192.0.2.2|5|50|1|0");
	assert_int_equal(g.r.rows, 3);
	assert_int_equal(g.r.written, 3);
}

static void
test_batch_counts_once(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);

	(void)state;
	rig_open(&g);
	assert_int_equal(rig_write_snapshot(&g, rig_snapshot(&g, &f, 1, 1)), 0);
	assert_int_equal(rig_write_snapshot(&g, rig_snapshot(&g, &f, 1, 1)), 0);
	assert_string_equal(rig_rows("SELECT packets FROM acct"), "1");
	assert_int_equal(g.r.written, 2); /* both are in */
	assert_int_equal(rig_write_snapshot(&g, rig_snapshot(&g, &f, 1, 2)), 0);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT packets FROM acct"), "2");
	assert_string_equal(
	    rig_rows("SELECT count(*), count(DISTINCT boot), min(seq), max(seq) FROM "
		     "weir_batch WHERE collector LIKE '%/test'"),
	    "2|1|1|2");
	/* Another run of weir begins to count again; its batches are others. */
	rig_open(&g);
	assert_int_equal(rig_write_snapshot(&g, rig_snapshot(&g, &f, 1, 1)), 0);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT packets FROM acct"), "3");
}

static void
test_only_insert(void **state)
{
	struct rig g = { .sc.dont_try_update = true,
		.o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f[2] = { rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		rig_flow("192.0.2.2", NULL, 0, 0, 6, 5, 50) };

	(void)state;
	rig_open(&g);
	rig_write(&g, f, 1);
	rig_write(&g, f, 2);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT sum(packets), count(*) FROM acct"), "6|2");
	assert_int_equal(g.r.rows, 3);
	assert_int_equal(g.r.refused, 1);
}

/* pmacct's documented table of version 4. */
#define PMACCT_V4 \
	"agent_id INT(8) NOT NULL DEFAULT 0, " \
	"mac_src CHAR(17) NOT NULL DEFAULT '0:0:0:0:0:0', " \
	"mac_dst CHAR(17) NOT NULL DEFAULT '0:0:0:0:0:0', vlan INT(4) NOT NULL " \
	"DEFAULT 0, " \
	"ip_src CHAR(45) NOT NULL DEFAULT '0.0.0.0', ip_dst CHAR(45) NOT NULL " \
	"DEFAULT " \
	"'0.0.0.0', src_port INT(4) NOT NULL DEFAULT 0, dst_port INT(4) NOT NULL " \
	"DEFAULT 0, " \
	"ip_proto CHAR(6) NOT NULL DEFAULT 0, tos INT(4) NOT NULL DEFAULT 0, packets " \
	"INT NOT " \
	"NULL, bytes BIGINT NOT NULL, flows INT NOT NULL DEFAULT 0, stamp_inserted " \
	"DATETIME NOT " \
	"NULL DEFAULT '0000-00-00 00:00:00', stamp_updated DATETIME"
#define PMACCT_V4_KEY \
	", PRIMARY KEY (agent_id, mac_src, mac_dst, vlan, ip_src, ip_dst, " \
	"src_port, dst_port, ip_proto, tos, stamp_inserted)"
#define PMACCT_ROW \
	"INSERT INTO acct_v4 (stamp_updated, stamp_inserted, ip_src, src_port, " \
	"ip_proto, packets, bytes, flows) VALUES ('2023-11-15 00:11:00', '" LOCAL_BIN \
	"', '192.0.2.1', 25, 'tcp', 100, 1000, 9);"

static unsigned steps;

static int
step_counts(struct sql_conn *c, struct sql_stmt *st, uint64_t *changed, struct err *e)
{
	steps++;
	return sqlite_driver.step(c, st, changed, e);
}

#define STAMPS "|" LOCAL_BIN "|" LOCAL_CUT
static const struct {
	const char *says;
	const char *make;
	bool optimize;
	const char *history;
	unsigned steps; /* statements for four rows: one each, or an UPDATE too */
	const char *rows; /* 192.0.2.1 then 192.0.2.2 */
} made[] = {
	{ "weir's own table", "", false, "5m", 4,
	    "192.0.2.1|25|tcp|2|20|0" STAMPS " 192.0.2.2|25|tcp|10|100|0" STAMPS },
	{ "pmacct's table and a row of pmacct's in it",
	    "CREATE TABLE acct_v4 (" PMACCT_V4 PMACCT_V4_KEY ");" PMACCT_ROW, false,
	    "5m", 4,
	    "192.0.2.1|25|tcp|102|1020|9" STAMPS " 192.0.2.2|25|tcp|10|100|0" STAMPS },
	{ "only aggregated columns, in pmacct's full table",
	    "CREATE TABLE acct_v4 (" PMACCT_V4 PMACCT_V4_KEY ");" PMACCT_ROW, true,
	    "5m", 4,
	    "192.0.2.1|25|tcp|102|1020|9" STAMPS " 192.0.2.2|25|tcp|10|100|0" STAMPS },
	{ "only aggregated columns, in a table that has just them as its key",
	    "CREATE TABLE acct_v4 (" PMACCT_V4
	    ", PRIMARY KEY (ip_src, src_port, ip_proto, "
	    "stamp_inserted));" PMACCT_ROW,
	    true, "5m", 4,
	    "192.0.2.1|25|tcp|102|1020|9" STAMPS " 192.0.2.2|25|tcp|10|100|0" STAMPS },
	{ "a table without any key", "CREATE TABLE acct_v4 (" PMACCT_V4 ");" PMACCT_ROW,
	    false, "5m", 5,
	    "192.0.2.1|25|tcp|102|1020|9" STAMPS " 192.0.2.2|25|tcp|10|100|0" STAMPS },
	{ "a table whose unique key is another, which has a number",
	    "CREATE TABLE acct_v4 (id INTEGER PRIMARY KEY, " PMACCT_V4 ");" PMACCT_ROW,
	    false, "5m", 5,
	    "192.0.2.1|25|tcp|102|1020|9" STAMPS " 192.0.2.2|25|tcp|10|100|0" STAMPS },
	{ "no history, in pmacct's table",
	    "CREATE TABLE acct_v4 (" PMACCT_V4 PMACCT_V4_KEY ");", true, NULL, 4,
	    "192.0.2.1|25|tcp|2|20|0|0000-00-00 00:00:00|NULL "
	    "192.0.2.2|25|tcp|10|100|0|0000-00-00 00:00:00|NULL" },
};

static void
test_tables_of_others(void **state)
{
	struct flow f[2] = { rig_flow("192.0.2.1", NULL, 25, 0, 6, 1, 10),
		rig_flow("192.0.2.2", NULL, 25, 0, 6, 5, 50) };
	struct sql_driver d = sqlite_driver;

	(void)state;
	d.step = step_counts;
	for (size_t i = 0; i < N(made); i++) {
		struct rig g = { .sc = { .table_version = 4,
				     .optimize_clauses = made[i].optimize },
			.o.common = { .aggregate = "src_host, src_port, proto",
			    .history = made[i].history } };
		const char *got;

		rig_run(made[i].make);
		assert_int_equal(rig_open_with(&g, &d, 100), 0);
		steps = 0;
		rig_write(&g, f, 2);
		rig_write(&g, f, 2);
		steps -= 3; /* a batch row each, and once the old ones go */
		rig_close(&g);
		got = rig_rows(
		    "SELECT ip_src, src_port, ip_proto, packets, bytes, flows, "
		    "stamp_inserted, stamp_updated FROM acct_v4 ORDER BY ip_src");
		if (strcmp(got, made[i].rows) != 0 || steps != made[i].steps)
			fail_msg("%s: %u steps, got %s", made[i].says, steps, got);
		rig_run("DROP TABLE acct_v4");
	}
}

static void
test_missing_column(void **state)
{
	struct rig g = { .sc.table_version = 4,
		.o.common = { .aggregate = "src_host, label", .history = "5m" } };

	(void)state;
	rig_run("CREATE TABLE acct_v4 (" PMACCT_V4 PMACCT_V4_KEY ");");
	assert_int_not_equal(rig_open_with(&g, NULL, 100), 0);
	assert_non_null(strstr(g.e.text, "acct_v4"));
	assert_non_null(strstr(g.e.text, "label"));
	assert_null(g.o.priv);
	rig_close(&g);
}

static void
test_old_batches_are_forgotten(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);
	char sql[256];

	(void)state;
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	snprintf(sql, sizeof(sql),
	    "UPDATE weir_batch SET stored = stored - %d; INSERT INTO "
	    "weir_batch VALUES ('other/one', 1, 1, 1, 1); INSERT INTO weir_batch "
	    "SELECT "
	    "collector, 2, 1, 1, stored + 86400 * 2 FROM weir_batch WHERE collector "
	    "LIKE "
	    "'%%/test'",
	    32 * 86400);
	rig_run(sql);
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(
	    rig_rows("SELECT count(*), count(CASE collector WHEN 'other/one' THEN 1 "
		     "END) FROM weir_batch"),
	    "3|1"); /* the last, that of six days ago, another's */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_versions),
		RIG_TEST(test_table_per_day_and_ring),
		RIG_TEST(test_no_history),
		RIG_TEST(test_rows_are_added_to),
		RIG_TEST(test_batch_counts_once),
		RIG_TEST(test_only_insert),
		RIG_TEST(test_tables_of_others),
		RIG_TEST(test_missing_column),
		RIG_TEST(test_old_batches_are_forgotten),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
