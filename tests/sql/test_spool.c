/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spools: files of former runs, damaged, unfinished, of newer weirs, of nobody; folders
 * that are none.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "sql/batch.h"
#include "sql/batch_block.h"
#include "sql/spool.h"
#include "sql/writer.h"
#include "tests/sql/rig.h"

static char path[256];

static const struct output_config five = { .aggregate = "src_host", .history = "5m" };

/* Two rows of 1 and 2 packets in each of two bins, left in a spool. */
static void
spool_make(void)
{
	struct rig g = { .o.common = five };
	struct flow f[4];

	for (unsigned i = 0; i < 4; i++) {
		f[i] = rig_flow(i % 2 == 0 ? "192.0.2.1" : "192.0.2.2", NULL, 0, 0, 6,
		    1 + i % 2, 10);
		f[i].stamp += i / 2 * 300 * CLOCK_S;
	}
	rig_open(&g);
	/* Now it fits nobody: */
	rig_run("DROP TABLE acct; CREATE TABLE acct (none INT)");
	assert_int_not_equal(rig_try(&g, f, 4), 0);
	rig_close(&g);
	assert_int_equal(g.r.spooled, 4);
	assert_int_equal(rig_files("batch"), 1);
	rig_run("DROP TABLE acct");
	snprintf(path, sizeof(path), "%s", rig_file);
}

/* Another run writes what is there. */
static void
spool_run(struct rig *g)
{
	*g = (struct rig){ .o.common = five };
	rig_open(g);
	rig_close(g);
}

static void
test_table_that_does_not_fit_is_waited_for(void **state)
{
	struct rig g;

	(void)state;
	spool_make();
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "6");
	assert_int_equal(rig_files("batch"), 0);
	assert_int_equal(g.r.written, 4);
}

static void
test_damaged_file_is_used_and_kept(void **state)
{
	struct rig g;
	size_t len;
	uint8_t *p;

	(void)state;
	spool_make();
	p = rig_load(path, &len);
	p[len - BLOCK_HEAD - 20] ^= 0x40; /* in the last bin's block */
	rig_store(path, p, len);
	free(p);
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "3");
	assert_int_equal(rig_files("batch"), 0);
	assert_int_equal(rig_files("damaged"), 1);
	assert_int_equal(g.r.written, 2);
	assert_int_equal(g.r.refused, 2); /* its end tells how many there were */
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "3");
}

static void
test_unfinished_file_is_used(void **state)
{
	struct rig g;
	size_t len;
	uint8_t *p;

	(void)state;
	spool_make();
	p = rig_load(path, &len);
	assert_int_equal(unlink(path), 0);
	strcat(path, BATCH_WRITING);
	rig_store(path, p, len - BLOCK_HEAD - 12 - 10); /* without its end, and more */
	free(p);
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "3");
	assert_int_equal(rig_files("batch") + rig_files("*"), 0);
}

/* What was on the disk whole has become shorter: that is damage, as it has ended. */
static void
test_file_cut_off_is_kept(void **state)
{
	struct rig g;
	size_t len;
	uint8_t *p;

	(void)state;
	spool_make();
	p = rig_load(path, &len);
	rig_store(path, p, len - BLOCK_HEAD - 12);
	free(p);
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "6");
	assert_int_equal(rig_files("batch"), 0);
	assert_int_equal(rig_files("damaged"), 1);
}

static struct batch_head
head_of(uint64_t seq)
{
	return (struct batch_head){ .boot = 1, .seq = seq,
		.schema = { .n = 1, .columns = { { .name = "packets" } } } };
}

/* Begin, end and add a file of nothing. NULL error: it worked. */
static int
file_make(struct spool *sp, uint64_t seq, const char *tail)
{
	struct batch_head h = head_of(seq);
	struct err e = ERR_INIT;
	struct spool_file *f = spool_begin(sp, &h, tail, &e);

	if (f == NULL)
		return -e.code;
	assert_int_equal(spool_end(sp, f, 0, &e), 0);
	spool_add(sp, f);
	return 0;
}

/* Files set aside count once each, whatever way they came. */
static void
test_room_aside(void **state)
{
	struct err e = ERR_INIT;
	struct spool *sp = spool_open(rig_dir, "aside", 1000, &e);

	(void)state;
	assert_non_null(sp);
	for (unsigned i = 0; i < 20; i++) /* tries of one */
		assert_int_equal(file_make(sp, 1, "rejected"), 0);
	spool_close(sp);
	sp = spool_open(rig_dir, "damaged", 100, &e);
	assert_non_null(sp);
	assert_int_equal(file_make(sp, 1, "batch"), 0);
	spool_done(sp, spool_first(sp), true);
	assert_int_equal(file_make(sp, 2, "rejected"), -WEIR_EFULL);
	spool_close(sp);
}

