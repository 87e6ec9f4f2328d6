/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the client of rrdcached believes: of one that is broken, or means ill, nothing. */
#include "tests/rrd/daemon.h"
#include "tests/rrd/fixture.h"

#include <sys/socket.h>
#include <sys/un.h>

/* A socket to connect to in `dir`; its address to `address` (128). */
static int
listen_in(const char *dir, char *address)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", dir);
	snprintf(address, 128, "unix:%s", at.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)(void *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* Who listens may be systemd: that it is the same process as before says nothing. */
static void
whose_socket_it_is_not_is_another(void **state)
{
	char *dir = scratch_new(), address[128];
	int fd = listen_in(dir, address);
	struct err e = ERR_INIT;
	struct cached *c = cached_new(address, &e);

	(void)state;
	assert_non_null(c);
	assert_int_equal(cached_connect(c, &e), CACHED_ANOTHER);
	assert_int_equal(cached_connect(c, &e), 0);
	cached_disconnect(c);
	assert_int_equal(cached_connect(c, &e), CACHED_ANOTHER);
	cached_free(c);
	close(fd);
	scratch_free(dir);
}

/* What an rrdcached of our making answers, in a process of its own. */
static void
answer_say(int fd, const char *begin, const char *end, bool drip)
{
	char buf[4096];
	ssize_t n;
	size_t len = 0;

	while ((n = read(fd, buf + len, 1)) == 1 && buf[len++] != '\n') {
	}
	(void)!write(fd, begin, strlen(begin));
	for (len = 0; len < 3 || memcmp(buf + len - 3, "\n.\n", 3) != 0; len++)
		if (len == sizeof(buf) || read(fd, buf + len, 1) != 1)
			_exit(0);
	while (drip && write(fd, "0", 1) == 1)
		usleep(100000);
	(void)!write(fd, end, strlen(end));
	while (read(fd, buf, sizeof(buf)) > 0) {
	}
	_exit(0);
}

static void
failed_count(void *arg, size_t no, const char *text)
{
	(void)text;
	assert_in_range(no, 0, 2);
	*(unsigned *)arg += 1;
}

/* Three commands in one batch; of the answer nothing is believed that cannot be. */
static void
hostile_answers_end_the_connection(void **state)
{
	static char long_one[20000];
	static const struct {
		const char *says, *begin, *end;
		int want;
		unsigned failed;
	} cases[] = {
		{ "none failed", "0 Go ahead.\n", "0 errors\n", 0, 0 },
		{ "two did", "0 Go ahead.\n", "2 errors\n1 no\n3 no\n", 0, 2 },
		{ "one twice", "0 Go ahead.\n", "2 errors\n2 no\n2 no\n", -WEIR_EIO, 1 },
		{ "in another order", "0 Go ahead.\n", "2 errors\n3 no\n1 no\n", -WEIR_EIO, 1 },
		{ "one that was not told", "0 Go ahead.\n", "1 errors\n4 no\n", -WEIR_EIO, 0 },
		{ "number 0", "0 Go ahead.\n", "1 errors\n0 no\n", -WEIR_EIO, 0 },
		{ "more than were told", "0 Go ahead.\n", "4 errors\n", -WEIR_EIO, 0 },
		{ "a refusal", "-1 no\n", "", -WEIR_EIO, 0 },
		{ "a line without an end", "0 Go ahead.\n", long_one, -WEIR_EIO, 0 },
	};

	(void)state;
	memcpy(memset(long_one, ' ', sizeof(long_one) - 1), "1 errors\n1", 10);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *dir = scratch_new(), address[128];
		int fd = listen_in(dir, address), rc;
		struct err e = ERR_INIT;
		struct cached *c = cached_new(address, &e);
		unsigned failed = 0;
		pid_t pid = fork();

		if (pid == 0)
			answer_say(accept(fd, NULL, NULL), cases[i].begin, cases[i].end, false);
		assert_true(pid > 0);
		assert_true(cached_connect(c, &e) > 0);
		rc = cached_begin(c, &e);
		for (unsigned k = 0; rc == 0 && k < 3; k++)
			cached_command(c, "FLUSH", "/a", "");
		if (rc == 0)
			rc = cached_end(c, failed_count, &failed, &e);
		if (rc != cases[i].want || failed != cases[i].failed ||
		    cached_connected(c) != (rc == 0))
			fail_msg("%s: %d, %u failed: %s", cases[i].says, rc, failed, e.text);
		cached_free(c);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		close(fd);
		scratch_free(dir);
	}
}

