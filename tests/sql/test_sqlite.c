/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SQL door with a real SQLite file: snapshots made by hand go in, a connection of
 * the test's own reads back. Faults come from a driver that is SQLite's with one call
 * replaced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "core/output.h"
#include "core/snapshot.h"
#include "core/view.h"
#include "lib/clock.h"
#include "lib/intern.h"
#include "sql/config.h"
#include "sql/writer.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define T_BIN UINT64_C(1699999800) /* 2023-11-14 22:10:00 UTC: start of five minutes */
#define T_CUT (T_BIN + 301)
#define LOCAL_BIN "2023-11-15 00:10:00" /* TZ is two hours ahead */
#define LOCAL_CUT "2023-11-15 00:15:01"

static char dir[64], db[96];

/* One SQL plugin with its view. */
struct rig {
	struct sql_config sc;
	struct output o;
	struct view *v;
	uint64_t seq;
	struct output_result r; /* sums over all writes */
	struct err e;           /* of the last */
};

static int
rig_plan(struct rig *g, struct view_config *vc)
{
	if (g->o.ops == NULL)
		g->o.ops = &sqlite3_output;
	if (g->o.name[0] == '\0')
		strcpy(g->o.name, "test");
	if (g->sc.db == NULL)
		g->sc.db = db;
	if (g->sc.table_version == 0)
		g->sc.table_version = 1;
	if (g->o.common.refresh == 0)
		g->o.common.refresh = 300;
	g->o.config = &g->sc;
	return output_plan(&g->o, vc, &g->e);
}

/* What is set in `g` stays; the rest is: version 1, file `db`, refresh 300. */
static int
rig_open_with(struct rig *g, const struct sql_driver *d, uint32_t max_rows)
{
	struct view_config vc;

	g->e = (struct err)ERR_INIT;
	if (rig_plan(g, &vc) != 0)
		return -1;
	bins_start(&vc.bins, T_BIN * CLOCK_S);
	g->v = g->o.view = view_new(g->o.name, &vc, max_rows, 1, &g->e);
	assert_non_null(g->v);
	return d != NULL ? writer_open(&g->o, d, &g->e) : g->o.ops->open(&g->o, &g->e);
}

static void
rig_open(struct rig *g)
{
	if (rig_open_with(g, NULL, 1U << 16) != 0)
		fail_msg("open: %s", g->e.text);
}

static void
rig_close(struct rig *g)
{
	if (g->o.priv != NULL)
		g->o.ops->close(&g->o);
	view_free(g->v);
}

/* A snapshot of `flows` with number `seq`. */
static struct snapshot *
rig_snapshot(struct rig *g, const struct flow *flows, unsigned n, uint64_t seq)
{
	struct shard sh;
	struct snapshot *s;

	assert_int_equal(shard_init(&sh, g->v, NULL), 0);
	for (unsigned i = 0; i < n; i += FLOW_BATCH)
		shard_feed(&sh, flows + i, n - i < FLOW_BATCH ? n - i : FLOW_BATCH);
	s = snapshot_new(g->v, sh.active, true);
	assert_non_null(s);
	s->seq = seq;
	s->cut = T_CUT * CLOCK_S;
	s->horizon = UINT64_MAX;
	return s;
}

static int
rig_write_snapshot(struct rig *g, struct snapshot *s)
{
	struct output_result r = { 0 };
	int rc;

	g->e = (struct err)ERR_INIT;
	rc = g->o.ops->write(&g->o, s, &r, &g->e);
	assert_int_equal(r.rows, r.written + r.spooled + r.refused);
	g->r.rows += r.rows;
	g->r.written += r.written;
	g->r.refused += r.refused;
	snapshot_unref(s);
	return rc;
}

static int
rig_try(struct rig *g, const struct flow *flows, unsigned n)
{
	return rig_write_snapshot(g, rig_snapshot(g, flows, n, ++g->seq));
}

static void
rig_write(struct rig *g, const struct flow *flows, unsigned n)
{
	if (rig_try(g, flows, n) != 0)
		fail_msg("write: %s", g->e.text);
}

/* The rows that `sql` yields: values divided by |, each row ended by a blank. */
static const char *
rows(const char *sql)
{
	static char out[8192];
	sqlite3_stmt *st;
	sqlite3 *c;
	size_t len = 0;

	out[0] = '\0';
	assert_int_equal(sqlite3_open(db, &c), SQLITE_OK);
	sqlite3_busy_timeout(c, 5000);
	if (sqlite3_prepare_v2(c, sql, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(c));
	while (sqlite3_step(st) == SQLITE_ROW)
		for (int i = 0, n = sqlite3_column_count(st); i < n; i++) {
			const char *v = (const char *)sqlite3_column_text(st, i);

			len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%s",
			    v != NULL ? v : "NULL", i + 1 < n ? "|" : " ");
		}
	sqlite3_finalize(st);
	sqlite3_close(c);
	if (len > 0)
		out[len - 1] = '\0';
	return out;
}

