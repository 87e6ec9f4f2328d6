/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the doctor says of a socket that weir's user may not use. */
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
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/doctor.h"

static const struct {
	const char *says;
	mode_t folder, socket;
	const char *advice;
} cases[] = {
	{ "the folder is closed", 0, 0777, "chmod 755" },
	{ "the socket is closed", 0755, 0, "you may not use it" },
};

/* As somebody who is not root; in a process of its own, as there is no way back. */
static void
ask(const char *path, FILE *to)
{
	struct doctor_config c = { .socket = path, .oid_base = "1.3.6.1.4.1.99999",
		.address = "127.0.0.1", .community = "public" };
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(2);
		_exit(doctor_snmp(&c, to) != 1 || fflush(to) != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
the_way_to_the_socket_is_looked_at(void **state)
{
	char dir[] = "/tmp/weir-doctor-XXXXXX";
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/master", dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		FILE *to = tmpfile();
		char text[1024];
		size_t len;

		print_message("# %s\n", cases[i].says);
		assert_true(fd >= 0 && to != NULL);
		assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
		assert_int_equal(chmod(a.sun_path, cases[i].socket), 0);
		assert_int_equal(chmod(dir, cases[i].folder), 0);
		ask(a.sun_path, to);
		assert_int_equal(chmod(dir, 0700), 0);
		rewind(to);
		len = fread(text, 1, sizeof(text) - 1, to);
		text[len] = '\0';
		if (strstr(text, cases[i].advice) == NULL)
			fail_msg("%s", text);
		fclose(to);
		close(fd);
		unlink(a.sun_path);
	}
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_to_the_socket_is_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
