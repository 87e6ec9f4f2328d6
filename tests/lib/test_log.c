/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "lib/clock.h"
#include "lib/log.h"

/* 2026-11-23T10:00:00.123456789Z */
#define NOW   UINT64_C(1795428000123456789)
#define STAMP "2026-11-23T10:00:00.123Z "

static char dir[] = "/tmp/weir-test-log-XXXXXX";
static char path[64], rotated[64];

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(rotated, sizeof(rotated), "%s/log.1", dir);
	clock_set(NOW);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	clock_set(0);
	log_close();
	unlink(path);
	unlink(rotated);
	return rmdir(dir);
}

/* Log to an empty file from now on. */
static void
open_file(void)
{
	unlink(path);
	assert_int_equal(log_open(&(struct log_config){ .file = path }, NULL), 0);
}

/* All that the file at `name` holds; good until the next call. */
static const char *
file_text(const char *name)
{
	static char text[1 << 20];
	FILE *f = fopen(name, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

static void
test_levels(void **state)
{
	(void)state;
	open_file();
	log_err("snmp: no %s", "master");
	log_warn("ipfix %s/%d: template %d unknown", "192.0.2.1", 256, 300);
	log_info("ready");
	log_debug(LOG_SNMP, "not switched on");
	assert_string_equal(file_text(path),
	    STAMP "ERR   snmp: no master\n"
	    STAMP "WARN  ipfix 192.0.2.1/256: template 300 unknown\n"
	    STAMP "INFO  ready\n");
}

static void
test_debug_topics(void **state)
{
	static const struct {
		const char *says, *topics, *want;
		bool debug;
	} cases[] = {
		{ "none without debug", "snmp", "", false },
		{ "all", NULL, STAMP "DEBUG the first\n" STAMP "DEBUG snmp\n" STAMP "DEBUG the last\n",
		    true },
		{ "one", "snmp", STAMP "DEBUG snmp\n", true },
		{ "two", "pcap, sql", STAMP "DEBUG the first\n" STAMP "DEBUG the last\n", true },
	};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct log_config c = { .file = path, .debug = cases[i].debug,
			.topics = cases[i].topics };

		open_file();
		assert_int_equal(log_open(&c, NULL), 0);
		log_debug(LOG_PCAP, "the first");
		log_debug(LOG_SNMP, "snmp");
		log_debug(LOG_SQL, "the last");
		if (strcmp(file_text(path), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].says, file_text(path));
	}
	assert_int_equal(log_open(&(struct log_config){ .topics = "snmp,sqll" }, &e), -WEIR_EINVAL);
	assert_string_equal(
	    e.text, "debug_topics: no topic 'sqll'; there are pcap template snmp rrd sql");
}

static const struct {
	const char *says, *text, *want;
} cleaned[] = {
	{ "a newline does not start a line", "a\nERR forged", "a?ERR forged" },
	{ "escape sequences do not reach a terminal", "\x1b[2Jx\x7f\r\t", "?[2Jx???" },
	{ "UTF-8 stays", "caf\xc3\xa9", "caf\xc3\xa9" },
	{ "nothing to say is still a line", "", "" },
};

static void
test_control_characters(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cleaned) / sizeof(cleaned[0]); i++) {
		char want[128];

		open_file();
		log_info("%s", cleaned[i].text);
		snprintf(want, sizeof(want), STAMP "INFO  %s\n", cleaned[i].want);
		if (strcmp(file_text(path), want) != 0)
			fail_msg("%s: '%s'", cleaned[i].says, file_text(path));
	}
}