static void
run(const char *sql)
{
	sqlite3 *c;
	char *error = NULL;

	assert_int_equal(sqlite3_open(db, &c), SQLITE_OK);
	if (sqlite3_exec(c, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
	sqlite3_close(c);
}

static struct flow
flow(const char *src, const char *dst, uint16_t sport, uint16_t dport, uint8_t proto,
    uint64_t packets, uint64_t bytes)
{
	struct flow f;

	flow_clear(&f);
	if (src != NULL)
		assert_int_equal(ip_parse(src, &f.src_host), 0);
	if (dst != NULL)
		assert_int_equal(ip_parse(dst, &f.dst_host), 0);
	f.src_port = sport;
	f.dst_port = dport;
	f.proto = proto;
	f.packets = packets;
	f.bytes = bytes;
	f.flows = 1;
	f.stamp = (T_BIN + 10) * CLOCK_S;
	return f;
}

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-test-sql-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(db, sizeof(db), "%s/t.db", dir);
	return 0;
}

static int
teardown(void **state)
{
	static const char *const tails[] = { "", "-wal", "-shm", "-journal" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < N(tails); i++) {
		snprintf(path, sizeof(path), "%s%s", db, tails[i]);
		unlink(path);
	}
	return rmdir(dir);
}

/* ---- tables ---- */

static const struct {
	uint32_t version;
	const char *table;
	const char *columns; /* of the key marked with * */
} versions[] = {
	{ 1, "acct", "bytes dst_port* ip_dst* ip_proto* ip_src* mac_dst* mac_src* packets "
	             "src_port* stamp_inserted* stamp_updated" },
	{ 2, "acct_v2", "agent_id* bytes dst_port* ip_dst* ip_proto* ip_src* mac_dst* mac_src* "
	                "packets src_port* stamp_inserted* stamp_updated vlan*" },
	{ 3, "acct_v3", "agent_id* bytes dst_port* ip_dst* ip_proto* ip_src* mac_dst* mac_src* "
	                "packets src_port* stamp_inserted* stamp_updated tos* vlan*" },
	{ 4, "acct_v4", "agent_id* bytes dst_port* flows ip_dst* ip_proto* ip_src* mac_dst* "
	                "mac_src* packets src_port* stamp_inserted* stamp_updated tos* vlan*" },
	{ 5, "acct_v5", "agent_id* bytes class_id* dst_port* flows ip_dst* ip_proto* ip_src* "
	                "mac_dst* mac_src* packets src_port* stamp_inserted* stamp_updated tos* "
	                "vlan*" },
	{ 6, "acct_v6", "agent_id* as_dst* as_src* bytes class_id* dst_port* flows ip_dst* "
	                "ip_proto* ip_src* mac_dst* mac_src* packets src_port* stamp_inserted* "
	                "stamp_updated tos* vlan*" },
	{ 7, "acct_v7", "agent_id* as_dst* as_src* bytes class_id* dst_port* flows ip_dst* "
	                "ip_proto* ip_src* mac_dst* mac_src* packets src_port* stamp_inserted* "
	                "stamp_updated tcp_flags tos* vlan*" },
	{ 8, "acct_v8", "agent_id* as_dst* as_src* bytes class_id* flows ip_dst* ip_proto* "
	                "ip_src* mac_dst* mac_src* packets port_dst* port_src* stamp_inserted* "
	                "stamp_updated tcp_flags tos* vlan*" },
	{ 9, "acct_v9", "as_dst* as_src* bytes class_id* flows ip_dst* ip_proto* ip_src* "
	                "mac_dst* mac_src* packets port_dst* port_src* stamp_inserted* "
	                "stamp_updated tag* tcp_flags tos* vlan*" },
};

static void
test_versions(void **state)
{
	struct flow f = flow("192.0.2.1", "192.0.2.2", 1, 2, 6, 3, 400);

	(void)state;
	for (size_t i = 0; i < N(versions); i++) {
		struct rig g = { .sc.table_version = versions[i].version,
			.o.common = { .aggregate = "src_host", .history = "5m" } };
		char sql[256];

		rig_open(&g);
		rig_write(&g, &f, 1);
		snprintf(sql, sizeof(sql), "SELECT name || CASE WHEN pk > 0 THEN '*' ELSE '' END "
		    "FROM pragma_table_info('%s') ORDER BY name", versions[i].table);
		assert_string_equal(rows(sql), versions[i].columns);
		snprintf(sql, sizeof(sql), "SELECT ip_src, ip_dst, ip_proto, mac_src, packets, "
		    "bytes, stamp_inserted, stamp_updated FROM %s", versions[i].table);
		assert_string_equal(rows(sql), "192.0.2.1|0.0.0.0|0|0:0:0:0:0:0|3|400|" LOCAL_BIN
		    "|" LOCAL_CUT);
		rig_close(&g);
	}
	assert_string_equal(rows("SELECT class_id, flows, tag, tcp_flags FROM acct_v9"),
	    "unknown|1|0|0");
}

static void
test_all_values(void **state)
{
	struct rig g = { .sc.table_version = 9, .o.common = { .history = "5m", .aggregate =
	    "src_host, dst_host, src_port, dst_port, proto, tos, vlan, src_as, dst_as, src_mac, "
	    "dst_mac, class, tag, tcpflags" } };
	struct flow f = flow("2001:db8::1", "192.0.2.2", 40000, 443, 6, 10, 9000);

	(void)state;
	f.tos = 8;
	f.vlan = 100;
	f.src_as = 4200000000U;
	f.dst_as = 65001;
	f.src_mac = (mac_t){ { 2, 0, 0, 0, 0, 0xab } };
	f.class_id = intern("dns", 3);
	f.tag = 77;
	f.tcp_flags = 0x12;
	rig_open(&g);
	rig_write(&g, &f, 1);
	assert_string_equal(rows("SELECT ip_src, ip_dst, port_src, port_dst, ip_proto, tos, vlan, "
	    "as_src, as_dst, mac_src, mac_dst, class_id, tag, tcp_flags, packets, bytes, flows "
	    "FROM acct_v9"), "2001:db8::1|192.0.2.2|40000|443|tcp|8|100|4200000000|65001|"
	    "02:00:00:00:00:ab|00:00:00:00:00:00|dns|77|18|10|9000|1");
	assert_string_equal(rows("SELECT typeof(port_src), typeof(as_src), typeof(bytes), "
	    "typeof(ip_src), typeof(stamp_inserted) FROM acct_v9"),
	    "integer|integer|integer|text|text");
	rig_close(&g);
}

static void
test_number_forms(void **state)
{
	struct rig g = { .sc = { .optimize_clauses = true, .table = "a" }, .o.common = {
	    .history = "5m", .aggregate = "proto, etype, timestamp_start", .text.since_epoch = true,
	    .text.num_protos = true } };
	struct rig u = { .sc = { .optimize_clauses = true, .table = "b" }, .o.common = {
	    .history = "5m", .aggregate = "timestamp_start", .text.utc = true } };
	struct flow f = flow(NULL, NULL, 0, 0, 17, 1, 2);

	(void)state;
	f.etype = 0x86dd;
	f.timestamp_start = T_BIN * CLOCK_S + 1234 * CLOCK_US;
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(rows("SELECT ip_proto, etype, timestamp_start, "
	    "timestamp_start_residual, stamp_inserted, stamp_updated, typeof(stamp_inserted) FROM "
	    "a"), "17|86dd|1699999800|1234|1699999800|1700000101|integer");
	rig_open(&u);
	rig_write(&u, &f, 1);
	rig_close(&u);
	assert_string_equal(rows("SELECT timestamp_start, timestamp_start_residual, stamp_inserted "
	    "FROM b"), "2023-11-14 22:10:00|1234|2023-11-14 22:10:00");
}

static void
test_optimized(void **state)
{
	struct rig g = { .sc = { .optimize_clauses = true, .table_version = 9 },
		.o.common = { .aggregate = "src_host, label, tag2", .history = "5m" } };
	struct flow f = flow("192.0.2.1", "192.0.2.2", 1, 2, 6, 3, 400);

	(void)state;
	f.tag2 = 5;
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(rows("SELECT ip_src, tag2, label, packets, bytes, stamp_inserted, "
	    "stamp_updated FROM acct_v9"), "192.0.2.1|5||3|400|" LOCAL_BIN "|" LOCAL_CUT);
	assert_string_equal(rows("SELECT count(*) FROM pragma_table_info('acct_v9')"), "7");
}

static void
test_as_before_version_6(void **state)
{
	struct rig g = { .sc.table_version = 4,
		.o.common = { .aggregate = "src_as, dst_as", .history = "5m" } };
	struct flow f = flow("192.0.2.1", "192.0.2.2", 1, 2, 6, 3, 400);

	(void)state;
	f.src_as = 65001;
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(rows("SELECT ip_src, ip_dst, bytes FROM acct_v4"), "65001|0|400");
}

static void
test_table_per_day_and_ring(void **state)
{
	struct rig g = { .sc = { .table = "acct_%Y%m%d" },
		.o.common = { .aggregate = "src_host", .history = "1h" } };
	struct rig w = { .sc = { .table = "acct_%w" },
		.o.common = { .aggregate = "src_host", .history = "1h" } };
	struct flow f[3] = { flow("192.0.2.1", NULL, 0, 0, 0, 1, 10),
		flow("192.0.2.1", NULL, 0, 0, 0, 2, 20), flow("192.0.2.1", NULL, 0, 0, 0, 4, 40) };

	(void)state;
	f[0].stamp = (T_BIN - 3600) * CLOCK_S; /* before local midnight */
	f[2].stamp = (T_BIN + 3600) * CLOCK_S;
	rig_open(&g);
	rig_write(&g, f, 3);
	assert_int_equal(g.r.written, 3);
	rig_close(&g);
	assert_string_equal(rows("SELECT sum(packets), count(*) FROM acct_20231114"), "1|1");
	assert_string_equal(rows("SELECT sum(packets), count(*) FROM acct_20231115"), "6|2");
	rig_open(&w);
	rig_write(&w, f, 3);
	rig_write(&w, f, 3); /* back to the first table: its statements are made anew */
	rig_close(&w);
	assert_string_equal(rows("SELECT sum(packets) FROM acct_2"), "2");
	assert_string_equal(rows("SELECT sum(packets) FROM acct_3"), "12");
}

static void
test_no_history(void **state)
{
	struct rig g = { .sc.table_version = 2, .o.common = { .aggregate = "src_host" } };
	struct rig none = { .sc = { .table = "total", .optimize_clauses = true },
		.o.common = { .aggregate = "none" } };
	struct flow f = flow("192.0.2.1", NULL, 0, 0, 0, 1, 10);

	(void)state;
	rig_open(&g);
	for (int i = 0; i < 3; i++)
		rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(rows("SELECT ip_src, packets, bytes, stamp_inserted, stamp_updated "
	    "FROM acct_v2"), "192.0.2.1|3|30|0000-00-00 00:00:00|NULL");
	rig_open(&none);
	for (int i = 0; i < 3; i++)
		rig_write(&none, &f, 1);
	rig_close(&none);
	assert_string_equal(rows("SELECT * FROM total"), "3|30");
}

/* ---- sums ---- */

static void
test_rows_are_added_to(void **state)
{
	struct rig g = { .sc.table_version = 7,
		.o.common = { .aggregate = "src_host, tcpflags", .history = "5m" } };
	struct flow f[2] = { flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		flow("192.0.2.2", NULL, 0, 0, 6, 5, 50) };

	(void)state;
	rig_open(&g);
	f[0].tcp_flags = 2;
	rig_write(&g, f, 2);
	f[0].tcp_flags = 18;
	f[0].bytes = 7;
	rig_write(&g, f, 1);
	rig_close(&g);
	assert_string_equal(rows("SELECT ip_src, packets, bytes, flows, tcp_flags FROM acct_v7 "
	    "ORDER BY ip_src"), "192.0.2.1|2|17|2|18 192.0.2.2|5|50|1|0");
	assert_int_equal(g.r.rows, 3);
	assert_int_equal(g.r.written, 3);
}

static void
test_batch_counts_once(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f = flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);

	(void)state;
	rig_open(&g);
	assert_int_equal(rig_write_snapshot(&g, rig_snapshot(&g, &f, 1, 1)), 0);
	assert_int_equal(rig_write_snapshot(&g, rig_snapshot(&g, &f, 1, 1)), 0);
	assert_string_equal(rows("SELECT packets FROM acct"), "1");
	assert_int_equal(g.r.written, 2); /* both are in */
	assert_int_equal(rig_write_snapshot(&g, rig_snapshot(&g, &f, 1, 2)), 0);
	rig_close(&g);
	assert_string_equal(rows("SELECT packets FROM acct"), "2");
	assert_string_equal(rows("SELECT count(*), count(DISTINCT boot), min(seq), max(seq) FROM "
	    "weir_batch WHERE collector LIKE '%/test'"), "2|1|1|2");
	/* Another run of weir begins to count again; its batches are others. */
	rig_open(&g);
	assert_int_equal(rig_write_snapshot(&g, rig_snapshot(&g, &f, 1, 1)), 0);
	rig_close(&g);
	assert_string_equal(rows("SELECT packets FROM acct"), "3");
}

