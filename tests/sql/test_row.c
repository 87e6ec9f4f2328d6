/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in the columns: values of every kind, those of other rows, text from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/intern.h"
#include "tests/sql/rig.h"

static void
test_all_values(void **state)
{
	struct rig g = { .sc.table_version = 9,
		.o.common = { .history = "5m",
		    .aggregate = "src_host, dst_host, src_port, dst_port, proto, tos, "
				 "vlan, src_as, dst_as, src_mac, "
				 "dst_mac, class, tag, tcpflags, flows" } };
	struct flow f = rig_flow("2001:db8::1", "192.0.2.2", 40000, 443, 6, 10, 9000);

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
	assert_string_equal(
	    rig_rows("SELECT ip_src, ip_dst, port_src, port_dst, ip_proto, tos, vlan, "
		     "as_src, as_dst, mac_src, mac_dst, class_id, tag, tcp_flags, "
		     "packets, bytes, flows "
		     "FROM acct_v9"),
	    "2001:db8::1|192.0.2.2|40000|443|tcp|8|100|4200000000|65001|"
	    "02:00:00:00:00:ab|00:00:00:00:00:00|dns|77|18|10|9000|1");
	assert_string_equal(
	    rig_rows("SELECT typeof(port_src), typeof(as_src), typeof(bytes), "
		     "typeof(ip_src), typeof(stamp_inserted) FROM acct_v9"),
	    "integer|integer|integer|text|text");
	rig_close(&g);
}

static void
test_number_forms(void **state)
{
	struct rig g = { .sc = { .optimize_clauses = true, .table = "a" },
		.o.common = { .history = "5m",
		    .aggregate = "proto, etype, timestamp_start",
		    .text.since_epoch = true,
		    .text.num_protos = true } };
	struct rig u = { .sc = { .optimize_clauses = true, .table = "b" },
		.o.common = { .history = "5m",
		    .aggregate = "timestamp_start",
		    .text.utc = true } };
	struct flow f = rig_flow(NULL, NULL, 0, 0, 17, 1, 2);

	(void)state;
	f.etype = 0x86dd;
	f.timestamp_start = T_BIN * CLOCK_S + 1234 * CLOCK_US;
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT ip_proto, etype, timestamp_start, "
				     "timestamp_start_residual, stamp_inserted, "
				     "stamp_updated, typeof(stamp_inserted) FROM "
				     "a"),
	    "17|86dd|1699999800|1234|1699999800|1700000101|integer");
	rig_open(&u);
	rig_write(&u, &f, 1);
	rig_close(&u);
	assert_string_equal(
	    rig_rows("SELECT timestamp_start, timestamp_start_residual, stamp_inserted "
		     "FROM b"),
	    "2023-11-14 22:10:00|1234|2023-11-14 22:10:00");
}

/* As pmacct has them, in the zone of weir, which is two hours ahead. */
static void
test_times_that_nobody_told(void **state)
{
	struct rig g = { .sc = { .optimize_clauses = true, .table = "unknown" },
		.o.common = { .history = "5m", .aggregate = "src_host, timestamp_start, "
			"timestamp_end" } };
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 17, 1, 2);

	(void)state;
	f.timestamp_start = f.timestamp_end = 0;
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT timestamp_start, timestamp_end, "
				     "timestamp_start_residual FROM unknown"),
	    "1970-01-01 02:00:00|1970-01-01 02:00:00|0");
}

static void
test_optimized(void **state)
{
	struct rig g = { .sc = { .optimize_clauses = true, .table_version = 9 },
		.o.common = { .aggregate = "src_host, label, tag2", .history = "5m" } };
	struct flow f = rig_flow("192.0.2.1", "192.0.2.2", 1, 2, 6, 3, 400);

	(void)state;
	f.tag2 = 5;
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(
	    rig_rows("SELECT ip_src, tag2, label, packets, bytes, stamp_inserted, "
		     "stamp_updated FROM acct_v9"),
	    "192.0.2.1|5||3|400|" LOCAL_BIN "|" LOCAL_CUT);
	assert_string_equal(
	    rig_rows("SELECT count(*) FROM pragma_table_info('acct_v9')"), "7");
}