static void
test_long_line_is_cut(void **state)
{
	char big[5000];
	size_t sizes[] = { 1990, 2010, 2011, 2012, 2013, 2014, 2015, 2016, 2017, 2018,
		2019, 2020, 4999 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const char *text;
		size_t n;

		memset(big, 'x', sizeof(big));
		big[sizes[i]] = '\0';
		open_file();
		log_info("%s", big);
		text = file_text(path);
		n = strlen(text);
		assert_true(n <= 2048);
		assert_int_equal(text[n - 1], '\n');
		if (n < strlen(STAMP "INFO  \n") + sizes[i])
			assert_string_equal(text + n - 5, "x...\n");
	}
	/* Two octets a character: never half of one. */
	for (size_t i = 0; i + 2 < sizeof(big); i += 2)
		memcpy(big + i, "\xc3\xa9", 3);
	for (size_t shift = 0; shift < 2; shift++) {
		const char *text;

		open_file();
		log_info("%s%s", shift ? "x" : "", big);
		text = file_text(path);
		assert_string_equal(text + strlen(text) - 6, "\xc3\xa9...\n");
	}
}

static void
test_keeps_errno(void **state)
{
	(void)state;
	/* A disk that is full: the write fails and sets errno itself. */
	if (log_open(&(struct log_config){ .file = "/dev/full" }, NULL) != 0)
		skip();
	errno = ENOENT;
	log_err("no: %s", "reason");
	assert_int_equal(errno, ENOENT);
}

static void
test_reopen(void **state)
{
	(void)state;
	open_file();
	log_info("before");
	assert_int_equal(rename(path, rotated), 0);
	log_info("still the old file");
	log_reopen();
	log_info("after");
	assert_string_equal(file_text(rotated),
	    STAMP "INFO  before\n" STAMP "INFO  still the old file\n");
	assert_string_equal(file_text(path), STAMP "INFO  after\n");
}