static void
test_other_row(void **state)
{
	struct rig g = { .sc.table_version = 4, .o.common = { .aggregate = "src_host, dst_port",
	    .history = "5m" } };
	struct flow f[100];

	(void)state;
	assert_int_equal(rig_open_with(&g, NULL, 16), 0);
	for (unsigned i = 0; i < N(f); i++) {
		f[i] = flow("192.0.2.1", NULL, 0, (uint16_t)(1000 + i / 2), 6, 1, 100);
		f[i].stamp += i % 2 * 300 * CLOCK_S; /* of two bins by turns */
	}
	rig_write(&g, f, N(f));
	rig_close(&g);
	assert_string_equal(rows("SELECT sum(packets), sum(bytes), sum(flows) FROM acct_v4"),
	    "100|10000|100");
	assert_string_equal(rows("SELECT packets, bytes, flows, dst_port, stamp_inserted FROM "
	    "acct_v4 WHERE ip_src = '0.0.0.0' ORDER BY stamp_inserted"),
	    "42|4200|42|0|" LOCAL_BIN " 42|4200|42|0|2023-11-15 00:15:00");
	assert_string_equal(rows("SELECT count(*) FROM acct_v4 WHERE ip_src = '192.0.2.1' AND "
	    "packets = 1 GROUP BY stamp_inserted"), "8 8");
	assert_int_equal(g.r.rows, 18);
}

