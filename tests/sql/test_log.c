/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nfacctd_sql_log: rows with the times of their flows. Those are given here as the
 * pipeline fills them: timestamp_second is the start, timestamp_max the end.
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
#include "tests/sql/rig.h"

#define MAIL "192.0.2.25"

/* A flow of `src` from second `start` to ms `end` after T_BIN. */
static struct flow
flow_at(const char *src, uint64_t start, uint64_t end, uint64_t packets)
{
	struct flow f = rig_flow(src, NULL, 0, 0, 6, packets, 10 * packets);

	f.stamp = f.timestamp_second = (T_BIN + start) * CLOCK_S;
	f.timestamp_max = T_BIN * CLOCK_S + end * CLOCK_MS;
	return f;
}

static const struct {
	const char *says;
	struct text_opts text;
	const char *rows;
} forms[] = {
	{ "local time", { 0 },
	    "2023-11-15 00:10:07|2023-11-15 00:10:09|3 "
	    "2023-11-15 00:10:08|2023-11-15 00:11:05|4" },
	{ "UTC", { .utc = true },
	    "2023-11-14 22:10:07|2023-11-14 22:10:09|3 "
	    "2023-11-14 22:10:08|2023-11-14 22:11:05|4" },
	{ "seconds since 1970", { .since_epoch = true },
	    "1699999807|1699999809|3 1699999808|1699999865|4" },
};

/* A row for each key and second of start, up to the latest end, written in any order. */
static void
test_times(void **state)
{
	const struct flow f[] = { flow_at(MAIL, 7, 9999, 1), flow_at(MAIL, 7, 8000, 2),
		flow_at(MAIL, 8, 65001, 4) };

	(void)state;
	for (size_t i = 0; i < N(forms); i++)
		for (int apart = 0; apart < 2; apart++) {
			struct rig g = { .sc.log = true,
				.o.common = {
				    .aggregate = "src_host", .text = forms[i].text } };
			const char *got;

			rig_open(&g);
			for (unsigned k = 0; apart == 1 && k < N(f); k++)
				rig_write(&g, &f[k], 1);
			if (apart == 0)
				rig_write(&g, f, N(f));
			rig_close(&g);
			got = rig_rows(
			    "SELECT stamp_inserted, stamp_updated, packets FROM acct "
			    "ORDER BY 1");
			if (strcmp(got, forms[i].rows) != 0)
				fail_msg("%s, %d: %s", forms[i].says, apart, got);
			assert_string_equal(
			    rig_rows("SELECT DISTINCT typeof(stamp_inserted), "
				     "typeof(stamp_updated) FROM acct"),
			    forms[i].text.since_epoch ? "integer|integer"
						      : "text|text");
			rig_run("DROP TABLE acct");
		}
}

/* Fields that the view has for the log are no columns; those that are asked for are. */
static void
test_columns(void **state)
{
	static const struct {
		const char *aggregate;
		bool stitching;
		const char *columns;
	} cases[] = {
		{ "src_host", false,
		    "bytes ip_src packets stamp_inserted stamp_updated" },
		{ "src_host", true,
		    "bytes ip_src packets stamp_inserted stamp_updated timestamp_max "
		    "timestamp_min" },
		{ "timestamp_second", false,
		    "bytes packets stamp_inserted stamp_updated timestamp_second" },
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		struct rig g = { .sc = { .log = true, .optimize_clauses = true },
			.o.common = { .aggregate = cases[i].aggregate,
			    .stitching = cases[i].stitching,
			    .text.secs = true } };
		struct flow f = flow_at(MAIL, 1, 2000, 1);

		rig_open(&g);
		rig_write(&g, &f, 1);
		rig_close(&g);
		assert_string_equal(
		    rig_rows(
			"SELECT name FROM pragma_table_info('acct') ORDER BY name"),
		    cases[i].columns);
		rig_run("DROP TABLE acct");
	}
}

static const struct {
	const char *says;
	const char *table;
	const char *history;
	uint32_t seconds; /* of the view's bins */
} plans[] = {
	{ "no history is needed", NULL, NULL, 0 },
	{ "where the table is one, a history changes nothing", NULL, "5m", 0 },
	{ "nor do months", NULL, "1M", 0 },
	{ "nor in a name that tells only its length", "acct_$hst", "5m", 0 },
	{ "a table for each day needs bins", "acct_%Y%m%d", "1h", 3600 },
};

