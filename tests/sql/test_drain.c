/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which batch waits for what: those of a table that does not fit for no others, none for a
 * database that is away; and what the backup may have is the backup's, whoever runs.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "sql/store.h"
#include "sql/writer.h"
#include "tests/sql/rig.h"

static const struct output_config five = { .aggregate = "src_host", .history = "5m" };

static const char *away; /* the database that is; "": all; NULL: none */
static unsigned opens; /* tries to connect */
static unsigned begin_at; /* the transaction that fails to begin; 0: none */
static bool unheard; /* the backup's answers to commits are lost */
static char second[128]; /* the backup */
static const char *last_db; /* connected to last */
static bool disk_fails; /* syncs of folders do, */
static bool disk_fails_then; /* once a transaction was begun */
static int reads_left = -1; /* of batches, before none is possible; -1: all are */

static int
open_fails(const struct sql_config *c, struct attempt *a, struct sql_conn **conn, struct err *e)
{
	opens++;
	last_db = c->db;
	*conn = NULL;
	if (away != NULL && (*away == '\0' || strcmp(c->db, away) == 0))
		return err_set(e, WEIR_EIO, "%s: nobody is there", c->db);
	return sqlite_driver.open(c, a, conn, e);
}

static int
begin_fails(struct sql_conn *c, struct err *e)
{
	disk_fails |= disk_fails_then;
	if (begin_at > 0 && --begin_at == 0)
		return err_set(e, WEIR_EIO, "not now");
	return sqlite_driver.begin(c, e);
}

static int
commit_unheard(struct sql_conn *c, struct err *e)
{
	int rc = sqlite_driver.commit(c, e);

	if (rc != 0 || !unheard || strcmp(last_db, second) != 0)
		return rc;
	away = ""; /* for good */
	return err_set(e, WEIR_EIO, "nobody answers");
}

/* The C library's, with a disk that fails. */
int
fsync(int fd)
{
	struct stat st;

	if (disk_fails && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/* The C library's, which the reader of batches alone calls. */
ssize_t
pread(int fd, void *buf, size_t n, off_t at)
{
	if (reads_left == 0) {
		errno = EIO;
		return -1;
	}
	reads_left -= reads_left > 0;
	return (ssize_t)syscall(SYS_pread64, fd, buf, n, at);
}

static struct sql_driver
driver_make(void)
{
	struct sql_driver d = sqlite_driver;

	d.open = open_fails;
	d.begin = begin_fails;
	d.commit = commit_unheard;
	away = NULL;
	opens = begin_at = 0;
	unheard = disk_fails = disk_fails_then = false;
	return d;
}

/* A row of `packets`, `bin` bins after the first. */
static struct flow
flow_of(unsigned bin, uint64_t packets)
{
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 6, packets, 10);

	f.stamp += bin * 300 * CLOCK_S;
	return f;
}

/* How often the log of this test has `text`. */
static unsigned
log_count(const char *text)
{
	char path[96];
	size_t len, n = strlen(text);
	unsigned found = 0;
	uint8_t *all;

	snprintf(path, sizeof(path), "%s/log", rig_dir);
	all = rig_load(path, &len);
	for (const uint8_t *p = all; (p = memmem(p, len - (size_t)(p - all), text, n)) != NULL;
	     p += n)
		found++;
	free(all);
	return found;
}

static void
log_to_file(void)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/log", rig_dir);
	assert_int_equal(log_open(&(struct log_config){ .file = path }, NULL), 0);
}

/* However many wait for their table: others go on, and the output fails until all are in. */
static void
test_tables_that_do_not_fit(void **state)
{
	struct rig g = { .o.common = five, .sc.table = "t_%H%M" };
	struct flow bad = flow_of(0, 1), good = flow_of(1, 100);

	(void)state;
	rig_open(&g);
	rig_run("CREATE TABLE t_0010 (none INT)");
	for (unsigned i = 0; i < 6; i++)
		assert_int_not_equal(rig_try(&g, &bad, 1), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_not_equal(rig_try(&g, &good, 1), 0);
		assert_int_equal(g.o.state, OUTPUT_FAILING);
	}
	assert_string_equal(rig_rows("SELECT sum(packets) FROM t_0015"), "200");
	assert_int_equal(g.r.spooled, 6);
	rig_run("DROP TABLE t_0010");
	rig_write(&g, &good, 1);
	assert_int_equal(g.o.state, OUTPUT_OK);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM t_0010"), "6");
	rig_close(&g);
}