static void
test_large_numbers(void **state)
{
	struct rig g = { .sc.table_version = 9, .o.common = { .aggregate = "tag",
	    .history = "5m" } };
	struct flow f[3] = { flow(NULL, NULL, 0, 0, 0, 1, UINT64_MAX),
		flow(NULL, NULL, 0, 0, 0, 1, INT64_MAX), flow(NULL, NULL, 0, 0, 0, 1, 3) };

	(void)state;
	f[1].tag = INT64_MAX;
	f[2].tag = UINT64_MAX;
	rig_open(&g);
	rig_write(&g, f, 3);
	rig_close(&g);
	assert_string_equal(rows("SELECT tag, bytes FROM acct_v9 ORDER BY tag LIMIT 2"),
	    "0|9223372036854775807 9223372036854775807|9223372036854775807");
	assert_string_equal(rows("SELECT count(*) FROM acct_v9"), "3");
}

static void
test_labels_are_data(void **state)
{
	static const char *const labels[] = { "x'); DROP TABLE acct; --", "it''s \"quoted\" `b`",
		"?1 $1 :a %s \\", "caf\xc3\xa9", "bad\xff\xc3utf8" };
	static const char *const want[] = { "x'); DROP TABLE acct; --", "it''s \"quoted\" `b`",
		"?1 $1 :a %s \\", "caf\xc3\xa9", "bad??utf8" };
	struct rig g = { .sc.optimize_clauses = true, .o.common = { .aggregate = "label, tag",
	    .history = "5m" } };
	struct flow f[N(labels)];
	char sql[128];

	(void)state;
	rig_open(&g);
	for (unsigned i = 0; i < N(labels); i++) {
		f[i] = flow(NULL, NULL, 0, 0, 0, 1, 1);
		f[i].tag = i + 1;
		f[i].label = intern(labels[i], strlen(labels[i]));
	}
	rig_write(&g, f, N(f));
	rig_close(&g);
	for (unsigned i = 0; i < N(labels); i++) {
		snprintf(sql, sizeof(sql), "SELECT label FROM acct WHERE agent_id = %u", i + 1);
		assert_string_equal(rows(sql), want[i]);
	}
}

