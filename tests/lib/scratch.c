/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/log.h"

char scratch_path[64];

int
scratch_make(void **state)
{
	static const struct log_config quiet = { .file = "/dev/null" };
	int fd;

	(void)state;
	snprintf(scratch_path, sizeof(scratch_path), "/tmp/weir-test-XXXXXX");
	fd = mkstemp(scratch_path);
	if (fd == -1 || close(fd) != 0)
		return -1;
	return log_open(&quiet, NULL) == 0 ? 0 : -1;
}

int
scratch_remove(void **state)
{
	(void)state;
	(void)unlink(scratch_path);
	return 0;
}

void
scratch_write(const char *text)
{
	scratch_put(text, strlen(text));
}

void
scratch_put(const void *octets, size_t len)
{
	FILE *f = fopen(scratch_path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}
