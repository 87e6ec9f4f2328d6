/* SPDX-License-Identifier: GPL-2.0-or-later */
/* infile: whatever the name is of, reading it ends, and an error says why. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/infile.h"

static char folder[] = "/tmp/weir-infile-XXXXXX", file[64], pipe_path[64], absent[64];

static int
setup(void **state)
{
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/file", folder);
	snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", folder);
	snprintf(absent, sizeof(absent), "%s/absent", folder);
	f = fopen(file, "w");
	assert_non_null(f);
	fputs("0123456789", f);
	return fclose(f) != 0 || mkfifo(pipe_path, 0600) != 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(file);
	(void)unlink(pipe_path);
	return rmdir(folder);
}

/* Read all of `f`. Returns how many octets came; `*error`: what ended it, or 0. */
static size_t
drained(FILE *f, int *error)
{
	char buf[4096];
	size_t n, all = 0;

	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		all += n;
	*error = ferror(f) ? errno : 0;
	assert_int_equal(fclose(f), 0);
	return all;
}

static const struct {
	const char *says, *path;
	uint64_t max;
	int error;               /* of opening, or of reading */
	size_t octets;           /* that came of what could be opened */
} cases[] = {
	{ "a file", file, INFILE_MAX, 0, 10 },
	{ "a file as long as it may be", file, 10, 0, 10 },
	{ "one octet longer", file, 9, EFBIG, 0 },
	{ "a file that is not there", absent, INFILE_MAX, ENOENT, 0 },
	{ "a folder", folder, INFILE_MAX, EISDIR, 0 },
	{ "a device without octets", "/dev/null", INFILE_MAX, 0, 0 },
	{ "a device without end", "/dev/zero", 100000, EFBIG, 100000 },
	{ "another", "/dev/full", INFILE_MAX, EFBIG, INFILE_ENDLESS_MAX },
	{ "a pipe that nobody writes to", pipe_path, INFILE_MAX, EPIPE, 0 },
};

static void
test_all_that_may_be_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *f = infile_open(cases[i].path, cases[i].max, NULL);
		int error = errno;
		size_t n = f != NULL ? drained(f, &error) : 0;

		if (error != cases[i].error || n > cases[i].octets ||
		    (cases[i].error == 0 && n != cases[i].octets))
			fail_msg("%s: error %d, %zu octets", cases[i].says, error, n);
		assert_true(*infile_error(error) != '\0');
	}
}

/* Whoever writes may be slower than weir, which waits; what comes counts as it does of a file. */
static void
test_pipe_with_a_writer(void **state)
{
	FILE *f;
	int to, error;

	(void)state;
	f = infile_open(pipe_path, INFILE_MAX, NULL);
	assert_non_null(f);
	to = open(pipe_path, O_WRONLY | O_NONBLOCK);
	assert_int_not_equal(to, -1);
	assert_int_equal(write(to, "abc", 3), 3);
	assert_int_equal(getc(f), 'a');
	assert_int_equal(write(to, "def", 3), 3);
	close(to);
	assert_int_equal(drained(f, &error), 5);
	assert_int_equal(error, 0);
}

/* A writer who says nothing is not waited for for ever: here, not at all. */
static void
test_pipe_that_does_not_end(void **state)
{
	FILE *f;
	int to, error;

	(void)state;
	clock_set(CLOCK_S);
	f = infile_open(pipe_path, INFILE_MAX, NULL);
	assert_non_null(f);
	to = open(pipe_path, O_WRONLY | O_NONBLOCK);
	assert_int_equal(write(to, "abc", 3), 3);
	assert_int_equal(getc(f), 'a');
	clock_set(CLOCK_S + INFILE_END_S * CLOCK_S + 1);
	assert_int_equal(drained(f, &error), 2);
	assert_int_equal(error, ETIMEDOUT);
	close(to);
	clock_set(0);
}

/* The error of a stream stays what it was, however often somebody goes on reading. */
static void
test_errors_stay(void **state)
{
	FILE *f = infile_open("/dev/zero", 10, NULL);

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < 20; i++) {
		errno = 0;
		if (getc(f) == EOF)
			assert_int_equal(errno, EFBIG);
	}
	assert_true(ferror(f));
	fclose(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_that_may_be_named),
		cmocka_unit_test(test_pipe_with_a_writer),
		cmocka_unit_test(test_pipe_that_does_not_end),
		cmocka_unit_test(test_errors_stay),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
