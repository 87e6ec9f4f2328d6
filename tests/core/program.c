/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/core/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

char program_command[256];
static char path[128], out[128];

void
program_make(const char *dir, const char *body, const char *arguments)
{
	FILE *f;

	snprintf(path, sizeof(path), "%s/program", dir);
	snprintf(out, sizeof(out), "%s/told", dir);
	assert_non_null(f = fopen(path, "w"));
	fprintf(f, "#!/bin/sh\nOUT=%s\n%s\n", out, body);
	fclose(f);
	assert_int_equal(chmod(path, 0755), 0);
	snprintf(program_command, sizeof(program_command), "%s%s", path, arguments);
}

const char *
program_wrote(void)
{
	static char text[4096];
	FILE *f = fopen(out, "r");
	size_t n = 0;

	if (f != NULL) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	return text;
}

void
program_remove(void)
{
	(void)unlink(path);
	(void)unlink(out);
}
