/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "lib/clock.h"

static void
test_stands_where_it_was_set(void **state)
{
	(void)state;
	clock_set(1234 * CLOCK_S + 5 * CLOCK_MS + 6 * CLOCK_US + 7);
	assert_true(clock_real() == UINT64_C(1234005006007));
	assert_true(clock_mono() == UINT64_C(1234005006007));
	clock_set(1235 * CLOCK_S);
	assert_true(clock_mono() == 1235 * CLOCK_S);
	clock_set(0);
}

static void
test_runs_like_the_systems(void **state)
{
	uint64_t before = (uint64_t)time(NULL), real = clock_real() / CLOCK_S;
	uint64_t mono = clock_mono();

	(void)state;
	/* time() may lag behind by a tick. */
	assert_in_range(real, before, before + 5);
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_mono();

		assert_true(now >= mono);
		mono = now;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stands_where_it_was_set),
		cmocka_unit_test(test_runs_like_the_systems),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
