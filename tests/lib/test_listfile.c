/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/listfile.h"
#include "tests/lib/scratch.h"

/* What was taken, with '|' behind each. A line "bad" is refused, "full" ends it all. */
struct taken {
	char text[512];
	size_t n, longest;
};

static int
take(void *arg, char *text, struct err *why)
{
	struct taken *t = arg;
	size_t len = strlen(text);

	if (strcmp(text, "bad") == 0) {
		memset(text, 'X', len); /* it is ours */
		return err_set(why, WEIR_EINVAL, "write something good");
	}
	if (strcmp(text, "full") == 0)
		return err_set(why, WEIR_ENOMEM, "no memory");
	t->n++;
	if (len > t->longest)
		t->longest = len;
	if (strlen(t->text) + len + 2 < sizeof(t->text)) {
		strcat(t->text, text);
		strcat(t->text, "|");
	}
	return 0;
}

static const struct listfile list = { "some_file", take };

static int
read_text(const char *text, size_t len, struct taken *t, struct problems *ps, struct err *e)
{
	scratch_put(text, len);
	memset(t, 0, sizeof(*t));
	memset(ps, 0, sizeof(*ps));
	memset(e, 0, sizeof(*e));
	return listfile_read(&list, scratch_path, t, ps, e);
}

#define TEXT(s) s, sizeof(s) - 1
static const struct {
	const char *says, *text;
	size_t len;
	const char *want;
	size_t problems;
	const char *first; /* of the problems, its end */
} cases[] = {
	{ "an item a line", TEXT("a\nb\nc\n"), "a|b|c|", 0, NULL },
	{ "no newline at the end", TEXT("a\nb"), "a|b|", 0, NULL },
	{ "an empty file", TEXT(""), "", 0, NULL },
	{ "empty lines and comments", TEXT("\n! x\n# y\n\n  \t\na\n"), "a|", 0, NULL },
	{ "a comment behind an item", TEXT("a ! x\nb # y\n"), "a|b|", 0, NULL },
	{ "blanks anywhere mean nothing", TEXT(" a , b\t\n"), "a,b|", 0, NULL },
	{ "DOS line ends", TEXT("a\r\nb\r\n"), "a|b|", 0, NULL },
	{ "what is refused is left out, with its line", TEXT("a\n\n bad ! x\nb\n"), "a|b|", 1,
	    ":3: some_file: 'bad' left out: write something good" },
	{ "a NUL octet", TEXT("a\nb\0c\nd\n"), "a|d|", 1,
	    ":2: some_file: 'b' left out: a NUL octet; is this a text file?" },
	{ "a NUL octet in a comment", TEXT("a ! \0\nb\n"), "a|b|", 0, NULL },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct taken t;
		struct problems ps;
		struct err e;

		if (read_text(cases[i].text, cases[i].len, &t, &ps, &e) != 0)
			fail_msg("%s: %s", cases[i].says, e.text);
		if (strcmp(t.text, cases[i].want) != 0 || ps.n != cases[i].problems)
			fail_msg("%s: '%s' and %zu problems", cases[i].says, t.text, ps.n);
		if (ps.n > 0 && (strstr(ps.list[0].text, cases[i].first) == NULL ||
				    ps.list[0].level != PROBLEM_WARNING))
			fail_msg("%s: '%s'", cases[i].says, ps.list[0].text);
		problems_free(&ps);
	}
}

/* Lines at every length around that of the buffer, with another line behind. */
static void
test_long_lines(void **state)
{
	char *text = malloc(3 * LISTFILE_LINE_MAX);

	(void)state;
	assert_non_null(text);
	for (size_t len = LISTFILE_LINE_MAX - 4; len < LISTFILE_LINE_MAX + 4; len++)
		for (int comment = 0; comment < 2; comment++) {
			bool fits = len < LISTFILE_LINE_MAX || comment;
			struct taken t;
			struct problems ps;
			struct err e;

			memcpy(text, "first\n", 6);
			memset(text + 6, 'x', len);
			if (comment)
				text[6 + 10] = '!';
			memcpy(text + 6 + len, "\nlast\n", 6);
			assert_int_equal(read_text(text, len + 12, &t, &ps, &e), 0);
			if (t.n != (fits ? 3 : 2) || ps.n != (fits ? 0 : 1) ||
			    strstr(t.text, "last|") == NULL)
				fail_msg("%zu octets: %zu lines, %zu problems", len, t.n, ps.n);
			assert_int_equal(t.longest, comment ? 10 : fits ? len : 5);
			problems_free(&ps);
		}
	free(text);
}

/* However long the line: ten megabytes of it, and the line behind. */
static void
test_a_huge_line(void **state)
{
	size_t len = 10 << 20;
	char *text = malloc(len + 8);
	struct taken t;
	struct problems ps;
	struct err e;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', len);
	memcpy(text + len, "\nlast\n", 6);
	assert_int_equal(read_text(text, len + 6, &t, &ps, &e), 0);
	assert_string_equal(t.text, "last|");
	assert_int_equal(ps.n, 1);
	assert_non_null(strstr(ps.list[0].text, ":1: "));
	assert_non_null(strstr(ps.list[0].text, "too long"));
	problems_free(&ps);
	free(text);
}

/* Complaints are bounded; how many there would be is told. */
static void
test_many_faults(void **state)
{
	char text[4 * 1000 + 8] = "good\n";
	size_t len = 5;
	struct taken t;
	struct problems ps;
	struct err e;

	(void)state;
	for (int i = 0; i < 900; i++, len += 4)
		memcpy(text + len, "bad\n", 4);
	assert_int_equal(read_text(text, len, &t, &ps, &e), 0);
	assert_int_equal(ps.n, LISTFILE_FAULTS + 1);
	assert_non_null(strstr(ps.list[LISTFILE_FAULTS].text, "900 lines left out in all"));
	problems_free(&ps);
}

static void
test_errors(void **state)
{
	static const struct {
		const char *says, *text, *hint;
		enum weir_errno code;
	} bad[] = {
		{ "not one line", "bad\nbad\n", "not one line can be read", WEIR_EINVAL },
		{ "one comes to its end", "a\nfull\nb\n", "no memory", WEIR_ENOMEM },
	};
	static const char *const paths[] = { "/nonexistent/list", "/tmp" };
	struct taken t = { .n = 0 };
	struct problems ps = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int rc = read_text(bad[i].text, strlen(bad[i].text), &t, &ps, &e);

		if (rc != -(int)bad[i].code || strstr(e.text, bad[i].hint) == NULL ||
		    strstr(e.text, scratch_path) == NULL)
			fail_msg("%s: %d '%s'", bad[i].says, rc, e.text);
		problems_free(&ps);
	}
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(listfile_read(&list, paths[i], &t, &ps, &e), -WEIR_EIO);
		assert_non_null(strstr(e.text, paths[i]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_a_huge_line),
		cmocka_unit_test(test_many_faults),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests_name("listfile", tests, scratch_make, scratch_remove);
}
