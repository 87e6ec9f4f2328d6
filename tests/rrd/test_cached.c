/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the client of rrdcached believes: of one that is broken, or means ill, nothing. */
#include "tests/rrd/daemon.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_socket_it_is_not_is_another),
		cmocka_unit_test(one_rrdcached_is_the_same),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
