/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "collectors/counter_log.h"
#include "lib/clock.h"
#include "lib/log.h"

static char folder[64];

static int
folder_open(void **state)
{
	static const struct log_config quiet = { .file = "/dev/null" };
	struct err e = ERR_INIT;

	(void)state;
	setenv("TZ", "UTC", 1);
	assert_int_equal(log_open(&quiet, &e), 0);
	snprintf(folder, sizeof(folder), "/tmp/weir-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int
folder_close(void **state)
{
	DIR *dir = opendir(folder);

	(void)state;
	assert_non_null(dir);
	for (const struct dirent *d; (d = readdir(dir)) != NULL;)
		if (d->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
	assert_int_equal(rmdir(folder), 0);
	return 0;
}

static const char *
path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* A log to file `name`, which must be fine. */
static struct counter_log *
log_of(const char *name)
{
	struct err e = ERR_INIT;
	struct counter_log *g = counter_log_new(path_of(name), &e);

	if (g == NULL)
		fail_msg("%s", e.text);
	return g;
}

static struct counter_ring *
join(struct counter_log *g)
{
	struct err e = ERR_INIT;
	struct counter_ring *r = counter_log_join(g, &e);

	if (r == NULL)
		fail_msg("%s", e.text);
	return r;
}

/* A block of VLAN `vlan`, of agent 192.0.2.`agent`. */
static void
entry_fill(struct counter_entry *entry, unsigned agent, uint32_t vlan)
{
	const uint8_t peer[4] = { 192, 0, 2, (uint8_t)agent };
	const uint8_t octets[28] = { [0] = (uint8_t)(vlan >> 24),
		[1] = (uint8_t)(vlan >> 16), [2] = (uint8_t)(vlan >> 8),
		[3] = (uint8_t)vlan, [11] = 9 };

	*entry = (struct counter_entry){ .arrival = 1700000000 * CLOCK_S + 5 * CLOCK_MS,
		.agent = ip_from_v4(peer), .peer = ip_from_v4(peer),
		.counter = sflow_counter_find(5), .source_class = 1, .source_index = 7,
		.datagram = 100, .sample = 3 };
	memcpy(entry->octets, octets, sizeof(octets));
}

static void
put(struct counter_ring *r, unsigned agent, uint32_t vlan)
{
	struct counter_entry *entry = counter_ring_slot_wait(r);

	assert_non_null(entry);
	entry_fill(entry, agent, vlan);
	counter_ring_commit(r);
}

/* What is in file `name`; "" when it is not there. Until the next call. */
static const char *
file_text(const char *name)
{
	static char text[1 << 16];
	FILE *in = fopen(path_of(name), "r");
	size_t n = 0;

	if (in != NULL) {
		n = fread(text, 1, sizeof(text) - 1, in);
		fclose(in);
	}
	text[n] = '\0';
	return text;
}

static unsigned
file_lines(const char *name)
{
	FILE *in = fopen(path_of(name), "r");
	unsigned n = 0;

	if (in == NULL)
		return 0;
	for (int c; (c = getc(in)) != EOF;)
		n += c == '\n';
	fclose(in);
	return n;
}

/* Wait until file `name` has `n` lines. */
static void
wait_lines(const char *name, unsigned n)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	for (unsigned i = 0; file_lines(name) < n; i++) {
		assert_true(i < 10000);
		nanosleep(&ms, NULL);
	}
}

/* All that a line has. */
static void
test_line(void **state)
{
	struct counter_log *g = log_of("one");
	struct counter_ring *r = join(g);

	(void)state;
	put(r, 9, 100);
	counter_log_leave(r);
	assert_string_equal(file_text("one"),
	    "{\"seq\": 0, \"timestamp\": \"2023-11-14 22:13:20.005000\", "
	    "\"peer_ip_src\": \"192.0.2.9\", \"event_type\": \"log\", "
	    "\"agent\": \"192.0.2.9\", \"source_id_class\": 1, \"source_id_index\": 7, "
	    "\"sflow_seq\": 100, \"sflow_cnt_seq\": 3, "
	    "\"sf_cnt_type\": \"sflow_cnt_vlan\", \"vlan\": 100, \"octets\": 9, "
	    "\"ucastPkts\": 0, \"multicastPkts\": 0, \"broadcastPkts\": 0, "
	    "\"discards\": 0}\n");
	counter_log_free(g);
}

/* Lines come without anybody leaving, and are added to what there is. */
static void
test_append(void **state)
{
	struct counter_log *g = log_of("more");
	struct counter_ring *r = join(g);

	(void)state;
	put(r, 9, 1);
	wait_lines("more", 1);
	put(r, 9, 2);
	wait_lines("more", 2);
	counter_log_leave(r);
	r = join(g);
	put(r, 9, 3);
	counter_log_leave(r);
	assert_int_equal(file_lines("more"), 3);
	counter_log_free(g);
}

/* A file for each agent, more of them than are held open. */
static void
test_agents(void **state)
{
	struct counter_log *g = log_of("of_$peer_src_ip.json");
	struct counter_ring *r = join(g);

	(void)state;
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 150; i++)
			put(r, i, round);
	counter_log_leave(r);
	for (unsigned i = 0; i < 150; i++) {
		char name[64], agent[64];

		snprintf(name, sizeof(name), "of_192_0_2_%u.json", i);
		assert_int_equal(file_lines(name), 3);
		snprintf(agent, sizeof(agent), "\"192.0.2.%u\"", i);
		assert_non_null(strstr(file_text(name), agent));
	}
	counter_log_free(g);
}

struct feeder {
	struct counter_ring *ring;
	pthread_t thread;
};

#define FEEDERS 3U
#define EACH    20000U

static void *
feeder_main(void *arg)
{
	struct feeder *f = arg;

	for (uint32_t i = 0; i < EACH; i++)
		put(f->ring, 1, i);
	return NULL;
}

/* Several workers at once, far more than a ring holds: each line once, in its order. */
static void
test_workers(void **state)
{
	struct counter_log *g = log_of("workers");
	struct feeder f[FEEDERS];
	uint64_t sum = 0;
	unsigned n = 0;
	FILE *in;
	char line[512];

	(void)state;
	for (unsigned i = 0; i < FEEDERS; i++)
		f[i].ring = join(g);
	for (unsigned i = 0; i < FEEDERS; i++)
		assert_int_equal(
		    pthread_create(&f[i].thread, NULL, feeder_main, &f[i]), 0);
	for (unsigned i = 0; i < FEEDERS; i++)
		pthread_join(f[i].thread, NULL);
	for (unsigned i = 0; i < FEEDERS; i++)
		counter_log_leave(f[i].ring);
	in = fopen(path_of("workers"), "r");
	assert_non_null(in);
	while (fgets(line, sizeof(line), in) != NULL) {
		const char *vlan = strstr(line, "\"vlan\": ");
		unsigned seq;

		assert_int_equal(sscanf(line, "{\"seq\": %u,", &seq), 1);
		assert_int_equal(seq, n++);
		assert_non_null(vlan);
		sum += strtoul(vlan + strlen("\"vlan\": "), NULL, 10);
	}
	fclose(in);
	assert_int_equal(n, FEEDERS * EACH);
	assert_int_equal(sum, (uint64_t)FEEDERS * EACH * (EACH - 1) / 2);
	counter_log_free(g);
}

/* A ring that is filled faster than it is emptied gets full, and says so at once. */
static void
test_full(void **state)
{
	struct counter_log *g = log_of("full");
	struct counter_ring *r = join(g);
	struct counter_entry *entry = NULL;
	unsigned n = 0;

	(void)state;
	/* Faster than a thread that looks ten times a second. */
	while (n < 1000000 && (entry = counter_ring_slot(r)) != NULL) {
		entry_fill(entry, 1, n++);
		counter_ring_commit(r);
	}
	assert_null(entry);
	assert_true(n >= 4096);
	counter_log_leave(r);
	assert_int_equal(file_lines("full"), n);
	counter_log_free(g);
}

/* Renamed away, and opened anew on demand. */
static void
test_reopen(void **state)
{
	struct counter_log *g = log_of("rotated");
	struct counter_ring *r = join(g);
	char old[128];

	(void)state;
	put(r, 9, 1);
	wait_lines("rotated", 1);
	snprintf(old, sizeof(old), "%s", path_of("rotated.1"));
	assert_int_equal(rename(path_of("rotated"), old), 0);
	put(r, 9, 2);
	wait_lines("rotated.1", 2);
	counter_log_reopen(g);
	put(r, 9, 3);
	wait_lines("rotated", 1);
	assert_int_equal(file_lines("rotated.1"), 2);
	counter_log_leave(r);
	counter_log_free(g);
}

/* A file that grows no more: what was written stays whole, and later lines come through. */
static void
test_disk_full(void **state)
{
	struct counter_log *g = log_of("limited");
	struct counter_ring *r = join(g);
	struct rlimit old, small;
	const char *text;
	size_t len;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	put(r, 9, 1);
	wait_lines("limited", 1);
	len = strlen(file_text("limited"));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = len + 50;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	put(r, 9, 2);
	nanosleep(&(struct timespec){ .tv_nsec = 400000000 }, NULL);
	assert_int_equal(strlen(file_text("limited")), len);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	put(r, 9, 3);
	counter_log_leave(r);
	text = file_text("limited");
	assert_null(strstr(text, "\"vlan\": 2"));
	assert_non_null(strstr(text, "\"vlan\": 3"));
	assert_int_equal(file_lines("limited"), 2);
	counter_log_free(g);
}

/* A named pipe without a reader does not hold anybody up; one with a reader gets lines. */
static void
test_pipe(void **state)
{
	struct counter_log *g = log_of("pipe");
	struct counter_ring *r;
	char got[2048];
	ssize_t n = 0;
	int fd;

	(void)state;
	assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
	r = join(g);
	put(r, 9, 1);
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	fd = open(path_of("pipe"), O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	put(r, 9, 2);
	for (unsigned i = 0; n <= 0 && i < 5000; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		n = read(fd, got, sizeof(got) - 1);
	}
	assert_true(n > 0);
	got[n] = '\0';
	assert_non_null(strstr(got, "\"vlan\": 2"));
	counter_log_leave(r);
	close(fd);
	counter_log_free(g);
}

static void
test_refused(void **state)
{
	struct err e = ERR_INIT;
	struct counter_log *g;

	(void)state;
	assert_null(counter_log_new("/tmp/$peer_src_port", &e));
	assert_non_null(strstr(e.text, "$peer_src_ip"));
	e = (struct err)ERR_INIT;
	g = counter_log_new(path_of("no/such/folder"), &e);
	assert_non_null(g);
	assert_null(counter_log_join(g, &e));
	assert_non_null(strstr(e.text, "no/such/folder"));
	counter_log_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_agents),
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name(
	    "collectors/counter_log", tests, folder_open, folder_close);
}