/* While nobody is there, one try is enough for all that wait, however often it fails. */
static void
test_database_that_is_away(void **state)
{
	struct rig g = { .o.common = five };
	struct sql_driver d = driver_make();
	struct flow f = flow_of(0, 1);

	(void)state;
	away = "";
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	opens = 0;
	for (unsigned i = 0; i < 10; i++)
		assert_int_not_equal(rig_try(&g, &f, 1), 0);
	assert_int_equal(opens, 10);
	away = NULL;
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "11");
}

/*
 * The primary takes the first bin and not the second; the backup takes that, its answer is
 * lost, and weir is gone. The next weir has a primary that works: rows are there once.
 */
static void
test_lost_answer_of_the_backup(void **state)
{
	struct rig g = { .o.common = five, .sc.backup_host = second };
	struct rig next = g;
	struct sql_driver d = driver_make();
	struct flow f[2] = { flow_of(0, 1), flow_of(1, 100) };

	(void)state;
	snprintf(second, sizeof(second), "%s/second.db", rig_dir);
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	begin_at = 2;
	unheard = true;
	assert_int_not_equal(rig_try(&g, f, 2), 0);
	rig_close(&g);
	assert_int_equal(rig_files("1.backup"), 1);
	d = driver_make();
	log_to_file();
	assert_int_equal(rig_open_with(&next, &d, 100), 0);
	rig_close(&next);
	assert_int_equal(log_count(": 1 rows went to the backup"), 1); /* of 2 */
	log_close();
	assert_int_equal(rig_files("*"), 0);
	assert_int_equal(next.r.refused, 0);
	assert_string_equal(rig_rows("SELECT packets FROM acct"), "1");
	strcpy(rig_db, second);
	assert_string_equal(rig_rows("SELECT packets FROM acct"), "100");
}

/*
 * What only the backup may have waits for it: the output fails until that has it, though the
 * primary works again; which is said once.
 */
static void
test_bound_batch_that_waits(void **state)
{
	struct rig g = { .o.common = five, .sc.backup_host = second };
	struct sql_driver d = driver_make();
	struct flow f = flow_of(0, 1);

	(void)state;
	snprintf(second, sizeof(second), "%s/second.db", rig_dir);
	log_to_file();
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	begin_at = 1;
	unheard = true;
	assert_int_not_equal(rig_try(&g, &f, 1), 0);
	assert_int_equal(rig_files("0.backup"), 1);
	unheard = false;
	away = second;
	for (unsigned i = 0; i < 3; i++) {
		rig_write(&g, &f, 1);
		assert_int_equal(g.o.state, OUTPUT_FAILING);
	}
	assert_int_equal(log_count("works again"), 0);
	away = NULL;
	rig_write(&g, &f, 1);
	assert_int_equal(g.o.state, OUTPUT_OK);
	assert_int_equal(log_count("works again"), 1);
	log_close();
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "4");
	strcpy(rig_db, second);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "1");
}

/* A backup that is not there binds nothing to itself, and that is said once. */
static void
test_backup_that_is_away(void **state)
{
	struct rig g = { .o.common = five, .sc.backup_host = second };
	struct sql_driver d = driver_make();
	struct flow f = flow_of(0, 1);

	(void)state;
	snprintf(second, sizeof(second), "%s/second.db", rig_dir);
	away = "";
	log_to_file();
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_not_equal(rig_try(&g, &f, 1), 0);
	assert_int_equal(rig_files("backup"), 0);
	assert_int_equal(log_count("the backup is away"), 1);
	log_close();
	away = NULL;
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "4");
}

/* The backup refuses the oldest batch, whose table does not fit: it gets the others. */
static void
test_backup_that_refuses_one(void **state)
{
	struct rig g = { .o.common = five, .sc.table = "t_%H%M", .sc.backup_host = second };
	struct sql_driver d = driver_make();
	struct flow bad = flow_of(0, 1), good = flow_of(1, 100);

	(void)state;
	snprintf(second, sizeof(second), "%s/second.db", rig_dir);
	strcpy(rig_db, second);
	rig_run("CREATE TABLE t_0010 (none INT)");
	snprintf(rig_db, sizeof(rig_db), "%s/t.db", rig_dir);
	away = rig_db;
	log_to_file();
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_not_equal(rig_try(&g, &bad, 1), 0);
		assert_int_not_equal(rig_try(&g, &good, 1), 0);
	}
	assert_int_equal(rig_files("batch"), 2);
	assert_int_equal(log_count("the backup does not take"), 1);
	assert_int_equal(log_count(": 1 rows went to the backup"), 2);
	assert_int_equal(log_count("went to the backup"), 2);
	away = NULL;
	rig_write(&g, &bad, 1);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM t_0010"), "3");
	strcpy(rig_db, second);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM t_0015"), "200");
	rig_close(&g);
	log_close();
}

