/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unix_paths),
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_zones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
