/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A database that fails at its n-th call, for every n: before the call has done anything, or
 * after it has done all; once, or for some calls on end; or weir is killed in it. Whatever
 * happens, when all is over each row is in the table once. The database is SQLite behind a
 * driver of the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "sql/writer.h"
#include "tests/sql/rig.h"

#define SNAPSHOTS 3U
#define ROWS 4U /* of a snapshot, in two bins */

enum fault_kind { FAULT_BEFORE, FAULT_AFTER, FAULT_KILL, FAULT_KILL_AFTER };

static struct {
	enum fault_kind kind;
	unsigned at, n; /* calls number `at` to `at` + `n` - 1 fail */
	unsigned calls;
} fault;

/* Snapshots that were handed over before weir was killed: the child tells. */
static unsigned *handed;

/* A backup: where; then every second transaction of the primary fails to begin. */
static const char *backup;
static struct sql_conn *primary;

static bool
due(enum fault_kind kind)
{
	if (fault.kind != kind || fault.calls < fault.at ||
	    fault.calls >= fault.at + fault.n)
		return false;
	if (kind == FAULT_KILL || kind == FAULT_KILL_AFTER)
		_exit(9);
	return true;
}

static int
fails(struct err *e)
{
	return err_set(e, WEIR_EIO, "call %u failed", fault.calls);
}

/* A call `real`, with a fault where one is due. */
#define CALL(real) \
	do { \
		int rc_; \
\
		fault.calls++; \
		(void)due(FAULT_KILL); \
		if (due(FAULT_BEFORE)) \
			return fails(e); \
		rc_ = (real); \
		(void)due(FAULT_KILL_AFTER); \
		return rc_ == 0 && due(FAULT_AFTER) ? fails(e) : rc_; \
	} while (0)

static int
f_open(const struct sql_config *c, struct attempt *a, struct sql_conn **conn, struct err *e)
{
	int rc;

	*conn = NULL;
	fault.calls++;
	(void)due(FAULT_KILL);
	if (due(FAULT_BEFORE))
		return fails(e);
	rc = sqlite_driver.open(c, a, conn, e);
	if (strcmp(c->db, rig_db) == 0)
		primary = *conn;
	if (rc == 0 && due(FAULT_AFTER)) {
		sqlite_driver.close(*conn);
		*conn = NULL;
		return fails(e);
	}
	return rc;
}

static bool
f_alive(struct sql_conn *c)
{
	fault.calls++;
	(void)due(FAULT_KILL);
	return !due(FAULT_BEFORE) && sqlite_driver.alive(c);
}

static int
f_begin(struct sql_conn *c, struct err *e)
{
	static unsigned n;

	if (backup != NULL && c == primary && ++n % 2 == 0)
		return fails(e);
	CALL(sqlite_driver.begin(c, e));
}

static int
f_commit(struct sql_conn *c, struct err *e)
{
	CALL(sqlite_driver.commit(c, e));
}

static int
f_run(struct sql_conn *c, const char *sql, struct err *e)
{
	CALL(sqlite_driver.run(c, sql, e));
}

static int
f_table_exists(struct sql_conn *c, const char *name, bool *yes, struct err *e)
{
	CALL(sqlite_driver.table_exists(c, name, yes, e));
}

static int
f_prepare(struct sql_conn *c, const char *sql, struct sql_stmt **st, struct err *e)
{
	int rc;

	*st = NULL;
	fault.calls++;
	(void)due(FAULT_KILL);
	if (due(FAULT_BEFORE))
		return fails(e);
	rc = sqlite_driver.prepare(c, sql, st, e);
	if (rc == 0 && due(FAULT_AFTER)) {
		sqlite_driver.finish(*st);
		*st = NULL;
		return fails(e);
	}
	return rc;
}

static int
f_step(struct sql_conn *c, struct sql_stmt *st, uint64_t *changed, struct err *e)
{
	CALL(sqlite_driver.step(c, st, changed, e));
}

static struct sql_driver
driver_make(void)
{
	struct sql_driver d = sqlite_driver;

	d.open = f_open;
	d.alive = f_alive;
	d.begin = f_begin;
	d.commit = f_commit;
	d.run = f_run;
	d.table_exists = f_table_exists;
	d.prepare = f_prepare;
	d.step = f_step;
	return d;
}

/* A run of weir that collects three snapshots; rows come again in each. */
static bool
weir_run(const struct sql_driver *d)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" },
		.sc.backup_host = backup };
	struct flow f[ROWS];

	for (unsigned i = 0; i < ROWS; i++) {
		f[i] = rig_flow(
		    i % 2 == 0 ? "192.0.2.1" : "192.0.2.2", NULL, 0, 0, 6, 1, 10);
		f[i].stamp += i / 2 * 300 * CLOCK_S;
	}
	if (rig_open_with(&g, d, 100) != 0) {
		rig_close(&g);
		return false; /* a fault of the table's: weir does not start */
	}
	for (unsigned i = 0; i < SNAPSHOTS; i++) {
		struct snapshot *s = rig_snapshot(&g, f, ROWS, ++g.seq);

		*handed = i + 1;
		(void)rig_write_snapshot(&g, s);
	}
	rig_close(&g);
	assert_int_equal(g.r.rows, SNAPSHOTS * ROWS);
	assert_int_equal(g.r.refused, 0);
	return true;
}