/* weir ended when it wrote what was rejected: that is kept, but is no batch that waits. */
static void
test_rejected_file_that_has_not_ended(void **state)
{
	struct err e = ERR_INIT;
	struct spool *sp = spool_open(rig_dir, "spool", 1000, &e);

	(void)state;
	assert_non_null(sp);
	spool_close(sp);
	assert_non_null(sp = spool_open(strcat(strcpy(path, rig_dir), "/spool"), "x", 1000, &e));
	spool_close(sp);
	strcat(path, "/x/1-1.rejected" BATCH_WRITING);
	rig_store(path, (const uint8_t *)"half", 4);
	*strstr(path, "/x/") = '\0';
	assert_non_null(sp = spool_open(path, "x", 1000, &e));
	assert_null(spool_first(sp));
	spool_close(sp);
	assert_int_equal(rig_files("rejected"), 1);
	assert_int_equal(rig_files("writing"), 0);
}

static unsigned good_reads = UINT_MAX; /* then the disk fails */

/* The C library's, with a disk that fails. */
ssize_t
pread(int fd, void *to, size_t len, off_t at)
{
	struct iovec v = { to, len };

	if (good_reads == 0) {
		errno = EIO;
		return -1;
	}
	good_reads--;
	return preadv(fd, &v, 1, at);
}

/* A disk that fails, at every read: nothing passes for damage, and all is written later. */
static void
test_disk_that_fails(void **state)
{
	unsigned n, left = 0;

	(void)state;
	spool_make();
	for (n = 0; left == 0; n++) {
		struct rig g;

		good_reads = n;
		spool_run(&g);
		left = good_reads;
		good_reads = UINT_MAX;
		assert_int_equal(rig_files("damaged"), 0);
		assert_int_equal(g.r.refused, 0);
	}
	assert_true(n > 8); /* head, two bins, end: two reads each */
	assert_int_equal(rig_files("batch"), 0);
	assert_string_equal(rig_rows("SELECT sum(packets), count(*) FROM acct"), "6|4");
}

/* The same within a bin of several blocks: it is in as a whole or not at all. */
static void
test_disk_that_fails_within_a_bin(void **state)
{
	enum { ROWS = 20000 };
	struct rig g = { .o.common = five };
	struct flow *f = calloc(ROWS, sizeof(*f));

	(void)state;
	assert_non_null(f);
	for (unsigned i = 0; i < ROWS; i++) {
		char src[16];

		snprintf(src, sizeof(src), "10.0.%u.%u", i / 200, i % 200);
		f[i] = rig_flow(src, NULL, 0, 0, 6, 1, 10);
	}
	rig_open(&g);
	rig_run("DROP TABLE acct; CREATE TABLE acct (none INT)");
	assert_int_not_equal(rig_try(&g, f, ROWS), 0);
	rig_close(&g);
	free(f);
	rig_run("DROP TABLE acct");
	good_reads = 2 + 2 + 1; /* the head, a block of rows, a head of the next */
	spool_run(&g);
	good_reads = UINT_MAX;
	assert_int_equal(rig_files("batch"), 1);
	assert_string_equal(rig_rows("SELECT count(*) FROM acct"), "0");
	spool_run(&g);
	assert_int_equal(rig_files("*"), 0);
	assert_string_equal(rig_rows("SELECT sum(packets), count(*) FROM acct"),
	    "20000|20000");
}

static void
test_file_of_nothing_is_set_aside(void **state)
{
	struct rig g;

	(void)state;
	spool_make();
	rig_store(path, (const uint8_t *)"this is no batch", 16);
	spool_run(&g);
	assert_int_equal(rig_files("damaged"), 1);
	assert_int_equal(rig_files("batch"), 0);
	assert_int_equal(unlink(rig_file), 0);
	strcat(path, BATCH_WRITING);
	rig_store(path, (const uint8_t *)"", 0); /* weir ended when it had just begun */
	spool_run(&g);
	assert_int_equal(rig_files("*"), 0);
}

static void
test_file_of_a_newer_weir_is_left(void **state)
{
	struct rig g;
	size_t len;
	uint8_t *p;

	(void)state;
	spool_make();
	p = rig_load(path, &len);
	p[BLOCK_HEAD + 1] = BATCH_VERSION + 1;
	rig_batch_seal(p);
	rig_store(path, p, len);
	spool_run(&g);
	assert_int_equal(rig_files("batch"), 1);
	assert_string_equal(rig_rows("SELECT count(*) FROM acct"), "0");
	p[BLOCK_HEAD + 1] = BATCH_VERSION;
	rig_batch_seal(p);
	rig_store(path, p, len);
	free(p);
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets) FROM acct"), "6");
}

