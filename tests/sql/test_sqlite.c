/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are none, that others lock, share and remove, and a process that dies. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "core/output.h"
#include "sql/writer.h"
#include "tests/sql/rig.h"

static const struct {
	const char *says;
	const char *path; /* below the folder of the test */
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
	snprintf(path, sizeof(path), "%s/text", rig_dir);
	assert_non_null(text = fopen(path, "w"));
	for (int i = 0; i < 100; i++)
		fputs("this is a letter to somebody\n", text);
	fclose(text);
	for (size_t i = 0; i < N(paths); i++) {
		struct rig g = { .sc.db = path, .o.common.aggregate = "src_host" };

		snprintf(path, sizeof(path), "%s/%s", rig_dir, paths[i].path);
		if (rig_open_with(&g, NULL, 100) == 0 ||
		    strstr(g.e.text, path) == NULL ||
		    strstr(g.e.text, paths[i].reason) == NULL)
			fail_msg("%s: %s", paths[i].says, g.e.text);
		assert_null(g.o.priv);
		rig_close(&g);
	}
	snprintf(path, sizeof(path), "%s/text", rig_dir);
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
	struct flow f[2] = { rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		rig_flow("192.0.2.2", NULL, 0, 0, 6, 5, 50) };
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
	assert_string_equal(rig_rows("SELECT count(*) FROM acct"), "0");
	assert_string_equal(rig_rows("SELECT count(*) FROM weir_batch"), "0");
	/* What it had collected was in the spool. */
	rig_open(&g);
	rig_write(&g, f, 2);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "12");
	assert_int_equal(g.r.written, 4);
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
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);
	pthread_t thread;
	sqlite3 *c;

	(void)state;
	rig_open(&g);
	assert_int_equal(sqlite3_open(rig_db, &c), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(c, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(pthread_create(&thread, NULL, unlock_later, c), 0);
	rig_write(&g, &f, 1);
	pthread_join(thread, NULL);
	sqlite3_close(c);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT packets FROM acct"), "1");
}

#define WRITERS 3
#define WRITES 40

static void *
write_often(void *arg)
{
	struct rig *g = arg;
	struct flow f[2] = { rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10),
		rig_flow("192.0.2.2", NULL, 0, 0, 6, 1, 10) };

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
		g[i].o.common =
		    (struct output_config){ .aggregate = "src_host", .history = "5m" };
		snprintf(g[i].o.name, sizeof(g[i].o.name), "p%d", i);
		rig_open(&g[i]);
	}
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, write_often, &g[i]), 0);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(g[i].r.written, 2 * WRITES);
		rig_close(&g[i]);
	}
	assert_string_equal(rig_rows("SELECT ip_src, packets FROM acct ORDER BY 1"),
	    "192.0.2.1|120 192.0.2.2|120");
	assert_string_equal(rig_rows("SELECT count(*) FROM weir_batch"), "120");
}

static void
test_file_and_table_that_go(void **state)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" } };
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);

	(void)state;
	rig_open(&g);
	rig_write(&g, &f, 1);
	assert_int_equal(unlink(rig_db), 0);
	rig_write(&g, &f, 1);
	assert_string_equal(rig_rows("SELECT packets FROM acct"), "1");
	rig_run("DROP TABLE acct");
	(void)rig_try(&g, &f, 1); /* may fail: the rows wait for the next */
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT packets FROM acct"), "2");
	assert_int_equal(g.r.written, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_unusable_paths),
		RIG_TEST(test_crash_leaves_nothing_half),
		RIG_TEST(test_locked_by_another),
		RIG_TEST(test_plugins_share_a_file),
		RIG_TEST(test_file_and_table_that_go),
	};

	return cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
