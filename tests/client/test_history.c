/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Means over minutes and bars of seconds, of few samples and of more than are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/history.h"

#define S UINT64_C(1000000000)

static void
test_means(void **state)
{
	struct history *h = calloc(1, sizeof(*h));

	(void)state;
	assert_float_equal(history_mean(h, 60), 0, 1e-9);
	history_add(h, 0, 77); /* nothing is known yet */
	assert_float_equal(history_mean(h, 60), 0, 1e-9);
	for (int i = 0; i < 300; i++)
		history_add(h, S, 10);
	for (int i = 0; i < 30; i++)
		history_add(h, 2 * S, 40); /* a minute */
	assert_float_equal(history_mean(h, 1), 40, 1e-9); /* half of the last one */
	assert_float_equal(history_mean(h, 60), 40, 1e-9);
	assert_float_equal(history_mean(h, 120), 25, 1e-9);
	assert_float_equal(history_mean(h, 900), (300 * 10 + 60 * 40) / 360.0, 1e-9);
	for (unsigned i = 0; i < 3 * HISTORY_ROOM; i++)
		history_add(h, S, 7);
	assert_float_equal(history_mean(h, 900), 7, 1e-9);
	free(h);
}

static void
test_bars(void **state)
{
	static const double values[] = { 100, 0, 50, 99.9, 0.1, 100 };
	struct history *h = calloc(1, sizeof(*h));
	char buf[64];

	(void)state;
	assert_int_equal(history_bars(h, 10, true, buf, sizeof(buf)), 0);
	history_add(h, S, 0);
	history_bars(h, 10, false, buf, sizeof(buf));
	assert_string_equal(buf, "_");
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		history_add(h, S, values[i]);
	assert_int_equal(history_bars(h, 6, false, buf, sizeof(buf)), 6);
	assert_string_equal(buf, "#_+#_#");
	assert_int_equal(history_bars(h, 3, true, buf, sizeof(buf)), 9);
	assert_string_equal(buf, "\u2588\u2581\u2588");
	history_bars(h, 6, true, buf, 8); /* no half characters */
	assert_string_equal(buf, "\u2588\u2581");
	free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_means),
		cmocka_unit_test(test_bars),
	};

	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
