/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/variable.h"

#define T (UINT64_C(1699999800) * CLOCK_S) /* 2023-11-14 22:10:00 UTC, a Tuesday */

static void
test_each(void **state)
{
	static const struct {
		const char *pattern, *utc, *local; /* two hours ahead of UTC */
		size_t taken;
	} cases[] = {
		{ "%d!", "14", "15", 2 },
		{ "%H", "22", "00", 2 },
		{ "%m", "11", "11", 2 },
		{ "%M", "10", "10", 2 },
		{ "%s", "1699999800", "1699999800", 2 },
		{ "%S", "00", "00", 2 },
		{ "%w", "2", "3", 2 },
		{ "%W", "46", "46", 2 },
		{ "%Y%m", "2023", "2023", 2 },
		{ "%z", "+0000", "+0200", 2 },
		{ "$tzone/x", "Z", "+02:00", 6 },
		{ "$ref", "60", "60", 4 },
		{ "$hst.csv", "300", "300", 4 },
		{ "%q", "", "", 0 },
		{ "%", "", "", 0 },
		{ "$", "", "", 0 },
		{ "$re", "", "", 0 },
		{ "$tag", "", "", 0 },
	};
	struct variables v = { .time = T, .refresh_s = 60, .history_s = 300 };

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		char to[VARIABLE_MAX] = "";
		const char *want = i % 2 != 0 ? cases[i / 2].utc : cases[i / 2].local;

		v.utc = i % 2 != 0;
		assert_int_equal(variable_expand(cases[i / 2].pattern, &v, to),
		    cases[i / 2].taken);
		assert_string_equal(to, want);
	}
}

/* What lies west of Greenwich, and not a whole hour. */
static void
test_zones(void **state)
{
	const struct variables v = { .time = T };
	char to[VARIABLE_MAX];

	(void)state;
	setenv("TZ", "NST3:30", 1);
	tzset();
	assert_int_equal(variable_expand("$tzone", &v, to), 6);
	assert_string_equal(to, "-03:30");
	setenv("TZ", "TST-2", 1);
	tzset();
}

static void
test_have_time(void **state)
{
	(void)state;
	assert_true(variables_have_time("flows_%Y"));
	assert_false(variables_have_time("flows_$hst_$tzone"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_have_time),
	};

	setenv("TZ", "TST-2", 1);
	tzset();
	return cmocka_run_group_tests_name("lib/variable", tests, NULL, NULL);
}