static void
test_only_insert(void **state)
{
	struct rig g = { .sc.dont_try_update = true,
		.o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f[2] = { flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		flow("192.0.2.2", NULL, 0, 0, 6, 5, 50) };

	(void)state;
	rig_open(&g);
	rig_write(&g, f, 1);
	assert_int_not_equal(rig_try(&g, f, 2), 0);
	assert_non_null(strstr(g.e.text, "1 rows refused"));
	rig_close(&g);
	assert_string_equal(rows("SELECT sum(packets), count(*) FROM acct"), "6|2");
	assert_int_equal(g.r.rows, 3);
	assert_int_equal(g.r.refused, 1);
}

/* ---- tables that others made ---- */

/* pmacct's documented table of version 4. */
#define PMACCT_V4 "agent_id INT(8) NOT NULL DEFAULT 0, " \
	"mac_src CHAR(17) NOT NULL DEFAULT '0:0:0:0:0:0', " \
	"mac_dst CHAR(17) NOT NULL DEFAULT '0:0:0:0:0:0', vlan INT(4) NOT NULL DEFAULT 0, " \
	"ip_src CHAR(45) NOT NULL DEFAULT '0.0.0.0', ip_dst CHAR(45) NOT NULL DEFAULT " \
	"'0.0.0.0', src_port INT(4) NOT NULL DEFAULT 0, dst_port INT(4) NOT NULL DEFAULT 0, " \
	"ip_proto CHAR(6) NOT NULL DEFAULT 0, tos INT(4) NOT NULL DEFAULT 0, packets INT NOT " \
	"NULL, bytes BIGINT NOT NULL, flows INT NOT NULL DEFAULT 0, stamp_inserted DATETIME NOT " \
	"NULL DEFAULT '0000-00-00 00:00:00', stamp_updated DATETIME"
#define PMACCT_V4_KEY ", PRIMARY KEY (agent_id, mac_src, mac_dst, vlan, ip_src, ip_dst, " \
	"src_port, dst_port, ip_proto, tos, stamp_inserted)"
#define PMACCT_ROW "INSERT INTO acct_v4 (stamp_updated, stamp_inserted, ip_src, src_port, " \
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
	unsigned steps;    /* statements for four rows: one each, or an UPDATE too */
	const char *rows;  /* 192.0.2.1 then 192.0.2.2 */
} made[] = {
	{ "weir's own table", "", false, "5m", 4,
	    "192.0.2.1|25|tcp|2|20|2" STAMPS " 192.0.2.2|25|tcp|10|100|2" STAMPS },
	{ "pmacct's table and a row of pmacct's in it",
	    "CREATE TABLE acct_v4 (" PMACCT_V4 PMACCT_V4_KEY ");" PMACCT_ROW, false, "5m", 4,
	    "192.0.2.1|25|tcp|102|1020|11" STAMPS " 192.0.2.2|25|tcp|10|100|2" STAMPS },
	{ "only aggregated columns, in pmacct's full table",
	    "CREATE TABLE acct_v4 (" PMACCT_V4 PMACCT_V4_KEY ");" PMACCT_ROW, true, "5m", 4,
	    "192.0.2.1|25|tcp|102|1020|9" STAMPS " 192.0.2.2|25|tcp|10|100|0" STAMPS },
	{ "only aggregated columns, in a table that has just them as its key",
	    "CREATE TABLE acct_v4 (" PMACCT_V4 ", PRIMARY KEY (ip_src, src_port, ip_proto, "
	    "stamp_inserted));" PMACCT_ROW, true, "5m", 4,
	    "192.0.2.1|25|tcp|102|1020|9" STAMPS " 192.0.2.2|25|tcp|10|100|0" STAMPS },
	{ "a table without any key",
	    "CREATE TABLE acct_v4 (" PMACCT_V4 ");" PMACCT_ROW, false, "5m", 5,
	    "192.0.2.1|25|tcp|102|1020|11" STAMPS " 192.0.2.2|25|tcp|10|100|2" STAMPS },
	{ "a table whose unique key is another, which has a number",
	    "CREATE TABLE acct_v4 (id INTEGER PRIMARY KEY, " PMACCT_V4 ");" PMACCT_ROW, false,
	    "5m", 5,
	    "192.0.2.1|25|tcp|102|1020|11" STAMPS " 192.0.2.2|25|tcp|10|100|2" STAMPS },
	{ "no history, in pmacct's table",
	    "CREATE TABLE acct_v4 (" PMACCT_V4 PMACCT_V4_KEY ");", true, NULL, 4,
	    "192.0.2.1|25|tcp|2|20|0|0000-00-00 00:00:00|NULL "
	    "192.0.2.2|25|tcp|10|100|0|0000-00-00 00:00:00|NULL" },
};

