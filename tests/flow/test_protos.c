/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "flow/protos.h"

static const struct {
	int number;
	const char *name;
} protos[] = {
#define PROTO(number, name) { number, name },
#include "flow/protos.def"
#undef PROTO
};
#define N_PROTOS (sizeof(protos) / sizeof(protos[0]))

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_PROTOS; i++) {
		if (protos[i].number < 0 || protos[i].number > 255 ||
		    protos[i].name[0] == '\0')
			fail_msg("'%s' is no row", protos[i].name);
		if (strlen(protos[i].name) > 10) /* the width of the column in print */
			fail_msg("'%s' is too long", protos[i].name);
		for (size_t j = 0; j < i; j++)
			if (protos[i].number <= protos[j].number ||
			    strcasecmp(protos[i].name, protos[j].name) == 0)
				fail_msg("'%s' stands twice or out of order",
				    protos[i].name);
		assert_string_equal(
		    proto_name((uint8_t)protos[i].number), protos[i].name);
		assert_int_equal(proto_number(protos[i].name), protos[i].number);
	}
}

/* Every number has a text, and every text its number. */
static void
test_all_numbers(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		const char *name = proto_name((uint8_t)i);
		char digits[12];
		size_t row = 0;

		snprintf(digits, sizeof(digits), "%d", i);
		while (row < N_PROTOS && protos[row].number != i)
			row++;
		if (row == N_PROTOS)
			assert_string_equal(name, digits);
		assert_int_equal(proto_number(name), i);
		assert_int_equal(proto_number(digits), i);
	}
}

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		int want;
	} cases[] = { { "TCP", 6 }, { "Udp", 17 }, { "ipcomp", 108 }, { "256", -1 },
		{ "-1", -1 }, { "06", -1 }, { "", -1 }, { "tcpx", -1 }, { "tc", -1 },
		{ "6 ", -1 }, { "ip", -1 }, { "st", -1 }, { "cbt", -1 }, { "rdp", -1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (proto_number(cases[i].name) != cases[i].want)
			fail_msg(
			    "'%s' is %d", cases[i].name, proto_number(cases[i].name));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_all_numbers),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("protos", tests, NULL, NULL);
}