/* A copy of a file that is in already: as after a power failure that undid its removal. */
static void
test_file_that_comes_again(void **state)
{
	struct rig g;
	size_t len;
	uint8_t *p;

	(void)state;
	spool_make();
	p = rig_load(path, &len);
	spool_run(&g);
	rig_store(path, p, len);
	free(p);
	spool_run(&g);
	assert_string_equal(rig_rows("SELECT sum(packets), count(*) FROM acct"), "6|4");
	assert_int_equal(rig_files("batch"), 0);
}

/* Somebody removed what waits. */
static void
test_file_that_is_gone(void **state)
{
	struct rig g = { .o.common = five };
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);

	(void)state;
	rig_open(&g);
	rig_run("DROP TABLE acct; CREATE TABLE acct (none INT)");
	assert_int_not_equal(rig_try(&g, &f, 1), 0);
	assert_int_equal(rig_files("batch"), 1);
	assert_int_equal(unlink(rig_file), 0);
	rig_run("DROP TABLE acct");
	rig_write(&g, &f, 1);
	rig_close(&g);
	assert_int_equal(g.r.written, 1);
	assert_int_equal(g.r.refused, 1);
	assert_int_equal(g.o.waiting, 0);
}

static void
test_names_that_are_no_file_names(void **state)
{
	struct rig g = { .o.common = five, .o.name = "../../etc/x %" };
	struct flow f = rig_flow("192.0.2.1", NULL, 0, 0, 6, 1, 10);

	(void)state;
	rig_open(&g);
	rig_write(&g, &f, 1);
	rig_close(&g);
	snprintf(path, sizeof(path), "%s/spool/%%2E.%%2F..%%2Fetc%%2Fx%%20%%25/lock",
	    rig_dir);
	assert_int_equal(access(path, F_OK), 0);
}

static void
test_folders(void **state)
{
	static const struct {
		const char *says, *at, *error; /* NULL: it works */
	} cases[] = {
		{ "a folder of the operator's choice", "mine", NULL },
		{ "a file, as pmacct's log was", "file", "is a file" },
		{ "below what is not there", "no/such", "No such file" },
	};
	char at[160];

	(void)state;
	snprintf(path, sizeof(path), "%s/file", rig_dir);
	rig_store(path, (const uint8_t *)"log", 3);
	for (size_t i = 0; i < N(cases); i++) {
		struct rig g = { .o.common = five, .sc.spool_path = at };
		int rc;

		snprintf(at, sizeof(at), "%s/%s", rig_dir, cases[i].at);
		rc = rig_open_with(&g, NULL, 100);
		if ((rc == 0) != (cases[i].error == NULL) ||
		    (rc != 0 && strstr(g.e.text, cases[i].error) == NULL))
			fail_msg("%s: %s", cases[i].says, g.e.text);
		rig_close(&g);
	}
}

/* Who only looks whether a spool is had, as weir replay does, keeps no weir from it. */
static void *
look_on(void *fd)
{
	nanosleep(&(struct timespec){ 0, 200 * 1000000L }, NULL);
	(void)close(*(int *)fd);
	return NULL;
}

static void
test_start_waits_for_who_looks(void **state)
{
	struct err e = ERR_INIT;
	struct spool *sp = spool_open(rig_dir, "x", 1 << 20, &e);
	pthread_t thread;
	int fd;

	(void)state;
	assert_non_null(sp);
	snprintf(path, sizeof(path), "%s/lock", spool_path(sp));
	assert_null(spool_open(rig_dir, "x", 1 << 20, &e)); /* a weir has it */
	assert_non_null(strstr(e.text, "another weir"));
	spool_close(sp);
	fd = open(path, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
	assert_int_equal(pthread_create(&thread, NULL, look_on, &fd), 0);
	sp = spool_open(rig_dir, "x", 1 << 20, &e);
	assert_non_null(sp);
	spool_close(sp);
	pthread_join(thread, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_table_that_does_not_fit_is_waited_for),
		RIG_TEST(test_damaged_file_is_used_and_kept),
		RIG_TEST(test_unfinished_file_is_used),
		RIG_TEST(test_file_cut_off_is_kept),
		RIG_TEST(test_room_aside),
		RIG_TEST(test_rejected_file_that_has_not_ended),
		RIG_TEST(test_disk_that_fails),
		RIG_TEST(test_disk_that_fails_within_a_bin),
		RIG_TEST(test_file_of_nothing_is_set_aside),
		RIG_TEST(test_file_of_a_newer_weir_is_left),
		RIG_TEST(test_file_that_comes_again),
		RIG_TEST(test_file_that_is_gone),
		RIG_TEST(test_folders),
		RIG_TEST(test_start_waits_for_who_looks),
		RIG_TEST(test_names_that_are_no_file_names),
	};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