static void
test_tables_of_others(void **state)
{
	struct flow f[2] = { flow("192.0.2.1", NULL, 25, 0, 6, 1, 10),
		flow("192.0.2.2", NULL, 25, 0, 6, 5, 50) };
	struct sql_driver d = sqlite_driver;

	(void)state;
	d.step = step_counts;
	for (size_t i = 0; i < N(made); i++) {
		struct rig g = { .sc = { .table_version = 4, .optimize_clauses = made[i].optimize },
			.o.common = { .aggregate = "src_host, src_port, proto",
			    .history = made[i].history } };
		const char *got;

		run(made[i].make);
		assert_int_equal(rig_open_with(&g, &d, 100), 0);
		steps = 0;
		rig_write(&g, f, 2);
		rig_write(&g, f, 2);
		steps -= 3; /* a batch row each, and once the old ones go */
		rig_close(&g);
		got = rows("SELECT ip_src, src_port, ip_proto, packets, bytes, flows, "
		    "stamp_inserted, stamp_updated FROM acct_v4 ORDER BY ip_src");
		if (strcmp(got, made[i].rows) != 0 || steps != made[i].steps)
			fail_msg("%s: %u steps, got %s", made[i].says, steps, got);
		run("DROP TABLE acct_v4");
	}
}

static void
test_missing_column(void **state)
{
	struct rig g = { .sc.table_version = 4, .o.common = { .aggregate = "src_host, label",
	    .history = "5m" } };

	(void)state;
	run("CREATE TABLE acct_v4 (" PMACCT_V4 PMACCT_V4_KEY ");");
	assert_int_not_equal(rig_open_with(&g, NULL, 100), 0);
	assert_non_null(strstr(g.e.text, "acct_v4"));
	assert_non_null(strstr(g.e.text, "label"));
	assert_null(g.o.priv);
	rig_close(&g);
}

/* ---- plan ---- */

static const struct {
	const char *says;
	struct sql_config sc;
	struct output_config common;
	bool hold_open;
	const char *error; /* NULL: taken */
} plans[] = {
	{ "rows wait for the end of their bin", { .table_version = 1 },
	    { .aggregate = "src_host", .history = "5m", .refresh = 300 }, true, NULL },
	{ "written once in two bins, too", { .table_version = 1 },
	    { .aggregate = "src_host", .history = "5m", .refresh = 600 }, true, NULL },
	{ "written oftener, the open bin is written", { .table_version = 1 },
	    { .aggregate = "src_host", .history = "5m", .refresh = 60 }, false, NULL },
	{ "a month is longer than any refresh time", { .table_version = 1 },
	    { .aggregate = "src_host", .history = "1M", .refresh = 86400 }, false, NULL },
	{ "without history nothing waits", { .table_version = 1 },
	    { .aggregate = "src_host", .refresh = 60 }, false, NULL },
	{ "a table by day needs a history", { .table_version = 1, .table = "t_%d" },
	    { .aggregate = "src_host", .refresh = 60 }, false, "sql_history" },
	{ "a name that is none is refused at once", { .table_version = 1, .table = "t'" },
	    { .aggregate = "src_host", .refresh = 60 }, false, "sql_table" },
	{ "a primitive above the version", { .table_version = 1 },
	    { .aggregate = "src_host, tag", .refresh = 60 }, false, "sql_table_version: 2" },
};

static void
test_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(plans); i++) {
		struct rig g = { .sc = plans[i].sc, .o.common = plans[i].common };
		struct view_config vc;
		int rc = rig_plan(&g, &vc);

		if ((rc == 0) != (plans[i].error == NULL) ||
		    (rc == 0 && vc.hold_open != plans[i].hold_open) ||
		    (rc != 0 && strstr(g.e.text, plans[i].error) == NULL))
			fail_msg("%s: %d %s", plans[i].says, rc, g.e.text);
	}
}

static void
test_flows_from_version_4(void **state)
{
	struct view_config vc;

	(void)state;
	for (uint32_t v = 1; v <= SQL_VERSION_MAX; v++) {
		struct rig g = { .sc.table_version = v, .o.common.aggregate = "src_host" };

		assert_int_equal(rig_plan(&g, &vc), 0);
		assert_int_equal(field_set_has(&g.o.fields, F_FLOWS), v >= 4);
	}
}

/* ---- faults ---- */

static const struct {
	const char *says;
	const char *path;  /* below the folder of the test */
	const char *reason;
} paths[] = {
	{ "a folder that is not there", "no/such.db", "No such file or directory" },
	{ "a folder", ".", "" },
	{ "a file that is no database", "text", "not a database" },
};