/* Another run, with a database that works; nothing waits when it has ended. */
static void
rest_write(void)
{
	struct rig g = { .o.common = { .aggregate = "src_host", .history = "5m" },
		.sc.backup_host = backup };

	rig_open(&g);
	rig_close(&g);
	if (rig_files("*") != 0)
		fail_msg("fault %d at %u: something still waits", fault.kind, fault.at);
}

static void
sums_check(unsigned snapshots)
{
	char want[64];

	snprintf(want, sizeof(want), "%u|%u|%u|%u", snapshots > 0 ? ROWS : 0,
	    snapshots * ROWS, snapshots, snapshots > 0 ? snapshots * 2 : 0);
	if (strcmp(
		rig_rows("SELECT count(*), coalesce(sum(packets), 0), "
			 "coalesce(max(packets), 0), (SELECT count(*) FROM weir_batch) "
			 "FROM acct"),
		want) != 0)
		fail_msg("fault %d at %u for %u: %s, not %s", fault.kind, fault.at,
		    fault.n,
		    rig_rows("SELECT count(*), sum(packets), max(packets) FROM acct"),
		    want);
	rig_run("DROP TABLE acct; DROP TABLE weir_batch");
}

/* For every call that a run makes. */
static void
every_call(enum fault_kind kind, unsigned n)
{
	struct sql_driver d = driver_make();

	for (fault.at = 1, fault.calls = UINT32_MAX; fault.calls >= fault.at;
	     fault.at++) {
		bool started;

		fault.kind = kind;
		fault.n = n;
		fault.calls = 0;
		*handed = 0;
		started = weir_run(&d);
		rest_write();
		sums_check(started ? SNAPSHOTS : 0);
	}
	assert_true(fault.at > 30);
}

static void
test_calls_that_do_nothing(void **state)
{
	(void)state;
	every_call(FAULT_BEFORE, 1);
}

static void
test_answers_that_are_lost(void **state)
{
	(void)state;
	every_call(FAULT_AFTER, 1);
}

static void
test_many_faults_on_end(void **state)
{
	(void)state;
	every_call(FAULT_BEFORE, 7);
	every_call(FAULT_AFTER, 5);
}

/* Kill weir in every call that it makes, each time from the start. */
static void
killed_in_every_call(enum fault_kind kind, void (*check)(unsigned snapshots))
{
	struct sql_driver d = driver_make();
	int status = -1;

	for (fault.at = 1; status != 0; fault.at++) {
		pid_t pid;

		fault.kind = kind;
		fault.n = 1;
		fault.calls = 0;
		*handed = 0;
		if ((pid = fork()) == 0) {
			(void)weir_run(&d);
			/* There are calls that it only dies before: no end yet. */
			_exit(fault.calls >= fault.at);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(status == 0 ||
			    (WIFEXITED(status) && (WEXITSTATUS(status) == 9 ||
						      WEXITSTATUS(status) == 1)));
		rest_write();
		check(*handed);
	}
	assert_true(fault.at > 30);
}

static void
test_killed_in_every_call(void **state)
{
	(void)state;
	killed_in_every_call(FAULT_KILL, sums_check);
	killed_in_every_call(FAULT_KILL_AFTER, sums_check);
}

/* Packets in `db`, which is empty afterwards. */
static int
packets_take(const char *db)
{
	char home[sizeof(rig_db)];
	int n = 0;

	memcpy(home, rig_db, sizeof(home));
	snprintf(rig_db, sizeof(rig_db), "%s", db);
	if (strcmp(rig_rows("SELECT count(*) FROM sqlite_master WHERE name = 'acct'"),
		"1") == 0)
		n = atoi(rig_rows("SELECT coalesce(sum(packets), 0) FROM acct"));
	rig_run("DROP TABLE IF EXISTS acct; DROP TABLE IF EXISTS weir_batch");
	memcpy(rig_db, home, sizeof(rig_db));
	return n;
}

static unsigned with_backup; /* runs that brought it something */

static void
both_check(unsigned snapshots)
{
	char db[sizeof(rig_db)];
	int at_backup = packets_take(backup), got;

	snprintf(db, sizeof(db), "%s", rig_db);
	got = at_backup + packets_take(db);
	with_backup += at_backup > 0;
	if (got != (int)(snapshots * ROWS))
		fail_msg("killed at %u: %d packets, not %u; %d at the backup", fault.at,
		    got, snapshots * ROWS, at_backup);
}

/* With a backup that gets some: each row is in one of both. */
static void
test_killed_with_a_backup(void **state)
{
	char second[128];

	(void)state;
	snprintf(second, sizeof(second), "%s/b.db", rig_dir);
	backup = second;
	killed_in_every_call(FAULT_KILL, both_check);
	killed_in_every_call(FAULT_KILL_AFTER, both_check);
	backup = NULL;
	assert_true(with_backup > 10);
}

/* The database is made and synced some hundred times: in memory, where there is room. */
static int
setup(void **state)
{
	int rc = rig_setup(state);
	char dir[] = "/dev/shm/weir-test-sql-XXXXXX";

	if (rc == 0 && mkdtemp(dir) != NULL) {
		rmdir(rig_dir);
		snprintf(rig_dir, sizeof(rig_dir), "%s", dir);
		snprintf(rig_db, sizeof(rig_db), "%s/t.db", dir);
	}
	handed = mmap(NULL, sizeof(*handed), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return handed != MAP_FAILED ? rc : -1;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_calls_that_do_nothing),
		TEST(test_answers_that_are_lost),
		TEST(test_many_faults_on_end),
		TEST(test_killed_in_every_call),
		TEST(test_killed_with_a_backup),
	};

	return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
