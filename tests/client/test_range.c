/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/range.h"

/* The examples of the guidelines, and what lies at the ends. */
static const struct {
	const char *text;
	double value;
	bool alerts;
} cases[] = {
	{ "10", -1, true }, { "10", 0, false }, { "10", 10, false }, { "10", 10.5, true },
	{ "10:", 9, true }, { "10:", 10, false }, { "10:", 1e18, false },
	{ "~:10", -1e18, false }, { "~:10", 10, false }, { "~:10", 11, true },
	{ "10:20", 9, true }, { "10:20", 10, false }, { "10:20", 20, false },
	{ "10:20", 21, true }, { "@10:20", 9, false }, { "@10:20", 10, true },
	{ "@10:20", 20, true }, { "@10:20", 21, false }, { "0", 0, false }, { "0", 1, true },
	{ "1.5", 1.4, false }, { "1.5", 1.6, true }, { "-5:5", -5, false }, { ":7", 7, false },
};

static const char *const faults[] = { "", "@", "x", "10:x", "x:10", "20:10", "10:20:30", "~",
	"1e999", "10 " };

static void
ranges_alert_as_the_guidelines_say(void **state)
{
	const struct range none = { .given = false };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct range r;

		print_message("# %s: %g\n", cases[i].text, cases[i].value);
		assert_int_equal(range_parse(&r, cases[i].text, NULL), 0);
		assert_int_equal(range_alerts(&r, cases[i].value), cases[i].alerts);
	}
	assert_false(range_alerts(&none, 5));
}

static void
what_is_no_range_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct range r;
		struct err e = ERR_INIT;

		print_message("# '%s'\n", faults[i]);
		assert_int_equal(range_parse(&r, faults[i], &e), -WEIR_EINVAL);
		assert_non_null(strstr(e.text, "is no range"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_alert_as_the_guidelines_say),
		cmocka_unit_test(what_is_no_range_is_refused),
	};

	return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
