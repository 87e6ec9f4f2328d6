/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an SQL plugin asks of its view, and what becomes of rows when the database fails:
 * faults come from a driver that is SQLite's with one call replaced.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

/* pmacct's tables have the column from version 4 on, and 0 in it where it is not counted. */
static void
test_flows_only_where_named(void **state)
{
	struct view_config vc;

	(void)state;
	for (uint32_t v = 1; v <= SQL_VERSION_MAX; v++) {
		struct rig g = { .sc.table_version = v,
			.o.common.aggregate = v % 2 == 0 ? "src_host, flows" : "src_host" };

		g.sc.optimize_clauses = v < 4;
		assert_int_equal(rig_plan(&g, &vc), 0);
		assert_int_equal(field_set_has(&g.o.fields, F_FLOWS), v % 2 == 0);
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

static const struct output_config five = { .aggregate = "src_host", .history = "5m" };

static void
test_lost_answer(void **state)
{
	struct rig g = { .o.common = five };
	struct flow f[2] = { rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		rig_flow("192.0.2.1", NULL, 0, 0, 6, 5, 50) };
	struct sql_driver d = sqlite_driver;

	(void)state;
	f[1].stamp += 300 * CLOCK_S; /* two bins, two transactions */
	d.commit = commit_unheard;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1;
	assert_int_not_equal(rig_try(&g, f, 2), 0);
	assert_int_equal(g.r.written, 0); /* not yet known */
	assert_int_equal(g.r.spooled, 2);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "1");
	rig_write(&g, f, 2);
	rig_close(&g);
	assert_string_equal(
	    rig_rows("SELECT sum(packets), count(*) FROM acct"), "12|2");
	assert_int_equal(g.r.rows, 4);
	assert_int_equal(g.r.written, 4);
	assert_int_equal(rig_files("batch"), 0);
}

static void
test_failed_batch_is_tried_again(void **state)
{
	struct rig g = { .o.common = five };
	struct flow f[2] = { rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		rig_flow("192.0.2.2", NULL, 0, 0, 6, 5, 50) };
	struct sql_driver d = sqlite_driver;

	(void)state;
	d.step = step_fails;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1;
	assert_int_not_equal(rig_try(&g, f, 2), 0);
	assert_non_null(strstr(g.e.text, "disk is full"));
	assert_string_equal(rig_rows("SELECT count(*) FROM acct"), "0");
	assert_int_equal(g.o.state, OUTPUT_FAILING);
	assert_int_equal(g.o.waiting, 1);
	assert_true(g.o.waiting_octets > 0 && g.o.waiting_since > 0);
	rig_write(&g, f, 1);
	assert_int_equal(g.o.state, OUTPUT_OK);
	assert_int_equal(g.o.waiting, 0);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT ip_src, packets FROM acct ORDER BY 1"),
	    "192.0.2.1|2 192.0.2.2|5");
	assert_int_equal(g.r.written, 3);
}

/* Others got in the way of the second row. */
static int
step_deadlock(struct sql_conn *c, struct sql_stmt *st, uint64_t *changed, struct err *e)
{
	static unsigned n;

	if (faults == 0 || ++n % 3 != 0)
		return sqlite_driver.step(c, st, changed, e);
	faults--;
	return err_set(e, WEIR_EAGAIN, "deadlock");
}

static void
test_deadlocks_are_tried_at_once(void **state)
{
	struct rig g = { .o.common = five };
	struct flow f[2] = { rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		rig_flow("192.0.2.2", NULL, 0, 0, 6, 5, 50) };
	struct sql_driver d = sqlite_driver;

	(void)state;
	d.step = step_deadlock;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 4;
	rig_write(&g, f, 2);
	assert_int_equal(faults, 0);
	assert_int_equal(g.o.errors, 0);
	faults = 1000; /* but not for ever */
	assert_int_not_equal(rig_try(&g, f, 2), 0);
	faults = 0;
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT ip_src, packets FROM acct ORDER BY 1"),
	    "192.0.2.1|2 192.0.2.2|10");
}