/*
 * A folder that cannot be synced: the backup gets nothing of a batch before its name is on
 * the disk, which a power cut would undo, so that the primary would count it, too. That holds
 * for every try, and for the weirs that come after.
 */
static void
test_name_that_is_not_on_the_disk(void **state)
{
	struct rig g = { .o.common = five, .sc.backup_host = second };
	struct rig next = g, last = g;
	struct sql_driver d = driver_make();
	struct flow f = flow_of(0, 1);

	(void)state;
	snprintf(second, sizeof(second), "%s/second.db", rig_dir);
	log_to_file();
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	begin_at = 1;
	disk_fails_then = true;
	assert_int_not_equal(rig_try(&g, &f, 1), 0);
	disk_fails = false;
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_int_equal(log_count("nothing can be given to the backup"), 1);
	assert_int_equal(log_count("the backup does not take"), 0);
	log_close();
	assert_int_equal(rig_open_with(&next, &d, 100), 0);
	rig_close(&next);
	assert_int_equal(rig_files("0.backup"), 1);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "1");
	disk_fails = disk_fails_then = false;
	assert_int_equal(rig_open_with(&last, &d, 100), 0);
	rig_close(&last);
	assert_int_equal(rig_files("*"), 0);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "1");
	strcpy(rig_db, second);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "1");
}

/*
 * A batch that the disk does not give, all of it or what comes behind its head: that is said,
 * with its name, and the backup is not said to be at fault, nor to refuse it.
 */
static void
test_batch_that_cannot_be_read(void **state)
{
	struct rig g = { .o.common = five, .sc.backup_host = second };
	struct sql_driver d = driver_make();
	struct flow f = flow_of(0, 1);
	static const int reads[] = { 0, 4 }; /* two each of a head, for the primary, too */

	(void)state;
	snprintf(second, sizeof(second), "%s/second.db", rig_dir);
	snprintf(rig_db, sizeof(rig_db), "%s/t.db", rig_dir);
	away = rig_db;
	log_to_file();
	assert_int_equal(rig_open_with(&g, &d, 100), 0);
	for (unsigned i = 0; i < 2; i++) {
		reads_left = reads[i];
		assert_int_not_equal(rig_try(&g, &f, 1), 0);
	}
	reads_left = -1;
	assert_int_equal(rig_files("batch"), 2);
	assert_true(log_count("what is for the backup cannot be read: ") >= 2);
	assert_true(log_count(".batch: Input/output error") >= 2);
	assert_int_equal(log_count("the backup does not take"), 0);
	assert_int_equal(log_count("the backup is away"), 0);
	assert_int_not_equal(rig_try(&g, &f, 1), 0);
	assert_int_equal(log_count("went to the backup"), 3);
	rig_close(&g);
	log_close();
	strcpy(rig_db, second);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "3");
}

/* What was called off as weir ends begins no connection. */
static void
test_called_off(void **state)
{
	static const struct batch_head h;
	struct sql_driver d = driver_make();
	struct sql_config c = { .db = rig_db };
	struct store *st = store_new(&d, &c, "test");
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(st);
	store_interrupt(st);
	assert_int_equal(store_ready(st, &h, NULL, 0, &e), -WEIR_EIO);
	assert_false(store_reached(st));
	assert_int_equal(opens, 0);
	store_free(st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_tables_that_do_not_fit),
		RIG_TEST(test_database_that_is_away),
		RIG_TEST(test_lost_answer_of_the_backup),
		RIG_TEST(test_bound_batch_that_waits),
		RIG_TEST(test_backup_that_is_away),
		RIG_TEST(test_backup_that_refuses_one),
		RIG_TEST(test_name_that_is_not_on_the_disk),
		RIG_TEST(test_batch_that_cannot_be_read),
		RIG_TEST(test_called_off),
	};

	return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