static void
test_unusable_paths(void **state)
{
	char path[128];
	FILE *text;

	(void)state;
	snprintf(path, sizeof(path), "%s/text", dir);
	assert_non_null(text = fopen(path, "w"));
	for (int i = 0; i < 100; i++)
		fputs("this is a letter to somebody\n", text);
	fclose(text);
	for (size_t i = 0; i < N(paths); i++) {
		struct rig g = { .sc.db = path, .o.common.aggregate = "src_host" };

		snprintf(path, sizeof(path), "%s/%s", dir, paths[i].path);
		if (rig_open_with(&g, NULL, 100) == 0 || strstr(g.e.text, path) == NULL ||
		    strstr(g.e.text, paths[i].reason) == NULL)
			fail_msg("%s: %s", paths[i].says, g.e.text);
		assert_null(g.o.priv);
		rig_close(&g);
	}
	snprintf(path, sizeof(path), "%s/text", dir);
	unlink(path);
}

static int
commit_dies(struct sql_conn *c, struct err *e)
{
	(void)c;
	(void)e;
	_exit(9);
}

static void
test_crash_leaves_nothing_half(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f[2] = { flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		flow("192.0.2.2", NULL, 0, 0, 6, 5, 50) };
	struct sql_driver dying = sqlite_driver;
	int status;
	pid_t pid;

	(void)state;
	dying.commit = commit_dies;
	if ((pid = fork()) == 0) {
		if (rig_open_with(&g, &dying, 100) != 0)
			_exit(1);
		rig_try(&g, f, 2);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 9);
	assert_string_equal(rows("SELECT count(*) FROM acct"), "0");
	assert_string_equal(rows("SELECT count(*) FROM weir_batch"), "0");
	rig_open(&g);
	rig_write(&g, f, 2);
	rig_close(&g);
	assert_string_equal(rows("SELECT sum(packets) FROM acct"), "6");
}

static unsigned faults; /* calls that are still to fail */

/* The answer to the commit is lost, as when a server dies after it. */
static int
commit_unheard(struct sql_conn *c, struct err *e)
{
	int rc = sqlite_driver.commit(c, e);

	if (rc != 0 || faults == 0)
		return rc;
	faults--;
	return err_set(e, WEIR_EIO, "nobody answers");
}

static int
begin_fails(struct sql_conn *c, struct err *e)
{
	if (faults == 0)
		return sqlite_driver.begin(c, e);
	faults--;
	return err_set(e, WEIR_EIO, "not now");
}

/* The second row of a batch does not go in. */
static int
step_fails(struct sql_conn *c, struct sql_stmt *st, uint64_t *changed, struct err *e)
{
	static unsigned n;

	if (faults == 0 || ++n % 3 != 0)
		return sqlite_driver.step(c, st, changed, e);
	faults--;
	return err_set(e, WEIR_EIO, "disk is full");
}

static void
test_lost_answer(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f[2] = { flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		flow("192.0.2.1", NULL, 0, 0, 6, 5, 50) };
	struct sql_driver d = sqlite_driver;

	(void)state;
	f[1].stamp += 300 * CLOCK_S; /* two bins, two batches */
	d.commit = commit_unheard;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1;
	assert_int_not_equal(rig_try(&g, f, 2), 0);
	assert_int_equal(g.r.rows, 0); /* not yet known */
	assert_string_equal(rows("SELECT sum(packets) FROM acct"), "1");
	rig_write(&g, f, 2);
	rig_close(&g);
	assert_string_equal(rows("SELECT sum(packets), count(*) FROM acct"), "12|2");
	assert_int_equal(g.r.rows, 4);
	assert_int_equal(g.r.written, 4);
}

static void
test_failed_batch_is_tried_again(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f[2] = { flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		flow("192.0.2.2", NULL, 0, 0, 6, 5, 50) };
	struct sql_driver d = sqlite_driver;

	(void)state;
	d.step = step_fails;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1;
	assert_int_not_equal(rig_try(&g, f, 2), 0);
	assert_non_null(strstr(g.e.text, "disk is full; rows kept"));
	assert_string_equal(rows("SELECT count(*) FROM acct"), "0");
	rig_write(&g, f, 1);
	rig_close(&g);
	assert_string_equal(rows("SELECT ip_src, packets FROM acct ORDER BY 1"),
	    "192.0.2.1|2 192.0.2.2|5");
	assert_int_equal(g.r.written, 3);
}

static void
test_what_cannot_be_written_is_counted(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f[4] = { flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		flow("192.0.2.2", NULL, 0, 0, 6, 2, 10), flow("192.0.2.3", NULL, 0, 0, 6, 4, 10),
		flow("192.0.2.4", NULL, 0, 0, 6, 8, 10) };
	struct sql_driver d = sqlite_driver;
	struct snapshot *last;

	(void)state;
	d.begin = begin_fails;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1000;
	for (unsigned i = 0; i < 4; i++)
		assert_int_not_equal(rig_try(&g, &f[i], 1), 0);
	/* Two wait, two were given up: the oldest. */
	assert_int_equal(g.r.refused, 2);
	assert_int_equal(g.r.rows, 2);
	assert_non_null(strstr(g.e.text, "1 rows given up"));
	last = rig_snapshot(&g, f, 1, ++g.seq);
	last->last = true;
	faults = 2; /* the final one tries harder */
	assert_int_equal(rig_write_snapshot(&g, last), 0);
	rig_close(&g);
	assert_string_equal(rows("SELECT sum(packets) FROM acct"), "13");
	assert_int_equal(g.r.rows, 5);
	assert_int_equal(g.r.written, 3);
}