static struct flow four[4];

static void
four_make(void)
{
	static const char *const hosts[] = { "192.0.2.1", "192.0.2.2", "192.0.2.3",
		"192.0.2.4" };

	for (unsigned i = 0; i < 4; i++)
		four[i] = rig_flow(hosts[i], NULL, 0, 0, 6, UINT64_C(1) << i, 10);
}

static void
test_rows_wait_in_the_spool(void **state)
{
	struct rig g = { .o.common = five };
	struct sql_driver d = sqlite_driver;

	(void)state;
	four_make();
	d.begin = begin_fails;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1000;
	for (unsigned i = 0; i < 4; i++)
		assert_int_not_equal(rig_try(&g, &four[i], 1), 0);
	assert_int_equal(g.r.rows, 4);
	assert_int_equal(g.r.spooled, 4);
	assert_int_equal(rig_files("batch"), 4);
	faults = 0;
	rig_write(&g, four, 1);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "16");
	assert_string_equal(rig_rows("SELECT ip_src, packets FROM acct ORDER BY 1"),
	    "192.0.2.1|2 192.0.2.2|2 192.0.2.3|4 192.0.2.4|8");
	assert_int_equal(g.r.written, 5);
	assert_int_equal(g.r.refused, 0);
}

static void
test_next_run_writes_what_is_left(void **state)
{
	struct rig g = { .o.common = five }, next = { .o.common = five };
	struct sql_driver d = sqlite_driver;
	struct snapshot *last;

	(void)state;
	four_make();
	d.begin = begin_fails;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1000;
	assert_int_not_equal(rig_try(&g, four, 2), 0);
	last = rig_snapshot(&g, four, 4, ++g.seq);
	last->last = true;
	assert_int_not_equal(rig_write_snapshot(&g, last), 0);
	rig_close(&g);
	assert_int_equal(g.r.spooled, 6);
	assert_int_equal(g.r.refused, 0);
	faults = 0;
	rig_open(&next);
	rig_close(&next);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "18");
	assert_int_equal(next.r.rows, 6); /* its books have them, too */
	assert_int_equal(next.r.written, 6);
}

/* A second weir, or one that was not stopped, must not write the same files. */
static void
test_one_weir_each_spool(void **state)
{
	struct rig g = { .o.common = five }, second = { .o.common = five };

	(void)state;
	rig_open(&g);
	assert_int_not_equal(rig_open_with(&second, NULL, 100), 0);
	assert_non_null(strstr(second.e.text, "another weir"));
	rig_close(&second);
	rig_close(&g);
}

static void
test_full_spool(void **state)
{
	struct rig g = { .o.common = five, .sc.spool_max = 700 };
	struct sql_driver d = sqlite_driver;

	(void)state;
	four_make();
	d.begin = begin_fails;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1000;
	assert_int_not_equal(
	    rig_try(&g, &four[0], 1), 0); /* one fits whatever it has */
	assert_false(g.o.stalled);
	assert_int_not_equal(rig_try(&g, &four[1], 1), 0);
	assert_non_null(strstr(g.e.text, "sql_spool_max"));
	assert_true(g.o.stalled); /* the publisher keeps rows in the view */
	assert_int_equal(g.r.rows, 1); /* the others are in memory, not handed over */
	assert_int_equal(rig_files("batch"), 1);
	faults = 0;
	(void)rig_try(&g, &four[2], 1);
	(void)rig_try(&g, &four[3], 1);
	for (unsigned i = 0; i < 4 && g.o.stalled; i++)
		(void)rig_try(&g, NULL, 0); /* one makes room for the next */
	assert_false(g.o.stalled);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "15");
	assert_int_equal(g.r.written, 4);
	assert_int_equal(g.r.refused, 0);
}