static void
test_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(plans); i++) {
		struct rig g = { .sc = { .log = true, .table = plans[i].table },
			.o.common = { .aggregate = "src_host",
			    .history = plans[i].history,
			    .refresh = 3600,
			    .pro_rating = true } };
		struct view_config vc;

		if (rig_plan(&g, &vc) != 0)
			fail_msg("%s: %s", plans[i].says, g.e.text);
		if (vc.bins.seconds != plans[i].seconds || vc.bins.months != 0 ||
		    vc.hold_open || vc.pro_rating)
			fail_msg("%s: %u s, %u months%s%s", plans[i].says,
			    vc.bins.seconds, vc.bins.months,
			    vc.hold_open ? ", waits" : "",
			    vc.pro_rating ? ", divides" : "");
	}
}

/* The bin says which table; the row has its own times all the same. */
static void
test_history_chooses_the_table(void **state)
{
	struct rig day = { .sc = { .log = true, .table = "acct_%Y%m%d" },
		.o.common = { .aggregate = "src_host", .history = "1h" } };
	struct rig length = { .sc = { .log = true, .table = "acct_$hst" },
		.o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f[2] = { flow_at(MAIL, 0, 0, 1), flow_at(MAIL, 7, 9000, 2) };

	(void)state;
	f[0].stamp -= 3600 * CLOCK_S; /* before local midnight */
	f[0].timestamp_second -= 3600 * CLOCK_S;
	f[0].timestamp_max = f[0].stamp;
	rig_open(&day);
	rig_write(&day, f, N(f));
	rig_close(&day);
	assert_string_equal(
	    rig_rows(
		"SELECT stamp_inserted, stamp_updated, packets FROM acct_20231114"),
	    "2023-11-14 23:10:00|2023-11-14 23:10:00|1");
	assert_string_equal(
	    rig_rows(
		"SELECT stamp_inserted, stamp_updated, packets FROM acct_20231115"),
	    "2023-11-15 00:10:07|2023-11-15 00:10:09|2");
	rig_open(&length);
	rig_write(&length, f, N(f));
	rig_close(&length);
	assert_string_equal(
	    rig_rows("SELECT sum(packets), count(*) FROM acct_300"), "3|2");
}

/* What found no room is logged together, when it is written; no time is lost by it. */
static void
test_other_row(void **state)
{
	struct rig g = { .sc = { .log = true, .dont_try_update = true },
		.o.common = { .aggregate = "src_host, dst_port" } };
	struct flow f[100];

	(void)state;
	assert_int_equal(rig_open_with(&g, NULL, 16), 0);
	for (unsigned i = 0; i < N(f); i++) {
		f[i] = flow_at(MAIL, i, 1000 * i + 500, 1);
		f[i].dst_port = (uint16_t)(1000 + i);
	}
	rig_write(&g, f, N(f));
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT stamp_inserted, stamp_updated, packets "
				     "FROM acct WHERE ip_src = "
				     "'0.0.0.0'"),
	    LOCAL_CUT "|" LOCAL_CUT "|84");
	assert_string_equal(
	    rig_rows("SELECT count(*), sum(packets) FROM acct WHERE ip_src = '" MAIL
		     "' AND stamp_inserted = stamp_updated"),
	    "16|16");
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "100");
}

/* Without updates, flows of one second make one row as long as they come together. */
static void
test_only_insert(void **state)
{
	struct rig g = { .sc = { .log = true, .dont_try_update = true },
		.o.common = { .aggregate = "src_host" } };
	struct flow f[3] = { flow_at(MAIL, 7, 7100, 1), flow_at(MAIL, 7, 7200, 2),
		flow_at(MAIL, 8, 8000, 4) };

	(void)state;
	rig_open(&g);
	rig_write(&g, f, N(f));
	assert_int_equal(g.r.refused, 0);
	rig_write(&g, f, 1);
	rig_close(&g);
	assert_int_equal(g.r.refused, 1);
	assert_string_equal(
	    rig_rows("SELECT packets FROM acct ORDER BY stamp_inserted"), "3 4");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_times),
		RIG_TEST(test_columns),
		RIG_TEST(test_plan),
		RIG_TEST(test_history_chooses_the_table),
		RIG_TEST(test_other_row),
		RIG_TEST(test_only_insert),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