/* One that sends an octet now and then is waited for no longer than a mute one. */
static void
a_dripping_rrdcached_is_given_up(void **state)
{
	char *dir = scratch_new(), address[128];
	int fd = listen_in(dir, address);
	struct err e = ERR_INIT;
	struct cached *c = cached_new(address, &e);
	unsigned failed = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		answer_say(accept(fd, NULL, NULL), "0 Go ahead.\n", "", true);
	assert_true(pid > 0);
	assert_true(cached_connect(c, &e) > 0);
	cached_hurry(c);
	assert_int_equal(cached_begin(c, &e), 0);
	cached_command(c, "FLUSH", "/a", "");
	assert_int_equal(cached_end(c, failed_count, &failed, &e), -WEIR_EIO);
	assert_true(cached_timed_out(c));
	cached_free(c);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
	scratch_free(dir);
}

/*
 * rrdcached refuses a bin for a time that cannot be: it is not carried behind that time, where no
 * bin would ever be, but waits in the journal.
 */
static void
an_absurd_last_update_is_not_believed(void **state)
{
	static const char *const times[] = { "1099511627776.000000", "1400000000.000000", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char address[128], end[256];
		struct fixture f;
		pid_t pid;
		int fd;

		fixture_init(&f);
		fd = listen_in(f.dir, address);
		snprintf(end, sizeof(end), "1 errors\n1 illegal attempt to update using time %jd.000000 "
		    "when last update time is %s\n", (intmax_t)(START + STEP), times[i]);
		pid = fork();
		if (pid == 0)
			answer_say(accept(fd, NULL, NULL), "0 Go ahead.\n", end, false);
		assert_true(pid > 0);
		f.config.daemon = address;
		f.config.daemon_flush = 3600;
		fixture_open(&f, "src_host", 100);
		feed(&f, 1, 0, 1000);
		publish(&f, 1, false);
		assert_int_equal(f.rc, -WEIR_EIO);
		assert_non_null(strstr(f.e.text, "illegal attempt"));
		fixture_close(&f);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		close(fd);
		f.config.daemon = NULL;
		fixture_open(&f, "src_host", 100);
		publish(&f, 2, false);
		assert_int_equal(atomic_load(&f.o.spooled), 0);
		assert_int_equal(peek(&f, 0), 1000);
		fixture_end(&f);
	}
}

/* One rrdcached knows itself again: here the connection is lost. */
static void
one_rrdcached_is_the_same(void **state)
{
	struct daemon d = { .pid = 0 };
	struct err e = ERR_INIT;
	char *dir = scratch_new();
	struct cached *c;

	(void)state;
	if (!daemon_installed())
		return;
	snprintf(d.dir, sizeof(d.dir), "%s", dir);
	daemon_start(&d);
	c = cached_new(d.address, &e);
	assert_non_null(c);
	assert_int_equal(cached_connect(c, &e), CACHED_ANOTHER);
	cached_disconnect(c);
	assert_int_equal(cached_connect(c, &e), CACHED_AGAIN);
	cached_free(c);
	daemon_stop(&d, SIGKILL);
	scratch_free(dir);
}

static const struct {
	const char *address, *says; /* NULL: it is one */
} addresses[] = {
	{ "unix:/run/rrdcached.sock", NULL },
	{ "/run/rrdcached.sock", NULL },
	{ "localhost", NULL },
	{ "localhost:1", NULL },
	{ "localhost:65535", NULL },
	{ "[::1]:42217", NULL },
	{ "[::1]", NULL },
	{ "::1", NULL },
	{ "localhost:0", "0 is no port" },
	{ "localhost:65536", "65536 is no port" },
	{ "[::1]:99999", "99999 is no port" },
	{ "localhost:18446744073709551617", "is no port" },
	{ "localhost:-1", "-1 is no port" },
	{ "localhost:42217x", "42217x is no port" },
	{ "localhost:", "is no address" },
	{ ":42217", "is no address" },
	{ "[::1]42217", "is no address" },
	{ "unix:relative", "is no address" },
	{ "unix:", "is no address" },
};

static void
addresses_are_looked_at(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct err e = ERR_INIT;
		struct cached *c = cached_new(addresses[i].address, &e);

		if ((c != NULL) != (addresses[i].says == NULL) ||
		    (c == NULL && strstr(e.text, addresses[i].says) == NULL))
			fail_msg("%s: %s", addresses[i].address, c != NULL ? "taken" : e.text);
		cached_free(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_looked_at),
		cmocka_unit_test(whose_socket_it_is_not_is_another),
		cmocka_unit_test(hostile_answers_end_the_connection),
		cmocka_unit_test(a_dripping_rrdcached_is_given_up),
		cmocka_unit_test(an_absurd_last_update_is_not_believed),
		cmocka_unit_test(one_rrdcached_is_the_same),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
