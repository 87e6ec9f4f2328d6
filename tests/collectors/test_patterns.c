/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "collectors/patterns.h"
#include "lib/intern.h"

#define FOLDER "test_patterns.d"

static void
file_write(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)mkdir(FOLDER, 0777);
	snprintf(path, sizeof(path), FOLDER "/%s", name);
	assert_non_null(f = fopen(path, "w"));
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int
setup(void **state)
{
	(void)state;
	return system("rm -rf " FOLDER);
}

/* The class of `text`; "" where none fits. */
static const char *
match(const struct patterns *p, const char *text, uint64_t *given_up)
{
	struct patterns_scratch *s = patterns_scratch_new(p);
	uint32_t id;

	assert_non_null(s);
	id = patterns_match(p, s, (const uint8_t *)text, strlen(text), given_up);
	patterns_scratch_free(s);
	return intern_text(id);
}

static struct patterns *
folder_read(struct problems *ps)
{
	struct err e = ERR_INIT;

	return patterns_read(FOLDER, ps, &e);
}

static void
test_match(void **state)
{
	static const struct {
		const char *text, *class;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n", "http" },
		{ "get / http/1.0\r\n", "http" },
		{ "220 mail\r\nEHLO x\r\n", "smtp" },
		{ "\xe3 and some", "edonkey" },
		{ "GET and no more", "" },
		{ "", "" },
	};
	struct problems ps = { 0 };
	struct patterns *p;
	uint64_t given_up = 0;

	(void)state;
	file_write("b-http.pat", "# pages\n\n http \n# what asks\n^(get|post) [^ ]+ http/1\\.[01]\n");
	file_write("c-any-get.pat", "late\r\n^get .*http\r\n");
	file_write("a-smtp.pat", "smtp\n^220 .*\\x0d\\x0aehlo\nwhat follows is not read (\n");
	file_write("edonkey.pat", "edonkey\n^[\\xc5\\xe3-\\xe5]");
	file_write("README", "no pattern (\n");
	file_write(".hidden.pat", "no pattern\n(\n");
	assert_non_null(p = folder_read(&ps));
	assert_int_equal(ps.n, 0);
	assert_int_equal(patterns_count(p), 4);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(match(p, cases[i].text, &given_up), cases[i].class);
	assert_int_equal(given_up, 0);
	patterns_free(p);
}

/* What is wrong is told with its file and line; the other files are read. */
static void
test_faults(void **state)
{
	static char lines[2 * 8192 + 32], names[300];
	static const struct {
		const char *file, *text;
		unsigned line;
		const char *part;
	} cases[] = {
		{ "1.pat", "# no more", 1, "ends early" },
		{ "2.pat", "name\n\n", 2, "ends early" },
		{ "3.pat", "name\n# here\n(open\n", 3, "character 6: missing closing parenthesis" },
		{ "4.pat", "name\n[z-a]\n", 2, "range out of order" },
		{ "5.pat", lines, 2, "longer than" },
		{ "6.pat", names, 1, "longer than" },
	};
	struct problems ps = { 0 };
	struct patterns *p;

	(void)state;
	strcpy(lines, "long\n");
	memset(lines + 5, 'x', 2 * 8192);
	memset(names, 'n', 256);
	strcpy(names + 256, "\nx\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		file_write(cases[i].file, cases[i].text);
	file_write("7.pat", "good\ny\n");
	assert_non_null(p = folder_read(&ps));
	assert_int_equal(patterns_count(p), 1);
	assert_int_equal(ps.n, sizeof(cases) / sizeof(cases[0]));
	for (size_t i = 0; i < ps.n; i++) {
		char where[64];

		snprintf(where, sizeof(where), FOLDER "/%s:%u", cases[i].file, cases[i].line);
		if (strstr(ps.list[i].text, where) == NULL ||
		    strstr(ps.list[i].text, cases[i].part) == NULL)
			fail_msg("%s: %s", where, ps.list[i].text);
	}
	patterns_free(p);
	problems_free(&ps);
}

/* A pattern that explodes is given up, and after some time asked no more; others work. */
static void
test_explosion(void **state)
{
	struct problems ps = { 0 };
	struct patterns *p;
	struct patterns_scratch *s;
	uint64_t given_up = 0;
	uint8_t text[2048];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		char name[32];

		snprintf(name, sizeof(name), "a%03u.pat", i);
		file_write(name, "bomb\n^(a+a?)+$\n");
	}
	file_write("z.pat", "good\nb$\n");
	assert_non_null(p = folder_read(&ps));
	assert_non_null(s = patterns_scratch_new(p));
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = 'b';
	/* One text pays for a few only, and so does each pattern. */
	assert_int_equal(patterns_match(p, s, text, sizeof(text), &given_up), 0);
	assert_in_range(given_up, 1, 10);
	for (unsigned i = 0; i < 5000; i++)
		(void)patterns_match(p, s, text, sizeof(text), &given_up);
	assert_in_range(given_up, 200, 200 * 20);
	assert_string_equal(
	    intern_text(patterns_match(p, s, text, sizeof(text), &given_up)), "good");
	patterns_scratch_free(s);
	patterns_free(p);
}

static void
test_many(void **state)
{
	enum { N = 10000 };
	struct problems ps = { 0 };
	struct patterns *p;
	uint64_t given_up = 0;
	char text[64];

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%05u.pat", i);
		snprintf(text, sizeof(text), "class%u\n^user-%u;\n", i, i);
		file_write(name, text);
	}
	assert_non_null(p = folder_read(&ps));
	assert_int_equal(ps.n, 0);
	assert_int_equal(patterns_count(p), N);
	assert_string_equal(match(p, "USER-9999;", &given_up), "class9999");
	assert_string_equal(match(p, "user-10000;", &given_up), "");
	assert_int_equal(given_up, 0);
	patterns_free(p);
}

static void
test_no_folder(void **state)
{
	struct problems ps = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	assert_null(patterns_read(FOLDER "/none", &ps, &e));
	assert_non_null(strstr(e.text, FOLDER "/none: No such file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_match, setup, setup),
		cmocka_unit_test_setup_teardown(test_faults, setup, setup),
		cmocka_unit_test_setup_teardown(test_explosion, setup, setup),
		cmocka_unit_test_setup_teardown(test_many, setup, setup),
		cmocka_unit_test_setup_teardown(test_no_folder, setup, setup),
	};

	return cmocka_run_group_tests_name("collectors/patterns", tests, NULL, NULL);
}