static void
test_full_to_the_end(void **state)
{
	struct rig g = { .o.common = five, .sc.spool_max = 700 };
	struct sql_driver d = sqlite_driver;

	(void)state;
	four_make();
	d.begin = begin_fails;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	faults = 1000;
	for (unsigned i = 0; i < 4; i++)
		(void)rig_try(&g, &four[i], 1);
	rig_close(&g);
	assert_int_equal(g.r.rows, 4);
	assert_int_equal(g.r.spooled, 1);
	assert_int_equal(g.r.refused, 3);
	faults = 0;
}

static const char *away; /* the database that is; NULL: none */

static int
open_fails(const struct sql_config *c, struct attempt *a, struct sql_conn **conn, struct err *e)
{
	if (away == NULL || strcmp(c->db, away) != 0)
		return sqlite_driver.open(c, a, conn, e);
	*conn = NULL;
	return err_set(e, WEIR_EIO, "%s: nobody is there", c->db);
}

static void
test_backup(void **state)
{
	static char second[128];
	struct rig g = { .o.common = five };
	struct sql_driver d = sqlite_driver;

	(void)state;
	four_make();
	snprintf(second, sizeof(second), "%s/second.db", rig_dir);
	g.sc.backup_host = second;
	d.open = open_fails;
	d.commit = commit_unheard;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	rig_write(&g, &four[0], 1);
	faults = 1; /* the primary has it, but its answer is missing: */
	assert_int_not_equal(rig_try(&g, &four[1], 1), 0);
	away = rig_db;
	assert_int_not_equal(rig_try(&g, &four[2], 1), 0); /* goes to the backup, */
	assert_int_equal(g.r.spooled, 1); /* that one waits */
	assert_int_equal(g.r.written, 2);
	away = NULL;
	rig_write(&g, &four[3], 1);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT ip_src FROM acct ORDER BY 1"),
	    "192.0.2.1 192.0.2.2 192.0.2.4");
	strcpy(rig_db, second);
	assert_string_equal(
	    rig_rows("SELECT ip_src FROM acct ORDER BY 1"), "192.0.2.3");
}

static struct {
	pthread_mutex_t lock;
	unsigned n, most;
} writing = { PTHREAD_MUTEX_INITIALIZER, 0, 0 };

/* Between begin and commit somebody writes; long enough for others to try. */
static int
begin_counts(struct sql_conn *c, struct err *e)
{
	pthread_mutex_lock(&writing.lock);
	if (++writing.n > writing.most)
		writing.most = writing.n;
	pthread_mutex_unlock(&writing.lock);
	nanosleep(&(struct timespec){ 0, 3000000 }, NULL);
	return sqlite_driver.begin(c, e);
}

static int
commit_counts(struct sql_conn *c, struct err *e)
{
	int rc = sqlite_driver.commit(c, e);

	pthread_mutex_lock(&writing.lock);
	writing.n--;
	pthread_mutex_unlock(&writing.lock);
	return rc;
}

#define PLUGINS 4U

/* On threads of their own, each in a database of its own. */
static void
test_writers_are_bounded(void **state)
{
	static char dbs[PLUGINS][128];
	struct sql_driver d = sqlite_driver;
	struct rig g[PLUGINS];

	(void)state;
	memset(g, 0, sizeof(g));
	four_make();
	d.begin = begin_counts;
	d.commit = commit_counts;
	for (unsigned i = 0; i < PLUGINS; i++) {
		g[i].o.common = five;
		g[i].sc.max_writers = 2;
		snprintf(dbs[i], sizeof(dbs[i]), "%s/%u.db", rig_dir, i);
		g[i].sc.db = dbs[i];
		snprintf(g[i].o.name, sizeof(g[i].o.name), "p%u", i);
		assert_int_equal(rig_open_with(&g[i], &d, 100), 0);
		assert_int_equal(writer_run(&g[i].o, &g[i].e), 0);
	}
	for (unsigned n = 0; n < 10; n++)
		for (unsigned i = 0; i < PLUGINS; i++)
			rig_write(&g[i], four, 4);
	for (unsigned i = 0; i < PLUGINS; i++) {
		rig_close(&g[i]);
		assert_int_equal(g[i].r.written, 40);
	}
	assert_int_equal(writing.most, 2);
}