static void
test_reopen_fails(void **state)
{
	const char *text;

	(void)state;
	open_file();
	assert_int_equal(rename(path, rotated), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	log_reopen();
	log_info("kept");
	assert_int_equal(rmdir(path), 0);
	text = file_text(rotated);
	assert_non_null(strstr(text, "the old one is kept\n"));
	assert_non_null(strstr(text, "INFO  kept\n"));
}

static void
test_open_faults(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	open_file();
	assert_int_equal(
	    log_open(&(struct log_config){ .file = "/nonexistent/log" }, &e),
	    -WEIR_EIO);
	assert_non_null(strstr(e.text, "/nonexistent/log: No such file"));
	assert_int_equal(
	    log_open(&(struct log_config){ .syslog = "local8" }, &e), -WEIR_EINVAL);
	assert_non_null(strstr(e.text, "'local8'"));
	log_info("goes on where it was");
	assert_string_equal(file_text(path), STAMP "INFO  goes on where it was\n");
}

/* Syslog beside a file: there may be no daemon, but the file has the line. */
static void
test_syslog_and_file(void **state)
{
	(void)state;
	unlink(path);
	assert_int_equal(log_open(&(struct log_config){ .file = path,
	                     .syslog = "local7", .ident = "weir-test" }, NULL), 0);
	log_info("to both");
	assert_string_equal(file_text(path), STAMP "INFO  to both\n");
	log_close();
}

/* A datagram socket as standard error receives as many messages as there are writes. */
static void
test_one_write_a_line(void **state)
{
	int pair[2], saved = dup(STDERR_FILENO);
	char got[256];
	ssize_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	open_file();
	log_close(); /* from a file back to standard error, which must be open still */
	assert_int_equal(dup2(pair[1], STDERR_FILENO), STDERR_FILENO);
	log_warn("to standard %s", "error");
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	n = recv(pair[0], got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, STAMP "WARN  to standard error\n");
	assert_int_equal(recv(pair[0], got, sizeof(got), MSG_DONTWAIT), -1);
	close(pair[0]);
	close(pair[1]);
	close(saved);
}

/* What happens at `at_ms` of a bucket of 3, then one every 10 s. */
static const struct {
	const char *says;
	uint64_t at_ms;
	const char *want;  /* the line's end, NULL: no line */
} bucket[] = {
	{ "the first of the burst", 0, "x\n" },
	{ "the second", 0, "x\n" },
	{ "the third", 1, "x\n" },
	{ "the bucket is empty", 2, NULL },
	{ "still empty", 9000, NULL },
	{ "not quite ten seconds", 9999, NULL },
	{ "a token after ten seconds, and three were left out", 10000,
	    "x (3 more left out)\n" },
	{ "only one", 10001, NULL },
	{ "two tokens after thirty seconds in all", 30000, "x (1 more left out)\n" },
	{ "the second of them, nothing left out before", 30000, "x\n" },
	{ "empty again", 30000, NULL },
	{ "after a long pause the bucket is full again", 1003000,
	    "x (1 more left out)\n" },
	{ "but not fuller", 1003000, "x\n" },
	{ "its last token", 1003000, "x\n" },
	{ "empty", 1003000, NULL },
	{ "no token before its time", 1012999, NULL },
	{ "at its time", 1013000, "x (2 more left out)\n" },
};

/* Lines that are left out count as such, whether they are made or not. */
static void
bucket_check(bool ask)
{
	struct log_limit l = { 3, 10 * CLOCK_S, 0, 0, 0 };

	for (size_t i = 0; i < sizeof(bucket) / sizeof(bucket[0]); i++) {
		const char *text, *end;
		bool written;

		open_file();
		clock_set(NOW + bucket[i].at_ms * CLOCK_MS);
		written = !(ask && log_limit_spent(&l)) && log_limited(&l, "%s", "x");
		text = file_text(path);
		end = *text != '\0' ? text + strlen(STAMP "WARN  ") : NULL;
		if (written != (bucket[i].want != NULL) || written != (end != NULL) ||
		    (written && strcmp(end, bucket[i].want) != 0))
			fail_msg("%s: '%s'", bucket[i].says, text);
	}
	clock_set(NOW);
}

static void
test_token_bucket(void **state)
{
	(void)state;
	bucket_check(false);
	bucket_check(true);
}

static void
test_bucket_and_clock_set_back(void **state)
{
	struct log_limit l = { 1, 10 * CLOCK_S, 0, 0, 0 };

	(void)state;
	open_file();
	clock_set(NOW);
	assert_true(log_limited(&l, "x"));
	clock_set(NOW - 100 * CLOCK_S);
	assert_false(log_limited(&l, "x"));
	clock_set(NOW - 90 * CLOCK_S);
	assert_true(log_limited(&l, "x"));
	clock_set(NOW);
}

#define N_THREADS 4
#define N_LINES   1000

static void *
thread_run(void *arg)
{
	for (int i = 0; i < N_LINES; i++)
		log_info("thread %d line %d end", *(int *)arg, i);
	return NULL;
}

/* Lines of several threads come whole, also while the file is opened anew. */
static void
test_threads(void **state)
{
	pthread_t threads[N_THREADS];
	int numbers[N_THREADS], n = 0;
	const char *line;

	(void)state;
	open_file();
	for (int t = 0; t < N_THREADS; t++) {
		numbers[t] = t;
		assert_int_equal(
		    pthread_create(&threads[t], NULL, thread_run, &numbers[t]), 0);
	}
	for (int i = 0; i < 100; i++)
		log_reopen();
	for (int t = 0; t < N_THREADS; t++)
		pthread_join(threads[t], NULL);
	for (line = file_text(path); *line != '\0'; line = strchr(line, '\n') + 1,
	    n++) {
		int thread, number, used = 0;

		sscanf(line, STAMP "INFO  thread %d line %d end%n", &thread, &number,
		    &used);
		assert_true(used > 0);
		assert_int_equal(line[used], '\n');
	}
	assert_int_equal(n, N_THREADS * N_LINES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_debug_topics),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_long_line_is_cut),
		cmocka_unit_test(test_keeps_errno),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_reopen_fails),
		cmocka_unit_test(test_open_faults),
		cmocka_unit_test(test_syslog_and_file),
		cmocka_unit_test(test_one_write_a_line),
		cmocka_unit_test(test_token_bucket),
		cmocka_unit_test(test_bucket_and_clock_set_back),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("log", tests, setup, teardown);
}
