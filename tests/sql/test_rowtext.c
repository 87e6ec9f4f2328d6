/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sql/rowtext.h"

static const struct {
	const char *says;
	const char *text;  /* NULL: a number */
	int64_t number;
	const char *want;
} values[] = {
	{ "plain text stays in its place", "192.0.2.1", 0, "192.0.2.1" },
	{ "no text is no NULL", "", 0, "" },
	{ "a tab would divide", "a\tb", 0, "a\\tb" },
	{ "a newline would end the row", "a\nb\r", 0, "a\\nb\\r" },
	{ "a backslash would begin an escape", "\\N", 0, "\\\\N" },
	{ "what ends COPY's input is text", "\\.", 0, "\\\\." },
	{ "quotes mean nothing here", "it's \"x\"", 0, "it's \"x\"" },
	{ "UTF-8 passes", "\xc3\xbc", 0, "\xc3\xbc" },
	{ "zero", NULL, 0, "0" },
	{ "a number", NULL, 1234567890, "1234567890" },
	{ "the largest", NULL, INT64_MAX, "9223372036854775807" },
	{ "below zero", NULL, -1, "-1" },
	{ "the least", NULL, INT64_MIN, "-9223372036854775808" },
};
#define N_VALUES (sizeof(values) / sizeof(values[0]))

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_VALUES; i++) {
		struct rowtext r;
		char want[64];

		assert_int_equal(rowtext_init(&r, 1), 0);
		if (values[i].text != NULL)
			rowtext_text(&r, 0, values[i].text, strlen(values[i].text));
		else
			rowtext_int(&r, 0, values[i].number);
		rowtext_put(&r);
		strcat(strcpy(want, values[i].want), "\n");
		if (r.out.len != strlen(want) || memcmp(r.out.p, want, r.out.len) != 0)
			fail_msg("%s: got '%.*s'", values[i].says, (int)r.out.len, r.out.p);
		rowtext_fini(&r);
	}
}

/* A row is what was set last; what was never set is NULL. */
static void
test_values_stay(void **state)
{
	struct rowtext r;
	char text[] = "one";
	static const char want[] = "one\t7\t\\N\none\t8\t\\N\ntwo\t8\t\\N\n";

	(void)state;
	assert_int_equal(rowtext_init(&r, 3), 0);
	rowtext_text(&r, 0, text, 3);
	rowtext_int(&r, 1, 7);
	rowtext_put(&r);
	rowtext_int(&r, 1, 8);
	rowtext_put(&r);
	memcpy(text, "two", 3); /* text is borrowed */
	rowtext_put(&r);
	assert_int_equal(r.out.len, sizeof(want) - 1);
	assert_memory_equal(r.out.p, want, r.out.len);
	rowtext_fini(&r);
}

/* The longest text, of nothing but what needs an escape, has room; its end is left out. */
static void
test_longest(void **state)
{
	char text[TEXT_MAX + 10];
	struct rowtext r;

	(void)state;
	memset(text, '\\', sizeof(text));
	assert_int_equal(rowtext_init(&r, 2), 0);
	rowtext_text(&r, 0, text, sizeof(text));
	rowtext_int(&r, 1, 5);
	rowtext_put(&r);
	assert_int_equal(r.out.len, 2 * TEXT_MAX + 3);
	assert_memory_equal(r.out.p + 2 * TEXT_MAX, "\t5\n", 3);
	rowtext_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_values_stay),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