static struct {
	pthread_mutex_t lock;
	struct sql_conn *off[PLUGINS]; /* called off */
	unsigned n_off, hung;
} stuck = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool
is_off(const struct sql_conn *c)
{
	bool off = false;

	pthread_mutex_lock(&stuck.lock);
	for (unsigned i = 0; i < stuck.n_off; i++)
		off |= stuck.off[i] == c;
	pthread_mutex_unlock(&stuck.lock);
	return off;
}

static void
interrupt_counts(struct sql_conn *c)
{
	if (is_off(c))
		return;
	pthread_mutex_lock(&stuck.lock);
	stuck.off[stuck.n_off++] = c;
	pthread_mutex_unlock(&stuck.lock);
}

/* The server says nothing, until one is called off. */
static int
begin_hangs(struct sql_conn *c, struct err *e)
{
	pthread_mutex_lock(&stuck.lock);
	stuck.hung++;
	pthread_mutex_unlock(&stuck.lock);
	while (!is_off(c))
		nanosleep(&(struct timespec){ 0, 3000000 }, NULL);
	return err_set(e, WEIR_EIO, "called off");
}

/* weir ends with several databases that hang in the time that it ends with one. */
static void
test_all_that_hang_are_left_at_once(void **state)
{
	static char dbs[PLUGINS][128];
	struct sql_driver d = sqlite_driver;
	struct rig g[PLUGINS];
	uint64_t began;

	(void)state;
	memset(g, 0, sizeof(g));
	four_make();
	d.begin = begin_hangs;
	d.interrupt = interrupt_counts;
	for (unsigned i = 0; i < PLUGINS; i++) {
		g[i].o.common = five;
		g[i].sc.max_writers = PLUGINS;
		snprintf(dbs[i], sizeof(dbs[i]), "%s/%u.db", rig_dir, i);
		g[i].sc.db = dbs[i];
		snprintf(g[i].o.name, sizeof(g[i].o.name), "p%u", i);
		assert_int_equal(rig_open_with(&g[i], &d, 100), 0);
		assert_int_equal(writer_run(&g[i].o, &g[i].e), 0);
		rig_write(&g[i], four, 4);
	}
	for (unsigned n = 0; n < PLUGINS;) {
		pthread_mutex_lock(&stuck.lock);
		n = stuck.hung;
		pthread_mutex_unlock(&stuck.lock);
		nanosleep(&(struct timespec){ 0, 3000000 }, NULL);
	}
	for (unsigned i = 0; i < PLUGINS; i++)
		writer_hurry(&g[i].o);
	began = clock_mono();
	for (unsigned i = 0; i < PLUGINS; i++)
		rig_close(&g[i]);
	assert_int_equal(stuck.n_off, PLUGINS);
	/* One is waited for four seconds. */
	assert_true(clock_mono() - began < PLUGINS * 3 * CLOCK_S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_plan),
		RIG_TEST(test_flows_only_where_named),
		RIG_TEST(test_lost_answer),
		RIG_TEST(test_failed_batch_is_tried_again),
		RIG_TEST(test_deadlocks_are_tried_at_once),
		RIG_TEST(test_rows_wait_in_the_spool),
		RIG_TEST(test_next_run_writes_what_is_left),
		RIG_TEST(test_one_weir_each_spool),
		RIG_TEST(test_full_spool),
		RIG_TEST(test_full_to_the_end),
		RIG_TEST(test_backup),
		RIG_TEST(test_writers_are_bounded),
		RIG_TEST(test_all_that_hang_are_left_at_once),
	};

	return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