static void
test_last_snapshot_is_given_up(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f = flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);
	struct sql_driver d = sqlite_driver;
	struct snapshot *last;

	(void)state;
	d.begin = begin_fails;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1000;
	assert_int_not_equal(rig_try(&g, &f, 1), 0);
	last = rig_snapshot(&g, &f, 1, ++g.seq);
	last->last = true;
	assert_int_not_equal(rig_write_snapshot(&g, last), 0);
	assert_int_equal(g.r.refused, 2);
	/* What waits when there was no last one is in the books after close. */
	assert_int_not_equal(rig_try(&g, &f, 1), 0);
	rig_close(&g);
	assert_int_equal(g.o.refused, 1);
	assert_int_equal(g.o.rows, 1);
	faults = 0;
}

static void *
unlock_later(void *arg)
{
	nanosleep(&(struct timespec){ 0, 400000000L }, NULL);
	sqlite3_exec(arg, "COMMIT", NULL, NULL, NULL);
	return NULL;
}

static void
test_locked_by_another(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f = flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);
	pthread_t thread;
	sqlite3 *c;

	(void)state;
	rig_open(&g);
	assert_int_equal(sqlite3_open(db, &c), SQLITE_OK);
	assert_int_equal(sqlite3_exec(c, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(pthread_create(&thread, NULL, unlock_later, c), 0);
	rig_write(&g, &f, 1);
	pthread_join(thread, NULL);
	sqlite3_close(c);
	rig_close(&g);
	assert_string_equal(rows("SELECT packets FROM acct"), "1");
}

#define WRITERS 3
#define WRITES  40

static void *
write_often(void *arg)
{
	struct rig *g = arg;
	struct flow f[2] = { flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		flow("192.0.2.2", NULL, 0, 0, 6, 1, 10) };

	for (int i = 0; i < WRITES; i++)
		(void)rig_try(g, f, 2);
	return NULL;
}

static void
test_plugins_share_a_file(void **state)
{
	struct rig g[WRITERS];
	pthread_t threads[WRITERS];

	(void)state;
	memset(g, 0, sizeof(g));
	for (int i = 0; i < WRITERS; i++) {
		g[i].o.common = (struct output_config){ .aggregate = "src_host", .history = "5m" };
		snprintf(g[i].o.name, sizeof(g[i].o.name), "p%d", i);
		rig_open(&g[i]);
	}
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_often, &g[i]), 0);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(g[i].r.written, 2 * WRITES);
		rig_close(&g[i]);
	}
	assert_string_equal(rows("SELECT ip_src, packets FROM acct ORDER BY 1"),
	    "192.0.2.1|120 192.0.2.2|120");
	assert_string_equal(rows("SELECT count(*) FROM weir_batch"), "120");
}

static void
test_file_and_table_that_go(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f = flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);

	(void)state;
	rig_open(&g);
	rig_write(&g, &f, 1);
	assert_int_equal(unlink(db), 0);
	rig_write(&g, &f, 1);
	assert_string_equal(rows("SELECT packets FROM acct"), "1");
	run("DROP TABLE acct");
	(void)rig_try(&g, &f, 1); /* may fail: the rows wait for the next */
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(rows("SELECT packets FROM acct"), "2");
	assert_int_equal(g.r.written, 4);
}

static void
test_old_batches_are_forgotten(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f = flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);
	char sql[256];

	(void)state;
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	snprintf(sql, sizeof(sql), "UPDATE weir_batch SET stored = stored - %d; INSERT INTO "
	    "weir_batch VALUES ('other/one', 1, 1, 1, 1); INSERT INTO weir_batch SELECT "
	    "collector, 2, 1, 1, stored + 86400 * 2 FROM weir_batch WHERE collector LIKE "
	    "'%%/test'", 8 * 86400);
	run(sql);
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(rows("SELECT count(*), count(CASE collector WHEN 'other/one' THEN 1 "
	    "END) FROM weir_batch"), "3|1"); /* the last, that of six days ago, another's */
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_versions),
		TEST(test_all_values),
		TEST(test_number_forms),
		TEST(test_optimized),
		TEST(test_as_before_version_6),
		TEST(test_table_per_day_and_ring),
		TEST(test_no_history),
		TEST(test_rows_are_added_to),
		TEST(test_batch_counts_once),
		TEST(test_other_row),
		TEST(test_large_numbers),
		TEST(test_labels_are_data),
		TEST(test_only_insert),
		TEST(test_tables_of_others),
		TEST(test_missing_column),
		TEST(test_plan),
		TEST(test_flows_from_version_4),
		TEST(test_unusable_paths),
		TEST(test_crash_leaves_nothing_half),
		TEST(test_lost_answer),
		TEST(test_failed_batch_is_tried_again),
		TEST(test_what_cannot_be_written_is_counted),
		TEST(test_last_snapshot_is_given_up),
		TEST(test_locked_by_another),
		TEST(test_plugins_share_a_file),
		TEST(test_file_and_table_that_go),
		TEST(test_old_batches_are_forgotten),
	};

	setenv("TZ", "TST-2", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
