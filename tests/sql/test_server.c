/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sql/server.h"

static void
test_unix_paths(void **state)
{
	(void)state;
	assert_string_equal(server_unix_path("unix:/run/x"), "/run/x");
	assert_null(server_unix_path("unix.example.net"));
	assert_null(server_unix_path(NULL));
}

/* What is in the first line of a file that others may not read, before all else. */
static void
test_passwords(void **state)
{
	struct sql_config c = { .passwd = NULL };
	char path[] = "/tmp/weir-test-server-XXXXXX", got[SERVER_PASSWD_MAX];
	struct err e = ERR_INIT;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && write(fd, "from file\nmore\n", 15) == 15);
	assert_int_equal(server_passwd(&c, got, &e), 0);
	assert_string_equal(got, "arealsmartpwd");
	assert_int_equal(setenv(SERVER_PASSWD_ENV, "from environment", 1), 0);
	assert_int_equal(server_passwd(&c, got, &e), 0);
	assert_string_equal(got, "from environment");
	c.passwd = "configured";
	assert_int_equal(server_passwd(&c, got, &e), 0);
	assert_string_equal(got, "configured");
	c.passwd_file = path;
	assert_int_equal(server_passwd(&c, got, &e), 0);
	assert_string_equal(got, "from file");

	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(server_passwd(&c, got, &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, "chmod o="));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(server_passwd(&c, got, &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, "empty"));
	close(fd);
	unlink(path);
	assert_int_equal(server_passwd(&c, got, &e), -WEIR_EIO);
	assert_non_null(strstr(e.text, path));
	unsetenv(SERVER_PASSWD_ENV);
}

/* One of a few hundred octets is whole; one that is cut would be wrong, and is told of. */
static void
test_long_passwords(void **state)
{
	static const struct {
		size_t len;
		int want;
	} cases[] = {
		{ 300, 0 }, { SERVER_PASSWD_MAX - 1, 0 }, { SERVER_PASSWD_MAX, -WEIR_EIO },
		{ 3 * SERVER_PASSWD_MAX, -WEIR_EIO },
	};
	static char secret[3 * SERVER_PASSWD_MAX + 1], got[SERVER_PASSWD_MAX];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = cases[i / 2].len;
		char path[] = "/tmp/weir-test-server-XXXXXX";
		struct sql_config c = { .passwd = i % 2 == 0 ? secret : NULL,
			.passwd_file = i % 2 == 0 ? NULL : path };
		struct err e = ERR_INIT;
		int fd = mkstemp(path);

		memset(secret, 'x', len);
		secret[len] = '\0';
		assert_true(fd >= 0 && write(fd, secret, len) == (ssize_t)len);
		assert_int_equal(server_passwd(&c, got, &e), cases[i / 2].want);
		if (e.code == 0)
			assert_string_equal(got, secret);
		assert_null(strstr(e.text, "xxx"));
		close(fd);
		unlink(path);
	}
}

static void
test_zones(void **state)
{
	static const struct {
		const char *tz, *want;
		bool utc;
	} zones[] = {
		{ "TST-5", "+05:00", false }, { "TST+3:30", "-03:30", false },
		{ "TST-5", "+00:00", true }, { "UTC", "+00:00", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		char got[SERVER_ZONE_MAX];

		setenv("TZ", zones[i].tz, 1);
		tzset();
		server_zone(zones[i].utc, got);
		assert_string_equal(got, zones[i].want);
	}
}

/* Two ends of a connection by TCP. */
static void
tcp_pair(int end[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int door = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(door, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(door, 1), 0);
	assert_int_equal(getsockname(door, (struct sockaddr *)&at, &len), 0);
	end[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(end[0], (struct sockaddr *)&at, sizeof(at)), 0);
	assert_true((end[1] = accept(door, NULL, NULL)) >= 0);
	close(door);
}

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/*
 * A peer that has gone without a word is noticed within a minute, idle or not; only one that
 * rows are on their way to has the time that it wants.
 */
static void
test_silent_peers(void **state)
{
	int end[2], own;

	(void)state;
	tcp_pair(end);
	assert_true((own = server_socket_watch(end[0])) >= 0);
	assert_int_equal(option(end[0], SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(end[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
	assert_int_equal(option(end[0], IPPROTO_TCP, TCP_KEEPIDLE) +
		option(end[0], IPPROTO_TCP, TCP_KEEPINTVL) *
		    option(end[0], IPPROTO_TCP, TCP_KEEPCNT),
	    60);
	server_socket_loads(own, true);
	assert_int_equal(option(end[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	server_socket_loads(own, false);
	assert_int_equal(option(end[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
	server_socket_loads(-1, true);
	server_socket_close(own);
	close(end[0]);
	close(end[1]);
}

/*
 * The library closes its socket by itself, and the next file has its number: that one is not
 * what is cut.
 */
static void
test_cut(void **state)
{
	int first[2], next[2], own;
	char c;

	(void)state;
	tcp_pair(first);
	assert_true((own = server_socket_watch(first[0])) >= 0);
	tcp_pair(next);
	assert_int_equal(dup2(next[0], first[0]), first[0]);
	server_socket_cut(own);
	assert_int_equal(read(first[1], &c, 1), 0);
	assert_int_equal(write(first[0], "x", 1), 1);
	assert_int_equal(read(next[1], &c, 1), 1);
	server_socket_close(own);
	server_socket_close(-1);
	for (unsigned i = 0; i < 2; i++)
		close(first[i]);
	close(next[0]);
	close(next[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unix_paths),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_long_passwords),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_silent_peers),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
