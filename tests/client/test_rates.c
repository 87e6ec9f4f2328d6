/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/rates.h"

#define S UINT64_C(1000000000)

static const struct {
	const char *says;
	uint64_t before, now, interval;
	double want;
} rates[] = {
	{ "growth over a second", 100, 350, S, 250 },
	{ "growth over two seconds halves", 100, 350, 2 * S, 125 },
	{ "growth over a tenth of a second", 0, 7, S / 10, 70 },
	{ "no growth", 100, 100, S, 0 },
	{ "no interval yet", 0, 100, 0, 0 },
	{ "a counter that began anew", 1000, 10, S, 0 },
	{ "counters beyond 32 bits", UINT64_C(1) << 40, (UINT64_C(1) << 40) + 5, S, 5 },
};

static void
test_rate_of(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		print_message("# %s\n", rates[i].says);
		assert_float_equal(
		    rate_of(rates[i].before, rates[i].now, rates[i].interval),
		    rates[i].want, 1e-9);
	}
	assert_float_equal(rate_per_s(30, 3 * S), 10, 1e-9);
	assert_float_equal(rate_per_s(30, 0), 0, 1e-9);
}

static const struct {
	const char *says;
	double v;
	const char *want;
} texts[] = {
	{ "nothing", 0, "0" },
	{ "whole numbers below ten have no fraction", 7, "7" },
	{ "others have one", 0.25, "0.25" },
	{ "which is rounded away when it makes ten", 9.999, "10" },
	{ "three digits", 123.4, "123" },
	{ "the last without a prefix", 999.4, "999" },
	{ "rounding does not make four digits", 999.6, "1.00k" },
	{ "thousands", 1500, "1.50k" },
	{ "rounding does not make four digits of thousands", 9999, "10.0k" },
	{ "ten thousands", 12345, "12.3k" },
	{ "rounding does not make four digits of ten thousands", 99960, "100k" },
	{ "millions", 456e6, "456M" },
	{ "rounding goes to the next prefix", 999.7e6, "1.00G" },
	{ "giga", 8e9, "8.00G" },
	{ "tera", 2.5e12, "2.50T" },
	{ "peta", 2.5e15, "2.50P" },
	{ "the largest counter", 18446744073709551615.0, "18.4E" },
};

static void
test_rate_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char buf[RATE_STRLEN];

		print_message("# %s\n", texts[i].says);
		assert_int_equal(rate_text(texts[i].v, buf), strlen(texts[i].want));
		assert_string_equal(buf, texts[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_of),
		cmocka_unit_test(test_rate_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