static void
test_as_before_version_6(void **state)
{
	struct rig g = { .sc.table_version = 4,
		.o.common = { .aggregate = "src_as, dst_as", .history = "5m" } };
	struct flow f = rig_flow("192.0.2.1", "192.0.2.2", 1, 2, 6, 3, 400);

	(void)state;
	f.src_as = 65001;
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(
	    rig_rows("SELECT ip_src, ip_dst, bytes FROM acct_v4"), "65001|0|400");
}

static void
test_other_row(void **state)
{
	struct rig g = { .sc.table_version = 4,
		.o.common = { .aggregate = "src_host, dst_port, flows", .history = "5m" } };
	struct flow f[100];

	(void)state;
	assert_int_equal(rig_open_with(&g, NULL, 16), 0);
	for (unsigned i = 0; i < N(f); i++) {
		f[i] =
		    rig_flow("192.0.2.1", NULL, 0, (uint16_t)(1000 + i / 2), 6, 1, 100);
		f[i].stamp += i % 2 * 300 * CLOCK_S; /* of two bins by turns */
	}
	rig_write(&g, f, N(f));
	rig_close(&g);
	assert_string_equal(
	    rig_rows("SELECT sum(packets), sum(bytes), sum(flows) FROM acct_v4"),
	    "100|10000|100");
	assert_string_equal(
	    rig_rows("SELECT packets, bytes, flows, dst_port, stamp_inserted FROM "
		     "acct_v4 WHERE ip_src = '0.0.0.0' ORDER BY stamp_inserted"),
	    "42|4200|42|0|" LOCAL_BIN " 42|4200|42|0|2023-11-15 00:15:00");
	assert_string_equal(
	    rig_rows("SELECT count(*) FROM acct_v4 WHERE ip_src = '192.0.2.1' AND "
		     "packets = 1 GROUP BY stamp_inserted"),
	    "8 8");
	assert_int_equal(g.r.rows, 18);
}

static void
test_large_numbers(void **state)
{
	struct rig g = { .sc.table_version = 9,
		.o.common = { .aggregate = "tag", .history = "5m" } };
	struct flow f[3] = { rig_flow(NULL, NULL, 0, 0, 0, 1, UINT64_MAX),
		rig_flow(NULL, NULL, 0, 0, 0, 1, INT64_MAX),
		rig_flow(NULL, NULL, 0, 0, 0, 1, 3) };

	(void)state;
	f[1].tag = INT64_MAX;
	f[2].tag = UINT64_MAX;
	rig_open(&g);
	rig_write(&g, f, 3);
	rig_close(&g);
	assert_string_equal(
	    rig_rows("SELECT tag, bytes FROM acct_v9 ORDER BY tag LIMIT 2"),
	    "0|9223372036854775807 9223372036854775807|9223372036854775807");
	assert_string_equal(rig_rows("SELECT count(*) FROM acct_v9"), "3");
}

static void
test_labels_are_data(void **state)
{
	static const char *const labels[] = { "x'); DROP TABLE acct; --",
		"it''s \"quoted\" `b`", "?1 $1 :a %s \\", "caf\xc3\xa9",
		"bad\xff\xc3utf8" };
	static const char *const want[] = { "x'); DROP TABLE acct; --",
		"it''s \"quoted\" `b`", "?1 $1 :a %s \\", "caf\xc3\xa9", "bad??utf8" };
	struct rig g = { .sc.optimize_clauses = true,
		.o.common = { .aggregate = "label, tag", .history = "5m" } };
	struct flow f[N(labels)];
	char sql[128];

	(void)state;
	rig_open(&g);
	for (unsigned i = 0; i < N(labels); i++) {
		f[i] = rig_flow(NULL, NULL, 0, 0, 0, 1, 1);
		f[i].tag = i + 1;
		f[i].label = intern(labels[i], strlen(labels[i]));
	}
	rig_write(&g, f, N(f));
	rig_close(&g);
	for (unsigned i = 0; i < N(labels); i++) {
		snprintf(sql, sizeof(sql), "SELECT label FROM acct WHERE agent_id = %u",
		    i + 1);
		assert_string_equal(rig_rows(sql), want[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_all_values),
		RIG_TEST(test_number_forms),
		RIG_TEST(test_times_that_nobody_told),
		RIG_TEST(test_optimized),
		RIG_TEST(test_as_before_version_6),
		RIG_TEST(test_other_row),
		RIG_TEST(test_large_numbers),
		RIG_TEST(test_labels_are_data),
	};

	return cmocka_run_group_tests_name("row", tests, NULL, NULL);
}
