/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of a spool played to databases: all, some, once, to others; listed and tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "sql/replay.h"
#include "sql/spool.h"
#include "sql/writer.h"
#include "tests/sql/rig.h"

static char folder[160];

static int
begin_fails(struct sql_conn *c, struct err *e)
{
	(void)c;
	return err_set(e, WEIR_EIO, "not now");
}

/* Two snapshots of two bins each in a spool: rows of 1, 2, 4 and 8 packets twice. */
static void
spool_make(const char *preprocess)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct sql_driver d = sqlite_driver;
	struct flow f[4];

	for (unsigned i = 0; i < 4; i++) {
		f[i] = rig_flow(i % 2 == 0 ? "192.0.2.1" : "192.0.2.2", NULL, 0, 0, 6,
		    UINT64_C(1) << i, 10);
		f[i].stamp += i / 2 * 300 * CLOCK_S;
	}
	d.begin = begin_fails;
	g.sc.preprocess = preprocess;
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	(void)rig_try(&g, f, 4);
	(void)rig_try(&g, f, 4);
	rig_close(&g);
	snprintf(folder, sizeof(folder), "%s/spool/test", rig_dir);
}

static struct replay_tally
play(const struct replay_config *c, const char *path, FILE *out)
{
	struct replay *p = replay_new(c, out);
	struct replay_tally t;
	struct err e = ERR_INIT;

	assert_non_null(p);
	if (replay_path(p, path, &e) != 0)
		fail_msg("%s", e.text);
	t = *replay_tally(p);
	replay_free(p);
	return t;
}

#define SUMS "SELECT sum(packets), count(*) FROM acct"

static void
test_all_and_once(void **state)
{
	const struct replay_config c = { .first = 1 };
	struct replay_tally t;

	(void)state;
	spool_make(NULL);
	t = play(&c, folder, stdout); /* where the files say */
	assert_int_equal(t.batches, 4);
	assert_int_equal(t.rows, 8);
	assert_int_equal(t.written, 8);
	assert_int_equal(t.known, 0);
	assert_string_equal(rig_rows(SUMS), "30|4");
	t = play(&c, folder, stdout);
	assert_int_equal(t.known, 4);
	assert_string_equal(rig_rows(SUMS), "30|4");
}

static void
test_some(void **state)
{
	static const struct {
		const char *says;
		uint64_t first, count;
		unsigned batches;
		const char *sums;
	} cases[] = {
		{ "one in the middle", 2, 1, 1, "12|2" },
		{ "from one on", 4, 0, 1, "12|2" },
		{ "more than there are", 3, 10, 2, "15|4" },
		{ "none", 5, 0, 0, "no table" },
	};

	(void)state;
	spool_make(NULL);
	for (size_t i = 0; i < N(cases); i++) {
		char db[96];
		struct replay_config c = { .first = cases[i].first,
			.count = cases[i].count };
		struct replay_tally t;

		snprintf(db, sizeof(db), "%.64s/other%zu.db", rig_dir, i);
		c.sql.db = db;
		t = play(&c, folder, stdout);
		if (t.batches != cases[i].batches)
			fail_msg("%s: %u", cases[i].says, (unsigned)t.batches);
		snprintf(rig_db, sizeof(rig_db), "%s", db);
		if (t.batches > 0)
			assert_string_equal(rig_rows(SUMS), cases[i].sums);
	}
}

static void
test_another_table_and_only_insert(void **state)
{
	struct replay_config c = { .first = 1, .table = "mine", .only_insert = true };
	struct replay_tally t;

	(void)state;
	spool_make(NULL);
	t = play(&c, folder, stdout);
	assert_int_equal(t.written, 4);
	assert_int_equal(t.refused, 4); /* the second snapshot's keys are taken */
	assert_string_equal(rig_rows("SELECT sum(packets), count(*) FROM mine"), "15|4");
}

