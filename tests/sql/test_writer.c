/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an SQL plugin asks of its view, and what becomes of rows when the database fails:
 * faults come from a driver that is SQLite's with one call replaced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "sql/writer.h"
#include "tests/sql/rig.h"

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
	    { .aggregate = "src_host", .history = "1M", .refresh = 86400 }, false,
	    NULL },
	{ "without history nothing waits", { .table_version = 1 },
	    { .aggregate = "src_host", .refresh = 60 }, false, NULL },
	{ "a table by day needs a history", { .table_version = 1, .table = "t_%d" },
	    { .aggregate = "src_host", .refresh = 60 }, false, "sql_history" },
	{ "a name that is none is refused at once",
	    { .table_version = 1, .table = "t'" },
	    { .aggregate = "src_host", .refresh = 60 }, false, "sql_table" },
	{ "a primitive above the version", { .table_version = 1 },
	    { .aggregate = "src_host, tag", .refresh = 60 }, false,
	    "sql_table_version: 2" },
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
		struct rig g = { .sc.table_version = v,
			.o.common.aggregate = "src_host" };

		assert_int_equal(rig_plan(&g, &vc), 0);
		assert_int_equal(field_set_has(&g.o.fields, F_FLOWS), v >= 4);
	}
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
	struct flow f[2] = { rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		rig_flow("192.0.2.1", NULL, 0, 0, 6, 5, 50) };
	struct sql_driver d = sqlite_driver;

	(void)state;
	f[1].stamp += 300 * CLOCK_S; /* two bins, two batches */
	d.commit = commit_unheard;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1;
	assert_int_not_equal(rig_try(&g, f, 2), 0);
	assert_int_equal(g.r.rows, 0); /* not yet known */
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "1");
	rig_write(&g, f, 2);
	rig_close(&g);
	assert_string_equal(
	    rig_rows("SELECT sum(packets), count(*) FROM acct"), "12|2");
	assert_int_equal(g.r.rows, 4);
	assert_int_equal(g.r.written, 4);
}

static void
test_failed_batch_is_tried_again(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f[2] = { rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		rig_flow("192.0.2.2", NULL, 0, 0, 6, 5, 50) };
	struct sql_driver d = sqlite_driver;

	(void)state;
	d.step = step_fails;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1;
	assert_int_not_equal(rig_try(&g, f, 2), 0);
	assert_non_null(strstr(g.e.text, "disk is full; rows kept"));
	assert_string_equal(rig_rows("SELECT count(*) FROM acct"), "0");
	rig_write(&g, f, 1);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT ip_src, packets FROM acct ORDER BY 1"),
	    "192.0.2.1|2 192.0.2.2|5");
	assert_int_equal(g.r.written, 3);
}

static void
test_what_cannot_be_written_is_counted(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f[4] = { rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		rig_flow("192.0.2.2", NULL, 0, 0, 6, 2, 10),
		rig_flow("192.0.2.3", NULL, 0, 0, 6, 4, 10),
		rig_flow("192.0.2.4", NULL, 0, 0, 6, 8, 10) };
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
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "13");
	assert_int_equal(g.r.rows, 5);
	assert_int_equal(g.r.written, 3);
}

static void
test_last_snapshot_is_given_up(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_plan),
		RIG_TEST(test_flows_from_version_4),
		RIG_TEST(test_lost_answer),
		RIG_TEST(test_failed_batch_is_tried_again),
		RIG_TEST(test_what_cannot_be_written_is_counted),
		RIG_TEST(test_last_snapshot_is_given_up),
	};

	return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