static void
test_list_and_rows(void **state)
{
	struct replay_config c = { .first = 1, .list = true, .rows = true };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct replay_tally t;

	(void)state;
	spool_make(NULL);
	t = play(&c, folder, out);
	fclose(out);
	assert_int_equal(t.rows, 8);
	assert_int_equal(t.written, 0);
	assert_non_null(strstr(text, " 2 2023-11-14 22:15:00 sqlite3 acct 2\n"));
	assert_non_null(strstr(text, " stamp_inserted=" LOCAL_BIN " ip_src=192.0.2.1 "));
	free(text);
	assert_string_equal(
	    rig_rows("SELECT count(*) FROM sqlite_master WHERE name = 'weir_batch'"), "1");
	assert_string_equal(rig_rows("SELECT count(*) FROM weir_batch"), "0");
}

/* What sql_preprocess rejected is apart from what it kept, also to the database. */
static void
test_rejected(void **state)
{
	struct replay_config c = { .first = 1 };
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct replay_tally t;

	(void)state;
	spool_make("minp=3, recover=1");
	assert_int_equal(rig_files("rejected"), 2);
	rig_open(&g);
	rig_close(&g); /* what it kept */
	assert_string_equal(rig_rows(SUMS), "24|2");
	assert_int_equal(rig_files("batch"), 0);
	t = play(&c, folder, stdout);
	assert_int_equal(t.written, 4);
	assert_int_equal(t.known, 0);
	assert_string_equal(rig_rows(SUMS), "30|4");
}

/* A file that a weir still writes is left to it; those that have ended are played. */
static void
test_spool_of_a_weir_that_runs(void **state)
{
	const struct replay_config c = { .first = 1 };
	struct err e = ERR_INIT;
	struct spool *sp;
	char at[300], dir[96];

	(void)state;
	spool_make(NULL);
	assert_int_equal(rig_files("batch"), 2);
	snprintf(at, sizeof(at), "%s" BATCH_WRITING, rig_file);
	assert_int_equal(rename(rig_file, at), 0);
	snprintf(dir, sizeof(dir), "%s/spool", rig_dir);
	assert_non_null(sp = spool_open(dir, "test", 1U << 20, &e));
	assert_int_equal(play(&c, folder, stdout).batches, 2);
	assert_string_equal(rig_rows(SUMS), "15|4");
	spool_close(sp);
	assert_int_equal(play(&c, folder, stdout).batches, 4);
	assert_string_equal(rig_rows(SUMS), "30|4");
}

static void
test_faults(void **state)
{
	struct replay_config c = { .first = 1 };
	struct replay *p = replay_new(&c, stdout);
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(p);
	assert_int_equal(replay_path(p, "/no/such/log", &e), 0);
	assert_int_equal(replay_tally(p)->unread, 1);
	assert_int_equal(replay_path(p, "/etc/passwd", &e), 0);
	assert_int_equal(replay_tally(p)->unread, 2);
	replay_free(p);
}

/* The first of a folder's cannot be read: the others are played. */
static void
test_file_that_cannot_be_read(void **state)
{
	struct replay_config c = { .first = 1 };
	struct replay_tally t;

	(void)state;
	spool_make(NULL);
	assert_int_equal(rig_files("batch"), 2);
	rig_store(rig_file, (const uint8_t *)"this is no batch", 16);
	t = play(&c, folder, stdout);
	assert_int_equal(t.unread, 1);
	assert_int_equal(t.batches, 2);
	assert_string_equal(rig_rows(SUMS), "15|4");
}

/* A table for each bin, whose time is that of the file's zone. */
static void
test_table_of_each_bin(void **state)
{
	struct replay_config c = { .first = 1, .table = "t_%H%M" };

	(void)state;
	spool_make(NULL);
	(void)play(&c, folder, stdout);
	assert_string_equal(
	    rig_rows("SELECT sum(packets), count(*) FROM t_0010"), "6|2");
	assert_string_equal(
	    rig_rows("SELECT sum(packets), count(*) FROM t_0015"), "24|2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_all_and_once),
		RIG_TEST(test_some),
		RIG_TEST(test_another_table_and_only_insert),
		RIG_TEST(test_list_and_rows),
		RIG_TEST(test_rejected),
		RIG_TEST(test_spool_of_a_weir_that_runs),
		RIG_TEST(test_faults),
		RIG_TEST(test_file_that_cannot_be_read),
		RIG_TEST(test_table_of_each_bin),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
